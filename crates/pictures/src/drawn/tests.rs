use super::*;
use proptest::prelude::*;
use rand::SeedableRng;

/// The landmarks of the face in `tests/fixtures/astronaut.jpg`, as YuNet finds them.
const FACE: [Point; 5] = [
    Point { x: 203.4, y: 103.6 },
    Point { x: 247.5, y: 104.4 },
    Point { x: 224.1, y: 127.7 },
    Point { x: 204.0, y: 143.1 },
    Point { x: 242.9, y: 143.7 },
];
const SEEDS: std::ops::Range<u64> = 0..60;

fn portrait() -> RgbImage {
    image::open("../../tests/fixtures/astronaut.jpg").unwrap().into_rgb8()
}

fn drawn(before: &RgbImage, kind: DrawnKind, seed: u64) -> RgbImage {
    let mut picture = before.clone();
    draw(&mut picture, &FACE, kind, &mut ChaCha8Rng::seed_from_u64(seed));
    picture
}

/// How many of the 25 pixels around a place have changed visibly.
fn changed(before: &RgbImage, after: &RgbImage, x: f32, y: f32) -> usize {
    let around = (-2..=2).flat_map(|dx| (-2..=2).map(move |dy| (dx, dy)));
    around
        .filter(|(dx, dy)| {
            let (x, y) = ((x as i32 + dx) as u32, (y as i32 + dy) as u32);
            let pair = before.get_pixel(x, y).0.into_iter().zip(after.get_pixel(x, y).0);
            pair.map(|(a, b)| a.abs_diff(b)).max().unwrap() > 3
        })
        .count()
}

fn mouth() -> (f32, f32) {
    ((FACE[3].x + FACE[4].x) / 2.0, (FACE[3].y + FACE[4].y) / 2.0)
}

#[test]
fn masks_lie_where_their_labels_say() {
    let before = portrait();
    let (x, y) = mouth();
    for seed in SEEDS {
        for (kind, covers_nose, covers_mouth) in [
            (DrawnKind::Mask, true, true),
            (DrawnKind::UnderNose, false, true),
            (DrawnKind::UnderMouth, false, false),
        ] {
            let after = drawn(&before, kind, seed);
            let nose = changed(&before, &after, FACE[2].x, FACE[2].y);
            let lips = changed(&before, &after, x, y);
            for (covered, count) in [(covers_nose, nose), (covers_mouth, lips)] {
                let right = if covered { count > 12 } else { count == 0 };
                assert!(
                    right,
                    "{kind}, seed {seed}: {nose} of 25 pixels of the nose and {lips} of the mouth differ"
                );
            }
            // The eyes are never covered.
            for eye in &FACE[..2] {
                assert_eq!(changed(&before, &after, eye.x, eye.y), 0, "{kind}, seed {seed}");
            }
        }
    }
}

#[test]
fn obstructions_cover_what_they_are_held_before() {
    let before = portrait();
    let (x, y) = mouth();
    // Below the lower lip, where hands, cups and beards are; the mouth itself may stay bare.
    let share = |kind: DrawnKind, at: &[(f32, f32)]| {
        let hits = SEEDS.filter(|seed| {
            let after = drawn(&before, kind, *seed);
            at.iter().any(|(x, y)| changed(&before, &after, *x, *y) > 12)
        });
        hits.count() as f64 / SEEDS.count() as f64
    };
    for kind in [DrawnKind::Hand, DrawnKind::Cup, DrawnKind::Microphone, DrawnKind::Beard] {
        let share = share(kind, &[(x, y), (x - 14.0, y + 4.0), (x + 14.0, y + 4.0), (x, y + 14.0)]);
        assert!(share > 0.9, "{kind} covers mouth or chin in {share} of the cases");
    }
    assert!(share(DrawnKind::Helmet, &[(224.0, 70.0)]) > 0.9);
    assert!(share(DrawnKind::Phone, &[(x, y), (188.0, 130.0), (260.0, 130.0), (x, y + 14.0)]) > 0.9);
    assert!(
        share(DrawnKind::Hood, &[(224.0, 50.0), (224.0, 64.0), (224.0, 74.0), (178.0, 60.0), (270.0, 60.0)])
            > 0.9
    );
    for kind in [DrawnKind::Helmet, DrawnKind::Hood] {
        assert_eq!(share(kind, &[(x, y)]), 0.0, "{kind} leaves the mouth bare");
    }
}

#[test]
fn what_is_far_from_the_face_stays_as_it_was() {
    let before = portrait();
    for kind in
        DrawnKind::ALL.into_iter().filter(|kind| !matches!(kind, DrawnKind::SideLight | DrawnKind::Backlight))
    {
        for seed in SEEDS.step_by(4) {
            let after = drawn(&before, kind, seed);
            assert_ne!(before, after, "{kind}, seed {seed}");
            for (x, y) in [(8, 8), (500, 8), (500, 500), (8, 300), (400, 300)] {
                assert_eq!(before.get_pixel(x, y), after.get_pixel(x, y), "{kind}, seed {seed}");
            }
        }
    }
}

