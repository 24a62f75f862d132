//! Observed values of a network's maps, and the ranges that 8 bits have to cover.

use candle_core::{Result, Tensor};
use std::collections::BTreeMap;

/// What has been seen of one map, per channel.
#[derive(Debug, Clone, Default)]
pub struct ObservedMap {
    /// The lowest and highest value of each picture, per channel.
    extremes: Vec<Vec<(f32, f32)>>,
    sums: Vec<f64>,
    squares: Vec<f64>,
    count: u64,
}

/// All maps of a network by name.
#[derive(Debug, Clone, Default)]
pub struct Observations(BTreeMap<String, ObservedMap>);

impl Observations {
    /// Takes note of a map `[N, H, W, C]`.
    ///
    /// # Errors
    /// When it is not of rank 4.
    pub fn add(&mut self, name: &str, map: &Tensor) -> Result<()> {
        let (pictures, _, _, channels) = map.dims4()?;
        let seen = self.0.entry(name.to_owned()).or_default();
        seen.sums.resize(channels, 0.0);
        seen.squares.resize(channels, 0.0);
        for picture in 0..pictures {
            let values = map.get(picture)?.flatten_all()?.to_vec1::<f32>()?;
            let mut extremes = vec![(f32::INFINITY, f32::NEG_INFINITY); channels];
            for pixel in values.chunks_exact(channels) {
                for (channel, value) in pixel.iter().enumerate() {
                    extremes[channel].0 = extremes[channel].0.min(*value);
                    extremes[channel].1 = extremes[channel].1.max(*value);
                    seen.sums[channel] += f64::from(*value);
                    seen.squares[channel] += f64::from(value * value);
                }
            }
            seen.count += (values.len() / channels) as u64;
            seen.extremes.push(extremes);
        }
        Ok(())
    }

    /// What was seen of the map `name`; nothing at all where there was none.
    #[must_use]
    pub fn get(&self, name: &str) -> ObservedMap {
        self.0.get(name).cloned().unwrap_or_default()
    }
}

impl ObservedMap {
    /// Channels of the map.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.sums.len()
    }

    /// Of each channel, a value that all but `1 − quantile` of the pictures stay above, and one that they
    /// stay below; an eighth of the extremes at the least, so that a channel that answers to few pictures
    /// keeps its say on them.
    #[must_use]
    pub fn ranges(&self, quantile: f64) -> Vec<(f32, f32)> {
        let at = |mut values: Vec<f32>| {
            values.sort_unstable_by(f32::total_cmp);
            let index = ((values.len().max(1) - 1) as f64 * quantile).round() as usize;
            let extreme = values.last().copied().unwrap_or(0.0);
            values.get(index).copied().unwrap_or(0.0).max(extreme / 8.0)
        };
        (0..self.channels())
            .map(|channel| {
                let low = -at(self.extremes.iter().map(|picture| -picture[channel].0).collect());
                let high = at(self.extremes.iter().map(|picture| picture[channel].1).collect());
                (low.min(0.0), high.max(0.0))
            })
            .collect()
    }

    /// The mean of each channel.
    #[must_use]
    pub fn means(&self) -> Vec<f32> {
        self.sums.iter().map(|sum| (sum / self.count.max(1) as f64) as f32).collect()
    }

    /// The mean square of each channel.
    #[must_use]
    pub fn mean_squares(&self) -> Vec<f32> {
        self.squares.iter().map(|sum| (sum / self.count.max(1) as f64) as f32).collect()
    }

    /// The maps beside one another, as one of all their channels.
    #[must_use]
    pub fn beside(maps: &[Self]) -> Self {
        let mut joined = Self { count: maps.first().map_or(0, |map| map.count), ..Self::default() };
        for map in maps {
            joined.sums.extend(&map.sums);
            joined.squares.extend(&map.squares);
            joined.extremes.resize(map.extremes.len(), Vec::new());
            for (all, extremes) in joined.extremes.iter_mut().zip(&map.extremes) {
                all.extend(extremes);
            }
        }
        joined
    }
}

/// How the values of a map become numbers from 0 to 255.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantization {
    /// What one step stands for, per channel.
    pub scale: Vec<f32>,
    /// The number that stands for 0, the same for all channels.
    pub zero_point: u8,
}

impl Quantization {
    /// For values from 0 on, each channel with a range of its own: for maps that a depthwise convolution
    /// reads, since it never mixes channels.
    #[must_use]
    pub fn unsigned_per_channel(ranges: &[(f32, f32)]) -> Self {
        Self { scale: not_too_fine(least_unsigned(ranges)), zero_point: 0 }
    }

