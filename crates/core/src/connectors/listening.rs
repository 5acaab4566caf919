//! Listening to what happens.

use std::sync::Arc;

use super::{Connectors, Scoped};
use crate::{
    event::{Event, EventFilter, HandlerResult, Listening, Subscription, handler},
    id::TenantId,
    scope::Scope,
};

impl Connectors {
    /// Everything that happens from now on in this process, of all tenants and scopes; not the store's operations, for
    /// which [`subscribe_to`](Self::subscribe_to) asks.
    pub fn subscribe(&self) -> Subscription {
        self.subscribe_to(EventFilter::default())
    }

    /// Events of these kinds from now on.
    pub fn subscribe_to(&self, filter: EventFilter) -> Subscription {
        Subscription::new(&self.inner.events, filter, None)
    }

    /// Hands events of these kinds to a function, one after the other, until what this answers is dropped. Handlers of a
    /// scope are done with an event before this one hears of it, unless they are slow.
    pub fn on<F, W>(&self, filter: EventFilter, f: F) -> Listening
    where
        F: Fn(Arc<Event>) -> W + Send + Sync + 'static,
        W: Future<Output: HandlerResult> + Send + 'static,
    {
        Listening::new(&self.inner.events, filter, None, handler(f))
    }

    /// How many times an event was not handed to a handler or a hook because too much waited for it already. Subscriptions
    /// are told themselves what they miss.
    pub fn events_missed(&self) -> u64 {
        self.inner.events.missed()
    }
}

impl Scoped {
    /// What happens from now on in this process to this scope and no other: `a` hears nothing of `a:b`.
    pub fn subscribe(&self) -> Subscription {
        self.subscribe_to(EventFilter::default())
    }

    /// The same of these kinds.
    pub fn subscribe_to(&self, filter: EventFilter) -> Subscription {
        Subscription::new(&self.connectors.inner.events, filter, Some(self.whose()))
    }

    /// Hands what happens to this scope to a function, one event after the other, until what this answers is dropped.
    pub fn on<F, W>(&self, filter: EventFilter, f: F) -> Listening
    where
        F: Fn(Arc<Event>) -> W + Send + Sync + 'static,
        W: Future<Output: HandlerResult> + Send + 'static,
    {
        Listening::new(&self.connectors.inner.events, filter, Some(self.whose()), handler(f))
    }

    fn whose(&self) -> (TenantId, Scope) {
        (self.actor.tenant, self.scope.clone())
    }
}
