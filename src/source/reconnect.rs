//! Opens a source again whenever it fails: open → run → close → open as one loop, driven by
//! [`Source::next`], with growing pauses. Opening itself is a function that the caller gives.

use std::time::{Duration, Instant};

use super::sight::{Sight, SightLimits};
use super::timing::Pace;
use super::{Away, Blind, Frame, Next, Options, Source, SourceError, State};

/// Pauses before the 1st, 2nd, 3rd and every further attempt.
pub const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(10), Duration::from_secs(60)];
/// After a source has given frames for this long, the next failure starts with the shortest pause again.
pub const STEADY: Duration = Duration::from_secs(10);

/// Chooses the pause before the next attempt. Pure: the time is handed in.
#[derive(Debug, Clone)]
pub struct Backoff {
    pauses: Vec<Duration>,
    steady: Duration,
    failures: usize,
    first_frame: Option<Instant>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(PAUSES.to_vec(), STEADY)
    }
}

impl Backoff {
    /// Uses the next one of `pauses` after each failure, and the last one from then on. Starts again once
    /// frames have come for `steady`. Without pauses, each attempt follows the last one at once.
    #[must_use]
    pub fn new(pauses: Vec<Duration>, steady: Duration) -> Self {
        Self { pauses, steady, failures: 0, first_frame: None }
    }

    /// Uses [`PAUSES`], but none longer than `longest`, for a caller that needs attempts often enough as a
    /// sign of life.
    #[must_use]
    pub fn up_to(longest: Duration) -> Self {
        Self::new(PAUSES.map(|pause| pause.min(longest)).to_vec(), STEADY)
    }

    /// Notes that a frame came at `now`.
    pub fn worked(&mut self, now: Instant) {
        let first = *self.first_frame.get_or_insert(now);
        if now.saturating_duration_since(first) >= self.steady {
            self.failures = 0;
        }
    }

    /// Notes that the source failed, or could not be opened, at `now`. Returns when to try again.
    pub fn failed(&mut self, now: Instant) -> Instant {
        self.first_frame = None;
        let last = self.pauses.len().saturating_sub(1);
        let pause = self.pauses.get(self.failures.min(last)).copied().unwrap_or_default();
        self.failures = self.failures.saturating_add(1);
        now + pause
    }
}

/// A source that is opened again whenever it fails. [`Source::next`] returns no error; [`Source::state`]
/// reports the fault.
pub struct Reconnecting {
    name: String,
    open: Box<dyn FnMut() -> Result<Box<dyn Source>, SourceError> + Send>,
    source: Option<Box<dyn Source>>,
    backoff: Backoff,
    sight: Sight,
    pace: Option<Pace>,
    state: State,
    started: Instant,
}

impl Reconnecting {
    /// Opens the source with `open` when `next` is first called. [`Source::describe`] returns `name` until
    /// then, and after a failure.
    #[must_use]
    pub fn new(
        name: String,
        open: impl FnMut() -> Result<Box<dyn Source>, SourceError> + Send + 'static,
    ) -> Self {
        Self::with_backoff(name, Backoff::default(), open)
    }

    /// As [`new`](Self::new), with other pauses.
    #[must_use]
    pub fn with_backoff(
        name: String,
        backoff: Backoff,
        open: impl FnMut() -> Result<Box<dyn Source>, SourceError> + Send + 'static,
    ) -> Self {
        let (open, started) = (Box::new(open), Instant::now());
        let (sight, pace, state) = (Sight::default(), None, State::Starting);
        Self { name, open, source: None, backoff, sight, pace, state, started }
    }

    /// Reports [`State::Blind`] when the frames have been black, without detail or of another scene for as
    /// long as `options` say.
    #[must_use]
    pub fn with_sight(self, options: &Options) -> Self {
        let limits = SightLimits {
            black: options.black_after,
            no_detail: options.blind_after,
            other_scene: options.tampered_after,
        };
        Self { sight: Sight::new(limits), ..self }
    }

    /// Takes at most `frames_per_second` from the source; `None` for no limit.
    #[must_use]
    pub fn with_pace(self, frames_per_second: Option<f32>) -> Self {
        Self { pace: frames_per_second.and_then(Pace::new), ..self }
    }

    fn failed(&mut self, error: &SourceError) {
        // Closed first, so that the device is free for the next attempt.
        self.source = None;
        self.sight.forget();
        let now = Instant::now();
        let retry_at = self.backoff.failed(now);
        let reason = error.to_string();
        let (since, attempts) = match &self.state {
            State::Away(away) => (away.since, away.attempts.saturating_add(1)),
            State::Starting => (self.started, 1),
            State::Connected | State::Blind(_) => (now, 0),
        };
        // Only at level debug: the reader of the state logs the fault, and a repeated one only once.
        log::debug!("{reason} (attempt {attempts})");
        self.state = State::Away(Away { reason, since, attempts, retry_at: Some(retry_at) });
    }

