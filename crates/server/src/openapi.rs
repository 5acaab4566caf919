//! The list of routes, written down as OpenAPI 3.1.

pub mod connector;
mod manual;
mod sample;

use std::collections::{BTreeMap, BTreeSet};

use http::{Method, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use tieline::{Code, limits::MAX_IDEMPOTENCY_KEY_BYTES};

pub(crate) use self::manual::manual;
use crate::{
    browser::COOKIE,
    caller::Access,
    problem::{PROBLEM_JSON, Problem, status},
    route::Route,
    router::API,
};

/// Where types are described.
const SCHEMAS: &str = "/components/schemas";

/// What is said of one route.
pub struct Operation<'a> {
    generator: &'a mut SchemaGenerator,
    parameters: Vec<Value>,
    body: Option<Value>,
    /// Under its status, or under `default` for every other.
    answer: Option<(String, Value)>,
    codes: BTreeSet<Code>,
    wants_caller: bool,
}

/// The description of all routes.
pub fn document(routes: &[Route]) -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = SCHEMAS.into())
        .into_generator();
    let mut paths = BTreeMap::<String, Map<String, Value>>::new();
    let mut tags = Vec::<String>::new();
    for route in routes {
        let tag = tag(route);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        for method in route.methods() {
            let operation = Operation::of(&mut generator, route).write(route, method);
            let method = method.as_str().to_ascii_lowercase();
            paths.entry(path(route)).or_default().insert(method, operation);
        }
    }
    let problem = generator.subschema_for::<Problem>();
    let mut schemas = Value::Object(generator.take_definitions(true));
    without_null_defaults(&mut schemas);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tieline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The connector platform: connections between a product and the services its customers use.",
        },
        "tags": in_order(tags).iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
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
            }, "session": {
                "type": "apiKey",
                "in": "cookie",
                "name": COOKIE,
                "description": "The session of a person who signed in. Changes need `Sec-Fetch-Site: same-origin` or an `Origin` of this server.",
            } },
        },
    });
    let known = document.clone();
    for operation in document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        for operation in operation.as_object_mut().into_iter().flat_map(Map::values_mut) {
            lift_examples(&known, operation);
        }
    }
    document
}

/// What a reference leads to, or the schema itself.
pub(crate) fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"]
        .as_str()
        .and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    target.unwrap_or(schema)
}

/// The first example of a body.
pub(crate) fn example_of(content: &Value) -> Option<&Value> {
    let (_, first) = content["examples"].as_object()?.iter().next()?;
    Some(&first["value"])
}

/// Examples of a body's type stand at the body too, where tools look for them, unless the route has its own.
fn lift_examples(document: &Value, operation: &mut Value) {
    let content = operation.pointer_mut("/requestBody/content");
    for media in content
        .and_then(Value::as_object_mut)
        .into_iter()
        .flat_map(Map::values_mut)
    {
        if media["examples"].is_null()
            && let Some(examples) = resolve(document, &media["schema"])["examples"].as_array()
        {
            media["examples"] = named(examples);
        }
    }
}

fn named(examples: &[Value]) -> Value {
    let examples = examples.iter().zip(1..);
    let examples: Map<_, _> = examples
        .map(|(example, number)| (number.to_string(), json!({ "value": example })))
        .collect();
    examples.into()
}

/// What is absent is absent, and not null.
fn without_null_defaults(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("default").is_some_and(Value::is_null) {
                fields.remove("default");
            }
            fields.values_mut().for_each(without_null_defaults);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null_defaults),
        _ => {}
    }
}

impl<'a> Operation<'a> {
    pub(crate) fn of(generator: &'a mut SchemaGenerator, route: &Route) -> Self {
        let mut operation = Operation {
            generator,
            parameters: Vec::new(),
            body: None,
            answer: None,
            // What is asked of every request: a URI of bounded length, that its sender has not too many others open, that it
            // is not our own coming back, and that it ends when the server does.
            codes: BTreeSet::from([
                Code::Internal,
                Code::Overloaded,
                Code::RequestInvalid,
                Code::EgressForbidden,
                Code::ServerStopping,
            ]),
            wants_caller: false,
        };
        if route.access != Access::Anyone {
            operation.fails(&[
                Code::Unauthenticated,
                Code::PermissionDenied,
                Code::NetworkNotAllowed,
                Code::RateLimited,
                Code::ConnectorDatabaseFailed,
                Code::TenantDeleted,
            ]);
            if !route.method().is_safe() {
                // What is asked of whoever comes with a session.
                operation.fails(&[Code::CrossSiteRefused, Code::MediaTypeUnsupported]);
            }
        }
        (route.describe)(&mut operation);
        operation.fails(&route.codes);
        if route.once.is_some() {
            operation.runs_once();
        }
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
        let mut schema = schema.as_value().clone();
        let example = take_example(&mut schema);
        let parameter = json!({ "name": name, "in": "path", "required": true, "schema": schema });
        self.parameters.push(with_example(parameter, example));
    }

