//! From nodes to endpoints.

use std::collections::BTreeMap;

use super::{
    Effect, Endpoint, Header, QueryParam, Target, Trial,
    address::{Address, read_path_text},
    body::{BodyDraft, Shape, add_input},
    has_control,
};
use crate::{
    auth::Auth,
    limits,
    lint::{self, Lints},
    manifest::{Arrays, Manifest, rate},
    mapping::{Pagination, ResponseMapping},
    node::{Fields, NodeKind, Spot},
    path::Path,
    property::{Draft, Input, Kind, Source, braced},
    request::{Encode, TRANSPORT_HEADERS},
    response::Rules,
    template::{Names, Origin, Place, Template},
    values::as_text,
};

pub(crate) const METHODS: &[(&str, &str)] = &[
    ("GET", "GET"),
    ("HEAD", "HEAD"),
    ("POST", "POST"),
    ("PUT", "PUT"),
    ("PATCH", "PATCH"),
    ("DELETE", "DELETE"),
];

pub(crate) const EFFECTS: &[(&str, Effect)] = &[
    ("read", Effect::Read),
    ("write", Effect::Write),
    ("destroy", Effect::Destroy),
];

impl Endpoint {
    /// Reads an endpoint. `auth` knows the fields; the inputs are found here.
    pub(crate) fn from_spot(spot: &Spot<'_>, auth: &[Auth], strict: bool, lints: &mut Lints) -> Option<Self> {
        let config = &Manifest::field_names(auth);
        let fields = spot.fields()?;
        let id = fields.text("id");
        let method = fields.get("method").and_then(|spot| spot.one_of(METHODS));
        let mut inputs = Vec::new();
        let path_params = read_path_params(&fields, &mut inputs, lints);
        let query = read_query_params(&fields, &mut inputs, lints);
        let header_params = read_header_params(&fields, &mut inputs, lints);
        for spot in fields.list("input") {
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
        let target = read_target(&fields, &path_params, &mut names, lints);
        if let Some(target) = &target {
            check_path_params(&path_params.given, target, lints);
        }
        let query = compile_query(query, &mut names, lints);
        let headers = fields
            .get("headers")
            .map(|spot| read_headers(&spot, &mut names, lints))
            .unwrap_or_default();
        let header_params = compile_header_params(header_params, &mut names, lints);
        let body = body.and_then(|draft| draft.compile(&mut names, lints));
        if let (Some("GET" | "HEAD"), Some(spot)) = (method, &body_spot) {
            spot.lint(
                lints,
                lint::CONTRADICTION,
                "a GET or HEAD request has no body; use `queryParams`",
            );
        }
        let mut endpoint = Self::presented(id.unwrap_or_default(), method.unwrap_or("GET"), &fields, lints);
        read_auth_methods(&fields, auth, &mut endpoint, lints);
        check_fallbacks(&inputs, config, spot, lints);
        endpoint.at_least_one = read_at_least_one(&fields, &inputs[..declared], lints);
        endpoint.target = target?;
        endpoint.expressions = path_params.expressions;
        endpoint.inputs = inputs;
        endpoint.query = query;
        endpoint.headers = headers;
        endpoint.header_params = header_params;
        endpoint.body = body;
        Some(endpoint)
    }

    /// Everything about an endpoint but what it sends.
    fn presented(id: String, method: &str, fields: &Fields<'_>, lints: &mut Lints) -> Self {
        let effect = fields
            .get("effect")
            .and_then(|spot| spot.one_of(EFFECTS))
            .unwrap_or(match method {
                "GET" | "HEAD" => Effect::Read,
                "DELETE" => Effect::Destroy,
                _ => Effect::Write,
            });
        Self {
            name: fields.text("name").unwrap_or_else(|| id.clone()),
            id,
            description: fields.text("description"),
            effect,
            idempotent: fields.boolean("idempotent").unwrap_or(effect == Effect::Read),
            idempotency_header: fields
                .get("idempotencyHeader")
                .and_then(|spot| header_name(&spot.text()?, &spot, lints)),
            method: method.to_owned(),
            needs_auth: true,
            auth_methods: Vec::new(),
            output: fields
                .get("output")
                .and_then(|spot| Draft::read("output", &spot, lints))
                .map(|draft| draft.property),
            timeout_ms: read_timeout(fields),
            rate: fields.get("rateLimit").and_then(|spot| rate::of_endpoint(&spot)),
            tags: fields.texts("tags"),
            mapping: fields
                .get("responseMapping")
                .map(|spot| ResponseMapping::read(&spot, lints))
                .unwrap_or_default(),
            rules: fields
                .get("answers")
                .map(|spot| Rules::read(&spot, lints))
                .unwrap_or_default(),
            pagination: fields.get("pagination").and_then(|spot| Pagination::read(&spot, lints)),
            trial: fields.get("testConfig").and_then(|spot| Trial::read(&spot, lints)),
            inputs: Vec::new(),
            at_least_one: Vec::new(),
            target: Target::Path(Vec::new()),
            query: Vec::new(),
            headers: Vec::new(),
            header_params: Vec::new(),
            expressions: Vec::new(),
            body: None,
        }
    }
}

/// `required`, `none`, or the ids of the methods it works with.
fn read_auth_methods(fields: &Fields<'_>, auth: &[Auth], endpoint: &mut Endpoint, lints: &mut Lints) {
    let Some(spot) = fields.get("auth") else { return };
    if let NodeKind::Text(word) = &spot.node.kind
        && matches!(word.as_str(), "required" | "none")
    {
        endpoint.needs_auth = word == "required";
        return;
    }
    for spot in spot.one_or_more() {
        let Some(id) = spot.text() else { continue };
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

/// Whether a text is an endpoint's id.
pub(crate) fn is_endpoint_id(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.bytes().all(word)
}

pub(crate) fn read_timeout(fields: &Fields<'_>) -> Option<u64> {
    fields.get("timeout").and_then(|spot| spot.integer())
}

/// What the path's `{names}` stand for.
#[derive(Default)]
struct PathParams<'n> {
    /// Inputs.
    given: Vec<(String, Spot<'n>)>,
    /// What is not the caller's, with the text that stands in the path instead.
    fixed: Vec<(String, Spot<'n>, String)>,
    /// Names whose value an expression makes.
    expressions: Vec<String>,
}

fn read_path_params<'n>(fields: &Fields<'n>, inputs: &mut Vec<Input>, lints: &mut Lints) -> PathParams<'n> {
    let mut params = PathParams::default();
    for spot in fields.list("pathParams") {
        let Some(mut draft) = Draft::read_param(&spot, lints) else {
            continue;
        };
        let stands = match &draft.source {
            Source::Input => None,
            Source::Static(tree) => {
                let mut text = String::new();
                Encode::Percent.write(&as_text(tree), &mut text);
                Some(text)
            }
            Source::Variable(value) => value.text().map(|name| braced(&name)),
            Source::Expression => {
                params.expressions.push(draft.name.clone());
                Some("x".to_owned())
            }
        };
        if let Some(text) = stands {
            params.fixed.push((draft.name, spot, text));
            continue;
        }
        refuse_source(&draft, lints);
        draft.property.required = true;
        add_input(inputs, &draft.name, draft.property, &spot, lints);
        params.given.push((draft.name, spot));
    }
    params
}

impl PathParams<'_> {
    /// The path with what is not the caller's written out.
    fn write_out(&self, mut path: String, lints: &mut Lints) -> String {
        for (name, spot, text) in &self.fixed {
            let place = format!("{{{name}}}");
            let found = path.match_indices(&place).map(|(at, _)| at);
            let Some(at) = found.into_iter().find(|at| *at == 0 || !path[..*at].ends_with('{')) else {
                let message = format!("the path does not name `{name}`. Write {place} where it belongs");
                spot.lint(lints, lint::UNKNOWN_NAME, message);
                continue;
            };
            path.replace_range(at..at + place.len(), text);
        }
        path
    }
}

fn refuse_source(draft: &Draft<'_>, lints: &mut Lints) {
    if draft.has_sources() {
        let message = "this is an input; a value that is not the caller's stands where it is used";
        draft.spot.lint(lints, lint::CONTRADICTION, message);
    }
}

fn read_query_params<'n>(fields: &Fields<'n>, inputs: &mut Vec<Input>, lints: &mut Lints) -> Vec<Draft<'n>> {
    let mut drafts = Vec::new();
    for spot in fields.list("queryParams") {
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
fn compile_query(drafts: Vec<Draft<'_>>, names: &mut Names<'_>, lints: &mut Lints) -> Vec<QueryParam> {
    let mut query = Vec::new();
    for draft in drafts {
        let (name, spot) = (draft.name.clone(), draft.spot.clone());
        let own = spot.fields().and_then(|fields| fields.get("arrays"));
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
        let arrays = own.and_then(|spot| spot.one_of(Arrays::WORDS));
        query.push(QueryParam { name, shape, arrays });
    }
    query
}

fn read_header_params<'n>(fields: &Fields<'n>, inputs: &mut Vec<Input>, lints: &mut Lints) -> Vec<Draft<'n>> {
    let mut drafts = Vec::new();
    for spot in fields.list("headerParams") {
        let Some(draft) = Draft::read_param(&spot, lints) else {
            continue;
        };
        if draft.property.kind == Some(Kind::Object) || !draft.children.is_empty() {
            spot.lint(lints, lint::CONTRADICTION, "an object cannot stand in a header");
        }
        if let Some(arrays) = spot.fields().and_then(|fields| fields.get("arrays")) {
            let message = "`arrays` belongs to a query; in a header the elements are parted by commas";
            arrays.lint(lints, lint::CONTRADICTION, message);
        }
        if draft.has_input() {
            add_input(inputs, &draft.name, draft.property.clone(), &spot, lints);
        }
        drafts.push(draft);
    }
    drafts
}

