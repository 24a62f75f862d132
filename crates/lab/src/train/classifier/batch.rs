//! Batches of fine-tuning: photographed faces, and bare ones with something drawn on them.

use super::job::ClassifierJob;
use super::loss::Target;
use super::settings::ClassifierSettings;
use crate::data::augment::FaceView;
use crate::data::dataset::{DatasetFace, open_picture};
use crate::data::labels::Label;
use crate::data::landmarks;
use crate::data::non_faces::NonFace;
use crate::data::sampler::{DrawableSampler, FaceSampler};
use crate::drawn::{self, DrawnKind};
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::error::TrainError;
use crate::train::prefetch;
use candle_core::Tensor;
use image::RgbImage;
use maskwatch::geometry::{Point, Rect};
use maskwatch::pixels::preprocess;
use maskwatch::vision::models::{ModelOptions, Models};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Input of the detector that finds landmarks: large enough for the small faces of scenes.
const DETECTOR_INPUT: (u32, u32) = (640, 640);
const SCORE: f32 = 0.5;

/// Relative frequency of each kind: a correctly worn mask as often as an incorrect one, and what is held at
/// the mouth more often than what is not.
const fn share(kind: DrawnKind) -> u32 {
    match kind {
        DrawnKind::Mask => 6,
        DrawnKind::UnderNose => 4,
        DrawnKind::Phone => 3,
        DrawnKind::UnderMouth | DrawnKind::Hand | DrawnKind::Cup => 2,
        _ => 1,
    }
}

/// One step's faces.
pub(super) struct ClassifierBatch {
    /// `[N, side, side, 3]`, normalised.
    pub(super) pictures: Tensor,
    pub(super) targets: Vec<Target>,
}

/// What a crop is made of: a face of the data set, perhaps with something drawn on it, or a box without one.
#[derive(Clone, Copy)]
enum Chosen {
    Face(usize, Option<DrawnKind>),
    NonFace(usize),
}

/// Makes the batches of a run.
pub(super) struct Batches<'a> {
    job: ClassifierJob<'a>,
    sampler: FaceSampler,
    bare: DrawableSampler,
    masked: DrawableSampler,
    landmarks: Vec<Option<[Point; 5]>>,
    kinds: Vec<DrawnKind>,
}

impl<'a> Batches<'a> {
    pub(super) fn new(job: ClassifierJob<'a>, landmarks: Vec<Option<[Point; 5]>>) -> Self {
        let drawable = |label| {
            let has_landmarks = |index: usize| landmarks.get(index).is_some_and(Option::is_some);
            DrawableSampler::new(job.dataset, label, has_landmarks)
        };
        let (bare, masked) = (drawable(Label::NoMask), drawable(Label::Mask));
        let (sampler, kinds) = (FaceSampler::new(job.dataset), kinds(job.settings));
        Self { job, sampler, bare, masked, landmarks, kinds }
    }

    /// Draws and changes the faces of one step; depends on nothing but settings, data and step.
    pub(super) fn make(&self, step: u64) -> Result<ClassifierBatch, TrainError> {
        let settings = self.job.settings;
        let mut generator = stream(settings.seed, Purpose::Batch, step);
        let input = settings.inputs[generator.random_range(0..settings.inputs.len())];
        let of_batch = |share: f64| (settings.batch as f64 * share).round() as usize;
        let mut chosen: Vec<Chosen> = Vec::with_capacity(settings.batch);
        let incorrect = self.sampler.draw_incorrect(of_batch(settings.incorrect), &mut generator);
        chosen.extend(incorrect.into_iter().map(|face| Chosen::Face(face, None)));
        let non_faces =
            (0..of_batch(settings.non_faces)).filter_map(|_| self.job.non_faces.draw(&mut generator));
        chosen.extend(non_faces.map(Chosen::NonFace));
        for _ in 0..of_batch(settings.drawn) {
            let kind = pick(&self.kinds, &mut generator);
            let on_masked = settings.around_masked > 0.0
                && kind.is_some_and(DrawnKind::suits_masked)
                && generator.random_bool(settings.around_masked);
            let face = if on_masked { &self.masked } else { &self.bare }.draw(&mut generator);
            chosen.extend(face.zip(kind).map(|(face, kind)| Chosen::Face(face, Some(kind))));
        }
        let left = settings.batch - chosen.len().min(settings.batch);
        let rest = self.sampler.draw(left, &mut generator);
        chosen.extend(rest.into_iter().map(|face| Chosen::Face(face, None)));

        let mut crops = Vec::with_capacity(chosen.len());
        for (place, &chosen) in chosen.iter().enumerate() {
            let number = step * settings.batch as u64 + place as u64;
            let view = settings.augmentation.view(&mut stream(settings.seed, Purpose::View, number));
            crops.push(match chosen {
                Chosen::Face(index, kind) => self.crop(index, kind, &view, input, number)?,
                Chosen::NonFace(index) => {
                    let NonFace { picture, rect, .. } = self.job.non_faces.get(index);
                    view.render(&open_picture(picture)?, rect, input)
                }
            });
        }
        let target = |chosen: &Chosen| match chosen {
            Chosen::Face(index, kind) => {
                let own = self.job.dataset.faces[*index].label;
                Target::Face(kind.filter(|_| own == Label::NoMask).map_or(own, DrawnKind::label))
            }
            Chosen::NonFace(index) => Target::NonFace(self.job.non_faces.get(*index).kind),
        };
        Ok(ClassifierBatch {
            pictures: preprocess::normalised(&crops)?,
            targets: chosen.iter().map(target).collect(),
        })
    }

