//! The backbone's features of every face, computed once and kept on disk. Since a frozen backbone gives the
//! same features at each epoch, changed views are made beforehand: some of each face to fit, the plain one of
//! each to measure.

use super::job::ClassifierJob;
use crate::data::augment::FaceView;
use crate::data::dataset::{DatasetFace, Subset, open_picture};
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::error::TrainError;
use crate::train::prefetch;
use image::RgbImage;
use maskwatch::geometry::Rect;
use maskwatch::nn::Mode;
use maskwatch::nn::mobilenet_v2::{FEATURES, MobileNetV2};
use maskwatch::nn::weights::Weights;
use maskwatch::pixels::preprocess;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

/// Crops that go through the network at once.
const BATCH: usize = 32;
const ROW_BYTES: u64 = FEATURES as u64 * 4;

/// Rows of 1280 features, one per view.
pub(super) struct Features {
    values: Vec<f32>,
    /// First row of each face, and one more entry for the end.
    starts: Vec<usize>,
}

impl Features {
    /// The features of a view of a face, by its index in the data set.
    pub(super) fn row(&self, face: usize, view: usize) -> &[f32] {
        let row = self.starts[face] + view;
        &self.values[row * FEATURES..(row + 1) * FEATURES]
    }
}

/// Reads the features from the cache; computes the missing ones first.
pub(super) fn compute(job: &ClassifierJob<'_>, weights: &Weights) -> Result<Features, TrainError> {
    let faces = &job.dataset.faces;
    let starts: Vec<usize> = std::iter::once(0)
        .chain(faces.iter().scan(0, |end, face| {
            *end += views(job, face);
            Some(*end)
        }))
        .collect();
    let key = key(job, weights)?;
    let path = job.settings.cache.join(format!("features-{:08x}.bin", crc32fast::hash(key.as_bytes())));
    let failed = |source| TrainError::File { path: path.clone(), source };
    std::fs::create_dir_all(&job.settings.cache)
        .map_err(|source| TrainError::File { path: job.settings.cache.clone(), source })?;
    let mut file = open(&path, &key)?;
    // A face counts as done when all its rows are there; whatever follows was cut short.
    let rows = (file.metadata().map_err(failed)?.len() / ROW_BYTES) as usize;
    let done = starts.partition_point(|&start| start <= rows) - 1;
    let end = starts[done] as u64 * ROW_BYTES;
    file.set_len(end).and_then(|()| file.seek(SeekFrom::End(0))).map_err(failed)?;
    append(job, weights, BufWriter::new(file), &path, done)?;

    let bytes = std::fs::read(&path).map_err(failed)?;
    let values: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect();
    if values.len() != starts[faces.len()] * FEATURES || values.iter().any(|value| !value.is_finite()) {
        return Err(TrainError::Damaged { path });
    }
    Ok(Features { values, starts })
}

fn views(job: &ClassifierJob<'_>, face: &DatasetFace) -> usize {
    if face.subset == Subset::Train { job.settings.views } else { 1 }
}

/// Everything that the features depend on.
fn key(job: &ClassifierJob<'_>, weights: &Weights) -> Result<String, TrainError> {
    let settings = job.settings;
    let backbone = weights.tensors().iter().filter(|(name, _)| name.starts_with("features."));
    let backbone =
        Weights::new(backbone.map(|(name, tensor)| (name.clone(), tensor.clone())).collect(), [].into());
    let key = serde_json::json!({
        "weights": backbone.checksum()?, "data": job.dataset.checksum(), "input": settings.inputs,
        "margin": settings.margin, "views": settings.views, "augmentation": settings.augmentation, "seed": settings.seed,
    });
    Ok(key.to_string())
}

/// Opens the cache file; one that was made from another key is emptied.
fn open(path: &Path, key: &str) -> Result<File, TrainError> {
    let note = path.with_extension("json");
    let known = std::fs::read_to_string(&note).is_ok_and(|text| text == key);
    let failed = |path: &Path, source| TrainError::File { path: path.to_owned(), source };
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(!known)
        .open(path)
        .map_err(|source| failed(path, source))?;
    if !known {
        std::fs::write(&note, key).map_err(|source| failed(&note, source))?;
    }
    Ok(file)
}

/// Computes the features of all faces from `done` on.
fn append(
    job: &ClassifierJob<'_>,
    weights: &Weights,
    mut file: BufWriter<File>,
    path: &Path,
    done: usize,
) -> Result<(), TrainError> {
    let faces = &job.dataset.faces;
    if done == faces.len() {
        return Ok(());
    }
    let failed = |source| TrainError::File { path: path.to_owned(), source };
    let network = MobileNetV2::new(weights, Mode::Inference)?;
    let progress = Progress::new("features", "faces", faces.len() as u64, done as u64);
    let mut crops = Vec::new();
    let mut flush = |crops: &mut Vec<RgbImage>| -> Result<(), TrainError> {
        if crops.is_empty() {
            return Ok(());
        }
        let features = network.features(&preprocess::normalised(crops)?)?.flatten_all()?.to_vec1::<f32>()?;
        let bytes: Vec<u8> = features.iter().flat_map(|value| value.to_le_bytes()).collect();
        crops.clear();
        file.write_all(&bytes).and_then(|()| file.flush()).map_err(failed)
    };
    prefetch::in_order(
        done as u64..faces.len() as u64,
        job.settings.threads,
        |index| crops_of(job, index as usize),
        |_, views| {
            crops.extend(views);
            progress.advance(1);
            if crops.len() >= BATCH { flush(&mut crops) } else { Ok(()) }
        },
    )?;
    flush(&mut crops)
}

/// The views of one face.
fn crops_of(job: &ClassifierJob<'_>, index: usize) -> Result<Vec<RgbImage>, TrainError> {
    let face = &job.dataset.faces[index];
    let picture = open_picture(&face.picture)?;
    let crop = |view: &FaceView, rect: &Rect| view.render(&picture, rect, job.settings.input());
    if face.subset != Subset::Train {
        return Ok(vec![crop(&FaceView::plain(job.settings.margin), &face.rect)]);
    }
    let view = |number: usize| {
        let place = ((index as u64) << 16) | number as u64;
        job.settings.augmentation.view(&mut stream(job.settings.seed, Purpose::View, place))
    };
    Ok((0..job.settings.views).map(|number| crop(&view(number), &face.rect)).collect())
}
