//! Fields that hold several values.

use std::collections::BTreeSet;

use crate::{
    json::{Json, Tree},
    limits,
    manifest::HostRule,
    request::TRANSPORT_HEADERS,
};

/// The hosts that a field of type `hosts` names: a list of texts, or one text with commas, spaces or line ends between
/// them. Nothing where one is no host.
pub fn hosts(value: &Tree) -> Option<Vec<HostRule>> {
    let texts: Vec<&str> = match value {
        Tree::String(text) => text
            .split([',', ' ', '\r', '\n', '\t'])
            .filter(|host| !host.is_empty())
            .collect(),
        Tree::Array(items) => items.iter().map(Tree::as_str).collect::<Option<_>>()?,
        _ => return None,
    };
    if texts.len() > limits::HOSTS_IN_FIELD {
        return None;
    }
    texts.into_iter().map(HostRule::declared).collect()
}

/// The headers that a field of type `headers` holds, in their order: an object of texts, or the same as a text in JSON,
/// of which an empty one is no header. Nothing where one cannot be sent, or is named twice.
pub fn headers(value: &Tree) -> Option<Vec<(String, String)>> {
    let read;
    let entries = match value {
        Tree::String(text) if text.trim().is_empty() => return Some(Vec::new()),
        Tree::String(text) => {
            read = Json::parse(text).ok()?;
            read.tree().as_object()?
        }
        value => value.as_object()?,
    };
    if entries.len() > limits::HEADERS {
        return None;
    }
    let mut names = BTreeSet::new();
    let pair = |(name, value): &(String, Tree)| {
        let value = value.as_str()?;
        let lower = name.to_ascii_lowercase();
        let fits = is_token(name)
            && !TRANSPORT_HEADERS.contains(&lower.as_str())
            && !value.contains(|letter: char| letter.is_control() && letter != '\t')
            && names.insert(lower);
        fits.then(|| (name.clone(), value.to_owned()))
    };
    entries.iter().map(pair).collect()
}

/// A token (RFC 9110, 5.6.2).
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn n5_hosts_as_a_list_or_a_text() {
        let read = |value| {
            let hosts = hosts(&Tree::from_value(&value))?;
            Some(hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        for fine in [
            json!(["API.acme.example", "*.acme.example"]),
            json!("api.acme.example, *.acme.example"),
            json!("api.acme.example\n*.acme.example\n"),
        ] {
            assert_eq!(read(fine).as_deref(), Some("api.acme.example *.acme.example"));
        }
        assert_eq!(read(json!("")).as_deref(), Some(""));
        for bad in [
            json!(["https://api.acme.example"]),
            json!(["*"]),
            json!("*.com"),
            json!(["api.acme.example:443"]),
            json!(["api.acme.example", 7]),
            json!({ "host": "api.acme.example" }),
        ] {
            assert_eq!(read(bad.clone()), None, "{bad}");
        }
    }

    #[test]
    fn headers_as_an_object_or_a_text() {
        let read = |value| headers(&Tree::from_value(&value));
        let one = Some(vec![("X-Key".to_owned(), "a: b".to_owned())]);
        assert_eq!(read(json!({ "X-Key": "a: b" })), one);
        assert_eq!(read(json!(r#"{"X-Key": "a: b"}"#)), one);
        assert_eq!(read(json!("  ")), Some(Vec::new()));
        for bad in [
            json!({ "X-Key": 7 }),
            json!({ "X Key": "a" }),
            json!({ "": "a" }),
            json!({ "Host": "elsewhere.example" }),
            json!({ "X-Key": "a\r\nX-Other: b" }),
            json!({ "X-Key": "a", "x-key": "b" }),
            json!("X-Key: a"),
            json!("[1]"),
            json!([1]),
        ] {
            assert_eq!(read(bad.clone()), None, "{bad}");
        }
    }
}
