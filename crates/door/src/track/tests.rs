//! Tests of [`super`]: who is taken for whom, to the limits.

use super::*;
use proptest::prelude::*;

const FORGET: Absence = Absence { linger: Duration::from_secs(3), longest: Duration::from_secs(10) };
const FRAME: (u32, u32) = (640, 480);

impl Tracker {
    fn ids(&mut self, faces: &[Rect], now: Duration) -> Vec<TrackId> {
        self.update(faces, FRAME, now, FORGET).ids
    }
}

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn face(x: f32, y: f32, side: f32) -> Rect {
    Rect::new(x, y, side, side * 1.25)
}

#[test]
fn a_face_that_walks_up_at_two_frames_a_second_stays_one() {
    let mut tracker = Tracker::default();
    let mut side = 24.0;
    let mut ids = HashSet::new();
    for frame in 0..8 {
        let rect = face(300.0 - 2.0 * side + 10.0 * frame as f32, 200.0 - side, side);
        ids.extend(tracker.ids(&[rect], milliseconds(500 * frame)));
        side *= 1.3;
    }
    assert_eq!(ids.len(), 1);
}

#[test]
fn a_pan_by_more_than_the_face_does_not_lose_it() {
    let mut tracker = Tracker::default();
    let first = tracker.ids(&[face(100.0, 100.0, 40.0)], milliseconds(0));
    let second = tracker.ids(&[face(160.0, 110.0, 40.0)], milliseconds(250));
    assert_eq!(first, second);
}

#[test]
fn two_people_keep_their_ids_when_listed_the_other_way_round() {
    let mut tracker = Tracker::default();
    let (left, right) = (face(100.0, 100.0, 40.0), face(200.0, 100.0, 40.0));
    let before = tracker.ids(&[left, right], milliseconds(0));
    let after = tracker
        .ids(&[Rect { x: right.x + 8.0, ..right }, Rect { x: left.x + 8.0, ..left }], milliseconds(200));
    assert_eq!(before, [after[1], after[0]]);
}

#[test]
fn two_people_who_pass_each_other_keep_their_ids() {
    let mut tracker = Tracker::default();
    let ids: Vec<Vec<TrackId>> = (0..11)
        .map(|frame: u8| {
            let walked = 30.0 * f32::from(frame);
            let (nearer, farther) = (face(100.0 + walked, 100.0, 40.0), face(400.0 - walked, 104.0, 38.0));
            // Where they meet, the nearer one hides the other.
            let faces = [nearer, farther];
            let seen = if (4..=6).contains(&frame) { &faces[..1] } else { &faces[..] };
            tracker.ids(seen, milliseconds(100 * u64::from(frame)))
        })
        .collect();
    let first = &ids[0];
    assert!(ids.iter().all(|ids| ids[..] == first[..ids.len()]), "{ids:?}");
}

#[test]
fn short_gaps_are_bridged_and_long_ones_are_not() {
    let mut tracker = Tracker::default();
    let rect = face(100.0, 100.0, 40.0);
    let first = tracker.ids(&[rect], milliseconds(0));
    tracker.ids(&[], milliseconds(1000));
    assert_eq!(tracker.ids(&[rect], milliseconds(2900)), first);
    for time in [4000, 5000, 6000] {
        tracker.ids(&[], milliseconds(time));
    }
    assert_ne!(tracker.ids(&[rect], milliseconds(6100)), first);
}

