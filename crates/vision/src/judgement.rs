//! What looking at a picture gives: its faces, each with a judgement. The trait stands between those who look
//! and those who ask, so that tests can script what is seen.

use super::appearance::Appearance;
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
    /// It cannot be seen well enough: this gate stopped it.
    Stopped(Gate),
    /// No human head is there, but an animal, a thing or a piece of clothing.
    Nobody,
    /// What the classifier says.
    Answered(Probabilities),
}

impl Judgement {
    /// What the classifier says, where it was asked.
    #[must_use]
    pub fn answer(self) -> Option<Probabilities> {
        match self {
            Self::Answered(answer) => Some(answer),
            Self::Unasked | Self::Stopped(_) | Self::Nobody => None,
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
    /// What the person looks like, where the classifier was asked and does not call it a mask.
    pub appearance: Option<Appearance>,
}

/// Chooses which of the faces of a picture are judged. A function of the faces' boxes is a choice without a
/// time limit.
pub trait Choice {
    /// The indices of those of `found`, given by their boxes, that are worth judging, the most pressing
    /// first.
    fn choose(&mut self, found: &[Rect]) -> Vec<usize>;

    /// Whether there is time to judge another one; asked before each but the first.
    fn has_time(&mut self) -> bool {
        true
    }

    /// Whether somebody may wait for the answer. If nobody does, it may take longer where that costs less.
    fn is_urgent(&self) -> bool {
        true
    }
}

impl<F: FnMut(&[Rect]) -> Vec<usize>> Choice for F {
    fn choose(&mut self, found: &[Rect]) -> Vec<usize> {
        self(found)
    }
}

/// The choice of all faces.
#[must_use]
pub fn everybody(found: &[Rect]) -> Vec<usize> {
    (0..found.len()).collect()
}

/// Something that can look at pictures. The real one is [`Chain`](super::Chain); tests script others.
pub trait Vision {
    /// Finds the faces of `picture`, the surest first, and judges those that `choice` names, in its order and
    /// as long as it has time.
    ///
    /// # Errors
    /// When a network cannot be run.
    fn look(&mut self, picture: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError>;
}

/// The faces in the boxes `found`, all of score 1, judged as `judge` says where `choose` names them: what a
/// scripted [`Vision`] returns.
///
/// # Errors
/// Those of `judge`.
pub fn judged(
    found: &[Rect],
    choice: &mut dyn Choice,
    mut judge: impl FnMut(&Rect) -> Result<Judgement, VisionError>,
) -> Result<Vec<JudgedFace>, VisionError> {
    let mut faces: Vec<JudgedFace> = found.iter().map(|rect| JudgedFace::unasked(*rect, 1.0)).collect();
    for (place, index) in choice.choose(found).into_iter().enumerate() {
        if place > 0 && !choice.has_time() {
            break;
        }
        if let Some(face) = faces.get_mut(index) {
            face.judgement = judge(&face.rect)?;
        }
    }
    Ok(faces)
}

impl JudgedFace {
    /// A face about which nobody has asked yet.
    #[must_use]
    pub fn unasked(rect: Rect, score: f32) -> Self {
        Self { rect, score, judgement: Judgement::Unasked, appearance: None }
    }
}
