//! A clip through the daemon's own loop: what the door did, and for whom. Time is that of the frames: the
//! networks take none of it, so the machine's speed changes no figure.

use super::clip::Clip;
use super::film::Film;
use crate::data::labels::Label;
use crate::eval::error::EvalError;
use crate::eval::film::FilmClock;
use crate::eval::metrics::Proportion;
use crate::eval::strip::ClipStrip;
use maskwatch::config::Config;
use maskwatch::daemon::{Daemon, Event, Face, Flags, FramePace, Observer, Watch};
use maskwatch::decide::{DoorState, Finding, Rules, Verdict};
use maskwatch::geometry::Rect;
use maskwatch::outputs::{Outputs, Panel, simulated};
use maskwatch::track::TrackId;
use maskwatch::vision::Vision;
use maskwatch_pictures::doorway::path::FRAME;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Farthest that a found face's middle may lie from a person's true one to be that person's, in face sizes.
const REACH: f32 = 0.75;
/// The outputs' own patience is not tried here: it counts real time.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// What became of one person in one clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Fate {
    /// What the person is.
    pub label: Label,
    /// When the person could be judged first.
    pub usable_from: Duration,
    /// When the person was first taken for one without a mask: for a masked person, that an alert was raised
    /// on its account; for others also that its face stood as *unmasked* while the door showed *alert*.
    pub alerted: Option<Duration>,
    /// Whether the person was ever taken for one with a mask, in a frame that shows the whole face, unhidden
    /// and large enough.
    pub passed: bool,
    /// In how many of those frames it was found.
    pub found: Proportion,
}

impl Fate {
    /// From when the person could be judged until the alert; nothing without one.
    #[must_use]
    pub fn time_to_alert(&self) -> Option<Duration> {
        self.alerted.map(|alerted| alerted.saturating_sub(self.usable_from))
    }
}

/// What became of everybody in one clip.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipOutcome {
    /// One for each person of the clip, in their order; nothing for who never came near enough to be judged.
    pub fates: Vec<Option<Fate>>,
    /// Whether an alert was raised where nobody's face is.
    pub alert_at_nobody: bool,
}

/// Runs `clip` at `rate` frames a second through a daemon of its own, which looks through `vision` and
/// is configured so. Frames are also shown to `strip`.
///
/// # Errors
/// What the daemon says is wrong with the networks or the simulated outputs.
pub fn run(
    clip: &Arc<Clip>,
    rate: f32,
    vision: Box<dyn Vision>,
    config: &Config,
    strip: Option<&mut ClipStrip>,
) -> Result<ClipOutcome, EvalError> {
    let clock = FilmClock::default();
    let film = Film::new(Arc::clone(clip), rate, clock.clone());
    let (stop, reload) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
    let (driver, _) = simulated();
    let panel = Panel::open(driver, &config.outputs.outputs, None)?;
    let outputs = Outputs::start(panel, Arc::clone(&stop), NEVER)?;
    let watch = Watch::configured(vision, config);
    let mut daemon = Daemon::new(Box::new(film), watch, outputs, FramePace::from(&config.source), &clock);
    let mut witness = Witness::new(clip, &config.decision, strip);
    daemon.run(Flags { stop: &stop, reload: &reload }, &mut witness)?;
    daemon.outputs.stop()?;
    match witness.fault {
        Some(fault) => Err(EvalError::Fault(fault)),
        None => Ok(ClipOutcome { fates: witness.fates, alert_at_nobody: witness.alert_at_nobody }),
    }
}

/// Compares what the daemon reports with who is where.
struct Witness<'a> {
    clip: &'a Clip,
    /// The shorter side that a face has to have to be judged, in pixels.
    side: f32,
    fates: Vec<Option<Fate>>,
    alert_at_nobody: bool,
    /// Alerts raised by the frame that is reported next.
    raised: Vec<TrackId>,
    fault: Option<String>,
    strip: Option<&'a mut ClipStrip>,
}

