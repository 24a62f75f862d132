//! The configuration: TOML in, checked values out. A mistake is refused with one sentence that names the
//! file, the line, the key and the mend. Unknown keys are refused too.
//!
//! The default file, [`DOCUMENTED`], says what the keys do. `document` reads a whole file, one file below it
//! each section, and `reader` the keys; [`limits`] names the limits of their values. `files` finds the
//! drop-in files of a configuration, and `layers` lays them over it; `show` writes the whole out. `salvage`
//! reads what is left of the outputs in a file that was refused. `drawn` are the zones that the web page has
//! written.

mod counts;
mod decision;
mod detector;
mod document;
mod drawn;
mod error;
mod files;
mod hooks;
mod layers;
pub mod limits;
mod metrics;
mod models;
mod mqtt;
mod outputs;
mod place;
mod quiet;
mod reader;
mod salvage;
mod show;
mod socket;
mod source;
mod web;
mod zones;

pub use counts::ClockTrust;
pub use detector::DetectorConfig;
pub use document::{Config, DOCUMENTED};
pub use drawn::{drawn_zones, read_drawn, write_drawn};
pub use error::ConfigError;
pub use files::{ConfigFiles, LONGEST as LONGEST_CONFIG, config_files, drop_ins};
pub use hooks::{Hook, HookEvent};
pub use metrics::MetricsConfig;
pub use mqtt::{BrokerAddress, MqttConfig, OrderKind, is_topic_level};
pub use outputs::OutputsConfig;
pub use place::PathChoice;
pub use quiet::{QuietHours, QuietMode, Weekdays};
pub use salvage::Salvaged;
pub use show::{ShownValues, show};
pub use source::SourceConfig;
pub use web::{CertificateFiles, WebCommand, WebConfig};
