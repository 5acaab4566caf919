//! Handlers: functions that are handed events one after the other, each handler at its own pace.

use std::{
    fmt::Display,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{runtime::Handle, time::timeout};

use super::{
    Event, EventFilter, Events,
    heed::hearing,
    queue::{Entry, Queue},
};
use crate::{
    begun::{Begun, UnderWay},
    id::TenantId,
    limits::{HANDLER_QUEUE, HANDLER_TIMEOUT, LOCAL_HANDLERS_FIRST},
    scope::Scope,
    telemetry::session::{Session, run_in},
};

/// A function that is handed events.
pub(crate) type Handler = Arc<dyn Fn(Arc<Event>) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What a handler or a hook may answer: nothing, or a result whose error is logged and told.
pub trait HandlerResult: Send + 'static {
    /// The same, with the error as text.
    fn into_result(self) -> Result<(), String>;
}

impl HandlerResult for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Display + Send + 'static> HandlerResult for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}

pub(crate) fn handler<F, W>(f: F) -> Handler
where
    F: Fn(Arc<Event>) -> W + Send + Sync + 'static,
    W: Future<Output: HandlerResult> + Send + 'static,
{
    let f = Arc::new(f);
    Arc::new(move |event| {
        let f = f.clone();
        // Inside, so that a panic before the first wait is caught too.
        Box::pin(async move { f(event).await.into_result() })
    })
}

/// Runs a handler or a hook for one event, for so long at most. Whatever it does, nobody else is harmed.
pub(crate) async fn run(f: &Handler, event: &Arc<Event>, session: Option<Session>) -> Result<(), String> {
    let work = AssertUnwindSafe(f(event.clone())).catch_unwind();
    let work = hearing(event.echo, run_in(session, timeout(HANDLER_TIMEOUT, work)));
    match work.await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err("it panicked".to_owned()),
        Err(_) => Err(format!("it did not end within {} s", HANDLER_TIMEOUT.as_secs())),
    }
}

/// A handler and what waits for it.
pub(super) struct Post {
    pub(super) filter: EventFilter,
    pub(super) of: Option<(TenantId, Scope)>,
    f: Handler,
    queue: Queue<Item>,
    busy: AtomicBool,
    gone: AtomicBool,
}

/// An event on its way to a handler.
pub(super) struct Item {
    event: Arc<Event>,
    session: Option<Session>,
    /// Dropped when the handler is done with it.
    done: Option<UnderWay>,
    /// Who goes first.
    first: Option<Arc<Begun>>,
}

impl Item {
    pub(super) fn new(event: &Arc<Event>, done: Option<UnderWay>, first: Option<Arc<Begun>>) -> Self {
        Self {
            event: event.clone(),
            session: None,
            done,
            first,
        }
    }
}

impl Post {
    /// Whether it has done with everything so far. Only then do others wait for it.
    pub(super) fn is_idle(&self) -> bool {
        !self.busy.load(SeqCst)
    }

    /// Hands an event over. Never waits: what does not fit is dropped and counted.
    pub(super) fn hand(self: &Arc<Self>, events: &Arc<Events>, mut item: Item) {
        item.session = events.session();
        if !self.queue.push(item) {
            events.miss_one();
        }
        // Outside of a runtime nothing can run: the next event inside of one takes this one along.
        let Ok(runtime) = Handle::try_current() else { return };
        if !self.busy.swap(true, SeqCst) {
            let (post, under_way) = (self.clone(), events.one_more());
            let events = Arc::downgrade(events);
            runtime.spawn(async move {
                post.empty(&events).await;
                drop(under_way);
            });
        }
    }

    async fn empty(&self, events: &Weak<Events>) {
        loop {
            while let Some(entry) = self.queue.pop() {
                match entry {
                    _ if self.gone.load(SeqCst) => {}
                    Entry::Missed(missed) => {
                        tracing::warn!(missed, "a handler of events is too slow: these were not handed to it");
                    }
                    Entry::Item(item) => self.run(item, events).await,
                }
            }
            self.busy.store(false, SeqCst);
            if self.queue.is_empty() || self.busy.swap(true, SeqCst) {
                return;
            }
        }
    }

    async fn run(&self, item: Item, events: &Weak<Events>) {
        if let Some(first) = &item.first {
            // Time out on purpose: one that hangs goes first no longer.
            let _ = timeout(LOCAL_HANDLERS_FIRST, first.ended()).await;
        }
        let ended = run(&self.f, &item.event, item.session).await;
        drop(item.done);
        if let (Err(why), Some(events)) = (ended, events.upgrade()) {
            events.listener_failed(&item.event, "event.handler", &why);
        }
    }
}

/// A handler that listens. Dropping this ends it.
#[must_use = "the handler is taken away when this is dropped"]
pub struct Listening {
    events: Weak<Events>,
    post: Arc<Post>,
    lasting: bool,
}

impl Listening {
    pub(crate) fn new(events: &Arc<Events>, filter: EventFilter, of: Option<(TenantId, Scope)>, f: Handler) -> Self {
        let post = Arc::new(Post {
            filter,
            of,
            f,
            queue: Queue::new(HANDLER_QUEUE),
            busy: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        });
        events.change(|listeners| listeners.posts.push(post.clone()));
        Self {
            events: Arc::downgrade(events),
            post,
            lasting: false,
        }
    }

    /// Lets it listen for as long as the connectors are there.
    pub fn for_good(mut self) {
        self.lasting = true;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if self.lasting {
            return;
        }
        self.post.gone.store(true, SeqCst);
        if let Some(events) = self.events.upgrade() {
            events.change(|listeners| listeners.posts.retain(|post| !Arc::ptr_eq(post, &self.post)));
        }
    }
}
