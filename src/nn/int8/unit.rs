//! What the quantized networks are made of: a 1×1 convolution, a depthwise one behind it, and what finishes
//! them, run together a few rows at a time.
//!
//! The map between the 1×1 and the depthwise convolution is by far the largest of a network (an inverted
//! residual expands six times), and is never whole: its rows go into a ring just long enough for the next
//! windows, which stays in the cache, and padding is part of the ring, so that no kernel knows of edges.
//! Where a unit begins with the picture, its first convolution (3×3, stride 2) is a 1×1 convolution of
//! patches.
//!
//! The members of a team share a unit by rows where there are many, and by channels where there are few; in
//! the latter case they meet before the last convolution of every step, which needs all channels.

use super::team::Member;
use maskwatch_kernels::int8::{
    Area, Depthwise, GROUP, Kernels, Map, Pointwise, Residual, SourceMap, Windows, maps,
};
use std::ops::Range;

/// Bytes of a ring that are aimed at: with the weights, about what a small second-level cache holds for one
/// core.
const RING: usize = 96 << 10;
/// Fewer rows than this for each member of a team, and a unit is shared by channels.
const ROWS_EACH: usize = 14;

/// Rows, columns and channels of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub rows: usize,
    pub columns: usize,
    pub channels: usize,
}

impl Extent {
    pub(super) fn bytes(self) -> usize {
        self.rows * self.columns * self.channels
    }
}

/// The first convolution of a network.
#[derive(Debug)]
pub(super) struct Stem {
    pub layer: Pointwise,
    /// What stands for pixels beyond the picture's edges: the mean that the network was trained with.
    pub padding: [u8; 3],
}

/// The layers of a unit. At least one of `stem` and `expand` is there.
#[derive(Debug)]
pub(super) struct Layers {
    pub stem: Option<Stem>,
    pub expand: Option<Pointwise>,
    pub depthwise: Depthwise,
    pub stride: usize,
    pub finish: Finish,
    /// The zero point of what the depthwise convolution reads.
    pub hidden_zero_point: u8,
}

/// What follows the depthwise convolution.
#[derive(Debug)]
pub(super) enum Finish {
    /// Nothing.
    Plain,
    /// The depthwise convolution is the network's last layer: real numbers.
    Real,
    /// 2×2 maximum, stride 2.
    MaxPool,
    /// A 1×1 convolution.
    Project(Pointwise),
    /// As that, and the unit's input added: multiplier and zero point as of [`Residual`].
    ProjectAndAdd(Pointwise, f32, u8),
}

/// Where a unit reads and writes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input<'a> {
    /// RGB bytes of the picture.
    Picture(&'a [u8]),
    /// A map's first byte.
    Map(*const u8),
}

/// Where a unit writes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Output {
    Bytes(*mut u8),
    Reals(*mut f32),
}

/// One unit at one size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    input: Extent,
    hidden: Extent,
    convolved: Extent,
    pub(super) output: Extent,
    by_channels: bool,
    /// Rows of depthwise results per step.
    step: usize,
    /// Rows that a ring has room for.
    slots: usize,
    /// Channels of a ring.
    slice: usize,
}

impl Plan {
    /// How `layers` run on maps of `input` with a team of `members`.
    pub(super) fn new(kernels: &dyn Kernels, layers: &Layers, input: Extent, members: usize) -> Self {
        let shrink = |length: usize, stride: usize| length.div_ceil(stride);
        let channels = layers.depthwise.channels();
        let first = if layers.stem.is_some() { 2 } else { 1 };
        let hidden =
            Extent { rows: shrink(input.rows, first), columns: shrink(input.columns, first), channels };
        let convolved = Extent {
            rows: shrink(hidden.rows, layers.stride),
            columns: shrink(hidden.columns, layers.stride),
            channels,
        };
        let output = match &layers.finish {
            Finish::Plain | Finish::Real => convolved,
            Finish::MaxPool => Extent { rows: convolved.rows / 2, columns: convolved.columns / 2, channels },
            Finish::Project(layer) | Finish::ProjectAndAdd(layer, ..) => {
                Extent { channels: layer.outputs(), ..convolved }
            }
        };
        let by_channels =
            members > 1 && convolved.rows < members * ROWS_EACH && channels / GROUP >= 2 * members;
        let slice = if by_channels {
            channels.div_ceil(kernels.panel()).div_ceil(members) * kernels.panel()
        } else {
            channels
        };
        let row = (hidden.columns + 2) * slice;
        let fitting = (RING / row).saturating_sub(3) / layers.stride + 1;
        // Whole pairs of rows for the pooling; and no more than there are.
        let step = fitting.next_multiple_of(2).min(convolved.rows.next_multiple_of(2));
        let slots = (step - 1) * layers.stride + 3;
        Self { input, hidden, convolved, output, by_channels, step, slots, slice }
    }

