//! `/v1`: the connectors service's addresses, words and envelopes.

use http::Method;
use serde_json::{Value, json};
use tieline_server::caller::Permission;

use crate::support::{Answer, Ask, GOOD_TOKEN, Tenant, TestApp, WRONG_TOKEN};

/// The fields of its response model.
const MODEL: [&str; 15] = [
    "category",
    "connector_id",
    "connector_name",
    "connector_type",
    "created_at",
    "created_by",
    "data_types",
    "display_name",
    "icon",
    "last_sync",
    "metadata",
    "status",
    "sync_frequency",
    "tenant_id",
    "updated_at",
];

async fn post(app: &TestApp, tenant: &Tenant, path: &str, body: &Value) -> Answer {
    app.ask(Ask::post(path).key(&tenant.key).json(body)).await
}

async fn create(app: &TestApp, tenant: &Tenant, name: &str, token: &str) -> Answer {
    let body = json!({
        "connector_type": "acme", "display_name": name, "config": { "bot_token": token }, "sync_frequency": "daily",
    });
    let made = post(app, tenant, "/v1/connectors", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made
}

fn id(answer: &Answer) -> String {
    answer.json["connector_id"].as_str().unwrap().to_owned()
}

fn names(fields: &Value) -> Vec<&str> {
    fields.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_catalog_is_open_and_shows_what_we_ship_as_cards() {
    let app = TestApp::start().await;
    let catalog = app.ask(Ask::get("/v1/catalog")).await;
    assert_eq!(catalog.status, 200);
    let cards = catalog.json["connectors"].as_array().unwrap();
    assert_eq!(catalog.json["total"], cards.len());
    let mut ids: Vec<&str> = cards.iter().map(|card| card["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    // What an operator added is not among them.
    let shipped: Vec<&str> = tieline_catalog::shipped().iter().map(|folder| folder.id).collect();
    assert_eq!(ids, shipped);
    for card in cards {
        let fields = [
            "authType",
            "category",
            "dataTypes",
            "displayName",
            "icon",
            "id",
            "name",
            "region",
        ];
        assert_eq!(names(card), fields, "{card}");
    }
}

#[tokio::test]
async fn a_connector_is_made_tested_shown_changed_and_deleted() {
    let app = TestApp::start().await;
    let alice = app.tenant("alice").await;
    let made = create(&app, &alice, "Main Acme Account", &GOOD_TOKEN).await;
    assert_eq!(made.json["test"]["success"], true);
    let address = format!("/v1/connectors/{}", id(&made));
    let shown = app.ask(Ask::get(&address).key(&alice.key)).await;
    assert_eq!(names(&shown.json), MODEL);
    for (field, value) in [
        ("connector_type", json!("acme")),
        ("connector_name", json!("Acme Chat")),
        ("display_name", json!("Main Acme Account")),
        ("status", json!("active")),
        ("sync_frequency", json!("daily")),
        ("last_sync", Value::Null),
        ("metadata", json!({})),
        ("tenant_id", json!(alice.id)),
    ] {
        assert_eq!(shown.json[field], value, "{field}");
        assert_eq!(made.json[field], value, "{field}");
    }

    // It is the same row everywhere.
    let ours = app
        .ask(Ask::get(format!("/api/v1/connections/{}", id(&made))).key(&alice.key))
        .await;
    assert_eq!(
        (&ours.json["displayName"], &ours.json["syncFrequency"]),
        (&json!("Main Acme Account"), &json!("daily"))
    );

    let put = |body: Value| {
        let ask = Ask::new(Method::PUT, &*address).key(&alice.key).json(&body);
        app.ask(ask)
    };
    let renamed = put(json!({ "display_name": "Second", "sync_frequency": "weekly" })).await;
    assert_eq!(
        (
            renamed.status,
            &renamed.json["display_name"],
            &renamed.json["sync_frequency"]
        ),
        (200, &json!("Second"), &json!("weekly")),
        "{}",
        renamed.text
    );
    assert_eq!(renamed.json["status"], "active", "what was not sent stays");
    assert_eq!(put(json!({ "status": "inactive" })).await.json["status"], "inactive");
    assert_eq!(put(json!({ "status": "active" })).await.json["status"], "active");
    for word in ["testing", "broken", ""] {
        let refused = put(json!({ "status": word })).await;
        assert_eq!((refused.status, refused.code()), (400, "STATUS_INVALID"), "{word}");
        assert_eq!(refused.json["detail"], format!("Invalid status: {word}"));
    }
    let changed = put(json!({ "config": { "bot_token": WRONG_TOKEN } })).await;
    assert_eq!(changed.json["status"], "testing", "new secrets are not known to work");
    let tested = app.ask(Ask::post(format!("{address}/test")).key(&alice.key)).await;
    assert_eq!(
        (&tested.json["success"], &tested.json["error_code"]),
        (&json!(false), &json!("INVALID_TOKEN"))
    );
    let failing = app.ask(Ask::get(&address).key(&alice.key)).await;
    assert_eq!(failing.json["status"], "error");
    assert_eq!(names(&failing.json["metadata"]), ["error_message", "last_error_at"]);
    assert_eq!(failing.json["metadata"]["error_message"], tested.json["message"]);
    put(json!({ "config": { "bot_token": GOOD_TOKEN } })).await;
    app.ask(Ask::post(format!("{address}/test")).key(&alice.key)).await;
    let mended = app.ask(Ask::get(&address).key(&alice.key)).await;
    assert_eq!(
        (&mended.json["status"], &mended.json["metadata"]),
        (&json!("active"), &json!({})),
        "the old message is gone"
    );

    let gone = app.ask(Ask::new(Method::DELETE, &*address).key(&alice.key)).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(app.ask(Ask::new(method, &*address).key(&alice.key)).await.status, 404);
    }
}

#[tokio::test]
async fn lists_come_newest_first_by_status_in_pages_and_with_their_total() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    create(&app, &bob, "bobs", &GOOD_TOKEN).await;
    let mut made = Vec::new();
    for (name, token) in [
        ("one", &*GOOD_TOKEN),
        ("two", &*WRONG_TOKEN),
        ("three", &*GOOD_TOKEN),
        ("four", &*GOOD_TOKEN),
    ] {
        made.push(id(&create(&app, &alice, name, token).await));
    }
    let off = json!({ "status": "inactive" });
    let off = Ask::new(Method::PUT, format!("/v1/connectors/{}", made[3]))
        .key(&alice.key)
        .json(&off);
    assert_eq!(app.ask(off).await.status, 200);
    made.reverse();
    let list = async |query: &str| {
        let listed = app
            .ask(Ask::get(format!("/v1/connectors{query}")).key(&alice.key))
            .await;
        assert_eq!(listed.status, 200, "{}", listed.text);
        let rows = listed.json["connectors"].as_array().unwrap();
        let ids: Vec<String> = rows
            .iter()
            .map(|row| row["connector_id"].as_str().unwrap().to_owned())
            .collect();
        (ids, listed)
    };
    let (ids, listed) = list("").await;
    assert_eq!(
        (&ids, &listed.json["total"], &listed.json["next_cursor"]),
        (&made, &json!(4), &Value::Null)
    );
    assert!(!listed.text.contains(&*GOOD_TOKEN));
    for (word, expected) in [
        ("inactive", &made[..1]),
        ("error", &made[2..3]),
        ("active", &[made[1].clone(), made[3].clone()]),
        ("testing", &[]),
        ("syncing", &[]),
    ] {
        for name in ["status", "status_filter"] {
            let (ids, listed) = list(&format!("?{name}={word}")).await;
            assert_eq!(ids, expected, "{name}={word}");
            assert_eq!(listed.json["total"], expected.len());
        }
    }
    let (first, page) = list("?limit=3&status=active&status_filter=active").await;
    assert_eq!(first.len(), 2, "{}", page.text);
    let (first, page) = list("?limit=3").await;
    assert_eq!((&first[..], &page.json["total"]), (&made[..3], &json!(4)));
    let cursor = page.json["next_cursor"].as_str().unwrap();
    let (second, page) = list(&format!("?limit=3&cursor={cursor}")).await;
    assert_eq!((&second[..], &page.json["next_cursor"]), (&made[3..], &Value::Null));
    for (query, detail) in [
        ("?status=broken", "Invalid status: broken"),
        ("?status_filter=Active", "Invalid status: Active"),
        ("?status=active&status_filter=error", "Invalid status: two of them"),
    ] {
        let refused = app
            .ask(Ask::get(format!("/v1/connectors{query}")).key(&alice.key))
            .await;
        assert_eq!(
            (refused.status, &refused.json["detail"]),
            (400, &json!(detail)),
            "{query}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_as_its_clients_expect() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    let unknown = post(
        &app,
        &alice,
        "/v1/connectors",
        &json!({ "connector_type": "fax", "display_name": "Fax", "config": {} }),
    )
    .await;
    assert_eq!(
        (unknown.status, &unknown.json["detail"]),
        (400, &json!("Unknown connector type: fax"))
    );
    // T2: not 403, which would tell that it is there.
    let bobs = id(&create(&app, &bob, "bobs", &GOOD_TOKEN).await);
    for (method, path) in [
        (Method::GET, format!("/v1/connectors/{bobs}")),
        (Method::DELETE, format!("/v1/connectors/{bobs}")),
        (Method::POST, format!("/v1/connectors/{bobs}/test")),
    ] {
        assert_eq!(app.ask(Ask::new(method, path).key(&alice.key)).await.status, 404);
    }
    let nobody = app.ask(Ask::get("/v1/connectors")).await;
    assert_eq!(nobody.status, 401);
    assert!(nobody.json["detail"].is_string());
    let reader = app.key(&alice, &[Permission::ConnectionsRead]).await;
    let body = json!({ "connector_type": "acme", "config": { "bot_token": GOOD_TOKEN } });
    for path in ["/v1/connectors", "/v1/connectors/test"] {
        assert_eq!(app.ask(Ask::post(path).key(&reader).json(&body)).await.status, 403);
    }
}

#[tokio::test]
async fn a_configuration_is_tested_before_it_is_kept() {
    let app = TestApp::start().await;
    let alice = app.tenant("alice").await;
    for (connector, config, success, word) in [
        ("acme", json!({ "bot_token": GOOD_TOKEN }), true, Value::Null),
        (
            "acme",
            json!({ "bot_token": WRONG_TOKEN }),
            false,
            json!("INVALID_TOKEN"),
        ),
        ("acme", json!({}), false, json!("MISSING_CREDENTIALS")),
        ("fax", json!({}), false, json!("UNSUPPORTED_TYPE")),
    ] {
        let body = json!({ "connector_type": connector, "config": config });
        let tested = post(&app, &alice, "/v1/connectors/test", &body).await;
        assert_eq!(tested.status, 200, "{}", tested.text);
        assert_eq!(
            (&tested.json["success"], &tested.json["error_code"]),
            (&json!(success), &word),
            "{}",
            tested.text
        );
        assert!(
            tested.json["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty())
        );
    }
    let listed = app.ask(Ask::get("/v1/connectors").key(&alice.key)).await;
    assert_eq!(listed.json["total"], 0, "nothing was kept");
}

/// A superset of what the connectors service tells.
#[tokio::test]
async fn health_is_told_to_everybody() {
    let app = TestApp::start().await;
    let health = app.ask(Ask::get("/health")).await;
    assert_eq!(health.json["status"], "healthy");
    assert!(health.json["service"].is_string());
    for feature in ["encryption", "testing"] {
        assert_eq!(health.json["features"][feature], true, "{feature}");
    }
    assert!(!health.json["features"]["oauth"].is_null());
}