    fn crop(
        &self,
        index: usize,
        kind: Option<DrawnKind>,
        view: &FaceView,
        input: u32,
        number: u64,
    ) -> Result<RgbImage, TrainError> {
        let face = &self.job.dataset.faces[index];
        let picture = open_picture(&face.picture)?;
        let landmarks = self.landmarks.get(index).copied().flatten();
        let Some((kind, landmarks)) = kind.zip(landmarks) else {
            return Ok(view.render(&picture, &face.rect, input));
        };
        let mut generator = stream(self.job.settings.seed, Purpose::Drawn, number);
        let (picture, rect) = drawn::on_face(&picture, &face.rect, &landmarks, kind, &mut generator);
        Ok(view.render(&picture, &rect, input))
    }
}

/// The kinds that are drawn, each as often as its share says; twice as often what goes on masked faces too.
fn kinds(settings: &ClassifierSettings) -> Vec<DrawnKind> {
    let drawn = DrawnKind::ALL.into_iter().filter(|kind| !settings.without.contains(kind));
    let times = |kind: DrawnKind| {
        let twice = settings.around_masked > 0.0 && kind.suits_masked();
        share(kind) as usize * if twice { 2 } else { 1 }
    };
    drawn.flat_map(|kind| std::iter::repeat_n(kind, times(kind))).collect()
}

fn pick(kinds: &[DrawnKind], generator: &mut ChaCha8Rng) -> Option<DrawnKind> {
    (!kinds.is_empty()).then(|| kinds[generator.random_range(0..kinds.len())])
}

/// The landmarks of the faces that `wanted` names, as the built-in detector sees them; of the others none.
pub(super) fn landmarks(
    job: &ClassifierJob<'_>,
    wanted: impl Fn(&DatasetFace) -> bool,
) -> Result<Vec<Option<[Point; 5]>>, TrainError> {
    let ClassifierJob { dataset, settings, .. } = job;
    let mut found = vec![None; dataset.faces.len()];
    let asked: Vec<usize> = (0..found.len()).filter(|&index| wanted(&dataset.faces[index])).collect();
    // Faces of one picture follow each other, so that each picture is searched once.
    let pictures: Vec<&[usize]> =
        asked.chunk_by(|one, other| dataset.faces[*one].picture == dataset.faces[*other].picture).collect();
    let models = Models::open(&ModelOptions { threads: Some(1), ..ModelOptions::default() })?;
    let detector = models.detector(DETECTOR_INPUT, SCORE)?;
    let progress = Progress::new("landmarks", "pictures", pictures.len() as u64, 0);
    let search = |index: u64| {
        let faces = pictures[index as usize];
        let detections = detector.detect(&open_picture(&dataset.faces[faces[0]].picture)?)?;
        let of = |face: &usize| landmarks::find(&detections, &dataset.faces[*face].rect);
        Ok::<_, TrainError>(faces.iter().map(of).collect::<Vec<_>>())
    };
    prefetch::in_order(0..pictures.len() as u64, settings.threads, search, |index, points| {
        for (face, points) in pictures[index as usize].iter().zip(points) {
            found[*face] = points;
        }
        progress.advance(1);
        Ok(())
    })?;
    Ok(found)
}

/// A face that was set aside, as the classifier in use sees it.
pub(super) struct SetAside {
    pub(super) crop: RgbImage,
    pub(super) label: Label,
    /// Whether something is drawn on it.
    pub(super) drawn: bool,
}

/// The bare faces set aside with one kind drawn on each, and all faces set aside as they are: what
/// probabilities are calibrated by.
pub(super) fn set_aside(job: &ClassifierJob<'_>) -> Result<Vec<SetAside>, TrainError> {
    let ClassifierJob { dataset, settings, .. } = job;
    let subset = dataset.chosen_by();
    let wanted = |face: &DatasetFace| face.subset == subset && face.label == Label::NoMask;
    let landmarks = landmarks(job, wanted)?;
    let (faces, kinds) = (dataset.subset(subset), kinds(settings));
    let progress = Progress::new("faces to calibrate by", "faces", faces.len() as u64, 0);
    let view = FaceView::plain(settings.margin);
    let make = |place: u64| {
        let index = faces[place as usize];
        let face = &dataset.faces[index];
        let picture = open_picture(&face.picture)?;
        let render = |picture: &RgbImage, rect: &Rect| view.render(picture, rect, settings.input());
        let mut crops =
            vec![SetAside { crop: render(&picture, &face.rect), label: face.label, drawn: false }];
        let mut generator = stream(settings.seed, Purpose::Drawn, (1 << 48) | place);
        if let Some((points, kind)) = landmarks[index].zip(pick(&kinds, &mut generator)) {
            let (picture, rect) = drawn::on_face(&picture, &face.rect, &points, kind, &mut generator);
            crops.push(SetAside { crop: render(&picture, &rect), label: kind.label(), drawn: true });
        }
        Ok::<_, TrainError>(crops)
    };
    let mut all = Vec::new();
    prefetch::in_order(0..faces.len() as u64, settings.threads, make, |_, crops| {
        all.extend(crops);
        progress.advance(1);
        Ok(())
    })?;
    Ok(all)
}
