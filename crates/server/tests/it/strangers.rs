//! T2: whoever names another tenant's row reads and costs exactly what naming no row at all does.
//!
//! The matrix comes from the API description, which comes from the list of routes: a new route with an id in its path,
//! query or body is in it from the first day.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value, json};
use tieline::{
    clock::{SystemClock, SystemRandom},
    id::{ApiKeyId, CallId, ConnectionId, CredentialId, TenantId, UserId},
};
use tieline_server::{
    caller::{Access, Permission},
    route::X_REF,
};

use crate::support::{Answer, Ask, Tenant, TestApp, operations};

/// A place that takes an id.
#[derive(Debug)]
struct Position {
    method: Method,
    path: String,
    place: Place,
    kind: String,
}

#[derive(Debug)]
enum Place {
    Path(String),
    Query(String),
    /// A JSON pointer.
    Body(String),
}

/// What a parameter without an id is filled with.
const WORDS: &[(&str, &str)] = &[
    ("connector", "acme"),
    ("connectorType", "acme"),
    ("connector_type", "acme"),
    ("action", "whoami"),
    ("name", "a name"),
    ("code", "NOT_FOUND"),
    ("path", "me"),
    ("displayName", "A name"),
    ("type", "acme"),
    ("email", "nobody@example.com"),
    ("role", "viewer"),
    ("token", "none"),
    ("password", "none"),
    ("currentPassword", "none"),
    ("newPassword", "none"),
];

fn word(name: &str) -> &'static str {
    let found = WORDS.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, word)| *word)
        .unwrap_or_else(|| panic!("teach the matrix what to write for `{name}`"))
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolve(document, document.pointer(reference.trim_start_matches('#')).unwrap()),
        None => schema,
    }
}

/// Every id inside a body, at any depth.
fn marks(document: &Value, schema: &Value, pointer: &str, found: &mut Vec<(String, String)>) {
    let schema = resolve(document, schema);
    if let Some(kind) = schema[X_REF].as_str() {
        found.push((pointer.to_owned(), kind.to_owned()));
    }
    is_marked(schema, pointer);
    for inner in ["items", "prefixItems", "contains"] {
        for items in one_or_many(&schema[inner]) {
            marks(document, items, &format!("{pointer}/{FIRST}"), found);
        }
    }
    for values in one_or_many(&schema["additionalProperties"]) {
        marks(document, values, &format!("{pointer}/any"), found);
    }
    for values in schema["patternProperties"]
        .as_object()
        .into_iter()
        .flat_map(Map::values)
    {
        marks(document, values, &format!("{pointer}/any"), found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        marks(document, property, &format!("{pointer}/{name}"), found);
    }
    for choice in ["anyOf", "oneOf", "allOf"]
        .iter()
        .flat_map(|word| schema[word].as_array().into_iter().flatten())
    {
        marks(document, choice, pointer, found);
    }
}

/// The place of an array's first element in our pointers.
const FIRST: &str = "[0]";

fn one_or_many(schemas: &Value) -> impl Iterator<Item = &Value> {
    let many = schemas.as_array().into_iter().flatten();
    many.chain(schemas.is_object().then_some(schemas))
}

/// An id that a request takes without the mark would be in no matrix: it is told by its pattern, which all ids share.
fn is_marked(schema: &Value, place: &str) {
    let is_id = schema["pattern"]
        .as_str()
        .is_some_and(|pattern| pattern.ends_with("_[0-7][0-9a-hjkmnp-tv-z]{25}$"));
    assert!(
        !is_id || schema[X_REF].is_string(),
        "an id at `{place}` is not marked: wrap it in `Ref`"
    );
}

fn body_schema(operation: &Value) -> Option<&Value> {
    operation.pointer("/requestBody/content/application~1json/schema")
}

fn positions(document: &Value) -> Vec<Position> {
    let mut positions = Vec::new();
    for (method, path, operation) in operations(document) {
        // An operator knows of every tenant; to anybody else such a route is shut before a row is looked for. So is an
        // owner's to every key; that an owner finds no other tenant has a test of its own.
        let shut = [Permission::Operator.as_str().to_owned(), Access::Owner.to_string()];
        if shut.iter().any(|needed| operation["x-permission"] == needed.as_str()) {
            continue;
        }
        let mut add = |place, kind: &str| {
            positions.push(Position {
                method: method.clone(),
                path: path.clone(),
                place,
                kind: kind.to_owned(),
            });
        };
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            is_marked(resolve(document, &parameter["schema"]), name);
            match (parameter["in"].as_str().unwrap(), parameter["schema"][X_REF].as_str()) {
                ("path", Some(kind)) => add(Place::Path(name.to_owned()), kind),
                ("query", Some(kind)) => add(Place::Query(name.to_owned()), kind),
                ("path", None) => drop(word(name)),
                _ => {}
            }
        }
        let mut inside = Vec::new();
        body_schema(operation).inspect(|schema| marks(document, schema, "", &mut inside));
        for (pointer, kind) in inside {
            add(Place::Body(pointer), &kind);
        }
    }
    positions
}

