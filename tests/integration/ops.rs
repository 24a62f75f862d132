//! The f32 kernels against their formulas, and their gradients against finite differences.

use candle_core::{Device, Result, Tensor, Var};
use maskwatch::nn::ops::{
    Activation, DepthwiseShape, depthwise3x3, depthwise3x3_reference, max_pool2, patches3x3, pointwise,
    upsample2,
};
use maskwatch_kernels::shapes::{Operation, mobilenet_v2};
use proptest::prelude::*;

/// Reproducible values in −1..1 without a pattern that a kernel could hide behind.
fn values(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 * 2.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn tensor(shape: &[usize], seed: u32) -> Tensor {
    Tensor::from_vec(values(shape.iter().product(), seed), shape, &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

proptest! {
    #[test]
    fn depthwise_equals_its_formula_bit_for_bit(
        batch in 1usize..3, height in 1usize..9, width in 1usize..9, channels in 1usize..20, stride in 1usize..3, seed: u32,
    ) {
        let shape = DepthwiseShape { batch, height, width, channels, stride };
        let input = tensor(&[batch, height, width, channels], seed);
        let weight = tensor(&[9, channels], seed ^ 1);
        let zero = Tensor::zeros(channels, candle_core::DType::F32, &Device::Cpu).unwrap();
        let output = depthwise3x3(&input, &weight, &zero, stride, Activation::Identity).unwrap();
        prop_assert_eq!(output.dims(), [batch, shape.rows(), shape.columns(), channels]);
        prop_assert_eq!(flat(&output), depthwise3x3_reference(&shape, &flat(&input), &flat(&weight)));
    }

    #[test]
    fn patches_hold_the_neighbourhood(height in 1usize..8, width in 1usize..8, channels in 1usize..4, seed: u32) {
        let input = tensor(&[2, height, width, channels], seed);
        let source = flat(&input);
        let output = patches3x3(&input).unwrap();
        let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
        prop_assert_eq!(output.dims(), [2, rows, columns, 9 * channels]);
        for (index, value) in flat(&output).into_iter().enumerate() {
            let (channel, tap) = (index % channels, index / channels % 9);
            let (x, y) = (index / channels / 9 % columns, index / channels / 9 / columns % rows);
            let n = index / channels / 9 / columns / rows;
            let (row, column) = (2 * y + tap / 3, 2 * x + tap % 3);
            let inside = (1..=height).contains(&row) && (1..=width).contains(&column);
            let expected = if inside { source[((n * height + row - 1) * width + column - 1) * channels + channel] } else { 0.0 };
            prop_assert_eq!(value, expected);
        }
    }
}

#[test]
fn depthwise_equals_its_formula_at_the_networks_shapes() {
    let mut shapes: Vec<_> = mobilenet_v2(224)
        .iter()
        .filter_map(|layer| match layer.operation {
            Operation::Depthwise { channels, stride, .. } => Some((layer.rows * stride, channels, stride)),
            Operation::Pointwise { .. } => None,
        })
        .collect();
    shapes.dedup();
    for (side, channels, stride) in shapes {
        let shape = DepthwiseShape { batch: 1, height: side, width: side, channels, stride };
        let input = tensor(&[1, side, side, channels], 3);
        let weight = tensor(&[9, channels], 4);
        let bias = tensor(&[channels], 5);
        let output = depthwise3x3(&input, &weight, &bias, stride, Activation::Relu6).unwrap();
        let plain = depthwise3x3_reference(&shape, &flat(&input), &flat(&weight));
        let bias = flat(&bias);
        let expected: Vec<f32> =
            plain.iter().enumerate().map(|(at, sum)| (sum + bias[at % channels]).clamp(0.0, 6.0)).collect();
        assert_eq!(flat(&output), expected);
    }
}

#[test]
fn pooling_and_upsampling_equal_candles() {
    let input = tensor(&[2, 6, 4, 5], 9);
    let planes = input.permute((0, 3, 1, 2)).unwrap();
    let pooled = planes.max_pool2d(2).unwrap().permute((0, 2, 3, 1)).unwrap();
    assert_eq!(flat(&max_pool2(&input).unwrap()), flat(&pooled));
    let enlarged = planes.upsample_nearest2d(12, 8).unwrap().permute((0, 2, 3, 1)).unwrap();
    assert_eq!(flat(&upsample2(&input).unwrap()), flat(&enlarged));
    assert!(max_pool2(&tensor(&[1, 3, 4, 1], 1)).is_err());
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let input = tensor(&[1, 4, 4, 3], 1);
    let bias = tensor(&[3], 2);
    assert!(depthwise3x3(&input, &tensor(&[9, 4], 3), &bias, 1, Activation::Relu).is_err());
    assert!(depthwise3x3(&input, &tensor(&[9, 3], 3), &tensor(&[4], 1), 1, Activation::Relu).is_err());
    assert!(depthwise3x3(&input, &tensor(&[9, 3], 3), &bias, 3, Activation::Relu).is_err());
    assert!(pointwise(&input, &tensor(&[4, 5], 3), &tensor(&[5], 1), Activation::Relu).is_err());
    assert!(pointwise(&input, &tensor(&[3, 5], 3), &bias, Activation::Relu).is_err());
}

/// Compares the gradient of every value of every argument with the difference quotient of a weighted sum of
/// the outputs.
fn check_gradients(arguments: &[Tensor], function: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let variables: Vec<Var> = arguments.iter().map(|argument| Var::from_tensor(argument).unwrap()).collect();
    let tracked: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    let output = function(&tracked).unwrap();
    let weighting = tensor(output.dims(), 77);
    let loss = |output: &Tensor| (output * &weighting).unwrap().sum_all().unwrap();
    let gradients = loss(&output).backward().unwrap();
    for (at, argument) in arguments.iter().enumerate() {
        let analytic = flat(gradients.get(&tracked[at]).unwrap());
        let start = flat(argument);
        for index in 0..start.len() {
            let shifted = |step: f32| -> f64 {
                let mut moved = start.clone();
                moved[index] += step;
                let mut arguments = arguments.to_vec();
                arguments[at] = Tensor::from_vec(moved, argument.shape(), &Device::Cpu).unwrap();
                let products = (function(&arguments).unwrap() * &weighting).unwrap();
                flat(&products).into_iter().map(f64::from).sum()
            };
            let step = 1e-3f32;
            let numeric = ((shifted(step) - shifted(-step)) / f64::from(2.0 * step)) as f32;
            let error = (analytic[index] - numeric).abs();
            assert!(
                error < 2e-3 * (1.0 + numeric.abs()),
                "argument {at}, value {index}: {} {numeric}",
                analytic[index]
            );
        }
    }
}

/// Activations have a kink at 0 (and 6), where a difference quotient means nothing: the biases keep the sums
/// off it, some channels below 0, some between, some above 6.
fn biases_off_the_kinks(channels: usize) -> Tensor {
    let biases: Vec<f32> = (0..channels).map(|channel| [3.0, -8.0, 14.0][channel % 3]).collect();
    Tensor::from_vec(biases, channels, &Device::Cpu).unwrap()
}

#[test]
fn depthwise_gradients_are_the_difference_quotients() {
    for stride in [1, 2] {
        for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
            let arguments =
                [(tensor(&[2, 5, 4, 3], 1) * 0.3).unwrap(), tensor(&[9, 3], 2), biases_off_the_kinks(3)];
            check_gradients(&arguments, |arguments| {
                depthwise3x3(&arguments[0], &arguments[1], &arguments[2], stride, activation)
            });
        }
    }
}

#[test]
fn depthwise_gradients_equal_candles_own() {
    for stride in [1, 2] {
        let (input, weight) = (
            Var::from_tensor(&tensor(&[2, 9, 7, 11], 4)).unwrap(),
            Var::from_tensor(&tensor(&[9, 11], 5)).unwrap(),
        );
        let bias = Tensor::zeros(11, candle_core::DType::F32, &Device::Cpu).unwrap();
        let ours =
            depthwise3x3(input.as_tensor(), weight.as_tensor(), &bias, stride, Activation::Identity).unwrap();
        let planes = input.permute((0, 3, 1, 2)).unwrap();
        let kernel = weight.t().unwrap().reshape((11, 1, 3, 3)).unwrap();
        let theirs = planes.conv2d(&kernel, 1, stride, 1, 11).unwrap().permute((0, 2, 3, 1)).unwrap();
        let weighting = tensor(ours.dims(), 6);
        let gradients =
            |output: &Tensor| (output * &weighting).unwrap().sum_all().unwrap().backward().unwrap();
        let (ours, theirs) = (gradients(&ours), gradients(&theirs));
        for variable in [&input, &weight] {
            let pair = (flat(ours.get(variable).unwrap()), flat(theirs.get(variable).unwrap()));
            let largest = pair.0.iter().zip(&pair.1).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(largest < 1e-5, "{largest}");
        }
    }
}

#[test]
fn pointwise_gradients_are_the_difference_quotients() {
    for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
        let arguments = [tensor(&[2, 3, 4], 1), tensor(&[4, 5], 2), biases_off_the_kinks(5)];
        check_gradients(&arguments, |arguments| {
            pointwise(&arguments[0], &arguments[1], &arguments[2], activation)
        });
    }
}

#[test]
fn pooling_gradients_are_the_difference_quotients() {
    check_gradients(&[tensor(&[2, 4, 6, 3], 1)], |arguments| max_pool2(&arguments[0]));
    check_gradients(&[tensor(&[2, 2, 3, 3], 1)], |arguments| upsample2(&arguments[0]));
}
