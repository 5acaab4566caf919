//! `Idempotency-Key`: one run, one answer.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::{Answer, Ask, Tenant, TestApp, WRONG_TOKEN, dial};

const KEYS: &str = "/api/v1/api-keys";
const CONNECTIONS: &str = "/api/v1/connections";

fn new_key(name: &str) -> Value {
    json!({ "name": name, "permissions": { "catalog:read": true } })
}

fn once(tenant: &Tenant, path: &str, key: &str, body: &Value) -> Ask {
    Ask::post(path)
        .key(&tenant.key)
        .header("idempotency-key", key)
        .json(body)
}

fn replayed(answer: &Answer) -> bool {
    answer
        .headers
        .get("idempotency-replayed")
        .is_some_and(|value| value == "true")
}

#[tokio::test]
async fn e8_a_repeat_is_told_the_same_key_and_the_database_holds_it_sealed() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let ask = once(&tenant, KEYS, "make-one", &new_key("ci"));
    let first = app.ask(ask.clone()).await;
    assert_eq!(first.status, 201, "{}", first.text);
    assert!(!replayed(&first));
    let second = app.ask(ask).await;
    assert_eq!((second.status, &second.text), (201, &first.text));
    assert!(replayed(&second));
    assert_eq!(second.headers["content-type"], first.headers["content-type"]);
    assert_ne!(second.headers["x-request-id"], first.headers["x-request-id"]);
    let listed = app.ask(Ask::get(KEYS).key(&tenant.key)).await;
    assert_eq!(listed.text.matches("\"name\":\"ci\"").count(), 1, "{}", listed.text);
    let told = first.json["key"].as_str().unwrap().as_bytes();
    let files = app.data.bytes().await;
    assert!(!files.windows(told.len()).any(|window| window == told));
    // Without the header every request is one of its own.
    let plain = || Ask::post(KEYS).key(&tenant.key).json(&new_key("ci"));
    assert_ne!(app.ask(plain()).await.text, app.ask(plain()).await.text);
}

#[tokio::test]
async fn t2_a_key_is_its_callers_own() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    let first = app.ask(once(&alice, KEYS, "1", &new_key("ci"))).await;
    let theirs = app.ask(once(&bob, KEYS, "1", &new_key("ci"))).await;
    assert_eq!(theirs.status, 201);
    assert!(!replayed(&theirs) && theirs.json["key"] != first.json["key"]);
    let colleague = Tenant {
        key: app.key(&alice, &[tieline_server::caller::Permission::Admin]).await,
        ..alice.clone()
    };
    let other = app.ask(once(&colleague, KEYS, "1", &new_key("ci"))).await;
    assert!(!replayed(&other) && other.json["key"] != first.json["key"]);
}

#[tokio::test]
async fn another_body_under_the_key_is_refused_and_a_refused_one_frees_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let ask = |body: &Value| once(&tenant, CONNECTIONS, "k", body);
    let nothing = app
        .ask(ask(&json!({ "connector": "acme", "config": { "nonsense": 1 } })))
        .await;
    assert_eq!((nothing.status, nothing.code()), (400, "CONNECTOR_CONFIG_INVALID"));
    let nothing = app.ask(ask(&json!({ "connector": 7 }))).await;
    assert_eq!(nothing.status, 422, "{}", nothing.text);
    let good = json!({ "connector": "acme", "name": "main", "config": { "bot_token": WRONG_TOKEN } });
    let made = app.ask(ask(&good)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let other = app.ask(ask(&json!({ "connector": "acme", "config": {} }))).await;
    assert_eq!((other.status, other.code()), (422, "IDEMPOTENCY_KEY_REUSED"));
    let again = app.ask(ask(&good)).await;
    assert_eq!((again.status, &again.text), (201, &made.text), "not NAME_TAKEN");
    assert!(replayed(&again));
}

