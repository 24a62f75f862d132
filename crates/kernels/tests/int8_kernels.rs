//! Every set of int8 kernels that this CPU can run gives the reference's values, bit for bit: on all layer
//! shapes of the networks, on odd sizes, on extreme values, with and without a residual.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use maskwatch_kernels::int8::pack::{DEPTHWISE_SUMS, LIMIT, POINTWISE_SUMS, PackError, Requantization};
use maskwatch_kernels::int8::{
    Area, Depthwise, GROUP, Kernels, Map, Pointwise, Reference, Residual, Windows, available, fastest,
};
use maskwatch_kernels::shapes::{self, Operation};
use std::collections::BTreeSet;

/// Inputs and outputs of 1×1 convolutions that no network has: the smallest, odd numbers of panels, inputs
/// that have to be padded.
const ODD_POINTWISE: [(usize, usize); 9] =
    [(8, 8), (1, 8), (3, 24), (40, 40), (72, 8), (13, 56), (24, 120), (9, 72), (104, 16)];
/// Channels of depthwise convolutions that no network has.
const ODD_DEPTHWISE: [usize; 4] = [8, 24, 40, 104];

/// All layers of the networks.
fn layers() -> impl Iterator<Item = Operation> {
    let networks = [shapes::mobilenet_v2(224), shapes::landmarks(), shapes::yunet(320, 256)];
    networks.into_iter().flatten().map(|layer| layer.operation)
}

/// Inputs and outputs of all 1×1 convolutions, each once.
fn pointwise_shapes() -> BTreeSet<(usize, usize)> {
    let networks = layers().filter_map(|operation| match operation {
        Operation::Pointwise { inputs, outputs, .. } => Some((inputs, outputs)),
        Operation::Depthwise { .. } => None,
    });
    networks.chain(ODD_POINTWISE).collect()
}

/// Channels of all depthwise convolutions, each once.
fn depthwise_channels() -> BTreeSet<usize> {
    let networks = layers().filter_map(|operation| match operation {
        Operation::Depthwise { channels, .. } => Some(channels),
        Operation::Pointwise { .. } => None,
    });
    networks.chain(ODD_DEPTHWISE).collect()
}

/// Marsaglia's xorshift: the tests need the same numbers on every machine, not good ones.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Weights that just fit: drawn from the whole range, then shrunk where a sum is too large.
    fn weights(&mut self, rows: usize, length: usize, sums: &[&[usize]], period: usize) -> Vec<i8> {
        let mut weights: Vec<i8> = (0..rows * length).map(|_| (self.below(255) as i32 - 127) as i8).collect();
        for row in weights.chunks_mut(length) {
            for part in row.chunks_mut(period) {
                for sum in sums {
                    for sign in [1, -1] {
                        let of_sign = |part: &[i8]| {
                            let values =
                                sum.iter().filter_map(|at| part.get(*at)).map(|w| sign * i32::from(*w));
                            values.filter(|w| *w > 0).sum::<i32>()
                        };
                        while of_sign(part) > LIMIT {
                            for at in *sum {
                                if let Some(weight) = part.get_mut(*at).filter(|w| sign * i32::from(**w) > 0)
                                {
                                    let step = (1 + self.below(3) as i32).min(i32::from(*weight).abs());
                                    *weight -= (sign * step) as i8;
                                }
                            }
                        }
                    }
                }
            }
        }
        weights
    }

    fn pointwise_weights(&mut self, outputs: usize, inputs: usize) -> Vec<i8> {
        let [low, high] = &POINTWISE_SUMS;
        self.weights(outputs, inputs, &[low, high], GROUP)
    }

    fn depthwise_weights(&mut self, channels: usize) -> Vec<i8> {
        let [left, middle, right] = &DEPTHWISE_SUMS;
        self.weights(channels, 9, &[left, middle, right], 9)
    }

    fn requantization(&mut self, outputs: usize, inputs: usize) -> Requantization {
        // About a third of the results saturate on either side, so that both ends and the middle are
        // compared.
        let usual = 1.0 / (40.0 * (inputs as f32).sqrt());
        Requantization {
            bias: (0..outputs).map(|_| self.below(20_001) as i32 - 10_000).collect(),
            multiplier: (0..outputs).map(|_| usual * (0.5 + self.below(1000) as f32 / 1000.0)).collect(),
            input_zero_point: self.next() as u8,
            output_zero_point: self.next() as u8,
        }
    }
}

