//! The catalog.

use serde_json::Value;

use crate::support::{Ask, TestApp};

#[tokio::test]
async fn lists_by_every_filter_and_tells_one_whole() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let ids = async |query: &str| -> Vec<String> {
        let answer = app
            .ask(Ask::get(format!("/api/v1/catalog{query}")).key(&tenant.key))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let data = answer.json["data"].as_array().unwrap();
        data.iter()
            .map(|entry| entry["id"].as_str().unwrap().to_owned())
            .collect()
    };
    for found in [
        "",
        "?q=MESSAGES",
        "?q=acme%20sends",
        "?q=whoami",
        "?category=communication",
        "?tag=Chat",
    ] {
        assert!(ids(found).await.contains(&"acme".to_owned()), "{found}");
    }
    for not in [
        "?q=acme%20zebra",
        "?category=email",
        "?tag=mail",
        "?status=deprecated",
        "?q=chat&category=email",
    ] {
        assert!(!ids(not).await.contains(&"acme".to_owned()), "{not}");
    }
    let whole = app.ask(Ask::get("/api/v1/catalog/acme").key(&tenant.key)).await.json;
    let connector = app.connectors.registry().get("acme").unwrap();
    assert_eq!(
        whole,
        serde_json::to_value(connector.descriptor()).unwrap(),
        "nothing about a connector is told twice"
    );
}

#[tokio::test]
async fn a_connectors_openapi_is_a_view_of_its_descriptor() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    for connector in app.connectors.registry().list() {
        let path = format!("/api/v1/catalog/{}/openapi.json", connector.id());
        let document = app.ask(Ask::get(path).key(&tenant.key)).await.json;
        let paths = document["paths"].as_object().unwrap();
        if connector.descriptor().actions.is_empty() {
            assert!(paths.is_empty(), "{} is called through the proxy alone", connector.id());
            continue;
        }
        let step = &paths["/actions"]["post"]["requestBody"]["content"]["application/json"]["schema"]["oneOf"];
        for (body, action) in step.as_array().unwrap().iter().zip(&connector.descriptor().actions) {
            assert_eq!(body["properties"]["connectorType"]["const"], connector.id());
            assert_eq!(body["properties"]["action"]["const"], action.id.as_str());
            assert_eq!(
                body["properties"]["input"],
                embedded(&action.input, &action.id, "input")
            );
            let keys = body["oneOf"].to_string();
            assert_eq!(
                keys.contains("credentialId"),
                action.requires_connection,
                "{}",
                action.id
            );
        }
        assert_eq!(paths.len(), connector.descriptor().actions.len() + 1);
        for action in &connector.descriptor().actions {
            let post = &paths[&format!("/connections/{{connection}}/actions/{}", action.id)]["post"];
            assert_eq!(post["summary"], action.name.as_str());
            assert_eq!(
                post["requestBody"]["content"]["application/json"]["schema"],
                embedded(&action.input, &action.id, "input")
            );
            let answer = &post["responses"]["200"]["content"]["application/json"]["schema"];
            assert_eq!(
                answer["properties"]["output"],
                embedded(&action.output, &action.id, "output")
            );
        }
    }
}

/// A schema as it stands in a description, where its definitions have another place.
fn embedded(schema: &Value, action: &str, part: &str) -> Value {
    let mut schema = schema.clone();
    schema.as_object_mut().map(|words| words.remove("$defs"));
    let place = format!("#/components/schemas/{action}.{part}.");
    serde_json::from_str(&schema.to_string().replace("#/$defs/", &place)).unwrap()
}

#[tokio::test]
async fn guides_come_with_what_we_ship() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    for folder in tieline_catalog::shipped() {
        let answer = app
            .ask(Ask::get(format!("/api/v1/catalog/{}/guide", folder.id)).key(&tenant.key))
            .await;
        assert_eq!((answer.status, answer.text.as_str()), (200, folder.guide));
        assert_eq!(answer.headers["content-type"], "text/markdown; charset=utf-8");
    }
    let none = app.ask(Ask::get("/api/v1/catalog/acme/guide").key(&tenant.key)).await;
    assert_eq!((none.status, none.code()), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn pictures_come_with_what_we_ship() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    for folder in tieline_catalog::shipped() {
        let icon = format!("/api/v1/catalog/{}/icon", folder.id);
        let answer = app.ask(Ask::get(icon).key(&tenant.key)).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, folder.icon));
        assert_eq!(answer.headers["content-type"], "image/svg+xml");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
    let none = app.ask(Ask::get("/api/v1/catalog/acme/icon").key(&tenant.key)).await;
    assert_eq!((none.status, none.code()), (404, "NOT_FOUND"));
}
