//! From nodes to endpoints.

use std::collections::BTreeMap;

use super::{
    Effect, Endpoint, Format, Header, ResponseMapping, Target,
    address::{Address, read_path},
    body::{BodyDraft, Shape, add_input},
    has_control,
};
use crate::{
    auth::Auth,
    limits,
    lint::{self, Lints},
    manifest::{Manifest, rate},
    node::{Fields, NodeKind, Spot},
    path::Path,
    property::{Draft, Input, Level},
    request::TRANSPORT_HEADERS,
    template::{Names, Origin, Place, is_name},
};

pub(super) const METHODS: &[(&str, &str)] = &[
    ("GET", "GET"),
    ("HEAD", "HEAD"),
    ("POST", "POST"),
    ("PUT", "PUT"),
    ("PATCH", "PATCH"),
    ("DELETE", "DELETE"),
];

/// Words of the documents that later versions of the language have.
const LATER: &[&str] = &["pagination", "testConfig", "graphql", "query", "headerParams"];

impl Endpoint {
    /// Reads an endpoint. `auth` knows the fields; the inputs are found here.
    pub(crate) fn from_spot(spot: &Spot<'_>, auth: &[Auth], strict: bool, lints: &mut Lints) -> Option<Self> {
        let config = &Manifest::field_names(auth);
        let mut fields = spot.fields(lints)?;
        let id = fields.need("id", lints).and_then(|spot| read_id(&spot, lints));
        let method = fields
            .need("method", lints)
            .and_then(|spot| spot.one_of(METHODS, lints));
        let mut inputs = Vec::new();
        let path_params = read_path_params(&mut fields, &mut inputs, lints);
        let query = read_query_params(&mut fields, &mut inputs, lints);
        for spot in fields.list("input", lints) {
            if let Some(draft) = Draft::read_param(&spot, lints) {
                refuse_source(&draft, lints);
                add_input(&mut inputs, &draft.name, draft.property, &spot, lints);
            }
        }
        let body_spot = fields.get("body");
        let body = body_spot
            .as_ref()
            .and_then(|spot| BodyDraft::read(spot, &mut inputs, lints));
        let declared = inputs.len();
        let mut names = Names {
            local: Origin::Input,
            config,
            inputs: Some(&mut inputs),
            strict,
        };
        let target = read_target(&mut fields, &mut names, lints);
        if let Some(target) = &target {
            check_path_params(&path_params, target, lints);
        }
        let query = compile_query(query, &mut names, lints);
        let headers = fields
            .get("headers")
            .map(|spot| read_headers(&spot, &mut names, lints))
            .unwrap_or_default();
        let body = body.and_then(|draft| draft.compile(&mut names, lints));
        if let (Some("GET" | "HEAD"), Some(spot)) = (method, &body_spot) {
            spot.lint(
                lints,
                lint::CONTRADICTION,
                "a GET or HEAD request has no body; use `queryParams`",
            );
        }
        let mut endpoint = Self::presented(id.unwrap_or_default(), method.unwrap_or("GET"), &mut fields, lints);
        read_auth_methods(&mut fields, auth, &mut endpoint, lints);
        check_fallbacks(&inputs, config, spot, lints);
        endpoint.at_least_one = read_at_least_one(&mut fields, &inputs[..declared], lints);
        fields.close(LATER, lints);
        endpoint.target = target?;
        endpoint.inputs = inputs;
        endpoint.query = query;
        endpoint.headers = headers;
        endpoint.body = body;
        Some(endpoint)
    }

    /// Everything about an endpoint but what it sends.
    fn presented(id: String, method: &str, fields: &mut Fields<'_>, lints: &mut Lints) -> Self {
        let effects = [
            ("read", Effect::Read),
            ("write", Effect::Write),
            ("destroy", Effect::Destroy),
        ];
        let effect = fields
            .get("effect")
            .and_then(|spot| spot.one_of(&effects, lints))
            .unwrap_or(match method {
                "GET" | "HEAD" => Effect::Read,
                "DELETE" => Effect::Destroy,
                _ => Effect::Write,
            });
        Self {
            name: fields.text("name", lints).unwrap_or_else(|| id.clone()),
            id,
            description: fields.text("description", lints),
            effect,
            idempotent: fields.boolean("idempotent", lints).unwrap_or(effect == Effect::Read),
            idempotency_header: fields
                .get("idempotencyHeader")
                .and_then(|spot| header_name(&spot.text(lints)?, &spot, lints)),
            method: method.to_owned(),
            needs_auth: true,
            auth_methods: Vec::new(),
            output: fields
                .get("output")
                .and_then(|spot| Draft::read("output", &spot, Level::Output, lints))
                .map(|draft| draft.property),
            timeout_ms: read_timeout(fields, lints),
            rate: fields.get("rateLimit").and_then(|spot| rate::of_endpoint(&spot, lints)),
            tags: fields.texts("tags", lints),
            mapping: fields
                .get("responseMapping")
                .map(|spot| ResponseMapping::read(&spot, lints))
                .unwrap_or_default(),
            inputs: Vec::new(),
            at_least_one: Vec::new(),
            target: Target::Path(Vec::new()),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
        }
    }
}

