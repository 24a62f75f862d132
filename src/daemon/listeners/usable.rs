//! Whether the listeners can use the files and addresses that a configuration names for them. A daemon
//! without them works all the same, so only a check of the configuration refuses what cannot be used.

use crate::config::Config;

/// What the listeners of `config` cannot use, each in one sentence with its key and the mend.
#[must_use]
pub fn problems(config: &Config) -> Vec<String> {
    [broker(config), page(config), metrics(config), config.shared_address().into_iter().collect()].concat()
}

#[cfg(feature = "mqtt")]
fn broker(config: &Config) -> Vec<String> {
    config.mqtt.as_ref().map(super::mqtt::broker_problems).unwrap_or_default()
}

#[cfg(not(feature = "mqtt"))]
fn broker(_: &Config) -> Vec<String> {
    Vec::new()
}

#[cfg(feature = "web")]
fn page(config: &Config) -> Vec<String> {
    use super::web::password::WebPassword;
    use crate::http::{Tls, TlsError};
    let web = &config.web;
    if !web.enabled {
        return Vec::new();
    }
    let mut problems = Vec::new();
    if let Err(error) = WebPassword::load(&web.password_file) {
        problems.push(format!("web.password_file: {error}"));
    }
    if let Some(files) = &web.certificate
        && let Err(error) = Tls::load(&files.certificate, &files.key)
    {
        let key = match &error {
            TlsError::Unreadable { file, .. } | TlsError::Empty { file, .. } if *file == files.key => {
                "web.key"
            }
            _ => "web.certificate",
        };
        problems.push(format!("{key}: {error}"));
    }
    problems
}

#[cfg(not(feature = "web"))]
fn page(_: &Config) -> Vec<String> {
    Vec::new()
}

fn metrics(config: &Config) -> Vec<String> {
    let folder = config.metrics.file.as_deref().and_then(std::path::Path::parent);
    let missing = folder.filter(|folder| !folder.is_dir());
    let told = |folder: &std::path::Path| {
        format!(
            "metrics.file: there is no folder {}; make it, or write the file into another one",
            folder.display()
        )
    };
    missing.map(told).into_iter().collect()
}
