//! Which headers a caller may set.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use tieline::{Json, Result};
use tieline_manifest::{Tree, request::TRANSPORT_HEADERS};

use super::{
    limits::{MAX_HEADER_BYTES, MAX_HEADERS},
    token, wrong,
};

/// Headers as the input's schema tells of them.
pub(crate) type HeaderMap = BTreeMap<String, HeaderWord>;

/// What a header's value is written as.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
#[expect(dead_code, reason = "only its schema is used: the value itself is read as it came")]
pub(crate) enum HeaderWord {
    Text(String),
    Number(f64),
    Flag(bool),
}

/// The headers of the input: names in lower case, each once. Those that belong to the connection are refused; how the
/// answer may be compressed is ours to say, so that it is passed over.
pub(super) fn of(given: &Json) -> Result<Vec<(String, String)>> {
    let mut headers: Vec<(String, String)> = Vec::new();
    let entries = given.tree().as_object().unwrap_or_default();
    if entries.len() > MAX_HEADERS {
        return Err(wrong("/headers", &format!("has more than {MAX_HEADERS} headers")));
    }
    for (name, value) in entries {
        let pointer = format!("/headers/{}", token(name));
        let lower = name.to_ascii_lowercase();
        if lower == "accept-encoding" {
            continue;
        }
        let value = match value {
            Tree::Null => continue,
            Tree::String(text) => text.clone(),
            Tree::Number(_) | Tree::Bool(_) => value.to_text(),
            Tree::Array(_) | Tree::Object(_) => return Err(wrong(&pointer, "is a text, a number or true or false")),
        };
        if let Some(message) = refused(&lower, &value) {
            return Err(wrong(&pointer, message));
        }
        if headers.iter().any(|(other, _)| *other == lower) {
            return Err(wrong(&pointer, "is given twice, in two spellings"));
        }
        headers.push((lower, value));
    }
    Ok(headers)
}

fn refused(name: &str, value: &str) -> Option<&'static str> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Some("is not a header's name");
    }
    if TRANSPORT_HEADERS.contains(&name) || name.starts_with("proxy-") || name.starts_with("tieline-") {
        return Some("belongs to the connection and is ours to write: leave it out");
    }
    if value.contains(|letter: char| letter.is_control() && letter != '\t') {
        return Some("holds a line break or another control character");
    }
    (value.len() > MAX_HEADER_BYTES).then_some("is longer than 8 KiB")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value) -> Result<Vec<(String, String)>> {
        of(&value.into())
    }

    #[test]
    fn names_are_lower_case_and_values_are_texts() {
        let read = read(json!({ "X-Count": 7, "x-flag": true, "X-None": null, "Accept-Encoding": "br" })).unwrap();
        let pairs: Vec<_> = read.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, [("x-count", "7"), ("x-flag", "true")]);
    }

    #[test]
    fn n_what_belongs_to_the_connection_is_refused() {
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "Connection",
            "Upgrade",
            "TE",
            "Trailer",
            "Keep-Alive",
            "Expect",
            "Proxy-Authorization",
            "Proxy-Anything",
            "Tieline-Loop",
            "",
            "a b",
            "a:b",
            "a\r\nb",
        ] {
            let error = read(json!({ name: "x" })).unwrap_err();
            assert_eq!(error.fields()[0].pointer, format!("/headers/{name}"));
            assert!(error.nothing_sent());
        }
        for value in [
            json!("a\r\nx-evil: 1"),
            json!("a\u{0}"),
            json!("a\n"),
            json!(["a"]),
            json!({}),
        ] {
            assert!(read(json!({ "x-mine": value })).is_err(), "{value}");
        }
        assert!(read(json!({ "X-Mine": "1", "x-mine": "2" })).is_err());
        assert!(read(json!({ "x-mine": "x".repeat(MAX_HEADER_BYTES + 1) })).is_err());
        let many: serde_json::Map<_, _> = (0..=MAX_HEADERS).map(|n| (format!("x-{n}"), json!(n))).collect();
        assert!(read(many.into()).is_err());
    }
}
