//! The whole way with a real authorization server: PKCE required, tokens of three seconds, refresh tokens that work once
//! and whose reuse ends the grant.

use std::sync::Arc;

use serde_json::json;
use tieline::{
    Code, Connector, Connectors, EventKind, MasterKey, MemoryStore, Scope, ScopeRule,
    audit::Actor,
    call::{Call, Via},
    clock::{Clock as _, SignedDuration, SystemClock, TestClock},
    connection::{Connect, Connection},
    egress::EgressPolicy,
    oauth::{BeginOAuth, CameBack},
    store::{HealthState, Store},
};
use tieline_testkit::{
    canary,
    oauth::{CLIENT, OAuthServer, SECRET},
};

use super::{BROWSER, browser::Browser, told};
use crate::lab::TENANT;

const BACK: &str = "http://127.0.0.1:9/oauth/callback/acme";

fn manifest(server: &OAuthServer) -> String {
    let url = server.url();
    format!(
        r#"
id: acme
name: Acme
baseUrl: {url}
allowedHosts: [127.0.0.1]
auth:
  - type: oauth2
    authorizationUrl: {url}/auth
    tokenUrl: {url}/token
    issuer: {url}
    issuerInCallback: true
    clientId: {CLIENT}
    clientSecret: '{{{{client_secret}}}}'
    oauthScopes: [openid, profile, offline_access]
    authorizeParams: {{ prompt: consent }}
    rotatingRefresh: true
    fields: [{{ name: client_secret, secret: true, required: true }}]
endpoints:
  - {{ id: me, method: GET, path: /me }}
"#
    )
}

fn connectors(server: &OAuthServer, store: Arc<dyn Store>, clock: Arc<TestClock>) -> Connectors {
    Connectors::builder()
        .shared_store(store)
        .key(MasterKey::parse(canary::master_key()).unwrap())
        .scope("tenant", ScopeRule::Optional)
        .connector(Connector::parse(&manifest(server)).unwrap())
        .clock(clock)
        .egress(EgressPolicy {
            loopback: true,
            ..EgressPolicy::default()
        })
        .build()
        .unwrap()
}

async fn me(connectors: &Connectors, by: &Actor, connection: &Connection) -> tieline::Result<serde_json::Value> {
    let call = Call {
        connector: None,
        action: "me".to_owned(),
        input: json!({}).into(),
        via: Via::Connection(connection.id),
        idempotency_key: None,
    };
    Ok(connectors.call(by, call).await?.output.to_value())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o1_o2_o3_o8_the_whole_way_with_a_real_authorization_server() {
    let Some(server) = OAuthServer::start(BACK) else { return };
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let clock = Arc::new(TestClock::at(SystemClock.now()));
    let ours = connectors(&server, store.clone(), clock.clone());
    let by = Actor::new(TENANT, "test");
    let wish = BeginOAuth {
        connect: Connect {
            config: json!({ "client_secret": &*SECRET }).into(),
            ..Connect::new("acme", Scope::tenant())
        },
        redirect_uri: BACK.to_owned(),
        browser: BROWSER.to_vec(),
        return_to: None,
    };
    let begun = ours.begin_oauth(&by, wish).await.unwrap();
    let query = Browser::new().sign_in(&begun.authorize_url, BACK).await;
    assert!(query.contains("iss="), "{query}");
    let ended = ours.finish_oauth(CameBack {
        query: &query,
        browser: BROWSER,
        cookie: None,
        connector: Some("acme"),
    });
    let connection = told(ended.await).outcome.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(server.next_token_answer().status, 200);
    assert_eq!(me(&ours, &by, &connection).await.unwrap()["name"], "The ada");

    // Rotation: each renewal is made with the refresh token that the one before brought, by two processes in turn.
    let theirs = connectors(&server, store.clone(), clock.clone());
    for round in 0..4 {
        clock.advance(SignedDuration::from_secs(10));
        let used = if round % 2 == 0 { &ours } else { &theirs };
        let calls = futures_util::future::join_all((0..10).map(|_| me(used, &by, &connection)));
        for ended in calls.await {
            assert_eq!(ended.unwrap()["sub"], "ada");
        }
        let answer = server.next_token_answer();
        assert_eq!(
            (answer.grant.as_deref(), answer.status),
            (Some("refresh_token"), 200),
            "round {round}"
        );
    }

    // An older refresh token, put back as a restored backup would, is one that was used: the service ends the grant.
    let row = store.connection_by_id(TENANT, connection.id).await.unwrap().unwrap();
    clock.advance(SignedDuration::from_secs(10));
    me(&ours, &by, &connection).await.unwrap();
    assert_eq!(server.next_token_answer().status, 200);
    let now = store.connection_by_id(TENANT, connection.id).await.unwrap().unwrap();
    let restored = tieline::store::ConnectionRow {
        version: now.version + 1,
        ..row
    };
    let trail = tieline::store::conformance::sample::no_trail();
    store.update_connection(restored, now.version, trail).await.unwrap();
    let fresh = connectors(&server, store.clone(), clock.clone());
    let mut heard = fresh.subscribe();
    clock.advance(SignedDuration::from_secs(10));
    let refused = me(&fresh, &by, &connection).await.unwrap_err();
    assert_eq!(refused.code(), Code::ConnectorOauthRefreshFailed, "{refused}");
    assert_eq!(server.next_token_answer().status, 400);
    let health = fresh.connection(&by, connection.id).await.unwrap().health;
    assert_eq!(health.state, HealthState::NeedsReauth);
    let mut failed = false;
    while let Some(tieline::event::Told::Event(event)) = heard.try_next() {
        failed |= event.kind == EventKind::OauthFailed;
    }
    assert!(failed);
}
