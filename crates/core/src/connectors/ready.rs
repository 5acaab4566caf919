//! Whether what everything else rests on works now.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::Connectors;
use crate::limits::FEED_SILENCE;

/// A part that everything else rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The store does not write, or not in time.
    Store,
    /// The store holds secrets of another master key than ours.
    MasterKey,
    /// Other processes' changes are not heard of.
    Feed,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "store",
            Self::MasterKey => "master key",
            Self::Feed => "feed",
        })
    }
}

/// When the feed was last heard of.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Feed>);

#[derive(Default, Clone, Copy)]
enum Feed {
    /// Nobody follows it: this process keeps its caches to itself.
    #[default]
    Unfollowed,
    /// It has not been read yet.
    Awaited,
    /// It was read then.
    Read(Instant),
}

impl Heard {
    pub(super) fn follow(&self) {
        self.set(Feed::Awaited);
    }

    pub(super) fn now(&self) {
        self.set(Feed::Read(Instant::now()));
    }

    fn set(&self, feed: Feed) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = feed;
    }

    /// How long ago; nothing while nobody follows, or nothing was heard yet.
    fn lag(&self) -> Option<Duration> {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Feed::Unfollowed | Feed::Awaited => None,
            Feed::Read(at) => Some(at.elapsed()),
        }
    }

    fn is_silent(&self) -> bool {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Feed::Unfollowed => false,
            Feed::Awaited => true,
            Feed::Read(at) => at.elapsed() >= FEED_SILENCE,
        }
    }
}

impl Connectors {
    /// How long ago the feed was read: what other processes changed since may be unknown here. Nothing while nobody
    /// follows it, or it was not read yet.
    pub fn feed_lag(&self) -> Option<Duration> {
        self.inner.heard.lag()
    }

    /// Whether the store writes, holds this process's master key, and tells of changes; if not, the first part that
    /// fails. The store is given `patience` to answer.
    pub async fn ready(&self, patience: Duration) -> Result<(), Part> {
        let ours = self.inner.fingerprint;
        // The verb goes through the writer and changes nothing once the key is known, which it is from the start.
        let kept = timeout(patience, self.inner.store.keep_master_fingerprint(ours)).await;
        match kept {
            Err(_) => return Err(Part::Store),
            Ok(Err(error)) => {
                tracing::warn!(error = ?error, "the store does not work");
                return Err(Part::Store);
            }
            Ok(Ok(kept)) if kept != ours => return Err(Part::MasterKey),
            Ok(Ok(_)) => {}
        }
        if self.inner.heard.is_silent() {
            return Err(Part::Feed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::SystemRandom,
        store::{DataKeyStore, MemoryStore},
        vault::MasterKey,
    };

    const PATIENCE: Duration = Duration::from_secs(2);

    fn house(store: MemoryStore) -> Connectors {
        let key = MasterKey::generate(&SystemRandom).unwrap();
        Connectors::builder()
            .scope("tenant", crate::ScopeRule::Optional)
            .connectors([])
            .store(store)
            .key(key)
            .build()
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_that_falls_silent_is_named() {
        let house = house(MemoryStore::new());
        assert_eq!(house.ready(PATIENCE).await, Ok(()), "nobody follows");
        house.inner.heard.follow();
        assert_eq!(house.ready(PATIENCE).await, Err(Part::Feed), "it was never read");
        let follower = {
            let house = house.clone();
            tokio::spawn(async move { house.follow().await })
        };
        tokio::time::sleep(FEED_SILENCE).await;
        assert_eq!(house.ready(PATIENCE).await, Ok(()));
        follower.abort();
        let _ = follower.await;
        tokio::time::sleep(FEED_SILENCE).await;
        assert_eq!(house.ready(PATIENCE).await, Err(Part::Feed));
        assert!(house.feed_lag() >= Some(FEED_SILENCE));
    }

    #[tokio::test]
    async fn another_master_key_is_named() {
        let store = MemoryStore::new();
        store.keep_master_fingerprint([7; 32]).await.unwrap();
        assert_eq!(house(store).ready(PATIENCE).await, Err(Part::MasterKey));
    }
}
