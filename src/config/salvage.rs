//! What can still be read of the outputs in a file that is refused: enough to switch them off. A typo must
//! not keep a light on.

use super::outputs::{self, OutputsConfig};
use super::reader::Section;
use crate::outputs::Output;
use strsim::levenshtein;

/// The section that is salvaged.
const SECTION: &str = "outputs";
/// The keys that say how a pin is switched off. What it does in a door state is of no use for that.
const WIRING: [&str; 5] = ["pin", "active", "kind", "tone_hz", "pwm"];
/// That of them on which it depends which level is off.
const LEVEL: &str = "active";
/// The keys that say how pins are reached.
const WAY: [&str; 3] = ["backend", "chip", "compute_module"];

/// What could be read of the outputs in a file that is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Salvaged {
    /// How the pins are reached, and the outputs of which it is known how they are switched off.
    pub outputs: OutputsConfig,
    /// Those of which it is not known which level is off: either of the two might switch them on.
    pub of_unknown_level: Vec<Output>,
}

/// The outputs of `texts`, the main file first, whatever the rest of them says; `None` if they have none that
/// can be read.
pub(super) fn salvage(texts: &[String]) -> Option<Salvaged> {
    let tables = tables(texts);
    let [way, outputs] = [true, false].map(|way| tables.iter().filter(move |table| table.is_way() == way));
    let way: String = way.flat_map(|table| table.keys(&WAY).filter(|line| reads("", line))).collect();
    let mut kept = format!("[{SECTION}]\n{way}");
    let mut found = !way.is_empty();
    // Of each output that is kept, whether it is known which level switches it off.
    let mut known = Vec::new();
    for table in outputs {
        // Key by key, and the table as a whole: its pin may be that of another one.
        let header = format!("{}\nfault = \"steady\"\n", table.header);
        let lines: String = table.keys(&WIRING).filter(|line| reads(&header, line)).collect();
        let more = format!("{header}{lines}");
        if parse(&format!("{kept}{more}")).is_some() {
            kept.push_str(&more);
            known.push(table.has_known_level(&header));
            found = true;
        }
    }
    let mut config = parse(&kept).filter(|_| found)?;
    let mut of_unknown_level = Vec::new();
    // Without any table there are the usual outputs, of which everything is known.
    for (index, known) in known.iter().enumerate().rev() {
        if !known {
            of_unknown_level.push(config.outputs.remove(index));
        }
    }
    of_unknown_level.reverse();
    Some(Salvaged { outputs: config, of_unknown_level })
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
    outputs::outputs(section, true).ok()
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

    /// Whether it is known which level switches the output off: every line about it can be read, and all say
    /// the same.
    fn has_known_level(&self, header: &str) -> bool {
        let level = |line: &&str| {
            let config = parse(&format!("{header}pin = 0\n{line}\n"))?;
            Some(config.outputs.first()?.active)
        };
        let mut levels = self.lines.iter().filter(|line| is_about_level(line)).map(level);
        let Some(first) = levels.next() else { return true };
        first.is_some() && levels.all(|level| level == first)
    }
}

/// Whether a line seems to be about the level that switches an output on, though it may not be readable.
fn is_about_level(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default().to_lowercase();
    let is_word = |letter: char| letter.is_alphanumeric() || "_-".contains(letter);
    let mut words = line.split(|letter| !is_word(letter)).filter(|word| !word.is_empty());
    let key = words.next().unwrap_or_default();
    levenshtein(key, LEVEL) <= 2 || ["activ", "low", "high"].iter().any(|part| line.contains(part))
}

/// The tables of the outputs of all files. What a later file says of a table comes first, since it counts;
/// where the two differ about the level that is off, neither is believed.
fn tables(texts: &[String]) -> Vec<Table<'_>> {
    let mut all: Vec<Table<'_>> = Vec::new();
    for text in texts {
        let known = all.len();
        for table in tables_of(text) {
            match all.iter_mut().take(known).find(|before| before.header == table.header) {
                Some(before) => drop(before.lines.splice(..0, table.lines)),
                None => all.push(table),
            }
        }
    }
    all
}

