//! The lines that go over the local socket, one JSON object each; docs/protocol.md describes them. Both sides
//! use these types, so that they cannot differ.

pub use super::faces::{AlertReason, FaceMessage, LookReason, ProbabilityMessage};
use crate::daemon::mode::{Command, DoorMode, ShownTest, USUAL_PAUSE};
use crate::daemon::watch::Stages;
use crate::decide::{DoorState, Finding};
use crate::text::{escaped_json, flattened};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The version of the protocol. Fields and types of lines may be added to it; anything else raises it.
pub const PROTOCOL: u32 = 1;
/// Longest line that a client may send, in bytes without its end.
pub const LONGEST_REQUEST: usize = 1024;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// What the door shows now.
    State,
    /// How the daemon fares.
    Health,
    /// Why the last alerts were raised.
    Why,
    /// What happened last.
    Events,
    /// Everything that happens from now on.
    Watch,
    /// No buzzer sounds for so many seconds; 0 lets them sound again.
    Silence {
        /// For how long.
        seconds: f64,
    },
    /// Nobody is judged and the outputs are off for so many seconds.
    Pause {
        /// For how long; ten minutes if nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
    },
    /// The pause is over.
    Resume,
    /// The outputs show a state for so many seconds.
    Test {
        /// Its name.
        state: String,
        /// For how long.
        seconds: f64,
    },
}

impl Request {
    /// Reads one line.
    ///
    /// # Errors
    /// One sentence that says what is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        if line.len() > LONGEST_REQUEST {
            return Err(format!("a line is longer than {LONGEST_REQUEST} bytes"));
        }
        serde_json::from_slice(line).map_err(|error| {
            let problem = flattened(&error.to_string()).into_owned();
            format!(
                "this is not a command ({problem}); send one JSON object, such as {{\"command\":\"state\"}}"
            )
        })
    }

    /// Its name on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Health => "health",
            Self::Why => "why",
            Self::Events => "events",
            Self::Watch => "watch",
            Self::Silence { .. } => "silence",
            Self::Pause { .. } => "pause",
            Self::Resume => "resume",
            Self::Test { .. } => "test",
        }
    }

    /// The command that it is for the loop; `None` if it only asks what is known.
    ///
    /// # Errors
    /// One sentence, if a value is not allowed.
    pub fn command(&self) -> Result<Option<Command>, String> {
        let seconds = |seconds: f64| {
            let time = Duration::try_from_secs_f64(seconds);
            time.map_err(|_| format!("{seconds} is not a number of seconds; use one from 0 on"))
        };
        let command = match self {
            Self::State | Self::Health | Self::Why | Self::Events | Self::Watch => return Ok(None),
            Self::Silence { seconds: time } => Command::Silence(seconds(*time)?),
            Self::Pause { seconds: time } => Command::Pause(time.map_or(Ok(USUAL_PAUSE), seconds)?),
            Self::Resume => Command::Resume,
            Self::Test { state, seconds: time } => {
                let found = DoorState::ALL.into_iter().find(|known| known.name() == state);
                let Some(state) = found else {
                    let states = DoorState::ALL.map(DoorState::name).join(", ");
                    return Err(format!("{} is not a state; use one of {states}", flattened(state)));
                };
                Command::Test(state, seconds(*time)?)
            }
        };
        command.check().map(Some)
    }
}

/// What the daemon says. Times are in seconds; `at` counts from the start of the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// The first line of every connection.
    Hello {
        /// [`PROTOCOL`].
        protocol: u32,
        /// The program's version.
        version: String,
        /// The door's name.
        door: String,
    },
    /// What the door shows.
    State(StateMessage),
    /// What one frame showed.
    Look(LookMessage),
    /// A person's verdict is another one now.
    Verdict {
        /// When.
        at: f64,
        /// Whose.
        person: u64,
        /// The new verdict: masked, unmasked, incorrect or unsure.
        verdict: String,
    },
    /// A person raised an alert.
    Alert {
        /// When.
        at: f64,
        /// Who.
        person: u64,
    },
    /// Something is wrong.
    Fault {
        /// When.
        at: f64,
        /// What, and how to mend it.
        reason: String,
    },
    /// The fault is over.
    Recovered {
        /// When.
        at: f64,
        /// What was wrong last.
        reason: String,
        /// For how long.
        lasted: f64,
    },
    /// How the daemon fares.
    Health(HealthMessage),
    /// Why the last alerts were raised.
    Why {
        /// When this was told.
        at: f64,
        /// The alerts, the newest first.
        alerts: Vec<AlertReason>,
    },
    /// What happened last.
    Events {
        /// When this was told.
        at: f64,
        /// A line for each: verdicts, alerts, faults, their ends, and other states; the newest first.
        events: Vec<Self>,
    },
    /// What became of a request.
    Answer {
        /// Its name; `null` if it could not be read.
        command: Option<String>,
        /// Whether it was done.
        ok: bool,
        /// Why not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// So many lines were left out, since this client does not read fast enough.
    Lost {
        /// How many.
        lines: u64,
    },
    /// A line of a later version.
    #[serde(other)]
    Unknown,
}

