//! The steps of a quantized network at one input size, and the memory that they run in.

use super::layers::{Finish, UnitLayers};
use super::plan::{Extent, UnitPlan};
use super::ring::UnitInput;
use super::team::Member;
use super::unit::{UnitOutput, Work};
use maskwatch_kernels::int8::maps::{self, Term};
use maskwatch_kernels::int8::{CacheLine, Kernels};
use std::sync::Arc;

/// Names one of a program's maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MapId(pub usize);

/// Where a unit reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum ReadFrom {
    /// The picture, as RGB bytes.
    Picture,
    Map(MapId),
}

/// Where a unit writes.
#[derive(Debug, Clone, Copy)]
pub(super) enum WriteTo {
    Map(MapId),
    /// The program's results, from the one with this index on.
    Results(usize),
}

/// The sum of a map and an enlarged one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sum {
    /// Of the map.
    pub term: Term,
    /// Of the one half as large.
    pub half: Term,
    /// Of the sum.
    pub zero_point: u8,
}

#[derive(Debug)]
enum ProgramStep {
    Unit { layers: Arc<UnitLayers>, plans: Box<UnitPlans>, from: ReadFrom, to: WriteTo },
    MaxPool { from: MapId, to: MapId, extent: Extent },
    UpsampleAdd { from: (MapId, MapId), to: MapId, extent: Extent, sum: Sum },
}

/// How one unit is run.
#[derive(Debug)]
struct UnitPlans {
    team: UnitPlan,
    /// By one member alone, where the members of a team share channels.
    alone: Option<UnitPlan>,
}

/// Steps in their order, added one by one, and the bytes of memory that they take.
#[derive(Debug)]
pub(super) struct Program {
    pub kernels: &'static dyn Kernels,
    members: usize,
    steps: Vec<ProgramStep>,
    /// Bytes of each map.
    maps: Vec<usize>,
    /// Bytes of scratch memory per member.
    scratch: usize,
    /// Bytes of scratch memory of a member that is alone.
    scratch_alone: usize,
    /// Bytes that the members share within a step.
    shared: usize,
}

impl Program {
    /// A program without steps, for a team of `members`.
    pub(super) fn new(kernels: &'static dyn Kernels, members: usize) -> Self {
        let (steps, maps) = (Vec::new(), Vec::new());
        Self { kernels, members, steps, maps, scratch: 0, scratch_alone: 0, shared: 0 }
    }

    /// Gives `map` room for at least `extent`.
    pub(super) fn reserve(&mut self, map: MapId, extent: Extent) {
        if self.maps.len() <= map.0 {
            self.maps.resize(map.0 + 1, 0);
        }
        self.maps[map.0] = self.maps[map.0].max(extent.bytes());
    }

    /// Gives each member at least `bytes` of scratch memory.
    pub(super) fn reserve_scratch(&mut self, bytes: usize) {
        self.scratch = self.scratch.max(bytes);
    }

    /// Adds a unit that reads a map of `extent`. Returns the extent of what it writes.
    pub(super) fn unit(
        &mut self,
        layers: &Arc<UnitLayers>,
        extent: Extent,
        from: ReadFrom,
        to: WriteTo,
    ) -> Extent {
        let plan = UnitPlan::new(self.kernels, layers, extent, self.members);
        let alone = plan.by_channels.then(|| UnitPlan::new(self.kernels, layers, extent, 1));
        self.scratch = self.scratch.max(plan.scratch(layers));
        self.scratch_alone = self.scratch_alone.max(alone.as_ref().map_or(0, |plan| plan.scratch(layers)));
        self.shared = self.shared.max(plan.shared());
        if let WriteTo::Map(map) = to {
            self.reserve(map, plan.output);
        }
        debug_assert_eq!(matches!(layers.finish, Finish::Real), matches!(to, WriteTo::Results(_)));
        let output = plan.output;
        let plans = Box::new(UnitPlans { team: plan, alone });
        self.steps.push(ProgramStep::Unit { layers: Arc::clone(layers), plans, from, to });
        output
    }

    /// Adds a 2×2 maximum pooling, stride 2, of a map of `extent`. Returns the extent of what it writes.
    pub(super) fn max_pool(&mut self, extent: Extent, from: MapId, to: MapId) -> Extent {
        let pooled = Extent { rows: extent.rows / 2, columns: extent.columns / 2, ..extent };
        self.reserve(to, pooled);
        self.steps.push(ProgramStep::MaxPool { from, to, extent });
        pooled
    }

    /// Adds the sum of a map of `extent` and an enlarged one half as large.
    pub(super) fn upsample_add(&mut self, extent: Extent, from: (MapId, MapId), to: MapId, sum: Sum) {
        self.reserve(to, extent);
        self.steps.push(ProgramStep::UpsampleAdd { from, to, extent, sum });
    }

