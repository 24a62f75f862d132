//! Masks, scarves, bandanas and gaiters on a face. Worn properly or not, they are drawn from the same cuts
//! and fabrics, so that nothing but the place of the edges tells the label.

use super::canvas::{FaceCanvas, HeadPose, Touch};
use super::dice::{Dice, cloud, noise};
use super::fabric::{Fabric, blend};
use super::frame::{point, smooth};
use super::shape::{Cut, DrawnShape, Wear};
use super::straps;
use maskwatch_vision::geometry::Point;
use rand_chacha::ChaCha8Rng;

/// A covering before it is laid on the face.
struct Cloth {
    cut: Cut,
    fabric: Fabric,
    /// Strength of the folds and of the shading towards the sides.
    folds: f32,
    wrinkles: f32,
    rounding: f32,
    /// Direction of the wrinkles.
    grain: Point,
    shadow: f32,
    lips: bool,
    seam: bool,
    seed: u32,
}

impl Cloth {
    fn random(canvas: &FaceCanvas<'_>, cut: Cut, dice: &mut ChaCha8Rng) -> Self {
        let skin = canvas.light.colour_of_skin();
        let medical = matches!(cut, Cut::Surgical | Cut::Cup | Cut::Duckbill) && dice.chance(0.75);
        let fabric = if medical { Fabric::medical(skin, dice) } else { Fabric::random(skin, dice) };
        let angle = match cut {
            Cut::Scarf => dice.between(-0.9, 0.9),
            Cut::Bandana | Cut::Cloth => dice.between(-0.6, 0.6),
            _ => dice.between(-0.25, 0.25),
        };
        Self {
            cut,
            fabric,
            folds: dice.between(0.4, 1.5),
            wrinkles: dice.between(0.02, if cut == Cut::Scarf { 0.22 } else { 0.12 }),
            rounding: dice.between(0.1, 0.42),
            grain: point(angle.cos(), angle.sin()),
            shadow: dice.between(0.05, 0.35),
            lips: cut.has_loops() && dice.chance(0.04),
            seam: dice.chance(0.5),
            seed: dice.seed(),
        }
    }

    /// How much light the surface gives back at a place, from its form alone: around 1. `depth` is 0 at the
    /// upper edge and 1 at the lower one.
    fn relief(&self, p: Point, depth: f32, bunched: bool) -> f32 {
        let side = 1.0 - self.rounding * p.x.abs().min(1.3).powf(2.6);
        let turned = p.x * self.grain.x + p.y * self.grain.y;
        let across = p.y * self.grain.x - p.x * self.grain.y;
        let density = if bunched { 1.6 } else { 1.0 };
        let wrinkle = self.wrinkles
            * density
            * (noise(1.3 * turned, 4.5 * density * across, self.seed)
                + 0.6 * noise(2.1 * turned + 7.0, 9.0 * across, self.seed ^ 3));
        let fold = self.folds
            * match self.cut {
                Cut::Surgical => {
                    let bend = 0.1 * (1.0 - p.x * p.x);
                    [0.28, 0.48, 0.68].iter().map(|place| pleat(depth - place - bend)).sum::<f32>()
                }
                Cut::Cup => -0.1 * ridge(p.x, 0.028) + 0.05 * ridge(p.x - 0.06, 0.06),
                Cut::Duckbill => -0.12 * ridge(depth - 0.5, 0.02) + 0.1 * smooth(0.6, 0.4, depth) - 0.05,
                Cut::Cloth if self.seam => {
                    -0.08 * ridge(p.x, 0.022) + 0.07 * ridge(p.x + 0.05, 0.1) - 0.04 * ridge(p.x - 0.07, 0.1)
                }
                Cut::Scarf => 0.16 * noise(0.8 * turned, 2.4 * across, self.seed ^ 9),
                Cut::Bandana => 0.08 * noise(3.0 * p.x / (depth + 0.4), 0.7 * depth, self.seed ^ 9),
                Cut::Gaiter => 0.09 * noise(0.7 * p.x, 3.6 * p.y, self.seed ^ 9) * smooth(0.9, 1.7, p.y),
                Cut::Cloth => 0.0,
            };
        side * (1.0 + wrinkle + fold)
    }
}

/// 1 on a line, less beside it.
fn ridge(distance: f32, width: f32) -> f32 {
    (-(distance / width).powi(2)).exp()
}

/// A pleat seen from its lower edge: the cloth above hangs over a dark gap, below it the next layer catches
/// light.
fn pleat(below: f32) -> f32 {
    -0.15 * ridge(below, 0.018) + 0.05 * ridge(below - 0.05, 0.04) - 0.03 * ridge(below + 0.05, 0.04)
}

/// Draws a covering of any cut.
pub(super) fn draw(canvas: &mut FaceCanvas<'_>, wear: Wear, dice: &mut ChaCha8Rng) {
    let cut = Cut::random(dice);
    let cloth = Cloth::random(canvas, cut, dice);
    if wear == Wear::UnderMouth && cut.has_loops() && dice.chance(0.12) {
        return dangle(canvas, &cloth, dice);
    }
    let shape = DrawnShape::random(canvas, cut, wear, dice);
    if cut.has_loops() {
        straps::draw(canvas, &shape, cloth.fabric.ground, dice);
    }
    lay(canvas, &cloth, &shape, wear);
}

