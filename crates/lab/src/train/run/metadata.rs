//! Metadata of fitted weights.

use super::session::Session;
use maskwatch::nn::weights::Weights;

/// Adds `entries`, the seed and what the session knows to the metadata of `weights`.
pub(in crate::train) fn describe<'a>(
    weights: &mut Weights,
    session: &Session,
    seed: u64,
    entries: impl IntoIterator<Item = (&'a str, String)>,
) {
    weights.metadata.extend(entries.into_iter().map(|(key, value)| (key.to_owned(), value)));
    weights.metadata.insert("seed".to_owned(), seed.to_string());
    weights.metadata.extend(session.about.clone());
}

/// A value as JSON.
pub(in crate::train) fn json(value: &impl serde::Serialize) -> String {
    // Fails only for maps whose keys are no strings, and there are none.
    serde_json::to_string(value).unwrap_or_default()
}