#[tokio::test]
async fn a_call_is_made_once_even_while_the_first_runs() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let connection = app.connect(&tenant, "main").await;
    let path = |action: &str| format!("{CONNECTIONS}/{connection}/actions/{action}");
    let ask = once(&tenant, &path("slow"), "k", &json!({}));
    let (running, asked) = (app.address, ask.clone());
    let first = tokio::spawn(async move { crate::support::ask(running, asked).await });
    app.upstream.slow_arrived().await;
    let beside = app.ask(ask.clone()).await;
    assert_eq!((beside.status, beside.code()), (409, "IDEMPOTENCY_IN_PROGRESS"));
    assert_eq!(beside.headers["retry-after"], "1");
    app.upstream.let_slow_go_on();
    let first = first.await.unwrap();
    let after = app.ask(ask).await;
    assert_eq!((after.status, &after.text), (200, &first.text));
    assert!(replayed(&after));

    let send = once(&tenant, &path("send"), "k", &json!({ "content": "hello" }));
    let answers = [app.ask(send.clone()).await, app.ask(send.clone()).await];
    assert_eq!(answers[0].text, answers[1].text);
    assert_eq!(app.upstream.messages().len(), 1);
    // The short way is another route; so is another connection.
    let step = json!({ "connectorType": "acme", "action": "send", "connectionId": connection, "content": "hello" });
    let stepped = once(&tenant, "/api/v1/actions", "k", &step);
    assert_eq!(app.ask(stepped.clone()).await.status, 200);
    assert!(replayed(&app.ask(stepped).await));
    assert_eq!(app.upstream.messages().len(), 2);
}

#[tokio::test]
async fn a_caller_who_hangs_up_finds_the_answer_later() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let connection = app.connect(&tenant, "main").await;
    let path = format!("{CONNECTIONS}/{connection}/actions/slow");
    let mut stream = dial(app.address).await;
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\nidempotency-key: k\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}",
        tenant.key
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    app.upstream.slow_arrived().await;
    drop(stream);
    app.upstream.let_slow_go_on();
    let repeat = loop {
        let repeat = app.ask(once(&tenant, &path, "k", &json!({}))).await;
        // The first one ends in its own time.
        if repeat.code() != "IDEMPOTENCY_IN_PROGRESS" {
            break repeat;
        }
    };
    assert_eq!(repeat.status, 200, "{}", repeat.text);
    assert!(replayed(&repeat));
}

#[tokio::test]
async fn an_effect_with_an_odd_answer_is_not_repeated() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let connection = app.connect(&tenant, "main").await;
    let path = format!("{CONNECTIONS}/{connection}/actions/odd");
    let ask = || once(&tenant, &path, "k", &json!({}));
    let [first, second] = [app.ask(ask()).await, app.ask(ask()).await];
    assert_eq!((first.status, first.code()), (502, "CONNECTOR_ACTION_OUTPUT_INVALID"));
    assert_eq!(first.without_request_id(), second.without_request_id());
    assert!(!replayed(&first) && replayed(&second));
    assert_eq!(second.json["output"]["id"], 7);
}

#[tokio::test]
async fn a_repeat_needs_the_same_rights_as_the_first() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let connection = app.connect(&tenant, "main").await;
    let path = format!("{CONNECTIONS}/{connection}/actions/whoami");
    let ask = once(&tenant, &path, "k", &json!({}));
    assert_eq!(app.ask(ask.clone()).await.status, 200);
    let delete = Ask::new(http::Method::DELETE, format!("{CONNECTIONS}/{connection}")).key(&tenant.key);
    assert_eq!(app.ask(delete).await.status, 204);
    assert_eq!(
        app.ask(ask).await.status,
        404,
        "the row is gone, and with it its answers"
    );
}

#[tokio::test]
async fn a_malformed_key_is_refused_before_anything_happens() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let before = app.store.statements();
    let long = "k".repeat(256);
    for ask in [
        once(&tenant, KEYS, &long, &new_key("ci")),
        once(&tenant, KEYS, "a\tb", &new_key("ci")),
        once(&tenant, KEYS, "a", &new_key("ci")).header("idempotency-key", "b"),
    ] {
        let answer = app.ask(ask).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "REQUEST_INVALID"),
            "{}",
            answer.text
        );
        assert!(answer.text.contains("dempotency"), "{}", answer.text);
    }
    let listed = app.ask(Ask::get(KEYS).key(&tenant.key)).await;
    assert!(!listed.text.contains("\"ci\""));
    assert!(app.store.statements() > before, "the list was read");
}

/// What makes rows and what calls: all of it takes a key.
#[tokio::test]
async fn every_route_that_makes_something_takes_a_key() {
    let app = TestApp::start().await;
    let mut taking = 0;
    for (path, methods) in app.document["paths"].as_object().unwrap() {
        let operation = &methods["post"];
        let parameters = operation["parameters"].as_array();
        let takes = parameters
            .into_iter()
            .flatten()
            .any(|parameter| parameter["name"] == "Idempotency-Key");
        taking += usize::from(takes);
        let makes = !operation["responses"]["201"].is_null() && !operation["requestBody"].is_null();
        if (makes && !operation["x-permission"].is_null()) || path.contains("/actions") {
            assert!(takes, "POST {path} makes something: mark its route `.once()`");
        }
    }
    assert!(taking >= 5, "only {taking} routes take a key");
}
