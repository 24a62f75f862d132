//! `maskwatch-lab train landmarks`: fits the landmark network to bare faces on which masks and other things
//! are drawn.
//!
//! ```text
//! labels ─▶ teacher ─▶ truth ─▶ batch ─▶ fitting ─▶ run ─▶ landmarks.safetensors
//!           (ten looks    (kept   (masks    (loss,     (which
//!            of the       on      drawn,    AdamW,     weights
//!            detector)    disk)   crops)    average)   are best)
//! ```
//!
//! Nobody has marked eyes and mouths in these pictures. The detector that others have published knows bare
//! faces; what it says of each at several sizes is the truth here, and the masks come afterwards. Nothing of
//! split *val* is read.

mod batch;
mod fitting;
mod history;
mod measure;
mod run;
mod settings;
mod truth;

pub use run::{FittedLandmarks, run};
pub use settings::LandmarksSettings;
