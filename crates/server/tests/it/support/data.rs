//! Where a test's data lies: in SQLite, or in PostgreSQL when `TIELINE_TEST_STORE` is `postgres`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tieline::store::Store;
use tieline_store::{PostgresOptions, PostgresStore, SqliteStore};
use tieline_testkit::{env_var, evidence, postgres::Database};

/// Connections of a test's server: many tests run at once, and a PostgreSQL has a hundred in all.
const CONNECTIONS: usize = 3;

/// The data of one test's server.
pub(crate) enum Data {
    /// A folder with a database file. It stays after the test.
    Sqlite(PathBuf),
    /// A database that is taken away after the test.
    Postgres(Database),
}

impl Data {
    pub(super) async fn make() -> (Arc<dyn Store>, Self) {
        if env_var("TIELINE_TEST_STORE").as_deref() == Some("postgres")
            && let Some(database) = Database::fresh().await
        {
            let options = PostgresOptions {
                connections: CONNECTIONS,
            };
            let store = PostgresStore::open(&database.url(), options).await.unwrap();
            return (Arc::new(store), Self::Postgres(database));
        }
        let folder = evidence::data_folder();
        let file = folder.join("tieline.db");
        let store = SqliteStore::open(&file).unwrap();
        evidence::keep_wal(&file);
        (Arc::new(store), Self::Sqlite(folder))
    }

    /// The database file, where there is one.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Sqlite(folder) => Some(folder.join("tieline.db")),
            Self::Postgres(_) => None,
        }
    }

    /// Everything that the store keeps, the write-ahead log of a file too.
    pub(crate) async fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Sqlite(folder) => bytes_in(folder),
            Self::Postgres(database) => database.bytes().await,
        }
    }
}

fn bytes_in(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap();
    files
        .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect()
}
