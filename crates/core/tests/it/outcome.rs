//! What an answer makes of a call: repeated or not, and what the caller reads.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::json;
use tieline::{
    ActionInput, Code, Connector, Connectors, Effect, MasterKey, MemoryStore, Result, RunAction, ScopeRule,
    admit::Admitted,
    call::{Call, IdempotencyKey, Via},
    connectors::Scoped,
    error::Retry,
};
use tieline_manifest::{Manifest, Use};
use tieline_testkit::{
    canary::{self, Canary},
    twin::{Reply, Twin, answer},
};

use crate::house::{House, json_reply};

static TOKEN: Canary = Canary::new("token of acme");

/// A service with every kind of place that a secret can stand in.
fn acme(port: u16) -> String {
    format!(
        r#"
id: acme
name: Acme
baseUrl: http://127.0.0.1:{port}/base/v1
allowedHosts: [127.0.0.1]
retryConfig: {{ maxRetries: 2, retryDelay: 1 }}
rateLimit: {{ retryAfterPath: $.wait }}
auth:
  - {{ type: bearer, token: '{{{{token}}}}', fields: [{{ name: token, secret: true, required: true }}] }}
errors: {{ codePath: $.code, messagePath: $.message }}
endpoints:
  - {{ id: look, method: GET, path: /look }}
  - {{ id: open, method: GET, path: /open, auth: none }}
  - {{ id: send, method: POST, path: /send }}
  - {{ id: deep, method: GET, path: '/a/{{{{config.token}}}}/b' }}
  - {{ id: pay, method: POST, path: /pay, idempotencyHeader: Idempotency-Key }}
  - {{ id: own_key, method: POST, path: /pay, idempotencyHeader: Idempotency-Key, headers: {{ idempotency-key: '{{{{key}}}}' }}, input: [{{ name: key, type: string }}] }}
  - id: hook
    method: POST
    auth: none
    url: '{{{{address}}}}'
    input: [{{ name: address, type: string, secret: true, required: true }}]
    queryParams: [{{ name: wait, type: boolean }}]
"#
    )
}

/// One call answered so, and how often the service was asked.
async fn answered(reply: Reply, action: &str) -> (tieline::Error, usize) {
    let twin = Twin::always(reply).await;
    let house = House::of(&acme(twin.port()));
    let connection = house.connect_with(&TOKEN).await;
    let error = house.call(&connection, action, json!({})).await.unwrap_err();
    (error, twin.requests().len())
}

fn later(status: &str, retry_after: &str, body: &str) -> Reply {
    Reply::Keep(answer(
        status,
        &format!("retry-after: {retry_after}\r\n"),
        body.as_bytes(),
    ))
}

// L1: the pause that is asked for is kept, in either form, an hour at most; a long one is left to the caller.
#[tokio::test]
async fn l1_the_pause_that_is_asked_for_is_kept() {
    let hour = Duration::from_secs(3600);
    for (reply, pause) in [
        (later("503 No", "120", ""), Duration::from_secs(120)),
        (later("429 Slow", "7200", ""), hour),
        (later("429 Slow", "99999999", ""), hour),
        (later("429 Slow", "Fri, 31 Dec 2100 23:59:59 GMT", "{\"wait\":0}"), hour),
        (json_reply("429 Slow", "{\"wait\":90.5}"), Duration::from_millis(90_500)),
    ] {
        let (error, asked) = answered(reply, "look").await;
        assert_eq!((error.retry_hint(), asked), (Retry::After(pause), 1), "{error}");
    }
    // A pause that is over is none: all attempts are made.
    let (error, asked) = answered(later("503 No", "Thu, 01 Jan 1970 00:00:00 GMT", ""), "look").await;
    assert_eq!((error.retry_hint(), asked), (Retry::After(Duration::ZERO), 3));
}

#[tokio::test]
async fn what_a_service_says_is_one_clean_line() {
    let (error, _) = answered(
        json_reply(
            "400 No",
            r#"{"code":"E\u001b]0;x","message":"no\r\nX-Evil: 1\u001b[31m"}"#,
        ),
        "look",
    )
    .await;
    assert!(!error.detail().chars().any(char::is_control), "{error}");
    assert!(error.detail().contains("no X-Evil: 1 [31m (E ]0;x)"), "{error}");
}

#[tokio::test]
async fn a_refusal_of_who_did_not_sign_in_is_not_blamed_on_the_credentials() {
    let (signed, _) = answered(json_reply("401 No", "{}"), "look").await;
    let (unsigned, _) = answered(json_reply("401 No", "{}"), "open").await;
    assert_eq!(
        (signed.code(), unsigned.code()),
        (Code::UpstreamUnauthorized, Code::UpstreamUnauthorized)
    );
    assert!(signed.detail().contains("connect again"), "{signed}");
    assert!(!unsigned.detail().contains("connect again"), "{unsigned}");
}

