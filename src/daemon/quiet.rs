//! Quiet hours: which of those in the configuration hold now. Without a time of day that is believed none do.
//! What they mean for the outputs is [`DoorMode`](super::mode::DoorMode)'s business.

use super::wall::WallClock;
use crate::config::{QuietHours, QuietMode};
use jiff::civil::{DateTime, Time};
use jiff::tz::AmbiguousOffset;
use jiff::{SignedDuration, Zoned};
use std::fmt;
use std::time::Duration;

/// How often the clock is asked.
const GLANCE: Duration = Duration::from_secs(1);

/// Quiet hours that hold now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// What the outputs do.
    pub mode: QuietMode,
    /// When they end, by the clock on the wall.
    pub until: Time,
}

impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.mode {
            QuietMode::Silent => "buzzers silent",
            QuietMode::Off => "off",
        };
        write!(f, "quiet hours: {what} until {}", self.until.strftime("%H:%M"))
    }
}

/// The quiet hours of the configuration, and the clock by which they are followed.
pub struct QuietTimes {
    hours: Vec<QuietHours>,
    clock: Box<dyn WallClock>,
    /// When the clock was asked last, and what held then.
    asked: Option<(Duration, Option<Quiet>)>,
    is_believed: Option<bool>,
}

impl QuietTimes {
    /// Follows `hours` by `clock`.
    #[must_use]
    pub fn new(hours: Vec<QuietHours>, clock: Box<dyn WallClock>) -> Self {
        Self { hours, clock, asked: None, is_believed: None }
    }

    /// Follows other hours from now on. What is known of the clock stays known.
    pub fn set_hours(&mut self, hours: Vec<QuietHours>) {
        (self.hours, self.asked) = (hours, None);
    }

    /// What holds at `now` of the loop's clock. The clock on the wall is asked once a second.
    pub(super) fn at(&mut self, now: Duration) -> Option<Quiet> {
        if self.hours.is_empty() {
            return None;
        }
        if let Some((asked, quiet)) = self.asked
            && now.saturating_sub(asked) < GLANCE
        {
            return quiet;
        }
        let time = self.clock.now();
        if self.is_believed.replace(time.is_some()) != Some(time.is_some()) {
            tell_belief(time.as_ref());
        }
        let quiet = time.and_then(|time| in_force(&self.hours, &time));
        self.asked = Some((now, quiet));
        quiet
    }
}

fn tell_belief(time: Option<&Zoned>) {
    match time {
        Some(time) => {
            let zone = time.time_zone().iana_name().unwrap_or("the system's time zone");
            log::info!("quiet hours are followed: it is {}, {zone}", time.strftime("%a %H:%M"));
        }
        None => log::warn!(
            "quiet hours are not followed yet: nobody knows whether the clock was set. They are once a time server, a \
             clock of the board or somebody has set it (clock.trusted = \"always\" believes it at once)"
        ),
    }
}

/// The strongest of `hours` that hold at `now`; of several, those that last longest.
fn in_force(hours: &[QuietHours], now: &Zoned) -> Option<Quiet> {
    let shown = latest_shown(now);
    let hold = |hours: &QuietHours| {
        let begun = [Some(shown.date()), shown.date().yesterday().ok()];
        let end = begun.into_iter().flatten().filter_map(|day| {
            let last = if hours.to > hours.from { day } else { day.tomorrow().ok()? };
            let end = last.to_datetime(hours.to);
            let holds = hours.days.has(day.weekday()) && day.to_datetime(hours.from) <= shown && shown < end;
            holds.then_some(end)
        });
        end.max().map(|end| (hours.mode, end))
    };
    let (mode, end) = hours.iter().filter_map(hold).max()?;
    Some(Quiet { mode, until: end.time() })
}

