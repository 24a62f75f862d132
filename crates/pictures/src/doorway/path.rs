//! How a person walks through the camera's view: comes from afar or from the side, lingers before the door,
//! leaves to the side. Where the face is, how large and how turned, as a function of time; nothing here knows
//! pixels.

use maskwatch_vision::geometry::{Point, Rect};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::f32::consts::TAU;
use std::ops::Range;

/// Width and height of a frame in pixels.
pub const FRAME: (u32, u32) = (640, 480);

/// Width of a face that comes into view far away, and that stands before the door, as shares of the frame's
/// width.
pub const FAR: Range<f32> = 0.027..0.034;
/// See [`FAR`].
pub const NEAR: Range<f32> = 0.105..0.13;
/// Width of a face that comes from the side, as it enters.
const BESIDE: Range<f32> = 0.05..0.08;
/// Among several people nobody comes quite as near.
const NEAR_IN_COMPANY: Range<f32> = 0.09..0.12;

/// Seconds of coming nearer, standing and leaving.
const APPROACH: Range<f32> = 1.9..2.4;
const LINGER: Range<f32> = 0.9..1.4;
const LEAVE: Range<f32> = 0.5..0.8;
/// How many come from the side.
const FROM_THE_SIDE: f64 = 0.3;

/// A swing to and fro.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wave {
    amplitude: f32,
    /// Swings a second.
    frequency: f32,
    /// In swings.
    phase: f32,
}

impl Wave {
    pub(super) fn draw(amplitude: f32, frequency: Range<f32>, random: &mut ChaCha8Rng) -> Self {
        Self { amplitude, frequency: random.random_range(frequency), phase: random.random_range(0.0..1.0) }
    }

    pub(super) fn at(&self, seconds: f32) -> f32 {
        self.amplitude * (TAU * (self.frequency * seconds + self.phase)).sin()
    }
}

/// Where a face is at one moment, and how it is turned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// The middle of its box, in pixels of the frame.
    pub centre: Point,
    /// The width of its box in pixels.
    pub width: f32,
    /// How far the head is tilted, in radians, clockwise.
    pub angle: f32,
    /// How far one half of the face is narrowed and the other widened, as by a turn of the head; -0.15 to
    /// 0.15.
    pub turn: f32,
    /// By how much the face is slanted: pixels across for each pixel down.
    pub slant: f32,
    /// By what factor the face is higher than in its picture.
    pub stretch: f32,
}

impl Pose {
    /// The face's box, for a face whose own box is `aspect` times as high as wide.
    #[must_use]
    pub fn rect(&self, aspect: f32) -> Rect {
        let height = self.width * aspect * self.stretch;
        Rect::new(self.centre.x - self.width / 2.0, self.centre.y - height / 2.0, self.width, height)
    }
}

/// One person's way.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Seconds of the clip at which the person appears, stands, turns to leave and is gone.
    appears: f32,
    stands: f32,
    turns: f32,
    gone: f32,
    /// Width of the face at first and before the door, in pixels.
    widths: (f32, f32),
    /// Where the face is before the door.
    place: Point,
    /// Where paths from afar come from.
    vanishing: Point,
    /// Where the face comes in from, for a path from the side.
    from_side: Option<f32>,
    /// Where the middle of the face is when it is gone.
    exit: f32,
    /// Shares of the face's width.
    sway: [Wave; 2],
    bob: Wave,
    nearer: Wave,
    angle: [Wave; 2],
    turn: Wave,
    slant: Wave,
    stretch: Wave,
}

