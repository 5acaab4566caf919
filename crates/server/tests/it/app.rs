//! Serving: health, ids, and a stop that lets open requests end.

use http::Method;
use serde_json::json;

use crate::support::{Ask, TestApp, ask, raw};

#[tokio::test]
async fn health_is_open_and_says_what_there_is() {
    let app = TestApp::start().await;
    let answer = app.ask(Ask::get("/health")).await;
    assert_eq!(answer.json["status"], "healthy");
    assert_eq!(answer.json["service"], "tieline");
    assert_eq!(answer.json["features"]["testing"], true);
}

#[tokio::test]
async fn ready_is_open_while_everything_works() {
    let app = TestApp::start().await;
    let answer = app.ask(Ask::get("/ready")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"status":"ready"}"#));
}

#[tokio::test]
async fn a_request_id_is_ours_and_never_the_callers() {
    let app = TestApp::start().await;
    let given = "f".repeat(32);
    let first = app.ask(Ask::get("/health").header("x-request-id", &given)).await;
    let second = app.ask(Ask::get("/health").header("x-request-id", &given)).await;
    assert_ne!(first.headers["x-request-id"], given.as_str());
    assert_ne!(first.headers["x-request-id"], second.headers["x-request-id"]);
}

#[tokio::test]
async fn a_stop_lets_open_requests_end_and_takes_no_new_ones() {
    let mut app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let connection = app.connect(&tenant, "main").await;
    let slow = Ask::new(Method::POST, format!("/api/v1/connections/{connection}/actions/slow"))
        .key(&tenant.key)
        .json(&json!({}));
    let open = tokio::spawn(ask(app.address, slow));
    app.upstream.slow_arrived().await;
    app.stop();
    app.upstream.let_slow_go_on();
    assert_eq!(open.await.unwrap().status, 200);
    (&mut app.served).await.unwrap();
    let refused = tokio::spawn(async move { raw(app.address, b"GET /health HTTP/1.1\r\nhost: t\r\n\r\n").await }).await;
    assert!(refused.is_err(), "nobody listens any more");
}
