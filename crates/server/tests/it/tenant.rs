//! Tenants, for the operator.

use http::Method;
use serde_json::json;

use tieline::tenant::TenantBounds;
use tieline_server::caller::Permission;
use tieline_testkit::canary::Canary;

use crate::{
    session::{ADAS, house, join, sign_in},
    support::{Ask, GOOD_TOKEN, TestApp, new_key},
};

static BOBS: Canary = Canary::new("bob's password in a tenant");

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

fn delete(tenant: &str, confirm: &str) -> Ask {
    Ask::new(Method::DELETE, format!("/api/v1/tenants/{tenant}?confirm={confirm}"))
}

#[tokio::test]
async fn t1_an_owner_deletes_their_own_tenant_and_nothing_else() {
    let (app, ada) = house(None).await;
    let bystander = app.tenant("bystander").await;
    let kept = app.connect(&bystander, "kept").await;
    let home = app.ask(Ask::get("/api/v1/session").session(&ada)).await.json["tenant"]["id"].clone();
    let home = home.as_str().unwrap();
    let by = tieline::audit::Actor::new(home.parse().unwrap(), "test");
    let admin_key = app
        .connectors
        .create_api_key(&by, new_key(&[Permission::Admin]))
        .await
        .unwrap();
    let admin_key = admin_key.text.reveal().clone();
    let mut sessions = Vec::new();
    for role in ["viewer", "editor", "admin"] {
        let email = format!("{role}@example.com");
        sessions.push(join(&app, &ada, &email, role, &BOBS).await.session());
    }
    for session in &sessions {
        let refused = app.ask(delete(home, "home").session(session)).await;
        assert_eq!((refused.status, refused.code()), (403, "PERMISSION_DENIED"));
    }
    let refused = app.ask(delete(home, "home").key(&admin_key)).await;
    assert_eq!(
        (refused.status, refused.code()),
        (403, "PERMISSION_DENIED"),
        "an admin's key is no owner"
    );
    // T2: a stranger's tenant reads like none, with its right name too.
    let strangers = app
        .ask(delete(&bystander.id.to_string(), "bystander").session(&ada))
        .await;
    let nobodys = app
        .ask(delete("ten_01jd3k9v7rf8pa0q2m5w8x4ynz", "bystander").session(&ada))
        .await;
    assert_eq!(strangers.status, 404);
    assert_eq!(strangers.without_request_id(), nobodys.without_request_id());
    for wrong in ["", "Home", "bystander"] {
        let refused = app.ask(delete(home, wrong).session(&ada)).await;
        assert_eq!(
            (refused.status, refused.json["fields"][0]["pointer"].as_str()),
            (422, Some("/confirm"))
        );
    }
    let bare = Ask::new(Method::DELETE, format!("/api/v1/tenants/{home}")).session(&ada);
    assert_eq!(app.ask(bare).await.status, 422, "nobody deletes a tenant by accident");

    let deleted = app.ask(delete(home, "home").session(&ada)).await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    for ask in [
        Ask::get("/api/v1/session").session(&ada),
        Ask::get("/api/v1/connections").session(&sessions[2]),
        Ask::get("/api/v1/connections").key(&admin_key),
    ] {
        assert_eq!(app.ask(ask).await.status, 401);
    }
    let gone = app.ask(sign_in("ada@example.com", &ADAS)).await;
    assert_eq!(
        (gone.status, gone.code()),
        (401, "SIGN_IN_FAILED"),
        "the account went with its only tenant"
    );
    let path = format!("/api/v1/connections/{kept}/actions/whoami");
    assert_eq!(app.ask(Ask::post(path).key(&bystander.key)).await.status, 200);
}