fn brightness(picture: &RgbImage, columns: std::ops::Range<u32>, rows: std::ops::Range<u32>) -> f32 {
    let n = columns.len() * rows.len();
    let pixels = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
    pixels.map(|(x, y)| light::luminance(picture.get_pixel(x, y).0.map(f32::from))).sum::<f32>() / n as f32
}

#[test]
fn side_light_darkens_one_half() {
    let before = RgbImage::from_pixel(512, 512, image::Rgb([190, 150, 130]));
    let mut dark_sides = [0, 0];
    for seed in SEEDS {
        let after = drawn(&before, DrawnKind::SideLight, seed);
        let [right, left] = [188..205, 243..260].map(|columns| brightness(&after, columns, 110..150));
        let (dark, bright) = (right.min(left), right.max(left));
        assert!(dark < 0.65 * bright && dark < 0.65 * brightness(&before, 188..260, 110..150), "seed {seed}");
        dark_sides[usize::from(left < right)] += 1;
    }
    assert!(dark_sides.iter().all(|count| *count > 10), "{dark_sides:?}");
}

#[test]
fn backlight_darkens_the_face_and_brightens_what_is_behind() {
    let before = portrait();
    for seed in SEEDS {
        let after = drawn(&before, DrawnKind::Backlight, seed);
        let contrast = |picture: &RgbImage| {
            brightness(picture, 10..120, 10..120) - brightness(picture, 190..260, 80..160)
        };
        assert!(contrast(&after) > contrast(&before) + 30.0, "seed {seed}");
    }
}

#[test]
fn a_seed_draws_one_thing_and_another_seed_another() {
    let before = portrait();
    for kind in DrawnKind::ALL {
        assert_eq!(drawn(&before, kind, 5), drawn(&before, kind, 5), "{kind}");
        assert_ne!(drawn(&before, kind, 5), drawn(&before, kind, 6), "{kind}");
    }
}

#[test]
fn names_are_those_of_serde_and_labels_follow() {
    for kind in DrawnKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        assert_eq!(kind.label() == Label::Mask, kind == DrawnKind::Mask);
        let wrongly = matches!(kind, DrawnKind::UnderNose | DrawnKind::UnderMouth);
        assert_eq!(kind.label() == Label::Incorrect, wrongly);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_landmarks_are_borne(
        size in (0u32..40, 0u32..40),
        points in prop::array::uniform5((-60f32..100.0, -60f32..100.0)),
        scale in prop::sample::select(vec![0.0f32, 1e-6, 0.3, 1.0, 1e4, 1e12, 1e30, 3e36]),
        kind in prop::sample::select(&DrawnKind::ALL[..]),
        seed in any::<u64>(),
    ) {
        let mut picture = RgbImage::from_pixel(size.0, size.1, image::Rgb([180, 140, 120]));
        let landmarks = points.map(|(x, y)| Point { x: x * scale, y: y * scale });
        draw(&mut picture, &landmarks, kind, &mut ChaCha8Rng::seed_from_u64(seed));
        prop_assert_eq!(picture.dimensions(), size);
    }
}

/// On a small face what surrounds the drawing stays as it was to the last bit, and boxes of both ways agree.
#[test]
fn drawing_on_a_small_face_changes_nothing_around_it() {
    let before = preprocess::resize(&portrait(), 128, 128);
    let landmarks = FACE.map(|p| Point { x: p.x / 4.0, y: p.y / 4.0 });
    let rect = Rect::new(44.5, 16.3, 22.9, 27.9);
    for seed in 0..8 {
        let mut after = before.clone();
        on_picture(&mut after, &rect, &landmarks, DrawnKind::Mask, &mut ChaCha8Rng::seed_from_u64(seed));
        let (x, y) = (mouth().0 / 4.0, mouth().1 / 4.0);
        assert_ne!(after.get_pixel(x as u32, y as u32), before.get_pixel(x as u32, y as u32), "seed {seed}");
        let at_hair = |picture: &RgbImage| imageops::crop_imm(picture, 44, 0, 24, 14).to_image();
        assert_eq!(at_hair(&after), at_hair(&before), "seed {seed}");
        let (part, moved) =
            on_face(&before, &rect, &landmarks, DrawnKind::Mask, &mut ChaCha8Rng::seed_from_u64(seed));
        let crop = |picture: &RgbImage, rect| preprocess::face_crop(picture, rect, 1.3, 64);
        assert_eq!(crop(&part, &moved), crop(&after, &rect), "seed {seed}");
    }
}