/// The reference that stores bytes as `kernels` do.
fn reference(kernels: &dyn Kernels) -> Reference {
    if kernels.offset() == 0 { Reference::UNSIGNED } else { Reference::SIGNED }
}

/// Values as `kernels` store them.
fn stored(kernels: &dyn Kernels, values: &[u8]) -> Vec<u8> {
    values.iter().map(|value| value.wrapping_sub(kernels.offset())).collect()
}

struct PointwiseCase<'a> {
    weights: &'a [i8],
    outputs: usize,
    requantization: &'a Requantization,
    input: &'a [u8],
    residual: Option<&'a [u8]>,
    area: Area,
    groups: std::ops::Range<usize>,
}

impl PointwiseCase<'_> {
    /// What `kernels` give, 0 to 255, with a gap of three bytes behind each pixel and of five behind each row
    /// that must stay 0xA5.
    fn run(&self, kernels: &dyn Kernels) -> Vec<u8> {
        let layer = Pointwise::new(kernels, self.weights, self.outputs, self.requantization).unwrap();
        let width = self.groups.len() * GROUP;
        let (pixel, row) = (width + 3, (width + 3) * self.area.columns + 5);
        let mut target = vec![0xA5; row * self.area.rows];
        let input = stored(kernels, self.input);
        assert_eq!(input.len(), layer.inputs() * self.area.rows * self.area.columns);
        let source =
            Map { start: input.as_ptr(), pixel: layer.inputs(), row: layer.inputs() * self.area.columns };
        let residual = self.residual.map(|values| stored(kernels, values));
        let residual = residual.as_ref().map(|bytes| {
            assert!(bytes.len() >= target.len());
            Residual { start: bytes.as_ptr(), zero_point: 77, multiplier: 0.6 }
        });
        let map = Map { start: target.as_mut_ptr(), pixel, row };
        // SAFETY: all maps have the pixels of the area, and the groups begin at a panel.
        unsafe {
            kernels.pointwise(&layer, self.groups.clone(), self.area, source, map, residual.as_ref());
        }
        let gap = |index: usize| index % row >= pixel * self.area.columns || index % row % pixel >= width;
        assert!(
            target.iter().enumerate().all(|(index, byte)| !gap(index) || *byte == 0xA5),
            "written in a gap"
        );
        let written = target.iter().enumerate().filter(|(index, _)| !gap(*index));
        written.map(|(_, byte)| byte.wrapping_add(kernels.offset())).collect()
    }
}

fn compare_pointwise(random: &mut Random, (inputs, outputs): (usize, usize), area: Area, input: Option<u8>) {
    let weights = random.pointwise_weights(outputs, inputs);
    let requantization = random.requantization(outputs, inputs);
    let length = inputs.next_multiple_of(GROUP) * area.rows * area.columns;
    let input = input.map_or_else(|| random.bytes(length), |value| vec![value; length]);
    let residual = random.bytes((outputs + 3) * area.columns * area.rows + 5 * area.rows);
    for kernels in available() {
        let panel = kernels.panel() / GROUP;
        let begin = if outputs / GROUP > panel { panel } else { 0 };
        for (residual, groups) in [(None, 0..outputs / GROUP), (Some(&residual[..]), begin..outputs / GROUP)]
        {
            let case = PointwiseCase {
                weights: &weights,
                outputs,
                requantization: &requantization,
                input: &input,
                residual,
                area,
                groups,
            };
            let expected = case.run(&reference(kernels));
            let name = kernels.name();
            assert!(case.run(kernels) == expected, "{name}: {inputs} -> {outputs}, {area:?}");
        }
    }
}

