//! JSON from outside: kept as the text it came as, with a tree built on first use.
//!
//! Numbers stay text, so an id of 19 digits or a price with decimals is never rounded. What is read is judged once:
//! grammar (RFC 8259), depth, size, duplicate keys, and characters that no store can keep.

mod reader;
mod tree;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;

pub use tree::Tree;

pub(crate) use reader::{Event, Reader, position};
pub(crate) use tree::{escape_string, write_string};

use crate::limits;

/// A JSON value from outside. Cloning is cheap.
#[derive(Clone)]
pub struct Json(Arc<Inner>);

struct Inner {
    text: Box<str>,
    tree: OnceLock<Tree>,
}

/// How much JSON is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// Bytes of the text.
    pub bytes: usize,
    /// Levels of arrays and objects inside each other.
    pub depth: usize,
    /// Values and keys together.
    pub nodes: usize,
    /// Bytes of one key.
    pub key_bytes: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self {
            bytes: limits::JSON_ANSWER_BYTES,
            depth: limits::JSON_DEPTH,
            nodes: limits::JSON_NODES,
            key_bytes: limits::JSON_KEY_BYTES,
        }
    }
}

impl JsonLimits {
    /// Limits of an action's input.
    pub fn input() -> Self {
        Self {
            bytes: limits::JSON_INPUT_BYTES,
            ..Self::default()
        }
    }

    /// Limits of a request to our own API.
    pub fn request() -> Self {
        Self {
            bytes: limits::JSON_REQUEST_BYTES,
            ..Self::default()
        }
    }
}

/// Why a text is not JSON that we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct JsonError {
    /// The kind, for callers that answer differently.
    pub kind: JsonErrorKind,
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// A sentence without the place.
    pub message: String,
}

/// The kinds of [`JsonError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// Not JSON by RFC 8259, or not UTF-8.
    Syntax,
    /// One object has a key twice.
    DuplicateKey,
    /// An escaped half of a surrogate pair: no store and no UTF-8 text can hold it.
    LoneSurrogate,
    /// The escaped character U+0000: PostgreSQL cannot hold it.
    NulCharacter,
    /// More bytes than the limit.
    TooLarge,
    /// Too deep, too many values, or too long a key.
    TooComplex,
}

impl Json {
    /// Reads a text with the default limits.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        Self::parse_with(text, &JsonLimits::default())
    }

    /// Reads a text.
    pub fn parse_with(text: &str, limits: &JsonLimits) -> Result<Self, JsonError> {
        let mut reader = Reader::new(text, *limits)?;
        while reader.next()?.is_some() {}
        Ok(Self(Arc::new(Inner {
            text: text.into(),
            tree: OnceLock::new(),
        })))
    }

    /// Reads UTF-8 bytes (no byte order mark) with the default limits.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, JsonError> {
        Self::parse_bytes_with(bytes, &JsonLimits::default())
    }

    /// Reads UTF-8 bytes (no byte order mark).
    pub fn parse_bytes_with(bytes: &[u8], limits: &JsonLimits) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            let (line, column) = position(valid, valid.len());
            JsonError {
                kind: JsonErrorKind::Syntax,
                line,
                column,
                message: "the text is not UTF-8".to_owned(),
            }
        })?;
        Self::parse_with(text, limits)
    }

    /// The JSON of a tree.
    pub fn from_tree(tree: Tree) -> Self {
        let text = tree.to_text().into_boxed_str();
        Self(Arc::new(Inner {
            text,
            tree: OnceLock::from(tree),
        }))
    }

    /// The JSON of a `serde_json` value.
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self::from_tree(Tree::from_value(value))
    }

    /// The JSON of anything that serialises to it, with the default limits.
    pub fn from_type<T: Serialize + ?Sized>(value: &T) -> Result<Self, JsonError> {
        Self::from_type_with(value, &JsonLimits::default())
    }

    /// The JSON of anything that serialises to it.
    pub fn from_type_with<T: Serialize + ?Sized>(value: &T, limits: &JsonLimits) -> Result<Self, JsonError> {
        let text = serde_json::to_string(value).map_err(|error| JsonError {
            kind: JsonErrorKind::Syntax,
            line: 1,
            column: 1,
            message: error.to_string(),
        })?;
        Self::parse_with(&text, limits)
    }

    /// The exact text as it came.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The tree, built on first use.
    pub fn tree(&self) -> &Tree {
        self.0.tree.get_or_init(|| {
            // The text was judged when it was parsed, perhaps under other limits than the default ones.
            let unbounded = JsonLimits {
                bytes: usize::MAX,
                depth: usize::MAX,
                nodes: usize::MAX,
                key_bytes: usize::MAX,
            };
            Tree::read(&self.0.text, unbounded).unwrap_or_default()
        })
    }

    /// The value of a top-level key.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.tree().get(key)
    }

    /// A copy for JSON Schema and JSONPath; see [`Tree::to_value`] for what it does to numbers.
    pub fn to_value(&self) -> serde_json::Value {
        self.tree().to_value()
    }

    /// Reads it into a type; the error names line and column.
    pub fn into_type<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.text())
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::from_tree(Tree::Null)
    }
}

impl fmt::Debug for Json {
    /// Type and size only: what came from outside may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({}, {} bytes)", self.tree().type_name(), self.text().len())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.text() == other.text() || self.tree() == other.tree()
    }
}

impl Eq for Json {}

impl From<Tree> for Json {
    fn from(tree: Tree) -> Self {
        Self::from_tree(tree)
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        Self::from_value(&value)
    }
}

impl Serialize for Json {
    /// Writes the text as it stands, so `serde_json` keeps every digit.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(self.text()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    /// Reads from `serde_json` only. The text around it was judged when it was read; these are the widest limits there
    /// are, those of an action's input.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse_with(raw.get(), &JsonLimits::input()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
