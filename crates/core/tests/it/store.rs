//! The memory store against the suite that every store runs.

use std::sync::Arc;

use tieline::store::{MemoryStore, Store};

async fn fresh() -> (Arc<dyn Store>, ()) {
    (Arc::new(MemoryStore::new()), ())
}

tieline::store_conformance!(fresh);
