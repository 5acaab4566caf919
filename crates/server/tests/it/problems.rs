//! Bad input: each kind has its code, says how to mend it, and leaves nothing behind.

use http::Method;
use serde_json::{Value, json};
use tieline::{
    Code, Connectors, MasterKey, MemoryStore,
    audit::Actor,
    call::{Call, Via},
    clock::SystemRandom,
    egress::EgressPolicy,
};
use tieline_server::{App, caller::Permission, serve};

use crate::support::{Ask, Tenant, TestApp, raw};

/// Routes that read a body and no key opens; `session` tries them.
pub(crate) const WITHOUT_KEY: [&str; 3] = ["/setup", "/api/v1/session", "/api/v1/session/password"];

/// Every other route that reads a body, with what its path needs.
async fn routes(app: &TestApp, tenant: &Tenant) -> Vec<(Method, String)> {
    let connection = app.connect(tenant, "main").await;
    let credential = app.credential(tenant, "main").await;
    let keys = app.ask(Ask::get("/api/v1/api-keys").key(&tenant.key)).await;
    let key = keys.json["data"][0]["id"].as_str().unwrap().to_owned();
    let body = json!({ "email": "carol@example.com", "role": "viewer" });
    let invited = app.ask(Ask::post("/api/v1/users").key(&tenant.key).json(&body)).await;
    let user = invited.json["user"]["id"].as_str().unwrap();
    vec![
        (Method::POST, "/api/v1/connections".to_owned()),
        (Method::POST, "/api/v1/connections/test".to_owned()),
        (Method::POST, "/api/v1/connections/batch".to_owned()),
        (Method::PATCH, format!("/api/v1/connections/{connection}")),
        (Method::POST, "/api/v1/connectors".to_owned()),
        (Method::PATCH, format!("/api/v1/connectors/{connection}")),
        (Method::POST, "/v1/connectors".to_owned()),
        (Method::POST, "/v1/connectors/test".to_owned()),
        (Method::PUT, format!("/v1/connectors/{connection}")),
        (Method::POST, format!("/api/v1/connections/{connection}/actions/send")),
        (Method::POST, "/api/v1/actions".to_owned()),
        (Method::POST, "/api/v1/credentials".to_owned()),
        (Method::PATCH, format!("/api/v1/credentials/{credential}")),
        (Method::POST, format!("/api/v1/credentials/{credential}/rotate")),
        (Method::POST, "/api/v1/api-keys".to_owned()),
        (Method::PATCH, format!("/api/v1/api-keys/{key}")),
        (Method::POST, "/api/v1/tenants".to_owned()),
        (Method::PATCH, format!("/api/v1/tenants/{}", tenant.id)),
        (Method::POST, "/api/v1/users".to_owned()),
        (Method::PATCH, format!("/api/v1/users/{user}")),
        (Method::POST, "/api/v1/password-resets".to_owned()),
    ]
}

/// A tenant whose key opens all routes.
async fn mighty(app: &TestApp) -> Tenant {
    let tenant = app.tenant("alice").await;
    let key = app.key(&tenant, tieline_server::caller::Permission::ALL).await;
    Tenant { key, ..tenant }
}

