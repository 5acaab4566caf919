//! Batches of connections: a result for each, in order, each judged by itself.

use serde_json::{Value, json};
use tieline::limits::MAX_BATCH;
use tieline_server::caller::Permission;

use crate::support::{Answer, Ask, GOOD_TOKEN, Tenant, TestApp, WRONG_TOKEN};

async fn batch(app: &TestApp, key: &str, action: &str, ids: &[&str]) -> Answer {
    let body = json!({ "action": action, "connections": ids });
    app.ask(Ask::post("/api/v1/connections/batch").key(key).json(&body))
        .await
}

/// What became of each, in a word.
fn ends(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let items = answer.json["data"].as_array().unwrap();
    let end = |item: &Value| match (&item["problem"]["code"], &item["test"]["success"], &item["connection"]) {
        (Value::String(code), ..) => code.clone(),
        (_, Value::Bool(works), _) => format!("works: {works}"),
        (.., Value::Object(connection)) => connection["status"].as_str().unwrap().to_owned(),
        _ => "gone".to_owned(),
    };
    items
        .iter()
        .map(|item| {
            assert_eq!(item["done"] == true, item["problem"].is_null(), "{item}");
            end(item)
        })
        .collect()
}

async fn broken(app: &TestApp, tenant: &Tenant) -> String {
    let body = json!({ "connector": "acme", "name": "broken", "config": { "bot_token": WRONG_TOKEN } });
    let made = app
        .ask(Ask::post("/api/v1/connections").key(&tenant.key).json(&body))
        .await;
    assert_eq!(
        (made.status, &made.json["status"]),
        (201, &json!("error")),
        "{}",
        made.text
    );
    made.json["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_has_its_result_in_order_and_none_stops_another() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    let (good, bad, bobs) = (
        app.connect(&alice, "good").await,
        broken(&app, &alice).await,
        app.connect(&bob, "bobs").await,
    );
    let ids = [bad.as_str(), bobs.as_str(), good.as_str()];
    let tested = batch(&app, &alice.key, "test", &ids).await;
    assert_eq!(ends(&tested), ["works: false", "NOT_FOUND", "works: true"]);
    assert_eq!(tested.json["data"][0]["test"]["errorCode"], "UPSTREAM_UNAUTHORIZED");
    let off = batch(&app, &alice.key, "disable", &ids).await;
    assert_eq!(ends(&off), ["inactive", "NOT_FOUND", "inactive"]);
    let on = batch(&app, &alice.key, "enable", &ids).await;
    assert_eq!(ends(&on), ["error", "NOT_FOUND", "active"]);
    let gone = batch(&app, &alice.key, "delete", &ids).await;
    assert_eq!(ends(&gone), ["gone", "NOT_FOUND", "gone"]);
    let again = batch(&app, &alice.key, "delete", &ids).await;
    assert_eq!(ends(&again), ["NOT_FOUND"; 3]);
    // T2: bob's stands, and nothing of it was told.
    assert!(!gone.text.contains(&bobs));
    let bobs = Ask::get(format!("/api/v1/connections/{bobs}")).key(&bob.key);
    assert_eq!(app.ask(bobs).await.json["status"], "active");
    let list = app.ask(Ask::get("/api/v1/connections").key(&alice.key)).await;
    assert_eq!(list.json["data"], json!([]));
}

/// T3: a key that is bound to an environment is refused what belongs to another, one by one.
#[tokio::test]
async fn t3_an_environment_is_judged_for_each() {
    let app = TestApp::start().await;
    let alice = app.tenant("alice").await;
    let production = app.connect(&alice, "production").await;
    let body = json!({
        "connector": "acme", "name": "staging", "environment": "staging", "config": { "bot_token": GOOD_TOKEN },
    });
    let staging = app
        .ask(Ask::post("/api/v1/connections").key(&alice.key).json(&body))
        .await;
    let body = json!({ "name": "bound", "permissions": { "connections:write": true }, "environment": "staging" });
    let bound = app.ask(Ask::post("/api/v1/api-keys").key(&alice.key).json(&body)).await;
    let ids = [production.as_str(), staging.json["id"].as_str().unwrap()];
    for (action, own) in [("test", "works: true"), ("disable", "inactive"), ("delete", "gone")] {
        let done = batch(&app, bound.json["key"].as_str().unwrap(), action, &ids).await;
        assert_eq!(ends(&done), ["ENVIRONMENT_MISMATCH", own], "{action}");
    }
    let kept = app
        .ask(Ask::get(format!("/api/v1/connections/{production}")).key(&alice.key))
        .await;
    assert_eq!(kept.json["status"], "active");
}

#[tokio::test]
async fn a_batch_has_bounds_and_a_permission() {
    let app = TestApp::start().await;
    let alice = app.tenant("alice").await;
    let id = app.connect(&alice, "main").await;
    let ids: Vec<String> = (0..=MAX_BATCH)
        .map(|_| {
            tieline::id::ConnectionId::new(&tieline::clock::SystemClock, &tieline::clock::SystemRandom)
                .unwrap()
                .to_string()
        })
        .collect();
    let many: Vec<&str> = ids.iter().map(String::as_str).collect();
    for (ids, pointer) in [
        (&[][..], "/connections"),
        (&many, "/connections"),
        (&[id.as_str(), id.as_str()][..], "/connections/1"),
        (&["conn_1"][..], "/connections/0"),
    ] {
        let refused = batch(&app, &alice.key, "delete", ids).await;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "REQUEST_INVALID"),
            "{}",
            refused.text
        );
        assert_eq!(refused.json["fields"][0]["pointer"], pointer, "{}", refused.text);
    }
    let all = batch(&app, &alice.key, "delete", &many[..MAX_BATCH]).await;
    assert_eq!(ends(&all), vec!["NOT_FOUND"; MAX_BATCH]);
    let reader = app.key(&alice, &[Permission::ConnectionsRead]).await;
    for action in ["test", "enable", "disable", "delete"] {
        assert_eq!(batch(&app, &reader, action, &[&id]).await.status, 403, "{action}");
    }
    assert_eq!(batch(&app, &alice.key, "explode", &[&id]).await.status, 422);
}

/// A batch under a key is run once, and its repeat is told what it did.
#[tokio::test]
async fn a_repeat_of_a_batch_does_nothing_more() {
    let app = TestApp::start().await;
    let alice = app.tenant("alice").await;
    let (one, other) = (app.connect(&alice, "one").await, app.connect(&alice, "other").await);
    let body = json!({ "action": "delete", "connections": [one, other] });
    let ask = || {
        let ask = Ask::post("/api/v1/connections/batch").key(&alice.key).json(&body);
        ask.header("idempotency-key", "a-batch")
    };
    let first = app.ask(ask().clone()).await;
    assert_eq!(ends(&first), ["gone", "gone"]);
    let again = app.ask(ask()).await;
    assert_eq!(again.text, first.text, "the repeat would have found none");
    assert_eq!(again.headers["idempotency-replayed"], "true");
}
