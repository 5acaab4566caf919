//! Telemetry: what an envelope holds, what it does not, and which are left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
};

use futures_util::future::{BoxFuture, ready};
use serde_json::{Map, Value, json};
use tieline::{
    MemoryStore, Telemetry,
    clock::Random,
    connection::ConnectionPatch,
    secret::Secret,
    telemetry::{Envelope, Level, Redaction, Sampling, Transport},
};
use tieline_testkit::{
    evidence::{self, Kind},
    twin::Twin,
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::house::{House, TOKEN, json_reply, manifest};

/// A transport that keeps what it is handed.
#[derive(Default, Clone)]
pub struct Kept(Arc<Mutex<Vec<Envelope>>>);

impl Kept {
    /// What came, once all of it came.
    pub async fn of(&self, telemetry: &Telemetry) -> Vec<Envelope> {
        assert!(telemetry.flush().await);
        let kept = std::mem::take(&mut *self.0.lock().unwrap());
        kept.iter()
            .for_each(|envelope| evidence::keep(Kind::Log, serde_json::to_vec(envelope).unwrap()));
        kept
    }
}

impl Transport for Kept {
    fn send<'a>(&'a self, batch: &'a [Arc<Envelope>]) -> BoxFuture<'a, tieline::Result<()>> {
        self.0
            .lock()
            .unwrap()
            .extend(batch.iter().map(|envelope| Envelope::clone(envelope)));
        Box::pin(ready(Ok(())))
    }
}

/// A house that tells of itself.
pub fn watched(twin: &Twin, telemetry: &Telemetry) -> House {
    House::shaped(Arc::new(MemoryStore::new()), manifest(twin.port()), |builder| {
        builder.telemetry(telemetry.clone()).event_prefix("igniter.connectors")
    })
}

fn names(envelopes: &[Envelope]) -> Vec<&str> {
    envelopes
        .iter()
        .map(|envelope| envelope.name.strip_prefix("igniter.connectors.").unwrap())
        .collect()
}

fn attributes(text: Value) -> Map<String, Value> {
    match text {
        Value::Object(attributes) => attributes,
        _ => panic!("an object"),
    }
}

#[tokio::test]
async fn an_envelope_has_exactly_the_declared_keys() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let kept = Kept::default();
    let telemetry = Telemetry::builder()
        .service("my-api")
        .environment("staging")
        .version("1.2.3")
        .transport("kept", kept.clone())
        .build();
    let house = watched(&twin, &telemetry);
    let scoped = house.connectors.scope("organization", "org_123").unwrap();
    scoped.connect("acme", json!({ "token": TOKEN })).await.unwrap();
    scoped.action("acme", "look").call(json!({})).await.unwrap();
    scoped.action("acme", "post").call(json!({})).await.unwrap_err();
    scoped.disconnect("acme").await.unwrap();
    let envelopes = kept.of(&telemetry).await;
    let declared = "connector.provider connector.scope connector.identity connector.encrypted connector.encryptedFields \
        action.name action.durationMs action.success error.code error.message error.operation error.action \
        adapter.durationMs adapter.found adapter.count adapter.inserted";
    let declared: BTreeSet<String> = declared.split_whitespace().map(|key| format!("ctx.{key}")).collect();
    let mut seen = BTreeSet::new();
    for envelope in &envelopes {
        let own = (&*envelope.service, &*envelope.environment, envelope.version.as_deref());
        assert_eq!(own, ("my-api", "staging", Some("1.2.3")));
        let failed = envelope.name.ends_with(".failed") || envelope.name.ends_with(".occurred");
        assert_eq!(envelope.level == Level::Error, failed, "{envelope:?}");
        assert_eq!(envelope.error.is_some(), failed);
        seen.extend(envelope.attributes.keys().cloned());
        assert_eq!(envelope.attributes["ctx.connector.provider"], "acme");
        assert_eq!(envelope.attributes["ctx.connector.scope"], "organization");
        let identity = envelope.attributes["ctx.connector.identity"].as_str().unwrap();
        assert!(identity.starts_with("sha256:"), "{identity}");
    }
    let unseen: Vec<_> = declared.difference(&seen).collect();
    assert!(seen.is_subset(&declared), "{seen:?}");
    assert_eq!(unseen, ["ctx.adapter.count"], "nothing was listed");
    let one = |name: &str| {
        let place = names(&envelopes).iter().position(|known| *known == name).unwrap();
        &envelopes[place].attributes
    };
    assert_eq!(one("connector.connected")["ctx.connector.encrypted"], true);
    assert_eq!(one("connector.connected")["ctx.connector.encryptedFields"], 1);
    assert_eq!(one("action.completed")["ctx.action.success"], true);
    assert_eq!(one("action.failed")["ctx.action.success"], false, "false stays false");
    assert!(
        one("action.failed")["ctx.action.durationMs"].is_u64(),
        "zero stays zero"
    );
    assert_eq!(one("adapter.get")["ctx.adapter.found"], false);
    assert_eq!(one("error.occurred")["ctx.error.action"], "post");
    assert_eq!(one("error.occurred")["ctx.error.operation"], "call");
    assert_eq!(
        one("error.occurred")["ctx.error.code"],
        "CONNECTOR_ACTION_INPUT_INVALID"
    );
}

