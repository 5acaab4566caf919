//! The library as an embedding program meets it.

use serde_json::json;
use tieline::{Code, Connectors, MasterKey, MemoryStore, ScopeRule, audit::Actor, clock::SystemRandom, id::TenantId};
use tieline_testkit::{canary, twin::Twin};

use crate::house::{House, TOKEN, json_reply};

#[tokio::test]
async fn the_library_speaks_for_one_scope() {
    let twin = Twin::always(json_reply("200 OK", r#"{"id":"7"}"#)).await;
    let house = House::with(&twin);
    assert_eq!(
        house.connectors.scope("planet", "x").err().unwrap().code(),
        Code::ConnectorScopeInvalid
    );
    assert_eq!(
        house.connectors.scope("organization", "").err().unwrap().code(),
        Code::ConnectorScopeIdentifierRequired
    );
    let (a, b) = (
        house.connectors.scope("organization", "a").unwrap(),
        house.connectors.scope("organization", "a:b").unwrap(),
    );
    let error = a.action("acme", "look").call(json!({})).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorNotConnected);
    let first = a.connect("acme", json!({ "token": TOKEN })).await.unwrap();
    let again = a.connect("acme", json!({ "token": TOKEN })).await.unwrap();
    assert_eq!(first.id, again.id, "connecting again keeps the identifier");
    assert!(b.get("acme").await.unwrap().is_none(), "a and a:b never meet");
    a.action("acme", "post")
        .call(json!({ "channel": "c", "text": "t" }))
        .await
        .unwrap();
    a.disconnect("acme").await.unwrap();
    a.disconnect("acme").await.unwrap();
    assert!(a.get("acme").await.unwrap().is_none());
    let unknown = a.connect("acmee", json!({})).await.unwrap_err();
    assert_eq!(unknown.code(), Code::ConnectorNotFound);
}

#[test]
fn what_is_missing_is_said_at_build() {
    let error = Connectors::builder().build().err().unwrap();
    assert_eq!(error.code(), Code::ConnectorDatabaseRequired);
    let error = Connectors::builder().store(MemoryStore::new()).build().err().unwrap();
    assert_eq!(error.code(), Code::ConnectorEncryptionSecretRequired);
    let key = MasterKey::generate(&SystemRandom).unwrap();
    let error = Connectors::builder()
        .store(MemoryStore::new())
        .key(key)
        .scope("organization", ScopeRule::Required)
        .manifest("id: x\nnaem: X")
        .build()
        .err()
        .unwrap();
    assert_eq!(error.code(), Code::ManifestInvalid);
    assert!(
        error.fields().iter().any(|field| field.message.contains("name")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_tenants_first_key_opens_its_door_and_a_revoked_one_does_not() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let new = || tieline::api_key::NewApiKey {
        name: "first".to_owned(),
        permissions: [("admin".to_owned(), true)].into(),
        expires_at: None,
        environment: None,
        allowed_networks: None,
    };
    let made = house
        .connectors
        .create_tenant("operator", "acme-corp", new())
        .await
        .unwrap();
    let text = made.key.text.reveal().clone();
    canary::told_once(&text);
    let key = house.connectors.authenticate(&text, "GET /x").await.unwrap();
    assert_eq!((key.tenant, key.prefix.as_str()), (made.tenant.id, &text[..12]));
    let before = house.store.statements();
    house.connectors.authenticate(&text, "GET /x").await.unwrap();
    assert_eq!(house.store.statements(), before, "a warm key runs no statement");
    house
        .connectors
        .revoke_api_key(&Actor::new(made.tenant.id, "test"), key.id)
        .await
        .unwrap();
    for wrong in [text.as_str(), "", "sk_", "sk_zz", &format!("sk_{}", "0".repeat(64))] {
        assert_eq!(
            house.connectors.authenticate(wrong, "GET /x").await.unwrap_err().code(),
            Code::Unauthenticated
        );
    }
    let taken = house
        .connectors
        .create_tenant("operator", "acme-corp", new())
        .await
        .err()
        .unwrap();
    assert_eq!(taken.code(), Code::NameTaken);
    assert_ne!(made.tenant.id, TenantId::from_bytes([0; 16]));
}
