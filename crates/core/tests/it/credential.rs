//! Shared credentials: sealed, lent to connections and calls, rotated, expired.

use std::sync::Arc;

use serde_json::{Value, json};
use tieline::{
    Code, Connectors, Environment, Json, MasterKey, MemoryStore, Scope, ScopeRule,
    audit::{Actor, Link, Trail},
    call::Via,
    clock::{Clock, SignedDuration, TestClock, Timestamp},
    connection::{Connect, ConnectionPatch, Status},
    credential::{Credential, CredentialPatch, CredentialType, NewCredential, Rotation},
    egress::EgressPolicy,
    event::EventKind,
    id::{ConnectionId, CredentialId},
    store::{ConnectionRow, Store},
};
use tieline_testkit::{canary, twin::Twin};

use crate::{
    house::{House, OTHER, TOKEN, json_reply, manifest},
    lab::{OTHER_TENANT, TENANT},
};

fn new(name: &str, connector: Option<&str>, data: Value) -> NewCredential {
    NewCredential {
        name: name.to_owned(),
        description: None,
        kind: CredentialType::Token,
        connector: connector.map(str::to_owned),
        auth: None,
        data: data.into(),
        metadata: None,
        environment: None,
        expires_at: None,
    }
}

async fn make(house: &House, connector: Option<&str>, data: Value) -> Credential {
    let new = new("main", connector, data);
    house.connectors.create_credential(&house.by, new).await.unwrap()
}

fn via(credential: &Credential) -> Via {
    Via::Credential {
        credential: credential.id,
        config: None,
    }
}

fn pointing(credential: &Credential, config: Value) -> Connect {
    Connect {
        credential: Some(credential.id),
        config: config.into(),
        ..Connect::new("acme", Scope::tenant())
    }
}

fn rotation(data: Value) -> Rotation {
    Rotation {
        data: data.into(),
        expires_at: None,
    }
}

fn no_trail() -> Trail {
    Trail {
        entries: vec![],
        events: vec![],
        link: Link::new(|hash, _, _| *hash),
    }
}

