//! Hooks: they run after the commit, all of them, and harm nothing.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tieline::{
    Connectors, ConnectorsBuilder, MasterKey, MemoryStore, ScopeRule,
    clock::SystemRandom,
    event::Told,
    limits::{HANDLER_TIMEOUT, HANDLERS_CLOSE_PATIENCE, HOOKS_AT_ONCE, HOOKS_WAITING},
};
use tieline_testkit::twin::Twin;
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    events::trouble,
    house::{House, TOKEN, json_reply, manifest},
};

type Notes = Arc<Mutex<Vec<String>>>;

fn builder() -> ConnectorsBuilder {
    Connectors::builder()
        .store(MemoryStore::new())
        .key(MasterKey::generate(&SystemRandom).unwrap())
        .scope("organization", ScopeRule::Required)
        .connectors([])
}

#[tokio::test]
async fn hooks_run_after_the_commit_with_who_and_what_and_without_secrets() {
    let notes = Notes::default();
    let all_told = Notes::default();
    let house_cell: Arc<OnceLock<Connectors>> = Arc::default();
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let note = |name: &'static str| {
        let (notes, all_told, house) = (notes.clone(), all_told.clone(), house_cell.clone());
        move |event: Arc<tieline::Event>| {
            let (notes, all_told, house) = (notes.clone(), all_told.clone(), house.clone());
            async move {
                let connectors = house.get().expect("connected later than built");
                // Longer than all else that a close has to do.
                for _ in 0..10_000 {
                    tokio::task::yield_now().await;
                }
                let scope = event.scope.clone().expect("a scope");
                let stands = connectors.scope(&scope.kind, &scope.identity).unwrap();
                let stands = stands.get(event.connector.as_deref().unwrap()).await.unwrap().is_some();
                let failure = event.failure.as_ref();
                all_told.lock().unwrap().push(format!("{event:?}"));
                notes.lock().unwrap().push(format!(
                    "{name}: {} {} {} stands={stands} {:?} {:?}",
                    event.connector.as_deref().unwrap(),
                    scope.kind,
                    event.identity(),
                    event.action.as_deref(),
                    failure.map(|failure| (failure.code, failure.operation)),
                ));
            }
        }
    };
    let (first, second) = (note("first"), note("second"));
    let (gone, failed, failed_too) = (note("gone"), note("failed"), note("failed too"));
    let house = House::shaped(Arc::new(MemoryStore::new()), manifest(twin.port()), |builder| {
        builder
            .on_connect(first)
            .on_connect(second)
            .on_disconnect(gone)
            .on_error(failed)
            .on_error(failed_too)
    });
    house_cell.set(house.connectors.clone()).ok().unwrap();
    let scoped = house.connectors.scope("organization", "org_1").unwrap();
    let told = async || {
        house.connectors.close().await.unwrap();
        let mut told = std::mem::take(&mut *notes.lock().unwrap());
        told.sort();
        told
    };
    scoped.connect("acme", json!({ "token": TOKEN })).await.unwrap();
    let expected = ["first", "second"].map(|name| format!("{name}: acme organization org_1 stands=true None None"));
    assert_eq!(told().await, expected, "both run, and close waits for them");
    scoped.action("acme", "post").call(json!({})).await.unwrap_err();
    let expected = ["failed too", "failed"].map(|name| {
        format!("{name}: acme organization org_1 stands=true Some(\"post\") Some((\"CONNECTOR_ACTION_INPUT_INVALID\", \"call\"))")
    });
    assert_eq!(told().await, expected);
    scoped.disconnect("acme").await.unwrap();
    assert_eq!(told().await, ["gone: acme organization org_1 stands=false None None"]);
    assert!(all_told.lock().unwrap().iter().all(|text| !TOKEN.is_in(text)));
}

#[tokio::test]
async fn a_hook_that_fails_suppresses_nothing_and_is_told_of_once() {
    let ran = Arc::new(AtomicUsize::new(0));
    let last = ran.clone();
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::shaped(Arc::new(MemoryStore::new()), manifest(twin.port()), |builder| {
        builder
            .on_connect(|_| async { trouble() })
            .on_connect(|_| async { Err::<(), _>("no analytics today") })
            .on_connect(move |_| {
                last.fetch_add(1, Ordering::SeqCst);
                async {}
            })
    });
    let mut heard = house.connectors.subscribe();
    house.connect().await;
    house.connectors.close().await.unwrap();
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    let mut told = Vec::new();
    while let Some(Told::Event(event)) = heard.try_next() {
        let message = event.failure.as_ref().map(|failure| failure.message.clone());
        told.push((event.kind.as_str(), message.unwrap_or_default()));
    }
    told.sort();
    let failed = |why: &str| {
        (
            "error.occurred",
            format!("A listener of `connector.connected` failed: {why}"),
        )
    };
    let expected = [
        ("connector.connected", String::new()),
        failed("it panicked"),
        failed("no analytics today"),
    ];
    assert_eq!(told, expected);
    house.connectors.scope("tenant", "").unwrap();
}

#[tokio::test]
async fn a_hook_of_errors_that_makes_errors_comes_to_an_end() {
    let cell: Arc<OnceLock<Connectors>> = Arc::default();
    let (ran, house) = (Arc::new(AtomicUsize::new(0)), cell.clone());
    let count = ran.clone();
    let connectors = builder()
        .on_error(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            let connectors = house.get().unwrap().clone();
            async move { connectors.scope("planet", "x").map(drop) }
        })
        .build()
        .unwrap();
    cell.set(connectors.clone()).ok().unwrap();
    connectors.scope("planet", "x").err().unwrap();
    connectors.close().await.unwrap();
    // The error itself; the error that the hook met, and that it failed, both as echoes, which it is silent about.
    assert_eq!(ran.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn not_more_hooks_run_at_once_than_there_are_seats() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Arc::new(Semaphore::new(0));
    let (running, highest, wait) = (now.clone(), most.clone(), gate.clone());
    let connectors = builder()
        .on_error(move |_| {
            let (running, highest, wait) = (running.clone(), highest.clone(), wait.clone());
            async move {
                highest.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let _ = wait.acquire().await;
                running.fetch_sub(1, Ordering::SeqCst);
            }
        })
        .build()
        .unwrap();
    for _ in 0..HOOKS_WAITING + 7 {
        connectors.scope("planet", "x").err().unwrap();
    }
    while now.load(Ordering::SeqCst) < HOOKS_AT_ONCE {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(connectors.events_missed(), 7, "what there is no room for is counted");
    gate.add_permits(HOOKS_WAITING);
    connectors.close().await.unwrap();
    assert_eq!(
        (most.load(Ordering::SeqCst), now.load(Ordering::SeqCst)),
        (HOOKS_AT_ONCE, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_does_not_wait_for_ever() {
    let connectors = builder().on_error(|_| std::future::pending::<()>()).build().unwrap();
    connectors.scope("planet", "x").err().unwrap();
    let begun = Instant::now();
    connectors.close().await.unwrap();
    assert!(begun.elapsed() <= HANDLERS_CLOSE_PATIENCE + Duration::from_secs(1));
    assert!(begun.elapsed() >= HANDLER_TIMEOUT);
}
