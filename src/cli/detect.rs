//! `maskwatch detect`: finds and classifies the faces of pictures, prints them, and draws them if asked.

use super::networks::{DetectorArgs, ModelArgs, VerdictArgs, chain};
use super::outcome::{Outcome, print};
use crate::config::Config;
use crate::decide::{Rules, Verdict};
use crate::geometry::{Point, Rect};
use crate::pixels::annotate::{Mark, annotate, outline};
use crate::pixels::format::MAX_PIXELS;
use crate::source::{SourceError, files};
use crate::text::{escaped, escaped_json};
use crate::vision::zones::{Zone, ZoneKind, Zones};
use crate::vision::{Chain, JudgedFace, Judgement, Vision, everybody};
use anyhow::Context;
use image::{Rgb, RgbImage};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// JPEG and PNG pictures, and folders of them (searched with their subfolders)
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How to print what was found
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Also write each picture with its faces framed into this folder, as NAME-faces.jpg
    #[arg(long, value_name = "DIR")]
    annotate: Option<PathBuf>,
    /// Apply the zones of this configuration file, and draw them onto the annotated pictures
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    detector: DetectorArgs,
    #[command(flatten)]
    models: ModelArgs,
    #[command(flatten)]
    verdict: VerdictArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Lines for people
    Text,
    /// One JSON object per picture and line
    Jsonl,
}

/// One line of `--format jsonl`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ReportLine {
    Found {
        image: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        image_hex: Option<String>,
        width: u32,
        height: u32,
        faces: Vec<FaceReport>,
    },
    Failed {
        image: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        image_hex: Option<String>,
        error: String,
    },
}

#[derive(Debug, Clone, Serialize)]
struct FaceReport {
    /// Left, top, width, height in pixels of the picture.
    #[serde(rename = "box")]
    rect: [f32; 4],
    score: f32,
    label: &'static str,
    /// `null` where the classifier was not asked.
    p_mask: Option<f32>,
    p_incorrect: Option<f32>,
    /// What stopped the face from being classified, where something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_by: Option<&'static str>,
}

pub(crate) fn run(args: Args) -> Outcome {
    let zones = match &args.config {
        Some(path) => Config::load(path)?.zones,
        None => Zones::default(),
    };
    let searcher = Searcher {
        chain: chain(&args.models, &args.detector, args.verdict.gates(), zones.clone())?,
        rules: args.verdict.rules(),
        zones,
    };
    let inputs: Vec<PictureFile> = args.paths.iter().flat_map(|path| inputs(path)).collect();
    let targets = match &args.annotate {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create the folder {}", folder.display()))?;
            targets(folder, &inputs)?.into_iter().map(Some).collect()
        }
        None => vec![None; inputs.len()],
    };
    let work: Vec<(PictureFile, Option<PathBuf>)> = inputs.into_iter().zip(targets).collect();
    let threads = args.models.threads.map_or_else(rayon::current_num_threads, usize::from).max(1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let mut failed = 0;
    let mut rest = work.as_slice();
    // Lines come in the order of the arguments.
    while !rest.is_empty() {
        let pixels = |(input, _): &(PictureFile, _)| input.pixels();
        let (part, later) = rest.split_at(together(rest.iter().map(pixels), threads));
        rest = later;
        let lines: Vec<ReportLine> = pool.install(|| {
            part.par_iter()
                .map_init(|| searcher.clone(), |own, (input, target)| own.line(input, target.as_deref()))
                .collect()
        });
        for line in lines {
            let text = match args.format {
                Format::Jsonl => format!("{}\n", escaped_json(&serde_json::to_string(&line)?)),
                Format::Text => line.text(),
            };
            if let ReportLine::Failed { error, .. } = &line {
                failed += 1;
                if args.format == Format::Text {
                    eprintln!("error: {}", escaped(error));
                }
            }
            print(&text)?;
        }
    }
    if failed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    anyhow::bail!("{failed} of {} pictures could not be searched", work.len())
}

/// The chain and the rules for what is said of a face.
#[derive(Clone)]
struct Searcher {
    chain: Chain,
    rules: Rules,
    zones: Zones,
}

impl Searcher {
    fn line(&mut self, input: &PictureFile, target: Option<&Path>) -> ReportLine {
        let (image, image_hex) = (input.path.display().to_string(), hex(&input.path));
        match self.search(input, target) {
            Ok((width, height, faces)) => ReportLine::Found { image, image_hex, width, height, faces },
            Err(error) => ReportLine::Failed { image, image_hex, error: format!("{error:#}") },
        }
    }

