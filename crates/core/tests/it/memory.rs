//! L3: upstreams' answers are bounded in memory, together and for each tenant.

use std::{io::Write as _, time::Duration};

use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use tieline::{
    Code, Connectors,
    audit::Actor,
    call::{Call, Via},
    error::Retry,
    limits::{MAX_MEMORY_PER_TENANT, SMALL_BYTES},
    shares::Shares,
};
use tieline_testkit::twin::{Reply, Twin, answer};

use crate::{
    house::{House, json_reply},
    lab::{Lab, OTHER_TENANT, TENANT},
};

/// Just under the largest answer that is read.
const LARGE: usize = 9 * 1024 * 1024;

/// A string of JSON of this size.
fn large() -> Vec<u8> {
    format!("\"{}\"", "x".repeat(LARGE - 2)).into_bytes()
}

async fn hook(connectors: &Connectors, by: &Actor, address: String) -> tieline::Result<usize> {
    let call = Call {
        connector: Some("acme".to_owned()),
        action: "hook".to_owned(),
        input: json!({ "address": address }).into(),
        via: Via::Nothing,
        idempotency_key: None,
    };
    connectors.call(by, call).await.map(|called| called.output.text().len())
}

#[tokio::test]
async fn l3_answers_under_way_are_bounded_for_each_tenant() {
    let twin = Twin::answering(|seen| match seen.target.as_str() {
        "/held" => {
            let mut reply = answer("200 OK", "content-type: application/json\r\n", &large());
            reply.pop();
            Reply::Stall(reply)
        }
        "/large" => Reply::Keep(answer("200 OK", "content-type: application/json\r\n", &large())),
        _ => json_reply("200 OK", "{}"),
    })
    .await;
    let house = House::with(&twin);
    let (connectors, by) = (&house.connectors, &house.by);
    let held: Vec<_> = (0..MAX_MEMORY_PER_TENANT / LARGE)
        .map(|_| {
            let (connectors, by, address) = (connectors.clone(), by.clone(), format!("{}/held", twin.url()));
            tokio::spawn(async move { hook(&connectors, &by, address).await })
        })
        .collect();
    while connectors.memory().held() < held.len() * LARGE {
        tokio::task::yield_now().await;
    }
    let large = format!("{}/large", twin.url());
    let error = hook(connectors, by, large.clone()).await.unwrap_err();
    assert_eq!(error.code(), Code::Overloaded, "{error}");
    assert_eq!(
        error.retry_hint(),
        Retry::Never,
        "a write that may have been done is not repeated unseen"
    );
    assert!(error.detail().contains("may have been done"), "{error}");
    assert!(!error.nothing_sent(), "the service did what it was asked for");
    let small = format!("{}/small", twin.url());
    assert_eq!(hook(connectors, by, small).await.unwrap(), 2, "small answers go on");
    let other = Actor::new(OTHER_TENANT, "other");
    assert_eq!(
        hook(connectors, &other, large.clone()).await.unwrap(),
        LARGE,
        "another's part is another's"
    );
    for task in held {
        task.abort();
        let _ = task.await;
    }
    assert_eq!(connectors.memory().held(), 0, "all of it came back");
    assert_eq!(hook(connectors, by, large).await.unwrap(), LARGE);
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn l3_what_an_answer_grows_to_is_what_counts() {
    let zeroes = vec![b'0'; 900_000];
    let squeezed = gzip(&zeroes);
    assert!(squeezed.len() < SMALL_BYTES);
    let twin = Twin::always(Reply::Keep(answer("200 OK", "content-encoding: gzip\r\n", &squeezed))).await;
    let mut lab = Lab::new();
    lab.memory = Shares::new(1_000_000, 1_000_000);
    let url = twin.named("/");
    let first = lab.read(&url).await.unwrap();
    assert_eq!(first.len(), zeroes.len());
    assert!(lab.memory.held() >= zeroes.len(), "it counts as long as it is there");
    assert_eq!(lab.read(&url).await.unwrap_err().code(), Code::Overloaded);
    drop(first);
    assert_eq!(lab.memory.held(), 0);
    assert!(lab.read(&url).await.is_ok());
}

#[tokio::test]
async fn l1_a_slow_host_takes_a_part_of_its_tenants_calls_only() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let mut lab = Lab::new();
    lab.hosts = Shares::new(10, 2);
    let slow = twin.named("/");
    let other = slow.replace("twin.example", "other.example");
    // An answer whose body is not read yet is under way.
    let mut held = vec![lab.get(&slow).await.unwrap(), lab.get(&slow).await.unwrap()];
    let error = lab.get(&slow).await.unwrap_err();
    assert_eq!(error.code(), Code::Overloaded);
    assert_eq!(error.retry_hint(), Retry::After(Duration::from_secs(1)));
    assert!(
        error.nothing_sent() && error.detail().contains("twin.example"),
        "{error}"
    );
    assert_eq!(twin.requests().len(), 2);
    assert!(lab.get(&other).await.is_ok(), "another host is not held up by it");
    lab.tenant = OTHER_TENANT;
    assert!(lab.get(&slow).await.is_ok(), "nor is another tenant");
    lab.tenant = TENANT;
    let streamed = held.pop().unwrap().into_body();
    assert!(lab.get(&slow).await.is_err(), "a stream is under way until its end");
    drop(streamed);
    assert!(lab.read(&slow).await.is_ok());
    held.clear();
    assert_eq!(lab.hosts.held(), 0);
}
