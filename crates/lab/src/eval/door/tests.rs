//! The clip runner with scripted networks that know the clip, and what is drawn.

use super::*;
use crate::data::labels::{LabelledBox, Split};
use image::RgbImage;
use maskwatch::config::Config;
use maskwatch::decide::Rules;
use maskwatch::geometry::Rect;
use maskwatch::pixels::picture::View;
use maskwatch::vision::classifier::Probabilities;
use maskwatch::vision::{Choice, JudgedFace, Judgement, Vision, VisionError, judged};
use proptest::prelude::*;
use std::time::Duration;

const SKIN: [u8; 3] = [220, 40, 40];

/// A picture whose face is a rectangle of one colour, in green.
fn person(label: Label) -> Arc<DoorPerson> {
    let rect = Rect::new(100.0, 90.0, 80.0, 100.0);
    let picture = RgbImage::from_fn(280, 280, |x, y| {
        let inside = (100..180).contains(&x) && (90..190).contains(&y);
        image::Rgb(if inside { SKIN } else { [20, 160, 20] })
    });
    let face = LabelledBox {
        image: "drawn.png".into(),
        rect,
        label,
        split: Split::Val,
        source: None,
        n_faces: None,
    };
    Arc::new(DoorPerson::cut_out(&picture, &face, &[]).unwrap())
}

fn clip(labels: &[Label], seed: u64) -> Arc<Clip> {
    let gathering = if labels.len() == 1 { Gathering::Alone } else { Gathering::InCompany };
    gathered(gathering, labels, seed)
}

fn gathered(gathering: Gathering, labels: &[Label], seed: u64) -> Arc<Clip> {
    let people: Vec<_> = labels.iter().map(|label| person(*label)).collect();
    Arc::new(Clip::draw(gathering, &people, &mut stream(seed, Purpose::Clip, 0)))
}

/// Knows where everybody is, and answers by the number of the frame.
struct Script<Sees, Says> {
    clip: Arc<Clip>,
    rate: f32,
    frame: u64,
    sees: Sees,
    says: Says,
}

impl<Sees, Says> Vision for Script<Sees, Says>
where
    Sees: FnMut(&[Rect]) -> Result<Vec<Rect>, VisionError>,
    Says: FnMut(u64) -> f32,
{
    fn look(&mut self, _: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        let faces: Vec<Rect> =
            self.clip.faces(self.clip.time(self.frame, self.rate)).into_iter().flatten().collect();
        self.frame += 1;
        let found = (self.sees)(&faces)?;
        let says = &mut self.says;
        judged(&found, choice, |_| Ok(Judgement::Answered(Probabilities::of_mask(says(self.frame - 1)))))
    }
}

fn outcome(
    clip: &Arc<Clip>,
    rate: f32,
    sees: impl FnMut(&[Rect]) -> Result<Vec<Rect>, VisionError> + 'static,
    says: impl FnMut(u64) -> f32 + 'static,
) -> Result<ClipOutcome, EvalError> {
    let vision = Script { clip: Arc::clone(clip), rate, frame: 0, sees, says };
    run::run(clip, rate, Box::new(vision), &every_frame(), None)
}

/// The scripts here count looks, so no frame may go without one.
fn every_frame() -> Config {
    let mut config = Config::default();
    config.detector.skip_still = false;
    config
}

fn everybody(faces: &[Rect]) -> Result<Vec<Rect>, VisionError> {
    Ok(faces.to_vec())
}

