//! The steps of a quantized network at one input size, and the one piece of memory that they all run in.

use super::team::{Member, Team};
use super::unit::{Extent, Finish, Input, Layers, Output, Plan, Work};
use maskwatch_kernels::int8::Kernels;
use maskwatch_kernels::int8::maps::{self, Term};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Names one of a program's maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MapId(pub usize);

/// Where a unit reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum From {
    Picture,
    Map(MapId),
}

/// Where a unit writes.
#[derive(Debug, Clone, Copy)]
pub(super) enum To {
    Map(MapId),
    /// The program's results, from this value on.
    Results(usize),
}

/// A map plus an enlarged one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sum {
    pub term: Term,
    pub half: Term,
    pub zero_point: u8,
}

#[derive(Debug)]
enum Step {
    Unit { layers: Arc<Layers>, plan: Plan, from: From, to: To },
    MaxPool { from: MapId, to: MapId, extent: Extent },
    UpsampleAdd { from: (MapId, MapId), to: MapId, extent: Extent, sum: Sum },
}

/// Steps in their order, put together one by one.
#[derive(Debug)]
pub(super) struct Program {
    pub kernels: &'static dyn Kernels,
    members: usize,
    steps: Vec<Step>,
    maps: Vec<usize>,
    scratch: usize,
    shared: usize,
}

impl Program {
    pub(super) fn new(kernels: &'static dyn Kernels, members: usize) -> Self {
        Self { kernels, members, steps: Vec::new(), maps: Vec::new(), scratch: 0, shared: 0 }
    }

    /// Makes sure that a map has room for one of `extent`.
    pub(super) fn reserve(&mut self, map: MapId, extent: Extent) {
        if self.maps.len() <= map.0 {
            self.maps.resize(map.0 + 1, 0);
        }
        self.maps[map.0] = self.maps[map.0].max(extent.bytes());
    }

    /// Makes sure that each member has `bytes` for itself, beyond what the steps need.
    pub(super) fn reserve_scratch(&mut self, bytes: usize) {
        self.scratch = self.scratch.max(bytes);
    }

    /// Adds a unit that reads a map of `extent`; gives the extent of what it writes.
    pub(super) fn unit(&mut self, layers: &Arc<Layers>, extent: Extent, from: From, to: To) -> Extent {
        let plan = Plan::new(self.kernels, layers, extent, self.members);
        self.scratch = self.scratch.max(plan.scratch(layers));
        self.shared = self.shared.max(plan.shared());
        if let To::Map(map) = to {
            self.reserve(map, plan.output);
        }
        debug_assert_eq!(matches!(layers.finish, Finish::Real), matches!(to, To::Results(_)));
        self.steps.push(Step::Unit { layers: Arc::clone(layers), plan, from, to });
        plan.output
    }

    /// Adds a 2×2 maximum pooling with stride 2 of a map of `extent`.
    pub(super) fn max_pool(&mut self, extent: Extent, from: MapId, to: MapId) -> Extent {
        let pooled = Extent { rows: extent.rows / 2, columns: extent.columns / 2, ..extent };
        self.reserve(to, pooled);
        self.steps.push(Step::MaxPool { from, to, extent });
        pooled
    }

    /// Adds the sum of a map of `extent` and one half as large, enlarged.
    pub(super) fn upsample_add(&mut self, extent: Extent, from: (MapId, MapId), to: MapId, sum: Sum) {
        self.reserve(to, extent);
        self.steps.push(Step::UpsampleAdd { from, to, extent, sum });
    }

    /// Runs `member`'s part of all steps; all members have met when it returns.
    ///
    /// # Safety
    /// All members of the team call this at once, with the same arguments: memory made for this program, a
    /// picture of the first unit's extent, and `results` with room for what the units write there.
    pub(super) unsafe fn run(
        &self,
        member: Member<'_>,
        memory: &Pointers,
        picture: &[u8],
        results: *mut f32,
    ) {
        for step in &self.steps {
            // SAFETY: maps are as large as the extents of the steps that use them; members write what is
            // theirs, and meet before anyone reads it.
            unsafe {
                match step {
                    Step::Unit { layers, plan, from, to } => {
                        let work = Work {
                            kernels: self.kernels,
                            member,
                            scratch: memory.scratch(member),
                            shared: memory.shared,
                        };
                        let input = match from {
                            From::Picture => Input::Picture(picture),
                            From::Map(map) => Input::Map(memory.map(*map)),
                        };
                        let output = match to {
                            To::Map(map) => Output::Bytes(memory.map(*map)),
                            To::Results(start) => Output::Reals(results.add(*start)),
                        };
                        layers.run(plan, &work, input, output);
                    }
                    Step::MaxPool { from, to, extent } => {
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
                    Step::UpsampleAdd { from, to, extent, sum } => {
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

/// 64 bytes that share a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// All memory that a program needs beside its weights, allocated once.
#[derive(Debug)]
pub(super) struct Memory {
    /// Owns what the pointers point at, and is not touched otherwise.
    _lines: Vec<Line>,
    pointers: Pointers,
}

/// Where the parts of a [`Memory`] are, for all members of a team.
#[derive(Debug)]
pub(super) struct Pointers {
    maps: Vec<*mut u8>,
    scratch: *mut u8,
    scratch_each: usize,
    shared: *mut u8,
}

// SAFETY: only pointers; what they point at is shared by the rules of `Program::run`.
unsafe impl Sync for Pointers {}
// SAFETY: as above.
unsafe impl Send for Pointers {}

impl Pointers {
    pub(super) fn map(&self, map: MapId) -> *mut u8 {
        self.maps[map.0]
    }

    /// The bytes that belong to `member` alone.
    pub(super) fn scratch(&self, member: Member<'_>) -> *mut u8 {
        // SAFETY: there are as many pieces as members.
        unsafe { self.scratch.add(member.index * self.scratch_each) }
    }
}

impl Memory {
    pub(super) fn new(program: &Program) -> Self {
        let mut length = 0;
        let mut place = |bytes: usize| {
            let start = length;
            length += bytes.div_ceil(64);
            start
        };
        let maps: Vec<usize> = program.maps.iter().map(|bytes| place(*bytes)).collect();
        let scratch_each = program.scratch.next_multiple_of(64);
        let scratch = place(scratch_each * program.members);
        let shared = place(program.shared);
        let mut lines = vec![Line([0; 64]); length + 1];
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

    /// Where everything is; `&mut`: for one run at a time.
    pub(super) fn pointers(&mut self) -> &Pointers {
        &self.pointers
    }
}

/// A team that several networks use in turns.
#[derive(Debug, Clone)]
pub struct SharedTeam {
    team: Arc<Mutex<Team>>,
    count: usize,
}

impl SharedTeam {
    /// A team of `count` threads, the caller's among them.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn new(count: usize) -> std::io::Result<Self> {
        let team = Team::new(count)?;
        Ok(Self { count: team.count(), team: Arc::new(Mutex::new(team)) })
    }

    /// Number of threads.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Team> {
        // A team whose job has panicked says so at the next one.
        self.team.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
