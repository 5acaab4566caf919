//! Whether answers are what the API description promises.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex},
};

use http::Method;
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use tieline_server::{openapi, router};

use super::Answer;

/// The API description, with its schemas ready to be asked.
pub(crate) struct Contract {
    pub(crate) document: Value,
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// The one of this server: the same for every test.
pub(crate) static CONTRACT: LazyLock<Contract> = LazyLock::new(|| Contract::new(openapi::document(&router::routes())));

impl Contract {
    pub(crate) fn new(document: Value) -> Self {
        Self {
            document,
            validators: Mutex::default(),
        }
    }

    /// What the description says of a request's route.
    pub(crate) fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let path = path.split('?').next().unwrap_or_default();
        let method = method.as_str().to_ascii_lowercase();
        let paths = self.document["paths"].as_object()?;
        let mut fitting: Vec<_> = paths.iter().filter(|(template, _)| fits(template, path)).collect();
        // A literal path goes before one with parameters.
        fitting.sort_by_key(|(template, _)| template.matches('{').count());
        fitting.first()?.1.get(&method)
    }

    /// What is wrong with an answer of this route: its status, its code, its type or its body.
    pub(crate) fn fault(&self, operation: &Value, answer: &Answer) -> Option<String> {
        let declared = &operation["responses"][answer.status.to_string()];
        if declared.is_null() {
            return Some("the API description does not declare this status".to_owned());
        }
        if answer.status >= 400 {
            let codes = declared["description"].as_str().unwrap_or_default();
            if !codes.split(", ").any(|code| code == answer.code()) {
                return Some(format!("its code is not among {codes}"));
            }
        }
        let Some(content) = self.resolve(declared)["content"].as_object() else {
            return (!answer.text.is_empty()).then(|| "a body is not declared".to_owned());
        };
        let media = answer.headers.get("content-type").and_then(|value| value.to_str().ok());
        let media = media.unwrap_or_default().split(';').next().unwrap_or_default();
        let range = format!("{}/*", media.split('/').next().unwrap_or_default());
        let Some(content) = content.get(media).or_else(|| content.get(&range)) else {
            return Some(format!("the media type `{media}` is not declared"));
        };
        if !media.ends_with("json") {
            return None;
        }
        self.misfit(&content["schema"], &answer.json)
    }

    /// Where a value does not fit a schema of the description.
    pub(crate) fn misfit(&self, schema: &Value, value: &Value) -> Option<String> {
        let validator = self.validator(schema);
        let wrong: Vec<_> = validator
            .iter_errors(value)
            .map(|error| format!("at `{}`: {error}", error.instance_path()))
            .collect();
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }

    pub(crate) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.resolve(self.document.pointer(&reference[1..]).unwrap()),
            None => value,
        }
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let ready = validators.entry(schema.to_string()).or_insert_with(|| {
            let whole = json!({ "allOf": [schema], "components": self.document["components"] });
            let built = jsonschema::options().with_draft(Draft::Draft202012).build(&whole);
            Arc::new(built.unwrap_or_else(|error| panic!("{schema} is no schema: {error}")))
        });
        ready.clone()
    }
}

/// Every route of a description: method, path and what is said of it.
pub(crate) fn operations(document: &Value) -> Vec<(Method, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .iter()
                .map(move |(method, operation)| (method.to_ascii_uppercase().parse().unwrap(), path.clone(), operation))
        })
        .collect()
}

/// Whether a path is one of a template's.
fn fits(template: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    for wanted in template.split('/') {
        if wanted.starts_with("{*") {
            return parts.next().is_some();
        }
        match parts.next() {
            Some(part) if wanted == part || (wanted.starts_with('{') && !part.is_empty()) => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

#[test]
fn the_contract_sees_what_is_wrong() {
    let document = json!({
        "paths": { "/a/{b}": { "get": { "responses": {
            "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/A" } } } },
            "204": { "description": "Done." },
            "404": { "description": "NOT_FOUND", "$ref": "#/components/responses/P" },
        } } } },
        "components": {
            "schemas": { "A": { "type": "object", "required": ["a"], "properties": { "a": { "type": "integer" } } } },
            "responses": { "P": { "content": { "application/problem+json": { "schema": { "required": ["code"] } } } } },
        },
    });
    let contract = Contract::new(document);
    let operation = contract.operation(&Method::GET, "/a/7?x=1").unwrap();
    assert!(contract.operation(&Method::GET, "/a").is_none() && contract.operation(&Method::PUT, "/a/7").is_none());
    let fault = |status: u16, media: &str, text: &str| {
        contract.fault(
            operation,
            &Answer {
                status,
                headers: [(http::header::CONTENT_TYPE, media.parse().unwrap())]
                    .into_iter()
                    .collect(),
                text: text.to_owned(),
                json: serde_json::from_str(text).unwrap_or_default(),
            },
        )
    };
    let (json, problem) = ("application/json", "application/problem+json");
    assert_eq!(fault(200, json, r#"{"a":1}"#), None);
    assert_eq!(fault(204, "", ""), None);
    assert_eq!(fault(404, problem, r#"{"code":"NOT_FOUND"}"#), None);
    for (status, media, text) in [
        (201, json, r#"{"a":1}"#),
        (200, json, r#"{"a":"1"}"#),
        (200, json, "{}"),
        (200, "text/plain", r#"{"a":1}"#),
        (204, "", "x"),
        (404, problem, r#"{"code":"OTHER"}"#),
        (404, json, r#"{"code":"NOT_FOUND"}"#),
    ] {
        assert!(fault(status, media, text).is_some(), "{status} {media} {text}");
    }
}
