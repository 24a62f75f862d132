//! Draws frames and labels onto pictures. Nothing here decides what a label says.

use crate::geometry::{self, Rect};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle, iso_8859_1};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{DrawTarget, Drawable, OriginDimensions, Pixel, Point, RgbColor, Size};
use embedded_graphics::primitives::{Line, Primitive, PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Baseline, Text};
use image::{Rgb, RgbImage};
use std::convert::Infallible;

/// A frame around a part of a picture, with a label.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// The framed part, in pixels of the picture. Parts of the frame outside the picture are not drawn.
    pub rect: Rect,
    /// The label above the frame, or below it if there is no room above. Empty for no label. Characters that
    /// ISO 8859-1 lacks appear as question marks.
    pub text: String,
    /// Colour of the frame and of the label's background.
    pub colour: Rgb<u8>,
}

/// Draws all marks, later ones over earlier ones. Lines and letters grow with the picture.
///
/// ```
/// use maskwatch_vision::{geometry::Rect, pixels::annotate::{Mark, annotate}};
/// let mut picture = image::RgbImage::new(64, 48);
/// let green = image::Rgb([0, 160, 60]);
/// let rect = Rect::new(8.0, 20.0, 20.0, 20.0);
/// annotate(&mut picture, &[Mark { rect, text: String::new(), colour: green }]);
/// assert_eq!(picture.get_pixel(8, 30), &green);
/// assert_eq!(picture.get_pixel(18, 30), &image::Rgb([0, 0, 0]));
/// ```
pub fn annotate(picture: &mut RgbImage, marks: &[Mark]) {
    let scale = scale(picture);
    let mut canvas = ScaledPicture { picture, scale };
    for mark in marks {
        canvas.frame(mark);
    }
    for mark in marks.iter().filter(|mark| !mark.text.is_empty()) {
        let at = canvas.beside(&mark.rect, &mark.text);
        canvas.label(at, &mark.text, mark.colour);
    }
}

/// Draws the outline of a polygon with these corners, in pixels of the picture, and `text` within its first
/// corner.
pub fn outline(picture: &mut RgbImage, corners: &[geometry::Point], text: &str, colour: Rgb<u8>) {
    let scale = scale(picture);
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let mut canvas = ScaledPicture { picture, scale };
    // The last line leads back to the first corner; corners at the edges are drawn just inside of them.
    let place = |corner: &geometry::Point| {
        let within = |place: f32, length: f32| (place.clamp(0.0, length - 1.0) / scale as f32) as i32;
        Point::new(within(corner.x, width), within(corner.y, height))
    };
    let places: Vec<Point> = corners.iter().chain(corners.first()).map(place).collect();
    let style = PrimitiveStyle::with_stroke(rgb888(colour), 2);
    // Line by line: the joints of the crate's thick polylines overflow in large pictures.
    for line in places.windows(2) {
        let Ok(()) = Line::new(line[0], line[1]).into_styled(style).draw(&mut canvas);
    }
    if let Some(corner) = corners.first().filter(|_| !text.is_empty()) {
        let at = canvas.beside(&Rect::new(corner.x, corner.y, 0.0, 0.0), text);
        canvas.label(at, text, colour);
    }
}

/// Writes one line into the lower left corner of the picture, black or white on `colour`.
pub fn caption(picture: &mut RgbImage, text: &str, colour: Rgb<u8>) {
    let scale = scale(picture);
    let mut canvas = ScaledPicture { picture, scale };
    let bottom = canvas.size().height as i32;
    canvas.label(Point::new(0, bottom - label_size(text).height as i32), text, colour);
}

/// Writes one line onto the picture with its upper left corner at `at`, black or white on `colour`.
pub fn label(picture: &mut RgbImage, at: (u32, u32), text: &str, colour: Rgb<u8>) {
    let mut canvas = ScaledPicture { picture, scale: 1 };
    canvas.label(Point::new(at.0 as i32, at.1 as i32), text, colour);
}

const FONT: MonoFont<'static> = iso_8859_1::FONT_9X15_BOLD;
/// Space around the letters of a label, in scaled pixels.
const PADDING: u32 = 2;

/// Width of a scaled pixel in picture pixels: letters have the same share of the picture's height in every
/// size.
fn scale(picture: &RgbImage) -> u32 {
    (picture.width().min(picture.height()) / 480).max(1)
}

fn label_size(text: &str) -> Size {
    let letters = text.chars().count() as u32;
    let (letter, spacing) = (FONT.character_size, FONT.character_spacing);
    Size::new(letters * (letter.width + spacing) + 2 * PADDING, letter.height + 2 * PADDING)
}

/// A picture that is drawn in scaled pixels, squares of `scale` × `scale` picture pixels.
struct ScaledPicture<'a> {
    picture: &'a mut RgbImage,
    scale: u32,
}

