//! The one list of all routes.

use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc};

use axum::{body::Body, response::Response, routing};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use schemars::SchemaGenerator;
use serde_json::json;
use tieline::{Code, Error, Result, rate::Standing};
use tokio::time::Instant;
use tracing::Instrument;

use crate::{
    api::{
        action, api_key, audit, call, catalog, connection, credential, docs, health, metrics, proxy, session, setup,
        tenant, usage, user,
    },
    app::{App, RequestId, life},
    caller::{
        Access::{self, Anyone, Owner, SignedIn},
        Permission::{
            AuditRead, CatalogRead, ConnectionsExecute, ConnectionsRead, ConnectionsWrite, CredentialsRead,
            CredentialsWrite, KeysRead, KeysWrite, Operator, TenantsRead, UsageRead, UsersRead, UsersWrite,
        },
    },
    cors,
    faces::{s001, s003},
    limits::MAX_URI_BYTES,
    openapi::Operation,
    problem, rate,
    route::{Request, Route, any, invalid, route},
    source,
};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// Where the API lives.
pub const API: &str = "/api/v1";

/// Where the numbers are.
pub(crate) const METRICS: &str = "/metrics";

/// Names our log's entry for a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Every route, in the order of the API description.
#[rustfmt::skip]
pub fn routes() -> Vec<Route> {
    let open = [
        route(GET, "/health", Anyone, health::read).says("Whether the server works, and what it offers."),
        route(GET, "/ready", Anyone, health::ready).says("Whether the server takes requests now.").fails(&[Code::NotReady]),
        route(GET, "/errors", Anyone, docs::errors).says("All error codes, as a page or in Markdown."),
        route(GET, METRICS, Operator, metrics::read).says("Numbers for Prometheus."),
        route(GET, "/errors/{code}", Anyone, docs::error).says("What an error code means and how to mend it."),
        route(GET, "/setup", Anyone, setup::open).says("The page behind a one-time link.").fails(setup::OPENING),
        route(POST, "/setup", Anyone, setup::accept).says("Makes the first account, accepts an invitation or sets a new password, and signs in.").fails(setup::ACCEPTING),
        route(GET, "/docs", Anyone, docs::manual).says("This description as a page."),
        route(GET, "/api/v1/openapi.json", Anyone, docs::openapi).says("This description."),
    ];
    let api = [
        route(GET, "/catalog", CatalogRead, catalog::list).says("The connectors there are."),
        route(GET, "/catalog/{connector}", CatalogRead, catalog::read).says("One connector with its actions."),
        route(GET, "/catalog/{connector}/openapi.json", CatalogRead, catalog::openapi).says("Its actions as OpenAPI 3.1."),
        route(GET, "/catalog/{connector}/guide", CatalogRead, catalog::guide).says("How to connect it, in Markdown.").fails(&[Code::NotFound]),
        route(GET, "/catalog/{connector}/icon", CatalogRead, catalog::icon).says("Its picture, as SVG.").fails(&[Code::NotFound]),

        route(GET, "/connections", ConnectionsRead, connection::list).says("The tenant's connections.").fails(&[Code::ConnectorScopeInvalid]),
        route(POST, "/connections", ConnectionsWrite, connection::create).once().says("Connects a connector and tests it.").fails(connection::CONNECTING),
        route(POST, "/connections/test", ConnectionsWrite, connection::test_unsaved).says("Tests a configuration without keeping it.").fails(connection::TRYING),
        route(POST, "/connections/batch", ConnectionsWrite, connection::batch).once().says("Tests, switches on or off, or deletes many connections, with a result for each."),
        route(GET, "/connections/{connection}", ConnectionsRead, connection::read).says("One connection. Secrets are never told."),
        route(PATCH, "/connections/{connection}", ConnectionsWrite, connection::update).says("Changes a connection; what is absent stays.").fails(connection::CHANGING),
        route(DELETE, "/connections/{connection}", ConnectionsWrite, connection::delete).says("Deletes a connection and its secrets.").fails(&[Code::EnvironmentMismatch]),
        route(POST, "/connections/{connection}/test", ConnectionsWrite, connection::test).says("Tests a connection now.").fails(connection::TESTING),
        route(GET, "/connections/{connection}/health", ConnectionsRead, connection::health::health).says("How a connection fares, and what its tests found out."),
        route(POST, "/connections/{connection}/enable", ConnectionsWrite, connection::enable).says("Switches a connection on.").fails(connection::CHANGING),
        route(POST, "/connections/{connection}/disable", ConnectionsWrite, connection::disable).says("Switches a connection off.").fails(connection::CHANGING),

        route(GET, "/connectors", ConnectionsRead, s001::connector::list).says("The tenant's connections under a second name, or the connectors there are."),
        route(POST, "/connectors", ConnectionsWrite, s001::connector::create).once().says("Connects a connector and tests it.").fails(s001::connector::MAKING),
        route(GET, "/connectors/{connection}", ConnectionsRead, s001::connector::read).says("One connection under a second name. Secrets are never told."),
        route(PATCH, "/connectors/{connection}", ConnectionsWrite, s001::connector::update).says("Changes a connection; what is absent stays.").fails(connection::CHANGING),
        route(DELETE, "/connectors/{connection}", ConnectionsWrite, connection::delete).says("Deletes a connection and its secrets.").fails(&[Code::EnvironmentMismatch]),
        route(POST, "/connectors/{connection}/test", ConnectionsWrite, connection::test).says("Tests a connection now.").fails(connection::TESTING),
        route(GET, "/connectors/{connection}/health", ConnectionsRead, connection::health::health).says("How a connection fares, and what its tests found out."),

        route(GET, "/credentials", CredentialsRead, credential::list).says("The tenant's shared credentials."),
        route(POST, "/credentials", CredentialsWrite, credential::create).once().says("Makes a shared credential.").fails(credential::MAKING),
        route(GET, "/credentials/{credential}", CredentialsRead, credential::read).says("One shared credential. Secrets are never told."),
        route(PATCH, "/credentials/{credential}", CredentialsWrite, credential::update).says("Changes a shared credential; what is absent stays.").fails(credential::CHANGING),
        route(DELETE, "/credentials/{credential}", CredentialsWrite, credential::delete).says("Deletes a shared credential that nothing points to.").fails(credential::DELETING),
        route(POST, "/credentials/{credential}/rotate", CredentialsWrite, credential::rotate).says("Gives a shared credential new secrets.").fails(credential::CHANGING),
        route(POST, "/credentials/{credential}/test", CredentialsWrite, credential::test).says("Tests a shared credential now.").fails(credential::TESTING),

        route(POST, "/connections/{connection}/actions/{action}", ConnectionsExecute, action::call).calls_once().says("Calls an action; the body is its input.").fails(action::CALLING).example(json!({ "content": "Hello" })),
        any("/connections/{connection}/proxy/{*path}", ConnectionsExecute, proxy::pass).keys_only().says("Passes the request on to the connector's service; what follows `proxy` stands behind its base URL.").fails(proxy::PASSING).example(json!({ "content": "Hello" })),
        route(POST, "/actions", ConnectionsExecute, action::step).calls_once().says("Calls an action as a workflow step names it.").fails(action::CALLING),

        route(GET, "/api-keys", KeysRead, api_key::list).says("The tenant's API keys, without the keys themselves."),
        route(POST, "/api-keys", KeysWrite, api_key::create).once().says("Makes an API key, which is told this once.").fails(&[Code::EnvironmentMismatch, Code::LimitReached]),
        route(GET, "/api-keys/{key}", KeysRead, api_key::read).says("One API key, without the key itself."),
        route(PATCH, "/api-keys/{key}", KeysWrite, api_key::update).says("Changes an API key; what is absent stays.").fails(api_key::CHANGING),
        route(DELETE, "/api-keys/{key}", KeysWrite, api_key::revoke).says("Revokes an API key at once.").fails(&[Code::EnvironmentMismatch]),
        route(GET, "/audit-logs", AuditRead, audit::list).says("Who did what, as a page or as a file."),
        route(GET, "/audit-logs/verify", AuditRead, audit::verify).says("Whether the audit log and the calls are as they were written.").fails(&[Code::AuditVerifyInProgress]),

        route(GET, "/tenants/verify", Operator, audit::verify_any).says("The same for any tenant.").fails(&[Code::NotFound, Code::AuditVerifyInProgress]),

        route(GET, "/calls", UsageRead, call::list).says("The tenant's calls, newest first.").fails(&[Code::NotFound]),
        route(GET, "/calls/{call}", UsageRead, call::read).says("One call: how it ended and what it cost."),
        route(GET, "/usage", UsageRead, usage::list).says("How much was called, by day, connector, connection or key.").fails(&[Code::NotFound]),

        route(POST, "/session", Anyone, session::create).says("Signs a person in, for one tenant.").fails(session::SIGNING_IN),
        route(GET, "/session", SignedIn, session::read).says("Who is signed in, and what they may do."),
        route(DELETE, "/session", SignedIn, session::delete).says("Signs out: the session is over at once."),
        route(POST, "/session/password", SignedIn, session::change_password).says("Changes one's own password and ends all other sessions.").fails(session::CHANGING_PASSWORD),

        route(GET, "/users", UsersRead, user::list).says("The tenant's members, and those who are invited."),
        route(POST, "/users", UsersWrite, user::invite).once().says("Invites somebody by a one-time link, which is told this once.").fails(&[Code::NameTaken, Code::NotFound, Code::LimitReached]),
        route(GET, "/users/{user}", UsersRead, user::read).says("One member, or one who is invited."),
        route(PATCH, "/users/{user}", UsersWrite, user::update).says("Gives a member another role, or locks them out.").fails(user::CHANGING),
        route(DELETE, "/users/{user}", UsersWrite, user::remove).says("Removes a member or an invitation; sessions end at once.").fails(user::CHANGING),
        route(POST, "/users/{user}/reset", UsersWrite, user::reset).says("Makes a one-time link to set a new password with.").fails(user::CHANGING),
        route(POST, "/password-resets", Operator, user::reset_anyone).once().says("The same for anybody of the deployment.").fails(&[Code::NotFound]),

        route(GET, "/tenants", Operator, tenant::list).says("All tenants."),
        route(POST, "/tenants", Operator, tenant::create).once().says("Makes a tenant and its first key, which is told this once.").fails(&[Code::NameTaken]),
        route(GET, "/tenants/{tenant}", TenantsRead, tenant::read).says("One's own tenant; to an operator, any."),
        route(PATCH, "/tenants/{tenant}", Operator, tenant::rename).says("Gives a tenant another name; `default` keeps its own.").fails(&[Code::NameTaken, Code::RequestInvalid]),
        route(DELETE, "/tenants/{tenant}", Owner, tenant::delete).says("Deletes a tenant with everything that is its, for good."),
    ];
    let s003 = [
        route(GET, "/v1/catalog", Anyone, s003::catalog::list).says("The connectors we ship, as cards."),
        route(GET, "/v1/connectors", ConnectionsRead, s003::connector::list).says("The tenant's connections, the newest first.").fails(&[Code::StatusInvalid]),
        route(POST, "/v1/connectors", ConnectionsWrite, s003::connector::create).once().says("Connects a connector and tests it.").fails(s003::connector::MAKING),
        route(POST, "/v1/connectors/test", ConnectionsWrite, s003::connector::test_unsaved).says("Tests a configuration without keeping it; what is wrong with it is a result too.").fails(&[Code::EnvironmentMismatch, Code::ConnectorScopeInvalid]),
        route(GET, "/v1/connectors/{connection}", ConnectionsRead, s003::connector::read).says("One connection. Secrets are never told."),
        route(PUT, "/v1/connectors/{connection}", ConnectionsWrite, s003::connector::update).says("Changes a connection; what is absent stays.").fails(s003::connector::CHANGING),
        route(DELETE, "/v1/connectors/{connection}", ConnectionsWrite, s003::connector::delete).says("Deletes a connection and its secrets.").fails(&[Code::EnvironmentMismatch]),
        route(POST, "/v1/connectors/{connection}/test", ConnectionsWrite, s003::connector::test).says("Tests a connection now.").fails(connection::TESTING),
    ];
    open.into_iter().chain(s003).chain(api.into_iter().map(|route| route.under(API))).collect()
}

