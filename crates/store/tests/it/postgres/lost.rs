//! A commit whose answer is lost: whoever asked is told that nobody knows, and nothing is written twice.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tieline::{
    Code, Connectors, Error, MasterKey, Result, ScopeRule,
    clock::SystemRandom,
    error::Retry,
    store::{
        AuditStore, Begun, CallStore, ConnectionRow, ConnectionStore, IdempotencyRow, IdempotencyStore, Inserted,
        Updated, UsageStore, conformance::sample,
    },
};
use tieline_store::PostgresStore;
use tieline_testkit::postgres::Database;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{OPTIONS, open};
use crate::tamper::{MANIFEST, refused_call};

/// A statement that ends a transaction, as it is sent.
const COMMIT: &[u8] = b"COMMIT\0";

/// Stands between a store and its database, and cuts the connection of a commit when it is told to.
struct Cutter {
    database: Database,
    /// Cut once, after the database has answered.
    armed: Arc<AtomicBool>,
    through: PostgresStore,
    /// Past the cutter.
    direct: PostgresStore,
}

impl Cutter {
    async fn new() -> Option<Self> {
        let database = Database::fresh().await?;
        let direct = open(&database).await;
        let url = database.url();
        let (user, rest) = url.split_once('@').unwrap();
        let (server, name) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let armed = Arc::new(AtomicBool::new(false));
        tokio::spawn(stand_between(listener, server.to_owned(), armed.clone()));
        let through = format!("{user}@127.0.0.1:{port}/{name}");
        let through = PostgresStore::open(&through, OPTIONS).await.unwrap();
        Some(Self {
            database,
            armed,
            through,
            direct,
        })
    }

