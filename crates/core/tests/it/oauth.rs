//! Signing in with OAuth 2.0, from the address where a person signs in to the tokens of a call.

mod browser;
mod issuer;
mod refresh;
mod server;
mod sign_in;

use std::sync::Arc;

use serde_json::json;
use tieline::{
    Connectors, ConnectorsBuilder, Json, MemoryStore, Scope,
    call::Via,
    clock::{SignedDuration, TestClock},
    connection::{Connect, Connection},
    oauth::{BeginOAuth, CameBack, OAuthBegun, OAuthFinished},
    store::{ConnectionRow, Store},
};
use tieline_testkit::evidence::{self, Kind};
use url::{Url, form_urlencoded};

use self::issuer::{CLIENT_SECRET, CODE, Issuer};
use crate::house::House;

/// Where people are sent back to.
const BACK: &str = "https://app.example/oauth/callback/acme";
/// What only one browser has.
const BROWSER: &[u8] = b"a session of a browser";

/// A house with a clock of its own and a connector of the issuer's.
struct Home {
    house: House,
    clock: Arc<TestClock>,
}

impl Home {
    fn of(issuer: &Issuer) -> Self {
        Self::with(issuer, "", |builder| builder)
    }

    fn with(issuer: &Issuer, more: &str, shape: impl FnOnce(ConnectorsBuilder) -> ConnectorsBuilder) -> Self {
        let clock = Arc::new(TestClock::at("2026-11-20T09:00:00Z".parse().unwrap()));
        Self::at(Arc::new(MemoryStore::new()), clock, issuer.manifest(more), shape)
    }

    fn at(
        store: Arc<dyn Store>,
        clock: Arc<TestClock>,
        manifest: String,
        shape: impl FnOnce(ConnectorsBuilder) -> ConnectorsBuilder,
    ) -> Self {
        let own = clock.clone();
        let house = House::shaped(store, manifest, |builder| shape(builder.clock(own)));
        Self { house, clock }
    }

    /// Another process on the same store, with the same time.
    fn beside(&self) -> Self {
        let manifest = self.house.manifest.clone();
        Self::at(self.house.store.clone(), self.clock.clone(), manifest, |builder| {
            builder
        })
    }

    fn connectors(&self) -> &Connectors {
        &self.house.connectors
    }

    fn later(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    async fn begin(&self) -> OAuthBegun {
        let begin = self.connectors().begin_oauth(&self.house.by, wish());
        begin.await.unwrap_or_else(|error| panic!("{error:?}"))
    }

    async fn come_back(&self, query: &str) -> OAuthFinished {
        came_back(self.connectors(), query, BROWSER).await
    }

    /// Signs in as a person does.
    async fn sign_in(&self) -> Connection {
        let begun = self.begin().await;
        let ended = self.come_back(&query(&begun.state, "")).await;
        ended.outcome.unwrap_or_else(|error| panic!("{error:?}"))
    }

    async fn look(&self, connection: &Connection) -> tieline::Result<Json> {
        self.house
            .call_via(Via::Connection(connection.id), "look", json!({}))
            .await
    }

    async fn row(&self, connection: &Connection) -> ConnectionRow {
        let row = self
            .house
            .store
            .connection_by_id(self.house.by.tenant, connection.id)
            .await;
        row.unwrap().unwrap()
    }

    async fn connection(&self, connection: &Connection) -> Connection {
        self.connectors()
            .connection(&self.house.by, connection.id)
            .await
            .unwrap()
    }
}

fn wish() -> BeginOAuth {
    BeginOAuth {
        connect: Connect {
            config: json!({ "client_secret": CLIENT_SECRET, "region": "us" }).into(),
            ..Connect::new("acme", Scope::tenant())
        },
        redirect_uri: BACK.to_owned(),
        browser: BROWSER.to_vec(),
        return_to: Some("/connections?tab=1".to_owned()),
    }
}

/// What a person comes back with.
fn query(state: &str, more: &str) -> String {
    let code: String = form_urlencoded::byte_serialize(CODE.as_bytes()).collect();
    format!("code={code}&state={state}&realmId=R1{more}")
}

async fn came_back(connectors: &Connectors, query: &str, browser: &[u8]) -> OAuthFinished {
    let came = CameBack {
        query,
        browser,
        cookie: None,
        connector: Some("acme"),
    };
    told(connectors.finish_oauth(came).await)
}

/// Keeps what a caller was told.
fn told(ended: OAuthFinished) -> OAuthFinished {
    evidence::keep(Kind::Answer, format!("{ended:?}"));
    ended
}

/// A parameter of the address where a person signs in.
fn param(begun: &OAuthBegun, name: &str) -> Option<String> {
    let url = Url::parse(&begun.authorize_url).unwrap();
    let mut found = url
        .query_pairs()
        .filter(|(own, _)| own == name)
        .map(|(_, value)| value.into_owned());
    let first = found.next();
    assert_eq!(found.next(), None, "{name} stands there twice");
    first
}
