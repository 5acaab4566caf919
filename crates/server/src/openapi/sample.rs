//! A value that fits a schema, to show what an answer looks like.

use serde_json::{Map, Value};

use super::resolve;

/// How deep a sample goes: types that hold themselves end there.
const MAX_DEPTH: usize = 8;

/// A value that fits the schema, with every field that the schema names.
pub(crate) fn sample(document: &Value, schema: &Value) -> Value {
    at_depth(document, schema, 0)
}

fn at_depth(document: &Value, schema: &Value, depth: usize) -> Value {
    let given = [
        &schema["examples"][0],
        &schema["const"],
        &schema["enum"][0],
        &schema["default"],
    ];
    if let Some(given) = given.into_iter().find(|value| !value.is_null()) {
        return given.clone();
    }
    if !schema["$ref"].is_null() {
        return at_depth(document, resolve(document, schema), depth);
    }
    let choices = schema["anyOf"]
        .as_array()
        .or(schema["oneOf"].as_array())
        .or(schema["allOf"].as_array());
    if let Some(first) = choices.and_then(|choices| choices.first()) {
        return at_depth(document, first, depth);
    }
    match schema["type"].as_str().or_else(|| schema["type"][0].as_str()) {
        Some("object") => object(document, schema, depth),
        Some("array") if depth < MAX_DEPTH && !schema["items"].is_null() => {
            Value::Array(vec![at_depth(document, &schema["items"], depth + 1)])
        }
        Some("array") => Value::Array(Vec::new()),
        Some("string") => text(schema).into(),
        Some("integer" | "number") => schema["minimum"].as_i64().unwrap_or(1).max(1).into(),
        Some("boolean") => true.into(),
        Some("null") => Value::Null,
        // Anything goes: an object is what people expect to see.
        _ => Value::Object(Map::new()),
    }
}

fn object(document: &Value, schema: &Value, depth: usize) -> Value {
    let required = |name: &String| {
        let mut required = schema["required"].as_array().into_iter().flatten();
        required.any(|known| known == name)
    };
    let fields = schema["properties"].as_object().into_iter().flatten();
    let fields: Map<_, _> = fields
        .filter(|(name, _)| depth < MAX_DEPTH || required(name))
        .map(|(name, field)| (name.clone(), at_depth(document, field, depth + 1)))
        .collect();
    if fields.is_empty() && schema["additionalProperties"].is_object() && depth < MAX_DEPTH {
        let value = at_depth(document, &schema["additionalProperties"], depth + 1);
        return Value::Object(Map::from_iter([("name".to_owned(), value)]));
    }
    fields.into()
}

fn text(schema: &Value) -> &'static str {
    match schema["format"].as_str() {
        Some("date-time") => "2026-01-31T09:30:00Z",
        Some("uri") => "https://example.com/",
        _ => "…",
    }
}
