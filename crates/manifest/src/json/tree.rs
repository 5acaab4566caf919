//! A JSON value as a tree whose numbers are the text they came as.

use std::fmt::Write as _;

use super::reader::{Event, Reader};
use super::{JsonError, JsonLimits};

/// A JSON value. Objects keep their order and are equal whatever it is.
#[derive(Debug, Clone, Default)]
pub enum Tree {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// The number as it was written, in JSON's grammar.
    Number(Box<str>),
    /// A string without its escapes.
    String(String),
    /// An array.
    Array(Vec<Tree>),
    /// Keys and values in their order; no key stands twice in what came from outside.
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// A number.
    pub fn number(number: impl Into<serde_json::Number>) -> Self {
        Self::Number(number.into().to_string().into())
    }

    /// The value of an object's key.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        match self {
            Self::Object(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The element of an array.
    pub fn at(&self, index: usize) -> Option<&Tree> {
        match self {
            Self::Array(items) => items.get(index),
            _ => None,
        }
    }

    /// The value at a JSON pointer (RFC 6901); `""` is the whole.
    pub fn pointer(&self, pointer: &str) -> Option<&Tree> {
        if pointer.is_empty() {
            return Some(self);
        }
        let rest = pointer.strip_prefix('/')?;
        rest.split('/').try_fold(self, |tree, token| match tree {
            Self::Object(_) => tree.get(&token.replace("~1", "/").replace("~0", "~")),
            Self::Array(_) if token == "0" || !token.starts_with(['0', '+']) => tree.at(token.parse().ok()?),
            _ => None,
        })
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number as it was written.
    pub fn as_number(&self) -> Option<&str> {
        match self {
            Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&[Tree]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of an object.
    pub fn as_object(&self) -> Option<&[(String, Tree)]> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The name of its type in JSON Schema's words.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// Compact JSON text.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => out.push_str(text),
            Self::String(text) => write_string(out, text),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_string(out, key);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// A copy for libraries that match on `serde_json::Value` (JSON Schema, JSONPath). Never to carry data through:
    /// integers within `i64`/`u64` stay exact, every other number is rounded to the nearest `f64`, and one beyond
    /// `f64` becomes its largest or smallest value, so that it stays a number.
    pub fn to_value(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(text) => Value::Number(nearest(text)),
            Self::String(text) => Value::String(text.clone()),
            Self::Array(items) => Value::Array(items.iter().map(Tree::to_value).collect()),
            Self::Object(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.to_value()))
                    .collect(),
            ),
        }
    }

    /// The tree of a value that a library or a literal made.
    pub fn from_value(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::number(number.clone()),
            Value::String(text) => Self::String(text.clone()),
            Value::Array(items) => Self::Array(items.iter().map(Self::from_value).collect()),
            Value::Object(entries) => Self::Object(
                entries
                    .iter()
                    .map(|(key, value)| (key.clone(), Self::from_value(value)))
                    .collect(),
            ),
        }
    }

    /// Reads a whole text. Containers wait on a stack of ours, so the text's depth never meets the thread's stack.
    pub(crate) fn read(text: &str, limits: JsonLimits) -> Result<Self, JsonError> {
        let mut reader = Reader::new(text, limits)?;
        let mut open: Vec<(Tree, Option<String>)> = Vec::new();
        let mut root = Tree::Null;
        while let Some(event) = reader.next()? {
            let value = match event {
                Event::Null => Tree::Null,
                Event::Bool(value) => Tree::Bool(value),
                Event::Number(text) => Tree::Number(text.into()),
                Event::String(text) => Tree::String(text.into_owned()),
                Event::Key(key) => {
                    if let Some((_, pending)) = open.last_mut() {
                        *pending = Some(key.into_owned());
                    }
                    continue;
                }
                Event::ArrayStart => {
                    open.push((Tree::Array(Vec::new()), None));
                    continue;
                }
                Event::ObjectStart => {
                    open.push((Tree::Object(Vec::new()), None));
                    continue;
                }
                Event::ArrayEnd | Event::ObjectEnd => match open.pop() {
                    Some((tree, _)) => tree,
                    None => continue,
                },
            };
            match open.last_mut() {
                None => root = value,
                Some((Tree::Array(items), _)) => items.push(value),
                Some((Tree::Object(entries), key)) => entries.push((key.take().unwrap_or_default(), value)),
                Some(_) => {}
            }
        }
        Ok(root)
    }
}

/// The nearest number that `serde_json` can hold without its `arbitrary_precision`.
fn nearest(text: &str) -> serde_json::Number {
    if let Ok(number) = text.parse::<i64>() {
        return number.into();
    }
    if let Ok(number) = text.parse::<u64>() {
        return number.into();
    }
    let rounded = text.parse::<f64>().unwrap_or(0.0).clamp(f64::MIN, f64::MAX);
    serde_json::Number::from_f64(rounded).unwrap_or_else(|| 0.into())
}

/// Writes a JSON string with its quotes.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    escape_string(out, text);
    out.push('"');
}

/// Writes the inside of a JSON string: quotes, backslashes and control characters escaped.
pub(crate) fn escape_string(out: &mut String, text: &str) {
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain_from..at]);
        plain_from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            other => {
                let _ = write!(out, "\\u{other:04x}");
            }
        }
    }
    out.push_str(&text[plain_from..]);
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a.len() == b.len() && sorted(a) == sorted(b),
            _ => false,
        }
    }
}

impl Eq for Tree {}

fn sorted(entries: &[(String, Tree)]) -> Vec<(&String, &Tree)> {
    let mut refs: Vec<_> = entries.iter().map(|(key, value)| (key, value)).collect();
    refs.sort_by(|a, b| a.0.cmp(b.0));
    refs
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Tree {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
