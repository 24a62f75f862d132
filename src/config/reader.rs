//! Reads the tables of a TOML document key by key. Each key is taken out and checked; a key that is left in
//! the end is unknown. Nothing here knows what the keys mean.

use super::error::{ConfigError, line};
use crate::geometry::Point;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;
use strsim::levenshtein;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with its key and its place in the file.
pub(super) struct Sourced<T> {
    pub(super) value: T,
    key: String,
    at: usize,
}

impl<T: Clone> Sourced<T> {
    /// The value, or `usual` if the key is not in the file.
    pub(super) fn or(sourced: &Option<Self>, usual: T) -> T {
        sourced.as_ref().map_or(usual, |sourced| sourced.value.clone())
    }
}

/// One table of the document; empty if it is not in the file.
pub(super) struct Section<'a> {
    text: &'a str,
    file: &'a str,
    /// Names of the tables down to this one, joined by dots; empty for the document itself.
    path: String,
    at: usize,
    entries: Vec<KeyValue<'a>>,
    /// The keys that were asked for, each with the one that has taken its place where it is an old one. An
    /// error about an unknown key names the nearest, by what it is called today.
    known: Vec<(String, Option<&'static str>)>,
    /// What is accepted but should be mended, each a sentence.
    warnings: Vec<String>,
}

struct KeyValue<'a> {
    key: String,
    key_at: usize,
    value: DeValue<'a>,
    value_span: Range<usize>,
}

