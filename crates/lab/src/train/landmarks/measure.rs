//! Error of the landmarks on the faces set aside.

use super::batch::Known;
use crate::data::augment::FaceView;
use crate::data::landmarks::distance;
use crate::drawn::DrawnKind;
use crate::random::{Purpose, stream};
use crate::train::error::TrainError;
use crate::train::prefetch;
use maskwatch::geometry::{Point, Rect};
use maskwatch::nn::Mode;
use maskwatch::nn::landmarks::{INPUT, Landmarks, MARGIN, VALUES};
use maskwatch::nn::weights::Weights;
use maskwatch::pixels::preprocess;
use maskwatch::vision::landmarks::points;

/// Seed of the masks that are drawn on the faces set aside.
const SELECTION_SEED: u64 = 2;
/// Crops that are measured at once.
const BATCH: usize = 16;

/// Mean error of the landmarks: on the bare faces, and with a mask drawn on each.
pub(super) fn measure(weights: &Weights, faces: &[Known], threads: usize) -> Result<[f64; 2], TrainError> {
    let network = Landmarks::new(weights, Mode::Inference)?;
    let whole = Rect::new(0.0, 0.0, 1.0, 1.0);
    let (mut sums, mut looks) = ([0.0; 2], Vec::new());
    let mut ask = |looks: &mut Vec<(image::RgbImage, [Point; 5])>| -> Result<(), TrainError> {
        let (crops, wanted): (Vec<_>, Vec<_>) = looks.drain(..).unzip();
        let found = network.forward(&preprocess::normalised(&crops)?)?.to_vec2::<f32>()?;
        for (place, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            let found: [f32; VALUES] = std::array::from_fn(|index| found[index]);
            sums[place % 2] += f64::from(distance_in_shares(wanted, &points(&found, &whole)));
        }
        Ok(())
    };
    let make = |index: u64| {
        let face = &faces[index as usize];
        let mut generator = stream(SELECTION_SEED, Purpose::Drawn, index);
        let view = FaceView::plain(MARGIN);
        Ok::<_, TrainError>([
            face.look(&view, None, &mut generator)?,
            face.look(&view, Some(DrawnKind::Mask), &mut generator)?,
        ])
    };
    prefetch::in_order(0..faces.len() as u64, threads, make, |_, pair| {
        looks.extend(pair);
        if looks.len() >= BATCH { ask(&mut looks) } else { Ok(()) }
    })?;
    if !looks.is_empty() {
        ask(&mut looks)?;
    }
    Ok(sums.map(|sum| sum / faces.len() as f64))
}

/// As [`distance`], which takes eyes less than a pixel apart for a pixel apart.
fn distance_in_shares(wanted: &[Point; 5], found: &[Point; 5]) -> f32 {
    let pixels = |points: &[Point; 5]| points.map(|p| Point { x: p.x * INPUT as f32, y: p.y * INPUT as f32 });
    distance(&pixels(wanted), &pixels(found))
}
