//! The one list of all routes.

use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    body::Body,
    extract::{RawPathParams, rejection::RawPathParamsRejection},
    response::Response,
    routing::any,
};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, header};
use schemars::SchemaGenerator;
use tieline::{Code, Error, Result};
use tracing::Instrument;

use crate::{
    api::{action, api_key, audit, catalog, connection, docs, health, tenant},
    app::{App, RequestId},
    caller::{
        Access::{self, Anyone},
        Permission::{
            AuditRead, CatalogRead, ConnectionsExecute, ConnectionsRead, ConnectionsWrite, KeysRead, KeysWrite,
            Operator,
        },
    },
    limits::MAX_URI_BYTES,
    openapi::Operation,
    problem,
    route::{Request, Route, invalid, route},
};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// Where the API lives.
pub const API: &str = "/api/v1";

/// Names our log's entry for a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Every route, in the order of the API description.
#[rustfmt::skip]
pub fn routes() -> Vec<Route> {
    let open = [
        route(GET, "/health", Anyone, health::read).says("Whether the server works, and what it offers."),
        route(GET, "/errors/{code}", Anyone, docs::error).says("What an error code means and how to mend it."),
        route(GET, "/api/v1/openapi.json", Anyone, docs::openapi).says("This description."),
    ];
    let api = [
        route(GET, "/catalog", CatalogRead, catalog::list).says("The connectors there are."),
        route(GET, "/catalog/{connector}", CatalogRead, catalog::read).says("One connector with its actions."),
        route(GET, "/catalog/{connector}/openapi.json", CatalogRead, catalog::openapi).says("Its actions as OpenAPI 3.1."),
        route(GET, "/catalog/{connector}/guide", CatalogRead, catalog::guide).says("How to connect it, in Markdown.").fails(&[Code::NotFound]),

        route(GET, "/connections", ConnectionsRead, connection::list).says("The tenant's connections.").fails(&[Code::ConnectorScopeInvalid]),
        route(POST, "/connections", ConnectionsWrite, connection::create).says("Connects a connector and tests it.").fails(connection::CONNECTING),
        route(POST, "/connections/test", ConnectionsWrite, connection::test_unsaved).says("Tests a configuration without keeping it.").fails(connection::TRYING),
        route(GET, "/connections/{connection}", ConnectionsRead, connection::read).says("One connection. Secrets are never told."),
        route(PATCH, "/connections/{connection}", ConnectionsWrite, connection::update).says("Changes a connection; what is absent stays.").fails(connection::CHANGING),
        route(DELETE, "/connections/{connection}", ConnectionsWrite, connection::delete).says("Deletes a connection and its secrets."),
        route(POST, "/connections/{connection}/test", ConnectionsWrite, connection::test).says("Tests a connection now.").fails(connection::TESTING),
        route(POST, "/connections/{connection}/enable", ConnectionsWrite, connection::enable).says("Switches a connection on.").fails(connection::CHANGING),
        route(POST, "/connections/{connection}/disable", ConnectionsWrite, connection::disable).says("Switches a connection off.").fails(connection::CHANGING),

        route(POST, "/connections/{connection}/actions/{action}", ConnectionsExecute, action::call).says("Calls an action; the body is its input.").fails(action::CALLING),
        route(POST, "/actions", ConnectionsExecute, action::step).says("Calls an action as a workflow step names it.").fails(action::CALLING),

        route(GET, "/api-keys", KeysRead, api_key::list).says("The tenant's API keys, without the keys themselves."),
        route(POST, "/api-keys", KeysWrite, api_key::create).says("Makes an API key, which is told this once."),
        route(DELETE, "/api-keys/{key}", KeysWrite, api_key::revoke).says("Revokes an API key at once."),
        route(GET, "/audit-logs", AuditRead, audit::list).says("Who did what, in order."),

        route(GET, "/tenants", Operator, tenant::list).says("All tenants."),
        route(POST, "/tenants", Operator, tenant::create).says("Makes a tenant and its first key, which is told this once.").fails(&[Code::NameTaken]),
    ];
    open.into_iter().chain(api.into_iter().map(|route| route.under(API))).collect()
}

