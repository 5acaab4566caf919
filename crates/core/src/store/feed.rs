//! The feed: which rows changed, in the order of commit. Caches follow it.

use super::StoreFuture;
use crate::{
    clock::Timestamp,
    event::EventKind,
    id::{EventId, TenantId},
};

/// One change: what happened to which row, no payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRow {
    /// Its place in the feed; rises, may leave gaps.
    pub seq: u64,
    /// The event's identifier.
    pub event: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened; `None` when a newer version wrote it and this one has no word for it.
    pub kind: Option<EventKind>,
    /// Whose row changed.
    pub tenant: TenantId,
    /// The identifier of the row that changed, in text form.
    pub subject: String,
}

/// Follows changes.
pub trait FeedStore: Send + Sync + 'static {
    /// Changes after place `after`, oldest first.
    fn read_feed(&self, after: u64, limit: usize) -> StoreFuture<'_, Vec<FeedRow>>;

    /// The place of the newest change, 0 when there is none.
    fn feed_end(&self) -> StoreFuture<'_, u64>;

    /// Takes out changes that happened before a time, oldest first; says how many. The newest change always stays, so that
    /// the feed's end is known.
    fn prune_feed(&self, before: Timestamp, limit: usize) -> StoreFuture<'_, usize>;

    /// The place of the oldest change that is still there, 0 when there is none.
    fn feed_start(&self) -> StoreFuture<'_, u64>;

    /// Returns when the feed may have moved since this call. Only a hint: followers also look now and then by themselves.
    fn feed_moved(&self) -> futures_util::future::BoxFuture<'_, ()>;
}
