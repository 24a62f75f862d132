//! The section `[models]`: which networks are run.

use super::error::ConfigError;
use super::limits;
use super::reader::Section;
use crate::vision::classifier::Input;
use crate::vision::models::{ModelOptions, Precision};

/// Reads `[models]`.
pub(super) fn models(mut section: Section<'_>) -> Result<ModelOptions, ConfigError> {
    let threads = u32::from(*limits::THREADS.start())..=u32::from(*limits::THREADS.end());
    let config = ModelOptions {
        precision: section.choice("precision", &Precision::NAMES)?.unwrap_or_default(),
        int8: section.text("int8")?.map(|path| path.value.into()),
        classifier: section.text("classifier")?.map(|path| path.value.into()),
        detector: section.text("detector")?.map(|path| path.value.into()),
        landmarks: section.text("landmarks")?.map(|path| path.value.into()),
        classifier_input: section
            .whole_or("classifier_input", limits::CLASSIFIER_SIDES, "auto")?
            .map_or(Input::Auto, |side| side.value.map_or(Input::Auto, Input::Side)),
        threads: section.whole("threads", threads)?.map(|threads| threads.value as u16),
    };
    section.finish()?;
    Ok(config)
}
