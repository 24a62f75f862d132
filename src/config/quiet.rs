//! The section `[quiet]`: hours of the week in which the door is silent, or off.

use super::error::ConfigError;
use super::reader::{Section, Sourced};
use crate::text::{LONGEST_QUOTE, shortened};
use jiff::civil::{Time, Weekday};
use maskwatch_vision::named;

/// Tables `[quiet.NAME]` at most.
const MOST: usize = 32;

/// Names of the days, as users write them.
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// What the outputs do in quiet hours; the stronger one comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum QuietMode {
    /// Lights as always, and no buzzer.
    #[default]
    Silent,
    /// Everything is off, and nobody is judged. The camera is still watched for faults.
    Off,
}

named!(QuietMode { Silent => "silent", Off => "off", });

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);

    /// Whether `day` is one of them.
    #[must_use]
    pub fn has(self, day: Weekday) -> bool {
        self.0 & Self::bit(day) != 0
    }

    fn bit(day: Weekday) -> u8 {
        1 << day.to_monday_zero_offset()
    }
}

impl FromIterator<Weekday> for Weekdays {
    fn from_iter<T: IntoIterator<Item = Weekday>>(days: T) -> Self {
        Self(days.into_iter().fold(0, |all, day| all | Self::bit(day)))
    }
}

/// Quiet hours of some days, by the clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// The days on which they begin.
    pub days: Weekdays,
    /// When they begin.
    pub from: Time,
    /// When they end: on the next day, unless it is later than `from`.
    pub to: Time,
    /// What the outputs do meanwhile.
    pub mode: QuietMode,
}

/// Reads `[quiet]` and its tables.
pub(super) fn quiet(mut section: Section<'_>) -> Result<Vec<QuietHours>, ConfigError> {
    let tables = section.tables()?;
    if let Some((_, surplus)) = tables.get(MOST) {
        return Err(surplus.refuse_whole(format!("is one table too many; use at most {MOST}")));
    }
    section.finish()?;
    tables.into_iter().map(|(_, table)| hours(table)).collect()
}

fn hours(mut table: Section<'_>) -> Result<QuietHours, ConfigError> {
    let days = table.texts("days", "days in quotes, such as [\"mon\", \"tue\"]")?;
    let days = days.map_or(Ok(Weekdays::ALL), |written| weekdays(&table, &written))?;
    let from = time(&mut table, "from", "22:00")?;
    let to = time(&mut table, "to", "06:30")?;
    let mode = table.choice("mode", &QuietMode::NAMES)?.unwrap_or_default();
    table.finish()?;
    Ok(QuietHours { days, from, to, mode })
}

fn weekdays(table: &Section<'_>, written: &Sourced<Vec<String>>) -> Result<Weekdays, ConfigError> {
    let known = || DAYS.map(|(name, _)| format!("\"{name}\"")).join(", ");
    if written.value.is_empty() {
        return Err(
            table.refuse(written, format!("has no day; use some of {}, or remove it for every day", known()))
        );
    }
    let day = |word: &String| {
        let found = DAYS.iter().find(|(name, _)| name == word).map(|(_, day)| *day);
        found.ok_or_else(|| {
            table.refuse(
                written,
                format!("has the day \"{}\"; use {}", shortened(word, LONGEST_QUOTE), known()),
            )
        })
    };
    written.value.iter().map(day).collect()
}

fn time(table: &mut Section<'_>, key: &str, example: &str) -> Result<Time, ConfigError> {
    let Some(written) = table.text_of(key, &format!("a time in quotes, such as \"{example}\""))? else {
        return Err(table.refuse_whole(format!("has no {key}; add for example {key} = \"{example}\"")));
    };
    clock_time(&written.value).ok_or_else(|| {
        let problem = format!(
            "is \"{}\"; use a time from \"00:00\" to \"23:59\"",
            shortened(&written.value, LONGEST_QUOTE)
        );
        table.refuse(&written, problem)
    })
}

