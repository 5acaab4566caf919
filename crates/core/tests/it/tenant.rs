//! Deleting a tenant: what runs for it ends, in every process, and what is left verifies.

use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use serde_json::json;
use tieline::{
    Code, Error,
    api_key::{NewApiKey, Permissions},
    audit::Actor,
    call::{Call, Via},
    connection::Connection,
    http::bytes_body,
    proxy::Passing,
    tenant::DEFAULT_TENANT,
};
use tieline_testkit::{
    canary,
    twin::{Reply, Twin},
};

use crate::house::{House, json_reply};

/// A tenant of its own in a house; answers the text of its first key.
async fn tenant(house: &mut House, name: &str) -> String {
    let made = house.connectors.create_tenant("test", name, new_key()).await.unwrap();
    canary::told_once(made.key.text.reveal());
    house.by = Actor::new(made.tenant.id, "test");
    made.key.text.reveal().clone()
}

/// Begins a call that does not end by itself; over when its request has arrived.
async fn begin(house: &House, connection: &Connection, twin: &Twin) -> tokio::task::JoinHandle<Result<(), Error>> {
    let call = Call {
        connector: None,
        action: "look".to_owned(),
        input: json!({}).into(),
        via: Via::Connection(connection.id),
        idempotency_key: None,
    };
    let (connectors, by, before) = (house.connectors.clone(), house.by.clone(), twin.requests().len());
    let running = tokio::spawn(async move { connectors.call(&by, call).await.map(drop) });
    while twin.requests().len() == before {
        tokio::task::yield_now().await;
    }
    running
}

async fn delete(house: &House, name: &str) -> Result<(), Error> {
    house.connectors.delete_tenant(&house.by, house.by.tenant, name).await
}

#[tokio::test]
async fn k1_a_deleted_tenants_calls_streams_and_keys_end_in_every_process() {
    let twin = Twin::answering(|seen| match seen.target.as_str() {
        "/v1/look" => Reply::Stall(Vec::new()),
        _ => Reply::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello".to_vec()),
    })
    .await;
    let mut house = House::with(&twin);
    let key = tenant(&mut house, "gone").await;
    let mut other = house.beside();
    other.by = house.by.clone();
    let connection = house.connect().await;
    let followed = other.connectors.clone();
    let following = tokio::spawn(async move { followed.follow().await });
    for house in [&house, &other] {
        house.connectors.authenticate(&key, "GET /x").await.unwrap();
    }
    let here = begin(&house, &connection, &twin).await;
    let there = begin(&other, &connection, &twin).await;
    let passing = Passing {
        connection: connection.id,
        method: Method::GET,
        path: "/stream".to_owned(),
        query: None,
        headers: HeaderMap::new(),
        body: bytes_body(Default::default()),
    };
    let mut passed = other.connectors.proxy(&other.by, passing).await.unwrap();
    let first = passed.body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "hello");

    delete(&house, "gone").await.unwrap();
    for ended in [here.await.unwrap(), there.await.unwrap()] {
        assert_eq!(ended.unwrap_err().code(), Code::TenantDeleted);
    }
    let cut = passed.body.frame().await.unwrap().unwrap_err();
    assert_eq!(cut.code(), Code::TenantDeleted);
    for house in [&house, &other] {
        let refused = house.connectors.authenticate(&key, "GET /x").await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        // Whoever was authenticated before comes too late all the same.
        let late = house.call(&connection, "look", json!({})).await.unwrap_err();
        assert_eq!((late.code(), late.nothing_sent()), (Code::TenantDeleted, true));
        let late = house
            .connectors
            .create_api_key(&house.by, new_key())
            .await
            .err()
            .unwrap();
        assert_eq!(late.code(), Code::TenantDeleted);
    }
    following.abort();
}

fn new_key() -> NewApiKey {
    NewApiKey {
        name: "key".to_owned(),
        permissions: Permissions::new(),
        expires_at: None,
        environment: None,
        allowed_networks: None,
    }
}

#[tokio::test]
async fn a2_what_is_left_of_a_deleted_tenant_verifies() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let mut house = House::with(&twin);
    tenant(&mut house, DEFAULT_TENANT).await;
    let operator = house.by.clone();
    tenant(&mut house, "gone").await;
    let connection = house.connect().await;
    for _ in 0..3 {
        house.call(&connection, "look", json!({})).await.unwrap();
    }
    house.connectors.flush_calls().await.unwrap();
    // This one waits in memory until after the deletion.
    house.call(&connection, "look", json!({})).await.unwrap();
    let (id, by) = (house.by.tenant, house.by.clone());
    delete(&house, "gone").await.unwrap();
    house.connectors.flush_calls().await.unwrap();
    let verdict = house.connectors.verify_ledgers(id, None).await.unwrap();
    assert_eq!((verdict.tampered, verdict.calls), (None, 3));
    house.connectors.tend_once().await;
    let verdict = house.connectors.verify_ledgers(id, None).await.unwrap();
    assert_eq!((verdict.tampered, verdict.calls, verdict.pruned), (None, 0, 3));

    let last = |rows: Vec<tieline::store::AuditRow>| {
        let entry = rows.into_iter().next_back().unwrap().entry;
        (entry.actor, entry.action, entry.subject, entry.detail)
    };
    let told = (
        by.name.clone(),
        "tenant.deleted".to_owned(),
        id.to_string(),
        r#"{"name":"gone"}"#.to_owned(),
    );
    for chain in [&by, &operator] {
        let rows = house.connectors.audit_entries(chain, 0, 100).await.unwrap().rows;
        assert_eq!(last(rows), told);
    }
}

#[tokio::test]
async fn a_tenant_is_deleted_by_its_own_name_only_and_the_operators_never() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let mut house = House::with(&twin);
    tenant(&mut house, DEFAULT_TENANT).await;
    let kept = delete(&house, DEFAULT_TENANT).await.unwrap_err();
    assert_eq!(kept.code(), Code::RequestInvalid);
    tenant(&mut house, "gone").await;
    for wrong in ["", "Gone", "gone ", DEFAULT_TENANT] {
        let refused = delete(&house, wrong).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.fields()[0].pointer.as_str()),
            (Code::RequestInvalid, "/confirm")
        );
    }
    delete(&house, "gone").await.unwrap();
    assert_eq!(delete(&house, "gone").await.unwrap_err().code(), Code::NotFound);
}
