//! Tables of a TOML document, read key by key: each key is taken out once and checked, and what is left over
//! in the end is unknown. What the keys mean is [`super`]'s business.

use super::ConfigError;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with the place it was written at.
pub(super) struct Sourced<T> {
    pub(super) value: T,
    key: String,
    at: usize,
}

impl<T: Clone> Sourced<T> {
    /// The value, or `usual` where none was written.
    pub(super) fn or(sourced: &Option<Self>, usual: T) -> T {
        sourced.as_ref().map_or(usual, |sourced| sourced.value.clone())
    }
}

/// One table of the document, or nothing where it was left out.
pub(super) struct Section<'a> {
    text: &'a str,
    file: &'a str,
    /// Names of the tables down to this one, joined by dots; empty for the document itself.
    path: String,
    at: usize,
    entries: Vec<Entry<'a>>,
    /// The keys that were asked for, to name the nearest when another is found.
    known: Vec<String>,
}

struct Entry<'a> {
    key: String,
    key_at: usize,
    value: DeValue<'a>,
    value_span: Range<usize>,
}

impl<'a> Section<'a> {
    /// The whole document.
    pub(super) fn root(text: &'a str, file: &'a str) -> Result<Self, ConfigError> {
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            file: file.into(),
            line: line(text, error.span().map_or(text.len(), |span| span.start)),
            problem: error.message().split_whitespace().collect::<Vec<_>>().join(" "),
        })?;
        Ok(Self::new(text, file, String::new(), 0, table.into_inner()))
    }

    fn new(text: &'a str, file: &'a str, path: String, at: usize, table: DeTable<'a>) -> Self {
        let mut entries: Vec<Entry<'a>> = table
            .into_iter()
            .map(|(key, value)| Entry {
                key_at: key.span().start,
                key: key.into_inner().into_owned(),
                value_span: value.span(),
                value: Spanned::into_inner(value),
            })
            .collect();
        // In the order of the file, so that it is the first mistake that is named.
        entries.sort_by_key(|entry| entry.key_at);
        Self { text, file, path, at, entries, known: Vec::new() }
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    fn error(&self, at: usize, key: String, problem: String) -> ConfigError {
        ConfigError::Value { file: self.file.into(), line: line(self.text, at), key, problem }
    }

    /// The error that `sourced` cannot be what it is.
    pub(super) fn refuse<T>(&self, sourced: &Sourced<T>, problem: String) -> ConfigError {
        self.error(sourced.at, sourced.key.clone(), problem)
    }

    /// As [`refuse`](Self::refuse), or about the whole section where the value was not written.
    pub(super) fn refuse_any<T>(&self, sourced: &Option<Sourced<T>>, problem: String) -> ConfigError {
        match sourced {
            Some(sourced) => self.refuse(sourced, problem),
            None => self.refuse_whole(problem),
        }
    }

    /// The error that this section cannot be what it is.
    pub(super) fn refuse_whole(&self, problem: String) -> ConfigError {
        self.error(self.at, self.path.clone(), problem)
    }

    /// The error about a key that was left out.
    pub(super) fn refuse_key(&self, key: &str, problem: String) -> ConfigError {
        self.error(self.at, self.full(key), problem)
    }

    fn take(&mut self, key: &str) -> Option<Entry<'a>> {
        self.known.push(key.into());
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(index))
    }

    fn wrong_type(&self, entry: &Entry<'a>, wanted: impl Display) -> ConfigError {
        let kind = match entry.value {
            DeValue::String(_) => "text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.error(entry.key_at, self.full(&entry.key), format!("is {kind}; use {wanted}"))
    }

    /// A value as it stands in the file, cut where it is long.
    fn written(&self, entry: &Entry<'a>) -> String {
        let written = self.text.get(entry.value_span.clone()).unwrap_or("that");
        let line: String = written.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.chars().count() > 40 { line.chars().take(40).chain(['…']).collect() } else { line }
    }

    fn sourced<T>(&self, entry: &Entry<'a>, value: T) -> Sourced<T> {
        Sourced { value, key: self.full(&entry.key), at: entry.key_at }
    }

    /// A table of this one; an empty one where it was left out.
    pub(super) fn section(&mut self, key: &str) -> Result<Section<'a>, ConfigError> {
        let empty = Self::new(self.text, self.file, self.full(key), self.at, DeTable::new());
        Ok(self.optional_section(key)?.unwrap_or(empty))
    }

    /// A table of this one, where there is one.
    pub(super) fn optional_section(&mut self, key: &str) -> Result<Option<Section<'a>>, ConfigError> {
        let path = self.full(key);
        let Some(entry) = self.take(key) else { return Ok(None) };
        match entry.value {
            DeValue::Table(table) => Ok(Some(Self::new(self.text, self.file, path, entry.key_at, table))),
            _ => Err(self.wrong_type(&entry, format!("a section [{path}]"))),
        }
    }

    /// All tables that are left in this one, with their names, in the order of the file.
    pub(super) fn tables(&mut self) -> Result<Vec<(String, Section<'a>)>, ConfigError> {
        let (tables, rest) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|entry| matches!(entry.value, DeValue::Table(_)));
        self.entries = rest;
        let sections = Vec::into_iter(tables).filter_map(|entry| {
            let path = self.full(&entry.key);
            let DeValue::Table(table) = entry.value else { return None };
            Some((entry.key, Self::new(self.text, self.file, path, entry.key_at, table)))
        });
        Ok(sections.collect())
    }

    /// Text that is not empty.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<Sourced<String>>, ConfigError> {
        let Some(entry) = self.take(key) else { return Ok(None) };
        match &entry.value {
            DeValue::String(text) if text.trim().is_empty() => {
                let problem = "is empty; write a value, or remove the line for the default".into();
                Err(self.error(entry.key_at, self.full(key), problem))
            }
            DeValue::String(text) => Ok(Some(self.sourced(&entry, text.to_string()))),
            _ => Err(self.wrong_type(&entry, "text in quotes")),
        }
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, ConfigError> {
        Ok(self.sourced_choice(key, words)?.map(|choice| choice.value))
    }

    /// The same with its place.
    pub(super) fn sourced_choice<T: Copy>(
        &mut self,
        key: &str,
        words: &[(&str, T)],
    ) -> Result<Option<Sourced<T>>, ConfigError> {
        let Some(entry) = self.take(key) else { return Ok(None) };
        let choices = words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        let DeValue::String(text) = &entry.value else {
            return Err(self.wrong_type(&entry, format!("one of {choices}")));
        };
        match words.iter().find(|(word, _)| *word == text.as_ref()) {
            Some((_, value)) => Ok(Some(self.sourced(&entry, *value))),
            None => {
                let problem = format!("is {}; use one of {choices}", self.written(&entry));
                Err(self.error(entry.key_at, self.full(key), problem))
            }
        }
    }

    /// A number within `range`.
    pub(super) fn number(
        &mut self,
        key: &str,
        range: RangeInclusive<f64>,
    ) -> Result<Option<Sourced<f64>>, ConfigError> {
        let wanted = format!("a number from {} to {}", range.start(), range.end());
        self.read(key, wanted, |value| as_number(value).filter(|number| range.contains(number)))
    }

    /// A whole number within `range`.
    pub(super) fn whole(
        &mut self,
        key: &str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<Sourced<u32>>, ConfigError> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(key, wanted, |value| {
            let DeValue::Integer(integer) = value else { return None };
            let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok()?;
            range.contains(&number).then_some(number)
        })
    }

    /// A whole number within `range`, or `word`, which is `None`.
    pub(super) fn whole_or(
        &mut self,
        key: &str,
        range: RangeInclusive<u32>,
        word: &str,
    ) -> Result<Option<Sourced<Option<u32>>>, ConfigError> {
        let is_word = |entry: &&Entry<'a>| {
            entry.key == key && matches!(&entry.value, DeValue::String(text) if text == word)
        };
        if self.entries.iter().any(|entry| is_word(&entry)) {
            return Ok(self.take(key).map(|entry| self.sourced(&entry, None)));
        }
        let whole = self.whole(key, range)?;
        Ok(whole.map(|Sourced { value, key, at }| Sourced { value: Some(value), key, at }))
    }

    /// A time in seconds within `range`.
    pub(super) fn seconds(
        &mut self,
        key: &str,
        range: RangeInclusive<f64>,
    ) -> Result<Option<Sourced<Duration>>, ConfigError> {
        let seconds = self.number(key, range)?;
        Ok(seconds.map(|Sourced { value, key, at }| Sourced {
            value: Duration::from_secs_f64(value),
            key,
            at,
        }))
    }

    fn read<T>(
        &mut self,
        key: &str,
        wanted: String,
        check: impl Fn(&DeValue<'a>) -> Option<T>,
    ) -> Result<Option<Sourced<T>>, ConfigError> {
        let Some(entry) = self.take(key) else { return Ok(None) };
        if !matches!(entry.value, DeValue::Integer(_) | DeValue::Float(_)) {
            return Err(self.wrong_type(&entry, wanted));
        }
        match check(&entry.value) {
            Some(value) => Ok(Some(self.sourced(&entry, value))),
            None => {
                let problem = format!("is {}; use {wanted}", self.written(&entry));
                Err(self.error(entry.key_at, self.full(key), problem))
            }
        }
    }

    /// Refuses what was not asked for.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        let Some(entry) = self.entries.first() else { return Ok(()) };
        let nearest = self.known.iter().min_by_key(|known| distance(known, &entry.key));
        let problem = match nearest {
            Some(nearest) if distance(nearest, &entry.key) <= nearest.len().min(entry.key.len()) / 2 => {
                format!("is not known; did you mean {nearest}?")
            }
            _ => format!("is not known; use {}, or remove it", self.known.join(", ")),
        };
        Err(self.error(entry.key_at, self.full(&entry.key), problem))
    }
}

fn as_number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|number| number as f64)
        }
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => None,
    }
}

/// The line in which byte `at` of `text` lies, counted from 1.
fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// How many letters have to be changed, added or removed to make `a` into `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