#[test]
fn pointwise_is_the_references_on_all_shapes() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for shape in pointwise_shapes() {
        for (rows, columns) in [(1, 1), (1, 2), (2, 3), (1, 4), (1, 5), (2, 7), (1, 14)] {
            compare_pointwise(&mut random, shape, Area { rows, columns }, None);
        }
    }
}

#[test]
fn pointwise_is_the_references_at_the_extremes() {
    let mut random = Random(0xD1B5_4A32_D192_ED03);
    for shape in [(960, 160), (27, 32), (64, 64), (8, 8)] {
        for value in [0, 127, 128, 255] {
            compare_pointwise(&mut random, shape, Area { rows: 1, columns: 6 }, Some(value));
        }
    }
    // The largest sums there are, in 16 bits and in all, of either sign.
    for kernels in available() {
        for weight in [32i8, -32] {
            let requantization = Requantization {
                bias: vec![i32::from(weight) * 1000; 8],
                multiplier: vec![3e-5; 8],
                input_zero_point: 0,
                output_zero_point: 128,
            };
            let case = PointwiseCase {
                weights: &[weight; 8 * 960],
                outputs: 8,
                requantization: &requantization,
                input: &[255; 5 * 960],
                residual: None,
                area: Area { rows: 1, columns: 5 },
                groups: 0..1,
            };
            let expected = 128.0 + (f64::from(weight) * (255.0 * 960.0 + 1000.0) * 3e-5).round_ties_even();
            let result = case.run(kernels);
            assert_eq!(f64::from(result[0]), expected.clamp(0.0, 255.0), "{}", kernels.name());
            assert_eq!(result, case.run(&reference(kernels)), "{}", kernels.name());
        }
    }
}

/// Reals exactly between two integers round to the even one before the zero point is added, on every CPU;
/// also with the largest multiplier there may be.
#[test]
fn halves_round_to_even() {
    for kernels in available() {
        for (multiplier, values) in [(0.5, [0, 0, 1, 2, 2, 2, 3, 4]), (4.0, [0, 4, 8, 12, 16, 20, 24, 28])] {
            for output_zero_point in [0, 1, 101, 128] {
                let requantization = Requantization {
                    bias: (0..8).collect(),
                    multiplier: vec![multiplier; 8],
                    input_zero_point: 0,
                    output_zero_point,
                };
                let case = PointwiseCase {
                    weights: &[0; 64],
                    outputs: 8,
                    requantization: &requantization,
                    input: &[0; 8],
                    residual: None,
                    area: Area { rows: 1, columns: 1 },
                    groups: 0..1,
                };
                let expected = values.map(|value| value + output_zero_point);
                assert_eq!(case.run(kernels)[..8], expected, "{}", kernels.name());
                // Sixteen channels and eight are different code.
                let requantization = Requantization {
                    bias: requantization.bias.repeat(3),
                    multiplier: vec![multiplier; 24],
                    ..requantization
                };
                let (result, _) =
                    run_depthwise(kernels, &[0; 9 * 24], &requantization, &[0; 3 * 4 * 24], (1, 2), 0..3);
                assert_eq!(result, expected.repeat(6), "{}", kernels.name());
            }
        }
    }
}