    fn search(
        &mut self,
        input: &PictureFile,
        target: Option<&Path>,
    ) -> anyhow::Result<(u32, u32, Vec<FaceReport>)> {
        if let Some(problem) = &input.problem {
            anyhow::bail!("{problem}");
        }
        let mut picture = files::load(&input.path)?;
        let mut found =
            self.chain.look((&picture).into(), &mut everybody).map_err(anyhow::Error::from_boxed)?;
        found.retain(|face| face.judgement != Judgement::Nobody);
        let answers = found.iter().filter_map(|face| face.judgement.answer());
        anyhow::ensure!(
            answers.into_iter().all(|answer| answer.are_sound()),
            "the classifier does not give a probability; its weights may be damaged"
        );
        let faces: Vec<(Verdict, FaceReport)> = found.iter().map(|face| self.face(face)).collect();
        let (width, height) = picture.dimensions();
        if let Some(target) = target {
            let marks: Vec<Mark> = found
                .iter()
                .zip(&faces)
                .map(|(found, (verdict, face))| mark(&found.rect, *verdict, face))
                .collect();
            self.zones.0.iter().for_each(|zone| draw(zone, &mut picture));
            annotate(&mut picture, &marks);
            save(&picture, target).with_context(|| format!("cannot write {}", target.display()))?;
        }
        Ok((width, height, faces.into_iter().map(|(_, face)| face).collect()))
    }

    fn face(&self, face: &JudgedFace) -> (Verdict, FaceReport) {
        let Rect { x, y, w, h } = face.rect;
        let verdict = self.rules.verdict(face.rect.side(), &face.judgement);
        let answer = face.judgement.answer();
        let face = FaceReport {
            rect: [x, y, w, h].map(|value| rounded(value, 10.0)),
            score: rounded(face.score, 1e4),
            label: label(verdict),
            p_mask: answer.map(|answer| rounded(answer.mask, 1e4)),
            p_incorrect: answer.map(|answer| rounded(answer.incorrect, 1e4)),
            stopped_by: match face.judgement {
                Judgement::Stopped(gate) => Some(gate.name()),
                Judgement::Unasked | Judgement::Nobody | Judgement::Answered(_) => None,
            },
        };
        (verdict, face)
    }
}

impl ReportLine {
    fn text(&self) -> String {
        let Self::Found { image, width, height, faces, .. } = self else { return String::new() };
        let count = match faces.len() {
            1 => "1 face".to_owned(),
            n => format!("{n} faces"),
        };
        let mut text = format!("{}: {width}x{height}, {count}\n", escaped(image));
        for FaceReport { rect: [x, y, w, h], score, label, p_mask, p_incorrect, stopped_by } in faces {
            let judged = match (p_mask, p_incorrect, stopped_by) {
                (Some(p_mask), Some(p_incorrect), _) => {
                    format!("p_mask {p_mask:.3}  p_incorrect {p_incorrect:.3}")
                }
                (_, _, gate) => format!("not judged: {}", gate.unwrap_or_default()),
            };
            text += &format!("  {label:<9} {judged}  box {x:.0},{y:.0} {w:.0}x{h:.0}  score {score:.2}\n");
        }
        text
    }
}

/// The nearest value with the decimals that one `unit`-th shows: more say nothing and make lines long.
fn rounded(value: f32, unit: f32) -> f32 {
    (f64::from(value * unit).round() / f64::from(unit)) as f32
}

fn label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Masked => "mask",
        Verdict::Unmasked => "no_mask",
        Verdict::Incorrect => "incorrect",
        Verdict::Unsure => "unsure",
    }
}

fn mark(rect: &Rect, verdict: Verdict, face: &FaceReport) -> Mark {
    let text = match (face.p_mask, face.stopped_by) {
        (Some(p_mask), _) => format!("{} {p_mask:.2}", face.label),
        (None, gate) => format!("{} ({})", face.label, gate.unwrap_or_default()),
    };
    Mark { rect: *rect, text, colour: Rgb(verdict.colour()) }
}

fn draw(zone: &Zone, picture: &mut RgbImage) {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let corners: Vec<Point> =
        zone.corners.iter().map(|corner| Point { x: corner.x * width, y: corner.y * height }).collect();
    let colour = match zone.kind {
        ZoneKind::Count => Rgb([0, 90, 200]),
        ZoneKind::Ignore => Rgb([110, 110, 110]),
    };
    outline(picture, &corners, &format!("{} ({})", zone.name, zone.kind.name()), colour);
}

fn save(picture: &RgbImage, target: &Path) -> anyhow::Result<()> {
    let file = std::io::BufWriter::new(std::fs::File::create(target)?);
    Ok(picture.write_with_encoder(image::codecs::jpeg::JpegEncoder::new_with_quality(file, 90))?)
}

/// A picture to search, or a path that cannot be searched and why.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PictureFile {
    path: PathBuf,
    problem: Option<String>,
}

impl PictureFile {
    fn bad(path: &Path, error: SourceError) -> Self {
        Self { path: path.to_owned(), problem: Some(format!("{:#}", anyhow::Error::from(error))) }
    }

    /// How many pixels it says it has; none if that cannot be read, since it will not be decoded then.
    fn pixels(&self) -> u64 {
        let known = if self.problem.is_none() { files::dimensions(&self.path) } else { None };
        known.map_or(0, |(width, height)| u64::from(width) * u64::from(height))
    }
}

/// How many of the next pictures are searched together: at most one for each thread, and so many that their
/// pixels fit into memory; one at least.
fn together(pixels: impl Iterator<Item = u64>, threads: usize) -> usize {
    let mut sum = 0u64;
    let fits = |pixels: &u64| {
        sum = sum.saturating_add(*pixels);
        sum <= MAX_PIXELS
    };
    pixels.take(threads).take_while(fits).count().max(1)
}