#[tokio::test]
async fn j_hostile_bodies_are_refused_at_every_route() {
    let app = TestApp::start().await;
    let tenant = mighty(&app).await;
    let routes = routes(&app, &tenant).await;
    // The proxy reads no body, whatever it is.
    let in_table = app.document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values());
    assert_eq!(
        routes.len() + WITHOUT_KEY.len(),
        in_table
            .map(|operation| &operation["requestBody"]["content"])
            .filter(|content| content.is_object() && content["*/*"].is_null())
            .count(),
        "a route with a body is missing here"
    );

    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let deep_object = format!("{{\"name\":{}1{}}}", "{\"a\":".repeat(70), "}".repeat(70));
    let many = format!("[{}0]", "0,".repeat(100_001));
    let long_key = format!("{{\"{}\":1}}", "k".repeat(1025));
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(1024 * 1024));
    let json = "application/json";
    let table: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        (json, b"{".to_vec(), 400, "JSON_INVALID"),
        (json, b"".to_vec(), 400, "JSON_INVALID"),
        (json, b"{\"name\":1,}".to_vec(), 400, "JSON_INVALID"),
        (json, b"{\"name\":NaN}".to_vec(), 400, "JSON_INVALID"),
        (json, b"{\"name\":\"a\",\"name\":\"b\"}".to_vec(), 400, "JSON_INVALID"),
        (json, b"{\"name\":\"\xff\"}".to_vec(), 400, "JSON_INVALID"),
        (json, b"\xef\xbb\xbf{}".to_vec(), 400, "JSON_INVALID"),
        (json, b"{} {}".to_vec(), 400, "JSON_INVALID"),
        (json, deep.into_bytes(), 400, "JSON_TOO_COMPLEX"),
        (json, deep_object.into_bytes(), 400, "JSON_TOO_COMPLEX"),
        (json, many.into_bytes(), 400, "JSON_TOO_COMPLEX"),
        (json, long_key.into_bytes(), 400, "JSON_TOO_COMPLEX"),
        (json, large.into_bytes(), 413, "BODY_TOO_LARGE"),
        (json, b"{\"name\":\"a\\u0000b\"}".to_vec(), 422, "REQUEST_INVALID"),
        (json, b"{\"name\":\"\\ud800\"}".to_vec(), 422, "REQUEST_INVALID"),
        ("text/plain", b"{}".to_vec(), 415, "MEDIA_TYPE_UNSUPPORTED"),
        (
            "application/x-www-form-urlencoded",
            b"name=a".to_vec(),
            415,
            "MEDIA_TYPE_UNSUPPORTED",
        ),
    ];
    for (method, path) in &routes {
        for (content_type, body, status, code) in &table {
            // A call may bring files: its route takes more (l2_a_call_takes_files_and_has_an_end).
            if *code == "BODY_TOO_LARGE" && path.contains("/actions") {
                continue;
            }
            let ask = Ask::new(method.clone(), path.clone())
                .key(&tenant.key)
                .text(content_type, body.clone());
            let answer = app.ask(ask).await;
            let start = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            assert_eq!(
                (answer.status, answer.code()),
                (*status, *code),
                "{method} {path} {content_type} {start}"
            );
        }
    }
}

#[tokio::test]
async fn wrong_shapes_are_named_by_their_place() {
    let app = TestApp::start().await;
    let tenant = mighty(&app).await;
    let connection = app.connect(&tenant, "main").await;
    let (connections, keys) = ("/api/v1/connections", "/api/v1/api-keys");
    let patch = format!("/api/v1/connections/{connection}");
    let table: Vec<(Method, &str, Value, u16, &str)> = vec![
        (Method::POST, connections, json!({}), 422, ""),
        (Method::POST, connections, json!([]), 422, ""),
        (Method::POST, connections, json!({ "connector": 7 }), 422, "/connector"),
        (
            Method::POST,
            connections,
            json!({ "connector": "acme", "colour": "red" }),
            422,
            "/colour",
        ),
        (
            Method::POST,
            connections,
            json!({ "connector": "acme", "scope": { "kind": 1 } }),
            422,
            "/scope/kind",
        ),
        (
            Method::POST,
            connections,
            json!({ "connector": "acme", "config": {} }),
            400,
            "/config/bot_token",
        ),
        (
            Method::POST,
            connections,
            json!({ "connector": "acme", "config": { "bot_token": 7 } }),
            400,
            "/config/bot_token",
        ),
        (Method::PATCH, &patch, json!({ "enabled": "yes" }), 422, "/enabled"),
        (Method::PATCH, &patch, json!({ "id": connection }), 422, "/id"),
        (Method::POST, keys, json!({ "name": "" }), 422, "/name"),
        (
            Method::POST,
            keys,
            json!({ "name": "k", "permissions": { "workflows:fly": true } }),
            422,
            "/permissions/workflows:fly",
        ),
        (
            Method::POST,
            keys,
            json!({ "name": "k", "permissions": { "admin": "true" } }),
            422,
            "/permissions/admin",
        ),
        (
            Method::POST,
            keys,
            json!({ "name": "k", "expiresAt": "tomorrow" }),
            422,
            "/expiresAt",
        ),
        (
            Method::POST,
            "/api/v1/tenants",
            json!({ "name": "x".repeat(101) }),
            422,
            "/name",
        ),
    ];
    let before = app.ask(Ask::get(connections).key(&tenant.key)).await.json;
    for (method, path, body, status, pointer) in table {
        let answer = app.ask(Ask::new(method, path).key(&tenant.key).json(&body)).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert_eq!(answer.json["fields"][0]["pointer"], pointer, "{body}: {}", answer.text);
    }
    let after = app.ask(Ask::get(connections).key(&tenant.key)).await.json;
    assert_eq!(before, after, "bad input left something behind");
}

