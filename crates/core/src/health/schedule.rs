//! Testing connections when their time has come, whether anybody asks or not.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;

use super::{Found, Stood};
use crate::{
    admit::Purpose,
    audit::Actor,
    clock::{Random, SignedDuration, Timestamp},
    connectors::Connectors,
    error::Result,
    id::{ConnectionId, TenantId},
    limits::{CONNECTION_TEST_TIMEOUT, HEALTH_JITTER, HEALTH_LEASE, HEALTH_LOOK, RETEST_PAUSE, TESTS_AT_ONCE},
    metrics::Histogram,
    store::{Claim, ConnectionRow, HealthState, TestCause, WorkKind},
};

/// When connections are tested by themselves, and what came of it in this process.
pub(crate) struct Schedule {
    /// How often; never, unless said.
    interval: Option<Duration>,
    /// This process's name among those that test.
    claimant: String,
    /// Told when a test is due before its time.
    hastened: Notify,
    counts: ScheduleCounts,
}

/// What came of the tests that nobody asked for.
#[derive(Debug, Default)]
pub struct ScheduleCounts {
    healthy: AtomicU64,
    failing: AtomicU64,
    unsaid: AtomicU64,
    late: AtomicU64,
    /// How long after their time they began.
    pub delay: Histogram,
}

