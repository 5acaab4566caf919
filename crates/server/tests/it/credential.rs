//! Shared credentials, from the first to the last request.

use http::Method;
use serde_json::{Value, json};
use tieline_server::{
    caller::{Access, Permission},
    router,
};
use tieline_testkit::canary::Canary;

use crate::support::{Answer, Ask, GOOD_TOKEN, TestApp, WRONG_TOKEN};

async fn ask(app: &TestApp, key: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    let ask = Ask::new(method, format!("/api/v1{path}")).key(key);
    app.ask(body.iter().fold(ask, |ask, body| ask.json(body))).await
}

async fn post(app: &TestApp, key: &str, path: &str, body: Value) -> Answer {
    ask(app, key, Method::POST, path, Some(body)).await
}

async fn get(app: &TestApp, key: &str, path: &str) -> Answer {
    ask(app, key, Method::GET, path, None).await
}

fn id(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn from_the_first_to_the_last_request() {
    let app = TestApp::start().await;
    let key = app.tenant("alice").await.key;
    let body = json!({
        "name": "Test Acme", "type": "oauth", "provider": "acme", "data": { "botToken": WRONG_TOKEN, "team": "blue" },
        "metadata": { "owner": "ada" }, "description": "for tests", "expiresAt": "2999-01-01T00:00:00Z",
    });
    let made = post(&app, &key, "/credentials", body.clone()).await;
    let credential = id(&made);
    assert_eq!(made.json["connector"], "acme");
    assert_eq!(made.json["data"], json!({ "team": "blue" }));
    assert_eq!(made.json["environment"], "production");
    assert_eq!(made.json["secrets"]["bot_token"]["set"], true);
    let path = format!("/credentials/{credential}");
    assert_eq!(get(&app, &key, &path).await.json, made.json);
    assert_eq!(
        get(&app, &key, "/credentials").await.json,
        json!({ "data": [made.json], "nextCursor": null })
    );
    for (query, count) in [
        ("?type=oauth&provider=acme", 1),
        ("?environment=production", 1),
        ("?type=token", 0),
        ("?connector=x", 0),
    ] {
        let list = get(&app, &key, &format!("/credentials{query}")).await.json;
        assert_eq!(list["data"].as_array().unwrap().len(), count, "{query}");
    }
    let taken = post(&app, &key, "/credentials", body).await;
    assert_eq!((taken.status, taken.code()), (409, "NAME_TAKEN"));

    let test = ask(&app, &key, Method::POST, &format!("{path}/test"), None).await;
    assert_eq!(
        (test.status, &test.json["success"]),
        (200, &json!(false)),
        "{}",
        test.text
    );
    let rotated = post(
        &app,
        &key,
        &format!("{path}/rotate"),
        json!({ "data": { "bot_token": GOOD_TOKEN } }),
    )
    .await;
    assert_eq!(
        (rotated.status, &rotated.json["data"]),
        (200, &json!({ "team": "blue" })),
        "{}",
        rotated.text
    );
    assert!(rotated.json["lastRotatedAt"].is_string());
    let test = ask(&app, &key, Method::POST, &format!("{path}/test"), None).await;
    assert_eq!(test.json["label"], "ada", "{}", test.text);

    let patched = ask(
        &app,
        &key,
        Method::PATCH,
        &path,
        Some(json!({ "description": null, "metadata": {} })),
    )
    .await;
    assert_eq!(
        (&patched.json["description"], &patched.json["metadata"]),
        (&json!(null), &json!({}))
    );
    let gone = ask(&app, &key, Method::DELETE, &path, None).await;
    assert_eq!((gone.status, gone.json), (200, json!({ "success": true })));
    assert_eq!(get(&app, &key, &path).await.status, 404);
}

#[tokio::test]
async fn bad_credentials_are_named_by_their_place() {
    let app = TestApp::start().await;
    let key = app.tenant("alice").await.key;
    let with = |field: &str, value: Value| {
        let mut body = json!({ "name": "n", "type": "token", "connector": "acme", "data": { "bot_token": "x" } });
        body[field] = value;
        body
    };
    for (body, status, pointer) in [
        (json!({ "name": "n", "data": {} }), 422, ""),
        (with("type", json!("magic")), 422, "/type"),
        (with("name", json!("")), 422, "/name"),
        (with("colour", json!("red")), 422, "/colour"),
        (with("data", json!({})), 400, "/data/bot_token"),
        (
            with("data", json!({ "bot_token": "x", "nonsense": 1 })),
            400,
            "/data/nonsense",
        ),
        (with("metadata", json!([])), 422, "/metadata"),
        (with("description", json!("x".repeat(1001))), 422, "/description"),
        (with("environment", json!("moon")), 422, "/environment"),
        (with("expiresAt", json!("2001-01-01T00:00:00Z")), 422, "/expiresAt"),
        (with("auth", json!("none")), 400, "/auth"),
        (with("provider", json!("acme")), 422, ""),
    ] {
        let answer = post(&app, &key, "/credentials", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert_eq!(answer.json["fields"][0]["pointer"], pointer, "{body}: {}", answer.text);
    }
    let unknown = post(&app, &key, "/credentials", with("connector", json!("nothing"))).await;
    assert_eq!((unknown.status, unknown.code()), (404, "CONNECTOR_NOT_FOUND"));
    assert_eq!(get(&app, &key, "/credentials").await.json["data"], json!([]));
}

/// S001's step: connector, action and credential, and beside them the input.
#[tokio::test]
async fn a_step_uses_a_credential() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let runner = app.key(&tenant, &[Permission::ConnectionsExecute]).await;
    let credential = app.credential(&tenant, "main").await;
    let free = json!({ "name": "free", "type": "custom", "data": { "bot_token": GOOD_TOKEN } });
    let free = id(&post(&app, &tenant.key, "/credentials", free).await);
    let step = |credential: &str| json!({ "connectorType": "acme", "action": "send", "credentialId": credential, "content": "Hello from workflow!" });
    for credential in [&credential, &free] {
        let sent = post(&app, &runner, "/actions", step(credential)).await;
        assert_eq!(sent.status, 200, "{}", sent.text);
        let before = app.store.statements();
        assert_eq!(post(&app, &runner, "/actions", step(credential)).await.status, 200);
        assert_eq!(app.store.statements(), before, "a warm step runs no statement");
    }
    assert_eq!(app.upstream.messages().len(), 4);
    let mut both = step(&credential);
    both["connectionId"] = json!(app.connect(&tenant, "main").await);
    let both = post(&app, &runner, "/actions", both).await;
    assert_eq!(
        (both.status, &both.json["fields"][0]["pointer"]),
        (422, &json!("/credentialId"))
    );
    let other = json!({ "connectorType": "discord", "action": "send_message", "credentialId": credential, "channel_id": "1", "content": "x" });
    let other = post(&app, &runner, "/actions", other).await;
    assert_eq!(
        (other.status, other.code()),
        (422, "REQUEST_INVALID"),
        "it is for another connector: {}",
        other.text
    );
}

#[tokio::test]
async fn what_is_in_use_stays() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let key = &tenant.key;
    let credential = app.credential(&tenant, "main").await;
    let pointing = |name: &str| json!({ "connector": "acme", "name": name, "credentialId": credential });
    let made = post(&app, key, "/connections", pointing("one")).await;
    assert_eq!(
        (&made.json["test"]["success"], &made.json["credentialId"]),
        (&json!(true), &json!(credential)),
        "{}",
        made.text
    );
    let first = id(&made);
    for name in 0..21 {
        id(&post(&app, key, "/connections", pointing(&name.to_string())).await);
    }
    let path = format!("/credentials/{credential}");
    let kept = ask(&app, key, Method::DELETE, &path, None).await;
    assert_eq!((kept.status, kept.code()), (409, "CREDENTIAL_IN_USE"), "{}", kept.text);
    let users = kept.json["fields"].as_array().unwrap();
    assert!(
        users.len() == 20 && kept.json["detail"].as_str().unwrap().contains("More than 20"),
        "{}",
        kept.text
    );
    assert!(kept.text.contains(&first), "{}", kept.text);
    let list = get(&app, key, "/connections?limit=100").await.json;
    for connection in list["data"].as_array().unwrap() {
        let path = format!("/connections/{}", connection["id"].as_str().unwrap());
        assert_eq!(ask(&app, key, Method::DELETE, &path, None).await.status, 204);
    }
    assert_eq!(ask(&app, key, Method::DELETE, &path, None).await.status, 200);
}

