//! The grid of cells that the detector predicts from, and what a cell's raw outputs mean in pixels. No
//! network, no losses.

use maskwatch::geometry::{Point, Rect};
use maskwatch::nn::yunet::STRIDES;

/// One output position: it covers a square of `stride` × `stride` pixels of the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell {
    /// Column counted in strides.
    pub(super) column: f32,
    /// Row counted in strides.
    pub(super) row: f32,
    /// Side of the square, in pixels.
    pub(super) stride: f32,
}

impl Cell {
    /// The middle of the square that the cell covers: what decides which faces the cell may answer for.
    /// (Boxes and landmarks are encoded relative to its top left corner instead, as YuNet does.)
    pub(super) fn centre(&self) -> Point {
        Point { x: (self.column + 0.5) * self.stride, y: (self.row + 0.5) * self.stride }
    }

    /// The box that raw outputs `[dx, dy, ln w, ln h]` describe, in pixels of the input.
    pub(super) fn decode(&self, raw: [f32; 4]) -> Rect {
        let (w, h) = (raw[2].exp() * self.stride, raw[3].exp() * self.stride);
        let x = (self.column + raw[0]) * self.stride - w / 2.0;
        let y = (self.row + raw[1]) * self.stride - h / 2.0;
        Rect { x, y, w, h }
    }

    /// The ten raw outputs that describe five landmarks given in pixels of the input.
    pub(super) fn encode_landmarks(&self, landmarks: &[Point; 5]) -> [f32; 10] {
        let mut raw = [0.0; 10];
        for (pair, point) in raw.chunks_exact_mut(2).zip(landmarks) {
            pair[0] = point.x / self.stride - self.column;
            pair[1] = point.y / self.stride - self.row;
        }
        raw
    }
}

/// All cells of an input of `width` × `height` pixels (multiples of 32): level by level, row by row, as the
/// network's outputs lie in memory once its levels are joined.
pub(super) fn grid(width: usize, height: usize) -> Vec<Cell> {
    STRIDES
        .iter()
        .flat_map(|&stride| {
            (0..height / stride).flat_map(move |row| {
                (0..width / stride).map(move |column| Cell {
                    column: column as f32,
                    row: row as f32,
                    stride: stride as f32,
                })
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_grid_holds_every_level_row_by_row() {
        let cells = grid(64, 32);
        assert_eq!(cells.len(), 8 * 4 + 4 * 2 + 2);
        assert_eq!(cells[0].centre(), Point { x: 4.0, y: 4.0 });
        assert_eq!(cells[9].centre(), Point { x: 12.0, y: 12.0 });
        assert_eq!(cells[8 * 4], Cell { column: 0.0, row: 0.0, stride: 16.0 });
        assert_eq!(cells[41].centre(), Point { x: 48.0, y: 16.0 });
    }

    proptest! {
        #[test]
        fn landmarks_survive_encoding(x in -20f32..400.0, y in -20f32..400.0, column in 0u8..40, row in 0u8..40) {
            let cell = Cell { column: f32::from(column), row: f32::from(row), stride: 8.0 };
            let raw = cell.encode_landmarks(&[Point { x, y }; 5]);
            prop_assert!(((raw[8] + cell.column) * cell.stride - x).abs() < 1e-3);
            prop_assert!(((raw[9] + cell.row) * cell.stride - y).abs() < 1e-3);
        }

        #[test]
        fn a_cell_decodes_the_box_that_was_encoded(x in 0f32..300.0, y in 0f32..300.0, w in 1f32..200.0, h in 1f32..200.0) {
            let cell = Cell { column: 3.0, row: 7.0, stride: 16.0 };
            let raw = [
                (x + w / 2.0) / cell.stride - cell.column,
                (y + h / 2.0) / cell.stride - cell.row,
                (w / cell.stride).ln(),
                (h / cell.stride).ln(),
            ];
            let decoded = cell.decode(raw);
            prop_assert!((decoded.x - x).abs() < 1e-2 && (decoded.y - y).abs() < 1e-2);
            prop_assert!((decoded.w - w).abs() < 1e-2 && (decoded.h - h).abs() < 1e-2);
        }
    }
}