#[test]
fn who_walks_in_is_followed_at_one_frame_a_second() {
    // From 4.5 m at 1.4 m/s, half a metre beside the camera's axis, seen by a lens of 60 degrees; a face
    // is 16 cm wide.
    let mut tracker = Tracker::default();
    let ids: HashSet<TrackId> = [4.5f32, 3.1, 1.7, 0.6]
        .iter()
        .enumerate()
        .flat_map(|(second, distance)| {
            let (side, across) = (0.16 * 554.0 / distance, 0.25 * 554.0 / distance);
            let rect = face(320.0 + across - side / 2.0, 200.0, side);
            tracker.ids(&[rect], milliseconds(1000 * second as u64))
        })
        .collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn a_slow_look_makes_nobody_absent() {
    let mut tracker = Tracker::default();
    let rect = face(100.0, 100.0, 40.0);
    let first = tracker.ids(&[rect], milliseconds(0));
    tracker.look_ended(milliseconds(5000));
    assert_eq!(tracker.ids(&[rect], milliseconds(5100)), first);
    // Nobody looked for a while, which says nothing about him; but that must not be for ever.
    assert_eq!(tracker.ids(&[rect], milliseconds(12_000)), first);
    assert_ne!(tracker.ids(&[rect], milliseconds(22_100)), first);
}

#[test]
fn who_goes_over_the_edge_has_left_and_who_hides_has_not() {
    let mut tracker = Tracker::default();
    let leaves = |frame: u8| face(560.0 + 20.0 * f32::from(frame), 200.0, 60.0);
    let stays = face(2.0, 200.0, 60.0);
    let mut ids = Vec::new();
    for frame in 0..3 {
        ids = tracker.ids(&[leaves(frame), stays], milliseconds(100 * u64::from(frame)));
    }
    let tracked = tracker.update(&[], FRAME, milliseconds(300), FORGET);
    assert_eq!(tracked.left, [ids[0]], "the other stands still beside the edge");
    let back = tracker.ids(&[leaves(2), stays], milliseconds(400));
    assert_ne!(back[0], ids[0], "who comes in there is another");
    assert_eq!(back[1], ids[1]);
}

#[test]
fn a_far_face_and_a_near_one_are_two_people() {
    let mut tracker = Tracker::default();
    let first = tracker.ids(&[face(100.0, 100.0, 20.0)], milliseconds(0));
    assert_ne!(tracker.ids(&[face(100.0, 100.0, 90.0)], milliseconds(200)), first);
}

/// A face of 40 pixels, so many face sizes to the right of another.
fn beside(sizes: f32) -> Rect {
    Rect::new(100.0 + 40.0 * sizes, 100.0, 40.0, 40.0)
}

#[test]
fn how_far_a_face_may_have_moved_depends_on_how_long_nobody_saw_it() {
    // Looks come every `step`; the face is seen in the first and after `gap`.
    for (step, gap, farthest) in [
        (100, 100, 1.4),
        (100, 300, 2.2),
        // The longest reach, however long it was away,
        (100, 500, 3.0),
        (100, 2000, 3.0),
        (500, 500, 3.0),
        // and where looks are rare.
        (750, 750, 4.0),
        (1000, 1000, 5.0),
        (2000, 2000, 6.0),
        (2500, 2500, 6.0),
    ] {
        for (sizes, same) in [(farthest - 0.05, true), (farthest + 0.05, false)] {
            let mut tracker = Tracker::default();
            let first = tracker.ids(&[beside(0.0)], milliseconds(0));
            (step..gap).step_by(step as usize).for_each(|time| drop(tracker.ids(&[], milliseconds(time))));
            let second = tracker.ids(&[beside(sizes)], milliseconds(gap));
            assert_eq!(first == second, same, "{sizes} face sizes, {gap} ms, looks every {step} ms");
        }
    }
}

#[test]
fn how_much_a_face_may_have_grown_depends_on_how_rare_looks_are() {
    for (step, most) in [(100, 2.0), (500, 2.0), (750, 4.0), (875, 5.0), (1000, 6.0), (2500, 6.0)] {
        for (ratio, same) in [(most - 0.05, true), (most + 0.05, false)] {
            for (before, after) in [(20.0, 20.0 * ratio), (20.0 * ratio, 20.0)] {
                let centred = |side: f32| Rect::new(300.0 - side / 2.0, 200.0 - side / 2.0, side, side);
                let mut tracker = Tracker::default();
                let first = tracker.ids(&[centred(before)], milliseconds(0));
                let second = tracker.ids(&[centred(after)], milliseconds(step));
                assert_eq!(first == second, same, "{before} to {after} pixels in {step} ms");
            }
        }
    }
}

#[test]
fn what_a_pair_costs_is_distance_growth_and_what_does_not_overlap() {
    let (limits, gap) = (Limits::of(0.1), milliseconds(100));
    let before = Rect::new(0.0, 0.0, 40.0, 40.0);
    let cost = |after: Rect| limits.cost(&before, &after, gap);
    let is_near = |cost: Option<f32>, expected: f32| cost.is_some_and(|cost| (cost - expected).abs() < 1e-3);
    // Half a size aside, a third of both covered.
    assert!(is_near(cost(Rect::new(20.0, 0.0, 40.0, 40.0)), 0.5 - 1.0 / 3.0));
    assert!(is_near(cost(Rect::new(0.0, 20.0, 40.0, 40.0)), 0.5 - 1.0 / 3.0));
    // Half as large again, 30 pixels aside: the size between the two counts.
    let larger = Rect::new(20.0, -10.0, 60.0, 60.0);
    let expected = 30.0 / 2400.0f32.sqrt() + 1.5f32.ln() - 800.0 / 4400.0;
    assert!(is_near(cost(larger), expected), "{:?}", cost(larger));
    assert!(is_near(limits.cost(&larger, &before, gap), expected));
    for nothing in [Rect::new(0.0, 0.0, 0.0, 40.0), Rect::new(0.0, 0.0, f32::NAN, f32::NAN)] {
        assert_eq!(cost(nothing), None);
        assert_eq!(limits.cost(&nothing, &before, gap), None);
    }
}

#[test]
fn a_face_is_expected_where_its_motion_takes_it_but_not_for_long() {
    let mut tracker = Tracker::default();
    let walking =
        |step: u8| Rect::new(200.0 + 10.0 * f32::from(step), 100.0 + 5.0 * f32::from(step), 40.0, 40.0);
    let mut first = Vec::new();
    for step in 0..5 {
        first = tracker.ids(&[walking(step)], milliseconds(100 * u64::from(step)));
    }
    let track = &tracker.tracks[0];
    assert_eq!(track.velocity, Some((100.0, 50.0)), "pixels a second");
    let place = |time| (track.expected(milliseconds(time)).x, track.expected(milliseconds(time)).y);
    assert_eq!(place(600), (260.0, 130.0));
    assert_eq!((place(900), place(2000)), ((290.0, 145.0), (290.0, 145.0)), "for half a second at most");
    // Half of what is new, half of what was.
    let mut slower = tracker.clone();
    slower.ids(&[walking(4)], milliseconds(500));
    assert_eq!(slower.tracks[0].velocity, Some((50.0, 25.0)));
    // The same time again changes nothing.
    slower.ids(&[walking(4)], milliseconds(500));
    assert_eq!(slower.tracks[0].velocity, Some((50.0, 25.0)));
    // A second later he may have turned round; who stands far ahead is another.
    for (x, same) in
        [(240.0 - 65.0, true), (240.0 + 165.0, true), (240.0 + 175.0, false), (240.0 - 75.0, false)]
    {
        let mut later = tracker.clone();
        (500..1400).step_by(100).for_each(|time| drop(later.ids(&[], milliseconds(time))));
        let second = later.ids(&[Rect::new(x, 145.0, 40.0, 40.0)], milliseconds(1400));
        assert_eq!(first == second, same, "at {x}");
    }
}

#[test]
fn who_leaves_moves_out_over_the_edge_and_not_slowly() {
    // A face of 40 pixels, moving by so many pixels in 100 ms; 2 would be half a size a second.
    let leaves = |x: f32, y: f32, across: f32, down: f32| {
        let mut tracker = Tracker::default();
        let at = |step: f32| Rect::new(x + step * across, y + step * down, 40.0, 40.0);
        tracker.ids(&[at(-1.0)], milliseconds(0));
        let ids = tracker.ids(&[at(0.0)], milliseconds(100));
        let tracked = tracker.update(&[], FRAME, milliseconds(200), FORGET);
        assert!(tracked.left.is_empty() || tracked.left == ids);
        !tracked.left.is_empty()
    };
    for (x, y, across, down) in
        [(2.0, 200.0, -3.0, 0.0), (598.0, 200.0, 3.0, 0.0), (300.0, 2.0, 0.0, -3.0), (300.0, 438.0, 0.0, 3.0)]
    {
        assert!(leaves(x, y, across, down), "over the edge at {x}, {y}");
        assert!(!leaves(x, y, -across, -down), "inward at {x}, {y}");
        assert!(!leaves(x - across, y - down, across * 0.5, down * 0.5), "slowly, but not yet over it");
        assert!(!leaves(300.0, 200.0, across, down), "in the middle");
        let (out_x, out_y) = (x + 2.0 * across, y + 2.0 * down);
        assert!(!leaves(out_x, out_y, across * 0.6, down * 0.6), "over it, but slowly");
        assert!(!leaves(out_x, out_y, down, across), "over it, along the edge");
    }
    assert!(!leaves(10.0, 200.0, -3.0, 0.0), "it is expected within the frame");
    assert!(!leaves(3.0, 200.0, -3.0, 0.0) && !leaves(597.0, 200.0, 3.0, 0.0), "up to the edge is within");
    assert!(!leaves(300.0, 3.0, 0.0, -3.0) && !leaves(300.0, 437.0, 0.0, 3.0), "up to the edge is within");
    let mut once = Tracker::default();
    once.ids(&[Rect::new(-5.0, 200.0, 40.0, 40.0)], milliseconds(0));
    assert!(once.update(&[], FRAME, milliseconds(100), FORGET).left.is_empty(), "seen once: nobody knows");
}

#[test]
fn who_is_gone_has_missed_three_looks_and_the_time_to_linger_or_everything() {
    let gone = |missed, looked, now| {
        FORGET.is_gone(milliseconds(1000), missed, milliseconds(looked), milliseconds(now))
    };
    assert!(!gone(2, 9000, 9100));
    assert!(!gone(3, 4000, 4100), "just the time to linger");
    assert!(gone(3, 4001, 4100));
    assert!(!gone(0, 1000, 11_000));
    assert!(gone(0, 1000, 11_001));
    assert!(!gone(3, 500, 900), "times that run back");
}

#[test]
fn a_look_speaks_for_those_whom_it_showed() {
    let mut tracker = Tracker::default();
    let (stays, leaves) = (face(100.0, 100.0, 40.0), face(400.0, 100.0, 40.0));
    let first = tracker.ids(&[stays, leaves], milliseconds(0));
    tracker.look_ended(milliseconds(10));
    for time in [1000, 2000, 3000] {
        tracker.ids(&[stays], milliseconds(time));
        tracker.look_ended(milliseconds(time + 500));
    }
    let back = tracker.ids(&[stays, leaves], milliseconds(4000));
    assert_eq!(back[0], first[0]);
    assert_ne!(back[1], first[1], "he was missing in three looks, the last of which ended after 3.5 s");
    // An end that lies before the look does no harm.
    tracker.look_ended(milliseconds(7));
    assert_eq!(tracker.ids(&[stays], milliseconds(4100)), back[..1]);
}

#[test]
fn the_likelier_pair_wins_whatever_the_order() {
    // Both faces could be that of the one who was there: the nearer one is.
    let was = face(300.0, 200.0, 40.0);
    for (near, far) in [(10.0, 40.0), (-10.0, -40.0)] {
        let faces = [face(300.0 + far, 200.0, 40.0), face(300.0 + near, 200.0, 40.0)];
        for order in [[0, 1], [1, 0]] {
            let mut tracker = Tracker::default();
            let first = tracker.ids(&[was], milliseconds(0));
            let ids = tracker.ids(&order.map(|index| faces[index]), milliseconds(100));
            let nearer = order.iter().position(|index| *index == 1).unwrap();
            assert_eq!(ids[nearer], first[0]);
            assert_ne!(ids[1 - nearer], first[0]);
        }
    }
}

#[test]
fn an_id_is_shown_with_a_number_sign() {
    assert_eq!(TrackId(12).to_string(), "#12");
}

fn any_face() -> impl Strategy<Value = Rect> {
    (-100.0f32..700.0, -100.0f32..500.0, 0.0f32..200.0, 0.0f32..200.0)
        .prop_map(|(x, y, w, h)| Rect::new(x, y, w, h))
}

proptest! {
    #[test]
    fn every_face_has_an_id_of_its_own(
        frames in prop::collection::vec((prop::collection::vec(any_face(), 0..8), 0u64..2000), 1..20)
    ) {
        let mut tracker = Tracker::default();
        for (faces, at) in frames {
            // Times in any order: a clock that stands still or jumps back must do no harm.
            let ids = tracker.ids(&faces, milliseconds(at));
            prop_assert_eq!(ids.len(), faces.len());
            prop_assert_eq!(ids.iter().collect::<HashSet<_>>().len(), faces.len());
        }
    }

    #[test]
    fn a_face_that_stands_still_keeps_its_id(rect in any_face(), steps in prop::collection::vec(0u64..2900, 1..30)) {
        prop_assume!(rect.side() > 1.0);
        let mut tracker = Tracker::default();
        let mut now = 0;
        let first = tracker.ids(&[rect], milliseconds(now));
        for step in steps {
            now += step;
            prop_assert_eq!(&tracker.ids(&[rect], milliseconds(now)), &first);
        }
    }

    #[test]
    fn forgotten_faces_never_come_back_under_their_old_id(rect in any_face(), gap in 10_001u64..100_000) {
        let mut tracker = Tracker::default();
        let first = tracker.ids(&[rect], milliseconds(5));
        prop_assert_ne!(tracker.ids(&[rect], milliseconds(5 + gap)), first);
    }

    #[test]
    fn what_cannot_be_a_box_does_no_harm(x in prop::num::f32::ANY, y in prop::num::f32::ANY, w in prop::num::f32::ANY) {
        let mut tracker = Tracker::default();
        for frame in 0..4 {
            prop_assert_eq!(tracker.ids(&[Rect::new(x, y, w, w)], milliseconds(frame)).len(), 1);
        }
    }
}
