//! Calling actions.

use serde_json::{Value, json};

use crate::support::{Answer, Ask, Tenant, TestApp};

async fn call(app: &TestApp, tenant: &Tenant, connection: &str, action: &str, body: &str) -> Answer {
    let path = format!("/api/v1/connections/{connection}/actions/{action}");
    app.ask(
        Ask::post(path)
            .key(&tenant.key)
            .text("application/json", body.to_owned()),
    )
    .await
}

async fn step(app: &TestApp, tenant: &Tenant, body: &Value) -> Answer {
    app.ask(Ask::post("/api/v1/actions").key(&tenant.key).json(body)).await
}

#[tokio::test]
async fn a_call_goes_to_the_service_and_back_with_every_digit() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let connection = app.connect(&tenant, "main").await;
    let body = r#"{"content":"Grüße 👋","amount":12345678901234567890.10}"#;
    let called = call(&app, &tenant, &connection, "send", body).await;
    assert_eq!(called.status, 200, "{}", called.text);
    assert!(
        called.text.contains(r#""amount":12345678901234567890.10"#),
        "J2: {}",
        called.text
    );
    assert!(called.json["call"].as_str().unwrap().starts_with("call_"));
    let sent = app.upstream.messages();
    assert!(sent[0].contains("12345678901234567890.10"), "J2: {}", sent[0]);
    assert!(sent[0].contains("Grüße 👋"), "{}", sent[0]);
}

#[tokio::test]
async fn an_action_without_inputs_needs_no_body() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let connection = app.connect(&tenant, "main").await;
    let path = format!("/api/v1/connections/{connection}/actions/whoami");
    let called = app.ask(Ask::post(path).key(&tenant.key)).await;
    assert_eq!(
        (called.status, called.json["output"].clone()),
        (200, json!({ "username": "ada" })),
        "{}",
        called.text
    );
}

#[tokio::test]
async fn failures_say_what_happened() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let connection = app.connect(&tenant, "main").await;
    let wrong = call(&app, &tenant, &connection, "send", r#"{"content":7}"#).await;
    assert_eq!((wrong.status, wrong.code()), (400, "CONNECTOR_ACTION_INPUT_INVALID"));
    assert_eq!(wrong.json["fields"][0]["pointer"], "/content");
    assert!(app.upstream.messages().is_empty(), "nothing was sent");

    let odd = call(&app, &tenant, &connection, "odd", "{}").await;
    assert_eq!((odd.status, odd.code()), (502, "CONNECTOR_ACTION_OUTPUT_INVALID"));
    assert_eq!(
        odd.json["output"],
        json!({ "id": 7 }),
        "the answer of an effect that happened is told"
    );

    let busy = call(&app, &tenant, &connection, "busy", "{}").await;
    assert_eq!((busy.status, busy.code()), (429, "UPSTREAM_RATE_LIMITED"));
    assert_eq!(busy.headers["retry-after"], "7");
}

#[tokio::test]
async fn a_step_is_called_as_a_workflow_writes_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let connection = app.connect(&tenant, "main").await;
    let named = json!({ "connectorType": "acme", "action": "send", "connectionId": connection });
    let with = |name: &str, value: Value| {
        let mut body = named.clone();
        body[name] = value;
        body
    };
    let beside = step(&app, &tenant, &with("content", json!("beside"))).await;
    assert_eq!(
        (beside.status, beside.json["output"]["id"].clone()),
        (200, json!("7")),
        "{}",
        beside.text
    );
    let inside = step(&app, &tenant, &with("input", json!({ "content": "inside" }))).await;
    assert_eq!(inside.status, 200, "{}", inside.text);
    let sent = app.upstream.messages();
    assert!(sent[0].contains("beside") && sent[1].contains("inside"), "{sent:?}");

    let mut both = with("input", json!({ "content": "inside" }));
    both["content"] = json!("beside");
    let refused = step(&app, &tenant, &both).await;
    assert_eq!(
        (refused.status, refused.json["fields"][0]["pointer"].clone()),
        (422, json!("/content"))
    );
    let credential = step(
        &app,
        &tenant,
        &with("credentialId", json!("cred_00000000000000000000000000")),
    )
    .await;
    assert_eq!(
        (credential.status, credential.json["fields"][0]["pointer"].clone()),
        (422, json!("/credentialId"))
    );
    let open = step(&app, &tenant, &json!({ "connectorType": "acme", "action": "open" })).await;
    assert_eq!(
        (open.status, open.json["output"].clone()),
        (200, json!({ "id": 7 })),
        "{}",
        open.text
    );
    assert_eq!(app.upstream.messages().len(), 2);
}

/// W1: no database statement on the hot path.
#[tokio::test]
async fn a_warm_call_runs_no_statement() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let connection = app.connect(&tenant, "main").await;
    assert_eq!(call(&app, &tenant, &connection, "whoami", "{}").await.status, 200);
    let before = app.store.statements();
    assert_eq!(call(&app, &tenant, &connection, "whoami", "{}").await.status, 200);
    assert_eq!(app.store.statements() - before, 0);
}
