//! Hooks: functions of the embedding program that run after a connection was made or deleted, and after errors.
//!
//! Each runs in a task of its own, and not more than [`HOOKS_AT_ONCE`] at a time. What they do, or fail to do, changes
//! nothing of what happened, and keeps nobody else from hearing of it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{runtime::Handle, sync::Semaphore};

use crate::{
    event::{Event, EventFilter, EventKind, Events, Handler, run},
    limits::{HOOKS_AT_ONCE, HOOKS_WAITING},
};

/// The hooks, and how many of their runs there are.
pub(crate) struct Hooks {
    pub(crate) connect: Vec<Handler>,
    pub(crate) disconnect: Vec<Handler>,
    pub(crate) error: Vec<Handler>,
    seats: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            connect: Vec::new(),
            disconnect: Vec::new(),
            error: Vec::new(),
            seats: Arc::new(Semaphore::new(HOOKS_AT_ONCE)),
            waiting: Arc::default(),
        }
    }
}

impl Hooks {
    /// What they want to hear of.
    pub(crate) fn filter(&self) -> EventFilter {
        let kinds = [
            EventKind::ConnectorConnected,
            EventKind::ConnectorDisconnected,
            EventKind::ErrorOccurred,
        ];
        EventFilter::of(kinds.into_iter().filter(|kind| !self.of(*kind).is_empty()))
    }

    fn of(&self, kind: EventKind) -> &[Handler] {
        match kind {
            EventKind::ConnectorConnected => &self.connect,
            EventKind::ConnectorDisconnected => &self.disconnect,
            EventKind::ErrorOccurred => &self.error,
            _ => &[],
        }
    }

    /// Begins the hooks of an event. Never waits.
    pub(crate) fn run(&self, events: &Arc<Events>, event: &Arc<Event>) {
        for hook in self.of(event.kind) {
            let has_room = self.waiting.fetch_add(1, Ordering::Relaxed) < HOOKS_WAITING;
            let (true, Ok(runtime)) = (has_room, Handle::try_current()) else {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                events.miss_one();
                tracing::warn!(
                    event = event.kind.as_str(),
                    "a hook was not run: too many of them are under way"
                );
                continue;
            };
            let (hook, event, session) = (hook.clone(), event.clone(), events.session());
            let (seats, waiting) = (self.seats.clone(), self.waiting.clone());
            let (events, under_way) = (events.clone(), events.one_more());
            runtime.spawn(async move {
                let seat = seats.acquire().await;
                let ended = run(&hook, &event, session).await;
                waiting.fetch_sub(1, Ordering::Relaxed);
                drop(seat);
                if let Err(why) = ended {
                    events.listener_failed(&event, "hook", &why);
                }
                drop((events, under_way));
            });
        }
    }
}
