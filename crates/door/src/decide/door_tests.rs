//! What people at the door see: however slow the board, whoever went before.

use super::memory::Memory;
use super::sighting::UrgencyKind;
use super::*;
use crate::track::TrackId;
use image::{Rgb, RgbImage};
use maskwatch_vision::classifier::Probabilities;
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::pixels::picture::View;
use maskwatch_vision::pixels::sampler::Sampler;
use maskwatch_vision::quality::Gate;
use maskwatch_vision::{Appearance, JudgedFace, Judgement};
use std::time::Duration;

mod nobody;

const BARE: Judgement = Judgement::Answered(Probabilities::of_mask(0.02));
const MASKED: Judgement = Judgement::Answered(Probabilities::of_mask(0.98));
const TURNED: Judgement = Judgement::Stopped(Gate::Yaw);

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What somebody in clothes of this shade of red looks like.
fn dressed(red: u8) -> Appearance {
    let picture =
        RgbImage::from_fn(200, 300, |_, y| Rgb(if y < 100 { [180, 140, 120] } else { [red, 40, 90] }));
    Appearance::of(View::from(&picture), &Rect::new(70.0, 30.0, 60.0, 70.0), &mut Sampler::default())
}

/// A door with a clock of its own, at which one person at a time is seen.
struct Door {
    decider: Decider,
    now: u64,
    interval: u64,
    /// How long a look takes.
    look: u64,
    alerts: Vec<u64>,
    /// The door's states, each with the time from which it was shown.
    states: Vec<(u64, DoorState)>,
}

impl Door {
    fn new(rules: Rules, interval: u64) -> Self {
        Self {
            decider: Decider::new(rules),
            now: 0,
            interval,
            look: 0,
            alerts: Vec::new(),
            states: Vec::new(),
        }
    }

    fn show(&mut self) {
        let state = self.decider.signal(at(self.now)).state;
        if self.states.last().is_none_or(|(_, last)| *last != state) {
            self.states.push((self.now, state));
        }
    }

    /// For `duration`, somebody is seen, or nobody.
    fn see(&mut self, duration: u64, person: Option<(u64, Judgement, Option<Appearance>)>) {
        let end = self.now + duration;
        while self.now < end {
            let captured = at(self.now);
            self.now += self.look;
            let side = 60.0;
            let sightings: Vec<Sighting> = person
                .iter()
                .map(|(track, ..)| Sighting { track: TrackId(*track), side, frame: 640 })
                .collect();
            let judged = |(_, judgement, appearance): &(u64, Judgement, Option<Appearance>)| JudgedFace {
                judgement: *judgement,
                appearance: *appearance,
                ..JudgedFace::unasked(Rect::new(0.0, 0.0, side, side), 1.0)
            };
            let exchange = self.decider.exchange(captured, sightings);
            let wanted = !exchange.wanted().is_empty();
            let judged: Vec<JudgedFace> = person.iter().filter(|_| wanted).map(judged).collect();
            let observed = exchange.finish(at(self.now), &judged);
            let alert = |finding: &Finding| matches!(finding, Finding::Alert { .. });
            self.alerts.extend(observed.findings.iter().filter(|finding| alert(finding)).map(|_| self.now));
            self.show();
            let next = self.now + self.interval;
            while self.now < next {
                // The loop goes round between two frames, too.
                self.now = next.min(self.now + 200);
                self.show();
            }
        }
    }

    /// Nobody looks for `duration`; the loop goes round all the same.
    fn pause(&mut self, duration: u64) {
        let end = self.now + duration;
        while self.now < end {
            self.now = end.min(self.now + 200);
            self.show();
        }
    }

    fn shown(&self) -> Vec<DoorState> {
        self.states.iter().map(|(_, state)| *state).collect()
    }
}

