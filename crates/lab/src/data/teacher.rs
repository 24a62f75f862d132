//! True landmarks of a bare face: the mean of those that a detector finds at several sizes and mirrored. One
//! look is off by about a tenth of the eyes' distance, and by another tenth at another size; the mean of ten
//! looks is several times as steady, and their spread says how far to trust it.

use crate::data::landmarks::{distance, find};
use image::{RgbImage, imageops};
use maskwatch::geometry::{Point, Rect};
use maskwatch::nn::NetworkError;
use maskwatch::nn::weights::Weights;
use maskwatch::pixels::preprocess;
use maskwatch::vision::detector::Detector;

/// Sides of the detector's square input, in pixels; the face fills about half of it.
const SIDES: [u32; 5] = [192, 256, 320, 384, 448];
/// Side of the square as a multiple of the face's longer side.
const AROUND: f32 = 2.2;
/// Detections with a lower score are ignored.
const SCORE: f32 = 0.4;
/// Looks in which the face must be found with plausible landmarks.
const ENOUGH: usize = SIDES.len();

/// Landmarks averaged over several detections of one face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgreedLandmarks {
    /// In the order of [`maskwatch::vision::detector::Detection::landmarks`], in pixels of the picture.
    pub landmarks: [Point; 5],
    /// Mean distance of a single detection from them, as a share of the eyes' distance.
    pub spread: f32,
}

/// The detector whose landmarks are taken as true, at several input sizes.
pub struct Teacher(Vec<Detector>);

impl Teacher {
    /// The detector made from these weights.
    ///
    /// # Errors
    /// When the weights are of another network.
    pub fn new(weights: &Weights) -> Result<Self, NetworkError> {
        let detector = |side: &u32| Detector::new(weights, (*side, *side), SCORE);
        Ok(Self(SIDES.iter().map(detector).collect::<Result<_, _>>()?))
    }

    /// The landmarks of the face in the box `rect`; `None` if too few sizes find it.
    ///
    /// # Errors
    /// When candle cannot run the network.
    pub fn agreed(&self, picture: &RgbImage, rect: &Rect) -> Result<Option<AgreedLandmarks>, NetworkError> {
        let mut looks = Vec::new();
        for detector in &self.0 {
            let (crop, square) = around(picture, rect, detector.input().0);
            let factor = crop.width() as f32 / square.w;
            let inside = Rect::new(
                (rect.x - square.x) * factor,
                (rect.y - square.y) * factor,
                rect.w * factor,
                rect.h * factor,
            );
            let back = |p: Point| Point { x: p.x / factor + square.x, y: p.y / factor + square.y };
            looks.extend(find(&detector.detect(&crop)?, &inside).map(|points| points.map(back)));

            let width = crop.width() as f32;
            let mirrored = Rect { x: width - inside.x - inside.w, ..inside };
            let detections = detector.detect(&imageops::flip_horizontal(&crop))?;
            looks.extend(find(&detections, &mirrored).map(|points| {
                let [left_eye, right_eye, nose, left_mouth, right_mouth] =
                    points.map(|p| back(Point { x: width - p.x, y: p.y }));
                [right_eye, left_eye, nose, right_mouth, left_mouth]
            }));
        }
        Ok(agree(&looks))
    }
}

/// The square around the face in `rect`, `side` pixels wide, black beyond the picture; and what of the
/// picture it shows.
fn around(picture: &RgbImage, rect: &Rect, side: u32) -> (RgbImage, Rect) {
    let square = rect.square(AROUND);
    let (left, top) = (square.x.floor(), square.y.floor());
    let length = square.w.ceil().max(1.0);
    let mut cut = RgbImage::new(length as u32, length as u32);
    // What lies outside of the picture stays black, as beyond a letterbox.
    imageops::replace(&mut cut, picture, -(left as i64), -(top as i64));
    (preprocess::resize(&cut, side, side), Rect::new(left, top, length, length))
}

/// Of each coordinate the mean of its middle half.
fn agree(looks: &[[Point; 5]]) -> Option<AgreedLandmarks> {
    if looks.len() < ENOUGH {
        return None;
    }
    let middle = |mut values: Vec<f32>| {
        values.sort_by(f32::total_cmp);
        let half = &values[values.len() / 4..values.len() - values.len() / 4];
        half.iter().sum::<f32>() / half.len() as f32
    };
    let landmarks = std::array::from_fn(|index| Point {
        x: middle(looks.iter().map(|look| look[index].x).collect()),
        y: middle(looks.iter().map(|look| look[index].y).collect()),
    });
    let off: f32 = looks.iter().map(|look| distance(&landmarks, look)).sum();
    Some(AgreedLandmarks { landmarks, spread: off / looks.len() as f32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_square_around_a_face_is_at_its_place() {
        let picture = RgbImage::from_fn(90, 70, |x, y| image::Rgb([x as u8 + 1, y as u8 + 1, 9]));
        let (crop, square) = around(&picture, &Rect::new(60.0, 10.0, 20.0, 20.0), 44);
        assert_eq!((square, crop.dimensions()), (Rect::new(48.0, -2.0, 44.0, 44.0), (44, 44)));
        assert_eq!(crop.get_pixel(0, 2).0, [49, 1, 9]);
        assert_eq!((crop.get_pixel(0, 1).0, crop.get_pixel(43, 20).0), ([0; 3], [0; 3]));
    }

    #[test]
    fn one_wild_look_is_outvoted_and_shows_in_the_spread() {
        let face = |dx: f32| {
            [(10.0, 10.0), (20.0, 10.0), (15.0, 15.0), (11.0, 20.0), (19.0, 20.0)]
                .map(|(x, y)| Point { x: x + dx, y })
        };
        let mut looks = [0.0, 0.1, -0.1, 0.1, -0.1].map(face).to_vec();
        assert_eq!(agree(&looks[1..]), None);
        let steady = agree(&looks).unwrap();
        assert!((steady.landmarks[0].x - 10.0).abs() < 0.05 && steady.spread < 0.01);
        looks.push(face(12.0));
        let agreed = agree(&looks).unwrap();
        assert!((agreed.landmarks[0].x - 10.0).abs() < 0.1 && agreed.spread > 0.15, "{agreed:?}");
    }
}
