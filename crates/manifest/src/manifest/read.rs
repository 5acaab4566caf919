//! From nodes to a manifest.

use super::{
    Arrays, CATEGORIES, Capability, ErrorPaths, HostRule, Link, Manifest, Publisher, RetryConfig, SetupStep, Status,
    Use, rate,
};
use crate::{
    auth::{Auth, AuthKind, AuthTest, KeyLocation},
    endpoint::{
        Address, Endpoint, ResponseMapping, Test, header_name, is_plain_url, read_headers, read_statuses, read_timeout,
    },
    limits,
    lint::{self, Lint, Lints},
    node::{Fields, Spot},
    parse,
    request::SecretRef,
    template::{Names, Origin, Place},
};

/// Words of the documents that later versions of the language have.
const LATER: &[&str] = &[
    "webhookConfig",
    "pagination",
    "integrationType",
    "syncs",
    "sync",
    "records",
    "variables",
    "connection",
    "color",
];

pub(super) fn parse(text: &str, use_: Use) -> Result<Manifest, Vec<Lint>> {
    let node = parse::parse(text).map_err(|lint| vec![lint])?;
    let mut lints = Lints::default();
    let manifest = Spot::root(&node)
        .fields(&mut lints)
        .map(|fields| read(fields, use_, &mut lints));
    match manifest {
        Some(manifest) if lints.is_empty() => Ok(manifest),
        _ => Err(lints.into_sorted()),
    }
}

fn read(mut fields: Fields<'_>, use_: Use, lints: &mut Lints) -> Manifest {
    let required: &[&'static str] = match use_ {
        Use::Shipped => &[
            "id",
            "name",
            "summary",
            "description",
            "category",
            "status",
            "capabilities",
            "auth",
        ],
        Use::Tenant => &["name", "baseUrl", "endpoints"],
    };
    for field in required {
        fields.need(field, lints);
    }
    let auth = read_auth(&mut fields, lints);
    let config = Manifest::field_names(&auth);
    let mut names = Names {
        local: Origin::Config,
        config: &config,
        inputs: None,
        strict: true,
    };
    let base_url = fields
        .get("baseUrl")
        .and_then(|spot| Address::read(&spot, &mut names, lints));
    let default_headers = fields
        .get("defaultHeaders")
        .map(|spot| read_headers(&spot, &mut names, lints))
        .unwrap_or_default();
    let test = fields
        .get("test")
        .and_then(|spot| Test::from_spot(&spot, &mut names, lints));
    let mut endpoints = read_endpoints(&mut fields, &auth, use_, lints);
    let keyed = fields
        .get("idempotencyHeader")
        .and_then(|spot| header_name(&spot.text(lints)?, &spot, lints));
    for endpoint in endpoints.iter_mut().filter(|endpoint| endpoint.method == "POST") {
        endpoint.idempotency_header = endpoint.idempotency_header.take().or_else(|| keyed.clone());
    }
    let (rate_limit, rate) = fields
        .get("rateLimit")
        .map(|spot| rate::read(&spot, lints))
        .unwrap_or_default();
    let manifest = Manifest {
        id: fields.get("id").and_then(|spot| read_id(&spot, lints)),
        name: fields.text("name", lints).unwrap_or_default(),
        summary: fields.text("summary", lints),
        description: fields.text("description", lints),
        category: fields.get("category").and_then(|spot| read_category(&spot, lints)),
        status: fields.get("status").and_then(|spot| spot.one_of(Status::WORDS, lints)),
        tags: fields.texts("tags", lints),
        docs: fields.get("docs").and_then(|spot| read_url(&spot, lints)),
        links: fields
            .list("links", lints)
            .iter()
            .filter_map(|spot| read_link(spot, lints))
            .collect(),
        publisher: fields.get("publisher").and_then(|spot| read_publisher(&spot, lints)),
        icon: fields.get("icon").and_then(|spot| read_icon(&spot, lints)),
        capabilities: read_capabilities(&mut fields, lints),
        setup: fields
            .list("setup", lints)
            .iter()
            .filter_map(|spot| read_step(spot, lints))
            .collect(),
        timeout_ms: read_timeout(&mut fields, lints),
        retry: fields.get("retryConfig").and_then(|spot| read_retry(&spot, lints)),
        allowed_hosts: fields
            .list("allowedHosts", lints)
            .iter()
            .filter_map(|spot| HostRule::read(spot, lints))
            .collect(),
        query_arrays: fields
            .get("queryArrays")
            .and_then(|spot| spot.one_of(Arrays::WORDS, lints))
            .unwrap_or_default(),
        errors: fields
            .get("errors")
            .map(|spot| ErrorPaths::read(&spot, lints))
            .unwrap_or_default(),
        rate_limit,
        rate,
        mapping: fields
            .get("responseMapping")
            .map(|spot| ResponseMapping::read(&spot, lints))
            .unwrap_or_default(),
        auth,
        endpoints,
        base_url,
        default_headers,
        test,
    };
    check(&manifest, &fields, use_, lints);
    fields.close(LATER, lints);
    manifest
}

