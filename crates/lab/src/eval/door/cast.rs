//! Who comes to the door: persons chosen at random among the usable labelled faces.

use super::person::{DoorPerson, LEAST_SIDE};
use crate::data::labels::Label;
use crate::data::pictures::{Failure, LabelledPicture, with_causes};
use crate::random::{Purpose, stream};
use maskwatch::geometry::Rect;
use maskwatch::source::files;
use rand::seq::SliceRandom;
use std::path::Path;
use std::sync::Arc;

/// The persons that were chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Cast {
    /// Masked persons, then bare ones, then those with an incorrectly worn mask.
    pub people: Vec<Arc<DoorPerson>>,
    /// Pictures that could not be opened; others were taken in their place.
    pub failures: Vec<Failure>,
}

impl Cast {
    /// How many people have that label.
    #[must_use]
    pub fn count(&self, label: Label) -> usize {
        self.people.iter().filter(|person| person.face.label == label).count()
    }
}

/// Chooses up to `wanted` faces of each label from `pictures` below the folder `images`, by `seed`. Fit are
/// faces of at least `min_side` pixels (and of [`LEAST_SIDE`]) with room around them, in pictures whose faces
/// are all known.
#[must_use]
pub fn choose(pictures: &[LabelledPicture], images: &Path, min_side: f32, wanted: usize, seed: u64) -> Cast {
    let mut cast = Cast { people: Vec::new(), failures: Vec::new() };
    for (index, label) in Label::ALL.into_iter().enumerate() {
        let mut candidates: Vec<(&LabelledPicture, usize)> = pictures
            .iter()
            .filter(|picture| picture.is_fully_labelled())
            .flat_map(|picture| (0..picture.boxes.len()).map(move |face| (picture, face)))
            .filter(|(picture, face)| {
                let face = &picture.boxes[*face];
                face.label == label && face.rect.side() >= min_side.max(LEAST_SIDE)
            })
            .collect();
        candidates.shuffle(&mut stream(seed, Purpose::Persons, index as u64));
        let mut found = 0;
        for (picture, face) in candidates {
            if found == wanted {
                break;
            }
            match files::load(&images.join(&picture.image)) {
                Ok(pixels) => {
                    let rects = picture.boxes.iter().enumerate();
                    let neighbours: Vec<Rect> =
                        rects.filter(|(other, _)| *other != face).map(|(_, other)| other.rect).collect();
                    if let Some(person) = DoorPerson::cut_out(&pixels, &picture.boxes[face], &neighbours) {
                        cast.people.push(Arc::new(person));
                        found += 1;
                    }
                }
                Err(error) => {
                    let problem = with_causes(&error);
                    cast.failures.push(Failure { image: picture.image.clone(), problem });
                }
            }
        }
    }
    cast
}
