//! Fitting the classifier: the paper's transfer learning, and fine-tuning beyond it.
//!
//! With [`Depth::Head`] the backbone stays as it is: the features of some changed views of every face are
//! computed once (`features`) and the head is fitted to them (`head`). With [`Depth::From`] the backbone is
//! fitted too, from a block on, to newly changed pictures at each step (`batch`, `finetune`), among them
//! faces with things drawn on them; that fits the output *incorrect* too. Then probabilities are calibrated
//! (`calibrate`). Either way the result is measured on the pictures themselves, by the classifier as it is
//! used (`measure`).

mod batch;
mod calibrate;
mod features;
mod finetune;
mod head;
mod history;
mod job;
mod loss;
mod measure;
mod non_faces;
mod run;
mod settings;
mod start;

pub(super) use loss::{Target, binary};
pub(super) use non_faces::NonFaces;

pub use history::{ClassifierEntry, Figures};
pub use run::{ClassifierReport, run};
pub use settings::{ClassifierSettings, Depth};

#[cfg(test)]
mod tests;