fn compile_header_params(drafts: Vec<Draft<'_>>, names: &mut Names<'_>, lints: &mut Lints) -> Vec<(String, Shape)> {
    let mut out: Vec<(String, Shape)> = Vec::new();
    for draft in drafts {
        let spot = draft.spot.clone();
        let Some(name) = header_name(&draft.name, &spot, lints) else {
            continue;
        };
        if out.iter().any(|(other, _)| *other == name) {
            spot.lint(lints, lint::DUPLICATE_NAME, format!("the header `{name}` stands twice"));
        }
        if let Some(shape) = Shape::from_draft(draft, None, names, lints) {
            out.push((name, shape));
        }
    }
    out
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

fn read_at_least_one(fields: &Fields<'_>, inputs: &[Input], lints: &mut Lints) -> Vec<String> {
    let Some(spot) = fields.get("atLeastOne") else {
        return Vec::new();
    };
    let names = spot.texts();
    for name in &names {
        if !inputs.iter().any(|input| input.name == *name) {
            let hint = lint::hint(name, inputs.iter().map(|input| input.name.as_str()));
            spot.lint(lints, lint::UNKNOWN_NAME, format!("no input is named `{name}`{hint}"));
        }
    }
    names
}

fn read_target(
    fields: &Fields<'_>,
    params: &PathParams<'_>,
    names: &mut Names<'_>,
    lints: &mut Lints,
) -> Option<Target> {
    match (fields.get("path"), fields.get("url")) {
        (Some(spot), None) => {
            let path = params.write_out(spot.text()?, lints);
            read_path_text(&path, &spot, names, lints).map(Target::Path)
        }
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
    let entries = spot.entries();
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

/// Templates under names of the manifest's own.
pub(crate) fn read_templates(spot: &Spot<'_>, names: &mut Names<'_>, lints: &mut Lints) -> Vec<(String, Template)> {
    spot.entries()
        .into_iter()
        .filter_map(|(name, spot)| Some((name.to_owned(), names.template(&spot, lints)?)))
        .collect()
}

pub(crate) fn read_json_path(spot: &Spot<'_>, lints: &mut Lints) -> Option<Path> {
    match Path::parse(&spot.text()?) {
        Ok(path) => Some(path),
        Err(message) => {
            spot.lint(lints, lint::BAD_PATH, message);
            None
        }
    }
}

/// A list of HTTP status codes.
pub(crate) fn read_statuses(fields: &Fields<'_>, key: &str) -> Vec<u16> {
    let statuses = fields.list(key);
    let numbers = statuses.iter().filter_map(Spot::integer);
    numbers.filter_map(|status| u16::try_from(status).ok()).collect()
}
