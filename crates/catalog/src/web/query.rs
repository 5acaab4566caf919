//! Query parameters and form fields.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use tieline::{Json, Result};
use tieline_manifest::{Tree, request::Encode};

use super::{limits::MAX_PARAMS, token, wrong};

/// Parameters as the input's schema tells of them.
pub(crate) type Params = BTreeMap<String, Param>;

/// What a parameter is written as; a list repeats its name.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
#[expect(dead_code, reason = "only its schema is used: the value itself is read as it came")]
pub(crate) enum Param {
    Nothing(()),
    One(Word),
    Several(Vec<Word>),
}

/// One value of a parameter.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
#[expect(dead_code, reason = "only its schema is used: the value itself is read as it came")]
pub(crate) enum Word {
    Text(String),
    Number(f64),
    Flag(bool),
}

/// An address with these parameters behind those that it has. A fragment is for browsers and goes nowhere.
pub(crate) fn with_query(url: &str, params: &Json) -> Result<String> {
    let mut url = url.split('#').next().unwrap_or_default().to_owned();
    let query = encoded(params.tree(), "/params", Encode::Percent)?;
    if !query.is_empty() {
        match url.find('?') {
            None => url.push('?'),
            Some(mark) if mark + 1 < url.len() && !url.ends_with('&') => url.push('&'),
            Some(_) => {}
        }
        url.push_str(&query);
    }
    Ok(url)
}

/// Names and values, encoded and joined with `&`. Null is left out.
pub(super) fn encoded(params: &Tree, place: &str, encode: Encode) -> Result<String> {
    let mut out = String::new();
    let mut written = 0;
    for (name, value) in params.as_object().unwrap_or_default() {
        let pointer = format!("{place}/{}", token(name));
        let values = match value {
            Tree::Null => &[],
            Tree::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for value in values {
            written += 1;
            if written > MAX_PARAMS {
                return Err(wrong(place, &format!("has more than {MAX_PARAMS} values")));
            }
            let word = match value {
                Tree::String(text) => text.clone(),
                Tree::Number(_) | Tree::Bool(_) => value.to_text(),
                _ => return Err(wrong(&pointer, "is a text, a number, true or false, or a list of them")),
            };
            if !out.is_empty() {
                out.push('&');
            }
            encode.write(name, &mut out);
            out.push('=');
            encode.write(&word, &mut out);
        }
    }
    Ok(out)
}

/// Text as a part of a URL.
pub(crate) fn percent(text: &str) -> String {
    let mut out = String::new();
    Encode::Percent.write(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_join_those_that_are_there() {
        let params: Json = json!({ "q": "a b&c=d#e", "n": [1, 2.5], "f": true, "none": null, "é": "+" }).into();
        let query = "f=true&n=1&n=2.5&q=a%20b%26c%3Dd%23e&%C3%A9=%2B";
        for (url, whole) in [
            ("https://a.example", format!("https://a.example?{query}")),
            ("https://a.example/x?", format!("https://a.example/x?{query}")),
            ("https://a.example/x?y=1", format!("https://a.example/x?y=1&{query}")),
            ("https://a.example/x?y=1&", format!("https://a.example/x?y=1&{query}")),
            ("https://a.example/x#part", format!("https://a.example/x?{query}")),
        ] {
            assert_eq!(with_query(url, &params).unwrap(), whole);
        }
        let none = with_query("https://a.example/x?y=1", &Json::default()).unwrap();
        assert_eq!(none, "https://a.example/x?y=1");
        for bad in [json!({ "a": { "b": 1 } }), json!({ "a": [[1]] })] {
            assert!(with_query("https://a.example", &bad.into()).is_err());
        }
    }
}