#[test]
fn whoever_is_called_bare_is_alerted_and_whoever_is_called_masked_passes() {
    let company = [Label::Mask, Label::NoMask, Label::Incorrect];
    for labels in [&[Label::NoMask][..], &[Label::Mask], &[Label::Incorrect], &company] {
        for rate in [5.0, 10.0, 25.0] {
            let clip = clip(labels, 3);
            let bare = outcome(&clip, rate, everybody, |_| 0.01).unwrap();
            let masked = outcome(&clip, rate, everybody, |_| 0.99).unwrap();
            assert_eq!(bare.fates.len(), labels.len());
            for (fate, label) in bare.fates.iter().flatten().zip(labels) {
                assert_eq!((fate.label, fate.passed), (*label, false));
                assert!(fate.alerted.is_some(), "{fate:?} at {rate}");
                assert!(fate.found.of > 0 && fate.found.hits == fate.found.of);
            }
            assert!(masked.fates.iter().flatten().all(|fate| fate.passed && fate.alerted.is_none()));
            assert!(!bare.alert_at_nobody && !masked.alert_at_nobody);
            if labels.len() == 1 && labels != [Label::Mask] && rate == 10.0 {
                assert_eq!(bare.fates.iter().flatten().filter_map(problem).count(), 0);
                assert_eq!(masked.fates.iter().flatten().filter_map(problem).count(), 1);
            }
        }
    }
}

#[test]
fn nobody_is_alerted_where_no_face_is_found() {
    let outcome = outcome(&clip(&[Label::NoMask, Label::Mask], 5), 10.0, |_| Ok(vec![]), |_| 0.01).unwrap();
    for fate in outcome.fates.iter().flatten() {
        assert_eq!((fate.alerted, fate.passed, fate.found.hits), (None, false, 0));
        assert!(fate.found.of > 10);
    }
    assert_eq!(outcome.fates.iter().flatten().count(), 2);
}

#[test]
fn an_alert_far_from_everybody_is_nobodys() {
    let ghost = |faces: &[Rect]| {
        let free = |x: f32| faces.iter().all(|face| (face.centre().x - x).abs() > 150.0);
        let x = [60.0, 320.0, 580.0].into_iter().find(|x| free(*x)).unwrap_or(9000.0);
        Ok(vec![Rect::new(x - 20.0, 400.0, 40.0, 50.0)])
    };
    let outcome = outcome(&clip(&[Label::NoMask], 6), 10.0, ghost, |_| 0.01).unwrap();
    assert!(outcome.alert_at_nobody);
    assert_eq!(outcome.fates[0].as_ref().unwrap().alerted, None);
}

#[test]
fn networks_that_fail_are_an_error() {
    let broken = |_: &[Rect]| Err("the network could not be run".into());
    let error = outcome(&clip(&[Label::NoMask], 6), 10.0, broken, |_| 0.01).unwrap_err();
    assert_eq!(error.to_string(), "the network could not be run");
}

#[test]
fn a_face_that_never_becomes_large_enough_has_no_fate() {
    let clip = clip(&[Label::NoMask], 8);
    let decision = Rules { min_face_side: 300.0, ..Rules::default() };
    let config = Config { decision, ..every_frame() };
    let vision = Script { clip: Arc::clone(&clip), rate: 5.0, frame: 0, sees: everybody, says: |_| 0.01 };
    let outcome = run::run(&clip, 5.0, Box::new(vision), &config, None).unwrap();
    assert_eq!(outcome.fates, [None]);
    assert_eq!(DoorFigures::of([&outcome]).unmasked_alerted.of, 0);
}

#[test]
fn clips_with_everything_in_them_are_reported_and_drawn() {
    let people: Vec<_> =
        [Label::Mask, Label::NoMask, Label::Mask, Label::NoMask].map(person).into_iter().collect();
    let plan = DoorPlan { seed: 4, rates: vec![5, 10], config: every_frame() };
    let folder = tempfile::tempdir().unwrap();
    // Networks that see nothing: every bare person is missed.
    struct Blind;
    impl Vision for Blind {
        fn look(&mut self, _: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
            judged(&[], choice, |_| Ok(Judgement::Unasked))
        }
    }
    let vision = || Ok(Box::new(Blind) as Box<dyn Vision>);
    let evaluation = evaluate(&people, &plan, &vision, Some(folder.path()), &|_| ());
    assert_eq!(evaluation.failures, []);
    let rate = evaluation.report.rates.get("10").unwrap();
    let alone = rate.0.get("alone").unwrap();
    for gathering in Gathering::NAMES.map(|(name, _)| name) {
        assert_eq!(rate.0.get(gathering).unwrap().unmasked_alerted.of, 2, "{gathering}");
    }
    assert_eq!((alone.masked_alerted.of, alone.unmasked_alerted.hits), (2, 0));
    assert_eq!(evaluation.mistakes.len(), 20, "two persons, in five gatherings, at two rates");
    let strips = std::fs::read_dir(folder.path()).unwrap().count();
    assert!(strips >= 6, "{strips}");
    let broken = || Err(EvalError::Fault("no networks today".into()));
    let failed = evaluate(&people, &plan, &broken, None, &|_| ());
    assert_eq!(failed.failures.len(), groups(&people, 4).len());
    assert_eq!(failed.report.rates.get("5").unwrap().0.get("alone"), Some(&DoorFigures::default()));
}