fn read_auth(fields: &mut Fields<'_>, lints: &mut Lints) -> Vec<Auth> {
    let mut methods: Vec<Auth> = Vec::new();
    let spots = fields.list("auth", lints);
    if spots.len() > limits::AUTH_METHODS {
        fields.lint(
            lints,
            lint::TOO_COMPLEX,
            format!("at most {} auth methods are read", limits::AUTH_METHODS),
        );
    }
    for spot in spots.into_iter().take(limits::AUTH_METHODS) {
        let Some(auth) = Auth::read(&spot, lints) else { continue };
        if methods.iter().any(|other| other.id == auth.id) {
            let message = format!("another auth method has the id `{}`; give each its own `id`", auth.id);
            spot.lint(lints, lint::DUPLICATE_NAME, message);
        }
        for field in &auth.fields {
            let differs = |other: &Auth| {
                other
                    .fields
                    .iter()
                    .any(|own| own.name == field.name && own.secret != field.secret)
            };
            if methods.iter().any(differs) {
                let message = format!("`{}` is secret in one auth method and public in another", field.name);
                spot.lint(lints, lint::CONTRADICTION, message);
            }
        }
        methods.push(auth);
    }
    methods
}

fn read_endpoints(fields: &mut Fields<'_>, auth: &[Auth], use_: Use, lints: &mut Lints) -> Vec<Endpoint> {
    let spots = fields.list("endpoints", lints);
    if spots.len() > limits::ENDPOINTS {
        fields.lint(
            lints,
            lint::TOO_COMPLEX,
            format!("at most {} endpoints are read", limits::ENDPOINTS),
        );
        return Vec::new();
    }
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for spot in spots {
        let Some(endpoint) = Endpoint::from_spot(&spot, auth, use_ == Use::Shipped, lints) else {
            continue;
        };
        if endpoints.iter().any(|other| other.id == endpoint.id) {
            let message = format!("another endpoint has the id `{}`", endpoint.id);
            spot.lint(lints, lint::DUPLICATE_NAME, message);
        }
        endpoints.push(endpoint);
    }
    endpoints
}

/// What only the whole can tell.
fn check(manifest: &Manifest, fields: &Fields<'_>, use_: Use, lints: &mut Lints) {
    let own_test = |auth: &Auth| matches!(auth.test, AuthTest::Own(_));
    let tests = manifest.auth.iter().any(own_test) || manifest.test.is_some();
    let paths = manifest.endpoints.iter().any(|endpoint| !endpoint.has_own_url());
    if manifest.base_url.is_none() && (tests || paths) && use_ == Use::Shipped {
        fields.lint(
            lints,
            lint::MISSING_FIELD,
            "the field `baseUrl` is missing: a path needs it",
        );
    }
    if manifest.allowed_hosts.is_empty() {
        let own_url = manifest.endpoints.iter().any(Endpoint::has_own_url);
        let open_host = manifest
            .base_url
            .as_ref()
            .is_some_and(|address| !address.is_whole() && address.fixed_host().is_none());
        if own_url || open_host {
            fields.lint(
                lints,
                lint::HOSTS_MISSING,
                "`allowedHosts` is missing: the host comes from a value, so say where a credential may be sent",
            );
        }
    } else if let Some(host) = manifest.base_url.as_ref().and_then(Address::fixed_host)
        && !manifest.allowed_hosts.iter().any(|rule| rule.matches(&host))
    {
        let message = format!("`allowedHosts` does not hold the host of `baseUrl`, {host}");
        fields.lint(lints, lint::CONTRADICTION, message);
    }
    check_keys_in_bodies(manifest, fields, lints);
    check_keys_in_urls(manifest, fields, lints);
}

/// An API key that goes to the body needs one it can go to.
fn check_keys_in_bodies(manifest: &Manifest, fields: &Fields<'_>, lints: &mut Lints) {
    let in_body =
        |auth: &Auth| matches!(&auth.kind, AuthKind::ApiKey { location, .. } if *location == KeyLocation::Body);
    if !manifest.auth.iter().any(in_body) {
        return;
    }
    for endpoint in manifest.endpoints.iter().filter(|endpoint| endpoint.needs_auth) {
        let no_body = matches!(endpoint.method.as_str(), "GET" | "HEAD");
        let closed_body = endpoint.body.as_ref().is_some_and(|body| !body.takes_key());
        if no_body || closed_body {
            let message = format!(
                "the key goes to the body, but `{}` has no JSON or form object there",
                endpoint.id
            );
            fields.lint(lints, lint::CONTRADICTION, message);
        }
    }
}

