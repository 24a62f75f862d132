//! The outlines of masks: an upper and a lower edge as heights over the width of the face, and how they lie
//! on it.

use super::canvas::FaceCanvas;
use super::dice::Dice;
use super::frame::smooth;
use maskwatch_vision::geometry::Point;
use rand_chacha::ChaCha8Rng;
use std::f32::consts::TAU;

/// How a covering is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Flat with pleats.
    Surgical,
    /// A cup with a seam down the middle (FFP2, KN95).
    Cup,
    /// A respirator with a seam across.
    Duckbill,
    /// A sewn or moulded piece of cloth.
    Cloth,
    /// Wound around the head.
    Scarf,
    /// A triangle tied behind the head.
    Bandana,
    /// A tube over neck and face.
    Gaiter,
}

impl Cut {
    pub(super) fn random(dice: &mut ChaCha8Rng) -> Self {
        dice.weighted([
            (Self::Surgical, 0.36),
            (Self::Cup, 0.15),
            (Self::Duckbill, 0.05),
            (Self::Cloth, 0.24),
            (Self::Scarf, 0.08),
            (Self::Bandana, 0.05),
            (Self::Gaiter, 0.07),
        ])
    }

    /// Whether it is held by loops or bands, not wound around the head.
    pub(super) fn has_loops(self) -> bool {
        matches!(self, Self::Surgical | Self::Cup | Self::Duckbill | Self::Cloth)
    }
}

/// How a covering is worn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wear {
    /// Over nose, mouth and chin.
    Properly,
    /// Over the mouth, the nose bare.
    UnderNose,
    /// Over the chin, or below it.
    UnderMouth,
}

const STEPS: usize = 64;
/// The edges are known for −`REACH` to `REACH` across the face.
const REACH: f32 = 1.5;

#[derive(Debug, Clone)]
pub(super) struct DrawnShape {
    top: [f32; STEPS + 1],
    bottom: [f32; STEPS + 1],
    /// How far it reaches to the left and right, at the face and at the neck.
    sides: [f32; 2],
    neck: f32,
}

/// The height of an edge in the middle and at ±1, and how it bends in between.
#[derive(Debug, Clone, Copy)]
struct Edge {
    middle: f32,
    side: f32,
    power: f32,
}

impl Edge {
    fn at(self, x: f32) -> f32 {
        let x = x.abs();
        // Beyond the face's side it goes on straight.
        let bend = if x <= 1.0 { x.powf(self.power) } else { 1.0 + 0.6 * (x - 1.0) };
        self.middle + (self.side - self.middle) * bend
    }
}

impl DrawnShape {
    pub(super) fn random(canvas: &FaceCanvas<'_>, cut: Cut, wear: Wear, dice: &mut ChaCha8Rng) -> Self {
        let mut between = |low, high| dice.between(low, high);
        let (mut top, mut bottom, side, neck) = match cut {
            Cut::Surgical => (
                edge(between(0.1, 0.4), between(0.36, 0.6), between(1.2, 2.2)),
                edge(between(1.55, 1.95), between(0.9, 1.35), between(2.2, 4.0)),
                between(0.86, 1.06),
                1.0,
            ),
            Cut::Cup => (
                edge(between(0.08, 0.34), between(0.5, 0.75), between(1.1, 1.8)),
                edge(between(1.6, 2.0), between(0.85, 1.15), between(1.8, 3.0)),
                between(0.84, 1.02),
                1.0,
            ),
            Cut::Duckbill => (
                edge(between(0.1, 0.36), between(0.5, 0.72), between(1.3, 2.2)),
                edge(between(1.6, 1.95), between(0.95, 1.25), between(2.0, 3.2)),
                between(0.84, 1.0),
                1.0,
            ),
            Cut::Cloth => (
                edge(between(0.1, 0.4), between(0.36, 0.68), between(1.1, 2.2)),
                edge(between(1.6, 2.0), between(0.9, 1.35), between(2.0, 4.0)),
                between(0.84, 1.08),
                1.0,
            ),
            Cut::Scarf => (
                edge(between(0.2, 0.45), between(0.3, 0.75), between(1.0, 2.4)),
                edge(between(2.3, 3.4), between(1.7, 2.6), 2.0),
                between(1.04, 1.3),
                between(0.95, 1.3),
            ),
            Cut::Bandana => (
                edge(between(0.15, 0.42), between(0.25, 0.55), between(1.2, 2.2)),
                edge(between(2.2, 2.9), between(0.85, 1.25), between(0.9, 1.3)),
                between(0.98, 1.12),
                1.0,
            ),
            Cut::Gaiter => (
                edge(between(0.15, 0.42), between(0.35, 0.65), between(1.2, 2.4)),
                edge(between(2.3, 3.0), between(2.2, 2.9), 2.0),
                between(0.98, 1.1),
                between(0.68, 0.85),
            ),
        };
        let lip = canvas.mouth[0].y.min(canvas.mouth[1].y);
        match wear {
            Wear::Properly => {}
            Wear::UnderNose => {
                let nostrils = canvas.nose.y + 0.17;
                let height = between(0.0, 1.0).powf(0.7);
                let middle = nostrils + (lip - 0.08 - nostrils).max(0.0) * height;
                let slipped = (middle - top.middle).max(0.0);
                top.middle = middle;
                top.side = (top.side + slipped * between(0.0, 0.6)).min(middle + between(-0.3, 0.05));
                bottom.middle += slipped * between(0.0, 0.6);
                bottom.side += slipped * between(0.0, 0.5);
            }
            Wear::UnderMouth => {
                let middle = between(1.26, 1.75) + (lip - 1.0).clamp(-0.3, 0.3);
                // Under the chin cloth bunches up, and its sides lead along the jaw to the ears.
                let height = between(0.3, 0.95) * if cut.has_loops() { 1.0 } else { 1.6 };
                top = edge(middle, (middle - between(0.15, 0.75)).max(0.55), between(1.6, 3.0));
                let side = top.side + height * between(0.35, 0.9);
                bottom = edge(middle + height, side, bottom.power);
            }
        }
        let mut shape = Self {
            top: table(top, 0.015, dice),
            bottom: table(bottom, 0.03, dice),
            sides: [side * dice.between(0.94, 1.06), side * dice.between(0.94, 1.06)],
            neck,
        };
        shape.crook(wear, dice);
        shape.fit(canvas, wear, lip);
        shape
    }

