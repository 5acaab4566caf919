//! Bodies: such as the description declares, almost such, and such as nobody should send.

use serde_json::{Map, Value, json};

use super::{
    World,
    dice::Dice,
    value::{Raw, hostile, spoil},
};
use crate::support::CONTRACT;

/// How deep a value that is made from a schema goes.
const MAX_DEPTH: usize = 5;

/// Bodies that are no JSON, or more than is taken.
fn strange(dice: &mut Dice<'_>) -> Vec<u8> {
    match dice.below(10) {
        0 => Vec::new(),
        1 => b"{".to_vec(),
        2 => b"\xef\xbb\xbf{}".to_vec(),
        3 => b"{\"name\":\"\xff\xfe\"}".to_vec(),
        4 => b"{} {}".to_vec(),
        5 => b"{\"a\":NaN}".to_vec(),
        6 => b"name=a&connector=acme".to_vec(),
        7 => vec![0; 64],
        8 => format!("{{\"name\":\"{}\"}}", "x".repeat(1024 * 1024)).into_bytes(),
        _ => "[".repeat(200_000).into_bytes(),
    }
}

/// A body for a route.
pub(super) fn draw(dice: &mut Dice<'_>, world: &World, operation: &Value) -> Option<Vec<u8>> {
    let media = operation["requestBody"]["content"]
        .as_object()
        .and_then(|content| content.values().next());
    let Some(media) = media else {
        return dice.rarely(8).then(|| strange(dice));
    };
    let examples: Vec<&Value> = media["examples"]
        .as_object()
        .into_iter()
        .flat_map(Map::values)
        .collect();
    let value = match dice.below(10) {
        8 => return Some(strange(dice)),
        9 => return Some(hostile(dice, world).into_bytes()),
        choice if choice < 5 && !examples.is_empty() => dice.one(&examples)["value"].clone(),
        _ => fit(dice, world, &media["schema"], 0),
    };
    let value = Raw::from(&world.seed.fill(&value));
    Some(spoil(dice, world, value).text().into_bytes())
}

/// A value that fits a schema, more or less.
fn fit(dice: &mut Dice<'_>, world: &World, schema: &Value, depth: usize) -> Value {
    let schema = CONTRACT.resolve(schema);
    if let Some(examples) = schema["examples"].as_array()
        && dice.below(2) == 0
    {
        return dice.one(examples).clone();
    }
    if let Some(choices) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        let choice = dice.one(choices);
        return fit(dice, world, choice, depth + 1);
    }
    if let Some(words) = schema["enum"].as_array() {
        return dice.one(words).clone();
    }
    if let Some(word) = schema.get("const") {
        return word.clone();
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => vec!["object"],
    };
    match *dice.one(&types) {
        "object" if depth < MAX_DEPTH => object(dice, world, schema, depth),
        "array" if depth < MAX_DEPTH => (0..dice.below(3))
            .map(|_| fit(dice, world, &schema["items"], depth + 1))
            .collect(),
        "array" => json!([]),
        "string" => string(dice, schema),
        "integer" | "number" => {
            let least = schema["minimum"].as_i64().unwrap_or(0);
            let most = schema["maximum"].as_i64().unwrap_or(i64::MAX);
            (*dice.one(&[least, most, least + 1, least - 1, most.saturating_add(1)])).into()
        }
        "boolean" => (dice.below(2) == 0).into(),
        "null" => Value::Null,
        _ => json!({}),
    }
}

fn object(dice: &mut Dice<'_>, world: &World, schema: &Value, depth: usize) -> Value {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut fields = Map::new();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if required.contains(&name.as_str()) || dice.below(2) == 1 {
            fields.insert(name.clone(), fit(dice, world, field, depth + 1));
        }
    }
    if schema["additionalProperties"].is_object() {
        let names = ["admin", "connections:read", "a name", "bot_token", "content"];
        for _ in 0..dice.below(3) {
            let name = *dice.one(&names);
            fields.insert(
                name.to_owned(),
                fit(dice, world, &schema["additionalProperties"], depth + 1),
            );
        }
    }
    fields.into()
}

fn string(dice: &mut Dice<'_>, schema: &Value) -> Value {
    let words: &[&str] = match schema["format"].as_str() {
        Some("date-time") => &["2099-12-31T00:00:00Z", "1969-12-31T23:59:59Z", "2026-02-30T00:00:00Z"],
        Some("uri") => &["http://127.0.0.1:1/", "https://"],
        Some("email") => &["ada@example.com", "@", "a\n@b"],
        _ => &["acme", "send", "whoami", "a name", "", "user", "read", "éclair 👋"],
    };
    (*dice.one(words)).into()
}
