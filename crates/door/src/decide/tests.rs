//! Tests of [`super`]: its promises as properties over arbitrary histories, and what a person at the door
//! sees.

use super::sighting::UrgencyKind;
use super::*;
use crate::track::TrackId;
use maskwatch_vision::classifier::Probabilities;
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::{JudgedFace, Judgement};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

mod sizes;

pub(super) const BARE: Probabilities = Probabilities::of_mask(0.02);
pub(super) const MASKED: Probabilities = Probabilities::of_mask(0.98);
const UNCLEAR: Probabilities = Probabilities::of_mask(0.5);
pub(super) const INCORRECT: Probabilities = Probabilities { mask: 0.03, no_mask: 0.17, incorrect: 0.8 };

/// The frame's width in pixels: faces from 16 pixels on are near enough to be asked closer.
const FRAME: u32 = 400;

/// One face in one frame, with what the classifier says, where it was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observation {
    pub(super) track: TrackId,
    pub(super) side: f32,
    pub(super) answer: Option<Probabilities>,
}

impl Observation {
    pub(super) fn sighting(&self) -> Sighting {
        Sighting { track: self.track, side: self.side, frame: FRAME }
    }

    fn judged(&self) -> JudgedFace {
        let judgement = self.answer.map_or(Judgement::Unasked, Judgement::Answered);
        JudgedFace { judgement, ..JudgedFace::unasked(Rect::new(0.0, 0.0, self.side, self.side), 1.0) }
    }
}

/// Hands the faces of a frame to the decider; the look took no time.
pub(super) fn observe(decider: &mut Decider, now: Duration, faces: &[Observation]) -> Vec<Finding> {
    let sightings: Vec<Sighting> = faces.iter().map(Observation::sighting).collect();
    let judged: Vec<JudgedFace> = faces.iter().map(Observation::judged).collect();
    decider.observe(now, now, &sightings, &judged)
}

pub(super) fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(super) fn seen(track: u64, answer: Probabilities) -> Observation {
    Observation { track: TrackId(track), side: 60.0, answer: Some(answer) }
}

/// Observes the same faces every 200 ms in `from..to` and returns the last state shown.
fn watch(decider: &mut Decider, from: u64, to: u64, faces: &[Observation]) -> DoorState {
    let mut state = decider.signal(at(from)).state;
    for time in (from..to).step_by(200) {
        observe(decider, at(time), faces);
        state = decider.signal(at(time)).state;
    }
    state
}

#[test]
fn a_mask_worn_incorrectly_brings_about_what_the_rules_say() {
    for (means, expected, alerts) in [
        (IncorrectMeans::Alert, DoorState::Alert, 1),
        (IncorrectMeans::Signal, DoorState::Incorrect, 0),
        (IncorrectMeans::Pass, DoorState::Pass, 0),
    ] {
        let mut decider = Decider::new(Rules { incorrect: means, ..Rules::default() });
        let findings: Vec<_> =
            (0..5).flat_map(|time| observe(&mut decider, at(time * 200), &[seen(1, INCORRECT)])).collect();
        assert_eq!(decider.signal(at(800)).state, expected, "{means:?}");
        assert_eq!(decider.opinion(TrackId(1)).verdict, Verdict::Incorrect);
        let raised = findings.iter().filter(|finding| matches!(finding, Finding::Alert { .. })).count();
        assert_eq!(raised, alerts, "{means:?}");
        // A bare face beside it alerts whatever is said of the other.
        assert_eq!(watch(&mut decider, 1000, 2000, &[seen(1, INCORRECT), seen(2, BARE)]), DoorState::Alert);
    }
}

/// Where incorrect masks may pass, a bare face must not do so on the strength of a doubtful answer.
#[test]
fn who_may_be_bare_is_unmasked() {
    let doubtful = Probabilities { mask: 0.02, no_mask: 0.3, incorrect: 0.68 };
    for (_, means) in IncorrectMeans::NAMES {
        let mut decider = Decider::new(Rules { incorrect: means, ..Rules::default() });
        assert_eq!(watch(&mut decider, 0, 1000, &[seen(1, doubtful)]), DoorState::Alert, "{means:?}");
        assert_eq!(decider.opinion(TrackId(1)).verdict, Verdict::Unmasked);
    }
}

