//! From nodes to a manifest.

use super::{Arrays, ErrorPaths, HostRule, IntegrationType, Manifest, RetryConfig, TestCodes, Use, rate};
use crate::{
    auth::{Auth, AuthKind, AuthTest, KeyLocation},
    endpoint::{Address, Endpoint, Test, header_name, read_headers, read_statuses, read_timeout},
    grammar, limits,
    lint::{self, Lint, Lints},
    mapping::ResponseMapping,
    node::{Fields, Node, Spot},
    request::SecretRef,
    response::Rules,
    template::{Names, Origin, Place},
    webhook::WebhookConfig,
};

/// Judges a tree by the grammar and reads it.
pub(super) fn read(node: &Node, use_: Use) -> Result<Manifest, Vec<Lint>> {
    let mut lints = Lints::default();
    let root = Spot::root(node);
    grammar::check(
        &root,
        grammar::Value::Object(grammar::connector::root(use_)),
        &mut lints,
    );
    let manifest = root.fields().map(|fields| whole(&fields, use_, &mut lints));
    match manifest {
        Some(manifest) if lints.is_empty() => Ok(manifest),
        _ => Err(lints.into_sorted()),
    }
}

fn whole(fields: &Fields<'_>, use_: Use, lints: &mut Lints) -> Manifest {
    let auth = read_auth(fields, lints);
    let config = Manifest::field_names(&auth);
    let mut names = Names {
        local: Origin::Config,
        config: &config,
        inputs: None,
        strict: true,
    };
    let mut manifest = Manifest::presented(fields, use_, lints);
    manifest.base_url = fields
        .get("baseUrl")
        .and_then(|spot| Address::read(&spot, &mut names, lints));
    manifest.default_headers = fields
        .get("defaultHeaders")
        .map(|spot| read_headers(&spot, &mut names, lints))
        .unwrap_or_default();
    manifest.test = fields
        .get("test")
        .and_then(|spot| Test::from_spot(&spot, &mut names, lints));
    manifest.test_codes = fields
        .get("testCodes")
        .map(|spot| TestCodes::read(&spot, &config, lints))
        .unwrap_or_default();
    manifest.auth = auth;
    manifest.endpoints = read_endpoints(fields, &manifest.auth, use_, lints);
    read_keyed(fields, &mut manifest.endpoints, lints);
    read_shared(fields, &mut manifest, lints);
    check(&manifest, fields, use_, lints);
    manifest
}

/// What all endpoints share.
fn read_shared(fields: &Fields<'_>, manifest: &mut Manifest, lints: &mut Lints) {
    let one_of = |key, words: &[(&'static str, Arrays)]| fields.get(key).and_then(|spot| spot.one_of(words));
    manifest.query_arrays = one_of("queryArrays", Arrays::WORDS).unwrap_or_default();
    manifest.integration_type = fields
        .get("integrationType")
        .and_then(|spot| spot.one_of(IntegrationType::WORDS))
        .unwrap_or_default();
    manifest.timeout_ms = read_timeout(fields);
    manifest.retry = fields.get("retryConfig").and_then(|spot| read_retry(&spot, lints));
    manifest.allowed_hosts = fields
        .list("allowedHosts")
        .iter()
        .filter_map(|spot| HostRule::read(spot, lints))
        .collect();
    manifest.rules = fields
        .get("answers")
        .map(|spot| Rules::read(&spot, lints))
        .unwrap_or_default();
    manifest.errors = fields
        .get("errors")
        .map(|spot| ErrorPaths::read(&spot, lints))
        .unwrap_or_default();
    (manifest.rate_limit, manifest.rate) = fields
        .get("rateLimit")
        .map(|spot| rate::read(&spot, lints))
        .unwrap_or_default();
    manifest.mapping = fields
        .get("responseMapping")
        .map(|spot| ResponseMapping::read(&spot, lints))
        .unwrap_or_default();
    manifest.webhook = fields
        .get("webhookConfig")
        .and_then(|spot| WebhookConfig::read(&spot, lints));
    check_key_field(fields, manifest, lints);
}

/// The signing secret lies in a field that is a secret wherever it is declared.
fn check_key_field(fields: &Fields<'_>, manifest: &Manifest, lints: &mut Lints) {
    let signature = manifest.webhook.as_ref().map(|webhook| &webhook.signature);
    let Some(name) = signature.and_then(|signature| signature.key_field.as_deref()) else {
        return;
    };
    let declared = manifest.auth.iter().flat_map(|auth| &auth.fields);
    let mut named = declared.clone().filter(|field| field.name == name);
    let message = match (named.clone().count(), named.all(|field| field.secret)) {
        (0, _) => {
            let hint = lint::hint(
                name,
                declared.filter(|field| field.secret).map(|field| field.name.as_str()),
            );
            format!("`keyField` names no field of an auth method: `{name}`{hint}")
        }
        (_, false) => {
            format!("`keyField` names `{name}`, which is no secret: declare it with `secret: true`")
        }
        (_, true) => return,
    };
    let config = fields.get("webhookConfig").and_then(|spot| spot.fields());
    let signature = config.as_ref().and_then(|config| config.get("signatureConfig"));
    let signature = signature.as_ref().and_then(|spot| spot.fields());
    if let Some(spot) = signature.as_ref().and_then(|signature| signature.get("keyField")) {
        spot.lint(lints, lint::UNKNOWN_NAME, message);
    }
}

fn read_keyed(fields: &Fields<'_>, endpoints: &mut [Endpoint], lints: &mut Lints) {
    let keyed = fields
        .get("idempotencyHeader")
        .and_then(|spot| header_name(&spot.text()?, &spot, lints));
    for endpoint in endpoints.iter_mut().filter(|endpoint| endpoint.method == "POST") {
        endpoint.idempotency_header = endpoint.idempotency_header.take().or_else(|| keyed.clone());
    }
}

fn read_auth(fields: &Fields<'_>, lints: &mut Lints) -> Vec<Auth> {
    let mut methods: Vec<Auth> = Vec::new();
    let spots = fields.list("auth");
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

fn read_endpoints(fields: &Fields<'_>, auth: &[Auth], use_: Use, lints: &mut Lints) -> Vec<Endpoint> {
    let spots = fields.list("endpoints");
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
    let own = manifest.auth.iter().filter_map(|auth| manifest.test_of(Some(auth)));
    let mut tests = own.chain(manifest.test.as_ref());
    if manifest.errors.code_paths.is_empty() && tests.any(Test::excepts_any) {
        let message =
            "a test has `exceptCodes`, and nothing says where the service tells its codes: add `errors.codePath`";
        fields.lint(lints, lint::CONTRADICTION, message);
    }
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

fn read_retry(spot: &Spot<'_>, lints: &mut Lints) -> Option<RetryConfig> {
    let fields = spot.fields()?;
    let max_retries = fields.get("maxRetries").and_then(|spot| spot.integer());
    let retry_delay_ms = fields.get("retryDelay").and_then(|spot| spot.integer());
    let retry_on = read_statuses(&fields, "retryOn");
    let retry_header = fields
        .get("retryHeader")
        .and_then(|spot| header_name(&spot.text()?, &spot, lints));
    Some(RetryConfig {
        max_retries: max_retries?,
        retry_delay_ms: retry_delay_ms?,
        retry_on,
        retry_header,
    })
}
