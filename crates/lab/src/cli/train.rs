//! `maskwatch-lab train`: fits the networks to labelled pictures.

mod classifier;
mod detector;
mod landmarks;
mod session;
mod values;

use maskwatch::cli::outcome::Outcome;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: FittedNetwork,
}

#[derive(Debug, clap::Subcommand)]
enum FittedNetwork {
    /// Fit the classifier: mask or no mask
    ///
    /// Fits the head to the features of a frozen backbone, or with --unfreeze the backbone too. The data is a
    /// folder with faces.csv, scenes.csv (columns image,x,y,w,h,label,split) and images/, or an ImageFolder
    /// tree mask/, no_mask/ and, if there is one, incorrect/, whose pictures are faces.
    ///
    /// Rows of split val are only measured. Some pictures of split train are set aside; of all epochs (or
    /// measurements in fine-tuning) the one with the lowest loss on their faces is kept. An ImageFolder tree
    /// has no such pictures: there the pictures held back for validation decide.
    Classifier(Box<classifier::Args>),
    /// Fit the detector: boxes of masked, bare and small faces
    ///
    /// Fine-tunes YuNet-n on faces.csv (its pictures of one face) and scenes.csv, rows of split train;
    /// nothing of split val is read. Some of the pictures are set aside: they decide which epoch is kept, and
    /// how far all scores are shifted so that there are no more false positives than at the start.
    Detector(Box<detector::Args>),
    /// Fit the landmark network: eyes, nose and mouth, also below masks
    ///
    /// Bare faces of faces.csv and scenes.csv, rows of split train; nothing of split val is read. Where their
    /// landmarks are is what the teacher says on average of ten looks; then masks and other things are drawn
    /// on them. Some of the pictures are set aside: they decide which weights are kept.
    Landmarks(Box<landmarks::Args>),
}

pub(crate) fn run(args: Args) -> Outcome {
    match args.what {
        FittedNetwork::Classifier(args) => classifier::run(*args),
        FittedNetwork::Detector(args) => detector::run(*args),
        FittedNetwork::Landmarks(args) => landmarks::run(*args),
    }
}
