//! Work done ahead of time by threads, handed over in order, so that pictures are read and changed while the
//! network runs. Results do not depend on the number of threads.

use std::ops::Range;
use std::sync::mpsc::sync_channel;

/// Results that each thread may have ready before they are fetched.
const AHEAD: usize = 2;

/// Calls `make` for every index of `range` on `threads` threads and hands the results to `consume` on this
/// one, in the order of the indices. Stops at the first error of either, which is returned.
///
/// # Errors
/// Whatever `make` or `consume` returned.
pub fn in_order<T: Send, E: Send>(
    range: Range<u64>,
    threads: usize,
    make: impl Fn(u64) -> Result<T, E> + Sync,
    mut consume: impl FnMut(u64, T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = threads.max(1);
    std::thread::scope(|scope| {
        // Thread k makes every threads-th result from k on, in a channel of its own: taking the channels in
        // turn restores the order, and a full channel holds its thread back.
        let channels: Vec<_> = (0..threads)
            .map(|first| {
                let (sender, receiver) = sync_channel(AHEAD);
                let (make, range) = (&make, range.clone());
                scope.spawn(move || {
                    for index in range.skip(first).step_by(threads) {
                        let result = make(index);
                        let failed = result.is_err();
                        if sender.send(result).is_err() || failed {
                            break; // nobody waits for more
                        }
                    }
                });
                receiver
            })
            .collect();
        for (turn, index) in range.enumerate() {
            // The channel closes early only when its thread panics, and then the scope passes the panic on.
            let Ok(result) = channels[turn % threads].recv() else { break };
            consume(index, result?)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn results_come_in_order_from_any_number_of_threads() {
        for threads in [0, 1, 3, 8] {
            let mut seen = Vec::new();
            let make = |index: u64| {
                std::thread::sleep(Duration::from_micros(index * 7 % 5 * 100));
                Ok::<_, ()>(index * index)
            };
            in_order(5..40, threads, make, |index, square| {
                seen.push((index, square));
                Ok(())
            })
            .unwrap();
            assert_eq!(seen, (5..40).map(|index| (index, index * index)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_first_error_ends_it() {
        let mut seen = 0;
        let make = |index| if index == 20 { Err("made") } else { Ok(index) };
        let made = in_order(0..1_000_000, 4, make, |_, _| {
            seen += 1;
            Ok(())
        });
        assert_eq!((made, seen), (Err("made"), 20));
        let consumed =
            in_order(0..1_000_000, 4, Ok, |index, _| if index == 3 { Err("used") } else { Ok(()) });
        assert_eq!(consumed, Err("used"));
    }
}
