//! The list of routes, written down as OpenAPI 3.1.

pub mod connector;

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use tieline::Code;

use crate::{
    caller::Access,
    problem::{PROBLEM_JSON, Problem, status},
    route::Route,
};

/// Where types are described.
const SCHEMAS: &str = "/components/schemas";

/// What is said of one route.
pub struct Operation<'a> {
    generator: &'a mut SchemaGenerator,
    parameters: Vec<Value>,
    body: Option<Value>,
    answer: Option<(StatusCode, Value)>,
    codes: BTreeSet<Code>,
    wants_caller: bool,
}

/// The description of all routes.
pub fn document(routes: &[Route]) -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = SCHEMAS.into())
        .into_generator();
    let mut paths = BTreeMap::<&str, Map<String, Value>>::new();
    for route in routes {
        let method = route.method.as_str().to_ascii_lowercase();
        let operation = Operation::of(&mut generator, route).write(route);
        paths.entry(&route.path).or_default().insert(method, operation);
    }
    let problem = generator.subschema_for::<Problem>();
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tieline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The connector platform: connections between a product and the services its customers use.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "Problem": {
                "description": "What went wrong (RFC 9457).",
                "content": { (PROBLEM_JSON): { "schema": problem } },
            } },
            "securitySchemes": { "apiKey": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key, `sk_` and 64 hexadecimal digits.",
            } },
        },
    })
}

impl<'a> Operation<'a> {
    pub(crate) fn of(generator: &'a mut SchemaGenerator, route: &Route) -> Self {
        let mut operation = Operation {
            generator,
            parameters: Vec::new(),
            body: None,
            answer: None,
            // What is asked of every request: a URI of bounded length, and that it is not our own coming back.
            codes: BTreeSet::from([Code::Internal, Code::RequestInvalid, Code::EgressForbidden]),
            wants_caller: false,
        };
        if let Access::Needs(_) = route.access {
            operation.fails(&[
                Code::Unauthenticated,
                Code::PermissionDenied,
                Code::Overloaded,
                Code::ConnectorDatabaseFailed,
            ]);
        }
        (route.describe)(&mut operation);
        operation.fails(&route.codes);
        operation
    }

    /// The handler asks who calls.
    pub fn wants_caller(&mut self) {
        self.wants_caller = true;
    }

    /// It can fail in these ways.
    pub fn fails(&mut self, codes: &[Code]) {
        self.codes.extend(codes);
    }

    /// It reads a parameter of the path.
    pub fn reads_param(&mut self, name: &str, schema: &Schema) {
        self.parameters
            .push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    }

    /// It reads the query string as a `T`.
    pub fn reads_query<T: JsonSchema>(&mut self) {
        let schema = T::json_schema(self.generator).to_value();
        let required: Vec<&str> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            let mut schema = without_null(schema);
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let mut parameter = json!({ "name": name, "in": "query", "schema": schema });
            if let Some(description) = description {
                parameter["description"] = description;
            }
            if required.contains(&name.as_str()) {
                parameter["required"] = true.into();
            }
            self.parameters.push(parameter);
        }
    }

    /// It reads a JSON body of this shape.
    pub fn reads_json(&mut self, schema: Schema, required: bool) {
        self.body = Some(json!({ "required": required, "content": { "application/json": { "schema": schema } } }));
        self.fails(&[
            Code::JsonInvalid,
            Code::JsonTooComplex,
            Code::BodyTooLarge,
            Code::MediaTypeUnsupported,
            Code::RequestInvalid,
            Code::RequestTimeout,
        ]);
    }

    /// The generator that knows the types met so far.
    pub fn generator(&mut self) -> &mut SchemaGenerator {
        self.generator
    }

    /// It answers JSON.
    pub fn answers_json<T: JsonSchema>(&mut self, status: StatusCode, description: &str) {
        let schema = self.generator.subschema_for::<T>();
        let answer = json!({ "description": description, "content": { "application/json": { "schema": schema } } });
        self.answer = Some((status, answer));
    }

    /// It answers text.
    pub fn answers_text(&mut self) {
        let answer = json!({ "description": "Text.", "content": { "text/*": { "schema": { "type": "string" } } } });
        self.answer = Some((StatusCode::OK, answer));
    }

    /// It answers with no body.
    pub fn answers_nothing(&mut self) {
        self.answer = Some((StatusCode::NO_CONTENT, json!({ "description": "Done." })));
    }

    /// The path's parameters that some argument reads, and whether one asks for the caller: what the table checks.
    pub(crate) fn claims(&self) -> (BTreeSet<&str>, bool) {
        let params = self.parameters.iter().filter(|parameter| parameter["in"] == "path");
        (
            params.filter_map(|parameter| parameter["name"].as_str()).collect(),
            self.wants_caller,
        )
    }

    fn write(self, route: &Route) -> Value {
        let mut responses = Map::new();
        if let Some((status, answer)) = self.answer {
            responses.insert(status.as_str().to_owned(), answer);
        }
        let mut by_status = BTreeMap::<StatusCode, Vec<&str>>::new();
        for code in self.codes {
            by_status.entry(status(code)).or_default().push(code.as_str());
        }
        for (status, codes) in by_status {
            let answer = json!({ "$ref": "#/components/responses/Problem", "description": codes.join(", ") });
            responses.insert(status.as_str().to_owned(), answer);
        }
        let mut operation = json!({
            "summary": route.summary,
            "operationId": operation_id(route),
            "responses": responses,
        });
        if let Access::Needs(permission) = route.access {
            operation["security"] = json!([{ "apiKey": [] }]);
            operation["x-permission"] = permission.as_str().into();
        }
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.into();
        }
        if let Some(body) = self.body {
            operation["requestBody"] = body;
        }
        operation
    }
}

/// An optional parameter is left out; there is no way to write null in a query.
fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if schema["default"].is_null()
        && let Some(fields) = schema.as_object_mut()
    {
        fields.remove("default");
    }
    if let Some([kind, null]) = schema["type"].as_array().map(Vec::as_slice)
        && null == "null"
    {
        schema["type"] = kind.clone();
    }
    schema
}

/// A name for generated clients: the method and the words of the path, such as `getConnectionsConnection`.
fn operation_id(route: &Route) -> String {
    let mut name = route.method.as_str().to_ascii_lowercase();
    let words = route
        .path
        .trim_start_matches("/api/v1")
        .split(|letter: char| !letter.is_ascii_alphanumeric());
    for word in words.filter(|word| !word.is_empty()) {
        name.push_str(&word[..1].to_ascii_uppercase());
        name.push_str(&word[1..]);
    }
    name
}