    /// Notes a frame: the source is connected, or blind if its frames show nothing.
    fn frame(&mut self, frame: &Frame, now: Instant) {
        self.backoff.worked(now);
        let lost = self.sight.look(&frame.picture, now);
        match &self.state {
            State::Connected | State::Blind(_) => {}
            State::Starting => log::info!("{} gives frames", self.describe()),
            State::Away(Away { since, attempts, .. }) => log::info!(
                "{} gives frames again, after {:.0} s and {attempts} failed attempts",
                self.describe(),
                now.saturating_duration_since(*since).as_secs_f32(),
            ),
        }
        self.state = match lost {
            None => State::Connected,
            Some((loss, since)) => State::Blind(Blind { reason: loss.reason(&self.describe()), since }),
        };
    }
}

impl Source for Reconnecting {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        let Some(source) = &mut self.source else {
            if let State::Away(Away { retry_at: Some(retry_at), .. }) = self.state {
                let pause = retry_at.saturating_duration_since(Instant::now());
                if !pause.is_zero() {
                    std::thread::sleep(pause.min(wait));
                    return Ok(Next::Nothing);
                }
            }
            match (self.open)() {
                Ok(source) => {
                    log::debug!("opened {}", source.describe());
                    self.source = Some(source);
                    if let State::Away(away) = &mut self.state {
                        away.retry_at = None;
                    }
                }
                Err(error) => self.failed(&error),
            }
            return Ok(Next::Nothing);
        };
        let delay = self.pace.map_or(Duration::ZERO, |pace| pace.delay(Instant::now()));
        std::thread::sleep(delay.min(wait));
        if delay >= wait && !delay.is_zero() {
            return Ok(Next::Nothing);
        }
        match source.next(wait - delay) {
            Ok(Next::Frame(frame)) => {
                let now = Instant::now();
                if let Some(pace) = &mut self.pace {
                    pace.took(now);
                }
                self.frame(&frame, now);
                Ok(Next::Frame(frame))
            }
            Ok(other) => Ok(other),
            Err(error) => {
                self.failed(&error);
                Ok(Next::Nothing)
            }
        }
    }

    fn describe(&self) -> String {
        self.source.as_ref().map_or_else(|| self.name.clone(), Source::describe)
    }

    fn state(&self) -> State {
        self.state.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::source::Frame;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pauses_grow_to_a_minute_and_stay() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        let pauses: Vec<u64> = (0..6).map(|_| (backoff.failed(now) - now).as_secs()).collect();
        assert_eq!(pauses, [1, 5, 10, 60, 60, 60]);
    }

    #[test]
    fn no_pause_is_longer_than_asked_for() {
        let now = Instant::now();
        let pauses = |longest| {
            let mut backoff = Backoff::up_to(longest);
            (0..5).map(|_| (backoff.failed(now) - now).as_millis()).collect::<Vec<_>>()
        };
        assert_eq!(pauses(seconds(60)), [1_000, 5_000, 10_000, 60_000, 60_000]);
        assert_eq!(pauses(seconds(7)), [1_000, 5_000, 7_000, 7_000, 7_000]);
        assert_eq!(pauses(Duration::from_millis(300)), [300; 5]);
    }

    #[test]
    fn only_steady_work_starts_the_pauses_again() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        backoff.failed(now);
        backoff.worked(now);
        backoff.worked(now + seconds(9));
        assert_eq!(backoff.failed(now + seconds(9)), now + seconds(9 + 5), "9 s were not enough");
        // The time of the run before does not count.
        backoff.worked(now + seconds(20));
        assert_eq!(backoff.failed(now + seconds(21)), now + seconds(21 + 10));
        backoff.worked(now + seconds(40));
        backoff.worked(now + seconds(50));
        assert_eq!(backoff.failed(now + seconds(60)), now + seconds(61));
    }

    /// Gives the results of a script, then fails.
    struct Scripted(VecDeque<bool>);

    impl Source for Scripted {
        fn next(&mut self, _: Duration) -> Result<Next, SourceError> {
            match self.0.pop_front() {
                Some(true) => Ok(Next::Frame(Frame {
                    picture: image::RgbImage::new(1, 1).into(),
                    name: None,
                    sequence: 0,
                    captured: Instant::now(),
                })),
                Some(false) => Ok(Next::Nothing),
                None => Err(SourceError::Unplugged { device: "/dev/video9".into() }),
            }
        }

        fn describe(&self) -> String {
            "scripted".into()
        }
    }

    #[test]
    fn a_lost_source_is_reopened_until_frames_come_again() {
        // The first run gives two frames and breaks off, two attempts fail, the next run only waits at first.
        let runs = Arc::new(Mutex::new(VecDeque::from([
            Some(vec![true, true]),
            None,
            None,
            Some(vec![false, true, true, true]),
        ])));
        let left = Arc::clone(&runs);
        let pauses = Backoff::new(vec![Duration::from_millis(3)], STEADY);
        let mut source = Reconnecting::with_backoff("test".into(), pauses, move || {
            match left.lock().unwrap().pop_front().flatten() {
                Some(script) => Ok(Box::new(Scripted(script.into())) as Box<dyn Source>),
                None => Err(SourceError::NoSuchCamera { device: "/dev/video9".into() }),
            }
        });
        assert_eq!(source.state(), State::Starting);
        assert_eq!(source.describe(), "test");
        let mut states = Vec::new();
        let mut frames = 0;
        while frames < 4 {
            if let Next::Frame(_) = source.next(Duration::from_millis(1)).unwrap() {
                frames += 1;
            }
            let state = match source.state() {
                State::Starting => "starting".to_owned(),
                State::Connected => "connected".to_owned(),
                State::Blind(_) => "blind".to_owned(),
                State::Away(away) => format!("away {} {}", away.attempts, away.retry_at.is_some()),
            };
            if states.last() != Some(&state) {
                states.push(state);
            }
        }
        assert_eq!(
            states,
            [
                "starting",
                "connected",
                "away 0 true",
                "away 1 true",
                "away 2 true",
                "away 2 false",
                "connected"
            ]
        );
        assert_eq!(source.describe(), "scripted");
        assert!(runs.lock().unwrap().is_empty());
    }

    /// Gives flat grey pictures of these shades, again and again.
    struct Shades(std::iter::Cycle<std::vec::IntoIter<u8>>);

    impl Source for Shades {
        fn next(&mut self, _: Duration) -> Result<Next, SourceError> {
            let shade = self.0.next().unwrap_or_default();
            let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([shade; 3])).into();
            Ok(Next::Frame(Frame { picture, name: None, sequence: 0, captured: Instant::now() }))
        }

        fn describe(&self) -> String {
            "camera X".into()
        }
    }

    fn shades(shades: Vec<u8>) -> Reconnecting {
        let shades = shades.into_iter().cycle();
        Reconnecting::new("X".into(), move || Ok(Box::new(Shades(shades.clone())) as Box<dyn Source>))
    }

    #[test]
    fn black_frames_are_delivered_and_reported_until_there_is_light() {
        let black_for = |limit| Options { black_after: limit, ..Options::default() };
        let mut source = shades(vec![90, 0, 0, 0, 90]).with_sight(&black_for(Some(Duration::ZERO)));
        let states: Vec<State> = (0..6)
            .map(|_| {
                source.next(seconds(1)).unwrap();
                source.state()
            })
            .collect();
        assert_eq!((&states[0], &states[1]), (&State::Starting, &State::Connected));
        assert_eq!(
            states[2].fault(),
            Some("camera X gives only black frames; uncover its lens or switch the light on")
        );
        assert!(states[2] == states[3] && states[3] == states[4], "one darkness");
        assert_eq!(states[5], State::Connected);
        // Not long enough, or switched off.
        for limit in [Some(seconds(3600)), None] {
            let mut source = shades(vec![0]).with_sight(&black_for(limit));
            for _ in 0..4 {
                source.next(seconds(1)).unwrap();
            }
            assert_eq!(source.state(), State::Connected);
        }
    }

    #[test]
    fn frames_are_taken_no_faster_than_asked_for() {
        let mut source = shades(vec![90]).with_pace(Some(50.0));
        source.next(seconds(1)).unwrap();
        let before = Instant::now();
        let (mut frames, mut nothings) = (0, 0);
        while frames < 6 {
            match source.next(Duration::from_millis(5)).unwrap() {
                Next::Frame(_) => frames += 1,
                _ => nothings += 1,
            }
        }
        assert!(before.elapsed() >= Duration::from_millis(5 * 20), "{:?} for five pauses", before.elapsed());
        assert!(nothings > 0, "a wait of 5 ms ends before a pause of 20 ms");
    }

    #[test]
    fn a_pause_does_not_outlast_the_wait() {
        let mut source = Reconnecting::new("test".into(), || Err(SourceError::NoCamerasHere));
        assert!(matches!(source.next(seconds(0)), Ok(Next::Nothing)));
        let before = Instant::now();
        assert!(matches!(source.next(Duration::from_millis(1)), Ok(Next::Nothing)));
        assert!(before.elapsed() < Duration::from_millis(900), "slept through the whole pause");
        let State::Away(away) = source.state() else { panic!("not away") };
        assert_eq!(away.attempts, 1);
        assert_eq!(away.reason, SourceError::NoCamerasHere.to_string());
    }
}
