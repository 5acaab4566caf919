//! API keys.

use http::Method;
use serde_json::json;
use tieline_server::caller::Permission;

use crate::support::{Ask, TestApp};

const PATH: &str = "/api/v1/api-keys";

#[tokio::test]
async fn k1_a_key_is_told_once_works_and_is_revoked_at_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let body = json!({ "name": "ci", "permissions": { "catalog:read": true, "connections:read": false } });
    let made = app.ask(Ask::post(PATH).key(&tenant.key).json(&body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (key, id) = (
        made.json["key"].as_str().unwrap(),
        made.json["apiKey"]["id"].as_str().unwrap(),
    );
    assert_eq!((key.len(), &key[..3]), (67, "sk_"));
    assert_eq!(made.json["apiKey"]["prefix"], key[..12]);

    let listed = app.ask(Ask::get(PATH).key(&tenant.key)).await;
    assert!(
        listed.text.contains(id) && !listed.text.contains(key),
        "{}",
        listed.text
    );
    let catalog = || Ask::get("/api/v1/catalog").key(key);
    assert_eq!(app.ask(catalog()).await.status, 200);
    assert_eq!(app.ask(Ask::get("/api/v1/connections").key(key)).await.status, 403);

    let revoke = Ask::new(Method::DELETE, format!("{PATH}/{id}")).key(&tenant.key);
    assert_eq!(app.ask(revoke.clone()).await.status, 204);
    assert_eq!(app.ask(catalog()).await.status, 401);
    assert_eq!(app.ask(revoke).await.status, 204, "revoking twice is no trouble");
}

#[tokio::test]
async fn k3_a_key_makes_no_stronger_key() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let weak = app
        .key(&tenant, &[Permission::KeysWrite, Permission::CatalogRead])
        .await;
    let make = |key: &str, permission: &str| {
        Ask::post(PATH)
            .key(key)
            .json(&json!({ "name": "k", "permissions": { permission: true } }))
    };
    for permission in ["catalog:read", "keys:write"] {
        assert_eq!(app.ask(make(&weak, permission)).await.status, 201, "{permission}");
    }
    for permission in ["connections:read", "admin", "operator", "keys:read"] {
        let answer = app.ask(make(&weak, permission)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "PERMISSION_DENIED"),
            "{permission}"
        );
    }
    let answer = app.ask(make(&tenant.key, "operator")).await;
    assert_eq!(
        (answer.status, answer.code()),
        (403, "PERMISSION_DENIED"),
        "an admin is no operator"
    );
}

#[tokio::test]
async fn k3_a_key_that_expires_makes_none_that_outlives_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let make = |key: &str, expires: Option<&str>| {
        let body = json!({ "name": "k", "permissions": { "keys:write": true }, "expiresAt": expires });
        Ask::post(PATH).key(key).json(&body)
    };
    let made = app.ask(make(&tenant.key, Some("2999-01-01T00:00:00Z"))).await;
    let mortal = made.json["key"].as_str().unwrap();
    assert_eq!(app.ask(make(mortal, Some("2998-01-01T00:00:00Z"))).await.status, 201);
    for later in [None, Some("2999-01-01T00:00:01Z")] {
        assert_eq!(app.ask(make(mortal, later)).await.status, 403, "{later:?}");
    }
    let past = app.ask(make(&tenant.key, Some("2001-01-01T00:00:00Z"))).await;
    assert_eq!((past.status, past.code()), (422, "REQUEST_INVALID"));
    assert_eq!(past.json["fields"][0]["pointer"], "/expiresAt", "{}", past.text);
}

/// T6: what one tenant does to their keys is nobody else's cost.
#[tokio::test]
async fn t6_one_tenants_revocations_cool_no_others_keys() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    let body = json!({ "name": "short-lived" });
    let made = app.ask(Ask::post(PATH).key(&alice.key).json(&body)).await;
    let revoke = Ask::new(
        Method::DELETE,
        format!("{PATH}/{}", made.json["apiKey"]["id"].as_str().unwrap()),
    );
    let catalog = || Ask::get("/api/v1/catalog").key(&bob.key);
    app.ask(catalog()).await;
    for _ in 0..2 {
        assert_eq!(app.ask(revoke.clone().key(&alice.key)).await.status, 204);
        let before = app.store.statements();
        assert_eq!(app.ask(catalog()).await.status, 200);
        assert_eq!(app.store.statements(), before, "bob's key was forgotten");
    }
}

