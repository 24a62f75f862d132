//! `maskwatch-lab train landmarks` from its arguments to its weight file.

use super::batch::Known;
use super::fitting::{self, LandmarksFitting, LandmarksPlan};
use super::{Args, Outcome, truth};
use crate::curves;
use crate::curves::{Chart, Series};
use crate::data::augment::FaceView;
use crate::data::dataset::{Dataset, DatasetOptions};
use crate::data::landmarks::distance;
use crate::drawn::DrawnKind;
use crate::progress::Progress;
use crate::random::{Purpose, stream};
use crate::train::files::write_file;
use crate::train::prefetch;
use anyhow::Context as _;
use maskwatch::geometry::{Point, Rect};
use maskwatch::nn::Mode;
use maskwatch::nn::landmarks::{INPUT, Landmarks, MARGIN, VALUES};
use maskwatch::nn::weights::{Weights, find};
use maskwatch::pixels::preprocess;
use maskwatch::vision::landmarks::points;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Names the masks that are drawn on the faces set aside.
const SELECTION_SEED: u64 = 2;
/// Crops that are measured at once.
const BATCH: usize = 16;

/// What was reached after so many steps.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
struct LandmarksEntry {
    step: u64,
    /// Mean loss since the last row.
    loss: f64,
    /// On the faces set aside: bare, and below masks.
    errors: [f64; 2],
}

impl LandmarksEntry {
    fn figure(&self) -> f64 {
        self.errors.iter().sum()
    }
}

/// Fits the landmark network and writes `landmarks.safetensors`, `checkpoint.safetensors`, `known.csv`,
/// `history.csv` and `curves.png`.
///
/// # Errors
/// Data, weights or folder cannot be used, the run to be resumed had other options, or fitting diverges.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let checkpoint = args.output.join("checkpoint.safetensors");
    anyhow::ensure!(
        args.resume || !checkpoint.exists(),
        "{} is there already; give --resume to go on with it or another --output to start anew",
        checkpoint.display()
    );
    let given = args.weights.clone().map_or_else(|| find("classifier.safetensors"), Ok)?;
    let start = fitting::start(&Weights::load(&given)?, args.seed)?;
    let teacher = Weights::load(&args.teacher)?;
    std::fs::create_dir_all(&args.output)
        .with_context(|| format!("cannot make the folder {}", args.output.display()))?;
    let dataset =
        Dataset::load(&args.data, &DatasetOptions { seed: args.seed, ..DatasetOptions::default() })?;
    let [faces, selection] = truth::known(&dataset, &teacher, &args.output.join("known.csv"), args.threads)?;
    anyhow::ensure!(
        !faces.is_empty() && !selection.is_empty(),
        "{} has too few bare faces (no_mask) of 32 pixels and more in split train",
        args.data.display()
    );
    let plan = LandmarksPlan {
        steps: args.steps,
        batch: args.batch,
        learning_rate: args.learning_rate,
        seed: args.seed,
        faces: format!("{} and {} of {}", faces.len(), selection.len(), dataset.checksum()),
        start: start.checksum()?,
    };
    let mut fitting = LandmarksFitting::new(&start, plan)?;
    let mut reached = (Vec::new(), start.clone());
    if args.resume && checkpoint.exists() {
        reached = restore(&checkpoint, &mut fitting, &start)?;
    }
    let (mut rows, mut best) = reached;
    let done = |rows: &[LandmarksEntry]| rows.last().map_or(0, |row| row.step);
    let progress = Progress::new("fitting landmarks", "steps", args.steps, done(&rows));
    while done(&rows) < args.steps {
        let first = done(&rows);
        let step = (first + args.every).min(args.steps);
        let mut sum = 0.0;
        fitting.fit(first..step, &faces, args.threads, |loss| {
            sum += loss;
            progress.advance(1);
        })?;
        let averaged = fitting.averaged()?;
        let errors = measure(&averaged, &selection, args.threads)?;
        let row = LandmarksEntry { step, loss: sum / (step - first) as f64, errors };
        let [bare, masked] = errors;
        progress.note(&format!(
            "step {step}: loss {:.4}; faces set aside: bare {bare:.4} off, below masks {masked:.4}",
            row.loss
        ));
        if rows.iter().all(|other: &LandmarksEntry| row.figure() < other.figure()) {
            best = averaged;
        }
        rows.push(row);
        save(&checkpoint, &fitting, &rows, &best)?;
        write_history(&args.output, &rows, args.steps)?;
    }
    drop(progress);
    let chosen = rows.iter().min_by(|a, b| a.figure().total_cmp(&b.figure())).context("no step was taken")?;
    best.metadata = metadata(args, (&teacher, &start), chosen, [&faces, &selection])?;
    let weights = args.output.join("landmarks.safetensors");
    best.save(&weights)?;
    Ok(Outcome { weights, step: chosen.step, errors: chosen.errors })
}

fn save(
    path: &Path,
    fitting: &LandmarksFitting,
    rows: &[LandmarksEntry],
    best: &Weights,
) -> anyhow::Result<()> {
    let mut state = fitting.state()?;
    for (name, tensor) in best.tensors() {
        state.insert(format!("best.{name}"), tensor.clone());
    }
    state.metadata.insert("reached".to_owned(), serde_json::to_string(rows)?);
    Ok(state.save(path)?)
}

