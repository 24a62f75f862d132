//! Opens each labelled picture once and hands it to a measurement, several pictures at a time. Failures are
//! collected, not dropped.

use super::labels::LabelledBox;
use image::RgbImage;
use maskwatch::geometry::Rect;
use maskwatch::source::files;
use rayon::prelude::*;
use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One picture and all its labelled boxes.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledPicture {
    /// The picture, relative to the folder of images.
    pub image: String,
    /// Its boxes, in the order of the file.
    pub boxes: Vec<LabelledBox>,
}

impl LabelledPicture {
    /// Whether every face of the picture is known to be labelled; without the column `n_faces` it is taken to
    /// be so.
    #[must_use]
    pub fn is_fully_labelled(&self) -> bool {
        let faces = self.boxes.iter().filter_map(|row| row.n_faces).max();
        faces.is_none_or(|faces| faces as usize <= self.boxes.len())
    }
}

/// The pictures of `boxes`, in the order of their first box.
#[must_use]
pub fn group(boxes: Vec<LabelledBox>) -> Vec<LabelledPicture> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut pictures: Vec<LabelledPicture> = Vec::new();
    for row in boxes {
        let place = *places.entry(row.image.clone()).or_insert(pictures.len());
        match pictures.get_mut(place) {
            Some(picture) => picture.boxes.push(row),
            None => pictures.push(LabelledPicture { image: row.image.clone(), boxes: vec![row] }),
        }
    }
    pictures
}

/// A picture that could not be measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The picture, relative to the folder of images.
    pub image: String,
    /// What went wrong, with its causes.
    pub problem: String,
}

/// What [`measure`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured<T> {
    /// One result for each picture that could be measured, in their order.
    pub results: Vec<T>,
    /// The other pictures.
    pub failures: Vec<Failure>,
}

/// Opens each picture below the folder `images` once and calls `measurement` with its pixels, on all threads
/// of the current rayon pool. `progress` is called with the number of pictures done so far. A picture that
/// cannot be opened, has a box that lies wholly outside of it, or whose measurement fails, becomes a
/// [`Failure`].
pub fn measure<T: Send, E: Error>(
    pictures: &[LabelledPicture],
    images: &Path,
    progress: &(dyn Fn(usize) + Sync),
    measurement: impl Fn(&LabelledPicture, &RgbImage) -> Result<T, E> + Sync,
) -> Measured<T> {
    let done = AtomicUsize::new(0);
    let outcomes: Vec<Result<T, Failure>> = pictures
        .par_iter()
        .map(|picture| {
            let pixels = files::load(&images.join(&picture.image)).map_err(|error| with_causes(&error));
            let outcome = pixels.and_then(|pixels| {
                check_boxes(picture, &pixels)?;
                measurement(picture, &pixels).map_err(|error| with_causes(&error))
            });
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            outcome.map_err(|problem| Failure { image: picture.image.clone(), problem })
        })
        .collect();
    let mut measured = Measured { results: Vec::with_capacity(outcomes.len()), failures: Vec::new() };
    for outcome in outcomes {
        match outcome {
            Ok(result) => measured.results.push(result),
            Err(failure) => measured.failures.push(failure),
        }
    }
    measured
}

/// An error with its causes in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

fn check_boxes(picture: &LabelledPicture, pixels: &RgbImage) -> Result<(), String> {
    let (width, height) = pixels.dimensions();
    let outside = picture.boxes.iter().find(|row| row.rect.clipped(width, height).area() <= 0.0);
    match outside.map(|row| row.rect) {
        Some(Rect { x, y, w, h }) => {
            Err(format!("the box {x},{y} {w}×{h} lies outside of this picture of {width}×{height} pixels"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::data::labels::{Label, Split};

    pub(crate) fn row(image: &str, rect: [f32; 4], label: Label) -> LabelledBox {
        let [x, y, w, h] = rect;
        LabelledBox {
            image: image.into(),
            rect: Rect::new(x, y, w, h),
            label,
            split: Split::Val,
            source: image.split_once('/').map(|(folder, _)| folder.into()),
            n_faces: None,
        }
    }

    #[test]
    fn boxes_of_one_picture_come_together() {
        let square = [0.0, 0.0, 9.0, 9.0];
        let pictures = group(vec![
            row("b.png", square, Label::Mask),
            row("a.png", square, Label::NoMask),
            row("b.png", square, Label::Incorrect),
        ]);
        assert_eq!(
            pictures.iter().map(|picture| picture.image.as_str()).collect::<Vec<_>>(),
            ["b.png", "a.png"]
        );
        assert_eq!(pictures[0].boxes[1].label, Label::Incorrect);
        assert!(pictures[0].is_fully_labelled());
    }

    #[test]
    fn unlabelled_faces_are_noticed() {
        let mut boxes = vec![row("a.png", [0.0, 0.0, 9.0, 9.0], Label::Mask); 2];
        boxes[0].n_faces = Some(2);
        assert!(group(boxes.clone())[0].is_fully_labelled());
        boxes[1].n_faces = Some(3);
        assert!(!group(boxes)[0].is_fully_labelled());
    }

    #[test]
    fn each_picture_is_measured_once_and_failures_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for (name, side) in [("a.png", 20), ("b.png", 30), ("small.png", 8)] {
            RgbImage::new(side, side).save(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("broken.png"), b"\x89PNG\r\n\x1a\nnothing").unwrap();
        let square = [10.0, 10.0, 5.0, 5.0];
        let names = ["a.png", "broken.png", "b.png", "missing.png", "small.png", "refused.png", "a.png"];
        std::fs::copy(folder.path().join("a.png"), folder.path().join("refused.png")).unwrap();
        let pictures = group(names.iter().map(|name| row(name, square, Label::Mask)).collect());
        let last = AtomicUsize::new(0);
        let measured = measure(
            &pictures,
            folder.path(),
            &|done| {
                last.fetch_max(done, Ordering::Relaxed);
            },
            |picture, pixels| {
                if picture.image == "refused.png" {
                    return Err(std::io::Error::other("not today"));
                }
                Ok((picture.image.clone(), pixels.width(), picture.boxes.len()))
            },
        );
        assert_eq!(measured.results, [("a.png".into(), 20, 2), ("b.png".into(), 30, 1)]);
        assert_eq!(last.load(Ordering::Relaxed), 6);
        let problem = |image: &str| {
            let failure = measured.failures.iter().find(|failure| failure.image == image);
            failure.unwrap_or_else(|| panic!("{image} did not fail")).problem.clone()
        };
        assert!(problem("broken.png").contains("damaged"));
        assert!(problem("missing.png").contains("missing.png"));
        assert!(problem("small.png").contains("lies outside of this picture of 8×8 pixels"));
        assert_eq!(problem("refused.png"), "not today");
    }
}