/// The routes of one path.
type Routes = Arc<[Route]>;

/// All routes behind axum's path matching.
pub(crate) fn build(app: App, routes: Vec<Route>) -> axum::Router {
    let mut by_path = BTreeMap::<String, Vec<Route>>::new();
    for route in routes {
        check(&route);
        let route = route.clone().counted_in(app.metrics.of(&route));
        for pattern in route.patterns() {
            by_path.entry(pattern.to_owned()).or_default().push(route.clone());
        }
    }
    let mut router = axum::Router::new();
    for (path, routes) in by_path {
        let (app, routes) = (app.clone(), Routes::from(routes));
        let handler = move |request: axum::extract::Request| answer(app.clone(), Some(routes.clone()), request);
        router = router.route(&path, routing::any(handler));
    }
    router.fallback(move |request: axum::extract::Request| answer(app.clone(), None, request))
}

/// A route whose path and handler disagree is a mistake of ours, seen the first time anything starts.
fn check(route: &Route) {
    let mut generator = SchemaGenerator::default();
    let operation = Operation::of(&mut generator, route);
    let (claimed, wants_caller) = operation.claims();
    let named = route.params().collect();
    assert_eq!(
        claimed,
        named,
        "the handler of {} {} reads other parameters than its path has",
        route.method(),
        route.path()
    );
    assert!(
        route.once.is_none() || operation.has_body(),
        "{} {} is run once by its body, and its handler reads none",
        route.method(),
        route.path()
    );
    assert!(
        !wants_caller || route.access() != Access::Anyone,
        "the handler of {} {} asks for a caller, but anyone may come in",
        route.method(),
        route.path()
    );
}