/// A body that fits its schema, with no more than it must have.
fn sample(document: &Value, schema: &Value, name: &str) -> Value {
    let schema = resolve(document, schema);
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    let choices = choices(schema);
    match kind {
        _ if !choices.is_empty() => {
            let known = WORDS.iter().find(|(known, _)| *known == name).map(|(_, word)| *word);
            let known = known.filter(|word| choices.contains(word));
            known.unwrap_or(choices[0]).into()
        }
        // What may stand in it is put there by whoever asks.
        Some("array") => json!([]),
        Some("object") | None => {
            let required = schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            let fields: Map<_, _> = required
                .map(|name| (name.to_owned(), sample(document, &schema["properties"][name], name)))
                .collect();
            fields.into()
        }
        Some("string") => word(name).into(),
        Some(other) => panic!("teach the matrix to write a {other} for `{name}`"),
    }
}

/// The words that a schema takes, if it lists them.
fn choices(schema: &Value) -> Vec<&str> {
    let listed = schema["enum"].as_array().into_iter().flatten();
    let told = schema["oneOf"].as_array().into_iter().flatten();
    listed
        .chain(told.map(|choice| &choice["const"]))
        .filter_map(Value::as_str)
        .collect()
}

/// The request that names `id` at this position, everything else being in order.
fn request(document: &Value, position: &Position, id: &str, own: &BTreeMap<&str, String>) -> Ask {
    let operation = &document["paths"][&position.path][position.method.as_str().to_ascii_lowercase()];
    let fill = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        None => part.to_owned(),
        Some(name) if matches!(&position.place, Place::Path(here) if here == name) => id.to_owned(),
        Some(name) => own.get(name).cloned().unwrap_or_else(|| word(name).to_owned()),
    };
    let mut path = position.path.split('/').map(fill).collect::<Vec<_>>().join("/");
    if let Place::Query(name) = &position.place {
        path = format!("{path}?{name}={id}");
    }
    let ask = Ask::new(position.method.clone(), path);
    let Some(schema) = body_schema(operation) else {
        return ask;
    };
    let mut body = sample(document, schema, "");
    if let Place::Body(pointer) = &position.place {
        put(&mut body, pointer, id);
    }
    ask.json(&body)
}

fn put(body: &mut Value, pointer: &str, id: &str) {
    let mut place = body;
    for part in pointer.split('/').skip(1) {
        if part == FIRST {
            *place = json!([null]);
            place = &mut place[0];
            continue;
        }
        if place.is_null() {
            *place = json!({});
        }
        place = &mut place[part];
    }
    *place = id.into();
}

/// A row of each kind.
async fn rows(app: &TestApp, tenant: &Tenant) -> BTreeMap<&'static str, String> {
    let keys = app.ask(Ask::get("/api/v1/api-keys").key(&tenant.key)).await;
    let connection = app.connect(tenant, "main").await;
    // It was tested when it was made.
    app.connectors.flush_calls().await.unwrap();
    let calls = app.ask(Ask::get("/api/v1/calls").key(&tenant.key)).await;
    let call = calls.json["data"][0]["id"].as_str().unwrap().to_owned();
    let body = json!({ "email": "carol@example.com", "role": "viewer" });
    let invited = app.ask(Ask::post("/api/v1/users").key(&tenant.key).json(&body)).await;
    BTreeMap::from([
        ("connection", connection),
        ("call", call),
        ("key", keys.json["data"][0]["id"].as_str().unwrap().to_owned()),
        ("credential", app.credential(tenant, "main").await),
        ("user", invited.json["user"]["id"].as_str().unwrap().to_owned()),
        ("tenant", tenant.id.to_string()),
    ])
}

fn random(kind: &str) -> String {
    match kind {
        "connection" => ConnectionId::new(&SystemClock, &SystemRandom).unwrap().to_string(),
        "call" => CallId::new(&SystemClock, &SystemRandom).unwrap().to_string(),
        "key" => ApiKeyId::new(&SystemClock, &SystemRandom).unwrap().to_string(),
        "user" => UserId::new(&SystemClock, &SystemRandom).unwrap().to_string(),
        "tenant" => TenantId::new(&SystemClock, &SystemRandom).unwrap().to_string(),
        "credential" => CredentialId::new(&SystemClock, &SystemRandom).unwrap().to_string(),
        other => panic!("teach the matrix to make an id of a {other}"),
    }
}

/// Asks, and counts what it costs.
async fn costs(app: &TestApp, ask: Ask) -> (Answer, u64) {
    let before = app.store.statements();
    let answer = app.ask(ask).await;
    (answer, app.store.statements() - before)
}

