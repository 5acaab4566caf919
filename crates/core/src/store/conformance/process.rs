//! What a store of processes must keep.

use std::{sync::Arc, time::Duration};

use super::sample;
use crate::store::Store;

/// Whoever is alone is one, however often it shows that it lives, and again after it ended.
pub async fn alone_is_one(store: Arc<dyn Store>) {
    let process = sample::process_id();
    for silence in [Duration::from_secs(60), Duration::ZERO, Duration::from_secs(60)] {
        assert_eq!(store.keep_alive(process, silence).await.unwrap(), 1);
    }
    store.end_process(process).await.unwrap();
    store.end_process(process).await.unwrap();
    let next = sample::process_id();
    assert_eq!(store.keep_alive(next, Duration::from_secs(60)).await.unwrap(), 1);
}
