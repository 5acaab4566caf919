//! A small service on loopback, with the manifest that declares it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use tieline_testkit::canary::Canary;
use tokio::{net::TcpListener, sync::Notify};

/// The token that the service accepts.
pub(crate) static GOOD_TOKEN: Canary = Canary::new("good token");

/// A token that it does not.
pub(crate) static WRONG_TOKEN: Canary = Canary::new("wrong token");

/// A number that a float would round.
pub(crate) const EXACT: &str = "12345678901234567890.10";

/// The service.
pub(crate) struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Bodies of the messages that arrived.
    messages: Mutex<Vec<String>>,
    /// A slow request has arrived.
    arrived: Notify,
    /// Slow requests may be answered.
    go_on: Notify,
    /// Who asks who they are is told that there is trouble.
    in_trouble: AtomicBool,
    /// How often somebody asked.
    asked: AtomicUsize,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let router = Router::new()
            .route("/me", any(me))
            .route("/messages", post(message))
            .route("/slow", get(slow))
            .route(
                "/echo",
                get(async |headers: HeaderMap| format!(r#"{{"told":{:?}}}"#, token(&headers))),
            )
            .route("/odd", get(async || r#"{"id":7}"#))
            .route(
                "/busy",
                get(async || (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "7")])),
            )
            .layer(DefaultBodyLimit::disable())
            .with_state(shared.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = hyper_util::service::TowerToHyperService::new(router);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let io = hyper_util::rt::TokioIo::new(stream);
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service.clone()));
            }
        });
        Self { address, shared }
    }

    /// The bodies of the messages that arrived.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.shared.messages.lock().unwrap().clone()
    }

    /// Waits until a slow request is here.
    pub(crate) async fn slow_arrived(&self) {
        self.shared.arrived.notified().await;
    }

    /// Lets a slow request be answered.
    pub(crate) fn let_slow_go_on(&self) {
        self.shared.go_on.notify_one();
    }

    /// Lets the service have trouble, or none any more.
    pub(crate) fn in_trouble(&self, trouble: bool) {
        self.shared.in_trouble.store(trouble, Ordering::SeqCst);
    }

    /// How often somebody asked who they are, as a test of a connection does.
    pub(crate) fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn manifest(&self) -> String {
        format!(
            r"
id: acme
name: Acme Chat
summary: Sends messages.
category: communication
tags: [chat]
baseUrl: http://{}
auth:
  - id: bot
    type: api_key
    fields:
      - {{ name: bot_token, label: Bot token, secret: true, required: true, aliases: [botToken] }}
      - {{ name: team, label: Team }}
    keyName: Authorization
    keyLocation: header
    keyValue: 'Bot {{{{bot_token}}}}'
test: {{ method: GET, path: /me, label: $.username }}
endpoints:
  - id: whoami
    name: Who am I
    method: GET
    path: /me
    output: {{ type: object, properties: {{ username: {{ type: string, required: true }} }} }}
  - id: send
    name: Send a message
    effect: write
    method: POST
    path: /messages
    body:
      schema: {{ type: object, properties: {{ content: {{ type: string, required: true }}, amount: {{ type: number }} }} }}
    output: {{ type: object, properties: {{ id: {{ type: string }}, amount: {{ type: number }} }} }}
  - {{ id: echo, name: Echo, method: GET, path: /echo }}
  - {{ id: misfit, name: Misfit, method: GET, path: /echo, output: {{ type: object, properties: {{ told: {{ type: number }} }} }} }}
  - {{ id: slow, name: Slow, method: GET, path: /slow }}
  - {{ id: odd, name: Odd, method: GET, path: /odd, output: {{ type: object, properties: {{ id: {{ type: string }} }} }} }}
  - {{ id: busy, name: Busy, method: GET, path: /busy }}
  - {{ id: open, name: Needs no key, method: GET, path: /odd, auth: none }}
",
            self.address
        )
    }
}

/// What came as the credential.
fn token(headers: &HeaderMap) -> &str {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

fn signed_in(headers: &HeaderMap) -> bool {
    headers
        .get(header::AUTHORIZATION)
        .is_some_and(|value| value.as_bytes() == format!("Bot {GOOD_TOKEN}").as_bytes())
}

async fn me(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    if shared.in_trouble.load(Ordering::SeqCst) {
        (StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"in trouble"}"#).into_response()
    } else if signed_in(&headers) {
        r#"{"username":"ada"}"#.into_response()
    } else {
        (StatusCode::UNAUTHORIZED, r#"{"message":"bad token"}"#).into_response()
    }
}

async fn message(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    if !signed_in(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    shared
        .messages
        .lock()
        .unwrap()
        .push(String::from_utf8(body.to_vec()).unwrap());
    format!(r#"{{"id":"7","amount":{EXACT}}}"#).into_response()
}

async fn slow(State(shared): State<Arc<Shared>>) -> Response {
    shared.arrived.notify_one();
    shared.go_on.notified().await;
    "{}".into_response()
}
