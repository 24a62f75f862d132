//! Changes single keys of a configuration's text and leaves everything else as it is, comments too.

use crate::text::flattened;
use anyhow::{Context, bail};
use toml_edit::{DocumentMut, Item, Table, Value};

/// A key with its new value.
#[derive(Debug, Clone)]
pub(super) struct KeyChange {
    /// Its tables from the outside in, such as `outputs` and `red`.
    pub(super) tables: Vec<String>,
    /// Its name; `None` for a table that only has to be there.
    pub(super) key: Option<&'static str>,
    /// What it becomes.
    pub(super) value: Value,
}

impl KeyChange {
    pub(super) fn new(tables: &[&str], key: &'static str, value: impl Into<Value>) -> Self {
        let tables = tables.iter().map(|&table| table.to_owned()).collect();
        Self { tables, key: Some(key), value: value.into() }
    }

    /// The table `tables` has to be there, with all its defaults.
    pub(super) fn table(tables: &[&str]) -> Self {
        Self { key: None, ..Self::new(tables, "", false) }
    }
}

/// The new text, and one line for each difference.
#[derive(Debug, PartialEq)]
pub(super) struct Changed {
    pub(super) text: String,
    pub(super) differences: Vec<String>,
}

/// Makes `changes` in `text`, the configuration of the file `name`.
pub(super) fn change(text: &str, changes: &[KeyChange], name: &str) -> anyhow::Result<Changed> {
    let mut document: DocumentMut =
        text.parse().with_context(|| format!("{name} cannot be read; mend it first"))?;
    let mut differences = Vec::new();
    for KeyChange { tables, key, value } in changes {
        let mut table = document.as_table_mut();
        for step in tables {
            let inner = table.entry(step).or_insert_with(|| {
                let mut new = Table::new();
                // `[outputs.red]` alone says that there are outputs.
                new.set_implicit(tables.len() > 1 && *step == tables[0]);
                Item::Table(new)
            });
            let Some(inner) = inner.as_table_mut() else {
                bail!("{name}: {step} is written in one line; write it as a section [{step}] first");
            };
            table = inner;
        }
        let place = tables.join(".");
        let Some(key) = key else {
            if table.is_empty() {
                table.set_implicit(false);
            }
            continue;
        };
        let before = table.get(key).and_then(Item::as_value).cloned();
        let same = |old: &Value| shown(old) == shown(value);
        if before.as_ref().is_some_and(same) {
            continue;
        }
        match table.get_mut(key).and_then(Item::as_value_mut) {
            // The comments before and behind it stay; to insert it anew would lose them.
            Some(old) => {
                let decor = old.decor().clone();
                *old = value.clone();
                *old.decor_mut() = decor;
            }
            None => {
                table.insert(key, Item::Value(value.clone()));
            }
        }
        let before = before.as_ref().map_or_else(|| "(the default)".to_owned(), shown);
        differences
            .push(flattened(&format!("{place}.{key}: {before} becomes {}", shown(value))).into_owned());
    }
    Ok(Changed { text: document.to_string(), differences })
}

/// A value without the spaces and comments around it.
fn shown(value: &Value) -> String {
    let mut bare = value.clone();
    bare.decor_mut().clear();
    bare.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use proptest::prelude::*;

    const INSTALLED: &str = include_str!("../../../systemd/maskwatch.toml");

    fn some_changes() -> Vec<KeyChange> {
        vec![
            KeyChange::new(&["source"], "spec", "camera"),
            KeyChange::new(&["detector"], "width", 320),
            KeyChange::new(&["outputs", "red"], "pin", 5),
        ]
    }

    #[test]
    fn only_the_keys_change_and_comments_stay() {
        let changed = change(INSTALLED, &some_changes(), "door.toml").unwrap();
        let differing: Vec<(&str, &str)> =
            INSTALLED.lines().zip(changed.text.lines()).filter(|(old, new)| old != new).collect();
        let expected = [
            ("spec = \"/dev/video0\"", "spec = \"camera\""),
            ("width = 480", "width = 320"),
            ("pin = 17", "pin = 5"),
        ];
        assert_eq!(differing, expected);
        assert_eq!(changed.differences[0], "source.spec: \"/dev/video0\" becomes \"camera\"");
        let config = Config::parse(&changed.text, "door.toml").unwrap();
        assert_eq!((config.detector.width, config.outputs.outputs[0].pin), (320, 5));
        let again = change(&changed.text, &some_changes(), "door.toml").unwrap();
        assert_eq!(again, Changed { text: changed.text, differences: vec![] });
    }

    #[test]
    fn tables_that_are_missing_are_made() {
        let all = [some_changes(), vec![KeyChange::table(&["outputs", "green"])]].concat();
        let changed = change("", &all, "door.toml").unwrap();
        let config = Config::parse(&changed.text, "door.toml").unwrap();
        let pins: Vec<u32> = config.outputs.outputs.iter().map(|output| output.pin).collect();
        assert_eq!(pins, [5, 27], "{}", changed.text);
        assert!(!changed.text.contains("[outputs]\n"), "{}", changed.text);
    }

    #[test]
    fn what_cannot_be_changed_is_refused() {
        assert!(change("[source", &some_changes(), "door.toml").is_err());
        let error = change("source = {}\n", &some_changes(), "door.toml").unwrap_err().to_string();
        assert!(error.contains("door.toml: source is written in one line"), "{error}");
    }

    proptest! {
        /// Whatever text a value has, it comes back as it was, and a second change finds nothing to do.
        #[test]
        fn any_text_survives(text in "\\PC{0,40}", pin in 0i64..512) {
            let changes = [
                KeyChange::new(&["source"], "spec", text.as_str()),
                KeyChange::new(&["outputs", "lamp"], "pin", pin),
            ];
            let changed = change(INSTALLED, &changes, "door.toml").unwrap();
            let read: toml::Table = changed.text.parse().unwrap();
            prop_assert_eq!(read["source"]["spec"].as_str(), Some(text.as_str()));
            prop_assert_eq!(read["outputs"]["lamp"]["pin"].as_integer(), Some(pin));
            prop_assert_eq!(change(&changed.text, &changes, "door.toml").unwrap().differences.len(), 0);
        }
    }
}
