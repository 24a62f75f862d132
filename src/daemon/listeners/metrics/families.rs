//! All metrics: what they are called and what they say. docs/metrics.md has the same list; a test compares.

use super::exposition::MetricFamily;
use super::exposition::MetricKind::{Counter, Gauge, Histogram};

macro_rules! families {
    ($($(#[doc = $help:literal])+ $constant:ident = $kind:ident $name:literal [$($label:literal),*];)+) => {
        $(
            pub(super) const $constant: MetricFamily = MetricFamily {
                name: $name,
                kind: $kind,
                labels: &[$($label),*],
                help: concat!($($help),+).trim_ascii_start(),
            };
        )+

        /// Every metric, in the order of the text.
        #[cfg(test)]
        pub(super) const FAMILIES: &[MetricFamily] = &[$($constant),+];
    };
}

families! {
    /// Which program runs; always 1.
    BUILD = Gauge "maskwatch_build_info" ["version", "architecture"];
    /// When the daemon was started, in seconds since 1970.
    STARTED = Gauge "maskwatch_start_time_seconds" [];
    /// What the door shows: 1 for one state, 0 for the others.
    STATE = Gauge "maskwatch_door_state" ["state"];
    /// Whether an order or quiet hours keep anybody from being judged.
    PAUSED = Gauge "maskwatch_paused" [];
    /// Frames of the source, with those that were dropped.
    FRAMES = Counter "maskwatch_frames_total" [];
    /// Frames that the networks did not look at: damaged, newer (a newer one had come), paused, or still.
    DROPPED = Counter "maskwatch_frames_dropped_total" ["cause"];
    /// Frames that the networks looked at.
    LOOKS = Counter "maskwatch_looks_total" [];
    /// How long a stage of a look took; judge only where a face was judged, wait from when the frame was
    /// taken.
    STAGES = Histogram "maskwatch_look_stage_duration_seconds" ["stage"];
    /// Time since the last look, also at a still frame; nothing before the first.
    LOOK_AGE = Gauge "maskwatch_last_look_age_seconds" [];
    /// Faces in the last frame that was looked at.
    FACES_NOW = Gauge "maskwatch_faces" [];
    /// Faces in frames that were looked at; who stays is counted in each frame.
    FACES = Counter "maskwatch_faces_total" [];
    /// Faces that were left for the next frame, since there was no time for them.
    LEFT_OUT = Counter "maskwatch_faces_left_out_total" [];
    /// Verdicts that people were given; a person can get several.
    VERDICTS = Counter "maskwatch_verdicts_total" ["verdict"];
    /// People who have gone, each once, by their gravest verdict.
    PEOPLE = Counter "maskwatch_people_total" ["verdict"];
    /// Alerts.
    ALERTS = Counter "maskwatch_alerts_total" [];
    /// Time from the frame in which a person was first seen to the alert; not of who wore a mask before.
    ALERT_TIME = Histogram "maskwatch_time_to_alert_seconds" [];
    /// Faults that began, or turned into one of another kind.
    FAULTS = Counter "maskwatch_faults_total" ["kind"];
    /// Whether there is a fault of this kind now.
    FAULT_NOW = Gauge "maskwatch_fault" ["kind"];
    /// How often the source was back after it was away.
    REOPENED = Counter "maskwatch_source_reopenings_total" [];
    /// How often the source broke off or could not be opened.
    BROKEN = Counter "maskwatch_source_failures_total" [];
    /// Temperature of the processor in degrees Celsius; nothing where the kernel does not tell it.
    TEMPERATURE = Gauge "maskwatch_temperature_celsius" [];
    /// Whether the supply or the heat limits the board now; nothing where the firmware does not tell it.
    LIMITED = Gauge "maskwatch_board_limited" ["cause"];
    /// Whether it did so at any time since the board was started.
    WAS_LIMITED = Gauge "maskwatch_board_limited_since_boot" ["cause"];
    /// Events that a listener of the daemon has lost, since it was too slow.
    LOST = Counter "maskwatch_listener_lost_events_total" ["listener"];
    /// Whether the configuration that was read last was accepted.
    CONFIGURED = Gauge "maskwatch_config_last_reload_successful" [];
}