#[tokio::test]
async fn r4_a_credential_shows_no_secret_and_a_patch_keeps_what_it_does_not_name() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let made = make(&house, Some("acme"), json!({ "token": TOKEN, "account": "blue" })).await;
    let shown = serde_json::to_string(&made).unwrap();
    let last4 = &TOKEN[TOKEN.len() - 4..];
    assert!(
        !TOKEN.is_in(&shown) && shown.contains(&format!(r#""last4":"{last4}""#)),
        "{shown}"
    );
    assert_eq!(
        (made.data.text(), made.auth.as_deref()),
        (r#"{"account":"blue"}"#, Some("bearer"))
    );

    let patch = CredentialPatch {
        description: Some(Some("ours".to_owned())),
        data: Some(json!({ "account": "red", "api_token": { "set": true, "last4": last4 } }).into()),
        metadata: Some(json!({ "owner": "ada" }).into()),
        expires_at: None,
    };
    let patched = house
        .connectors
        .update_credential(&house.by, made.id, patch.clone())
        .await
        .unwrap();
    assert_eq!(
        (patched.data.text(), patched.last_rotated_at),
        (r#"{"account":"red"}"#, None)
    );
    assert_eq!(
        (patched.description.as_deref(), patched.metadata.text()),
        (Some("ours"), r#"{"owner":"ada"}"#)
    );
    house.call_via(via(&made), "look", json!({})).await.unwrap();
    assert!(twin.requests().last().unwrap().contains(&*TOKEN), "the secret was kept");
    let same = house
        .connectors
        .update_credential(&house.by, made.id, patch)
        .await
        .unwrap();
    assert_eq!(same.version, patched.version, "nothing changed");

    let wrong = CredentialPatch {
        data: Some(json!({ "acount": "x" }).into()),
        ..CredentialPatch::default()
    };
    let error = house
        .connectors
        .update_credential(&house.by, made.id, wrong)
        .await
        .unwrap_err();
    assert_eq!(error.fields()[0].pointer, "/data/acount");
}

#[tokio::test]
async fn a_rotation_is_used_at_once_and_makes_its_connections_untested() {
    let twin = Twin::always(json_reply("200 OK", r#"{"name":"Ada"}"#)).await;
    let house = House::with(&twin);
    let credential = make(&house, Some("acme"), json!({ "token": TOKEN })).await;
    let created = house
        .connectors
        .create_connection(&house.by, pointing(&credential, json!({ "account": "blue" })))
        .await
        .unwrap();
    assert!(
        created.test.success && created.connection.status == Status::Active,
        "{:?}",
        created.test
    );
    assert_eq!(created.connection.credential, Some(credential.id));
    assert!(created.connection.secrets.is_empty() && created.connection.config.text() == r#"{"account":"blue"}"#);
    let connection = created.connection;
    let last = || twin.requests().last().unwrap().clone();
    // Warm, both ways.
    for _ in 0..2 {
        house.call(&connection, "look", json!({})).await.unwrap();
        house.call_via(via(&credential), "look", json!({})).await.unwrap();
    }
    let before = house.store.statements();
    house.call(&connection, "look", json!({})).await.unwrap();
    house.call_via(via(&credential), "look", json!({})).await.unwrap();
    assert_eq!(house.store.statements(), before, "a warm call runs no statement");
    assert!(last().contains(&*TOKEN));

    let by = &house.by;
    let error = house
        .connectors
        .rotate_credential(by, credential.id, rotation(json!({ "account": "x" })))
        .await;
    assert_eq!(error.unwrap_err().code(), Code::RequestInvalid, "no secret is new");
    let rotated = house
        .connectors
        .rotate_credential(by, credential.id, rotation(json!({ "token": OTHER })))
        .await
        .unwrap();
    assert!(rotated.last_rotated_at.is_some());
    for via in [via(&credential), Via::Connection(connection.id)] {
        house.call_via(via, "look", json!({})).await.unwrap();
        assert!(
            last().contains(&*OTHER) && !last().contains(&*TOKEN),
            "the cache was told"
        );
    }
    let now = house.connectors.connection(by, connection.id).await.unwrap();
    assert_eq!(now.status, Status::Testing);
    house.connectors.test_connection(by, connection.id).await.unwrap();
    let now = house.connectors.connection(by, connection.id).await.unwrap();
    assert_eq!(now.status, Status::Active);
    let row = house.store.credential(TENANT, credential.id).await.unwrap().unwrap();
    assert_eq!(row.secret_version, 2);
}

#[tokio::test]
async fn k1_every_process_forgets_a_credential_that_another_changed() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let credential = make(&house, Some("acme"), json!({ "token": TOKEN })).await;
    let connection = house
        .connectors
        .connect(&house.by, pointing(&credential, json!({})))
        .await
        .unwrap();
    let other = house.beside();
    let follower = {
        let connectors = other.connectors.clone();
        tokio::spawn(async move { connectors.follow().await })
    };
    let sent = async |secret: &str| {
        for via in [via(&credential), Via::Connection(connection.id)] {
            other.call_via(via, "look", json!({})).await.unwrap();
            if !twin.requests().last().unwrap().contains(secret) {
                return false;
            }
        }
        true
    };
    assert!(sent(&TOKEN).await);
    house
        .connectors
        .rotate_credential(&house.by, credential.id, rotation(json!({ "token": OTHER })))
        .await
        .unwrap();
    // The store tells its followers at once; the other process needs a moment to hear it.
    let heard = async {
        while !sent(&OTHER).await {
            tokio::task::yield_now().await;
        }
    };
    let heard = tokio::time::timeout(std::time::Duration::from_secs(30), heard).await;
    assert!(heard.is_ok(), "the other process did not hear of it");
    follower.abort();
}

/// E2: a sealed field opens in its own table only, though row, field and version be the same.
#[tokio::test]
async fn e2_a_secret_moved_between_credential_and_connection_does_not_open() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let credential = make(&house, Some("acme"), json!({ "token": TOKEN })).await;
    let sealed = house.store.credential(TENANT, credential.id).await.unwrap().unwrap();
    let template = house.connect_with(&OTHER).await;
    let row = house
        .store
        .connection_by_id(TENANT, template.id)
        .await
        .unwrap()
        .unwrap();
    let moved = ConnectionRow {
        id: ConnectionId::from_bytes(*sealed.id.as_bytes()),
        name: "moved".to_owned(),
        secrets: sealed.secrets.clone(),
        secret_version: sealed.secret_version,
        ..row.clone()
    };
    house.store.insert_connection(moved.clone(), no_trail()).await.unwrap();
    let error = house
        .call_via(Via::Connection(moved.id), "look", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ConnectorDecryptFailed);

    let mut back = sealed.clone();
    back.id = CredentialId::from_bytes(*row.id.as_bytes());
    back.name = "moved".to_owned();
    back.secrets = row.secrets;
    house.store.insert_credential(back.clone(), no_trail()).await.unwrap();
    let there = Via::Credential {
        credential: back.id,
        config: None,
    };
    let error = house.call_via(there, "look", json!({})).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorDecryptFailed);
    assert!(twin.requests().is_empty(), "nothing was sent");
    house.call_via(via(&credential), "look", json!({})).await.unwrap();
}

/// A connector whose fields decide where its secrets are sent.
fn anywhere(twin: &Twin) -> (House, Value) {
    let manifest = r#"
id: acme
name: Anywhere
baseUrl: '{{config.base}}'
auth:
  - type: bearer
    fields:
      - { name: base, type: url, required: true }
      - { name: note }
      - { name: token, secret: true, required: true }
    token: '{{token}}'
endpoints: [{ id: look, method: GET, path: /look }]
"#;
    (
        House::of(manifest),
        json!({ "base": format!("{}/a", twin.url()), "token": TOKEN }),
    )
}

#[tokio::test]
async fn o5_nobody_sends_a_credentials_secrets_elsewhere_without_entering_them() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let (house, data) = anywhere(&twin);
    let by = &house.by;
    let credential = make(&house, Some("acme"), data.clone()).await;
    let patch = async |id, data: Value| {
        let patch = CredentialPatch {
            data: Some(data.into()),
            ..CredentialPatch::default()
        };
        house.connectors.update_credential(by, id, patch).await
    };
    patch(credential.id, json!({ "note": "harmless" })).await.unwrap();
    let elsewhere = json!({ "base": "https://evil.example/a" });
    let error = patch(credential.id, elsewhere.clone()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.fields()[0].pointer.as_str()),
        (Code::ConnectorConfigInvalid, "/data/token")
    );
    // Whoever points a connection to it has no more say.
    for config in [
        elsewhere,
        json!({ "base": format!("{}/b", twin.url()), "token": OTHER }),
        json!({ "token": OTHER }),
    ] {
        let connect = pointing(&credential, config.clone());
        let error = house.connectors.connect(by, connect.clone()).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorConfigInvalid, "{config}");
        let error = house.connectors.test_unsaved(by, &connect).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorConfigInvalid, "{config}");
    }
    let connection = house
        .connectors
        .connect(by, pointing(&credential, json!({ "note": "mine" })))
        .await
        .unwrap();
    let patch_connection = ConnectionPatch {
        config: Some(json!({ "base": "https://evil.example/a" }).into()),
        ..ConnectionPatch::default()
    };
    let error = house
        .connectors
        .update_connection(by, connection.id, patch_connection)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ConnectorConfigInvalid);

    // For any connector, nothing tells which field is a place: the data is taken whole.
    let free = new("free", None, data);
    let free = house.connectors.create_credential(by, free).await.unwrap();
    let shown = json!({ "set": true });
    for data in [
        json!({ "base": "https://evil.example/a" }),
        json!({ "base": "https://evil.example/a", "token": shown }),
    ] {
        let error = patch(free.id, data).await.unwrap_err();
        assert_eq!(error.fields()[0].pointer, "/data/token");
    }
    let same = patch(free.id, json!({ "base": shown, "token": shown })).await.unwrap();
    assert_eq!(same.version, free.version);
    patch(free.id, json!({ "base": twin.url(), "token": OTHER }))
        .await
        .unwrap();
    house.call_via(via(&free), "look", json!({})).await.unwrap();
    assert!(twin.requests().last().unwrap().contains(&*OTHER));
}