#[tokio::test]
async fn an_operator_deletes_any_tenant_but_their_own_and_can_show_it() {
    let app = TestApp::start().await;
    let default = app.tenant("default").await;
    let operator = app.key(&default, &[Permission::Operator]).await;
    let gone = app.tenant("gone").await;
    app.connect(&gone, "main").await;
    let id = gone.id.to_string();
    let own = app.ask(delete(&default.id.to_string(), "default").key(&operator)).await;
    assert_eq!((own.status, own.code()), (422, "REQUEST_INVALID"));
    let deleted = app.ask(delete(&id, "gone").key(&operator)).await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    assert_eq!(
        app.ask(Ask::get("/api/v1/connections").key(&gone.key)).await.status,
        401
    );
    assert_eq!(app.ask(delete(&id, "gone").key(&operator)).await.status, 404);
    let listed = app.ask(Ask::get("/api/v1/tenants").key(&operator)).await;
    assert!(!listed.text.contains(&id), "{}", listed.text);
    // A3: who did it stands in the operator's log, and the deleted tenant's own still verifies.
    let log = app
        .ask(Ask::get("/api/v1/audit-logs?entityType=tenant").key(&default.key))
        .await;
    let entry = log.json["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["action"] == "tenant.deleted");
    let entry = entry.unwrap_or_else(|| panic!("no entry: {}", log.text));
    assert_eq!(entry["detail"]["name"], "gone", "{entry}");
    assert!(entry.to_string().contains(&id));
    let verified = app
        .ask(Ask::get(format!("/api/v1/tenants/verify?tenant={id}")).key(&operator))
        .await;
    assert_eq!(
        (verified.status, &verified.json["holds"]),
        (200, &json!(true)),
        "{}",
        verified.text
    );
    // The name is free.
    let body = json!({ "name": "gone" });
    assert_eq!(
        app.ask(Ask::post("/api/v1/tenants").key(&operator).json(&body))
            .await
            .status,
        201
    );
}

/// What a tenant may have is bounded, each kind by itself; what is over the bound is told what to do, and room that was made
/// is there.
#[tokio::test]
async fn l2_what_a_tenant_has_is_bounded() {
    let bounds = TenantBounds {
        connections: 1,
        credentials: 1,
        api_keys: 2,
        members: 2,
        invitations: 1,
    };
    let app = TestApp::start_shaped(&[], |builder| builder.tenant_bounds(bounds)).await;
    let (tenant, other) = (app.tenant("alice").await, app.tenant("bob").await);
    let invite = |email: &str| ("/api/v1/users", json!({ "email": email, "role": "viewer" }));
    let config = json!({ "bot_token": GOOD_TOKEN });
    let makings = [
        (
            "/api/v1/connections",
            json!({ "connector": "acme", "name": "NAME", "config": config }),
            "connections",
        ),
        (
            "/api/v1/credentials",
            json!({ "name": "NAME", "type": "token", "connector": "acme", "data": config }),
            "credentials",
        ),
        ("/api/v1/api-keys", json!({ "name": "NAME" }), "api-keys"),
        (
            "/api/v1/users",
            json!({ "email": "NAME@example.com", "role": "viewer" }),
            "users",
        ),
    ];
    for (path, body, noun) in makings {
        let make = async |key: &str, name: &str| {
            let body: serde_json::Value = serde_json::from_str(&body.to_string().replace("NAME", name)).unwrap();
            app.ask(Ask::post(path).key(key).json(&body)).await
        };
        let first = make(&tenant.key, "one").await;
        assert_eq!(first.status, 201, "{}", first.text);
        let refused = make(&tenant.key, "two").await;
        assert_eq!((refused.status, refused.code()), (409, "LIMIT_REACHED"), "{noun}");
        assert_eq!(
            make(&other.key, "two").await.status,
            201,
            "{noun}: another's bound is another's"
        );
        let id = ["id", "apiKey", "user"]
            .iter()
            .find_map(|place| match &first.json[place] {
                serde_json::Value::String(id) => Some(id.clone()),
                inner => inner["id"].as_str().map(str::to_owned),
            });
        let path = format!("{path}/{}", id.unwrap());
        let gone = app.ask(Ask::new(Method::DELETE, path).key(&tenant.key)).await;
        assert!([200, 204].contains(&gone.status), "{}", gone.text);
        assert_eq!(make(&tenant.key, "two").await.status, 201, "{noun}");
    }
    // An invitation that stands can be made anew, and becomes a member; with as many as there may be nobody else comes.
    let (path, body) = invite("two@example.com");
    for wanted in [201, 201] {
        let made = app.ask(Ask::post(path).key(&tenant.key).json(&body)).await;
        assert_eq!(made.status, wanted, "{}", made.text);
    }
    for (email, left) in [("two@example.com", 1), ("three@example.com", 0)] {
        let (path, body) = invite(email);
        let made = app.ask(Ask::post(path).key(&tenant.key).json(&body)).await;
        assert_eq!(made.status, 201, "{left} left: {}", made.text);
        let body = json!({ "token": made.link(), "name": "Somebody", "password": *BOBS });
        assert_eq!(app.ask(Ask::post("/setup").json(&body)).await.status, 200);
    }
    let (path, body) = invite("four@example.com");
    let full = app.ask(Ask::post(path).key(&tenant.key).json(&body)).await;
    assert_eq!((full.status, full.code()), (409, "LIMIT_REACHED"));
    assert!(full.text.contains("2 members"), "{}", full.text);
}

/// K3: what a key made for others to come in by is void once the key is.
#[tokio::test]
async fn k3_a_revoked_keys_invitations_let_nobody_in() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let leaked = app.key(&tenant, &[Permission::Admin]).await;
    let invite = async |key: &str, email: &str| {
        let body = json!({ "email": email, "role": "viewer" });
        app.ask(Ask::post("/api/v1/users").key(key).json(&body)).await.link()
    };
    let (theirs, ours) = (
        invite(&leaked, "eve@example.com").await,
        invite(&tenant.key, "bob@example.com").await,
    );
    let keys = app.ask(Ask::get("/api/v1/api-keys").key(&leaked)).await;
    let id = keys.json["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["name"] == "key" && leaked.starts_with(key["prefix"].as_str().unwrap()));
    let path = format!("/api/v1/api-keys/{}", id.unwrap()["id"].as_str().unwrap());
    assert_eq!(
        app.ask(Ask::new(Method::DELETE, path).key(&tenant.key)).await.status,
        204
    );
    let accept =
        |link: &str| Ask::post("/setup").json(&json!({ "token": link, "name": "Somebody", "password": *BOBS }));
    let refused = app.ask(accept(&theirs)).await;
    assert_eq!((refused.status, refused.code()), (404, "LINK_INVALID"));
    assert_eq!(app.ask(accept(&ours)).await.status, 200);
}
