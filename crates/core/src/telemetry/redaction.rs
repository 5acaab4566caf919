//! What is left out of attributes, hashed and cut.

use aws_lc_rs::hmac;
use serde_json::{Map, Value};

use crate::{
    http::redact::{MARK, Redactor, is_secret_name},
    limits::{MAX_ATTRIBUTE_CHARS, MAX_ATTRIBUTE_DEPTH, MAX_ATTRIBUTES},
};

/// Left out wherever it stands: the documents' list.
const DENIED: [&str; 12] = [
    "config",
    "accessToken",
    "refreshToken",
    "clientSecret",
    "apiKey",
    "token",
    "secret",
    "password",
    "payload",
    "input",
    "output",
    "userInfo",
];

/// Shown as a hash only.
const HASHED: [&str; 1] = ["ctx.connector.identity"];

/// What stands behind a text that was cut.
const CUT: &str = "...[truncated]";

/// What is left out, hashed and cut. By default configurations, tokens, secrets, payloads, inputs, outputs and what
/// services say of people are left out, identities are hashed, and texts are cut after
/// [`MAX_ATTRIBUTE_CHARS`](crate::limits::MAX_ATTRIBUTE_CHARS) characters. Whatever is given here adds to the first: it
/// cannot be switched off.
///
/// A name holds for an attribute with this dotted name, and for one that begins or ends with it or has it in its middle:
/// `token` for `token`, `ctx.token`, `token.value`, `a.token.b`, and not for `tokenUrl`. Case, `_` and `-` do not count.
/// Values within values are visited under the names they stand under.
#[derive(Debug, Clone)]
pub struct Redaction {
    deny: Vec<String>,
    hash: Vec<String>,
    chars: usize,
}

impl Default for Redaction {
    fn default() -> Self {
        Self {
            deny: DENIED.map(normal).to_vec(),
            hash: HASHED.map(normal).to_vec(),
            chars: MAX_ATTRIBUTE_CHARS,
        }
    }
}

impl Redaction {
    /// Leaves these out too.
    #[must_use]
    pub fn deny<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.deny.extend(names.into_iter().map(normal));
        self
    }

    /// Shows these, and no others, as hashes: what is hashed otherwise (`ctx.connector.identity`) is shown if it is not
    /// among them.
    #[must_use]
    pub fn hash<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.hash = names.into_iter().map(normal).collect();
        self
    }

    /// Cuts texts after so many characters.
    #[must_use]
    pub fn max_chars(mut self, chars: usize) -> Self {
        self.chars = chars;
        self
    }

    pub(super) fn into_rules(self) -> Rules {
        Rules {
            redaction: self,
            shapes: Redactor::default(),
        }
    }
}

/// The same, ready to be held against attributes.
pub(super) struct Rules {
    redaction: Redaction,
    /// Finds what is a secret by its shape.
    shapes: Redactor,
}

impl Rules {
    /// In this order: what is denied is dropped, null passes, what is to be hashed is hashed, the rest is scrubbed of what
    /// looks like a secret and then cut. Without a key there is no hash, and what would be hashed is dropped.
    pub(super) fn redact(&self, attributes: Map<String, Value>, key: Option<&hmac::Key>) -> Map<String, Value> {
        self.object("", attributes, key, MAX_ATTRIBUTE_DEPTH)
    }

    /// The same for a value that stands under a name of its own.
    pub(super) fn redact_under(&self, name: &str, value: Value, key: Option<&hmac::Key>) -> Value {
        self.value(name, value, key, MAX_ATTRIBUTE_DEPTH).unwrap_or(Value::Null)
    }

    fn object(
        &self,
        above: &str,
        members: Map<String, Value>,
        key: Option<&hmac::Key>,
        depth: usize,
    ) -> Map<String, Value> {
        let mut kept = Map::new();
        for (name, value) in members {
            if kept.len() == MAX_ATTRIBUTES {
                break;
            }
            let path = match above {
                "" => normal(&name),
                above => format!("{above}.{}", normal(&name)),
            };
            let own = name.rsplit('.').next().unwrap_or_default();
            if matches_any(&self.redaction.deny, &path) || is_secret_name(own) {
                continue;
            }
            if let Some(value) = self.value(&path, value, key, depth) {
                kept.insert(self.text(&name), value);
            }
        }
        kept
    }

    fn value(&self, path: &str, value: Value, key: Option<&hmac::Key>, depth: usize) -> Option<Value> {
        if value.is_null() {
            return Some(value);
        }
        let is_hashed = matches_any(&self.redaction.hash, path);
        Some(match value {
            Value::Object(_) | Value::Array(_) if depth == 0 => Value::String(MARK.to_owned()),
            Value::Object(members) => Value::Object(self.object(path, members, key, depth - 1)),
            Value::Array(items) => {
                let items = items.into_iter().take(MAX_ATTRIBUTES);
                Value::Array(
                    items
                        .filter_map(|item| self.value(path, item, key, depth - 1))
                        .collect(),
                )
            }
            Value::String(text) if is_hashed => Value::String(hash(key?, &text)),
            scalar if is_hashed => Value::String(hash(key?, &scalar.to_string())),
            Value::String(text) => Value::String(self.text(&text)),
            scalar => scalar,
        })
    }

    /// Scrubbed first, cut then: half a secret is not recognised any more.
    fn text(&self, text: &str) -> String {
        let clean = self.shapes.scrub(text);
        match clean.char_indices().nth(self.redaction.chars) {
            Some((end, _)) => format!("{}{CUT}", &clean[..end]),
            None => clean.into_owned(),
        }
    }
}