#[tokio::test]
async fn a_credential_for_any_connector_is_sealed_whole_and_fits_where_its_fields_do() {
    let twin = Twin::always(json_reply("200 OK", r#"{"id":"7"}"#)).await;
    let house = House::with(&twin);
    let made = make(&house, None, json!({ "token": TOKEN, "account": "a number or so" })).await;
    assert_eq!(made.data.text(), "{}");
    assert_eq!(made.secrets.keys().collect::<Vec<_>>(), ["account", "token"]);
    assert_eq!(made.secrets["token"].last4.as_deref(), Some(&TOKEN[TOKEN.len() - 4..]));
    house.call_via(via(&made), "look", json!({})).await.unwrap();
    assert!(twin.requests().last().unwrap().contains(&*TOKEN));
    let connection = house
        .connectors
        .connect(&house.by, pointing(&made, json!({})))
        .await
        .unwrap();
    house.call(&connection, "look", json!({})).await.unwrap();
    let odd = new("odd", None, json!({ "port": 587, "secure": true }));
    let odd = house.connectors.create_credential(&house.by, odd).await.unwrap();
    let error = house.call_via(via(&odd), "look", json!({})).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorConfigInvalid, "{error}");
    assert!(
        error.fields().iter().all(|field| field.pointer.starts_with("/data/")),
        "{error:?}"
    );
    for (data, pointer) in [
        (json!({}), "/data"),
        (json!([]), "/data"),
        (json!({ "x": "y".repeat(20_000) }), "/data/x"),
    ] {
        let error = house
            .connectors
            .create_credential(&house.by, new("wrong", None, data))
            .await
            .unwrap_err();
        assert_eq!(error.fields()[0].pointer, pointer);
    }
    let error = house.connectors.test_credential(&house.by, made.id).await.unwrap_err();
    assert_eq!(error.code(), Code::RequestInvalid, "nothing tells how to test it");
}

#[tokio::test]
async fn a_connection_holds_its_secrets_or_points_to_them() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let credential = make(&house, Some("acme"), json!({ "token": OTHER })).await;
    let connection = house.connect().await;
    let patch = async |credential: Option<Option<CredentialId>>, config: Option<Value>| {
        let patch = ConnectionPatch {
            credential,
            config: config.map(Json::from),
            ..ConnectionPatch::default()
        };
        house
            .connectors
            .update_connection(&house.by, connection.id, patch)
            .await
    };
    let error = patch(Some(Some(credential.id)), Some(json!({ "token": TOKEN })))
        .await
        .unwrap_err();
    assert_eq!(error.fields()[0].pointer, "/config/token");
    let pointed = patch(Some(Some(credential.id)), None).await.unwrap();
    assert_eq!((pointed.credential, pointed.secrets.len()), (Some(credential.id), 0));
    house.call(&connection, "look", json!({})).await.unwrap();
    assert!(twin.requests().last().unwrap().contains(&*OTHER));
    let row = house
        .store
        .connection_by_id(TENANT, connection.id)
        .await
        .unwrap()
        .unwrap();
    assert!(row.secrets.is_empty(), "its own are gone");

    let error = house
        .connectors
        .delete_credential(&house.by, credential.id)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::CredentialInUse);
    assert_eq!(error.fields()[0].pointer, format!("/connections/{}", connection.id));

    let error = patch(Some(None), None).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorConfigInvalid, "its own have to be entered");
    let parted = patch(Some(None), Some(json!({ "token": TOKEN }))).await.unwrap();
    assert_eq!((parted.credential, parted.secrets.len()), (None, 1));
    house.call(&connection, "look", json!({})).await.unwrap();
    assert!(twin.requests().last().unwrap().contains(&*TOKEN));
    house
        .connectors
        .delete_credential(&house.by, credential.id)
        .await
        .unwrap();
    let error = house.call_via(via(&credential), "look", json!({})).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert_eq!(
        patch(Some(Some(credential.id)), None).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn environments_do_not_meet_over_a_credential() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let live = make(&house, Some("acme"), json!({ "token": TOKEN })).await;
    let bound = house.by.clone().bound_to(Some(Environment::Staging));
    let trial = new("trial", Some("acme"), json!({ "token": OTHER }));
    let trial = house.connectors.create_credential(&bound, trial).await.unwrap();
    assert_eq!(
        (live.environment, trial.environment),
        (Environment::Production, Environment::Staging)
    );
    let connectors = &house.connectors;
    let call = |via| tieline::call::Call {
        connector: Some("acme".to_owned()),
        action: "look".to_owned(),
        input: json!({}).into(),
        via,
        idempotency_key: None,
    };
    // Warm in the cache, and still not theirs.
    connectors.call(&house.by, call(via(&live))).await.unwrap();
    let refused = [
        connectors.call(&bound, call(via(&live))).await.err(),
        connectors
            .rotate_credential(&bound, live.id, rotation(json!({ "token": OTHER })))
            .await
            .err(),
        connectors
            .update_credential(&bound, live.id, CredentialPatch::default())
            .await
            .err(),
        connectors.test_credential(&bound, live.id).await.err(),
        connectors.delete_credential(&bound, live.id).await.err(),
        connectors.connect(&bound, pointing(&live, json!({}))).await.err(),
    ];
    for error in refused {
        assert_eq!(error.map(|error| error.code()), Some(Code::EnvironmentMismatch));
    }
    let mixed = Connect {
        environment: Some(Environment::Production),
        ..pointing(&trial, json!({}))
    };
    let error = connectors.connect(&house.by, mixed).await.unwrap_err();
    assert_eq!(error.code(), Code::EnvironmentMismatch);
    let own = connectors
        .connect(&house.by, pointing(&trial, json!({})))
        .await
        .unwrap();
    assert_eq!(
        own.environment,
        Environment::Staging,
        "a connection goes where its credential is"
    );
    let across = ConnectionPatch {
        credential: Some(Some(live.id)),
        ..ConnectionPatch::default()
    };
    let error = connectors
        .update_connection(&house.by, own.id, across)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::EnvironmentMismatch);
    assert_eq!(twin.requests().len(), 1);
}

