//! The one chain: detector, classifier, landmark network and gates, with the memory that they work in.

use super::appearance::Appearance;
use super::classifier::{Answer, Classifier};
use super::detector::Detector;
use super::judgement::{Choice, JudgedFace, Judgement, Vision, VisionError};
use super::landmarks::Locator;
use super::models::{ModelOptions, Models};
use super::quality::{Examiner, Gate, Gates};
use super::zones::Zones;
use crate::geometry::Rect;
use crate::nn::NetworkError;
use crate::nn::int8::SharedTeam;
use crate::pixels::picture::View;
use crate::pixels::sampler::Sampler;
use std::sync::Arc;

/// What a chain is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainOptions {
    /// The networks, and how they are run.
    pub models: ModelOptions,
    /// Width and height of the detector's input in pixels, multiples of 32.
    pub detector_input: (u32, u32),
    /// Whether pictures are searched a second time, at a small input, for close faces.
    pub close_faces: bool,
    /// The detector's score from which something counts as a face, 0 to 1.
    pub score_threshold: f32,
    /// Which faces are seen too badly to be classified.
    pub gates: Gates,
    /// Where faces count.
    pub zones: Zones,
}

/// Wider faces, as a share of the frame's width, are left to the search for close faces, which is of the
/// whole frame; it finds narrower ones too.
const WIDEST_WHERE_CLOSE: f32 = 0.2;

/// Detector, landmark network, gates and classifier. A clone shares the networks and has working memory of
/// its own; the int8 networks do one picture at a time.
pub struct Chain {
    detector: Arc<Detector>,
    locator: Arc<Locator>,
    classifier: Arc<Classifier>,
    /// The threads of all three; none with f32.
    team: Option<SharedTeam>,
    gates: Gates,
    zones: Zones,
    examiner: Examiner,
    sampler: Sampler,
}

impl Clone for Chain {
    fn clone(&self) -> Self {
        let Self { detector, locator, classifier, team, gates, zones, examiner: _, sampler: _ } = self;
        let (detector, locator, classifier) = (detector.clone(), locator.clone(), classifier.clone());
        let (examiner, sampler) = (Examiner::default(), Sampler::default());
        let (team, gates, zones) = (team.clone(), *gates, zones.clone());
        Self { detector, locator, classifier, team, gates, zones, examiner, sampler }
    }
}

impl Chain {
    /// Loads the networks.
    ///
    /// # Errors
    /// When a weight file is missing or damaged; the error names it.
    pub fn load(options: &ChainOptions) -> Result<Self, NetworkError> {
        Self::new(&Models::open(&options.models)?, options)
    }

    /// The chain of networks made from `models`; the other options are as in `options`.
    ///
    /// # Errors
    /// When a weight file is missing or damaged; the error names it.
    pub fn new(models: &Models, options: &ChainOptions) -> Result<Self, NetworkError> {
        Ok(Self {
            detector: Arc::new(detector(models, options)?),
            locator: Arc::new(models.locator()?),
            classifier: Arc::new(models.classifier()?),
            team: models.team().cloned(),
            gates: options.gates,
            zones: options.zones.clone(),
            examiner: Examiner::default(),
            sampler: Sampler::default(),
        })
    }

    /// The detector.
    #[must_use]
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The landmark network.
    #[must_use]
    pub fn locator(&self) -> &Locator {
        &self.locator
    }

    /// The classifier.
    #[must_use]
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// Judges the faces in these boxes of `picture`, in their order, as if the detector had found them and
    /// were sure.
    ///
    /// # Errors
    /// When a network cannot be run.
    pub fn judge<'a>(
        &mut self,
        picture: impl Into<View<'a>>,
        faces: &[Rect],
    ) -> Result<Vec<Judgement>, NetworkError> {
        self.judge_found(picture.into(), faces, |_| 1.0)
    }

    /// As [`judge`](Self::judge), of faces that the detector found with these scores.
    fn judge_found(
        &mut self,
        picture: View<'_>,
        faces: &[Rect],
        score: impl Fn(usize) -> f32,
    ) -> Result<Vec<Judgement>, NetworkError> {
        let answers = self.classifier.look(picture, faces)?;
        let mut judgements = Vec::with_capacity(faces.len());
        for (index, (face, Answer { probabilities, presence })) in faces.iter().zip(answers).enumerate() {
            // Asked first of all: what is no face has no pose, and may be as dark or blurred as it likes.
            judgements.push(if self.gates.rule_out(&presence, score(index)) {
                Judgement::Nobody
            } else if self.gates.cut_off(face, picture.dimensions().0) {
                Judgement::Stopped(Gate::CutOff)
            } else if let Some(gate) = self.stopped(picture, face)? {
                Judgement::Stopped(gate)
            } else if self.gates.hide(&presence) {
                Judgement::Stopped(Gate::Hidden)
            } else {
                Judgement::Answered(probabilities)
            });
        }
        Ok(judgements)
    }

    /// The gate that stops a face, if one does. Open gates cost nothing.
    fn stopped(&mut self, picture: View<'_>, face: &Rect) -> Result<Option<Gate>, NetworkError> {
        if self.gates == Gates::OPEN {
            return Ok(None);
        }
        let landmarks = self.locator.locate(picture, face)?;
        Ok(self.gates.stopping(&self.examiner.examine(picture, face, &landmarks)))
    }
}

/// The detector, which searches no more of a frame than the zones need.
fn detector(models: &Models, options: &ChainOptions) -> Result<Detector, NetworkError> {
    let ChainOptions { detector_input, close_faces, score_threshold, .. } = *options;
    let widest = if close_faces { WIDEST_WHERE_CLOSE } else { 1.0 };
    let Some(area) = options.zones.area(widest) else {
        return if close_faces {
            models.detector_with_close(detector_input, score_threshold)
        } else {
            models.detector(detector_input, score_threshold)
        };
    };
    let far = models.detector(area.input(detector_input), score_threshold)?.within(area);
    if !close_faces {
        return Ok(far);
    }
    Ok(far.with_close(models.close_detector(score_threshold)?))
}

impl Vision for Chain {
    fn look(&mut self, picture: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        if let Some(team) = &self.team {
            team.work_alone(!choice.is_urgent());
        }
        let mut found = self.detector.detect(picture)?;
        found.retain(|face| self.zones.count(&face.rect, picture.dimensions()));
        let rects: Vec<Rect> = found.iter().map(|face| face.rect).collect();
        let mut faces: Vec<JudgedFace> =
            found.iter().map(|face| JudgedFace::unasked(face.rect, face.score)).collect();
        let mut chosen = choice.choose(&rects);
        chosen.retain(|index| *index < rects.len());
        for (place, part) in chosen.chunks(self.classifier.at_once()).enumerate() {
            if place > 0 && !choice.has_time() {
                break;
            }
            let wanted: Vec<Rect> = part.iter().map(|index| rects[*index]).collect();
            let judged = self.judge_found(picture, &wanted, |place| found[part[place]].score)?;
            for (index, judgement) in part.iter().zip(judged) {
                let JudgedFace { rect, .. } = faces[*index];
                // Who wears a mask is not remembered: nobody has to know later what he looked like.
                let bare = judgement.answer().is_some_and(|answer| answer.mask < 0.5);
                let appearance = bare.then(|| Appearance::of(picture, &rect, &mut self.sampler));
                faces[*index] = JudgedFace { judgement, appearance, ..faces[*index] };
            }
        }
        Ok(faces)
    }
}
