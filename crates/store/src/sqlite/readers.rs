//! The threads that read, each with a connection that cannot write.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::AtomicU64,
    mpsc::{Receiver, sync_channel},
};

use rusqlite::Connection;
use tieline::{Error, Result, store::StoreFuture};
use tokio::sync::oneshot;

use super::{
    Counters,
    queue::Queue,
    tx::{ReadTx, trouble},
    writer::caught,
};
use crate::{
    limits::{QUEUE_LIMIT, READERS},
    outcome::closed,
};

type Job = Box<dyn FnOnce(&Connection, &AtomicU64) + Send>;

pub(super) struct Readers(Queue<Job>);

impl Readers {
    /// Starts the threads, each with a connection of its own.
    pub(super) fn start(connect: impl Fn() -> Result<Connection>, counters: &Arc<Counters>) -> Result<Self> {
        let (sender, jobs) = sync_channel(QUEUE_LIMIT);
        let jobs = Arc::new(Mutex::new(jobs));
        let queue = Queue::new(sender);
        for _ in 0..READERS {
            let (connection, jobs, counters) = (connect()?, jobs.clone(), counters.clone());
            queue.work("tieline-reader", move || {
                while let Some(job) = next(&jobs) {
                    job(&connection, &counters.statements);
                }
            })?;
        }
        Ok(Self(queue))
    }

    /// Looks at the database as it stands when a thread comes to it, which is after every commit that was answered.
    pub(super) fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&ReadTx<'_>) -> Result<T> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        Box::pin(async move {
            let (waiter, answer) = oneshot::channel();
            self.0.push(Box::new(move |connection, statements| {
                if waiter.is_closed() {
                    return;
                }
                let looked =
                    caught(|| in_snapshot(connection, |connection| look(&ReadTx::new(connection, statements))));
                // Nobody waits any more: then nobody wants the answer.
                let _ = waiter.send(looked);
            }))?;
            answer.await.map_err(|_| closed())?
        })
    }

    pub(super) fn close(&self) {
        self.0.close();
    }
}

/// The next job, or nothing when the queue is closed and empty. One thread waits in `recv`, the other for the lock.
fn next(jobs: &Mutex<Receiver<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// All statements of one look see the same state.
fn in_snapshot<T>(connection: &Connection, look: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let snapshot = connection.unchecked_transaction();
    let snapshot: rusqlite::Transaction<'_> = snapshot.map_err(|error| trouble("BEGIN", &error))?;
    let looked = look(&snapshot)?;
    snapshot.commit().map_err(|error| trouble("COMMIT", &error))?;
    Ok::<T, Error>(looked)
}