fn run_depthwise(
    kernels: &dyn Kernels,
    weights: &[i8],
    requantization: &Requantization,
    input: &[u8],
    (stride, columns): (usize, usize),
    groups: std::ops::Range<usize>,
) -> (Vec<u8>, Vec<f32>) {
    let layer = Depthwise::new(kernels, weights, requantization).unwrap();
    let channels = layer.channels();
    let pixels = stride * (columns - 1) + 3;
    // Exactly as long as it must be: a kernel that reads beyond is seen by valgrind.
    let rows: Vec<Vec<u8>> = input.chunks(pixels * channels).map(|row| stored(kernels, row)).collect();
    let first = groups.start * GROUP;
    let width = groups.len() * GROUP;
    let windows =
        Windows { rows: [0, 1, 2].map(|row| rows[row][first..].as_ptr()), pixel: channels, stride, columns };
    let mut target = vec![0xA5; columns * (width + 3)];
    let mut reals = vec![f32::NAN; columns * (width + 1)];
    // SAFETY: rows and targets have the pixels of these columns.
    unsafe {
        kernels.depthwise(&layer, groups.clone(), &windows, target.as_mut_ptr(), width + 3);
        kernels.depthwise_real(&layer, groups, &windows, reals.as_mut_ptr(), width + 1);
    }
    let gaps = target.chunks(width + 3).all(|pixel| pixel[width..] == [0xA5; 3]);
    assert!(gaps && reals.chunks(width + 1).all(|pixel| pixel[width].is_nan()), "written in a gap");
    let bytes = target.chunks(width + 3).flat_map(|pixel| &pixel[..width]);
    let reals = reals.chunks(width + 1).flat_map(|pixel| &pixel[..width]);
    (bytes.map(|byte| byte.wrapping_add(kernels.offset())).collect(), reals.copied().collect())
}

#[test]
fn depthwise_is_the_references_on_all_shapes_and_at_the_extremes() {
    let mut random = Random(0xA076_1D64_78BD_642F);
    for channels in depthwise_channels() {
        for (stride, columns) in [(1, 1), (1, 2), (1, 7), (2, 1), (2, 2), (2, 7), (1, 9)] {
            let weights = random.depthwise_weights(channels);
            let requantization = random.requantization(channels, 9);
            let length = 3 * (stride * (columns - 1) + 3) * channels;
            for input in [random.bytes(length), vec![0; length], vec![255; length]] {
                for kernels in available() {
                    for groups in [0..channels / GROUP, channels / GROUP / 2..channels / GROUP] {
                        let run = |kernels: &dyn Kernels| {
                            run_depthwise(
                                kernels,
                                &weights,
                                &requantization,
                                &input,
                                (stride, columns),
                                groups.clone(),
                            )
                        };
                        let reference = reference(kernels);
                        let expected = run(&reference);
                        assert!(run(kernels) == expected, "{}: {channels}, stride {stride}", kernels.name());
                    }
                }
            }
        }
    }
}

/// Products below all normal f32 count as they are, where real numbers are the results; as bytes they are 0.
#[test]
fn subnormal_products_are_the_references() {
    let mut random = Random(0x8EBC_6AF0_9C88_C6E3);
    let tiny = [f32::MIN_POSITIVE, 1e-37, 1e-40, f32::from_bits(1), 0.0, 1e-25, 0.01, 1e-38];
    let requantization = Requantization {
        bias: (0..16).map(|output| output - 8).collect(),
        multiplier: tiny.repeat(2),
        input_zero_point: 3,
        output_zero_point: 100,
    };
    let (depthwise, pointwise) = (random.depthwise_weights(16), random.pointwise_weights(16, 8));
    let (input, residual) = (random.bytes(3 * 5 * 16), random.bytes(3 * 19 + 5));
    for kernels in available() {
        for stride in [1, 2] {
            let run = |kernels: &dyn Kernels| {
                let size = (stride, if stride == 1 { 3 } else { 2 });
                let pixels = stride * (size.1 - 1) + 3;
                run_depthwise(kernels, &depthwise, &requantization, &input[..3 * pixels * 16], size, 0..2)
            };
            let (bytes, reals) = run(kernels);
            let (expected, expected_reals) = run(&reference(kernels));
            assert_eq!(bytes, expected, "{}", kernels.name());
            let bits = |reals: Vec<f32>| reals.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            assert_eq!(bits(reals), bits(expected_reals), "{}", kernels.name());
        }
        let case = PointwiseCase {
            weights: &pointwise,
            outputs: 16,
            requantization: &requantization,
            input: &input[..3 * 8],
            residual: Some(&residual),
            area: Area { rows: 1, columns: 3 },
            groups: 0..2,
        };
        assert_eq!(case.run(kernels), case.run(&reference(kernels)), "{}", kernels.name());
    }
}