#[tokio::test]
async fn t2_a_strangers_id_is_no_id() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    let (own, strange) = (rows(&app, &alice).await, rows(&app, &bob).await);
    let positions = positions(app.document);
    let call =
        |tenant: &Tenant, id: &str| Ask::post(format!("/api/v1/connections/{id}/actions/whoami")).key(&tenant.key);
    // Cold, and then with the stranger's row in every cache that there is.
    for warm in [false, true] {
        if warm {
            let bobs = &strange["connection"];
            assert_eq!(app.ask(call(&bob, bobs)).await.status, 200);
            let (_, costs) = costs(&app, call(&bob, bobs)).await;
            assert_eq!(costs, 0, "the stranger's row is not warm");
        }
        let before = seen(&app, &bob, &strange).await;
        cross(&app, &alice, &positions, &own, &strange).await;
        assert_eq!(
            seen(&app, &bob, &strange).await,
            before,
            "a stranger changed something, warm: {warm}"
        );
    }
    let in_bodies = positions
        .iter()
        .filter(|position| matches!(position.place, Place::Body(_)))
        .count();
    assert!(
        positions.len() >= 19 && in_bodies >= 5,
        "the matrix lost positions: {positions:#?}"
    );
}

/// Asks at every position, with a stranger's id and with nobody's.
async fn cross(
    app: &TestApp,
    alice: &Tenant,
    positions: &[Position],
    own: &BTreeMap<&str, String>,
    strange: &BTreeMap<&str, String>,
) {
    for position in positions {
        let stranger = &strange[position.kind.as_str()];
        let with = |id: &str| request(app.document, position, id, own).key(&alice.key);
        let (nobodys, nobody_costs) = costs(app, with(&random(&position.kind))).await;
        let (strangers, stranger_costs) = costs(app, with(stranger)).await;
        assert_eq!(
            strangers.without_request_id(),
            nobodys.without_request_id(),
            "{position:?}"
        );
        assert_eq!(stranger_costs, nobody_costs, "statements at {position:?}");
        // Of many at once, each has a result of its own.
        let status = match strangers.json["data"][0]["problem"]["status"].as_u64() {
            Some(status) if strangers.status == 200 => status,
            _ => strangers.status.into(),
        };
        assert_eq!(status, 404, "{position:?}: {}", strangers.text);
        assert!(!strangers.text.contains(stranger.as_str()), "{position:?}");
    }
}

#[test]
fn the_matrix_finds_ids_wherever_they_are() {
    let id = |kind: &str| json!({ "type": "string", "pattern": pattern(), X_REF: kind });
    let document = json!({ "components": { "schemas": { "Step": {
        "type": "object",
        "properties": { "with": id("credential"), "many": { "type": "array", "items": { "$ref": "#/components/schemas/Part" } } },
    }, "Part": { "type": "object", "properties": { "of": { "anyOf": [id("connection"), { "type": "null" }] } } } } } });
    let schema = json!({ "type": "object", "properties": {
        "steps": { "type": "array", "items": { "$ref": "#/components/schemas/Step" } },
        "byName": { "type": "object", "additionalProperties": id("key") },
    } });
    let mut found = Vec::new();
    marks(&document, &schema, "", &mut found);
    found.sort();
    let expected = [
        ("/byName/any", "key"),
        ("/steps/[0]/many/[0]/of", "connection"),
        ("/steps/[0]/with", "credential"),
    ];
    assert_eq!(found, expected.map(|(place, kind)| (place.to_owned(), kind.to_owned())));
    let mut body = json!({});
    put(&mut body, "/steps/[0]/many/[0]/of", "conn_1");
    assert_eq!(body, json!({ "steps": [{ "many": [{ "of": "conn_1" }] }] }));
}

#[test]
#[should_panic(expected = "is not marked")]
fn the_matrix_refuses_an_id_that_is_not_marked() {
    let schema = json!({ "type": "object", "properties": { "friends": { "type": "array", "items": { "pattern": pattern() } } } });
    marks(&json!({}), &schema, "", &mut Vec::new());
}

/// The pattern of an id, as the API description has it.
fn pattern() -> Value {
    let schema = schemars::schema_for!(ConnectionId);
    schema.as_value()["pattern"].clone()
}

/// What a tenant sees of their own rows.
async fn seen(app: &TestApp, tenant: &Tenant, rows: &BTreeMap<&str, String>) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in [
        format!("/api/v1/connections/{}", rows["connection"]),
        format!("/api/v1/credentials/{}", rows["credential"]),
        "/api/v1/api-keys".to_owned(),
        "/api/v1/users".to_owned(),
        "/api/v1/tenants/".to_owned() + &rows["tenant"],
        "/api/v1/audit-logs?limit=200".to_owned(),
    ] {
        let answer = app.ask(Ask::get(path).key(&tenant.key)).await;
        assert_eq!(answer.status, 200);
        let mut json = answer.json;
        // Their own asking is a use of their key.
        for row in json["data"].as_array_mut().into_iter().flatten() {
            row["lastUsedAt"].take();
        }
        seen.push(json);
    }
    seen
}

