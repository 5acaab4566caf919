//! What the library's predecessor promised and did not keep, and what it must not do again, as a Rust connector meets it.

use std::{
    collections::BTreeSet,
    error::Error as StdError,
    sync::{Arc, Mutex},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use tieline::{
    ActionInput, Code, Connector, Connectors, ConnectorsBuilder, Error, EventKind, MasterKey, MemoryAdapter, Result,
    ScopeRule, Telemetry,
    action::ActionContext,
    connectors::Scoped,
    egress::EgressPolicy,
    error::Retry,
    event::Told,
    secret::Secret,
    telemetry::{Envelope, Level},
};
use tieline_testkit::{
    canary::{self, Canary},
    twin::{Reply, Twin},
};

use crate::telemetry::Kept;

static KEY: Canary = Canary::new("key of a promise");

#[derive(Deserialize, JsonSchema)]
struct Acme {
    key: Secret,
}

/// Fetches a page.
#[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
#[action(connector = "acme", id = "fetch", output = u16, effect = "write")]
struct Fetch {
    url: String,
    /// How long it waits.
    millis: u64,
}

async fn fetch(call: ActionContext<Acme>, input: Fetch) -> Result<u16> {
    let request = call.http().get(input.url).bearer(&call.config().key);
    let answer = request.within(Duration::from_millis(input.millis)).send().await?;
    Ok(answer.success()?.status())
}

/// Tells whether the key is this text. An output that held it would come back without it.
#[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
#[action(connector = "acme", id = "compare", output = bool, effect = "read")]
struct Compare {
    with: String,
}

async fn compare(call: ActionContext<Acme>, input: Compare) -> Result<bool> {
    Ok(*call.config().key.reveal() == input.with)
}

/// A program that holds connections for organizations, shaped a little more.
fn house(shape: impl FnOnce(ConnectorsBuilder) -> ConnectorsBuilder) -> Connectors {
    let acme = Connector::builder("acme")
        .config::<Acme>()
        .allowed_hosts(["127.0.0.1", "10.1.2.3", "169.254.169.254"])
        .action(fetch)
        .action(compare);
    let builder = Connectors::builder()
        .adapter(MemoryAdapter::new())
        .key(MasterKey::parse(canary::master_key()).unwrap())
        .scope("organization", ScopeRule::Required)
        .connector(acme.build().unwrap())
        .egress(EgressPolicy {
            loopback: true,
            ..EgressPolicy::default()
        });
    shape(builder).build().unwrap()
}

fn org(connectors: &Connectors) -> Scoped {
    connectors.scope("organization", "org_1").unwrap()
}

fn of(url: impl Into<String>) -> Fetch {
    Fetch {
        url: url.into(),
        millis: 5_000,
    }
}

#[tokio::test]
async fn promise_connector_updated_is_told_to_who_subscribed_to_the_scope_until_he_leaves() {
    let connectors = house(|builder| builder);
    let (org, other) = (org(&connectors), connectors.scope("organization", "org_2").unwrap());
    let (mut heard, mut elsewhere) = (org.subscribe(), other.subscribe());
    org.connect("acme", json!({ "key": &*KEY })).await.unwrap();
    org.update("acme", json!({ "key": "another-key-of-acme" }))
        .await
        .unwrap();
    let kinds: Vec<_> = std::iter::from_fn(|| heard.try_next())
        .map(|told| match told {
            Told::Event(event) => event.kind,
            Told::Missed(count) => panic!("{count} are missing"),
        })
        .collect();
    assert_eq!(kinds, [EventKind::ConnectorConnected, EventKind::ConnectorUpdated]);
    assert!(elsewhere.try_next().is_none());
    let listening = Arc::new(());
    let held = listening.clone();
    let handler = org.on(tieline::event::EventFilter::default(), move |_| {
        let _ = &held;
        async {}
    });
    assert_eq!(Arc::strong_count(&listening), 2);
    drop(handler);
    org.disconnect("acme").await.unwrap();
    connectors.close().await.unwrap();
    assert_eq!(Arc::strong_count(&listening), 1, "who left is held no longer");
}

#[tokio::test]
async fn promise_on_event_hears_what_the_sample_of_it_switches_on() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = told.clone();
    let connectors = house(|builder| {
        builder.on_event(move |event| {
            notes
                .lock()
                .unwrap()
                .push((event.kind.alias(), event.connector.clone()));
            async {}
        })
    });
    let org = org(&connectors);
    org.connect("acme", json!({ "key": &*KEY })).await.unwrap();
    org.call(Compare { with: String::new() }).await.unwrap();
    org.action("acme", "compare").call(json!({})).await.unwrap_err();
    org.disconnect("acme").await.unwrap();
    connectors.close().await.unwrap();
    let told = told.lock().unwrap();
    let mut names: Vec<_> = told.iter().filter_map(|(alias, _)| *alias).collect();
    names.sort_unstable();
    assert_eq!(names, ["action", "action", "connected", "disconnected", "error"]);
    assert!(
        told.iter().all(|(_, connector)| connector.as_deref() == Some("acme")),
        "{told:?}"
    );
}

