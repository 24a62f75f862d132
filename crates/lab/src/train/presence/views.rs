//! The features that the output is fitted to: of faces, and of boxes without one.

use super::settings::PresenceSettings;
use crate::data::augment::{Augmentation, FaceView};
use crate::data::dataset::{Dataset, Subset, open_picture};
use crate::data::labels::Label;
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::classifier::{NonFaces, Target};
use crate::train::error::TrainError;
use crate::train::prefetch;
use candle_core::{Device, Tensor};
use image::RgbImage;
use maskwatch::geometry::Rect;
use maskwatch::nn::mobilenet_v2::{FEATURES, MobileNetV2};
use maskwatch::pixels::preprocess;
use rand::RngExt;
use std::path::{Path, PathBuf};

/// Views of each face, and of each box without one: there are fewer of those.
const FACE_VIEWS: u64 = 1;
const NON_FACE_VIEWS: u64 = 4;
/// Crops that go through the network at once, all of one size.
const BATCH: usize = 32;

/// Features `[N, 1280]`, and for each row whether a head is there and whether it is seen from the front.
pub(super) struct Views {
    pub(super) features: Tensor,
    pub(super) presence: Vec<[bool; 2]>,
}

/// One crop to make.
struct Wanted<'a> {
    picture: &'a Path,
    rect: Rect,
    presence: [bool; 2],
    /// The number of the changed view; none for the crop in use.
    changed: Option<u64>,
}

impl Views {
    /// The views of one subset. Those of train are by turns as in use and changed, others as in use.
    pub(super) fn of(
        subset: Subset,
        (dataset, non_faces): (&Dataset, &NonFaces),
        network: &MobileNetV2,
        (margin, inputs): (f32, &[u32]),
        settings: &PresenceSettings,
    ) -> Result<Self, TrainError> {
        let face = Target::Face(Label::NoMask).presence();
        let faces = dataset.faces.iter().filter(|face| face.subset == subset);
        let faces = faces.map(|one| (&one.picture, one.rect, face, FACE_VIEWS));
        let boxes = non_faces.of(subset);
        let boxes =
            boxes.map(|one| (&one.picture, one.rect, Target::NonFace(one.kind).presence(), NON_FACE_VIEWS));
        let mut wanted: Vec<Wanted<'_>> = Vec::new();
        for (picture, rect, presence, views) in faces.chain(boxes) {
            let views = if subset == Subset::Train { views } else { 1 };
            for _ in 0..views {
                let number = wanted.len() as u64;
                let changed = (subset == Subset::Train && number % 2 == 1).then_some(number);
                wanted.push(Wanted { picture: PathBuf::as_path(picture), rect, presence, changed });
            }
        }
        let augmentation = Augmentation::default();
        let crop = |place: u64| {
            let Wanted { picture, rect, changed, .. } = &wanted[place as usize];
            // In use, small faces are seen at small inputs; every view may be.
            let batch = place / BATCH as u64;
            let input = inputs[stream(settings.seed, Purpose::Batch, batch).random_range(0..inputs.len())];
            let view = changed.map_or_else(
                || FaceView::plain(margin),
                |number| augmentation.view(&mut stream(settings.seed, Purpose::View, number)),
            );
            Ok::<_, TrainError>(view.render(&open_picture(picture)?, rect, input))
        };
        let progress = Progress::new("features", "views", wanted.len() as u64, 0);
        let mut values: Vec<f32> = Vec::with_capacity(wanted.len() * FEATURES);
        let mut crops: Vec<RgbImage> = Vec::with_capacity(BATCH);
        prefetch::in_order(0..wanted.len() as u64, settings.threads, crop, |place, crop| {
            crops.push(crop);
            if crops.len() == BATCH || place as usize + 1 == wanted.len() {
                let features = network.features(&preprocess::normalised(&crops)?)?;
                values.extend(features.flatten_all()?.to_vec1::<f32>()?);
                crops.clear();
            }
            progress.advance(1);
            Ok(())
        })?;
        Ok(Self {
            features: Tensor::from_vec(values, (wanted.len(), FEATURES), &Device::Cpu)?,
            presence: wanted.iter().map(|one| one.presence).collect(),
        })
    }
}
