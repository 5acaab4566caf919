//! A subscription: events as they come, for whoever asks for the next one.

use std::sync::{Arc, Weak};

use super::{
    Event, EventFilter,
    bus::Events,
    queue::{Entry, Queue},
};
use crate::{id::TenantId, limits::SUBSCRIPTION_QUEUE, scope::Scope};

/// What a subscriber is told.
#[derive(Debug, Clone)]
pub enum Told {
    /// Something happened.
    Event(Arc<Event>),
    /// So many events happened here that did not fit into the subscription's queue; they are lost to it.
    Missed(u64),
}

/// Events from the moment it was made on. Dropping it ends it.
///
/// It keeps up to [`SUBSCRIPTION_QUEUE`] events for whoever is slow to ask; beyond that they are counted and dropped.
pub struct Subscription {
    events: Weak<Events>,
    inbox: Arc<Inbox>,
}

/// The bus's side of a subscription.
pub(super) struct Inbox {
    pub(super) filter: EventFilter,
    pub(super) of: Option<(TenantId, Scope)>,
    pub(super) queue: Queue<Arc<Event>>,
}

impl Subscription {
    pub(crate) fn new(events: &Arc<Events>, filter: EventFilter, of: Option<(TenantId, Scope)>) -> Self {
        let inbox = Arc::new(Inbox {
            filter,
            of,
            queue: Queue::new(SUBSCRIPTION_QUEUE),
        });
        events.change(|listeners| listeners.inboxes.push(inbox.clone()));
        Self {
            events: Arc::downgrade(events),
            inbox,
        }
    }

    /// The next event, or how many are missing here, once there is one; nothing when the connectors are gone.
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Told> {
        self.inbox.queue.next().await.map(told)
    }

    /// The same, without waiting.
    pub fn try_next(&mut self) -> Option<Told> {
        self.inbox.queue.pop().map(told)
    }
}

fn told(entry: Entry<Arc<Event>>) -> Told {
    match entry {
        Entry::Item(event) => Told::Event(event),
        Entry::Missed(count) => Told::Missed(count),
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(events) = self.events.upgrade() {
            events.change(|listeners| listeners.inboxes.retain(|inbox| !Arc::ptr_eq(inbox, &self.inbox)));
        }
    }
}
