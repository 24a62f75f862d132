//! The listener that runs programs when something happens. Each hook has a thread of its own and runs one
//! program at a time; of what happens meanwhile, the newest is kept.
//!
//! - `occasion`: what a program is told; `newest`: where an occasion waits; `run`: one program.

mod newest;
mod occasion;
mod run;

use super::hall::Listener;
use super::notice::Notice;
use crate::config::Hook;
use crate::daemon::throttle::{Throttle, repeats};
use crate::daemon::wall::WallClock;
use newest::Newest;
use occasion::Occasion;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Runs programs.
pub struct Hooks {
    hooks: Vec<Thread>,
    door: String,
    clock: Box<dyn WallClock>,
    is_test: bool,
}

/// One hook and its thread.
struct Thread {
    hook: Hook,
    waiting: Arc<Newest<Occasion>>,
    thread: Option<JoinHandle<()>>,
}

impl Hooks {
    /// Runs `hooks` from now on, in the name of `door`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(hooks: &[Hook], door: String, clock: Box<dyn WallClock>) -> std::io::Result<Self> {
        let mut all = Self { hooks: Vec::new(), door, clock, is_test: false };
        for hook in hooks {
            let waiting = Arc::<Newest<Occasion>>::default();
            let (own, theirs) = (hook.clone(), Arc::clone(&waiting));
            let thread =
                std::thread::Builder::new().name("hook".into()).spawn(move || attend(&own, &theirs))?;
            all.hooks.push(Thread { hook: hook.clone(), waiting, thread: Some(thread) });
        }
        Ok(all)
    }
}

impl Listener for Hooks {
    fn name(&self) -> &'static str {
        "hooks"
    }

    fn wants(&self) -> fn(&Notice) -> bool {
        |notice| {
            matches!(
                notice,
                Notice::Finding(_)
                    | Notice::State { .. }
                    | Notice::Fault { .. }
                    | Notice::Recovered { .. }
                    | Notice::Mode(_)
            )
        }
    }

    fn hear(&mut self, at: Duration, notice: &Notice) {
        if let Notice::Mode(mode) = notice {
            self.is_test = mode.test.is_some();
        }
        let Some((event, occasion)) = Occasion::of(at, notice, &self.door, self.is_test) else { return };
        let wanted = || self.hooks.iter().filter(|thread| thread.hook.on == event);
        if wanted().next().is_none() {
            return;
        }
        let time = self.clock.now().map(|now| now.timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let occasion = occasion.at_time(time);
        wanted().for_each(|thread| thread.waiting.put(occasion.clone()));
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        self.hooks.iter().for_each(|thread| thread.waiting.close());
        for thread in self.hooks.iter_mut().filter_map(|thread| thread.thread.take()) {
            // A panic was printed by its thread already.
            let _ = thread.join();
        }
    }
}

/// A hook's thread: runs its program for one occasion after the other, and says what fails.
fn attend(hook: &Hook, waiting: &Newest<Occasion>) {
    let (began, mut throttle) = (Instant::now(), Throttle::default());
    let (mut runs, mut failures) = (0u64, 0u64);
    let name = hook.run.join(" ");
    while let Some((occasion, replaced)) = waiting.take() {
        runs += 1;
        if replaced > 0 {
            log::info!("the hook `{name}` was still running and missed {replaced} events");
        }
        match run::run(hook, &occasion.json(), occasion.environment(), || waiting.is_closed()) {
            Ok(()) => log::debug!("the hook `{name}` was run for {}", hook.on.name()),
            Err(problem) => {
                failures += 1;
                if let Some(count) = throttle.admit(&problem, began.elapsed()) {
                    log::warn!(
                        "the hook `{name}` {problem}; {failures} of {runs} runs have failed{}",
                        repeats(count)
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HookEvent;
    use crate::daemon::health::FaultKind;
    use crate::daemon::mode::{DoorMode, ShownTest};
    use crate::daemon::wall::SystemWallClock;
    use crate::decide::{DoorState, Finding, Signal};
    use crate::track::TrackId;
    use std::path::Path;

    fn hooks(folder: &Path, on: HookEvent, script: &str) -> Hooks {
        let script = script.replace("OUT", &folder.join("out").display().to_string());
        let run = vec!["/bin/sh".to_owned(), "-c".to_owned(), script];
        let hook = Hook { on, run, limit: Duration::from_secs(30) };
        Hooks::start(&[hook], "north".into(), Box::new(SystemWallClock::new(true))).unwrap()
    }

    /// What the programs have written, once it is `lines` lines.
    fn written(folder: &Path, lines: usize) -> String {
        let began = Instant::now();
        loop {
            let text = std::fs::read_to_string(folder.join("out")).unwrap_or_default();
            if text.lines().count() >= lines {
                return text;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{text:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn alert(person: u64) -> Notice {
        Notice::Finding(Finding::Alert { track: TrackId(person), first_seen: Duration::ZERO })
    }

    #[test]
    fn a_program_runs_for_its_event_alone_and_is_told_what_happened() {
        let folder = tempfile::tempdir().unwrap();
        let mut hooks = hooks(folder.path(), HookEvent::Alert, "cat >>OUT");
        hooks.hear(
            Duration::from_secs(1),
            &Notice::Fault { kind: FaultKind::SourceAway, reason: "no camera".into() },
        );
        hooks.hear(Duration::from_secs(2), &alert(3));
        let text = written(folder.path(), 1);
        assert!(text.starts_with("{\"event\":\"alert\",\"door\":\"north\",\"time\":\"20"), "{text}");
        assert!(text.ends_with("Z\",\"at\":2.0,\"person\":3}\n"), "{text}");
    }

    #[test]
    fn one_program_runs_at_a_time_and_the_newest_event_waits() {
        let folder = tempfile::tempdir().unwrap();
        let script = "mkdir OUT.lock || echo overlap >>OUT; echo begin >>OUT.began; sleep 0.5
            echo $MASKWATCH_PERSON >>OUT; rmdir OUT.lock";
        let mut hooks = hooks(folder.path(), HookEvent::Alert, script);
        hooks.hear(Duration::ZERO, &alert(1));
        let began = Instant::now();
        while !folder.path().join("out.began").exists() {
            assert!(began.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(5));
        }
        (2..=9).for_each(|person| hooks.hear(Duration::ZERO, &alert(person)));
        assert_eq!(written(folder.path(), 2), "1\n9\n");
    }

    #[test]
    fn a_state_that_is_shown_as_a_test_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let mut hooks = hooks(folder.path(), HookEvent::State, "echo $MASKWATCH_STATE $MASKWATCH_TEST >>OUT");
        let test = ShownTest { state: DoorState::Pass, since: Duration::ZERO, until: Duration::from_secs(5) };
        let state = |state| {
            let signal = Signal { state, since: Duration::ZERO };
            Notice::State { from: DoorState::Idle, signal }
        };
        hooks.hear(Duration::ZERO, &Notice::Mode(DoorMode { test: Some(test), ..DoorMode::default() }));
        hooks.hear(Duration::ZERO, &state(DoorState::Pass));
        assert_eq!(written(folder.path(), 1), "pass true\n");
        hooks.hear(Duration::ZERO, &Notice::Mode(DoorMode::default()));
        hooks.hear(Duration::ZERO, &state(DoorState::Look));
        assert_eq!(written(folder.path(), 2), "pass true\nlook\n");
    }
}
