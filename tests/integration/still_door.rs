//! A door at which nothing moves: few frames are searched, and nobody is seen later for it.

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use maskwatch::daemon::{Clock, Watch};
use maskwatch::decide::{DoorState, Rules};
use maskwatch::geometry::Rect;
use maskwatch::pixels::delayed::{DelayedPicture, DelayedPools};
use maskwatch::pixels::format::{FrameFormat, PixelFormat};
use maskwatch::pixels::picture::View;
use maskwatch::vision::classifier::Probabilities;
use maskwatch::vision::{Choice, JudgedFace, Judgement, Vision, VisionError, judged};
use proptest::prelude::*;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

/// Where the bare person stands.
const PERSON: Rect = Rect { x: 300.0, y: 120.0, w: 40.0, h: 50.0 };
/// The person's luma; the entrance is darker.
const LIGHT: u8 = 170;
/// Time between two frames in milliseconds.
const STEP: u64 = 100;

/// A poster: it is taken for a face, and is nobody.
const POSTER: Rect = Rect { x: 500.0, y: 60.0, w: 44.0, h: 52.0 };

/// Sees a bare face where the picture is light, and a poster if there is one, and counts its looks.
struct Counted {
    looks: Rc<Cell<u32>>,
    judged: Rc<Cell<u32>>,
    /// How many of the looks somebody may wait for.
    urgent: Rc<Cell<u32>>,
    has_poster: bool,
}

impl Vision for Counted {
    fn look(&mut self, picture: View<'_>, choice: &mut dyn Choice) -> Result<Vec<JudgedFace>, VisionError> {
        self.looks.set(self.looks.get() + 1);
        self.urgent.set(self.urgent.get() + u32::from(choice.is_urgent()));
        let mut pixel = [0; 3];
        picture.read_row(PERSON.x as usize + 20, PERSON.y as usize + 20, &mut pixel);
        let person = (pixel[0] > LIGHT - 20).then_some(PERSON);
        let found: Vec<Rect> = person.into_iter().chain(self.has_poster.then_some(POSTER)).collect();
        judged(&found, choice, |face| {
            self.judged.set(self.judged.get() + 1);
            Ok(if *face == PERSON {
                Judgement::Answered(Probabilities::of_mask(0.01))
            } else {
                Judgement::Nobody
            })
        })
    }
}

struct Now(Cell<Duration>);

impl Clock for Now {
    fn now(&self) -> Duration {
        self.0.get()
    }
}

/// Frames of a camera with some noise, without the person and with: every eighth has the same noise.
static FRAMES: LazyLock<Vec<[RgbImage; 2]>> =
    LazyLock::new(|| (0..8).map(|number| [false, true].map(|is_there| frame(number, is_there))).collect());
/// The same as a camera's JPEG data.
static JPEGS: LazyLock<Vec<[Vec<u8>; 2]>> = LazyLock::new(|| {
    let coded = |frame: &RgbImage| {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, 60).encode_image(frame).unwrap();
        jpeg
    };
    FRAMES.iter().map(|pair| [coded(&pair[0]), coded(&pair[1])]).collect()
});

/// A frame as its source gives it.
fn given(number: usize, is_there: bool, kind: PixelFormat) -> DelayedPicture {
    if kind != PixelFormat::Mjpeg {
        return FRAMES[number % 8][usize::from(is_there)].clone().into();
    }
    let jpeg = JPEGS[number % 8][usize::from(is_there)].clone();
    let picture = DelayedPicture::new(jpeg.into(), &FrameFormat::new(kind, 0, 0), &DelayedPools::default());
    let picture = picture.unwrap_or_else(|(error, _)| panic!("{error}"));
    assert!(picture.block_means().is_some(), "it was decoded at once");
    picture
}

fn frame(number: u64, is_there: bool) -> RgbImage {
    let mut state = (number as u32).wrapping_mul(0x9E37_79B9) | 1;
    RgbImage::from_fn(640, 480, |x, y| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let (x, y) = (x as f32, y as f32);
        let across = PERSON.x..PERSON.x + PERSON.w;
        let is_person = is_there && across.contains(&x) && (PERSON.y..PERSON.y + PERSON.h).contains(&y);
        Rgb([if is_person { LIGHT } else { 100 } + (state % 8) as u8; 3])
    })
}

