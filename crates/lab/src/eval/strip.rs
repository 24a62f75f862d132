//! A few frames of a clip side by side, annotated with the daemon's verdicts.

use image::{RgbImage, imageops};
use maskwatch::daemon::Face;
use maskwatch::decide::DoorState;
use maskwatch::pixels::annotate::{Mark, annotate, caption};
use maskwatch::pixels::picture::View;
use maskwatch::pixels::preprocess;
use std::time::Duration;

/// Usual time between two pictures of a strip.
const EVERY: Duration = Duration::from_millis(400);
/// Pictures side by side.
const COLUMNS: u32 = 4;
/// Pictures of a strip at most.
const MOST: usize = 40;
/// Width of one picture in pixels.
const WIDTH: u32 = 480;

/// A strip in the making.
#[derive(Debug, Clone)]
pub struct ClipStrip {
    pictures: Vec<RgbImage>,
    every: Duration,
    due: Duration,
}

impl Default for ClipStrip {
    fn default() -> Self {
        Self::every(EVERY)
    }
}

impl ClipStrip {
    /// A strip with one picture in so much time.
    #[must_use]
    pub fn every(every: Duration) -> Self {
        Self { pictures: Vec::new(), every, due: Duration::ZERO }
    }

    /// Takes the next frame, whether one is due or not.
    pub fn hurry(&mut self) {
        self.due = Duration::ZERO;
    }

    /// Takes a frame, if one is due and there is room.
    pub fn add(&mut self, now: Duration, picture: View<'_>, faces: &[Face], state: DoorState) {
        if now < self.due || self.pictures.len() >= MOST {
            return;
        }
        self.due = now + self.every;
        let mut picture = picture.to_rgb();
        let marks: Vec<Mark> = faces.iter().map(mark).collect();
        annotate(&mut picture, &marks);
        let colour = image::Rgb(state.colour());
        caption(&mut picture, &format!("{:4.2} s  door: {state}", now.as_secs_f32()), colour);
        let height = (picture.height() * WIDTH / picture.width().max(1)).max(1);
        self.pictures.push(preprocess::resize(&picture, WIDTH, height));
    }

    /// The strip as far as it goes.
    #[must_use]
    pub fn finish(self) -> RgbImage {
        let height = self.pictures.first().map_or(1, RgbImage::height);
        let rows = (self.pictures.len() as u32).div_ceil(COLUMNS).max(1);
        let mut strip = RgbImage::new(COLUMNS * WIDTH, rows * height);
        for (index, picture) in (0..).zip(&self.pictures) {
            let (column, row) = (index % COLUMNS, index / COLUMNS);
            imageops::replace(&mut strip, picture, (column * WIDTH).into(), (row * height).into());
        }
        strip
    }
}

fn mark(face: &Face) -> Mark {
    let colour = image::Rgb(face.verdict.colour());
    Mark { rect: face.rect, text: format!("{} {}", face.track, face.verdict), colour }
}
