//! The suite that every store runs, for every database.

mod sqlite {
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
}

mod postgres {
    use std::sync::Arc;

    use tieline::store::Store;
    use tieline_testkit::postgres::Database;

    async fn fresh() -> Option<(Arc<dyn Store>, Database)> {
        let (store, database) = crate::postgres::fresh().await?;
        Some((Arc::new(store), database))
    }

    tieline::store_conformance!(fresh);
}
