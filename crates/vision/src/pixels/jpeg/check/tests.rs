use proptest::prelude::*;

use super::*;
use crate::pixels::jpeg::writer::{Written, textured};

fn any_size(_: u32, _: u32) -> Result<(), PictureError> {
    Ok(())
}

fn refused(bytes: &[u8]) -> String {
    check(bytes, any_size).expect_err("it was taken for whole").to_string()
}

/// Pictures like those of webcams: 4:2:2 and 4:2:0, with restart markers and without, and a progressive one.
fn webcams() -> Vec<(&'static str, Vec<u8>)> {
    let half = Written::new((160, 120), &[(2, 1), (1, 1), (1, 1)]);
    let quarter = Written { step: 12, ..Written::new((160, 120), &[(2, 2), (1, 1), (1, 1)]) };
    [
        ("4:2:2", half.clone()),
        ("4:2:2 with restarts", Written { restart: 10, ..half }),
        ("4:2:0", quarter.clone()),
        ("4:2:0 with restarts", Written { restart: 10, ..quarter.clone() }),
        ("grey", Written::new((160, 120), &[(1, 1)])),
        ("progressive", Written { progressive: true, ..quarter }),
    ]
    .map(|(name, kind)| (name, kind.write(textured).0))
    .into()
}

/// Where the image data of the first scan begins and that of the last one ends.
fn image_data(bytes: &[u8]) -> std::ops::Range<usize> {
    let scan = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
    scan + 2 + usize::from(u16::from_be_bytes([bytes[scan + 2], bytes[scan + 3]]))..bytes.len() - 2
}

#[test]
fn whole_pictures_pass() {
    for (name, bytes) in webcams() {
        let checked = check(&bytes, any_size).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((checked.width, checked.height, checked.length), (160, 120, bytes.len()), "{name}");
        assert_eq!(checked.is_progressive, name == "progressive");
        assert_eq!(checked.scans, if checked.is_progressive { 14 } else { 1 }, "{name}");
        assert!(!checked.lacks_huffman_tables);
    }
}

#[test]
fn data_that_was_cut_off_is_refused_although_an_end_marker_follows() {
    for (name, bytes) in webcams() {
        let data = image_data(&bytes);
        for cut in data.clone().step_by(13).take_while(|cut| cut + 2 < data.end) {
            let cut = [&bytes[..cut], &[0xFF, 0xD9]].concat();
            assert!(check(&cut, any_size).is_err(), "{name} cut to {} of {}", cut.len(), bytes.len());
        }
    }
}

#[test]
fn data_with_a_hole_is_refused() {
    let mut holes = 0;
    for (name, bytes) in webcams() {
        let data = image_data(&bytes);
        for length in [300, 1000, 2000] {
            for start in data.clone().step_by(89).take_while(|start| start + length < data.end) {
                let holed = [&bytes[..start], &bytes[start + length..]].concat();
                assert!(check(&holed, any_size).is_err(), "{name}: {length} bytes missing at {start}");
                holes += 1;
            }
        }
    }
    assert!(holes > 200, "{holes}");
}

#[test]
fn data_that_was_zeroed_is_refused() {
    let mut places = 0;
    for (name, bytes) in webcams() {
        let data = image_data(&bytes);
        // Zeros are also what a progressive picture may have: only a long stretch of them shows.
        let lengths: &[usize] = if name == "progressive" { &[1000, 2000] } else { &[40, 300, 1000] };
        for &length in lengths {
            for start in data.clone().step_by(89).take_while(|start| start + length < data.end) {
                let mut zeroed = bytes.clone();
                zeroed[start..start + length].fill(0);
                assert!(check(&zeroed, any_size).is_err(), "{name}: {length} bytes zeroed at {start}");
                places += 1;
            }
        }
    }
    assert!(places > 200, "{places}");
}

/// What a check of codes can notice and what it cannot: Huffman codes soon fall into step again, so a change
/// of a few bytes may decode to as many blocks as before, and then nothing is left over or missing.
#[test]
fn damage_of_hundreds_of_bytes_is_noticed_and_that_of_a_few_may_decode() {
    let portrait = include_bytes!("../../../../../../tests/fixtures/astronaut.jpg");
    let data = image_data(portrait);
    let mut random = 1u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    // How many of a hundred frames may pass, where so many bytes are missing, or are others.
    for (length, missing, others) in
        [(1, 65, 65), (4, 50, 40), (16, 30, 25), (64, 5, 8), (512, 0, 1), (4096, 0, 0)]
    {
        let mut passed = (0, 0);
        for _ in 0..100 {
            let place = data.start + next(data.len() - length);
            let holed = [&portrait[..place], &portrait[place + length..]].concat();
            passed.0 += usize::from(check(&holed, any_size).is_ok());
            let mut changed = portrait.to_vec();
            changed[place..place + length].iter_mut().for_each(|byte| *byte = next(256) as u8);
            passed.1 += usize::from(check(&changed, any_size).is_ok());
        }
        println!(
            "{length} bytes: {} pass where they are missing, {} where they are others",
            passed.0, passed.1
        );
        assert!(passed.0 <= missing && passed.1 <= others, "{length} bytes: {passed:?}");
    }
}

