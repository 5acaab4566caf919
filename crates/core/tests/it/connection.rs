//! Connections: made, tested, changed, sealed.

use serde_json::{Value, json};
use tieline::{
    Code, Json, Scope,
    audit::{Actor, chain},
    call::{Call, Via},
    connection::{Connect, ConnectionPatch, Status},
    store::HealthState,
};
use tieline_testkit::twin::Twin;

use crate::{
    house::{House, OTHER, TOKEN, json_reply},
    lab::{OTHER_TENANT, TENANT},
};

#[tokio::test]
async fn a_test_finds_out_the_health_and_writes_it_down() {
    let twin = Twin::always(json_reply("200 OK", r#"{"name":"Ada"}"#)).await;
    let house = House::with(&twin);
    let config: Json = json!({ "token": TOKEN }).into();
    let connect = Connect {
        config,
        display_name: Some("Main Account".to_owned()),
        ..Connect::new("acme", Scope::tenant())
    };
    let created = house
        .connectors
        .create_connection(&house.by, connect.clone())
        .await
        .unwrap();
    assert_eq!(
        (created.connection.status, created.connection.name.as_str()),
        (Status::Active, "main-account")
    );
    assert_eq!(created.test.message, "Successfully connected to Acme: Ada");
    let second = house
        .connectors
        .create_connection(&house.by, connect.clone())
        .await
        .unwrap();
    assert_eq!(second.connection.name, "main-account-2");
    let named = Connect {
        name: Some("main-account".to_owned()),
        ..connect
    };
    let error = house.connectors.create_connection(&house.by, named).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorAlreadyConnected);

    let twin = Twin::always(json_reply("401 Unauthorized", "{}")).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    let test = house
        .connectors
        .test_connection(&house.by, connection.id)
        .await
        .unwrap();
    assert_eq!(
        (test.success, test.error_code),
        (false, Some(Code::UpstreamUnauthorized))
    );
    let connection = house.connectors.connection(&house.by, connection.id).await.unwrap();
    assert_eq!(
        (connection.status, connection.health.state),
        (Status::Error, HealthState::Failing)
    );
    assert!(connection.health.reason.is_some());
}

#[tokio::test]
async fn a_disabled_connection_refuses_calls_and_works_again_when_enabled() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    house.call(&connection, "look", json!({})).await.unwrap();
    for (enabled, expected) in [(false, Some(Code::ConnectionDisabled)), (true, None)] {
        let patch = ConnectionPatch {
            enabled: Some(enabled),
            ..ConnectionPatch::default()
        };
        house
            .connectors
            .update_connection(&house.by, connection.id, patch)
            .await
            .unwrap();
        let result = house.call(&connection, "look", json!({})).await;
        assert_eq!(result.err().map(|error| error.code()), expected);
    }
}

#[tokio::test]
async fn r4_reads_show_no_secret_and_a_patch_keeps_what_it_does_not_name() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    let shown = serde_json::to_string(&connection).unwrap();
    let last4 = &TOKEN[TOKEN.len() - 4..];
    assert!(
        !TOKEN.is_in(&shown) && shown.contains(&format!(r#""last4":"{last4}""#)),
        "{shown}"
    );

    let shown_back = json!({ "account": "other", "api_token": { "set": true, "last4": last4 } });
    let patch = ConnectionPatch {
        config: Some(shown_back.into()),
        ..ConnectionPatch::default()
    };
    let patched = house
        .connectors
        .update_connection(&house.by, connection.id, patch)
        .await
        .unwrap();
    assert_eq!(patched.config.text(), r#"{"account":"other"}"#);
    house.call(&connection, "look", json!({})).await.unwrap();
    assert!(twin.requests().last().unwrap().contains(&*TOKEN), "the secret was kept");

    let patch = ConnectionPatch {
        config: Some(json!({ "token": OTHER }).into()),
        ..ConnectionPatch::default()
    };
    house
        .connectors
        .update_connection(&house.by, connection.id, patch)
        .await
        .unwrap();
    house.call(&connection, "look", json!({})).await.unwrap();
    assert!(twin.requests().last().unwrap().contains(&*OTHER), "the cache was told");

    let patch = ConnectionPatch {
        config: Some(json!({ "acount": "x" }).into()),
        ..ConnectionPatch::default()
    };
    let error = house
        .connectors
        .update_connection(&house.by, connection.id, patch)
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.fields()[0].pointer.as_str()),
        (Code::ConnectorConfigInvalid, "/config/acount")
    );
    let patch = ConnectionPatch {
        config: Some(json!({ "api_token": null }).into()),
        ..ConnectionPatch::default()
    };
    let error = house
        .connectors
        .update_connection(&house.by, connection.id, patch)
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Code::ConnectorConfigInvalid,
        "a required secret cannot be removed"
    );
}

