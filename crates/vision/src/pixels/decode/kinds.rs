//! Every legal kind of JPEG picture is decoded as it should be, or refused.

use super::*;
use crate::pixels::jpeg::writer::{Written, smooth};

const SAMPLINGS: [(&str, &[(u32, u32)]); 17] = [
    ("grey", &[(1, 1)]),
    ("grey 2x2", &[(2, 2)]),
    ("4:4:4", &[(1, 1), (1, 1), (1, 1)]),
    ("4:4:4 in twos", &[(2, 2), (2, 2), (2, 2)]),
    ("4:2:2", &[(2, 1), (1, 1), (1, 1)]),
    ("4:4:0", &[(1, 2), (1, 1), (1, 1)]),
    ("4:2:0", &[(2, 2), (1, 1), (1, 1)]),
    ("4:1:1", &[(4, 1), (1, 1), (1, 1)]),
    ("4:4:1", &[(1, 4), (1, 1), (1, 1)]),
    ("4:1:0", &[(4, 2), (1, 1), (1, 1)]),
    ("4:2:2 in twos", &[(2, 2), (1, 2), (1, 2)]),
    ("4:4:0 in twos", &[(2, 2), (2, 1), (2, 1)]),
    ("luma coarser", &[(1, 1), (2, 2), (2, 2)]),
    ("luma coarser across", &[(1, 1), (2, 1), (2, 1)]),
    ("chroma apart", &[(2, 2), (2, 1), (1, 1)]),
    ("one chroma coarser", &[(2, 2), (1, 1), (2, 2)]),
    ("thirds", &[(3, 1), (1, 1), (1, 1)]),
];

/// The kinds that the decoder gives other pixels for, or panics at.
fn is_unread(kind: &Written) -> bool {
    let [luma, chroma @ ..] = kind.samplings.as_slice() else { return true };
    let coarser = chroma.iter().any(|chroma| chroma.0 > luma.0 || chroma.1 > luma.1);
    let thirds = kind.samplings.iter().any(|sampling| sampling.0 == 3 || sampling.1 == 3);
    let apart = !kind.progressive && !kind.interleaved && !chroma.is_empty();
    coarser || thirds || apart
}

#[test]
fn every_kind_is_decoded_as_it_should_be_or_refused() {
    let (mut read, mut refused) = (0, 0);
    for (name, samplings) in SAMPLINGS {
        for (progressive, interleaved, restart) in [false, true].into_iter().flat_map(|progressive| {
            [true, false]
                .into_iter()
                .flat_map(move |interleaved| [0, 1, 3].map(|restart| (progressive, interleaved, restart)))
        }) {
            for size in [(64, 48), (61, 45), (33, 17), (15, 9), (7, 50)] {
                let kind = Written { progressive, interleaved, restart, ..Written::new(size, samplings) };
                let blocks: u32 = samplings.iter().map(|(across, down)| across * down).sum();
                if interleaved && blocks > 10 {
                    continue; // not legal
                }
                let (bytes, right) = kind.write(smooth);
                let name = format!("{name}, {kind:?}");
                match picture(&bytes) {
                    Ok(got) => {
                        assert_eq!(got.dimensions(), right.dimensions(), "{name}");
                        // Chroma may be interpolated or repeated.
                        let worst = got.iter().zip(right.iter()).map(|(a, b)| a.abs_diff(*b)).max();
                        assert!(worst <= Some(14), "{name}: {worst:?} off");
                        assert!(!is_unread(&kind), "{name} was read");
                        read += 1;
                    }
                    Err(error) => {
                        assert!(matches!(error, PictureError::UnreadKind(_)), "{name}: {error}");
                        assert!(is_unread(&kind), "{name}: {error}");
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(read > 500 && refused > 100, "{read} read, {refused} refused");
}

/// What decoders are known to do with bytes that a camera leaves over.
#[test]
fn bytes_left_over_before_a_restart_marker_change_no_pixel() {
    let kind = Written { restart: 4, ..Written::new((64, 48), &[(2, 1), (1, 1), (1, 1)]) };
    let (bytes, right) = kind.write(smooth);
    let whole = picture(&bytes).unwrap();
    let restarts = (0..8).map(|number| {
        bytes.windows(2).position(|pair| pair == [0xFF, 0xD0 + number]).map(|place| (number, place))
    });
    for (number, place) in restarts.flatten() {
        for more in [&[0x25u8, 0x91, 0x0E][..], &[0x25; 10], &[0; 5]] {
            let over = [&bytes[..place], more, &bytes[place..]].concat();
            assert!(picture(&over).unwrap() == whole, "{} bytes before restart {number}", more.len());
        }
    }
    assert_eq!(whole.dimensions(), right.dimensions());
}

/// A face whose data is damaged is never delivered, however the decoder would have filled it up.
#[test]
fn no_damaged_portrait_is_delivered() {
    let portrait = include_bytes!("../../../../../tests/fixtures/astronaut.jpg");
    let whole = picture(portrait).unwrap();
    let scan = portrait.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap() + 14;
    let end = portrait.len() - 2;
    for place in (scan..end - 3100).step_by(997) {
        let cut = [&portrait[..place], &[0xFF, 0xD9]].concat();
        let holed = [&portrait[..place], &portrait[place + 3000..]].concat();
        let mut zeroed = portrait.to_vec();
        zeroed[place..place + 2000].fill(0);
        for (what, bytes) in [("cut", cut), ("holed", holed), ("zeroed", zeroed)] {
            assert!(matches!(picture(&bytes), Err(PictureError::Damaged(_))), "{what} at {place}");
            let format = FrameFormat::new(PixelFormat::Mjpeg, 512, 512);
            assert!(frame(bytes.into(), &format, &Pool::default()).is_err(), "{what} at {place}");
        }
    }
    assert_eq!(whole.dimensions(), (512, 512));
}