/// Both ways of storing bytes give the same values, whatever is convolved.
#[test]
fn signed_and_unsigned_storage_agree() {
    let mut random = Random(0xE703_7ED1_A0B4_28DB);
    let (weights, requantization) = (random.pointwise_weights(24, 40), random.requantization(24, 40));
    let input = random.bytes(40 * 6);
    let case = PointwiseCase {
        weights: &weights,
        outputs: 24,
        requantization: &requantization,
        input: &input,
        residual: None,
        area: Area { rows: 2, columns: 3 },
        groups: 0..3,
    };
    assert_eq!(case.run(&Reference::SIGNED), case.run(&Reference::UNSIGNED));
    let (weights, requantization) = (random.depthwise_weights(24), random.requantization(24, 9));
    let input = random.bytes(24 * 9 * 3);
    let run = |kernels: &dyn Kernels| run_depthwise(kernels, &weights, &requantization, &input, (2, 4), 0..3);
    assert_eq!(run(&Reference::SIGNED), run(&Reference::UNSIGNED));
}

#[test]
fn weights_that_could_overflow_are_refused() {
    let requantization = |outputs| Requantization {
        bias: vec![0; outputs],
        multiplier: vec![0.1; outputs],
        input_zero_point: 0,
        output_zero_point: 0,
    };
    for sum in POINTWISE_SUMS {
        for sign in [1i8, -1] {
            let mut weights = vec![0i8; 8 * 16];
            sum.iter().for_each(|at| weights[3 * 16 + 8 + at] = 32 * sign);
            assert!(Pointwise::new(fastest(), &weights, 8, &requantization(8)).is_ok());
            weights[3 * 16 + 8 + sum[3]] += sign;
            let error = Pointwise::new(fastest(), &weights, 8, &requantization(8)).unwrap_err();
            assert_eq!(error, PackError::Overflow { output: 3 });
        }
    }
    let mut filters = vec![0i8; 8 * 9];
    [64, 64, 1].iter().zip([1, 4, 7]).for_each(|(weight, tap)| filters[5 * 9 + tap] = *weight);
    let error = Depthwise::new(fastest(), &filters, &requantization(8)).unwrap_err();
    assert_eq!(error, PackError::Overflow { output: 5 });
}

#[test]
fn layers_that_do_not_fit_are_refused() {
    let good = |outputs: usize| Requantization {
        bias: vec![0; outputs],
        multiplier: vec![0.1; outputs],
        input_zero_point: 0,
        output_zero_point: 0,
    };
    let pointwise = |weights: usize, outputs: usize, requantization: &Requantization| {
        Pointwise::new(fastest(), &vec![0; weights], outputs, requantization).unwrap_err()
    };
    assert_eq!(pointwise(65, 8, &good(8)), PackError::Lengths);
    assert_eq!(pointwise(64, 8, &good(9)), PackError::Lengths);
    assert_eq!(pointwise(0, 8, &good(8)), PackError::Lengths);
    assert_eq!(pointwise(12 * 8, 12, &good(12)), PackError::Channels(12));
    assert_eq!(pointwise(2049 * 8, 8, &good(8)), PackError::Inputs(2049));
    for multiplier in [f32::NAN, -0.1, f32::INFINITY, 5.0] {
        let bad = Requantization { multiplier: vec![multiplier; 8], ..good(8) };
        assert_eq!(pointwise(64, 8, &bad), PackError::Range { output: 0 });
    }
    let bad = Requantization { bias: vec![i32::MIN; 8], ..good(8) };
    assert_eq!(pointwise(64, 8, &bad), PackError::Range { output: 0 });
    assert_eq!(Depthwise::new(fastest(), &[0; 70], &good(8)).unwrap_err(), PackError::Lengths);
}
