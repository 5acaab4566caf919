//! Webhooks that arrive, through the library's own routes.

mod address;
mod bounds;
mod handler;
mod mount;
mod order;
mod signed;

use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tieline::{
    Connectors, ConnectorsBuilder, Event, MasterKey, MemoryStore, ScopeRule,
    action::ActionContext,
    clock::{Clock, TestClock},
    connection::Connection,
    connector::Delivered,
    connectors::Scoped,
    handle::Answer,
};
use tieline_testkit::{
    canary::{self, Canary},
    evidence,
};

static TOKEN: Canary = Canary::new("token of acme");
static SIGNING: Canary = Canary::new("signing secret of acme");

/// A service whose webhooks are signed with their time, and one that sends none.
const ACME: &str = "
id: acme
name: Acme
baseUrl: https://api.acme.example
auth:
  - type: bearer
    token: '{{token}}'
    fields: [{ name: token, secret: true, required: true }, { name: signing_secret, secret: true }]
endpoints: []
webhookConfig:
  signatureConfig:
    header: X-Acme-Signature
    algorithm: hmac-sha256
    signedContent: '{timestamp}.{body}'
    timestampHeader: X-Acme-Time
    keyField: signing_secret
";
const SILENT: &str =
    "{ id: silent, name: Silent, baseUrl: 'https://silent.example', auth: [{ type: none }], endpoints: [] }";

const NOW: &str = "2026-11-20T09:00:00Z";

/// What Acme sends.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Made {
    kind: String,
    #[serde(default)]
    #[expect(dead_code, reason = "only its type is looked at")]
    number: u32,
}

/// A library that takes Acme's webhooks, and all that was told of them.
pub(crate) struct Lab {
    pub(crate) connectors: Connectors,
    pub(crate) clock: Arc<TestClock>,
    told: Arc<Mutex<Vec<Arc<Event>>>>,
}

/// An answer, read.
pub(crate) struct Read {
    pub(crate) status: StatusCode,
    pub(crate) head: http::HeaderMap,
    pub(crate) body: Value,
}

impl Read {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Lab {
    /// Its handler answers what it was sent.
    pub(crate) fn new() -> Self {
        Self::shaped(|builder| {
            builder.on_webhook("acme", |call: ActionContext, delivered: Delivered<Made>| async move {
                let whose = call.scope().identity.clone();
                Ok::<_, tieline::Error>(json!({ "kind": delivered.payload.kind, "for": whose }))
            })
        })
    }

    pub(crate) fn shaped(shape: impl FnOnce(ConnectorsBuilder) -> ConnectorsBuilder) -> Self {
        Self::over(Connectors::builder().store(MemoryStore::new()), shape)
    }

    pub(crate) fn over(builder: ConnectorsBuilder, shape: impl FnOnce(ConnectorsBuilder) -> ConnectorsBuilder) -> Self {
        let clock = Arc::new(TestClock::at(NOW.parse().unwrap()));
        let told = Arc::<Mutex<Vec<Arc<Event>>>>::default();
        let hearing = told.clone();
        let builder = builder
            .key(MasterKey::parse(canary::master_key()).unwrap())
            .scope("organization", ScopeRule::Required)
            .base_url("https://app.example")
            .clock(clock.clone())
            .manifest(ACME)
            .manifest(SILENT)
            .on_event(move |event| {
                hearing.lock().unwrap().push(event);
                async {}
            });
        let connectors = shape(builder).build().unwrap();
        Self {
            connectors,
            clock,
            told,
        }
    }

    pub(crate) fn org(&self) -> Scoped {
        self.connectors.scope("organization", "org_1").unwrap()
    }

    /// Connects, and answers the address.
    pub(crate) async fn connect(&self) -> String {
        let config = json!({ "token": &*TOKEN, "signing_secret": &*SIGNING });
        address_of(&self.org().connect("acme", config).await.unwrap())
    }

    /// A body as Acme would send it.
    pub(crate) fn signed(&self, address: &str, body: &str) -> Request<Full<bytes::Bytes>> {
        let seconds = self.clock.now().as_second().to_string();
        request(address, body)
            .header("x-acme-signature", signature(&SIGNING, &seconds, body))
            .header("x-acme-time", seconds)
            .body(Full::from(body.to_owned()))
            .unwrap()
    }

    /// Sends it, and reads what is answered.
    pub(crate) async fn send(&self, request: Request<Full<bytes::Bytes>>) -> Read {
        read(self.connectors.handle_path(request).await).await
    }

    pub(crate) async fn deliver(&self, address: &str, body: &str) -> Read {
        self.send(self.signed(address, body)).await
    }

    /// What was told of webhooks and errors since the last time: kind, code, and whether it was verified.
    pub(crate) async fn told(&self) -> Vec<String> {
        self.connectors.close().await.unwrap();
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        let lines = told.iter().filter_map(|event| {
            evidence::keep(evidence::Kind::Log, format!("{event:?}"));
            let kind = event.kind.as_str();
            let verified = match &event.facts {
                tieline::event::Facts::Webhook { verified, .. } => format!("{verified:?}"),
                _ if kind == "error.occurred" => String::new(),
                _ => return None,
            };
            let code = event.failure.as_ref().map_or("", |failure| failure.code);
            Some(format!("{kind} {code} {verified}").trim_end().replace("  ", " "))
        });
        lines.collect()
    }
}

pub(crate) fn address_of(connection: &Connection) -> String {
    let address = connection
        .webhook
        .as_ref()
        .unwrap()
        .address
        .as_ref()
        .unwrap()
        .reveal()
        .to_owned();
    canary::never_told("a webhook's secret", address.rsplit('.').next().unwrap());
    address
}

pub(crate) fn request(address: &str, body: &str) -> http::request::Builder {
    let path = address.strip_prefix("https://app.example").unwrap_or(address);
    Request::post(path)
        .header("content-type", "application/json; charset=utf-8")
        .header("content-length", body.len())
}

/// By another hand than the library's: what it signs is put together here.
pub(crate) fn signature(secret: &str, seconds: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) async fn read(answer: Answer) -> Read {
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    evidence::keep(evidence::Kind::Answer, &body);
    Read {
        status: head.status,
        head: head.headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::String(String::from_utf8_lossy(&body).into_owned())),
    }
}
