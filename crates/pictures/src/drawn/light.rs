//! The light on a face, measured before anything is drawn: brightness of each part, colour of the skin,
//! darkest and lightest tones, noise. A drawn thing in this light fits the picture.

use super::dice::Dice;
use super::frame::{FaceFrame, point};
use image::RgbImage;
use maskwatch_vision::geometry::Point;
use rand_chacha::ChaCha8Rng;

const SIDE: usize = 9;
/// The part of the face that the grid spans, in its own coordinates.
const LEFT: f32 = -1.1;
const WIDTH: f32 = 2.2;
const TOP: f32 = -0.5;
const HEIGHT: f32 = 2.2;
/// Places of skin that beards and glasses seldom cover.
const SKIN: [Point; 8] = [
    point(-0.5, 0.5),
    point(0.5, 0.5),
    point(-0.62, 0.62),
    point(0.62, 0.62),
    point(-0.36, 0.46),
    point(0.36, 0.46),
    point(0.0, -0.3),
    point(0.0, 0.2),
];

pub(super) struct Light {
    /// Brightness of the parts of the face, relative to their mean.
    grid: [[f32; SIDE]; SIDE],
    /// How brightly the face is lit; 1 in a picture of good exposure.
    level: f32,
    /// The value of a black thing.
    black: f32,
    /// The light's colour, around 1.
    tint: [f32; 3],
    /// How much of a thing's colour the picture shows: 0 in a black and white one.
    colourfulness: f32,
    /// The face's own colour as the picture shows it.
    pub(super) skin: [f32; 3],
    /// Standard deviation of the picture's noise, in steps of 1/255.
    pub(super) grain: f32,
}

impl Light {
    pub(super) fn of(picture: &RgbImage, frame: &FaceFrame, dice: &mut ChaCha8Rng) -> Self {
        let at = |x: f32, y: f32| sample(picture, frame.to_picture(point(x, y)));
        let mut grid = [[0.0; SIDE]; SIDE];
        for (row, values) in grid.iter_mut().enumerate() {
            for (column, value) in values.iter_mut().enumerate() {
                let place = |index: usize, part: f32| (index as f32 + part) / SIDE as f32;
                *value = (0..9)
                    .map(|k| {
                        let (across, down) = ((k % 3) as f32 / 3.0 + 0.17, (k / 3) as f32 / 3.0 + 0.17);
                        let (x, y) = (place(column, across), place(row, down));
                        luminance(at(LEFT + WIDTH * x, TOP + HEIGHT * y))
                    })
                    .sum::<f32>()
                    / 9.0;
            }
        }
        let mean = grid.iter().flatten().sum::<f32>() / (SIDE * SIDE) as f32;
        for _ in 0..3 {
            grid = blurred(&grid);
        }
        let grid = grid.map(|row| row.map(|value| (value / mean.max(1.0)).clamp(0.3, 2.0)));

        let mut skin = [0.0; 3];
        for (channel, value) in skin.iter_mut().enumerate() {
            let mut values = SKIN.map(|p| at(p.x, p.y)[channel]);
            values.sort_by(f32::total_cmp);
            *value = (values[3] + values[4] + values[5]) / 3.0;
        }
        let mut tones: Vec<f32> = (0..256)
            .map(|k| luminance(at((k % 16) as f32 / 5.0 - 1.5, (k / 16) as f32 / 4.3 - 1.4)))
            .collect();
        tones.sort_by(f32::total_cmp);
        let (darkest, lightest) = (tones[8], tones[247]);
        let level = (0.5 + 0.5 * luminance(skin) / 150.0).clamp(0.3, 1.15) * dice.between(0.82, 1.15);
        let [red, green, blue] = skin;
        let chroma = red.max(green).max(blue) - red.min(green).min(blue);
        let warmth = dice.between(-0.06, 0.06);
        Self {
            grid,
            level: level.min((lightest * 1.25).max(50.0) / 235.0),
            black: (darkest * dice.between(0.4, 0.9)).min(55.0),
            tint: [1.0 + warmth, 1.0 + dice.between(-0.02, 0.02), 1.0 - warmth],
            colourfulness: (chroma / 20.0).min(1.0),
            skin,
            grain: grain(picture, frame),
        }
    }

