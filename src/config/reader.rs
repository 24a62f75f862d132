//! Reads the tables of a TOML document key by key. Each key is taken out and checked; a key that is left in
//! the end is unknown. Nothing here knows what the keys mean.

use super::error::ConfigError;
use super::layers::{self, KeyValue, Layer, SourceText, SourceTexts, TextPlace, Value};
use crate::geometry::Point;
use crate::text::{LONGEST_QUOTE, shortened};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;
use strsim::levenshtein;
use toml::Spanned;
use toml::de::DeValue;

/// A value with its key and its place in the file.
pub(super) struct Sourced<T> {
    pub(super) value: T,
    key: String,
    place: TextPlace,
}

impl<T> Sourced<T> {
    /// Another value for the same key.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Sourced<U> {
        let Self { value, key, place } = self;
        Sourced { value: change(value), key, place }
    }
}

impl<T: Clone> Sourced<T> {
    /// The value, or `usual` if the key is not in the file.
    pub(super) fn or(sourced: &Option<Self>, usual: T) -> T {
        sourced.as_ref().map_or(usual, |sourced| sourced.value.clone())
    }
}

/// One table of the document; empty if it is not in the file.
pub(super) struct Section<'a> {
    texts: SourceTexts<'a>,
    /// Names of the tables down to this one, joined by dots; empty for the document itself.
    path: String,
    place: TextPlace,
    entries: Vec<KeyValue<'a>>,
    /// The keys that were asked for, each with the one that has taken its place where it is an old one. An
    /// error about an unknown key names the nearest, by what it is called today.
    known: Vec<(String, Option<&'static str>)>,
    /// What is accepted but should be mended, each a sentence.
    warnings: Vec<String>,
}

impl<'a> Section<'a> {
    /// The whole document `text`.
    pub(super) fn root(text: &'a str, file: &'a str) -> Result<Self, ConfigError> {
        Self::merged(&[SourceText { text, file }])
    }

    /// The whole of several documents, of which a later one goes before an earlier one.
    pub(super) fn merged(texts: &[SourceText<'a>]) -> Result<Self, ConfigError> {
        let texts = texts.into();
        let layers = layers::read(&texts)?;
        Ok(Self::new(&texts, String::new(), TextPlace::default(), layers))
    }

    fn new(texts: &SourceTexts<'a>, path: String, place: TextPlace, layers: Vec<Layer<'a>>) -> Self {
        let entries = layers::entries(layers);
        Self { texts: texts.clone(), path, place, entries, known: Vec::new(), warnings: Vec::new() }
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    fn error(&self, place: TextPlace, key: String, problem: String) -> ConfigError {
        let (file, line) = place.name(&self.texts);
        // A name or key may be as long as the file.
        let key = shortened(&key, LONGEST_QUOTE).into_owned();
        ConfigError::Value { file, line, key, problem }
    }

    /// An error about the value `sourced`.
    pub(super) fn refuse<T>(&self, sourced: &Sourced<T>, problem: String) -> ConfigError {
        self.error(sourced.place, sourced.key.clone(), problem)
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
        self.error(self.place, self.path.clone(), problem)
    }

    /// An error about a key that is not in the file.
    pub(super) fn refuse_key(&self, key: &str, problem: String) -> ConfigError {
        self.error(self.place, self.full(key), problem)
    }

    fn take(&mut self, key: &str) -> Option<KeyValue<'a>> {
        self.known.push((key.into(), None));
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(index))
    }

    fn wrong_type(&self, entry: &KeyValue<'a>, wanted: impl Display) -> ConfigError {
        let kind = match entry.value {
            Value::Plain(DeValue::String(_)) => "text",
            Value::Plain(DeValue::Integer(_) | DeValue::Float(_)) => "a number",
            Value::Plain(DeValue::Boolean(true)) => "true",
            Value::Plain(DeValue::Boolean(false)) => "false",
            Value::Plain(DeValue::Datetime(_)) => "a date",
            Value::Plain(DeValue::Array(_)) | Value::List(_) => "a list",
            Value::Plain(DeValue::Table(_)) | Value::Table(_) => "a table",
        };
        self.error(entry.place, self.full(&entry.key), format!("is {kind}; use {wanted}"))
    }

    /// A value as it stands in the file; a long one is cut.
    fn written(&self, entry: &KeyValue<'a>) -> String {
        let text = self.texts.get(entry.place.source).and_then(|source| source.text.get(entry.span.clone()));
        let written = text.unwrap_or("that");
        let line: String = written.split_whitespace().collect::<Vec<_>>().join(" ");
        shortened(&line, 40).into_owned()
    }

