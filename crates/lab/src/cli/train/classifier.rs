//! `maskwatch-lab train classifier`: arguments in, a run of [`crate::train::classifier`] out.

use super::session::{print, session};
use super::values::{factor, share};
use crate::data::augment::Augmentation;
use crate::data::dataset::{Dataset, DatasetOptions, Subset};
use crate::drawn::DrawnKind;
use crate::train::Session;
use crate::train::classifier::{self, ClassifierReport, ClassifierSettings, Depth};
use crate::train::optimizer::Rule;
use maskwatch::cli::outcome::Outcome;
use maskwatch::cli::values::fraction;
use maskwatch::nn::BatchNorm;
use maskwatch::nn::weights::Weights;
use std::fmt;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder with the labelled pictures
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Weights to start from: MobileNetV2 with torchvision's names, or a classifier trained here
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Folder for weights, checkpoint, history.csv and curves.png
    #[arg(long, value_name = "DIR", default_value = "runs/classifier")]
    output: PathBuf,
    /// Folder for features that several runs share
    #[arg(long, value_name = "DIR", default_value = "runs/features")]
    cache: PathBuf,
    /// Continue the run in the output folder
    #[arg(long)]
    resume: bool,
    /// Stop at the first measurement after this many epochs or steps; continue with --resume
    #[arg(long, value_name = "N")]
    stop_after: Option<u64>,
    /// Layers to train: head, features.K (head and backbone from block K on) or all
    #[arg(long, value_name = "DEPTH", default_value = "head")]
    unfreeze: Depth,

    /// CSV tables in the data folder [default: faces.csv and scenes.csv, whichever are there]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    table: Vec<String>,
    /// Sample faces FACTOR times as often; NAME is a table, a source, or a file that lists pictures
    #[arg(long, value_name = "NAME=FACTOR", value_parser = factor, help_heading = "Data")]
    weight: Vec<(String, f64)>,
    /// Leave out faces whose shorter side has fewer pixels
    #[arg(long, value_name = "PX", default_value_t = 16.0, help_heading = "Data")]
    min_side: f32,
    /// Share of the pictures of split train that is set aside. The weights with the lowest loss on them are
    /// kept
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share, help_heading = "Data")]
    selection_share: f64,
    /// Share of the pictures of an ImageFolder tree that is used for validation
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share, help_heading = "Data")]
    val_share: f64,
    /// Share of each batch with faces labelled incorrect, if the data has any; fine-tuning only
    #[arg(long, value_name = "SHARE", default_value_t = 0.06, help_heading = "Data")]
    incorrect: f64,
    /// Share of each batch that shows no face, or a hidden one; fine-tuning only. It comes from what the
    /// detector takes for faces in the pictures of negatives.csv, and from the boxes of --heads
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, help_heading = "Data")]
    non_faces: f64,
    /// Table of boxes that show no face or a hidden one: image,x,y,w,h,kind (nobody or hidden)
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    heads: Option<PathBuf>,
    /// How many times as often as in the data a mask worn incorrectly is expected: above 1, it is said sooner
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, help_heading = "Fitting")]
    incorrect_odds: f64,
    /// Share of each batch with bare faces that something is drawn on: masks worn correctly or incorrectly,
    /// hands, cups, beards, …; fine-tuning only
    #[arg(long, value_name = "SHARE", default_value_t = 0.25, help_heading = "Data")]
    drawn: f64,
    /// Share of the helmets, hoods, side lights and backlights that is drawn on masked faces instead of bare
    /// ones. Above 0, they are drawn twice as often
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, help_heading = "Data")]
    around_masked: f64,
    /// Kinds not to draw
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', help_heading = "Data")]
    without: Vec<DrawnKind>,
    /// Sides of the network's input. The first is the side in use, fine-tuning mixes in the others
    #[arg(long, value_name = "PX,…", value_delimiter = ',', default_value = "128", help_heading = "Data")]
    input: Vec<u32>,
    /// Side of the square that the network sees in use, as a multiple of the face's longer side
    #[arg(long, value_name = "FACTOR", default_value_t = 1.1, help_heading = "Data")]
    margin: f32,
    /// Largest random change of a face's aspect ratio: 0.12 for 1 : 1.12 to 1.12 : 1
    #[arg(long, value_name = "RATIO", default_value_t = Augmentation::default().aspect, value_parser = fraction, help_heading = "Data")]
    aspect: f32,
    /// Augmented views of each face; for the head alone
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Data")]
    views: usize,

    /// Epochs; for the head alone
    #[arg(long, value_name = "N", default_value_t = 30, help_heading = "Fitting")]
    epochs: u64,
    /// Training steps; fine-tuning only
    #[arg(long, value_name = "N", default_value_t = 400, help_heading = "Fitting")]
    steps: u64,
    /// Steps from one measurement and checkpoint to the next; fine-tuning only
    #[arg(long, value_name = "N", default_value_t = 50, help_heading = "Fitting")]
    every: u64,
    /// Faces in a batch [default: 256 for the head alone, else 64]
    #[arg(long, value_name = "N", help_heading = "Fitting")]
    batch: Option<usize>,
    /// Optimiser
    #[arg(long, value_enum, value_name = "RULE", default_value_t = OptimizerRule::AdamW, help_heading = "Fitting")]
    optimizer: OptimizerRule,
    /// Batch norms of the trained blocks; fine-tuning only
    #[arg(long, value_enum, value_name = "HOW", default_value_t = BatchNorms::Frozen, help_heading = "Fitting")]
    batch_norm: BatchNorms,
    /// Highest learning rate [default: 0.001 (sgd 0.1) for the head alone, else 0.0003 (sgd 0.01) for the
    /// backbone]
    #[arg(long, value_name = "RATE", help_heading = "Fitting")]
    learning_rate: Option<f64>,
    /// Learning rate of the head, as a multiple of the backbone's; fine-tuning only
    #[arg(long, value_name = "FACTOR", default_value_t = 5.0, help_heading = "Fitting")]
    head_factor: f64,
    /// Decoupled weight decay, in units of the learning rate [default: 0.01, sgd 0.0005]
    #[arg(long, value_name = "DECAY", help_heading = "Fitting")]
    weight_decay: Option<f64>,
    /// Steps over which the learning rate rises; afterwards it falls along a cosine
    #[arg(long, value_name = "STEPS", default_value_t = 30, help_heading = "Fitting")]
    warm_up: u64,
    /// Share of each label that is split evenly between both classes
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, help_heading = "Fitting")]
    label_smoothing: f64,
    /// Share of the head's hidden values that are dropped
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, help_heading = "Fitting")]
    dropout: f64,
    /// Decay of the moving average of the weights, which is measured and kept; 0 for none
    #[arg(long, value_name = "DECAY", default_value_t = 0.998, help_heading = "Fitting")]
    average: f64,
    /// Share of the trained weights in the written ones, above 0 to 1; the rest comes from the starting
    /// weights. Fine-tuning only
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, help_heading = "Fitting")]
    blend: f64,
    /// Keep the last weights instead of those with the lowest loss on what is set aside. That is the loss of
    /// the two classes alone; the outputs beside them do not count in it
    #[arg(long, help_heading = "Fitting")]
    keep_last: bool,
    /// Seed of all random choices
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Fitting")]
    seed: u64,
    /// Threads that prepare pictures [default: all cores]
    #[arg(long, value_name = "N", help_heading = "Fitting")]
    threads: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OptimizerRule {
    /// Adam with decoupled weight decay (Loshchilov & Hutter, arXiv:1711.05101)
    AdamW,
    /// Stochastic gradient descent with Nesterov's momentum (0.9) and decoupled weight decay
    Sgd,
}