#[tokio::test]
async fn rows_are_found_before_bodies_are_read() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    let strange = rows(&app, &bob).await;
    let mut tried = 0;
    for position in positions(app.document) {
        let Place::Path(_) = position.place else { continue };
        let path = position.path.clone();
        let operation = &app.document["paths"][&path][position.method.as_str().to_ascii_lowercase()];
        if body_schema(operation).is_none() {
            continue;
        }
        let ask = request(
            app.document,
            &position,
            &strange[position.kind.as_str()],
            &BTreeMap::new(),
        );
        let ask = Ask::new(ask.method, ask.path).key(&alice.key).text("text/plain", "{");
        assert_eq!(app.ask(ask).await.status, 404, "{position:?}");
        tried += 1;
    }
    assert!(tried >= 2);
}

#[tokio::test]
async fn t1_a_tenant_comes_from_the_key_alone() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    app.connect(&bob, "bobs").await;
    let bobs = bob.id.to_string();
    let list = || Ask::get("/api/v1/connections").key(&alice.key);
    for header in ["x-tenant", "x-tenant-id", "tenant", "tieline-tenant"] {
        let answer = app.ask(list().header(header, &bobs)).await;
        assert_eq!(answer.json, json!({ "data": [], "nextCursor": null }), "{header}");
    }
    for name in ["tenant", "tenantId", "tenant_id"] {
        let answer = app
            .ask(Ask::get(format!("/api/v1/connections?{name}={bobs}")).key(&alice.key))
            .await;
        assert_eq!(answer.status, 422, "{name}");
        let body = json!({ "connector": "acme", name: bobs });
        let answer = app
            .ask(Ask::post("/api/v1/connections").key(&alice.key).json(&body))
            .await;
        assert_eq!(answer.status, 422, "{name}");
    }
}

#[tokio::test]
async fn t2_a_cursor_is_good_for_its_tenant_and_list_only() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    for name in ["one", "two"] {
        app.connect(&bob, name).await;
        app.connect(&alice, name).await;
    }
    let list = |tenant: &Tenant, query: &str| Ask::get(format!("/api/v1/{query}")).key(&tenant.key);
    let first = app.ask(list(&bob, "connections?limit=1")).await;
    let cursor = first.json["nextCursor"].as_str().unwrap();
    let last = first.json["data"][0]["id"].as_str().unwrap();
    assert!(!cursor.contains(last), "sealed");
    let second = app
        .ask(list(&bob, &format!("connections?limit=1&cursor={cursor}")))
        .await;
    assert_ne!(second.json["data"][0]["id"], last);
    assert_eq!((second.status, &second.json["nextCursor"]), (200, &Value::Null));

    let by_hand = |key: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, key);
    for (tenant, query) in [
        (&alice, format!("connections?cursor={cursor}")),
        (&bob, format!("audit-logs?cursor={cursor}")),
        (&bob, format!("api-keys?cursor={cursor}")),
        (&bob, format!("connections?cursor={}", &cursor[..cursor.len() - 4])),
        (&bob, format!("connections?cursor={}", by_hand(last))),
        (&bob, format!("audit-logs?cursor={}", by_hand("18446744073709551615"))),
        (&bob, "connections?cursor=".to_owned()),
    ] {
        let answer = app.ask(list(tenant, &query)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "REQUEST_INVALID"),
            "{query}: {}",
            answer.text
        );
        assert_eq!(answer.json["fields"][0]["pointer"], "/cursor", "{}", answer.text);
    }
}

/// T7: what is cached for one tenant is never served to another, however their requests fall between each other's.
#[tokio::test]
async fn t7_many_tenants_at_once_see_their_own() {
    let app = std::sync::Arc::new(TestApp::start().await);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..12 {
        let tenant = app.tenant(&format!("tenant-{number}")).await;
        let own = app.connect(&tenant, "main").await;
        let app = app.clone();
        tasks.spawn(async move {
            for round in 0..20 {
                let path = match round % 2 {
                    0 => "/api/v1/connections".to_owned(),
                    _ => format!("/api/v1/connections/{own}"),
                };
                let answer = app.ask(Ask::get(path).key(&tenant.key)).await;
                assert_eq!((answer.status, answer.text.matches("\"id\":\"conn_").count()), (200, 1));
                assert!(answer.text.contains(&own));
                let call = Ask::post(format!("/api/v1/connections/{own}/actions/whoami")).key(&tenant.key);
                assert_eq!(app.ask(call).await.status, 200);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}
