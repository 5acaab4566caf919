//! The API description by the rules of OpenAPI 3.1: what generators and viewers rely on.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Map, Value, json};

use crate::support::{CONTRACT, operations};

/// The fields that the specification knows in each kind of object (section 4.8), beside those that begin with `x-`.
const KNOWN: [(&str, &[&str]); 9] = [
    (
        "document",
        &[
            "openapi",
            "info",
            "jsonSchemaDialect",
            "servers",
            "paths",
            "webhooks",
            "components",
            "security",
            "tags",
            "externalDocs",
        ],
    ),
    (
        "info",
        &[
            "title",
            "summary",
            "description",
            "termsOfService",
            "contact",
            "license",
            "version",
        ],
    ),
    (
        "components",
        &[
            "schemas",
            "responses",
            "parameters",
            "examples",
            "requestBodies",
            "headers",
            "securitySchemes",
            "links",
            "callbacks",
            "pathItems",
        ],
    ),
    (
        "operation",
        &[
            "tags",
            "summary",
            "description",
            "externalDocs",
            "operationId",
            "parameters",
            "requestBody",
            "responses",
            "callbacks",
            "deprecated",
            "security",
            "servers",
        ],
    ),
    (
        "parameter",
        &[
            "name",
            "in",
            "description",
            "required",
            "deprecated",
            "allowEmptyValue",
            "style",
            "explode",
            "allowReserved",
            "schema",
            "example",
            "examples",
            "content",
        ],
    ),
    ("body", &["description", "content", "required"]),
    ("media type", &["schema", "example", "examples", "encoding"]),
    ("response", &["description", "headers", "content", "links", "$ref"]),
    (
        "header",
        &[
            "description",
            "required",
            "deprecated",
            "schema",
            "example",
            "examples",
            "style",
            "explode",
            "content",
        ],
    ),
];

/// What is wrong, gathered so that one run tells all of it.
#[derive(Default)]
struct Findings {
    found: Vec<String>,
    /// Schemas that were judged before.
    judged: BTreeSet<String>,
}

impl Findings {
    fn must(&mut self, holds: bool, what: impl Into<String>) {
        if !holds {
            self.found.push(what.into());
        }
    }

    fn known(&mut self, kind: &str, place: &str, object: &Value) {
        let (_, known) = KNOWN.iter().find(|(name, _)| *name == kind).unwrap();
        let Some(fields) = object.as_object() else {
            return self.must(false, format!("{place}: a {kind} is an object"));
        };
        for name in fields.keys() {
            let fits = known.contains(&name.as_str()) || name.starts_with("x-");
            self.must(fits, format!("{place}: a {kind} has no field `{name}`"));
        }
    }

    fn document(&mut self, document: &Value) {
        self.known("document", "the document", document);
        self.known("info", "info", &document["info"]);
        self.known("components", "components", &document["components"]);
        self.must(
            document["openapi"]
                .as_str()
                .is_some_and(|version| version.starts_with("3.1.")),
            "it is OpenAPI 3.1",
        );
        for field in ["title", "version"] {
            self.must(document["info"][field].is_string(), format!("info has a {field}"));
        }
        for (part, entries) in fields(&document["components"]) {
            for (name, _) in fields(entries) {
                let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
                self.must(
                    name.chars().all(plain),
                    format!("components/{part}: `{name}` is no name"),
                );
            }
        }
        for (name, scheme) in fields(&document["components"]["securitySchemes"]) {
            let whole = match scheme["type"].as_str() {
                Some("http") => scheme["scheme"].is_string(),
                Some("apiKey") => {
                    scheme["name"].is_string()
                        && ["query", "header", "cookie"].iter().any(|place| scheme["in"] == *place)
                }
                _ => false,
            };
            self.must(whole, format!("the security scheme `{name}` is not whole"));
        }
        let mut names = BTreeSet::new();
        for (method, path, operation) in operations(document) {
            let place = format!("{method} {path}");
            self.must(path.starts_with('/'), format!("{place}: a path begins with a slash"));
            let name = operation["operationId"].to_string();
            self.must(names.insert(name), format!("{place}: its operationId is another's too"));
            self.operation(document, &method, &place, &path, operation);
        }
    }

