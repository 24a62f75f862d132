//! Calls every int8 kernel of this CPU as the networks call it, on a part of each layer, between the marks
//! that `instructions.c` looks for: for `estimate.py`, which lets llvm-mca say how long the recorded
//! instructions take.
//!
//! Prints a line per recorded call: network, layer, kernels, multiply-accumulates of the call, and how many
//! such calls a whole inference takes. Runs under an emulator; what it does is of no use on a board.

#[cfg(target_arch = "aarch64")]
fn main() {
    arm::main();
}

#[cfg(not(target_arch = "aarch64"))]
fn main() {
    println!("nothing to record: this is about 64-bit Arm; see make bench-arm");
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use maskwatch_kernels::int8::pack::{PackError, Requantization};
    use maskwatch_kernels::int8::{
        Area, Depthwise, GROUP, Kernels, Map, Pointwise, Residual, Windows, available,
    };
    use maskwatch_kernels::shapes::{self, LayerShape, Operation};
    use std::arch::asm;

    /// Bytes read by a recorded call of a 1×1 convolution, about: long enough that what comes before and
    /// after a strip of pixels counts as little as it does in a whole row, short enough for llvm-mca.
    const SAMPLE: usize = 4096;
    /// Windows of a recorded call of a depthwise convolution, whose calls are rows of a map.
    const WINDOWS: usize = 160;

    /// Pixels of `pixels` that are recorded: whole tiles, or all of them.
    fn sample(pixels: usize, channels: usize) -> usize {
        let wanted = (SAMPLE / channels).next_multiple_of(16).max(16);
        if pixels <= wanted + 12 { pixels } else { wanted }
    }

    pub(super) fn main() {
        let networks = [
            ("classifier 224", shapes::mobilenet_v2(224)),
            ("classifier 128", shapes::mobilenet_v2(128)),
            ("detector 320x256", shapes::yunet(320, 256)),
        ];
        for kernels in available() {
            if kernels.name() == "scalar" {
                continue;
            }
            for (network, layers) in &networks {
                for layer in layers {
                    if let Err(error) = record(kernels, network, layer) {
                        eprintln!("error: {network} {}: {error}", layer.name);
                        std::process::exit(1);
                    }
                }
            }
        }
    }

    /// Weights within the limits, of either sign.
    fn weights(length: usize) -> Vec<i8> {
        (0..length).map(|index| (index * 37 % 61) as i8 - 30).collect()
    }

    fn requantization(outputs: usize, output_zero_point: u8) -> Requantization {
        Requantization {
            bias: vec![100; outputs],
            multiplier: vec![1e-3; outputs],
            input_zero_point: 3,
            output_zero_point,
        }
    }

    /// The layer's name with its channels, as a row of the table.
    fn title(layer: &LayerShape) -> String {
        let name = layer.name;
        match layer.operation {
            Operation::Pointwise { inputs, outputs, .. } => {
                format!("{name} {}-{outputs}", inputs.next_multiple_of(GROUP))
            }
            Operation::Depthwise { channels, stride, .. } => format!("{name} {channels}/{stride}"),
        }
    }

    fn record(kernels: &dyn Kernels, network: &str, layer: &LayerShape) -> Result<(), PackError> {
        let LayerShape { operation, rows, columns, .. } = layer;
        let name = title(layer);
        let print = |macs: usize, calls: f64| {
            println!("{network}\t{name}\t{}\t{macs}\t{calls}", kernels.name());
        };
        match *operation {
            Operation::Pointwise { inputs, outputs, residual, apart } => {
                let inputs = inputs.next_multiple_of(GROUP);
                // 0 where a ReLU follows; kernels may be slower with an odd one.
                let zero_point = if name.starts_with("project") { 101 } else { 0 };
                let requantization = requantization(outputs, zero_point);
                let packed = Pointwise::new(kernels, &weights(inputs * outputs), outputs, &requantization)?;
                // As the networks do: the rows of a ring lie apart, other maps are one long row.
                let (pixels, most) = if apart { (*columns, *rows) } else { (rows * columns, 1) };
                let sample = sample(pixels, inputs);
                let sampled = (SAMPLE / (sample * inputs)).clamp(1, most.min(4));
                let groups = 2 * kernels.panel() / GROUP;
                let length = sampled * (sample + 1);
                let (input, mut output) = (vec![7u8; length * inputs], vec![0u8; length * outputs]);
                let source = Map { start: input.as_ptr(), pixel: inputs, row: (sample + 1) * inputs };
                let row = (sample + 1) * outputs;
                let target = Map { start: output.as_mut_ptr(), pixel: outputs, row };
                let area = Area { rows: sampled, columns: sample };
                let residual =
                    residual.then_some(Residual { start: target.start, zero_point: 3, multiplier: 0.7 });
                start();
                // SAFETY: input and output have the sample's pixels.
                unsafe { kernels.pointwise(&packed, 0..groups, area, source, target, residual.as_ref()) };
                stop();
                let whole = (rows * columns * outputs) as f64 / (GROUP * groups) as f64;
                print(sampled * sample * inputs * groups * GROUP, whole / (sampled * sample) as f64);
            }
            Operation::Depthwise { channels, stride, real } => {
                let packed = Depthwise::new(kernels, &weights(9 * channels), &requantization(channels, 0))?;
                let sample = (*columns).min(WINDOWS);
                let pixels = stride * (sample - 1) + 3;
                let input = vec![7u8; pixels * channels];
                let windows = Windows { rows: [input.as_ptr(); 3], pixel: channels, stride, columns: sample };
                let groups = (channels / GROUP).min(2);
                let (mut output, mut reals) = (vec![0u8; sample * channels], vec![0f32; sample * channels]);
                start();
                // SAFETY: input and output have the sample's pixels.
                unsafe {
                    if real {
                        kernels.depthwise_real(&packed, 0..groups, &windows, reals.as_mut_ptr(), channels);
                    } else {
                        kernels.depthwise(&packed, 0..groups, &windows, output.as_mut_ptr(), channels);
                    }
                }
                stop();
                let whole = (rows * columns * channels / GROUP / groups) as f64;
                print(9 * sample * groups * GROUP, whole / sample as f64);
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn start() {
        // SAFETY: a hint that no CPU knows does nothing.
        unsafe { asm!("hint #100") };
    }

    #[inline(always)]
    fn stop() {
        // SAFETY: a hint that no CPU knows does nothing.
        unsafe { asm!("hint #101") };
    }
}
