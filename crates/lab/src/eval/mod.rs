//! Measures the networks on labelled pictures: how often the classifier is right ([`faces`]), how many faces
//! the detector finds ([`detector`]), what both answer together ([`scenes`]), how bare faces with things
//! drawn on them are classified ([`hard`]), how far their landmarks are off ([`landmarks`]), what each
//! quality gate gains and costs ([`gates`]), what happens at a door ([`door`]), and at real clips of doors
//! ([`video`]), and whether what is no face is told from what is one ([`presence`]),
//! and how faces close to a cheap webcam fare ([`close`]). Nothing here fits a network
//! (that is [`crate::train`]) or knows the command line. The networks come in as functions
//! ([`networks`]), so that figures can be tested without them.
//!
//! The face size is everywhere the shorter side of its box, min(w, h), in pixels. Fractions are between 0 and
//! 1 and come with their counts and a 95 % Wilson interval; a fraction of nothing is `None`, `null` in JSON.

pub mod close;
pub mod detector;
pub mod door;
pub mod error;
pub mod evaluation;
pub mod faces;
pub mod film;
pub mod gates;
pub mod hard;
pub mod landmarks;
pub mod metrics;
pub mod mistakes;
pub mod named;
pub mod networks;
pub mod presence;
pub mod same;
pub mod scenes;
pub mod sheet;
pub mod skin;
pub mod strip;
mod table;
pub mod video;