/// On a board whose networks take longer than the hold time, the frame that raises an alert is old when it is
/// first shown.
#[test]
fn an_alert_holds_from_when_it_is_first_shown() {
    let rules = Rules { hold: at(1000), linger: at(500), ..Rules::default() };
    let mut decider = Decider::new(rules);
    for time in [0, 200, 400] {
        observe(&mut decider, at(time), &[seen(1, BARE)]);
    }
    for time in [4000, 4300, 4600] {
        observe(&mut decider, at(time), &[]);
    }
    for (time, expected) in
        [(5000, DoorState::Alert), (5999, DoorState::Alert), (6000, DoorState::Idle), (7000, DoorState::Idle)]
    {
        assert_eq!(decider.signal(at(time)).state, expected, "{time}");
    }
}

#[test]
fn votes_for_no_mask_and_for_an_incorrect_one_add_up_to_not_rightly_masked() {
    let mut decider = Decider::new(Rules::default());
    for (time, answer, expected) in [
        (0, INCORRECT, Verdict::Unsure),
        (200, BARE, Verdict::Unsure),
        (400, INCORRECT, Verdict::Unmasked),
        (600, INCORRECT, Verdict::Incorrect),
        (800, INCORRECT, Verdict::Incorrect),
        (1000, BARE, Verdict::Incorrect),
        (1200, BARE, Verdict::Incorrect),
        (1400, BARE, Verdict::Unmasked),
    ] {
        observe(&mut decider, at(time), &[seen(1, answer)]);
        assert_eq!(decider.opinion(TrackId(1)).verdict, expected, "at {time} ms");
    }
}

#[test]
fn a_bare_face_alerts_after_its_evidence_and_a_masked_one_passes() {
    for (answer, expected) in [(BARE, DoorState::Alert), (MASKED, DoorState::Pass)] {
        let mut decider = Decider::new(Rules::default());
        for (time, state) in [(0, DoorState::Idle), (200, DoorState::Idle), (400, expected), (600, expected)]
        {
            observe(&mut decider, at(time), &[seen(1, answer)]);
            assert_eq!(decider.signal(at(time)).state, state, "at {time} ms");
        }
    }
}

#[test]
fn one_unmasked_among_masked_alerts() {
    let mut decider = Decider::new(Rules::default());
    let faces = [seen(1, MASKED), seen(2, BARE), seen(3, MASKED)];
    assert_eq!(watch(&mut decider, 0, 1000, &faces), DoorState::Alert);
}

#[test]
fn an_undecided_face_among_masked_ones_is_asked_to_look() {
    let mut decider = Decider::new(Rules::default());
    let faces = [seen(1, MASKED), seen(2, UNCLEAR)];
    assert_eq!(watch(&mut decider, 0, 800, &faces), DoorState::Pass);
    assert_eq!(watch(&mut decider, 800, 1600, &faces), DoorState::Look);
}

#[test]
fn an_alert_goes_on_while_the_bare_face_stays_and_ends_after_it_left() {
    let mut decider = Decider::new(Rules::default());
    assert_eq!(watch(&mut decider, 0, 20_000, &[seen(1, BARE)]), DoorState::Alert);
    assert_eq!(decider.signal(at(20_000)), Signal { state: DoorState::Alert, since: at(400) });
    assert_eq!(watch(&mut decider, 20_000, 22_000, &[]), DoorState::Idle);
}

#[test]
fn putting_the_mask_on_passes_after_the_hold_and_off_again_is_the_same_alert() {
    let mut decider = Decider::new(Rules::default());
    watch(&mut decider, 0, 1000, &[seen(1, BARE)]);
    assert_eq!(watch(&mut decider, 1000, 3300, &[seen(1, MASKED)]), DoorState::Alert, "held");
    assert_eq!(watch(&mut decider, 3400, 6000, &[seen(1, MASKED)]), DoorState::Pass);
    watch(&mut decider, 6000, 8000, &[seen(1, BARE)]);
    assert_eq!(decider.signal(at(8000)), Signal { state: DoorState::Alert, since: at(400) });
    watch(&mut decider, 8000, 10_000, &[]);
    watch(&mut decider, 14_000, 15_000, &[seen(1, BARE)]);
    assert_eq!(decider.signal(at(15_000)), Signal { state: DoorState::Alert, since: at(14_400) });
}