/// Answers one request, whatever happens.
async fn answer(app: App, found: Option<Routes>, request: axum::extract::Request) -> Response {
    let request_id = match app.request_id() {
        Ok(id) => id,
        Err(error) => return finish(problem::answer(&error, RequestId::NONE), RequestId::NONE),
    };
    let (cors, origin) = (app.cors.clone(), app.cors.listed(request.headers()));
    let listed = origin.is_some();
    let (metrics, started) = (app.metrics.clone(), Instant::now());
    let route = found.as_ref().and_then(|routes| of_method(routes, request.method()));
    let counts = route.map_or_else(|| metrics.stray(), Route::counts);
    let in_flight = metrics.begin();
    let span = tracing::info_span!("request", id = request_id.as_str(), method = %request.method(), route = tracing::field::Empty, trace = tracing::field::Empty);
    if let Some(trace) = trace(request.headers()) {
        span.record("trace", trace);
    }
    let mut standing = None;
    let mut response = AssertUnwindSafe(enter(app, request_id, listed, found, request, &mut standing))
        .catch_unwind()
        .instrument(span.clone())
        .await
        .unwrap_or_else(|_| Err(Error::internal("a handler panicked", "see the panic's own message").into()))
        .unwrap_or_else(|refused| {
            metrics.refused(refused.error.code());
            refused.answer(request_id)
        });
    let (status, took) = (response.status(), started.elapsed());
    counts.add(status, took);
    // The one line of a request. At `debug`: at `info` each call has a line of its own already.
    span.in_scope(|| {
        tracing::debug!(target: "tieline::access", status = status.as_u16(), micros = took.as_micros() as u64, "answered");
    });
    drop(in_flight);
    cors.mark(&mut response, origin);
    // A service's own limits go by the same names: what is passed on tells of those.
    if let Some(standing) = standing.filter(|_| !response.headers().contains_key(proxy::ANSWERED_BY)) {
        rate::tell(response.headers_mut(), &standing);
    }
    finish(response, request_id)
}