    /// How much light falls on a place of the face, around 1, and beyond the face what falls on its rim.
    pub(super) fn at(&self, face: Point) -> f32 {
        let last = (SIDE - 1) as f32;
        let x = ((face.x - LEFT) / WIDTH * SIDE as f32 - 0.5).clamp(0.0, last);
        let y = ((face.y - TOP) / HEIGHT * SIDE as f32 - 0.5).clamp(0.0, last);
        let (column, row) = (x as usize, y as usize);
        let (right, below) = ((column + 1).min(SIDE - 1), (row + 1).min(SIDE - 1));
        let (across, down) = (x - column as f32, y - row as f32);
        let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
        let value = mix(
            mix(self.grid[row][column], self.grid[row][right], across),
            mix(self.grid[below][column], self.grid[below][right], across),
            down,
        );
        // Shadows of nose and mouth are in the grid too: half of the contrast is the light's.
        0.35 + 0.65 * value
    }

    /// The values of a thing of this colour (0 to 255 in white light) that catches `brightness` of the face's
    /// light.
    pub(super) fn expose(&self, colour: [f32; 3], brightness: f32) -> [f32; 3] {
        let share = 1.0 - self.black / 255.0;
        let grey = luminance(colour);
        std::array::from_fn(|channel| {
            let tinted = colour[channel] * self.tint[channel];
            let value = (grey + (tinted - grey) * self.colourfulness) * self.level * brightness;
            self.black + share * bent(value, 200.0)
        })
    }

    /// The colour that looks like the face's skin once it is exposed.
    pub(super) fn colour_of_skin(&self) -> [f32; 3] {
        let share = 1.0 - self.black / 255.0;
        std::array::from_fn(|channel| {
            let value = (self.skin[channel] - self.black).max(0.0) / share;
            (value / (self.tint[channel] * self.level)).min(240.0)
        })
    }
}

/// Bends values above `start` towards 255 instead of cutting them off there, as cameras do.
pub(super) fn bent(value: f32, start: f32) -> f32 {
    let room = 255.0 - start;
    if value > start { start + room * (1.0 - ((start - value) / room).exp()) } else { value }
}

/// The pixel at a place, that of the edge beyond it.
pub(super) fn sample(picture: &RgbImage, at: Point) -> [f32; 3] {
    let x = (at.x.max(0.0) as u32).min(picture.width().saturating_sub(1));
    let y = (at.y.max(0.0) as u32).min(picture.height().saturating_sub(1));
    picture.get_pixel_checked(x, y).map_or([0.0; 3], |pixel| pixel.0.map(f32::from))
}

pub(super) fn luminance([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

fn blurred(grid: &[[f32; SIDE]; SIDE]) -> [[f32; SIDE]; SIDE] {
    std::array::from_fn(|row| {
        std::array::from_fn(|column| {
            let mut sum = 0.0;
            let mut weights = 0.0;
            for y in row.saturating_sub(1)..=(row + 1).min(SIDE - 1) {
                for x in column.saturating_sub(1)..=(column + 1).min(SIDE - 1) {
                    let weight = [2.0, 1.0][x.abs_diff(column)] * [2.0, 1.0][y.abs_diff(row)];
                    sum += weight * grid[y][x];
                    weights += weight;
                }
            }
            sum / weights
        })
    })
}

/// The noise on the cheeks: how far pixels lie from the mean of their neighbours.
fn grain(picture: &RgbImage, frame: &FaceFrame) -> f32 {
    let mut deviations: Vec<f32> = (0..64)
        .map(|k| {
            let side = if k % 2 == 0 { 1.0 } else { -1.0 };
            let place = point(side * (0.3 + 0.04 * (k % 8) as f32), 0.4 + 0.03 * (k / 8) as f32);
            let p = frame.to_picture(place);
            let at = |dx: f32, dy: f32| luminance(sample(picture, point(p.x + dx, p.y + dy)));
            let around = (at(1.0, 0.0) + at(-1.0, 0.0) + at(0.0, 1.0) + at(0.0, -1.0)) / 4.0;
            (at(0.0, 0.0) - around).abs()
        })
        .collect();
    deviations.sort_by(f32::total_cmp);
    // The median of such deviations is 0.75 of the noise's standard deviation.
    (deviations[32] / 0.75).clamp(0.4, 9.0)
}

#[cfg(test)]
mod tests {
    use super::bent;

    #[test]
    fn tones_rise_without_a_corner_and_stay_in_range() {
        let tones: Vec<f32> = (0..1200).map(|value| bent(value as f32 / 2.0, 200.0)).collect();
        assert!(tones.windows(2).all(|pair| pair[0] <= pair[1] && pair[1] - pair[0] < 0.501));
        assert!(tones.iter().all(|value| (0.0..=255.0).contains(value)));
        assert_eq!(bent(150.0, 200.0), 150.0);
        assert!(bent(230.0, 200.0) > 220.0);
    }
}
