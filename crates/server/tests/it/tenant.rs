//! Tenants, for the operator.

use http::Method;
use serde_json::json;

use tieline_server::caller::Permission;

use crate::support::{Ask, TestApp, new_key};

#[tokio::test]
async fn k3_a_tenants_first_key_does_not_outlive_its_maker() {
    let app = TestApp::start().await;
    let tenant = app.tenant("operators").await;
    let by = tieline::audit::Actor::new(tenant.id, "test");
    let mut new = new_key(&[Permission::Operator]);
    new.expires_at = Some("2999-01-01T00:00:00Z".parse().unwrap());
    let mortal = app.connectors.create_api_key(&by, new).await.unwrap();
    for (key, expires) in [
        (mortal.text.reveal().clone(), json!("2999-01-01T00:00:00Z")),
        (app.key(&tenant, &[Permission::Operator]).await, json!(null)),
    ] {
        let body = json!({ "name": format!("made by {expires}") });
        let made = app.ask(Ask::post("/api/v1/tenants").key(&key).json(&body)).await;
        assert_eq!(made.json["firstKey"]["apiKey"]["expiresAt"], expires, "{}", made.text);
    }
}

#[tokio::test]
async fn an_operator_makes_tenants_that_are_whole_and_apart() {
    let app = TestApp::start().await;
    let operator = app.operator().await;
    let make = |name: &str| {
        Ask::post("/api/v1/tenants")
            .key(&operator)
            .json(&json!({ "name": name }))
    };
    let made = app.ask(make("north")).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let key = made.json["firstKey"]["key"].as_str().unwrap();
    assert_eq!(app.ask(Ask::get("/api/v1/connections").key(key)).await.status, 200);
    assert_eq!(
        app.ask(Ask::get("/api/v1/tenants").key(key)).await.status,
        403,
        "a tenant's admin sees no tenants"
    );

    let taken = app.ask(make("north")).await;
    assert_eq!((taken.status, taken.code()), (409, "NAME_TAKEN"));
    let listed = app.ask(Ask::get("/api/v1/tenants").key(&operator)).await;
    assert!(
        listed.json["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|tenant| tenant["name"] == "north")
    );
    // T1: making tenants gives no way into them.
    assert_eq!(
        app.ask(Ask::get("/api/v1/connections").key(&operator)).await.status,
        403
    );
}

/// Names are the deployment's: whoever may not give one learns of none.
#[tokio::test]
async fn t1_a_name_tells_a_tenant_nothing_of_others() {
    let app = TestApp::start().await;
    let (north, south) = (app.tenant("north").await, app.tenant("south").await);
    let rename = |key: &str, name: &str| {
        Ask::new(Method::PATCH, format!("/api/v1/tenants/{}", north.id))
            .key(key)
            .json(&json!({ "name": name }))
    };
    let taken = app.ask(rename(&north.key, "south")).await;
    assert_eq!((taken.status, taken.code()), (403, "PERMISSION_DENIED"));
    let free = app.ask(rename(&north.key, "nowhere")).await;
    assert_eq!(taken.without_request_id(), free.without_request_id());
    let operator = app.operator().await;
    assert_eq!(app.ask(rename(&operator, "south")).await.code(), "NAME_TAKEN");
    assert_eq!(app.ask(rename(&operator, "nowhere")).await.json["name"], "nowhere");
    let default = app.ask(rename(&operator, "default")).await;
    assert_eq!((default.status, default.code()), (422, "REQUEST_INVALID"));
    drop(south);
}
