//! What somebody does who has the database file and not its key.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// Runs these statements on a database, past all that guards it but its own rules.
///
/// # Panics
/// When they do not run.
pub fn with_database(path: &Path, statements: &str) {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the database opens");
    database.execute_batch(statements).expect("the statements run");
}
