//! Measures the networks on labelled pictures: how often the classifier is right ([`faces`]), how many faces
//! the detector finds ([`detector`]), and what comes out when both work together ([`scenes`]); with the
//! feature `train` also what bare faces with things drawn on them are called (`hard`), where their landmarks
//! are (`landmarks`), and what it brings to leave faces that are seen badly unjudged (`gates`). Nothing here
//! fits a network (that is `train`) or knows the command line; the networks come in as functions, so figures
//! can be tested without them.
//!
//! The face size is everywhere the shorter side of its box, min(w, h), in pixels. Fractions are between 0 and
//! 1 and come with their counts and a 95 % Wilson interval; a fraction of nothing is `None`, `null` in JSON.

pub mod detector;
pub mod door;
pub mod faces;
pub mod gates;
pub mod hard;
pub mod landmarks;
pub mod metrics;
pub mod mistakes;
pub mod scenes;
pub mod sheet;
mod table;

use maskwatch::geometry::{Point, Rect};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Gives the landmarks of the face in a box, in the picture's pixels; see `Locator::locate`.
pub type Locate<'a> = dyn Fn(&image::RgbImage, &Rect) -> anyhow::Result<[Point; 5]> + Sync + 'a;

/// All networks.
#[derive(Clone, Copy)]
pub struct Networks<'a> {
    /// Finds faces.
    pub detect: &'a detector::Detect<'a>,
    /// Says whether they wear masks.
    pub classify: &'a faces::Classify<'a>,
    /// Says where their landmarks are.
    pub locate: &'a Locate<'a>,
}

/// Values under names, in the order in which they are to be printed; a JSON object.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Named<T> {
    /// The value under `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl<N: Into<String>, T> FromIterator<(N, T)> for Named<T> {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