/// The trace that the caller's request belongs to (W3C Trace Context, section 3.2): 32 hexadecimal digits, so nothing of
/// the caller's own gets into the log. The request's id stays ours.
fn trace(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, digits| {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        part.len() == digits && part.bytes().all(digit)
    };
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let fits = hex(version, 2) && version != "ff" && hex(trace, 32) && hex(parent, 16) && !zero(trace) && !zero(parent);
    fits.then_some(trace)
}

/// An error, with the header that only a wrong method needs.
struct Refused {
    error: Error,
    allow: Option<HeaderValue>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, allow: None }
    }
}

impl Refused {
    fn answer(self, request_id: RequestId) -> Response {
        let mut response = problem::answer(&self.error, request_id);
        if let Some(allow) = self.allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}

async fn enter(
    app: App,
    request_id: RequestId,
    listed: bool,
    found: Option<Routes>,
    request: axum::extract::Request,
    standing: &mut Option<Standing>,
) -> Result<Response, Refused> {
    let (mut head, body) = request.into_parts();
    let share = app.sources.enter(&mut head)?;
    let length = head.uri.path_and_query().map_or(0, |uri| uri.as_str().len());
    if length > MAX_URI_BYTES {
        let detail = format!("The path and query are longer than {MAX_URI_BYTES} bytes: send less, or in the body.");
        return Err(invalid(&detail, []).into());
    }
    if app.connectors.loop_mark().is_on(&head.headers) {
        // N3: an address that looks public may lead back here, and a call would call itself without end.
        let detail =
            "This server sent the request itself: a connector's address leads back to it. Correct the address.";
        return Err(Error::new(Code::EgressForbidden, detail).into());
    }
    let Some(routes) = found else {
        let detail = "There is nothing at this path. `/api/v1/openapi.json` lists what there is.";
        return Err(Error::new(Code::RouteNotFound, detail).into());
    };
    if listed && cors::is_preflight(&head) {
        return Ok(cors::preflight(methods(&routes)));
    }
    let Some(route) = of_method(&routes, &head.method) else {
        return Err(wrong_method(&routes));
    };
    tracing::Span::current().record("route", route.path());
    let ended = app.life.ended();
    let entered = route.enter(Request::new(app, request_id, head, body), standing);
    let response = tokio::select! {
        // An answer that is there counts.
        biased;
        answer = entered => answer?,
        () = ended => return Err(life::cut().into()),
    };
    Ok(source::held(response, share))
}

/// The route of a path for a method.
fn of_method<'r>(routes: &'r [Route], method: &Method) -> Option<&'r Route> {
    routes.iter().find(|route| route.takes(method))
}

