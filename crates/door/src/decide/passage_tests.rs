//! Tests of held passes, as properties over arbitrary histories.

use super::tests::{BARE, INCORRECT, MASKED, any_history, any_rules, at, observe, seen};
use super::*;
use crate::track::TrackId;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

fn door(pass_hold_for: PassHoldFor) -> Decider {
    Decider::new(Rules { pass_hold: at(3000), pass_hold_for, ..Rules::default() })
}

/// Shows the same faces every 200 ms in `from..to`; when a pass was held, in milliseconds.
fn held(decider: &mut Decider, from: u64, to: u64, faces: &[super::tests::Observation]) -> Vec<u64> {
    let mut times = Vec::new();
    for time in (from..to).step_by(200) {
        observe(decider, at(time), faces);
        decider.signal(at(time));
        times.extend(decider.held_pass(at(time)).map(|_| time));
    }
    times
}

#[test]
fn a_masked_person_holds_it_once_however_long_he_stays() {
    let mut decider = door(PassHoldFor::Everyone);
    let times = held(&mut decider, 0, 10_000, &[seen(1, MASKED)]);
    assert_eq!((times.first(), times.last()), (Some(&400), Some(&3200)), "{times:?}");
    assert_eq!(held(&mut decider, 10_000, 12_000, &[]), [0u64; 0]);
    // The same track again is nobody new; another one is.
    assert_eq!(held(&mut decider, 12_000, 15_000, &[seen(1, MASKED)]), [0u64; 0]);
    assert_eq!(held(&mut decider, 15_000, 20_000, &[seen(2, MASKED)]).len(), 15);
}

#[test]
fn an_unmasked_person_ends_it_for_everyone_and_not_for_anyone() {
    for wrong in [BARE, INCORRECT] {
        let mut decider = door(PassHoldFor::Everyone);
        assert!(!held(&mut decider, 0, 1000, &[seen(1, MASKED)]).is_empty());
        let times = held(&mut decider, 1000, 3000, &[seen(1, MASKED), seen(2, wrong)]);
        assert!(times.iter().all(|time| *time < 1400), "{times:?}");
        let mut decider = door(PassHoldFor::Anyone);
        assert_eq!(held(&mut decider, 0, 2000, &[seen(1, MASKED), seen(2, wrong)]).len(), 8);
    }
}

#[test]
fn who_had_to_wait_for_an_unmasked_person_passes_when_that_one_has_gone() {
    let mut decider = door(PassHoldFor::Everyone);
    assert_eq!(held(&mut decider, 0, 3000, &[seen(1, MASKED), seen(2, BARE)]), [0u64; 0]);
    let times = held(&mut decider, 3000, 12_000, &[seen(1, MASKED)]);
    assert_eq!(times.len(), 15, "{times:?}");
}

#[test]
fn by_default_no_pass_is_held() {
    let mut decider = Decider::new(Rules::default());
    assert_eq!(held(&mut decider, 0, 3000, &[seen(1, MASKED)]), [0u64; 0]);
}

proptest! {
    /// Whatever is seen: never in a fault; for everyone never while the door shows an unmasked person; each
    /// track holds it once, and never for longer than its time.
    #[test]
    fn a_pass_is_held_only_for_those_who_may_and_ends(
        rules in any_rules(), history in any_history(true), hold in 1u64..5000, for_anyone in any::<bool>(),
    ) {
        let pass_hold_for = if for_anyone { PassHoldFor::Anyone } else { PassHoldFor::Everyone };
        let mut decider = Decider::new(Rules { pass_hold: at(hold), pass_hold_for, ..rules.clone() });
        let (mut time, mut last_masked) = (0, BTreeMap::<TrackId, u64>::new());
        let mut held_for = 0;
        let mut was_held = false;
        for step in history {
            let before = time;
            time += step.passed;
            if was_held && decider.held_pass(at(time)).is_some() {
                held_for += time - before;
            }
            decider.set_fault(step.fault);
            observe(&mut decider, at(time), &step.faces);
            let state = decider.signal(at(time)).state;
            let held = decider.held_pass(at(time));
            for face in &step.faces {
                if decider.opinion(face.track).verdict != Verdict::Unmasked {
                    last_masked.insert(face.track, time);
                }
            }
            was_held = held.is_some();
            let Some(HeldPass { since, until }) = held else { continue };
            prop_assert!(!step.fault && state != DoorState::Fault, "held in a fault");
            prop_assert!(since <= at(time) && at(time) < until && until <= at(time + hold));
            prop_assert!(!last_masked.is_empty(), "held for nobody");
            if pass_hold_for == PassHoldFor::Everyone {
                prop_assert!(!matches!(state, DoorState::Alert | DoorState::Incorrect), "held in {state}");
                let unmasked = step.faces.iter().filter(|face| face.sighting().reaches(rules.ignore_below));
                for face in unmasked {
                    let opinion = decider.opinion(face.track);
                    prop_assert!(opinion.nobody || opinion.verdict != Verdict::Unmasked, "unmasked in view");
                }
            }
        }
        // Each of the tracks once, for its time at most.
        prop_assert!(Duration::from_millis(held_for) <= at(hold) * last_masked.len() as u32);
    }
}