    fn row(&self) -> usize {
        (self.hidden.columns + 2) * self.slice
    }

    /// Bytes that each member needs for itself.
    pub(super) fn scratch(&self, layers: &Layers) -> usize {
        let stem =
            layers.stem.as_ref().map_or(0, |stem| self.hidden.columns * (maps::PATCH + stem.layer.outputs()));
        let own = if self.by_channels { 0 } else { self.results() };
        (self.slots + 1) * self.row() + stem + own + 8 * 64
    }

    /// Bytes of the depthwise results of one step.
    fn results(&self) -> usize {
        self.step * self.convolved.columns * self.convolved.channels
    }

    /// Bytes that the members need together: the results of two steps, so that one can be read while the next
    /// is written.
    pub(super) fn shared(&self) -> usize {
        if self.by_channels { 2 * self.results() } else { 0 }
    }
}

/// What one member works with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'a> {
    pub kernels: &'a dyn Kernels,
    pub member: Member<'a>,
    /// This member's own [`Plan::scratch`] bytes.
    pub scratch: *mut u8,
    /// The team's [`Plan::shared`] bytes.
    pub shared: *mut u8,
}

/// Cuts pieces of whole cache lines off a buffer.
struct Pieces(*mut u8);

impl Pieces {
    /// # Safety
    /// The buffer has that many bytes left, and 63 more.
    unsafe fn next(&mut self, bytes: usize) -> *mut u8 {
        let piece = self.0;
        // SAFETY: as promised.
        self.0 = unsafe { piece.add(bytes.next_multiple_of(64)) };
        piece
    }
}

impl Layers {
    /// Runs this member's part of the unit; all of it is done once all members have met afterwards.
    ///
    /// # Safety
    /// All members call this with the same plan, made for these layers, and the same maps: `input` and
    /// `output` have the plan's extents and are not used otherwise meanwhile, `work` has the bytes that the
    /// plan asks for.
    pub(super) unsafe fn run(&self, plan: &Plan, work: &Work<'_>, input: Input<'_>, output: Output) {
        let groups = plan.hidden.channels / GROUP;
        let (rows, groups) = if plan.by_channels {
            (0..plan.convolved.rows, work.member.share(groups, work.kernels.panel() / GROUP))
        } else {
            (work.member.share(plan.convolved.rows, 2), 0..groups)
        };
        // SAFETY: the scratch is as large as the plan says.
        let (ring, results) = unsafe {
            let mut pieces = Pieces(work.scratch);
            let own = pieces.next(if plan.by_channels { 0 } else { plan.results() });
            (Ring::new(self, plan, work.kernels, groups.clone(), &mut pieces), own)
        };
        let mut expanded = (rows.start * self.stride).saturating_sub(1);
        for (number, start) in rows.clone().step_by(plan.step).enumerate() {
            let end = (start + plan.step).min(rows.end);
            let needed = ((end - 1) * self.stride + 2).min(plan.hidden.rows);
            // SAFETY: as the caller promises; results of this step are not those of the last, which others
            // may still read.
            unsafe {
                ring.fill(self, plan, work.kernels, input, expanded..needed);
                let results =
                    if plan.by_channels { work.shared.add(number % 2 * plan.results()) } else { results };
                for row in start..end {
                    let windows = ring.windows(plan, row * self.stride, self.stride);
                    self.convolve(plan, work.kernels, &groups, &windows, row, row - start, results, output);
                }
                if plan.by_channels {
                    work.member.meet();
                }
                self.finish(plan, work, start..end, results, input, output);
            }
            expanded = needed;
        }
    }