#[tokio::test]
async fn a_session_is_shared_by_all_that_happens_in_it() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let kept = Kept::default();
    let telemetry = Telemetry::builder().transport("kept", kept.clone()).build();
    let own = telemetry.clone();
    let house = House::shaped(Arc::new(MemoryStore::new()), manifest(twin.port()), |builder| {
        builder.telemetry(telemetry.clone()).on_event(move |event| {
            let telemetry = own.clone();
            async move { telemetry.emit(Level::Info, event.kind.as_str(), Map::new()) }
        })
    });
    let session = telemetry
        .session()
        .attribute("request.id", "r_1")
        .attribute("ctx.connector.provider", "is the event's own")
        .attribute("password", "not told");
    let id = session.session_id().to_owned();
    session
        .run(async {
            let connection = house.connect().await;
            house.call(&connection, "look", json!({})).await.unwrap();
        })
        .await;
    house.connectors.scope("planet", "x").err().unwrap();
    house.connectors.scope("planet", "x").err().unwrap();
    house.connectors.close().await.unwrap();
    let envelopes = kept.of(&telemetry).await;
    let mut sessions: BTreeMap<&str, usize> = BTreeMap::new();
    for envelope in &envelopes {
        *sessions.entry(&envelope.session_id).or_default() += 1;
        let inside = envelope.session_id == id;
        assert_eq!(envelope.attributes.get("request.id").is_some(), inside);
        assert!(!envelope.attributes.contains_key("password"));
        if inside && envelope.name.contains("connector.connected") && envelope.name.starts_with("tieline") {
            assert_eq!(envelope.attributes["ctx.connector.provider"], "acme");
        }
    }
    // Connecting, its two operations of the store, the call's three; and what the handler said of three of them.
    assert!(sessions[id.as_str()] >= 8, "{:?}", envelopes);
    assert_eq!(
        sessions.len(),
        1 + 2 + 2,
        "two errors, and what the handler said of them: {sessions:?}"
    );
}

/// Randomness whose next number is the test's.
#[derive(Default)]
struct Dice(AtomicU8);

impl Random for Dice {
    fn fill(&self, buffer: &mut [u8]) -> tieline::Result<()> {
        buffer.fill(self.0.load(Ordering::Relaxed));
        Ok(())
    }
}

#[tokio::test]
async fn a_trace_is_whole_or_absent_but_for_its_errors() {
    let kept = Kept::default();
    let dice = Arc::new(Dice::default());
    let telemetry = Telemetry::builder()
        .random(dice.clone())
        .sampling(Sampling::default().info(0.5).always("*.vital").never("noise.*"))
        .transport("kept", kept.clone())
        .build();
    let happen = async || {
        for name in ["one", "two", "is.vital", "noise.vital"] {
            telemetry.emit(Level::Info, name, Map::new());
        }
        telemetry.emit(Level::Error, "wrong", Map::new());
    };
    for (thrown, expected) in [
        (0x7f, &["one", "two", "is.vital", "wrong"][..]),
        (0x80, &["is.vital", "wrong"][..]),
    ] {
        dice.0.store(thrown, Ordering::Relaxed);
        let session = telemetry.session();
        // What is thrown later changes nothing.
        dice.0.store(0x7f, Ordering::Relaxed);
        session.run(happen()).await;
        let told: Vec<_> = kept.of(&telemetry).await.into_iter().map(|one| one.name).collect();
        assert_eq!(told, expected, "{thrown:x}");
    }
}

