//! `maskwatch-lab train`: fits the networks to labelled pictures.

mod classifier;
mod detector;
mod landmarks;
mod presence;
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
    /// Train the classifier: mask or no mask
    ///
    /// Trains the head on the features of a frozen backbone, or with --unfreeze the backbone too. The data is
    /// a folder with faces.csv, scenes.csv (columns image,x,y,w,h,label,split) and images/, or an ImageFolder
    /// tree mask/, no_mask/ and optionally incorrect/, in which each picture is one face.
    ///
    /// Split val is measured, never trained on. A share of the pictures of split train is set aside. The
    /// epoch (in fine-tuning: the measurement) with the lowest loss on them is kept. An ImageFolder tree has
    /// no such pictures; there the validation pictures decide.
    Classifier(Box<classifier::Args>),
    /// Train the detector: boxes of masked, bare and small faces
    ///
    /// Fine-tunes YuNet-n on faces.csv (pictures with one face) and scenes.csv, split train; split val is not
    /// read. Some pictures are set aside. They decide which epoch is kept, and how far scores are shifted so
    /// that there are no more false positives than at the start.
    Detector(Box<detector::Args>),
    /// Train the landmark network: eyes, nose and mouth, also below masks
    ///
    /// Uses the bare faces of faces.csv and scenes.csv, split train; split val is not read. The true
    /// landmarks are those that the teacher finds: the mean over ten sizes and mirror images. Masks and other
    /// things are then drawn on the faces. Some pictures are set aside; they decide which weights are kept.
    Landmarks(Box<landmarks::Args>),
    /// Give a finished classifier the output presence: is a human head there, seen from the front?
    ///
    /// The rest of the classifier stays as it is. Faces are those of faces.csv and scenes.csv, split train;
    /// what is no face is what the built-in detector takes for one in the pictures of negatives.csv, and the
    /// boxes of --heads. Takes minutes.
    Presence(Box<presence::Args>),
}

pub(crate) fn run(args: Args) -> Outcome {
    match args.what {
        FittedNetwork::Classifier(args) => classifier::run(*args),
        FittedNetwork::Detector(args) => detector::run(*args),
        FittedNetwork::Landmarks(args) => landmarks::run(*args),
        FittedNetwork::Presence(args) => presence::run(*args),
    }
}