#[test]
fn a_second_bare_face_raises_a_second_alert() {
    let mut decider = Decider::new(Rules::default());
    watch(&mut decider, 0, 2000, &[seen(1, BARE)]);
    watch(&mut decider, 2000, 3000, &[seen(1, BARE), seen(2, BARE)]);
    assert_eq!(decider.signal(at(3000)), Signal { state: DoorState::Alert, since: at(2400) });
}

#[test]
fn who_was_there_too_briefly_to_be_judged_is_not_asked_to_look() {
    let mut decider = Decider::new(Rules::default());
    watch(&mut decider, 0, 400, &[seen(1, BARE)]);
    for time in (400..3000).step_by(100) {
        assert_eq!(decider.signal(at(time)).state, DoorState::Idle);
    }
}

#[test]
fn a_missed_frame_or_two_does_not_flicker() {
    let mut decider = Decider::new(Rules::default());
    watch(&mut decider, 0, 1000, &[seen(1, MASKED)]);
    assert_eq!(watch(&mut decider, 1000, 1600, &[]), DoorState::Pass);
    assert_eq!(watch(&mut decider, 1600, 1800, &[seen(1, UNCLEAR)]), DoorState::Pass);
}

#[test]
fn faces_whose_verdict_stands_are_classified_less_often() {
    let mut decider = Decider::new(Rules::default());
    let urgency = |decider: &Decider, time| {
        decider.urgency(&seen(1, BARE).sighting(), at(time)).map(|urgency| urgency.kind)
    };
    assert_eq!(urgency(&decider, 0), Some(UrgencyKind::Arrived));
    watch(&mut decider, 0, 600, &[seen(1, MASKED)]);
    assert_eq!(urgency(&decider, 600), None);
    assert_eq!(urgency(&decider, 800), Some(UrgencyKind::Due));
    observe(&mut decider, at(900), &[seen(1, BARE)]);
    let against = urgency(&decider, 901);
    assert_eq!(against, Some(UrgencyKind::Contradicted), "a vote against the verdict asks for more");
}

#[test]
fn the_most_pressing_faces_are_judged_first() {
    let mut decider = Decider::new(Rules::default());
    let doubted = Observation { side: 30.0, ..seen(4, BARE) };
    observe(&mut decider, at(0), &[seen(1, UNCLEAR), seen(2, MASKED), doubted]);
    observe(&mut decider, at(200), &[seen(2, MASKED)]);
    let sighting = |track, side| Sighting { track: TrackId(track), side, frame: FRAME };
    let sightings = vec![
        sighting(1, 60.0),
        sighting(2, 60.0),
        sighting(3, 40.0),
        sighting(4, 30.0),
        sighting(5, 90.0),
        sighting(6, 10.0),
    ];
    // The one whose last vote was against it, then those who have just come, large ones first, then the one
    // that waited longest; the last is too small.
    let exchange = decider.exchange(at(400), sightings);
    assert_eq!(exchange.wanted(), [3, 4, 2, 0, 1]);
    let judged = [JudgedFace::unasked(Rect::new(0.0, 0.0, 60.0, 60.0), 1.0); 6];
    assert_eq!(exchange.finish(at(400), &judged).left_out, 5);
}

#[test]
fn states_are_ordered_and_named() {
    use DoorState::{Alert, Fault, Idle, Look, Off, Pass};
    assert!(Off > Fault && Fault > Alert && Alert > Look && Look > Pass && Pass > Idle);
    for state in DoorState::ALL {
        assert_eq!(DoorState::from_name(state.name()), Some(state));
    }
    assert_eq!(DoorState::from_name("closed"), None);
}

/// One step of an arbitrary history: time passes, then the faces of a frame are seen.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) passed: u64,
    pub(super) faces: Vec<Observation>,
    pub(super) fault: bool,
}

fn any_observation() -> impl Strategy<Value = Observation> {
    let answer = prop_oneof![
        6 => Just(Some(BARE)),
        3 => Just(Some(MASKED)),
        2 => Just(Some(INCORRECT)),
        1 => Just(Some(UNCLEAR)),
        1 => Just(Some(Probabilities::of_mask(f32::NAN))),
        1 => Just(None)
    ];
    (0u64..3, prop_oneof![1 => Just(10.0f32), 1 => Just(20.0), 8 => Just(60.0)], answer)
        .prop_map(|(track, side, answer)| Observation { track: TrackId(track), side, answer })
}

