//! How large a face has to be: to be there, to be judged, to be believed and to be asked closer.

use super::*;

#[test]
fn a_small_face_is_asked_to_come_closer_and_a_tiny_one_ignored() {
    for (side, expected) in [(18.0, DoorState::Look), (16.0, DoorState::Look), (15.9, DoorState::Idle)] {
        let mut decider = Decider::new(Rules::default());
        let face = Observation { side, ..seen(1, BARE) };
        let exchange = decider.exchange(at(0), vec![face.sighting()]);
        assert_eq!(exchange.wanted(), Vec::<usize>::new());
        // Even a vote handed in for it does not count.
        assert_eq!(watch(&mut decider, 0, 3000, &[face]), expected);
    }
}

#[test]
fn who_is_far_away_lights_nothing_and_is_asked_closer_once_he_is_near() {
    let mut decider = Decider::new(Rules { min_look_side: FaceSize::Share(0.1), ..Rules::default() });
    let from = |side| Observation { side, ..seen(1, UNCLEAR) };
    assert_eq!(watch(&mut decider, 0, 5000, &[from(39.0)]), DoorState::Idle);
    // The time counts from here.
    assert_eq!(watch(&mut decider, 5000, 6000, &[from(40.0)]), DoorState::Idle);
    assert_eq!(watch(&mut decider, 6000, 6400, &[from(40.0)]), DoorState::Look);
    // A step back does not let the light flicker, three do.
    assert_eq!(watch(&mut decider, 6400, 7000, &[from(33.0)]), DoorState::Look);
    assert_eq!(watch(&mut decider, 7000, 7400, &[from(31.0)]), DoorState::Idle);
    // What a face says counts from afar too.
    let bare = Observation { side: 30.0, ..seen(2, BARE) };
    assert_eq!(watch(&mut decider, 7400, 8400, &[bare]), DoorState::Alert);
}

#[test]
fn sizes_are_pixels_or_shares_of_the_frames_width() {
    assert_eq!(
        [0.0, 0.04, 1.0, 16.0].map(FaceSize::from),
        [FaceSize::Pixels(0.0), FaceSize::Share(0.04), FaceSize::Pixels(1.0), FaceSize::Pixels(16.0)]
    );
    for (frame, expected) in [(400, DoorState::Look), (1280, DoorState::Idle)] {
        let mut decider = Decider::new(Rules { ignore_below: FaceSize::Share(0.05), ..Rules::default() });
        for time in (0..2000).step_by(200) {
            let sighting = Sighting { track: TrackId(1), side: 60.0, frame };
            decider.exchange(at(time), vec![sighting]).finish(at(time), &[seen(1, UNCLEAR).judged()]);
        }
        assert_eq!(decider.signal(at(2000)).state, expected, "in a frame of {frame} pixels");
    }
}

#[test]
fn a_face_far_away_takes_surer_answers() {
    let bare =
        |p_mask, side| Observation { side, answer: Some(Probabilities::of_mask(p_mask)), ..seen(1, BARE) };
    for (p_mask, side, expected) in
        [(0.1, 24.0, DoorState::Alert), (0.1, 23.0, DoorState::Look), (0.04, 23.0, DoorState::Alert)]
    {
        let mut decider = Decider::new(Rules::default());
        assert_eq!(watch(&mut decider, 0, 3000, &[bare(p_mask, side)]), expected, "{p_mask} at {side} px");
    }
}
