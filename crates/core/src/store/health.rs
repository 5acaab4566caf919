//! What tests of connections found out: a ledger of its own, so it takes no trail.

use super::{HealthState, StoreFuture};
use crate::{
    clock::Timestamp,
    id::{CallId, ConnectionId, TenantId},
};

/// Why a connection was tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestCause {
    /// It was made.
    Created,
    /// Somebody asked for it.
    Requested,
    /// Its time had come.
    Scheduled,
}

impl TestCause {
    /// Every cause.
    pub const ALL: &'static [Self] = &[Self::Created, Self::Requested, Self::Scheduled];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Requested => "requested",
            Self::Scheduled => "scheduled",
        }
    }

    /// The cause of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.as_str() == name)
    }
}

/// One test of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRow {
    /// Whose.
    pub tenant: TenantId,
    /// Of which connection.
    pub connection: ConnectionId,
    /// Its call in the ledger of calls; later tests have later ones.
    pub id: CallId,
    /// When it ended.
    pub at: Timestamp,
    /// Whether the connection worked.
    pub success: bool,
    /// What it says of the connection's health; nothing, when it says nothing new.
    pub state: Option<HealthState>,
    /// What went wrong, in the connector's own word.
    pub finding: Option<String>,
    /// The code of what went wrong.
    pub code: Option<String>,
    /// What was found out, in a sentence.
    pub message: String,
    /// How long it took, in milliseconds.
    pub latency_ms: u64,
    /// Why it was tested.
    pub cause: TestCause,
    /// Who asked for it.
    pub actor: String,
}

/// Which tests of a connection, newest first. All that are given must hold.
#[derive(Debug, Clone)]
pub struct TestFilter {
    /// Whose.
    pub tenant: TenantId,
    /// Of which connection.
    pub connection: ConnectionId,
    /// That found this.
    pub state: Option<HealthState>,
    /// Only those older than this one.
    pub before: Option<CallId>,
    /// How many at most.
    pub limit: usize,
}

/// Keeps the history of tests.
pub trait HealthStore: Send + Sync + 'static {
    /// Writes down a test, and gives up all but the `keep` newest of its connection. Of a connection that is gone nothing is
    /// written.
    fn note_test(&self, row: TestRow, keep: usize) -> StoreFuture<'_, ()>;

    /// Tests of a connection, newest first.
    fn tests(&self, filter: TestFilter) -> StoreFuture<'_, Vec<TestRow>>;

    /// Takes out up to `limit` tests of any tenant that ended before a time; says how many.
    fn prune_tests(&self, before: Timestamp, limit: usize) -> StoreFuture<'_, usize>;
}