#[tokio::test]
async fn t2_a_strangers_credential_is_no_credential() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let credential = make(&house, Some("acme"), json!({ "token": TOKEN })).await;
    house.call_via(via(&credential), "look", json!({})).await.unwrap();
    let stranger = Actor::new(OTHER_TENANT, "stranger");
    let connectors = &house.connectors;
    let call = tieline::call::Call {
        connector: Some("acme".to_owned()),
        action: "look".to_owned(),
        input: json!({}).into(),
        via: via(&credential),
        idempotency_key: None,
    };
    let refused = [
        connectors.call(&stranger, call).await.err(),
        connectors.credential(&stranger, credential.id).await.err(),
        connectors
            .connect(&stranger, pointing(&credential, json!({})))
            .await
            .err(),
        connectors.delete_credential(&stranger, credential.id).await.err(),
    ];
    for error in refused {
        assert_eq!(error.map(|error| error.code()), Some(Code::NotFound));
    }
}

/// Processes on one store with one clock.
fn on_a_clock(twin: &Twin) -> (Vec<Connectors>, Arc<dyn Store>, Arc<TestClock>) {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let clock = Arc::new(TestClock::at("2026-11-20T09:00:00Z".parse().unwrap()));
    let process = || {
        Connectors::builder()
            .shared_store(store.clone())
            .clock(clock.clone())
            .key(MasterKey::parse(canary::master_key()).unwrap())
            .scope("tenant", ScopeRule::Optional)
            .manifest(manifest(twin.port()))
            .egress(EgressPolicy {
                loopback: true,
                ..EgressPolicy::default()
            })
            .build()
            .unwrap()
    };
    (vec![process(), process(), process()], store.clone(), clock)
}