    /// Runs `member`'s part of all steps. When it returns, all members have met.
    ///
    /// # Safety
    /// All members of the team, or one as [`Member::ALONE`], call this at once, with the same arguments:
    /// memory made for this program, a picture of the first unit's extent, and `results` with room for what
    /// the units write there. Nobody else uses memory and results meanwhile.
    pub(super) unsafe fn run(
        &self,
        member: Member<'_>,
        memory: &Pointers,
        picture: &[u8],
        results: *mut f32,
    ) {
        for step in &self.steps {
            // SAFETY: each map is as large as the extents of the steps that use it. Members write what is
            // theirs and meet before anyone reads it.
            unsafe {
                match step {
                    ProgramStep::Unit { layers, plans, from, to } => {
                        let alone = plans.alone.as_ref().filter(|_| member.count == 1);
                        let plan = alone.unwrap_or(&plans.team);
                        let work = Work {
                            kernels: self.kernels,
                            member,
                            scratch: memory.scratch(member),
                            shared: memory.shared,
                        };
                        let input = match from {
                            ReadFrom::Picture => UnitInput::Picture(picture),
                            ReadFrom::Map(map) => UnitInput::Map(memory.map(*map)),
                        };
                        let output = match to {
                            WriteTo::Map(map) => UnitOutput::Bytes(memory.map(*map)),
                            WriteTo::Results(start) => UnitOutput::Reals(results.add(*start)),
                        };
                        layers.run(plan, &work, input, output);
                    }
                    ProgramStep::MaxPool { from, to, extent } => {
                        let line = extent.columns * extent.channels;
                        for row in member.share(extent.rows / 2, 1) {
                            let source = |index| {
                                std::slice::from_raw_parts(
                                    memory.map(*from).add((2 * row + index) * line),
                                    line,
                                )
                            };
                            let pooled = extent.columns / 2 * extent.channels;
                            let target =
                                std::slice::from_raw_parts_mut(memory.map(*to).add(row * pooled), pooled);
                            let offset = self.kernels.offset();
                            maps::max_pool([source(0), source(1)], extent.channels, offset, target);
                        }
                    }
                    ProgramStep::UpsampleAdd { from, to, extent, sum } => {
                        let line = extent.columns * extent.channels;
                        for row in member.share(extent.rows, 1) {
                            let at = |map: MapId, row: usize, length: usize| {
                                std::slice::from_raw_parts(memory.map(map).add(row * length), length)
                            };
                            let target =
                                std::slice::from_raw_parts_mut(memory.map(*to).add(row * line), line);
                            maps::upsample_add(
                                (at(from.0, row, line), sum.term),
                                (at(from.1, row / 2, line / 2), sum.half),
                                extent.channels,
                                (sum.zero_point, self.kernels.offset()),
                                target,
                            );
                        }
                    }
                }
            }
            member.meet();
        }
    }
}

/// All memory that a program needs beside its weights. It is allocated once.
#[derive(Debug)]
pub(super) struct ProgramMemory {
    /// Owns what the pointers point at; used through them only.
    _lines: Vec<CacheLine>,
    pointers: Pointers,
}

/// Where the parts of a [`ProgramMemory`] are, for all members of a team.
#[derive(Debug)]
pub(super) struct Pointers {
    maps: Vec<*mut u8>,
    scratch: *mut u8,
    scratch_each: usize,
    shared: *mut u8,
}

// SAFETY: these are only pointers. What they point at is shared by the rules of `Program::run`.
unsafe impl Sync for Pointers {}
// SAFETY: as for `Sync`.
unsafe impl Send for Pointers {}

impl Pointers {
    /// The first byte of `map`.
    pub(super) fn map(&self, map: MapId) -> *mut u8 {
        self.maps[map.0]
    }

    /// The scratch memory of `member`.
    pub(super) fn scratch(&self, member: Member<'_>) -> *mut u8 {
        // SAFETY: there is a piece for each member.
        unsafe { self.scratch.add(member.index * self.scratch_each) }
    }
}

impl ProgramMemory {
    /// What `program` needs.
    pub(super) fn new(program: &Program) -> Self {
        let mut length = 0;
        let mut place = |bytes: usize| {
            let start = length;
            length += bytes.div_ceil(64);
            start
        };
        let maps: Vec<usize> = program.maps.iter().map(|bytes| place(*bytes)).collect();
        let scratch_each = program.scratch.next_multiple_of(64);
        // Who is alone has the memory of all.
        let scratch = place((scratch_each * program.members).max(program.scratch_alone));
        let shared = place(program.shared);
        let mut lines = vec![CacheLine::ZERO; length + 1];
        let start = lines.as_mut_ptr();
        // SAFETY: all places lie within the lines.
        let at = |line: usize| unsafe { start.add(line).cast::<u8>() };
        let pointers = Pointers {
            maps: maps.into_iter().map(at).collect(),
            scratch: at(scratch),
            scratch_each,
            shared: at(shared),
        };
        Self { _lines: lines, pointers }
    }

    /// Where everything is. `&mut`, since only one run at a time may use it.
    pub(super) fn pointers(&mut self) -> &Pointers {
        &self.pointers
    }
}