#[tokio::test]
async fn r6_what_a_program_emits_is_redacted_and_hashed_under_one_key() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let kept = Kept::default();
    let build = |key: Option<&[u8]>| {
        let builder = Telemetry::builder()
            .redaction(Redaction::default().deny(["customer"]))
            .transport("kept", kept.clone());
        match key {
            Some(key) => builder.hash_key(Secret::new(key.to_vec())).build(),
            None => builder.build(),
        }
    };
    let said = || {
        attributes(json!({
            "ctx.connector.identity": "org_1", "plan": "gold", "customer.name": "Ada", "deep": { "botToken": &*TOKEN },
            "text": format!("Authorization: Bearer {}", &*TOKEN), "none": null, "no": false, "zero": 0,
        }))
    };
    let mut identities = BTreeSet::new();
    for key in [None, Some(&b"one"[..]), Some(&b"two"[..])] {
        let telemetry = build(key);
        if key.is_none() {
            // Derived from the master key, which comes with the connectors; before there is none, nothing is told.
            telemetry.emit(Level::Info, "mine", said());
            let early = kept.of(&telemetry).await;
            assert!(early[0].attributes.get("ctx.connector.identity").is_none());
        }
        let house = watched(&twin, &telemetry);
        telemetry.emit(Level::Info, "mine", said());
        let told = kept.of(&telemetry).await.remove(0);
        assert!(!TOKEN.is_in(&serde_json::to_string(&told).unwrap()));
        let mut shown = told.attributes;
        identities.insert(shown.remove("ctx.connector.identity").unwrap().to_string());
        assert!(shown["text"].as_str().unwrap().contains("[redacted]"));
        shown.remove("text");
        let rest = json!({ "plan": "gold", "deep": {}, "none": null, "no": false, "zero": 0 });
        assert_eq!(Value::Object(shown), rest);
        drop(house);
    }
    assert_eq!(identities.len(), 3, "{identities:?}");
}

/// A program's own subscriber, which keeps all there is.
#[derive(Default, Clone)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn keep(&self, text: &str) {
        let mut log = self.0.lock().unwrap();
        log.push_str(text);
        log.push('\n');
    }
}

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.keep(&format!("{field}={value:?}"));
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        self.keep(span.metadata().name());
        span.record(&mut self.clone());
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        self.keep(event.metadata().target());
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn r2_the_programs_own_log_holds_no_secret_of_a_whole_journey() {
    let log = Log::default();
    let _ours = tracing::subscriber::set_default(log.clone());
    let echo = format!(
        r#"{{"code":"x","message":"bad token {}","Authorization":"Bearer {}"}}"#,
        TOKEN.escape_default(),
        TOKEN.escape_default()
    );
    let twin = Twin::answering(move |seen| match seen.target.as_str() {
        "/v1/look" => json_reply("200 OK", "{}"),
        _ => json_reply("400 Bad Request", &echo),
    })
    .await;
    let telemetry = Telemetry::builder()
        .transport("log", tieline::telemetry::TracingTransport)
        .build();
    let house = House::shaped(Arc::new(MemoryStore::new()), manifest(twin.port()), |builder| {
        builder
            .telemetry(telemetry.clone())
            .on_connect(|_| async { Err::<(), _>("cannot post with Basic dXNlcjpwYXNzd29yZA==") })
    });
    let connection = house.connect().await;
    house.call(&connection, "look", json!({})).await.unwrap();
    let post = json!({ "channel": "c", "text": "t" });
    house.call(&connection, "post", post).await.unwrap_err();
    assert!(
        !house
            .connectors
            .test_connection(&house.by, connection.id)
            .await
            .unwrap()
            .success
    );
    let patch = ConnectionPatch {
        config: Some(json!({ "token": 7 }).into()),
        ..ConnectionPatch::default()
    };
    house
        .connectors
        .update_connection(&house.by, connection.id, patch)
        .await
        .unwrap_err();
    let scoped = house.connectors.scope("tenant", "").unwrap();
    scoped
        .connect("acme", json!({ "token": { "in": &*TOKEN } }))
        .await
        .unwrap_err();
    house
        .connectors
        .delete_connection(&house.by, connection.id)
        .await
        .unwrap();
    house.connectors.close().await.unwrap();
    let log = log.0.lock().unwrap().clone();
    for told in [
        "connector.connected",
        "action.failed",
        "adapter.delete",
        "tieline::call",
        "cannot post with",
    ] {
        assert!(log.contains(told), "{told}");
    }
    assert!(!TOKEN.is_in(&log), "{log}");
    assert!(!log.contains("dXNlcjpwYXNzd29yZA"));
}
