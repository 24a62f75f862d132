//! A configuration written out: the effective values with their origins, or only those that differ from the
//! defaults. What is printed is a configuration again that means the same, but for masked credentials.

use super::document::{Config, DOCUMENTED};
use super::error::ConfigError;
use super::files::ConfigFiles;
use super::layers::{self, KeyValue, Layer, SourceText, SourceTexts, TextPlace, Value};
use crate::source::masked;
use crate::text::{escaped_toml, flattened};
use toml::de::DeValue;

/// The defaults of tables of which the documented file shows none, or only an example.
const BUTTON: &str = "active = \"low\"\nsilence_seconds = 60.0\npause_seconds = 600.0\n";
const HOOK: &str = "timeout_seconds = 10.0\n";
const OUTPUT: &str = "active = \"high\"\nkind = \"led\"\nidle = \"off\"\npass = \"off\"\nlook = \"off\"\nincorrect = \"off\"\n\
                      alert = \"off\"\nfault = \"off\"\npass_hold = \"off\"\n";
const PASSIVE_BUZZER: &str = "tone_hz = 2700\npwm = \"auto\"\n";
const QUIET: &str =
    "days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]\nmode = \"silent\"\n";
const ZONE: &str = "kind = \"count\"\nmin_face = 0.0\nmax_face = 1.0\n";
/// Older keys that are still read, and those whose default they take the place of.
const OLDER: [(&str, &str); 2] = [("votes", "evidence_seconds"), ("window", "window_seconds")];

/// Which values are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownValues {
    /// All of them.
    All,
    /// Those that differ from the defaults.
    Changed,
}

/// The configuration of `files`, or the defaults if there are none, as TOML. Behind each value stands where
/// it comes from.
///
/// # Errors
/// [`ConfigError`], if the configuration is refused.
pub fn show(files: Option<&ConfigFiles>, shown: ShownValues) -> Result<String, ConfigError> {
    let given = match files {
        Some(files) => {
            Config::of_files(files)?;
            table(&files.texts())?
        }
        None => Vec::new(),
    };
    let usual = table(&[SourceText { text: DOCUMENTED, file: "" }])?;
    let all = with_defaults(given, usual)?;
    let mut text = String::new();
    print(&all, "", shown, &mut text);
    if text.is_empty() {
        text.push_str("# nothing differs from the defaults\n");
    }
    Ok(text.trim_start().to_owned())
}

/// A key of a table.
struct ShownKey {
    key: String,
    node: Node,
}

/// What stands behind a key.
enum Node {
    /// A value as it is written, where it stands if it is not a default, and its default if there is one.
    Value { written: String, origin: Option<String>, usual: Option<String> },
    /// A table, and whether it says something though it may be empty.
    Table { keys: Vec<ShownKey>, counts: bool },
    /// Sections `[[name]]`.
    List(Vec<Vec<ShownKey>>),
}

/// The keys of the whole of several documents.
fn table(texts: &[SourceText<'_>]) -> Result<Vec<ShownKey>, ConfigError> {
    let texts: SourceTexts<'_> = texts.into();
    Ok(keys(layers::read(&texts)?, &texts))
}

fn keys(layers: Vec<Layer<'_>>, texts: &SourceTexts<'_>) -> Vec<ShownKey> {
    let origin = |place: TextPlace| {
        let (file, line) = place.name(texts);
        format!("{file} line {line}")
    };
    let shown = |KeyValue { key, place, value, .. }: KeyValue<'_>| {
        let node = match value {
            Value::Plain(value) => {
                Node::Value { written: written(&value), origin: Some(origin(place)), usual: None }
            }
            Value::Table(layers) => Node::Table { keys: keys(layers, texts), counts: false },
            Value::List(layers) => {
                Node::List(layers.into_iter().map(|layer| keys(vec![layer], texts)).collect())
            }
        };
        ShownKey { key, node }
    };
    layers::entries(layers).into_iter().map(shown).collect()
}

/// A value as TOML on one line, with `***` for the credentials of addresses in it.
fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(&masked(text)),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(moment) => moment.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| written(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        // No key has tables in a list.
        DeValue::Table(_) => "{}".to_owned(),
    }
}