fn lay(canvas: &mut FaceCanvas<'_>, cloth: &Cloth, shape: &DrawnShape, wear: Wear) {
    let [left, top, right, bottom] = shape.extent();
    let corners = [(left, top - 0.1), (right, top - 0.1), (right, bottom + 0.12), (left, bottom + 0.12)];
    let corners = corners.map(|(x, y)| canvas.frame.to_picture(point(x, y)));
    let reach = 0.07 * canvas.unit;
    let covers_nose = wear == Wear::Properly;
    let mouth =
        point((canvas.mouth[0].x + canvas.mouth[1].x) / 2.0, (canvas.mouth[0].y + canvas.mouth[1].y) / 2.0);
    canvas.paint(&corners, |canvas, at| {
        let p = canvas.frame.to_face(at);
        let [above, below, beside] = shape.distances(canvas, p);
        let distance = above.max(below).max(beside);
        if distance > reach + 1.5 {
            return None;
        }
        let inside = canvas.coverage(distance);
        let lower = if below >= above { 1.6 } else { 0.8 };
        let near = (1.0 - distance.max(0.0) / reach).max(0.0);
        let shadow = if beside > 0.0 { 1.0 } else { 1.0 - cloth.shadow * lower * near * (1.0 - inside) };
        if inside <= 0.0 {
            return (near > 0.0).then(|| Touch::shadow(shadow.clamp(0.3, 1.0)));
        }
        let (edge, end) = (shape.top(p.x), shape.bottom(p.x));
        let depth = ((p.y - edge) / (end - edge).max(0.05)).clamp(0.0, 1.0);
        let mut brightness = canvas.light.at(p) * cloth.relief(p, depth, wear == Wear::UnderMouth);
        brightness *= 1.0 - 0.34 * smooth(1.6, 2.0, p.y);
        if covers_nose {
            let x = p.x - canvas.nose.x * smooth(edge, canvas.nose.y, p.y);
            let bridge = 1.0 - smooth(canvas.nose.y, canvas.nose.y + 0.3, p.y);
            brightness *= 1.0 + bridge * (0.07 * ridge(x, 0.13) - 0.08 * ridge(x.abs() - 0.3, 0.1));
        } else if wear == Wear::UnderNose {
            // The cloth swings out over the lips and falls in under the nose.
            brightness *= 1.0 + 0.05 * ridge(p.y - mouth.y, 0.15) - 0.06 * ridge(p.y - edge, 0.05);
        }
        // The sewn edge, a little inside.
        let hem = distance / canvas.unit + 0.06;
        brightness *= 1.0 - 0.1 * cloth.folds * ridge(hem, 0.012);
        let mut colour = cloth.fabric.colour(p);
        if cloth.lips {
            colour = lips(colour, point(p.x - mouth.x, p.y - mouth.y), cloth.seed);
        }
        let colour = canvas.light.expose(colour, brightness.max(0.05));
        Some(Touch { shadow: shadow.clamp(0.3, 1.0), colour, amount: inside })
    });
}

/// A mouth printed on the cloth: lips, now and then with teeth between them.
fn lips(below: [f32; 3], p: Point, seed: u32) -> [f32; 3] {
    let (x, y) = (p.x / 0.5, p.y / 0.24);
    let bow = 1.0 - 0.18 * ridge(p.x, 0.07) * smooth(0.0, -0.1, p.y);
    let distance = (x * x).hypot(y) / bow;
    let open = if seed.is_multiple_of(2) { 0.32 } else { 0.06 };
    let red = blend(below, [178.0, 42.0, 58.0], 1.0 - smooth(0.9, 1.0, distance));
    let gap = 1.0 - smooth(open - 0.05, open + 0.05, (0.9 * x * x).hypot(1.2 * y));
    let teeth = if (p.x * 14.0).sin().abs() < 0.2 { [180.0; 3] } else { [238.0, 236.0, 226.0] };
    blend(red, if seed.is_multiple_of(2) { teeth } else { [90.0, 16.0, 26.0] }, gap)
}

/// A mask that hangs by one loop from one ear, beside the cheek.
fn dangle(canvas: &mut FaceCanvas<'_>, cloth: &Cloth, dice: &mut ChaCha8Rng) {
    let side = dice.side();
    let half = canvas.frame.half_widths[usize::from(side > 0.0)] / canvas.unit;
    let at = point(side * half * dice.between(0.98, 1.12), dice.between(1.0, 1.3));
    let pose = HeadPose::new(canvas, at, dice.between(-0.3, 0.3), 1.0, side);
    let (width, height) = (dice.between(0.22, 0.42), dice.between(0.55, 0.75));
    straps::hang(canvas, point(side * half * 1.04, 0.2), pose.to_picture(point(0.0, -height)), dice);
    canvas.paint(&pose.corners([-width - 0.1, -height - 0.1, width + 0.1, height + 0.1]), |canvas, at| {
        let p = pose.to_thing(at);
        let wave = 0.06 * cloud(1.0, 3.0 * p.y, cloth.seed);
        let (x, y) = ((p.x + wave).abs() - width, p.y.abs() - height);
        let distance = x.max(y) * pose.scale;
        let near = (1.0 - distance.max(0.0) / (0.06 * canvas.unit)).max(0.0);
        if near <= 0.0 {
            return None;
        }
        let inside = canvas.coverage(distance);
        // The pleats of a mask that hangs run downwards.
        let brightness = canvas.light.at(canvas.frame.to_face(at))
            * (1.0 + 0.16 * cloth.folds * noise(5.0 * p.x, 0.8 * p.y, cloth.seed) - 0.3 * p.x.abs());
        let colour = canvas.light.expose(cloth.fabric.colour(point(p.y, p.x)), brightness.max(0.05));
        Some(Touch { shadow: 1.0 - cloth.shadow * near * (1.0 - inside), colour, amount: inside })
    });
}
