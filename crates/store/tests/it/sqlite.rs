//! What is particular to SQLite: files, commits, crashes, the schema's own guards.

use std::{
    future::poll_fn,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, mpsc},
    task::Poll,
};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use tieline::{
    Code,
    audit::{Link, Trail},
    error::Retry,
    id::{ConnectionId, TenantId},
    store::{AuditStore, ConnectionStore, DataKeyStore, FeedStore, Inserted, Store, StoreFuture, conformance::sample},
};
use tieline_store::{QUEUE_LIMIT, SqliteStore};

use crate::child::{Process, say, told};

fn place() -> (PathBuf, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (dir.path().join("tieline.db"), dir)
}

/// The file as anyone with an SQLite shell may open it.
fn raw(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
}

/// A trail whose link stops the writer until it is told to go on.
fn gate(tenant: TenantId) -> (Trail, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (entered, has_entered) = mpsc::channel();
    let (go_on, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let link = Link::new(move |previous, seq, entry| {
        entered.send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        sample::LINK.hash(previous, seq, entry)
    });
    let trail = Trail {
        link,
        ..sample::trail(tenant, "gate")
    };
    (trail, has_entered, go_on)
}

/// Polls a verb once, which puts it into the queue.
async fn look<T>(verb: &mut StoreFuture<'_, T>) -> Poll<tieline::Result<T>> {
    poll_fn(|context| Poll::Ready(verb.as_mut().poll(context))).await
}

#[tokio::test]
async fn what_waits_together_is_committed_together() {
    let (path, _dir) = place();
    let store = SqliteStore::open(path).unwrap();
    let tenant = sample::tenant_id();
    let (trail, entered, go_on) = gate(tenant);
    let mut first = store.record(tenant, trail);
    assert!(look(&mut first).await.is_pending());
    entered.recv().unwrap();

    let mut verbs: Vec<_> = (0..100)
        .map(|n| store.insert_connection(sample::connection(tenant, &n.to_string()), sample::trail(tenant, "row")))
        .collect();
    for verb in &mut verbs {
        assert!(look(verb).await.is_pending());
    }
    assert_eq!(store.commits(), 0);
    go_on.send(()).unwrap();
    first.await.unwrap();
    for verb in verbs {
        assert_eq!(verb.await.unwrap(), Inserted::Inserted);
    }
    assert_eq!(
        store.commits(),
        2,
        "one for the first, one for the hundred that came meanwhile"
    );
    let audit = store.audit_entries(tenant, 0, 1000).await.unwrap();
    assert_eq!(audit.len(), 101);
    sample::assert_chain(&audit);
}

#[tokio::test]
async fn a_full_queue_says_so_and_recovers() {
    let (path, _dir) = place();
    let store = SqliteStore::open(path).unwrap();
    let tenant = sample::tenant_id();
    let (trail, entered, go_on) = gate(tenant);
    let mut first = store.record(tenant, trail);
    assert!(look(&mut first).await.is_pending());
    entered.recv().unwrap();

    let mut waiting: Vec<_> = (0..QUEUE_LIMIT)
        .map(|_| store.record(tenant, sample::no_trail()))
        .collect();
    for verb in &mut waiting {
        assert!(look(verb).await.is_pending());
    }
    let refused = store
        .record(tenant, sample::trail(tenant, "refused"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Overloaded);
    assert!(matches!(refused.retry_hint(), Retry::After(_)));
    assert_eq!(store.feed_end().await.unwrap(), 0, "reads go on meanwhile");

    go_on.send(()).unwrap();
    first.await.unwrap();
    for verb in waiting {
        verb.await.unwrap();
    }
    store.record(tenant, sample::trail(tenant, "accepted")).await.unwrap();
    let audit = store.audit_entries(tenant, 0, 10).await.unwrap();
    let subjects: Vec<_> = audit.iter().map(|row| row.entry.subject.as_str()).collect();
    assert_eq!(subjects, ["gate", "accepted"]);
}

#[tokio::test]
async fn close_finishes_what_is_queued() {
    let (path, _dir) = place();
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    let tenant = sample::tenant_id();
    let (trail, entered, go_on) = gate(tenant);
    let mut first = store.record(tenant, trail);
    assert!(look(&mut first).await.is_pending());
    entered.recv().unwrap();
    let mut second = store.record(tenant, sample::trail(tenant, "queued"));
    assert!(look(&mut second).await.is_pending());
    let mut dropped = store.record(tenant, sample::trail(tenant, "dropped"));
    assert!(look(&mut dropped).await.is_pending());
    drop(dropped);

    let closing = {
        let store = store.clone();
        std::thread::spawn(move || store.close())
    };
    go_on.send(()).unwrap();
    closing.join().unwrap();
    first.await.unwrap();
    second.await.unwrap();
    let late = store.record(tenant, sample::trail(tenant, "late")).await.unwrap_err();
    assert_eq!(late.code(), Code::ConnectorDatabaseFailed);
    assert!(late.detail().contains("closed"), "{late}");
    assert!(store.feed_end().await.is_err());
    assert!(
        !path.with_extension("db-wal").exists(),
        "the last connection put the log into the file"
    );

    let store = SqliteStore::open(&path).unwrap();
    let audit = store.audit_entries(tenant, 0, 10).await.unwrap();
    let subjects: Vec<_> = audit.iter().map(|row| row.entry.subject.as_str()).collect();
    assert_eq!(subjects, ["gate", "queued", "dropped"], "a verb that began is finished");
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let (path, _dir) = place();
    let row = sample::connection(sample::tenant_id(), "default");
    let store = SqliteStore::open(&path).unwrap();
    store
        .insert_connection(row.clone(), sample::trail(row.tenant, "row"))
        .await
        .unwrap();
    store.keep_master_fingerprint([7; 32]).await.unwrap();
    drop(store);

    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(
        store.connection_by_id(row.tenant, row.id).await.unwrap().as_ref(),
        Some(&row)
    );
    assert_eq!(store.master_fingerprint().await.unwrap(), Some([7; 32]));
    store
        .delete_connection(row.tenant, row.id, sample::trail(row.tenant, "gone"))
        .await
        .unwrap();
    let audit = store.audit_entries(row.tenant, 0, 10).await.unwrap();
    assert_eq!(audit.len(), 2);
    sample::assert_chain(&audit);
    assert_eq!(store.feed_end().await.unwrap(), 2);
}

/// Whoever comes second finds the steps taken, also when both come to a new file at once.
#[test]
fn many_may_open_a_new_file_at_once() {
    let (path, _dir) = place();
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                SqliteStore::open(&path).unwrap();
            });
        }
    });
}