    /// One row of the depthwise convolution, to the results or, where nothing follows, to the output.
    ///
    /// # Safety
    /// As for [`Layers::run`].
    #[allow(clippy::too_many_arguments, reason = "one step of a loop, cut out to be read by itself")]
    unsafe fn convolve(
        &self,
        plan: &Plan,
        kernels: &dyn Kernels,
        groups: &Range<usize>,
        windows: &Windows,
        row: usize,
        row_of_step: usize,
        results: *mut u8,
        output: Output,
    ) {
        let Extent { columns, channels, .. } = plan.convolved;
        let line = columns * channels;
        // SAFETY: the output has the rows of the plan, the results those of a step.
        unsafe {
            match (&self.finish, output) {
                (Finish::Plain, Output::Bytes(output)) => {
                    let target = output.add(row * line + groups.start * GROUP);
                    kernels.depthwise(&self.depthwise, groups.clone(), windows, target, channels);
                }
                (Finish::Real, Output::Reals(output)) => {
                    let target = output.add(row * line + groups.start * GROUP);
                    kernels.depthwise_real(&self.depthwise, groups.clone(), windows, target, channels);
                }
                _ => {
                    let target = results.add(row_of_step * line + groups.start * GROUP);
                    kernels.depthwise(&self.depthwise, groups.clone(), windows, target, channels);
                }
            }
        }
    }

    /// What follows the depthwise convolution, for the rows of a step: all of them where they are this
    /// member's own, else its share of the pixels.
    ///
    /// # Safety
    /// As for [`Layers::run`].
    unsafe fn finish(
        &self,
        plan: &Plan,
        work: &Work<'_>,
        rows: Range<usize>,
        results: *const u8,
        input: Input<'_>,
        output: Output,
    ) {
        let Extent { columns, channels, .. } = plan.convolved;
        let Output::Bytes(output) = output else { return };
        let (layer, residual) = match &self.finish {
            Finish::Plain | Finish::Real => return,
            Finish::MaxPool => {
                // SAFETY: both rows of each pair are results of this step, and the output has half of them.
                unsafe { self.pool(plan, work.kernels, rows, results, output) };
                return;
            }
            Finish::Project(layer) => (layer, None),
            Finish::ProjectAndAdd(layer, multiplier, zero_point) => (layer, Some((*multiplier, *zero_point))),
        };
        let pixels = rows.len() * columns;
        let mine = if plan.by_channels { work.member.share(pixels, 4) } else { 0..pixels };
        let first = rows.start * columns + mine.start;
        let area = Area { rows: 1, columns: mine.len() };
        // SAFETY: the results have the step's pixels, input and output those of the whole map.
        unsafe {
            let source = Map { start: results.add(mine.start * channels), pixel: channels, row: 0 };
            let at = first * layer.outputs();
            let target = Map { start: output.add(at), pixel: layer.outputs(), row: 0 };
            let residual = match (residual, input) {
                (Some((multiplier, zero_point)), Input::Map(start)) => {
                    Some(Residual { start: start.add(at), zero_point, multiplier })
                }
                _ => None,
            };
            let groups = 0..layer.outputs() / GROUP;
            work.kernels.pointwise(layer, groups, area, source, target, residual.as_ref());
        }
    }