async fn change(app: &TestApp, key: &str, id: &str, body: serde_json::Value) -> crate::support::Answer {
    app.ask(Ask::new(Method::PATCH, format!("{PATH}/{id}")).key(key).json(&body))
        .await
}

/// Makes a key; answers its text and its identifier.
async fn make(app: &TestApp, key: &str, body: serde_json::Value) -> (String, String) {
    let made = app.ask(Ask::post(PATH).key(key).json(&body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (text(&made.json["key"]), text(&made.json["apiKey"]["id"]))
}

#[tokio::test]
async fn k1_a_lowered_key_has_its_new_rights_with_the_next_request() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let body = json!({ "name": "ci", "permissions": { "catalog:read": true, "connections:read": true } });
    let (key, id) = make(&app, &tenant.key, body).await;
    let connections = || Ask::get("/api/v1/connections").key(&key);
    assert_eq!(app.ask(connections()).await.status, 200);
    let lowered = change(
        &app,
        &tenant.key,
        &id,
        json!({ "permissions": { "catalog:read": true }, "name": "ci 2" }),
    )
    .await;
    assert_eq!(lowered.status, 200, "{}", lowered.text);
    assert_eq!(
        (&lowered.json["permissions"], &lowered.json["name"]),
        (&json!({ "catalog:read": true }), &json!("ci 2"))
    );
    assert_eq!(app.ask(connections()).await.status, 403);
    assert_eq!(app.ask(Ask::get("/api/v1/catalog").key(&key)).await.status, 200);
    let read = app.ask(Ask::get(format!("{PATH}/{id}")).key(&tenant.key)).await;
    assert_eq!(read.json["permissions"], json!({ "catalog:read": true }));
    assert!(!read.text.contains(&key), "a key is told once");

    let revoke = Ask::new(Method::DELETE, format!("{PATH}/{id}")).key(&tenant.key);
    assert_eq!(app.ask(revoke).await.status, 204);
    let dead = change(&app, &tenant.key, &id, json!({ "name": "again" })).await;
    assert_eq!(
        (dead.status, dead.code()),
        (422, "REQUEST_INVALID"),
        "revoked is revoked"
    );
}

#[tokio::test]
async fn k3_nobody_gives_a_key_more_than_they_have() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let weak = app
        .key(&tenant, &[Permission::KeysWrite, Permission::CatalogRead])
        .await;
    let (_, strong) = make(
        &app,
        &tenant.key,
        json!({ "name": "strong", "permissions": { "connections:read": true }, "expiresAt": "2990-01-01T00:00:00Z" }),
    )
    .await;
    for (body, status) in [
        (json!({ "permissions": { "admin": true } }), 403),
        (
            json!({ "permissions": { "connections:read": true, "connections:write": true } }),
            403,
        ),
        // Its own rights, for longer: they are not the caller's to give.
        (json!({ "expiresAt": null }), 403),
        (json!({ "expiresAt": "2991-01-01T00:00:00Z" }), 403),
        (json!({ "permissions": { "workflows:fly": true } }), 422),
        (json!({ "expiresAt": "2001-01-01T00:00:00Z" }), 422),
        (json!({ "environment": "staging" }), 422),
        (json!({ "expiresAt": "2989-01-01T00:00:00Z" }), 200),
        (
            json!({ "permissions": { "catalog:read": true }, "expiresAt": null }),
            200,
        ),
    ] {
        let answer = change(&app, &weak, &strong, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
    // A key that expires cannot lengthen any life beyond its own, and its own least of all.
    let body = json!({ "name": "mortal", "permissions": { "keys:write": true }, "expiresAt": "2980-01-01T00:00:00Z" });
    let (mortal, own) = make(&app, &tenant.key, body.clone()).await;
    for expires_at in [json!(null), json!("2980-01-01T00:00:01Z")] {
        let answer = change(&app, &mortal, &own, json!({ "expiresAt": expires_at })).await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "PERMISSION_DENIED"),
            "{expires_at}"
        );
    }
    // Nor give a key that outlives it rights that would then outlive it too.
    let body = json!({ "name": "immortal", "permissions": { "catalog:read": true } });
    let (_, immortal) = make(&app, &tenant.key, body).await;
    for (body, status) in [
        (
            json!({ "permissions": { "catalog:read": true, "keys:write": true } }),
            403,
        ),
        (
            json!({ "permissions": { "keys:write": true }, "expiresAt": "2980-01-01T00:00:01Z" }),
            403,
        ),
        (json!({ "permissions": { "catalog:read": false } }), 200),
        (
            json!({ "permissions": { "keys:write": true }, "expiresAt": "2979-01-01T00:00:00Z" }),
            200,
        ),
    ] {
        let answer = change(&app, &mortal, &immortal, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
    assert_eq!(
        change(&app, &tenant.key, &own, json!({ "expiresAt": null }))
            .await
            .status,
        200
    );
}

/// K1: a key's last use is known at once and costs no statement.
#[tokio::test]
async fn k1_the_last_use_is_known_and_costs_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let (key, id) = make(
        &app,
        &tenant.key,
        json!({ "name": "ci", "permissions": { "catalog:read": true } }),
    )
    .await;
    let read = async || app.ask(Ask::get(format!("{PATH}/{id}")).key(&tenant.key)).await.json;
    assert_eq!(read().await["lastUsedAt"], json!(null));
    let catalog = || Ask::get("/api/v1/catalog").key(&key);
    app.ask(catalog()).await;
    let used = read().await["lastUsedAt"].clone();
    assert!(used.is_string(), "{used}");
    let before = app.store.statements();
    for _ in 0..3 {
        app.ask(catalog()).await;
    }
    assert_eq!(app.store.statements(), before);
    let stored = async || {
        app.store
            .api_key(tenant.id, id.parse().unwrap())
            .await
            .unwrap()
            .unwrap()
            .last_used_at
    };
    assert_eq!(stored().await, None);
    app.connectors.tend_once().await;
    assert!(stored().await.is_some());
    let before = app.store.statements();
    app.connectors.save_api_key_uses().await.unwrap();
    assert_eq!(
        app.store.statements(),
        before,
        "what is written down is written down once"
    );
}

const CATALOG: &str = "/api/v1/catalog";

/// K1: from elsewhere than its networks a key opens nothing; that it was tried is written down, once a minute.
#[tokio::test]
async fn k1_a_key_is_good_from_its_networks_only() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let body =
        json!({ "name": "office", "permissions": { "catalog:read": true }, "allowedNetworks": ["127.0.0.0/8", "::1"] });
    let (key, id) = make(&app, &tenant.key, body).await;
    let catalog = || Ask::get(CATALOG).key(&key);
    assert_eq!(app.ask(catalog()).await.status, 200);
    let read = app.ask(Ask::get(format!("{PATH}/{id}")).key(&tenant.key)).await;
    assert_eq!(
        read.json["allowedNetworks"],
        json!(["127.0.0.0/8", "::1/128"]),
        "{}",
        read.text
    );

    let elsewhere = json!({ "allowedNetworks": ["192.0.2.0/24", "::ffff:198.51.100.0/120"] });
    let moved = change(&app, &tenant.key, &id, elsewhere).await;
    assert_eq!(
        moved.json["allowedNetworks"],
        json!(["192.0.2.0/24", "198.51.100.0/24"]),
        "{}",
        moved.text
    );
    for _ in 0..3 {
        let refused = app.ask(catalog()).await;
        assert_eq!((refused.status, refused.code()), (403, "NETWORK_NOT_ALLOWED"));
        assert!(refused.text.contains("127.0.0.1"), "{}", refused.text);
    }
    let denied = app
        .ask(Ask::get("/api/v1/audit-logs?action=access.denied").key(&tenant.key))
        .await;
    let denied = denied.json["data"].as_array().unwrap();
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert_eq!(
        (&denied[0]["actor"], &denied[0]["detail"]["code"]),
        (&json!(id), &json!("NETWORK_NOT_ALLOWED"))
    );

    // What is mapped is meant, and everywhere is everywhere.
    for networks in [json!(["::ffff:127.0.0.1"]), json!(null)] {
        let changed = change(&app, &tenant.key, &id, json!({ "allowedNetworks": networks })).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        assert_eq!(app.ask(catalog()).await.status, 200, "{networks}");
    }
    // K1: who made it is told, and stays.
    let maker = app.ask(Ask::get(format!("{PATH}/{id}")).key(&tenant.key)).await.json["createdBy"].clone();
    let listed = app.ask(Ask::get(PATH).key(&tenant.key)).await;
    assert!(
        listed.json["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|key| key["id"] == maker),
        "{maker}"
    );
}

#[tokio::test]
async fn k1_networks_that_open_nothing_or_say_nothing_are_refused() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let many: Vec<String> = (0..65).map(|number| format!("10.0.0.{number}")).collect();
    for (networks, pointer) in [
        (json!([]), "/allowedNetworks"),
        (json!(many), "/allowedNetworks"),
        (json!(["10.0.0.0/8", "10.0.0.1/8"]), "/allowedNetworks/1"),
        (json!(["the office"]), "/allowedNetworks/0"),
        (json!("10.0.0.0/8"), "/allowedNetworks"),
    ] {
        let body = json!({ "name": "office", "allowedNetworks": networks });
        let refused = app.ask(Ask::post(PATH).key(&tenant.key).json(&body)).await;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "REQUEST_INVALID"),
            "{}",
            refused.text
        );
        assert_eq!(refused.json["fields"][0]["pointer"], pointer, "{}", refused.text);
    }
}