/// The value of a header in each request.
fn header(twin: &Twin, name: &str) -> Vec<String> {
    let value = |request: &String| {
        let line = request
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    twin.requests().iter().map(value).collect()
}

#[tokio::test]
async fn a_write_with_an_idempotency_key_is_repeated_with_the_same() {
    let failures = AtomicUsize::new(0);
    let twin = Twin::answering(move |_| match failures.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => json_reply("503 No", "{}"),
        _ => json_reply("200 OK", "{}"),
    })
    .await;
    let house = House::of(&acme(twin.port()));
    let connection = house.connect_with(&TOKEN).await;
    house.call(&connection, "pay", json!({})).await.unwrap();
    house.call(&connection, "pay", json!({})).await.unwrap();
    house
        .call(&connection, "own_key", json!({ "key": "mine" }))
        .await
        .unwrap();
    let keys = header(&twin, "idempotency-key");
    let [first, second, third, next, own] = keys.as_slice() else {
        panic!("{keys:?}")
    };
    assert!(
        first.starts_with("call_") && first == second && second == third,
        "{keys:?}"
    );
    assert!(next.starts_with("call_") && next != first, "{keys:?}");
    assert_eq!(own, "mine");
}

/// The same service, which says by itself what is repeated, and takes a key with every POST.
fn telling(port: u16) -> String {
    acme(port)
        .replace(
            "retryDelay: 1 ",
            "retryDelay: 1, retryOn: [409, 429, 503], retryHeader: Again ",
        )
        .replace("\nendpoints:", "\nidempotencyHeader: Once\nendpoints:")
}

/// The keys of one call that is answered so, one reply after the other, and what came of it.
async fn keys(replies: Vec<Reply>, action: &str, key: Option<&str>) -> (Vec<String>, Result<(), tieline::Error>) {
    let twin = Twin::start(replies).await;
    let house = House::of(&telling(twin.port()));
    let connection = house.connect_with(&TOKEN).await;
    let call = Call {
        connector: None,
        action: action.to_owned(),
        input: json!({}).into(),
        via: Via::Connection(connection.id),
        idempotency_key: key.map(|key| IdempotencyKey::parse(key).unwrap()),
    };
    let called = house.connectors.call(&house.by, call).await;
    (header(&twin, "once"), called.map(|_| ()))
}

// Whatever goes wrong on the way, the service sees one key for one call.
#[tokio::test]
async fn every_post_carries_a_key_and_a_repeat_the_same() {
    let ok = || json_reply("200 OK", "{}");
    let said = |status: &str, again: &str| Reply::Keep(answer(status, &format!("again: {again}\r\n"), b"{}"));
    for failure in [
        json_reply("409 Conflict", "{}"),
        json_reply("429 Slow", "{}"),
        json_reply("503 No", "{}"),
        said("400 No", "true"),
        Reply::Reset,
        Reply::Raw(Vec::new()),
        Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec()),
    ] {
        let shown = format!("{failure:?}");
        let (keys, result) = keys(vec![failure.clone(), failure, ok()], "send", None).await;
        assert!(result.is_ok(), "{shown}: {result:?}");
        assert!(keys.len() == 3 && keys[0].starts_with("call_"), "{shown}: {keys:?}");
        assert!(keys.iter().all(|key| *key == keys[0]), "{shown}: {keys:?}");
    }
    let (given, _) = keys(vec![json_reply("503 No", "{}"), ok()], "send", Some("order-1")).await;
    assert_eq!(given, ["order-1", "order-1"]);
    let (read, _) = keys(vec![ok()], "look", Some("order-1")).await;
    assert_eq!(read, [""], "a read needs none");
}

#[tokio::test]
async fn what_the_service_rules_out_is_not_repeated() {
    let said = |status: &str, again: &str| Reply::Keep(answer(status, &format!("again: {again}\r\n"), b"{}"));
    for (reply, code, retry) in [
        (said("503 No", "false"), Code::UpstreamUnavailable, Retry::Never),
        (said("409 No", "false"), Code::ConnectorActionFailed, Retry::Never),
        (said("401 No", "true"), Code::UpstreamUnauthorized, Retry::Never),
        (json_reply("400 No", "{}"), Code::ConnectorActionFailed, Retry::Never),
        (json_reply("500 No", "{}"), Code::UpstreamUnavailable, Retry::Backoff),
    ] {
        let (keys, result) = keys(vec![reply; 3], "send", None).await;
        let error = result.unwrap_err();
        assert_eq!(
            (error.code(), error.retry_hint(), keys.len()),
            (code, retry, 1),
            "{error}"
        );
    }
}

