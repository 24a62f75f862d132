//! Runs one of the int8 networks some times, on one thread: `arm_inference NETWORK TIMES`. For `run.sh`,
//! which counts the instructions that this executes.

use maskwatch::nn::int8::mobilenet_v2::{MobileNetV2, QuantizedClassifier};
use maskwatch::nn::int8::yunet::{DETECTOR, QuantizedDetector, YuNet};
use maskwatch::nn::int8::{QuantizedWeights, SharedTeam};
use maskwatch_kernels::int8::fastest;
use std::sync::Arc;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() {
    // Cargo adds --bench; without a network there is nothing to do.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [network, times] = arguments.as_slice() else {
        println!("nothing to run: arm_inference NETWORK TIMES; see make bench-arm");
        return;
    };
    if let Err(error) = run(network, times) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn run(network: &str, times: &str) -> Result<()> {
    let times: usize = times.parse()?;
    let weights = QuantizedWeights::embedded()?;
    let team = SharedTeam::new(1)?;
    let mut checksum = 0.0;
    match network {
        "classifier_224" | "classifier_128" => {
            let side = if network == "classifier_224" { 224 } else { 128 };
            let model = Arc::new(MobileNetV2::new(&weights, fastest())?);
            let classifier = QuantizedClassifier::new(model, side, team)?;
            let picture = vec![7; side * side * 3];
            for _ in 0..times {
                checksum += classifier.logits(&picture)?.classes[0];
            }
        }
        "detector_320x256" => {
            let detector =
                QuantizedDetector::new(&YuNet::new(&weights, DETECTOR, fastest())?, (320, 256), team)?;
            let picture = vec![7; 320 * 256 * 3];
            for _ in 0..times {
                detector.run(&picture, |_, values| checksum += values[0])?;
            }
        }
        other => return Err(format!("no network {other}").into()),
    }
    println!("{network} x {times} with {}: {checksum}", fastest().name());
    Ok(())
}
