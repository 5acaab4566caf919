//! Work that goes on when its caller has hung up, and that a stop has to wait for.

use std::sync::{Mutex, PoisonError};

use tieline::{Error, Result};
use tokio::{sync::oneshot, task::JoinSet};

use super::life;

/// All such work of a server. `None` once the server has ended it: then nothing is begun any more.
pub(crate) struct Runs(Mutex<Option<JoinSet<()>>>);

impl Runs {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Some(JoinSet::new())))
    }

    /// Begins work and waits for its end. Whoever stops waiting does not stop the work.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (tell, told) = oneshot::channel();
        self.with(|runs| {
            while runs.try_join_next().is_some() {}
            runs.spawn(async move {
                // The caller may be gone.
                let _ = tell.send(work.await);
            });
        })
        .ok_or_else(life::cut)?;
        match told.await {
            Ok(ended) => ended,
            Err(_) if self.with(|_| ()).is_none() => Err(life::cut()),
            Err(error) => Err(Error::internal("a handler panicked", error)),
        }
    }

    /// Over when no work is under way.
    pub(super) async fn idle(&self) {
        std::future::poll_fn(|context| {
            self.with(|runs| {
                while let Some(_ended) = std::task::ready!(runs.poll_join_next(context)) {}
                std::task::Poll::Ready(())
            })
            .unwrap_or(std::task::Poll::Ready(()))
        })
        .await;
    }

    /// Cuts the work that is under way, and lets none begin. Afterwards nothing of it is left: what it noted is noted.
    pub(crate) async fn end(&self) {
        let runs = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut runs) = runs {
            runs.shutdown().await;
        }
    }

    fn with<T>(&self, ask: impl FnOnce(&mut JoinSet<()>) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(ask)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use futures_util::FutureExt;
    use tieline::Code;
    use tokio::sync::Notify;

    use super::*;

    /// Notes when it is gone.
    struct Gone(Arc<AtomicBool>);

    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn g13_work_without_a_caller_is_waited_for_and_then_cut() {
        let (runs, go_on, gone) = (
            Arc::new(Runs::new()),
            Arc::new(Notify::new()),
            Arc::new(AtomicBool::new(false)),
        );
        runs.idle().await;
        let begin = || {
            let (go_on, gone) = (go_on.clone(), Gone(gone.clone()));
            runs.run(async move {
                let _gone = gone;
                go_on.notified().await;
                Ok(())
            })
            .now_or_never()
        };
        assert!(begin().is_none(), "the caller hung up");
        assert!(runs.idle().now_or_never().is_none());
        go_on.notify_one();
        runs.idle().await;
        assert!(gone.swap(false, Ordering::SeqCst));

        assert!(begin().is_none());
        let waits = {
            let runs = runs.clone();
            tokio::spawn(async move { runs.run(std::future::pending::<Result<()>>()).await })
        };
        tokio::task::yield_now().await;
        runs.end().await;
        assert!(gone.load(Ordering::SeqCst), "nothing of it is left");
        let cut = waits.await.unwrap().unwrap_err();
        assert_eq!(cut.code(), Code::ServerStopping);
        let late = begin().expect("refused at once").unwrap_err();
        assert_eq!(late.code(), Code::ServerStopping);
        runs.idle().await;
    }
}
