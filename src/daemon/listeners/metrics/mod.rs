//! The listener that keeps metrics for Prometheus: numbers since the daemon was started, as text in a file
//! for node_exporter. No picture and nothing about anybody is in them.
//!
//! - `families`: what the metrics are called and say; `tally`: their values; `exposition`: the text's format.
//! - `textfile`: the file; `scrape`: the same by HTTP.

mod exposition;
mod families;
#[cfg(feature = "web")]
mod scrape;
mod tally;
mod textfile;

use super::hall::{Listener, LostNotices};
use super::notice::Notice;
use crate::config::MetricsConfig;
use crate::daemon::supply::SupplyReport;
use crate::daemon::temperature::temperature;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tally::{BoardReading, DoorTally};
use textfile::TextFile;

/// When the daemon was started is told anew only when the clock was set by more than this.
const CLOCK_SET: f64 = 2.0;

/// Why metrics cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The system gives no thread.
    #[error("the thread of metrics.file could not be started: {0}")]
    Thread(std::io::Error),
}

/// Keeps the metrics.
#[derive(Debug)]
pub struct Metrics {
    shared: Arc<MetricsShared>,
    /// Ends with the listener.
    _file: Option<TextFile>,
    #[cfg(feature = "web")]
    http: Option<scrape::ScrapePoint>,
}

/// What the listener and those who read the metrics share.
#[derive(Debug)]
struct MetricsShared {
    known: Mutex<LiveTally>,
    door: String,
    losses: LostNotices,
}

#[derive(Debug)]
struct LiveTally {
    tally: DoorTally,
    /// The last time of the loop's clock that was heard, and when.
    heard: (Instant, Duration),
    /// When the daemon was started, in seconds since 1970, as it was told last.
    started: Option<f64>,
}

impl Metrics {
    /// Keeps metrics from now on, which is `now` of the loop's clock, and offers them as `config` says.
    ///
    /// # Errors
    /// When they cannot be offered.
    pub fn start(
        config: &MetricsConfig,
        door: String,
        losses: LostNotices,
        now: Duration,
    ) -> Result<Self, MetricsError> {
        let known = LiveTally { tally: DoorTally::default(), heard: (Instant::now(), now), started: None };
        let shared = Arc::new(MetricsShared { known: Mutex::new(known), door, losses });
        let read = |shared: &Arc<MetricsShared>| {
            let shared = Arc::clone(shared);
            move || shared.text()
        };
        let file = match &config.file {
            Some(path) => {
                Some(TextFile::start(path, config.every, read(&shared)).map_err(MetricsError::Thread)?)
            }
            None => None,
        };
        // Without the feature no configuration has an address.
        #[cfg(feature = "web")]
        let http = config.listen.map(|address| {
            let mut http = scrape::ScrapePoint::new(address, read(&shared));
            http.listen(now);
            http
        });
        Ok(Self {
            shared,
            _file: file,
            #[cfg(feature = "web")]
            http,
        })
    }
}

impl MetricsShared {
    /// Locks what is known. Its counts are right even after a panic.
    fn known(&self) -> MutexGuard<'_, LiveTally> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The metrics of this moment.
    fn text(&self) -> String {
        let board = BoardReading { temperature: temperature(), supply: SupplyReport::read(Path::new("/")) };
        let lost = self.losses.counts();
        let mut known = self.known();
        let (heard, at) = known.heard;
        let now = at + heard.elapsed();
        // A clock before 1970 was never set.
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = known.started(clock, now);
        known.tally.text(now, &self.door, started, board, &lost)
    }
}

impl LiveTally {
    /// When the daemon was started, in seconds since 1970: what `clock` says, less `now` of the loop's clock.
    /// It stays what it was told to be, but for a clock that was set since.
    fn started(&mut self, clock: Duration, now: Duration) -> f64 {
        let started = (clock.as_secs_f64() - now.as_secs_f64()).round();
        let told = self.started.filter(|told| (told - started).abs() < CLOCK_SET);
        *self.started.insert(told.unwrap_or(started))
    }
}

impl Listener for Metrics {
    fn name(&self) -> &'static str {
        "metrics"
    }

    fn wants(&self) -> fn(&Notice) -> bool {
        DoorTally::counts
    }

    fn hear(&mut self, at: Duration, notice: &Notice) {
        let mut known = self.shared.known();
        known.heard = (Instant::now(), at);
        known.tally.note(at, notice);
        drop(known);
        #[cfg(feature = "web")]
        if let Some(http) = &mut self.http {
            http.listen(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_told_the_same_until_the_clock_is_set() {
        let mut known =
            LiveTally { tally: DoorTally::default(), heard: (Instant::now(), Duration::ZERO), started: None };
        let mut told =
            |clock: u64, now: u64| known.started(Duration::from_millis(clock), Duration::from_millis(now));
        // A board without a clock begins in 1970.
        assert_eq!(told(20_400, 10_000), 10.0);
        assert_eq!(told(30_900, 20_000), 10.0, "clocks differ a little");
        assert_eq!(told(1_796_000_030_000, 30_000), 1_796_000_000.0);
        assert_eq!(told(1_796_000_041_000, 40_000), 1_796_000_000.0);
    }
}