#[tokio::test]
async fn k3_a_key_that_is_bound_to_networks_reaches_no_further_by_others() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let mine = json!({ "keys:read": true, "keys:write": true, "catalog:read": true });
    let here = json!(["127.0.0.0/8"]);
    let body = json!({ "name": "bound", "permissions": mine, "allowedNetworks": here });
    let (bound, own) = make(&app, &tenant.key, body).await;
    for (networks, status) in [
        (json!(null), 403),
        (json!(["126.0.0.0/7"]), 403),
        (json!(["127.0.0.1"]), 201),
    ] {
        let body = json!({ "name": "made", "permissions": { "catalog:read": true }, "allowedNetworks": networks });
        let made = app.ask(Ask::post(PATH).key(&bound).json(&body)).await;
        assert_eq!(made.status, status, "{networks}: {}", made.text);
    }
    // Neither oneself nor a stronger key is let in from where it was not.
    let body = json!({ "name": "strong", "permissions": { "admin": true }, "allowedNetworks": ["192.0.2.1"] });
    let (_, strong) = make(&app, &tenant.key, body).await;
    for (id, networks) in [
        (&own, json!(null)),
        (&own, json!(["126.0.0.0/7"])),
        (&strong, json!(["127.0.0.1"])),
    ] {
        let refused = change(&app, &bound, id, json!({ "allowedNetworks": networks })).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "PERMISSION_DENIED"),
            "{networks}"
        );
    }
    let weak = json!({ "name": "elsewhere", "permissions": {}, "allowedNetworks": ["192.0.2.1"] });
    let (_, weak) = make(&app, &tenant.key, weak).await;
    let gains = change(&app, &bound, &weak, json!({ "permissions": { "catalog:read": true } })).await;
    assert_eq!(gains.status, 403, "{}", gains.text);
    let narrower = change(&app, &bound, &own, json!({ "allowedNetworks": ["127.0.0.1"] })).await;
    assert_eq!(narrower.status, 200, "{}", narrower.text);
}

