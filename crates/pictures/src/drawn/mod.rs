//! Random things drawn on a bare face by its five landmarks: masks worn correctly and incorrectly, and what
//! makes a bare face look like a masked one, from hands to backlight. The classifier is trained on such
//! pictures, and `maskwatch-lab eval hard` measures on them.
//!
//! Every kind varies in shape, colour, place and light, and takes the light, the skin's colour and the noise
//! from the picture itself. Masks of all three kinds are cut from the same shapes and fabrics: nothing but
//! their place tells the label. Drawn things remain drawings: figures on them do not replace those on
//! photographs.

mod beard;
mod canvas;
mod dice;
mod fabric;
pub(crate) mod frame;
mod hand;
mod headgear;
mod light;
mod limbs;
mod mask;
mod microphone;
mod phone;
mod relight;
mod shape;
mod straps;
#[cfg(test)]
mod tests;
mod vessel;

use crate::labels::Label;
use canvas::FaceCanvas;
use image::{RgbImage, imageops};
use maskwatch_vision::geometry::{Point, Rect};
use maskwatch_vision::pixels::preprocess;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use shape::Wear;
use std::fmt;
use std::str::FromStr;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrawnKind {
    /// A mask, scarf, bandana or gaiter over nose, mouth and chin.
    Mask,
    /// The same over the mouth, with nose tip and nostrils bare.
    UnderNose,
    /// The same over the chin, at the throat, or hanging from one ear.
    UnderMouth,
    /// One or two hands over mouth or chin.
    Hand,
    /// A cup, paper cup, glass or bottle at the mouth.
    Cup,
    /// A phone before mouth or lower face, or at the cheek.
    Phone,
    /// A microphone before the mouth.
    Microphone,
    /// A beard, from stubble to a long one.
    Beard,
    /// A helmet that leaves the face open.
    Helmet,
    /// A hood or shawl around the face.
    Hood,
    /// Light from one side, the other half dark.
    SideLight,
    /// A dark face before a bright background.
    Backlight,
}

impl DrawnKind {
    /// Every kind, in the order in which tables list them.
    pub const ALL: [Self; 12] = [
        Self::Mask,
        Self::UnderNose,
        Self::UnderMouth,
        Self::Hand,
        Self::Cup,
        Self::Phone,
        Self::Microphone,
        Self::Beard,
        Self::Helmet,
        Self::Hood,
        Self::SideLight,
        Self::Backlight,
    ];

    /// The word that stands for this kind in reports and file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::UnderNose => "under_nose",
            Self::UnderMouth => "under_mouth",
            Self::Hand => "hand",
            Self::Cup => "cup",
            Self::Phone => "phone",
            Self::Microphone => "microphone",
            Self::Beard => "beard",
            Self::Helmet => "helmet",
            Self::Hood => "hood",
            Self::SideLight => "side_light",
            Self::Backlight => "backlight",
        }
    }

    /// Whether it surrounds or lights a face and leaves its label true, masked or bare.
    #[must_use]
    pub const fn suits_masked(self) -> bool {
        matches!(self, Self::Helmet | Self::Hood | Self::SideLight | Self::Backlight)
    }

    /// The label of a bare face on which this is drawn.
    #[must_use]
    pub const fn label(self) -> Label {
        match self {
            Self::Mask => Label::Mask,
            Self::UnderNose | Self::UnderMouth => Label::Incorrect,
            _ => Label::NoMask,
        }
    }
}

impl FromStr for DrawnKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == word)
            .ok_or_else(|| format!("it must be one of {}", names()))
    }
}

impl fmt::Display for DrawnKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Side in pixels below which a face is enlarged before something is drawn on it, and how far at most.
const EASY_TO_DRAW_ON: f32 = 128.0;
const LARGEST_FACTOR: f32 = 4.0;
/// How much of the picture around a face can be seen in a crop of it, as a multiple of the face's longer
/// side.
const SURROUNDINGS: f32 = 2.8;