    fn sourced<T>(&self, entry: &KeyValue<'a>, value: T) -> Sourced<T> {
        Sourced { value, key: self.full(&entry.key), place: entry.place }
    }

    /// Takes the table `key`; an empty one if it is not in the file.
    pub(super) fn section(&mut self, key: &str) -> Result<Section<'a>, ConfigError> {
        let empty = Self::new(&self.texts, self.full(key), self.place, Vec::new());
        Ok(self.optional_section(key)?.unwrap_or(empty))
    }

    /// Takes the table `key`, if it is in the file.
    pub(super) fn optional_section(&mut self, key: &str) -> Result<Option<Section<'a>>, ConfigError> {
        let path = self.full(key);
        let Some(entry) = self.take(key) else { return Ok(None) };
        match entry.value {
            Value::Table(layers) => Ok(Some(Self::new(&self.texts, path, entry.place, layers))),
            Value::List(_) => Err(self.in_two_brackets(&entry)),
            _ => Err(self.wrong_type(&entry, format!("a section [{path}]"))),
        }
    }

    /// An error about a section that is written as one of many.
    fn in_two_brackets(&self, entry: &KeyValue<'a>) -> ConfigError {
        let path = self.full(&entry.key);
        let problem =
            format!("is written as [[{path}]], one of several; write it once, in single brackets: [{path}]");
        self.error(entry.place, path, problem)
    }

    /// Takes the sections `[[key]]`, in the order of the file.
    pub(super) fn list(&mut self, key: &str) -> Result<Vec<Section<'a>>, ConfigError> {
        let path = self.full(key);
        let Some(entry) = self.take(key) else { return Ok(Vec::new()) };
        match entry.value {
            Value::List(layers) => {
                let section =
                    |layer: Layer<'a>| Self::new(&self.texts, path.clone(), layer.place(), vec![layer]);
                Ok(layers.into_iter().map(section).collect())
            }
            Value::Table(_) => {
                let problem = format!(
                    "is written as [{path}]; there can be several, so write it in double brackets: [[{path}]]"
                );
                Err(self.error(entry.place, path, problem))
            }
            Value::Plain(DeValue::Array(items)) => {
                let is_other = |item: &&Spanned<DeValue<'a>>| !matches!(item.get_ref(), DeValue::Table(_));
                let Some(other) = items.iter().find(is_other) else { return Ok(Vec::new()) };
                let problem = format!("has an item that is not a section; use sections [[{path}]]");
                Err(self.error(TextPlace { at: other.span().start, ..entry.place }, path, problem))
            }
            Value::Plain(_) => Err(self.wrong_type(&entry, format!("sections [[{path}]]"))),
        }
    }

    /// Takes all tables that are left, with their names, in the order of the file.
    pub(super) fn tables(&mut self) -> Result<Vec<(String, Section<'a>)>, ConfigError> {
        let (tables, rest) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|entry| matches!(entry.value, Value::Table(_)));
        self.entries = rest;
        if let Some(entry) = self.entries.iter().find(|entry| matches!(entry.value, Value::List(_))) {
            return Err(self.in_two_brackets(entry));
        }
        let sections = Vec::into_iter(tables).filter_map(|entry| {
            let path = self.full(&entry.key);
            let Value::Table(layers) = entry.value else { return None };
            Some((entry.key, Self::new(&self.texts, path, entry.place, layers)))
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
            Value::Plain(DeValue::String(text)) if text.trim().is_empty() => {
                let problem = "is empty; write a value, or remove the line for the default".into();
                Err(self.error(entry.place, self.full(key), problem))
            }
            Value::Plain(DeValue::String(text)) => Ok(Some(self.sourced(&entry, text.to_string()))),
            _ => Err(self.wrong_type(&entry, wanted)),
        }
    }

    /// Takes text that may be empty.
    pub(super) fn text_or_empty(&mut self, key: &str) -> Result<Option<Sourced<String>>, ConfigError> {
        let Some(entry) = self.take(key) else { return Ok(None) };
        match &entry.value {
            Value::Plain(DeValue::String(text)) => Ok(Some(self.sourced(&entry, text.to_string()))),
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
        let Value::Plain(DeValue::Array(items)) = &entry.value else {
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
                Err(self.error(entry.place, self.full(&entry.key), problem))
            }
        }
    }

    /// Takes true or false.
    pub(super) fn truth(&mut self, key: &str) -> Result<Option<bool>, ConfigError> {
        let Some(entry) = self.take(key) else { return Ok(None) };
        match &entry.value {
            Value::Plain(DeValue::Boolean(truth)) => Ok(Some(*truth)),
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
        let Value::Plain(DeValue::String(text)) = &entry.value else {
            return Err(self.wrong_type(&entry, format!("one of {choices}")));
        };
        match words.iter().find(|(word, _)| *word == text.as_ref()) {
            Some((_, value)) => Ok(Some(self.sourced(&entry, *value))),
            None => {
                let problem = format!("is {}; use one of {choices}", self.written(&entry));
                Err(self.error(entry.place, self.full(key), problem))
            }
        }
    }

    /// Takes a list of words; each counts once.
    pub(super) fn choices<T: Copy + PartialEq>(
        &mut self,
        key: &str,
        words: &[(&str, T)],
    ) -> Result<Option<Vec<T>>, ConfigError> {
        let known = words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        let Some(texts) = self.texts(key, &format!("{known}, or [] for none"))? else { return Ok(None) };
        let mut chosen = Vec::new();
        for text in &texts.value {
            let Some((_, value)) = words.iter().find(|(word, _)| word == text) else {
                let shown = shortened(text, LONGEST_QUOTE);
                return Err(self.refuse(&texts, format!("has \"{shown}\"; use a list of {known}")));
            };
            if !chosen.contains(value) {
                chosen.push(*value);
            }
        }
        Ok(Some(chosen))
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
            entry.key == key && matches!(&entry.value, Value::Plain(DeValue::String(text)) if text == word)
        };
        if self.entries.iter().any(|entry| is_word(&entry)) {
            return Ok(self.take(key).map(|entry| self.sourced(&entry, None)));
        }
        let whole = self.whole(key, range)?;
        Ok(whole.map(|whole| whole.map(Some)))
    }

    /// Takes a list of points, each two numbers from 0 to 1.
    pub(super) fn points(&mut self, key: &str) -> Result<Option<Sourced<Vec<Point>>>, ConfigError> {
        const WANTED: &str =
            "a list of points, each two numbers from 0 to 1, such as [[0, 0], [0.5, 0], [0.5, 1]]";
        let Some(entry) = self.take(key) else { return Ok(None) };
        let Value::Plain(DeValue::Array(items)) = &entry.value else {
            return Err(self.wrong_type(&entry, WANTED));
        };
        let points: Option<Vec<Point>> = items.iter().map(|item| as_point(item.get_ref())).collect();
        match points {
            Some(points) => Ok(Some(self.sourced(&entry, points))),
            None => {
                let problem = format!("has a point that is none; use {WANTED}");
                Err(self.error(entry.place, self.full(key), problem))
            }
        }
    }

    /// Takes a time whose seconds are within `range`.
    pub(super) fn seconds(
        &mut self,
        key: &str,
        range: RangeInclusive<f64>,
    ) -> Result<Option<Sourced<Duration>>, ConfigError> {
        Ok(self.number(key, range)?.map(|seconds| seconds.map(Duration::from_secs_f64)))
    }

    fn read<T>(
        &mut self,
        key: &str,
        wanted: String,
        check: impl Fn(&DeValue<'a>) -> Option<T>,
    ) -> Result<Option<Sourced<T>>, ConfigError> {
        let Some(entry) = self.take(key) else { return Ok(None) };
        let Value::Plain(value @ (DeValue::Integer(_) | DeValue::Float(_))) = &entry.value else {
            return Err(self.wrong_type(&entry, wanted));
        };
        match check(value) {
            Some(value) => Ok(Some(self.sourced(&entry, value))),
            None => {
                let problem = format!("is {}; use {wanted}", self.written(&entry));
                Err(self.error(entry.place, self.full(key), problem))
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
        Err(self.error(entry.place, self.full(&entry.key), problem))
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

fn as_point(value: &DeValue<'_>) -> Option<Point> {
    let DeValue::Array(pair) = value else { return None };
    let mut numbers = pair.iter().map(|number| as_number(number.get_ref()));
    let (x, y) = (numbers.next()??, numbers.next()??);
    let within = |number: f64| (0.0..=1.0).contains(&number);
    let point = Point { x: x as f32, y: y as f32 };
    (numbers.next().is_none() && within(x) && within(y)).then_some(point)
}