/// `required`, `none`, or the ids of the methods it works with.
fn read_auth_methods(fields: &mut Fields<'_>, auth: &[Auth], endpoint: &mut Endpoint, lints: &mut Lints) {
    let Some(spot) = fields.get("auth") else { return };
    if let NodeKind::Text(word) = &spot.node.kind
        && matches!(word.as_str(), "required" | "none")
    {
        endpoint.needs_auth = word == "required";
        return;
    }
    for spot in spot.one_or_more(lints) {
        let Some(id) = spot.text(lints) else { continue };
        if !auth.iter().any(|auth| auth.id == id) {
            let words = ["required", "none"];
            let hint = lint::hint(&id, words.into_iter().chain(auth.iter().map(|auth| auth.id.as_str())));
            let message = format!("`{id}` is none of required, none and the ids of the auth methods{hint}");
            spot.lint(lints, lint::BAD_VALUE, message);
        }
        endpoint.auth_methods.push(id);
    }
}

/// An input may stand in for itself in the connection: a field that is known and no secret.
fn check_fallbacks(inputs: &[Input], config: &BTreeMap<String, bool>, spot: &Spot<'_>, lints: &mut Lints) {
    for input in inputs {
        let Some(field) = &input.property.from_config else {
            continue;
        };
        let secret = input.property.secret || config.get(field) == Some(&true);
        if !config.contains_key(field) {
            let hint = lint::hint(field, config.keys().map(String::as_str));
            let message = format!(
                "`{}` comes from `{field}`, but no auth field is named so{hint}",
                input.name
            );
            spot.lint(lints, lint::UNKNOWN_NAME, message);
        } else if secret || input.property.default.is_some() {
            let message = format!(
                "`{}`: neither a secret nor an input with a default comes from a field",
                input.name
            );
            spot.lint(lints, lint::CONTRADICTION, message);
        }
    }
}

fn read_id(spot: &Spot<'_>, lints: &mut Lints) -> Option<String> {
    let id = spot.text(lints)?;
    if is_name(&id) && !id.starts_with('_') {
        return Some(id);
    }
    spot.lint(
        lints,
        lint::BAD_VALUE,
        "an id is made of letters, digits, `_` and `-`, begins with a letter and has at most 64",
    );
    None
}

pub(crate) fn read_timeout(fields: &mut Fields<'_>, lints: &mut Lints) -> Option<u64> {
    let range = limits::TIMEOUT_MIN_MS..=limits::TIMEOUT_MAX_MS;
    fields.get("timeout").and_then(|spot| spot.integer(range, lints))
}

fn read_path_params<'n>(
    fields: &mut Fields<'n>,
    inputs: &mut Vec<Input>,
    lints: &mut Lints,
) -> Vec<(String, Spot<'n>)> {
    let mut params = Vec::new();
    for spot in fields.list("pathParams", lints) {
        let Some(mut draft) = Draft::read_param(&spot, lints) else {
            continue;
        };
        refuse_source(&draft, lints);
        draft.property.required = true;
        add_input(inputs, &draft.name, draft.property, &spot, lints);
        params.push((draft.name, spot));
    }
    params
}

fn refuse_source(draft: &Draft<'_>, lints: &mut Lints) {
    if draft.has_sources() {
        let message = "this is an input; a value that is not the caller's stands where it is used";
        draft.spot.lint(lints, lint::CONTRADICTION, message);
    }
}

fn read_query_params<'n>(fields: &mut Fields<'n>, inputs: &mut Vec<Input>, lints: &mut Lints) -> Vec<Draft<'n>> {
    let mut drafts = Vec::new();
    for spot in fields.list("queryParams", lints) {
        let Some(draft) = Draft::read_param(&spot, lints) else {
            continue;
        };
        if draft.has_input() {
            add_input(inputs, &draft.name, draft.property.clone(), &spot, lints);
        }
        drafts.push(draft);
    }
    drafts
}

/// Gives the params of a query their meaning. No secret stands among them (X5).
fn compile_query(drafts: Vec<Draft<'_>>, names: &mut Names<'_>, lints: &mut Lints) -> Vec<(String, Shape)> {
    let mut query = Vec::new();
    for draft in drafts {
        let (name, spot) = (draft.name.clone(), draft.spot.clone());
        let Some(shape) = Shape::from_draft(draft, None, names, lints) else {
            continue;
        };
        if shape.has_secret() {
            spot.lint(
                lints,
                lint::SECRET_EXPOSED,
                "a secret in a query ends up in logs along the way; send it in a header or the body",
            );
        }
        query.push((name, shape));
    }
    query
}

