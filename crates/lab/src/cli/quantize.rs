//! `maskwatch-lab quantize`: the networks' f32 weights → the one int8 file that the daemon runs.

use crate::data::dataset::{Dataset, DatasetOptions};
use crate::quantize::{Choices, Comparison, NETWORKS, NetworkSource, NetworkSources, compare, quantize};
use anyhow::Context;
use maskwatch::cli::outcome::Outcome;
use maskwatch::nn::NetworkError;
use maskwatch::nn::int8::QuantizedWeights;
use maskwatch::nn::weights::{Weights, find};
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder with the labelled pictures, as for `train classifier`; rows of split train are used
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// f32 weights of the classifier [default: classifier.safetensors in $MASKWATCH_MODELS, ./models or
    /// /usr/share/maskwatch/models]
    #[arg(long, value_name = "FILE")]
    classifier: Option<PathBuf>,
    /// f32 weights of the detector [default: detector.safetensors, found like those of the classifier]
    #[arg(long, value_name = "FILE")]
    detector: Option<PathBuf>,
    /// f32 weights of the detector of close faces [default: close-detector.safetensors, found like those of
    /// the classifier]
    #[arg(long, value_name = "FILE")]
    close_detector: Option<PathBuf>,
    /// f32 weights of the landmark network [default: landmarks.safetensors, found like those of the
    /// classifier]
    #[arg(long, value_name = "FILE")]
    landmarks: Option<PathBuf>,
    /// Networks to take from the built-in weights as they are: classifier, detector, close_detector,
    /// landmarks
    #[arg(long, value_name = "NETWORK,…", value_delimiter = ',', value_parser = NETWORKS)]
    keep: Vec<String>,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "runs/int8.safetensors")]
    output: PathBuf,
    /// Number of faces that calibrate the classifier
    #[arg(long, value_name = "N", default_value_t = 512)]
    faces: usize,
    /// Number of pictures that calibrate the detector
    #[arg(long, value_name = "N", default_value_t = 96)]
    pictures: usize,
    /// Share of the pictures whose extreme values the ranges cover, 0.5 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.99)]
    quantile: f64,
    /// Sides of the classifier's input that calibration uses in turn
    #[arg(long, value_name = "PX,…", value_delimiter = ',', default_value = "224,128,96")]
    input: Vec<u32>,
    /// Seed of the choice of faces
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

pub(crate) fn run(args: Args) -> Outcome {
    anyhow::ensure!(
        (0.5..=1.0).contains(&args.quantile) && args.faces > 0 && args.pictures > 0 && !args.input.is_empty(),
        "--quantile must be 0.5 to 1, --faces and --pictures at least 1"
    );
    let load = |name: &str, named: &Option<PathBuf>, usual| {
        if args.keep.iter().any(|kept| kept == name) {
            return Ok(NetworkSource::Kept);
        }
        let path = named.clone().map_or_else(|| find(usual), Ok)?;
        Ok::<_, NetworkError>(NetworkSource::Real(Weights::load(&path)?))
    };
    let [classifier, detector, close_detector, landmarks] = NETWORKS;
    let sources = NetworkSources {
        networks: [
            load(classifier, &args.classifier, "classifier.safetensors")?,
            load(detector, &args.detector, "detector.safetensors")?,
            load(close_detector, &args.close_detector, "close-detector.safetensors")?,
            load(landmarks, &args.landmarks, "landmarks.safetensors")?,
        ],
        kept: QuantizedWeights::embedded()?,
    };
    let dataset =
        Dataset::load(&args.data, &DatasetOptions { seed: args.seed, ..DatasetOptions::default() })?;
    let choices = Choices {
        quantile: args.quantile,
        faces: args.faces,
        inputs: args.input,
        pictures: args.pictures,
        detector_input: (640, 640),
        seed: args.seed,
    };
    if let Some(folder) = args.output.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let draft = quantize(&sources, &dataset, &choices)?;
    draft.save(&args.output)?;
    let bytes = std::fs::metadata(&args.output).map_or(0, |file| file.len());
    println!("{}: {:.2} MB, the networks in 8 bits", args.output.display(), bytes as f64 / 1e6);
    let [NetworkSource::Real(classifier), ..] = &sources.networks else { return Ok(ExitCode::SUCCESS) };
    println!(
        "faces set aside from training: f32 right, int8 right, same class, logit error (root mean square)"
    );
    for sum in compare(classifier, &draft, &dataset, &choices)? {
        let Comparison { input, faces, real_right, quantized_right, same, logit_error } = sum;
        println!("{input:4} px: {real_right} {quantized_right} {same} of {faces}, {logit_error:.3}");
    }
    Ok(ExitCode::SUCCESS)
}