#[tokio::test]
async fn unknown_names_have_codes_of_their_own() {
    let app = TestApp::start().await;
    let tenant = mighty(&app).await;
    let connection = app.connect(&tenant, "main").await;
    let scoped = |kind: &str, identity: &str| json!({ "connector": "acme", "scope": { "kind": kind, "identity": identity }, "config": { "bot_token": "x" } });
    let table = vec![
        (Ask::get("/api/v1/catalog/nothing"), 404, "CONNECTOR_NOT_FOUND"),
        (
            Ask::post("/api/v1/connections").json(&json!({ "connector": "nothing" })),
            404,
            "CONNECTOR_NOT_FOUND",
        ),
        (
            Ask::post("/api/v1/connections").json(&scoped("galaxy", "g1")),
            400,
            "CONNECTOR_SCOPE_INVALID",
        ),
        (
            Ask::post("/api/v1/connections").json(&scoped("user", "")),
            400,
            "CONNECTOR_SCOPE_IDENTIFIER_REQUIRED",
        ),
        (
            Ask::post("/api/v1/connections/test").json(&scoped("galaxy", "g1")),
            400,
            "CONNECTOR_SCOPE_INVALID",
        ),
        (
            Ask::post("/api/v1/connections/test").json(&scoped("user", "")),
            400,
            "CONNECTOR_SCOPE_IDENTIFIER_REQUIRED",
        ),
        (
            Ask::post(format!("/api/v1/connections/{connection}/actions/nothing")),
            404,
            "CONNECTOR_ACTION_NOT_FOUND",
        ),
        (Ask::get("/api/v1/connections/conn_1"), 404, "NOT_FOUND"),
        (Ask::get("/api/v1/connections?limit=0"), 422, "REQUEST_INVALID"),
        (Ask::get("/api/v1/connections?limit=201"), 422, "REQUEST_INVALID"),
        (Ask::get("/api/v1/connections?cursor=x"), 422, "REQUEST_INVALID"),
        (Ask::get("/api/v1/connections?identity=x"), 422, "REQUEST_INVALID"),
        (Ask::get("/api/v1/connections?scope="), 400, "CONNECTOR_SCOPE_INVALID"),
        (Ask::get("/api/v1/connections?enabled=1"), 422, "REQUEST_INVALID"),
        (Ask::get("/api/v1/connections/%00"), 422, "REQUEST_INVALID"),
        (Ask::get("/api/v1/connections/%ff"), 422, "REQUEST_INVALID"),
        (Ask::get("/api/v1/nothing"), 404, "ROUTE_NOT_FOUND"),
        (Ask::get("/"), 404, "ROUTE_NOT_FOUND"),
        (Ask::get("/api/v1/connections/"), 404, "ROUTE_NOT_FOUND"),
        (Ask::get("/errors/NOTHING"), 404, "ROUTE_NOT_FOUND"),
        (
            Ask::get(format!("/health?q={}", "x".repeat(9000))),
            422,
            "REQUEST_INVALID",
        ),
        (
            Ask::get(format!("/api/v1/catalog?q={}", "x".repeat(9000))),
            422,
            "REQUEST_INVALID",
        ),
    ];
    for (ask, status, code) in table {
        let path = ask.path.clone();
        let answer = app.ask(ask.key(&tenant.key)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{path}: {}",
            answer.text
        );
    }
    for path in ["/api/v1/connections/%00", "/api/v1/connections/%ff"] {
        let answer = app.ask(Ask::get(path)).await;
        assert_eq!(answer.status, 401, "who asks is asked before what for: {path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let app = TestApp::start().await;
    let answer = app.ask(Ask::new(Method::DELETE, "/api/v1/connections")).await;
    assert_eq!((answer.status, answer.code()), (405, "METHOD_NOT_ALLOWED"));
    assert_eq!(answer.headers["allow"], "GET, POST");
    // A literal path is not read as an id.
    let answer = app.ask(Ask::get("/api/v1/connections/test")).await;
    assert_eq!((answer.status, answer.code()), (405, "METHOD_NOT_ALLOWED"));
}

#[tokio::test]
async fn every_code_has_a_page() {
    let app = TestApp::start().await;
    for code in Code::ALL {
        let answer = app.ask(Ask::get(format!("/errors/{code}"))).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "text/markdown; charset=utf-8");
        assert!(answer.text.starts_with(&format!("# {code}\n")), "{}", answer.text);
        assert!(
            answer.text.contains("**Mend it.**"),
            "{code} does not say how to mend it"
        );
    }
}

#[tokio::test]
async fn l2_a_body_is_refused_by_its_announced_size_before_a_byte_of_it_came() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let head = format!(
        "POST /api/v1/connections HTTP/1.1\r\nhost: t\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 1048577\r\n\r\n",
        tenant.key
    );
    let answer = raw(app.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("BODY_TOO_LARGE"), "{answer}");
}