#[tokio::test]
async fn promise_on_error_hears_of_any_error_and_call_answers_it_coded() {
    let service = Twin::always(Reply::empty(422)).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = told.clone();
    let connectors = house(|builder| {
        builder.on_error(move |event| {
            let failure = event.failure.as_ref().expect("an error").clone();
            notes.lock().unwrap().push((failure.operation, failure.code));
            async {}
        })
    });
    let org = org(&connectors);
    let codes = [
        connectors.scope("planet", "x").err().unwrap().code(),
        org.connect("acme", json!({ "kye": "x" })).await.unwrap_err().code(),
        org.update("acme", json!({ "key": "x" })).await.unwrap_err().code(),
        org.enable("acme").await.unwrap_err().code(),
        org.call(of(service.url())).await.unwrap_err().code(),
        connectors
            .action("acme", "fetch")
            .call(json!({ "url": "", "millis": 1 }))
            .await
            .unwrap_err()
            .code(),
    ];
    use Code::*;
    let before = [
        ConnectorScopeInvalid,
        ConnectorConfigInvalid,
        ConnectorNotConnected,
        ConnectorNotConnected,
        ConnectorNotConnected,
        ConnectorDefaultConfigRequired,
    ];
    assert_eq!(codes, before);
    org.connect("acme", json!({ "key": &*KEY })).await.unwrap();
    let codes = [
        org.action("acme", "fetch")
            .call(json!({ "url": 7 }))
            .await
            .unwrap_err()
            .code(),
        org.call(of(service.url())).await.unwrap_err().code(),
    ];
    assert_eq!(codes, [ConnectorActionInputInvalid, ConnectorActionFailed]);
    org.disable("acme").await.unwrap();
    assert_eq!(
        org.call(of(service.url())).await.unwrap_err().code(),
        ConnectionDisabled
    );
    connectors.close().await.unwrap();
    let mut heard: Vec<_> = told.lock().unwrap().iter().map(|(_, code)| *code).collect();
    let mut expected: Vec<_> = before
        .into_iter()
        .chain([ConnectorActionInputInvalid, ConnectorActionFailed, ConnectionDisabled])
        .map(Code::as_str)
        .collect();
    heard.sort_unstable();
    expected.sort_unstable();
    assert_eq!(heard, expected);
    let operations = told.lock().unwrap();
    for operation in ["scope", "connect", "update", "toggle", "call"] {
        assert!(
            operations.iter().any(|(known, _)| *known == operation),
            "{operation}: {operations:?}"
        );
    }
}

#[tokio::test]
async fn promise_texts_are_cut_after_a_thousand_characters() {
    let kept = Kept::default();
    let telemetry = Telemetry::builder().transport("kept", kept.clone()).build();
    let text = |length: usize| Map::from_iter([("note".to_owned(), json!("ä".repeat(length)))]);
    telemetry.emit(Level::Info, "a", text(1000));
    telemetry.emit(Level::Info, "b", text(1001));
    let notes: Vec<_> = kept
        .of(&telemetry)
        .await
        .iter()
        .map(|envelope| envelope.attributes["note"].clone())
        .collect();
    let whole = "ä".repeat(1000);
    assert_eq!(notes, [json!(whole), json!(format!("{whole}...[truncated]"))]);
}

