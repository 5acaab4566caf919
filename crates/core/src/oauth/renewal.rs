//! Renewals that are under way in this process: whoever wants the same one waits for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use super::refresh::Why;
use crate::{
    connectors::Connectors,
    error::{Error, Result},
    id::{ConnectionId, TenantId},
};

type Key = (TenantId, ConnectionId);
type UnderWay = Shared<BoxFuture<'static, Arc<Result<()>>>>;

/// Renewals that are under way.
#[derive(Default)]
pub(crate) struct Renewals(Mutex<HashMap<Key, UnderWay>>);

impl Connectors {
    /// Renews a connection's tokens, unless they are others by now than those of the fingerprint that was seen. It goes on
    /// to its end when whoever asked for it is gone; who asks meanwhile gets the same answer.
    pub(crate) async fn renew(&self, key: Key, seen: &str, why: Why) -> Result<()> {
        let ended = self.renewal(key, seen, why).await;
        match &*ended {
            Ok(()) => Ok(()),
            Err(error) => Err(error.told_again()),
        }
    }

    /// The renewal that is under way, or one that begins now. Nobody has to wait for it.
    pub(crate) fn renewal(&self, key: Key, seen: &str, why: Why) -> UnderWay {
        let mut under_way = self.inner.renewals.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = under_way.get(&key) {
            return running.clone();
        }
        let (connectors, seen) = (self.clone(), seen.to_owned());
        let work = self.begin(async move {
            let _last = Leave(connectors.clone(), key);
            Arc::new(connectors.see_renewed(key, &seen, why).await)
        });
        let broken_off = |error| Arc::new(Err(Error::internal("a renewal did not come to its end", error)));
        let running = work.map(move |ended| ended.unwrap_or_else(broken_off)).boxed().shared();
        under_way.insert(key, running.clone());
        running
    }
}

/// Takes a renewal off the list, also when it panics.
struct Leave(Connectors, Key);

impl Drop for Leave {
    fn drop(&mut self) {
        let mut under_way = self.0.inner.renewals.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.remove(&self.1);
    }
}
