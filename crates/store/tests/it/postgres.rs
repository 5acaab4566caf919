//! What is particular to PostgreSQL: several processes, roles, restarts, the schema's own guards.

mod deletion;
mod lost;
mod processes;
mod secured;
mod work;

use std::sync::{Arc, Mutex, mpsc};

use tieline::{
    Code,
    audit::{Link, Trail},
    id::{ConnectionId, TenantId},
    store::{
        ApiKeyStore, AuditStore, ConnectionStore, CredentialStore, DataKeyStore, FeedStore, Inserted, Store,
        conformance::sample,
    },
};
use tieline_store::{PostgresOptions, PostgresStore};
use tieline_testkit::postgres::Database;
use tokio_postgres::Client;

use crate::child::{Process, told};

/// Few, because many tests share one server.
pub(crate) const OPTIONS: PostgresOptions = PostgresOptions { connections: 8 };

pub(crate) async fn open(database: &Database) -> PostgresStore {
    PostgresStore::open(&database.url(), OPTIONS).await.unwrap()
}

/// A store in a database of its own, unless there is no server.
pub(crate) async fn fresh() -> Option<(PostgresStore, Database)> {
    let database = Database::fresh().await?;
    Some((open(&database).await, database))
}

/// As the database's owner sees it, in the store's schema.
pub(crate) async fn raw(database: &Database) -> Client {
    let owner = database.owner().await;
    owner.batch_execute("SET search_path = tieline").await.unwrap();
    owner
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let Some((store, database)) = fresh().await else { return };
    let row = sample::connection(sample::tenant_id(), "default");
    let trail = sample::trail(row.tenant, "row");
    store.insert_connection(row.clone(), trail).await.unwrap();
    store.keep_master_fingerprint([7; 32]).await.unwrap();
    let end = store.feed_end().await.unwrap();
    store.close().await;
    let late = store
        .record(row.tenant, sample::trail(row.tenant, "late"))
        .await
        .unwrap_err();
    assert_eq!(late.code(), Code::ConnectorDatabaseFailed);
    assert!(late.detail().contains("closed"), "{late}");
    assert!(store.feed_end().await.is_err());

    let store = open(&database).await;
    let found = store.connection_by_id(row.tenant, row.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&row));
    assert_eq!(store.master_fingerprint().await.unwrap(), Some([7; 32]));
    assert_eq!(store.feed_end().await.unwrap(), end);
    let gone = sample::trail(row.tenant, "gone");
    assert!(store.delete_connection(row.tenant, row.id, gone).await.unwrap());
    let audit = store.audit_entries(row.tenant, 0, 10).await.unwrap();
    assert_eq!(audit.len(), 2);
    sample::assert_chain(&audit);
}

/// Whoever comes second waits, and finds the steps taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_database_at_once() {
    let Some(database) = Database::fresh().await else {
        return;
    };
    let url = database.url();
    let opened = (0..6).map(|_| {
        let url = url.clone();
        tokio::spawn(async move {
            PostgresStore::open(&url, PostgresOptions { connections: 1 })
                .await
                .map(drop)
        })
    });
    for opened in opened.collect::<Vec<_>>() {
        opened.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_make_one_chain_and_wake_each_other() {
    let Some((one, database)) = fresh().await else { return };
    let stores = [Arc::new(one), Arc::new(open(&database).await)];
    let tenant = sample::tenant_id();
    // Only a notification from the other can end this.
    let heard = stores[1].feed_moved();
    stores[0]
        .record(tenant, sample::trail(tenant, "subject"))
        .await
        .unwrap();
    heard.await;
    assert_eq!(stores[1].read_feed(0, 10).await.unwrap().len(), 1);
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
        assert_eq!(audit.len(), 101);
        sample::assert_chain(&audit);
        assert_eq!(store.read_feed(0, 1000).await.unwrap().len(), 101);
    }
}

/// A trail whose link holds its transaction open until it is told to go on.
fn gate(tenant: TenantId, subject: &str) -> (Trail, mpsc::Receiver<()>, mpsc::Sender<()>) {
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
        ..sample::trail(tenant, subject)
    };
    (trail, has_entered, go_on)
}

