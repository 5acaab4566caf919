//! Connections, from the first to the last request.

use http::Method;
use serde_json::{Value, json};
use tieline_testkit::canary::Canary;

use crate::support::{Answer, Ask, GOOD_TOKEN, Tenant, TestApp, WRONG_TOKEN};

async fn post(app: &TestApp, tenant: &Tenant, path: &str, body: &Value) -> Answer {
    app.ask(Ask::post(format!("/api/v1{path}")).key(&tenant.key).json(body))
        .await
}

async fn patch(app: &TestApp, tenant: &Tenant, id: &str, body: &Value) -> Answer {
    app.ask(
        Ask::new(Method::PATCH, format!("/api/v1/connections/{id}"))
            .key(&tenant.key)
            .json(body),
    )
    .await
}

async fn get(app: &TestApp, tenant: &Tenant, path: &str) -> Answer {
    app.ask(Ask::get(format!("/api/v1{path}")).key(&tenant.key)).await
}

#[tokio::test]
async fn from_the_first_to_the_last_request() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let body = json!({ "connector": "acme", "displayName": "Main Account", "config": { "botToken": GOOD_TOKEN, "team": "blue" } });
    let made = post(&app, &tenant, "/connections", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json["test"]["success"], true);
    assert_eq!(made.json["test"]["label"], "ada");
    let mut connection = made.json.clone();
    connection.as_object_mut().unwrap().remove("test");
    assert_eq!(connection["name"], "main-account");
    assert_eq!(connection["status"], "active");
    assert_eq!(connection["config"], json!({ "team": "blue" }));
    assert_eq!(connection["scope"], json!({ "kind": "tenant", "identity": "" }));
    assert_eq!(connection["secrets"]["bot_token"]["set"], true);
    let id = connection["id"].as_str().unwrap();

    assert_eq!(get(&app, &tenant, &format!("/connections/{id}")).await.json, connection);
    assert_eq!(
        get(&app, &tenant, "/connections").await.json,
        json!({ "data": [connection], "nextCursor": null })
    );

    let off = post(&app, &tenant, &format!("/connections/{id}/disable"), &json!({})).await;
    assert_eq!(
        (off.json["enabled"].clone(), off.json["status"].clone()),
        (json!(false), json!("inactive"))
    );
    let refused = post(&app, &tenant, &format!("/connections/{id}/actions/whoami"), &json!({})).await;
    assert_eq!((refused.status, refused.code()), (409, "CONNECTION_DISABLED"));
    let on = post(&app, &tenant, &format!("/connections/{id}/enable"), &json!({})).await;
    assert_eq!(on.json["status"], "active");

    let gone = app
        .ask(Ask::new(Method::DELETE, format!("/api/v1/connections/{id}")).key(&tenant.key))
        .await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert_eq!(get(&app, &tenant, &format!("/connections/{id}")).await.status, 404);
    let again = app
        .ask(Ask::new(Method::DELETE, format!("/api/v1/connections/{id}")).key(&tenant.key))
        .await;
    assert_eq!(again.status, 404);
}

#[tokio::test]
async fn a_connection_whose_test_fails_is_kept_as_an_error_and_can_be_mended() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let made = post(
        &app,
        &tenant,
        "/connections",
        &json!({ "connector": "acme", "config": { "bot_token": WRONG_TOKEN } }),
    )
    .await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json["test"]["success"], false);
    assert_eq!(made.json["status"], "error");
    let id = made.json["id"].as_str().unwrap();

    let mended = patch(&app, &tenant, id, &json!({ "config": { "bot_token": GOOD_TOKEN } })).await;
    assert_eq!(mended.status, 200, "{}", mended.text);
    assert_eq!(mended.json["status"], "testing", "new secrets are untested");
    let test = post(&app, &tenant, &format!("/connections/{id}/test"), &json!({})).await;
    assert_eq!(test.json["success"], true, "{}", test.text);
    assert_eq!(
        get(&app, &tenant, &format!("/connections/{id}")).await.json["status"],
        "active"
    );
}

#[tokio::test]
async fn a_test_without_keeping_keeps_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    for (token, works) in [(&*GOOD_TOKEN, true), (&*WRONG_TOKEN, false)] {
        let body = json!({ "connector": "acme", "config": { "bot_token": token } });
        let test = post(&app, &tenant, "/connections/test", &body).await;
        assert_eq!(
            (test.status, test.json["success"].clone()),
            (200, json!(works)),
            "{}",
            test.text
        );
    }
    assert_eq!(get(&app, &tenant, "/connections").await.json["data"], json!([]));
}

