//! Telling what happened to everybody who listens.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use tokio::time::timeout;

use super::{
    Event, EventFilter, EventKind, Failure, FeedEvent, Happened,
    handler::{Item, Post},
    heed::is_echo,
    subscription::Inbox,
};
use crate::{
    begun::{Begun, UnderWay},
    clock::{Clock, Random, Timestamp},
    error::{Code, Retry},
    hooks::Hooks,
    http::redact::Redactor,
    id::EventId,
    limits::HANDLERS_CLOSE_PATIENCE,
    telemetry::{Telemetry, session},
};

/// Who listens, and what to.
pub(crate) struct Events {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    prefix: Arc<str>,
    /// A bit for each kind that anybody wants: all that is looked at where nobody listens.
    wanted: AtomicU64,
    changing: Mutex<()>,
    listeners: ArcSwap<Listeners>,
    hooks: Hooks,
    telemetry: Option<Telemetry>,
    under_way: Begun,
    missed: AtomicU64,
}

/// Listeners that come and go.
#[derive(Default, Clone)]
pub(super) struct Listeners {
    pub(super) inboxes: Vec<Arc<Inbox>>,
    pub(super) posts: Vec<Arc<Post>>,
}

impl Events {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        prefix: &str,
        hooks: Hooks,
        telemetry: Option<Telemetry>,
    ) -> Arc<Self> {
        let events = Self {
            clock,
            random,
            prefix: prefix.into(),
            wanted: AtomicU64::new(0),
            changing: Mutex::new(()),
            listeners: ArcSwap::default(),
            hooks,
            telemetry,
            under_way: Begun::default(),
            missed: AtomicU64::new(0),
        };
        events.change(|_| {});
        Arc::new(events)
    }

    /// Changes who listens, and with it what is wanted.
    pub(super) fn change(&self, change: impl FnOnce(&mut Listeners)) {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut listeners = Listeners::clone(&self.listeners.load());
        change(&mut listeners);
        let lasting = match &self.telemetry {
            Some(_) => EventFilter::everything(),
            None => self.hooks.filter(),
        };
        let filters = listeners.inboxes.iter().map(|inbox| inbox.filter);
        let wanted = filters
            .chain(listeners.posts.iter().map(|post| post.filter))
            .fold(lasting, EventFilter::and);
        self.listeners.store(Arc::new(listeners));
        self.wanted.store(wanted.bits(), Ordering::Relaxed);
    }

    /// Whether anybody wants events of this kind.
    pub(crate) fn wants(&self, kind: EventKind) -> bool {
        self.wanted.load(Ordering::Relaxed) & kind.bit() != 0
    }

    pub(crate) fn wants_any<const N: usize>(&self, kinds: [EventKind; N]) -> bool {
        self.wanted.load(Ordering::Relaxed) & EventFilter::of(kinds).bits() != 0
    }

    pub(crate) fn wants_anything(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) != 0
    }

    /// How many events did not fit into the queues of handlers and hooks.
    pub(crate) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    pub(crate) fn miss_one(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn one_more(&self) -> UnderWay {
        self.under_way.one_more()
    }

    /// Tells that something happened, now. Where nobody wants to hear it, that costs one load.
    pub(crate) fn tell(self: &Arc<Self>, kind: EventKind, happened: impl FnOnce() -> Happened) {
        if !self.wants(kind) {
            return;
        }
        match EventId::new(&*self.clock, &*self.random) {
            Ok(id) => self.publish(self.event(id, self.clock.now(), kind, happened())),
            Err(error) => tracing::warn!(?error, kind = kind.as_str(), "an event cannot be told"),
        }
    }

    /// Tells of what stands in the feed.
    pub(crate) fn tell_of(self: &Arc<Self>, event: &FeedEvent, happened: impl FnOnce() -> Happened) {
        if self.wants(event.kind) {
            self.publish(self.event(event.id, event.at, event.kind, happened()));
        }
    }

    fn event(&self, id: EventId, at: Timestamp, kind: EventKind, happened: Happened) -> Event {
        Event {
            id,
            kind,
            at,
            tenant: happened.tenant,
            connector: happened.connector,
            scope: happened.scope,
            connection: happened.connection,
            action: happened.action,
            call: happened.call,
            duration: happened.duration,
            failure: happened.failure,
            facts: happened.facts,
            prefix: self.prefix.clone(),
            echo: is_echo(),
        }
    }

    fn publish(self: &Arc<Self>, event: Event) {
        if let Some(telemetry) = &self.telemetry {
            telemetry.record(&event);
        }
        let event = Arc::new(event);
        let listeners = self.listeners.load();
        for inbox in listeners.inboxes.iter().filter(|inbox| inbox.filter.has(event.kind)) {
            if inbox.of.as_ref().is_none_or(|of| event.is_of(of)) {
                inbox.queue.push(event.clone());
            }
        }
        self.hand_out(&listeners, &event);
        self.hooks.run(self, &event);
    }

    /// Handlers of one scope have done with an event before those of all hear of it.
    fn hand_out(self: &Arc<Self>, listeners: &Listeners, event: &Arc<Event>) {
        let posts = || listeners.posts.iter().filter(|post| post.filter.has(event.kind));
        let local = posts().filter(|post| post.of.as_ref().is_some_and(|of| event.is_of(of)));
        let first = Arc::new(Begun::default());
        let mut is_local = false;
        for post in local {
            is_local = true;
            let done = post.is_idle().then(|| first.one_more());
            post.hand(self, Item::new(event, done, None));
        }
        for post in posts().filter(|post| post.of.is_none()) {
            post.hand(self, Item::new(event, None, is_local.then(|| first.clone())));
        }
    }

    /// A handler or a hook failed: that is logged, and told once. What fails at hearing of it is only logged.
    pub(crate) fn listener_failed(self: &Arc<Self>, event: &Event, operation: &'static str, why: &str) {
        let why = Redactor::default().scrub(why).into_owned();
        tracing::warn!(
            listener = operation,
            event = event.kind.as_str(),
            why,
            "a listener of events failed"
        );
        if event.echo || !self.wants(EventKind::ErrorOccurred) {
            return;
        }
        let failure = Failure {
            code: Code::Internal.as_str(),
            message: format!("A listener of `{}` failed: {why}", event.kind.as_str()),
            operation,
            retry: Retry::Never,
        };
        let Ok(id) = EventId::new(&*self.clock, &*self.random) else {
            return;
        };
        self.publish(Event {
            id,
            kind: EventKind::ErrorOccurred,
            at: self.clock.now(),
            failure: Some(failure),
            echo: true,
            ..event.clone()
        });
    }

    /// Waits for handlers and hooks, and hands over what telemetry still holds, each within its bound.
    pub(crate) async fn close(&self) {
        if timeout(HANDLERS_CLOSE_PATIENCE, self.under_way.ended()).await.is_err() {
            tracing::warn!("handlers and hooks of events were still running at the end");
        }
        if let Some(telemetry) = &self.telemetry {
            telemetry.close().await;
        }
    }

    pub(crate) fn session(&self) -> Option<session::Session> {
        self.telemetry.as_ref().and_then(|_| session::current())
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        for inbox in &self.listeners.load().inboxes {
            inbox.queue.close();
        }
    }
}
