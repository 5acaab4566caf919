//! The library put together for a test, with a small service to connect.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tieline::{
    ActionInput, Connectors, ConnectorsBuilder, Effect, Json, MasterKey, MemoryStore, RunAction, Scope, ScopeRule,
    admit::Admitted,
    audit::Actor,
    call::{Call, Via},
    connection::{Connect, Connection},
    connector::Connector,
    egress::EgressPolicy,
    store::Store,
};

use tieline_testkit::{
    canary::{self, Canary},
    evidence::{self, Kind},
    twin::{Reply, Twin},
};

use crate::lab::TENANT;

pub(crate) static TOKEN: Canary = Canary::new("token");
pub(crate) static OTHER: Canary = Canary::new("other token");

/// A small service, as somebody's first manifest would declare it.
pub(crate) fn manifest(port: u16) -> String {
    format!(
        r#"
id: acme
name: Acme
baseUrl: http://127.0.0.1:{port}/v1
retryConfig: {{ maxRetries: 2, retryDelay: 1, retryOn: [429, 503] }}
auth:
  - type: bearer
    fields:
      - {{ name: api_token, secret: true, required: true, aliases: [token] }}
      - {{ name: account, default: main, aliases: [account_name] }}
    token: '{{{{api_token}}}}'
test: {{ path: /me, label: $.name }}
errors: {{ codePath: $.code, messagePath: $.message }}
endpoints:
  - id: post
    method: POST
    path: /channels/{{channel}}/messages
    pathParams: [{{ name: channel, type: string }}]
    body: {{ schema: {{ type: object, properties: {{ text: {{ type: string, required: true }} }} }} }}
    output: {{ type: object, properties: {{ id: {{ type: string, required: true }} }} }}
  - id: look
    method: GET
    path: /look
  - id: hook
    method: POST
    auth: none
    url: '{{{{address}}}}'
    input: [{{ name: address, type: string, secret: true, required: true }}]
"#
    )
    .replace("\nendpoints", "\nallowedHosts: [127.0.0.1]\nendpoints")
}

/// A connector whose one action is Rust and never ends.
pub(crate) const SLEEPY: &str =
    "{ id: sleepy, name: Sleepy, baseUrl: 'https://sleepy.example', auth: [{ type: none }], endpoints: [] }";

/// Sleeps for ever.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Sleep {}

impl ActionInput for Sleep {
    type Output = Sleep;
    const CONNECTOR: &'static str = "sleepy";
    const ACTION: &'static str = "sleep";
    const NAME: &'static str = "Sleep";
    const EFFECT: Effect = Effect::Read;
}

impl RunAction for Sleep {
    async fn run(self, _: &Admitted) -> tieline::Result<Self> {
        std::future::pending().await
    }
}

pub(crate) struct House {
    pub(crate) connectors: Connectors,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) manifest: String,
    pub(crate) by: Actor,
}

impl House {
    pub(crate) fn with(twin: &Twin) -> Self {
        Self::of(&manifest(twin.port()))
    }

    pub(crate) fn of(manifest: &str) -> Self {
        Self::at(Arc::new(MemoryStore::new()), manifest.to_owned())
    }

    /// Another process on the same store.
    pub(crate) fn beside(&self) -> Self {
        Self::at(self.store.clone(), self.manifest.clone())
    }

    pub(crate) fn at(store: Arc<dyn Store>, manifest: String) -> Self {
        Self::shaped(store, manifest, |builder| builder)
    }

    /// The same, put together a little otherwise.
    pub(crate) fn shaped(
        store: Arc<dyn Store>,
        manifest: String,
        shape: impl FnOnce(ConnectorsBuilder) -> ConnectorsBuilder,
    ) -> Self {
        let parsed = tieline_manifest::Manifest::parse(&manifest, tieline_manifest::Use::Tenant).unwrap();
        let mut connector = Connector::from_manifest(parsed);
        if manifest == SLEEPY {
            connector = connector.action::<Sleep>();
        }
        let connectors = Connectors::builder()
            .shared_store(store.clone())
            .key(MasterKey::parse(canary::master_key()).unwrap())
            .scope("tenant", ScopeRule::Optional)
            .scope("organization", ScopeRule::Required)
            .connector(connector.build().unwrap())
            .egress(EgressPolicy {
                loopback: true,
                ..EgressPolicy::default()
            });
        let connectors = shape(connectors).build().unwrap();
        Self {
            connectors,
            store,
            manifest,
            by: Actor::new(TENANT, "test"),
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        self.connect_with(&TOKEN).await
    }

    pub(crate) async fn connect_with(&self, token: &str) -> Connection {
        let config = json!({ "token": token }).into();
        let connect = Connect {
            config,
            ..Connect::new("acme", Scope::tenant())
        };
        evidence::told(self.connectors.connect(&self.by, connect).await).unwrap()
    }

    pub(crate) async fn call(&self, connection: &Connection, action: &str, input: Value) -> tieline::Result<Json> {
        self.call_via(Via::Connection(connection.id), action, input).await
    }

    pub(crate) async fn call_via(&self, via: Via, action: &str, input: Value) -> tieline::Result<Json> {
        let connector = Some("acme".to_owned());
        let call = Call {
            connector,
            action: action.to_owned(),
            input: input.into(),
            via,
            idempotency_key: None,
        };
        let told = evidence::told(self.connectors.call(&self.by, call).await.map(|called| called.output));
        if let Some(output) = told.as_ref().err().and_then(tieline::Error::effect_output) {
            evidence::keep(Kind::Answer, output.text());
        }
        told
    }
}

pub(crate) fn json_reply(status: &str, body: &str) -> Reply {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Reply::Keep(format!("{head}{body}").into_bytes())
}
