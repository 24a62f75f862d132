//! Counts as text: with bars for people, as CSV and as JSON for programs.

use crate::daemon::listeners::counts::{DoorCounts, Period};
use std::fmt::Write;

/// Letters of the longest bar.
const LONGEST_BAR: u32 = 30;
/// The kinds of people in a bar: name, letter, colour of the terminal.
const KINDS: [(&str, char, u8); 4] =
    [("masked", '█', 32), ("incorrect", '▓', 33), ("unmasked", '▒', 31), ("unsure", '░', 90)];
const COLUMNS: [&str; 7] = ["people", "masked", "unmasked", "incorrect", "unsure", "alerts", "faults"];

fn columns(counted: &DoorCounts) -> [u32; 7] {
    let DoorCounts { people, masked, unmasked, incorrect, unsure, alerts, faults } = *counted;
    [people, masked, unmasked, incorrect, unsure, alerts, faults]
}

/// A table with bars.
pub(super) fn text(kind: &str, periods: &[Period], undated: &DoorCounts, colours: bool) -> String {
    if periods.is_empty() && undated.is_nothing() {
        return "nothing was counted yet\n".into();
    }
    let width = periods.iter().map(|period| period.begin.len()).max().unwrap_or(0).max(kind.len());
    let mut text = format!("{kind:<width$}");
    // Writing into a text cannot fail.
    for name in COLUMNS {
        let _ = write!(text, " {name:>9}");
    }
    text.push('\n');
    let most = periods.iter().map(|period| period.counted.people).max().unwrap_or(0).max(1);
    for Period { begin, counted } in periods {
        let _ = write!(text, "{begin:<width$}");
        for count in columns(counted) {
            let _ = write!(text, " {count:>9}");
        }
        let _ = writeln!(text, "  {}", bar(counted, most, colours));
    }
    let legend = KINDS.map(|(name, letter, colour)| painted(&format!("{letter} {name}"), colour, colours));
    let _ = writeln!(text, "{}", legend.join("  "));
    if !undated.is_nothing() {
        let counts = COLUMNS.iter().zip(columns(undated)).filter(|(_, count)| *count > 0);
        let counts: Vec<_> = counts.map(|(name, count)| format!("{count} {name}")).collect();
        let _ = writeln!(text, "while the clock was not set: {}", counts.join(", "));
    }
    text
}

fn painted(text: &str, colour: u8, colours: bool) -> String {
    if colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}

fn bar(counted: &DoorCounts, most: u32, colours: bool) -> String {
    let counts = [counted.masked, counted.incorrect, counted.unmasked, counted.unsure];
    let (mut bar, mut sum, mut drawn) = (String::new(), 0u64, 0);
    for (count, (_, letter, colour)) in counts.into_iter().zip(KINDS) {
        sum += u64::from(count);
        // Of the sum, so that rounding does not lengthen the bar; who is there is seen.
        let end = (sum * u64::from(LONGEST_BAR)).div_ceil(u64::from(most)) as usize;
        let part: String = std::iter::repeat_n(letter, end.saturating_sub(drawn)).collect();
        drawn = drawn.max(end);
        if !part.is_empty() {
            bar += &painted(&part, colour, colours);
        }
    }
    bar
}

/// A table with a header; what belongs to no period has none.
pub(super) fn csv(periods: &[Period], undated: &DoorCounts) -> String {
    let mut text = format!("begin,{}\n", COLUMNS.join(","));
    let mut row = |begin: &str, counted: &DoorCounts| {
        let counts = columns(counted).map(|count| count.to_string()).join(",");
        let _ = writeln!(text, "{begin},{counts}");
    };
    periods.iter().for_each(|Period { begin, counted }| row(begin, counted));
    if !undated.is_nothing() {
        row("", undated);
    }
    text
}

/// One object.
pub(super) fn json(kind: &str, periods: &[Period], undated: &DoorCounts) -> String {
    let period = |Period { begin, counted }: &Period| {
        let mut object = serde_json::Map::from_iter([("begin".to_owned(), begin.as_str().into())]);
        for (name, count) in COLUMNS.into_iter().zip(columns(counted)) {
            object.insert(name.into(), count.into());
        }
        serde_json::Value::from(object)
    };
    let periods: Vec<_> = periods.iter().map(period).collect();
    let all = serde_json::json!({ "by": kind, "periods": periods, "undated": undated });
    format!("{all:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn periods() -> Vec<Period> {
        let counted = |masked, unmasked| DoorCounts {
            people: masked + unmasked,
            masked,
            unmasked,
            alerts: unmasked,
            ..DoorCounts::default()
        };
        vec![
            Period { begin: "2026-11-29".into(), counted: counted(40, 20) },
            Period { begin: "2026-11-30".into(), counted: counted(1, 0) },
        ]
    }

    #[test]
    fn people_see_a_table_with_bars() {
        let undated = DoorCounts { people: 2, masked: 2, ..DoorCounts::default() };
        let text = text("day", &periods(), &undated, false);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("day           people    masked  unmasked"), "{text}");
        assert!(lines[1].ends_with(&format!("  {}{}", "█".repeat(20), "▒".repeat(10))), "{text}");
        assert!(lines[2].ends_with("  █"), "{text}");
        assert_eq!(lines[4], "while the clock was not set: 2 people, 2 masked");
        assert_eq!(super::text("day", &[], &DoorCounts::default(), false), "nothing was counted yet\n");
    }

    #[test]
    fn programs_get_a_table_or_an_object() {
        let nothing = DoorCounts::default();
        assert_eq!(
            csv(&periods(), &nothing),
            "begin,people,masked,unmasked,incorrect,unsure,alerts,faults\n\
             2026-11-29,60,40,20,0,0,20,0\n2026-11-30,1,1,0,0,0,0,0\n"
        );
        let object: serde_json::Value = serde_json::from_str(&json("day", &periods(), &nothing)).unwrap();
        assert_eq!(object["periods"][0]["unmasked"], 20);
        assert_eq!((&object["by"], &object["undated"]["people"]), (&"day".into(), &0.into()));
    }
}
