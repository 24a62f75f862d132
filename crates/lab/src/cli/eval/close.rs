//! `maskwatch-lab eval close`: arguments in, the figures of [`crate::eval::close`] out.

use super::data::{Data, DataArgs};
use super::settings::{EvalSettings, MeasuredDetector, VerdictSettings, open};
use crate::eval::close;
use crate::eval::error::EvalError;
use anyhow::Context;
use maskwatch::cli::networks::{DetectorArgs, ModelArgs, VerdictArgs};
use maskwatch::cli::outcome::Outcome;
use maskwatch::pixels::picture::View;
use maskwatch::vision::zones::Zones;
use maskwatch::vision::{Chain, ChainOptions, Vision, everybody};
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    models: ModelArgs,
    #[command(flatten)]
    detector: DetectorArgs,
    #[command(flatten)]
    verdict: VerdictArgs,
    /// Seed of the views: the same seed shows the same ones
    #[arg(long, default_value = "1")]
    seed: u64,
    /// Also write the frames with a mistake to this folder
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> Outcome {
    let Args { data, models: model_args, detector, verdict, seed, pictures } = args;
    if let Some(folder) = &pictures {
        std::fs::create_dir_all(folder).with_context(|| {
            format!("cannot make {}; name another folder with --pictures", folder.display())
        })?;
    }
    let data = Data::read(data, model_args.threads, "faces.csv")?;
    let models = open(&model_args)?;
    let options = ChainOptions {
        models: model_args.options(),
        detector_input: detector.detector_input,
        close_faces: !detector.no_close_faces,
        score_threshold: detector.score_threshold,
        gates: verdict.gates(),
        zones: Zones::default(),
    };
    let (chain, rules) = (Chain::new(&models, &options)?, verdict.rules());
    let settings = EvalSettings {
        classifier_input: Some(model_args.input),
        detector: Some(MeasuredDetector::of(&detector)),
        verdict: Some(VerdictSettings { certainty: verdict.certainty, min_face_side: verdict.min_face_side }),
        ..data.settings(&models)
    };
    data.measure(settings, |progress| {
        let look =
            |picture: &_| chain.clone().look(View::from(picture), &mut everybody).map_err(EvalError::Vision);
        close::evaluate(&data.pictures, &data.images, seed, (&look, &rules), pictures.as_deref(), progress)
    })
}
