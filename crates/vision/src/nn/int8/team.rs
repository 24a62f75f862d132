//! A team of threads that run one function together, meet at barriers on the way, and sleep between two runs.
//!
//! An inference takes milliseconds and has some fifty barriers. So a member that waits at a barrier spins,
//! and members sleep only between inferences. If one thread panics, all others panic, too, instead of waiting
//! for it.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Turns of waiting before a thread yields the processor: some microseconds.
const SPINS: u32 = 4000;

/// One member's view of a team while a job runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'a> {
    /// 0 to `count` − 1.
    pub(super) index: usize,
    /// Members of the team.
    pub(super) count: usize,
    shared: Option<&'a TeamState>,
}

impl Member<'_> {
    /// The only member of a team of one.
    pub(super) const ALONE: Member<'static> = Member { index: 0, count: 1, shared: None };

    /// Waits until all members have called this. What they wrote before is visible to all afterwards.
    pub(super) fn meet(&self) {
        if let Some(shared) = self.shared {
            shared.meet(self.count);
        }
    }

    /// This member's share of `length` things. Shares are in the members' order, as equal as possible, and
    /// begin at multiples of `unit`.
    #[must_use]
    pub(super) fn share(&self, length: usize, unit: usize) -> std::ops::Range<usize> {
        let units = length.div_ceil(unit);
        let at = |index: usize| (units * index / self.count * unit).min(length);
        at(self.index)..at(self.index + 1)
    }
}

/// A job, borrowed for as long as [`Team::run`] lasts.
type Job = *const (dyn Fn(Member<'_>) + Sync);

/// What the members of a team share.
#[derive(Debug)]
struct TeamState {
    /// Number of jobs so far; a change wakes the members.
    jobs: AtomicUsize,
    job: UnsafeCell<Option<Job>>,
    /// Members without the caller that have not finished the job.
    busy: AtomicUsize,
    /// Members that wait at the barrier.
    waiting: AtomicUsize,
    /// How often the barrier has opened.
    openings: AtomicUsize,
    /// Whether a member has panicked.
    failed: AtomicBool,
    /// Whether the team is being dropped.
    stop: AtomicBool,
    sleep: Mutex<()>,
    wake: Condvar,
}

// SAFETY: `job` is written only while no member is busy, and read only after a change of `jobs`.
unsafe impl Sync for TeamState {}
// SAFETY: the pointer to the job is used only while its borrow lasts, on whichever thread.
unsafe impl Send for TeamState {}

impl TeamState {
    /// Spins until `ready`. Panics if another member did.
    fn wait(&self, ready: impl Fn() -> bool) {
        let mut spins = 0;
        while !ready() {
            assert!(!self.failed.load(Ordering::Relaxed), "another thread of the team has panicked");
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    fn meet(&self, count: usize) {
        let opening = self.openings.load(Ordering::Acquire);
        if self.waiting.fetch_add(1, Ordering::AcqRel) + 1 == count {
            self.waiting.store(0, Ordering::Relaxed);
            self.openings.store(opening.wrapping_add(1), Ordering::Release);
        } else {
            self.wait(|| self.openings.load(Ordering::Acquire) != opening);
        }
    }

    /// Sleeps until there is a job after number `seen` and returns its number, or `None` if the team is being
    /// dropped.
    fn next_job(&self, seen: usize) -> Option<usize> {
        for _ in 0..SPINS {
            if self.jobs.load(Ordering::Acquire) != seen || self.stop.load(Ordering::Relaxed) {
                break;
            }
            std::hint::spin_loop();
        }
        let mut guard = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.stop.load(Ordering::Acquire) {
                return None;
            }
            let jobs = self.jobs.load(Ordering::Acquire);
            if jobs != seen {
                return Some(jobs);
            }
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Tells the other members if its thread panics.
struct PanicReport<'a>(&'a TeamState);

impl Drop for PanicReport<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed.store(true, Ordering::Release);
        }
    }
}

/// Threads that run jobs together with the thread that gives the jobs.
#[derive(Debug)]
pub(super) struct Team {
    shared: Arc<TeamState>,
    threads: Vec<JoinHandle<()>>,
}

impl Team {
    /// A team of `count` members, of which the caller of [`Team::run`] is one.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub(super) fn new(count: usize) -> std::io::Result<Self> {
        let shared = Arc::new(TeamState {
            jobs: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            busy: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            openings: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
        });
        let mut team = Self { shared, threads: Vec::new() };
        for index in 1..count.max(1) {
            let shared = Arc::clone(&team.shared);
            let name = format!("network {index}");
            let run = move || member(&shared, index, count);
            // The stack holds tiles and pointers; maps are elsewhere.
            team.threads.push(std::thread::Builder::new().name(name).stack_size(256 << 10).spawn(run)?);
        }
        Ok(team)
    }

    /// Number of members.
    #[must_use]
    pub(super) fn count(&self) -> usize {
        self.threads.len() + 1
    }

    /// Runs `job` on all members at once and returns when all have finished it. `&mut`, since a team has one
    /// job at a time.
    ///
    /// # Panics
    /// When the job panics in any of them.
    pub(super) fn run(&mut self, job: &(dyn Fn(Member<'_>) + Sync)) {
        if self.threads.is_empty() {
            job(Member::ALONE);
            return;
        }
        let shared = &*self.shared;
        shared.busy.store(self.threads.len(), Ordering::Relaxed);
        // SAFETY: the job outlives its use: `Finish` below waits for all members, also when this thread
        // unwinds. No member reads `job` before `jobs` has changed.
        unsafe {
            *shared.job.get() = Some(std::mem::transmute::<&(dyn Fn(Member<'_>) + Sync), Job>(job));
        }
        {
            let _awake = shared.sleep.lock().unwrap_or_else(PoisonError::into_inner);
            shared.jobs.fetch_add(1, Ordering::Release);
            shared.wake.notify_all();
        }
        struct Finish<'a>(&'a TeamState);
        impl Drop for Finish<'_> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    self.0.failed.store(true, Ordering::Release);
                }
                while self.0.busy.load(Ordering::Acquire) != 0 {
                    std::hint::spin_loop();
                }
            }
        }
        {
            let _finish = Finish(shared);
            job(Member { index: 0, count: self.threads.len() + 1, shared: Some(shared) });
            shared.wait(|| shared.busy.load(Ordering::Acquire) == 0);
        }
        assert!(!shared.failed.load(Ordering::Acquire), "a thread of the team has panicked");
    }
}

fn member(shared: &TeamState, index: usize, count: usize) {
    let mut seen = 0;
    while let Some(number) = shared.next_job(seen) {
        seen = number;
        struct Done<'a>(&'a TeamState);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.busy.fetch_sub(1, Ordering::AcqRel);
            }
        }
        let _done = Done(shared);
        let _report = PanicReport(shared);
        // SAFETY: the job was written before `jobs`, and lives until `busy` is 0, which takes `_done` here.
        if let Some(job) = unsafe { *shared.job.get() } {
            // SAFETY: the job still lives, as said above.
            unsafe { (*job)(Member { index, count, shared: Some(shared) }) }
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        {
            let _awake = self.shared.sleep.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.stop.store(true, Ordering::Release);
            self.shared.wake.notify_all();
        }
        for thread in self.threads.drain(..) {
            // A member that panicked has reported that.
            drop(thread.join());
        }
    }
}

