//! A bounded queue and the threads that work it off.

use std::{
    sync::{
        Mutex, PoisonError,
        mpsc::{SyncSender, TrySendError},
    },
    thread::{Builder, JoinHandle},
};

use tieline::{Error, Result};

use crate::outcome::{closed, overloaded};

pub(super) struct Queue<J> {
    /// Gone when closed; the threads then finish what is left and end.
    sender: Mutex<Option<SyncSender<J>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl<J: Send + 'static> Queue<J> {
    pub(super) fn new(sender: SyncSender<J>) -> Self {
        Self {
            sender: Mutex::new(Some(sender)),
            threads: Mutex::new(Vec::new()),
        }
    }

    /// Starts a thread that takes from the queue's other end.
    pub(super) fn work(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = Builder::new().name(name.to_owned()).spawn(work);
        let thread = thread.map_err(|error| Error::internal("a database thread did not start", error))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Never waits: a full queue is the caller's to know.
    pub(super) fn push(&self, job: J) -> Result<()> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        match sender.as_ref().map(|sender| sender.try_send(job)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(overloaded()),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(closed()),
        }
    }
}

impl<J> Queue<J> {
    /// Takes nothing more, finishes what was pushed, and returns when that is done.
    pub(super) fn close(&self) {
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // A thread that panicked has nothing left to finish; its waiters were told by their dropped channels.
            let _ = thread.join();
        }
    }
}

impl<J> Drop for Queue<J> {
    fn drop(&mut self) {
        self.close();
    }
}
