//! Faces close to a cheap webcam before a bright window ([`crate::data::webcam`]): how many are found, and
//! how many of those that may be judged are judged rightly.

use super::error::EvalError;
use super::evaluation::Evaluation;
use super::metrics::{Band, Proportion};
use super::mistakes::Mistake;
use super::named::Named;
use super::networks::Look;
use super::table::{heading, line};
use crate::data::labels::Label;
use crate::data::matching::MIN_IOU;
use crate::data::pictures::{self, LabelledPicture, Measured};
use crate::data::webcam::{FRAME, LEAST_ENLARGED, WebcamView};
use crate::random::{Purpose, stream};
use maskwatch::decide::{Rules, Verdict};
use maskwatch::geometry::Rect;
use maskwatch::vision::Judgement;
use serde::Serialize;
use std::fmt::{self, Display, Formatter};
use std::path::Path;

/// Widths of the faces in percent of the frame's width.
const BANDS: [Band; 4] = [
    Band { name: "40-60", from: 40.0, below: 60.0 },
    Band { name: "60-80", from: 60.0, below: 80.0 },
    Band { name: "80-100", from: 80.0, below: 100.0 },
    Band { name: "100+", from: 100.0, below: f32::INFINITY },
];

/// The figures of some views.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CloseFigures {
    /// Faces that were found, and count as somebody's.
    pub found: Proportion,
    /// Those that the gates let be judged.
    pub judged: Proportion,
    /// Those of them whose single look does not speak for the wrong thing: no pass without a mask worn
    /// rightly, no alert with one.
    pub right: Proportion,
    /// Other boxes in the frame that count as somebody's; by frame.
    pub others: Proportion,
}

/// The figures of `eval close`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CloseReport {
    /// Over all faces.
    pub all: CloseFigures,
    /// By their width in percent of the frame's.
    pub bands: Named<CloseFigures>,
    /// By their label.
    pub labels: Named<CloseFigures>,
}

/// One view, and what was made of it.
struct CloseSeen {
    label: Label,
    percent: f32,
    found: bool,
    /// Whether the verdict is right, where the face was judged.
    right: Option<bool>,
    others: bool,
}

impl CloseFigures {
    fn of<'a>(seen: impl Iterator<Item = &'a CloseSeen>) -> Self {
        let mut figures = Self::default();
        for one in seen {
            figures.found.add(one.found);
            figures.others.add(one.others);
            if one.found {
                figures.judged.add(one.right.is_some());
            }
            if let Some(right) = one.right {
                figures.right.add(right);
            }
        }
        figures
    }
}

