//! Fits the classifier's output *presence* to the features of a finished classifier: is a human head there,
//! and is it seen from where nose and mouth would show? Nothing else of the classifier changes.
//!
//! A logistic regression on the 1280 pooled features, by AdamW over all views at once. Then each logit is
//! shifted so that at a probability of 0.5 a given share of the faces set aside counts as no face: what
//! rejection costs is chosen, and how much it rejects follows.

mod run;
mod settings;
mod views;

pub use run::{FittedPresence, run};
pub use settings::PresenceSettings;