/// A3: who changed what a key may do, and from what to what.
#[tokio::test]
async fn a3_a_changed_key_is_told_with_what_it_was_and_is() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let body = json!({ "name": "ci", "permissions": { "catalog:read": true, "keys:read": true } });
    let (_, id) = make(&app, &tenant.key, body).await;
    let patch = async |body: serde_json::Value| {
        let patch = Ask::new(Method::PATCH, format!("{PATH}/{id}")).key(&tenant.key);
        let answer = app.ask(patch.json(&body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    patch(json!({ "name": "nightly", "permissions": { "catalog:read": true }, "expiresAt": "2099-12-31T00:00:00Z" }))
        .await;
    patch(json!({ "permissions": { "catalog:read": true }, "name": "nightly" })).await;
    patch(json!({ "expiresAt": null })).await;
    let log = Ask::get(format!("/api/v1/audit-logs?action=api_key.updated&entityId={id}")).key(&tenant.key);
    let log = app.ask(log).await.json;
    let own = app.ask(Ask::get(PATH).key(&tenant.key)).await.json;
    let maker = own["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["id"] != id.as_str())
        .unwrap();
    let details: Vec<_> = log["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            assert_eq!(
                (&entry["actor"], &entry["entityType"]),
                (&maker["id"], &json!("api_key"))
            );
            entry["detail"].clone()
        })
        .collect();
    let few = json!({ "catalog:read": true });
    let end = json!("2099-12-31T00:00:00Z");
    let expected = [
        json!({
            "fields": ["name", "permissions", "expiresAt"],
            "from": { "permissions": { "catalog:read": true, "keys:read": true }, "expiresAt": null, "allowedNetworks": null },
            "to": { "permissions": few, "expiresAt": end, "allowedNetworks": null },
        }),
        json!({
            "fields": ["expiresAt"],
            "from": { "permissions": few, "expiresAt": end, "allowedNetworks": null },
            "to": { "permissions": few, "expiresAt": null, "allowedNetworks": null },
        }),
    ];
    assert_eq!(details, expected, "what changes nothing is not told");
}