/// Shows the chain each labelled face of `pictures` once, in a view that depends on the seed and the face's
/// place alone. Frames with a mistake are written to `folder`, named by the mistake.
pub fn evaluate(
    pictures: &[LabelledPicture],
    images: &Path,
    seed: u64,
    (look, rules): (&Look<'_>, &Rules),
    folder: Option<&Path>,
    progress: &(dyn Fn(usize) + Sync),
) -> Evaluation<CloseReport> {
    let places: std::collections::HashMap<&str, u64> =
        pictures.iter().zip(0..).map(|(picture, place)| (picture.image.as_str(), place)).collect();
    let Measured { results, failures } = pictures::measure(pictures, images, progress, |picture, pixels| {
        let mut all = Vec::new();
        let place = places.get(picture.image.as_str()).copied().unwrap_or_default();
        for (number, face) in (0u64..).zip(&picture.boxes) {
            if face.rect.side() < LEAST_ENLARGED {
                continue;
            }
            let mut generator = stream(seed, Purpose::Clip, (1 << 40) | (place << 8) | number);
            let view = WebcamView::random(&mut generator);
            let is_masked = face.label == Label::Mask;
            let (frame, rect) = view.frame(pixels, &face.rect, is_masked, &mut generator);
            let seen = rect.clipped(FRAME.0, FRAME.1);
            let faces = look(&frame)?;
            let overlap = |found: &Rect| found.clipped(FRAME.0, FRAME.1).iou(&seen);
            let best = faces.iter().max_by(|a, b| overlap(&a.rect).total_cmp(&overlap(&b.rect)));
            let best = best.filter(|best| overlap(&best.rect) >= MIN_IOU);
            let found = best.filter(|best| best.judgement != Judgement::Nobody);
            let right = found.filter(|found| found.judgement.answer().is_some()).map(|found| {
                match rules.verdict(found.rect.side(), &found.judgement) {
                    Verdict::Unsure => true,
                    Verdict::Masked => is_masked,
                    Verdict::Unmasked | Verdict::Incorrect => !is_masked,
                }
            });
            let problem = match (found, right) {
                (None, _) if best.is_some() => Some("called nobody"),
                (None, _) => Some("missed"),
                (_, Some(false)) => Some("judged wrongly"),
                _ => None,
            };
            if let (Some(folder), Some(problem)) = (folder, problem) {
                let name = format!("{}-{place}-{number}.jpg", problem.replace(' ', "-"));
                let path = folder.join(name);
                frame.save(&path).map_err(|source| EvalError::Strip { path, source })?;
            }
            let mistake = problem.map(|problem| Mistake {
                image: face.image.clone(),
                rect: face.rect,
                label: Some(face.label),
                p_mask: found.and_then(|found| found.judgement.answer()).map(|answer| answer.mask),
                problem,
            });
            let others = faces
                .iter()
                .any(|other| other.judgement != Judgement::Nobody && overlap(&other.rect) < MIN_IOU);
            let percent = 100.0 * view.share;
            all.push((
                CloseSeen { label: face.label, percent, found: found.is_some(), right, others },
                mistake,
            ));
        }
        Ok::<_, EvalError>(all)
    });
    let (seen, mistakes): (Vec<CloseSeen>, Vec<Option<Mistake>>) = results.into_iter().flatten().unzip();
    let band =
        |band: &Band| (band.name, CloseFigures::of(seen.iter().filter(|one| band.contains(one.percent))));
    let labels = Label::ALL
        .map(|label| (label.name(), CloseFigures::of(seen.iter().filter(|one| one.label == label))));
    let report = CloseReport {
        all: CloseFigures::of(seen.iter()),
        bands: BANDS.iter().map(band).collect(),
        labels: labels.into_iter().collect(),
    };
    Evaluation { report, mistakes: mistakes.into_iter().flatten().collect(), failures }
}

impl Display for CloseReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let bands = self.bands.0.iter().map(|(band, figures)| (format!("{band} % of the width"), figures));
        let labels = self.labels.0.iter().map(|(label, figures)| (label.clone(), figures));
        for (title, figures) in [("all faces".to_owned(), &self.all)].into_iter().chain(bands).chain(labels) {
            let CloseFigures { found, judged, right, others } = figures;
            heading(out, &title)?;
            line(out, "found", found)?;
            line(out, "judged", judged)?;
            line(out, "not judged wrongly", right)?;
            line(out, "frames with another face", others)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::pictures::tests::row;
    use image::{Rgb, RgbImage};
    use maskwatch::vision::JudgedFace;
    use maskwatch::vision::classifier::Probabilities;

    #[test]
    fn what_is_missed_or_judged_wrongly_is_told() {
        let folder = tempfile::tempdir().unwrap();
        RgbImage::from_pixel(200, 200, Rgb([140, 120, 110])).save(folder.path().join("a.png")).unwrap();
        let pictures = pictures::group(vec![
            row("a.png", [60.0, 60.0, 60.0, 60.0], Label::NoMask),
            row("a.png", [0.0, 0.0, 20.0, 20.0], Label::Mask),
        ]);
        let run = |judgement: Option<Judgement>| {
            let look = |frame: &RgbImage| {
                // The head is what is dark.
                let dark = |x: u32, y: u32| frame.get_pixel(x, y).0[1] < 110;
                let row: Vec<u32> = (0..640).filter(|x| dark(*x, 240)).collect();
                let (left, right) = (*row.first().unwrap() as f32, *row.last().unwrap() as f32);
                let rect = Rect::new(left, 0.0, right - left, 480.0);
                Ok(judgement
                    .map(|judgement| JudgedFace { judgement, ..JudgedFace::unasked(rect, 0.9) })
                    .into_iter()
                    .collect())
            };
            let frames = Some(folder.path());
            evaluate(&pictures, folder.path(), 1, (&look, &Rules::default()), frames, &|_| ())
        };
        let figures = |judgement| {
            let CloseFigures { found, judged, right, .. } = run(judgement).report.all;
            assert_eq!(found.of, 1, "the small face is left out");
            (found.hits, judged.hits, right.hits)
        };
        let answer = |mask| Some(Judgement::Answered(Probabilities::of_mask(mask)));
        assert_eq!(figures(None), (0, 0, 0));
        assert_eq!(figures(Some(Judgement::Nobody)), (0, 0, 0));
        assert_eq!(figures(answer(0.01)), (1, 1, 1));
        assert_eq!(figures(answer(0.99)), (1, 1, 0));
        assert_eq!(run(answer(0.99)).mistakes[0].problem, "judged wrongly");
        assert!(folder.path().join("judged-wrongly-0-0.jpg").is_file());
    }
}