/// What the door shows after each of `frames`, which tell whether the person is there, and how many frames
/// were searched.
fn shown(frames: &[bool], skips: bool, has_poster: bool, kind: PixelFormat) -> (Vec<DoorState>, Vec<u32>) {
    let looks = Rc::new(Cell::new(0));
    let vision =
        Counted { looks: Rc::clone(&looks), judged: Rc::default(), urgent: Rc::default(), has_poster };
    let mut watch = Watch::new(Box::new(vision), Rules::default());
    watch.skip_still(skips);
    let clock = Now(Cell::new(Duration::ZERO));
    let mut counted = Vec::new();
    let states = frames.iter().zip(0..).map(|(is_there, number)| {
        let now = Duration::from_millis(STEP * number);
        clock.0.set(now);
        watch.look(&given(number as usize, *is_there, kind), now, &clock).unwrap();
        counted.push(looks.take());
        watch.signal(now).state
    });
    (states.collect(), counted)
}

#[test]
fn an_empty_door_is_searched_once_a_second_and_everything_while_somebody_is_there() {
    let frames = [vec![false; 50], vec![true; 30], vec![false; 100]].concat();
    for (has_poster, kind) in
        [(false, PixelFormat::Rgb24), (true, PixelFormat::Rgb24), (false, PixelFormat::Mjpeg)]
    {
        check(&frames, has_poster, kind);
    }
}

/// A poster at an empty door is found once a second, and costs a judgement once in ten.
#[test]
fn what_was_nobodys_is_judged_seldom_while_nothing_moves() {
    let judged = Rc::new(Cell::new(0));
    let (looks, urgent) = (Rc::default(), Rc::default());
    let vision = Counted { looks, judged: Rc::clone(&judged), urgent, has_poster: true };
    let mut watch = Watch::new(Box::new(vision), Rules::default());
    watch.skip_still(true);
    let clock = Now(Cell::new(Duration::ZERO));
    let counts = (0..300).map(|number| {
        let now = Duration::from_millis(STEP * number);
        clock.0.set(now);
        let seen = watch.look(&given(number as usize, false, PixelFormat::Rgb24), now, &clock).unwrap();
        assert_eq!((seen.faces.len(), seen.left_out), (0, 0));
        judged.take()
    });
    let counts: Vec<u32> = counts.collect();
    let at: Vec<usize> = (0..300).filter(|number| counts[*number] > 0).collect();
    assert_eq!(at, [0, 100, 200]);
}

/// While nothing moves nobody waits for an answer; as soon as somebody comes, every look is urgent.
#[test]
fn looks_are_urgent_once_somebody_has_come() {
    let urgent = Rc::new(Cell::new(0));
    let vision = Counted {
        looks: Rc::default(),
        judged: Rc::default(),
        urgent: Rc::clone(&urgent),
        has_poster: false,
    };
    let mut watch = Watch::new(Box::new(vision), Rules::default());
    watch.skip_still(true);
    let clock = Now(Cell::new(Duration::ZERO));
    let counts: Vec<u32> = (0..120)
        .map(|number| {
            let now = Duration::from_millis(STEP * number);
            clock.0.set(now);
            watch.look(&given(number as usize, number >= 100, PixelFormat::Rgb24), now, &clock).unwrap();
            urgent.take()
        })
        .collect();
    // The first picture is new.
    assert_eq!((counts[0], counts[1..100].iter().sum::<u32>()), (1, 0));
    assert_eq!(counts[100..], [1; 20]);
}

fn check(frames: &[bool], has_poster: bool, kind: PixelFormat) {
    let (states, looks) = shown(frames, true, has_poster, kind);
    let searched = |frames: std::ops::Range<usize>| looks[frames].iter().sum::<u32>();
    assert_eq!(searched(0..50), 5, "five seconds of nobody");
    assert_eq!(searched(50..80), 30, "everything while somebody is there");
    assert_eq!(searched(80..129), 49, "and until the re-arm time is over");
    assert!(searched(130..180) <= 6, "{}", searched(130..180));
    assert_eq!(states, shown(frames, false, has_poster, PixelFormat::Rgb24).0);
    assert_eq!(shown(frames, false, has_poster, PixelFormat::Rgb24).1, vec![1; 180]);
    assert!(states.contains(&DoorState::Alert));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    /// Whoever comes and goes, the door shows the same as if every frame were searched.
    #[test]
    fn skipping_changes_nothing_that_is_shown(
        visits in prop::collection::vec((1usize..90, 1usize..20), 1..3),
        has_poster in any::<bool>(),
        is_jpeg in any::<bool>(),
    ) {
        let mut frames = Vec::new();
        for (away, there) in visits {
            frames.extend(vec![false; away]);
            frames.extend(vec![true; there]);
        }
        frames.extend(vec![false; 70]);
        let kind = if is_jpeg { PixelFormat::Mjpeg } else { PixelFormat::Rgb24 };
        let all = shown(&frames, false, has_poster, PixelFormat::Rgb24);
        prop_assert_eq!(shown(&frames, true, has_poster, kind).0, all.0);
    }
}