/// A caller who may change connections but not read their secrets must not have them sent to a place of his own.
#[tokio::test]
async fn o5_a_change_of_where_secrets_go_asks_for_them_again() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let manifest = r#"
id: anywhere
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
    let house = House::of(manifest);
    let config = json!({ "base": format!("{}/a", twin.url()), "token": TOKEN });
    let connect = Connect {
        config: config.into(),
        ..Connect::new("anywhere", Scope::tenant())
    };
    let connection = house.connectors.connect(&house.by, connect).await.unwrap();
    let patch = async |config: Value| {
        let patch = ConnectionPatch {
            config: Some(config.into()),
            ..ConnectionPatch::default()
        };
        house
            .connectors
            .update_connection(&house.by, connection.id, patch)
            .await
    };
    patch(json!({ "note": "harmless", "base": format!("{}/b", twin.url()) }))
        .await
        .unwrap();
    for elsewhere in ["http://127.0.0.1:1/a", "https://evil.example/a"] {
        let error = patch(json!({ "base": elsewhere })).await.unwrap_err();
        assert_eq!(
            (error.code(), error.fields()[0].pointer.as_str()),
            (Code::ConnectorConfigInvalid, "/config/token")
        );
    }
    patch(json!({ "base": "http://127.0.0.1:1/a", "token": "the-new-place's-own-token" }))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_tested_is_what_is_said_healthy() {
    let twin = Twin::always(json_reply("200 OK", r#"{"name":"Ada"}"#)).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    house.call(&connection, "look", json!({})).await.unwrap();
    // Another process stores a new secret; this one's cache is not told.
    let other = house.beside();
    let patch = ConnectionPatch {
        config: Some(json!({ "token": OTHER }).into()),
        ..ConnectionPatch::default()
    };
    other
        .connectors
        .update_connection(&other.by, connection.id, patch)
        .await
        .unwrap();
    house
        .connectors
        .test_connection(&house.by, connection.id)
        .await
        .unwrap();
    assert!(
        twin.requests().last().unwrap().contains(&*OTHER),
        "a test opens what is stored now"
    );
}

#[tokio::test]
async fn a_secret_that_no_longer_opens_can_be_entered_again() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    let mut row = house
        .store
        .connection_by_id(TENANT, connection.id)
        .await
        .unwrap()
        .unwrap();
    row.secrets.get_mut("api_token").unwrap().sealed[20] ^= 1;
    let version = row.version;
    row.version += 1;
    let trail = tieline::audit::Trail {
        entries: vec![],
        events: vec![],
        link: tieline::audit::Link::new(|hash, _, _| *hash),
    };
    house.store.update_connection(row, version, trail).await.unwrap();
    let error = house.call(&connection, "look", json!({})).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorDecryptFailed);
    let patch = ConnectionPatch {
        config: Some(json!({ "token": TOKEN }).into()),
        ..ConnectionPatch::default()
    };
    house
        .connectors
        .update_connection(&house.by, connection.id, patch)
        .await
        .unwrap();
    house.call(&connection, "look", json!({})).await.unwrap();
}

#[tokio::test]
async fn bounds_of_what_is_connected_are_kept_before_anything_is_stored() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let huge: Json = json!({ "token": "x".repeat(20_000) }).into();
    let connect = Connect {
        config: huge,
        ..Connect::new("acme", Scope::tenant())
    };
    let error = house.connectors.connect(&house.by, connect).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorConfigInvalid);
    assert!(serde_json::from_value::<Scope>(json!({ "kind": "organization", "identity": "x".repeat(500) })).is_err());
    let long = Connect {
        display_name: Some("n".repeat(100)),
        config: json!({ "token": TOKEN }).into(),
        ..Connect::new("acme", Scope::tenant())
    };
    for _ in 0..3 {
        house
            .connectors
            .create_connection(&house.by, long.clone())
            .await
            .unwrap();
    }
    let page = house
        .connectors
        .connections(&house.by, Default::default())
        .await
        .unwrap();
    assert_eq!(page.rows.len(), 3);
}

#[tokio::test]
async fn t2_another_tenants_connection_is_no_connection() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    house.call(&connection, "look", json!({})).await.unwrap();
    let stranger = Actor::new(OTHER_TENANT, "stranger");
    let call = Call {
        connector: None,
        action: "look".to_owned(),
        input: json!({}).into(),
        via: Via::Connection(connection.id),
        idempotency_key: None,
    };
    assert_eq!(
        house.connectors.call(&stranger, call).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(
        house
            .connectors
            .connection(&stranger, connection.id)
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    assert_eq!(
        house
            .connectors
            .delete_connection(&stranger, connection.id)
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    assert_eq!(twin.requests().len(), 1);
}

#[tokio::test]
async fn e2_a_sealed_value_moved_to_another_row_does_not_open() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let (by, scope) = (&house.by, Scope::new("organization", "org_1").unwrap());
    let config: Json = json!({ "token": TOKEN }).into();
    let first = house.connect().await;
    let second = house
        .connectors
        .connect(
            by,
            Connect {
                config,
                ..Connect::new("acme", scope)
            },
        )
        .await
        .unwrap();
    // The thief has the database: he moves the first row's sealed token into the second row.
    let stolen = house
        .store
        .connection_by_id(TENANT, first.id)
        .await
        .unwrap()
        .unwrap()
        .secrets;
    let mut row = house.store.connection_by_id(TENANT, second.id).await.unwrap().unwrap();
    row.secrets = stolen;
    let version = row.version;
    row.version += 1;
    let trail = tieline::audit::Trail {
        entries: vec![],
        events: vec![],
        link: tieline::audit::Link::new(|hash, _, _| *hash),
    };
    house.store.update_connection(row, version, trail).await.unwrap();
    let error = house.call(&second, "look", json!({})).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorDecryptFailed);
    assert_eq!(twin.connections(), 0);
}

#[tokio::test]
async fn a1_every_change_leaves_an_entry_and_the_chain_holds() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    house
        .connectors
        .test_connection(&house.by, connection.id)
        .await
        .unwrap();
    house.connect().await;
    house
        .connectors
        .delete_connection(&house.by, connection.id)
        .await
        .unwrap();
    let rows = house.store.audit_entries(TENANT, 0, 100).await.unwrap();
    let actions: Vec<&str> = rows.iter().map(|row| row.entry.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "data_key.created",
            "connection.created",
            "connection.tested",
            "connection.connected",
            "connection.deleted"
        ]
    );
    assert!(rows.iter().all(|row| !TOKEN.is_in(&row.entry.detail)));
    let link = house.connectors.audit_link(TENANT);
    assert_eq!(chain::verify(&rows, &link, None).unwrap().seq, 5);
}
