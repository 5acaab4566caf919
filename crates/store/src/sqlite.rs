//! Everything in one SQLite database.
//!
//! One thread owns the connection that writes, a few threads read. [`writer::Writer::change`] is the only way to a
//! writable transaction, and writes the trail along with the change.

mod adapter;
mod api_key;
mod audit;
mod call;
mod connection;
mod credential;
mod data_key;
mod feed;
mod health;
mod idempotency;
mod link;
mod membership;
mod migrate;
mod oauth;
mod peek;
mod queue;
mod readers;
mod session;
mod setting;
mod tenant;
mod tx;
mod usage;
mod user;
mod value;
mod work;
mod writer;

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rusqlite::{Connection, OpenFlags};
use tieline::{
    Code, Error, Result,
    store::{ProcessStore, Store, StoreCounts},
};
use tokio::sync::Notify;

pub use self::adapter::{SqliteAdapter, SqliteAdapterOptions};
use self::{readers::Readers, writer::Writer};
use crate::{
    folder::create_private_file,
    limits::{BUSY_TIMEOUT, STATEMENT_CACHE, WAL_KEPT_BYTES},
};

/// A store in one SQLite file. Verbs that wait at the same time share one commit, and so one sync of the disk.
pub struct SqliteStore {
    // Dropped in this order: the connection that closes last cleans up the log, and only a writing one can.
    readers: Readers,
    writer: Writer,
    counters: Arc<Counters>,
    moved: Arc<Notify>,
}

#[derive(Default)]
struct Counters {
    statements: AtomicU64,
    commits: AtomicU64,
    /// Changes in the writer's queue.
    waiting: AtomicU64,
}

impl SqliteStore {
    /// Opens the database in this file, making it (mode 0600) or bringing it to this version's form if need be.
    ///
    /// Does not lock the file against other processes: every verb stays atomic among them, but a server should hold its
    /// [`DataFolder`](crate::DataFolder). Fails with `DATA_FROM_NEWER_VERSION`, changing nothing, when a newer version
    /// wrote the data. Blocks while the disk works.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        // Absolute, so that `:memory:` and empty names mean files and not SQLite's special databases.
        let path = std::path::absolute(&path).map_err(|error| unopened(path.as_ref(), error))?;
        create_private_file(&path)?;
        let mut connection =
            connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| unopened(&path, error))?;
        migrate::refuse_newer(&connection, &path)?;
        let mode = prepare_to_write(&connection).map_err(|error| unopened(&path, error))?;
        if mode != "wal" {
            // Readers could not go on beside the writer.
            return Err(unopened(
                &path,
                format!("its file system allows the journal mode `{mode}` but not `wal`"),
            ));
        }
        migrate::run(&mut connection, &path)?;

        let counters = Arc::new(Counters::default());
        let moved = Arc::new(Notify::new());
        let writer = Writer::start(connection, counters.clone(), moved.clone())?;
        let reader = || connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|error| unopened(&path, error));
        let readers = Readers::start(reader, &counters)?;
        Ok(Self {
            readers,
            writer,
            counters,
            moved,
        })
    }

    /// Finishes what is queued and closes the file; every verb after that is an error. Dropping the store does the same.
    /// Blocks until the last commit is on disk.
    pub fn close(&self) {
        self.readers.close();
        self.writer.close();
    }

    /// How many commits the writer made: fewer than verbs when verbs came together.
    pub fn commits(&self) -> u64 {
        self.counters.commits.load(Ordering::Relaxed)
    }
}

/// One process uses the file.
impl ProcessStore for SqliteStore {}

impl Store for SqliteStore {
    fn statements(&self) -> u64 {
        self.counters.statements.load(Ordering::Relaxed)
    }

    fn counts(&self) -> StoreCounts {
        StoreCounts {
            statements: self.statements(),
            commits: self.commits(),
            waiting: self.counters.waiting.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteStore(..)")
    }
}

/// A connection with what every connection needs; changes nothing in the file.
fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // Each connection stays on its thread, so SQLite need not lock it.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // A schema that someone planted in the file must not call functions with side effects.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// Says in which mode the file keeps its changes, which must be `wal`.
fn prepare_to_write(connection: &Connection) -> rusqlite::Result<String> {
    let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    // FULL: what was answered survives the loss of power, not only of the process.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_KEPT_BYTES, |_| Ok(()))?;
    Ok(mode)
}

fn unopened(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let error = error.into();
    Error::new(
        Code::ConnectorDatabaseFailed,
        format!(
            "The database {} cannot be opened: {error}. Check that it is Tieline's file, that it may be read and \
             written, and that its disk has space.",
            path.display()
        ),
    )
    .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_durable_and_guarded() {
        let dir = tempfile::tempdir().unwrap();
        let connection = connect(
            &dir.path().join("file"),
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        );
        let connection = connection.unwrap();
        assert_eq!(prepare_to_write(&connection).unwrap(), "wal");
        for (pragma, value) in [("synchronous", 2), ("foreign_keys", 1), ("trusted_schema", 0)] {
            let got: i64 = connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
            assert_eq!(got, value, "{pragma}");
        }
    }
}
