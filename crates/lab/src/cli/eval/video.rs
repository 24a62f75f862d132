//! `maskwatch-lab eval video`: real clips, through the daemon's own loop.

use super::data::{Format, Measure, shared};
use super::settings::{RulesSettings, VideoSettings};
use crate::eval::video::frames::{has_ffmpeg, needs_ffmpeg};
use crate::eval::video::{clips, evaluate};
use anyhow::Context;
use maskwatch::cli::networks::ModelArgs;
use maskwatch::cli::outcome::{Outcome, print};
use maskwatch::config::Config;
use maskwatch::vision::{Chain, Vision};
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Clips and what the door must show: CSV with the columns clip,expect [default: clips/clips.csv in
    /// $MASKWATCH_SHARED or ../shared]
    #[arg(value_name = "CSV")]
    clips: Option<PathBuf>,
    #[command(flatten)]
    models: ModelArgs,
    /// Daemon configuration whose sections [detector] and [decision] apply [default: the daemon's defaults]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Frame rates in frames per second, 1 to 60, separated by commas
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "5,10,25",
        value_parser = clap::value_parser!(u32).range(1..=60))]
    rate: Vec<u32>,
    /// Folder for strips of annotated frames of every clip that is shown wrongly
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// How to print the figures
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: Args) -> Outcome {
    let mut config = args.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load)?;
    config.models = args.models.options();
    config.models.threads = Some(1);
    let usual = shared().join("clips").join("clips.csv");
    let table = args.clips.clone().unwrap_or_else(|| usual.clone());
    if args.clips.is_none() && !table.exists() {
        print(&format!("skipped: {} is not here; name a table of clips\n", table.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let clips = clips::read(&table)?;
    if clips.iter().any(|clip| needs_ffmpeg(&clip.path)) && !has_ffmpeg() {
        print("skipped: ffmpeg, which decodes the clips, is not installed (sudo apt install ffmpeg)\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(folder) = &args.pictures {
        std::fs::create_dir_all(folder).with_context(|| {
            format!("{} cannot be made; name another folder with --pictures", folder.display())
        })?;
    }
    let threads = args.models.threads.map(usize::from);
    let threads = threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    let vision = config.vision();
    let chains: Vec<Chain> =
        (0..threads.unwrap_or(1)).map(|_| Chain::load(&vision)).collect::<Result<_, _>>()?;
    let mut rates = args.rate;
    rates.sort_unstable();
    rates.dedup();
    let settings = VideoSettings {
        clips: table,
        precision: config.models.precision.name(),
        detector_input: [config.detector.width, config.detector.height],
        rules: RulesSettings::of(&config.decision, config.gates),
    };
    let measure = Measure { threads, format: args.format, errors: None, steps: (clips.len(), "clips") };
    measure.run(settings, |progress| {
        // One for each thread: those in 8 bits do one picture at a time.
        let vision = || {
            let own = rayon::current_thread_index().unwrap_or(0) % chains.len();
            Ok(Box::new(chains[own].clone()) as Box<dyn Vision>)
        };
        evaluate(&clips, &rates, &config, &vision, args.pictures.as_deref(), progress)
    })
}
