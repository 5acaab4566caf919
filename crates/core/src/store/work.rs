//! Work that is due some day: on which row, and who is at it until when. It holds no payload, and takes no trail.

use std::time::Duration;

use super::StoreFuture;
use crate::{clock::Timestamp, id::TenantId};

/// What kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkKind {
    /// Testing a connection. The row is the connection's.
    Health,
}

impl WorkKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Health];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Health => "health",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

/// Work that somebody took. Whoever did writes only while its epoch stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What kind of work.
    pub kind: WorkKind,
    /// Whose.
    pub tenant: TenantId,
    /// On which row.
    pub key: [u8; 16],
    /// How often it was taken, with this time.
    pub epoch: u64,
    /// When it was due.
    pub due: Timestamp,
}

impl Claim {
    /// Whether nobody ever took it before.
    pub fn is_first(&self) -> bool {
        self.epoch == 1
    }
}

/// Hands out work that is due, to one at a time.
///
/// Whoever makes a row that work is to be done on makes the work with it, in the same verb: a connection is tested, and due
/// from the time it was made. The work goes with its row.
pub trait WorkStore: Send + Sync + 'static {
    /// Takes up to `most` pieces of work that are due at `now` and that nobody is at: the first of every tenant, then the
    /// second of every tenant, and so on. A claimant that does not finish within `lease` is taken to be lost. Where many
    /// processes share a database, its clock measures the lease, and `now` elsewhere.
    fn claim_due(
        &self,
        kind: WorkKind,
        claimant: &str,
        lease: Duration,
        most: usize,
        now: Timestamp,
    ) -> StoreFuture<'_, Vec<Claim>>;

    /// Gives work back until it is due again, or is hastened to while somebody was at it: `false`, and nothing is written, when somebody else took it since, when it was
    /// given back already, or is gone.
    fn finish_work(&self, claim: &Claim, next_due: Timestamp) -> StoreFuture<'_, bool>;

    /// Lets work be due at `due`, unless it is before; and lets it count as taken before, see [`Claim::is_first`]. While
    /// somebody is at it, that holds from when they give it back: what they do may be older than the reason for haste.
    fn hasten_work(&self, tenant: TenantId, kind: WorkKind, key: [u8; 16], due: Timestamp) -> StoreFuture<'_, ()>;

    /// When work is due; nothing while nobody ever took it.
    fn next_work(&self, tenant: TenantId, kind: WorkKind, key: [u8; 16]) -> StoreFuture<'_, Option<Timestamp>>;
}
