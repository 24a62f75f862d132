//! Depthwise convolution, forward and backward, against candle's own grouped convolution at the shapes of
//! MobileNetV2 for pictures of 224 px: both in one run, in turns, on one thread. Prints medians.
//! `cargo bench --bench depthwise`

use candle_core::{DType, Device, Tensor, Var};
use maskwatch::bench::{interleaved, machine};
use maskwatch::nn::ops::{Activation, depthwise3x3};
use maskwatch_kernels::shapes::{Operation, mobilenet_v2};
use std::time::Duration;

/// Rows (and columns) of the input, channels and stride of MobileNetV2's depthwise layers, each shape once.
fn depthwise_shapes() -> Vec<(usize, usize, usize)> {
    let mut all: Vec<_> = mobilenet_v2(224)
        .iter()
        .filter_map(|layer| match layer.operation {
            Operation::Depthwise { channels, stride, .. } => Some((layer.rows * stride, channels, stride)),
            Operation::Pointwise { .. } => None,
        })
        .collect();
    all.dedup();
    all
}

fn main() -> candle_core::Result<()> {
    // Fails only where a pool exists already, and nothing has run yet.
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    assert!(single.is_ok(), "{single:?}");
    println!("{}; one thread; medians", machine());
    println!(
        "   shape        stride |  forward: candle     ours   ratio | backward: candle     ours   ratio"
    );
    let mut totals = [0.0f64; 4];
    for (side, channels, stride) in depthwise_shapes() {
        let input = Var::randn(0f32, 1f32, (1, side, side, channels), &Device::Cpu)?;
        let weight = Var::randn(0f32, 1f32, (9, channels), &Device::Cpu)?;
        let bias = Tensor::zeros(channels, DType::F32, &Device::Cpu)?;
        let planes = Var::from_tensor(&input.permute((0, 3, 1, 2))?.contiguous()?)?;
        let kernel = Var::from_tensor(&weight.t()?.reshape((channels, 1, 3, 3))?.contiguous()?)?;

        let candle = || planes.conv2d(&kernel, 1, stride, 1, channels);
        let ours = || depthwise3x3(&input, &weight, &bias, stride, Activation::Identity);
        // The gradient of the outputs themselves is all ones, so that no loss behind them is timed.
        let (candle_output, our_output) = (candle()?, ours()?);
        let run = |result: candle_core::Result<()>| assert!(result.is_ok(), "{result:?}");
        let spreads = interleaved(
            Duration::from_millis(1500),
            &mut [
                Box::new(|| run(candle().map(drop))),
                Box::new(|| run(ours().map(drop))),
                Box::new(|| run(candle_output.backward().map(drop))),
                Box::new(|| run(our_output.backward().map(drop))),
            ],
        );
        let medians: Vec<f64> = spreads.iter().map(|spread| spread.p50_ms).collect();
        totals.iter_mut().zip(&medians).for_each(|(total, median)| *total += median);
        println!("{side:4}² × {channels:<4} {stride:8} | {}", columns(&medians));
    }
    println!("all shapes once       | {}", columns(&totals));
    Ok(())
}

fn columns(medians: &[f64]) -> String {
    let pair = |candle: f64, ours: f64| format!("{candle:10.3} ms {ours:8.3} ms {:6.1}×", candle / ours);
    format!("{} | {}", pair(medians[0], medians[1]), pair(medians[2], medians[3]))
}
