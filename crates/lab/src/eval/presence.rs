//! Whether what is no face is told from what is one: pictures without people through the daemon's chain, and
//! what that costs among annotated faces.

use super::error::EvalError;
use super::evaluation::Evaluation;
use super::metrics::Proportion;
use super::mistakes::Mistake;
use super::named::Named;
use super::networks::Look;
use super::table::{heading, line};
use crate::data::non_faces::EmptyPicture;
use crate::data::pictures::{self, Failure, LabelledPicture, Measured};
use crate::data::webcam::{self, WebcamView};
use crate::random::{Purpose, stream};
use image::RgbImage;
use maskwatch::decide::{Rules, Verdict};
use maskwatch::geometry::Rect;
use maskwatch::source::files;
use maskwatch::vision::classifier::Presence;
use maskwatch::vision::quality::Gates;
use maskwatch::vision::{JudgedFace, Judgement};
use rayon::prelude::*;
use serde::Serialize;
use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Faces below this many pixels are not asked about: the daemon does not judge them.
const LEAST_SIDE: f32 = 20.0;

/// Says for each box of a picture whether a face is there.
pub type AskPresence<'a> = dyn Fn(&RgbImage, &[Rect]) -> Result<Vec<Presence>, EvalError> + Sync + 'a;

/// What the daemon would make of some pictures without people; shares of the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct EmptyFigures {
    /// The detector found something that counts as a face by its size.
    pub found: Proportion,
    /// Somebody is seen, who may be asked to come closer.
    pub seen: Proportion,
    /// Somebody's face was judged.
    pub judged: Proportion,
    /// A single look speaks for an alert.
    pub alerted: Proportion,
}

impl EmptyFigures {
    fn add(&mut self, seen: &EmptySeen) {
        self.found.add(seen.found);
        self.seen.add(seen.seen);
        self.judged.add(seen.judged);
        self.alerted.add(seen.alerted);
    }
}

/// What became of one picture without people.
#[derive(Debug, Clone, PartialEq, Default)]
struct EmptySeen {
    found: bool,
    seen: bool,
    judged: bool,
    alerted: bool,
    mistakes: Vec<Mistake>,
}

impl EmptySeen {
    fn of(image: &str, width: u32, faces: &[JudgedFace], rules: &Rules) -> Self {
        let least = rules.ignore_below.pixels(width);
        let mut seen = Self::default();
        for JudgedFace { rect, judgement, .. } in faces {
            seen.found |= rect.side() >= least;
            if rect.side() < least || *judgement == Judgement::Nobody {
                continue;
            }
            seen.seen = true;
            let verdict = rules.verdict(rect.side(), judgement);
            let is_judged = rect.side() >= rules.min_face_side && judgement.answer().is_some();
            seen.judged |= is_judged;
            seen.alerted |= matches!(verdict, Verdict::Unmasked | Verdict::Incorrect);
            if is_judged {
                seen.mistakes.push(Mistake {
                    image: image.to_owned(),
                    rect: *rect,
                    label: None,
                    p_mask: judgement.answer().map(|answer| answer.mask),
                    problem: if seen.alerted { "alerted, but no face" } else { "judged, but no face" },
                });
            }
        }
        seen
    }
}

/// What telling faces from others costs among annotated faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct FaceFigures {
    /// Real faces that count as nobody.
    pub nobody: Proportion,
    /// Others of which neither nose nor mouth is said to be in sight.
    pub hidden: Proportion,
}

/// The figures of `eval presence`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PresenceReport {
    /// Over all pictures without people.
    pub empty: EmptyFigures,
    /// The same by what they show.
    pub groups: Named<EmptyFigures>,
    /// The same pictures, a part of each as a cheap webcam close to it sees it before a bright window.
    pub dark: EmptyFigures,
    /// Over annotated faces of at least 20 pixels (shorter side), by table.
    pub faces: Named<FaceFigures>,
}

/// Part of a picture without people, as a cheap webcam sees it; the same for the same place in the table.
#[must_use]
pub fn dark(place: usize, picture: &RgbImage) -> RgbImage {
    let mut generator = stream(1, Purpose::Clip, (2 << 40) | place as u64);
    let view = WebcamView::random(&mut generator);
    let part = webcam::place(picture.dimensions(), &mut generator);
    view.frame(picture, &part, true, &mut generator).0
}