#[test]
fn what_whole_frames_of_cameras_have_beside_the_picture_passes() {
    let (_, bytes) = webcams().swap_remove(1);
    let whole = check(&bytes, any_size).unwrap();
    let last = bytes.len() - 2;
    let restart = bytes.windows(2).position(|pair| pair == [0xFF, 0xD1]).unwrap();
    let with = |place: usize, more: &[u8]| [&bytes[..place], more, &bytes[place..]].concat();
    for (name, bytes) in [
        ("padding behind it", with(bytes.len(), &[0; 700])),
        ("another picture behind it", with(bytes.len(), &bytes)),
        ("zeros before its end marker", with(last, &[0; 99])),
        ("fill bytes before its end marker", with(last, &[0xFF; 9])),
        ("fill bytes before a restart marker", with(restart, &[0xFF; 2])),
        ("bytes left over before a restart marker", with(restart, &[0x25, 0x91, 0xE0, 7, 1, 2, 3, 4, 5, 6])),
        ("bytes left over before its end marker", with(last, &[0x7F, 0x25])),
        ("a restart marker behind its last block", with(last, &[0xFF, 0xD6])),
        ("stray bytes between its headers", with(2, &[0, 1])),
        ("a comment", with(2, &[0xFF, 0xFE, 0, 6, b'a', 0xFF, 0xD9, b'b'])),
    ] {
        match check(&bytes, any_size) {
            Ok(checked) => assert_eq!((checked.width, checked.scans), (whole.width, whole.scans), "{name}"),
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn defects_are_named() {
    let (_, bytes) = webcams().swap_remove(1);
    let data = image_data(&bytes);
    let last = bytes.len() - 2;
    let restart = bytes.windows(2).position(|pair| pair == [0xFF, 0xD1]).unwrap();
    let with = |place: usize, more: &[u8]| [&bytes[..place], more, &bytes[place..]].concat();
    assert_eq!(refused(&bytes[..last]), "it is cut off (the end of the JPEG picture is missing)");
    assert_eq!(
        refused(&[&bytes[..data.start + 40], &[0xFF, 0xD9]].concat()),
        "it is damaged (its image data ends too early)"
    );
    assert_eq!(
        refused(&with(last, &[0x25; 40])),
        "it is damaged (its image data goes on after the last block)"
    );
    let mut other = bytes.clone();
    other[restart + 1] = 0xD4;
    assert_eq!(refused(&other), "it is damaged (its image data lacks a restart marker)");
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    let mut other = bytes.clone();
    other[frame + 1] = 0xC9;
    assert_eq!(
        refused(&other),
        "it is a kind of JPEG picture that maskwatch does not read (arithmetic coding); save it again as a usual one"
    );
    assert_eq!(refused(b"\xFF\xD8\xFF\xD9"), "it is damaged (there is no frame header)");
}

#[test]
fn a_component_without_a_scan_is_missing() {
    let apart = Written { interleaved: false, ..Written::new((40, 30), &[(1, 1), (1, 1), (1, 1)]) };
    let (bytes, _) = apart.write(textured);
    assert_eq!(check(&bytes, any_size).unwrap().scans, 3);
    let last = bytes.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    assert_eq!(refused(&[&bytes[..last], &[0xFF, 0xD9]].concat()), "it is damaged (a scan is missing)");
    // The last scan once more.
    let twice = [&bytes[..bytes.len() - 2], &bytes[last..]].concat();
    assert_eq!(refused(&twice), "it is damaged (its scans contradict each other)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_damage_is_survived(
        kind in 0usize..6, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let small = Written { progressive: kind % 2 == 1, restart: kind / 2, ..Written::new((33, 17), &[(2, 2), (1, 1), (1, 1)]) };
        let (mut bytes, _) = small.write(textured);
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(checked) = check(&bytes, |width, height| {
            if width * height > 1 << 20 { Err(PictureError::TooLarge { width, height }) } else { Ok(()) }
        }) {
            prop_assert!(checked.length <= bytes.len());
            prop_assert_eq!(&bytes[checked.length - 2..checked.length], &[0xFF, 0xD9]);
        }
    }
}
