//! What is no face, and heads from behind: whether somebody is there at all.

use super::*;

#[test]
fn most_of_the_looks_say_whether_somebody_is_there() {
    const NOBODY: Judgement = Judgement::Nobody;
    for (looks, nobody) in [
        (&[NOBODY][..], true),
        (&[NOBODY, BARE], false),
        (&[NOBODY, BARE, NOBODY], true),
        (&[BARE, NOBODY], false),
    ] {
        let mut door = Door::new(Rules::default(), 100);
        looks.iter().for_each(|judgement| door.see(100, Some((1, *judgement, None))));
        assert_eq!(door.decider.opinion(TrackId(1)).nobody, nobody, "{looks:?}");
    }
}

#[test]
fn what_is_no_face_is_nobody_not_even_look() {
    for interval in [40, 100, 200, 1000] {
        let mut door = Door::new(Rules::default(), interval);
        door.see(20 * interval, Some((1, Judgement::Nobody, None)));
        assert_eq!((door.shown(), door.alerts.len()), (vec![DoorState::Idle], 0), "every {interval} ms");
    }
}

#[test]
fn an_animal_that_is_taken_for_a_face_now_and_then_raises_no_alert() {
    let mut door = Door::new(Rules::default(), 100);
    for _ in 0..20 {
        door.see(200, Some((1, Judgement::Nobody, None)));
        door.see(100, Some((1, BARE, None)));
    }
    assert_eq!((door.shown(), door.alerts.len()), (vec![DoorState::Idle], 0));
}

#[test]
fn who_is_taken_for_nobody_now_and_then_is_alerted_all_the_same() {
    use DoorState::{Alert, Idle};
    // A first look that errs, and one in four later on.
    let mut door = Door::new(Rules::default(), 100);
    for _ in 0..10 {
        door.see(100, Some((1, Judgement::Nobody, None)));
        door.see(300, Some((1, BARE, None)));
    }
    assert_eq!(door.shown(), [Idle, Alert]);
    assert!(door.alerts.len() == 1 && door.alerts[0] <= 1000, "{:?}", door.alerts);
}

#[test]
fn a_head_from_behind_is_asked_to_turn_round() {
    use DoorState::{Idle, Look};
    let mut door = Door::new(Rules::default(), 100);
    door.see(3000, Some((1, Judgement::Stopped(Gate::Hidden), None)));
    assert_eq!((door.shown(), door.alerts.len()), (vec![Idle, Look], 0));
}

#[test]
fn an_animal_that_looks_like_a_face_for_moments_is_nobody_at_every_rate() {
    for interval in [40, 100, 200] {
        let mut door = Door::new(Rules::default(), interval);
        door.see(1000, Some((1, Judgement::Nobody, None)));
        for _ in 0..8 {
            door.see(200, Some((1, BARE, None)));
            door.see(600, Some((1, Judgement::Nobody, None)));
        }
        assert_eq!(door.states, [(0, DoorState::Idle)], "{interval} ms");
    }
}

/// The time after which somebody is asked to come closer counts from when there was somebody.
#[test]
fn who_was_nobody_is_not_asked_to_come_closer_at_once() {
    let mut door = Door::new(Rules::default(), 100);
    door.see(5000, Some((1, Judgement::Nobody, None)));
    let came = door.now;
    door.see(5000, Some((1, TURNED, None)));
    let look = door.states.iter().find(|(_, state)| *state == DoorState::Look).unwrap().0;
    assert!((came + 1000..=came + 3000).contains(&look), "{came} {look}");
}
