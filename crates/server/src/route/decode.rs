//! Typed reading with the wrong place named, and never a value quoted: it may be a secret.

use serde::{Deserializer, de::DeserializeOwned};
use serde_path_to_error::{Path, Segment};
use tieline::{Error, Result, error::FieldError};

use super::invalid;

/// Reads a `T`, or says where it does not fit.
pub(super) fn decode<'de, T, D>(deserializer: D, what: &str) -> Result<T>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        let message = message(&error.inner().to_string());
        wrong(what, pointer, message)
    })
}

pub(super) fn wrong(what: &str, pointer: String, message: String) -> Error {
    invalid(
        &format!("The {what} does not have the declared shape: see `fields`."),
        [FieldError { pointer, message }],
    )
}

/// A JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}

/// Serde's message without the caller's value and without the place in the text, which we say better.
fn message(text: &str) -> String {
    let text = text.rfind(" at line ").map_or(text, |end| &text[..end]);
    let quotes_value = [
        "invalid type: ",
        "invalid value: ",
        "invalid length ",
        "unknown variant ",
    ]
    .iter()
    .any(|start| text.starts_with(start));
    if !quotes_value {
        return text.to_owned();
    }
    // The expectation is ours and stands last; what the caller sent stands before it.
    match text.rfind(", expected ").or_else(|| text.rfind(", there are ")) {
        Some(place) => text[place + 2..].to_owned(),
        None => "not a value we accept here".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Outer {
        inner: Vec<Inner>,
        #[serde(default)]
        colour: Option<Colour>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Inner {
        #[serde(rename = "a/b")]
        count: u32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
    }

    fn first_field(text: &str) -> FieldError {
        decode::<Outer, _>(&mut serde_json::Deserializer::from_str(text), "body")
            .unwrap_err()
            .fields()[0]
            .clone()
    }

    #[test]
    fn names_the_place() {
        assert_eq!(
            first_field(r#"{"inner":[{"a/b":1},{"a/b":true}]}"#).pointer,
            "/inner/1/a~1b"
        );
        assert_eq!(first_field(r#"{"inner":[],"outer":1}"#).pointer, "/outer");
        assert!(
            first_field(r#"{"inner":[],"outer":1}"#)
                .message
                .contains("unknown field `outer`")
        );
        assert!(first_field("{}").message.contains("missing field `inner`"));
    }

    #[test]
    fn r1_never_quotes_a_value() {
        for text in [
            r#"{"inner":[{"a/b":"hunter2, expected nothing"}]}"#,
            r#"{"inner":"hunter2"}"#,
            r#"{"inner":[],"colour":"hunter2"}"#,
        ] {
            let message = first_field(text).message;
            assert!(!message.contains("hunter2"), "{message}");
            assert!(message.contains("expected"), "{message}");
        }
    }
}
