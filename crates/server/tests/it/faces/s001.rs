//! `/api/v1/connectors` and `/api/v1/credentials` as the workflow platform's clients use them.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Ask, GOOD_TOKEN, TestApp};

#[tokio::test]
async fn a_credential_is_made_listed_changed_and_deleted_as_its_clients_expect() {
    let app = TestApp::start().await;
    let alice = app.tenant("alice").await;
    let body = json!({
        "name": "Test Acme", "type": "oauth", "provider": "acme", "data": { "bot_token": GOOD_TOKEN },
        "rotationPolicy": { "everyDays": 90 },
    });
    let made = app
        .ask(Ask::post("/api/v1/credentials").key(&alice.key).json(&body))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    for (field, value) in [
        ("name", json!("Test Acme")),
        ("type", json!("oauth")),
        ("provider", json!("acme")),
        ("description", Value::Null),
        ("metadata", json!({ "rotationPolicy": { "everyDays": 90 } })),
    ] {
        assert_eq!(made.json[field], value, "{field}");
    }
    let address = format!("/api/v1/credentials/{}", made.json["id"].as_str().unwrap());
    let listed = app.ask(Ask::get("/api/v1/credentials").key(&alice.key)).await;
    let row = &listed.json["data"][0];
    for field in [
        "id",
        "name",
        "description",
        "type",
        "provider",
        "metadata",
        "lastRotatedAt",
        "expiresAt",
        "createdAt",
        "updatedAt",
    ] {
        assert!(row.get(field).is_some(), "{field} is missing in {row}");
    }
    assert!(!listed.text.contains(&*GOOD_TOKEN));
    let patch = json!({ "description": "Of the blue team.", "metadata": { "team": "blue" } });
    let patched = app
        .ask(Ask::new(Method::PATCH, &*address).key(&alice.key).json(&patch))
        .await;
    assert_eq!(
        (patched.status, &patched.json["provider"]),
        (200, &json!("acme")),
        "{}",
        patched.text
    );
    let gone = app.ask(Ask::new(Method::DELETE, &*address).key(&alice.key)).await;
    assert_eq!((gone.status, gone.json), (200, json!({ "success": true })));
    let missing = app.ask(Ask::get(&*address).key(&alice.key)).await;
    assert_eq!((missing.status, missing.code()), (404, "NOT_FOUND"));
    assert!(missing.json["error"].is_string());
}

#[tokio::test]
async fn connectors_are_connections_under_a_second_name() {
    let app = TestApp::start().await;
    let alice = app.tenant("alice").await;
    let credential = app.credential(&alice, "shared").await;
    let make = |body: Value| app.ask(Ask::post("/api/v1/connectors").key(&alice.key).json(&body));
    let body = json!({ "name": "Test Acme Connector", "type": "acme", "credentialId": credential });
    let made = make(body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    for (field, value) in [
        ("name", json!("Test Acme Connector")),
        ("type", json!("acme")),
        ("description", Value::Null),
        ("config", json!({})),
        ("credentialId", json!(credential)),
        ("status", json!("active")),
    ] {
        assert_eq!(made.json[field], value, "{field}");
    }
    let again = make(body).await;
    assert_eq!(
        (again.status, &again.json["name"]),
        (201, &json!("Test Acme Connector")),
        "names are for people"
    );
    let described = make(json!({
        "name": "Own", "type": "acme", "description": "With its own token.",
        "config": { "bot_token": GOOD_TOKEN, "team": "blue" },
    }))
    .await;
    assert_eq!(
        (&described.json["description"], &described.json["config"]),
        (&json!("With its own token."), &json!({ "team": "blue" })),
        "{}",
        described.text
    );
    let unknown = make(json!({ "name": "Fax", "type": "fax" })).await;
    assert_eq!(
        (unknown.status, &unknown.json["error"]),
        (400, &json!("Unknown connector type: fax"))
    );

    let listed = app.ask(Ask::get("/api/v1/connectors").key(&alice.key)).await;
    let names: Vec<&str> = listed.json["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Test Acme Connector", "Test Acme Connector", "Own"]);
    assert!(!listed.text.contains(&*GOOD_TOKEN) && !listed.text.contains("sealed"));
    let second = app.ask(Ask::get("/api/v1/connectors?limit=1").key(&alice.key)).await;
    let cursor = second.json["nextCursor"].as_str().unwrap();
    let rest = app
        .ask(Ask::get(format!("/api/v1/connectors?cursor={cursor}")).key(&alice.key))
        .await;
    assert_eq!(rest.json["data"].as_array().unwrap().len(), 2);

    let address = format!("/api/v1/connectors/{}", described.json["id"].as_str().unwrap());
    let patch = json!({ "name": "Ours", "description": null, "enabled": false });
    let patched = app
        .ask(Ask::new(Method::PATCH, &*address).key(&alice.key).json(&patch))
        .await;
    assert_eq!(
        (
            &patched.json["name"],
            &patched.json["description"],
            &patched.json["status"]
        ),
        (&json!("Ours"), &Value::Null, &json!("inactive"))
    );
    let tested = app.ask(Ask::post(format!("{address}/test")).key(&alice.key)).await;
    assert_eq!(tested.json["success"], true);
    assert_eq!(
        app.ask(Ask::new(Method::DELETE, &*address).key(&alice.key))
            .await
            .status,
        204
    );
    assert_eq!(app.ask(Ask::get(&*address).key(&alice.key)).await.status, 404);
}

#[tokio::test]
async fn what_can_be_connected_is_listed_with_its_actions() {
    let app = TestApp::start().await;
    let alice = app.tenant("alice").await;
    let available = app
        .ask(Ask::get("/api/v1/connectors?available=true").key(&alice.key))
        .await;
    let rows = available.json["data"].as_array().unwrap();
    let acme = rows.iter().find(|row| row["type"] == "acme").unwrap();
    assert_eq!(acme["name"], "Acme Chat");
    let actions = acme["actions"].as_array().unwrap();
    let send = actions.iter().find(|action| action["name"] == "send").unwrap();
    let fields: Vec<&str> = send.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["description", "inputSchema", "name", "outputSchema"]);
    assert_eq!(send["inputSchema"]["type"], "object");
    assert_eq!(rows.len(), app.connectors.registry().list().len());
}