    /// Hangs lower on one side, now and then by much.
    fn crook(&mut self, wear: Wear, dice: &mut ChaCha8Rng) {
        let most = if wear == Wear::Properly { 0.1 } else { 0.22 };
        let slope = dice.between(-most, most) * dice.between(0.0, 1.0);
        for step in 0..=STEPS {
            let x = place(step);
            self.top[step] += slope * x;
            self.bottom[step] += slope * x;
        }
    }

    /// Pushes the upper edge to where the label says it is, whatever chance did.
    fn fit(&mut self, canvas: &FaceCanvas<'_>, wear: Wear, lip: f32) {
        let nose = canvas.nose;
        let [right, left] = canvas.mouth.map(|corner| corner.x);
        let over_the_mouth = |x: f32| x > right.min(left) - 0.05 && x < right.max(left) + 0.05;
        let chin = canvas.mouth[0].y.max(canvas.mouth[1].y);
        for step in 0..=STEPS {
            let x = place(step);
            let beside = ((x - nose.x).abs() - 0.22).max(0.0);
            let edge = &mut self.top[step];
            match wear {
                Wear::Properly => *edge = edge.min(nose.y - 0.16 + 1.5 * beside),
                Wear::UnderNose => {
                    if over_the_mouth(x) {
                        *edge = edge.min(lip - 0.05);
                    }
                    *edge = edge.max(nose.y + 0.15 - 1.2 * beside);
                }
                Wear::UnderMouth => {
                    let beside = ((x - (right + left) / 2.0).abs() - (left - right).abs() / 2.0).max(0.0);
                    *edge = edge.max(chin + 0.2 - 0.9 * beside);
                }
            }
            let least = if wear == Wear::UnderMouth { 0.25 } else { 0.3 };
            self.bottom[step] = self.bottom[step].max(*edge + least);
            if wear != Wear::UnderMouth && over_the_mouth(x) {
                self.bottom[step] = self.bottom[step].max(chin + 0.3);
            }
        }
    }

    pub(super) fn top(&self, x: f32) -> f32 {
        lookup(&self.top, x)
    }

    pub(super) fn bottom(&self, x: f32) -> f32 {
        lookup(&self.bottom, x)
    }

    /// How far it reaches to one side at a height.
    pub(super) fn side(&self, right: bool, y: f32) -> f32 {
        let side = self.sides[usize::from(right)];
        side + (side * self.neck - side) * smooth(1.2, 1.9, y)
    }

    /// The corners of the box around it: left, top, right, bottom in the face's coordinates.
    pub(super) fn extent(&self) -> [f32; 4] {
        let widest = 1.0f32.max(self.neck);
        [
            -self.sides[0] * widest,
            self.top.iter().copied().fold(f32::MAX, f32::min),
            self.sides[1] * widest,
            self.bottom.iter().copied().fold(f32::MIN, f32::max),
        ]
    }

    /// How far `p` lies beyond each edge in pixels, negative inside: above the top, below the bottom, beyond
    /// the side.
    pub(super) fn distances(&self, canvas: &FaceCanvas<'_>, p: Point) -> [f32; 3] {
        let height = canvas.frame.height;
        let right = p.x > 0.0;
        [
            (self.top(p.x) - p.y) * height,
            (p.y - self.bottom(p.x)) * height,
            (p.x.abs() - self.side(right, p.y)) * canvas.frame.half_widths[usize::from(right)],
        ]
    }
}

fn edge(middle: f32, side: f32, power: f32) -> Edge {
    Edge { middle, side, power }
}

fn place(step: usize) -> f32 {
    (step as f32 / STEPS as f32 * 2.0 - 1.0) * REACH
}

/// The heights of an edge that is warped at random.
fn table(edge: Edge, warp: f32, dice: &mut ChaCha8Rng) -> [f32; STEPS + 1] {
    let waves: [(f32, f32, f32); 3] = std::array::from_fn(|k| {
        let strength = warp * dice.between(0.0, 1.6) / (1.0 + k as f32 / 2.0);
        (strength, dice.between(1.5, 3.0) * (k + 1) as f32, dice.between(0.0, TAU))
    });
    std::array::from_fn(|step| {
        let x = place(step);
        edge.at(x)
            + waves.iter().map(|(strength, rate, phase)| strength * (rate * x + phase).sin()).sum::<f32>()
    })
}

fn lookup(table: &[f32; STEPS + 1], x: f32) -> f32 {
    let place = ((x / REACH + 1.0) / 2.0 * STEPS as f32).clamp(0.0, STEPS as f32);
    let step = (place as usize).min(STEPS - 1);
    let t = place - step as f32;
    table[step] * (1.0 - t) + table[step + 1] * t
}