#[test]
fn who_stays_is_alerted_at_any_rate_and_the_door_does_not_flip() {
    use DoorState::{Alert, Idle};
    for (interval, within) in [
        (40, 500),
        (100, 500),
        (200, 600),
        (1000, 2000),
        (2000, 6000),
        (4000, 12_000),
        (5000, 15_000),
        (10_000, 30_000),
    ] {
        let mut door = Door::new(Rules::default(), interval);
        door.see(30 * interval, Some((1, BARE, None)));
        assert_eq!(door.shown(), [Idle, Alert], "every {interval} ms");
        assert!(door.alerts.len() == 1 && door.alerts[0] <= within, "{:?} at {interval} ms", door.alerts);
    }
}

#[test]
fn looks_that_take_long_make_nobody_absent() {
    use DoorState::{Alert, Idle};
    for look in [900, 3000, 7000, 14_000] {
        let mut door = Door::new(Rules::default(), 10);
        door.look = look;
        door.see(20 * look, Some((1, BARE, None)));
        assert_eq!(door.shown(), [Idle, Alert], "{look} ms");
        assert!(door.alerts.len() == 1 && door.alerts[0] <= 4 * look, "{:?} at {look} ms", door.alerts);
    }
}

#[test]
fn times_shorter_than_the_time_between_two_looks_still_let_the_door_speak() {
    let short = Rules { re_arm: at(500), linger: at(500), ..Rules::default() };
    let mut door = Door::new(short, 1000);
    door.see(10_000, Some((1, BARE, None)));
    assert_eq!(door.shown(), [DoorState::Idle, DoorState::Alert]);
    let mut door = Door::new(Rules { linger: at(0), ..Rules::default() }, 100);
    door.see(3000, Some((1, MASKED, None)));
    assert_eq!(door.shown(), [DoorState::Idle, DoorState::Pass]);
}

#[test]
fn who_comes_after_a_masked_person_is_judged_afresh() {
    use DoorState::{Alert, Idle, Pass};
    // Even the tracker's mistake, one id for both, lets nobody inherit.
    for next in [1, 2] {
        let mut door = Door::new(Rules::default(), 100);
        door.see(2000, Some((1, MASKED, None)));
        door.see(3500, None);
        door.see(800, Some((next, BARE, Some(dressed(200)))));
        assert_eq!(door.shown(), [Idle, Pass, Idle, Alert]);
        assert_eq!(door.alerts, [5900]);
    }
}

#[test]
fn every_bare_person_alerts_and_one_who_steps_out_and_back_beeps_once() {
    let mut others = Door::new(Rules::default(), 100);
    let mut same = Door::new(Rules::default(), 100);
    for person in 0..4 {
        let clothes = 20 + 70 * person;
        others.see(1500, Some((u64::from(person), BARE, Some(dressed(clothes)))));
        others.see(4000, None);
        same.see(1500, Some((u64::from(person), BARE, Some(dressed(20)))));
        same.see(4000, None);
    }
    assert_eq!(others.alerts.len(), 4, "{:?}", others.alerts);
    assert_eq!(same.alerts.len(), 1, "{:?}", same.alerts);
    let red = |door: &Door| door.shown().iter().filter(|state| **state == DoorState::Alert).count();
    assert_eq!((red(&others), red(&same)), (4, 4), "it is red each time");
    // After the re-arm time he is another one.
    same.see(2000, None);
    same.see(1500, Some((9, BARE, Some(dressed(20)))));
    assert_eq!(same.alerts.len(), 2);
    // Where nothing is known of what people look like, everybody is another one.
    let mut unknown = Door::new(Rules::default(), 100);
    for person in 0..4 {
        unknown.see(1500, Some((person, BARE, None)));
        unknown.see(3000, None);
    }
    assert_eq!(unknown.alerts.len(), 4);
}

#[test]
fn who_is_known_to_have_left_does_not_linger() {
    let mut door = Door::new(Rules::default(), 100);
    door.see(1000, Some((1, MASKED, None)));
    assert_eq!(door.decider.signal(at(door.now)).state, DoorState::Pass);
    door.decider.leave(&[TrackId(1)]);
    assert_eq!(door.decider.signal(at(door.now)).state, DoorState::Idle);
}

