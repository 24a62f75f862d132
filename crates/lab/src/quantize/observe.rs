//! Observes the maps of the f32 networks on training faces and pictures.

use super::choices::Choices;
use super::error::QuantizeError;
use super::ranges::Observations;
use crate::data::augment::FaceView;
use crate::data::dataset::{Dataset, Subset, open_picture};
use crate::data::labels::Label;
use crate::data::sampler::FaceSampler;
use crate::data::webcam::WebcamView;
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use candle_core::Tensor;
use image::RgbImage;
use maskwatch::nn::Mode;
use maskwatch::nn::head::Head;
use maskwatch::nn::landmarks::{INPUT, Landmarks, MARGIN};
use maskwatch::nn::mobilenet_v2::MobileNetV2;
use maskwatch::nn::weights::Weights;
use maskwatch::nn::yunet::YuNet;
use maskwatch::pixels::preprocess;
use maskwatch::vision::detector::{CLOSE_INPUT, lift};
use std::collections::BTreeSet;

/// What is seen of the pooled features, and of the head's hidden values.
pub(super) const POOLED: &str = "pooled";
pub(super) const HIDDEN: &str = "head.0";

/// Observes the classifier's maps on training faces, sampled as in training, without augmentation.
pub(super) fn observe_faces(
    weights: &Weights,
    dataset: &Dataset,
    choices: &Choices,
) -> Result<Observations, QuantizeError> {
    let network = MobileNetV2::new(weights, Mode::Inference)?;
    let head = Head::new(weights)?;
    let margin = weights.number("margin")?;
    let drawn =
        FaceSampler::new(dataset).draw(choices.faces, &mut stream(choices.seed, Purpose::Subsets, 100));
    let progress = Progress::new("calibrating the classifier", "faces", drawn.len() as u64, 0);
    let mut seen = Observations::default();
    for (batch, faces) in drawn.chunks(8).enumerate() {
        let side = choices.inputs[batch % choices.inputs.len()];
        let crops = faces
            .iter()
            .map(|index| {
                let face = &dataset.faces[*index];
                Ok(FaceView::plain(margin).render(&open_picture(&face.picture)?, &face.rect, side))
            })
            .collect::<Result<Vec<_>, QuantizeError>>()?;
        let (mut failed, mut last) = (None, None);
        network.observe(&preprocess::normalised(&crops)?, &mut |name, map| {
            failed = failed.take().or(seen.add(name, map).err());
            last = Some(map.clone());
        })?;
        failed.map_or(Ok(()), Err)?;
        if let Some(map) = last {
            let pooled = map.mean((1, 2))?;
            let as_map = |values: &Tensor| values.unsqueeze(1)?.unsqueeze(1);
            seen.add(POOLED, &as_map(&pooled)?)?;
            seen.add(HIDDEN, &as_map(&head.hidden(&pooled)?)?)?;
        }
        progress.advance(faces.len() as u64);
    }
    Ok(seen)
}

/// Observes the landmark network's maps on training faces, masked and bare in turn.
pub(super) fn observe_landmarks(
    weights: &Weights,
    dataset: &Dataset,
    choices: &Choices,
) -> Result<Observations, QuantizeError> {
    let network = Landmarks::new(weights, Mode::Inference)?;
    let drawn =
        FaceSampler::new(dataset).draw(choices.faces, &mut stream(choices.seed, Purpose::Subsets, 101));
    let progress = Progress::new("calibrating the landmark network", "faces", drawn.len() as u64, 0);
    let mut seen = Observations::default();
    for index in drawn {
        let face = &dataset.faces[index];
        let crop = FaceView::plain(MARGIN).render(&open_picture(&face.picture)?, &face.rect, INPUT as u32);
        let mut failed = None;
        network.observe(&preprocess::normalised(&[crop])?, &mut |name, map| {
            failed = failed.take().or(seen.add(name, map).err());
        })?;
        failed.map_or(Ok(()), Err)?;
        progress.advance(1);
    }
    Ok(seen)
}

/// Observes a detector's maps on what it sees of one picture.
fn observe_detector(network: &YuNet, canvas: RgbImage, seen: &mut Observations) -> Result<(), QuantizeError> {
    let mut failed = None;
    network.observe(&preprocess::bgr(&[canvas])?, &mut |name, map| {
        failed = failed.take().or(seen.add(name, map).err());
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Observes the maps of the detector for close faces: on training pictures, and on their faces as a cheap
/// webcam close to them sees them, in turn.
pub(super) fn observe_close_faces(
    weights: &Weights,
    dataset: &Dataset,
    choices: &Choices,
) -> Result<Observations, QuantizeError> {
    let network = YuNet::new(weights, Mode::Inference)?;
    let mut generator = stream(choices.seed, Purpose::Subsets, 102);
    let drawn = FaceSampler::new(dataset).draw(2 * choices.pictures, &mut generator);
    let progress =
        Progress::new("calibrating the detector of close faces", "pictures", drawn.len() as u64, 0);
    let mut seen = Observations::default();
    for (turn, index) in drawn.into_iter().enumerate() {
        let face = &dataset.faces[index];
        let mut picture = open_picture(&face.picture)?;
        if turn / 2 % 2 == 0 {
            let is_masked = face.label != Label::NoMask;
            let view = WebcamView::random(&mut generator);
            picture = view.frame(&picture, &face.rect, is_masked, &mut generator).0;
        }
        let (mut canvas, _) = preprocess::letterbox(&picture, CLOSE_INPUT.0, CLOSE_INPUT.1);
        lift(&mut canvas);
        observe_detector(&network, canvas, &mut seen)?;
        progress.advance(1);
    }
    Ok(seen)
}

/// Observes the detector's maps on whole training pictures.
pub(super) fn observe_pictures(
    weights: &Weights,
    dataset: &Dataset,
    choices: &Choices,
) -> Result<Observations, QuantizeError> {
    let network = YuNet::new(weights, Mode::Inference)?;
    // Scenes, where there are any: the detector looks at whole pictures with small faces.
    let of_table = |table: Option<&str>| -> BTreeSet<_> {
        let faces = dataset.faces.iter().filter(|face| face.subset == Subset::Train);
        faces
            .filter(|face| table.is_none_or(|table| face.table == table))
            .map(|face| face.picture.clone())
            .collect()
    };
    let scenes = of_table(Some("scenes"));
    let pictures: Vec<_> = if scenes.is_empty() { of_table(None) } else { scenes }.into_iter().collect();
    let step = (pictures.len() / choices.pictures.max(1)).max(1);
    let chosen: Vec<_> = pictures.iter().step_by(step).take(choices.pictures).collect();
    let progress = Progress::new("calibrating the detector", "pictures", chosen.len() as u64, 0);
    let mut seen = Observations::default();
    for path in chosen {
        let (width, height) = choices.detector_input;
        let (canvas, _) = preprocess::letterbox(&open_picture(path)?, width, height);
        observe_detector(&network, canvas, &mut seen)?;
        progress.advance(1);
    }
    Ok(seen)
}