#[tokio::test]
async fn defect_7_a_services_body_is_in_no_error_event_or_envelope() {
    let body = json!({ "error": "invalid_grant", "debug": "the-service-talks-too-much" });
    let service = Twin::always(Reply::json(400, &body)).await;
    let kept = Kept::default();
    let telemetry = Telemetry::builder().transport("kept", kept.clone()).build();
    let connectors = house(|builder| builder.telemetry(telemetry.clone()));
    let org = org(&connectors);
    let mut heard = connectors.subscribe();
    org.connect("acme", json!({ "key": &*KEY })).await.unwrap();
    let error = org.call(of(service.url())).await.unwrap_err();
    assert_eq!((error.code(), service.seen().len()), (Code::ConnectorActionFailed, 1));
    let told: Vec<String> = std::iter::from_fn(|| heard.try_next())
        .map(|told| format!("{told:?}"))
        .collect();
    let envelopes: Vec<Envelope> = kept.of(&telemetry).await;
    assert!(told.len() >= 4 && envelopes.len() >= 4, "{told:?} {envelopes:?}");
    let everything = format!("{error:?}{error}{told:?}{envelopes:?}");
    for word in ["too-much", "invalid_grant"] {
        assert!(!everything.contains(word), "{everything}");
    }
    assert!(!KEY.is_in(&everything));
}

#[tokio::test]
async fn defect_13_a_handlers_request_is_judged_bounded_and_timed() {
    let connectors = house(|builder| builder);
    let org = org(&connectors);
    org.connect("acme", json!({ "key": &*KEY })).await.unwrap();
    for address in ["http://10.1.2.3/", "http://169.254.169.254/latest/meta-data/"] {
        let error = org.call(of(address)).await.unwrap_err();
        assert_eq!(error.code(), Code::EgressForbidden, "{address}");
    }
    let redirecting = Twin::always(Reply::empty(302).header("location", "http://169.254.169.254/")).await;
    assert!(org.call(of(redirecting.url())).await.is_err());
    assert_eq!(redirecting.seen().len(), 1, "redirects are not followed");
    let silent = Twin::always(Reply::Stall(Vec::new())).await;
    let impatient = Fetch {
        url: silent.url(),
        millis: 50,
    };
    assert_eq!(org.call(impatient).await.unwrap_err().code(), Code::UpstreamTimeout);
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", u64::MAX / 2);
    let endless = Twin::always(Reply::Raw(endless.into_bytes())).await;
    assert_eq!(
        org.call(of(endless.url())).await.unwrap_err().code(),
        Code::UpstreamAnswerTooLarge
    );
}

#[tokio::test]
async fn a_secret_of_any_text_reaches_its_handler_as_it_was() {
    let connectors = house(|builder| builder);
    let org = org(&connectors);
    let long = "0123456789abcdef".repeat(1000);
    // The last two look like what others call sealed.
    let texts = [
        "x",
        "Grüße 🔑 \u{202e}",
        "{\"a\":\"\\n\"}'--;",
        &long,
        "a:b:c",
        "YQ==:Yg==:Yw==",
    ];
    for text in texts {
        org.connect("acme", json!({ "key": text })).await.unwrap();
        assert!(org.call(Compare { with: text.to_owned() }).await.unwrap(), "{text}");
    }
}

#[test]
fn an_error_keeps_its_code_its_fields_its_cause_and_whether_to_try_again() {
    let pause = Duration::from_secs(7);
    let error = Error::new(Code::UpstreamRateLimited, "Acme asks us to slow down.")
        .field("/message", "too long")
        .retry(Retry::After(pause))
        .caused_by(std::io::Error::other("the cause"));
    let thrown: Box<dyn StdError + Send + Sync> = error.into();
    let error = thrown
        .downcast_ref::<Error>()
        .expect("it is one of ours, and can be told from others");
    assert_eq!(
        (error.code(), error.code().as_str()),
        (Code::UpstreamRateLimited, "UPSTREAM_RATE_LIMITED")
    );
    assert_eq!(error.detail(), "Acme asks us to slow down.");
    assert_eq!(
        (error.fields()[0].pointer.as_str(), error.fields().len()),
        ("/message", 1)
    );
    assert_eq!(error.retry_hint(), Retry::After(pause));
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("the cause"));
    assert!(!error.to_string().contains("the cause"), "that is for the log");
    let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(texts.len(), Code::ALL.len(), "no two codes read the same");
}