/// Two processes may share the file: neither breaks the other's chain.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_writers_make_one_chain() {
    let (path, _dir) = place();
    let stores = [(); 2].map(|()| Arc::new(SqliteStore::open(&path).unwrap()));
    let tenant = sample::tenant_id();
    let writers = stores.each_ref().map(|store| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                store.record(tenant, sample::trail(tenant, "subject")).await.unwrap();
            }
        })
    });
    for writer in writers {
        writer.await.unwrap();
    }
    for store in stores {
        let audit = store.audit_entries(tenant, 0, 1000).await.unwrap();
        assert_eq!(audit.len(), 100);
        sample::assert_chain(&audit);
    }
}

/// Whatever was answered before a SIGKILL is there afterwards, and nothing is there by half.
#[test]
fn what_was_acknowledged_survives_a_kill() {
    const ACKNOWLEDGED: usize = 60;
    let (path, _dir) = place();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut acknowledged: Vec<(TenantId, ConnectionId)> = Vec::new();
    for round in 1..=3 {
        let mut child = Process::start("sqlite::writes_until_killed", &path);
        let mut hear = |child: &mut Process| {
            let said = child.hear()?;
            let (tenant, id) = said.split_once(' ').unwrap();
            acknowledged.push((tenant.parse().unwrap(), id.parse().unwrap()));
            Some(())
        };
        for _ in 0..ACKNOWLEDGED {
            hear(&mut child).expect("the child writes until it is killed");
        }
        child.kill();
        while hear(&mut child).is_some() {}
        assert!(acknowledged.len() >= round * ACKNOWLEDGED);
        let store = SqliteStore::open(&path).unwrap();
        runtime.block_on(check_after_kill(&store, &acknowledged));
    }
}

pub(crate) async fn check_after_kill(store: &dyn Store, acknowledged: &[(TenantId, ConnectionId)]) {
    for (tenant, id) in acknowledged {
        assert!(
            store.connection_by_id(*tenant, *id).await.unwrap().is_some(),
            "{id} was lost"
        );
    }
    let mut tenants: Vec<_> = acknowledged.iter().map(|(tenant, _)| *tenant).collect();
    tenants.dedup();
    for tenant in tenants {
        let rows = store.connections(sample::filter(tenant)).await.unwrap();
        let audit = store.audit_entries(tenant, 0, 1_000_000).await.unwrap();
        sample::assert_chain(&audit);
        let mut subjects: Vec<_> = audit.into_iter().map(|row| row.entry.subject).collect();
        subjects.sort();
        let mut ids: Vec<_> = rows.iter().map(|row| row.id.to_string()).collect();
        ids.sort();
        assert_eq!(ids, subjects, "each row has its entry, each entry its row");
        assert!(rows.iter().all(|row| row.secrets.len() == 1));
    }
}