#[test]
fn a_masked_verdict_ends_where_nothing_confirms_it() {
    use DoorState::{Idle, Look, Pass};
    let mut door = Door::new(Rules::default(), 100);
    door.see(2000, Some((1, MASKED, None)));
    door.see(5000, Some((1, TURNED, None)));
    assert_eq!(door.shown(), [Idle, Pass, Look]);
    let (look, _) = door.states[2];
    assert!((3500..=4300).contains(&look), "{look}: two seconds after the last vote");
    door.see(1000, Some((1, MASKED, None)));
    assert_eq!(door.shown(), [Idle, Pass, Look, Pass]);
    // A bare face stays one.
    let mut door = Door::new(Rules::default(), 100);
    door.see(1000, Some((1, BARE, None)));
    door.see(9000, Some((1, TURNED, None)));
    assert_eq!(door.shown(), [Idle, DoorState::Alert]);
}

#[test]
fn who_takes_the_mask_off_is_alerted_within_a_second() {
    for (phase, interval) in (0..5).flat_map(|phase| [(phase, 40), (phase, 100), (phase, 200)]) {
        let mut door = Door::new(Rules::default(), interval);
        door.see(2000 + phase * 100, Some((1, MASKED, None)));
        let off = door.now;
        door.see(3000, Some((1, BARE, None)));
        let time = door.alerts[0] - off;
        assert!(time <= 1000, "{time} ms at {interval} ms");
    }
}

#[test]
fn an_error_of_a_moment_neither_alerts_nor_opens() {
    for interval in [20, 40, 100, 200, 300] {
        let mut door = Door::new(Rules::default(), interval);
        door.see(2000, Some((1, MASKED, None)));
        door.see(301, Some((1, BARE, None)));
        door.see(2000, Some((1, MASKED, None)));
        assert!(door.alerts.is_empty(), "every {interval} ms");
        let mut door = Door::new(Rules::default(), interval);
        door.see(1000, Some((1, TURNED, None)));
        door.see(301, Some((1, MASKED, None)));
        door.see(1000, Some((1, TURNED, None)));
        assert!(!door.shown().contains(&DoorState::Pass), "every {interval} ms");
    }
}

#[test]
fn other_rules_raise_the_alert_of_a_verdict_that_stands() {
    let incorrect = Probabilities { mask: 0.03, no_mask: 0.07, incorrect: 0.9 };
    let worn_wrongly = Some((1, Judgement::Answered(incorrect), None));
    let mut door = Door::new(Rules { incorrect: IncorrectMeans::Pass, ..Rules::default() }, 100);
    door.see(2000, worn_wrongly);
    assert_eq!((door.shown(), door.alerts.len()), (vec![DoorState::Idle, DoorState::Pass], 0));
    door.decider.set_rules(Rules::default());
    door.see(500, worn_wrongly);
    assert_eq!(door.alerts, [2000], "raised in full, with its finding");
    assert_eq!(door.decider.signal(at(2400)), Signal { state: DoorState::Alert, since: at(2000) });
}

/// Cameras deliver in bursts, cables flicker, boards pause: a pause in which nobody looked makes nobody
/// absent.
#[test]
fn bursts_and_pauses_make_nobody_absent() {
    use DoorState::{Alert, Idle};
    for (frames, pause) in [(2, 1500), (3, 1200), (1, 2500), (6, 2500), (3, 6000)] {
        let mut door = Door::new(Rules::default(), 100);
        for _ in 0..20 {
            door.see(100 * frames, Some((1, BARE, None)));
            door.pause(pause);
        }
        assert_eq!(door.shown(), [Idle, Alert], "{frames} frames, then {pause} ms without");
        assert_eq!(door.alerts.len(), 1);
        assert!(door.alerts[0] <= 3 * (100 * frames + pause), "{:?}", door.alerts);
    }
}

