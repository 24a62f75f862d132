//! `maskwatch bench`: how long each stage of a frame takes on this machine.

use super::networks::{DetectorArgs, ModelArgs};
use super::outcome::Outcome;
use super::turn::TurnArgs;
use crate::bench::{FACE, SameFrame, Spread, camera_frame, interleaved, machine, peak_memory_mib, portrait};
use crate::pixels::preprocess;
use crate::vision::models::{Precision, usual_threads};
use crate::vision::quality::Gates;
use crate::vision::zones::Zones;
use crate::vision::{Chain, ChainOptions, Vision, everybody};
use anyhow::Context;
use clap::ValueEnum;
use image::RgbImage;
use serde_json::json;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Arguments of `maskwatch bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How to print the figures; json prints one object per stage and one for loading and memory
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Time this stage alone, in a row, as other runtimes time a network. Can be given several times. By
    /// default the stages take turns, as they do for a camera's frames
    #[arg(long = "stage", value_enum, value_name = "STAGE")]
    stages: Vec<Stage>,
    /// Seconds that all stages together are timed
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    #[command(flatten)]
    turn: TurnArgs,
    #[command(flatten)]
    models: ModelArgs,
    #[command(flatten)]
    detector: DetectorArgs,
}

/// A part of the work on a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stage {
    /// JPEG to pixels, as for a camera's frames
    Decode,
    /// Faces of the frame
    Detect,
    /// A face's landmarks, for the gate on its pose
    Locate,
    /// A face's crop as the classifier takes it
    Preprocess,
    /// What the crop shows
    Classify,
    /// All of it on the daemon's own path, for a frame with one face
    Frame,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Detect => "detect",
            Self::Locate => "locate",
            Self::Preprocess => "preprocess",
            Self::Classify => "classify",
            Self::Frame => "frame",
        }
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(crate) fn run(args: Args) -> Outcome {
    // The threads of the f32 networks; those of the int8 ones are their own.
    let threads = args.models.threads.map_or_else(usual_threads, usize::from);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .context("the threads could not be started")?;

    let start = Instant::now();
    let models = args.models.open()?;
    let chain = Chain::new(
        &models,
        &ChainOptions {
            models: args.models.options(),
            detector_input: args.detector.detector_input,
            close_faces: !args.detector.no_close_faces,
            score_threshold: args.detector.score_threshold,
            gates: Gates::default(),
            zones: Zones::default(),
        },
    )?;
    let (width, height) = args.detector.detector_input;
    let load_ms = start.elapsed().as_secs_f64() * 1e3;

    let portrait = portrait()?;
    let frame = camera_frame(&portrait);
    let source = SameFrame::new(&frame, args.turn.turn().orientation())?;
    // Stages that take turns share the chain; the whole frame has a clone with memory of its own.
    let mut whole = chain.clone();
    let (detector, locator, classifier) = (chain.detector(), chain.locator(), chain.classifier());
    let (margin, input) = (classifier.preprocessing().margin, classifier.preprocessing().largest());
    let crop = || preprocess::face_crop(&portrait, &FACE, margin, input);
    let crops = [crop()];
    // A stage fails only where the first one of its kind would have failed when the networks were made.
    let check = |succeeded: bool| assert!(succeeded, "a stage failed while it was timed");

    let precision = models.precision();
    let mut work = |stage: Stage| match stage {
        Stage::Decode => check(source.decode().is_ok()),
        Stage::Detect => check(detector.detect(&frame).is_ok()),
        Stage::Locate => check(locator.locate(&portrait, &FACE).is_ok()),
        Stage::Preprocess => check(preprocessed(crop(), precision)),
        Stage::Classify => check(classifier.classify_crops(&crops).is_ok()),
        Stage::Frame => {
            check(source.decode().is_ok_and(|picture| whole.look(picture.view(), &mut everybody).is_ok()));
        }
    };
    let wanted = |stage: &Stage| args.stages.is_empty() || args.stages.contains(stage);
    let stages: Vec<Stage> = Stage::value_variants().iter().copied().filter(wanted).collect();
    let work = std::cell::RefCell::new(&mut work);
    let work = &work;
    let mut contestants: Vec<Box<dyn FnMut() + '_>> = stages
        .iter()
        .map(|&stage| Box::new(move || (work.borrow_mut())(stage)) as Box<dyn FnMut()>)
        .collect();
    let spreads = interleaved(Duration::from_secs(args.seconds), &mut contestants);

    if matches!(args.format, Format::Text) {
        println!(
            "{}; {threads} threads; {} on {}; milliseconds (p10, median, p90)",
            machine(),
            precision.name(),
            models.kernels()
        );
        println!("640×480 MJPEG, detector {width}×{height}, classifier {input} px");
    }
    for (stage, spread) in stages.iter().map(|stage| stage.name()).zip(spreads) {
        let Spread { p10_ms, p50_ms, p90_ms } = spread;
        match args.format {
            Format::Text => println!("{stage:12} {p10_ms:9.3} {p50_ms:9.3} {p90_ms:9.3}"),
            Format::Json => println!(
                "{}",
                json!({"stage": stage, "precision": precision.name(), "threads": threads, "kernel": models.kernels(),
                       "p10_ms": p10_ms, "p50_ms": p50_ms, "p90_ms": p90_ms})
            ),
        }
    }
    let memory = peak_memory_mib();
    match args.format {
        Format::Text => println!(
            "loading {load_ms:.1} ms, peak memory {}",
            memory.map_or_else(|| "unknown".to_owned(), |mib| format!("{mib:.1} MiB"))
        ),
        Format::Json => println!(
            "{}",
            json!({"load_ms": load_ms, "peak_rss_mb": memory, "machine": machine(), "detector_input": format!("{width}x{height}"),
                   "classifier_input": input})
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// What the network is given: bytes, or normalised real numbers.
fn preprocessed(crop: RgbImage, precision: Precision) -> bool {
    match precision {
        Precision::Int8 => !std::hint::black_box(crop).is_empty(),
        Precision::F32 => preprocess::normalised(&[crop]).is_ok(),
    }
}