impl Path {
    /// Draws the way of a person who appears at `appears` (seconds of the clip) and stands in `lane` (a range
    /// of pixels across), alone or in company, with a face `aspect` times as high as wide.
    pub fn draw(appears: f32, lane: Range<f32>, alone: bool, aspect: f32, random: &mut ChaCha8Rng) -> Self {
        let (across, down) = (FRAME.0 as f32, FRAME.1 as f32);
        let near = across * random.random_range(if alone { NEAR } else { NEAR_IN_COMPANY });
        // Room for the sway, and for the tallest stretch.
        let (beside, above) = (0.8 * near, 0.75 * near * aspect);
        let within = |random: &mut ChaCha8Rng, range: Range<f32>, low: f32, high: f32| {
            let place = random.random_range(range);
            place.clamp(low.min(high), high.max(low))
        };
        let middle = (lane.start + lane.end) / 2.0;
        let free = ((lane.end - lane.start) / 2.0 - beside).max(1.0);
        let place = Point {
            x: within(random, middle - free..middle + free, beside, across - beside),
            y: within(random, 0.28 * down..0.48 * down, above, down - above),
        };
        let vanishing = Point {
            x: random.random_range(0.4..0.6) * across,
            y: (place.y + random.random_range(-0.06..0.06) * down).clamp(0.2 * down, 0.6 * down),
        };
        let stands = appears + random.random_range(APPROACH);
        let turns = stands + random.random_range(LINGER);
        let to_the_left = place.x < across / 2.0;
        let outside = |width: f32, left: bool| if left { -1.3 * width } else { across + 1.3 * width };
        let sideways = random.random_bool(FROM_THE_SIDE);
        let beside_width = across * random.random_range(BESIDE);
        let far_width = across * random.random_range(FAR);
        Self {
            appears,
            stands,
            turns,
            gone: turns + random.random_range(LEAVE),
            widths: (if sideways { beside_width } else { far_width }, near),
            place,
            vanishing,
            from_side: sideways.then(|| outside(beside_width, to_the_left)),
            exit: outside(near, to_the_left),
            sway: [Wave::draw(0.07, 0.2..0.6, random), Wave::draw(0.012, 2.0..6.0, random)],
            bob: Wave::draw(0.035, 1.6..2.2, random),
            nearer: Wave::draw(0.025, 0.3..0.8, random),
            angle: [Wave::draw(0.08, 0.2..0.6, random), Wave::draw(0.015, 1.5..4.0, random)],
            turn: Wave::draw(0.12, 0.2..0.7, random),
            slant: Wave::draw(0.04, 0.2..0.7, random),
            stretch: Wave::draw(0.03, 0.2..0.7, random),
        }
    }

    /// The same way, from one side before the door and out at the other.
    #[must_use]
    pub fn across(self, from_the_left: bool) -> Self {
        let near = self.widths.1;
        let outside = |left: bool| if left { -1.3 * near } else { FRAME.0 as f32 + 1.3 * near };
        let (from_side, exit) = (Some(outside(from_the_left)), outside(!from_the_left));
        Self { from_side, exit, widths: (0.8 * near, near), ..self }
    }

    /// Seconds of the clip at which the person is gone.
    #[must_use]
    pub fn end(&self) -> f32 {
        self.gone
    }

    /// Seconds of the clip from which on the person stands before the door, and until when.
    #[must_use]
    pub fn standing(&self) -> Range<f32> {
        self.stands..self.turns
    }

    /// Where the face is at `seconds` of the clip; nothing while the person is not there.
    #[must_use]
    pub fn pose(&self, seconds: f32) -> Option<Pose> {
        if !(self.appears..self.gone).contains(&seconds) {
            return None;
        }
        let (far, near) = self.widths;
        let coming = ((seconds - self.appears) / (self.stands - self.appears)).min(1.0);
        // Who walks at an even pace comes nearer by equal distances, and size is one over distance.
        let width = near / (1.0 + (1.0 - coming) * (near / far - 1.0));
        let mut centre = match self.from_side {
            Some(start) => {
                let part = 1.0 - (1.0 - coming).powf(1.5);
                Point { x: start + (self.place.x - start) * part, y: self.place.y }
            }
            None => {
                let part = width / near;
                Point {
                    x: self.vanishing.x + (self.place.x - self.vanishing.x) * part,
                    y: self.vanishing.y + (self.place.y - self.vanishing.y) * part,
                }
            }
        };
        let leaving = ((seconds - self.turns) / (self.gone - self.turns)).max(0.0);
        centre.x += (self.exit - centre.x) * leaving.powf(1.5);
        let width = width * (1.0 + self.nearer.at(seconds));
        let walking = if self.standing().contains(&seconds) { 0.2 } else { 1.0 };
        centre.x += width * self.sway.iter().map(|wave| wave.at(seconds)).sum::<f32>();
        centre.y += width * walking * self.bob.at(seconds);
        Some(Pose {
            centre,
            width,
            angle: self.angle.iter().map(|wave| wave.at(seconds)).sum(),
            turn: self.turn.at(seconds),
            slant: self.slant.at(seconds),
            stretch: 1.0 + self.stretch.at(seconds),
        })
    }

