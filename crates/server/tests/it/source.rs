//! Where requests come from, as far as a proxy in front is believed.

use serde_json::{Value, json};
use tieline_testkit::canary::Canary;

use crate::{
    binary::{Folder, Server},
    support::{Answer, Ask, ask},
};

static ADAS: Canary = Canary::new("ada's password behind a proxy");
static WRONG: Canary = Canary::new("a wrong password behind a proxy");

const FEW_KEYS: (&str, &str) = ("TIELINE__LIMITS__WRONG_KEYS_PER_SOURCE", "3");
const LOOPBACK_IS_OURS: (&str, &str) = ("TIELINE__SERVER__TRUSTED_PROXIES", "10.0.0.0/8,127.0.0.1");

/// The same request with these lines of `X-Forwarded-For`.
fn through(ask: Ask, lines: &[&str]) -> Ask {
    lines.iter().fold(ask, |ask, line| ask.header("x-forwarded-for", line))
}

async fn wrong_key(server: &Server, lines: &[&str]) -> u16 {
    let wrong = format!("sk_{:064x}", 7);
    ask(server.address, through(Ask::get("/api/v1/catalog").key(&wrong), lines))
        .await
        .status
}

async fn sign_in(server: &Server, password: &str, lines: &[&str]) -> Answer {
    let body = json!({ "email": "ada@example.com", "password": password });
    ask(server.address, through(Ask::post("/api/v1/session").json(&body), lines)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn k4_what_a_stranger_says_of_where_they_come_from_changes_nothing() {
    let folder = Folder::new();
    // A proxy is known, and it is another than who asks.
    let elsewhere = ("TIELINE__SERVER__TRUSTED_PROXIES", "10.0.0.0/8,::1");
    let server = folder.serve(&[FEW_KEYS, elsewhere]);
    let (mut keys, mut passwords) = (Vec::new(), Vec::new());
    for number in 0..4 {
        keys.push(wrong_key(&server, &[&format!("198.51.100.{number}")]).await);
    }
    for number in 0..6 {
        let lines = format!("198.51.100.{number}, 10.0.0.1");
        passwords.push(sign_in(&server, &WRONG, &[&lines]).await.status);
    }
    assert_eq!(keys, [401, 401, 401, 429]);
    assert_eq!(passwords, [401, 401, 401, 401, 401, 429]);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn k4_two_strangers_behind_our_proxy_do_not_spend_each_others_attempts() {
    let folder = Folder::new();
    let server = folder.serve(&[FEW_KEYS, LOOPBACK_IS_OURS]);
    let (one, other) = (["198.51.100.1"], ["2001:db8:1::1"]);
    for _ in 0..3 {
        assert_eq!(wrong_key(&server, &one).await, 401);
    }
    for same in [
        &one[..],
        &["::ffff:198.51.100.1"],
        &["192.0.2.66, 198.51.100.1"],
        &["192.0.2.66", "198.51.100.1"],
        &["198.51.100.1, 10.1.2.3", "127.0.0.1"],
    ] {
        assert_eq!(wrong_key(&server, same).await, 429, "{same:?}");
    }
    assert_eq!(wrong_key(&server, &other).await, 401);
    assert_eq!(
        wrong_key(&server, &["198.51.100.1, what"]).await,
        401,
        "the proxy's own"
    );
    for _ in 0..5 {
        assert_eq!(sign_in(&server, &WRONG, &one).await.status, 401);
    }
    assert_eq!(sign_in(&server, &WRONG, &one).await.code(), "SIGN_IN_THROTTLED");
    assert_eq!(sign_in(&server, &WRONG, &other).await.code(), "SIGN_IN_FAILED");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_the_audit_log_tells_who_stood_behind_the_proxy() {
    let folder = Folder::new();
    let server = folder.serve(&[LOOPBACK_IS_OURS]);
    let key = folder.read("data/bootstrap-key").trim().to_owned();
    let link = server.told["setup"].as_str().unwrap();
    let (_, token) = link.split_once("/setup?token=").unwrap();
    let body = json!({ "token": token, "email": "ada@example.com", "name": "Ada", "password": *ADAS });
    assert_eq!(ask(server.address, Ask::post("/setup").json(&body)).await.status, 200);
    let refused = sign_in(&server, &WRONG, &["192.0.2.66, 198.51.100.1, 10.1.2.3"]).await;
    assert_eq!(refused.code(), "SIGN_IN_FAILED");
    // It is written beside the answer.
    let from = loop {
        let listed = ask(
            server.address,
            Ask::get("/api/v1/audit-logs?action=session.refused").key(&key),
        )
        .await;
        assert_eq!(listed.status, 200, "{}", listed.text);
        if let Some(entry) = listed.json["data"].get(0) {
            break entry["detail"]["from"].clone();
        }
    };
    assert_eq!(from, Value::from("198.51.100.1"));
    server.stop();
}
