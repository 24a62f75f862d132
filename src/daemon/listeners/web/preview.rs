//! What the camera sees, twice a second while somebody looks: encoded once for all who look. Faces and places
//! where none are looked for are made unrecognisable first, unless the configuration shows them.

use crate::daemon::listeners::window::{Window, WindowPicture};
use crate::geometry::Rect;
use crate::http::HttpReply;
use crate::vision::zones::Zones;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// From one picture to the next.
const EVERY: Duration = Duration::from_millis(500);
/// How long the last picture is kept once nobody asks for it.
const KEPT: Duration = Duration::from_secs(5);
/// How long a picture is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether there is one.
pub(super) const GLANCE: Duration = Duration::from_millis(50);
/// Quality of the JPEG, of 100.
const QUALITY: u8 = 70;
/// Cells across a face, and across a picture where nobody is looked for.
const CELLS: (u32, u32) = (5, 40);
/// Cells have at least so many pixels.
const SMALLEST_CELL: u32 = 6;
/// A box ends at the chin and the forehead; hair and ears are around it.
const AROUND: f32 = 0.25;

/// The number of a picture.
pub(super) const FRAME: HeaderName = HeaderName::from_static("x-frame");

/// The pictures that those who look get.
#[derive(Debug)]
pub(super) struct Preview {
    window: Arc<Window>,
    /// Whether faces are shown as they are.
    faces: bool,
    newest: Mutex<LastPicture>,
}

#[derive(Debug, Default)]
struct LastPicture {
    number: u64,
    made: Option<Instant>,
    jpeg: Vec<u8>,
}

impl Preview {
    pub(super) fn new(window: Arc<Window>, faces: bool) -> Self {
        Self { window, faces, newest: Mutex::default() }
    }

    /// Forgets the last picture once nobody has looked for a while.
    pub(super) fn forget(&self, now: Instant) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.made.is_some_and(|made| now.saturating_duration_since(made) > KEPT) {
            (newest.made, newest.jpeg) = (None, Vec::new());
            self.window.clear();
        }
    }

    /// A picture that is newer than the one with the number `after`, if there is one at `now`.
    pub(super) fn after(&self, after: u64, zones: &Zones, now: Instant) -> Option<HttpReply> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = newest.made.is_none_or(|made| now.saturating_duration_since(made) >= EVERY);
        if !is_due {
            return (newest.number != after).then(|| newest.reply());
        }
        let Some(WindowPicture { mut picture, faces, .. }) = self.window.take(now) else {
            self.window.ask();
            return None;
        };
        if !self.faces {
            hide(&mut picture, &faces, zones);
        }
        let mut jpeg = Vec::new();
        if let Err(error) = JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&picture) {
            log::debug!("a picture for the page could not be encoded: {error}");
            return None;
        }
        *newest = LastPicture { number: newest.number + 1, made: Some(now), jpeg };
        Some(newest.reply())
    }
}

impl LastPicture {
    fn reply(&self) -> HttpReply {
        let number = HeaderValue::from(self.number);
        HttpReply::new(StatusCode::OK, "image/jpeg", self.jpeg.clone()).with(FRAME, number)
    }
}

/// Makes faces unrecognisable, and all places where some face would not count: there it is not looked for,
/// and not found.
fn hide(picture: &mut RgbImage, faces: &[Rect], zones: &Zones) {
    let (width, height) = picture.dimensions();
    if !zones.0.is_empty() {
        let cell = (width / CELLS.1).max(SMALLEST_CELL);
        for top in (0..height).step_by(cell as usize) {
            for left in (0..width).step_by(cell as usize) {
                if !is_searched(zones, (left + cell / 2, top + cell / 2), (width, height)) {
                    blend(picture, (left, top), (cell, cell));
                }
            }
        }
    }
    for face in faces {
        let (more_across, more_down) = (AROUND * face.w, AROUND * face.h);
        let start = |place: f32, more: f32| (place - more).max(0.0) as u32;
        let (left, top) = (start(face.x, more_across), start(face.y, more_down));
        let length = |length: f32, more: f32| (length + 2.0 * more).clamp(1.0, 1e4) as u32;
        let (across, down) = (length(face.w, more_across), length(face.h, more_down));
        let cell = (across / CELLS.0).max(SMALLEST_CELL);
        for y in (top..(top + down).min(height)).step_by(cell as usize) {
            for x in (left..(left + across).min(width)).step_by(cell as usize) {
                blend(picture, (x, y), (cell, cell));
            }
        }
    }
}

/// Whether faces of any size count there.
fn is_searched(zones: &Zones, (x, y): (u32, u32), frame: (u32, u32)) -> bool {
    let of = |side: f32| Rect::new(x as f32 - side / 2.0, y as f32 - side / 2.0, side, side);
    zones.count(&of(0.01), frame) && zones.count(&of(0.99 * frame.0 as f32), frame)
}

