//! One connector's actions, written down as OpenAPI 3.1: a view of its descriptor.

use serde_json::{Map, Value, json};
use tieline::{action::ActionDescriptor, connector::ConnectorDescriptor};

use crate::{problem::PROBLEM_JSON, router::API};

/// Where the definitions of an action's schemas stand: in a document, `#` is its own beginning and no schema's.
const SCHEMAS: &str = "#/components/schemas/";

/// The description of a connector's actions, each at the address where it is called.
pub fn document(connector: &ConnectorDescriptor) -> Value {
    let mut connector = connector.clone();
    let mut schemas = Map::new();
    for action in &mut connector.actions {
        lift(&format!("{}.input.", action.id), &mut action.input, &mut schemas);
        lift(&format!("{}.output.", action.id), &mut action.output, &mut schemas);
    }
    let mut paths: Map<String, Value> = connector.actions.iter().map(path).collect();
    if !connector.actions.is_empty() {
        paths.insert("/actions".to_owned(), step(&connector));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": connector.name,
            "version": env!("CARGO_PKG_VERSION"),
            "summary": connector.summary,
            "description": connector.description,
        },
        "servers": [{ "url": API }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "Problem": {
                "description": "What went wrong (RFC 9457).",
                "content": { (PROBLEM_JSON): { "schema": { "type": "object" } } },
            } },
            "securitySchemes": { "apiKey": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{ "apiKey": [] }],
    })
}

/// Takes the definitions out of a schema, and lets it refer to them where they stand now.
fn lift(prefix: &str, schema: &mut Value, schemas: &mut Map<String, Value>) {
    refer(prefix, schema);
    let Some(Value::Object(definitions)) = schema.as_object_mut().and_then(|words| words.remove("$defs")) else {
        return;
    };
    schemas.extend(
        definitions
            .into_iter()
            .map(|(name, schema)| (format!("{prefix}{name}"), schema)),
    );
}

fn refer(prefix: &str, schema: &mut Value) {
    match schema {
        Value::Object(words) => {
            for (word, value) in words {
                match value.as_str().and_then(|place| place.strip_prefix("#/$defs/")) {
                    Some(name) if word == "$ref" => *value = json!(format!("{SCHEMAS}{prefix}{name}")),
                    _ => refer(prefix, value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| refer(prefix, item)),
        _ => {}
    }
}

fn path(action: &ActionDescriptor) -> (String, Value) {
    let parameter = json!({
        "name": "connection",
        "in": "path",
        "required": true,
        "description": "With whose keys: a connection of this connector.",
        "schema": { "type": "string" },
    });
    let answer = json!({
        "type": "object",
        "required": ["call", "output"],
        "properties": { "call": { "type": "string" }, "output": action.output },
    });
    let operation = json!({ "post": {
        "operationId": action.id,
        "summary": action.name,
        "description": action.description,
        "tags": action.tags,
        "parameters": [parameter],
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": action.input } },
        },
        "responses": {
            "200": {
                "description": "What came of the call.",
                "content": { "application/json": { "schema": answer } },
            },
            "default": { "$ref": "#/components/responses/Problem" },
        },
    } });
    (format!("/connections/{{connection}}/actions/{}", action.id), operation)
}

/// The same actions as a workflow's step names them, which may come with a shared credential in place of a connection.
fn step(connector: &ConnectorDescriptor) -> Value {
    let bodies = connector.actions.iter().map(|action| {
        let mut body = json!({
            "type": "object",
            "title": action.name,
            "required": ["connectorType", "action"],
            "properties": {
                "connectorType": { "const": connector.id },
                "action": { "const": action.id },
                "credentialId": { "type": "string", "description": "With whose keys: a shared credential that fits this connector." },
                "connectionId": { "type": "string", "description": "With whose keys: a connection of this connector." },
                "input": action.input,
            },
        });
        if action.requires_connection {
            body["oneOf"] = json!([{ "required": ["credentialId"] }, { "required": ["connectionId"] }]);
        }
        body
    });
    let outputs = connector.actions.iter().map(|action| action.output.clone());
    let answer = json!({
        "type": "object",
        "required": ["call", "output"],
        "properties": { "call": { "type": "string" }, "output": { "anyOf": outputs.collect::<Vec<_>>() } },
    });
    json!({ "post": {
        "operationId": "actions.step",
        "summary": "Calls an action as a workflow's step names it",
        "description": "With a shared credential or a connection. What the action needs stands in `input`, or beside the names.",
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": { "oneOf": bodies.collect::<Vec<_>>() } } },
        },
        "responses": {
            "200": {
                "description": "What came of the call.",
                "content": { "application/json": { "schema": answer } },
            },
            "default": { "$ref": "#/components/responses/Problem" },
        },
    } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(words) => {
                found.extend(words.get("$ref").and_then(Value::as_str).map(str::to_owned));
                words.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let mut lifted = 0;
        for connector in tieline_catalog::connectors() {
            let document = document(connector.descriptor());
            let mut found = Vec::new();
            references(&document, &mut found);
            for place in found {
                let pointer = place.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{}: {place}", connector.id());
                lifted += usize::from(place.starts_with(SCHEMAS));
            }
        }
        assert!(lifted > 3, "some schemas have definitions: {lifted}");
    }
}