#[test]
#[ignore = "the other process of a test"]
fn writes_until_killed() {
    let Some(path) = told() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = Arc::new(SqliteStore::open(path).unwrap());
    runtime.block_on(write_until_killed(store));
}

/// What the child does until its end.
pub(crate) async fn write_until_killed(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let writers: Vec<_> = (0..8)
        .map(|writer| tokio::spawn(write_on(store.clone(), tenant, writer)))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn write_on(store: Arc<dyn Store>, tenant: TenantId, writer: usize) {
    // More than the test listens to, and an end should nobody kill it. Below the limit of `sample::filter`.
    for n in 0..120 {
        let row = sample::connection(tenant, &format!("{writer}/{n}"));
        let (id, trail) = (row.id, sample::trail(tenant, &row.id.to_string()));
        assert_eq!(store.insert_connection(row, trail).await.unwrap(), Inserted::Inserted);
        say(&format!("{tenant} {id}"));
    }
}

/// A1: the schema itself refuses to rewrite the past, whoever asks.
#[tokio::test]
async fn a1_the_chain_cannot_be_rewritten() {
    let (path, _dir) = place();
    let tenant = sample::tenant_id();
    let store = SqliteStore::open(&path).unwrap();
    for n in 0..3 {
        store
            .record(tenant, sample::trail(tenant, &n.to_string()))
            .await
            .unwrap();
    }
    let before = store.audit_entries(tenant, 0, 10).await.unwrap();
    let raw = raw(&path);
    let columns = "tenant, seq, id, at, actor, action, subject, detail, hash";
    let shifted = "tenant, seq + 2, id, at, actor, action, subject, detail, hash";
    let tampering = [
        "UPDATE audit SET actor = 'nobody' WHERE seq = 2".to_owned(),
        "UPDATE OR REPLACE audit SET seq = 1 WHERE seq = 2".to_owned(),
        "DELETE FROM audit".to_owned(),
        "DELETE FROM audit WHERE seq = 3".to_owned(),
        format!("INSERT OR REPLACE INTO audit SELECT {columns} FROM audit WHERE seq = 2"),
        format!("INSERT INTO audit SELECT {shifted} FROM audit WHERE seq = 3"),
        "DELETE FROM audit_heads".to_owned(),
        "UPDATE audit_heads SET seq = seq - 1".to_owned(),
        "UPDATE audit_heads SET hash = zeroblob(32)".to_owned(),
        "INSERT OR REPLACE INTO audit_heads SELECT tenant, 1, hash FROM audit_heads".to_owned(),
    ];
    for statement in tampering {
        let refused = raw.execute(&statement, []).expect_err(&statement).to_string();
        assert!(refused.contains("the audit chain"), "{statement}: {refused}");
    }
    assert_eq!(store.audit_entries(tenant, 0, 10).await.unwrap(), before);
    store.record(tenant, sample::trail(tenant, "next")).await.unwrap();
    sample::assert_chain(&store.audit_entries(tenant, 0, 10).await.unwrap());
}

#[tokio::test]
async fn newer_data_is_left_alone() {
    let (path, _dir) = place();
    SqliteStore::open(&path).unwrap().close();
    let insert = "INSERT INTO refinery_schema_history VALUES (9999, 'later', '2030-01-01T00:00:00Z', '1')";
    raw(&path).execute(insert, []).unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = SqliteStore::open(&path).unwrap_err();
    assert_eq!(refused.code(), Code::DataFromNewerVersion);
    assert!(
        refused.detail().contains("9999") && refused.detail().contains("tieline.db"),
        "{refused}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_of_another_kind_is_left_alone() {
    let (path, _dir) = place();
    let text = "This is a letter, and no database at all. ".repeat(100);
    std::fs::write(&path, &text).unwrap();
    let refused = SqliteStore::open(&path).unwrap_err();
    assert_eq!(refused.code(), Code::ConnectorDatabaseFailed);
    assert!(refused.detail().contains("tieline.db"), "{refused}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[cfg(unix)]
#[tokio::test]
async fn every_file_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;

    let (path, dir) = place();
    let store = SqliteStore::open(&path).unwrap();
    let tenant = sample::tenant_id();
    store.record(tenant, sample::trail(tenant, "subject")).await.unwrap();
    let files: Vec<_> = dir.path().read_dir().unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(files.len(), 3, "the database, its log and the log's index");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
}

/// The counter is exact: no verb, no statement; rows cost one together, whatever secrets they have.
#[tokio::test]
async fn statements_are_counted() {
    let (path, _dir) = place();
    let store = SqliteStore::open(path).unwrap();
    let tenant = sample::tenant_id();
    let rows = [sample::connection(tenant, "a"), sample::connection(tenant, "b")];
    for row in &rows {
        store
            .insert_connection(row.clone(), sample::trail(tenant, "row"))
            .await
            .unwrap();
    }
    let mut last = store.statements();
    let mut since = || {
        let before = std::mem::replace(&mut last, store.statements());
        last - before
    };
    assert_eq!(since(), 0);
    store.connection_by_id(tenant, rows[0].id).await.unwrap().unwrap();
    assert_eq!(since(), 1);
    assert_eq!(
        store.connection_by_id(tenant, sample::connection_id()).await.unwrap(),
        None
    );
    assert_eq!(since(), 1);
    assert_eq!(store.connections(sample::filter(tenant)).await.unwrap().len(), 2);
    assert_eq!(since(), 1);
    store.record(tenant, sample::trail(tenant, "more")).await.unwrap();
    assert_eq!(since(), 5, "deletion, event, head, entry, head");
}

#[tokio::test]
async fn connections_come_with_their_secrets_in_one_statement() {
    let (path, _dir) = place();
    let store = SqliteStore::open(path).unwrap();
    let tenant = sample::tenant_id();
    let mut expected = Vec::new();
    for (number, fields) in [&[][..], &[("a", &b"1"[..])], &[("a", &b"2"[..]), ("b", &b"3"[..])]]
        .into_iter()
        .enumerate()
    {
        let mut row = sample::connection(tenant, &number.to_string());
        row.secrets = sample::secrets(fields);
        store
            .insert_connection(row.clone(), sample::trail(tenant, "made"))
            .await
            .unwrap();
        expected.push(row);
    }
    let before = store.statements();
    let rows = store.connections(sample::filter(tenant)).await.unwrap();
    assert_eq!(store.statements() - before, 1);
    expected.sort_by_key(|row| row.id);
    assert_eq!(rows, expected);
    let before = store.statements();
    assert_eq!(
        store.connection_by_id(tenant, rows[2].id).await.unwrap().as_ref(),
        Some(&rows[2])
    );
    assert_eq!(store.statements() - before, 1);
}

/// What an operator asks before an update: the database is looked at and nothing of it changes, whatever version wrote it.
#[test]
fn a_look_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("with % and # and ?.db");
    assert_eq!(
        SqliteStore::peek(&path).unwrap_err().code(),
        Code::ConnectorDatabaseFailed
    );
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "looking made something"
    );
    SqliteStore::open(&path).unwrap().close();
    let look = || SqliteStore::peek(&path).unwrap();
    assert_eq!((look().master_fingerprint, look().is_behind), (None, false));

    let database = raw(&path);
    database
        .execute(
            "INSERT INTO meta (name, value) VALUES ('master_fingerprint', ?1)",
            [[7_u8; 32]],
        )
        .unwrap();
    // The log of a process that died is read too.
    assert!(
        std::fs::metadata(dir.path().join("with % and # and ?.db-wal"))
            .unwrap()
            .len()
            > 0
    );
    assert_eq!(look().master_fingerprint, Some([7; 32]));
    database
        .execute("DELETE FROM refinery_schema_history WHERE version > 4", [])
        .unwrap();
    drop(database);
    let files = || {
        let entries = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = files();
    assert!(look().is_behind);
    assert_eq!(files(), before, "a look migrated it");

    let database = raw(&path);
    let newer =
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) VALUES (9999, 'x', 'x', '0')";
    database.execute(newer, []).unwrap();
    drop(database);
    assert_eq!(SqliteStore::peek(&path).unwrap_err().code(), Code::DataFromNewerVersion);
}

/// Whoever adds a table of tenants says what becomes of its rows when a tenant is deleted.
#[test]
fn every_table_of_tenants_is_emptied_or_kept_on_purpose() {
    /// What must outlive a tenant: the audit chain, and what followers of the feed have not read yet.
    const KEPT: [&str; 3] = ["audit", "audit_heads", "feed"];
    /// Goes with the row it belongs to.
    const CASCADED: [&str; 2] = ["connection_secrets", "credential_secrets"];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file.db");
    SqliteStore::open(&path).unwrap().close();
    let database = raw(&path);
    let select = "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c ON c.name = 'tenant' WHERE t.type = 'table'";
    let mut select = database.prepare(select).unwrap();
    let tables: Vec<String> = select
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(tables.len() > 12, "{tables:?}");
    let verbs = include_str!("../../src/sqlite/tenant.rs");
    for table in tables {
        let known = KEPT.contains(&table.as_str()) || CASCADED.contains(&table.as_str());
        let emptied = verbs.contains(&format!("DELETE FROM {table} WHERE"));
        assert!(
            known != emptied,
            "what becomes of `{table}` when its tenant is deleted?"
        );
    }
}