/// The tables of the outputs of one file, by the lines that begin them: a file with a typo has no better
/// structure.
fn tables_of(text: &str) -> Vec<Table<'_>> {
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

    fn salvage(text: &str) -> Option<Salvaged> {
        super::salvage(&[text.to_owned()])
    }
    use crate::outputs::{Active, Backend, Kind};

    fn wiring(text: &str) -> Vec<(String, u32, Active)> {
        let salvaged = salvage(text).unwrap_or_else(|| panic!("nothing of {text}"));
        salvaged.outputs.outputs.into_iter().map(|output| (output.name, output.pin, output.active)).collect()
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
            let Salvaged { outputs: salvaged, of_unknown_level } = salvage(&broken).unwrap();
            assert_eq!(of_unknown_level, [], "{broken}");
            assert_eq!((salvaged.backend, salvaged.chip.as_deref()), (Backend::Gpiocdev, Some("door")));
            assert!(matches!(salvaged.outputs[1].kind, Kind::Relay { .. }), "{broken}");
        }
    }

    /// Neither level is off for sure: the pin must not be driven at all.
    #[test]
    fn a_level_that_cannot_be_read_is_not_guessed() {
        let file = |lines: &str| format!("[outputs.red]\npin = 5\n{lines}\n[outputs.green]\npin = 6\n");
        for unclear in [
            "active = \"lo\"",
            "active = low",
            "active = 0",
            "activ = \"low\"",
            "Active = \"low\"",
            "aktive = \"lwo\"",
            "active \"low\"",
            "active_low = true",
            "level = \"low\"",
            "active = \"low\"\nactive = \"high\"",
            "active = \"high\"\nactive = \"lo\"",
        ] {
            let Salvaged { outputs, of_unknown_level } = salvage(&file(unclear)).unwrap();
            assert_eq!(of_unknown_level.len(), 1, "{unclear}");
            assert_eq!((of_unknown_level[0].name.as_str(), of_unknown_level[0].pin), ("red", 5), "{unclear}");
            assert_eq!(outputs.outputs.len(), 1, "{unclear}");
            assert_eq!((outputs.outputs[0].name.as_str(), outputs.outputs[0].pin), ("green", 6), "{unclear}");
        }
        for clear in
            ["", "active = \"low\" # or \"high\"?", "# active = \"lo\"", "alert = 1\nkind = \"relay\""]
        {
            let salvaged = salvage(&file(clear)).unwrap();
            assert_eq!((salvaged.outputs.outputs.len(), salvaged.of_unknown_level.len()), (2, 0), "{clear}");
        }
        let only = salvage("[outputs.red]\nactive = \"lo\"\n").unwrap();
        assert_eq!((only.outputs.outputs.len(), only.of_unknown_level[0].pin), (0, 17));
    }

    #[test]
    fn drop_in_files_count_too_and_where_levels_differ_none_is_believed() {
        let main = "[outputs.red]\npin = 5\n[outputs.green]\npin = 6\nactive = \"low\"\n";
        let salvage = |more: &str| super::salvage(&[main.to_owned(), format!("{more}[decision\n")]).unwrap();
        let pins = |salvaged: &Salvaged| -> Vec<(u32, Active)> {
            salvaged.outputs.outputs.iter().map(|output| (output.pin, output.active)).collect()
        };
        let lamp = salvage("[outputs.red]\npin = 7\n[outputs.lamp]\npin = 8\nactive = \"low\"\n");
        assert_eq!(pins(&lamp), [(7, Active::High), (6, Active::Low), (8, Active::Low)]);
        assert_eq!(lamp.of_unknown_level, []);
        let differs = salvage("[outputs.green]\nactive = \"high\"\n");
        assert_eq!(pins(&differs), [(5, Active::High)]);
        assert_eq!(differs.of_unknown_level[0].pin, 6);
    }

    #[test]
    fn without_a_readable_output_there_is_nothing() {
        for text in
            ["", "[decision]\nvotes = 3\n", "outputs = 1\n", "[outputs]\nred = 4\n", "[outputs.x]\npin = x\n"]
        {
            assert!(salvage(text).is_none(), "{text}");
        }
        assert_eq!(
            salvage("[outputs]\nbackend = \"rppal\"\n[source]\nspec = 1").unwrap().outputs.outputs.len(),
            4
        );
        assert_eq!(wiring("[[outputs.red]]\npin = 5\n"), [("red".into(), 5, Active::High)]);
    }
}
