//! Stores for Tieline.
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
mod postgres;
mod search;
mod sqlite;
mod usage;
mod word;

pub use folder::DataFolder;
pub use limits::QUEUE_LIMIT;
pub use postgres::{PostgresOptions, PostgresStore};
pub use sqlite::{Peek, SqliteStore};