async fn announced(store: &Arc<dyn Store>) -> Vec<(EventKind, Timestamp)> {
    let rows = store.read_feed(0, 1000).await.unwrap().into_iter();
    let kinds = [EventKind::CredentialExpiring, EventKind::CredentialExpired];
    rows.filter_map(|row| Some((row.kind.filter(|kind| kinds.contains(kind))?, row.at)))
        .collect()
}

#[tokio::test]
async fn an_expired_credential_sends_nothing_and_its_end_is_announced_once() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let (processes, store, clock) = on_a_clock(&twin);
    let by = Actor::new(TENANT, "test");
    let one = &processes[0];
    let born = clock.now();
    let expiry = born + SignedDuration::from_hours(24 * 10);
    let mortal = NewCredential {
        expires_at: Some(expiry),
        ..new("mortal", Some("acme"), json!({ "token": TOKEN }))
    };
    let mortal = one.create_credential(&by, mortal).await.unwrap();
    let connection = one.connect(&by, pointing(&mortal, json!({}))).await.unwrap();
    let call = async |via: Via| {
        let call = tieline::call::Call {
            connector: Some("acme".to_owned()),
            action: "look".to_owned(),
            input: json!({}).into(),
            via,
            idempotency_key: None,
        };
        one.call(&by, call).await.map(drop).map_err(|error| error.code())
    };
    let both = async || [call(via(&mortal)).await, call(Via::Connection(connection.id)).await];
    // All processes at once, several times over.
    let tick = async || {
        for _ in 0..2 {
            let all = processes.iter().map(Connectors::announce_expiries);
            for done in futures_util::future::join_all(all).await {
                done.unwrap();
            }
        }
    };
    tick().await;
    assert_eq!(announced(&store).await, []);
    clock.advance(SignedDuration::from_hours(24 * 3));
    tick().await;
    let soon = (EventKind::CredentialExpiring, clock.now());
    assert_eq!(announced(&store).await, [soon]);
    clock.advance(SignedDuration::from_hours(24 * 7) - SignedDuration::from_micros(1));
    tick().await;
    assert_eq!(announced(&store).await, [soon]);
    assert_eq!(both().await, [Ok(()), Ok(())]);
    let sent = twin.requests().len();

    clock.advance(SignedDuration::from_micros(1));
    assert_eq!(
        both().await,
        [Err(Code::CredentialExpired); 2],
        "warm caches know the time too"
    );
    let test = one.test_connection(&by, connection.id).await.unwrap();
    assert_eq!(test.error_code, Some(Code::CredentialExpired));
    assert_eq!(twin.requests().len(), sent, "nothing was sent");
    tick().await;
    let over = (EventKind::CredentialExpired, clock.now());
    assert_eq!(announced(&store).await, [soon, over]);
    let audit = store.audit_entries(TENANT, 0, 100).await.unwrap();
    let count = |action: &str| audit.iter().filter(|row| row.entry.action == action).count();
    assert_eq!((count("credential.expiring"), count("credential.expired")), (1, 1));

    // A new life has an end of its own, which is announced anew.
    let longer = Rotation {
        expires_at: Some(Some(clock.now() + SignedDuration::from_hours(24))),
        ..rotation(json!({ "token": OTHER }))
    };
    one.rotate_credential(&by, mortal.id, longer).await.unwrap();
    assert_eq!(both().await, [Ok(()), Ok(())]);
    tick().await;
    assert_eq!(
        announced(&store).await.len(),
        3,
        "within the lead it is announced at once"
    );
    let forever = CredentialPatch {
        expires_at: Some(None),
        ..CredentialPatch::default()
    };
    one.update_credential(&by, mortal.id, forever).await.unwrap();
    clock.advance(SignedDuration::from_hours(24 * 365));
    tick().await;
    assert_eq!(announced(&store).await.len(), 3);
    let past = NewCredential {
        expires_at: Some(born),
        ..new("past", Some("acme"), json!({ "token": TOKEN }))
    };
    let error = one.create_credential(&by, past).await.unwrap_err();
    assert_eq!(error.fields()[0].pointer, "/expiresAt");
}