/// The mean colour of the middle of a face.
fn middle(frame: &RgbImage, rect: &Rect) -> [f32; 3] {
    let centre = rect.centre();
    let (x, y) = (centre.x as u32, centre.y as u32);
    let pixels: Vec<_> = (x - 3..x + 3).flat_map(|x| (y - 3..y + 3).map(move |y| (x, y))).collect();
    let sum = |channel: usize| -> f32 {
        pixels.iter().map(|(x, y)| f32::from(frame.get_pixel(*x, *y)[channel])).sum()
    };
    [0, 1, 2].map(|channel| sum(channel) / pixels.len() as f32)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_same_seed_gives_the_same_frames_and_faces_are_where_they_are_said_to_be(
        seed: u64, part in 0.3f32..0.7,
    ) {
        let (one, other) = (clip(&[Label::Mask], seed), clip(&[Label::Mask], seed));
        let usable = one.usable_from(Rules::default().min_face_side)[0].unwrap();
        prop_assert_eq!(usable, other.usable_from(Rules::default().min_face_side)[0].unwrap());
        let seconds = usable.as_secs_f32() + part * 2.5;
        let (frame, rect) = (one.render(7, seconds), one.faces(seconds)[0].unwrap());
        prop_assert!(frame == other.render(7, seconds));
        prop_assert!(frame != clip(&[Label::Mask], seed ^ 1).render(7, seconds));
        prop_assert!(frame != one.render(8, seconds), "each frame has noise of its own");
        let [red, green, blue] = middle(&frame, &rect);
        prop_assert!(red > 2.5 * green && red > 2.5 * blue, "{red} {green} {blue} at {rect:?}");
        // Far above the head there is only the door, in whatever exposure.
        let empty = clip(&[], seed).render(7, seconds);
        prop_assert_eq!(empty.dimensions(), frame.dimensions());
    }

    #[test]
    fn an_alert_comes_when_the_votes_have_agreed_for_long_enough(
        seed: u64, rate in prop::sample::select(vec![5u32, 10, 25]),
    ) {
        let clip = clip(&[Label::NoMask], seed);
        let rate = rate as f32;
        let usable = clip.usable_from(Rules::default().min_face_side)[0].unwrap();
        let late = usable + Duration::from_millis(500);
        let begin = (0..200).find(|index| Duration::from_secs_f32(clip.time(*index, rate)) >= late).unwrap();
        let says = move |frame: u64| if frame < begin { 0.5 } else { 0.01 };
        let outcome = outcome(&clip, rate, everybody, says).unwrap();
        let time = outcome.fates[0].as_ref().unwrap().time_to_alert().unwrap();
        let since = (time + usable).as_secs_f32() - clip.time(begin, rate);
        let evidence = Rules::default().evidence.as_secs_f32();
        prop_assert!((evidence - 0.001..evidence + 1.01 / rate).contains(&since), "{since}");
    }

    #[test]
    fn everybody_comes_once_in_each_gathering(pairs in 1usize..20, seed: u64) {
        let someone = person(Label::Mask);
        let people: Vec<Arc<DoorPerson>> =
            (0..2 * pairs).map(|_| Arc::new(DoorPerson::clone(&someone))).collect();
        let groups = groups(&people, seed);
        let mut all: Vec<*const DoorPerson> = people.iter().map(Arc::as_ptr).collect();
        all.sort();
        for (_, wanted) in Gathering::NAMES {
            let of_kind = groups.iter().filter(|(gathering, _)| *gathering == wanted);
            let mut seen: Vec<*const DoorPerson> =
                of_kind.flat_map(|(_, group)| group).map(Arc::as_ptr).collect();
            seen.sort();
            prop_assert_eq!(&seen, &all, "{:?}", wanted);
        }
        prop_assert!(groups.iter().all(|(_, group)| group.len() <= 4));
    }
}

