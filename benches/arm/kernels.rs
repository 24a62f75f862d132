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

    /// A layer at one size.
    struct Layer {
        name: String,
        kind: Kind,
        rows: usize,
        columns: usize,
    }

    enum Kind {
        /// Inputs, outputs, whether a residual is added, whether rows lie apart (the target is a ring with
        /// padding).
        Pointwise { inputs: usize, outputs: usize, residual: bool, apart: bool },
        /// Channels and stride; `rows` and `columns` are those of the output.
        Depthwise { channels: usize, stride: usize, real: bool },
    }

    pub(super) fn main() {
        let networks = [
            ("classifier 224", classifier(224)),
            ("classifier 128", classifier(128)),
            ("detector 320x256", detector(320, 256)),
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

    fn pointwise(
        name: &str,
        size: [usize; 2],
        inputs: usize,
        outputs: usize,
        residual: bool,
        apart: bool,
    ) -> Layer {
        let kind = Kind::Pointwise { inputs, outputs, residual, apart };
        Layer { name: format!("{name} {inputs}-{outputs}"), kind, rows: size[0], columns: size[1] }
    }

    fn depthwise(name: &str, size: [usize; 2], channels: usize, stride: usize, real: bool) -> Layer {
        let kind = Kind::Depthwise { channels, stride, real };
        Layer { name: format!("{name} {channels}/{stride}"), kind, rows: size[0], columns: size[1] }
    }

    /// MobileNetV2 1.0 (Sandler et al. 2018, table 2) on pictures of `side` pixels.
    fn classifier(side: usize) -> Vec<Layer> {
        let mut size = [side / 2; 2];
        let mut layers = vec![pointwise("stem", size, 32, 32, false, true)];
        let mut inputs = 32;
        let table = [
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        ];
        for (expansion, outputs, repetitions, first_stride) in table {
            for repetition in 0..repetitions {
                let stride = if repetition == 0 { first_stride } else { 1 };
                let hidden = inputs * expansion;
                if expansion > 1 {
                    layers.push(pointwise("expand", size, inputs, hidden, false, true));
                }
                size = size.map(|length| length.div_ceil(stride));
                layers.push(depthwise("depthwise", size, hidden, stride, false));
                layers.push(pointwise("project", size, hidden, outputs, repetition > 0, false));
                inputs = outputs;
            }
        }
        layers.push(pointwise("last", size, 320, 1280, false, false));
        layers
    }

    /// YuNet-n with its head's four parts as one unit.
    fn detector(width: usize, height: usize) -> Vec<Layer> {
        let mut size = [height / 2, width / 2];
        let mut layers = vec![pointwise("stem", size, 32, 16, false, true)];
        let mut unit = |size: [usize; 2], inputs: usize, outputs: usize, real: bool| {
            layers.push(pointwise("pointwise", size, inputs, outputs, false, true));
            layers.push(depthwise("depthwise", size, outputs, 1, real));
        };
        unit(size, 16, 16, false);
        let pool = |size: &mut [usize; 2]| *size = size.map(|length| length / 2);
        pool(&mut size);
        unit(size, 16, 16, false);
        unit(size, 16, 64, false);
        unit(size, 64, 64, false);
        unit(size, 64, 64, false);
        for _ in 0..3 {
            pool(&mut size);
            // Two units of the backbone, the neck's and the head's.
            for outputs in [64, 64, 64, 64] {
                unit(size, 64, outputs, false);
            }
            unit(size, 64, 16, true);
        }
        layers
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

    fn record(kernels: &dyn Kernels, network: &str, layer: &Layer) -> Result<(), PackError> {
        let Layer { name, kind, rows, columns } = layer;
        let print = |macs: usize, calls: f64| {
            println!("{network}\t{name}\t{}\t{macs}\t{calls}", kernels.name());
        };
        match *kind {
            Kind::Pointwise { inputs, outputs, residual, apart } => {
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
            Kind::Depthwise { channels, stride, real } => {
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
