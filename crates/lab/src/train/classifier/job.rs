//! What both ways of fitting the classifier need to know.

use super::non_faces::NonFaces;
use super::settings::{ClassifierSettings, Depth};
use crate::data::dataset::{Dataset, Subset};
use crate::train::run::Course;

/// A data set and how the classifier is fitted to it.
#[derive(Clone, Copy)]
pub(super) struct ClassifierJob<'a> {
    pub(super) dataset: &'a Dataset,
    pub(super) settings: &'a ClassifierSettings,
    pub(super) non_faces: &'a NonFaces,
}

impl ClassifierJob<'_> {
    /// The subsets that are measured, each with its faces.
    pub(super) fn measured(&self) -> [(Subset, Vec<usize>); 2] {
        [Subset::Selection, Subset::Val].map(|subset| (subset, self.dataset.subset(subset)))
    }

    /// How long the run is; `start` is the checksum of its starting weights.
    pub(super) fn course(&self, start: &str) -> Course {
        let Self { dataset, settings, non_faces } = self;
        // What happens to the fitted weights afterwards may be tried anew on a finished run.
        let fitted = ClassifierSettings { blend: 1.0, incorrect_odds: 1.0, ..(*settings).clone() };
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
            keeps_last: settings.keep_last,
            key: serde_json::json!({ "settings": fitted, "weights": start, "data": dataset.checksum(), "non_faces": non_faces.summary() }),
        }
    }
}
