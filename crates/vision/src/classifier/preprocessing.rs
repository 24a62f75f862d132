//! How faces are cut out for a classifier.

use crate::geometry::Rect;
use crate::nn::NetworkError;
use crate::nn::head;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Sides of the classifier's input in pixels: smaller ones leave the network no map, larger ones take more
/// memory than a board has.
pub const CLASSIFIER_SIDES: std::ops::RangeInclusive<u32> = 32..=512;

/// Smaller inputs are not chosen for a face, however small: enlarging it costs little, and with less masks
/// worn wrongly are mistaken for others (measured on scenes of split train).
const LEAST_CHOSEN: u32 = 128;

/// Which input a classifier looks at a face with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Input {
    /// Of the sides that the weights were trained for, the smallest from 128 on that shows all that the
    /// camera saw of the face.
    #[default]
    Auto,
    /// A square of this side in pixels, 32 to 512; 224 in the paper.
    Side(u32),
}

impl FromStr for Input {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if word == "auto" {
            return Ok(Self::Auto);
        }
        let side = word.parse().ok().filter(|side| CLASSIFIER_SIDES.contains(side));
        side.map(Self::Side).ok_or_else(|| {
            format!("it must be auto or {} to {}", CLASSIFIER_SIDES.start(), CLASSIFIER_SIDES.end())
        })
    }
}

impl fmt::Display for Input {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => out.write_str("auto"),
            Self::Side(side) => write!(out, "{side}x{side}"),
        }
    }
}

impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Side(side) => serializer.serialize_u32(*side),
        }
    }
}

/// How faces are cut out for a classifier; fixed when it is trained and written into its weight file.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Side of the square that the network sees, as a multiple of the face's longer side.
    pub margin: f32,
    /// Sides of the network's input in pixels, the smallest first.
    pub inputs: Vec<u32>,
}

impl Preprocessing {
    /// Reads the metadata entries `margin`, `input`, `inputs` (which older files lack) and `classes` of a
    /// weight file; `origin` names the file in errors.
    ///
    /// # Errors
    /// When an entry is missing or makes no sense.
    pub fn of(metadata: &BTreeMap<String, String>, origin: &str, input: Input) -> Result<Self, NetworkError> {
        let text = |key: &str| metadata.get(key).map_or("missing", String::as_str);
        let list = metadata.get("inputs").map_or_else(|| text("input"), String::as_str);
        let margin = text("margin").parse().ok().filter(|margin| (0.5..=3.0).contains(margin));
        let inputs: Option<Vec<u32>> = list
            .split(',')
            .map(|side| side.parse().ok().filter(|side| CLASSIFIER_SIDES.contains(side)))
            .collect();
        let classes = text("classes") == head::CLASSES;
        let (Some(margin), Some(mut inputs), true) = (margin, inputs, classes) else {
            let (margin, classes) = (text("margin"), text("classes"));
            let reason = format!("its metadata says margin {margin}, input {list}, classes {classes}");
            return Err(NetworkError::Mismatch { origin: origin.to_owned(), reason });
        };
        inputs.sort_unstable();
        inputs.dedup();
        match input {
            Input::Side(side) => inputs = vec![side],
            // Whoever has trained for small ones alone wants these.
            Input::Auto if inputs.last().is_some_and(|&largest| largest >= LEAST_CHOSEN) => {
                inputs.retain(|&side| side >= LEAST_CHOSEN);
            }
            Input::Auto => {}
        }
        Ok(Self { margin, inputs })
    }

    /// Writes the entries that a [`Classifier`](super::Classifier) reads.
    pub fn write(&self, metadata: &mut BTreeMap<String, String>) {
        let inputs: Vec<String> = self.inputs.iter().map(u32::to_string).collect();
        metadata.insert("margin".to_owned(), self.margin.to_string());
        metadata.insert("inputs".to_owned(), inputs.join(","));
        metadata.insert("classes".to_owned(), head::CLASSES.to_owned());
    }

    /// Which of the inputs, by its place in [`Self::inputs`], a face is looked at with: the smallest that
    /// need not make its crop smaller, else the largest.
    #[must_use]
    pub fn input_for(&self, face: &Rect) -> usize {
        let seen = self.margin * face.w.max(face.h);
        let enough = self.inputs.iter().position(|input| *input as f32 >= seen);
        enough.unwrap_or(self.inputs.len().saturating_sub(1))
    }

    /// The largest input.
    #[must_use]
    pub fn largest(&self) -> u32 {
        self.inputs.last().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_face_is_looked_at_with_the_smallest_input_that_shows_all_of_it() {
        let preprocessing = Preprocessing { margin: 1.25, inputs: vec![96, 128, 224] };
        let input =
            |longer: f32| preprocessing.inputs[preprocessing.input_for(&Rect::new(0.0, 0.0, 10.0, longer))];
        assert_eq!([20.0, 76.0, 77.0, 102.0, 103.0, 400.0].map(input), [96, 96, 128, 128, 224, 224]);
    }

    #[test]
    fn the_metadata_say_which_inputs_there_are() {
        let of = |entries: &[(&str, &str)], input| {
            let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            Preprocessing::of(&entries.collect(), "a file", input).map(|this| this.inputs)
        };
        let old = [("margin", "1.1"), ("input", "224"), ("classes", head::CLASSES)];
        assert_eq!(of(&old, Input::Auto).unwrap(), [224]);
        assert_eq!(of(&old, Input::Side(128)).unwrap(), [128]);
        let new = [("margin", "1.1"), ("inputs", "224,96,128"), ("classes", head::CLASSES)];
        assert_eq!(of(&new, Input::Auto).unwrap(), [128, 224]);
        assert_eq!(of(&[new[0], ("inputs", "96,64"), new[2]], Input::Auto).unwrap(), [64, 96]);
        assert_eq!(of(&new, Input::Side(96)).unwrap(), [96]);
        for wrong in ["", "0", "224,", "many", "9999"] {
            let message = of(&[new[0], ("inputs", wrong), new[2]], Input::Auto).unwrap_err().to_string();
            assert!(message.contains("a file"), "{message}");
        }
        assert_eq!("auto".parse(), Ok(Input::Auto));
        assert_eq!("96".parse(), Ok(Input::Side(96)));
        assert!("31".parse::<Input>().is_err() && "".parse::<Input>().is_err());
    }
}