    /// How fast the face moves at `seconds`, in pixels a second; nothing at the ends of its way.
    #[must_use]
    pub fn velocity(&self, seconds: f32) -> Point {
        const STEP: f32 = 0.01;
        match (self.pose(seconds - STEP), self.pose(seconds + STEP)) {
            (Some(before), Some(after)) => Point {
                x: (after.centre.x - before.centre.x) / (2.0 * STEP),
                y: (after.centre.y - before.centre.y) / (2.0 * STEP),
            },
            _ => Point { x: 0.0, y: 0.0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;

    fn path(seed: u64, alone: bool, aspect: f32) -> Path {
        Path::draw(0.3, 0.0..640.0, alone, aspect, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    fn inside(rect: &Rect) -> bool {
        rect.x >= 0.0 && rect.y >= 0.0 && rect.x + rect.w <= 640.0 && rect.y + rect.h <= 480.0
    }

    proptest! {
        #[test]
        fn everybody_stands_in_full_view_at_the_planned_size(seed: u64, alone: bool, aspect in 0.9f32..1.6) {
            let path = path(seed, alone, aspect);
            prop_assert_eq!(&path, &self::path(seed, alone, aspect));
            let standing = path.standing();
            for step in 0..=20 {
                let seconds = standing.start + (standing.end - standing.start) * 0.99 * step as f32 / 20.0;
                let pose = path.pose(seconds).unwrap();
                prop_assert!(inside(&pose.rect(aspect)), "{:?} at {seconds}", pose.rect(aspect));
                let share = pose.width / 640.0;
                let planned = if alone { NEAR } else { NEAR_IN_COMPANY };
                prop_assert!((planned.start * 0.97..planned.end * 1.03).contains(&share), "{share}");
            }
        }

        #[test]
        fn a_way_begins_small_or_outside_and_ends_outside(seed: u64, aspect in 0.9f32..1.6) {
            let path = path(seed, true, aspect);
            prop_assert_eq!(path.pose(0.29), None);
            prop_assert_eq!(path.pose(path.end()), None);
            let (first, last) = (path.pose(0.3).unwrap(), path.pose(path.end() - 1e-3).unwrap());
            if path.from_side.is_some() {
                prop_assert!(first.centre.x + first.width < 0.0 || first.centre.x - first.width > 640.0);
            } else {
                prop_assert!(inside(&first.rect(aspect)));
                prop_assert!((FAR.start * 0.97..FAR.end * 1.03).contains(&(first.width / 640.0)));
            }
            prop_assert!(last.centre.x + last.width < 0.0 || last.centre.x - last.width > 640.0);
            prop_assert!((3.3..5.0).contains(&path.end()), "{}", path.end());
        }

        #[test]
        fn nobody_jumps(seed: u64) {
            let path = path(seed, true, 1.25);
            let poses: Vec<Pose> = (0..500).filter_map(|step| path.pose(step as f32 * 0.01)).collect();
            for pair in poses.windows(2) {
                let moved = (pair[1].centre.x - pair[0].centre.x).hypot(pair[1].centre.y - pair[0].centre.y);
                prop_assert!(moved < 30.0, "{moved} pixels in a hundredth of a second");
                prop_assert!((0.9..1.1).contains(&(pair[1].width / pair[0].width)));
            }
        }
    }
}
