//! A unit: a 1×1 convolution, a depthwise one and what follows it, run together a few rows at a time.
//!
//! The map between the 1×1 and the depthwise convolution is by far the largest of a network, since an
//! inverted residual expands its channels six times. It is never whole: its rows go into a ring
//! ([`super::ring`]), just long enough for the next windows, which stays in the cache. Padding is part of the
//! ring, so no kernel treats edges. If a unit begins with the picture, its first convolution (3×3, stride 2)
//! is a 1×1 convolution of patches.
//!
//! The members of a team share a unit by rows if there are many, else by channels. By channels, they meet
//! before the last convolution of each step, which needs all channels.

use super::layers::{Finish, UnitLayers};
use super::plan::{Extent, UnitPlan};
use super::ring::{Pieces, Ring, UnitInput};
use super::team::Member;
use maskwatch_kernels::int8::{Area, GROUP, Kernels, Map, Residual, Windows, maps};
use std::ops::Range;

/// Where a unit writes.
#[derive(Debug, Clone, Copy)]
pub(super) enum UnitOutput {
    /// Values, as the kernels store them.
    Bytes(*mut u8),
    /// Real numbers.
    Reals(*mut f32),
}

/// What one member works with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'a> {
    pub kernels: &'a dyn Kernels,
    pub member: Member<'a>,
    /// This member's own [`UnitPlan::scratch`] bytes.
    pub scratch: *mut u8,
    /// The team's [`UnitPlan::shared`] bytes.
    pub shared: *mut u8,
}

