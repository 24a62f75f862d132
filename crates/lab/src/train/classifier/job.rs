//! What both ways of fitting the classifier need to know.

use super::settings::{ClassifierSettings, Depth};
use crate::data::dataset::{Dataset, Subset};
use crate::train::run::Course;

/// A data set and how the classifier is fitted to it.
#[derive(Clone, Copy)]
pub(super) struct ClassifierJob<'a> {
    pub(super) dataset: &'a Dataset,
    pub(super) settings: &'a ClassifierSettings,
}

impl ClassifierJob<'_> {
    /// The subsets that are measured, each with its faces.
    pub(super) fn measured(&self) -> [(Subset, Vec<usize>); 2] {
        [Subset::Selection, Subset::Val].map(|subset| (subset, self.dataset.subset(subset)))
    }

    /// How long the run is; `start` is the checksum of its starting weights.
    pub(super) fn course(&self, start: &str) -> Course {
        let Self { dataset, settings } = self;
        let (title, unit, counted, every) = match settings.depth {
            Depth::Head => ("head", "epoch", "epochs", 1),
            Depth::From(_) => ("fine-tuning", "step", "steps", settings.every),
        };
        Course {
            title,
            unit,
            total: settings.length,
            every,
            counted: (counted, 1),
            measures_start: false,
            key: serde_json::json!({ "settings": settings, "weights": start, "data": dataset.checksum() }),
        }
    }
}
