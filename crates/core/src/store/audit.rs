//! The audit chain as stored.

use super::{Scanned, StoreFuture};
use crate::{
    audit::{AuditEntry, Hash, Trail, chain::Verified},
    clock::Timestamp,
    error::{Error, Result},
    id::TenantId,
};

/// An entry with its place in the tenant's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place: 1, 2, 3 … without gaps.
    pub seq: u64,
    /// What happened.
    pub entry: AuditEntry,
    /// The chain's hash up to and with this entry.
    pub hash: Hash,
}

impl Trail {
    /// Refuses a trail that would write into another tenant's chain than the change it goes with.
    pub fn check_tenant(&self, tenant: TenantId) -> Result<()> {
        match self.entries.iter().find(|entry| entry.tenant != tenant) {
            None => Ok(()),
            Some(entry) => Err(Error::internal(
                "a trail names another tenant than its change",
                format!("{} is not {tenant}", entry.tenant),
            )),
        }
    }

    /// The rows that continue a chain whose last row has place `seq` and hash `hash` (0 and
    /// [`GENESIS`](crate::audit::GENESIS) at its start).
    ///
    /// Times are cut to the microsecond before linking: databases keep no more, and the chain must verify over what
    /// is read back.
    pub fn rows_after(&self, seq: u64, hash: Hash) -> Vec<AuditRow> {
        let mut head = (seq, hash);
        let next = |entry: &AuditEntry| {
            let mut entry = entry.clone();
            entry.at =
                Timestamp::from_microsecond(entry.at.as_microsecond()).expect("a time's own microseconds make a time");
            let seq = head.0 + 1;
            let hash = self.link.hash(&head.1, seq, &entry);
            head = (seq, hash);
            AuditRow { seq, entry, hash }
        };
        self.entries.iter().map(next).collect()
    }
}

/// Which entries. All that are given must hold.
#[derive(Debug, Clone)]
pub struct AuditFilter {
    /// Whose.
    pub tenant: TenantId,
    /// About this kind of thing: the part of the action before its first dot.
    pub entity: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// About the row with this identifier.
    pub subject: Option<String>,
    /// By this actor.
    pub actor: Option<String>,
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Beyond this place, in the order that is asked for.
    pub after: Option<u64>,
    /// From the last place to the first.
    pub newest_first: bool,
    /// How many at most.
    pub limit: usize,
    /// How many rows may be looked at for them.
    pub scan: usize,
}

impl AuditFilter {
    /// All entries of a tenant, in order.
    pub fn all(tenant: TenantId) -> Self {
        Self {
            tenant,
            entity: None,
            action: None,
            subject: None,
            actor: None,
            from: None,
            to: None,
            after: None,
            newest_first: false,
            limit: usize::MAX,
            scan: usize::MAX,
        }
    }
}

/// What an action is about: `connection` of `connection.created`.
pub fn entity(action: &str) -> &str {
    action.split_once('.').map_or(action, |(entity, _)| entity)
}

/// Keeps the chain. Changes of other nouns append to it inside their own transaction.
pub trait AuditStore: Send + Sync + 'static {
    /// Appends entries that go with no change, such as a denied attempt.
    fn record(&self, tenant: TenantId, trail: Trail) -> StoreFuture<'_, ()>;

    /// A tenant's entries in order, those after place `after`.
    fn audit_entries(&self, tenant: TenantId, after: u64, limit: usize) -> StoreFuture<'_, Vec<AuditRow>>;

    /// A tenant's entries that fit, in the order of their places.
    fn find_audit(&self, filter: AuditFilter) -> StoreFuture<'_, Scanned<AuditRow, u64>>;

    /// The head of a tenant's chain as it is kept beside it, once there is an entry.
    fn audit_head(&self, tenant: TenantId) -> StoreFuture<'_, Option<Verified>>;

    /// The heads of all chains, by tenant.
    fn audit_heads(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<(TenantId, Verified)>>;
}
