//! A transport's queue and the task that empties it.

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use futures_util::FutureExt;
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use super::{Envelope, Transport};
use crate::limits::{TELEMETRY_ATTEMPTS, TELEMETRY_BATCH, TELEMETRY_PAUSE, TELEMETRY_QUEUE, TELEMETRY_SEND_TIMEOUT};

/// What became of a transport's envelopes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportCounts {
    /// The transport's name.
    pub name: String,
    /// Taken by it.
    pub sent: u64,
    /// Lost: there was no room for them, or it took them in no attempt.
    pub dropped: u64,
    /// Waiting now.
    pub waiting: usize,
}

pub(super) struct Pump {
    name: String,
    transport: Arc<dyn Transport>,
    queue: Mutex<VecDeque<Arc<Envelope>>>,
    more: Notify,
    /// Envelopes that are neither sent nor dropped.
    left: watch::Sender<usize>,
    sent: AtomicU64,
    dropped: AtomicU64,
    started: AtomicBool,
    closed: AtomicBool,
}

impl Pump {
    pub(super) fn new(name: String, transport: Arc<dyn Transport>) -> Self {
        Self {
            name,
            transport,
            queue: Mutex::default(),
            more: Notify::new(),
            left: watch::Sender::new(0),
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            started: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// Nothing panics while the lock is held.
    fn queue(&self) -> MutexGuard<'_, VecDeque<Arc<Envelope>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never waits: what does not fit is dropped and counted.
    pub(super) fn push(&self, envelope: Arc<Envelope>) {
        let mut queue = self.queue();
        if queue.len() >= TELEMETRY_QUEUE || self.closed.load(Relaxed) {
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        queue.push_back(envelope);
        self.left.send_modify(|left| *left += 1);
        drop(queue);
        self.more.notify_one();
    }

    pub(super) fn start(self: &Arc<Self>) {
        if !self.started.swap(true, Relaxed) {
            let pump = self.clone();
            tokio::spawn(async move {
                while !pump.closed.load(Relaxed) {
                    let more = pump.more.notified();
                    if !pump.send_batch().await {
                        more.await;
                    }
                }
            });
        }
    }

    /// Over when nothing is left. Where no task sends, this does.
    pub(super) async fn finish(&self) {
        if self.started.load(Relaxed) {
            // The sender is ours, so there is always somebody to hear of.
            let _ = self.left.subscribe().wait_for(|left| *left == 0).await;
            return;
        }
        while self.send_batch().await {}
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Relaxed);
        let left = std::mem::take(&mut *self.queue()).len();
        self.dropped.fetch_add(left as u64, Relaxed);
        self.left.send_modify(|all| *all -= left);
        self.more.notify_one();
    }

    pub(super) fn counts(&self) -> TransportCounts {
        TransportCounts {
            name: self.name.clone(),
            sent: self.sent.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            waiting: *self.left.borrow(),
        }
    }

    /// Sends what waits, at most a batch of it; `false` when nothing waited.
    async fn send_batch(&self) -> bool {
        let batch: Vec<_> = {
            let mut queue = self.queue();
            let count = queue.len().min(TELEMETRY_BATCH);
            queue.drain(..count).collect()
        };
        if batch.is_empty() {
            return false;
        }
        let mut ended = Ended {
            pump: self,
            count: batch.len(),
            sent: false,
        };
        let mut pause = TELEMETRY_PAUSE;
        for attempt in 1..=TELEMETRY_ATTEMPTS {
            let Err(why) = self.attempt(&batch).await else {
                ended.sent = true;
                break;
            };
            if attempt == TELEMETRY_ATTEMPTS || self.closed.load(Relaxed) {
                tracing::warn!(
                    transport = self.name,
                    why,
                    dropped = batch.len(),
                    "telemetry could not be handed over"
                );
                break;
            }
            sleep(pause).await;
            pause *= 2;
        }
        true
    }

    async fn attempt(&self, batch: &[Arc<Envelope>]) -> Result<(), String> {
        // Inside, so that a panic before the first wait is caught too.
        let sending = AssertUnwindSafe(async { self.transport.send(batch).await }).catch_unwind();
        match timeout(TELEMETRY_SEND_TIMEOUT, sending).await {
            Err(_) => Err("it did not take it in time".to_owned()),
            Ok(Err(_)) => Err("it panicked".to_owned()),
            Ok(Ok(sent)) => sent.map_err(|error| error.to_string()),
        }
    }
}

/// A batch on its way. Unless it was sent, it is dropped: given up, or cut with the one who sent it.
struct Ended<'a> {
    pump: &'a Pump,
    count: usize,
    sent: bool,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let counted = if self.sent { &self.pump.sent } else { &self.pump.dropped };
        counted.fetch_add(self.count as u64, Relaxed);
        self.pump.left.send_modify(|left| *left -= self.count);
    }
}