fn restore(
    path: &Path,
    fitting: &mut LandmarksFitting,
    start: &Weights,
) -> anyhow::Result<(Vec<LandmarksEntry>, Weights)> {
    let state = Weights::load(path)?;
    fitting.restore(&state)?;
    let rows = state.metadata.get("reached").and_then(|text| serde_json::from_str(text).ok());
    let rows = rows.with_context(|| format!("{} does not say how far it is", path.display()))?;
    let mut best = start.clone();
    for (name, tensor) in start.tensors() {
        best.insert(name.clone(), state.get(&format!("best.{name}"), tensor.dims())?);
    }
    Ok((rows, best))
}

/// How far the landmarks are off on average: on the bare faces, and below a mask on each.
fn measure(weights: &Weights, faces: &[Known], threads: usize) -> anyhow::Result<[f64; 2]> {
    let network = Landmarks::new(weights, Mode::Inference)?;
    let whole = Rect::new(0.0, 0.0, 1.0, 1.0);
    let (mut sums, mut looks) = ([0.0; 2], Vec::new());
    let mut ask = |looks: &mut Vec<(image::RgbImage, [Point; 5])>| -> anyhow::Result<()> {
        let (crops, wanted): (Vec<_>, Vec<_>) = looks.drain(..).unzip();
        let found = network.forward(&preprocess::normalised(&crops)?)?.to_vec2::<f32>()?;
        for (place, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            let found: [f32; VALUES] = std::array::from_fn(|index| found[index]);
            sums[place % 2] += f64::from(distance_in_shares(wanted, &points(&found, &whole)));
        }
        Ok(())
    };
    let make = |index: u64| {
        let face = &faces[index as usize];
        let mut generator = stream(SELECTION_SEED, Purpose::Drawn, index);
        let view = FaceView::plain(MARGIN);
        Ok::<_, anyhow::Error>([
            face.look(&view, None, &mut generator)?,
            face.look(&view, Some(DrawnKind::Mask), &mut generator)?,
        ])
    };
    prefetch::in_order(0..faces.len() as u64, threads, make, |_, pair| {
        looks.extend(pair);
        if looks.len() >= BATCH { ask(&mut looks) } else { Ok(()) }
    })?;
    if !looks.is_empty() {
        ask(&mut looks)?;
    }
    Ok(sums.map(|sum| sum / faces.len() as f64))
}

/// As [`distance`], which takes eyes less than a pixel apart for a pixel apart.
fn distance_in_shares(wanted: &[Point; 5], found: &[Point; 5]) -> f32 {
    let pixels = |points: &[Point; 5]| points.map(|p| Point { x: p.x * INPUT as f32, y: p.y * INPUT as f32 });
    distance(&pixels(wanted), &pixels(found))
}

fn write_history(folder: &Path, rows: &[LandmarksEntry], steps: u64) -> anyhow::Result<()> {
    let mut text = "step,loss,selection_error_bare,selection_error_masked\n".to_owned();
    for LandmarksEntry { step, loss, errors: [bare, masked] } in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{step},{loss:.5},{bare:.5},{masked:.5}");
    }
    write_file(&folder.join("history.csv"), text.as_bytes())?;
    let line = |name: &str, value: &dyn Fn(&LandmarksEntry) -> f64| Series {
        name: name.to_owned(),
        points: rows.iter().map(|row| (row.step as f64, value(row))).collect(),
    };
    let chart = Chart {
        title: "Landmarks off, by the eyes' distance".to_owned(),
        x_label: "step".to_owned(),
        series: vec![
            line("loss", &|row| row.loss),
            line("faces set aside, bare", &|row| row.errors[0]),
            line("faces set aside, below masks", &|row| row.errors[1]),
        ],
        x_end: steps as f64,
        y_limits: (0.0, f64::MAX),
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    curves::draw(&[chart]).write_to(&mut bytes, image::ImageFormat::Png)?;
    Ok(write_file(&folder.join("curves.png"), &bytes.into_inner())?)
}

fn metadata(
    args: &Args,
    (teacher, start): (&Weights, &Weights),
    chosen: &LandmarksEntry,
    [faces, selection]: [&[Known]; 2],
) -> anyhow::Result<BTreeMap<String, String>> {
    let command: Vec<String> = std::env::args().skip(1).collect();
    let file_name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let figures = serde_json::json!({
        "on": "bare faces of split train that were set aside; they chose the step",
        "error_bare": chosen.errors[0],
        "error_below_drawn_masks": chosen.errors[1],
    });
    Ok(BTreeMap::from(
        [
            ("architecture", "MobileNetV2 1.0 up to features.13, 1x1 to 32 channels, linear to 10".to_owned()),
            (
                "input",
                format!(
                    "{INPUT}x{INPUT} RGB, a square of {MARGIN} times the face's longer side, normalised as the classifier's"
                ),
            ),
            ("teacher", format!("{} {}", file_name(&args.teacher), teacher.checksum()?)),
            ("starting_weights_crc32", start.checksum()?),
            ("command", format!("maskwatch {}", command.join(" "))),
            ("maskwatch", env!("CARGO_PKG_VERSION").to_owned()),
            ("seed", args.seed.to_string()),
            ("step", format!("{} of {}", chosen.step, args.steps)),
            ("data", format!("{} bare faces of split train, {} set aside", faces.len(), selection.len())),
            ("figures", figures.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    ))
}
