//! Labelled pictures: [`labels`] reads tables of boxes, [`pictures`] groups them by picture, [`dataset`] says
//! which faces a training sees, [`matching`] pairs detections with labelled boxes. Below both training and
//! evaluation.

pub mod augment;
pub mod dataset;
pub mod labels;
pub mod landmarks;
pub mod matching;
pub mod pictures;
pub mod sampler;
pub mod teacher;