#[test]
fn after_a_pause_that_is_too_long_everybody_is_another() {
    use DoorState::{Idle, Pass};
    let mut door = Door::new(Rules::default(), 100);
    door.see(1000, Some((1, MASKED, None)));
    door.pause(10_500);
    assert_eq!(door.shown(), [Idle, Pass], "the door says what it last knew, until a fault takes over");
    door.see(100, Some((1, BARE, None)));
    assert_eq!(door.shown(), [Idle, Pass, Idle]);
    // After a shorter one the verdict has not been confirmed for long, so the first look ends it.
    let mut door = Door::new(Rules::default(), 100);
    door.see(1000, Some((1, MASKED, None)));
    door.pause(3000);
    door.see(100, Some((1, BARE, None)));
    assert!(door.shown().last() != Some(&Pass), "{:?}", door.states);
}

/// Linger counts from the end of a look, and a pause is no absence; but what people look like is kept for ten
/// seconds and no longer. After that nobody can say who stands there: rather a second alert than none.
#[test]
fn a_stall_raises_a_second_alert_only_where_nobody_can_know_who_is_there() {
    use DoorState::{Alert, Idle};
    for (interval, stall, alerts) in [
        (100, 2000, 1),
        (100, 6000, 1),
        (100, 9800, 1),
        (100, 10_000, 2),
        (100, 14_000, 2),
        // Three intervals, where they are longer.
        (4000, 7900, 1),
        (4000, 8100, 2),
    ] {
        let person = Some((1, BARE, Some(dressed(20))));
        let mut door = Door::new(Rules::default(), interval);
        door.see(5 * interval, person);
        door.pause(stall);
        door.see(5 * interval, person);
        assert_eq!(door.alerts.len(), alerts, "looks every {interval} ms, a stall of {stall} ms");
        assert_eq!(door.shown(), [Idle, Alert].repeat(alerts), "{interval} ms, {stall} ms");
    }
}

#[test]
fn who_left_is_remembered_for_the_re_arm_time_and_for_ten_seconds_at_most() {
    let person = dressed(20);
    for (re_arm, until) in [(5000, 5000), (10_000, 10_000), (60_000, 10_000)] {
        for (passed, known) in [(until - 1, true), (until, false)] {
            let mut memory = Memory::default();
            memory.keep(at(1000), person);
            memory.forget(at(1000 + passed), at(re_arm));
            assert_eq!(memory.is_empty(), !known, "{passed} ms after he left");
            assert!(!memory.take(&dressed(200)), "another one");
            assert_eq!(memory.take(&person), known);
            assert!(memory.is_empty(), "who is back is no longer remembered");
        }
    }
    // Of more than thirty-two, those who left first are forgotten.
    let mut memory = Memory::default();
    for number in 0..33 {
        memory.keep(at(number), if number == 0 { person } else { dressed(200) });
    }
    assert!(!memory.take(&person));
    assert_eq!((0..40).filter(|_| memory.take(&dressed(200))).count(), 32);
}

#[test]
fn what_people_look_like_is_dropped_ten_seconds_after_they_were_seen() {
    let mut door = Door::new(Rules::default(), 100);
    door.see(1000, Some((1, BARE, Some(dressed(20)))));
    let seen = door.now - 100;
    for (time, known) in [(seen + 9999, true), (seen + 10_000, false)] {
        door.decider.signal(at(time));
        assert_eq!(door.decider.knows_a_look(), known, "{time}");
    }
}

#[test]
fn who_has_just_come_is_pressing_for_three_seconds_if_large_enough() {
    let mut door = Door::new(
        Rules { min_face_side: 20.0, ignore_below: FaceSize::Pixels(16.0), ..Rules::default() },
        100,
    );
    let kind = |door: &Door, track, side| {
        door.decider
            .urgency(&Sighting { track: TrackId(track), side, frame: 640 }, at(door.now))
            .map(|urgency| urgency.kind)
    };
    door.see(100, Some((1, Judgement::Unasked, None)));
    let first_seen = door.now - 100;
    while door.now < first_seen + 5000 {
        let expected = if door.now <= first_seen + 3000 { UrgencyKind::Arrived } else { UrgencyKind::Due };
        assert_eq!(kind(&door, 1, 60.0), Some(expected), "after {} ms", door.now - first_seen);
        door.see(100, Some((1, Judgement::Unasked, None)));
    }
    assert_eq!(kind(&door, 2, 20.0), Some(UrgencyKind::Arrived));
    assert_eq!(kind(&door, 2, 19.9), None);
}