impl OptimizerRule {
    fn rule(self) -> Rule {
        match self {
            Self::AdamW => Rule::AdamW,
            Self::Sgd => Rule::Sgd,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BatchNorms {
    /// Normalise by the running statistics of the weight file, which stay as they are
    Frozen,
    /// Normalise by the statistics of the batch and move the running ones by a tenth towards them
    Live,
}

impl BatchNorms {
    fn mode(self) -> BatchNorm {
        match self {
            Self::Frozen => BatchNorm::Frozen,
            Self::Live => BatchNorm::Live,
        }
    }
}

impl Args {
    fn options(&self) -> DatasetOptions {
        DatasetOptions {
            tables: self.table.clone(),
            weights: self.weight.clone(),
            min_side: self.min_side,
            selection_share: self.selection_share,
            val_share: self.val_share,
            seed: self.seed,
        }
    }

    fn settings(&self) -> ClassifierSettings {
        let usual = ClassifierSettings::new(self.unfreeze, self.optimizer.rule());
        ClassifierSettings {
            inputs: self.input.clone(),
            margin: self.margin,
            augmentation: Augmentation { aspect: self.aspect, ..usual.augmentation },
            incorrect: self.incorrect,
            non_faces: self.non_faces,
            heads: self.heads.clone(),
            incorrect_odds: self.incorrect_odds,
            drawn: self.drawn,
            around_masked: self.around_masked,
            without: self.without.clone(),
            views: self.views,
            length: if self.unfreeze == Depth::Head { self.epochs } else { self.steps },
            batch: self.batch.unwrap_or(usual.batch),
            learning_rate: self.learning_rate.unwrap_or(usual.learning_rate),
            head_factor: self.head_factor,
            weight_decay: self.weight_decay.unwrap_or(usual.weight_decay),
            batch_norm: self.batch_norm.mode(),
            warm_up: self.warm_up,
            label_smoothing: self.label_smoothing,
            dropout: self.dropout,
            average: self.average,
            blend: self.blend,
            keep_last: self.keep_last,
            every: self.every,
            seed: self.seed,
            threads: self.threads.unwrap_or(usual.threads),
            cache: self.cache.clone(),
            ..usual
        }
    }
}

pub(super) fn run(args: Args) -> Outcome {
    let dataset = Dataset::load(&args.data, &args.options())?;
    for (origin, counts) in dataset.summary() {
        let counts: Vec<String> = counts.iter().map(|(group, count)| format!("{group} {count}")).collect();
        eprintln!("{origin}: {}", counts.join(", "));
    }
    let weights = Weights::load(&args.weights)?;
    let settings = args.settings();
    let session = Session { stop_after: args.stop_after, ..session(args.output, args.resume) };
    let report = classifier::run(&dataset, &weights, &settings, &session)?;
    Ok(print(report.map(|report| Printed {
        report,
        chosen_by: dataset.chosen_by(),
        keep_last: settings.keep_last,
    })))
}

/// The report for people to read.
struct Printed {
    report: ClassifierReport,
    chosen_by: Subset,
    keep_last: bool,
}

impl fmt::Display for Printed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { report, chosen_by, keep_last } = self;
        let chosen_by = match chosen_by {
            Subset::Val => "the validation pictures",
            Subset::Train | Subset::Selection => "the pictures set aside",
        };
        if *keep_last {
            writeln!(out, "the last weights, of {}; measured with them:", report.best.at)?;
        } else {
            writeln!(out, "lowest loss on {chosen_by} at {}; measured with its weights:", report.best.at)?;
        }
        for (name, figures) in &report.figures {
            writeln!(
                out,
                "  {name}: n {}, accuracy {:.4}, balanced accuracy {:.4}, loss {:.4}",
                figures.n, figures.accuracy, figures.balanced_accuracy, figures.loss
            )?;
        }
        write!(out, "written: {}", report.weights.display())
    }
}
