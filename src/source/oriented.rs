//! Frames of a camera that hangs on its side, upside down or behind a mirror. Their pixels are not copied:
//! each frame is only told how it lies.

use std::time::Duration;

use super::{CameraSurvey, Next, Source, SourceError, State};
use crate::pixels::orientation::Orientation;
use crate::vision::named;

/// How a source's frames are turned to be upright: first turned, then flipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    /// Turned clockwise.
    pub rotate: Rotation,
    /// Then flipped.
    pub flip: Flip,
}

/// By how many degrees frames are turned clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rotation {
    /// Not at all.
    #[default]
    None,
    /// 90°.
    Quarter,
    /// 180°.
    Half,
    /// 270°.
    ThreeQuarters,
}

named!(Rotation { None => "0", Quarter => "90", Half => "180", ThreeQuarters => "270", });

/// How frames are mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flip {
    /// Not at all.
    #[default]
    None,
    /// Left becomes right.
    Horizontal,
    /// Top becomes bottom.
    Vertical,
}

named!(Flip { None => "none", Horizontal => "horizontal", Vertical => "vertical", });

impl Turn {
    /// What makes a frame upright.
    #[must_use]
    pub fn orientation(self) -> Orientation {
        // To flip vertically is to flip horizontally and to turn by 180°.
        let half = usize::from(self.flip == Flip::Vertical) * 2;
        let quarters = (self.rotate as usize + half) % 4;
        let plain = [
            Orientation::NoTransforms,
            Orientation::Rotate90,
            Orientation::Rotate180,
            Orientation::Rotate270,
        ];
        let flipped = [
            Orientation::FlipHorizontal,
            Orientation::Rotate90FlipH,
            Orientation::FlipVertical,
            Orientation::Rotate270FlipH,
        ];
        (if self.flip == Flip::None { plain } else { flipped })[quarters]
    }
}

/// A source whose frames are made upright.
struct Oriented {
    source: Box<dyn Source>,
    orientation: Orientation,
}

/// `source` with upright frames; itself, if they are upright already.
pub(super) fn oriented(source: Box<dyn Source>, turn: Turn) -> Box<dyn Source> {
    match turn.orientation() {
        Orientation::NoTransforms => source,
        orientation => Box::new(Oriented { source, orientation }),
    }
}

impl Source for Oriented {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        Ok(match self.source.next(wait)? {
            Next::Frame(mut frame) => {
                frame.picture = frame.picture.oriented(self.orientation);
                Next::Frame(frame)
            }
            other => other,
        })
    }

    fn describe(&self) -> String {
        self.source.describe()
    }

    fn state(&self) -> State {
        self.source.state()
    }

    fn survey(&self) -> Option<CameraSurvey> {
        self.source.survey()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
    use image::{DynamicImage, RgbImage};

    #[test]
    fn frames_are_turned_first_and_then_flipped() {
        let picture = RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 7]));
        for rotate in Rotation::ALL {
            let turned = match rotate {
                Rotation::None => picture.clone(),
                Rotation::Quarter => rotate90(&picture),
                Rotation::Half => rotate180(&picture),
                Rotation::ThreeQuarters => rotate270(&picture),
            };
            for flip in Flip::ALL {
                let expected = match flip {
                    Flip::None => turned.clone(),
                    Flip::Horizontal => flip_horizontal(&turned),
                    Flip::Vertical => flip_vertical(&turned),
                };
                let mut upright = DynamicImage::ImageRgb8(picture.clone());
                upright.apply_orientation(Turn { rotate, flip }.orientation());
                assert_eq!(upright.into_rgb8(), expected, "{rotate:?} {flip:?}");
            }
        }
    }
}
