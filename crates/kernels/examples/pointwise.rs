//! Quantizes a 1×1 convolution of real numbers, runs it with every set of kernels of this CPU, compares the
//! results with the reference's and prints times: `cargo run --release --example pointwise`.

use maskwatch_kernels::int8::pack::{PackError, Requantization};
use maskwatch_kernels::int8::{Area, GROUP, Kernels, Map, Pointwise, Reference, available};
use std::time::Instant;

const INPUTS: usize = 64;
const OUTPUTS: usize = 96;
const AREA: Area = Area { rows: 14, columns: 14 };
/// Scales and zero points of input and output; a ReLU6 follows, so 255 stands for 6.
const INPUT: (f32, u8) = (6.0 / 255.0, 0);
const OUTPUT: (f32, u8) = (6.0 / 255.0, 0);

fn main() -> Result<(), PackError> {
    let real = |output: usize, input: usize| ((output * 31 + input * 17) % 41) as f32 / 100.0 - 0.2;
    // Four products of an octet are added up in 16 bits, so weights up to 32 always fit.
    let scale = 0.2 / 32.0;
    let weights: Vec<i8> = (0..OUTPUTS)
        .flat_map(|output| (0..INPUTS).map(move |input| (real(output, input) / scale).round() as i8))
        .collect();
    let requantization = Requantization {
        bias: vec![(1.0 / (INPUT.0 * scale)).round() as i32; OUTPUTS], // a bias of 1
        multiplier: vec![INPUT.0 * scale / OUTPUT.0; OUTPUTS],
        input_zero_point: INPUT.1,
        output_zero_point: OUTPUT.1,
    };
    let values: Vec<u8> = (0..AREA.rows * AREA.columns * INPUTS).map(|at| (at * 7919 % 256) as u8).collect();

    let expected = Convolution::new(&Reference::UNSIGNED, &weights, &requantization, &values)?.run();
    let mut equal = true;
    for kernels in available() {
        let mut convolution = Convolution::new(kernels, &weights, &requantization, &values)?;
        let results = convolution.run();
        let start = Instant::now();
        let times = 100;
        for _ in 0..times {
            convolution.compute();
        }
        let each = start.elapsed() / times;
        let multiplications = AREA.rows * AREA.columns * INPUTS * OUTPUTS;
        let speed = multiplications as f64 / each.as_secs_f64() / 1e9;
        let comparison = if results == expected { "equal to the reference" } else { "WRONG" };
        println!("{:12} {each:>10.1?}  {speed:6.1} GMAC/s  {comparison}", kernels.name());
        equal &= results == expected;
    }
    assert!(equal, "all kernels give the same values");
    Ok(())
}

/// One layer with its maps, stored as its kernels want them.
struct Convolution<'a> {
    kernels: &'a dyn Kernels,
    layer: Pointwise,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl<'a> Convolution<'a> {
    fn new(
        kernels: &'a dyn Kernels,
        weights: &[i8],
        requantization: &Requantization,
        values: &[u8],
    ) -> Result<Self, PackError> {
        let layer = Pointwise::new(kernels, weights, OUTPUTS, requantization)?;
        let input = values.iter().map(|value| value.wrapping_sub(kernels.offset())).collect();
        Ok(Self { kernels, layer, input, output: vec![0; AREA.rows * AREA.columns * OUTPUTS] })
    }

    fn compute(&mut self) {
        let source = Map { start: self.input.as_ptr(), pixel: INPUTS, row: AREA.columns * INPUTS };
        let target = Map { start: self.output.as_mut_ptr(), pixel: OUTPUTS, row: AREA.columns * OUTPUTS };
        // SAFETY: the layer was packed for these kernels, the groups are all of it, and both maps have the
        // pixels of the area.
        unsafe { self.kernels.pointwise(&self.layer, 0..OUTPUTS / GROUP, AREA, source, target, None) }
    }

    /// The results as values from 0 to 255.
    fn run(&mut self) -> Vec<u8> {
        self.compute();
        self.output.iter().map(|byte| byte.wrapping_add(self.kernels.offset())).collect()
    }
}