/// A path parameter that the path does not name would be asked for and never sent.
fn check_path_params(params: &[(String, Spot<'_>)], target: &Target, lints: &mut Lints) {
    let places: Vec<&str> = target.places().map(Place::name).collect();
    for (name, spot) in params.iter().filter(|(name, _)| !places.contains(&name.as_str())) {
        let hint = lint::hint_then(name, places.iter().copied());
        spot.lint(
            lints,
            lint::UNKNOWN_NAME,
            format!("the path does not name `{name}`{hint}Write {{{name}}} where it belongs"),
        );
    }
}

fn read_at_least_one(fields: &mut Fields<'_>, inputs: &[Input], lints: &mut Lints) -> Vec<String> {
    let Some(spot) = fields.get("atLeastOne") else {
        return Vec::new();
    };
    let names = spot.texts(lints);
    for name in &names {
        if !inputs.iter().any(|input| input.name == *name) {
            let hint = lint::hint(name, inputs.iter().map(|input| input.name.as_str()));
            spot.lint(lints, lint::UNKNOWN_NAME, format!("no input is named `{name}`{hint}"));
        }
    }
    names
}

fn read_target(fields: &mut Fields<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Option<Target> {
    match (fields.get("path"), fields.get("url")) {
        (Some(path), None) => read_path(&path, names, lints).map(Target::Path),
        (None, Some(url)) => Address::read(&url, names, lints).map(Target::Url),
        _ => {
            fields.lint(lints, lint::CONTRADICTION, "an endpoint has either a `path` or a `url`");
            None
        }
    }
}

/// A header's name in lower case, if it is one (RFC 9110 section 5.1) and ours to set.
pub(crate) fn header_name(name: &str, spot: &Spot<'_>, lints: &mut Lints) -> Option<String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || !name.bytes().all(is_token) {
        spot.lint(
            lints,
            lint::BAD_VALUE,
            format!("`{}` is not a header name", name.escape_debug()),
        );
        return None;
    }
    if TRANSPORT_HEADERS.contains(&lower.as_str()) {
        spot.lint(
            lints,
            lint::BAD_VALUE,
            format!("the header `{lower}` is written by the transport"),
        );
        return None;
    }
    Some(lower)
}

pub(crate) fn read_headers(spot: &Spot<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    let entries = spot.entries(lints);
    if entries.len() > limits::HEADERS {
        spot.lint(
            lints,
            lint::TOO_COMPLEX,
            format!("at most {} headers are read", limits::HEADERS),
        );
    }
    for (name, spot) in entries.into_iter().take(limits::HEADERS) {
        let Some(name) = header_name(name, &spot, lints) else {
            continue;
        };
        let Some(value) = names.template(&spot, lints) else {
            continue;
        };
        if value.literals().any(has_control) {
            spot.lint(
                lints,
                lint::BAD_VALUE,
                "a header value is one line without control characters",
            );
        }
        if name == "content-type" && value.as_literal().is_none() {
            spot.lint(lints, lint::BAD_VALUE, "the content type is a plain text");
        }
        if headers.iter().any(|header| header.name == name) {
            spot.lint(lints, lint::DUPLICATE_NAME, format!("the header `{name}` stands twice"));
        }
        headers.push(Header { name, value });
    }
    headers
}

impl ResponseMapping {
    pub(crate) fn read(spot: &Spot<'_>, lints: &mut Lints) -> Self {
        let Some(mut fields) = spot.fields(lints) else {
            return Self::default();
        };
        let mapping = Self {
            data_path: fields.get("dataPath").and_then(|spot| read_json_path(&spot, lints)),
            when_empty: fields.get("whenEmpty").map(|spot| spot.node.to_tree()),
            format: fields.get("format").and_then(|spot| spot.one_of(Format::WORDS, lints)),
        };
        if mapping.format == Some(Format::Text) && mapping.data_path.is_some() {
            spot.lint(
                lints,
                lint::CONTRADICTION,
                "a text has nothing inside; leave `dataPath` out",
            );
        }
        fields.close(
            &[
                "fieldMappings",
                "targetShardTypeId",
                "identifierField",
                "errorPath",
                "metadataMapping",
            ],
            lints,
        );
        mapping
    }
}

pub(crate) fn read_json_path(spot: &Spot<'_>, lints: &mut Lints) -> Option<Path> {
    match Path::parse(&spot.text(lints)?) {
        Ok(path) => Some(path),
        Err(message) => {
            spot.lint(lints, lint::BAD_PATH, message);
            None
        }
    }
}

/// A list of HTTP status codes.
pub(crate) fn read_statuses(fields: &mut Fields<'_>, key: &'static str, lints: &mut Lints) -> Vec<u16> {
    fields
        .list(key, lints)
        .iter()
        .filter_map(|spot| spot.integer(100..=599, lints))
        .filter_map(|status| u16::try_from(status).ok())
        .collect()
}
