//! API keys.

use http::Method;
use serde_json::json;
use tieline_server::caller::Permission;

use crate::support::{Ask, TestApp};

const PATH: &str = "/api/v1/api-keys";

#[tokio::test]
async fn k1_a_key_is_told_once_works_and_is_revoked_at_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let body = json!({ "name": "ci", "permissions": { "catalog:read": true, "connections:read": false } });
    let made = app.ask(Ask::post(PATH).key(&tenant.key).json(&body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (key, id) = (
        made.json["key"].as_str().unwrap(),
        made.json["apiKey"]["id"].as_str().unwrap(),
    );
    assert_eq!((key.len(), &key[..3]), (67, "sk_"));
    assert_eq!(made.json["apiKey"]["prefix"], key[..12]);

    let listed = app.ask(Ask::get(PATH).key(&tenant.key)).await;
    assert!(
        listed.text.contains(id) && !listed.text.contains(key),
        "{}",
        listed.text
    );
    let catalog = || Ask::get("/api/v1/catalog").key(key);
    assert_eq!(app.ask(catalog()).await.status, 200);
    assert_eq!(app.ask(Ask::get("/api/v1/connections").key(key)).await.status, 403);

    let revoke = Ask::new(Method::DELETE, format!("{PATH}/{id}")).key(&tenant.key);
    assert_eq!(app.ask(revoke.clone()).await.status, 204);
    assert_eq!(app.ask(catalog()).await.status, 401);
    assert_eq!(app.ask(revoke).await.status, 204, "revoking twice is no trouble");
}

#[tokio::test]
async fn k3_a_key_makes_no_stronger_key() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let weak = app
        .key(&tenant, &[Permission::KeysWrite, Permission::CatalogRead])
        .await;
    let make = |key: &str, permission: &str| {
        Ask::post(PATH)
            .key(key)
            .json(&json!({ "name": "k", "permissions": { permission: true } }))
    };
    for permission in ["catalog:read", "keys:write"] {
        assert_eq!(app.ask(make(&weak, permission)).await.status, 201, "{permission}");
    }
    for permission in ["connections:read", "admin", "operator", "keys:read"] {
        let answer = app.ask(make(&weak, permission)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "PERMISSION_DENIED"),
            "{permission}"
        );
    }
    let answer = app.ask(make(&tenant.key, "operator")).await;
    assert_eq!(
        (answer.status, answer.code()),
        (403, "PERMISSION_DENIED"),
        "an admin is no operator"
    );
}

#[tokio::test]
async fn k3_a_key_that_expires_makes_none_that_outlives_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let make = |key: &str, expires: Option<&str>| {
        let body = json!({ "name": "k", "permissions": { "keys:write": true }, "expiresAt": expires });
        Ask::post(PATH).key(key).json(&body)
    };
    let made = app.ask(make(&tenant.key, Some("2999-01-01T00:00:00Z"))).await;
    let mortal = made.json["key"].as_str().unwrap();
    assert_eq!(app.ask(make(mortal, Some("2998-01-01T00:00:00Z"))).await.status, 201);
    for later in [None, Some("2999-01-01T00:00:01Z")] {
        assert_eq!(app.ask(make(mortal, later)).await.status, 403, "{later:?}");
    }
    let past = app.ask(make(&tenant.key, Some("2001-01-01T00:00:00Z"))).await;
    assert_eq!((past.status, past.code()), (422, "REQUEST_INVALID"));
    assert_eq!(past.json["fields"][0]["pointer"], "/expiresAt", "{}", past.text);
}

/// T6: what one tenant does to their keys is nobody else's cost.
#[tokio::test]
async fn t6_one_tenants_revocations_cool_no_others_keys() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    let body = json!({ "name": "short-lived" });
    let made = app.ask(Ask::post(PATH).key(&alice.key).json(&body)).await;
    let revoke = Ask::new(
        Method::DELETE,
        format!("{PATH}/{}", made.json["apiKey"]["id"].as_str().unwrap()),
    );
    let catalog = || Ask::get("/api/v1/catalog").key(&bob.key);
    app.ask(catalog()).await;
    for _ in 0..2 {
        assert_eq!(app.ask(revoke.clone().key(&alice.key)).await.status, 204);
        let before = app.store.statements();
        assert_eq!(app.ask(catalog()).await.status, 200);
        assert_eq!(app.store.statements(), before, "bob's key was forgotten");
    }
}
