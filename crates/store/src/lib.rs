//! Stores for Tieline: whole ones ([`SqliteStore`], [`PostgresStore`]), and adapters over one table of a program's own
//! database, which keep connections only ([`SqliteAdapter`], [`PostgresAdapter`]).
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let data = dir.path().join("data");
//! use tieline_store::{DataFolder, SqliteStore};
//!
//! let folder = DataFolder::lock(&data)?;
//! let store = SqliteStore::open(folder.path("tieline.db"))?;
//! store.close();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod folder;
mod limits;
mod outcome;
mod peek;
mod postgres;
mod search;
mod sqlite;
mod table;
mod usage;
mod word;

pub use folder::DataFolder;
pub use limits::QUEUE_LIMIT;
pub use peek::Peek;
pub use postgres::{PostgresAdapter, PostgresAdapterOptions, PostgresOptions, PostgresStore};
pub use sqlite::{SqliteAdapter, SqliteAdapterOptions, SqliteStore};
