//! The web page: its password and certificate.

use super::report::Diagnosis;
use crate::config::Config;

/// Nothing where there is no page.
#[cfg(feature = "web")]
pub(super) fn examine(config: &Config) -> Vec<Diagnosis> {
    use crate::daemon::listeners::web::password::{PasswordError, WebPassword};
    use crate::http::{Tls, TlsError};
    if !config.web.enabled {
        return Vec::new();
    }
    let mut findings = Vec::new();
    findings.push(match WebPassword::load(&config.web.password_file) {
        Ok(_) => Diagnosis::ok("web", format!("the page is at {}", config.web.address())),
        // It is for the service alone.
        Err(PasswordError::Unreadable(file, _)) if std::path::Path::new(&file).exists() => {
            let text = format!("{file} is not for this user to read; run as root to check the page");
            Diagnosis::ok("web", text)
        }
        Err(problem) => Diagnosis::error("web", format!("there is no page: {problem}")),
    });
    if let Some(files) = &config.web.certificate {
        match Tls::load(&files.certificate, &files.key) {
            Ok(_) => {}
            Err(TlsError::Unreadable { file, .. }) if file.exists() => {}
            Err(problem) => findings.push(Diagnosis::error("web", format!("there is no page: {problem}"))),
        }
    }
    if config.web.preview && config.web.preview_faces {
        let text = "the page shows faces as they are; preview_faces = false pixelates them";
        findings.push(Diagnosis::warn("web", text));
    }
    findings
}

/// Without the feature there is no page.
#[cfg(not(feature = "web"))]
pub(super) fn examine(config: &Config) -> Vec<Diagnosis> {
    let text = "there is no page: this program was built without the feature web";
    config.web.enabled.then(|| Diagnosis::error("web", text)).into_iter().collect()
}

#[cfg(all(test, feature = "web"))]
mod tests {
    use super::super::report::Severity;
    use super::*;

    #[test]
    fn a_page_without_a_password_is_no_page() {
        assert!(examine(&Config::default()).is_empty());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let text = format!("[web]\nenabled = true\npassword_file = \"{}\"\n", file.display());
        let config = Config::parse(&text, "door.toml").unwrap();
        let [finding] = &examine(&config)[..] else { panic!() };
        assert!(finding.level == Severity::Error && finding.text.contains("sudo maskwatch config password"));
        std::fs::write(&file, "nothing").unwrap();
        assert_eq!(examine(&config)[0].level, Severity::Error);
        let faces = text + "preview = true\npreview_faces = true\n";
        let findings = examine(&Config::parse(&faces, "door.toml").unwrap());
        assert!(
            findings
                .iter()
                .any(|finding| finding.level == Severity::Warn && finding.text.contains("as they are"))
        );
    }
}
