//! The ledger of calls, from the library.

use futures_util::FutureExt;
use serde_json::json;
use tieline::{
    Code,
    call::Via,
    ledger::CallQuery,
    limits::{FLUSH_INTERVAL, FLUSH_ROWS, LEDGER_ROOM},
    store::CallEntry,
};
use tieline_testkit::twin::Twin;

use crate::{
    house::{House, json_reply},
    lab::TENANT,
};

async fn written(house: &House) -> usize {
    house
        .store
        .calls_in_order(TENANT, 0, 2 * LEDGER_ROOM)
        .await
        .unwrap()
        .len()
}

async fn newest(house: &House) -> CallEntry {
    house.connectors.flush_calls().await.unwrap();
    let page = house.connectors.calls(&house.by, CallQuery::default()).await.unwrap();
    page.rows.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_search_may_go_to_the_end_of_time() {
    let house = House::of(crate::house::SLEEPY);
    let query = CallQuery {
        to: Some(tieline::clock::Timestamp::MAX),
        ..CallQuery::default()
    };
    assert!(house.connectors.calls(&house.by, query).await.unwrap().rows.is_empty());
}

#[tokio::test]
async fn a_row_tells_attempts_bytes_and_the_last_status() {
    let twin = Twin::start(vec![
        json_reply("503 Service Unavailable", "{}"),
        json_reply("200 OK", r#"{"id":"m1"}"#),
        json_reply("404 Not Found", r#"{"code":"gone"}"#),
    ])
    .await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    // A read is repeated; a write is not.
    house.call(&connection, "look", json!({})).await.unwrap();
    let call = newest(&house).await;
    assert_eq!(
        (call.attempts, call.status, call.outcome.as_str()),
        (2, Some(200), "ok")
    );
    assert_eq!(
        (call.sent, call.received),
        (Some(0), Some(13)),
        "the bodies of both answers"
    );
    assert_eq!(
        (call.connection, call.action.as_deref()),
        (Some(connection.id), Some("look"))
    );
    let input = json!({ "channel": "1", "text": "hi" });
    let refused = house.call(&connection, "post", input).await.unwrap_err();
    let call = newest(&house).await;
    assert_eq!((call.attempts, call.status), (1, Some(404)));
    assert_eq!(call.outcome, refused.code().as_str());
    assert_eq!(call.sent, Some(r#"{"text":"hi"}"#.len() as u64));
}

#[tokio::test]
async fn a_call_whose_caller_leaves_is_written_down_as_cancelled() {
    let house = House::of(crate::house::SLEEPY);
    let call = tieline::call::Call {
        connector: Some("sleepy".to_owned()),
        action: "sleep".to_owned(),
        input: json!({}).into(),
        via: Via::Inline {
            auth: None,
            config: json!({}).into(),
        },
        idempotency_key: None,
    };
    let mut running = Box::pin(house.connectors.call(&house.by, call));
    assert!((&mut running).now_or_never().is_none(), "it sleeps");
    drop(running);
    let call = newest(&house).await;
    assert_eq!(
        (call.outcome.as_str(), call.attempts, call.status),
        ("cancelled", 0, None)
    );
    assert_eq!((call.sent, call.received), (None, None));
}

/// A call that fails without leaving the process: quick, and a row all the same.
async fn quick(house: &House) -> Code {
    let told = house.call_via(Via::Nothing, "hook", json!({})).await;
    told.unwrap_err().code()
}

#[tokio::test(start_paused = true)]
async fn the_keeper_writes_within_its_interval_and_at_once_when_crowded() {
    let house = House::of(&crate::house::manifest(1));
    let connectors = house.connectors.clone();
    let keeper = tokio::spawn(async move { connectors.keep_ledger().await });
    tokio::task::yield_now().await;
    quick(&house).await;
    assert_eq!(written(&house).await, 0);
    tokio::time::sleep(FLUSH_INTERVAL * 2).await;
    assert_eq!(written(&house).await, 1);
    let before = tokio::time::Instant::now();
    for _ in 0..FLUSH_ROWS {
        quick(&house).await;
    }
    while written(&house).await < 1 + FLUSH_ROWS {
        tokio::task::yield_now().await;
    }
    assert!(before.elapsed() < FLUSH_INTERVAL, "a batch does not wait");
    keeper.abort();
}

#[tokio::test]
async fn without_a_keeper_calls_write_themselves_and_close_writes_the_rest() {
    let house = House::of(&crate::house::manifest(1));
    for _ in 0..FLUSH_ROWS {
        quick(&house).await;
    }
    assert_eq!(written(&house).await, 0);
    quick(&house).await;
    assert_eq!(written(&house).await, FLUSH_ROWS);
    house.connectors.close().await.unwrap();
    assert_eq!(written(&house).await, FLUSH_ROWS + 1);
    let audit = house.store.audit_entries(TENANT, 0, 10).await.unwrap();
    let batches: Vec<_> = audit
        .iter()
        .filter(|row| row.entry.action == "calls.recorded")
        .collect();
    assert_eq!(batches.len(), 2);
    assert!(
        batches[1].entry.detail.contains(r#""count":1"#),
        "{}",
        batches[1].entry.detail
    );
}