/// K2, R4, E8: whoever may run things but not read credentials makes no route print a secret: not as an answer, not in an
/// error, not by a service that echoes what it was sent.
#[tokio::test]
async fn k2_no_route_prints_a_secret_to_who_may_run_but_not_read() {
    static SECRET: Canary = Canary::new("secret of a shared credential");
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let data = json!({ "bot_token": &*SECRET });
    let named = json!({ "name": "named", "type": "token", "connector": "acme", "data": data });
    let named = id(&post(&app, &tenant.key, "/credentials", named).await);
    let free = json!({ "name": "free", "type": "custom", "data": { "bot_token": &*SECRET, "team": &*SECRET } });
    let free = id(&post(&app, &tenant.key, "/credentials", free).await);
    let pointing = json!({ "connector": "acme", "name": "pointing", "credentialId": named });
    let connection = id(&post(&app, &tenant.key, "/connections", pointing).await);

    let permissions = Permission::ALL.iter().copied().filter(|permission| {
        let name = permission.as_str();
        !name.starts_with("credentials:") && !["admin", "operator", "keys:write", "users:write"].contains(&name)
    });
    let runner = app.key(&tenant, &permissions.collect::<Vec<_>>()).await;
    let mut told = String::new();
    let mut echoes = 0;
    for action in ["echo", "misfit"] {
        let step = |via: &str, id: &str| json!({ "connectorType": "acme", "action": action, via: id });
        for body in [
            step("credentialId", &named),
            step("credentialId", &free),
            step("connectionId", &connection),
        ] {
            let answer = post(&app, &runner, "/actions", body).await;
            echoes += usize::from(answer.text.contains("[redacted]"));
            told += &answer.text;
        }
    }
    assert_eq!(echoes, 6, "the service did not echo: {told}");
    for route in router::routes() {
        let Access::Needs(_) = route.access() else { continue };
        // What others see afterwards must still be there.
        if route.method() == Method::DELETE {
            continue;
        }
        for credential in [&named, &free] {
            let path = route
                .path()
                .replace("{credential}", credential)
                .replace("{connection}", &connection);
            let path = path.replace("{connector}", "acme").replace("{action}", "echo");
            if path.contains('{') || path.contains("/events") {
                continue;
            }
            let get = route.method() == Method::GET;
            let body =
                json!({ "credentialId": credential, "connector": "acme", "connectorType": "acme", "action": "echo" });
            let ask = Ask::new(route.method().clone(), path.clone()).key(&runner);
            let answer = app.ask(if get { ask } else { ask.json(&body) }).await;
            if path.contains("/credentials") {
                assert_eq!((answer.status, answer.code()), (403, "PERMISSION_DENIED"), "{path}");
            }
            told += &answer.text;
        }
    }
    // Whoever may read credentials is told no secret either.
    for path in [
        "/credentials",
        &format!("/credentials/{named}"),
        &format!("/credentials/{free}"),
        "/audit-logs?limit=200",
    ] {
        told += &get(&app, &tenant.key, path).await.text;
    }
    for path in [format!("/credentials/{named}"), format!("/credentials/{free}")] {
        let wrong = json!({ "data": { "nonsense": &*SECRET, "bot_token": [&*SECRET] } });
        told += &ask(&app, &tenant.key, Method::PATCH, &path, Some(wrong.clone()))
            .await
            .text;
        told += &post(&app, &tenant.key, &format!("{path}/rotate"), wrong).await.text;
        told += &ask(&app, &tenant.key, Method::POST, &format!("{path}/test"), None)
            .await
            .text;
    }
    let files = String::from_utf8_lossy(&app.data.bytes().await).into_owned();
    assert!(!SECRET.is_in(&told), "an answer holds it");
    assert!(!SECRET.is_in(&files), "a database file holds it");
    assert!(
        told.contains("credential.created") && files.contains("bot_token"),
        "nothing was looked at"
    );
}