fn hash(key: &hmac::Key, text: &str) -> String {
    let tag = hmac::sign(key, text.as_bytes());
    tag.as_ref().iter().fold("sha256:".to_owned(), |mut hex, byte| {
        for nibble in [byte >> 4, byte & 15] {
            hex.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
        hex
    })
}

/// A dotted name as names are compared: without case, `_` and `-`.
fn normal(name: &str) -> String {
    let letters = name.chars().filter(|letter| !matches!(letter, '_' | '-'));
    letters.flat_map(char::to_lowercase).collect()
}

/// Whether one of the names is the path, or a run of whole parts of it.
fn matches_any(names: &[String], path: &str) -> bool {
    names.iter().any(|name| {
        path.match_indices(name.as_str()).any(|(start, _)| {
            let end = start + name.len();
            let begins = start == 0 || path.as_bytes()[start - 1] == b'.';
            let ends = end == path.len() || path.as_bytes()[end] == b'.';
            !name.is_empty() && begins && ends
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
    }

    fn redacted(redaction: Redaction, attributes: Value) -> Value {
        let Value::Object(attributes) = attributes else {
            panic!("an object")
        };
        Value::Object(redaction.into_rules().redact(attributes, Some(&key())))
    }

    #[test]
    fn r6_what_is_denied_is_left_out_however_it_is_written_and_wherever_it_stands() {
        let gone = json!({
            "token": 1, "TOKEN": 1, "ctx.token": 1, "token.value": 1, "a.token.b": 1, "access_token": 1, "Access-Token": 1,
            "ctx.accessToken": 1, "api_key": 1, "userinfo": {}, "user_info.email": 1, "payload": [1], "input": "x",
            "ctx.action.output": "x", "x-api-key": "x", "botToken": "x", "db_password": "x",
        });
        assert_eq!(redacted(Redaction::default(), gone), json!({}));
        let kept = json!({
            "tokenUrl": 1, "ctx.oauth.tokenUrl": 1, "max_tokens": 1, "inputs": 1, "configured": 1, "tokens.used": 1,
            "ctx.action.durationMs": 0, "ctx.action.success": false, "author": "x",
        });
        assert_eq!(redacted(Redaction::default(), kept.clone()), kept);
        let nested = json!({ "a": { "b": [{ "secret": "x", "fine": 0 }], "config": { "x": 1 } } });
        assert_eq!(
            redacted(Redaction::default(), nested),
            json!({ "a": { "b": [{ "fine": 0 }] } })
        );
    }

    #[test]
    fn r6_the_default_list_cannot_be_switched_off_by_naming_others() {
        let shown = redacted(
            Redaction::default().deny(["customer_name"]),
            json!({ "customerName": "x", "password": "x", "plan": "x" }),
        );
        assert_eq!(shown, json!({ "plan": "x" }));
    }

    #[test]
    fn r6_what_is_hashed_is_hashed_under_the_deployments_key() {
        let attributes = || json!({ "ctx.connector.identity": "org_1", "ctx.connector.scope": "organization" });
        let shown = redacted(Redaction::default(), attributes());
        let hashed = shown["ctx.connector.identity"].as_str().unwrap();
        assert!(hashed.starts_with("sha256:") && hashed.len() == 7 + 64, "{hashed}");
        assert_ne!(hashed, format!("sha256:{:x}", 0));
        assert_eq!(shown, redacted(Redaction::default(), attributes()), "the same again");
        let Value::Object(attributes) = attributes() else {
            panic!()
        };
        let rules = Redaction::default().into_rules();
        let other = hmac::Key::new(hmac::HMAC_SHA256, &[8; 32]);
        let others = rules.redact(attributes.clone(), Some(&other));
        assert_ne!(others["ctx.connector.identity"], shown["ctx.connector.identity"]);
        let keyless = rules.redact(attributes, None);
        assert!(keyless.get("ctx.connector.identity").is_none());
        // Numbers are identities too, and null is none.
        let numbers = redacted(
            Redaction::default().hash(["user"]),
            json!({ "user": 7, "b.user": null }),
        );
        assert!(numbers["user"].as_str().unwrap().starts_with("sha256:"));
        assert_eq!(numbers["b.user"], Value::Null);
    }

    #[test]
    fn r2_texts_are_scrubbed_before_they_are_cut() {
        let long = "x".repeat(MAX_ATTRIBUTE_CHARS + 1);
        let shown = redacted(
            Redaction::default(),
            json!({ "a": long, "b": "y".repeat(MAX_ATTRIBUTE_CHARS) }),
        );
        let cut = shown["a"].as_str().unwrap();
        assert_eq!(cut.len(), MAX_ATTRIBUTE_CHARS + CUT.len());
        assert!(cut.ends_with(CUT) && shown["b"].as_str().unwrap().len() == MAX_ATTRIBUTE_CHARS);
        let redaction = Redaction::default().max_chars(30);
        let shown = redacted(
            redaction,
            json!({ "a": "Authorization: Bearer 0123456789abcdef0123456789" }),
        );
        assert!(!shown.to_string().contains("0123"), "{shown}");
    }

    #[test]
    fn what_is_too_deep_or_too_much_is_left_out() {
        let deep = (0..40).fold(json!("x"), |inner, _| json!({ "a": inner }));
        assert!(redacted(Redaction::default(), deep).to_string().contains(MARK));
        let wide: Map<String, Value> = (0..1000).map(|n| (format!("a{n}"), json!(n))).collect();
        let Value::Object(kept) = redacted(Redaction::default(), Value::Object(wide)) else {
            panic!()
        };
        assert_eq!(kept.len(), MAX_ATTRIBUTES);
    }
}
