//! The rows in memory: room that is taken, rows that wait, rows on their way into the store.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

use crate::{
    error::{Code, Error, Result, Retry},
    id::{CallId, TenantId},
    limits::{FLUSH_ROWS, LEDGER_ROOM, OVERLOAD_RETRY_AFTER},
    store::CallEntry,
};

/// Calls of one tenant on their way into the store.
pub(super) type Out = (TenantId, Arc<[CallEntry]>);

/// The rows of one process that are not in the store yet.
pub(crate) struct Ledger {
    rows: Mutex<Rows>,
    capacity: usize,
    /// Told when there is something to write down.
    pub(crate) waits: Notify,
    /// Told when so many wait that they make a batch.
    pub(super) is_crowded: Notify,
    /// Held while rows are written: one batch after the other, so that they keep their order.
    pub(super) flushing: tokio::sync::Mutex<()>,
    keepers: AtomicUsize,
}

#[derive(Default)]
struct Rows {
    /// Rows there is room for: of calls under way, waiting and on their way.
    taken: usize,
    waiting: VecDeque<CallEntry>,
    /// Handed to the store; here until it has them for certain.
    out: Vec<Out>,
}

/// Room for one row, given back when it was written, or when there was nothing to write.
pub(crate) struct Room {
    ledger: Arc<Ledger>,
    is_filled: bool,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::with_room(LEDGER_ROOM)
    }
}

impl Ledger {
    pub(crate) fn with_room(capacity: usize) -> Self {
        Self {
            rows: Mutex::default(),
            capacity,
            waits: Notify::new(),
            is_crowded: Notify::new(),
            flushing: tokio::sync::Mutex::new(()),
            keepers: AtomicUsize::new(0),
        }
    }

    /// Room for a row, at once or not at all.
    pub(crate) fn room(self: &Arc<Self>) -> Result<Room> {
        let mut rows = self.rows();
        if rows.taken >= self.capacity {
            let detail = "Too many calls wait to be written down: try again in a moment.";
            return Err(Error::new(Code::Overloaded, detail)
                .retry(Retry::After(OVERLOAD_RETRY_AFTER))
                .before_sending());
        }
        rows.taken += 1;
        Ok(Room {
            ledger: self.clone(),
            is_filled: false,
        })
    }

    /// Whether enough wait for a batch and nobody else will write them.
    pub(crate) fn is_due(&self) -> bool {
        self.keepers.load(Ordering::Relaxed) == 0 && self.rows().waiting.len() >= FLUSH_ROWS
    }

    /// Counts whoever keeps the ledger while they do.
    pub(super) fn keeper(&self) -> Keeper<'_> {
        self.keepers.fetch_add(1, Ordering::Relaxed);
        Keeper(self)
    }

    /// The next rows to write, by tenant: those the store refused before, or some of those that wait. They stay until
    /// [`written`](Self::written).
    pub(super) fn next(&self) -> Vec<Out> {
        let mut rows = self.rows();
        if rows.out.is_empty() {
            let count = rows.waiting.len().min(FLUSH_ROWS);
            let mut calls: Vec<CallEntry> = rows.waiting.drain(..count).collect();
            // Stable, so that each tenant's calls keep their order.
            calls.sort_by_key(|call| call.tenant);
            let by_tenant = calls.chunk_by(|one, other| one.tenant == other.tenant);
            rows.out = by_tenant.map(|calls| (calls[0].tenant, calls.into())).collect();
        }
        rows.out.clone()
    }

    /// Lets go of the rows that [`next`](Self::next) gave: the store has them.
    pub(super) fn written(&self) {
        let mut rows = self.rows();
        let count: usize = rows.out.drain(..).map(|(_, calls)| calls.len()).sum();
        rows.taken -= count;
    }

    /// A tenant's call that is not in the store yet.
    pub(super) fn find(&self, tenant: TenantId, id: CallId) -> Option<CallEntry> {
        let rows = self.rows();
        let out = rows.out.iter().flat_map(|(_, calls)| calls.iter());
        // The newest is asked for most.
        let mut all = rows.waiting.iter().rev().chain(out);
        all.find(|call| call.tenant == tenant && call.id == id).cloned()
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Fills the room with its row.
    pub(crate) fn fill(mut self, call: CallEntry) {
        let mut rows = self.ledger.rows();
        rows.waiting.push_back(call);
        let waiting = rows.waiting.len();
        drop(rows);
        self.is_filled = true;
        self.ledger.waits.notify_one();
        if waiting == FLUSH_ROWS {
            self.ledger.is_crowded.notify_one();
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !self.is_filled {
            self.ledger.rows().taken -= 1;
        }
    }
}

/// Somebody who keeps the ledger.
pub(super) struct Keeper<'a>(&'a Ledger);

impl Drop for Keeper<'_> {
    fn drop(&mut self) {
        self.0.keepers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::sample;

    #[test]
    fn g12_room_is_taken_at_admission_and_given_back_once_written() {
        let ledger = Arc::new(Ledger::with_room(3));
        let tenant = sample::tenant_id();
        let mut rooms: Vec<Room> = (0..3).map(|_| ledger.room().unwrap()).collect();
        let refused = ledger.room().err().unwrap();
        assert_eq!(refused.code(), Code::Overloaded);
        assert_eq!(refused.retry_hint(), Retry::After(OVERLOAD_RETRY_AFTER));
        drop(rooms.pop());
        rooms.push(ledger.room().unwrap());
        for room in rooms {
            room.fill(sample::call(tenant));
        }
        assert_eq!(ledger.next()[0].1.len(), 3);
        assert!(ledger.room().is_err(), "the store may still refuse them");
        ledger.written();
        assert!(ledger.room().is_ok());
        assert!(ledger.next().is_empty());
    }

    #[test]
    fn rows_stay_until_the_store_has_them_and_keep_their_order() {
        let ledger = Arc::new(Ledger::default());
        let tenants = [sample::tenant_id(), sample::tenant_id()];
        let calls: Vec<CallEntry> = (0..6).map(|n| sample::call(tenants[n % 2])).collect();
        for call in &calls {
            ledger.room().unwrap().fill(call.clone());
        }
        let first = ledger.next();
        ledger.room().unwrap().fill(sample::call(tenants[0]));
        assert_eq!(first, ledger.next(), "refused, so tried again, and nothing is mixed in");
        assert_eq!(first.len(), 2, "one batch for each tenant");
        for (tenant, batch) in &first {
            let own: Vec<_> = calls.iter().filter(|call| call.tenant == *tenant).cloned().collect();
            assert_eq!(batch[..], own[..]);
        }
        let [one, other] = tenants;
        assert!(ledger.find(one, calls[0].id).is_some());
        assert!(ledger.find(other, calls[0].id).is_none(), "T2");
        ledger.written();
        assert!(ledger.find(one, calls[0].id).is_none());
        assert_eq!(ledger.next()[0].1.len(), 1);
    }
}
