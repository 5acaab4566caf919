//! What was begun and goes on by itself, counted so that a program can wait for the end of it.

use std::sync::Arc;

use tokio::sync::watch;

/// How much is under way.
pub(crate) struct Begun(Arc<watch::Sender<usize>>);

/// Something that is under way, until this is dropped.
pub(crate) struct UnderWay(Arc<watch::Sender<usize>>);

impl Default for Begun {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Begun {
    /// Counts one more. Dropped last by whoever does it, it says that all else of theirs is gone.
    pub(crate) fn one_more(&self) -> UnderWay {
        self.0.send_modify(|count| *count += 1);
        UnderWay(self.0.clone())
    }

    /// Over when nothing is under way.
    pub(crate) async fn ended(&self) {
        // The sender is ours, so there is always somebody to hear of.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use crate::{Connectors, clock::SystemRandom, store::MemoryStore, vault::MasterKey};

    #[tokio::test]
    async fn the_end_waits_for_a_change_whose_caller_is_gone() {
        let key = MasterKey::generate(&SystemRandom).unwrap();
        let house = Connectors::builder()
            .scope("tenant", crate::ScopeRule::Optional)
            .connectors([])
            .store(MemoryStore::new())
            .key(key)
            .build()
            .unwrap();
        let (go_on, told) = oneshot::channel::<()>();
        let change = house.to_the_end(async move |_| {
            let _ = told.await;
            Ok(())
        });
        assert!(change.now_or_never().is_none(), "the caller hung up");
        let closing = tokio::spawn(async move { house.close().await });
        // Time enough for all else that a close has to do.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert!(!closing.is_finished());
        go_on.send(()).unwrap();
        closing.await.unwrap().unwrap();
    }
}
