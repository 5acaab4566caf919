//! SQLite against the suite that every store runs.

use std::sync::Arc;

use tempfile::TempDir;
use tieline::store::Store;
use tieline_store::SqliteStore;

async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path().join("tieline.db")).unwrap();
    (Arc::new(store), dir)
}

tieline::store_conformance!(fresh);
