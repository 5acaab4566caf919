//! The audit chain as stored.

use super::StoreFuture;
use crate::{
    audit::{AuditEntry, Hash, Trail},
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

/// Keeps the chain. Changes of other nouns append to it inside their own transaction.
pub trait AuditStore: Send + Sync + 'static {
    /// Appends entries that go with no change, such as a denied attempt.
    fn record(&self, tenant: TenantId, trail: Trail) -> StoreFuture<'_, ()>;

    /// A tenant's entries in order, those after place `after`.
    fn audit_entries(&self, tenant: TenantId, after: u64, limit: usize) -> StoreFuture<'_, Vec<AuditRow>>;
}