impl UnitLayers {
    /// Runs this member's part of the unit. The whole unit is done when all members have met afterwards.
    ///
    /// # Safety
    /// All members call this at once with the same plan, made for these layers, and the same maps. `input`
    /// and `output` have the plan's extents, and nobody else uses them meanwhile. `work` has the bytes that
    /// the plan asks for.
    pub(super) unsafe fn run(
        &self,
        plan: &UnitPlan,
        work: &Work<'_>,
        input: UnitInput<'_>,
        output: UnitOutput,
    ) {
        let groups = plan.hidden.channels / GROUP;
        let (rows, groups) = if plan.by_channels {
            (0..plan.convolved.rows, work.member.share(groups, work.kernels.panel() / GROUP))
        } else {
            (work.member.share(plan.convolved.rows, 2), 0..groups)
        };
        // SAFETY: the caller promises as much scratch memory as the plan asks for.
        let (ring, results) = unsafe {
            let mut pieces = Pieces(work.scratch);
            let own = pieces.next(if plan.by_channels { 0 } else { plan.results() });
            (Ring::new(self, plan, work.kernels, groups.clone(), &mut pieces), own)
        };
        let mut expanded = (rows.start * self.stride).saturating_sub(1);
        for (number, start) in rows.clone().step_by(plan.step).enumerate() {
            let end = (start + plan.step).min(rows.end);
            let needed = ((end - 1) * self.stride + 2).min(plan.hidden.rows);
            // SAFETY: the caller promises the maps and the memory. The results of this step lie apart from
            // those of the last, which other members may still read.
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

    /// Computes a row of the depthwise convolution, into the results of the step or, if nothing follows, into
    /// the output.
    ///
    /// # Safety
    /// As for [`UnitLayers::run`].
    #[allow(clippy::too_many_arguments, reason = "one step of a loop, cut out to be read by itself")]
    unsafe fn convolve(
        &self,
        plan: &UnitPlan,
        kernels: &dyn Kernels,
        groups: &Range<usize>,
        windows: &Windows,
        row: usize,
        row_of_step: usize,
        results: *mut u8,
        output: UnitOutput,
    ) {
        let Extent { columns, channels, .. } = plan.convolved;
        let line = columns * channels;
        // SAFETY: the output has the rows of the plan, the results those of a step.
        unsafe {
            match (&self.finish, output) {
                (Finish::Plain, UnitOutput::Bytes(output)) => {
                    let target = output.add(row * line + groups.start * GROUP);
                    kernels.depthwise(&self.depthwise, groups.clone(), windows, target, channels);
                }
                (Finish::Real, UnitOutput::Reals(output)) => {
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

    /// Computes what follows the depthwise convolution, for the rows of a step: all of them if they are this
    /// member's own, else its share.
    ///
    /// # Safety
    /// As for [`UnitLayers::run`].
    unsafe fn finish(
        &self,
        plan: &UnitPlan,
        work: &Work<'_>,
        rows: Range<usize>,
        results: *const u8,
        input: UnitInput<'_>,
        output: UnitOutput,
    ) {
        let Extent { columns, channels, .. } = plan.convolved;
        let UnitOutput::Bytes(output) = output else { return };
        let (layer, residual) = match &self.finish {
            Finish::Plain | Finish::Real => return,
            Finish::MaxPool => {
                // SAFETY: both rows of each pair are results of this step; the caller promises the output.
                unsafe { Self::pool(plan, work, rows, results, output) };
                return;
            }
            Finish::Project(layer) => (layer, None),
            Finish::ProjectAndAdd(layer, multiplier, zero_point) => (layer, Some((*multiplier, *zero_point))),
        };
        let pixels = rows.len() * columns;
        let mine = if plan.by_channels { work.member.share(pixels, 4) } else { 0..pixels };
        let first = rows.start * columns + mine.start;
        let area = Area { rows: 1, columns: mine.len() };
        // SAFETY: the results have the step's pixels; input and output have those of the whole map.
        unsafe {
            let source = Map { start: results.add(mine.start * channels), pixel: channels, row: 0 };
            let at = first * layer.outputs();
            let target = Map { start: output.add(at), pixel: layer.outputs(), row: 0 };
            let residual = match (residual, input) {
                (Some((multiplier, zero_point)), UnitInput::Map(start)) => {
                    Some(Residual { start: start.add(at), zero_point, multiplier })
                }
                _ => None,
            };
            let groups = 0..layer.outputs() / GROUP;
            work.kernels.pointwise(layer, groups, area, source, target, residual.as_ref());
        }
    }

    /// Pools pairs of rows of a step, this member's share of them.
    ///
    /// # Safety
    /// `results` has the rows, `output` is the whole map; nobody writes the former now.
    unsafe fn pool(
        plan: &UnitPlan,
        work: &Work<'_>,
        rows: Range<usize>,
        results: *const u8,
        output: *mut u8,
    ) {
        let line = plan.convolved.columns * plan.convolved.channels;
        let pooled = plan.output.columns * plan.output.channels;
        let pairs = rows.len() / 2;
        for pair in if plan.by_channels { work.member.share(pairs, 1) } else { 0..pairs } {
            // SAFETY: the caller promises the rows; each row of the output is one member's.
            unsafe {
                let row =
                    |index: usize| std::slice::from_raw_parts(results.add((2 * pair + index) * line), line);
                let target = output.add((rows.start / 2 + pair) * pooled);
                let target = std::slice::from_raw_parts_mut(target, pooled);
                maps::max_pool([row(0), row(1)], plan.output.channels, work.kernels.offset(), target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::int8::QuantizedWeights;
    use crate::nn::int8::reader::LayerReader;
    use crate::nn::int8::team::Team;
    use maskwatch_kernels::int8::fastest;
    use std::sync::Mutex;

    #[test]
    fn each_row_of_a_pooled_map_has_one_member_that_writes_it() {
        let (weights, kernels) = (QuantizedWeights::embedded().unwrap(), fastest());
        let reader = LayerReader { weights: &weights, kernels };
        let (depthwise, hidden_zero_point) = reader.depthwise("detector.model2.conv2.depthwise", 64).unwrap();
        let (expand, _) = reader.pointwise("detector.model2.conv2.pointwise", 64, 64).unwrap();
        let (stem, expand, finish) = (None, Some(expand), Finish::MaxPool);
        let layers = UnitLayers { stem, expand, depthwise, stride: 1, finish, hidden_zero_point };
        for (rows, columns, count) in [(8, 8, 2), (10, 6, 3), (6, 4, 4), (2, 2, 2)] {
            let plan = UnitPlan::new(kernels, &layers, Extent { rows, columns, channels: 64 }, count);
            assert!(plan.by_channels, "the members share the rows of each step");
            let results = vec![7u8; plan.results()];
            let taken = plan.step.min(plan.convolved.rows);
            let writers = Mutex::new(vec![0usize; plan.output.bytes()]);
            Team::new(count).unwrap().run(&|member| {
                // What is not written keeps what was there before, which differs.
                let [one, other] = [0, 255].map(|before| {
                    let mut output = vec![before; plan.output.bytes()];
                    let none = std::ptr::null_mut();
                    let work = Work { kernels, member, scratch: none, shared: none };
                    // SAFETY: the results have the rows of a step and the output is a whole map, this
                    // member's own.
                    unsafe {
                        UnitLayers::pool(&plan, &work, 0..taken, results.as_ptr(), output.as_mut_ptr());
                    }
                    output
                });
                let mut writers = writers.lock().unwrap();
                let written = one.iter().zip(&other).map(|(one, other)| usize::from(one == other));
                writers.iter_mut().zip(written).for_each(|(writers, written)| *writers += written);
            });
            let pooled = taken / 2 * plan.output.columns * plan.output.channels;
            let writers = writers.into_inner().unwrap();
            assert!(writers[..pooled].iter().all(|&count| count == 1), "{rows}x{columns}, {count} members");
            assert!(writers[pooled..].iter().all(|&count| count == 0), "{rows}x{columns}, {count} members");
        }
    }
}
