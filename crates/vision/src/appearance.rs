//! What somebody looks like, roughly: the colours of head, shoulders and clothes. It tells within some
//! seconds, at the same door and in the same light, whether who comes is who has just left. It knows nobody:
//! another day or another jacket makes another appearance.

use crate::geometry::Rect;
use crate::pixels::picture::View;
use crate::pixels::sampler::Sampler;

/// Cells of the grid, across and down.
const CELLS: usize = 8;
/// The square that is looked at is so many times as large as the face.
const MARGIN: f32 = 2.2;
/// It is moved down by so much of the face's height, to the shoulders.
const DOWN: f32 = 0.45;
/// Largest mean difference, in steps of 8 bits, between two looks at one person. Measured by
/// `maskwatch-lab eval same`.
const SAME: f32 = 18.0;
/// Cells that show the person and little of what is behind: first and last column of each row.
const SHOWN: [(usize, usize); CELLS] = [(3, 5), (2, 6), (2, 6), (2, 6), (2, 6), (1, 7), (1, 7), (1, 7)];

/// The mean colours of the cells, RGB, row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appearance([u8; 3 * CELLS * CELLS]);

impl Appearance {
    /// What the person whose face is in the box `face` of `picture` looks like.
    pub fn of(picture: View<'_>, face: &Rect, sampler: &mut Sampler) -> Self {
        let mut cells = [0; 3 * CELLS * CELLS];
        let body = Rect { y: face.y + DOWN * face.h, ..*face };
        sampler.face_crop(picture, &body, MARGIN, CELLS as u32, &mut cells);
        Self(cells)
    }

    /// How much two people differ: the mean difference of their cells' colours once the one is made as bright
    /// as the other, 0 to 255.
    #[must_use]
    pub fn difference(&self, other: &Self) -> f32 {
        let shift = self.brightness() - other.brightness();
        let (mut sum, mut count) = (0.0, 0);
        for index in shown() {
            sum += (f32::from(self.0[index]) - f32::from(other.0[index]) - shift).abs();
            count += 1;
        }
        sum / count.max(1) as f32
    }

    /// Whether this is the same person, seen some seconds apart.
    #[must_use]
    pub fn is_same_person(&self, other: &Self) -> bool {
        self.difference(other) <= SAME
    }

    fn brightness(&self) -> f32 {
        let (sum, count) =
            shown().fold((0.0, 0), |(sum, count), index| (sum + f32::from(self.0[index]), count + 1));
        sum / count.max(1) as f32
    }
}

/// Indices of the values that show the person.
fn shown() -> impl Iterator<Item = usize> {
    let row = |(y, (first, last)): (usize, &(usize, usize))| 3 * (y * CELLS + first)..3 * (y * CELLS + last);
    SHOWN.iter().enumerate().flat_map(row)
}
