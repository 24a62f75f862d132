//! The sections `[[hook]]`: programs that are run when something happens.

use super::error::ConfigError;
use super::limits;
use super::reader::Section;
use crate::text::{LONGEST_QUOTE, shortened};
use maskwatch_vision::named;
use std::time::Duration;

/// Hooks at most: each has a thread of its own.
const MOST_HOOKS: usize = 16;
/// How long a program may take if nobody says.
const USUAL_LIMIT: Duration = Duration::from_secs(10);

/// What a hook waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookEvent {
    /// A person raises an alert.
    Alert,
    /// The door shows another state.
    State,
    /// A person's verdict has changed.
    Verdict,
    /// Something is wrong, or for another reason than before.
    Fault,
    /// The fault is over.
    Recovered,
}

named!(HookEvent {
    Alert => "alert",
    State => "state",
    Verdict => "verdict",
    Fault => "fault",
    Recovered => "recovered",
});

/// A program that is run when something happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// When.
    pub on: HookEvent,
    /// The program and its arguments.
    pub run: Vec<String>,
    /// How long it may take.
    pub limit: Duration,
}

/// Reads all sections `[[hook]]`.
pub(super) fn hooks(sections: Vec<Section<'_>>) -> Result<Vec<Hook>, ConfigError> {
    if let Some(surplus) = sections.get(MOST_HOOKS) {
        let problem = format!("is there more than {MOST_HOOKS} times; let one program do several things");
        return Err(surplus.refuse_whole(problem));
    }
    sections.into_iter().map(hook).collect()
}

fn hook(mut section: Section<'_>) -> Result<Hook, ConfigError> {
    let Some(on) = section.choice("on", &HookEvent::NAMES)? else {
        return Err(section.refuse_whole("has no on; add for example on = \"alert\"".into()));
    };
    let Some(run) = section.texts("run", "texts in quotes, such as [\"aplay\", \"prompt.wav\"]")? else {
        return Err(
            section.refuse_whole("has no run; add for example run = [\"/usr/local/bin/prompt\"]".into())
        );
    };
    match run.value.first().map(String::as_str) {
        None | Some("") => {
            return Err(section
                .refuse(&run, "is without a program; write for example [\"aplay\", \"prompt.wav\"]".into()));
        }
        Some(program) if program.contains('/') && !program.starts_with('/') => {
            let problem = format!(
                "has the program \"{}\", a path that is not absolute; write it from / on, or its name alone",
                shortened(program, LONGEST_QUOTE)
            );
            return Err(section.refuse(&run, problem));
        }
        Some(_) if run.value.iter().any(|text| text.contains('\0')) => {
            return Err(
                section.refuse(&run, "has a NUL character, which no argument can have; remove it".into())
            );
        }
        Some(_) => {}
    }
    let limit = section.seconds("timeout_seconds", limits::HOOK_TIMES)?;
    let limit = limit.map_or(USUAL_LIMIT, |limit| limit.value);
    section.finish()?;
    Ok(Hook { on, run: run.value, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Hook>, String> {
        let mut root = Section::root(text, "door.toml").map_err(|error| error.to_string())?;
        hooks(root.list("hook").map_err(|error| error.to_string())?).map_err(|error| error.to_string())
    }

    #[test]
    fn hooks_are_read_in_the_order_of_the_file() {
        let text = "[[hook]]\non = \"alert\"\nrun = [\"aplay\", \"a b.wav\"]\n\
                    [[hook]]\non = \"fault\"\nrun = [\"/bin/mail\"]\ntimeout_seconds = 60\n";
        let hooks = read(text).unwrap();
        assert_eq!(hooks.len(), 2);
        assert_eq!((hooks[0].on, hooks[0].limit), (HookEvent::Alert, USUAL_LIMIT));
        assert_eq!(hooks[0].run, ["aplay", "a b.wav"]);
        assert_eq!((hooks[1].on, hooks[1].limit), (HookEvent::Fault, Duration::from_secs(60)));
        assert_eq!(read(""), Ok(Vec::new()));
    }

    #[test]
    fn mistakes_are_refused_with_line_and_mend() {
        for (text, sentence) in [
            (
                "[hook]\non = \"alert\"\n",
                "line 1: hook is written as [hook]; there can be several, so write it in double brackets: [[hook]]",
            ),
            ("[[hook]]\nrun = [\"a\"]\n", "line 1: hook has no on; add for example on = \"alert\""),
            (
                "[[hook]]\non = \"alert\"\n",
                "line 1: hook has no run; add for example run = [\"/usr/local/bin/prompt\"]",
            ),
            (
                "[[hook]]\non = \"alarm\"\n",
                "line 2: hook.on is \"alarm\"; use one of \"alert\", \"state\", \"verdict\", \"fault\", \"recovered\"",
            ),
            (
                "[[hook]]\non = \"alert\"\nrun = \"aplay a\"\n",
                "line 3: hook.run is text; use a list of texts in quotes, such as [\"aplay\", \"prompt.wav\"]",
            ),
            (
                "[[hook]]\non = \"alert\"\nrun = [\"a\", 1]\n",
                "line 3: hook.run is a list of other things than texts; use a list of texts in quotes, such as [\"aplay\", \"prompt.wav\"]",
            ),
            (
                "[[hook]]\non = \"alert\"\nrun = []\n",
                "line 3: hook.run is without a program; write for example [\"aplay\", \"prompt.wav\"]",
            ),
            (
                "[[hook]]\non = \"alert\"\nrun = [\"./a\"]\n",
                "line 3: hook.run has the program \"./a\", a path that is not absolute; write it from / on, or its name alone",
            ),
            (
                "[[hook]]\non = \"alert\"\nrun = [\"a\"]\ntimeout_seconds = 0\n",
                "line 4: hook.timeout_seconds is 0; use a number from 0.5 to 300",
            ),
            ("hook = 3\n", "line 1: hook is a number; use sections [[hook]]"),
        ] {
            assert_eq!(read(text).unwrap_err(), format!("door.toml {sentence}"));
        }
        let many = "[[hook]]\non = \"alert\"\nrun = [\"a\"]\n".repeat(17);
        assert!(read(&many).unwrap_err().contains("is there more than 16 times"));
    }
}
