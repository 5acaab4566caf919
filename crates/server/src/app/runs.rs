//! Work that goes on when its caller has hung up, and that a stop has to wait for.

use tieline::{Error, Result};
use tokio::sync::oneshot;

use super::{life, tasks::Tasks};

/// All such work of a server.
pub(crate) struct Runs(Tasks);

impl Runs {
    pub(super) fn new() -> Self {
        Self(Tasks::new())
    }

    /// Begins work and waits for its end. Whoever stops waiting does not stop the work.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (tell, told) = oneshot::channel();
        let begun = self.0.begin(async move {
            // The caller may be gone.
            let _ = tell.send(work.await);
        });
        if !begun {
            return Err(life::cut());
        }
        match told.await {
            Ok(ended) => ended,
            Err(_) if self.0.are_ended() => Err(life::cut()),
            Err(error) => Err(Error::internal("a handler panicked", error)),
        }
    }

    /// Over when no work is under way.
    pub(super) async fn idle(&self) {
        self.0.idle().await;
    }

    /// Cuts the work that is under way, and lets none begin.
    pub(super) async fn end(&self) {
        self.0.end().await;
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
