//! Events: what is told, to whom, and that nobody who listens harms anybody.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tieline::{
    Code, Connectors, Event, EventKind, MasterKey, MemoryStore, Scope, ScopeRule,
    call::Via,
    clock::{Random, SystemRandom},
    connection::{BatchAction, Connect, ConnectionPatch, ConnectionQuery},
    event::{EventFilter, Facts, Subscription, Told},
    id::ConnectionId,
    limits::SUBSCRIPTION_QUEUE,
};
use tieline_testkit::{
    process,
    twin::{Reply, Twin},
};

use crate::{
    house::{House, TOKEN, json_reply, manifest},
    lab::TENANT,
};

/// All that a subscription was told so far.
fn all(subscription: &mut Subscription) -> Vec<Arc<Event>> {
    std::iter::from_fn(|| subscription.try_next())
        .map(|told| match told {
            Told::Event(event) => event,
            Told::Missed(count) => panic!("{count} events are missing"),
        })
        .collect()
}

fn kinds(subscription: &mut Subscription) -> Vec<&'static str> {
    all(subscription).iter().map(|event| event.kind.as_str()).collect()
}

/// A program with nothing connected and no service.
fn quiet() -> Connectors {
    Connectors::builder()
        .store(MemoryStore::new())
        .key(MasterKey::generate(&SystemRandom).unwrap())
        .scope("organization", ScopeRule::Required)
        .connectors([])
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_connections_life_is_told_after_it_is_committed() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let mut heard = house.connectors.subscribe();
    let connection = house.connect().await;
    let patch = |patch: ConnectionPatch| house.connectors.update_connection(&house.by, connection.id, patch);
    patch(ConnectionPatch {
        display_name: Some("Other".to_owned()),
        ..ConnectionPatch::default()
    })
    .await
    .unwrap();
    for enabled in [false, false, true] {
        let switch = ConnectionPatch {
            enabled: Some(enabled),
            ..ConnectionPatch::default()
        };
        patch(switch).await.unwrap();
    }
    house.connect().await;
    house
        .connectors
        .delete_connection(&house.by, connection.id)
        .await
        .unwrap();
    let told = all(&mut heard);
    let names: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(
        names,
        [
            "connector.connected",
            "connector.updated",
            "connector.disabled",
            "connector.enabled",
            "connector.connected",
            "connector.disconnected"
        ]
    );
    for event in &told {
        assert_eq!(event.name(), format!("tieline.connectors.{}", event.kind.as_str()));
        assert_eq!((event.tenant, event.connection), (TENANT, Some(connection.id)));
        assert_eq!(
            (event.connector.as_deref(), &event.scope),
            (Some("acme"), &Some(Scope::tenant()))
        );
        assert_eq!(event.facts, Facts::Connection { encrypted_fields: 1 });
        assert!(event.failure.is_none());
        assert!(!TOKEN.is_in(&format!("{event:?}")));
    }
    // What is told is what stands in the feed.
    let feed = house.store.read_feed(0, 100).await.unwrap();
    let ids: Vec<_> = feed.iter().map(|row| row.event).collect();
    assert_eq!(told.iter().map(|event| event.id).collect::<Vec<_>>(), ids);
}

