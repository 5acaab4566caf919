//! Connections that are tested because their time has come.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use serde_json::json;
use tieline::{
    Code, Scope,
    audit::Actor,
    clock::{Clock, SignedDuration, TestClock, Timestamp},
    connection::{Connect, Connection, ConnectionPatch, Status},
    event::EventKind,
    health::PastTest,
    id::{ConnectionId, TenantId},
    limits::{HEALTH_LEASE, RETEST_PAUSE, TESTS_AT_ONCE, TESTS_KEPT_FOR},
    rate::{Limit, RateLimits},
    store::{HealthState, MemoryStore, Store, TestCause, WorkKind},
};
use tieline_testkit::twin::{Reply, Seen, Twin};

use crate::{
    house::{House, OTHER, TOKEN, json_reply, manifest},
    lab::{OTHER_TENANT, TENANT},
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const INTERVAL: Duration = Duration::from_secs(3600);

/// A service that works.
static WELL: fn() -> Reply = || json_reply("200 OK", r#"{"name":"Ada"}"#);

/// A house whose connections are tested every hour, by a clock of the test's own, and a service that does as it is told.
struct Watched {
    house: House,
    clock: Arc<TestClock>,
    mood: Arc<AtomicUsize>,
    twin: Twin,
}

/// What a service may answer.
const MOODS: [(&str, &str); 5] = [
    ("200 OK", r#"{"name":"Ada"}"#),
    ("400 No", r#"{"message":"broken"}"#),
    ("401 No", r#"{"message":"who are you"}"#),
    ("429 Slow", "{}"),
    ("400 No", r#"{"message":"otherwise"}"#),
];

impl Watched {
    async fn new() -> Self {
        let mood = Arc::<AtomicUsize>::default();
        let told = mood.clone();
        let twin = Twin::answering(move |_| {
            let (status, body) = MOODS[told.load(Ordering::SeqCst)];
            json_reply(status, body)
        })
        .await;
        Self::over(Arc::new(MemoryStore::new()), clock(), mood, twin)
    }

    fn over(store: Arc<dyn Store>, clock: Arc<TestClock>, mood: Arc<AtomicUsize>, twin: Twin) -> Self {
        let house = house(store, &clock, manifest(twin.port()));
        Self {
            house,
            clock,
            mood,
            twin,
        }
    }

    /// Another process on the same store and clock.
    fn beside(&self) -> House {
        house(self.house.store.clone(), &self.clock, self.house.manifest.clone())
    }

    fn mood(&self, mood: usize) {
        self.mood.store(mood, Ordering::SeqCst);
    }

    /// Makes a connection, tested.
    async fn create(&self, by: &Actor, name: &str, token: &str) -> Connection {
        let connect = Connect {
            name: Some(name.to_owned()),
            config: json!({ "token": token }).into(),
            ..Connect::new("acme", Scope::tenant())
        };
        let made = self.house.connectors.create_connection(by, connect).await.unwrap();
        made.connection
    }

    /// One that has its time.
    async fn timed(&self) -> ConnectionId {
        let made = self.create(&self.house.by, "main", &TOKEN).await;
        assert_eq!(self.due().await, 0, "first it is given its time");
        made.id
    }

    /// Tests what is due.
    async fn due(&self) -> usize {
        self.house.connectors.test_due().await.unwrap()
    }

    /// Lets so much time pass that every connection is due, and tests them.
    async fn pass(&self) -> usize {
        self.clock.advance(HOUR + HOUR / 10);
        self.due().await
    }

    async fn next(&self, id: ConnectionId) -> Option<SignedDuration> {
        next(&self.house, TENANT, id)
            .await
            .map(|at| at.duration_since(self.clock.now()))
    }

    async fn read(&self, id: ConnectionId) -> Connection {
        self.house.connectors.connection(&self.house.by, id).await.unwrap()
    }

    async fn tests(&self, id: ConnectionId) -> Vec<PastTest> {
        let health = self.house.connectors.connection_health(&self.house.by, id, None, 0);
        health.await.unwrap().1.rows
    }

    /// How often somebody was told that a connection's health changed.
    async fn told(&self) -> usize {
        let feed = self.house.store.read_feed(0, 1000).await.unwrap();
        let changed = feed
            .iter()
            .filter(|row| row.kind == Some(EventKind::ConnectorHealthChanged));
        changed.count()
    }

    /// What the audit log says of tests, by whom.
    async fn audited(&self) -> Vec<String> {
        let rows = self.house.store.audit_entries(TENANT, 0, 1000).await.unwrap();
        let tested = rows.iter().filter(|row| row.entry.action == "connection.tested");
        tested.map(|row| row.entry.actor.clone()).collect()
    }
}

fn clock() -> Arc<TestClock> {
    Arc::new(TestClock::at(Timestamp::from_second(1_800_000_000).unwrap()))
}

fn house(store: Arc<dyn Store>, clock: &Arc<TestClock>, manifest: String) -> House {
    House::shaped(store, manifest, |builder| {
        builder.clock(clock.clone()).health_interval(INTERVAL)
    })
}

async fn next(house: &House, tenant: TenantId, id: ConnectionId) -> Option<Timestamp> {
    let store = &house.store;
    store.next_work(tenant, WorkKind::Health, *id.as_bytes()).await.unwrap()
}

#[tokio::test]
async fn connections_made_at_once_are_first_tested_all_over_the_interval() {
    let watched = Watched::new().await;
    let mut ids = Vec::new();
    for nth in 0..600 {
        let connect = Connect {
            name: Some(format!("c{nth}")),
            config: json!({ "token": TOKEN }).into(),
            ..Connect::new("acme", Scope::tenant())
        };
        let made = watched.house.connectors.connect(&watched.house.by, connect).await;
        ids.push(made.unwrap().id);
        assert_eq!(watched.next(ids[nth]).await, None);
    }
    assert_eq!((watched.due().await, watched.twin.requests().len()), (0, 0));
    let mut tenths = [0; 10];
    for id in &ids {
        let due = watched.next(*id).await.unwrap();
        assert!((SignedDuration::ZERO..=HOUR).contains(&due), "{due}");
        tenths[usize::try_from(due.as_secs() / 360).unwrap().min(9)] += 1;
    }
    // Sixty are to be expected in each tenth.
    assert!(tenths.iter().all(|tenth| *tenth > 15), "{tenths:?}");
    watched.clock.advance(HOUR / 2);
    let half = watched.due().await;
    assert!((200..=400).contains(&half), "{half}");
    assert_eq!(watched.due().await, 0);
    watched.clock.advance(HOUR / 2 - SignedDuration::from_secs(360));
    watched.due().await;
    assert!(watched.twin.requests().len() < 620, "nobody's second time has come");
}

#[tokio::test]
async fn each_time_is_an_interval_away_give_or_take_a_tenth() {
    let watched = Watched::new().await;
    let mut ids = Vec::new();
    for nth in 0..40 {
        ids.push(watched.create(&watched.house.by, &format!("c{nth}"), &TOKEN).await.id);
    }
    watched.due().await;
    for round in 1..=3 {
        assert_eq!(watched.pass().await, 40);
        assert_eq!(watched.twin.requests().len(), 40 + round * 40);
        let mut dues = BTreeSet::new();
        for id in &ids {
            let due = watched.next(*id).await.unwrap();
            assert!((HOUR * 9 / 10..=HOUR * 11 / 10).contains(&due), "{due}");
            dues.insert(due);
        }
        let spread = *dues.last().unwrap() - *dues.first().unwrap();
        assert!(spread > HOUR / 20, "those that came together part: {spread}");
        assert_eq!(watched.due().await, 0);
    }
}

#[tokio::test]
async fn a_healthy_connection_costs_no_entry_no_event_and_no_warm_cache() {
    let watched = Watched::new().await;
    let id = watched.timed().await;
    let connection = watched.read(id).await;
    watched.house.call(&connection, "look", json!({})).await.unwrap();
    let store = &watched.house.store;
    let seen = async || (watched.audited().await, store.feed_end().await.unwrap());
    let before = seen().await;
    for _ in 0..3 {
        assert_eq!(watched.pass().await, 1);
    }
    assert_eq!(seen().await, before);
    let after = watched.read(id).await;
    assert_eq!(
        (after.version, after.health.since),
        (connection.version, connection.health.since)
    );
    assert_eq!(watched.tests(id).await.len(), 4);
    let statements = store.statements();
    watched.house.call(&connection, "look", json!({})).await.unwrap();
    assert_eq!(store.statements(), statements, "the cache is warm");
}

#[tokio::test]
async fn a_change_is_told_once_whoever_finds_it() {
    let watched = Watched::new().await;
    let id = watched.timed().await;
    let other = watched.beside();
    // Both processes look, at once and again and again.
    let round = async || {
        watched.clock.advance(HOUR + HOUR / 10);
        let mut tested = 0;
        for _ in 0..2 {
            let (one, two) = futures_util::future::join(watched.due(), other.connectors.test_due()).await;
            tested += one + two.unwrap();
        }
        assert_eq!(tested, 1, "one test of a connection at a time");
    };
    let sent = watched.twin.requests().len();
    assert_eq!((watched.told().await, watched.audited().await.len()), (1, 1));
    watched.mood(1);
    round().await;
    let failing = watched.read(id).await;
    assert_eq!(
        (failing.status, failing.health.since),
        (Status::Error, watched.clock.now())
    );
    assert!(
        failing.health.reason.as_ref().unwrap().contains("broken"),
        "{failing:?}"
    );
    assert_eq!(watched.told().await, 2);
    round().await;
    assert_eq!((watched.told().await, watched.audited().await.len()), (2, 2));
    watched.mood(4);
    round().await;
    let otherwise = watched.read(id).await;
    assert_eq!(otherwise.health.since, failing.health.since, "it fails since then");
    assert!(otherwise.health.reason.unwrap().contains("otherwise"));
    assert_eq!(watched.told().await, 3, "another reason is news");
    watched.mood(0);
    round().await;
    round().await;
    let well = watched.read(id).await;
    assert_eq!((well.status, well.health.reason), (Status::Active, None));
    assert_eq!(watched.told().await, 4);
    assert_eq!(watched.audited().await, ["test", "scheduler", "scheduler", "scheduler"]);
    assert_eq!(watched.twin.requests().len() - sent, 5);
}

#[tokio::test]
async fn one_that_is_switched_off_waits_and_is_tested_once_it_is_on_again() {
    let watched = Watched::new().await;
    let id = watched.timed().await;
    let switch = |enabled| {
        let patch = ConnectionPatch {
            enabled: Some(enabled),
            ..ConnectionPatch::default()
        };
        watched.house.connectors.update_connection(&watched.house.by, id, patch)
    };
    switch(false).await.unwrap();
    let sent = watched.twin.requests().len();
    for _ in 0..2 {
        assert_eq!(watched.pass().await, 0);
        assert!(watched.next(id).await.unwrap() > HOUR / 2, "its time is put off");
    }
    let health = watched
        .house
        .connectors
        .connection_health(&watched.house.by, id, None, 0);
    assert_eq!(health.await.unwrap().0.next_test_at, None);
    watched.mood(1);
    switch(true).await.unwrap();
    assert_eq!(watched.due().await, 1);
    assert_eq!(watched.read(id).await.status, Status::Error);
    assert_eq!(watched.twin.requests().len(), sent + 1);
    // What says nothing of how it fares brings nothing forward, and new secrets do.
    let before = watched.next(id).await;
    let patch = |name: Option<&str>, config| ConnectionPatch {
        display_name: name.map(str::to_owned),
        config,
        ..ConnectionPatch::default()
    };
    let (connectors, by) = (&watched.house.connectors, &watched.house.by);
    connectors
        .update_connection(by, id, patch(Some("New"), None))
        .await
        .unwrap();
    assert_eq!(watched.next(id).await, before);
    let config = Some(json!({ "token": OTHER }).into());
    connectors.update_connection(by, id, patch(None, config)).await.unwrap();
    assert_eq!(watched.due().await, 1);
}

#[tokio::test]
async fn a_call_that_is_refused_brings_the_test_forward_once() {
    let watched = Watched::new().await;
    let id = watched.timed().await;
    let connection = watched.read(id).await;
    let refused = async || {
        let error = watched.house.call(&connection, "look", json!({})).await.unwrap_err();
        // What was begun beside it has ended then.
        watched.house.connectors.close().await.unwrap();
        error.code()
    };
    let before = watched.next(id).await.unwrap();
    watched.mood(1);
    assert_eq!(refused().await, Code::ConnectorActionFailed);
    assert_eq!(
        watched.next(id).await,
        Some(before),
        "that says nothing of its credentials"
    );
    watched.mood(2);
    assert_eq!(refused().await, Code::UpstreamUnauthorized);
    assert_eq!(watched.next(id).await, Some(SignedDuration::ZERO));
    assert_eq!(watched.due().await, 1);
    assert_eq!(watched.read(id).await.status, Status::Error);
    let after = watched.next(id).await.unwrap();
    assert!(after > HOUR / 2);
    assert_eq!(refused().await, Code::UpstreamUnauthorized);
    assert_eq!(watched.next(id).await, Some(after), "it is known to fail");
}

#[tokio::test]
async fn what_a_lost_process_took_is_taken_over() {
    let watched = Watched::new().await;
    let id = watched.timed().await;
    watched.clock.advance(HOUR * 2);
    let store = &watched.house.store;
    let lost = store.claim_due(WorkKind::Health, "lost", HEALTH_LEASE, 10, watched.clock.now());
    let [lost] = lost.await.unwrap().try_into().unwrap();
    assert_eq!(watched.due().await, 0, "somebody is at it");
    watched.clock.advance(SignedDuration::try_from(HEALTH_LEASE).unwrap());
    assert_eq!(watched.due().await, 1);
    let next = watched.next(id).await;
    assert!(!store.finish_work(&lost, watched.clock.now()).await.unwrap());
    assert_eq!(watched.next(id).await, next);
}

/// A house whose service does something to the world while it is asked, from its second request on.
async fn meanwhile(act: impl Fn(&Arc<dyn Store>, &TestClock) + Send + Sync + 'static) -> Watched {
    let (store, clock): (Arc<dyn Store>, _) = (Arc::new(MemoryStore::new()), clock());
    let (acted_on, time) = (store.clone(), clock.clone());
    let asked = AtomicUsize::new(0);
    let twin = Twin::answering(move |_: &Seen| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => WELL(),
        _ => {
            act(&acted_on, &time);
            json_reply("400 No", r#"{"message":"broken"}"#)
        }
    });
    let twin = twin.await;
    Watched::over(store, clock, Arc::default(), twin)
}

#[tokio::test]
async fn whoever_comes_late_writes_nothing() {
    let watched = meanwhile(|store, clock| {
        clock.advance(SignedDuration::try_from(HEALTH_LEASE).unwrap());
        let taken = store.claim_due(WorkKind::Health, "faster", HEALTH_LEASE, 10, clock.now());
        assert_eq!(taken.now_or_never().unwrap().unwrap().len(), 1);
    })
    .await;
    let id = watched.timed().await;
    let before = watched.read(id).await;
    assert_eq!(watched.pass().await, 0);
    assert_eq!(watched.read(id).await.health.state, before.health.state);
    assert_eq!(watched.tests(id).await.len(), 1, "the first one, of its making");
    assert_eq!(watched.told().await, 1);
    let counts = watched.house.connectors.schedule_counts().outcomes();
    assert_eq!(counts, [("healthy", 0), ("failing", 0), ("unsaid", 0), ("late", 1)]);
}

#[tokio::test]
async fn what_was_found_of_old_secrets_is_not_said_of_new_ones() {
    let watched = meanwhile(|store, _| {
        let rows = store.connections(tieline::store::conformance::sample::filter(TENANT));
        let [mut row] = rows.now_or_never().unwrap().unwrap().try_into().unwrap();
        let version = row.version;
        (row.version, row.secret_version) = (version + 1, row.secret_version + 1);
        row.health.state = HealthState::Untested;
        let trail = tieline::store::conformance::sample::no_trail();
        store
            .update_connection(row, version, trail)
            .now_or_never()
            .unwrap()
            .unwrap();
    })
    .await;
    let id = watched.timed().await;
    assert_eq!(watched.pass().await, 1);
    assert_eq!(watched.read(id).await.status, Status::Testing);
    assert_eq!(watched.tests(id).await[0].state, None);
    let soon = SignedDuration::try_from(RETEST_PAUSE).unwrap();
    assert_eq!(watched.next(id).await, Some(soon), "the new ones are tested soon");
}

#[tokio::test]
async fn a_busy_service_changes_nothing() {
    let watched = Watched::new().await;
    let id = watched.timed().await;
    let before = watched.read(id).await;
    watched.mood(3);
    assert_eq!(watched.pass().await, 1);
    let after = watched.read(id).await;
    assert_eq!((after.version, after.status), (before.version, Status::Active));
    let newest = &watched.tests(id).await[0];
    assert_eq!(
        (newest.success, newest.state, newest.error_code.as_deref()),
        (false, None, Some("UPSTREAM_RATE_LIMITED"))
    );
    let health = watched
        .house
        .connectors
        .connection_health(&watched.house.by, id, None, 0);
    assert!(health.await.unwrap().0.last_error.is_none());
}

#[tokio::test]
async fn t6_a_tenant_with_many_due_does_not_keep_another_waiting() {
    let watched = Watched::new().await;
    for nth in 0..60 {
        watched.create(&watched.house.by, &format!("c{nth}"), &TOKEN).await;
    }
    watched.due().await;
    // They are overdue for long when another tenant's comes.
    watched.clock.advance(HOUR * 20);
    let other = Actor::new(OTHER_TENANT, "test");
    let late = watched.create(&other, "late", &OTHER).await;
    watched
        .house
        .store
        .hasten_work(OTHER_TENANT, WorkKind::Health, *late.id.as_bytes(), watched.clock.now())
        .await
        .unwrap();
    let sent = watched.twin.requests().len();
    assert_eq!(watched.due().await, 61);
    let requests = watched.twin.requests();
    let place = requests[sent..]
        .iter()
        .position(|request| request.contains(&*OTHER))
        .unwrap();
    assert!(place < TESTS_AT_ONCE, "{place}");
}

#[tokio::test]
async fn tests_by_themselves_use_up_no_callers_limit() {
    let twin = Twin::always(WELL()).await;
    let clock = clock();
    let limits = RateLimits {
        tests_per_tenant: Limit::per_minute(1),
        ..RateLimits::default()
    };
    let shape = |builder: tieline::ConnectorsBuilder| {
        builder
            .clock(clock.clone())
            .health_interval(INTERVAL)
            .rate_limits(limits)
    };
    let house = House::shaped(Arc::new(MemoryStore::new()), manifest(twin.port()), shape);
    let mut last = None;
    for name in ["one", "two", "three"] {
        let connect = Connect {
            name: Some(name.to_owned()),
            config: json!({ "token": TOKEN }).into(),
            ..Connect::new("acme", Scope::tenant())
        };
        last = Some(house.connectors.connect(&house.by, connect).await.unwrap().id);
    }
    house.connectors.test_due().await.unwrap();
    clock.advance(HOUR);
    assert_eq!(house.connectors.test_due().await.unwrap(), 3);
    let asked = async || {
        house
            .connectors
            .test_connection(&house.by, last.unwrap())
            .await
            .map(|test| test.success)
    };
    assert!(asked().await.unwrap());
    assert_eq!(asked().await.unwrap_err().code(), Code::RateLimited);
}

#[tokio::test]
async fn history_tells_who_asked_and_is_forgotten_in_time() {
    let watched = Watched::new().await;
    let id = watched.timed().await;
    watched.clock.advance(SignedDuration::from_secs(1));
    watched.mood(2);
    watched
        .house
        .connectors
        .test_connection(&watched.house.by, id)
        .await
        .unwrap();
    let asked = watched.clock.now();
    watched.mood(0);
    assert_eq!(watched.pass().await, 1);
    let tests = watched.tests(id).await;
    let told: Vec<_> = tests
        .iter()
        .map(|test| (test.cause, test.actor.as_str(), test.success))
        .collect();
    assert_eq!(
        told,
        [
            (TestCause::Scheduled, "scheduler", true),
            (TestCause::Requested, "test", false),
            (TestCause::Created, "test", true)
        ]
    );
    assert_eq!(
        (tests[1].at, tests[1].error_code.as_deref(), tests[1].finding.as_deref()),
        (asked, Some("UPSTREAM_UNAUTHORIZED"), Some("INVALID_TOKEN"))
    );
    let (connectors, by) = (&watched.house.connectors, &watched.house.by);
    connectors.flush_calls().await.unwrap();
    for test in &tests {
        let call = connectors.call_entry(by, test.call).await.unwrap();
        assert_eq!(
            (call.connection, call.actor.as_str()),
            (Some(id), test.actor.as_str()),
            "E9"
        );
    }
    let (health, page) = connectors
        .connection_health(by, id, Some(tests[0].call), 1)
        .await
        .unwrap();
    assert_eq!(health.last_tested_at, Some(tests[0].at));
    assert_eq!((page.rows[0].call, page.next), (tests[1].call, Some(tests[1].call)));
    let stranger = Actor::new(OTHER_TENANT, "stranger");
    let error = connectors.connection_health(&stranger, id, None, 0).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "T2");

    watched.clock.advance(SignedDuration::try_from(TESTS_KEPT_FOR).unwrap());
    assert_eq!(
        connectors.prune_tests().await.unwrap(),
        2,
        "the third is as old as they get"
    );
    assert_eq!(watched.tests(id).await.len(), 1);
}

#[tokio::test]
async fn without_an_interval_nothing_is_tested_by_itself() {
    let twin = Twin::always(WELL()).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    for _ in 0..2 {
        assert_eq!(house.connectors.test_due().await.unwrap(), 0);
    }
    // Over at once.
    house.connectors.watch_health().await;
    assert_eq!(next(&house, TENANT, connection.id).await, None);
    assert_eq!(twin.requests().len(), 0);
}
