//! Schemas in words.

use serde_json::Value;

use super::fields;
use crate::page::{Html, markdown};

/// Longer lists of words are told by their number.
const MAX_WORDS: usize = 12;

/// What a schema holds: a table of an object's fields, or one line.
pub(super) fn shape(html: &mut Html, schema: &Value) {
    if let Some(choices) = described_choices(schema) {
        table(html, |html| {
            for (word, description) in choices {
                row(
                    html,
                    |html| html.leaf("code", &[], word),
                    |html| markdown::inline(html, description),
                );
            }
        });
    } else if fields(&schema["properties"]).next().is_some() {
        let required: Vec<&str> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        table(html, |html| {
            let mut named: Vec<_> = fields(&schema["properties"]).collect();
            named.sort_by_key(|(name, _)| !required.contains(&name.as_str()));
            for (name, field) in named {
                let must = required.contains(&name.as_str());
                field_row(html, name, field, if must { "required" } else { "" });
            }
        });
        if schema["additionalProperties"] == true {
            html.leaf("p", &[("class", "soft")], "More fields may stand beside these.");
        }
    } else {
        html.tag("p", &[("class", "kind")], |html| kind(html, schema));
    }
}

/// A field or parameter in a table: its name, and what it is.
pub(super) fn field_row(html: &mut Html, name: &str, schema: &Value, mark: &str) {
    let what = |html: &mut Html| {
        html.tag("span", &[("class", "kind")], |html| kind(html, schema));
        if let Some(description) = schema["description"].as_str() {
            html.void("br", &[]);
            markdown::inline(html, description);
        }
    };
    let named = |html: &mut Html| {
        html.leaf("code", &[], name);
        if !mark.is_empty() {
            html.leaf(
                "span",
                &[("class", if mark == "required" { "must" } else { "kind" })],
                mark,
            );
        }
    };
    row(html, named, what);
}

pub(super) fn table(html: &mut Html, rows: impl FnOnce(&mut Html)) {
    html.tag("div", &[("class", "scroll")], |html| {
        html.tag("table", &[], |html| html.tag("tbody", &[], rows));
    });
}

pub(super) fn row(html: &mut Html, name: impl FnOnce(&mut Html), what: impl FnOnce(&mut Html)) {
    html.tag("tr", &[], |html| {
        html.tag("th", &[("scope", "row")], name);
        html.tag("td", &[], what);
    });
}

/// Words that each have a sentence of their own.
fn described_choices(schema: &Value) -> Option<Vec<(&str, &str)>> {
    let choices = schema["oneOf"].as_array()?.iter();
    choices
        .map(|choice| {
            Some((
                choice["const"].as_str()?,
                choice["description"].as_str().unwrap_or_default(),
            ))
        })
        .collect()
}

/// A schema in a few words.
pub(super) fn kind(html: &mut Html, schema: &Value) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return html.leaf("a", &[("href", &format!("#type-{name}"))], name);
    }
    let choices = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
    if let Some(choices) = choices {
        return between(html, choices, " or ", kind);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return between(html, parts, " and ", kind);
    }
    if let Some(words) = schema["enum"].as_array() {
        if words.len() > MAX_WORDS {
            return html.text(&format!("one of {} words", words.len()));
        }
        return between(html, words, " or ", |html, word| html.leaf("code", &[], &plain(word)));
    }
    if let Some(word) = schema.get("const") {
        return html.leaf("code", &[], &plain(word));
    }
    match &schema["type"] {
        Value::String(name) => of_type(html, schema, name),
        Value::Array(names) => between(html, names, " or ", |html, name| {
            of_type(html, schema, name.as_str().unwrap_or_default());
        }),
        _ => html.text("any JSON"),
    }
    limits(html, schema);
}

fn of_type(html: &mut Html, schema: &Value, name: &str) {
    match name {
        "array" => {
            html.text("list of ");
            kind(html, &schema["items"]);
        }
        "object" if schema["additionalProperties"].is_object() => {
            html.text("names, each with ");
            kind(html, &schema["additionalProperties"]);
        }
        "boolean" => html.text("true or false"),
        "integer" => html.text("whole number"),
        "string" if schema["format"] == "date-time" => html.text("time (RFC 3339)"),
        "string" => html.text("text"),
        other => html.text(other),
    }
}

fn limits(html: &mut Html, schema: &Value) {
    let says = [
        ("from", "minimum"),
        ("to", "maximum"),
        ("at least, in characters,", "minLength"),
        ("at most, in characters,", "maxLength"),
        ("like", "pattern"),
        ("unless given,", "default"),
    ];
    for (word, field) in says {
        match &schema[field] {
            Value::Null => {}
            // Zero is where every count begins, and says nothing.
            value if field == "minimum" && *value == 0 => {}
            value => {
                html.text(&format!(", {word} "));
                html.leaf("code", &[], &plain(value));
            }
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn between(html: &mut Html, all: &[Value], word: &str, each: impl Fn(&mut Html, &Value)) {
    for (place, one) in all.iter().enumerate() {
        if place > 0 {
            html.text(word);
        }
        each(html, one);
    }
}
