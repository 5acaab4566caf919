//! The ledger of calls: what every admitted call was and cost.

use std::{fmt, sync::Arc};

use super::{StoreFuture, UsageRow};
use crate::{
    audit::Trail,
    clock::Timestamp,
    id::{CallId, ConnectionId, CredentialId, TenantId},
};

/// What proves that a row of the ledger is as it was written: half an HMAC-SHA-256.
pub type Mark = [u8; 16];

/// What kind of call it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallKind {
    /// An action.
    Action,
    /// The test of a connection.
    Test,
    /// A request passed on as it came.
    Proxy,
    /// A webhook that arrived.
    Webhook,
}

impl CallKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Action, Self::Test, Self::Proxy, Self::Webhook];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Test => "test",
            Self::Proxy => "proxy",
            Self::Webhook => "webhook",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

/// One call that was admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEntry {
    /// Its identifier, which its answer told. Its time is [`at`](Self::at)'s, to the millisecond.
    pub id: CallId,
    /// Whose call it was.
    pub tenant: TenantId,
    /// When it was admitted.
    pub at: Timestamp,
    /// Who called: an API key's identifier, `cli`, `library` …
    pub actor: String,
    /// What kind of call.
    pub kind: CallKind,
    /// Of which connector.
    pub connector: String,
    /// Which action, where one was called.
    pub action: Option<String>,
    /// With which connection's keys, unless they came with the call or none were needed.
    pub connection: Option<ConnectionId>,
    /// With which shared credential.
    pub credential: Option<CredentialId>,
    /// `ok`, the code of the error, or `cancelled` when it was cut: the caller left before the end, or the server stopped.
    pub outcome: String,
    /// The last HTTP status the service answered with.
    pub status: Option<u16>,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// Requests that went out over HTTP; 0 where none did, or where the action speaks something else.
    pub attempts: u32,
    /// Bytes of bodies sent, where known.
    pub sent: Option<u64>,
    /// Bytes of bodies received, where known.
    pub received: Option<u64>,
}

/// A call in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// Its place in the tenant's ledger: 1, 2, 3 … without gaps.
    pub seq: u64,
    /// The call.
    pub entry: CallEntry,
    /// Its mark.
    pub mark: Mark,
}

/// Calls of one tenant, to be written together.
#[derive(Debug, Clone)]
pub struct CallBatch {
    /// Whose.
    pub tenant: TenantId,
    /// The calls, in the order of their places.
    pub calls: Arc<[CallEntry]>,
    /// What they add to the usage.
    pub usage: Vec<UsageRow>,
    /// Computes what depends on the place of the first.
    pub seal: Seal,
}

/// `seal(first place, calls)`: the calls' marks, and the trail that tells of them.
#[derive(Clone)]
pub struct Seal(Arc<SealFn>);

type SealFn = dyn Fn(u64, &[CallEntry]) -> (Vec<Mark>, Trail) + Send + Sync;

impl Seal {
    /// A seal computed by `f`.
    pub fn new(f: impl Fn(u64, &[CallEntry]) -> (Vec<Mark>, Trail) + Send + Sync + 'static) -> Self {
        Self(Arc::new(f))
    }

    /// The rows of a batch whose first call has place `first`, and the trail that goes with them.
    ///
    /// Times are cut to the microsecond before they are marked: databases keep no more.
    pub fn rows(&self, first: u64, calls: &[CallEntry]) -> (Vec<CallRow>, Trail) {
        let cut = |call: &CallEntry| {
            let at = Timestamp::from_microsecond(call.at.as_microsecond());
            CallEntry {
                at: at.expect("a time's own microseconds make a time"),
                ..call.clone()
            }
        };
        let calls: Vec<CallEntry> = calls.iter().map(cut).collect();
        let (marks, trail) = (self.0)(first, &calls);
        let rows = (first..).zip(calls).zip(marks);
        let rows = rows.map(|((seq, entry), mark)| CallRow { seq, entry, mark });
        (rows.collect(), trail)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(..)")
    }
}

/// Which calls. All that are given must hold.
#[derive(Debug, Clone)]
pub struct CallFilter {
    /// Whose.
    pub tenant: TenantId,
    /// With this connection's keys.
    pub connection: Option<ConnectionId>,
    /// Of this connector.
    pub connector: Option<String>,
    /// By this actor.
    pub actor: Option<String>,
    /// That ended so.
    pub outcome: Option<String>,
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Older than this call; the newest first, unless given.
    pub before: Option<CallId>,
    /// How many at most.
    pub limit: usize,
    /// How many rows may be looked at for them.
    pub scan: usize,
}

/// What was found within the rows that were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned<T, K> {
    /// What was found, in order.
    pub rows: Vec<T>,
    /// The row at which looking stopped, when there may be more beyond.
    pub stopped: Option<K>,
}

/// Keeps the calls. Rows are written once and never changed; those that are old are taken out from the beginning.
pub trait CallStore: Send + Sync + 'static {
    /// Writes the calls of some tenants, their usage and their trails, all of it or nothing. Batches are sorted by tenant,
    /// one for each.
    fn append_calls(&self, batches: Vec<CallBatch>) -> StoreFuture<'_, ()>;

    /// A tenant's call.
    fn call(&self, tenant: TenantId, id: CallId) -> StoreFuture<'_, Option<CallRow>>;

    /// A tenant's calls, newest first.
    fn calls(&self, filter: CallFilter) -> StoreFuture<'_, Scanned<CallRow, CallId>>;

    /// A tenant's calls in the order of their places, those after place `after`.
    fn calls_in_order(&self, tenant: TenantId, after: u64, limit: usize) -> StoreFuture<'_, Vec<CallRow>>;

    /// Takes out a tenant's calls up to and with place `through`; says how many. Places are not given anew.
    fn prune_calls(&self, tenant: TenantId, through: u64, trail: Trail) -> StoreFuture<'_, usize>;

    /// The tenants that ever called, by identifier.
    fn calling_tenants(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<TenantId>>;
}