    /// As that, for values on both sides of 0.
    #[must_use]
    pub fn signed_per_channel(ranges: &[(f32, f32)]) -> Self {
        Self { scale: not_too_fine(least_signed(ranges)), zero_point: 128 }
    }

    /// For all channels alike, from the lowest to the highest value of any.
    #[must_use]
    pub fn per_tensor(ranges: &[(f32, f32)]) -> Self {
        let low = ranges.iter().fold(0.0f32, |low, range| low.min(range.0));
        let high = ranges.iter().fold(0.0f32, |high, range| high.max(range.1));
        let scale = positive((high - low) / 255.0);
        let zero_point = (-low / scale).round().clamp(0.0, 255.0) as u8;
        Self { scale: vec![scale; ranges.len()], zero_point }
    }
}

/// Scales for the channels of a map that a 1×1 convolution reads, so that the error of its results is least.
///
/// With steps S of channel k, rounding the map adds S² · Σ w² / 12 to the square error of the results (over
/// all outputs), and rounding the weights, whose steps are `weight_steps`, adds E\[x²\] / S² · Σ steps² / 12.
/// The sum is least at S⁴ = E\[x²\] · Σ steps² / Σ w²; steps are never so fine that the range would not fit
/// (`least`).
#[must_use]
pub fn balanced(least: &[f32], mean_squares: &[f32], weights: &[Vec<f32>], weight_steps: &[f32]) -> Vec<f32> {
    let steps: f32 = weight_steps.iter().map(|step| step * step).sum();
    let scale = (0..least.len()).map(|channel| {
        let energy: f32 = weights.iter().map(|row| row[channel] * row[channel]).sum();
        let best = (mean_squares[channel] * steps / energy.max(1e-12)).sqrt().sqrt();
        best.max(least[channel])
    });
    not_too_fine(scale.collect())
}

/// The finest steps that let values from 0 on fit.
#[must_use]
pub fn least_unsigned(ranges: &[(f32, f32)]) -> Vec<f32> {
    ranges.iter().map(|(_, high)| high / 255.0).collect()
}

/// The finest steps that let values on both sides of 0 fit, with a zero point of 128.
#[must_use]
pub fn least_signed(ranges: &[(f32, f32)]) -> Vec<f32> {
    ranges.iter().map(|(low, high)| (high / 127.0).max(-low / 128.0)).collect()
}

/// Channels that have hardly been seen to move may do so elsewhere: none gets steps finer than a 64th of the
/// coarsest ones.
fn not_too_fine(scales: Vec<f32>) -> Vec<f32> {
    let floor = scales.iter().fold(0.0f32, |largest, scale| largest.max(*scale)) / 64.0;
    scales.into_iter().map(|scale| positive(scale.max(floor))).collect()
}

/// A scale must not be 0, even of a channel that is: nothing could be divided by it.
fn positive(scale: f32) -> f32 {
    scale.max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn seen(values: &[f32], shape: (usize, usize, usize, usize)) -> ObservedMap {
        let mut observations = Observations::default();
        let map = Tensor::from_vec(values.to_vec(), shape, &Device::Cpu).unwrap();
        observations.add("map", &map).unwrap();
        observations.get("map")
    }

    #[test]
    fn ranges_leave_out_the_wildest_pictures() {
        // 101 pictures of one pixel and two channels: picture k has k in one, −k in the other.
        let values: Vec<f32> = (0..=100).flat_map(|k| [k as f32, -(k as f32)]).collect();
        let seen = seen(&values, (101, 1, 1, 2));
        assert_eq!(seen.ranges(1.0), [(0.0, 100.0), (-100.0, 0.0)]);
        assert_eq!(seen.ranges(0.9), [(0.0, 90.0), (-90.0, 0.0)]);
        assert_eq!(seen.means(), [50.0, -50.0]);
    }

    #[test]
    fn zero_is_always_a_number_of_its_own() {
        let per_tensor = Quantization::per_tensor(&[(-1.0, 0.5), (0.0, 4.1)]);
        assert_eq!(per_tensor.scale, [0.02; 2]);
        assert_eq!(per_tensor.zero_point, 50);
        let signed = Quantization::signed_per_channel(&[(-1.28, 0.1), (-0.1, 1.27), (0.0, 0.0)]);
        assert_eq!((signed.scale[0], signed.scale[1], signed.zero_point), (0.01, 0.01, 128));
        assert!(signed.scale[2] > 0.0);
    }

    #[test]
    fn maps_beside_one_another_keep_their_order() {
        let (left, right) = (seen(&[1.0, 2.0], (1, 1, 1, 2)), seen(&[3.0], (1, 1, 1, 1)));
        assert_eq!(ObservedMap::beside(&[left, right]).means(), [1.0, 2.0, 3.0]);
    }
}
