//! Several TOML documents, laid over each other key by key. A later document goes before an earlier one: its
//! tables add to the earlier ones, its sections `[[name]]` follow the earlier ones, and any other value takes
//! the place of the earlier one. Each value remembers where it stands. Nothing here knows what the keys mean.

use super::error::{ConfigError, line};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of one document and the name of its file.
#[derive(Debug, Clone, Copy)]
pub(super) struct SourceText<'a> {
    pub(super) text: &'a str,
    pub(super) file: &'a str,
}

/// The documents, in the order in which they are laid over each other.
pub(super) type SourceTexts<'a> = Rc<[SourceText<'a>]>;

/// A place in one of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct TextPlace {
    /// Which document.
    pub(super) source: usize,
    /// The byte in its text.
    pub(super) at: usize,
}

impl TextPlace {
    /// The name of the file and the line, counted from 1.
    pub(super) fn name(self, texts: &SourceTexts<'_>) -> (String, usize) {
        // Every place is that of a document of the list.
        let Some(SourceText { text, file }) = texts.get(self.source) else { return (String::new(), 1) };
        ((*file).to_owned(), line(text, self.at))
    }
}

/// What one document says of a table.
pub(super) struct Layer<'a> {
    place: TextPlace,
    table: DeTable<'a>,
}

/// A value that may come from several documents.
pub(super) enum Value<'a> {
    /// A value that is no table, or a list that is not of tables alone.
    Plain(DeValue<'a>),
    /// A table.
    Table(Vec<Layer<'a>>),
    /// Sections `[[name]]`, each of one document.
    List(Vec<Layer<'a>>),
}

/// A key and its value.
pub(super) struct KeyValue<'a> {
    pub(super) key: String,
    /// Where the key stands; of a table, in the first document that has it.
    pub(super) place: TextPlace,
    pub(super) value: Value<'a>,
    /// Where the value stands in the same document.
    pub(super) span: Range<usize>,
}

impl<'a> Layer<'a> {
    /// Where it begins.
    pub(super) fn place(&self) -> TextPlace {
        self.place
    }

    fn entries(self) -> Vec<KeyValue<'a>> {
        let source = self.place.source;
        let entry = |(key, value): (Spanned<_>, Spanned<DeValue<'a>>)| {
            let (place, span) = (TextPlace { source, at: key.span().start }, value.span());
            let key = std::borrow::Cow::into_owned(Spanned::into_inner(key));
            KeyValue { key, place, value: Value::of(source, place, value), span }
        };
        let mut entries: Vec<KeyValue<'a>> = self.table.into_iter().map(entry).collect();
        // In the order of the file, so that the first mistake is the one that is named.
        entries.sort_by_key(|entry| entry.place);
        entries
    }
}

impl<'a> Value<'a> {
    fn of(source: usize, place: TextPlace, value: Spanned<DeValue<'a>>) -> Self {
        let is_table = |item: &Spanned<DeValue<'a>>| matches!(item.get_ref(), DeValue::Table(_));
        match Spanned::into_inner(value) {
            DeValue::Table(table) => Self::Table(vec![Layer { place, table }]),
            DeValue::Array(items) if !items.is_empty() && items.iter().all(is_table) => {
                let layer = |item: Spanned<DeValue<'a>>| {
                    let place = TextPlace { source, at: item.span().start };
                    let DeValue::Table(table) = Spanned::into_inner(item) else { return None };
                    Some(Layer { place, table })
                };
                Self::List(items.into_iter().filter_map(layer).collect())
            }
            value => Self::Plain(value),
        }
    }
}

/// Reads every document, and lays them over each other: the tables of the whole.
pub(super) fn read<'a>(texts: &SourceTexts<'a>) -> Result<Vec<Layer<'a>>, ConfigError> {
    texts.iter().enumerate().map(|(source, text)| Ok(layer(source, parse(text)?))).collect()
}

fn layer(source: usize, table: DeTable<'_>) -> Layer<'_> {
    Layer { place: TextPlace { source, at: 0 }, table }
}

fn parse<'a>(source: &SourceText<'a>) -> Result<DeTable<'a>, ConfigError> {
    let SourceText { text, file } = *source;
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
    Ok(table.into_inner())
}

/// The keys of one table, which these documents describe, in the order in which they came up first.
pub(super) fn entries(layers: Vec<Layer<'_>>) -> Vec<KeyValue<'_>> {
    let mut layers = layers.into_iter();
    let mut all = layers.next().map(Layer::entries).unwrap_or_default();
    let mut known = BTreeMap::new();
    for layer in layers {
        if known.is_empty() {
            known.extend(all.iter().enumerate().map(|(index, entry)| (entry.key.clone(), index)));
        }
        for entry in layer.entries() {
            let index = known.get(&entry.key).copied();
            match index.and_then(|index: usize| all.get_mut(index)) {
                Some(before) => lay_over(before, entry),
                None => {
                    known.insert(entry.key.clone(), all.len());
                    all.push(entry);
                }
            }
        }
    }
    all
}

fn lay_over<'a>(before: &mut KeyValue<'a>, entry: KeyValue<'a>) {
    match (&mut before.value, entry) {
        (Value::Table(below), KeyValue { value: Value::Table(above), .. })
        | (Value::List(below), KeyValue { value: Value::List(above), .. }) => below.extend(above),
        (_, entry) => *before = entry,
    }
}
