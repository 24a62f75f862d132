//! Labelled pictures, below training, quantization and evaluation. [`labels`] reads tables of boxes,
//! [`pictures`] groups them by picture, [`dataset`] splits faces into subsets, [`sampler`] draws from them,
//! [`augment`] cuts faces out and changes the crops, [`matching`] pairs detections with labelled boxes,
//! [`landmarks`] finds a labelled face's landmarks, [`teacher`] the true ones; [`non_faces`] are boxes
//! without a face to judge, [`webcam`] shows a face as a cheap webcam does.

pub mod dataset;
pub mod landmarks;
pub mod matching;
pub mod non_faces;
pub mod pictures;
pub mod sampler;
pub mod teacher;

pub use maskwatch_pictures::{augment, labels, webcam};
