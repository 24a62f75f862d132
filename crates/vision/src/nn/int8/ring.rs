//! The expanded map of a unit, which is never whole: a ring of rows, just long enough for the next windows.

use super::layers::{Stem, UnitLayers};
use super::plan::UnitPlan;
use maskwatch_kernels::int8::{Area, GROUP, Kernels, Map, SourceMap, Windows, maps};
use std::ops::Range;

/// Where a unit reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum UnitInput<'a> {
    /// RGB bytes of the picture.
    Picture(&'a [u8]),
    /// A map's first byte.
    Map(*const u8),
}

/// Cuts pieces of whole cache lines off a buffer.
pub(super) struct Pieces(pub(super) *mut u8);

impl Pieces {
    /// The next piece of at least `bytes` bytes.
    ///
    /// # Safety
    /// The buffer has so many bytes left, rounded up to whole cache lines.
    pub(super) unsafe fn next(&mut self, bytes: usize) -> *mut u8 {
        let piece = self.0;
        // SAFETY: as promised.
        self.0 = unsafe { piece.add(bytes.next_multiple_of(64)) };
        piece
    }
}

/// The last rows of the expanded map, with padding at their ends: the channels of one member.
pub(super) struct Ring {
    groups: Range<usize>,
    rows: *mut u8,
    /// A row of padding, above the first row of the map and below the last.
    padding: *const u8,
    /// Room for a row of patches of the picture, if the unit has a stem.
    patches: *mut u8,
    /// Room for a row of the stem's results, if the unit has one.
    stem: *mut u8,
}

impl Ring {
    /// A ring without rows, its padding filled in.
    ///
    /// # Safety
    /// `pieces` has as many bytes left as [`UnitPlan::scratch`] counts for a ring.
    pub(super) unsafe fn new(
        layers: &UnitLayers,
        plan: &UnitPlan,
        kernels: &dyn Kernels,
        groups: Range<usize>,
        pieces: &mut Pieces,
    ) -> Self {
        let slice = groups.len() * GROUP;
        let row = (plan.hidden.columns + 2) * slice;
        let value = layers.hidden_zero_point.wrapping_sub(kernels.offset());
        // SAFETY: the caller promises the bytes; the pieces are those that `UnitPlan::scratch` adds up.
        unsafe {
            let padding = pieces.next(plan.row());
            std::slice::from_raw_parts_mut(padding, row).fill(value);
            let rows = pieces.next(plan.slots * plan.row());
            for slot in 0..plan.slots {
                let start = rows.add(slot * row);
                std::slice::from_raw_parts_mut(start, slice).fill(value);
                std::slice::from_raw_parts_mut(start.add(row - slice), slice).fill(value);
            }
            let outputs = layers.stem.as_ref().map_or(0, |stem| stem.layer.outputs());
            let (patches, stem) = if outputs > 0 {
                (pieces.next(plan.hidden.columns * maps::PATCH), pieces.next(plan.hidden.columns * outputs))
            } else {
                (std::ptr::null_mut(), std::ptr::null_mut())
            };
            Self { groups, rows, padding, patches, stem }
        }
    }

    /// Channels of the ring.
    fn slice(&self) -> usize {
        self.groups.len() * GROUP
    }

    /// Computes the rows `rows` of the expanded map.
    ///
    /// # Safety
    /// As for `UnitLayers::run`.
    pub(super) unsafe fn fill(
        &self,
        layers: &UnitLayers,
        plan: &UnitPlan,
        kernels: &dyn Kernels,
        input: UnitInput<'_>,
        rows: Range<usize>,
    ) {
        let slice = self.slice();
        let row_bytes = (plan.hidden.columns + 2) * slice;
        let mut row = rows.start;
        while row < rows.end {
            let slot = row % plan.slots;
            // Several rows at once, if they are neighbours both in the ring and in the input.
            let count = match input {
                UnitInput::Picture(_) => 1,
                UnitInput::Map(_) => (rows.end - row).min(plan.slots - slot),
            };
            let area = Area { rows: count, columns: plan.hidden.columns };
            // SAFETY: the ring has these slots, and each has room for a row between its paddings; the caller
            // promises the input.
            unsafe {
                let target =
                    Map { start: self.rows.add(slot * row_bytes + slice), pixel: slice, row: row_bytes };
                match (input, &layers.stem, &layers.expand) {
                    (UnitInput::Map(start), _, Some(expand)) => {
                        let (pixel, line) = (plan.input.channels, plan.input.columns * plan.input.channels);
                        let source = Map { start: start.add(row * line), pixel, row: line };
                        kernels.pointwise(expand, self.groups.clone(), area, source, target, None);
                    }
                    (UnitInput::Picture(picture), Some(stem), expand) => {
                        let patches = self.patches(stem, plan, kernels, picture, row);
                        match expand {
                            None => {
                                kernels.pointwise(
                                    &stem.layer,
                                    self.groups.clone(),
                                    area,
                                    patches,
                                    target,
                                    None,
                                );
                            }
                            Some(expand) => {
                                let outputs = stem.layer.outputs();
                                let between = Map { start: self.stem, pixel: outputs, row: 0 };
                                kernels.pointwise(
                                    &stem.layer,
                                    0..outputs / GROUP,
                                    area,
                                    patches,
                                    between,
                                    None,
                                );
                                let source = Map { start: self.stem.cast_const(), pixel: outputs, row: 0 };
                                kernels.pointwise(expand, self.groups.clone(), area, source, target, None);
                            }
                        }
                    }
                    // A unit begins with a picture and a stem, or with a map and an expansion.
                    _ => {}
                }
            }
            row += count;
        }
    }

    /// The patches of the picture for row `row` of the stem's output.
    ///
    /// # Safety
    /// As for `UnitLayers::run`; the unit has a stem.
    unsafe fn patches(
        &self,
        stem: &Stem,
        plan: &UnitPlan,
        kernels: &dyn Kernels,
        picture: &[u8],
        row: usize,
    ) -> SourceMap {
        let line = 3 * plan.input.columns;
        let rows = [0, 1, 2].map(|tap| {
            let y = (2 * row + tap).checked_sub(1).filter(|y| *y < plan.input.rows)?;
            picture.get(y * line..(y + 1) * line)
        });
        // SAFETY: `new` has taken room for a row of patches.
        let target =
            unsafe { std::slice::from_raw_parts_mut(self.patches, plan.hidden.columns * maps::PATCH) };
        maps::patches(rows, stem.padding, kernels.offset(), target);
        Map { start: self.patches, pixel: maps::PATCH, row: 0 }
    }

    /// The windows whose middle row is row `middle` of the expanded map.
    pub(super) fn windows(&self, plan: &UnitPlan, middle: usize, stride: usize) -> Windows {
        let slice = self.slice();
        let rows = [0, 1, 2].map(|tap| match (middle + tap).checked_sub(1) {
            // SAFETY: the ring has that many slots.
            Some(row) if row < plan.hidden.rows => unsafe {
                self.rows.add(row % plan.slots * (plan.hidden.columns + 2) * slice).cast_const()
            },
            _ => self.padding,
        });
        Windows { rows, pixel: slice, stride, columns: plan.convolved.columns }
    }
}
