//! The ledger of calls and usage over HTTP.

use serde_json::{Value, json};

use crate::support::{Ask, Tenant, TestApp};

async fn whoami(app: &TestApp, tenant: &Tenant, connection: &str) -> String {
    let path = format!("/api/v1/connections/{connection}/actions/whoami");
    let answer = app.ask(Ask::post(path).key(&tenant.key)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json["call"].as_str().unwrap().to_owned()
}

async fn get(app: &TestApp, tenant: &Tenant, path: &str) -> Value {
    let answer = app.ask(Ask::get(format!("/api/v1{path}")).key(&tenant.key)).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json
}

fn ids(list: &Value) -> Vec<&str> {
    let rows = list["data"].as_array().unwrap().iter();
    rows.map(|call| call["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_call_leaves_a_row_that_tells_what_it_was_and_cost() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let connection = app.connect(&tenant, "main").await;
    let call = whoami(&app, &tenant, &connection).await;

    // It can be read at once, and is the same once it is written down.
    let fresh = get(&app, &tenant, &format!("/calls/{call}")).await;
    app.connectors.flush_calls().await.unwrap();
    let before = app.store.statements();
    assert_eq!(get(&app, &tenant, &format!("/calls/{call}")).await, fresh);
    assert_eq!(app.store.statements() - before, 1);
    let expected = json!({
        "id": call, "at": fresh["at"], "actor": fresh["actor"], "kind": "action", "connector": "acme",
        "action": "whoami", "connection": connection, "credential": null, "outcome": "ok", "upstreamStatus": 200,
        "micros": fresh["micros"], "attempts": 1, "bytesSent": 0, "bytesReceived": fresh["bytesReceived"],
    });
    assert_eq!(fresh, expected);
    assert!(fresh["actor"].as_str().unwrap().starts_with("key_"));
    assert!(fresh["micros"].as_u64().unwrap() > 0 && fresh["bytesReceived"].as_u64().unwrap() > 0);

    // The test when it was connected is a call, too; the newest stands first.
    let all = get(&app, &tenant, "/calls").await;
    assert_eq!(ids(&all)[0], call);
    assert_eq!(all["data"][1]["kind"], "test");
    assert_eq!(all["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn calls_are_found_by_what_they_were() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let (one, other) = (app.connect(&tenant, "one").await, app.connect(&tenant, "other").await);
    let mut made = Vec::new();
    for connection in [&one, &other, &one] {
        made.push(whoami(&app, &tenant, connection).await);
    }
    let wrong = Ask::post(format!("/api/v1/connections/{one}/actions/send")).key(&tenant.key);
    let wrong = wrong.json(&json!({}));
    assert_eq!(app.ask(wrong).await.code(), "CONNECTOR_ACTION_INPUT_INVALID");
    app.connectors.flush_calls().await.unwrap();
    let of_one = get(&app, &tenant, &format!("/calls?connection={one}&outcome=ok")).await;
    let actions: Vec<_> = ids(&of_one)
        .into_iter()
        .filter(|id| made.iter().any(|made| made == id))
        .collect();
    assert_eq!(actions, [&made[2], &made[0]]);
    let failed = get(&app, &tenant, "/calls?outcome=CONNECTOR_ACTION_INPUT_INVALID").await;
    assert_eq!(ids(&failed).len(), 1);
    assert_eq!(
        (&failed["data"][0]["attempts"], &failed["data"][0]["upstreamStatus"]),
        (&json!(0), &Value::Null)
    );
    for (query, count) in [
        ("connector=acme", 6),
        ("connector=none", 0),
        ("actor=nobody", 0),
        ("from=2020-01-01&to=2099-01-01", 6),
        ("to=2020-01-01", 0),
        ("from=2099-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(
            ids(&get(&app, &tenant, &format!("/calls?{query}")).await).len(),
            count,
            "{query}"
        );
    }
    // Page by page the same.
    let (mut seen, mut path) = (Vec::new(), "/calls?limit=4".to_owned());
    loop {
        let page = get(&app, &tenant, &path).await;
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("/calls?limit=4&cursor={cursor}");
    }
    assert_eq!(seen, ids(&get(&app, &tenant, "/calls").await));

    // The calls of a connection that is gone are told all the same; those of none are not.
    let gone = Ask::new(http::Method::DELETE, format!("/api/v1/connections/{one}")).key(&tenant.key);
    assert_eq!(app.ask(gone).await.status, 204);
    assert_eq!(
        ids(&get(&app, &tenant, &format!("/calls?connection={one}")).await).len(),
        4
    );
    let bob = app.tenant("bob").await;
    let strange = Ask::get(format!("/api/v1/calls?connection={one}")).key(&bob.key);
    assert_eq!(app.ask(strange).await.status, 404);
}

#[tokio::test]
async fn usage_adds_up_by_day_connector_connection_and_key() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    let (one, other) = (app.connect(&alice, "one").await, app.connect(&alice, "other").await);
    for connection in [&one, &other, &one] {
        whoami(&app, &alice, connection).await;
    }
    app.connectors.flush_calls().await.unwrap();
    let groups = async |query: &str| {
        let usage = get(&app, &alice, &format!("/usage{query}")).await;
        let rows = usage["data"].as_array().unwrap().clone();
        let told = rows.into_iter().map(|row| {
            (
                row["group"].as_str().unwrap().to_owned(),
                row["calls"].as_u64().unwrap(),
            )
        });
        told.collect::<Vec<_>>()
    };
    let total: u64 = groups("").await.iter().map(|(_, calls)| calls).sum();
    assert_eq!(total, 5, "three actions and the tests of two connections");
    assert_eq!(groups("?by=connector").await, [("acme".to_owned(), 5)]);
    let mut by_connection = vec![(one.clone(), 3), (other.clone(), 2)];
    by_connection.sort();
    assert_eq!(groups("?by=connection").await, by_connection);
    assert_eq!(groups("?by=key").await.len(), 1);
    assert_eq!(
        groups(&format!("?by=connector&connection={one}")).await,
        [("acme".to_owned(), 3)]
    );
    assert_eq!(groups("?to=2020-01-01").await, []);
    assert_eq!(get(&app, &bob, "/usage").await["data"], json!([]));
    for wrong in [
        "from=2026-02-01&to=2026-01-01",
        "from=2020-01-01&to=2026-01-01",
        "from=soon",
        "by=moon",
    ] {
        let refused = app
            .ask(Ask::get(format!("/api/v1/usage?{wrong}")).key(&alice.key))
            .await;
        assert_eq!((refused.status, refused.code()), (422, "REQUEST_INVALID"), "{wrong}");
    }
}
