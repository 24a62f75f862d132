//! `maskwatch-lab eval door`: persons at the door, through the daemon's own loop.

use super::data::{Data, DataArgs};
use super::settings::{DoorSettings, EvalSettings, MeasuredDetector, RulesSettings, open};
use crate::data::labels::Label;
use crate::eval::door::{self, DoorPlan, cast};
use anyhow::Context;
use maskwatch::cli::networks::ModelArgs;
use maskwatch::cli::outcome::Outcome;
use maskwatch::cli::values::fraction;
use maskwatch::config::Config;
use maskwatch::vision::{Chain, Vision};
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    models: ModelArgs,
    /// Size to which a frame is fitted for the detector, multiples of 32 [default: the daemon's, 480x384]
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = maskwatch::cli::values::size)]
    detector_input: Option<(u32, u32)>,
    /// Score from which a detection counts as a face, 0 to 1 [default: the daemon's, 0.5]
    #[arg(long, value_name = "SCORE", value_parser = fraction)]
    score_threshold: Option<f32>,
    /// Daemon configuration whose sections [detector] and [decision] apply [default: the daemon's defaults]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Seed for persons, paths, places and light
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Persons of each label; fewer where the data has fewer
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    persons: u32,
    /// Frame rates in frames per second, 1 to 60, separated by commas
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "5,10,25",
        value_parser = clap::value_parser!(u32).range(1..=60))]
    rate: Vec<u32>,
    /// Folder for strips of frames: some samples, and all clips with an error
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> Outcome {
    let mut config = args.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load)?;
    config.models = args.models.options();
    config.models.threads = Some(1);
    if let Some((width, height)) = args.detector_input {
        (config.detector.width, config.detector.height) = (width, height);
    }
    config.detector.score_threshold = args.score_threshold.unwrap_or(config.detector.score_threshold);
    let mut data = Data::read(args.data, args.models.threads, "faces.csv")?;
    let cast =
        cast::choose(&data.pictures, &data.images, data.args.min_side, args.persons as usize, args.seed);
    anyhow::ensure!(
        !cast.people.is_empty(),
        "{} has no face of split {} usable at a door (at least {} px, with room around it); measure another --split",
        data.labels.display(),
        data.args.split,
        door::person::LEAST_SIDE
    );
    if let Some(folder) = &args.pictures {
        std::fs::create_dir_all(folder).with_context(|| {
            format!("{} cannot be made; name another folder with --pictures", folder.display())
        })?;
    }
    let models = open(&args.models)?;
    let threads = args.models.threads.map(usize::from);
    let threads = threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    let vision = config.vision();
    let chains: Vec<Chain> =
        (0..threads.unwrap_or(1)).map(|_| Chain::load(&vision)).collect::<Result<_, _>>()?;
    let settings = EvalSettings {
        classifier_input: Some(args.models.input),
        detector: Some(MeasuredDetector {
            detector_input: [config.detector.width, config.detector.height],
            close_faces: config.detector.close_faces,
            score_threshold: config.detector.score_threshold,
            min_iou: None,
        }),
        door: Some(DoorSettings {
            seed: args.seed,
            masked_persons: cast.count(Label::Mask),
            unmasked_persons: cast.count(Label::NoMask),
            persons_with_mask_worn_wrongly: cast.count(Label::Incorrect),
            rules: RulesSettings::of(&config.decision, config.gates),
        }),
        ..data.settings(&models)
    };
    let mut rates = args.rate;
    rates.sort_unstable();
    rates.dedup();
    let plan = DoorPlan { seed: args.seed, rates, config: config.clone() };
    data.steps = (door::groups(&cast.people, plan.seed).len(), "clips");
    data.measure(settings, |progress| {
        // One for each thread: those in 8 bits do one picture at a time.
        let vision = || {
            let own = rayon::current_thread_index().unwrap_or(0) % chains.len();
            Ok(Box::new(chains[own].clone()) as Box<dyn Vision>)
        };
        let mut evaluation = door::evaluate(&cast.people, &plan, &vision, args.pictures.as_deref(), progress);
        evaluation.failures.extend(cast.failures);
        evaluation
    })
}
