//! The library's own routes, to be mounted in a program's web server: webhooks that arrive, and the two ends of signing in.
//!
//! [`Connectors::handle`] takes a request and answers a response, both of the `http` crate, and never an error: whatever
//! goes wrong is a response too, as problem details (RFC 9457) with a stable code. [`Connectors::handle_path`] finds
//! connector and route by itself, below the base path, so one line mounts them all.
//!
//! In axum:
//!
//! ```no_run
//! # async fn mount(connectors: tieline::Connectors) {
//! use axum::{Router, extract::Request};
//!
//! let routes = move |request: Request| async move { connectors.handle_path(request).await };
//! let app = Router::<()>::new().route("/api/v1/connectors/{*rest}", axum::routing::any(routes));
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
//! axum::serve(listener, app).await.unwrap();
//! # }
//! ```
//!
//! In hyper:
//!
//! ```no_run
//! # async fn mount(connectors: tieline::Connectors, stream: tokio::net::TcpStream) {
//! use hyper::{server::conn::http1, service::service_fn};
//! use hyper_util::rt::{TokioIo, TokioTimer};
//!
//! let routes = service_fn(async |request| Ok::<_, std::convert::Infallible>(connectors.handle_path(request).await));
//! let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), routes);
//! connection.await.unwrap();
//! # }
//! ```
//!
//! In actix, whose types are those of an older `http`, method, address, headers and body are handed over. The example is
//! not compiled: actix would be another web server among this library's dependencies.
//!
//! ```text
//! async fn routes(request: HttpRequest, body: web::Bytes, connectors: web::Data<Connectors>) -> HttpResponse {
//!     let mut handed = http::Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
//!     for (name, value) in request.headers() { handed = handed.header(name.as_str(), value.as_bytes()); }
//!     let (head, body) = connectors.handle_path(handed.body(Full::new(body)).unwrap()).await.into_parts();
//!     HttpResponse::build(StatusCode::from_u16(head.status.as_u16()).unwrap()).content_type("application/json").body(body.into_inner().unwrap())
//! }
//! ```

mod base;
mod response;

pub(crate) use self::{
    base::Base,
    response::{answer, declared},
};

use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tieline_manifest::AuthKind;

use self::response::problem;
use crate::{
    connector::Connector,
    connectors::Connectors,
    error::{Code, Error, Result},
};

/// What is answered, with a body that is there already.
pub type Answer = Response<Full<Bytes>>;

/// One of a connector's routes, as [`Connectors::handle`] is told of it: `"/webhook"`, whose token is the last part of the
/// request's path; `"/webhook/<token>"`; `"/oauth/connect"`; `"/oauth/callback"`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Route<'r> {
    Webhook(Option<&'r str>),
    OauthConnect,
    OauthCallback,
}

impl<'r> Route<'r> {
    fn parse(text: &'r str) -> Option<Self> {
        match text.trim_matches('/') {
            "webhook" => Some(Self::Webhook(None)),
            "oauth/connect" => Some(Self::OauthConnect),
            "oauth/callback" => Some(Self::OauthCallback),
            other => {
                let token = other.strip_prefix("webhook/")?;
                Some(Self::Webhook(Some(token)))
            }
        }
    }
}

impl Connectors {
    /// Carries out a request to one of a connector's routes: `"/webhook"`, `"/oauth/connect"` or `"/oauth/callback"`. A
    /// webhook's token is the last part of the request's path, or stands behind the route: `"/webhook/<token>"`.
    ///
    /// What fails is a response as well. Its sender learns what is of use to them: whoever has no good token learns nothing
    /// (the same 404 for an unknown connector, connection or secret), and of trouble inside the code alone is told.
    pub async fn handle<B>(&self, connector: &str, route: &str, request: Request<B>) -> Answer
    where
        B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let routed = AssertUnwindSafe(self.routed(connector, Route::parse(route), request));
        let answered = routed.catch_unwind().await;
        let answered = answered.unwrap_or_else(|_| Err(Error::internal("answer a request", "it broke off")));
        answered.unwrap_or_else(|error| problem(&error))
    }

    /// The same, with connector and route from the request's path: `{base path}/{connector}/webhook/{token}`,
    /// `…/{connector}/oauth/connect`, `…/{connector}/oauth/callback`.
    pub async fn handle_path<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let path = request.uri().path().to_owned();
        match self.inner.base.below(&path).and_then(|below| below.split_once('/')) {
            Some((connector, route)) => self.handle(connector, route, request).await,
            None => problem(&no_route()),
        }
    }

    async fn routed<B>(&self, connector: &str, route: Option<Route<'_>>, request: Request<B>) -> Result<Answer>
    where
        B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        match route.ok_or_else(no_route)? {
            Route::Webhook(token) => self.receive(connector, token, request).await,
            Route::OauthConnect | Route::OauthCallback => {
                let connector = self.registry().get(connector);
                let connector =
                    connector.map_err(|_| Error::new(Code::NotFound, "There is nothing at this address."))?;
                sign_in(&connector)
            }
        }
    }
}

/// Where signing in begins and ends. Until it is carried out here, it is said what is missing: the declaration, or us.
fn sign_in(connector: &Connector) -> Result<Answer> {
    let id = connector.id();
    let is_declared = |auth: &tieline_manifest::Auth| matches!(auth.kind, AuthKind::OAuth2(_));
    if connector.oauth().is_none() && !connector.manifest().auth.iter().any(is_declared) {
        let detail = format!("`{id}` is not connected by signing in.");
        return Err(Error::new(Code::ConnectorOauthNotConfigured, detail));
    }
    let detail = format!("`{id}` is connected by signing in, which is not part of this version yet.");
    Err(Error::new(Code::OauthNotSupported, detail))
}

fn no_route() -> Error {
    Error::new(Code::RouteNotFound, "There is no such route.")
}