#[test]
fn a_key_fits_into_a_header() {
    for key in ["1", "run_1:step-2", &"x".repeat(255)] {
        assert_eq!(IdempotencyKey::parse(key).unwrap().as_str(), key);
    }
    for key in ["", "a b", "a\r\nx: y", "é", &"x".repeat(256)] {
        assert_eq!(IdempotencyKey::parse(key).unwrap_err().code(), Code::RequestInvalid);
    }
}

#[tokio::test]
async fn x3_a_secret_leads_to_no_other_path() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::of(&acme(twin.port()));
    let connection = house.connect_with("..").await;
    let error = house.call(&connection, "deep", json!({})).await.unwrap_err();
    assert_eq!((error.code(), twin.connections()), (Code::ConnectorConfigInvalid, 0));
    let connection = house.connect_with("a/../b").await;
    house.call(&connection, "deep", json!({})).await.unwrap();
    assert!(
        twin.requests()[0].starts_with("GET /base/v1/a/a%2F..%2Fb/b "),
        "{:?}",
        twin.requests()
    );
}

#[tokio::test]
async fn a_secret_address_keeps_its_query() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::of(&acme(twin.port()));
    let at = |rest: &str| json!({ "address": format!("http://127.0.0.1:{}{rest}", twin.port()), "wait": true });
    house.call_via(Via::Nothing, "hook", at("/hook?token=1")).await.unwrap();
    assert!(
        twin.requests()[0].starts_with("POST /hook?token=1&wait=true "),
        "{:?}",
        twin.requests()
    );
    let error = house
        .call_via(Via::Nothing, "hook", at("/hook#part"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ConnectorActionInputInvalid);
    assert_eq!(error.fields()[0].pointer, "/address");
}

// N3
#[tokio::test]
async fn n3_every_request_carries_the_mark_of_its_process() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let (one, other) = (House::of(&acme(twin.port())), House::of(&acme(twin.port())));
    for house in [&one, &one, &other] {
        house.call_via(Via::Nothing, "open", json!({})).await.unwrap();
    }
    let marks = header(&twin, "tieline-loop");
    assert!(
        marks[0].len() == 32 && marks[0] == marks[1] && marks[1] != marks[2],
        "{marks:?}"
    );
}

/// Answers how long it was given, in seconds, and how much it was sent.
#[derive(Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Weigh {
    text: String,
}

impl ActionInput for Weigh {
    type Output = (u64, usize);
    const CONNECTOR: &'static str = "acme";
    const ACTION: &'static str = "weigh";
    const NAME: &'static str = "Weigh";
    const EFFECT: Effect = Effect::Read;
}

impl RunAction for Weigh {
    async fn run(self, admitted: &Admitted) -> Result<Self::Output> {
        let left = admitted
            .deadline()
            .saturating_duration_since(tokio::time::Instant::now());
        Ok((left.as_secs_f64().round() as u64, self.text.len()))
    }
}

/// A house whose connector is Rust, connected; with this line in its manifest.
async fn in_rust(timeout: &str) -> Scoped {
    let manifest = format!(
        "id: acme\nname: Acme\nbaseUrl: https://acme.example\nendpoints: []\n{timeout}\n\
         auth: [{{ type: custom, fields: [{{ name: account }}] }}]\n"
    );
    let manifest = Manifest::parse(&manifest, Use::Tenant).unwrap_or_else(|lints| panic!("{lints:?}"));
    let connectors = Connectors::builder()
        .store(MemoryStore::new())
        .key(MasterKey::parse(canary::master_key()).unwrap())
        .scope("organization", ScopeRule::Required)
        .connector(Connector::from_manifest(manifest).action::<Weigh>().build().unwrap())
        .build()
        .unwrap();
    let org = connectors.scope("organization", "org_1").unwrap();
    org.connect("acme", json!({ "account": "main" })).await.unwrap();
    org
}

#[tokio::test(start_paused = true)]
async fn an_action_in_rust_has_the_time_its_manifest_says() {
    for (timeout, seconds) in [("", 30), ("timeout: 120000", 120)] {
        let org = in_rust(timeout).await;
        let output = org.call(Weigh { text: String::new() }).await.unwrap();
        assert_eq!(output, (seconds, 0), "{timeout}");
    }
}

#[tokio::test]
async fn an_input_may_hold_ten_mebibytes_of_files_and_has_an_end() {
    const MIB: usize = 1024 * 1024;
    let org = in_rust("").await;
    // 10 MiB in base64.
    let text = "x".repeat(10 * MIB / 3 * 4 + 4);
    assert_eq!(org.call(Weigh { text: text.clone() }).await.unwrap().1, text.len());
    for text in ["x".repeat(15 * MIB), "\0".to_owned()] {
        let error = org.call(Weigh { text }).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorActionInputInvalid, "{error}");
    }
    let untyped = json!({ "text": "x".repeat(15 * MIB) });
    let error = org.action("acme", "weigh").call(untyped).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorActionInputInvalid, "{error}");
}
