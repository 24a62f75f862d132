//! What looking at a picture gives: its faces, each with a judgement. The trait stands between those who look
//! and those who ask, so that tests can script what is seen.

use super::classifier::Probabilities;
use super::quality::Gate;
use crate::geometry::Rect;
use crate::pixels::picture::View;
use std::error::Error;

/// Why a picture could not be looked at.
pub type VisionError = Box<dyn Error + Send + Sync>;

/// What was made of one face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judgement {
    /// Nobody asked about it.
    Unasked,
    /// It cannot be seen well enough: this gate stopped it, and the classifier was not asked.
    Stopped(Gate),
    /// What the classifier says.
    Answered(Probabilities),
}

impl Judgement {
    /// What the classifier says, where it was asked.
    #[must_use]
    pub fn answer(self) -> Option<Probabilities> {
        match self {
            Self::Answered(answer) => Some(answer),
            Self::Unasked | Self::Stopped(_) => None,
        }
    }
}

/// One face of one picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JudgedFace {
    /// Where it is, in pixels of the picture; may reach over its edges.
    pub rect: Rect,
    /// How sure the detector is that it is a face, 0 to 1.
    pub score: f32,
    /// What was made of it.
    pub judgement: Judgement,
}

/// Says which of the faces found, given by their boxes, are worth judging: their indices.
pub type Choice<'a> = dyn FnMut(&[Rect]) -> Vec<usize> + 'a;

/// The choice of all faces.
#[must_use]
pub fn everybody(found: &[Rect]) -> Vec<usize> {
    (0..found.len()).collect()
}

/// Something that can look at pictures. The real one is [`Chain`](super::Chain); tests script others.
pub trait Vision {
    /// Finds the faces of `picture`, the surest first, and judges those that `choose` names.
    ///
    /// # Errors
    /// When a network cannot be run.
    fn look(&mut self, picture: View<'_>, choose: &mut Choice<'_>) -> Result<Vec<JudgedFace>, VisionError>;
}

/// The faces in the boxes `found`, all of score 1, judged as `judge` says where `choose` names them: what a
/// scripted [`Vision`] returns.
///
/// # Errors
/// Those of `judge`.
pub fn judged(
    found: &[Rect],
    choose: &mut Choice<'_>,
    mut judge: impl FnMut(&Rect) -> Result<Judgement, VisionError>,
) -> Result<Vec<JudgedFace>, VisionError> {
    let unasked = |rect: &Rect| JudgedFace { rect: *rect, score: 1.0, judgement: Judgement::Unasked };
    let mut faces: Vec<JudgedFace> = found.iter().map(unasked).collect();
    for index in choose(found) {
        if let Some(face) = faces.get_mut(index) {
            face.judgement = judge(&face.rect)?;
        }
    }
    Ok(faces)
}