/// What the door shows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StateMessage {
    /// When this was so.
    pub at: f64,
    /// The name of the state.
    pub state: String,
    /// For how long it has been shown.
    pub lasted: f64,
    /// The pattern of each output in this state, by the output's name.
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
    /// One sentence that says what the daemon does.
    pub status: String,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// For how long a pass is still held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass_hold: Option<f64>,
    /// For how long the door is still paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<f64>,
    /// For how long the buzzers are still silent by an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<f64>,
    /// For how long the state is still shown as a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<f64>,
    /// What the outputs do in the quiet hours that hold now: silent or off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<String>,
    /// When these end, as HH:MM by the clock on the wall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_until: Option<String>,
}

impl StateMessage {
    /// Notes what orders and quiet hours have changed, at `now`.
    pub(super) fn set_mode(&mut self, mode: &DoorMode, now: Duration) {
        let left = |until: Duration| until.saturating_sub(now).as_secs_f64();
        self.paused = mode.paused_until.map(left);
        self.silent = mode.silent_until.map(left);
        self.test = mode.test.map(|ShownTest { until, .. }| left(until));
        self.quiet = mode.quiet.map(|quiet| quiet.mode.name().into());
        self.quiet_until = mode.quiet.map(|quiet| quiet.until.strftime("%H:%M").to_string());
    }
}

/// What one frame showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LookMessage {
    /// When.
    pub at: f64,
    /// What the door shows now.
    pub state: String,
    /// Width and height of the frame in pixels.
    pub frame: (u32, u32),
    /// Its faces.
    pub faces: Vec<FaceMessage>,
    /// How long the stages took.
    pub stages: StageSeconds,
}

/// How long the stages of a look took.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct StageSeconds {
    /// From when the frame was taken until somebody looked at it.
    pub wait: f64,
    /// Faces found in the frame.
    pub detect: f64,
    /// Faces judged.
    pub judge: f64,
    /// What it means for the door.
    pub decide: f64,
}

impl From<Stages> for StageSeconds {
    fn from(Stages { wait, detect, judge, decide }: Stages) -> Self {
        let [wait, detect, judge, decide] = [wait, detect, judge, decide].map(seconds);
        Self { wait, detect, judge, decide }
    }
}

/// How the daemon fares. Counts are since its start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HealthMessage {
    /// When this was so.
    pub at: f64,
    /// Looks a second, over the last minute at most.
    pub looks_per_second: f64,
    /// Median times of the last looks.
    pub median: StageSeconds,
    /// Longest times of the last looks.
    pub longest: StageSeconds,
    /// Frames looked at.
    pub looks: u64,
    /// Frames that could not be used.
    pub skipped: u64,
    /// Faces that there was no time for, each time counted.
    pub left_out: u64,
    /// Alerts.
    pub alerts: u64,
    /// Faults.
    pub faults: u64,
    /// The processor's temperature in degrees Celsius, if the board tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
}

/// Seconds to the microsecond.
pub(in super::super) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}

impl Message {
    /// The message of a finding at `at`.
    pub(in super::super) fn of_finding(at: Duration, finding: &Finding) -> Self {
        let at = seconds(at);
        match finding {
            Finding::Verdict { track, verdict } => {
                Self::Verdict { at, person: track.0, verdict: verdict.name().into() }
            }
            Finding::Alert { track, .. } => Self::Alert { at, person: track.0 },
        }
    }

