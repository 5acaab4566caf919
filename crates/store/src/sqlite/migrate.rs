//! Brings a database to this version's form.

use std::path::Path;

use refinery::{Migration, Runner};
use rusqlite::{Connection, OptionalExtension};
use tieline::{Code, Error, Result};

use super::unopened;

/// Every step, in order. A step that was released never changes: its checksum is in the databases it made.
const STEPS: &[(&str, &str)] = &[
    ("V0001__house", include_str!("../../migrations/sqlite/V0001__house.sql")),
    (
        "V0002__people",
        include_str!("../../migrations/sqlite/V0002__people.sql"),
    ),
    ("V0003__calls", include_str!("../../migrations/sqlite/V0003__calls.sql")),
    (
        "V0004__idempotency",
        include_str!("../../migrations/sqlite/V0004__idempotency.sql"),
    ),
    (
        "V0005__environments",
        include_str!("../../migrations/sqlite/V0005__environments.sql"),
    ),
    (
        "V0006__credentials",
        include_str!("../../migrations/sqlite/V0006__credentials.sql"),
    ),
    (
        "V0007__link_grounds",
        include_str!("../../migrations/sqlite/V0007__link_grounds.sql"),
    ),
    (
        "V0008__audit_search",
        include_str!("../../migrations/sqlite/V0008__audit_search.sql"),
    ),
    (
        "V0009__bounds_of_ledgers",
        include_str!("../../migrations/sqlite/V0009__bounds_of_ledgers.sql"),
    ),
    (
        "V0010__tenant_ends",
        include_str!("../../migrations/sqlite/V0010__tenant_ends.sql"),
    ),
    ("V0011__faces", include_str!("../../migrations/sqlite/V0011__faces.sql")),
    (
        "V0012__health",
        include_str!("../../migrations/sqlite/V0012__health.sql"),
    ),
    (
        "V0013__processes",
        include_str!("../../migrations/sqlite/V0013__processes.sql"),
    ),
    (
        "V0014__webhooks",
        include_str!("../../migrations/sqlite/V0014__webhooks.sql"),
    ),
    ("V0015__oauth", include_str!("../../migrations/sqlite/V0015__oauth.sql")),
];

/// The number of the last step, `V0001__name`.
fn newest() -> i64 {
    let number = |(name, _): &(&str, &str)| name.get(1..5)?.parse().ok();
    STEPS
        .last()
        .and_then(number)
        .expect("steps are called so, as their test sees")
}

/// How a database stands to this version.
pub(super) enum Standing {
    /// It lacks steps that this version knows.
    Behind,
    /// It has all of them and no others.
    Level,
    /// A newer version took this step.
    Newer(i64),
}

/// How a database stands to this version. Only reads.
pub(super) fn standing(connection: &Connection) -> rusqlite::Result<Standing> {
    Ok(match last_step(connection)? {
        Some(last) if last > newest() => Standing::Newer(last),
        Some(last) if last == newest() => Standing::Level,
        _ => Standing::Behind,
    })
}

/// That a newer version wrote this database.
pub(super) fn newer(path: &Path, last: i64) -> Error {
    let known = newest();
    Error::new(
        Code::DataFromNewerVersion,
        format!(
            "The database {} was written by a newer version of Tieline (step {last}; this version knows {known}). \
             Run that version, or restore a backup made before it. Nothing was changed.",
            path.display()
        ),
    )
}

/// Fails when a newer version wrote this database. Only reads.
pub(super) fn refuse_newer(connection: &Connection, path: &Path) -> Result<()> {
    match standing(connection).map_err(|error| unopened(path, error))? {
        Standing::Newer(last) => Err(newer(path, last)),
        Standing::Behind | Standing::Level => Ok(()),
    }
}

fn last_step(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let history = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'refinery_schema_history'";
    match connection.query_row(history, [], |_| Ok(())).optional()? {
        None => Ok(None),
        Some(()) => connection.query_row("SELECT max(version) FROM refinery_schema_history", [], |row| row.get(0)),
    }
}

/// Takes the steps that are missing.
pub(super) fn run(connection: &mut Connection, path: &Path) -> Result<()> {
    take(connection, path, STEPS)
}

fn take(connection: &mut Connection, path: &Path, steps: &[(&str, &str)]) -> Result<()> {
    let steps: Result<Vec<_>, _> = steps
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql))
        .collect();
    let steps = steps.map_err(|error| unopened(path, error))?;
    // Grouped: all missing steps and their entries in the history are one transaction. One by one, a crash between a
    // step and its entry would leave a database that no version can open.
    match Runner::new(&steps).set_grouped(true).run(connection) {
        Ok(_) => Ok(()),
        // Another process that opened the file at the same time took the steps first.
        Err(_) if matches!(last_step(connection), Ok(Some(last)) if last == newest()) => Ok(()),
        Err(error) => Err(unopened(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_step_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let files = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let steps: Vec<_> = STEPS.iter().map(|(name, _)| format!("{name}.sql")).collect();
        assert_eq!(files, steps);
        let numbers: Vec<i64> = steps.iter().map(|step| step[1..5].parse().unwrap()).collect();
        assert!(numbers.is_sorted() && numbers.last() == Some(&newest()), "{numbers:?}");
        assert!(
            steps.iter().all(|step| step.starts_with('V') && &step[5..7] == "__"),
            "{steps:?}"
        );
    }

    #[test]
    fn connections_of_before_get_their_work() {
        let mut connection = Connection::open_in_memory().unwrap();
        take(&mut connection, Path::new("any"), &STEPS[..11]).unwrap();
        let connect = "INSERT INTO connections (tenant, id, scope_kind, scope_identity, connector, name, display_name, auth, \
             config, secret_version, enabled, health, health_since, version, created_by, created_at, updated_at) \
             VALUES (zeroblob(16), zeroblob(16), '', '', '', '', '', '', '', 1, 1, 'healthy', 5, 1, '', 5, 5)";
        connection.execute(connect, []).unwrap();
        run(&mut connection, Path::new("any")).unwrap();
        let work = "SELECT count(*) FROM work WHERE kind = 'health' AND key = zeroblob(16) AND epoch = 0 AND due = 5";
        let count: i64 = connection.query_row(work, [], |row| row.get(0)).unwrap();
        assert_eq!(count, 1);
    }
}
