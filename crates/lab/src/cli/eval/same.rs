//! `maskwatch-lab eval same`: whether people are told apart by their appearance.

use super::data::{Data, DataArgs, shared};
use super::settings::EvalSettings;
use crate::data::pictures;
use crate::eval::error::EvalError;
use crate::eval::evaluation::Evaluation;
use crate::eval::same::{self, SameReport};
use crate::eval::video::clips;
use crate::eval::video::frames::{has_ffmpeg, needs_ffmpeg};
use maskwatch::cli::networks::ModelArgs;
use maskwatch::cli::outcome::Outcome;
use maskwatch::config::Config;
use maskwatch::geometry::Rect;
use maskwatch::vision::Chain;
use std::path::PathBuf;

/// Faces below this are not looked at: the daemon does not judge much smaller ones either.
const LEAST_SIDE: f32 = 24.0;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    models: ModelArgs,
    /// Clips: CSV with the columns clip,expect [default: clips/clips.csv in $MASKWATCH_SHARED or ../shared]
    #[arg(long, value_name = "CSV")]
    clips: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> Outcome {
    let table = args.clips.unwrap_or_else(|| shared().join("clips").join("clips.csv"));
    let clips = clips::read(&table)?;
    anyhow::ensure!(
        has_ffmpeg() || !clips.iter().any(|clip| needs_ffmpeg(&clip.path)),
        "ffmpeg, which decodes the clips, is not installed; install it (sudo apt install ffmpeg)"
    );
    let config = Config { models: args.models.options(), ..Config::default() };
    let models = super::settings::open(&args.models)?;
    let mut chain = Chain::new(&models, &config.vision())?;
    let data = Data::read(args.data, args.models.threads, "scenes.csv")?;
    let settings: EvalSettings = data.settings(&models);
    let looks =
        clips.iter().map(|clip| same::looks(clip, &mut chain, LEAST_SIDE)).collect::<Result<Vec<_>, _>>()?;
    data.measure(settings, |progress| {
        let measured = pictures::measure(&data.pictures, &data.images, progress, |picture, pixels| {
            let faces: Vec<Rect> =
                picture.boxes.iter().map(|face| face.rect).filter(|rect| rect.side() >= LEAST_SIDE).collect();
            Ok::<_, EvalError>(same::appearances(pixels, &faces))
        });
        let report = SameReport::of(&looks, &measured.results);
        Evaluation { report, mistakes: Vec::new(), failures: measured.failures }
    })
}