/// Cuts out the face in the box `rect` of `picture` with its surroundings and draws `kind` on it; gives that
/// part and the face's box in it. A small face is enlarged, drawn on and made small again, so that what is
/// drawn is as sharp as the face.
#[must_use]
pub fn on_face(
    picture: &RgbImage,
    rect: &Rect,
    landmarks: &[Point; 5],
    kind: DrawnKind,
    generator: &mut ChaCha8Rng,
) -> (RgbImage, Rect) {
    let (centre, longest) = (rect.centre(), rect.w.max(rect.h));
    let half = (longest * SURROUNDINGS / 2.0).ceil();
    let (left, top) = ((centre.x - half).floor(), (centre.y - half).floor());
    let part = preprocess::cut(picture, &Rect::new(left, top, 2.0 * half, 2.0 * half));
    let (width, height) = part.dimensions();
    let factor = (EASY_TO_DRAW_ON / longest).clamp(1.0, LARGEST_FACTOR);
    let scaled = |side: u32| (side as f32 * factor).round().max(1.0) as u32;
    let mut canvas = preprocess::resize(&part, scaled(width), scaled(height));
    let landmarks = landmarks.map(|p| Point { x: (p.x - left) * factor, y: (p.y - top) * factor });
    let before = preprocess::resize(&canvas, width, height);
    draw(&mut canvas, &landmarks, kind, generator);
    let mut drawn = preprocess::resize(&canvas, width, height);
    // Only what the drawing changes: where it changes nothing, the picture stays as sharp as it was.
    for ((drawn, before), part) in drawn.iter_mut().zip(before.iter()).zip(part.iter()) {
        let changed = i16::from(*part) + i16::from(*drawn) - i16::from(*before);
        *drawn = changed.clamp(0, 255) as u8;
    }
    (drawn, Rect::new(rect.x - left, rect.y - top, rect.w, rect.h))
}

/// Draws `kind` on the face in the box `rect` of `picture` itself, as [`on_face`] does on a part of it.
pub fn on_picture(
    picture: &mut RgbImage,
    rect: &Rect,
    landmarks: &[Point; 5],
    kind: DrawnKind,
    generator: &mut ChaCha8Rng,
) {
    let (part, moved) = on_face(picture, rect, landmarks, kind, generator);
    imageops::replace(picture, &part, (rect.x - moved.x) as i64, (rect.y - moved.y) as i64);
}

/// Draws `kind` on the bare face whose landmarks (right eye, left eye, nose tip, right and left corner of the
/// mouth, in pixels of `picture`; right and left are the person's own) are given. What falls outside of the
/// picture is left out; any finite landmarks are taken. The same generator state draws the same thing.
pub fn draw(picture: &mut RgbImage, landmarks: &[Point; 5], kind: DrawnKind, generator: &mut ChaCha8Rng) {
    if picture.is_empty() {
        return;
    }
    let mut canvas = FaceCanvas::new(picture, landmarks, generator);
    match kind {
        DrawnKind::Mask => mask::draw(&mut canvas, Wear::Properly, generator),
        DrawnKind::UnderNose => mask::draw(&mut canvas, Wear::UnderNose, generator),
        DrawnKind::UnderMouth => mask::draw(&mut canvas, Wear::UnderMouth, generator),
        DrawnKind::Hand => hand::draw(&mut canvas, generator),
        DrawnKind::Cup => vessel::draw(&mut canvas, generator),
        DrawnKind::Phone => phone::draw(&mut canvas, generator),
        DrawnKind::Microphone => microphone::draw(&mut canvas, generator),
        DrawnKind::Beard => beard::draw(&mut canvas, generator),
        DrawnKind::Helmet => headgear::helmet(&mut canvas, generator),
        DrawnKind::Hood => headgear::hood(&mut canvas, generator),
        DrawnKind::SideLight => relight::from_the_side(&mut canvas, generator),
        DrawnKind::Backlight => relight::from_behind(&mut canvas, generator),
    }
}