/// Looks at pictures without people, in which nobody should be seen, as `show` shows them.
pub fn empty(
    pictures: &[EmptyPicture],
    show: &(dyn Fn(usize, RgbImage) -> RgbImage + Sync),
    look: &Look<'_>,
    rules: &Rules,
    progress: &(dyn Fn(usize) + Sync),
) -> Evaluation<PresenceReport> {
    let done = AtomicUsize::new(0);
    let outcomes: Vec<Result<EmptySeen, Failure>> = pictures
        .par_iter()
        .enumerate()
        .map(|(place, EmptyPicture { path, .. })| {
            let image = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let pixels = files::load(path).map_err(|error| pictures::with_causes(&error));
            let seen = pixels.and_then(|pixels| {
                let pixels = show(place, pixels);
                let faces = look(&pixels).map_err(|error| pictures::with_causes(&error))?;
                Ok(EmptySeen::of(&image, pixels.width(), &faces, rules))
            });
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            seen.map_err(|problem| Failure { image, problem })
        })
        .collect();
    let mut all = EmptyFigures::default();
    let mut groups: Named<EmptyFigures> = Named(Vec::new());
    let (mut mistakes, mut failures) = (Vec::new(), Vec::new());
    for (EmptyPicture { group, .. }, outcome) in pictures.iter().zip(outcomes) {
        match outcome {
            Ok(seen) => {
                all.add(&seen);
                if !groups.0.iter().any(|(name, _)| name == group) {
                    groups.0.push((group.clone(), EmptyFigures::default()));
                }
                groups.0.iter_mut().filter(|(name, _)| name == group).for_each(|(_, own)| own.add(&seen));
                mistakes.extend(seen.mistakes);
            }
            Err(failure) => failures.push(failure),
        }
    }
    groups.0.sort_by(|(one, _), (other, _)| one.cmp(other));
    let report =
        PresenceReport { empty: all, groups, dark: EmptyFigures::default(), faces: Named(Vec::new()) };
    Evaluation { report, mistakes, failures }
}

/// Asks about the annotated faces of `pictures`, which are all faces.
pub fn faces(
    pictures: &[LabelledPicture],
    images: &Path,
    gates: &Gates,
    ask: &AskPresence<'_>,
    progress: &(dyn Fn(usize) + Sync),
) -> Evaluation<FaceFigures> {
    let Measured { results, failures } = pictures::measure(pictures, images, progress, |picture, pixels| {
        let faces: Vec<_> = picture.boxes.iter().filter(|face| face.rect.side() >= LEAST_SIDE).collect();
        let rects: Vec<Rect> = faces.iter().map(|face| face.rect).collect();
        let answers = if rects.is_empty() { Vec::new() } else { ask(pixels, &rects)? };
        Ok::<_, EvalError>(faces.into_iter().cloned().zip(answers).collect::<Vec<_>>())
    });
    let mut report = FaceFigures::default();
    let mut mistakes = Vec::new();
    for (face, presence) in results.into_iter().flatten() {
        let (is_nobody, is_hidden) = (gates.rule_out(&presence, 1.0), gates.hide(&presence));
        report.nobody.add(is_nobody);
        report.hidden.add(is_hidden && !is_nobody);
        if is_nobody || is_hidden {
            mistakes.push(Mistake {
                image: face.image,
                rect: face.rect,
                label: Some(face.label),
                p_mask: None,
                problem: if is_nobody { "called nobody" } else { "called hidden" },
            });
        }
    }
    Evaluation { report, mistakes, failures }
}

impl Display for PresenceReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let mut section = |title: &str, EmptyFigures { found, seen, judged, alerted }: &EmptyFigures| {
            heading(out, title)?;
            line(out, "a face found", found)?;
            line(out, "somebody seen", seen)?;
            line(out, "somebody judged", judged)?;
            line(out, "an alert by a single look", alerted)
        };
        section("pictures without people", &self.empty)?;
        for (group, figures) in &self.groups.0 {
            section(group, figures)?;
        }
        section("all of them before a bright window", &self.dark)?;
        for (table, FaceFigures { nobody, hidden }) in &self.faces.0 {
            heading(out, &format!("faces of {table} from {LEAST_SIDE} px"))?;
            line(out, "called nobody", nobody)?;
            line(out, "called hidden", hidden)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maskwatch::vision::classifier::Probabilities;
    use maskwatch::vision::quality::Gate;

    #[test]
    fn what_is_seen_where_nobody_is_counts_by_picture() {
        let face = |side: f32, judgement| JudgedFace {
            judgement,
            ..JudgedFace::unasked(Rect::new(0.0, 0.0, side, side), 0.9)
        };
        let bare = Judgement::Answered(Probabilities::of_mask(0.01));
        let rules = Rules::default();
        let seen = |faces: &[JudgedFace]| {
            let EmptySeen { found, seen, judged, alerted, .. } = EmptySeen::of("a", 640, faces, &rules);
            (found, seen, judged, alerted)
        };
        assert_eq!(seen(&[]), (false, false, false, false));
        assert_eq!(seen(&[face(10.0, bare)]), (false, false, false, false), "ignored by its size");
        assert_eq!(seen(&[face(60.0, Judgement::Nobody)]), (true, false, false, false));
        assert_eq!(seen(&[face(60.0, Judgement::Stopped(Gate::Hidden))]), (true, true, false, false));
        let unclear = Judgement::Answered(Probabilities::of_mask(0.5));
        assert_eq!(seen(&[face(60.0, unclear)]), (true, true, true, false));
        assert_eq!(seen(&[face(60.0, Judgement::Nobody), face(60.0, bare)]), (true, true, true, true));
    }
}