/// Reads `HH:MM`. What many write for midnight, 24:00, is the beginning of the next day.
fn clock_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str, least: usize| -> Option<i8> {
        let well_written = (least..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        well_written.then(|| digits.parse().ok())?
    };
    match (number(hour, 1)?, number(minute, 2)?) {
        (24, 0) => Some(Time::midnight()),
        (hour, minute) => Time::new(hour, minute, 0, 0).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use jiff::civil::time;

    fn read(text: &str) -> Result<Vec<QuietHours>, String> {
        Config::parse(text, "door.toml").map(|config| config.quiet).map_err(|error| error.to_string())
    }

    #[test]
    fn hours_have_days_times_and_a_mode() {
        let text = "[quiet.night]\nfrom = \"22:00\"\nto = \"6:30\"\n\
                    [quiet.closed]\ndays = [\"sat\", \"sun\"]\nfrom = \"00:00\"\nto = \"24:00\"\nmode = \"off\"\n";
        let hours = read(text).unwrap();
        let night = QuietHours {
            days: Weekdays::ALL,
            from: time(22, 0, 0, 0),
            to: time(6, 30, 0, 0),
            mode: QuietMode::Silent,
        };
        assert_eq!(hours[0], night);
        assert_eq!((hours[1].from, hours[1].to, hours[1].mode), (Time::MIN, Time::MIN, QuietMode::Off));
        let days: Vec<&str> =
            DAYS.iter().filter(|(_, day)| hours[1].days.has(*day)).map(|(name, _)| *name).collect();
        assert_eq!(days, ["sat", "sun"]);
        assert_eq!(read(""), Ok(Vec::new()));
    }

    #[test]
    fn mistakes_are_refused_with_line_and_mend() {
        const HOURS: &str = "[quiet.a]\nfrom = \"22:00\"\nto = \"06:30\"\n";
        let days = "\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"";
        for (text, sentence) in [
            ("[quiet]\nfrom = \"22:00\"\n".into(), "line 2: quiet.from is not known; remove it".to_owned()),
            (
                "[quiet.a]\nto = \"06:30\"\n".into(),
                "line 1: quiet.a has no from; add for example from = \"22:00\"".into(),
            ),
            (
                "[quiet.a]\nfrom = \"22:00\"\n".into(),
                "line 1: quiet.a has no to; add for example to = \"06:30\"".into(),
            ),
            (
                "[quiet.a]\nfrom = 22\n".into(),
                "line 2: quiet.a.from is a number; use a time in quotes, such as \"22:00\"".into(),
            ),
            (
                "[quiet.a]\nfrom = 22:00:00\n".into(),
                "line 2: quiet.a.from is a date; use a time in quotes, such as \"22:00\"".into(),
            ),
            (
                "[quiet.a]\nfrom = \"22.00\"\n".into(),
                "line 2: quiet.a.from is \"22.00\"; use a time from \"00:00\" to \"23:59\"".into(),
            ),
            (
                format!("{HOURS}days = [\"monday\"]\n"),
                format!("line 4: quiet.a.days has the day \"monday\"; use {days}"),
            ),
            (
                format!("{HOURS}days = []\n"),
                format!("line 4: quiet.a.days has no day; use some of {days}, or remove it for every day"),
            ),
            (
                format!("{HOURS}days = \"mon\"\n"),
                "line 4: quiet.a.days is text; use a list of days in quotes, such as [\"mon\", \"tue\"]"
                    .into(),
            ),
            (
                format!("{HOURS}mode = \"dark\"\n"),
                "line 4: quiet.a.mode is \"dark\"; use one of \"silent\", \"off\"".into(),
            ),
            (
                format!("{HOURS}until = 1\n"),
                "line 4: quiet.a.until is not known; use days, from, to, mode, or remove it".into(),
            ),
        ] {
            assert_eq!(read(&text), Err(format!("door.toml {sentence}")), "{text}");
        }
        let many: String =
            (0..33).map(|index| HOURS.replace("quiet.a", &format!("quiet.a{index}"))).collect();
        assert_eq!(
            read(&many),
            Err("door.toml line 97: quiet.a32 is one table too many; use at most 32".into())
        );
        for text in
            ["", ":", "24:01", "25:00", "12:60", "1:5", "-1:00", "+1:00", "001:00", "22:00:00", "٢٢:00"]
        {
            assert_eq!(clock_time(text), None, "{text}");
        }
    }
}