#[tokio::test]
async fn a_scope_hears_of_itself_only() {
    let twin = Twin::always(json_reply("200 OK", r#"{"id":"7"}"#)).await;
    let house = House::with(&twin);
    let scoped = |identity| house.connectors.scope("organization", identity).unwrap();
    let (a, b) = (scoped("a"), scoped("a:b"));
    let (mut of_a, mut of_b, mut of_all) = (a.subscribe(), b.subscribe(), house.connectors.subscribe());
    a.connect("acme", json!({ "token": TOKEN })).await.unwrap();
    assert_eq!(kinds(&mut of_a), ["connector.connected"]);
    b.action("acme", "look").call(json!({})).await.unwrap_err();
    assert_eq!(kinds(&mut of_b), ["action.failed", "error.occurred"]);
    a.action("acme", "look").call(json!({})).await.unwrap();
    assert_eq!(kinds(&mut of_a), ["action.started", "action.completed"]);
    // Of another tenant, the same scope is another one.
    let other = Connect {
        config: json!({ "token": TOKEN }).into(),
        ..Connect::new("acme", Scope::new("organization", "a").unwrap())
    };
    house.connectors.connect(&house.by, other).await.unwrap();
    assert!(kinds(&mut of_a).is_empty() && kinds(&mut of_b).is_empty());
    assert_eq!(all(&mut of_all).len(), 6);
    drop(of_a);
    drop(house);
    drop((a, b));
    assert!(
        of_b.next().await.is_none() && of_all.next().await.is_none(),
        "everything is gone"
    );
}

#[tokio::test]
async fn an_action_is_told_from_its_start_to_its_end() {
    let twin = Twin::answering(|seen| match seen.target.as_str() {
        "/v1/look" => json_reply("200 OK", "{}"),
        _ => json_reply("400 Bad Request", &format!(r#"{{"message":"no {}"}}"#, &*TOKEN)),
    })
    .await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    let mut heard = house.connectors.subscribe();
    house.call(&connection, "look", json!({})).await.unwrap();
    let told = all(&mut heard);
    let [started, completed] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(started.kind, EventKind::ActionStarted);
    assert_eq!(completed.kind, EventKind::ActionCompleted);
    assert_eq!((started.duration, completed.duration.is_some()), (None, true));
    for event in &told {
        assert_eq!(event.action.as_deref(), Some("look"));
        assert_eq!(
            (event.connection, &event.scope),
            (Some(connection.id), &Some(Scope::tenant()))
        );
        assert!(event.call.is_some() && event.call == started.call);
    }
    let error = house
        .call(&connection, "post", json!({ "channel": "c", "text": "t" }))
        .await
        .unwrap_err();
    let told = all(&mut heard);
    let names: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(names, ["action.started", "action.failed", "error.occurred"]);
    for failed in &told[1..] {
        let failure = failed.failure.as_ref().unwrap();
        assert_eq!((failure.code, failure.operation), (error.code().as_str(), "call"));
        assert!(failure.message.starts_with("Acme") || !failure.message.is_empty());
        assert!(!TOKEN.is_in(&format!("{failed:?}")), "{failed:?}");
    }
}

#[tokio::test]
async fn a_failure_before_the_work_is_told_too_and_repeats_count_once() {
    let twin = Twin::always(json_reply("503 Service Unavailable", "{}")).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    let mut heard = house.connectors.subscribe();
    let mut failed = async |via: Via, action: &str, input, code: Code| {
        assert_eq!(house.call_via(via, action, input).await.unwrap_err().code(), code);
        let told = all(&mut heard);
        let of = |kind| told.iter().filter(|event| event.kind == kind).collect::<Vec<_>>();
        let ended = [of(EventKind::ActionFailed), of(EventKind::ErrorOccurred)];
        for events in &ended {
            assert_eq!(events.len(), 1, "{told:?}");
            assert_eq!(events[0].failure.as_ref().unwrap().code, code.as_str());
        }
        of(EventKind::ActionStarted).len()
    };
    let via = || Via::Connection(connection.id);
    let nowhere = Via::Named {
        scope: Scope::tenant(),
        name: "other".to_owned(),
    };
    assert_eq!(failed(nowhere, "look", json!({}), Code::ConnectorNotConnected).await, 0);
    assert_eq!(failed(via(), "no", json!({}), Code::ConnectorActionNotFound).await, 0);
    assert_eq!(
        failed(via(), "post", json!({}), Code::ConnectorActionInputInvalid).await,
        0
    );
    let before = twin.requests().len();
    assert_eq!(failed(via(), "look", json!({}), Code::UpstreamUnavailable).await, 1);
    assert_eq!(twin.requests().len() - before, 3, "it was repeated");
    let off = ConnectionPatch {
        enabled: Some(false),
        ..ConnectionPatch::default()
    };
    house
        .connectors
        .update_connection(&house.by, connection.id, off)
        .await
        .unwrap();
    assert_eq!(failed(via(), "look", json!({}), Code::ConnectionDisabled).await, 0);
}

#[tokio::test]
async fn a_call_whose_caller_leaves_has_failed() {
    let twin = Twin::always(Reply::Stall(Vec::new())).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    let mut heard = house.connectors.subscribe();
    let mut calling = Box::pin(house.call(&connection, "look", json!({})));
    while twin.requests().is_empty() {
        tokio::select! {
            biased;
            _ = &mut calling => panic!("there is no answer"),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(calling);
    let told = all(&mut heard);
    let names: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(names, ["action.started", "action.failed"]);
    assert_eq!(told[1].failure.as_ref().unwrap().code, "CANCELLED");
}

#[tokio::test]
async fn every_operations_error_is_told_once() {
    let twin = Twin::always(json_reply("401 Unauthorized", "{}")).await;
    let house = House::with(&twin);
    let (connectors, by) = (&house.connectors, &house.by);
    let mut heard = connectors.subscribe_to(EventFilter::named("error").unwrap());
    let nobody: ConnectionId = "conn_01h455vb4pex5vsknk084sn02q".parse().unwrap();
    let wish = |connector: &str| Connect {
        config: json!({ "nonsense": 1 }).into(),
        ..Connect::new(connector, Scope::tenant())
    };
    let mut told = async |operation: &str, code: Code| {
        let events = all(&mut heard);
        assert_eq!(events.len(), 1, "{operation}: {events:?}");
        let failure = events[0].failure.as_ref().unwrap();
        assert_eq!((failure.operation, failure.code), (operation, code.as_str()));
    };
    connectors.scope("planet", "x").err().unwrap();
    told("scope", Code::ConnectorScopeInvalid).await;
    connectors.connect(by, wish("acmee")).await.unwrap_err();
    told("connect", Code::ConnectorNotFound).await;
    connectors.create_connection(by, wish("acme")).await.unwrap_err();
    told("connect", Code::ConnectorConfigInvalid).await;
    connectors.connection(by, nobody).await.unwrap_err();
    told("get", Code::NotFound).await;
    connectors
        .update_connection(by, nobody, ConnectionPatch::default())
        .await
        .unwrap_err();
    told("update", Code::NotFound).await;
    connectors.delete_connection(by, nobody).await.unwrap_err();
    told("disconnect", Code::NotFound).await;
    connectors.test_connection(by, nobody).await.unwrap_err();
    told("test", Code::NotFound).await;
    connectors.try_unsaved(by, &wish("acme")).await.unwrap();
    connectors.test_unsaved(by, &wish("acme")).await.unwrap_err();
    told("test", Code::ConnectorConfigInvalid).await;
    connectors
        .batch_connections(by, BatchAction::Test, &[])
        .await
        .unwrap_err();
    told("batch", Code::RequestInvalid).await;
    let each = connectors
        .batch_connections(by, BatchAction::Delete, &[nobody])
        .await
        .unwrap();
    assert!(each[0].is_err());
    told("disconnect", Code::NotFound).await;
    connectors
        .credential(by, "cred_01h455vb4pex5vsknk084sn02q".parse().unwrap())
        .await
        .unwrap_err();
    told("credential.get", Code::NotFound).await;
    // What was handled on the way is no error of the operation's: this one's first test fails.
    let connect = Connect {
        config: json!({ "token": TOKEN }).into(),
        ..Connect::new("acme", Scope::tenant())
    };
    assert!(!connectors.create_connection(by, connect).await.unwrap().test.success);
    connectors.connections(by, ConnectionQuery::default()).await.unwrap();
    assert!(all(&mut heard).is_empty());
}

#[tokio::test]
async fn the_stores_operations_are_told_to_those_who_ask() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let mut usual = house.connectors.subscribe();
    let mut heard = house.connectors.subscribe_to(EventFilter::named("adapter.*").unwrap());
    let facts = |heard: &mut Subscription| -> Vec<(&'static str, Facts)> {
        let told = all(heard);
        assert!(
            told.iter()
                .all(|event| event.duration.is_some() && event.tenant == TENANT)
        );
        told.iter()
            .map(|event| (event.kind.as_str(), event.facts.clone()))
            .collect()
    };
    let of = |found, count, inserted| Facts::Adapter { found, count, inserted };
    let connection = house.connect().await;
    let made = [
        ("adapter.get", of(Some(false), None, None)),
        ("adapter.upsert", of(None, None, Some(true))),
    ];
    assert_eq!(facts(&mut heard), made);
    house.connect().await;
    let again = [
        ("adapter.get", of(Some(true), None, None)),
        ("adapter.upsert", of(None, None, Some(false))),
    ];
    assert_eq!(facts(&mut heard), again);
    let list = ConnectionQuery {
        limit: 10,
        ..ConnectionQuery::default()
    };
    house.connectors.connections(&house.by, list).await.unwrap();
    assert_eq!(facts(&mut heard), [("adapter.list", of(None, Some(1), None))]);
    let patch = ConnectionPatch {
        enabled: Some(false),
        ..ConnectionPatch::default()
    };
    house
        .connectors
        .update_connection(&house.by, connection.id, patch)
        .await
        .unwrap();
    house
        .connectors
        .delete_connection(&house.by, connection.id)
        .await
        .unwrap();
    let names: Vec<_> = facts(&mut heard).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["adapter.get", "adapter.update", "adapter.get", "adapter.delete"]
    );
    assert!(all(&mut usual).iter().all(|event| !event.kind.is_adapter()));
}

#[tokio::test]
async fn a_million_events_past_a_slow_subscriber_leave_memory_flat() {
    const EVENTS: u64 = 1_000_000;
    let connectors = quiet();
    let (mut slow, mut fast) = (connectors.subscribe(), connectors.subscribe());
    let me = std::process::id();
    let mut seen = 0;
    let mut settled = 0;
    for nth in 0..EVENTS {
        connectors.scope("planet", "x").err().unwrap();
        let Some(Told::Event(_)) = fast.try_next() else {
            panic!("who keeps up misses nothing")
        };
        seen += 1;
        if nth == EVENTS / 10 {
            settled = process::resident(me);
        }
    }
    assert_eq!(seen, EVENTS);
    let grown = process::resident(me).saturating_sub(settled);
    // Nine hundred thousand events would be hundreds of megabytes.
    assert!(grown < 16 << 20, "{grown} bytes more");
    for _ in 0..SUBSCRIPTION_QUEUE {
        assert!(matches!(slow.try_next(), Some(Told::Event(_))));
    }
    let Some(Told::Missed(missed)) = slow.try_next() else {
        panic!("it is told how many are missing")
    };
    assert_eq!(missed, EVENTS - SUBSCRIPTION_QUEUE as u64);
    assert!(slow.try_next().is_none());
}

/// What a careless handler meets.
pub(crate) fn trouble() {
    panic!("a listener's own trouble")
}

/// What handlers wrote down, in order.
#[derive(Default, Clone)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn add(&self, note: impl Into<String>) {
        self.0.lock().unwrap().push(note.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn handlers_of_a_scope_go_before_those_of_all() {
    let notes = Notes::default();
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let global = notes.clone();
    let house = House::shaped(Arc::new(MemoryStore::new()), manifest(twin.port()), |builder| {
        builder.on_event(move |event| {
            let notes = global.clone();
            async move { notes.add(format!("all {}", event.kind.as_str())) }
        })
    });
    let scoped = house.connectors.scope("organization", "a").unwrap();
    let local = notes.clone();
    let listening = scoped.on(EventFilter::default(), move |event| {
        let notes = local.clone();
        async move {
            // Others would be first if they were not made to wait.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            notes.add(format!("own {}", event.kind.as_str()));
        }
    });
    scoped.connect("acme", json!({ "token": TOKEN })).await.unwrap();
    while notes.all().len() < 2 {
        tokio::task::yield_now().await;
    }
    drop(listening);
    scoped.disconnect("acme").await.unwrap();
    house.connectors.close().await.unwrap();
    let expected = [
        "own connector.connected",
        "all connector.connected",
        "all connector.disconnected",
    ];
    assert_eq!(notes.all(), expected);
}

#[tokio::test]
async fn a_handler_that_fails_harms_nobody_and_is_told_of_once() {
    let notes = Notes::default();
    let good = notes.clone();
    let connectors = quiet();
    let panics = connectors.on(EventFilter::default(), |_| async { trouble() });
    let fails = connectors.on(EventFilter::default(), |_| async {
        Err::<(), _>("could not reach https://user:s3cr3t-p4ssw0rd@hooks.example")
    });
    let works = connectors.on(EventFilter::default(), move |event| {
        let notes = good.clone();
        async move { notes.add(event.failure.as_ref().unwrap().message.clone()) }
    });
    let mut heard = connectors.subscribe();
    connectors.scope("planet", "x").err().unwrap();
    connectors.close().await.unwrap();
    let told = all(&mut heard);
    let operations: BTreeMap<_, usize> = told.iter().fold(BTreeMap::new(), |mut counts, event| {
        *counts.entry(event.failure.as_ref().unwrap().operation).or_default() += 1;
        counts
    });
    assert_eq!(operations, [("event.handler", 2), ("scope", 1)].into());
    assert_eq!(notes.all().len(), 3, "who works is handed all of them");
    assert!(!format!("{told:?}").contains("s3cr3t-p4ssw0rd"));
    drop((panics, fails, works));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_cut_and_keeps_nobody_waiting() {
    let notes = Notes::default();
    let good = notes.clone();
    let connectors = quiet();
    let scoped = connectors.scope("organization", "a").unwrap();
    let hangs = scoped.on(EventFilter::default(), |_| std::future::pending::<()>());
    let works = connectors.on(EventFilter::default(), move |event| {
        let notes = good.clone();
        async move { notes.add(event.kind.as_str()) }
    });
    let begun = tokio::time::Instant::now();
    for _ in 0..3 {
        scoped.action("nothing", "x").call(json!({})).await.unwrap_err();
    }
    while notes.all().len() < 6 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    connectors.close().await.unwrap();
    drop((hangs, works));
}

/// Randomness that counts how often it is asked for: every event takes some for its identifier.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Random for Counted {
    fn fill(&self, buffer: &mut [u8]) -> tieline::Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        SystemRandom.fill(buffer)
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_made() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let random = Arc::new(Counted::default());
    let house = House::shaped(Arc::new(MemoryStore::new()), manifest(twin.port()), |builder| {
        builder.random(random.clone())
    });
    let connection = house.connect().await;
    house.call(&connection, "look", json!({})).await.unwrap();
    let cost = async || {
        let (random_before, store_before) = (random.0.load(Ordering::Relaxed), house.store.statements());
        house.call(&connection, "look", json!({})).await.unwrap();
        (
            random.0.load(Ordering::Relaxed) - random_before,
            house.store.statements() - store_before,
        )
    };
    assert_eq!(cost().await, (1, 0), "the call's own identifier");
    let heard = house.connectors.subscribe();
    assert_eq!(cost().await, (3, 0), "and that of two events");
    drop(heard);
    assert_eq!(cost().await, (1, 0));
    let _of_others = house.connectors.subscribe_to(EventFilter::named("error").unwrap());
    assert_eq!(cost().await, (1, 0), "what nobody wants is not made");
}
