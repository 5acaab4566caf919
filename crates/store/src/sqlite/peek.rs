//! Looking at a database without changing it: for whoever judges it before anything is started.

use std::path::Path;

use rusqlite::{OpenFlags, OptionalExtension};
use tieline::Result;

use super::{SqliteStore, connect, migrate, unopened};
use crate::peek::Peek;

impl SqliteStore {
    /// Looks at the database in this file. Makes, migrates and writes nothing. Whoever looks holds the data folder, so that
    /// nobody else writes meanwhile. Blocks while the disk works.
    ///
    /// # Errors
    /// `DATA_FROM_NEWER_VERSION`; `CONNECTOR_DATABASE_FAILED` for what is no database.
    pub fn peek(path: impl AsRef<Path>) -> Result<Peek> {
        let path = path.as_ref();
        let look = || -> rusqlite::Result<Result<Peek>> {
            let connection = connect(
                Path::new(&uri(path)),
                OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
            )?;
            let behind = match migrate::standing(&connection)? {
                migrate::Standing::Newer(step) => return Ok(Err(migrate::newer(path, step))),
                migrate::Standing::Behind => true,
                migrate::Standing::Level => false,
            };
            let known = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta'";
            let known = connection.query_row(known, [], |_| Ok(())).optional()?.is_some();
            let kept = "SELECT value FROM meta WHERE name = 'master_fingerprint'";
            let kept = if known {
                connection.query_row(kept, [], |row| row.get(0)).optional()?
            } else {
                None
            };
            Ok(Ok(Peek {
                master_fingerprint: kept,
                is_behind: behind,
            }))
        };
        look().map_err(|error| unopened(path, error))?
    }
}

/// The file as SQLite names it. Without a log beside it nothing is missing from the file itself: read as one that cannot
/// change, it gets no log and no index of one.
fn uri(path: &Path) -> String {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let has_log = std::fs::metadata(log).is_ok_and(|log| log.len() > 0);
    let escaped: String = path
        .to_string_lossy()
        .chars()
        .map(|letter| match letter {
            '%' => "%25".to_owned(),
            '?' => "%3f".to_owned(),
            '#' => "%23".to_owned(),
            other => other.to_string(),
        })
        .collect();
    format!("file:{escaped}?{}", if has_log { "mode=ro" } else { "immutable=1" })
}
