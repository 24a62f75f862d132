//! Timing: several things run in turns, so that what disturbs the machine disturbs all alike; and what
//! machine it was. `frame` is what all of it is taken on.

mod frame;

pub use frame::{FACE, SameFrame, camera_frame, portrait};

use serde::Serialize;
use std::time::{Duration, Instant};

/// The spread of one thing's run times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// A tenth of the runs took at most this many milliseconds.
    pub p10_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// A tenth of the runs took longer.
    pub p90_ms: f64,
}

/// Runs all `contestants` once to warm up, then in turns until `time` is over (five rounds at least, 2000 at
/// most), and gives the spread of each.
pub fn interleaved(time: Duration, contestants: &mut [Box<dyn FnMut() + '_>]) -> Vec<Spread> {
    let mut times = vec![Vec::new(); contestants.len()];
    contestants.iter_mut().for_each(|contestant| contestant());
    let start = Instant::now();
    for round in 0..2000 {
        if round >= 5 && start.elapsed() > time {
            break;
        }
        for (contestant, times) in contestants.iter_mut().zip(&mut times) {
            let start = Instant::now();
            contestant();
            times.push(start.elapsed());
        }
    }
    times.into_iter().map(Spread::of).collect()
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3;
        Self { p10_ms: at(0.1), p50_ms: at(0.5), p90_ms: at(0.9) }
    }
}

/// The board's or the processor's name, as the kernel tells it, and the number of cores.
#[must_use]
pub fn machine() -> String {
    let board = std::fs::read_to_string("/proc/device-tree/model").ok();
    let processor = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let name = board.map(|name| name.trim_end_matches('\0').to_owned()).or(processor);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {cores} cores", name.as_deref().unwrap_or(std::env::consts::ARCH))
}

/// The most memory this process has had resident so far, in MiB; none where the kernel does not tell.
#[must_use]
pub fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<f64>().ok().map(|kibibytes| kibibytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_that_of_the_runs() {
        let spread = Spread::of((1..=101).rev().map(Duration::from_millis).collect());
        assert_eq!((spread.p10_ms, spread.p50_ms, spread.p90_ms), (11.0, 51.0, 91.0));
    }

    #[test]
    fn contestants_take_turns() {
        let order = std::cell::RefCell::new(Vec::new());
        let contestants: &mut [Box<dyn FnMut()>] =
            &mut [Box::new(|| order.borrow_mut().push('a')), Box::new(|| order.borrow_mut().push('b'))];
        assert_eq!(interleaved(Duration::ZERO, contestants).len(), 2);
        assert_eq!(order.borrow().iter().collect::<String>(), "ab".repeat(6));
    }
}
