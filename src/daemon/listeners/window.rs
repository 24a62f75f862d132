//! The one place where pixels leave the loop: for somebody who looks at this moment. While nobody looks,
//! nothing is copied.

use crate::daemon::watch::Face;
use crate::geometry::Rect;
use crate::pixels::delayed::DelayedPicture;
use crate::pixels::picture::View;
use crate::pixels::sampler::Sampler;
use image::RgbImage;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Widest and highest picture that is copied.
const LARGEST: (u32, u32) = (640, 640);
/// A face counts as there for so long after it was found: between two looks one may be missed.
const REMEMBERED: Duration = Duration::from_secs(2);
/// An older picture says nothing about now.
const FRESH: Duration = Duration::from_secs(1);
/// Faces that are remembered at most.
const MOST_FACES: usize = 256;

/// A picture of the door, at most 640 pixels wide and high.
#[derive(Debug, Clone)]
pub(super) struct WindowPicture {
    pub(super) picture: RgbImage,
    /// When the frame was offered.
    at: Instant,
    /// The faces of this frame and of those shortly before, in its pixels.
    pub(super) faces: Vec<Rect>,
}

/// Where a picture can be had of the next frame that is looked at.
#[derive(Debug, Default)]
pub struct Window {
    /// Somebody waits for a picture.
    wanted: AtomicBool,
    pane: Mutex<Pane>,
}

#[derive(Debug, Default)]
struct Pane {
    sampler: Sampler,
    /// In shares of the frame's width and height.
    faces: Vec<(Instant, Rect)>,
    taken: Option<WindowPicture>,
}

impl Window {
    /// Asks for a picture.
    pub(super) fn ask(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// The picture that was asked for, once it is there. One that nobody has fetched for a while is gone.
    pub(super) fn take(&self, now: Instant) -> Option<WindowPicture> {
        let taken = self.pane.lock().unwrap_or_else(PoisonError::into_inner).taken.take();
        taken.filter(|taken| now.saturating_duration_since(taken.at) <= FRESH)
    }

    /// Forgets what was asked for: nobody looks any more.
    pub(super) fn clear(&self) {
        self.wanted.store(false, Ordering::Relaxed);
        self.pane.lock().unwrap_or_else(PoisonError::into_inner).taken = None;
    }

    /// Offers a frame that was looked at, at `now`. Called by the loop; it never waits, and copies only what
    /// was asked for.
    pub(super) fn offer(&self, picture: &DelayedPicture, faces: &[Face], now: Instant) {
        // Whoever holds the lock takes a picture at this moment, and asks for another one later.
        let Ok(mut pane) = self.pane.try_lock() else { return };
        let (width, height) = picture.dimensions();
        if width == 0 || height == 0 {
            return;
        }
        let (across, down) = (width as f32, height as f32);
        pane.faces.retain(|(at, _)| now.saturating_duration_since(*at) <= REMEMBERED);
        let room = MOST_FACES.saturating_sub(pane.faces.len());
        let shares = |Rect { x, y, w, h }: Rect| Rect::new(x / across, y / down, w / across, h / down);
        pane.faces.extend(faces.iter().take(room).map(|face| (now, shares(face.rect))));
        if !self.wanted.swap(false, Ordering::Relaxed) {
            return;
        }
        let Ok(picture) = picture.view() else { return };
        let picture = pane.copy(picture);
        let (across, down) = (picture.width() as f32, picture.height() as f32);
        let pixels = |Rect { x, y, w, h }: &Rect| Rect::new(x * across, y * down, w * across, h * down);
        let faces = pane.faces.iter().map(|(_, face)| pixels(face)).collect();
        pane.taken = Some(WindowPicture { picture, at: now, faces });
    }
}

impl Pane {
    fn copy(&mut self, picture: View<'_>) -> RgbImage {
        let (width, height) = picture.dimensions();
        let scale = (LARGEST.0 as f32 / width as f32).min(LARGEST.1 as f32 / height as f32);
        if scale >= 1.0 {
            return picture.to_rgb();
        }
        let fitted = |length: u32, most: u32| ((length as f32 * scale).round() as u32).clamp(1, most);
        let size = (fitted(width, LARGEST.0), fitted(height, LARGEST.1));
        let mut copy = RgbImage::new(size.0, size.1);
        self.sampler.letterbox(picture, size, &mut copy);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::Verdict;
    use crate::track::TrackId;
    use crate::vision::Judgement;
    use image::Rgb;

    fn face(x: f32) -> Face {
        let rect = Rect::new(x, 0.0, 64.0, 48.0);
        let (judgement, verdict) = (Judgement::Unasked, Verdict::Unsure);
        Face { track: TrackId(1), rect, judgement, answer: None, verdict }
    }

    #[test]
    fn nothing_is_copied_until_somebody_asks_and_then_once() {
        let (window, now) = (Window::default(), Instant::now());
        let frame = RgbImage::from_pixel(1280, 960, Rgb([9, 80, 200]));
        window.offer(&frame.clone().into(), &[face(0.0)], now);
        assert!(window.take(now).is_none());
        window.ask();
        window.offer(&frame.clone().into(), &[face(128.0)], now + Duration::from_millis(100));
        window.offer(&frame.clone().into(), &[], now + Duration::from_millis(200));
        let WindowPicture { picture, faces, .. } = window.take(now).unwrap();
        assert_eq!((picture.dimensions(), picture.get_pixel(639, 479)), ((640, 480), &Rgb([9, 80, 200])));
        assert_eq!(faces, [Rect::new(0.0, 0.0, 32.0, 24.0), Rect::new(64.0, 0.0, 32.0, 24.0)]);
        assert!(window.take(now).is_none());
    }

    #[test]
    fn faces_are_remembered_for_a_moment_and_small_pictures_stay_as_they_are() {
        let (window, now) = (Window::default(), Instant::now());
        let frame = RgbImage::from_fn(64, 48, |x, y| Rgb([x as u8, y as u8, 0]));
        window.offer(&frame.clone().into(), &[face(0.0)], now);
        window.ask();
        let later = now + REMEMBERED + Duration::from_millis(1);
        window.offer(&frame.clone().into(), &[], later);
        let taken = window.take(later).unwrap();
        assert_eq!((taken.picture, taken.faces), (frame, vec![]));
    }
}
