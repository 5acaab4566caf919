//! Bad input, line by line: its own stable code, a sentence that says how to mend it, and nothing half-written.
//!
//! What goes wrong before anything listens (a wrong, short or placeholder master key, a missing key beside data, a second
//! process on one data folder) is in `start`.

use http::Method;
use serde_json::{Value, json};
use tieline::store::ConnectionFilter;
use tieline_server::caller::Permission;

use crate::support::{Ask, GOOD_TOKEN, Tenant, TestApp};

/// A connector whose host is a field, among hosts that its manifest allows.
const ROAMING: &str = r"
id: roaming
name: Roaming
baseUrl: '{{config.base}}'
allowedHosts: [169.254.169.254, 10.0.0.7]
auth:
  - id: token
    type: api_key
    fields:
      - { name: token, label: Token, secret: true, required: true }
      - { name: base, label: Base, required: true }
    keyName: X-Token
    keyLocation: header
    keyValue: '{{token}}'
endpoints:
  - { id: look, name: Look, method: GET, path: /look }
";

struct House {
    app: TestApp,
    alice: Tenant,
    bob: Tenant,
}

/// What is wrong, the request, status and code, and words that say how to mend it.
type Line = (&'static str, Ask, u16, &'static str, &'static str);

impl House {
    /// All rows of both tenants, and what was written down of them. Denials are meant to be written.
    async fn written(&self) -> (Vec<String>, u64) {
        let store = &self.app.store;
        let mut rows = Vec::new();
        for tenant in [self.alice.id, self.bob.id] {
            let filter = ConnectionFilter {
                tenant,
                scope: None,
                connector: None,
                enabled: None,
                health: Vec::new(),
                environment: None,
                newest_first: false,
                after: None,
                limit: 1000,
            };
            let connections = store.connections(filter).await.unwrap();
            let keys = store.api_keys(tenant, None, 1000).await.unwrap();
            let mut entries = store.audit_entries(tenant, 0, 1000).await.unwrap();
            entries.retain(|row| row.entry.action != "access.denied");
            rows.push(format!("{connections:?} {keys:?} {entries:?}"));
        }
        rows.push(format!("{:?}", store.tenants(None, 1000).await.unwrap()));
        (rows, store.feed_end().await.unwrap())
    }

    async fn connect(&self, base: &str) -> String {
        let body =
            json!({ "connector": "roaming", "displayName": base, "config": { "token": GOOD_TOKEN, "base": base } });
        let made = self
            .app
            .ask(Ask::post("/api/v1/connections").key(&self.alice.key).json(&body))
            .await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn each_kind_of_bad_input_has_its_code_is_mendable_and_leaves_nothing() {
    let app = TestApp::start_with(&[ROAMING]).await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    let house = House { app, alice, bob };
    let app = &house.app;
    let key = app.key(&house.alice, Permission::ALL).await;
    let own = app.connect(&house.alice, "own").await;
    let foreign = app.connect(&house.bob, "foreign").await;
    let off = app.connect(&house.alice, "off").await;
    let disable = Ask::post(format!("/api/v1/connections/{off}/disable")).key(&key);
    assert_eq!(app.ask(disable).await.status, 200);
    let metadata = house.connect("http://169.254.169.254").await;
    let private = house.connect("http://10.0.0.7").await;
    let elsewhere = house.connect("http://elsewhere.example").await;

    let weak = app.key(&house.alice, &[Permission::CatalogRead]).await;
    let before = house.written().await;
    let mut lines = names(&key, &own);
    lines.extend(json_lines(&key));
    lines.extend(connections(&key, &foreign, &off, [&metadata, &private, &elsewhere]));
    lines.extend(keys(&weak));
    for (what, ask, status, code, mends) in lines {
        let answer = app.ask(ask).await;
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{what}: {}",
            answer.text
        );
        let told = format!("{} {}", answer.json["detail"], answer.json["fields"]);
        assert!(told.contains(mends), "{what} does not say `{mends}`: {}", answer.text);
        assert_eq!(house.written().await, before, "{what} left something behind");
    }
}

fn post(key: &str, path: &str, body: &Value) -> Ask {
    Ask::post(format!("/api/v1{path}")).key(key).json(body)
}

fn create(key: &str, body: &Value) -> Ask {
    post(key, "/connections", body)
}

/// Unknown names and wrong types.
fn names(key: &str, own: &str) -> Vec<Line> {
    let acme = |config: Value| create(key, &json!({ "connector": "acme", "config": config }));
    let scoped = |scope: Value| {
        create(
            key,
            &json!({ "connector": "acme", "scope": scope, "config": { "bot_token": "x" } }),
        )
    };
    let call = |action: &str, input: Value| post(key, &format!("/connections/{own}/actions/{action}"), &input);
    let input_invalid = "CONNECTOR_ACTION_INPUT_INVALID";
    vec![
        (
            "an unknown connector",
            create(key, &json!({ "connector": "nothing" })),
            404,
            "CONNECTOR_NOT_FOUND",
            "catalog",
        ),
        (
            "an unknown action",
            call("nothing", json!({})),
            404,
            "CONNECTOR_ACTION_NOT_FOUND",
            "whoami",
        ),
        (
            "an unknown field of ours",
            create(key, &json!({ "connector": "acme", "colour": 1 })),
            422,
            "REQUEST_INVALID",
            "expected one of",
        ),
        (
            "an unknown field of a connector",
            acme(json!({ "bot_token": "x", "colour": 1 })),
            400,
            "CONNECTOR_CONFIG_INVALID",
            "/config/colour",
        ),
        (
            "an unknown field of an action",
            call("send", json!({ "content": "a", "colour": 1 })),
            400,
            input_invalid,
            "/colour",
        ),
        (
            "a field that is missing",
            acme(json!({})),
            400,
            "CONNECTOR_CONFIG_INVALID",
            "required",
        ),
        (
            "an unknown scope",
            scoped(json!({ "kind": "galaxy", "identity": "g" })),
            400,
            "CONNECTOR_SCOPE_INVALID",
            "Declared are",
        ),
        (
            "a scope without identity",
            scoped(json!({ "kind": "user" })),
            400,
            "CONNECTOR_SCOPE_IDENTIFIER_REQUIRED",
            "identity",
        ),
        (
            "a wrong type of ours",
            create(key, &json!({ "connector": 7 })),
            422,
            "REQUEST_INVALID",
            "expected a string",
        ),
        (
            "a wrong type of a connector",
            acme(json!({ "bot_token": 7 })),
            400,
            "CONNECTOR_CONFIG_INVALID",
            "text",
        ),
        (
            "a wrong type of an action",
            call("send", json!({ "content": 7 })),
            400,
            input_invalid,
            "/content",
        ),
        (
            "no object for an action",
            call("send", json!([])),
            400,
            input_invalid,
            "object",
        ),
        (
            "a key that has expired",
            post(
                key,
                "/api-keys",
                &json!({ "name": "k", "expiresAt": "2001-01-01T00:00:00Z" }),
            ),
            422,
            "REQUEST_INVALID",
            "give a time to come",
        ),
        (
            "an unknown permission",
            post(
                key,
                "/api-keys",
                &json!({ "name": "k", "permissions": { "a:fly": true } }),
            ),
            422,
            "REQUEST_INVALID",
            "permissions are",
        ),
    ]
}

/// JSON that is too large, too deep or none.
fn json_lines(key: &str) -> Vec<Line> {
    let body = |text: String| Ask::post("/api/v1/connections").key(key).text("application/json", text);
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    vec![
        (
            "malformed JSON",
            body("{".to_owned()),
            400,
            "JSON_INVALID",
            "line 1, column",
        ),
        (
            "a key twice",
            body("{\"name\":1,\"name\":2}".to_owned()),
            400,
            "JSON_INVALID",
            "line 1, column",
        ),
        ("deep JSON", body(deep), 400, "JSON_TOO_COMPLEX", "64"),
        (
            "oversized JSON",
            body(format!("\"{}\"", "x".repeat(1 << 20))),
            413,
            "BODY_TOO_LARGE",
            "send less",
        ),
        (
            "no JSON",
            Ask::post("/api/v1/connections").key(key).text("text/plain", "{}"),
            415,
            "MEDIA_TYPE_UNSUPPORTED",
            "application/json",
        ),
    ]
}

/// Connections that may not be used, and hosts that may not be reached.
fn connections(key: &str, foreign: &str, off: &str, [metadata, private, elsewhere]: [&str; 3]) -> Vec<Line> {
    let call = |id: &str, action: &str| post(key, &format!("/connections/{id}/actions/{action}"), &json!({}));
    let step = |id: &str| {
        post(
            key,
            "/actions",
            &json!({ "connectorType": "acme", "action": "whoami", "connectionId": id }),
        )
    };
    let patch = Ask::new(Method::PATCH, format!("/api/v1/connections/{foreign}")).key(key);
    vec![
        (
            "a disabled connection",
            call(off, "whoami"),
            409,
            "CONNECTION_DISABLED",
            "enable it",
        ),
        (
            "a disabled connection in a step",
            step(off),
            409,
            "CONNECTION_DISABLED",
            "enable it",
        ),
        (
            "a foreign connection",
            call(foreign, "whoami"),
            404,
            "NOT_FOUND",
            "not yours",
        ),
        (
            "a foreign connection in a step",
            step(foreign),
            404,
            "NOT_FOUND",
            "not yours",
        ),
        (
            "a foreign connection changed",
            patch.json(&json!({ "enabled": false })),
            404,
            "NOT_FOUND",
            "not yours",
        ),
        (
            "a link-local host",
            call(metadata, "look"),
            422,
            "EGRESS_FORBIDDEN",
            "egress.allow",
        ),
        (
            "a private host",
            call(private, "look"),
            422,
            "EGRESS_FORBIDDEN",
            "egress.allow",
        ),
        (
            "a host that is not declared",
            call(elsewhere, "look"),
            422,
            "HOST_NOT_ALLOWED",
            "allowedHosts",
        ),
    ]
}

/// Keys of callers: none, malformed, a placeholder, nobody's, and one that may not.
fn keys(weak: &str) -> Vec<Line> {
    let list = || Ask::get("/api/v1/connections");
    let nobodys = format!("sk_{}", "0".repeat(64));
    vec![
        ("no key", list(), 401, "UNAUTHENTICATED", "Authorization: Bearer"),
        (
            "a short key",
            list().key("sk_1234"),
            401,
            "UNAUTHENTICATED",
            "Authorization: Bearer",
        ),
        (
            "a placeholder",
            list().key("sk_your-api-key"),
            401,
            "UNAUTHENTICATED",
            "Authorization: Bearer",
        ),
        (
            "nobody's key",
            list().key(&nobodys),
            401,
            "UNAUTHENTICATED",
            "neither revoked nor expired",
        ),
        (
            "a weak key",
            list().key(weak),
            403,
            "PERMISSION_DENIED",
            "Use a key that has it",
        ),
    ]
}