    fn cut_next_commit(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Runs a verb whose commit is cut, and answers what it was told.
    async fn cut<T: std::fmt::Debug>(&self, verb: impl Future<Output = Result<T>>) -> Error {
        self.cut_next_commit();
        let told = verb.await.unwrap_err();
        assert!(!self.armed.load(Ordering::SeqCst), "a commit was cut");
        assert_eq!(told.code(), Code::ConnectorDatabaseFailed);
        assert_eq!(told.retry_hint(), Retry::Never, "nobody knows how it ended: {told}");
        told
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's own way to a database on this machine"
)]
async fn stand_between(listener: TcpListener, server: String, armed: Arc<AtomicBool>) {
    while let Ok((client, _)) = listener.accept().await {
        let database = TcpStream::connect(&server).await.unwrap();
        tokio::spawn(pass_on(client, database, armed.clone()));
    }
}

async fn pass_on(mut client: TcpStream, mut database: TcpStream, armed: Arc<AtomicBool>) -> std::io::Result<()> {
    let (mut asked, mut answered) = ([0; 64 * 1024], [0; 64 * 1024]);
    loop {
        tokio::select! {
            count = client.read(&mut asked) => {
                let asked = &asked[..count?];
                if asked.is_empty() {
                    return Ok(());
                }
                // The store waits for every answer before it commits, so this is a packet of its own.
                let cut = asked.ends_with(COMMIT) && armed.swap(false, Ordering::SeqCst);
                database.write_all(asked).await?;
                if cut {
                    // It is answered, so it is done; and nobody hears of it.
                    let count = database.read(&mut answered).await?;
                    assert!(answered[..count].windows(COMMIT.len()).any(|part| part == COMMIT));
                    return Ok(());
                }
            }
            count = database.read(&mut answered) => {
                let answered = &answered[..count?];
                if answered.is_empty() {
                    return Ok(());
                }
                client.write_all(answered).await?;
            }
        }
    }
}

async fn entries(store: &PostgresStore, row: &ConnectionRow) -> usize {
    let entries = store.audit_entries(row.tenant, 0, 100).await.unwrap();
    sample::assert_chain(&entries);
    entries.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_made_once_and_changed_once() {
    let Some(cutter) = Cutter::new().await else { return };
    let (through, direct) = (&cutter.through, &cutter.direct);
    let row = sample::connection(sample::tenant_id(), "default");
    let trail = || sample::trail(row.tenant, "row");
    cutter.cut(through.insert_connection(row.clone(), trail())).await;
    assert_eq!(
        direct.connection_by_id(row.tenant, row.id).await.unwrap().as_ref(),
        Some(&row),
        "it is there all the same"
    );
    assert_eq!(entries(direct, &row).await, 1);
    // Whoever tries again with another identifier is told what stands.
    let again = ConnectionRow {
        id: sample::connection_id(),
        ..row.clone()
    };
    let again = through.insert_connection(again, trail()).await.unwrap();
    assert_eq!(again, Inserted::Taken(row.clone()));

    let changed = ConnectionRow {
        version: row.version + 1,
        display_name: "changed".to_owned(),
        ..row.clone()
    };
    cutter
        .cut(through.update_connection(changed.clone(), row.version, trail()))
        .await;
    let found = direct.connection_by_id(row.tenant, row.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&changed));
    let again = through.update_connection(changed, row.version, trail()).await;
    assert_eq!(again.unwrap(), Updated::Conflict, "not from that version again");
    assert_eq!(entries(direct, &row).await, 2);

    cutter.cut(through.delete_connection(row.tenant, row.id, trail())).await;
    assert!(!through.delete_connection(row.tenant, row.id, trail()).await.unwrap());
    assert_eq!(entries(direct, &row).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_begins_once_and_ends_once() {
    let Some(cutter) = Cutter::new().await else { return };
    let (through, direct) = (&cutter.through, &cutter.direct);
    let row = IdempotencyRow {
        tenant: sample::tenant_id(),
        id: [7; 16],
        request: b"request".to_vec(),
        attempt: 1,
        until: sample::at(100),
        expires_at: sample::at(200),
        answer: None,
    };
    let begin = || through.begin_idempotent(row.clone(), sample::at(0));
    cutter.cut(begin()).await;
    // The caller was refused, and its repeat finds a run that nobody is at: it is taken over when its lease is over.
    assert_eq!(begin().await.unwrap(), Begun::Standing(row.clone()));
    let resume = || through.resume_idempotent(row.tenant, row.id, 1, sample::at(150));
    cutter.cut(resume()).await;
    assert!(!resume().await.unwrap(), "one took it over, and nobody else does");
    let finish = || through.finish_idempotent(row.tenant, row.id, 2, b"answer".to_vec(), 1000);
    cutter.cut(finish()).await;
    assert!(!finish().await.unwrap());
    let Begun::Standing(kept) = direct.begin_idempotent(row.clone(), sample::at(0)).await.unwrap() else {
        panic!("it began again");
    };
    assert_eq!((kept.attempt, kept.answer.as_deref()), (2, Some(b"answer".as_slice())));
    let owner = super::raw(&cutter.database).await;
    let weighed = owner.query("SELECT bytes FROM idempotency_kept", &[]).await.unwrap();
    assert_eq!(weighed.iter().map(|row| row.get(0)).collect::<Vec<i64>>(), [6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_calls_is_written_once() {
    let Some(cutter) = Cutter::new().await else { return };
    let tenant = sample::tenant_id();
    let batch = || sample::call_batch(vec![sample::call(tenant), sample::call(tenant)]);
    let first = batch();
    cutter.cut(cutter.through.append_calls(vec![first.clone()])).await;
    let rows = cutter.direct.calls_in_order(tenant, 0, 10).await.unwrap();
    assert_eq!(rows.len(), 2, "it is there all the same");
    // Tried again as it is, it is refused whole: a call is written once.
    cutter.through.append_calls(vec![first]).await.unwrap_err();
    cutter.through.append_calls(vec![batch()]).await.unwrap();
    let rows = cutter.direct.calls_in_order(tenant, 0, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let usage = cutter.direct.usage(sample::usage_filter(tenant)).await.unwrap();
    assert_eq!(usage.iter().map(|(_, sums)| sums.calls).sum::<u64>(), 4);
    let entries = cutter.direct.audit_entries(tenant, 0, 10).await.unwrap();
    sample::assert_chain(&entries);
    assert_eq!(entries.len(), 2);
}

/// A1: the ledger asks what became of its batch before it writes it again.
#[tokio::test(flavor = "multi_thread")]
async fn a1_the_ledger_holds_each_call_once() {
    let Some(cutter) = Cutter::new().await else { return };
    let (armed, direct) = (cutter.armed.clone(), &cutter.direct);
    let connectors = Connectors::builder()
        .store(cutter.through)
        .key(MasterKey::generate(&SystemRandom).unwrap())
        .scope("tenant", ScopeRule::Optional)
        .manifest(MANIFEST)
        .build()
        .unwrap();
    let tenant = sample::tenant_id();
    for calls in 1..=3 {
        refused_call(&connectors, tenant).await;
        // The first flush makes the tenant's keys, too: the commit of the batch comes last.
        if calls > 1 {
            armed.store(true, Ordering::SeqCst);
        }
        connectors.flush_calls().await.unwrap();
        assert!(!armed.load(Ordering::SeqCst), "a commit was cut");
        assert_eq!(direct.calls_in_order(tenant, 0, 10).await.unwrap().len(), calls);
    }
    assert_eq!(connectors.calls_set_aside(), (0, 0));
    let verdict = connectors.verify_ledgers(tenant, None).await.unwrap();
    assert_eq!(verdict.tampered, None);
    connectors.close().await.unwrap();
    assert_eq!(direct.calls_in_order(tenant, 0, 10).await.unwrap().len(), 3);
}
