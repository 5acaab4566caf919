//! The JSON Schemas that follow from a manifest.

use serde_json::json;
use tieline_manifest::{DIALECT, Manifest, Use};

const MANIFEST: &str = r"
name: Acme
baseUrl: https://api.acme.example
auth:
  - type: custom
    fields:
      - { name: host, required: true, description: The server., placeholder: smtp.acme.example }
      - { name: port, type: integer, required: true, default: 587 }
      - { name: mode, options: [plain, { value: tls, label: With TLS }] }
      - { name: password, label: Password, secret: true, aliases: [pass] }
endpoints:
  - id: make
    method: POST
    path: /things/{kind}
    pathParams: [{ name: kind, type: string, enum: [a, b] }]
    queryParams: [{ name: dry, type: boolean, default: false, required: true }, { name: v, source: static, value: 2 }]
    input: [{ name: sign, secret: true, required: true, pattern: '^s_' }]
    headers: { x-sign: '{{sign}}' }
    atLeastOne: [title, parts]
    body:
      schema:
        properties:
          title: { type: string, nullable: true, maxLength: 5 }
          parts: { type: array, minItems: 1, items: { type: object, properties: { n: { type: number, minimum: 0.5, required: true } } } }
          source: { source: static, value: tieline }
    output: { type: object, properties: { id: { type: string, required: true } } }
";

#[test]
fn an_input_is_closed_and_its_secrets_are_write_only() {
    let manifest = Manifest::parse(MANIFEST, Use::Tenant).unwrap();
    let endpoint = manifest.endpoint("make").unwrap();
    assert_eq!(
        endpoint.input_schema(),
        json!({
            "$schema": DIALECT,
            "type": "object",
            "additionalProperties": false,
            "required": ["kind", "sign"],
            "anyOf": [{ "required": ["title"] }, { "required": ["parts"] }],
            "properties": {
                "kind": { "type": "string", "enum": ["a", "b"] },
                "dry": { "type": "boolean", "default": false },
                "sign": { "type": "string", "pattern": "^s_", "writeOnly": true },
                "title": { "type": ["string", "null"], "maxLength": 5 },
                "parts": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "additionalProperties": false,
                        "required": ["n"],
                        "properties": { "n": { "type": "number", "minimum": 0.5 } },
                    },
                },
            },
        })
    );
    assert_eq!(endpoint.secret_inputs().collect::<Vec<_>>(), ["sign"]);
}

#[test]
fn an_output_may_grow() {
    let manifest = Manifest::parse(MANIFEST, Use::Tenant).unwrap();
    assert_eq!(
        manifest.endpoint("make").unwrap().output_schema(),
        json!({
            "$schema": DIALECT,
            "type": "object",
            "required": ["id"],
            "properties": { "id": { "type": "string" } },
        })
    );
}

#[test]
fn a_configuration_lists_its_fields() {
    let manifest = Manifest::parse(MANIFEST, Use::Tenant).unwrap();
    assert_eq!(
        manifest.auth("custom").unwrap().config_schema(),
        json!({
            "$schema": DIALECT,
            "type": "object",
            "additionalProperties": false,
            "required": ["host"],
            "properties": {
                "host": { "type": "string", "title": "host", "description": "The server.", "examples": ["smtp.acme.example"] },
                "port": { "type": "integer", "title": "port", "default": 587 },
                "mode": { "type": "string", "title": "mode", "enum": ["plain", "tls"] },
                "password": { "type": "string", "title": "Password", "writeOnly": true },
            },
        })
    );
}
