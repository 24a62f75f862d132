//! The configuration file, and what the command line changes about its outputs.

use super::values::one_of;
use crate::config::Config;
use crate::outputs::Backend;
use clap::builder::TypedValueParser;
use std::path::{Path, PathBuf};

/// Read when no configuration is named.
const USUAL_CONFIG: &str = "/etc/maskwatch/maskwatch.toml";

/// The configuration file and what the command line changes about its outputs.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigArgs {
    /// Configuration file; by default /etc/maskwatch/maskwatch.toml if there is one, else the built-in
    /// defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How pins are driven, instead of outputs.backend
    #[arg(long, value_name = "BACKEND", value_parser = backend_parser())]
    backend: Option<Backend>,
    /// GPIO chip by label, name or path, instead of outputs.chip
    #[arg(long, value_name = "CHIP")]
    chip: Option<String>,
}

impl ConfigArgs {
    /// The file's configuration with the command line's changes.
    pub(super) fn load(&self) -> anyhow::Result<Config> {
        let usual = Path::new(USUAL_CONFIG);
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None if usual.exists() => Config::load(usual)?,
            None => Config::default(),
        };
        config.outputs.backend = self.backend.unwrap_or(config.outputs.backend);
        config.outputs.chip = self.chip.clone().or(config.outputs.chip);
        Ok(config)
    }
}

fn backend_parser() -> impl TypedValueParser<Value = Backend> {
    one_of(Backend::NAMES.map(|(name, backend)| (name, "", backend)))
}
