//! The boxes without a face that the output *presence* is fitted to: what the built-in detector takes for a
//! face in pictures without people, squares of such pictures, and a table of boxes that were looked at.

use crate::data::dataset::{Subset, open_picture};
use crate::data::labels::Split;
use crate::data::non_faces::{self, EmptyPicture, NonFace, NonFaceKind, subset_at};
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::error::TrainError;
use crate::train::prefetch;
use maskwatch::geometry::Rect;
use maskwatch::vision::detector::Detector;
use maskwatch::vision::models::{ModelOptions, Models};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::path::Path;

/// Inputs of the detector that searches: large ones take small patterns for faces, small ones whole animals.
const INPUTS: [(u32, u32); 4] = [(640, 640), (480, 384), (320, 256), (160, 128)];
/// The least score of what is taken: less than in use, since other weights may be surer of it.
const SCORE: f32 = 0.3;
/// Shortest side of a square, in pixels.
const SMALLEST: f32 = 16.0;
/// Share of heads that show no face among the drawn boxes, and of squares that nobody took for a face.
const HIDDEN: f64 = 0.35;
const SQUARES: f64 = 0.1;

/// All boxes, and from which group each is drawn.
#[derive(Debug, Default)]
pub(in crate::train) struct NonFaces {
    boxes: Vec<NonFace>,
    /// Indices of boxes of the subset train: heads, what was taken for a face, squares.
    groups: [Vec<usize>; 3],
}

impl NonFaces {
    /// Searches the pictures without people in the folder `data` and reads the table `heads`.
    pub(in crate::train) fn find(
        data: &Path,
        heads: Option<&Path>,
        seed: u64,
        threads: usize,
    ) -> Result<Self, TrainError> {
        let unusable = |error| TrainError::Data(format!("{:#}", anyhow::Error::from(error)));
        let pictures = non_faces::empty_pictures(data, Split::Train).map_err(unusable)?;
        let mut found = Self::default();
        if let Some(table) = heads {
            for one in non_faces::read(table, &data.join("images")).map_err(unusable)? {
                let group = if one.kind == NonFaceKind::Hidden { 0 } else { 1 };
                found.add(one, group);
            }
        }
        let models = Models::open(&ModelOptions { threads: Some(1), ..ModelOptions::default() })?;
        let detectors: Vec<Detector> =
            INPUTS.iter().map(|input| models.detector(*input, SCORE)).collect::<Result<_, _>>()?;
        let progress = Progress::new("pictures without people", "pictures", pictures.len() as u64, 0);
        let search = |place: u64| boxes(&pictures[place as usize], &detectors, seed, place);
        prefetch::in_order(0..pictures.len() as u64, threads, search, |place, (taken, square)| {
            let EmptyPicture { path, .. } = &pictures[place as usize];
            let subset = subset_at(place as usize);
            let one = |rect| NonFace { picture: path.clone(), rect, kind: NonFaceKind::Nobody, subset };
            taken.into_iter().for_each(|rect| found.add(one(rect), 1));
            found.add(one(square), 2);
            progress.advance(1);
            Ok::<_, TrainError>(())
        })?;
        Ok(found)
    }

    fn add(&mut self, one: NonFace, group: usize) {
        if one.subset == Subset::Train {
            self.groups[group].push(self.boxes.len());
        }
        self.boxes.push(one);
    }

    /// One box by its index.
    pub(super) fn get(&self, index: usize) -> &NonFace {
        &self.boxes[index]
    }

    /// The boxes of one subset.
    pub(in crate::train) fn of(&self, subset: Subset) -> impl Iterator<Item = &NonFace> {
        self.boxes.iter().filter(move |one| one.subset == subset)
    }

    /// The index of a random box to fit to; `None` where there is none.
    pub(super) fn draw(&self, generator: &mut ChaCha8Rng) -> Option<usize> {
        let [hidden, taken, squares] = &self.groups;
        let at: f64 = generator.random_range(0.0..1.0);
        let wanted = if at < HIDDEN {
            hidden
        } else if at < HIDDEN + SQUARES {
            squares
        } else {
            taken
        };
        let group = [wanted, taken, squares, hidden].into_iter().find(|group| !group.is_empty())?;
        Some(group[generator.random_range(0..group.len())])
    }

    /// Number of boxes in each group to fit to, and CRC-32 over all: what a run depends on.
    pub(in crate::train) fn summary(&self) -> ([usize; 3], String) {
        let mut hasher = crc32fast::Hasher::new();
        for NonFace { picture, rect, kind, subset } in &self.boxes {
            let name = picture.file_name().unwrap_or_default().to_string_lossy();
            hasher.update(format!("{name} {rect:?} {kind:?} {}\n", subset.name()).as_bytes());
        }
        (self.groups.each_ref().map(Vec::len), format!("{:08x}", hasher.finalize()))
    }
}

/// What the detectors take for a face in one picture, and one square of it.
fn boxes(
    picture: &EmptyPicture,
    detectors: &[Detector],
    seed: u64,
    place: u64,
) -> Result<(Vec<Rect>, Rect), TrainError> {
    let pixels = open_picture(&picture.path)?;
    let mut taken = Vec::new();
    for detector in detectors {
        let faces = detector.detect(&pixels)?.into_iter().map(|face| face.rect);
        taken.extend(faces.filter(|rect| rect.side() >= SMALLEST));
    }
    let mut generator = stream(seed, Purpose::NonFaces, place);
    let (width, height) = (pixels.width() as f32, pixels.height() as f32);
    let side = (width.min(height) * generator.random_range(0.15..0.95)).max(SMALLEST);
    let mut along = |length: f32| (length - side).max(0.0) * generator.random_range(0.0..1.0);
    let (x, y) = (along(width), along(height));
    Ok((taken, Rect::new(x, y, side, side)))
}
