//! What tests of a connection found out over time.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Found, TestResult};
use crate::{
    audit::Actor,
    clock::{Rfc3339, SignedDuration, Timestamp},
    connection::{HealthView, Status},
    connectors::Connectors,
    error::Result,
    id::{CallId, ConnectionId},
    limits::{PRUNE_ROWS, TESTS_KEPT, TESTS_KEPT_FOR},
    page::{self, Page},
    store::{ConnectionRow, HealthState, TestCause, TestFilter, TestRow},
};

/// How a connection fares.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionHealth {
    /// Whether it can be used, in one word.
    pub status: Status,
    /// What was last found out about it.
    pub health: HealthView,
    /// When it was last tested; nothing, when that is longer ago than tests are remembered.
    #[schemars(with = "Option<Rfc3339>")]
    pub last_tested_at: Option<Timestamp>,
    /// When it is tested by itself the next time, if it is.
    #[schemars(with = "Option<Rfc3339>")]
    pub next_test_at: Option<Timestamp>,
    /// What is wrong with it now; nothing, once it works again.
    pub last_error: Option<LastError>,
}

/// What is wrong with a connection.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastError {
    /// What it is, in a sentence.
    pub message: String,
    /// Its code, where a test found it.
    pub code: Option<String>,
    /// When it was last found so.
    #[schemars(with = "Rfc3339")]
    pub at: Timestamp,
}

/// A test of a connection.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PastTest {
    /// Its call, as the ledger of calls has it.
    pub call: CallId,
    /// When it ended.
    #[schemars(with = "Rfc3339")]
    pub at: Timestamp,
    /// Whether the connection worked.
    pub success: bool,
    /// What it says of the connection's health; nothing, where it says nothing, such as of a service that was busy.
    pub state: Option<HealthState>,
    /// What was found out, in a sentence.
    pub message: String,
    /// The code of what went wrong.
    pub error_code: Option<String>,
    /// What went wrong in the connector's own word, such as `INVALID_KEY`.
    pub finding: Option<String>,
    /// How long it took, in milliseconds.
    pub latency_ms: u64,
    /// Why it was tested: it was made, somebody asked, or its time had come.
    pub cause: TestCause,
    /// Who asked; `scheduler`, when nobody did.
    pub actor: String,
}

impl From<TestRow> for PastTest {
    fn from(row: TestRow) -> Self {
        Self {
            call: row.id,
            at: row.at,
            success: row.success,
            state: row.state,
            message: row.message,
            error_code: row.code,
            finding: row.finding,
            latency_ms: row.latency_ms,
            cause: row.cause,
            actor: row.actor,
        }
    }
}

impl Connectors {
    /// How a connection fares, and a page of what its tests found, newest first.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn connection_health(
        &self,
        by: &Actor,
        id: ConnectionId,
        before: Option<CallId>,
        limit: usize,
    ) -> Result<(ConnectionHealth, Page<PastTest, CallId>)> {
        let row = self.connection_row(by, id).await?;
        let limit = page::bounded(limit);
        let filter = |limit| TestFilter {
            tenant: by.tenant,
            connection: id,
            state: None,
            before: None,
            limit,
        };
        let page = TestFilter {
            before,
            ..filter(limit + 1)
        };
        let tests = self.inner.store.tests(page).await?;
        let newest = match before {
            None => tests.first().map(|test| test.at),
            Some(_) => self.inner.store.tests(filter(1)).await?.first().map(|test| test.at),
        };
        let health = ConnectionHealth {
            status: Status::of(row.enabled, row.health.state),
            health: HealthView {
                state: row.health.state,
                reason: row.health.reason.clone(),
                since: row.health.since,
            },
            last_tested_at: newest,
            next_test_at: self.next_test(&row).await?,
            last_error: self.last_error(&row).await?,
        };
        let tests = tests.into_iter().map(PastTest::from).collect();
        Ok((health, Page::cut(tests, limit, |test| test.call)))
    }

    /// What is wrong now. Whatever made a connection fail without a test, such as the end of its credential's time, has no
    /// code, and is so since then.
    async fn last_error(&self, row: &ConnectionRow) -> Result<Option<LastError>> {
        if !matches!(row.health.state, HealthState::Failing | HealthState::NeedsReauth) {
            return Ok(None);
        }
        let filter = TestFilter {
            tenant: row.tenant,
            connection: row.id,
            state: Some(row.health.state),
            before: None,
            limit: 1,
        };
        let message = row.health.reason.clone().unwrap_or_default();
        let tests = self.inner.store.tests(filter).await?;
        let test = tests.into_iter().find(|test| test.message == message);
        Ok(Some(LastError {
            at: test.as_ref().map_or(row.health.since, |test| test.at),
            code: test.and_then(|test| test.code),
            message,
        }))
    }

    /// Writes down what a test found; `state` is what it says of the connection.
    pub(super) async fn note_test(
        &self,
        by: &Actor,
        id: ConnectionId,
        found: &Found,
        state: Option<HealthState>,
        cause: TestCause,
    ) -> Result<()> {
        let TestResult {
            success,
            message,
            error_code,
            finding,
            latency_ms,
            ..
        } = found.result.clone();
        let row = TestRow {
            tenant: by.tenant,
            connection: id,
            id: found.call,
            at: self.inner.clock.now(),
            success,
            state,
            finding,
            code: error_code.map(|code| code.as_str().to_owned()),
            message,
            latency_ms,
            cause,
            actor: by.name.clone(),
        };
        self.inner.store.note_test(row, TESTS_KEPT).await
    }

    /// Takes out tests that are older than [`TESTS_KEPT_FOR`], some at a time; says how many.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn prune_tests(&self) -> Result<usize> {
        let kept = SignedDuration::try_from(TESTS_KEPT_FOR).unwrap_or(SignedDuration::MAX);
        let before = self.inner.clock.now() - kept;
        let mut pruned = 0;
        loop {
            let count = self.inner.store.prune_tests(before, PRUNE_ROWS).await?;
            pruned += count;
            if count < PRUNE_ROWS {
                return Ok(pruned);
            }
        }
    }
}