/// Text in double quotes, in which nothing is hidden.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped_toml(&escaped))
}

fn bare_or_quoted(key: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !key.is_empty() && key.bytes().all(is_bare) { key.to_owned() } else { quoted(key) }
}

/// The configuration `given`, with the defaults for what it leaves out.
fn with_defaults(given: Vec<ShownKey>, usual: Vec<ShownKey>) -> Result<Vec<ShownKey>, ConfigError> {
    let outputs = |keys: &[ShownKey]| keys.iter().find(|key| key.key == "outputs").map(ShownKey::tables);
    let (named, usually) = (outputs(&given).unwrap_or_default(), outputs(&usual).unwrap_or_default());
    let mut all = lay_over(given, usual);
    for ShownKey { key, node } in &mut all {
        match (key.as_str(), node) {
            ("decision", Node::Table { keys, .. }) => {
                for (older, today) in OLDER {
                    let is_older = keys.iter().any(|key| key.key == older);
                    keys.retain(|key| !(is_older && key.key == today && key.is_default()));
                }
            }
            // The tables of a file are all the outputs that there are.
            ("outputs", Node::Table { keys, .. }) => {
                keys.retain(|key| !key.is_table() || named.is_empty() || named.contains(&key.key));
                for output in keys.iter_mut() {
                    let Node::Table { keys, .. } = &mut output.node else { continue };
                    complete(keys, OUTPUT)?;
                    if keys.iter().any(|key| key.is_value("kind", "\"passive-buzzer\"")) {
                        complete(keys, PASSIVE_BUZZER)?;
                    }
                }
                let differs = named != usually || keys.iter().any(|key| key.is_table() && key.has_changed());
                for output in keys.iter_mut().filter(|_| !named.is_empty() && differs) {
                    if let Node::Table { counts, .. } = &mut output.node {
                        *counts = true;
                    }
                }
            }
            ("button", Node::Table { keys, .. }) => complete(keys, BUTTON)?,
            ("hook", Node::List(hooks)) => hooks.iter_mut().try_for_each(|keys| complete(keys, HOOK))?,
            ("quiet", Node::Table { keys, .. }) => complete_each(keys, QUIET)?,
            ("zones", Node::Table { keys, .. }) => complete_each(keys, ZONE)?,
            _ => {}
        }
    }
    Ok(all)
}

/// Gives each of these tables the defaults.
fn complete_each(tables: &mut [ShownKey], defaults: &str) -> Result<(), ConfigError> {
    for table in tables {
        if let Node::Table { keys, .. } = &mut table.node {
            complete(keys, defaults)?;
        }
    }
    Ok(())
}

/// Gives a table the defaults of the keys of which it does not know any.
fn complete(keys: &mut Vec<ShownKey>, defaults: &str) -> Result<(), ConfigError> {
    for default in table(&[SourceText { text: defaults, file: "" }])? {
        let Node::Value { written, .. } = default.node else { continue };
        match keys.iter_mut().find(|key| key.key == default.key) {
            Some(ShownKey { node: Node::Value { usual, .. }, .. }) => {
                usual.get_or_insert(written);
            }
            Some(_) => {}
            None => {
                let node = Node::Value { usual: Some(written.clone()), written, origin: None };
                keys.push(ShownKey { key: default.key, node });
            }
        }
    }
    Ok(())
}

/// The keys of `given`, and those of `usual` that are not among them: values in the order of the latter.
fn lay_over(given: Vec<ShownKey>, usual: Vec<ShownKey>) -> Vec<ShownKey> {
    let mut given: Vec<Option<ShownKey>> = given.into_iter().map(Some).collect();
    let mut known = Vec::new();
    for usual in usual {
        let is_it = |key: &Option<ShownKey>| key.as_ref().is_some_and(|key| key.key == usual.key);
        let place = given.iter_mut().find(|key| is_it(key));
        match (place, usual.node) {
            (Some(place), Node::Value { written, .. }) => {
                let mut key = place.take();
                if let Some(ShownKey { node: Node::Value { usual, .. }, .. }) = &mut key {
                    *usual = Some(written);
                }
                known.extend(key);
            }
            (
                Some(Some(ShownKey { node: Node::Table { keys, .. }, .. })),
                Node::Table { keys: usual, .. },
            ) => {
                *keys = lay_over(std::mem::take(keys), usual);
            }
            (Some(_), _) => {}
            (None, node) => known.push(ShownKey { key: usual.key, node: node.into_default() }),
        }
    }
    given.into_iter().flatten().chain(known).collect()
}

