//! A network's program with what a run takes: memory, threads, and room for the results.

use super::program::{Pointers, Program, ProgramMemory};
use super::results::{Results, ResultsPointer};
use super::team::{Member, SharedTeam};
use crate::nn::NetworkError;
use std::sync::{Mutex, PoisonError};

/// A network at one input size, ready to run any number of times without an allocation.
pub(super) struct Prepared {
    /// Name of the custom op.
    name: &'static str,
    program: Program,
    team: SharedTeam,
    memory: Mutex<ProgramMemory>,
    results: Results,
    /// Width and height of the pictures, in pixels.
    size: (usize, usize),
}

impl Prepared {
    /// Allocates what `program` needs for pictures of `size` (width and height) and for `length` results.
    ///
    /// # Errors
    /// When candle cannot allocate the results.
    pub(super) fn new(
        name: &'static str,
        program: Program,
        team: SharedTeam,
        size: (usize, usize),
        length: usize,
    ) -> Result<Self, NetworkError> {
        let memory = Mutex::new(ProgramMemory::new(&program));
        Ok(Self { name, program, team, memory, results: Results::new(length)?, size })
    }

    /// Width and height of the pictures, in pixels.
    pub(super) fn size(&self) -> (usize, usize) {
        self.size
    }

    /// Runs the program on `picture`, RGB bytes `[height, width, 3]`. Then every member of the team calls
    /// `finish` with the memory and a pointer to the first result.
    ///
    /// # Errors
    /// When the picture has another length.
    pub(super) fn run(
        &self,
        picture: &[u8],
        finish: impl Fn(Member<'_>, &Pointers, *mut f32) + Sync,
    ) -> Result<(), NetworkError> {
        let (width, height) = self.size;
        if picture.len() != width * height * 3 {
            let message = format!("a picture of {} bytes is not {width}×{height} RGB", picture.len());
            return Err(NetworkError::Run(candle_core::Error::Msg(message)));
        }
        // Memory is overwritten from the start, so a panic of an earlier run left nothing behind.
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memory.pointers();
        let op = |results: &mut [f32]| {
            let results = ResultsPointer(results.as_mut_ptr());
            self.team.run(&|member| {
                // SAFETY: the memory was made for this program and team and is locked, picture and results
                // have their extents, and all members of the team call this, or one that is alone.
                unsafe { self.program.run(member, memory, picture, results.pointer()) }
                finish(member, memory, results.pointer());
            });
            Ok(())
        };
        Ok(self.results.fill(self.name, op)?)
    }

    /// Calls `read` with the results of the last run.
    ///
    /// # Errors
    /// Never in practice: the results are the tensor that was allocated.
    pub(super) fn read<R>(&self, read: impl FnOnce(&[f32]) -> R) -> Result<R, NetworkError> {
        Ok(self.results.read(read)?)
    }
}
