//! Connectors and actions for people, told from their descriptors.

use tieline_manifest::Tree;

use super::{
    connectors::{is, items, text},
    output::printable,
};

/// How a connector is connected, and what it can do.
pub(super) fn connector(connector: &Tree) -> String {
    let id = text(connector, "id");
    let mut told = format!("{} ({id})\n{}\n", text(connector, "name"), text(connector, "summary"));
    for (number, step) in items(connector.get("setup")).iter().enumerate() {
        told.push_str(&format!("\n{}. {}\n", number + 1, text(step, "title")));
        let details = items(step.get("bullets")).iter().filter_map(Tree::as_str);
        let description = text(step, "description");
        for line in std::iter::once(description.as_str())
            .chain(details)
            .filter(|line| !line.is_empty())
        {
            told.push_str(&format!("   {line}\n"));
        }
    }
    for auth in items(connector.get("auth")) {
        let (label, id) = (text(auth, "label"), text(auth, "id"));
        told.push_str(&format!("\nConnect: {label} (--auth {id})\n{}", fields(auth)));
    }
    for action in items(connector.get("actions")) {
        let (action_id, description) = (text(action, "id"), text(action, "description"));
        told.push_str(&format!(
            "\ntieline call {id} {action_id}\n  {description}\n{}",
            inputs(action)
        ));
    }
    printable(told.trim_end())
}

/// What an action takes, one input a line, what is required first.
pub(super) fn inputs(action: &Tree) -> String {
    let Some(schema) = action.get("input") else {
        return String::new();
    };
    let required = items(schema.get("required"));
    let is_required = |name: &str| required.iter().any(|known| known.as_str() == Some(name));
    let properties = schema.get("properties").and_then(Tree::as_object);
    let mut properties: Vec<_> = properties.unwrap_or_default().iter().collect();
    properties.sort_by_key(|(name, _)| !is_required(name));
    let mut told: String = properties
        .into_iter()
        .map(|(name, property)| {
            let mut marks = vec![kind(schema, property)];
            marks.extend(is_required(name).then(|| "required".to_owned()));
            marks.extend(is(property, "writeOnly").then(|| "secret".to_owned()));
            marks.extend(limits(Some(property)));
            argument(name, &marks, &text(property, "description"))
        })
        .collect();
    let either: Vec<&str> = items(schema.get("anyOf"))
        .iter()
        .flat_map(|one| items(one.get("required")))
        .filter_map(Tree::as_str)
        .collect();
    if !either.is_empty() {
        told.push_str(&format!("  At least one is required: {}\n", either.join(", ")));
    }
    told
}

/// The values a field or an input may have, where they are counted out: `one of a, b`.
pub(super) fn choices(property: Option<&Tree>) -> Option<String> {
    let values: Vec<String> = items(property?.get("enum")).iter().map(plain).collect();
    (!values.is_empty()).then(|| format!("one of {}", values.join(", ")))
}

fn fields(auth: &Tree) -> String {
    let properties = auth.get("schema").and_then(|schema| schema.get("properties"));
    items(auth.get("fields"))
        .iter()
        .map(|field| {
            let name = text(field, "name");
            let mut marks = vec![text(field, "type")];
            for mark in ["required", "secret"] {
                marks.extend(is(field, mark).then(|| mark.to_owned()));
            }
            marks.extend(limits(properties.and_then(|properties| properties.get(&name))));
            argument(&name, &marks, &text(field, "description"))
        })
        .collect()
}

/// Which values there are, and which holds when none is given.
fn limits(property: Option<&Tree>) -> impl Iterator<Item = String> {
    let default = property
        .and_then(|property| property.get("default"))
        .filter(|default| !default.is_null())
        .map(|default| format!("default {}", plain(default)));
    choices(property).into_iter().chain(default)
}

fn argument(name: &str, marks: &[String], description: &str) -> String {
    let marks = marks.join(", ");
    if description.is_empty() {
        format!("  {name} ({marks})\n")
    } else {
        // One line each, however the text was broken where it was written.
        let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("  {name} ({marks}): {line}\n")
    }
}

/// A value as it is typed after `name=`.
fn plain(value: &Tree) -> String {
    value.as_str().map_or_else(|| value.to_text(), str::to_owned)
}

/// The type of a property, in a schema's words.
fn kind(schema: &Tree, property: &Tree) -> String {
    let named = property.get("$ref").and_then(Tree::as_str);
    if let Some(name) = named.and_then(|name| name.strip_prefix("#/$defs/")) {
        // One step is all the descriptors take; a definition that names another is told as `any`.
        let definition = schema.get("$defs").and_then(|definitions| definitions.get(name));
        return definition.map_or_else(|| "any".to_owned(), kinds);
    }
    kinds(property)
}

fn kinds(property: &Tree) -> String {
    match (property.get("type"), items(property.get("anyOf"))) {
        (Some(Tree::String(kind)), _) => kind.clone(),
        (Some(Tree::Array(kinds)), _) => kinds.iter().filter_map(Tree::as_str).collect::<Vec<_>>().join(" or "),
        (_, []) => "any".to_owned(),
        (_, several) => several
            .iter()
            .map(|one| text(one, "type"))
            .filter(|kind| !kind.is_empty())
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tieline_manifest::Json;

    use super::*;

    #[test]
    fn an_input_is_told_with_its_type_and_its_choices() {
        let action = Json::from(json!({ "input": {
            "$defs": { "Some": { "anyOf": [{ "type": "string" }, { "type": "array" }] } },
            "required": ["to"],
            "anyOf": [{ "required": ["key"] }, { "required": ["odd"] }],
            "properties": {
                "key": { "type": "string", "writeOnly": true },
                "odd": {},
                "size": { "type": ["integer", "null"], "enum": [1, 2, null], "default": 2 },
                "to": { "$ref": "#/$defs/Some", "description": "To whom." },
            },
        }}));
        assert_eq!(
            inputs(action.tree()),
            "  to (string or array, required): To whom.\n\
             \x20 key (string, secret)\n\
             \x20 odd (any)\n\
             \x20 size (integer or null, one of 1, 2, null, default 2)\n\
             \x20 At least one is required: key, odd\n"
        );
    }
}