#[tokio::test]
async fn a_field_over_a_credential_has_one_place_under_all_its_names() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let made = make(&house, Some("acme"), json!({ "token": TOKEN })).await;
    let tieline = &house.connectors;
    let connection = tieline
        .connect(&house.by, pointing(&made, json!({ "account": "blue" })))
        .await
        .unwrap();
    let patch = |config: Value| {
        let patch = ConnectionPatch {
            config: Some(config.into()),
            ..ConnectionPatch::default()
        };
        tieline.update_connection(&house.by, connection.id, patch)
    };
    for (config, expected) in [
        (json!({ "account_name": "red" }), r#"{"account":"red"}"#),
        (json!({ "account": "green" }), r#"{"account":"green"}"#),
        (json!({ "account_name": null }), "{}"),
    ] {
        patch(config.clone()).await.unwrap();
        let read = tieline.connection(&house.by, connection.id).await.unwrap();
        assert_eq!(read.config.text(), expected, "{config}");
    }
    let twice = json!({ "account": "blue", "account_name": "red" });
    let error = patch(twice.clone()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.fields()[0].pointer.as_str()),
        (Code::ConnectorConfigInvalid, "/config/account_name")
    );
    let error = tieline
        .connect(&house.by, pointing(&made, twice))
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(error.code(), Code::ConnectorConfigInvalid);
}
