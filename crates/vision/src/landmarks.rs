//! Where eyes, nose and mouth of a face are, also below a mask: the landmark network behind its crop. The
//! detector's own landmarks are for faces of which nothing depends on it.

use super::scratch::{Buffers, Scratch};
use crate::geometry::{Point, Rect};
use crate::nn::int8::{self, QuantizedWeights, SharedTeam};
use crate::nn::landmarks::{INPUT, Landmarks, MARGIN, UNIT, VALUES};
use crate::nn::weights::Weights;
use crate::nn::{Mode, NetworkError};
use crate::pixels::picture::View;
use crate::pixels::preprocess;
use crate::pixels::sampler::seen_around;
use image::imageops;
use maskwatch_kernels::int8::Kernels;

/// The landmark network: a picture and a face's box in, five points out. It looks twice, the second time at
/// the mirrored crop: the mean of both is nearer to the truth.
pub struct Locator(LandmarkNetwork);

enum LandmarkNetwork {
    Real(Box<Landmarks>),
    Quantized(Box<(int8::landmarks::QuantizedLandmarks, Scratch)>),
}

impl Locator {
    /// The network made from weights in memory.
    ///
    /// # Errors
    /// When the weights are of another network.
    pub fn new(weights: &Weights) -> Result<Self, NetworkError> {
        Ok(Self(LandmarkNetwork::Real(Box::new(Landmarks::new(weights, Mode::Inference)?))))
    }

    /// The quantized network, on `kernels`, with a team's threads.
    ///
    /// # Errors
    /// When the weights are of another network.
    pub fn quantized(
        weights: &QuantizedWeights,
        kernels: &'static dyn Kernels,
        team: SharedTeam,
    ) -> Result<Self, NetworkError> {
        let network = int8::landmarks::QuantizedLandmarks::new(weights, kernels, team)?;
        let crop = Scratch::new(INPUT, INPUT);
        Ok(Self(LandmarkNetwork::Quantized(Box::new((network, crop)))))
    }

    /// The landmarks of the face in the box `face`, in pixels of `picture`: right eye, left eye, tip of the
    /// nose, right and left corner of the mouth; right and left are the person's own. Of a box without a face
    /// they are anywhere near it.
    ///
    /// # Errors
    /// When candle cannot run the network.
    pub fn locate<'a>(&self, picture: impl Into<View<'a>>, face: &Rect) -> Result<[Point; 5], NetworkError> {
        let picture = picture.into();
        let values = match &self.0 {
            LandmarkNetwork::Real(network) => {
                let crop = preprocess::face_crop(picture, face, MARGIN, INPUT as u32);
                let crops = [imageops::flip_horizontal(&crop), crop];
                let values = network.forward(&preprocess::normalised(&crops)?)?.to_vec2::<f32>()?;
                let of = |row: usize| std::array::from_fn(|index| values[row][index]);
                mean(of(1), mirrored(of(0)))
            }
            LandmarkNetwork::Quantized(quantized) => {
                let (network, crop) = &**quantized;
                let Buffers { sampler, pixels } = &mut *crop.lock();
                sampler.face_crop(picture, face, MARGIN, INPUT as u32, pixels);
                let straight = network.values(pixels)?;
                preprocess::mirror(pixels, INPUT);
                mean(straight, mirrored(network.values(pixels)?))
            }
        };
        Ok(points(&values, &seen_around(face, MARGIN, INPUT as u32)))
    }
}

/// What the values mean for the mirrored crop.
fn mirrored(values: [f32; VALUES]) -> [f32; VALUES] {
    // The person's own right is left in a mirror.
    const OTHER: [usize; 5] = [1, 0, 2, 4, 3];
    std::array::from_fn(|index| {
        let value = values[2 * OTHER[index / 2] + index % 2];
        if index % 2 == 0 { -value } else { value }
    })
}

fn mean(one: [f32; VALUES], other: [f32; VALUES]) -> [f32; VALUES] {
    std::array::from_fn(|index| f32::midpoint(one[index], other[index]))
}

/// The points in the picture for the network's `values` on a crop that shows the part `seen` of it.
pub fn points(values: &[f32; VALUES], seen: &Rect) -> [Point; 5] {
    std::array::from_fn(|index| Point {
        x: seen.x + (0.5 + UNIT * values[2 * index]) * seen.w,
        y: seen.y + (0.5 + UNIT * values[2 * index + 1]) * seen.h,
    })
}

/// What the network should give for `landmarks`, in shares of a crop's sides.
pub fn values(landmarks: &[Point; 5]) -> [f32; VALUES] {
    std::array::from_fn(|index| {
        let point = &landmarks[index / 2];
        ((if index % 2 == 0 { point.x } else { point.y }) - 0.5) / UNIT
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    #[test]
    fn a_point_of_the_crop_is_where_the_picture_shows_it() {
        // Red tells the column, green the row: so a crop's pixel tells which point of the picture it shows.
        let picture = RgbImage::from_fn(250, 250, |x, y| Rgb([x as u8, y as u8, 7]));
        for face in [Rect::new(100.3, 60.7, 31.0, 42.6), Rect::new(80.0, 80.5, 90.0, 60.0)] {
            let crop = preprocess::face_crop(&picture, &face, MARGIN, INPUT as u32);
            let seen = seen_around(&face, MARGIN, INPUT as u32);
            for (x, y) in [(20, 30), (48, 48), (70, 10)] {
                let value = |place: u32| ((place as f32 + 0.5) / INPUT as f32 - 0.5) / UNIT;
                let values = std::array::from_fn(|index| value(if index % 2 == 0 { x } else { y }));
                let point = points(&values, &seen)[2];
                let Rgb([red, green, _]) = *crop.get_pixel(x, y);
                // A pixel's value is that of its middle.
                assert!((point.x - 0.5 - f32::from(red)).abs() < 0.75, "{point:?} {red}");
                assert!((point.y - 0.5 - f32::from(green)).abs() < 0.75, "{point:?} {green}");
            }
        }
    }

    #[test]
    fn mirrored_twice_is_as_it_was_and_a_symmetric_face_stays() {
        let values = std::array::from_fn(|index| index as f32 - 3.5);
        assert_eq!(mirrored(mirrored(values)), values);
        let symmetric = [-2.0, -1.0, 2.0, -1.0, 0.0, 0.5, -1.5, 2.0, 1.5, 2.0];
        assert_eq!(mirrored(symmetric), symmetric);
    }

    #[test]
    fn values_and_points_are_each_others_inverse() {
        let unit = Rect::new(0.0, 0.0, 1.0, 1.0);
        let landmarks =
            [(0.3, 0.4), (0.7, 0.41), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)].map(|(x, y)| Point { x, y });
        for (one, other) in points(&values(&landmarks), &unit).iter().zip(&landmarks) {
            assert!((one.x - other.x).abs() < 1e-6 && (one.y - other.y).abs() < 1e-6);
        }
    }
}