/// A follower never passes by a change that was begun before one it saw and committed after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_that_commits_late_is_not_lost_to_followers() {
    let Some((store, _database)) = fresh().await else {
        return;
    };
    let store = Arc::new(store);
    let [slow, quick] = [sample::tenant_id(), sample::tenant_id()];
    let (trail, entered, go_on) = gate(slow, "first");
    let first = {
        let store = store.clone();
        tokio::spawn(async move { store.record(slow, trail).await })
    };
    tokio::task::spawn_blocking(move || entered.recv().unwrap())
        .await
        .unwrap();
    store.record(quick, sample::trail(quick, "second")).await.unwrap();
    // The second is committed, and would be skipped over the first if it were shown.
    assert_eq!(store.read_feed(0, 10).await.unwrap(), []);
    assert_eq!(
        store.feed_end().await.unwrap(),
        0,
        "who begins to follow now will see both"
    );
    assert_eq!(store.audit_entries(quick, 0, 10).await.unwrap().len(), 1);
    go_on.send(()).unwrap();
    first.await.unwrap().unwrap();
    let rows = store.read_feed(0, 10).await.unwrap();
    let subjects: Vec<_> = rows.iter().map(|row| row.subject.as_str()).collect();
    assert_eq!(subjects, ["first", "second"]);
    assert_eq!(store.feed_end().await.unwrap(), rows[1].seq);
}

/// Transactions are numbered for all databases of a server together; followers wait only for those of their own.
#[tokio::test]
async fn a_long_change_of_another_database_holds_up_no_follower() {
    let Some((store, _database)) = fresh().await else {
        return;
    };
    let Some(other) = Database::fresh().await else { return };
    let neighbour = other.owner().await;
    let begin = "CREATE TABLE t (); BEGIN; SELECT pg_current_xact_id()";
    neighbour.batch_execute(begin).await.unwrap();
    let tenant = sample::tenant_id();
    store.record(tenant, sample::trail(tenant, "subject")).await.unwrap();
    assert_eq!(store.read_feed(0, 10).await.unwrap().len(), 1);
    neighbour.batch_execute("COMMIT").await.unwrap();
}

/// A database that was restored into another cluster has places of transactions that are still to come there.
#[tokio::test]
async fn places_rise_after_a_restore() {
    let Some((store, database)) = fresh().await else { return };
    let tenant = sample::tenant_id();
    store.record(tenant, sample::trail(tenant, "before")).await.unwrap();
    store.close().await;
    let far = "UPDATE feed SET seq = seq + (1::bigint << 50)";
    raw(&database).await.batch_execute(far).await.unwrap();
    let store = open(&database).await;
    let end = store.feed_end().await.unwrap();
    assert!(end > 1 << 50);
    store.record(tenant, sample::trail(tenant, "after")).await.unwrap();
    let rows = store.read_feed(end, 10).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].subject, "after");
}

/// A1: neither the role that works nor the owner can rewrite the past, unless the owner takes the guards away.
#[tokio::test]
async fn a1_the_chain_cannot_be_rewritten() {
    let Some((store, database)) = fresh().await else { return };
    let tenant = sample::tenant_id();
    for n in 0..3 {
        let trail = sample::trail(tenant, &n.to_string());
        store.record(tenant, trail).await.unwrap();
    }
    let before = store.audit_entries(tenant, 0, 10).await.unwrap();
    let owner = raw(&database).await;
    let columns = "tenant, seq + 2, id, at, actor, action, subject, detail, hash";
    let tampering = [
        "UPDATE audit SET actor = 'nobody' WHERE seq = 2".to_owned(),
        "DELETE FROM audit WHERE seq = 3".to_owned(),
        "TRUNCATE audit".to_owned(),
        format!(
            "INSERT INTO audit (tenant, seq, id, at, actor, action, subject, detail, hash) SELECT {columns} FROM audit \
             WHERE seq = 3"
        ),
        "DELETE FROM audit_heads".to_owned(),
        "TRUNCATE audit_heads".to_owned(),
        "UPDATE audit_heads SET seq = seq - 1".to_owned(),
        "UPDATE audit_heads SET hash = sha256('x')".to_owned(),
    ];
    for statement in &tampering {
        let refused = owner.batch_execute(statement).await.expect_err(statement);
        let message = refused.as_db_error().unwrap().message().to_owned();
        assert!(message.contains("the audit chain"), "{statement}: {message}");
    }
    let enter = format!("SET ROLE {}_app", database.name());
    owner.batch_execute(&enter).await.unwrap();
    let enter = "SELECT set_config('app.tenant', tenant::text, false) FROM heads_of_chains(\
                 '00000000-0000-0000-0000-000000000000', 1)";
    owner.batch_execute(enter).await.unwrap();
    for statement in &tampering {
        assert!(owner.batch_execute(statement).await.is_err(), "{statement}");
    }
    assert_eq!(store.audit_entries(tenant, 0, 10).await.unwrap(), before);
    store.record(tenant, sample::trail(tenant, "next")).await.unwrap();
    sample::assert_chain(&store.audit_entries(tenant, 0, 10).await.unwrap());
}