fn any_frame() -> impl Strategy<Value = Vec<Observation>> {
    prop::collection::vec(any_observation(), 0..3).prop_map(|mut faces| {
        faces.sort_by_key(|face| face.track);
        faces.dedup_by_key(|face| face.track);
        faces
    })
}

pub(super) fn any_history(troubled: bool) -> impl Strategy<Value = Vec<Step>> {
    let passed = prop_oneof![1 => Just(0u64), 8 => 50u64..700, 1 => 700u64..9000];
    let trouble = if troubled { 0.2 } else { 0.0 };
    let step = (passed, any_frame(), prop::bool::weighted(trouble)).prop_map(|(passed, faces, fault)| Step {
        passed,
        faces,
        fault,
    });
    prop::collection::vec(step, 1..80)
}

pub(super) fn any_rules() -> impl Strategy<Value = Rules> {
    let incorrect = prop::sample::select(IncorrectMeans::NAMES.map(|(_, means)| means).to_vec());
    (0u64..800, 100u64..800, 0u64..5000, 1u64..8000, 0u64..2000, incorrect).prop_map(
        |(evidence, more, hold, re_arm, linger, incorrect)| Rules {
            incorrect,
            evidence: at(evidence),
            window: at(evidence + more),
            hold: at(hold),
            re_arm: at(re_arm),
            linger: at(linger),
            ..Rules::default()
        },
    )
}

/// What a test remembers of a person, on its own, to hold the decider against.
#[derive(Default)]
struct Memory {
    last_seen: u64,
    missed: u32,
    votes: Vec<Probabilities>,
    alerted: bool,
}