/// Gives a cell the mean of its colours.
fn blend(picture: &mut RgbImage, (left, top): (u32, u32), (across, down): (u32, u32)) {
    let (right, bottom) = ((left + across).min(picture.width()), (top + down).min(picture.height()));
    let (mut sums, mut count) = ([0u32; 3], 0u32);
    for y in top..bottom {
        for x in left..right {
            let Rgb(colours) = picture.get_pixel(x, y);
            sums.iter_mut().zip(colours).for_each(|(sum, colour)| *sum += u32::from(*colour));
            count += 1;
        }
    }
    let mean = Rgb(sums.map(|sum| (sum / count.max(1)) as u8));
    for y in top..bottom {
        for x in left..right {
            picture.put_pixel(x, y, mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;
    use crate::vision::zones::{Zone, ZoneKind};
    use proptest::prelude::*;

    /// Columns of single pixels: what is blended is grey.
    fn stripes(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([if (x + y) % 2 == 0 { 0 } else { 255 }; 3]))
    }

    fn hidden(picture: &RgbImage, x: u32, y: u32) -> bool {
        (100..156).contains(&picture.get_pixel(x, y).0[0])
    }

    fn left_half(kind: ZoneKind) -> Zones {
        let corners = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)].map(|(x, y)| Point { x, y }).to_vec();
        Zones(vec![Zone { name: "left".into(), kind, corners, min_face: 0.0, max_face: 1.0 }])
    }

    #[test]
    fn faces_are_hidden_with_what_is_around_them() {
        let mut picture = stripes(640, 480);
        hide(&mut picture, &[Rect::new(200.0, 100.0, 100.0, 100.0)], &Zones::default());
        for (x, y, is) in
            [(176, 76, true), (250, 150, true), (323, 223, true), (170, 150, false), (250, 240, false)]
        {
            assert_eq!(hidden(&picture, x, y), is, "{x} {y}");
        }
    }

    #[test]
    fn where_no_face_is_looked_for_everything_is_hidden() {
        for (kind, left) in [(ZoneKind::Count, false), (ZoneKind::Ignore, true)] {
            let mut picture = stripes(640, 480);
            hide(&mut picture, &[], &left_half(kind));
            assert_eq!((hidden(&picture, 100, 100), hidden(&picture, 500, 100)), (left, !left));
        }
        // Small faces do not count on the left.
        let mut zones = left_half(ZoneKind::Ignore);
        zones.0[0].max_face = 0.05;
        let mut picture = stripes(640, 480);
        hide(&mut picture, &[], &zones);
        assert!(hidden(&picture, 100, 100) && !hidden(&picture, 500, 100));
    }

    #[test]
    fn a_picture_is_made_when_somebody_looks_and_then_once_for_all() {
        let (window, zones, start) = (Arc::new(Window::default()), Zones::default(), Instant::now());
        let preview = Preview::new(Arc::clone(&window), false);
        let frame = stripes(64, 48);
        let offer = |now| window.offer(&frame.clone().into(), &[], now);
        offer(start);
        assert!(preview.after(0, &zones, start).is_none(), "nobody has looked until now");
        offer(start);
        let first = preview.after(0, &zones, start).unwrap();
        assert_eq!(first.headers[FRAME], "1");
        assert_eq!(image::load_from_memory(&first.body).unwrap().to_rgb8().dimensions(), (64, 48));
        let soon = start + Duration::from_millis(100);
        offer(soon);
        assert_eq!(preview.after(0, &zones, soon).unwrap().body, first.body, "another one who looks");
        assert!(preview.after(1, &zones, soon).is_none(), "who has it waits");
        let next = start + EVERY;
        assert!(preview.after(1, &zones, next).is_none());
        offer(next);
        assert_eq!(preview.after(1, &zones, next).unwrap().headers[FRAME], "2");
        // A picture that nobody fetched is not shown to who comes later.
        let later = next + EVERY;
        assert!(preview.after(2, &zones, later).is_none());
        offer(later);
        assert!(preview.after(2, &zones, later + Duration::from_secs(60)).is_none());
    }

    #[test]
    fn once_nobody_looks_no_picture_is_kept() {
        let (window, zones, start) = (Arc::new(Window::default()), Zones::default(), Instant::now());
        let preview = Preview::new(Arc::clone(&window), false);
        assert!(preview.after(0, &zones, start).is_none());
        window.offer(&stripes(64, 48).into(), &[], start);
        assert!(preview.after(0, &zones, start).is_some());
        let kept = || !preview.newest.lock().unwrap().jpeg.is_empty();
        preview.forget(start + EVERY);
        assert!(kept(), "somebody may still look");
        preview.forget(start + KEPT + EVERY);
        assert!(!kept());
    }

    proptest! {
        #[test]
        fn any_face_in_any_picture(
            x in -2000f32..2000.0, y in -2000f32..2000.0, w in 0f32..3000.0, h in 0f32..3000.0,
            width in 1u32..90, height in 1u32..90,
        ) {
            hide(&mut stripes(width, height), &[Rect::new(x, y, w, h)], &left_half(ZoneKind::Count));
        }
    }
}
