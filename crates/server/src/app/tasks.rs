//! Tasks that a stop has to wait for: they write down what they did as they go, so none may outlive the ledgers.

use std::{
    sync::{Mutex, PoisonError},
    task::Poll,
};

use tokio::task::JoinSet;

/// Tasks of one kind. `None` once the server has ended them: then none is begun any more.
pub(crate) struct Tasks(Mutex<Option<JoinSet<()>>>);

impl Tasks {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Some(JoinSet::new())))
    }

    /// Begins one; says whether there still was time for it.
    pub(super) fn begin(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        self.with(|tasks| {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        })
        .is_some()
    }

    /// Whether they were ended.
    pub(super) fn are_ended(&self) -> bool {
        self.with(|_| ()).is_none()
    }

    /// Over when none is under way.
    pub(super) async fn idle(&self) {
        std::future::poll_fn(|context| {
            self.with(|tasks| {
                while let Some(_ended) = std::task::ready!(tasks.poll_join_next(context)) {}
                Poll::Ready(())
            })
            .unwrap_or(Poll::Ready(()))
        })
        .await;
    }

    /// Cuts those that are under way, and lets none begin. Afterwards nothing of them is left: what they noted is noted.
    pub(super) async fn end(&self) {
        let tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
    }

    fn with<T>(&self, ask: impl FnOnce(&mut JoinSet<()>) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(ask)
    }
}