impl ScaledPicture<'_> {
    fn frame(&mut self, mark: &Mark) {
        let scale = self.scale as f32;
        let inside = mark.rect.clipped(self.picture.width(), self.picture.height());
        let (left, top) = ((inside.x / scale) as i32, (inside.y / scale) as i32);
        let (right, bottom) =
            (((inside.x + inside.w) / scale) as i32, ((inside.y + inside.h) / scale) as i32);
        let size = Size::new((right - left).max(1) as u32, (bottom - top).max(1) as u32);
        let style = PrimitiveStyle::with_stroke(rgb888(mark.colour), 2);
        let Ok(()) = Rectangle::new(Point::new(left, top), size).into_styled(style).draw(self);
    }

    /// The place of a label with `text`: above `rect` if it fits there, else below, and inside the picture.
    fn beside(&self, rect: &Rect, text: &str) -> Point {
        let (label, canvas) = (label_size(text), self.size());
        let scale = self.scale as f32;
        let rightmost = canvas.width.saturating_sub(label.width) as i32;
        let lowest = canvas.height.saturating_sub(label.height) as i32;
        let above = (rect.y / scale) as i32 - label.height as i32;
        let below = ((rect.y + rect.h) / scale) as i32 + 1;
        let y = if above >= 0 { above } else { below };
        Point::new(((rect.x / scale) as i32).clamp(0, rightmost), y.clamp(0, lowest))
    }

    fn label(&mut self, at: Point, text: &str, colour: Rgb<u8>) {
        let ground = PrimitiveStyle::with_fill(rgb888(colour));
        let Ok(()) = Rectangle::new(at, label_size(text)).into_styled(ground).draw(self);
        let style = MonoTextStyle::new(&FONT, readable_on(colour));
        let corner = at + Size::new(PADDING, PADDING);
        let Ok(_) = Text::with_baseline(text, corner, style, Baseline::Top).draw(self);
    }
}

impl OriginDimensions for ScaledPicture<'_> {
    fn size(&self) -> Size {
        Size::new(self.picture.width().div_ceil(self.scale), self.picture.height().div_ceil(self.scale))
    }
}

impl DrawTarget for ScaledPicture<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(at, colour) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(at.x), u32::try_from(at.y)) else { continue };
            let colour = Rgb([colour.r(), colour.g(), colour.b()]);
            for y in y * self.scale..(y + 1) * self.scale {
                for x in x * self.scale..(x + 1) * self.scale {
                    if let Some(pixel) = self.picture.get_pixel_mut_checked(x, y) {
                        *pixel = colour;
                    }
                }
            }
        }
        Ok(())
    }
}

fn rgb888(Rgb([red, green, blue]): Rgb<u8>) -> Rgb888 {
    Rgb888::new(red, green, blue)
}

/// Black or white, whichever is easier to read on `colour` (by the luma of Rec. 601).
fn readable_on(Rgb([red, green, blue]): Rgb<u8>) -> Rgb888 {
    let luma = 299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue);
    if luma > 128_000 { Rgb888::BLACK } else { Rgb888::WHITE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RED: Rgb<u8> = Rgb([200, 0, 0]);

    fn mark(rect: Rect, text: &str) -> Mark {
        Mark { rect, text: text.into(), colour: RED }
    }

    fn count(picture: &RgbImage, colour: Rgb<u8>) -> usize {
        picture.pixels().filter(|pixel| **pixel == colour).count()
    }

    #[test]
    fn a_frame_is_hollow_and_its_label_readable() {
        let mut picture = RgbImage::new(200, 150);
        annotate(&mut picture, &[mark(Rect::new(40.0, 60.0, 80.0, 60.0), "mask 0.98")]);
        assert_eq!(picture.get_pixel(40, 90), &RED);
        assert_eq!(picture.get_pixel(119, 119), &RED);
        assert_eq!(picture.get_pixel(80, 90), &Rgb([0, 0, 0]));
        assert!(count(&picture, Rgb([255, 255, 255])) > 100, "white letters");
    }

    #[test]
    fn an_outline_is_closed_and_hollow() {
        let mut picture = RgbImage::new(200, 150);
        let corners = [(20.0, 40.0), (180.0, 40.0), (180.0, 200.0), (20.0, 140.0)];
        outline(&mut picture, &corners.map(|(x, y)| geometry::Point { x, y }), "door", RED);
        for (x, y) in [(100, 40), (180, 90), (20, 100)] {
            let near = (x - 1..=x + 1).flat_map(|x| (y - 1..=y + 1).map(move |y| (x, y)));
            assert!(near.into_iter().any(|(x, y)| picture.get_pixel(x, y) == &RED), "{x},{y}");
        }
        assert_eq!(picture.get_pixel(100, 90), &Rgb([0, 0, 0]));
        assert!(count(&picture, Rgb([255, 255, 255])) > 50, "white letters");
    }

    #[test]
    fn labels_that_do_not_fit_above_go_below() {
        let mut picture = RgbImage::new(200, 150);
        annotate(&mut picture, &[mark(Rect::new(20.0, 2.0, 80.0, 60.0), "x")]);
        assert_eq!(picture.get_pixel(21, 70), &RED);
    }

    #[test]
    fn large_pictures_get_larger_letters() {
        let letters = |width, height| {
            let mut picture = RgbImage::new(width, height);
            caption(&mut picture, "alert", RED);
            count(&picture, Rgb([255, 255, 255]))
        };
        assert_eq!(letters(1920, 1440), 9 * letters(640, 480));
    }

    proptest! {
        #[test]
        fn anything_can_be_drawn_anywhere(
            (width, height) in (1u32..700, 1u32..700),
            (x, y) in (-900.0f32..900.0, -900.0f32..900.0),
            (w, h) in (0.0f32..2000.0, 0.0f32..2000.0),
            text in ".{0,20}",
        ) {
            let mut picture = RgbImage::new(width, height);
            annotate(&mut picture, &[mark(Rect::new(x, y, w, h), &text)]);
            caption(&mut picture, &text, RED);
            let corners = [(x, y), (x + w, y), (w, h)].map(|(x, y)| geometry::Point { x, y });
            outline(&mut picture, &corners, &text, RED);
            prop_assert_eq!(picture.dimensions(), (width, height));
        }
    }
}