    fn operation(&mut self, document: &Value, method: &Method, place: &str, path: &str, operation: &Value) {
        self.known("operation", place, operation);
        for field in ["operationId", "summary"] {
            self.must(operation[field].is_string(), format!("{place}: it has no {field}"));
        }
        let tags: Vec<&Value> = list(&document["tags"]).map(|tag| &tag["name"]).collect();
        self.must(
            !list(&operation["tags"]).next().is_none_or(Value::is_null),
            format!("{place}: it has no tag"),
        );
        for tag in list(&operation["tags"]) {
            self.must(tags.contains(&tag), format!("{place}: the tag {tag} is not declared"));
        }
        self.parameters(place, path, operation);
        if !operation["requestBody"].is_null() {
            // RFC 9110: a body means nothing there.
            self.must(
                ![Method::GET, Method::HEAD].contains(method),
                format!("{place}: it takes no body"),
            );
            self.known("body", place, &operation["requestBody"]);
            self.content(document, place, &operation["requestBody"]["content"]);
        }
        let mut success = 0;
        for (status, answer) in fields(&operation["responses"]) {
            let place = format!("{place} {status}");
            let number = status.parse::<u16>().is_ok_and(|status| (100..600).contains(&status));
            self.must(number || status == "default", format!("{place}: it is no status"));
            success += u8::from(status < &"400".to_owned() || status == "default");
            self.known("response", &place, answer);
            self.must(
                answer["description"].is_string(),
                format!("{place}: it has no description"),
            );
            for (_, header) in fields(&answer["headers"]) {
                self.known("header", &place, header);
            }
            self.content(document, &place, &CONTRACT.resolve(answer)["content"]);
        }
        self.must(success > 0, format!("{place}: it has no success"));
        for scheme in list(&operation["security"]).flat_map(fields) {
            let known = document["components"]["securitySchemes"].get(scheme.0).is_some();
            self.must(
                known,
                format!("{place}: the security scheme `{}` is not declared", scheme.0),
            );
        }
        let guarded = !operation["x-permission"].is_null();
        self.must(
            !guarded || operation["security"].is_array(),
            format!("{place}: it is guarded by nothing"),
        );
    }

    fn parameters(&mut self, place: &str, path: &str, operation: &Value) {
        let mut seen = BTreeSet::new();
        for parameter in list(&operation["parameters"]) {
            self.known("parameter", place, parameter);
            let (name, inside) = (&parameter["name"], &parameter["in"]);
            self.must(
                seen.insert((name.to_string(), inside.to_string())),
                format!("{place}: {name} is declared twice"),
            );
            let told = ["query", "header", "path", "cookie"]
                .iter()
                .any(|known| inside == known);
            self.must(
                told && !parameter["schema"].is_null(),
                format!("{place}: {name} is not whole"),
            );
            if inside == "path" {
                let named = name.as_str().is_some_and(|name| path.contains(&format!("{{{name}}}")));
                self.must(
                    named && parameter["required"] == true,
                    format!("{place}: {name} is not in the path"),
                );
            }
        }
        let in_path = path.split('{').skip(1).filter_map(|part| part.split('}').next());
        for name in in_path {
            let declared = list(&operation["parameters"]).any(|one| one["in"] == "path" && one["name"] == name);
            self.must(declared, format!("{place}: `{name}` is not declared"));
        }
    }

    fn content(&mut self, document: &Value, place: &str, content: &Value) {
        for (media, entry) in fields(content) {
            self.must(
                media.split('/').count() == 2,
                format!("{place}: `{media}` is no media type"),
            );
            self.known("media type", place, entry);
            self.must(
                entry["example"].is_null() || entry["examples"].is_null(),
                format!("{place}: two kinds of examples"),
            );
            self.schema(document, place, &entry["schema"]);
        }
    }

    fn schema(&mut self, document: &Value, place: &str, schema: &Value) {
        if !self.judged.insert(schema.to_string()) {
            return;
        }
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": document["components"],
        });
        if let Err(error) = jsonschema::validator_for(&whole) {
            self.must(false, format!("{place}: no JSON Schema: {error}"));
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

#[test]
fn the_description_keeps_the_rules_of_openapi() {
    let mut findings = Findings::default();
    findings.document(&CONTRACT.document);
    assert!(findings.found.is_empty(), "{}", findings.found.join("\n"));
}

#[test]
fn a_broken_rule_is_seen() {
    let breaks = |pointer: &str, value: Value| {
        let mut document = CONTRACT.document.clone();
        *document.pointer_mut(pointer).unwrap() = value;
        let mut findings = Findings::default();
        findings.document(&document);
        assert!(!findings.found.is_empty(), "{pointer} may be anything");
    };
    let connection = "/paths/~1api~1v1~1connections~1{connection}/get";
    breaks("/openapi", json!("3.0.3"));
    breaks("/info", json!({ "name": "x" }));
    breaks("/tags", json!([]));
    breaks("/components/securitySchemes", json!({}));
    breaks("/components/schemas/Scope/type", json!("thing"));
    breaks(
        &format!("{connection}/operationId"),
        CONTRACT.document["paths"]["/health"]["get"]["operationId"].clone(),
    );
    breaks(&format!("{connection}/parameters"), json!([]));
    breaks(
        &format!("{connection}/responses"),
        json!({ "404": { "description": "x" } }),
    );
    breaks(&format!("{connection}/summary"), Value::Null);
    breaks(&format!("{connection}/security"), Value::Null);
}
