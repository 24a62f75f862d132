//! What can still be read of the outputs in a file that is refused: enough to switch them off. A typo must
//! not keep a light on.

use super::outputs::{self, OutputsConfig};
use super::reader::Section;

/// The section that is salvaged.
const SECTION: &str = "outputs";
/// The keys that say how a pin is switched off. What it does in a door state is of no use for that.
const WIRING: [&str; 5] = ["pin", "active", "kind", "tone_hz", "pwm"];
/// The keys that say how pins are reached.
const WAY: [&str; 3] = ["backend", "chip", "compute_module"];

/// The outputs of `text`, whatever the rest of it says; `None` if it has none that can be read.
pub(super) fn salvage(text: &str) -> Option<OutputsConfig> {
    let tables = tables(text);
    let [way, outputs] = [true, false].map(|way| tables.iter().filter(move |table| table.is_way() == way));
    let way: String = way.flat_map(|table| table.keys(&WAY).filter(|line| reads("", line))).collect();
    let mut kept = format!("[{SECTION}]\n{way}");
    let mut found = !way.is_empty();
    for table in outputs {
        // Key by key, and the table as a whole: its pin may be that of another one.
        let header = format!("{}\nfault = \"steady\"\n", table.header);
        let lines: String = table.keys(&WIRING).filter(|line| reads(&header, line)).collect();
        let more = format!("{header}{lines}");
        if parse(&format!("{kept}{more}")).is_some() {
            kept.push_str(&more);
            found = true;
        }
    }
    parse(&kept).filter(|_| found)
}

/// Whether a key can be read by itself: also that of an output that lacks another one.
fn reads(header: &str, line: &str) -> bool {
    let (header, pin) = if header.is_empty() {
        (format!("[{SECTION}]\n"), "")
    } else {
        (header.to_owned(), if line.trim_start().starts_with("pin") { "" } else { "pin = 0\n" })
    };
    let kind =
        if line.contains("tone_hz") || line.contains("pwm") { "kind = \"passive-buzzer\"\n" } else { "" };
    parse(&format!("{header}{pin}{kind}{line}")).is_some()
}

fn parse(text: &str) -> Option<OutputsConfig> {
    let section = Section::root(text, "").and_then(|mut root| root.section(SECTION)).ok()?;
    outputs::outputs(section).ok()
}

/// A table of the file, by its lines.
struct Table<'a> {
    header: String,
    lines: Vec<&'a str>,
}

impl Table<'_> {
    /// Whether this is the table that says how pins are reached.
    fn is_way(&self) -> bool {
        !self.header.contains('.')
    }

    /// The lines that set one of `keys`, with line breaks; the first where one is set twice.
    fn keys(&self, keys: &'static [&str]) -> impl Iterator<Item = String> {
        fn sets(line: &str, key: &str) -> bool {
            line.split_once('=').is_some_and(|(name, _)| name.trim().trim_matches('"') == key)
        }
        keys.iter().filter_map(move |key| {
            let line = self.lines.iter().find(|line| sets(line, key))?;
            Some(format!("{line}\n"))
        })
    }
}

/// The tables of the outputs, by the lines that begin them: a file with a typo has no better structure.
fn tables(text: &str) -> Vec<Table<'_>> {
    let mut tables = Vec::new();
    let mut within = false;
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with('[') {
            // A comment behind it, or a bracket too much, is left out.
            let name =
                line.trim_start_matches(['[', ' ']).split([']', '#']).next().unwrap_or_default().trim();
            let rest = name.strip_prefix(SECTION).map(str::trim_start);
            within = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            if within {
                tables.push(Table { header: format!("[{name}]"), lines: Vec::new() });
            }
        } else if let Some(table) = tables.last_mut().filter(|_| within) {
            table.lines.push(line);
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outputs::{Active, Backend, Kind};

    fn wiring(text: &str) -> Vec<(String, u32, Active)> {
        let salvaged = salvage(text).unwrap_or_else(|| panic!("nothing of {text}"));
        salvaged.outputs.into_iter().map(|output| (output.name, output.pin, output.active)).collect()
    }

    #[test]
    fn a_mistake_anywhere_leaves_the_wiring() {
        let good = "[outputs]\nbackend = \"gpiocdev\"\nchip = \"door\"\n[outputs.red]\npin = 5\nactive = \"low\" # red\n\
                    [outputs.gate]\npin = 6\nkind = \"relay\"\npass = \"steady\"\n";
        let expected = [("red".into(), 5, Active::Low), ("gate".into(), 6, Active::High)];
        for broken in [
            good.to_owned(),
            format!("[decision]\nvotes = = 3\n{good}"),
            format!("[source\n{good}"),
            format!("{good}[decision]\nvotes = 99\n"),
            good.replace("steady", "stedy"),
            good.replace("pass = ", "pas = "),
            good.replace("pass = \"steady\"", "pass = \"steady"),
            good.replace("pass = \"steady\"", "pass = true"),
            good.replace("pin = 6\n", "pin = 6\npin = 7\n"),
            format!("{good}[outputs.siren]\npin = 5\nalert = \"steady\"\n"),
            format!("{good}[outputs.siren]\nalert = \"steady\"\n"),
        ] {
            assert_eq!(wiring(&broken), expected, "{broken}");
            let salvaged = salvage(&broken).unwrap();
            assert_eq!((salvaged.backend, salvaged.chip.as_deref()), (Backend::Gpiocdev, Some("door")));
            assert!(matches!(salvaged.outputs[1].kind, Kind::Relay { .. }), "{broken}");
        }
        // A level that cannot be read is the usual one.
        let guessed = good.replace("\"low\"", "\"lo\"");
        assert_eq!(wiring(&guessed)[0], ("red".into(), 5, Active::High));
    }

    #[test]
    fn without_a_readable_output_there_is_nothing() {
        for text in
            ["", "[decision]\nvotes = 3\n", "outputs = 1\n", "[outputs]\nred = 4\n", "[outputs.x]\npin = x\n"]
        {
            assert!(salvage(text).is_none(), "{text}");
        }
        assert_eq!(salvage("[outputs]\nbackend = \"rppal\"\n[source]\nspec = 1").unwrap().outputs.len(), 4);
        assert_eq!(wiring("[[outputs.red]]\npin = 5\n"), [("red".into(), 5, Active::High)]);
    }
}