    /// With a key of the caller's it is run once.
    fn runs_once(&mut self) {
        self.parameters.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Runs the request once: a repeat with the same key and the same bytes is answered as the first \
                            was, for 24 hours, with `Idempotency-Replayed: true`.",
            "example": "4d1f7a52-8c5e-4f0b-9a43-2f6b1f3f7c10",
            "schema": { "type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY_BYTES, "pattern": "^[!-~]+$" },
        }));
        self.fails(&[
            Code::IdempotencyKeyReused,
            Code::IdempotencyInProgress,
            Code::IdempotencyOutcomeUnknown,
            Code::IdempotencyAnswerNotKept,
            Code::ConnectorEncryptFailed,
            Code::ConnectorDecryptFailed,
        ]);
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
            let example = take_example(&mut schema);
            let mut parameter = with_example(json!({ "name": name, "in": "query", "schema": schema }), example);
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

    /// It reads the same as a page's form, too.
    pub fn reads_form(&mut self, schema: Schema) {
        if let Some(body) = &mut self.body {
            body["content"]["application/x-www-form-urlencoded"] = json!({ "schema": schema });
        }
    }

    /// The generator that knows the types met so far.
    pub fn generator(&mut self) -> &mut SchemaGenerator {
        self.generator
    }

    /// It answers JSON.
    pub fn answers_json<T: JsonSchema>(&mut self, status: StatusCode, description: &str) {
        let schema = self.generator.subschema_for::<T>();
        let answer = json!({ "description": description, "content": { "application/json": { "schema": schema } } });
        self.answer = Some((status.as_str().to_owned(), answer));
    }

    /// Its answer comes in another type as well, as text.
    pub fn answers_also(&mut self, content_type: &str) {
        if let Some((_, answer)) = &mut self.answer {
            answer["content"][content_type] = json!({ "schema": { "type": "string" } });
        }
    }

    /// It answers text of one of these media types.
    pub fn answers_text(&mut self, types: &[&str]) {
        let text = json!({ "schema": { "type": "string" } });
        let content: Map<_, _> = types.iter().map(|kind| ((*kind).to_owned(), text.clone())).collect();
        let status = StatusCode::OK.as_str().to_owned();
        self.answer = Some((status, json!({ "description": "Text.", "content": content })));
    }

    /// It answers the same as a page, to whoever sent a page's form.
    pub fn answers_page_too(&mut self) {
        if let Some((_, answer)) = &mut self.answer {
            answer["content"]["text/html"] = json!({ "schema": { "type": "string" } });
        }
    }

    /// It answers with no body.
    pub fn answers_nothing(&mut self) {
        let status = StatusCode::NO_CONTENT.as_str().to_owned();
        self.answer = Some((status, json!({ "description": "Done." })));
    }

    /// It passes a body on, of any type and size.
    pub fn reads_anything(&mut self, description: &str) {
        let content = json!({ "*/*": { "schema": {} }, "application/json": { "schema": {} } });
        self.body = Some(json!({ "required": false, "description": description, "content": content }));
    }

    /// It answers with whatever somebody else answered.
    pub fn answers_anything(&mut self, description: &str, headers: Value) {
        let answer = json!({ "description": description, "headers": headers, "content": { "*/*": { "schema": {} } } });
        self.answer = Some(("default".to_owned(), answer));
    }

    /// The path's parameters that some argument reads, and whether one asks for the caller: what the table checks.
    pub(crate) fn claims(&self) -> (BTreeSet<&str>, bool) {
        let params = self.parameters.iter().filter(|parameter| parameter["in"] == "path");
        (
            params.filter_map(|parameter| parameter["name"].as_str()).collect(),
            self.wants_caller,
        )
    }

    /// Whether some argument reads the body.
    pub(crate) fn has_body(&self) -> bool {
        self.body.is_some()
    }

    fn write(self, route: &Route, method: &Method) -> Value {
        let mut responses = Map::new();
        if let Some((status, answer)) = self.answer {
            responses.insert(status, answer);
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
            "operationId": operation_id(route, method),
            "tags": [tag(route)],
            "responses": responses,
        });
        let (key, session) = (json!({ "apiKey": [] }), json!({ "session": [] }));
        match route.access {
            Access::Owner => {
                operation["security"] = json!([key, session]);
                operation["x-permission"] = route.access.to_string().into();
            }
            Access::Anyone => {}
            Access::Needs(permission) => {
                operation["security"] = if route.keys_only {
                    json!([key])
                } else {
                    json!([key, session])
                };
                operation["x-permission"] = permission.as_str().into();
            }
            Access::SignedIn => operation["security"] = json!([session]),
        }
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.into();
        }
        // A body has no meaning there (RFC 9110 section 9.3), and descriptions may not speak of one.
        let bodiless = matches!(*method, Method::GET | Method::HEAD | Method::DELETE);
        if let Some(mut body) = self.body.filter(|_| !bodiless) {
            if !route.examples.is_empty() {
                body["content"]["application/json"]["examples"] = named(&route.examples);
            }
            operation["requestBody"] = body;
        }
        operation
    }
}

/// A parameter's first example, which stands beside its schema.
fn take_example(schema: &mut Value) -> Option<Value> {
    schema.as_object_mut()?.remove("examples")?.as_array()?.first().cloned()
}

fn with_example(mut parameter: Value, example: Option<Value>) -> Value {
    if let Some(example) = example {
        parameter["example"] = example;
    }
    parameter
}

/// What belongs to no tenant.
const SERVER: &str = "Server";

/// The tags as the table has them, and what people look for last at the end.
fn in_order(mut tags: Vec<String>) -> Vec<String> {
    tags.sort_by_key(|tag| tag == SERVER);
    tags
}

/// The group of a route: the first word of its path below the API, or [`SERVER`].
fn tag(route: &Route) -> String {
    let face = route.path.starts_with("/v1/").then_some("connectors service");
    let first = route.path.strip_prefix(API).and_then(|path| path.split('/').nth(1));
    match first.or(face) {
        Some(word) if route.access != Access::Anyone => {
            let mut words = word.replace('-', " ").replace("api", "API");
            words[..1].make_ascii_uppercase();
            words
        }
        _ => SERVER.to_owned(),
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

/// The path as the description writes it, which knows no tails.
fn path(route: &Route) -> String {
    route.path.replace("{*", "{")
}

/// A name for generated clients: the method and the words of the path, such as `getConnectionsConnection`.
fn operation_id(route: &Route, method: &Method) -> String {
    let mut name = method.as_str().to_ascii_lowercase();
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