impl Node {
    /// The same as a default.
    fn into_default(self) -> Self {
        let default = |keys: Vec<ShownKey>| {
            keys.into_iter()
                .map(|ShownKey { key, node }| ShownKey { key, node: node.into_default() })
                .collect()
        };
        match self {
            Self::Value { written, .. } => {
                Self::Value { usual: Some(written.clone()), written, origin: None }
            }
            Self::Table { keys, counts, .. } => Self::Table { keys: default(keys), counts },
            Self::List(items) => Self::List(items.into_iter().map(default).collect()),
        }
    }
}

impl ShownKey {
    fn is_table(&self) -> bool {
        matches!(self.node, Node::Table { .. })
    }

    /// The names of the tables in this one.
    fn tables(&self) -> Vec<String> {
        let Node::Table { keys, .. } = &self.node else { return Vec::new() };
        keys.iter().filter(|key| key.is_table()).map(|key| key.key.clone()).collect()
    }

    fn is_value(&self, name: &str, is: &str) -> bool {
        self.key == name && matches!(&self.node, Node::Value { written, .. } if written == is)
    }

    fn is_default(&self) -> bool {
        matches!(self.node, Node::Value { origin: None, .. })
    }

    /// Whether anything in it differs from its default.
    fn has_changed(&self) -> bool {
        match &self.node {
            Node::Value { origin: None, .. } => false,
            Node::Value { written, usual, .. } => usual.as_ref().is_none_or(|usual| !is_same(written, usual)),
            Node::Table { keys, counts, .. } => *counts || keys.iter().any(Self::has_changed),
            Node::List(items) => !items.is_empty(),
        }
    }
}

/// Whether two values mean the same: 5 and 5.0 do.
fn is_same(one: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    one == other || number(one).is_some_and(|one| Some(one) == number(other))
}

/// Prints the values of a table, and then its tables.
fn print(keys: &[ShownKey], path: &str, shown: ShownValues, out: &mut String) {
    let joined = |key: &str| {
        let key = bare_or_quoted(key);
        if path.is_empty() { key } else { format!("{path}.{key}") }
    };
    for ShownKey { key, node } in keys {
        match node {
            Node::Value { .. } => {}
            Node::Table { keys, counts } => {
                let path = joined(key);
                print_values(keys, &format!("[{path}]"), *counts, shown, out);
                print(keys, &path, shown, out);
            }
            Node::List(items) => {
                let header = format!("[[{}]]", joined(key));
                items.iter().for_each(|keys| print_values(keys, &header, true, shown, out));
            }
        }
    }
}

/// Prints a header and the values below it; nothing if there are none, unless the header counts by itself.
fn print_values(keys: &[ShownKey], header: &str, counts: bool, shown: ShownValues, out: &mut String) {
    let is_shown = |key: &&ShownKey| shown == ShownValues::All || key.has_changed();
    let mut lines = String::new();
    for key in keys.iter().filter(is_shown) {
        let Node::Value { written, origin, usual } = &key.node else { continue };
        let mut comment = origin.as_deref().map_or("default".into(), flattened).into_owned();
        if let Some(usual) = usual.as_ref().filter(|_| shown == ShownValues::Changed) {
            comment += &format!("; default {usual}");
        }
        lines += &format!("{} = {written}  # {comment}\n", bare_or_quoted(&key.key));
    }
    if counts || !lines.is_empty() {
        out.push_str(&format!("\n{header}\n{lines}"));
    }
}

#[cfg(test)]
mod tests;