#[test]
fn large_faces_and_long_waits_come_first_by_their_product() {
    let mut decider = Decider::new(Rules::default());
    let faces =
        [(1, 30.0), (2, 60.0)].map(|(track, side)| Sighting { track: TrackId(track), side, frame: 640 });
    let judgement =
        |judgement| JudgedFace { judgement, ..JudgedFace::unasked(Rect::new(0.0, 0.0, 60.0, 60.0), 1.0) };
    decider.observe(at(0), at(0), &faces, &[judgement(TURNED); 2]);
    decider.observe(at(600), at(600), &faces, &[judgement(Judgement::Unasked), judgement(TURNED)]);
    // Half the size, but a whole second instead of 0.4.
    assert_eq!(decider.exchange(at(1000), faces.to_vec()).wanted(), [0, 1]);
    // Half the size, and 1.1 seconds instead of 0.6.
    decider.observe(at(1000), at(1000), &faces, &[judgement(TURNED), judgement(Judgement::Unasked)]);
    assert_eq!(decider.exchange(at(1700), faces.to_vec()).wanted(), [1, 0]);
}

#[test]
fn a_masked_verdict_outlives_three_rechecks_where_these_are_rare() {
    let rules = Rules { recheck: at(2000), window: at(10_000), ..Rules::default() };
    let mut door = Door::new(rules, 100);
    door.see(1000, Some((1, MASKED, None)));
    door.see(9000, Some((1, TURNED, None)));
    assert_eq!(door.shown(), [DoorState::Idle, DoorState::Pass, DoorState::Look]);
    // Six seconds after the vote that decided: until the next recheck nothing was asked.
    let (pass, look) = (door.states[1].0, door.states[2].0);
    assert!((6000..=6300).contains(&(look - pass)), "{:?}", door.states);
}

#[test]
fn a_state_lasts_since_it_was_first_shown() {
    let mut door = Door::new(Rules::default(), 100);
    door.see(1000, Some((1, MASKED, None)));
    door.see(3000, None);
    let [(0, DoorState::Idle), (pass, DoorState::Pass), (idle, DoorState::Idle)] = door.states[..] else {
        panic!("{:?}", door.states)
    };
    assert_eq!(door.decider.signal(at(door.now)), Signal { state: DoorState::Idle, since: at(idle) });
    let mut again = Door::new(Rules::default(), 100);
    again.see(pass + 500, Some((1, MASKED, None)));
    assert_eq!(again.decider.signal(at(again.now)), Signal { state: DoorState::Pass, since: at(pass) });
}

#[test]
fn where_everybody_is_forgotten_nothing_is_shown() {
    let mut door = Door::new(Rules::default(), 100);
    door.see(1000, Some((1, BARE, None)));
    assert_eq!(door.decider.signal(at(door.now)).state, DoorState::Alert);
    door.decider.forget_all();
    assert_eq!(door.decider.signal(at(door.now)).state, DoorState::Idle);
    assert!(door.decider.remembers_nobody());
}

#[test]
fn the_interval_is_told_from_the_second_look_on_and_is_settled_from_the_sixth() {
    let mut door = Door::new(Rules::default(), 100);
    for looks in 1..10 {
        door.see(100, None);
        let interval = (looks > 1).then_some(at(100));
        assert_eq!(door.decider.interval(), interval, "{looks} looks");
        assert_eq!(door.decider.settled_interval(), interval.filter(|_| looks > 5), "{looks} looks");
    }
}