#[tokio::test]
async fn names_are_given_or_made_and_taken_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let body = |name: Option<&str>| json!({ "connector": "acme", "displayName": "Main", "name": name, "config": { "bot_token": GOOD_TOKEN } });
    for expected in ["main", "main-2", "main-3"] {
        let made = post(&app, &tenant, "/connections", &body(None)).await;
        assert_eq!(made.json["name"], expected, "{}", made.text);
    }
    let taken = post(&app, &tenant, "/connections", &body(Some("main"))).await;
    assert_eq!((taken.status, taken.code()), (409, "CONNECTOR_ALREADY_CONNECTED"));
    let other = app.tenant("bob").await;
    assert_eq!(
        post(&app, &other, "/connections", &body(Some("main"))).await.status,
        201,
        "another tenant's name is free"
    );
}

#[tokio::test]
async fn r4_a_patch_without_a_secret_or_with_its_mask_keeps_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let id = app.connect(&tenant, "main").await;
    let shown = get(&app, &tenant, &format!("/connections/{id}")).await.json["secrets"]["bot_token"].clone();
    for config in [json!({ "team": "red" }), json!({ "team": "green", "bot_token": shown })] {
        let patched = patch(&app, &tenant, &id, &json!({ "config": config })).await;
        assert_eq!(patched.status, 200, "{}", patched.text);
        assert_eq!(patched.json["config"]["team"], config["team"]);
        let called = post(&app, &tenant, &format!("/connections/{id}/actions/whoami"), &json!({})).await;
        assert_eq!(called.status, 200, "the secret was lost: {}", called.text);
    }
}

#[tokio::test]
async fn lists_come_in_pages_and_by_filter() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        ids.push(app.connect(&tenant, name).await);
    }
    post(&app, &tenant, &format!("/connections/{}/disable", ids[2]), &json!({})).await;
    let (mut seen, mut path) = (Vec::new(), "/connections?limit=2".to_owned());
    loop {
        let page = get(&app, &tenant, &path).await.json;
        seen.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("/connections?limit=2&cursor={cursor}");
    }
    ids.sort();
    assert_eq!(seen, ids);
    let count = |json: Value| json["data"].as_array().unwrap().len();
    assert_eq!(count(get(&app, &tenant, "/connections?enabled=false").await.json), 1);
    assert_eq!(count(get(&app, &tenant, "/connections?connector=other").await.json), 0);
    assert_eq!(count(get(&app, &tenant, "/connections?scope=tenant").await.json), 5);
    assert_eq!(
        count(get(&app, &tenant, "/connections?scope=user&identity=u1").await.json),
        0
    );
}

/// R4, E8: a canary goes in wherever a secret can, and comes out nowhere: no answer holds it, and no database file.
/// The scan after the run looks once more, for every encoding.
#[tokio::test]
async fn r4_e8_no_answer_and_no_file_holds_a_secret() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    static CANARY: Canary = Canary::new("secret in every place");
    let canary = &*CANARY;
    let mut told = String::new();
    let config = json!({ "bot_token": canary });
    for body in [
        json!({ "connector": "acme", "name": "one", "config": config }),
        json!({ "connector": "acme", "name": "one", "config": config }),
        json!({ "connector": "acme", "name": "two", "config": { "bot_token": canary, "nonsense": canary } }),
        json!({ "connector": "acme", "name": "two", "config": { "bot_token": [canary] } }),
        json!({ "connector": "acme", "name": [canary], "config": config }),
        json!({ "connector": "acme", "enabled": canary }),
        json!({ "connector": "acme", "auth": "none", "config": config }),
        json!(canary),
    ] {
        told += &post(&app, &tenant, "/connections", &body).await.text;
        told += &post(&app, &tenant, "/connections/test", &body).await.text;
    }
    let list = get(&app, &tenant, "/connections").await;
    let id = list.json["data"][0]["id"].as_str().unwrap().to_owned();
    told += &list.text;
    told += &get(&app, &tenant, &format!("/connections/{id}")).await.text;
    told += &patch(
        &app,
        &tenant,
        &id,
        &json!({ "config": { "bot_token": format!("{canary}2") } }),
    )
    .await
    .text;
    told += &patch(&app, &tenant, &id, &json!({ "displayName": "New", "enabled": true }))
        .await
        .text;
    for path in ["test", "disable", "enable", "actions/whoami", "actions/send"] {
        told += &post(
            &app,
            &tenant,
            &format!("/connections/{id}/{path}"),
            &json!({ "content": "hello" }),
        )
        .await
        .text;
    }
    for path in ["/audit-logs", "/api-keys", "/catalog", "/catalog/acme"] {
        told += &get(&app, &tenant, path).await.text;
    }
    let files = String::from_utf8_lossy(&app.data.bytes().await).into_owned();
    assert!(!CANARY.is_in(&told), "an answer holds it");
    assert!(!CANARY.is_in(&files), "a database file holds it");
    assert!(told.contains("connection.created"), "the audit log was not read");
    assert!(files.contains("bot_token"), "the database files were not read");
}