    /// # Safety
    /// As for [`Layers::finish`].
    unsafe fn pool(
        &self,
        plan: &Plan,
        kernels: &dyn Kernels,
        rows: Range<usize>,
        results: *const u8,
        output: *mut u8,
    ) {
        let line = plan.convolved.columns * plan.convolved.channels;
        let pooled = plan.output.columns * plan.output.channels;
        for pair in 0..rows.len() / 2 {
            // SAFETY: the caller promises the rows; they are written by nobody now.
            unsafe {
                let row =
                    |index: usize| std::slice::from_raw_parts(results.add((2 * pair + index) * line), line);
                let target = output.add((rows.start / 2 + pair) * pooled);
                let target = std::slice::from_raw_parts_mut(target, pooled);
                maps::max_pool([row(0), row(1)], plan.output.channels, kernels.offset(), target);
            }
        }
    }
}

/// Rows of the expanded map, padded at their ends, of the channels of one member.
struct Ring {
    groups: Range<usize>,
    rows: *mut u8,
    /// A row of padding, for the windows of the first and last row.
    padding: *const u8,
    patches: *mut u8,
    stem: *mut u8,
}

impl Ring {
    /// # Safety
    /// The scratch is as large as the plan says.
    unsafe fn new(
        layers: &Layers,
        plan: &Plan,
        kernels: &dyn Kernels,
        groups: Range<usize>,
        pieces: &mut Pieces,
    ) -> Self {
        let slice = groups.len() * GROUP;
        let row = (plan.hidden.columns + 2) * slice;
        let value = layers.hidden_zero_point.wrapping_sub(kernels.offset());
        // SAFETY: as promised; the pieces are those that `Plan::scratch` adds up.
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

    fn slice(&self) -> usize {
        self.groups.len() * GROUP
    }

    /// Computes rows `rows` of the expanded map.
    ///
    /// # Safety
    /// As for [`Layers::run`].
    unsafe fn fill(
        &self,
        layers: &Layers,
        plan: &Plan,
        kernels: &dyn Kernels,
        input: Input<'_>,
        rows: Range<usize>,
    ) {
        let slice = self.slice();
        let row_bytes = (plan.hidden.columns + 2) * slice;
        let mut row = rows.start;
        while row < rows.end {
            let slot = row % plan.slots;
            // Several rows at once where they are neighbours in the ring, and neighbours in the input.
            let count = match input {
                Input::Picture(_) => 1,
                Input::Map(_) => (rows.end - row).min(plan.slots - slot),
            };
            let area = Area { rows: count, columns: plan.hidden.columns };
            // SAFETY: the ring has these slots; between its paddings each has room for a row.
            unsafe {
                let target =
                    Map { start: self.rows.add(slot * row_bytes + slice), pixel: slice, row: row_bytes };
                match (input, &layers.stem, &layers.expand) {
                    (Input::Map(start), _, Some(expand)) => {
                        let (pixel, line) = (plan.input.channels, plan.input.columns * plan.input.channels);
                        let source = Map { start: start.add(row * line), pixel, row: line };
                        kernels.pointwise(expand, self.groups.clone(), area, source, target, None);
                    }
                    (Input::Picture(picture), Some(stem), expand) => {
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
                    // A unit begins either with a picture and a stem, or with a map and an expansion.
                    _ => {}
                }
            }
            row += count;
        }
    }

    /// The patches below row `row` of the first convolution's output.
    ///
    /// # Safety
    /// As for [`Layers::run`].
    unsafe fn patches(
        &self,
        stem: &Stem,
        plan: &Plan,
        kernels: &dyn Kernels,
        picture: &[u8],
        row: usize,
    ) -> SourceMap {
        let line = 3 * plan.input.columns;
        let rows = [0, 1, 2].map(|tap| {
            let y = (2 * row + tap).checked_sub(1).filter(|y| *y < plan.input.rows)?;
            picture.get(y * line..(y + 1) * line)
        });
        // SAFETY: the scratch has room for a row of patches.
        let target =
            unsafe { std::slice::from_raw_parts_mut(self.patches, plan.hidden.columns * maps::PATCH) };
        maps::patches(rows, stem.padding, kernels.offset(), target);
        Map { start: self.patches, pixel: maps::PATCH, row: 0 }
    }

    /// The rows below the windows whose middle row is `middle`.
    fn windows(&self, plan: &Plan, middle: usize, stride: usize) -> Windows {
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