impl ScheduleCounts {
    /// How many found what: `healthy`, `failing`, `unsaid` where a test says nothing of the connection, and `late` where
    /// another process took it over meanwhile.
    pub fn outcomes(&self) -> [(&'static str, u64); 4] {
        [
            ("healthy", &self.healthy),
            ("failing", &self.failing),
            ("unsaid", &self.unsaid),
            ("late", &self.late),
        ]
        .map(|(outcome, count)| (outcome, count.load(Ordering::Relaxed)))
    }

    fn add(&self, found: &Result<Found>) {
        let count = match found.as_ref().map(Found::says) {
            Ok(Some(HealthState::Healthy)) => &self.healthy,
            Ok(Some(_)) => &self.failing,
            Ok(None) | Err(_) => &self.unsaid,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Schedule {
    pub(crate) fn new(interval: Option<Duration>, random: &dyn Random) -> Result<Self> {
        let mut name = [0; 8];
        random.fill(&mut name)?;
        Ok(Self {
            interval,
            claimant: format!("{:016x}", u64::from_be_bytes(name)),
            hastened: Notify::new(),
            counts: ScheduleCounts::default(),
        })
    }
}

impl Connectors {
    /// Tests connections when their time has come, for ever: a program that runs for long spawns it. Does nothing where no
    /// interval was given.
    pub async fn watch_health(&self) {
        if self.inner.schedule.interval.is_none() {
            return;
        }
        loop {
            if let Err(error) = self.test_due().await {
                tracing::warn!(
                    ?error,
                    "not every connection whose time has come can be tested; it is tried again"
                );
            }
            // Over on purpose when nothing is due before its time.
            let _ = tokio::time::timeout(HEALTH_LOOK, self.inner.schedule.hastened.notified()).await;
        }
    }

    /// Tests every connection whose time has come, [`TESTS_AT_ONCE`] at once; says how many were tested. A connection that
    /// was just made is given its first time instead, anywhere within the interval.
    ///
    /// # Errors
    /// Trouble with the store while it was asked what is due; what was not tested is still due.
    pub async fn test_due(&self) -> Result<usize> {
        let Some(interval) = self.inner.schedule.interval else {
            return Ok(0);
        };
        let (mut under_way, mut tested) = (FuturesUnordered::new(), 0);
        let (mut more, mut ended) = (true, Ok(()));
        loop {
            let free = TESTS_AT_ONCE - under_way.len();
            // Several at a time: of one alone, the tenant with the oldest backlog would take every turn.
            if more && free * 2 >= TESTS_AT_ONCE {
                let claims = self.claim_tests(free).await;
                more = claims.as_ref().is_ok_and(|claims| claims.len() == free);
                match claims {
                    Ok(claims) => under_way.extend(claims.into_iter().map(|claim| self.take_turn(claim, interval))),
                    Err(error) => ended = Err(error),
                }
            }
            match under_way.next().await {
                Some(was_tested) => tested += usize::from(was_tested),
                None => return ended.map(|()| tested),
            }
        }
    }

    /// What came of the tests that nobody asked for, in this process.
    pub fn schedule_counts(&self) -> &ScheduleCounts {
        &self.inner.schedule.counts
    }

    async fn claim_tests(&self, most: usize) -> Result<Vec<Claim>> {
        let (claimant, now) = (&self.inner.schedule.claimant, self.inner.clock.now());
        let store = &self.inner.store;
        store
            .claim_due(WorkKind::Health, claimant, HEALTH_LEASE, most, now)
            .await
    }

    /// One connection's turn; says whether it was tested. What goes wrong ends no other's.
    async fn take_turn(&self, claim: Claim, interval: Duration) -> bool {
        let id = ConnectionId::from_bytes(claim.key);
        let turn = self.turn(&claim, id, interval).await;
        turn.unwrap_or_else(|error| {
            tracing::warn!(tenant = %claim.tenant, connection = %id, ?error, "a connection could not be tested by itself");
            false
        })
    }

    async fn turn(&self, claim: &Claim, id: ConnectionId, interval: Duration) -> Result<bool> {
        let (store, counts) = (&self.inner.store, &self.inner.schedule.counts);
        if claim.is_first() {
            let first = self.in_between(Duration::ZERO, interval)?;
            return store.finish_work(claim, first).await.map(|_| false);
        }
        let by = Actor::scheduler(claim.tenant);
        let found = match store.connection_by_id(claim.tenant, id).await? {
            Some(row) if row.enabled && self.has_test(&row) => {
                let late = self.inner.clock.now().duration_since(claim.due);
                counts.delay.observe(Duration::try_from(late).unwrap_or_default());
                Some(
                    self.find_out(&by, id, Purpose::ScheduledTest(CONNECTION_TEST_TIMEOUT))
                        .await,
                )
            }
            _ => None,
        };
        let jitter = interval / HEALTH_JITTER;
        let next = self.in_between(interval - jitter, interval + jitter)?;
        // Only now it is sure that nobody took it over meanwhile, and whoever did knows better.
        if !store.finish_work(claim, next).await? {
            counts.late.fetch_add(u64::from(found.is_some()), Ordering::Relaxed);
            return Ok(false);
        }
        let Some(found) = found else { return Ok(false) };
        counts.add(&found);
        let kept = match &found {
            Ok(found) => self.keep(&by, id, found, TestCause::Scheduled).await,
            Err(error) => {
                tracing::debug!(connection = %id, ?error, "a test says nothing of its connection");
                return Ok(true);
            }
        };
        if !matches!(kept, Ok(Stood::Holds)) {
            self.test_by(claim.tenant, id, RETEST_PAUSE).await?;
        }
        kept.map(|_| true)
    }

    /// Whether there is anything to try over a connection.
    pub(super) fn has_test(&self, row: &ConnectionRow) -> bool {
        let connector = self.registry().get(&row.connector);
        connector.is_ok_and(|connector| connector.has_test(&row.auth))
    }

    /// A time from now on, by chance between two.
    fn in_between(&self, least: Duration, most: Duration) -> Result<Timestamp> {
        let mut dice = [0; 8];
        self.inner.random.fill(&mut dice)?;
        let part = u64::from_be_bytes(dice) as f64 / u64::MAX as f64;
        let wait = least + most.saturating_sub(least).mul_f64(part);
        Ok(after(self.inner.clock.now(), wait))
    }

    /// Has a connection tested at once, whenever its time would have come. Trouble with that is told to the log: then its
    /// time comes as it would have.
    pub(crate) async fn hasten_test(&self, tenant: TenantId, id: ConnectionId) {
        if self.inner.schedule.interval.is_none() {
            return;
        }
        if let Err(error) = self.test_by(tenant, id, Duration::ZERO).await {
            tracing::warn!(connection = %id, ?error, "a connection cannot be tested before its time");
        }
        self.inner.schedule.hastened.notify_one();
    }

    /// Has a connection tested within a while.
    async fn test_by(&self, tenant: TenantId, id: ConnectionId, within: Duration) -> Result<()> {
        let due = after(self.inner.clock.now(), within);
        let store = &self.inner.store;
        store.hasten_work(tenant, WorkKind::Health, *id.as_bytes(), due).await
    }

    /// When a connection is tested by itself the next time.
    pub(super) async fn next_test(&self, row: &ConnectionRow) -> Result<Option<Timestamp>> {
        if self.inner.schedule.interval.is_none() || !row.enabled || !self.has_test(row) {
            return Ok(None);
        }
        let store = &self.inner.store;
        store.next_work(row.tenant, WorkKind::Health, *row.id.as_bytes()).await
    }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    let at = now.checked_add(wait).unwrap_or(Timestamp::MAX);
    // As stores keep it.
    at.round(jiff::Unit::Microsecond).unwrap_or(at)
}