#[tokio::test]
async fn newer_data_is_left_alone() {
    let Some((store, database)) = fresh().await else { return };
    store.close().await;
    let insert = "INSERT INTO refinery_schema_history VALUES (9999, 'later', '2030-01-01T00:00:00Z', '1')";
    raw(&database).await.batch_execute(insert).await.unwrap();
    let refused = PostgresStore::open(&database.url(), OPTIONS).await.unwrap_err();
    assert_eq!(refused.code(), Code::DataFromNewerVersion);
    assert!(refused.detail().contains("9999"), "{refused}");
}

/// R3, T4: what PostgreSQL says of a row reaches neither the caller nor the log.
#[tokio::test]
async fn t4_errors_tell_nothing_of_rows() {
    let Some((store, _database)) = fresh().await else {
        return;
    };
    let [owner, stranger] = [sample::tenant_id(), sample::tenant_id()];
    let known = sample::api_key(owner);
    store
        .create_api_key(known.clone(), sample::trail(owner, "key"))
        .await
        .unwrap();
    let mut key = sample::api_key(stranger);
    key.hash = known.hash;
    let refused = store
        .create_api_key(key, sample::trail(stranger, "key"))
        .await
        .unwrap_err();
    let said = format!("{refused} {refused:?} {:?}", refused.log_context());
    assert!(said.contains("23505") && said.contains("doors_pkey"), "{said}");
    let hash: String = known.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    for silent in [&hash[..16], "INSERT", "VALUES", "already exists", "Key (", "DETAIL"] {
        assert!(!said.contains(silent), "{silent}: {said}");
    }
}

/// The counter is exact: no verb, no statement; rows cost one together, whatever secrets they have.
#[tokio::test]
async fn statements_are_counted() {
    let Some((store, _database)) = fresh().await else {
        return;
    };
    let tenant = sample::tenant_id();
    let mut rows = [sample::connection(tenant, "a"), sample::connection(tenant, "b")];
    rows[1].secrets = sample::secrets(&[("a", b"2"), ("b", b"3")]);
    for row in &rows {
        let trail = sample::trail(tenant, "row");
        store.insert_connection(row.clone(), trail).await.unwrap();
    }
    let mut last = store.statements();
    let mut since = || {
        let before = std::mem::replace(&mut last, store.statements());
        last - before
    };
    assert_eq!(since(), 0);
    let found = store.connection_by_id(tenant, rows[1].id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&rows[1]));
    assert_eq!(since(), 1);
    let nobodys = store.connection_by_id(tenant, sample::connection_id()).await.unwrap();
    assert_eq!((nobodys, since()), (None, 1));
    assert_eq!(store.connections(sample::filter(tenant)).await.unwrap().len(), 2);
    assert_eq!(since(), 1);
    store.record(tenant, sample::trail(tenant, "more")).await.unwrap();
    assert_eq!(since(), 5, "deletion, event, head, entry, head");
}

