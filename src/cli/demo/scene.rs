//! The demo's film: a camera that pans and zooms over two bundled pictures, one of a bare face and one of the
//! same face with a mask drawn on. Its clock counts frames, so a slow machine shows the same film, only
//! longer.

use crate::daemon::Clock;
use crate::pixels::preprocess;
use crate::source::{Frame, Next, Source, SourceError};
use anyhow::Context;
use image::RgbImage;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// NASA's portrait of Eileen Collins, in the public domain, as scikit-image ships it.
const BARE: &[u8] = include_bytes!("../../../tests/fixtures/astronaut.jpg");
const MASKED: &[u8] = include_bytes!("../../../tests/fixtures/astronaut-masked.jpg");

/// Width and height of a frame in pixels.
const FRAME: (u32, u32) = (640, 480);

/// Who is at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visitor {
    Nobody,
    Bare,
    Masked,
}

/// What the camera looks at: the middle of its view and the view's width, in pixels of the 512 × 512
/// pictures.
#[derive(Debug, Clone, Copy)]
struct Gaze {
    x: f64,
    y: f64,
    width: f64,
}

/// The space shuttle in the background: no face.
const SHUTTLE: Gaze = Gaze { x: 420.0, y: 150.0, width: 150.0 };
/// The helmet in the foreground: no face either.
const HELMET: Gaze = Gaze { x: 400.0, y: 420.0, width: 190.0 };
/// The person from further away.
const FAR: Gaze = Gaze { x: 256.0, y: 192.0, width: 500.0 };
/// The face close by.
const CLOSE: Gaze = Gaze { x: 224.0, y: 140.0, width: 300.0 };

/// From when on the camera looks where, in seconds; in between it moves. The second half shows the masked
/// picture.
const SCRIPT: [(f64, Gaze); 13] = [
    (0.0, SHUTTLE),
    (1.5, SHUTTLE),
    (2.5, FAR),
    (4.5, CLOSE),
    (7.5, CLOSE),
    (8.5, FAR),
    (9.5, HELMET),
    (13.0, HELMET),
    (14.0, FAR),
    (16.0, CLOSE),
    (19.0, CLOSE),
    (20.0, FAR),
    (21.0, SHUTTLE),
];
/// The picture changes here, while nobody is in view.
const CHANGE: f64 = 11.0;
const END: f64 = 22.5;

/// Who is in full view at `seconds`.
fn visitor(seconds: f64) -> Visitor {
    match seconds {
        2.5..=8.5 => Visitor::Bare,
        14.0..=20.0 => Visitor::Masked,
        _ => Visitor::Nobody,
    }
}

fn view(seconds: f64) -> Gaze {
    let after = SCRIPT.iter().position(|(at, _)| *at > seconds).unwrap_or(SCRIPT.len());
    let (begin, from) = SCRIPT[after.saturating_sub(1)];
    let (end, to) = SCRIPT[after.min(SCRIPT.len() - 1)];
    let part = if end > begin { (seconds - begin) / (end - begin) } else { 0.0 };
    // Starts and stops gently.
    let part = part * part * (3.0 - 2.0 * part);
    let between = |from: f64, to: f64| from + (to - from) * part;
    Gaze { x: between(from.x, to.x), y: between(from.y, to.y), width: between(from.width, to.width) }
}

/// Time by the frames that were shown, and who is on the newest one.
#[derive(Debug, Clone)]
pub(super) struct Watcher(Arc<AtomicU64>);

impl Watcher {
    pub(super) fn visitor(&self) -> Visitor {
        visitor(self.now().as_secs_f64())
    }
}

impl Clock for Watcher {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The film as a source.
pub(super) struct Scene {
    bare: RgbImage,
    masked: RgbImage,
    period: Duration,
    paced: bool,
    shown: u64,
    due: Instant,
    time: Arc<AtomicU64>,
}

impl Scene {
    /// A film of so many frames a second; `paced` waits between them as a camera would.
    pub(super) fn new(frames_per_second: u32, paced: bool) -> anyhow::Result<Self> {
        let decode = |jpeg: &[u8]| Ok(image::load_from_memory(jpeg)?.into_rgb8());
        let read: anyhow::Result<_> = decode(BARE).and_then(|bare| Ok((bare, decode(MASKED)?)));
        let (bare, masked) = read.context("the bundled pictures are damaged; build maskwatch again")?;
        Ok(Self {
            bare,
            masked,
            period: Duration::from_secs(1) / frames_per_second.max(1),
            paced,
            shown: 0,
            due: Instant::now(),
            time: Arc::default(),
        })
    }

    /// The film's clock.
    pub(super) fn watcher(&self) -> Watcher {
        Watcher(Arc::clone(&self.time))
    }

    fn render(&self, seconds: f64) -> RgbImage {
        let picture = if seconds < CHANGE { &self.bare } else { &self.masked };
        let Gaze { x, y, width } = view(seconds);
        let height = width * f64::from(FRAME.1) / f64::from(FRAME.0);
        // Whole pixels within the picture; negative corners become 0.
        let (width, height) = (width.round() as u32, height.round() as u32);
        let corner = |middle: f64, length: u32, limit: u32| {
            ((middle - f64::from(length) / 2.0).round() as u32).min(limit.saturating_sub(length))
        };
        let (left, top) = (corner(x, width, picture.width()), corner(y, height, picture.height()));
        let part = image::imageops::crop_imm(picture, left, top, width, height).to_image();
        preprocess::resize(&part, FRAME.0, FRAME.1)
    }
}

impl Source for Scene {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        if self.paced {
            let early = self.due.saturating_duration_since(Instant::now());
            std::thread::sleep(early.min(wait));
            if early > wait {
                return Ok(Next::Nothing);
            }
            self.due = Instant::now() + self.period;
        }
        let now = self.period * u32::try_from(self.shown).unwrap_or(u32::MAX);
        if now.as_secs_f64() > END {
            return Ok(Next::End);
        }
        let picture = self.render(now.as_secs_f64()).into();
        self.time.store(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let frame = Frame { picture, name: None, sequence: self.shown, captured: Instant::now() };
        self.shown += 1;
        Ok(Next::Frame(frame))
    }

    fn describe(&self) -> String {
        "two bundled pictures of NASA's Eileen Collins, bare and with a mask drawn on".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_film_has_all_its_frames_and_ends() {
        let mut scene = Scene::new(2, false).unwrap();
        let watcher = scene.watcher();
        let mut visitors = Vec::new();
        while let Next::Frame(frame) = scene.next(Duration::ZERO).unwrap() {
            assert_eq!(frame.picture.dimensions(), FRAME);
            visitors.push(watcher.visitor());
        }
        assert_eq!(visitors.len(), 46);
        visitors.dedup();
        use Visitor::{Bare, Masked, Nobody};
        assert_eq!(visitors, [Nobody, Bare, Nobody, Masked, Nobody]);
    }

    #[test]
    fn the_view_stays_where_the_script_says_and_moves_between() {
        assert_eq!(view(0.5).x, SHUTTLE.x);
        assert_eq!(view(6.0).width, CLOSE.width);
        assert!((CLOSE.width..FAR.width).contains(&view(3.5).width));
        assert_eq!(view(1000.0).x, SHUTTLE.x);
    }

    #[test]
    fn a_paced_film_gives_nothing_before_its_time() {
        let mut scene = Scene::new(2, true).unwrap();
        assert!(matches!(scene.next(Duration::ZERO).unwrap(), Next::Frame(_)));
        scene.due += Duration::from_secs(3600);
        assert!(matches!(scene.next(Duration::ZERO).unwrap(), Next::Nothing));
    }
}
