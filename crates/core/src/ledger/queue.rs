//! The rows in memory: room that is taken, rows that wait, rows on their way into the store, rows that it refused.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{sync::Notify, time::timeout_at};

use super::aside::Asides;
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
    is_crowded: Notify,
    /// Held while rows are written: one batch after the other, so that they keep their order.
    pub(super) flushing: tokio::sync::Mutex<()>,
    keepers: AtomicUsize,
}

#[derive(Default)]
struct Rows {
    /// Rows there is room for: of calls under way, waiting, on their way and set aside.
    taken: usize,
    waiting: VecDeque<CallEntry>,
    /// Handed to the store; here until it has them for certain.
    out: Vec<Out>,
    /// Refused by it.
    aside: Asides,
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

    /// Room for a tenant's row, at once or not at all.
    pub(crate) fn room(self: &Arc<Self>, tenant: TenantId) -> Result<Room> {
        let mut rows = self.rows();
        if rows.taken >= self.capacity {
            return Err(no_room(
                "Too many calls wait to be written down: try again in a moment.",
            ));
        }
        if rows.aside.is_full(tenant) {
            return Err(no_room(
                "This tenant's calls cannot be written down, so no more are made until they can: the server's log says why.",
            ));
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

    /// Sleeps until there may be something to write.
    pub(super) async fn something(&self) {
        let again = self.rows().aside.next();
        match again {
            None => self.waits.notified().await,
            // Out of time on purpose: then something that was refused is to be tried again.
            Some(again) => drop(timeout_at(again, self.waits.notified()).await),
        }
    }

    /// Sleeps until so many wait that they make a batch.
    pub(super) async fn crowd(&self) {
        while self.waiting() < FLUSH_ROWS {
            self.is_crowded.notified().await;
        }
    }

    /// How many rows wait.
    pub(super) fn waiting(&self) -> usize {
        self.rows().waiting.len()
    }

    /// How many rows are in memory, whatever becomes of them.
    #[cfg(test)]
    pub(crate) fn waiting_rows(&self) -> usize {
        self.rows().taken
    }

    /// Puts what was refused and is due, and up to `most` rows of those that wait, on their way, but no more than a batch;
    /// says how many waited. None while others are on their way.
    pub(super) fn send(&self, most: usize) -> usize {
        let mut rows = self.rows();
        if !rows.out.is_empty() {
            return 0;
        }
        let mut by_tenant: BTreeMap<TenantId, Vec<CallEntry>> = rows.aside.due().into_iter().collect();
        let count = rows.waiting.len().min(FLUSH_ROWS).min(most);
        let calls: Vec<CallEntry> = rows.waiting.drain(..count).collect();
        for call in calls {
            if let Some(call) = rows.aside.add(call) {
                by_tenant.entry(call.tenant).or_default().push(call);
            }
        }
        let out = by_tenant.into_iter().filter(|(_, calls)| !calls.is_empty());
        rows.out = out.map(|(tenant, calls)| (tenant, calls.into())).collect();
        count
    }

    /// The rows on their way, by tenant. They stay until they are [`written`](Self::written) or
    /// [`refused`](Self::refused).
    pub(super) fn out(&self) -> Vec<Out> {
        self.rows().out.clone()
    }

    /// Lets go of the first so many rows of a tenant that were on their way: the store has them.
    pub(super) fn written(&self, tenant: TenantId, count: usize) {
        let mut rows = self.rows();
        let Some(place) = rows.out.iter().position(|(own, _)| *own == tenant) else {
            return;
        };
        let calls = &rows.out[place].1;
        let written = count.min(calls.len());
        let left: Arc<[CallEntry]> = calls[written..].into();
        rows.taken -= written;
        if left.is_empty() {
            rows.out.remove(place);
            rows.aside.forgive(tenant);
        } else {
            rows.out[place].1 = left;
        }
    }

    /// Sets a tenant's rows aside that were on their way: the store refused them.
    pub(crate) fn refused(&self, tenant: TenantId) {
        let mut rows = self.rows();
        let place = rows.out.iter().position(|(own, _)| *own == tenant);
        let calls = place.map(|place| rows.out.remove(place).1);
        rows.aside.refuse(tenant, calls.as_deref().unwrap_or_default());
    }

    /// Whether the store refused something of a tenant's, and it is too soon to try again.
    pub(crate) fn is_refused(&self, tenant: TenantId) -> bool {
        self.rows().aside.holds(tenant)
    }

    /// The store takes something of a tenant's again.
    pub(crate) fn forgive(&self, tenant: TenantId) {
        let mut rows = self.rows();
        if rows.aside.is_idle(tenant) {
            rows.aside.forgive(tenant);
        }
    }

    /// What was refused is due.
    pub(super) fn hasten(&self) {
        self.rows().aside.hasten();
    }

    /// How many rows are set aside, and of how many tenants.
    pub(crate) fn set_aside(&self) -> (usize, usize) {
        let rows = self.rows();
        (rows.aside.calls().count(), rows.aside.tenants())
    }

    /// A tenant's call that is not in the store yet.
    pub(super) fn find(&self, tenant: TenantId, id: CallId) -> Option<CallEntry> {
        let rows = self.rows();
        let out = rows.out.iter().flat_map(|(_, calls)| calls.iter());
        // The newest is asked for most.
        let mut all = rows.waiting.iter().rev().chain(out).chain(rows.aside.calls());
        all.find(|call| call.tenant == tenant && call.id == id).cloned()
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_room(detail: &str) -> Error {
    Error::new(Code::Overloaded, detail)
        .retry(Retry::After(OVERLOAD_RETRY_AFTER))
        .before_sending()
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
    use crate::{limits::SET_ASIDE_ROWS, store::conformance::sample};

    fn fill(ledger: &Arc<Ledger>, call: &CallEntry) {
        ledger.room(call.tenant).unwrap().fill(call.clone());
    }

    fn all_written(ledger: &Ledger) {
        for (tenant, calls) in ledger.out() {
            ledger.written(tenant, calls.len());
        }
    }

    #[test]
    fn g12_room_is_taken_at_admission_and_given_back_once_written() {
        let ledger = Arc::new(Ledger::with_room(3));
        let tenant = sample::tenant_id();
        let mut rooms: Vec<Room> = (0..3).map(|_| ledger.room(tenant).unwrap()).collect();
        let refused = ledger.room(tenant).err().unwrap();
        assert_eq!(refused.code(), Code::Overloaded);
        assert_eq!(refused.retry_hint(), Retry::After(OVERLOAD_RETRY_AFTER));
        drop(rooms.pop());
        rooms.push(ledger.room(tenant).unwrap());
        for room in rooms {
            room.fill(sample::call(tenant));
        }
        assert_eq!(ledger.send(usize::MAX), 3);
        assert!(ledger.room(tenant).is_err(), "the store may still refuse them");
        all_written(&ledger);
        assert!(ledger.room(tenant).is_ok());
        assert!(ledger.out().is_empty());
    }

    #[test]
    fn rows_stay_until_the_store_has_them_and_keep_their_order() {
        let ledger = Arc::new(Ledger::default());
        let tenants = [sample::tenant_id(), sample::tenant_id()];
        let calls: Vec<CallEntry> = (0..6).map(|n| sample::call(tenants[n % 2])).collect();
        calls.iter().for_each(|call| fill(&ledger, call));
        assert_eq!(ledger.send(usize::MAX), 6);
        let first = ledger.out();
        fill(&ledger, &sample::call(tenants[0]));
        assert_eq!(ledger.send(usize::MAX), 0);
        assert_eq!(
            first,
            ledger.out(),
            "not written, so tried again, and nothing is mixed in"
        );
        assert_eq!(first.len(), 2, "one batch for each tenant");
        assert!(first[0].0 < first[1].0, "in the order of tenants");
        for (tenant, batch) in &first {
            let own: Vec<_> = calls.iter().filter(|call| call.tenant == *tenant).cloned().collect();
            assert_eq!(batch[..], own[..]);
        }
        let [one, other] = tenants;
        assert!(ledger.find(one, calls[0].id).is_some());
        assert!(ledger.find(other, calls[0].id).is_none(), "T2");
        all_written(&ledger);
        assert!(ledger.find(one, calls[0].id).is_none());
        assert_eq!((ledger.send(usize::MAX), ledger.out()[0].1.len()), (1, 1));
    }

    #[test]
    fn no_more_is_sent_than_is_asked_for_or_makes_a_batch() {
        let ledger = Arc::new(Ledger::default());
        let call = sample::call(sample::tenant_id());
        (0..FLUSH_ROWS + 10).for_each(|_| fill(&ledger, &call));
        assert_eq!((ledger.send(4), ledger.waiting()), (4, FLUSH_ROWS + 6));
        all_written(&ledger);
        assert_eq!((ledger.send(usize::MAX), ledger.waiting()), (FLUSH_ROWS, 6));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_store_refuses_waits_aside_and_stops_nobody_else() {
        let ledger = Arc::new(Ledger::default());
        let [broken, sound] = [sample::tenant_id(), sample::tenant_id()];
        let calls: Vec<CallEntry> = (0..4).map(|n| sample::call([broken, sound][n % 2])).collect();
        calls[..2].iter().for_each(|call| fill(&ledger, call));
        ledger.send(usize::MAX);
        ledger.refused(broken);
        ledger.written(sound, 1);
        assert_eq!(ledger.set_aside(), (1, 1));
        assert!(ledger.find(broken, calls[0].id).is_some());
        // What comes later of the same tenant waits behind it.
        calls[2..].iter().for_each(|call| fill(&ledger, call));
        assert_eq!(ledger.send(usize::MAX), 2);
        assert_eq!(ledger.out(), [(sound, calls[3..].into())]);
        ledger.written(sound, 1);
        // Told of the fills, and then by the time.
        ledger.something().await;
        assert_eq!((ledger.send(usize::MAX), ledger.out()), (0, Vec::new()));
        ledger.something().await;
        ledger.send(usize::MAX);
        let both: Vec<_> = [0, 2].map(|n| calls[n].clone()).into();
        assert_eq!(ledger.out(), [(broken, both.into())]);
        // The first of them was written after all.
        ledger.written(broken, 1);
        assert_eq!(
            (ledger.out()[0].1[..].to_vec(), ledger.set_aside().1),
            (calls[2..3].to_vec(), 1)
        );
        ledger.written(broken, 1);
        assert_eq!(ledger.set_aside(), (0, 0));
        assert_eq!(ledger.rows().taken, 0);
    }

    #[test]
    fn g12_a_tenant_whose_rows_are_refused_is_refused_at_last_and_others_are_not() {
        let ledger = Arc::new(Ledger::default());
        let [broken, sound] = [sample::tenant_id(), sample::tenant_id()];
        (0..SET_ASIDE_ROWS).for_each(|_| fill(&ledger, &sample::call(broken)));
        ledger.send(usize::MAX);
        ledger.refused(broken);
        assert_eq!(ledger.room(broken).err().unwrap().code(), Code::Overloaded);
        assert!(ledger.room(sound).is_ok());
    }
}