impl<'a> Witness<'a> {
    fn new(clip: &'a Clip, rules: &'a Rules, strip: Option<&'a mut ClipStrip>) -> Self {
        let side = rules.min_face_side.max(rules.ignore_below.pixels(FRAME.0));
        let fate = |(usable_from, person): (Option<Duration>, &super::person::DoorPerson)| {
            Some(Fate {
                label: person.face.label,
                usable_from: usable_from?,
                alerted: None,
                passed: false,
                found: Proportion::default(),
            })
        };
        let fates = clip.usable_from(side).into_iter().zip(clip.people()).map(fate).collect();
        let (raised, fault) = (Vec::new(), None);
        Self { clip, side, fates, alert_at_nobody: false, raised, fault, strip }
    }

    fn frame(&mut self, now: Duration, faces: &[Face], state: DoorState) {
        let truth = self.clip.faces(now.as_secs_f32());
        let usable = Clip::usable(&truth, self.side);
        let owners: Vec<Option<usize>> = faces.iter().map(|face| owner(&face.rect, &truth)).collect();
        for (face, owner) in faces.iter().zip(&owners) {
            let raised = self.raised.contains(&face.track);
            let Some(owner) = owner else {
                self.alert_at_nobody |= raised;
                continue;
            };
            let Some(Some(fate)) = self.fates.get_mut(*owner) else { continue };
            fate.passed |= usable[*owner] && face.verdict == Verdict::Masked;
            let unmasked = !matches!(face.verdict, Verdict::Masked | Verdict::Unsure);
            let red = fate.label != Label::Mask && unmasked && state == DoorState::Alert;
            if raised || red {
                fate.alerted.get_or_insert(now);
            }
        }
        self.raised.clear();
        for (index, fate) in self.fates.iter_mut().enumerate() {
            if let Some(fate) = fate.as_mut().filter(|_| usable[index]) {
                fate.found.add(owners.contains(&Some(index)));
            }
        }
    }
}

impl Observer for Witness<'_> {
    fn on_event(&mut self, now: Duration, event: &Event<'_>) {
        match event {
            Event::Finding(Finding::Alert { track, .. }) => self.raised.push(*track),
            Event::Frame { picture, faces, signal, .. } => {
                self.frame(now, faces, signal.state);
                if let (Some(strip), Ok(picture)) = (&mut self.strip, picture.view()) {
                    strip.add(now, picture, faces, signal.state);
                }
            }
            Event::Fault { reason, .. } => {
                self.fault.get_or_insert_with(|| (*reason).to_owned());
            }
            _ => {}
        }
    }
}

/// Whose face `found` is: the nearest of `truth`, if it is near enough.
fn owner(found: &Rect, truth: &[Option<Rect>]) -> Option<usize> {
    let distance = |face: &Rect| {
        let (here, there) = (found.centre(), face.centre());
        (here.x - there.x).hypot(here.y - there.y) / face.w.max(face.h)
    };
    truth
        .iter()
        .enumerate()
        .filter_map(|(index, face)| Some((index, distance(face.as_ref()?))))
        .filter(|(_, distance)| *distance <= REACH)
        .min_by(|(_, one), (_, other)| one.total_cmp(other))
        .map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_face_belongs_to_who_is_nearest_or_to_nobody(
            x in 0f32..600.0, y in 0f32..400.0, side in 20f32..90.0, away in 0f32..2.0, angle in 0f32..6.3,
        ) {
            let face = Rect::new(x, y, side, side);
            let found = Rect::new(x + away * side * angle.cos(), y + away * side * angle.sin(), side, side);
            let other = Rect::new(x + 3.0 * side, y, side, side);
            prop_assume!((away - REACH).abs() > 1e-3);
            let expected = (away < REACH).then_some(1);
            let owner = owner(&found, &[None, Some(face), Some(Rect::new(x - 3.0 * side, y, side, side))]);
            prop_assert!(owner == expected || owner == Some(2));
            prop_assert_eq!(super::owner(&found, &[None]), None);
            prop_assert_eq!(super::owner(&other, &[Some(face), Some(other)]), Some(1));
        }
    }
}