fn wrong_method(routes: &[Route]) -> Refused {
    let allowed = methods(routes);
    let named = allowed.to_str().unwrap_or_default();
    let detail = format!("This path does not take the method. It takes: {named}.");
    Refused {
        error: Error::new(Code::MethodNotAllowed, detail),
        allow: Some(allowed),
    }
}

/// The methods that a path takes, as headers list them.
fn methods(routes: &[Route]) -> HeaderValue {
    let methods: Vec<&str> = routes
        .iter()
        .flat_map(|route| route.methods())
        .map(Method::as_str)
        .collect();
    HeaderValue::from_str(&methods.join(", ")).expect("methods are tokens")
}

/// What every answer carries: its id, and that nobody may keep it or guess its type (U4).
fn finish(mut response: Response<Body>, request_id: RequestId) -> Response {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http_body_util::BodyExt;
    use tieline::{clock::SystemRandom, store::MemoryStore, vault::MasterKey};
    use tower::ServiceExt;

    use super::*;
    use crate::route::Nothing;

    fn app() -> App {
        let key = MasterKey::generate(&SystemRandom).unwrap();
        let connectors = tieline::Connectors::builder()
            .scope("tenant", tieline::ScopeRule::Optional)
            .connectors([])
            .store(MemoryStore::new())
            .key(key);
        App::new(connectors.build().unwrap())
    }

    async fn lost() -> Result<Nothing> {
        panic!("the secret of the house");
    }

    #[tokio::test]
    async fn a_panic_is_answered_and_tells_nothing() {
        let router = build(app(), vec![route(GET, "/lost", Anyone, lost)]);
        let request = http::Request::get("/lost").body(Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("INTERNAL") && !text.contains("secret"), "{text}");
    }

    #[test]
    fn r3_only_a_well_formed_trace_gets_into_the_log() {
        let read = |text: &'static str| {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_static("traceparent"), HeaderValue::from_static(text))]);
            trace(&headers).map(str::to_owned)
        };
        let good = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(
            read("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").as_deref(),
            Some(good)
        );
        for bad in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c0-b7ad6b7169203331-01",
            "00-sk_live0af7651916cd43dd8448eb211-b7ad6b7169203331-01",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    async fn large() -> Result<crate::route::Text> {
        Ok(crate::route::Text {
            content_type: "text/plain",
            text: "x".repeat(tieline::limits::MAX_MEMORY_PER_TENANT),
        })
    }

    /// L3: an answer is in memory until it was sent, so who reads none gets no more of them.
    #[tokio::test]
    async fn l3_unread_answers_are_bounded_for_each_tenant() {
        let app = app();
        let router = build(app.clone(), vec![route(GET, "/large", CatalogRead, large)]);
        let mut keys = Vec::new();
        for tenant in ["alice", "bob"] {
            let new = tieline::api_key::NewApiKey {
                name: "key".to_owned(),
                permissions: [("admin".to_owned(), true)].into(),
                expires_at: None,
                environment: None,
                allowed_networks: None,
            };
            let made = app.connectors.create_tenant("test", tenant, new).await.unwrap();
            keys.push(made.key.text.reveal().clone());
        }
        let ask = async |key: &str| {
            let request = http::Request::get("/large").header(header::AUTHORIZATION, format!("Bearer {key}"));
            router
                .clone()
                .oneshot(request.body(Body::empty()).unwrap())
                .await
                .unwrap()
        };
        let unread = ask(&keys[0]).await;
        assert_eq!(unread.status(), StatusCode::OK);
        // The server takes the bytes out of the body into its buffer: they count there too.
        let buffered = unread.into_body().collect().await.unwrap().to_bytes();
        let refused = ask(&keys[0]).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
        assert_eq!(ask(&keys[1]).await.status(), StatusCode::OK, "bob's part is his own");
        drop(buffered);
        assert_eq!(ask(&keys[0]).await.status(), StatusCode::OK);
    }

    #[test]
    #[should_panic(expected = "reads other parameters than its path has")]
    fn a_parameter_that_nobody_reads_is_refused() {
        check(&route(GET, "/lost/{thing}", Anyone, lost));
    }

    async fn asks(_: Arc<crate::caller::Caller>) -> Result<Nothing> {
        Ok(Nothing)
    }

    #[test]
    #[should_panic(expected = "asks for a caller")]
    fn an_open_route_has_no_caller() {
        check(&route(GET, "/open", Anyone, asks));
    }
}