/// Whoever went before, hides somebody or crosses somebody's way: who is bare is alerted, and nobody has the
/// verdict of another.
#[test]
fn nobody_inherits_the_verdict_of_another() {
    for gathering in [Gathering::InTurn, Gathering::InLine, Gathering::Crossing] {
        for (seed, rate) in [2.0, 5.0, 10.0, 25.0].into_iter().cycle().take(12).enumerate() {
            let clip = gathered(gathering, &[Label::Mask, Label::NoMask], seed as u64);
            let truth = Arc::clone(&clip);
            let vision = Knowing { clip: truth, rate, frame: 0 };
            let outcome = run::run(&clip, rate, Box::new(vision), &every_frame(), None).unwrap();
            let [Some(masked), Some(bare)] = &outcome.fates[..] else { continue };
            assert!(bare.alerted.is_some(), "{gathering:?} {seed} at {rate}: {bare:?}");
            assert_eq!(masked.alerted, None, "{gathering:?} {seed} at {rate}: {masked:?}");
            assert!(gathering != Gathering::InTurn || !bare.passed, "{seed} at {rate}: {bare:?}");
        }
    }
}

/// Sees everybody whom nobody hides, and is always right.
struct Knowing {
    clip: Arc<Clip>,
    rate: f32,
    frame: u64,
}

impl Vision for Knowing {
    fn look(&mut self, _: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        let faces = self.clip.faces(self.clip.time(self.frame, self.rate));
        self.frame += 1;
        let seen = Clip::usable(&faces, 0.0);
        let shown = faces.iter().zip(seen).map(|(face, seen)| face.filter(|_| seen));
        let shown: Vec<Option<Rect>> = shown.collect();
        let found: Vec<Rect> = shown.iter().flatten().copied().collect();
        judged(&found, choice, |face| {
            let masked = shown.first().copied().flatten() == Some(*face);
            Ok(Judgement::Answered(Probabilities::of_mask(if masked { 0.99 } else { 0.01 })))
        })
    }
}

#[test]
fn only_faces_fit_for_it_are_cut_out() {
    let picture = RgbImage::new(280, 280);
    let face = person(Label::Mask).face.clone();
    let cut = |rect: Rect, label: Label, neighbours: &[Rect]| {
        DoorPerson::cut_out(&picture, &LabelledBox { rect, label, ..face.clone() }, neighbours).is_some()
    };
    let fit = Rect::new(100.0, 90.0, 80.0, 100.0);
    assert!(cut(fit, Label::NoMask, &[Rect::new(225.0, 90.0, 40.0, 40.0)]));
    assert!(cut(fit, Label::Incorrect, &[]), "a mask worn wrongly comes to the door, too");
    assert!(!cut(fit, Label::Mask, &[Rect::new(215.0, 90.0, 40.0, 40.0)]), "somebody else is in it");
    assert!(!cut(Rect::new(100.0, 90.0, 47.0, 60.0), Label::Mask, &[]), "too small");
    assert!(!cut(Rect::new(5.0, 90.0, 80.0, 100.0), Label::Mask, &[]), "cut off at the left");
    assert!(!cut(Rect::new(100.0, 170.0, 80.0, 100.0), Label::Mask, &[]), "cut off below");
}