/// The latest date and time that the clock on the wall has shown. Only in an hour that it shows for the
/// second time, at the end of daylight saving, that is not what it shows now. So hours begin and end once: at
/// the first time that they are shown, or at once if the clock has left their time out.
fn latest_shown(now: &Zoned) -> DateTime {
    let (zone, shown) = (now.time_zone(), now.datetime());
    let AmbiguousOffset::Fold { before, after } = zone.to_ambiguous_timestamp(shown).offset() else {
        return shown;
    };
    if now.offset() != after {
        return shown;
    }
    let instant = SignedDuration::from_nanos(1);
    let put_back = || {
        let next = now.timestamp().checked_add(instant).ok()?;
        let transition = zone.preceding(next).next()?.timestamp();
        // That moment itself was not shown before: the clock was put back in it.
        before.to_datetime(transition).checked_sub(instant).ok()
    };
    put_back().unwrap_or(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Weekdays;
    use jiff::civil::{Weekday, date, time};
    use jiff::tz::TimeZone;
    use proptest::prelude::*;
    use std::sync::{Arc, Mutex};

    /// Berlin; New York; Lord Howe, which goes by half an hour; Dublin, whose summer time is the standard
    /// one; Santiago, which changes at midnight; Kathmandu, which never does. As rules, so that no table of
    /// the machine is asked.
    const ZONES: [&str; 6] = [
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "EST5EDT,M3.2.0,M11.1.0",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        "IST-1GMT0,M10.5.0,M3.5.0/1",
        "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
        "<+0545>-5:45",
    ];
    /// From one look of the property test to the next, in minutes.
    const STEP: i64 = 10;

    fn hours(days: &[Weekday], from: (i8, i8), to: (i8, i8), mode: QuietMode) -> QuietHours {
        let [from, to] = [from, to].map(|(hour, minute)| time(hour, minute, 0, 0));
        QuietHours { days: days.iter().copied().collect(), from, to, mode }
    }

    fn at(local: &str) -> Zoned {
        format!("{local}[Europe/Berlin]").parse().unwrap_or_else(|_| panic!("{local}"))
    }

    fn mode(hours: &[QuietHours], now: &Zoned) -> Option<QuietMode> {
        in_force(hours, now).map(|quiet| quiet.mode)
    }

    #[test]
    fn hours_belong_to_the_day_on_which_they_begin() {
        let friday = [hours(&[Weekday::Friday], (22, 0), (6, 30), QuietMode::Off)];
        let zone = TimeZone::posix(ZONES[0]).unwrap();
        let holds = |day, hour, minute| {
            let now = date(2026, 12, day).at(hour, minute, 0, 0).to_zoned(zone.clone()).unwrap();
            in_force(&friday, &now).map(|quiet| quiet.until.to_string())
        };
        assert_eq!(holds(4, 21, 59), None);
        assert_eq!(holds(4, 22, 0).as_deref(), Some("06:30:00"));
        assert_eq!(holds(5, 6, 29).as_deref(), Some("06:30:00"), "it is Saturday");
        assert_eq!(holds(5, 6, 30), None);
        assert_eq!(holds(5, 23, 0), None);
        assert_eq!(holds(4, 5, 0), None, "Thursday's night is none");
    }

    #[test]
    fn the_stronger_mode_goes_first_and_the_later_end_is_told() {
        let all: Vec<Weekday> = (0..7).map(|day| Weekday::from_monday_zero_offset(day).unwrap()).collect();
        let both = [
            hours(&all, (20, 0), (8, 0), QuietMode::Silent),
            hours(&all, (22, 0), (5, 0), QuietMode::Off),
            hours(&all, (23, 0), (6, 0), QuietMode::Off),
        ];
        let zone = TimeZone::posix(ZONES[0]).unwrap();
        let told = |hour| {
            let now = date(2026, 12, 4).at(hour, 0, 0, 0).to_zoned(zone.clone()).unwrap();
            in_force(&both, &now).map(|quiet| quiet.to_string())
        };
        assert_eq!(told(21).as_deref(), Some("quiet hours: buzzers silent until 08:00"));
        assert_eq!(told(22).as_deref(), Some("quiet hours: off until 05:00"));
        assert_eq!(told(23).as_deref(), Some("quiet hours: off until 06:00"));
        assert_eq!(told(7).as_deref(), Some("quiet hours: buzzers silent until 08:00"));
        assert_eq!(told(12), None);
    }

    /// Berlin's clock goes from 2 to 3 on 29 March 2026, and from 3 back to 2 on 25 October.
    #[test]
    fn a_time_that_is_left_out_or_shown_twice_counts_once() {
        let zone = TimeZone::posix(ZONES[0]).unwrap();
        let holds = |hours: QuietHours, utc: &str| {
            let instant: jiff::Timestamp = utc.parse().unwrap();
            mode(&[hours], &instant.to_zoned(zone.clone())).is_some()
        };
        let night = |from, to| QuietHours { days: Weekdays::ALL, ..hours(&[], from, to, QuietMode::Silent) };
        // Left out: it begins and ends as the clock jumps.
        assert!(!holds(night((2, 30), (5, 0)), "2026-03-29T00:59:59Z"));
        assert!(holds(night((2, 30), (5, 0)), "2026-03-29T01:00:00Z"), "3:00, which is after 2:30");
        assert!(holds(night((1, 0), (2, 30)), "2026-03-29T00:59:59Z"));
        assert!(!holds(night((1, 0), (2, 30)), "2026-03-29T01:00:00Z"));
        // Shown twice: it begins and ends the first time, and not again.
        assert!(!holds(night((2, 30), (5, 0)), "2026-10-25T00:29:59Z"));
        assert!(holds(night((2, 30), (5, 0)), "2026-10-25T00:30:00Z"));
        assert!(holds(night((2, 30), (5, 0)), "2026-10-25T01:10:00Z"), "2:10 for the second time");
        assert!(holds(night((1, 0), (2, 30)), "2026-10-25T00:29:59Z"));
        assert!(!holds(night((1, 0), (2, 30)), "2026-10-25T00:30:00Z"));
        assert!(!holds(night((1, 0), (2, 30)), "2026-10-25T01:10:00Z"), "2:10 for the second time");
        // 3:00 is shown once, after the hour that is shown twice.
        assert!(holds(night((1, 0), (3, 0)), "2026-10-25T01:59:59Z"));
        assert!(!holds(night((1, 0), (3, 0)), "2026-10-25T02:00:00Z"));
    }

    fn any_hours() -> impl Strategy<Value = QuietHours> {
        let steps = 0..(24 * 60 / STEP as i16);
        let clock = move || {
            steps.clone().prop_map(|step| {
                let minute = step * STEP as i16;
                ((minute / 60) as i8, (minute % 60) as i8)
            })
        };
        // Near the hours in which clocks are changed more often than not.
        let night = || (0i8..5, 0i8..6).prop_map(|(hour, tens)| (hour, 10 * tens));
        let times = || prop_oneof![clock(), night()];
        (0u8..128, times(), times(), any::<bool>()).prop_map(|(days, from, to, is_off)| {
            let days: Vec<Weekday> = (0..7)
                .filter(|day| days & (1 << day) != 0)
                .map(|day| Weekday::from_monday_zero_offset(day).unwrap())
                .collect();
            hours(&days, from, to, if is_off { QuietMode::Off } else { QuietMode::Silent })
        })
    }

    /// The week minute by minute, as somebody would draw it on paper.
    fn week(all: &[QuietHours]) -> Vec<Option<QuietMode>> {
        const DAY: usize = 24 * 60;
        let mut week = vec![None; 7 * DAY];
        for hours in all {
            let [from, to] =
                [hours.from, hours.to].map(|time| time.hour() as usize * 60 + time.minute() as usize);
            let lasts = if to > from { to - from } else { to + DAY - from };
            for day in 0..7 {
                if hours.days.has(Weekday::from_monday_zero_offset(day).unwrap()) {
                    for minute in 0..lasts {
                        let slot = &mut week[(day as usize * DAY + from + minute) % (7 * DAY)];
                        *slot = (*slot).max(Some(hours.mode));
                    }
                }
            }
        }
        week
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        /// A year in each zone: at every moment the mode is what stands on paper at the latest time that the
        /// clock has shown so far.
        #[test]
        fn the_mode_is_that_of_the_plan_at_every_moment_of_a_year(
            all in prop::collection::vec(any_hours(), 1..5), zone in 0..ZONES.len(), year in 2024i16..2030,
        ) {
            let zone = TimeZone::posix(ZONES[zone]).unwrap();
            let plan = week(&all);
            let mut now = date(year, 1, 1).at(0, 0, 0, 0).to_zoned(zone.clone()).unwrap();
            let mut latest = now.datetime();
            for _ in 0..366 * 24 * 60 / STEP {
                latest = latest.max(now.datetime());
                let minute = latest.weekday().to_monday_zero_offset() as usize * 24 * 60
                    + latest.hour() as usize * 60
                    + latest.minute() as usize;
                prop_assert_eq!(mode(&all, &now), plan[minute], "{} {:?}", now, all);
                now = now.checked_add(SignedDuration::from_mins(STEP)).unwrap();
            }
        }
    }

    /// A clock that tells what it was told, and counts how often it is asked.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<(Option<Zoned>, usize)>>);

    impl WallClock for Told {
        fn now(&mut self) -> Option<Zoned> {
            let mut told = self.0.lock().unwrap();
            told.1 += 1;
            told.0.clone()
        }
    }

    #[test]
    fn a_clock_that_is_not_believed_makes_no_hours_and_none_is_asked_more_than_once_a_second() {
        let clock = Told::default();
        let night = QuietHours { days: Weekdays::ALL, ..hours(&[], (22, 0), (6, 30), QuietMode::Silent) };
        let mut times = QuietTimes::new(vec![night], Box::new(clock.clone()));
        let second = Duration::from_secs;
        assert_eq!(times.at(second(0)), None);
        clock.0.lock().unwrap().0 = Some(at("2026-12-04T23:00"));
        assert_eq!(times.at(Duration::from_millis(999)), None, "not asked again yet");
        let quiet = Quiet { mode: QuietMode::Silent, until: time(6, 30, 0, 0) };
        assert_eq!(times.at(second(1)), Some(quiet));
        for frame in 0..100 {
            assert_eq!(times.at(second(1) + Duration::from_millis(9 * frame)), Some(quiet));
        }
        assert_eq!(clock.0.lock().unwrap().1, 2);
        // Other hours count at once.
        times.set_hours(vec![QuietHours { mode: QuietMode::Off, ..night }]);
        assert_eq!(times.at(second(1)).unwrap().mode, QuietMode::Off);
        times.set_hours(Vec::new());
        assert_eq!(times.at(second(9)), None);
        assert_eq!(clock.0.lock().unwrap().1, 3, "without hours nobody asks");
    }
}
