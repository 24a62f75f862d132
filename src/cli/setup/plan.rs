//! What setup is to make of a configuration, and how it shows what was found.

use crate::doctor::Diagnosis;
use crate::source::SourceSpec;
use crate::text::escaped;
use crate::vision::classifier::Input;

/// What is to become of the configuration.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) source: Option<SourceSpec>,
    pub(super) outputs: Vec<(String, u32)>,
    /// Of the detector, and of the classifier where that is to change.
    pub(super) sizes: Option<((u32, u32), Option<Input>)>,
    pub(super) fit: bool,
}

/// One finding as a line.
pub(super) fn line(finding: &Diagnosis) -> String {
    format!("{:5} {:9} {}", finding.level.name(), finding.check, escaped(&finding.text))
}