    /// The answer to a request.
    pub(in crate::daemon::listeners) fn answer(command: Option<&str>, outcome: Result<(), String>) -> Self {
        let command = command.map(str::to_owned);
        Self::Answer { command, ok: outcome.is_ok(), error: outcome.err() }
    }

    /// Reads one line of a daemon.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| {
            let problem = flattened(&error.to_string()).into_owned();
            format!("this is not a line of a maskwatch daemon ({problem})")
        })
    }

    /// One line with its end.
    #[must_use]
    pub fn line(&self) -> String {
        // These types have nothing that JSON cannot say.
        let line = serde_json::to_string(self).unwrap_or_default();
        escaped_json(&line).into_owned() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::QuietMode;
    use crate::daemon::Quiet;
    use proptest::prelude::*;

    #[test]
    fn requests_are_read_as_they_are_documented() {
        for (line, request) in [
            (r#"{"command":"state"}"#, Request::State),
            (r#"{"command":"pause"}"#, Request::Pause { seconds: None }),
            (r#"{"command":"pause","seconds":60}"#, Request::Pause { seconds: Some(60.0) }),
            (
                r#"{"seconds":5,"state":"alert","command":"test"}"#,
                Request::Test { state: "alert".into(), seconds: 5.0 },
            ),
        ] {
            assert_eq!(Request::parse(line.as_bytes()).unwrap(), request);
            let again = serde_json::to_vec(&request).unwrap();
            assert_eq!(Request::parse(&again).unwrap(), request, "as it is sent");
        }
    }

    #[test]
    fn what_is_no_command_is_refused_in_one_sentence() {
        for line in ["", "{}", "state", r#"{"command":"open"}"#, r#"{"command":"silence"}"#, "\u{1b}[2J"] {
            let refused = Request::parse(line.as_bytes()).unwrap_err();
            assert!(refused.starts_with("this is not a command ("), "{refused}");
            assert!(!refused.contains(char::is_control), "{refused}");
        }
        let spelled = Request::parse(br#"{"command":"pause","second":5}"#).unwrap_err();
        assert!(spelled.contains("`second`"), "{spelled}");
        for (request, problem) in [
            (Request::Silence { seconds: -1.0 }, "-1 is not a number of seconds; use one from 0 on"),
            (Request::Pause { seconds: Some(1e9) }, "pause cannot last 1000000000 s; use 1 to 43200 seconds"),
            (
                Request::Test { state: "open".into(), seconds: 5.0 },
                "open is not a state; use one of idle, pass, look, incorrect, alert, fault, off",
            ),
        ] {
            assert_eq!(request.command().unwrap_err(), problem);
        }
    }

    #[test]
    fn quiet_hours_are_told_while_they_hold() {
        let until = jiff::civil::time(6, 30, 0, 0);
        let quiet = Some(Quiet { mode: QuietMode::Silent, until });
        let mut state = StateMessage::default();
        state.set_mode(&DoorMode { quiet, ..DoorMode::default() }, Duration::ZERO);
        let line = Message::State(state.clone()).line();
        assert!(line.contains(r#""quiet":"silent","quiet_until":"06:30""#), "{line}");
        state.set_mode(&DoorMode::default(), Duration::ZERO);
        assert_eq!(state, StateMessage::default());
    }

    #[test]
    fn a_line_of_a_later_version_is_unknown_and_no_error() {
        let later = r#"{"type":"weather","sunny":true}"#;
        assert_eq!(serde_json::from_str::<Message>(later).unwrap(), Message::Unknown);
        let more = r#"{"type":"alert","at":1.5,"person":3,"colour":"red"}"#;
        assert_eq!(serde_json::from_str::<Message>(more).unwrap(), Message::Alert { at: 1.5, person: 3 });
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_request_or_a_sentence(line in prop::collection::vec(any::<u8>(), 0..2000)) {
            if let Ok(request) = Request::parse(&line) {
                let _ = request.command();
            }
        }

        #[test]
        fn any_numbers_are_a_command_or_a_sentence(seconds in any::<f64>()) {
            for request in [
                Request::Silence { seconds },
                Request::Pause { seconds: Some(seconds) },
                Request::Test { state: "alert".into(), seconds },
            ] {
                match request.command() {
                    Ok(command) => prop_assert!(command.is_some()),
                    Err(sentence) => prop_assert!(sentence.contains("; use ")),
                }
            }
        }
    }
}
