//! The bare faces of a data set whose landmarks the detector's looks agree on, kept on disk: to find them
//! takes minutes.

use super::batch::Known;
use crate::data::dataset::{Dataset, Subset, open_picture};
use crate::data::labels::Label;
use crate::data::teacher::{AgreedLandmarks, Teacher};
use crate::progress::Progress;
use crate::train::error::TrainError;
use crate::train::prefetch;
use crate::train::run::write_file;
use maskwatch::geometry::Point;
use maskwatch::nn::weights::Weights;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Faces whose shorter side has fewer pixels are too small to draw on.
const MIN_SIDE: f32 = 32.0;

/// The bare faces to fit to and those set aside; from `file` where a run with the same data and teacher has
/// left them, which is written otherwise.
pub(super) fn known(
    dataset: &Dataset,
    teacher: &Weights,
    file: &Path,
    threads: usize,
) -> Result<[Vec<Known>; 2], TrainError> {
    let key = format!("data {} teacher {}", dataset.checksum(), teacher.checksum()?);
    let agreed = match std::fs::read_to_string(file) {
        Ok(text) if text.lines().next() == Some(key.as_str()) => {
            read(&text).ok_or_else(|| TrainError::Damaged { path: file.to_owned() })?
        }
        _ => {
            let agreed = look(dataset, teacher, threads)?;
            write_file(file, table(&key, &agreed).as_bytes())?;
            agreed
        }
    };
    Ok([Subset::Train, Subset::Selection].map(|subset| {
        let of_subset = agreed.iter().filter_map(|(index, agreed)| {
            let face = dataset.faces.get(*index)?;
            let known = || Known { picture: face.picture.clone(), rect: face.rect, agreed: *agreed };
            (face.subset == subset && face.weight > 0.0).then(known)
        });
        of_subset.collect()
    }))
}

fn look(
    dataset: &Dataset,
    teacher: &Weights,
    threads: usize,
) -> Result<BTreeMap<usize, AgreedLandmarks>, TrainError> {
    let views = Teacher::new(teacher)?;
    let asked: Vec<usize> = (0..dataset.faces.len())
        .filter(|index| {
            let face = &dataset.faces[*index];
            face.label == Label::NoMask && face.subset != Subset::Val && face.rect.side() >= MIN_SIDE
        })
        .collect();
    let progress = Progress::new("landmarks from the teacher", "faces", asked.len() as u64, 0);
    let mut agreed = BTreeMap::new();
    let make = |place: u64| {
        let face = &dataset.faces[asked[place as usize]];
        Ok::<_, TrainError>(views.agreed(&open_picture(&face.picture)?, &face.rect)?)
    };
    prefetch::in_order(0..asked.len() as u64, threads, make, |place, found| {
        agreed.extend(found.map(|found| (asked[place as usize], found)));
        progress.advance(1);
        Ok(())
    })?;
    Ok(agreed)
}

/// A line each: the face's place in the data set, the spread, and the ten coordinates.
fn table(key: &str, agreed: &BTreeMap<usize, AgreedLandmarks>) -> String {
    let mut text = format!("{key}\n");
    for (index, AgreedLandmarks { landmarks, spread }) in agreed {
        // Writing to a string cannot fail.
        let _ = write!(text, "{index},{spread}");
        for point in landmarks {
            let _ = write!(text, ",{},{}", point.x, point.y);
        }
        text.push('\n');
    }
    text
}

fn read(text: &str) -> Option<BTreeMap<usize, AgreedLandmarks>> {
    let line = |line: &str| {
        let (index, values) = line.split_once(',')?;
        let values: Vec<f32> = values.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
        let (spread, coordinates) = values.split_first()?;
        let (points, rest) = coordinates.as_chunks::<2>();
        let landmarks: Vec<Point> = points.iter().map(|[x, y]| Point { x: *x, y: *y }).collect();
        let landmarks = <[Point; 5]>::try_from(landmarks).ok().filter(|_| rest.is_empty())?;
        Some((index.parse().ok()?, AgreedLandmarks { landmarks, spread: *spread }))
    };
    // A file that was cut may still end in a number.
    text.ends_with('\n').then(|| text.lines().skip(1).map(line).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_and_damage_is_seen() {
        let landmarks = std::array::from_fn(|index| Point { x: index as f32 * 1.3, y: 0.1 + index as f32 });
        let agreed = BTreeMap::from([
            (3, AgreedLandmarks { landmarks, spread: 0.03125 }),
            (70, AgreedLandmarks { landmarks, spread: 0.5 }),
        ]);
        let text = table("key", &agreed);
        assert_eq!(read(&text), Some(agreed));
        assert_eq!(text.lines().next(), Some("key"));
        assert_eq!(read(&text[..text.len() - 3]), None);
        assert_eq!(read(&text.replace("0.5", "x")), None);
    }
}