proptest! {
    #[test]
    fn no_vote_leaves_more_doubt_than_allowed(
        mask in 0f32..=1.0, share in 0f32..=1.0, certainty in 0.5f32..0.999, side in 8f32..80.0,
    ) {
        let answer = Probabilities { mask, no_mask: (1.0 - mask) * share, incorrect: (1.0 - mask) * (1.0 - share) };
        let rules = Rules { certainty, ..Rules::default() };
        let doubt = (1.0 - certainty) * if side < 24.0 { 0.25 } else { 1.0 };
        let against_mask = if side < 64.0 { doubt } else { (1.5 * doubt).min(0.5) };
        match rules.vote(&answer, side) {
            Verdict::Masked => prop_assert!(1.0 - mask <= doubt),
            Verdict::Incorrect => prop_assert!(mask <= against_mask && answer.no_mask <= doubt),
            Verdict::Unmasked => prop_assert!(mask <= against_mask && answer.no_mask > doubt),
            Verdict::Unsure => prop_assert!(mask > against_mask && 1.0 - mask > doubt),
        }
    }

    #[test]
    fn never_alerts_on_one_vote_and_only_once_while_in_view(rules in any_rules(), history in any_history(false)) {
        let mut decider = Decider::new(rules.clone());
        let mut memories: BTreeMap<TrackId, Memory> = BTreeMap::new();
        let (mut time, mut alerts) = (0, 0);
        for step in history {
            time += step.passed;
            memories.values_mut().for_each(|memory| memory.missed += 1);
            for face in step.faces.iter().filter(|face| face.sighting().reaches(rules.ignore_below)) {
                let memory = memories.entry(face.track).or_default();
                memory.alerted &= memory.missed <= 3 && time - memory.last_seen <= 10_000;
                memory.last_seen = time;
                memory.missed = 0;
                if face.side >= rules.min_face_side {
                    memory.votes.extend(face.answer);
                }
            }
            for finding in observe(&mut decider, at(time), &step.faces) {
                if let Finding::Alert { track, .. } = finding {
                    let memory = memories.get_mut(&track).unwrap();
                    let wrong = memory.votes.iter().filter(|answer| [BARE, INCORRECT].contains(answer)).count();
                    prop_assert!(wrong >= 2, "{:?}", memory.votes);
                    prop_assert!(!memory.alerted, "{track} alerted twice without absence");
                    memory.alerted = true;
                    alerts += 1;
                }
            }
            let state = decider.signal(at(time)).state;
            prop_assert!(state != DoorState::Alert || alerts > 0, "an alert that nobody raised");
            prop_assert!(state < DoorState::Fault);
        }
    }

    #[test]
    fn an_alert_holds_for_its_time(rules in any_rules(), history in any_history(false)) {
        let mut decider = Decider::new(rules.clone());
        let (mut time, mut held_until) = (0, None);
        for step in history {
            time += step.passed;
            if held_until.is_some_and(|until| at(time) < until) {
                prop_assert_eq!(decider.signal(at(time)).state, DoorState::Alert);
            }
            let findings = observe(&mut decider, at(time), &step.faces);
            if findings.iter().any(|finding| matches!(finding, Finding::Alert { .. })) {
                held_until = Some(at(time) + rules.hold);
                prop_assert_eq!(decider.signal(at(time)), Signal { state: DoorState::Alert, since: at(time) });
            }
        }
    }

    #[test]
    fn an_unmasked_face_in_view_is_never_let_pass(rules in any_rules(), history in any_history(false)) {
        let ignore_below = rules.ignore_below;
        let mut decider = Decider::new(rules);
        let mut time = 0;
        for step in history {
            time += step.passed;
            observe(&mut decider, at(time), &step.faces);
            let state = decider.signal(at(time)).state;
            let unmasked = step.faces.iter().any(|face| {
                face.sighting().reaches(ignore_below) && decider.opinion(face.track).verdict == Verdict::Unmasked
            });
            prop_assert!(!unmasked || state == DoorState::Alert);
        }
    }

    #[test]
    fn a_fault_beats_the_rest(rules in any_rules(), history in any_history(true)) {
        let mut decider = Decider::new(rules);
        let mut time = 0;
        for step in history {
            time += step.passed;
            decider.set_fault(step.fault);
            observe(&mut decider, at(time), &step.faces);
            let state = decider.signal(at(time)).state;
            prop_assert_eq!(state == DoorState::Fault, step.fault);
        }
    }

    /// The exchange gives for each sighting what the decider thinks, and learns nothing where it is dropped.
    #[test]
    fn an_exchange_tells_of_every_sighting(rules in any_rules(), history in any_history(false)) {
        let (mut decider, mut twin) = (Decider::new(rules.clone()), Decider::new(rules));
        let mut time = 0;
        for step in history {
            time += step.passed;
            let sightings: Vec<Sighting> =
                step.faces.iter().map(Observation::sighting).collect();
            drop(decider.exchange(at(time), sightings.clone()));
            let exchange = decider.exchange(at(time), sightings);
            prop_assert!(exchange.wanted().iter().all(|index| *index < step.faces.len()));
            let judged: Vec<JudgedFace> = step.faces.iter().map(Observation::judged).collect();
            let observed = exchange.finish(at(time), &judged);
            prop_assert_eq!(&observed.findings, &observe(&mut twin, at(time), &step.faces));
            prop_assert_eq!(observed.opinions.len(), step.faces.len());
            for (face, opinion) in step.faces.iter().zip(observed.opinions) {
                // As text, since an answer may be no number, which equals nothing.
                prop_assert_eq!(format!("{opinion:?}"), format!("{:?}", twin.opinion(face.track)));
            }
        }
    }

    #[test]
    fn a_state_lasts_since_it_began_and_time_never_runs_back(history in any_history(true), jumps in prop::collection::vec(0u64..20_000, 80)) {
        let mut decider = Decider::new(Rules::default());
        let mut before = decider.signal(at(0));
        let mut latest = 0;
        for (step, jump) in history.into_iter().zip(jumps) {
            // Any order of times: what lies in the past counts as now.
            latest = latest.max(jump);
            decider.set_fault(step.fault);
            observe(&mut decider, at(jump), &step.faces);
            let signal = decider.signal(at(jump));
            prop_assert!(signal.since <= at(latest));
            if signal.state == before.state {
                prop_assert!(signal.since >= before.since);
            }
            before = signal;
        }
    }

    #[test]
    fn the_door_forgets_everybody_in_the_end(history in any_history(false)) {
        let mut decider = Decider::new(Rules::default());
        let mut time = 0;
        for step in history {
            time += step.passed;
            observe(&mut decider, at(time), &step.faces);
            decider.signal(at(time));
        }
        for second in 1..=60 {
            observe(&mut decider, at(time + 1000 * second), &[]);
        }
        prop_assert_eq!(decider.signal(at(time + 60_000)).state, DoorState::Idle);
        prop_assert!(decider.remembers_nobody());
    }
}