/// An API key that stands in the URL is named by one.
fn check_keys_in_urls(manifest: &Manifest, fields: &Fields<'_>, lints: &mut Lints) {
    let in_url =
        |auth: &&Auth| matches!(&auth.kind, AuthKind::ApiKey { location, .. } if *location == KeyLocation::Url);
    for auth in manifest.auth.iter().filter(in_url) {
        let own = |secret: &SecretRef| matches!(secret, SecretRef::Config(name) if auth.field(name).is_some());
        let names = |place: &Place| place.secret.as_ref().is_some_and(own);
        let mut endpoints = manifest.endpoints.iter().filter(|endpoint| endpoint.takes(&auth.id));
        let in_base = manifest
            .base_url
            .as_ref()
            .is_some_and(|address| address.places().any(names));
        if !in_base && !endpoints.any(|endpoint| endpoint.target.places().any(names)) {
            let message = format!(
                "the key of `{}` stands in a URL, but no URL names a secret of it: write {{{{config.…}}}} where it belongs",
                auth.id
            );
            fields.lint(lints, lint::CONTRADICTION, message);
        }
    }
}

fn read_id(spot: &Spot<'_>, lints: &mut Lints) -> Option<String> {
    let id = spot.text(lints)?;
    let fits = (2..=48).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'));
    if !fits {
        spot.lint(lints, lint::BAD_VALUE, "an id is 2 to 48 of a-z, 0-9, `_` and `-`");
        return None;
    }
    if id == "custom" {
        spot.lint(lints, lint::BAD_VALUE, "`custom` is reserved; choose another id");
        return None;
    }
    Some(id)
}

fn read_category(spot: &Spot<'_>, lints: &mut Lints) -> Option<String> {
    let words: Vec<(&'static str, &'static str)> = CATEGORIES.iter().map(|word| (*word, *word)).collect();
    spot.one_of(&words, lints).map(str::to_owned)
}

fn read_url(spot: &Spot<'_>, lints: &mut Lints) -> Option<String> {
    let text = spot.text(lints)?;
    if !is_plain_url(&text) {
        spot.lint(lints, lint::BAD_URL, "an http or https URL is expected");
        return None;
    }
    Some(text)
}

fn read_icon(spot: &Spot<'_>, lints: &mut Lints) -> Option<String> {
    let name = spot.text(lints)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !name.bytes().all(plain) || name.starts_with('.') {
        spot.lint(
            lints,
            lint::BAD_VALUE,
            "the name of a file beside the manifest is expected, such as icon.svg",
        );
        return None;
    }
    Some(name)
}

fn read_link(spot: &Spot<'_>, lints: &mut Lints) -> Option<Link> {
    let mut fields = spot.fields(lints)?;
    let label = fields.need_text("label", lints);
    let url = fields.need("url", lints).and_then(|spot| read_url(&spot, lints));
    fields.close(&[], lints);
    Some(Link {
        label: label?,
        url: url?,
    })
}

fn read_publisher(spot: &Spot<'_>, lints: &mut Lints) -> Option<Publisher> {
    let mut fields = spot.fields(lints)?;
    let name = fields.need_text("name", lints);
    let url = fields.get("url").and_then(|spot| read_url(&spot, lints));
    fields.close(&[], lints);
    Some(Publisher { name: name?, url })
}

fn read_capabilities(fields: &mut Fields<'_>, lints: &mut Lints) -> Vec<Capability> {
    let mut out: Vec<Capability> = Vec::new();
    for spot in fields.list("capabilities", lints) {
        let Some(mut fields) = spot.fields(lints) else { continue };
        let id = fields.need_text("id", lints);
        let label = fields.need_text("label", lints);
        let description = fields.text("description", lints);
        fields.close(&[], lints);
        let (Some(id), Some(label)) = (id, label) else { continue };
        if out.iter().any(|other| other.id == id) {
            spot.lint(
                lints,
                lint::DUPLICATE_NAME,
                format!("another capability has the id `{id}`"),
            );
        }
        out.push(Capability { id, label, description });
    }
    out
}

fn read_step(spot: &Spot<'_>, lints: &mut Lints) -> Option<SetupStep> {
    let mut fields = spot.fields(lints)?;
    let title = fields.need_text("title", lints);
    let description = fields.text("description", lints);
    let bullets = fields.texts("bullets", lints);
    fields.close(&[], lints);
    Some(SetupStep {
        title: title?,
        description,
        bullets,
    })
}

fn read_retry(spot: &Spot<'_>, lints: &mut Lints) -> Option<RetryConfig> {
    let mut fields = spot.fields(lints)?;
    let max_retries = fields
        .need("maxRetries", lints)
        .and_then(|spot| spot.integer(0..=limits::RETRIES_MAX, lints));
    let retry_delay_ms = fields
        .need("retryDelay", lints)
        .and_then(|spot| spot.integer(0..=limits::RETRY_DELAY_MAX_MS, lints));
    let retry_on = read_statuses(&mut fields, "retryOn", lints);
    let retry_header = fields
        .get("retryHeader")
        .and_then(|spot| header_name(&spot.text(lints)?, &spot, lints));
    fields.close(&[], lints);
    Some(RetryConfig {
        max_retries: max_retries?,
        retry_delay_ms: retry_delay_ms?,
        retry_on,
        retry_header,
    })
}