impl<'a> Section<'a> {
    /// The whole document.
    pub(super) fn root(text: &'a str, file: &'a str) -> Result<Self, ConfigError> {
        let table = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(text.len()..text.len());
            let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
            if message != "duplicate key" {
                return ConfigError::not_toml(file, text, span.start, message);
            }
            let (file, line) = (file.to_owned(), line(text, span.start));
            let key = text.get(span).unwrap_or("this key").to_owned();
            ConfigError::Value { file, line, key, problem: "is there already; keep one of the two".into() }
        })?;
        Ok(Self::new(text, file, String::new(), 0, table.into_inner()))
    }

    fn new(text: &'a str, file: &'a str, path: String, at: usize, table: DeTable<'a>) -> Self {
        let mut entries: Vec<KeyValue<'a>> = table
            .into_iter()
            .map(|(key, value)| KeyValue {
                key_at: key.span().start,
                key: key.into_inner().into_owned(),
                value_span: value.span(),
                value: Spanned::into_inner(value),
            })
            .collect();
        // In the order of the file, so that the first mistake is the one that is named.
        entries.sort_by_key(|entry| entry.key_at);
        Self { text, file, path, at, entries, known: Vec::new(), warnings: Vec::new() }
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    fn error(&self, at: usize, key: String, problem: String) -> ConfigError {
        ConfigError::Value { file: self.file.into(), line: line(self.text, at), key, problem }
    }

    /// An error about the value `sourced`.
    pub(super) fn refuse<T>(&self, sourced: &Sourced<T>, problem: String) -> ConfigError {
        self.error(sourced.at, sourced.key.clone(), problem)
    }

    /// Notes that the value `sourced` is accepted but should be mended.
    pub(super) fn warn<T>(&mut self, sourced: &Sourced<T>, problem: String) {
        let warning = self.refuse(sourced, problem);
        self.warnings.push(warning.to_string());
    }

    /// Notes that the whole section is accepted but should be mended.
    pub(super) fn warn_whole(&mut self, problem: String) {
        let warning = self.refuse_whole(problem);
        self.warnings.push(warning.to_string());
    }

    /// As [`refuse`](Self::refuse), or about the whole section if the key is not in the file.
    pub(super) fn refuse_any<T>(&self, sourced: &Option<Sourced<T>>, problem: String) -> ConfigError {
        match sourced {
            Some(sourced) => self.refuse(sourced, problem),
            None => self.refuse_whole(problem),
        }
    }

    /// An error about the whole section.
    pub(super) fn refuse_whole(&self, problem: String) -> ConfigError {
        self.error(self.at, self.path.clone(), problem)
    }

    /// An error about a key that is not in the file.
    pub(super) fn refuse_key(&self, key: &str, problem: String) -> ConfigError {
        self.error(self.at, self.full(key), problem)
    }

    fn take(&mut self, key: &str) -> Option<KeyValue<'a>> {
        self.known.push((key.into(), None));
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(index))
    }

    fn wrong_type(&self, entry: &KeyValue<'a>, wanted: impl Display) -> ConfigError {
        let kind = match entry.value {
            DeValue::String(_) => "text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(true) => "true",
            DeValue::Boolean(false) => "false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.error(entry.key_at, self.full(&entry.key), format!("is {kind}; use {wanted}"))
    }

    /// A value as it stands in the file; a long one is cut.
    fn written(&self, entry: &KeyValue<'a>) -> String {
        let written = self.text.get(entry.value_span.clone()).unwrap_or("that");
        let line: String = written.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.chars().count() > 40 { line.chars().take(40).chain(['…']).collect() } else { line }
    }

    fn sourced<T>(&self, entry: &KeyValue<'a>, value: T) -> Sourced<T> {
        Sourced { value, key: self.full(&entry.key), at: entry.key_at }
    }

    /// Takes the table `key`; an empty one if it is not in the file.
    pub(super) fn section(&mut self, key: &str) -> Result<Section<'a>, ConfigError> {
        let empty = Self::new(self.text, self.file, self.full(key), self.at, DeTable::new());
        Ok(self.optional_section(key)?.unwrap_or(empty))
    }

    /// Takes the table `key`, if it is in the file.
    pub(super) fn optional_section(&mut self, key: &str) -> Result<Option<Section<'a>>, ConfigError> {
        let path = self.full(key);
        let Some(entry) = self.take(key) else { return Ok(None) };
        match entry.value {
            DeValue::Table(table) => Ok(Some(Self::new(self.text, self.file, path, entry.key_at, table))),
            _ if is_list_of_tables(&entry.value) => Err(self.in_two_brackets(&entry)),
            _ => Err(self.wrong_type(&entry, format!("a section [{path}]"))),
        }
    }

    /// An error about a section that is written as one of many.
    fn in_two_brackets(&self, entry: &KeyValue<'a>) -> ConfigError {
        let path = self.full(&entry.key);
        let problem =
            format!("is written as [[{path}]], one of several; write it once, in single brackets: [{path}]");
        self.error(entry.key_at, path, problem)
    }

    /// Takes the sections `[[key]]`, in the order of the file.
    pub(super) fn list(&mut self, key: &str) -> Result<Vec<Section<'a>>, ConfigError> {
        let path = self.full(key);
        let Some(entry) = self.take(key) else { return Ok(Vec::new()) };
        if matches!(entry.value, DeValue::Table(_)) {
            let problem = format!(
                "is written as [{path}]; there can be several, so write it in double brackets: [[{path}]]"
            );
            return Err(self.error(entry.key_at, path, problem));
        }
        let DeValue::Array(items) = entry.value else {
            return Err(self.wrong_type(&entry, format!("sections [[{path}]]")));
        };
        let section = |item: Spanned<DeValue<'a>>| {
            let at = item.span().start;
            match Spanned::into_inner(item) {
                DeValue::Table(table) => Ok(Self::new(self.text, self.file, path.clone(), at, table)),
                _ => {
                    let problem = format!("has an item that is not a section; use sections [[{path}]]");
                    Err(self.error(at, path.clone(), problem))
                }
            }
        };
        items.into_iter().map(section).collect()
    }

    /// Takes all tables that are left, with their names, in the order of the file.
    pub(super) fn tables(&mut self) -> Result<Vec<(String, Section<'a>)>, ConfigError> {
        let (tables, rest) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|entry| matches!(entry.value, DeValue::Table(_)));
        self.entries = rest;
        if let Some(entry) = self.entries.iter().find(|entry| is_list_of_tables(&entry.value)) {
            return Err(self.in_two_brackets(entry));
        }
        let sections = Vec::into_iter(tables).filter_map(|entry| {
            let path = self.full(&entry.key);
            let DeValue::Table(table) = entry.value else { return None };
            Some((entry.key, Self::new(self.text, self.file, path, entry.key_at, table)))
        });
        Ok(sections.collect())
    }

    /// Takes text that is not empty.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<Sourced<String>>, ConfigError> {
        self.text_of(key, "text in quotes")
    }

    /// As [`text`](Self::text); anything else is told to be `wanted`.
    pub(super) fn text_of(
        &mut self,
        key: &str,
        wanted: &str,
    ) -> Result<Option<Sourced<String>>, ConfigError> {
        let Some(entry) = self.take(key) else { return Ok(None) };
        match &entry.value {
            DeValue::String(text) if text.trim().is_empty() => {
                let problem = "is empty; write a value, or remove the line for the default".into();
                Err(self.error(entry.key_at, self.full(key), problem))
            }
            DeValue::String(text) => Ok(Some(self.sourced(&entry, text.to_string()))),
            _ => Err(self.wrong_type(&entry, wanted)),
        }
    }

    /// Takes text that may be empty.
    pub(super) fn text_or_empty(&mut self, key: &str) -> Result<Option<Sourced<String>>, ConfigError> {
        let Some(entry) = self.take(key) else { return Ok(None) };
        match &entry.value {
            DeValue::String(text) => Ok(Some(self.sourced(&entry, text.to_string()))),
            _ => Err(self.wrong_type(&entry, "text in quotes")),
        }
    }

    /// Takes a list of texts; anything else is told to be a list of `wanted`.
    pub(super) fn texts(
        &mut self,
        key: &str,
        wanted: &str,
    ) -> Result<Option<Sourced<Vec<String>>>, ConfigError> {
        let Some(entry) = self.take(key) else { return Ok(None) };
        let DeValue::Array(items) = &entry.value else {
            return Err(self.wrong_type(&entry, format!("a list of {wanted}")));
        };
        let text = |item: &Spanned<DeValue<'a>>| match item.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => None,
        };
        match items.iter().map(text).collect() {
            Some(texts) => Ok(Some(self.sourced(&entry, texts))),
            None => {
                let problem = format!("is a list of other things than texts; use a list of {wanted}");
                Err(self.error(entry.key_at, self.full(&entry.key), problem))
            }
        }
    }

    /// Takes true or false.
    pub(super) fn truth(&mut self, key: &str) -> Result<Option<bool>, ConfigError> {
        let Some(entry) = self.take(key) else { return Ok(None) };
        match &entry.value {
            DeValue::Boolean(truth) => Ok(Some(*truth)),
            _ => Err(self.wrong_type(&entry, "true or false, without quotes")),
        }
    }

    /// Takes one of several words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, ConfigError> {
        Ok(self.sourced_choice(key, words)?.map(|choice| choice.value))
    }

    /// As [`choice`](Self::choice), with the place of the word.
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

    /// Takes a number within `range`.
    pub(super) fn number(
        &mut self,
        key: &str,
        range: RangeInclusive<f64>,
    ) -> Result<Option<Sourced<f64>>, ConfigError> {
        let wanted = format!("a number from {} to {}", range.start(), range.end());
        self.read(key, wanted, |value| as_number(value).filter(|number| range.contains(number)))
    }

    /// Takes a whole number within `range`.
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

    /// As [`whole`](Self::whole), for a key that is still read though `today` has taken its place.
    pub(super) fn old_whole(
        &mut self,
        key: &str,
        range: RangeInclusive<u32>,
        today: &'static str,
    ) -> Result<Option<Sourced<u32>>, ConfigError> {
        let whole = self.whole(key, range)?;
        if let Some((_, place)) = self.known.last_mut() {
            *place = Some(today);
        }
        Ok(whole)
    }

    /// Takes a whole number within `range`, or `word`, which is `None`.
    pub(super) fn whole_or(
        &mut self,
        key: &str,
        range: RangeInclusive<u32>,
        word: &str,
    ) -> Result<Option<Sourced<Option<u32>>>, ConfigError> {
        let is_word = |entry: &&KeyValue<'a>| {
            entry.key == key && matches!(&entry.value, DeValue::String(text) if text == word)
        };
        if self.entries.iter().any(|entry| is_word(&entry)) {
            return Ok(self.take(key).map(|entry| self.sourced(&entry, None)));
        }
        let whole = self.whole(key, range)?;
        Ok(whole.map(|Sourced { value, key, at }| Sourced { value: Some(value), key, at }))
    }

    /// Takes a list of points, each two numbers from 0 to 1.
    pub(super) fn points(&mut self, key: &str) -> Result<Option<Sourced<Vec<Point>>>, ConfigError> {
        const WANTED: &str =
            "a list of points, each two numbers from 0 to 1, such as [[0, 0], [0.5, 0], [0.5, 1]]";
        let Some(entry) = self.take(key) else { return Ok(None) };
        let DeValue::Array(items) = &entry.value else { return Err(self.wrong_type(&entry, WANTED)) };
        let points: Option<Vec<Point>> = items.iter().map(|item| as_point(item.get_ref())).collect();
        match points {
            Some(points) => Ok(Some(self.sourced(&entry, points))),
            None => {
                let problem = format!("has a point that is none; use {WANTED}");
                Err(self.error(entry.key_at, self.full(key), problem))
            }
        }
    }

    /// Takes a time whose seconds are within `range`.
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

    /// Refuses keys that were not asked for; returns what should be mended.
    pub(super) fn finish(self) -> Result<Vec<String>, ConfigError> {
        let Some(entry) = self.entries.first() else { return Ok(self.warnings) };
        let distances =
            self.known.iter().map(|(known, today)| (levenshtein(known, &entry.key), known, today));
        let problem = match distances.min_by_key(|(distance, ..)| *distance) {
            Some((distance, nearest, today)) if distance <= nearest.len().min(entry.key.len()) / 2 => {
                format!("is not known; did you mean {}?", today.unwrap_or(nearest))
            }
            _ if self.known.is_empty() => "is not known; remove it".to_owned(),
            _ => {
                let today = self.known.iter().filter(|(_, today)| today.is_none());
                let keys: Vec<&str> = today.map(|(key, _)| key.as_str()).collect();
                format!("is not known; use {}, or remove it", keys.join(", "))
            }
        };
        Err(self.error(entry.key_at, self.full(&entry.key), problem))
    }
}

/// Whether a value is what double brackets make.
fn is_list_of_tables(value: &DeValue<'_>) -> bool {
    let DeValue::Array(items) = value else { return false };
    !items.is_empty() && items.iter().all(|item| matches!(item.get_ref(), DeValue::Table(_)))
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

fn as_point(value: &DeValue<'_>) -> Option<Point> {
    let DeValue::Array(pair) = value else { return None };
    let mut numbers = pair.iter().map(|number| as_number(number.get_ref()));
    let (x, y) = (numbers.next()??, numbers.next()??);
    let within = |number: f64| (0.0..=1.0).contains(&number);
    let point = Point { x: x as f32, y: y as f32 };
    (numbers.next().is_none() && within(x) && within(y)).then_some(point)
}
