//! The fields of a configuration, read from its JSON Schema: what a form, a command line and a catalog show of it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    error::{Code, Error, Result},
    schema::{MAX_REFERENCES, referred},
};

/// The word that marks a field as deciding where secrets are sent.
const TARGET: &str = "x-target";

/// A configuration's fields, as a manifest would declare them. A text is one line, unless its format is `textarea`; what
/// is no text, number or boolean is JSON, which is judged by the schema alone. Where no hosts are declared, an address in
/// the configuration decides where secrets are sent.
pub(super) fn fields(schema: &Value, hosts_are_declared: bool) -> Result<Vec<Value>> {
    let root = resolved(schema, schema).ok_or_else(|| no_object("refers to nothing"))?;
    if root.get("type").is_some_and(|kind| kind != "object") {
        return Err(no_object("is no object"));
    }
    let empty = Map::new();
    let properties = match root.get("properties") {
        Some(properties) => properties
            .as_object()
            .ok_or_else(|| no_object("has no list of properties"))?,
        // A type without fields is an object of nothing.
        None if root.get("type").is_some() => &empty,
        None => return Err(no_object("names no properties")),
    };
    let required: Vec<&str> = match root.get("required") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let field = |(name, property): (&String, &Value)| {
        let is_required = required.contains(&name.as_str());
        field(name, property, schema, is_required, hosts_are_declared)
    };
    Ok(properties.iter().map(field).collect())
}

fn no_object(why: &str) -> Error {
    let detail = format!(
        "The schema of the configuration {why}: a configuration is an object of named fields, such as a struct."
    );
    Error::new(Code::ManifestInvalid, detail)
}

fn field(name: &str, property: &Value, whole: &Value, required: bool, hosts_are_declared: bool) -> Value {
    let schema = resolved(property, whole).unwrap_or(property);
    let secret = is_secret(property, whole, &mut BTreeSet::new());
    let (kind, options) = kind(schema, secret);
    let told = |word: &str| property.get(word).or_else(|| schema.get(word));
    let mut field = json!({ "name": name, "type": kind });
    let words = field.as_object_mut().expect("it was written as one");
    let mut put = |word: &str, value: Option<Value>| value.map(|value| words.insert(word.to_owned(), value));
    put("label", told("title").cloned());
    put("description", told("description").cloned());
    let default = told("default").filter(|default| !default.is_null() && !secret);
    put("default", default.cloned());
    put("required", (required && default.is_none()).then_some(Value::Bool(true)));
    put("secret", secret.then_some(Value::Bool(true)));
    let example = told("examples")
        .and_then(|examples| examples.get(0))
        .filter(|example| example.is_string());
    put("placeholder", example.cloned());
    put("options", (!options.is_empty()).then_some(Value::Array(options)));
    let is_address = matches!(format(schema), "uri" | "url" | "hostname" | "host");
    let is_target = told(TARGET).and_then(Value::as_bool);
    let is_target = is_target.unwrap_or(is_address && !secret && !hosts_are_declared);
    put("target", is_target.then_some(Value::Bool(true)));
    field
}

/// The word of the manifest language, and the options if there are any.
fn kind(schema: &Value, secret: bool) -> (&'static str, Vec<Value>) {
    let options = if secret { Vec::new() } else { options(schema) };
    let kind = match (base_type(schema), format(schema)) {
        _ if !options.is_empty() => "string",
        (Some("array" | "string"), "hosts") if !secret => "hosts",
        (Some("string"), "textarea") => "text",
        (Some("string"), _) => "string",
        // What is sealed is a text.
        _ if secret => "json",
        (Some("integer"), _) => "integer",
        (Some("number"), _) => "number",
        (Some("boolean"), _) => "boolean",
        _ => "json",
    };
    (kind, options)
}

fn format(schema: &Value) -> &str {
    schema.get("format").and_then(Value::as_str).unwrap_or_default()
}

/// The one type besides null.
fn base_type(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
            kinds.next().filter(|_| kinds.next().is_none())
        }
        _ => None,
    }
}

/// The texts of an enumeration, in either of the forms it is written in.
fn options(schema: &Value) -> Vec<Value> {
    if let Some(Value::Array(values)) = schema.get("enum") {
        let texts = values.iter().filter(|value| !value.is_null());
        let texts: Option<Vec<Value>> = texts.map(|value| value.is_string().then(|| value.clone())).collect();
        return texts.unwrap_or_default();
    }
    let Some(Value::Array(choices)) = schema.get("oneOf") else {
        return Vec::new();
    };
    let option = |choice: &Value| {
        let value = choice.get("const").filter(|value| value.is_string())?;
        let label = choice.get("title").unwrap_or(value);
        Some(json!({ "value": value, "label": label }))
    };
    choices.iter().map(option).collect::<Option<_>>().unwrap_or_default()
}

/// What a schema refers to in the end, and of "this or null" this.
fn resolved<'s>(schema: &'s Value, whole: &'s Value) -> Option<&'s Value> {
    let mut schema = schema;
    for _ in 0..MAX_REFERENCES {
        let is_bare = schema.get("type").is_none() && schema.get("properties").is_none();
        if is_bare && schema.get("$ref").is_some() {
            schema = referred(schema, whole)?;
            continue;
        }
        let choices = schema.get("anyOf").and_then(Value::as_array);
        let is_null = |choice: &&Value| choice.get("type").is_some_and(|kind| kind == "null");
        match choices.map(|choices| choices.iter().filter(|choice| !is_null(choice)).collect::<Vec<_>>()) {
            Some(one) if one.len() == 1 => schema = one[0],
            _ => return Some(schema),
        }
    }
    None
}

/// Whether a secret lies anywhere in it: then all of it is sealed. `seen` are the places that were followed already.
fn is_secret(schema: &Value, whole: &Value, seen: &mut BTreeSet<String>) -> bool {
    let words = match schema {
        Value::Object(words) => words,
        Value::Array(parts) => return parts.iter().any(|part| is_secret(part, whole, seen)),
        _ => return false,
    };
    if words.get("writeOnly") == Some(&Value::Bool(true)) {
        return true;
    }
    words.iter().any(|(word, value)| match word.as_str() {
        "$ref" => {
            let is_new = value.as_str().is_some_and(|place| seen.insert(place.to_owned()));
            is_new && referred(schema, whole).is_some_and(|schema| is_secret(schema, whole, seen))
        }
        "properties" | "patternProperties" => {
            let places = value.as_object().into_iter().flat_map(Map::values);
            places.into_iter().any(|place| is_secret(place, whole, seen))
        }
        "default" | "examples" | "enum" | "const" | "$defs" => false,
        _ => is_secret(value, whole, seen),
    })
}
