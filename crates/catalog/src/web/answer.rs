//! What was answered, as the output tells it.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tieline::{Json, admit::Answered};
use tieline_manifest::{JsonLimits, Tree};

use super::{
    Method,
    limits::{BYTES_AROUND, LEVELS_AROUND, NODES_AROUND},
};

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The status code, whatever it is: redirects are not followed, and a refusal of the service is an answer too.
    pub status: u16,
    /// The status in words.
    pub status_text: String,
    /// The headers, names in lower case. One that came several times is a list.
    pub headers: BTreeMap<String, Values>,
    /// The body: what the JSON says where the answer is JSON, else its text, else its bytes in base64; null where there
    /// is none. `metadata.encoding` tells which.
    #[schemars(with = "serde_json::Value")]
    pub data: Json,
    /// About the request.
    pub metadata: Metadata,
}

/// A header's value, or its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Values {
    One(String),
    Several(Vec<String>),
}

/// About a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Metadata {
    /// How long it took, in milliseconds.
    pub duration: u64,
    /// Where it went, secrets left out.
    pub url: String,
    /// Its method.
    pub method: Method,
    /// What `data` is.
    pub encoding: Encoding,
}

/// What the body of an answer was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Encoding {
    Json,
    Text,
    Base64,
    None,
}

impl Answer {
    pub(super) fn of(answered: Answered, took: Duration, method: Method, url: String) -> Self {
        let mut headers: BTreeMap<String, Values> = BTreeMap::new();
        for name in answered.headers.keys() {
            let values = answered.headers.get_all(name).iter();
            let mut values: Vec<String> = values
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect();
            let values = match values.len() {
                1 => Values::One(values.remove(0)),
                _ => Values::Several(values),
            };
            headers.insert(name.as_str().to_owned(), values);
        }
        let media_type = answered
            .headers
            .get("content-type")
            .and_then(|value| value.to_str().ok());
        let (data, encoding) = read(media_type.unwrap_or_default(), &answered.body);
        Self {
            status: answered.status,
            status_text: answered.reason,
            headers,
            data,
            metadata: Metadata {
                duration: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                url,
                method,
                encoding,
            },
        }
    }
}

/// JSON is read as JSON where the answer says that it is, and only if it is. Any other text in UTF-8 is a text, and
/// everything else bytes.
fn read(media_type: &str, body: &[u8]) -> (Json, Encoding) {
    if body.is_empty() {
        return (Json::default(), Encoding::None);
    }
    if is_json(media_type)
        && let Ok(json) = Json::parse_bytes_with(body, &limits())
    {
        return (json, Encoding::Json);
    }
    match text(media_type, body) {
        Some(text) => (Json::from_tree(Tree::String(text)), Encoding::Text),
        None => (Json::from_tree(Tree::String(STANDARD.encode(body))), Encoding::Base64),
    }
}

fn limits() -> JsonLimits {
    let whole = JsonLimits::default();
    JsonLimits {
        bytes: whole.bytes - BYTES_AROUND,
        depth: whole.depth - LEVELS_AROUND,
        nodes: whole.nodes - NODES_AROUND,
        ..whole
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    matches!(essence.as_str(), "application/json" | "text/json") || essence.ends_with("+json")
}

/// The text, unless the body is none: U+0000 is in no text, and no store could keep it.
fn text(media_type: &str, body: &[u8]) -> Option<String> {
    let charset = media_type.to_ascii_lowercase();
    let latin = charset.contains("iso-8859-1") || charset.contains("latin1") || charset.contains("windows-1252");
    let text = match std::str::from_utf8(body) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        // Of windows-1252 the letters are the same, all but its quotation marks.
        Err(_) if latin => body.iter().copied().map(char::from).collect(),
        Err(_) => return None,
    };
    (!text.contains('\0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_text_and_bytes() {
        for (media_type, body, data, encoding) in [
            (
                "application/json",
                &b"{\"n\":12345678901234567890.10}"[..],
                "{\"n\":12345678901234567890.10}",
                Encoding::Json,
            ),
            ("application/problem+json; charset=utf-8", b"[1]", "[1]", Encoding::Json),
            ("application/json", b"<html>", "\"<html>\"", Encoding::Text),
            (
                "application/json",
                b"{\"a\":1,\"a\":2}",
                "\"{\\\"a\\\":1,\\\"a\\\":2}\"",
                Encoding::Text,
            ),
            ("text/html", b"[1]", "\"[1]\"", Encoding::Text),
            ("", "grün".as_bytes(), "\"grün\"", Encoding::Text),
            ("text/plain; charset=ISO-8859-1", b"gr\xfcn", "\"grün\"", Encoding::Text),
            ("image/png", b"\x89PNG\0", "\"iVBORwA=\"", Encoding::Base64),
            ("text/plain", b"a\0b", "\"YQBi\"", Encoding::Base64),
            ("application/json", b"", "null", Encoding::None),
        ] {
            let (json, found) = read(media_type, body);
            assert_eq!((json.text(), found), (data, encoding), "{media_type}");
        }
    }

    #[test]
    fn j1_json_that_does_not_fit_is_text() {
        let deep = format!("{}{}", "[".repeat(63), "]".repeat(63));
        assert_eq!(read("application/json", deep.as_bytes()).1, Encoding::Text);
        let fits = format!("{}{}", "[".repeat(62), "]".repeat(62));
        assert_eq!(read("application/json", fits.as_bytes()).1, Encoding::Json);
    }
}
