//! Drawn scenes for tests: entrances by day and by night, covered lenses, walls.

use image::{Rgb, RgbImage};

/// A scene: its luma without noise, in coordinates from 0 to 1, and the noise.
#[derive(Clone, Copy)]
pub(super) struct Drawn {
    pub(super) name: &'static str,
    light: fn(f32, f32) -> f32,
    noise: f32,
}

impl Drawn {
    /// A frame; each seed has other noise.
    pub(super) fn frame(self, seed: u32) -> RgbImage {
        let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 - 0.5
        };
        RgbImage::from_fn(320, 240, |x, y| {
            // Nearly normal, with a standard deviation of 1.
            let noise = (0..3).map(|_| random()).sum::<f32>() * 2.0;
            let luma = (self.light)(x as f32 / 320.0, y as f32 / 240.0) + self.noise * noise;
            Rgb([luma.round().clamp(0.0, 255.0) as u8; 3])
        })
    }
}

fn within(x: f32, y: f32, left: f32, top: f32, right: f32, bottom: f32) -> bool {
    (left..right).contains(&x) && (top..bottom).contains(&y)
}

/// A door in a wall, a window in the door, a mat, a sign.
fn entrance(x: f32, y: f32) -> f32 {
    match () {
        () if within(x, y, 0.45, 0.3, 0.6, 0.5) => 220.0,
        () if within(x, y, 0.35, 0.15, 0.7, 0.9) => 90.0,
        () if within(x, y, 0.1, 0.25, 0.25, 0.4) => 200.0,
        () if y > 0.9 => 60.0,
        () => 150.0 + 20.0 * x,
    }
}

/// The light of a lamp around a place.
fn lamp(x: f32, y: f32, at: (f32, f32), bright: f32, wide: f32) -> f32 {
    bright / (1.0 + ((x - at.0).hypot(y - at.1) / wide).powi(2))
}

fn vignette(x: f32, y: f32) -> f32 {
    1.0 - 0.6 * ((x - 0.5).powi(2) + (y - 0.5).powi(2))
}

pub(super) const ENTRANCE: Drawn = Drawn { name: "entrance", light: entrance, noise: 2.0 };
pub(super) const DUSK: Drawn = Drawn { name: "dusk", light: |x, y| 4.0 + 0.2 * entrance(x, y), noise: 4.0 };
pub(super) const NIGHT_LAMP: Drawn = Drawn {
    name: "night, a lamp far away",
    light: |x, y| 10.0 + lamp(x, y, (0.7, 0.2), 240.0, 0.02),
    noise: 5.0,
};
pub(super) const NIGHT_DOOR: Drawn =
    Drawn { name: "night, a door hardly seen", light: |x, y| 8.0 + 0.1 * entrance(x, y), noise: 5.0 };
pub(super) const NIGHT_WINDOW: Drawn = Drawn {
    name: "night, a lit window",
    light: |x, y| if within(x, y, 0.2, 0.3, 0.3, 0.42) { 120.0 } else { 6.0 },
    noise: 6.0,
};
pub(super) const CLOTH: Drawn =
    Drawn { name: "cloth", light: |x, y| (25.0 + 30.0 * x) * vignette(x, y), noise: 6.0 };
pub(super) const HAND: Drawn = Drawn {
    name: "hand with light between the fingers",
    light: |x, y| 40.0 + lamp(x, y, (1.1, 0.5), 120.0, 0.5),
    noise: 4.0,
};
pub(super) const TAPE: Drawn = Drawn { name: "tape", light: |x, y| 14.0 * vignette(x, y), noise: 3.0 };
pub(super) const COVERED_AT_NIGHT: Drawn =
    Drawn { name: "covered at night", light: |_, _| 12.0, noise: 10.0 };
pub(super) const WALL: Drawn = Drawn { name: "wall", light: |x, y| 190.0 * vignette(x, y), noise: 2.5 };
pub(super) const SHELF: Drawn = Drawn {
    name: "shelf",
    light: |x, y| {
        if (7.0 * y).fract() < 0.2 {
            40.0
        } else {
            120.0 + 60.0 * ((23.0 * x).sin() * (9.0 * y).cos()).signum()
        }
    },
    noise: 2.0,
};
