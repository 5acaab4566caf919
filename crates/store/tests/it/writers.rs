//! Fifty writers, killed again and again: the ledgers hold, and nothing that was answered is lost.

use std::{
    io::Write,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::OpenFlags;
use tieline::{
    Connectors, MasterKey,
    audit::{Actor, chain::Verified, verify::LedgerName},
    clock::SystemRandom,
    connection::{Connect, ConnectionPatch},
    id::{ConnectionId, TenantId},
    scope::{Scope, ScopeRule},
    store::conformance::sample,
};
use tieline_store::SqliteStore;

use crate::{
    child::{Process, say, told},
    tamper::{MANIFEST, refused_call},
};

/// Two tenants' writers take turns at the same database.
const TENANTS: [TenantId; 2] = [TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16])];

const WRITERS: usize = 50;
const KILLS: usize = 6;

/// Changes that are answered before the next kill.
const ANSWERED: usize = 120;

/// What the child says of its ledgers while they are written.
const HOLDS: &str = "holds";
const ALARM: &str = "alarm";

/// For how long to go on killing, where a few times are not enough: `make soak` takes ten minutes.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever starts the tests says how long they may take"
)]
fn soak() -> Option<Duration> {
    let minutes = std::env::var("TIELINE_SOAK_MINUTES").ok()?;
    let minutes: u64 = minutes.parse().expect("TIELINE_SOAK_MINUTES is a number of minutes");
    Some(Duration::from_secs(60 * minutes))
}

fn open(path: &Path, key: &str) -> Connectors {
    Connectors::builder()
        .store(SqliteStore::open(path).unwrap())
        .key(MasterKey::parse(key).unwrap())
        .scope("user", ScopeRule::Required)
        .manifest(MANIFEST)
        .build()
        .unwrap()
}

/// What is known of a database whose writers are killed again and again.
#[derive(Default)]
struct Known {
    answered: Vec<(TenantId, ConnectionId)>,
    heads: [Option<Verified>; 2],
    /// Verifications that ended while writers wrote.
    beside: usize,
    calls: u64,
}

impl Known {
    /// Hears what the child says next: a change that was answered to one of its writers, or what it found of its ledgers.
    fn hear(&mut self, child: &mut Process) -> Option<()> {
        let said = child.hear()?;
        match said.split_once(' ').unwrap() {
            (HOLDS, _) => self.beside += 1,
            (ALARM, what) => panic!("a false alarm beside the writers: {what}"),
            (tenant, id) => self.answered.push((tenant.parse().unwrap(), id.parse().unwrap())),
        }
        Some(())
    }

    /// Holds the database against what is known of it.
    async fn check(&mut self, connectors: &Connectors, since: usize) {
        self.calls = 0;
        for (tenant, known) in TENANTS.iter().zip(&mut self.heads) {
            let verdict = connectors.verify_ledgers(*tenant, *known).await.unwrap();
            assert_eq!(verdict.tampered, None, "a false alarm");
            assert!(verdict.head.seq > 0 && verdict.calls > 0);
            self.calls += verdict.calls;
            *known = Some(verdict.head);
        }
        for (tenant, id) in &self.answered[since..] {
            let by = Actor::new(*tenant, "test");
            let found = connectors.connection(&by, *id).await;
            found.unwrap_or_else(|_| panic!("{id} was lost"));
        }
    }
}

/// A1: no false alarm, after the kills and beside the writers, and nothing lost that was answered.
#[test]
fn a1_fifty_writers_with_kills_raise_no_false_alarm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tieline.db");
    // The child finds the key in a file, as a server would.
    let key = MasterKey::generate(&SystemRandom).unwrap().to_text();
    std::fs::write(dir.path().join("key"), key.reveal()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (began, soak) = (Instant::now(), soak());
    let mut known = Known::default();
    let mut kills = 0;
    while soak.map_or(kills < KILLS, |soak| began.elapsed() < soak) {
        let before = known.answered.len();
        let mut child = Process::start("writers::write_until_killed", &path);
        while known.answered.len() < before + ANSWERED + 37 * (kills % KILLS) {
            known.hear(&mut child).expect("the child writes until it is killed");
        }
        child.kill();
        kills += 1;
        while known.hear(&mut child).is_some() {}
        runtime.block_on(known.check(&open(&path, key.reveal()), before));
    }
    assert!(known.beside > 0, "nothing was verified beside the writers");
    runtime.block_on(async {
        let connectors = open(&path, key.reveal());
        known.check(&connectors, 0).await;
        // That silence means something: an alarm that is none of theirs is raised.
        alter(&path, kills as i64);
        let verdict = connectors.verify_ledgers(TENANTS[0], None).await.unwrap();
        let tampered = verdict.tampered.unwrap();
        assert_eq!((tampered.ledger, tampered.seq), (LedgerName::Audit, kills as u64));
    });
    let entries: u64 = known.heads.iter().flatten().map(|head| head.seq).sum();
    let told = format!(
        "{kills} kills of {WRITERS} writers in {} s: {} changes answered and kept, {entries} audit entries, {} calls, \
         {} verifications beside the writers, no false alarm",
        began.elapsed().as_secs(),
        known.answered.len(),
        known.calls,
        known.beside,
    );
    writeln!(std::io::stderr(), "{told}").unwrap();
}

fn alter(path: &Path, seq: i64) {
    let raw = rusqlite::Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    raw.execute_batch("DROP TRIGGER audit_is_never_updated").unwrap();
    let update = "UPDATE audit SET actor = 'nobody' WHERE tenant = ?1 AND seq = ?2";
    assert_eq!(raw.execute(update, (TENANTS[0].as_bytes(), seq)).unwrap(), 1);
}

#[test]
#[ignore = "the other process of a test"]
fn write_until_killed() {
    let Some(path) = told() else { return };
    let path = Path::new(&path);
    let key = std::fs::read_to_string(path.with_file_name("key")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let connectors = Arc::new(open(path, &key));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write_on(connectors.clone(), writer)))
            .collect();
        let verifier = tokio::spawn(verify_on(connectors));
        for writer in writers {
            writer.await.unwrap();
        }
        verifier.abort();
    });
}

/// Verifies what is being written, over and over.
async fn verify_on(connectors: Arc<Connectors>) {
    for tenant in TENANTS.iter().cycle() {
        match connectors.verify_ledgers(*tenant, None).await {
            Ok(verdict) if verdict.tampered.is_none() => say(&format!("{HOLDS} {}", verdict.head.seq)),
            other => say(&format!("{ALARM} {other:?}")),
        }
    }
}

async fn write_on(connectors: Arc<Connectors>, writer: usize) {
    let tenant = TENANTS[writer % TENANTS.len()];
    let by = Actor::new(tenant, format!("writer {writer}"));
    // More than the test listens to, and an end should nobody kill it.
    for n in 0..60 {
        let user = sample::connection_id();
        let connect = Connect::new("acme", Scope::new("user", user.to_string()).unwrap());
        let made = connectors.connect(&by, connect).await.unwrap();
        say(&format!("{tenant} {}", made.id));
        let patch = ConnectionPatch {
            enabled: Some(n % 2 == 0),
            ..ConnectionPatch::default()
        };
        connectors.update_connection(&by, made.id, patch).await.unwrap();
        refused_call(&connectors, tenant).await;
        connectors.flush_calls().await.unwrap();
    }
}