/// A team that several networks use one after the other.
#[derive(Debug, Clone)]
pub struct SharedTeam {
    team: Arc<Mutex<Team>>,
    count: usize,
    /// Whether the caller works alone.
    is_alone: Arc<AtomicBool>,
}

impl SharedTeam {
    /// A team of `count` threads, including the caller's.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn new(count: usize) -> std::io::Result<Self> {
        let team = Team::new(count)?;
        Ok(Self { count: team.count(), team: Arc::new(Mutex::new(team)), is_alone: Arc::default() })
    }

    /// Whether the caller does all work by itself from now on, and the other threads sleep on. That takes
    /// longer, but less of the processor: nobody is woken, and nobody waits spinning. The results are the
    /// same.
    pub fn work_alone(&self, alone: bool) {
        self.is_alone.store(alone, Ordering::Relaxed);
    }

    /// Number of threads.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Runs `job` on all members, or on the caller alone as [`Member::ALONE`].
    ///
    /// # Panics
    /// When the job panics in any of them.
    pub(super) fn run(&self, job: &(dyn Fn(Member<'_>) + Sync)) {
        // A team with a panicked member reports that at its next job.
        let mut team = self.team.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_alone.load(Ordering::Relaxed) { job(Member::ALONE) } else { team.run(job) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_members_meet() {
        for count in [1, 2, 3, 4] {
            let mut team = Team::new(count).unwrap();
            assert_eq!(team.count(), count);
            let counters: Vec<AtomicUsize> = (0..50).map(|_| AtomicUsize::new(0)).collect();
            for round in 1..=20 {
                team.run(&|member| {
                    for counter in &counters {
                        counter.fetch_add(1, Ordering::Relaxed);
                        member.meet();
                        assert_eq!(counter.load(Ordering::Relaxed), round * count);
                        member.meet();
                    }
                });
            }
        }
    }

    #[test]
    fn who_works_alone_wakes_nobody() {
        let team = SharedTeam::new(3).unwrap();
        let members = Mutex::new(Vec::new());
        for alone in [false, true, false] {
            team.work_alone(alone);
            team.run(&|member| members.lock().unwrap().push((member.index, member.count)));
            let mut came = std::mem::take(&mut *members.lock().unwrap());
            came.sort_unstable();
            let expected = if alone { vec![(0, 1)] } else { vec![(0, 3), (1, 3), (2, 3)] };
            assert_eq!(came, expected);
        }
    }

    #[test]
    fn shares_are_everything_once_and_nearly_equal() {
        for (length, unit, count) in [(49, 4, 2), (7, 1, 2), (12, 4, 4), (0, 8, 3), (5, 8, 2), (18, 1, 4)] {
            let shares: Vec<_> =
                (0..count).map(|index| Member { index, count, shared: None }.share(length, unit)).collect();
            assert_eq!((shares[0].start, shares[count - 1].end), (0, length));
            assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start));
            let longest = shares.iter().map(ExactSizeIterator::len).max().unwrap();
            assert!(longest <= length.div_ceil(count).next_multiple_of(unit), "{shares:?}");
        }
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        for culprit in [0, 1, 2] {
            let result = std::panic::catch_unwind(|| {
                let mut team = Team::new(3).unwrap();
                team.run(&|member| {
                    assert!(member.index != culprit, "on purpose");
                    member.meet();
                });
            });
            assert!(result.is_err(), "{culprit}");
        }
    }
}
