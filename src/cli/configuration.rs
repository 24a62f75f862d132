//! The configuration file, and what the command line changes about its outputs.

use super::values::one_of;
use crate::config::{Config, OutputsConfig, Salvaged};
use crate::daemon::is_one_of_several;
use crate::outputs::Backend;
use clap::builder::TypedValueParser;
use std::path::{Path, PathBuf};

/// Read when no configuration is named.
pub(super) const USUAL_CONFIG: &str = "/etc/maskwatch/maskwatch.toml";

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
        let mut config = match self.file() {
            Some(path) => Config::load(path)?,
            None => Config::default(),
        };
        self.change(&mut config.outputs);
        Ok(config)
    }

    /// What can be read of the outputs in a file that is refused, without the command line's changes.
    pub(super) fn salvage_outputs(&self) -> Option<Salvaged> {
        Config::salvage_outputs(self.file()?)
    }

    /// Makes the command line's changes.
    pub(super) fn change(&self, outputs: &mut OutputsConfig) {
        outputs.backend = self.backend.unwrap_or(outputs.backend);
        outputs.backend = backend_of(outputs.backend, is_one_of_several());
        outputs.chip = self.chip.clone().or(outputs.chip.take());
    }

    /// The file that is read.
    pub(super) fn file(&self) -> Option<&Path> {
        config_file(self.config.as_deref())
    }
}

/// The way to the pins of a door that may be one of several: the registers can be had by one process alone.
fn backend_of(configured: Backend, is_one_of_several: bool) -> Backend {
    match configured {
        Backend::Auto if is_one_of_several => Backend::Gpiocdev,
        configured => configured,
    }
}

/// The configuration file that is read: the one that was named, or the usual one if there is one.
pub(super) fn config_file(named: Option<&Path>) -> Option<&Path> {
    let usual = Path::new(USUAL_CONFIG);
    named.or_else(|| usual.exists().then_some(usual))
}

fn backend_parser() -> impl TypedValueParser<Value = Backend> {
    one_of(Backend::NAMES.map(|(name, backend)| (name, "", backend)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_doors_goes_to_its_pins_through_the_kernel_unless_it_is_told_otherwise() {
        assert_eq!(backend_of(Backend::Auto, true), Backend::Gpiocdev);
        for backend in Backend::ALL {
            assert_eq!(backend_of(backend, false), backend);
            if backend != Backend::Auto {
                assert_eq!(backend_of(backend, true), backend);
            }
        }
    }
}
