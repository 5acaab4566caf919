//! Environments: a key that is bound to one uses and changes nothing of another.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Ask, GOOD_TOKEN, TestApp};

async fn ask(app: &TestApp, key: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    let ask = Ask::new(method, format!("/api/v1{path}")).key(key);
    app.ask(body.iter().fold(ask, |ask, body| ask.json(body))).await
}

async fn key(app: &TestApp, by: &str, environment: Option<&str>) -> Answer {
    let body = json!({ "name": "key", "permissions": { "admin": true }, "environment": environment });
    ask(app, by, Method::POST, "/api-keys", Some(body)).await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn connect(name: &str, environment: Option<&str>) -> Value {
    json!({ "connector": "acme", "name": name, "environment": environment, "config": { "bot_token": GOOD_TOKEN } })
}

#[tokio::test]
async fn a_bound_key_uses_and_changes_nothing_of_another_environment() {
    let app = TestApp::start().await;
    let free = app.tenant("alice").await.key;
    let staging = text(&key(&app, &free, Some("staging")).await.json["key"]);
    let made = ask(&app, &free, Method::POST, "/connections", Some(connect("live", None))).await;
    assert_eq!(made.json["environment"], "production", "{}", made.text);
    let live = text(&made.json["id"]);
    let made = ask(
        &app,
        &staging,
        Method::POST,
        "/connections",
        Some(connect("trial", None)),
    )
    .await;
    assert_eq!(made.json["environment"], "staging", "{}", made.text);
    let trial = text(&made.json["id"]);
    let step = |id: &str| json!({ "connectorType": "acme", "action": "whoami", "connectionId": id });
    let uses = |id: &str| {
        [
            (
                Method::POST,
                format!("/connections/{id}/actions/whoami"),
                Some(json!({})),
            ),
            (Method::POST, "/actions".to_owned(), Some(step(id))),
            (Method::POST, format!("/connections/{id}/test"), None),
            (Method::POST, format!("/connections/{id}/disable"), None),
            (Method::POST, format!("/connections/{id}/enable"), None),
            (
                Method::PATCH,
                format!("/connections/{id}"),
                Some(json!({ "displayName": "New" })),
            ),
            (Method::DELETE, format!("/connections/{id}"), None),
        ]
    };
    let seen = async || {
        ask(&app, &free, Method::GET, &format!("/connections/{live}"), None)
            .await
            .json
    };
    let before = seen().await;
    // Cold, and warm.
    for _ in 0..2 {
        for (method, path, body) in uses(&live) {
            let refused = ask(&app, &staging, method, &path, body).await;
            assert_eq!(
                (refused.status, refused.code()),
                (403, "ENVIRONMENT_MISMATCH"),
                "{path}"
            );
            let told = refused.json["detail"].as_str().unwrap();
            assert!(told.contains("`staging`") && told.contains("`production`"), "{told}");
        }
        let called = ask(
            &app,
            &free,
            Method::POST,
            &format!("/connections/{live}/actions/whoami"),
            None,
        )
        .await;
        assert_eq!(called.status, 200, "{}", called.text);
    }
    assert_eq!(seen().await, before);
    let asked = ask(
        &app,
        &staging,
        Method::POST,
        "/connections",
        Some(connect("x", Some("production"))),
    )
    .await;
    assert_eq!((asked.status, asked.code()), (403, "ENVIRONMENT_MISMATCH"));
    // Reading is free, and lists can be cut down.
    assert_eq!(
        ask(&app, &staging, Method::GET, &format!("/connections/{live}"), None)
            .await
            .status,
        200
    );
    for (query, count) in [("", 2), ("?environment=staging", 1), ("?environment=development", 0)] {
        let list = ask(&app, &staging, Method::GET, &format!("/connections{query}"), None)
            .await
            .json;
        assert_eq!(list["data"].as_array().unwrap().len(), count, "{query}");
    }
    assert_eq!(
        ask(&app, &staging, Method::GET, "/connections?environment=moon", None)
            .await
            .status,
        422
    );
    // Its own, and everything to whoever is bound to none.
    for by in [&staging, &free] {
        for (method, path, body) in uses(&trial).into_iter().take(6) {
            let done = ask(&app, by, method, &path, body).await;
            assert_eq!(done.status, 200, "{path}: {}", done.text);
        }
    }
    let denied = ask(&app, &free, Method::GET, "/audit-logs?limit=200", None).await;
    assert!(denied.text.contains("ENVIRONMENT_MISMATCH"), "a denial is written down");
}

#[tokio::test]
async fn k3_a_bound_key_makes_and_changes_keys_of_its_environment_only() {
    let app = TestApp::start().await;
    let free = app.tenant("alice").await.key;
    let made = key(&app, &free, Some("staging")).await;
    let staging = text(&made.json["key"]);
    assert_eq!(made.json["apiKey"]["environment"], "staging");
    let (production, unbound) = (key(&app, &free, Some("production")).await, key(&app, &free, None).await);
    assert_eq!(unbound.json["apiKey"]["environment"], json!(null));
    for other in [&production, &unbound] {
        let path = format!("/api-keys/{}", text(&other.json["apiKey"]["id"]));
        for (method, body) in [(Method::PATCH, Some(json!({ "name": "x" }))), (Method::DELETE, None)] {
            let refused = ask(&app, &staging, method, &path, body).await;
            assert_eq!(
                (refused.status, refused.code()),
                (403, "ENVIRONMENT_MISMATCH"),
                "{}",
                refused.text
            );
        }
    }
    assert_eq!(
        key(&app, &staging, Some("production")).await.code(),
        "ENVIRONMENT_MISMATCH"
    );
    let own = key(&app, &staging, None).await;
    assert_eq!(
        own.json["apiKey"]["environment"], "staging",
        "what a bound key makes is bound: {}",
        own.text
    );
    assert_eq!(key(&app, &staging, Some("staging")).await.status, 201);
    assert_eq!(key(&app, &free, Some("moon")).await.status, 422);
}

/// K3: people act in all environments, so a bound key makes none of them, and lets none in.
#[tokio::test]
async fn k3_a_bound_key_has_no_say_over_people() {
    let app = TestApp::start().await;
    let free = app.tenant("alice").await.key;
    let staging = text(&key(&app, &free, Some("staging")).await.json["key"]);
    let person = |email: &str| Some(json!({ "email": email, "role": "viewer" }));
    let invited = ask(&app, &free, Method::POST, "/users", person("bob@example.com")).await;
    assert_eq!(invited.status, 201, "{}", invited.text);
    let bob = format!("/users/{}", text(&invited.json["user"]["id"]));
    for (method, path, body) in [
        (Method::POST, "/users", person("eve@example.com")),
        (Method::PATCH, bob.as_str(), Some(json!({ "role": "editor" }))),
        (Method::DELETE, bob.as_str(), None),
    ] {
        let refused = ask(&app, &staging, method, path, body).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "PERMISSION_DENIED"),
            "{}",
            refused.text
        );
    }
}
