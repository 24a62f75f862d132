//! A few frames of a clip side by side, annotated with the daemon's verdicts.

use super::path::FRAME;
use image::{Rgb, RgbImage, imageops};
use maskwatch::daemon::Face;
use maskwatch::decide::{DoorState, Verdict};
use maskwatch::pixels::annotate::{Mark, annotate, caption};
use maskwatch::pixels::picture::View;
use maskwatch::pixels::preprocess;
use std::time::Duration;

/// Time between two pictures of a strip.
const EVERY: Duration = Duration::from_millis(400);
/// Pictures side by side, and one above the other.
const GRID: (u32, u32) = (4, 3);
/// Size of one picture.
const SIZE: (u32, u32) = (FRAME.0 / 4 * 3, FRAME.1 / 4 * 3);

/// A strip in the making.
#[derive(Debug, Clone)]
pub struct ClipStrip {
    picture: RgbImage,
    count: u32,
    due: Duration,
}

impl Default for ClipStrip {
    fn default() -> Self {
        Self { picture: RgbImage::new(GRID.0 * SIZE.0, GRID.1 * SIZE.1), count: 0, due: Duration::ZERO }
    }
}

impl ClipStrip {
    /// Takes a frame, if one is due, there is room and somebody or something to be seen.
    pub(super) fn add(&mut self, now: Duration, picture: View<'_>, faces: &[Face], state: DoorState) {
        if now < self.due || self.count >= GRID.0 * GRID.1 {
            return;
        }
        self.due = now + EVERY;
        let mut picture = picture.to_rgb();
        let marks: Vec<Mark> = faces.iter().map(mark).collect();
        annotate(&mut picture, &marks);
        caption(&mut picture, &format!("{:4.2} s  door: {state}", now.as_secs_f32()), colour_of(state));
        let small = preprocess::resize(&picture, SIZE.0, SIZE.1);
        let (column, row) = (self.count % GRID.0, self.count / GRID.0);
        imageops::replace(&mut self.picture, &small, (column * SIZE.0).into(), (row * SIZE.1).into());
        self.count += 1;
    }

    /// The strip as far as it goes.
    #[must_use]
    pub fn finish(self) -> RgbImage {
        let rows = self.count.div_ceil(GRID.0).max(1);
        imageops::crop_imm(&self.picture, 0, 0, self.picture.width(), rows * SIZE.1).to_image()
    }
}

fn mark(face: &Face) -> Mark {
    let colour = match face.verdict {
        Verdict::Masked => Rgb([0, 160, 60]),
        Verdict::Unsure => Rgb([240, 170, 0]),
        _ => Rgb([210, 30, 30]),
    };
    Mark { rect: face.rect, text: format!("{} {}", face.track, face.verdict), colour }
}

fn colour_of(state: DoorState) -> Rgb<u8> {
    match state {
        DoorState::Pass => Rgb([0, 160, 60]),
        DoorState::Alert | DoorState::Incorrect => Rgb([210, 30, 30]),
        DoorState::Look | DoorState::Fault => Rgb([240, 170, 0]),
        DoorState::Idle | DoorState::Off => Rgb([60, 60, 60]),
    }
}