/// What `path` stands for: itself, or the pictures below it, and what could not be read there.
fn inputs(path: &Path) -> Vec<PictureFile> {
    match files::list(path) {
        Ok(listing) => {
            if let Some(note) = listing.note() {
                eprintln!("note: {}", escaped(&format!("{}: {note}", path.display())));
            }
            let problems = listing.problems.into_iter().map(|error| {
                let place = if let SourceError::Unreadable { path, .. } = &error {
                    path.clone()
                } else {
                    path.to_owned()
                };
                PictureFile::bad(&place, error)
            });
            let pictures = listing.pictures.into_iter().map(|path| PictureFile { path, problem: None });
            pictures.chain(problems).collect()
        }
        Err(error) => vec![PictureFile::bad(path, error)],
    }
}

/// The bytes of a path that is not UTF-8, as hexadecimal digits: shown as text, different ones may be the
/// same.
fn hex(path: &Path) -> Option<String> {
    let bytes = path.as_os_str().as_encoded_bytes();
    path.to_str().is_none().then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Where the annotated picture of each input goes: `NAME-faces.jpg`, numbered where two have one name, never
/// an input.
fn targets(folder: &Path, inputs: &[PictureFile]) -> anyhow::Result<Vec<PathBuf>> {
    let folder = folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))?;
    let mut taken: HashSet<PathBuf> =
        inputs.iter().filter_map(|input| input.path.canonicalize().ok()).collect();
    let target = |input: &PictureFile| {
        let name = |number: usize| {
            let mut name = input.path.file_stem().map_or_else(OsString::new, OsString::from);
            name.push(if number == 1 { "-faces.jpg".into() } else { format!("-faces-{number}.jpg") });
            folder.join(name)
        };
        let free = (1..).map(name).find(|target| !taken.contains(target)).unwrap_or_else(|| name(1));
        taken.insert(free.clone());
        free
    };
    Ok(inputs.iter().map(target).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotated_pictures_overwrite_no_input_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["a.jpg", "a.png", "b/a.jpg", "a-faces.jpg"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let inputs = inputs(folder.path());
        let targets = targets(folder.path(), &inputs).unwrap();
        let names: Vec<_> = targets.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a-faces-faces.jpg", "a-faces-2.jpg", "a-faces-3.jpg", "a-faces-4.jpg"]);
    }

    #[test]
    fn large_pictures_are_searched_one_after_the_other() {
        let count = |pixels: &[u64], threads| together(pixels.iter().copied(), threads);
        assert_eq!(count(&[MAX_PIXELS, MAX_PIXELS], 4), 1);
        assert_eq!(count(&[MAX_PIXELS / 2, MAX_PIXELS / 2, 1], 4), 2);
        assert_eq!(count(&[9; 9], 4), 4);
        assert_eq!(count(&[9; 9], 1), 1);
        assert_eq!(count(&[u64::MAX, u64::MAX], 4), 1, "one at least");
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_stay_distinct() {
        use std::os::unix::ffi::OsStrExt;
        let name = |bytes: &[u8]| hex(Path::new(std::ffi::OsStr::from_bytes(bytes)));
        assert_eq!(name(b"a.jpg"), None);
        assert_eq!(name(b"a\xff"), Some("61ff".to_owned()));
        assert_ne!(name(b"a\xff"), name(b"a\xfe"));
    }

    #[test]
    fn a_line_of_json() {
        let face = FaceReport {
            rect: [1.25, -2.0, 30.04, 40.0].map(|value| rounded(value, 10.0)),
            score: rounded(0.912_345, 1e4),
            label: "unsure",
            p_mask: Some(0.5),
            p_incorrect: Some(0.125),
            stopped_by: None,
        };
        let stopped = FaceReport { p_mask: None, p_incorrect: None, stopped_by: Some("yaw"), ..face.clone() };
        let line = ReportLine::Found {
            image: "a.jpg".into(),
            image_hex: None,
            width: 64,
            height: 48,
            faces: vec![face],
        };
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            r#"{"image":"a.jpg","width":64,"height":48,"faces":[{"box":[1.3,-2.0,30.0,40.0],"score":0.9123,"label":"unsure","p_mask":0.5,"p_incorrect":0.125}]}"#
        );
        let line = ReportLine::Found {
            image: "a.jpg".into(),
            image_hex: None,
            width: 64,
            height: 48,
            faces: vec![stopped],
        };
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            r#"{"image":"a.jpg","width":64,"height":48,"faces":[{"box":[1.3,-2.0,30.0,40.0],"score":0.9123,"label":"unsure","p_mask":null,"p_incorrect":null,"stopped_by":"yaw"}]}"#
        );
        let line = ReportLine::Failed { image: "b.jpg".into(), image_hex: None, error: "it is empty".into() };
        assert_eq!(serde_json::to_string(&line).unwrap(), r#"{"image":"b.jpg","error":"it is empty"}"#);
    }
}
