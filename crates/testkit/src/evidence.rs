//! What tests leave behind for the scan after the run: databases, logs and answers.
//!
//! It lies in `TIELINE_EVIDENCE`, which the Makefile sets, or in `target/test-evidence`. `make test` clears it first and
//! ends with `cargo xtask scan`, which looks in all of it for every [`Canary`](crate::canary::Canary). The first use in
//! a process begins that process's log, with every event there is.

use std::{
    fmt::Debug,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use serde::Serialize;
use tracing_subscriber::{filter::LevelFilter, fmt::format::FmtSpan};

use crate::env_var;

/// What a piece of evidence is: the scan wants to have seen each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What a caller was told: heads and bodies of answers, outputs, errors.
    Answer,
    /// What an operator can read later.
    Log,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Self::Answer => "answers",
            Self::Log => "logs",
        }
    }
}

/// Adds bytes to this test's evidence.
pub fn keep(kind: Kind, bytes: impl AsRef<[u8]>) {
    let path = root().join(kind.folder()).join(who());
    append(&path)
        .write_all(&[bytes.as_ref(), b"\n"].concat())
        .expect("evidence can be written");
}

/// Keeps what a caller of the library was told, and hands it on.
pub fn told<T: Serialize, E: Debug>(result: Result<T, E>) -> Result<T, E> {
    match &result {
        Ok(output) => keep(Kind::Answer, serde_json::to_vec(output).expect("an output is JSON")),
        Err(error) => keep(Kind::Answer, format!("{error:?}")),
    }
    result
}

/// A new folder for a database and what lies beside it. It stays after the test.
pub fn data_folder() -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    loop {
        let nth = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = root().join("databases").join(format!("{}-{nth}", who()));
        match fs::create_dir(&folder) {
            Ok(()) => return folder,
            // Left by an earlier process of the same number.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => panic!("{} cannot be made: {error}", folder.display()),
        }
    }
}

/// Keeps the write-ahead log of an open SQLite database: SQLite removes its name with the last connection, and the
/// database then shows only what each page held last.
pub fn keep_wal(database: &Path) {
    static KEPT: AtomicU32 = AtomicU32::new(0);
    let nth = KEPT.fetch_add(1, Ordering::Relaxed);
    let beside = |end: &str| PathBuf::from(format!("{}-wal{end}", database.display()));
    fs::hard_link(beside(""), beside(&format!("-kept-{nth}"))).expect("an open database has a write-ahead log");
}

/// Adds a line to the list of what the scan looks for: how it may be shown, a name, and the bytes in hexadecimal.
pub(crate) fn register(shown: &str, name: &str, bytes: &[u8]) {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = format!("{shown}\t{name} of {}\t{hex}\n", who());
    // One write to a file opened for appending: lines of several processes do not mix.
    append(&root().join("canaries"))
        .write_all(line.as_bytes())
        .expect("the list can be written");
}

/// The folder of all evidence, made on first use together with this process's log.
fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let root = env_var("TIELINE_EVIDENCE")
            .filter(|path| !path.is_empty())
            .map_or_else(|| crate::checkout().join("target/test-evidence"), PathBuf::from);
        for folder in ["answers", "databases", "logs"] {
            fs::create_dir_all(root.join(folder)).expect("the folder of evidence can be made");
        }
        log_to(&root.join("logs").join(format!("{}.trace", who())));
        root
    })
}

fn log_to(path: &Path) {
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(Arc::new(append(path)))
        .try_init()
        .expect("a test process has no other subscriber");
}

fn append(path: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("a file of evidence can be opened")
}

/// Crate, test and process, fit for a file name. A test runs in a thread of its name.
fn who() -> String {
    let package = env_var("CARGO_PKG_NAME").unwrap_or_else(|| "tests".to_owned());
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("beside").replace("::", ".");
    format!("{package}.{test}-{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, OpenFlags};

    use super::*;

    fn holds(path: &Path, text: &str) -> bool {
        let bytes = fs::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    #[test]
    fn a_kept_write_ahead_log_remembers_what_the_database_forgot() {
        let folder = data_folder();
        let database = folder.join("test.db");
        let connection = Connection::open_with_flags(&database, OpenFlags::default()).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA secure_delete = ON; CREATE TABLE t (x TEXT);")
            .unwrap();
        keep_wal(&database);
        connection.execute("INSERT INTO t VALUES ('written once')", []).unwrap();
        connection.execute("UPDATE t SET x = 'other text'", []).unwrap();
        connection.close().unwrap();
        let named: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        assert_eq!(named.len(), 2, "{named:?}");
        for path in named {
            assert!(holds(&path, "other text"), "{}", path.display());
            assert_eq!(holds(&path, "written once"), path != database, "{}", path.display());
        }
    }

    #[test]
    fn what_is_told_is_kept_and_handed_on() {
        let word = format!("told by process {}", std::process::id());
        assert_eq!(told::<_, ()>(Ok(word.clone())), Ok(word.clone()));
        assert_eq!(told::<(), _>(Err(word.clone())), Err(word.clone()));
        let kept = fs::read_to_string(root().join("answers").join(who())).unwrap();
        assert!(kept.ends_with(&format!("\"{word}\"\n\"{word}\"\n")), "{kept}");
    }
}