/// The routes of one path.
type Routes = Arc<[Route]>;

/// All routes behind axum's path matching.
pub(crate) fn build(app: App, routes: Vec<Route>) -> axum::Router {
    let mut by_path = BTreeMap::<String, Vec<Route>>::new();
    for route in routes {
        check(&route);
        by_path.entry(route.path().to_owned()).or_default().push(route);
    }
    let mut router = axum::Router::new();
    for (path, routes) in by_path {
        let (app, routes) = (app.clone(), Routes::from(routes));
        let handler = move |params: Result<RawPathParams, RawPathParamsRejection>, request: axum::extract::Request| {
            answer(app.clone(), Some((routes.clone(), params)), request)
        };
        router = router.route(&path, any(handler));
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
        !wants_caller || route.access() != Access::Anyone,
        "the handler of {} {} asks for a caller, but anyone may come in",
        route.method(),
        route.path()
    );
}

/// Answers one request, whatever happens.
async fn answer(
    app: App,
    found: Option<(Routes, Result<RawPathParams, RawPathParamsRejection>)>,
    request: axum::extract::Request,
) -> Response {
    let request_id = match app.request_id() {
        Ok(id) => id,
        Err(error) => return finish(problem::answer(&error, RequestId::NONE), RequestId::NONE),
    };
    let span = tracing::info_span!("request", id = request_id.as_str(), method = %request.method(), route = tracing::field::Empty);
    let response = AssertUnwindSafe(enter(app, found, request))
        .catch_unwind()
        .instrument(span)
        .await
        .unwrap_or_else(|_| Err(Error::internal("a handler panicked", "see the panic's own message").into()))
        .unwrap_or_else(|refused| refused.answer(request_id));
    finish(response, request_id)
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
    found: Option<(Routes, Result<RawPathParams, RawPathParamsRejection>)>,
    request: axum::extract::Request,
) -> Result<Response, Refused> {
    let (head, body) = request.into_parts();
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
    let Some((routes, params)) = found else {
        let detail = "There is nothing at this path. `/api/v1/openapi.json` lists what there is.";
        return Err(Error::new(Code::RouteNotFound, detail).into());
    };
    // HEAD is GET without the body, which the connection leaves out by itself.
    let method = if head.method == Method::HEAD {
        &GET
    } else {
        &head.method
    };
    let Some(route) = routes.iter().find(|route| route.method() == method) else {
        return Err(wrong_method(&routes));
    };
    tracing::Span::current().record("route", route.path());
    let response = route.enter(Request::new(app, head, body), || read(params)).await?;
    tracing::debug!(status = response.status().as_u16(), "answered");
    Ok(response)
}

/// The path's parameters, percent-decoded.
fn read(params: Result<RawPathParams, RawPathParamsRejection>) -> Result<Vec<(String, String)>> {
    let params = params.map_err(|_| invalid("The path is not percent-encoded UTF-8.", []))?;
    let params: Vec<_> = params
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if params.iter().any(|(_, value)| value.chars().any(char::is_control)) {
        return Err(invalid("The path holds control characters.", []));
    }
    Ok(params)
}

fn wrong_method(routes: &[Route]) -> Refused {
    let allowed: Vec<&str> = routes.iter().map(|route| route.method().as_str()).collect();
    let allowed = allowed.join(", ");
    let detail = format!("This path does not take the method. It takes: {allowed}.");
    Refused {
        error: Error::new(Code::MethodNotAllowed, detail),
        allow: HeaderValue::from_str(&allowed).ok(),
    }
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
        let connectors = tieline::Connectors::builder().store(MemoryStore::new()).key(key);
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

    async fn large() -> Result<crate::route::Text> {
        Ok(crate::route::Text {
            content_type: "text/plain",
            text: "x".repeat(crate::limits::MAX_MEMORY_PER_TENANT),
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