#[tokio::test]
async fn l2_a_body_is_not_asked_for_before_its_sender_is_let_in() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let nobodys = "/api/v1/connections/conn_00000000000000000000000000";
    let head = |method: &str, path: &str, key: &str| {
        format!(
            "{method} {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"
        )
    };
    for (method, path, key, status) in [
        ("POST", "/api/v1/connections", "sk_none", "401"),
        ("POST", "/api/v1/tenants", &tenant.key, "403"),
        ("PATCH", nobodys, &tenant.key, "404"),
    ] {
        let answer = raw(app.address, head(method, path, key).as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    let asked = raw(
        app.address,
        format!("{}{{}}", head("POST", "/api/v1/connections", &tenant.key)).as_bytes(),
    )
    .await;
    assert!(
        asked.starts_with("HTTP/1.1 100 ") && asked.contains("HTTP/1.1 422 "),
        "{asked}"
    );
}

#[tokio::test]
async fn l2_two_lengths_and_large_heads_are_refused() {
    let app = TestApp::start().await;
    let twice = b"POST /health HTTP/1.1\r\nhost: t\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab";
    let answer = raw(app.address, twice).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let large = format!(
        "GET /health HTTP/1.1\r\nhost: t\r\nx: {}\r\n\r\n",
        "x".repeat(48 * 1024)
    );
    let answer = raw(app.address, large.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

// L2: an action's input may be as large as a mail with files, and not larger; nobody else may send that much.
#[tokio::test]
async fn l2_a_call_takes_files_and_has_an_end() {
    const MIB: usize = 1024 * 1024;
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let connection = app.connect(&tenant, "main").await;
    let path = format!("/api/v1/connections/{connection}/actions/send");
    let large = |bytes: usize| json!({ "content": "x".repeat(bytes) });
    let answer = app.ask(Ask::post(&path).key(&tenant.key).json(&large(14 * MIB))).await;
    // What the manifest language renders has a bound of its own: it is the input that was taken.
    assert_eq!(
        (answer.status, answer.code()),
        (400, "CONNECTOR_ACTION_INPUT_INVALID"),
        "{}",
        answer.text
    );
    let answer = app.ask(Ask::post(&path).key(&tenant.key).json(&large(9 * MIB))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let step =
        json!({ "connectorType": "acme", "action": "send", "connectionId": connection, "input": large(9 * MIB) });
    let answer = app.ask(Ask::post("/api/v1/actions").key(&tenant.key).json(&step)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let sent: Vec<usize> = app.upstream.messages().iter().map(String::len).collect();
    assert!(
        sent.len() == 2 && sent.iter().all(|length| *length > 9 * MIB),
        "{sent:?}"
    );

    let viewer = app.key(&tenant, &[Permission::ConnectionsRead]).await;
    for path in [path.as_str(), "/api/v1/actions"] {
        let announced = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            tenant.key,
            16 * MIB
        );
        assert!(
            raw(app.address, announced.as_bytes()).await.contains("BODY_TOO_LARGE"),
            "{path}"
        );
        let refused = app.ask(Ask::post(path).key(&viewer).json(&large(1))).await;
        assert_eq!((refused.status, refused.code()), (403, "PERMISSION_DENIED"), "{path}");
    }
}

// N3: what this very server sent is refused, before anyone is asked for.
#[tokio::test]
async fn n3_a_call_that_comes_back_is_refused() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let back = format!(
        "id: back\nname: Back\nbaseUrl: http://{}\nendpoints: [{{ id: health, method: GET, path: /health, auth: none }}]\n",
        app.address
    );
    let connectors = Connectors::builder()
        .scope("tenant", tieline::ScopeRule::Optional)
        .store(MemoryStore::new())
        .key(MasterKey::generate(&SystemRandom).unwrap())
        .manifest(back)
        .egress(EgressPolicy {
            loopback: true,
            ..EgressPolicy::default()
        });
    let other = connectors.build().unwrap();
    let by = Actor::new(tenant.id, "test");
    let call = Call {
        connector: Some("back".to_owned()),
        action: "health".to_owned(),
        input: json!({}).into(),
        via: Via::Nothing,
        idempotency_key: None,
    };
    // Another process may call this one.
    assert!(other.call(&by, call.clone()).await.is_ok());
    let served = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = served.local_addr().unwrap();
    let back = format!(
        "id: back\nname: Back\nbaseUrl: http://{address}\nendpoints: [{{ id: health, method: GET, path: /health, auth: none }}]\n"
    );
    let itself = Connectors::builder()
        .scope("tenant", tieline::ScopeRule::Optional)
        .store(MemoryStore::new())
        .key(MasterKey::generate(&SystemRandom).unwrap())
        .manifest(back)
        .egress(EgressPolicy {
            loopback: true,
            ..EgressPolicy::default()
        })
        .build()
        .unwrap();
    let serving = tokio::spawn(serve(served, App::new(itself.clone()), std::future::pending()));
    let error = itself.call(&by, call).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorActionFailed, "{error}");
    assert!(error.detail().contains("HTTP 422"), "{error}");
    serving.abort();
}
