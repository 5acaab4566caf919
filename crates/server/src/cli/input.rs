//! Values from the command line, files and standard input.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use tieline::{Code, Error, Result};
use tieline_manifest::{Json, JsonLimits, Tree};

use crate::{limits::MAX_INPUT_BYTES, start::read_bounded};

/// A name and a text, written `name=text`.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) text: String,
}

/// Reads `name=text`. The error does not repeat what was typed: it may be a secret.
pub(super) fn pair(text: &str) -> Result<Pair, String> {
    match text.split_once('=') {
        Some((name, text)) if !name.is_empty() => Ok(Pair {
            name: name.to_owned(),
            text: text.to_owned(),
        }),
        _ => Err("it must be written `name=value`".to_owned()),
    }
}

/// Reads `name=path`.
pub(super) fn path_pair(text: &str) -> Result<(String, PathBuf), String> {
    pair(text).map(|pair| (pair.name, pair.text.into()))
}

/// What to say of a secret on the command line.
pub(super) fn seen_by_others(name: &str, instead: &str) -> String {
    format!("`{name}` is a secret, and other users can see this command: next time give it {instead}.")
}

/// JSON that was given as it is, as `@file`, or as `-` for standard input. `what` names it in errors.
pub(super) fn json(given: &str, what: &str) -> Result<Json> {
    let (bytes, source) = match given {
        "-" => (standard_input(what)?, "standard input".to_owned()),
        _ => match given.strip_prefix('@') {
            Some(path) => (file(Path::new(path), what)?, path.to_owned()),
            None => (given.as_bytes().to_vec(), "the command line".to_owned()),
        },
    };
    let limits = JsonLimits {
        bytes: MAX_INPUT_BYTES as usize,
        ..JsonLimits::request()
    };
    Json::parse_bytes_with(&bytes, &limits).map_err(|error| {
        let place = format!("{source}, line {}, column {}", error.line, error.column);
        Error::new(
            Code::JsonInvalid,
            format!("{what} is not JSON: {} ({place}).", error.message),
        )
    })
}

/// A secret from a file, without the line end that editors leave.
pub(super) fn secret_file(path: &Path, field: &str) -> Result<String> {
    let bytes = file(path, field)?;
    let mut text = String::from_utf8(bytes).map_err(|_| {
        Error::new(
            Code::RequestInvalid,
            format!("`{field}`: {} is not UTF-8 text.", path.display()),
        )
    })?;
    let kept = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(kept);
    Ok(text)
}

/// An object whose entries can be set one by one.
pub(super) struct Fields(Vec<(String, Tree)>);

impl Fields {
    /// The entries of an object.
    pub(super) fn of(json: &Json, what: &str) -> Result<Self> {
        match json.tree() {
            Tree::Object(entries) => Ok(Self(entries.clone())),
            _ => Err(Error::new(
                Code::RequestInvalid,
                format!("{what} must be a JSON object."),
            )),
        }
    }

    /// No entries.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether there is an entry with one of these names.
    pub(super) fn has(&self, mut names: impl Iterator<Item = impl AsRef<str>>) -> bool {
        names.any(|name| self.0.iter().any(|(known, _)| known == name.as_ref()))
    }

    /// Sets an entry, in place of one with its name.
    pub(super) fn set(&mut self, name: &str, value: Tree) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value));
    }

    /// The object.
    pub(super) fn into_tree(self) -> Tree {
        Tree::Object(self.0)
    }
}

/// What a typed text means where a schema expects something: text stays text where text may stand, else it is JSON.
/// What is not JSON stays text, and whoever checks the schema says so.
pub(super) fn typed(schema: Option<&Tree>, name: &str, text: &str) -> Tree {
    let property = schema.and_then(|schema| schema.get("properties")?.get(name));
    let takes_text = match property.and_then(|property| property.get("type")) {
        Some(Tree::String(kind)) => kind == "string",
        Some(Tree::Array(kinds)) => kinds.iter().any(|kind| kind.as_str() == Some("string")),
        _ => property.is_none(),
    };
    match Json::parse(text) {
        Ok(json) if !takes_text => json.tree().clone(),
        _ => Tree::from(text),
    }
}

fn standard_input(what: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(MAX_INPUT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(what, "standard input", &error.to_string()))?;
    if bytes.len() as u64 > MAX_INPUT_BYTES {
        return Err(unreadable(
            what,
            "standard input",
            &format!("it is larger than {MAX_INPUT_BYTES} bytes"),
        ));
    }
    Ok(bytes)
}

fn file(path: &Path, what: &str) -> Result<Vec<u8>> {
    read_bounded(path, MAX_INPUT_BYTES).map_err(|why| unreadable(what, &path.display().to_string(), &why))
}

fn unreadable(what: &str, source: &str, why: &str) -> Error {
    Error::new(Code::RequestInvalid, format!("{what}: {source} cannot be read: {why}."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_typed_text_is_what_the_schema_expects() {
        let schema = Json::from(json!({ "properties": {
            "text": { "type": "string" },
            "count": { "type": "integer" },
            "maybe": { "type": ["integer", "null"] },
            "either": { "type": ["string", "null"] },
            "list": { "type": "array" },
            "any": {},
        }}));
        for (name, text, expected) in [
            ("text", "5", "\"5\""),
            ("count", "12345678901234567890", "12345678901234567890"),
            ("count", "five", "\"five\""),
            ("maybe", "null", "null"),
            ("either", "null", "\"null\""),
            ("list", "[1]", "[1]"),
            ("any", "true", "true"),
            ("unknown", "5", "\"5\""),
        ] {
            assert_eq!(typed(Some(schema.tree()), name, text).to_text(), expected, "{name}");
        }
    }

    #[test]
    fn a_pair_has_a_name() {
        assert!(pair("a=b=c").is_ok_and(|pair| pair.name == "a" && pair.text == "b=c"));
        for wrong in ["hunter2", "=hunter2", ""] {
            assert!(pair(wrong).is_err_and(|why| !why.contains("hunter2")));
        }
    }
}
