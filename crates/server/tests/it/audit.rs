//! The audit chain over HTTP.

use http::Method;
use serde_json::{Value, json};
use tieline_server::caller::Permission;

use crate::support::{Ask, Tenant, TestApp};

#[tokio::test]
async fn a3_changes_are_told_in_order_and_to_their_tenant_only() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    app.connect(&alice, "main").await;
    let (mut seen, mut path) = (Vec::new(), "/api/v1/audit-logs?limit=1".to_owned());
    loop {
        let page = app.ask(Ask::get(path).key(&alice.key)).await.json;
        seen.extend(page["data"].as_array().unwrap().clone());
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("/api/v1/audit-logs?limit=1&cursor={cursor}");
    }
    let places: Vec<_> = seen.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert_eq!(places, (1..=places.len() as u64).collect::<Vec<_>>());
    let created = seen
        .iter()
        .find(|entry| entry["action"] == "connection.created")
        .expect("the change was written down");
    assert!(created["actor"].as_str().unwrap().starts_with("key_"), "{created}");
    assert!(created["subject"].as_str().unwrap().starts_with("conn_"), "{created}");
    let bobs = app.ask(Ask::get("/api/v1/audit-logs").key(&bob.key)).await;
    assert!(!bobs.text.contains("connection.created"), "{}", bobs.text);
}

async fn denials(app: &TestApp, tenant: &Tenant) -> Vec<Value> {
    let log = app
        .ask(Ask::get("/api/v1/audit-logs?limit=200").key(&tenant.key))
        .await
        .json;
    let entries = log["data"].as_array().unwrap().iter();
    entries
        .filter(|entry| entry["action"] == "access.denied")
        .cloned()
        .collect()
}

#[tokio::test]
async fn a3_denied_attempts_are_told_once_a_minute() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    let weak = app.key(&alice, &[Permission::CatalogRead, Permission::KeysWrite]).await;
    let list = || Ask::get("/api/v1/connections").key(&weak);
    let stronger = Ask::post("/api/v1/api-keys")
        .key(&weak)
        .json(&json!({ "name": "k", "permissions": { "admin": true } }));
    let before = app.ask(Ask::get("/api/v1/api-keys").key(&alice.key)).await.json;
    for _ in 0..5 {
        assert_eq!(app.ask(list()).await.status, 403);
        assert_eq!(app.ask(stronger.clone()).await.status, 403);
    }
    let seen = denials(&app, &alice).await;
    // A minute may have ended in between; ten entries cannot be.
    assert!((2..=4).contains(&seen.len()), "{seen:?}");
    assert_eq!(
        seen[0]["detail"],
        json!({ "code": "PERMISSION_DENIED", "asked": "GET /api/v1/connections" })
    );
    assert_eq!(seen[1]["detail"]["asked"], "POST /api/v1/api-keys");
    let id = before["data"].as_array().unwrap().last().unwrap()["id"].clone();
    assert!(
        seen.iter().all(|entry| entry["actor"] == id && entry["subject"] == id),
        "{seen:?}"
    );

    let revoke = Ask::new(Method::DELETE, format!("/api/v1/api-keys/{}", id.as_str().unwrap()));
    assert_eq!(app.ask(revoke.key(&alice.key)).await.status, 204);
    let dead = app.ask(Ask::get("/api/v1/audit-logs").key(&weak)).await;
    assert_eq!(dead.status, 401);
    let last = denials(&app, &alice).await.pop().unwrap();
    assert_eq!(
        (&last["actor"], &last["detail"]),
        (
            &id,
            &json!({ "code": "UNAUTHENTICATED", "asked": "GET /api/v1/audit-logs" })
        )
    );
    assert_eq!(
        denials(&app, &bob).await,
        [Value::Null; 0],
        "it is nobody else's business"
    );
}