/// Whatever was answered before a SIGKILL is there afterwards, and nothing is there by half.
#[test]
fn what_was_acknowledged_survives_a_kill() {
    const ACKNOWLEDGED: usize = 60;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some((store, database)) = runtime.block_on(fresh()) else {
        return;
    };
    let mut acknowledged: Vec<(TenantId, ConnectionId)> = Vec::new();
    for _ in 0..3 {
        let mut child = Process::start("postgres::writes_until_killed", database.url().as_ref());
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
        runtime.block_on(crate::sqlite::check_after_kill(&store, &acknowledged));
    }
}

#[test]
#[ignore = "the other process of a test"]
fn writes_until_killed() {
    let Some(url) = told() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async move {
        let store = Arc::new(PostgresStore::open(&url, OPTIONS).await.unwrap());
        crate::sqlite::write_until_killed(store).await;
    });
}

/// T3: no start while the role that works could look past row level security.
#[tokio::test]
async fn t3_a_role_that_row_level_security_does_not_hold_is_refused() {
    let Some((store, database)) = fresh().await else { return };
    store.close().await;
    let owner = raw(&database).await;
    let name = database.name();
    let refused = async |words: &str, make: &str, mend: &str| {
        owner.batch_execute(&make.replace("@", name)).await.unwrap();
        let refused = PostgresStore::open(&database.url(), OPTIONS).await.unwrap_err();
        assert_eq!(refused.code(), Code::ConfigInvalid, "{make}");
        let told = refused.detail();
        assert!(
            told.contains(&format!("{name}_app")) && told.contains(words),
            "{refused}"
        );
        owner.batch_execute(&mend.replace("@", name)).await.unwrap();
    };
    refused(
        "is a superuser",
        "ALTER ROLE @_app SUPERUSER",
        "ALTER ROLE @_app NOSUPERUSER",
    )
    .await;
    refused(
        "may bypass",
        "ALTER ROLE @_app BYPASSRLS",
        "ALTER ROLE @_app NOBYPASSRLS",
    )
    .await;
    refused(
        "may look across tenants",
        "GRANT @_claim TO @_app",
        "REVOKE @_claim FROM @_app",
    )
    .await;
    refused(
        "owns the tables",
        "CREATE ROLE @_user; GRANT @_user TO @_app; ALTER TABLE meta OWNER TO @_user",
        "ALTER TABLE meta OWNER TO CURRENT_USER; REVOKE @_user FROM @_app; DROP ROLE @_user",
    )
    .await;
    open(&database).await;
}

/// As most operators have it: a user who owns the database and may make roles, and is nobody else. Row level security then
/// holds the owner too.
#[tokio::test]
async fn an_owner_who_is_no_superuser_will_do() {
    let Some(database) = Database::fresh().await else {
        return;
    };
    let name = database.name();
    let make = format!("CREATE ROLE {name}_user LOGIN CREATEROLE; ALTER DATABASE {name} OWNER TO {name}_user");
    database.owner().await.batch_execute(&make).await.unwrap();
    let url = database.url();
    let (_, host) = url.split_once('@').unwrap();
    let url = format!("postgres://{name}_user@{host}");
    for _ in 0..2 {
        let store = PostgresStore::open(&url, OPTIONS).await.unwrap();
        let row = sample::connection(sample::tenant_id(), "default");
        let made = store
            .insert_connection(row.clone(), sample::trail(row.tenant, "row"))
            .await;
        assert_eq!(made.unwrap(), Inserted::Inserted);
        assert!(store.connection_by_id(row.tenant, row.id).await.unwrap().is_some());
        assert_eq!(store.due_credentials(sample::at(0), 10).await.unwrap(), []);
        store.close().await;
    }
}

/// Where no server is, a person's run says so and goes on, and CI's fails.
#[test]
fn without_a_server_ci_fails() {
    let run = |ci: Option<&str>| {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "conformance::postgres::process::alone_is_one", "--nocapture"]);
        child.env("TIELINE_TEST_POSTGRES", "postgres://postgres@127.0.0.1:1/postgres");
        match ci {
            Some(ci) => child.env("CI", ci),
            None => child.env_remove("CI"),
        };
        let ran = child.output().unwrap();
        (ran.status.success(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let (passed, said) = run(None);
    assert!(passed && said.contains("a test of PostgreSQL"), "{said}");
    let (passed, said) = run(Some("true"));
    assert!(!passed && said.contains("cannot run"), "{said}");
}
