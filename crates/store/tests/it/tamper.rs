//! A1: somebody with the database file and without the key alters it; `verify_ledgers` says where.

use std::path::PathBuf;

use rusqlite::{Connection, OpenFlags, params};
use tempfile::TempDir;
use tieline::{
    Connectors, Json, MasterKey,
    audit::{Actor, Trail, chain::Verified, verify::LedgerName},
    call::{Call, Via},
    clock::{Random, SystemRandom},
    id::TenantId,
    store::conformance::sample,
};
use tieline_store::SqliteStore;

const TENANT: TenantId = TenantId::from_bytes([1; 16]);

/// Entries of the chain.
const ENTRIES: usize = 10_000;

/// Alterations tried.
const ALTERATIONS: usize = 1_000;

/// Entries that move when one is put in or closed up after; moving half a chain a thousand times shows no more.
const MOVED: usize = 40;

/// Its one action goes to an address that is refused: a call that leaves its row and nothing else.
pub(crate) const MANIFEST: &str = "
id: acme
name: Acme
baseUrl: http://10.0.0.1
auth: [{ type: none }]
endpoints: [{ id: look, method: GET, path: /look, auth: none }]
";

pub(crate) async fn refused_call(connectors: &Connectors, tenant: TenantId) {
    let call = Call {
        connector: Some("acme".to_owned()),
        action: "look".to_owned(),
        input: Json::parse("{}").unwrap(),
        idempotency_key: None,
        via: Via::Nothing,
    };
    let by = Actor::new(tenant, "writer");
    connectors.call(&by, call).await.unwrap_err();
}

/// A place where nothing is.
const ASIDE: usize = 1_000_000;

struct Scene {
    connectors: Connectors,
    /// As the one who alters it opens it.
    raw: Connection,
    runtime: tokio::runtime::Runtime,
    _dir: TempDir,
}

fn below(bound: usize) -> usize {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes).unwrap();
    (u64::from_be_bytes(bytes) % bound as u64) as usize
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path: PathBuf = dir.path().join("tieline.db");
        let connectors = Connectors::builder()
            .store(SqliteStore::open(&path).unwrap())
            .key(MasterKey::generate(&SystemRandom).unwrap())
            .manifest(MANIFEST)
            .build()
            .unwrap();
        let raw = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        Self {
            connectors,
            raw,
            runtime: tokio::runtime::Runtime::new().unwrap(),
            _dir: dir,
        }
    }

    /// A chain of so many entries.
    fn write_chain(&self, entries: usize) {
        let link = self.connectors.audit_link(TENANT);
        for n in (0..entries).step_by(500) {
            let entry = |n: usize| sample::entry(TENANT, &format!("row {}", n % 31));
            let trail = Trail {
                entries: (n..n + 500).map(entry).collect(),
                events: Vec::new(),
                link: link.clone(),
            };
            self.runtime
                .block_on(self.connectors.store().record(TENANT, trail))
                .unwrap();
        }
    }

    /// Takes the guards away, as an owner of the file can, and keeps a copy to restore from.
    fn begin(&self, table: &str) {
        let mut triggers = self
            .raw
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            .unwrap();
        let names = triggers.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let names: Vec<String> = names.map(Result::unwrap).collect();
        for name in names {
            self.raw.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
        }
        self.raw
            .execute_batch(&format!(
                "PRAGMA synchronous = off; CREATE TABLE original AS SELECT * FROM {table}; \
                 CREATE UNIQUE INDEX original_place ON original (seq)"
            ))
            .unwrap();
    }

    /// Puts back the rows of these places.
    fn restore(&self, table: &str, places: impl IntoIterator<Item = usize>) {
        let tx = self.raw.unchecked_transaction().unwrap();
        for other in ["<", ">"] {
            let strayed = format!("DELETE FROM {table} WHERE tenant {other} ?1");
            tx.execute(&strayed, [TENANT.as_bytes()]).unwrap();
        }
        let gone = format!("DELETE FROM {table} WHERE tenant = ?1 AND seq = ?2");
        let back = format!("INSERT INTO {table} SELECT * FROM original WHERE seq = ?1");
        let places: Vec<i64> = places.into_iter().map(|place| place as i64).collect();
        for place in &places {
            tx.execute(&gone, params![TENANT.as_bytes(), place]).unwrap();
        }
        for place in &places {
            tx.execute(&back, [place]).unwrap();
        }
        tx.commit().unwrap();
    }

    /// What is found: ledger and place.
    fn found(&self, known: Option<Verified>) -> Option<(LedgerName, u64)> {
        let verdict = self
            .runtime
            .block_on(self.connectors.verify_ledgers(TENANT, known))
            .unwrap();
        verdict.tampered.map(|tampered| (tampered.ledger, tampered.seq))
    }

    /// Has two rows change their places.
    fn swap(&self, table: &str, one: usize, other: usize) {
        for (from, to) in [(one, ASIDE), (other, one), (ASIDE, other)] {
            self.run(&format!("UPDATE {table} SET seq = {to} WHERE seq = ?1"), from);
        }
    }

    /// Runs a statement about the row at a place.
    fn run(&self, sql: &str, place: usize) {
        // With the tenant named, the primary key leads to the row.
        let sql = sql.replace("WHERE seq", &format!("WHERE tenant = x'{}' AND seq", "01".repeat(16)));
        let changed = self.raw.execute(&sql, [place as i64]);
        let changed = changed.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(changed > 0, "{sql} at {place}");
    }
}

/// Each column of an entry, and what is done to it.
const EDITS: [&str; 9] = [
    "tenant = randomblob(16)",
    "id = randomblob(16)",
    "at = at + 1",
    "actor = actor || 'x'",
    "action = 'sample.changee'",
    "subject = ''",
    "detail = '{}'",
    "hash = randomblob(32)",
    // A letter moved from one column into the next.
    "action = substr(actor, -1) || action, actor = substr(actor, 1, length(actor) - 1)",
];

/// Does one random thing to the chain; answers the place where it must be seen, and those that have to be restored.
fn alter(scene: &Scene) -> (usize, Vec<usize>, String) {
    // A verification ends at the first such place, so most are put where that is soon: a tenth of all beyond the middle.
    let at = 1 + below([10, 100, 1_000, 1_000, ENTRIES - 1][below(5)]);
    match below(24) {
        0..8 => {
            let edit = EDITS[below(EDITS.len())];
            scene.run(&format!("UPDATE audit SET {edit} WHERE seq = ?1"), at);
            (at, vec![at], edit.to_owned())
        }
        8..14 => {
            scene.run("DELETE FROM audit WHERE seq = ?1", at);
            (at, vec![at], "delete".to_owned())
        }
        14..21 => {
            let other = at + 1 + below(ENTRIES - at);
            scene.swap("audit", at, other);
            (at, vec![at, other], format!("swap with {other}"))
        }
        kind => alter_the_end(scene, kind),
    }
}

/// What moves everything after it, or cuts it off: near the end.
fn alter_the_end(scene: &Scene, kind: usize) -> (usize, Vec<usize>, String) {
    let at = ENTRIES - below(MOVED);
    let what = match kind {
        21 => {
            // With care: the rest closes up. Of the last entry this is a cut.
            scene.run("DELETE FROM audit WHERE seq = ?1", at);
            for seq in at + 1..=ENTRIES {
                scene.run("UPDATE audit SET seq = seq - 1 WHERE seq = ?1", seq);
            }
            "delete and close up"
        }
        22 => {
            for seq in (at..=ENTRIES).rev() {
                scene.run("UPDATE audit SET seq = seq + 1 WHERE seq = ?1", seq);
            }
            scene.run(
                "INSERT INTO audit SELECT tenant, ?1, randomblob(16), at, 'intruder', action, subject, detail, hash \
                 FROM audit WHERE seq = ?1 + 1",
                at,
            );
            "insert"
        }
        // Seen by the head beside the chain.
        _ => {
            scene.run("DELETE FROM audit WHERE seq > ?1", at - 1);
            "cut"
        }
    };
    // The place beyond the end is emptied, and has no original.
    (at, (at..=ENTRIES + 1).collect(), what.to_owned())
}

#[test]
fn a1_a_thousand_alterations_of_the_audit_log_are_located() {
    let scene = Scene::new();
    scene.write_chain(ENTRIES);
    let verdict = scene
        .runtime
        .block_on(scene.connectors.verify_ledgers(TENANT, None))
        .unwrap();
    assert_eq!((verdict.tampered, verdict.head.seq), (None, ENTRIES as u64));
    scene.begin("audit");
    for _ in 0..ALTERATIONS {
        let (place, touched, what) = alter(&scene);
        let expected = Some((LedgerName::Audit, place as u64));
        assert_eq!(scene.found(None), expected, "{what} at {place}");
        scene.restore("audit", touched);
    }
    assert_eq!(scene.found(Some(verdict.head)), None, "restored, it holds");
}

#[test]
fn a2_an_end_that_is_cut_off_with_its_head_is_seen_against_a_published_head() {
    let scene = Scene::new();
    scene.write_chain(1_000);
    let head = scene
        .runtime
        .block_on(scene.connectors.verify_ledgers(TENANT, None))
        .unwrap()
        .head;
    scene.begin("audit");
    scene.run("DELETE FROM audit WHERE seq > ?1", 900);
    assert_eq!(
        scene.found(None),
        Some((LedgerName::Audit, 901)),
        "the head beside the chain tells"
    );
    let back = "UPDATE audit_heads SET (seq, hash) = (SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1) WHERE ?1";
    scene.run(back, 1);
    assert_eq!(scene.found(None), None, "nothing in the file tells any more");
    assert_eq!(scene.found(Some(head)), Some((LedgerName::Audit, 901)));
    scene.restore("audit", 901..=1_000);
    assert_eq!(scene.found(Some(head)), None);
    scene.run("DELETE FROM audit_heads WHERE ?1", 1);
    assert_eq!(
        scene.found(None),
        Some((LedgerName::Audit, 1_000)),
        "a head that is gone is missed"
    );
    let forged = "INSERT INTO audit_heads SELECT tenant, seq, zeroblob(32) FROM audit WHERE seq = ?1";
    scene.run(forged, 500);
    assert_eq!(scene.found(None), Some((LedgerName::Audit, 500)));
}

/// Each column of a call, and what is done to it.
const CALL_EDITS: [&str; 18] = [
    "tenant = randomblob(16)",
    "id = randomblob(16)",
    "at = at + 1",
    "actor = 'somebody'",
    "kind = 'proxy'",
    "connector = connector || 'x'",
    "action = NULL",
    "action = 'xlook'",
    "connection = randomblob(16)",
    "credential = randomblob(16)",
    "outcome = 'ok'",
    "status = 200",
    "status = 0",
    "micros = micros + 1",
    "attempts = 1",
    "sent = 0",
    "received = 600",
    "mark = randomblob(16)",
];

#[test]
fn a1_altered_calls_are_located() {
    let scene = Scene::new();
    let calls = 600;
    scene.runtime.block_on(async {
        for n in 1..=calls {
            refused_call(&scene.connectors, TENANT).await;
            if n % 100 == 0 {
                scene.connectors.flush_calls().await.unwrap();
            }
        }
    });
    let verdict = scene
        .runtime
        .block_on(scene.connectors.verify_ledgers(TENANT, None))
        .unwrap();
    assert_eq!(
        (verdict.tampered, verdict.calls, verdict.pruned),
        (None, calls as u64, 0)
    );
    scene.begin("calls");
    let is_found = |place: usize, touched: &[usize], what: &str| {
        assert_eq!(
            scene.found(None),
            Some((LedgerName::Calls, place as u64)),
            "{what} at {place}"
        );
        scene.restore("calls", touched.iter().copied());
    };
    for edit in CALL_EDITS.iter().cycle().take(5 * CALL_EDITS.len()) {
        let at = 1 + below(calls);
        scene.run(&format!("UPDATE calls SET {edit} WHERE seq = ?1"), at);
        is_found(at, &[at], edit);
    }
    for _ in 0..20 {
        let (at, other) = (1 + below(calls / 2), 1 + calls / 2 + below(calls / 2));
        scene.run("DELETE FROM calls WHERE seq = ?1", at);
        is_found(at, &[at], "delete");
        scene.swap("calls", at, other);
        is_found(at, &[at, other], "swap");
    }
    let forged = "INSERT INTO calls SELECT tenant, seq + 1, randomblob(16), at, actor, kind, connector, action, connection, \
                  credential, outcome, status, micros, attempts, sent, received, mark FROM calls WHERE seq = ?1";
    scene.run(forged, calls);
    is_found(calls + 1, &[calls + 1], "insert at the end");
    scene.run("DELETE FROM calls WHERE seq > ?1", calls - 100);
    let gone: Vec<usize> = (calls - 99..=calls).collect();
    is_found(calls - 99, &gone, "a batch that is gone");

    // What retention takes out is told by the chain, and is no alarm; what somebody else takes out is one.
    let trail = |detail: &str| {
        let mut entry = sample::entry(TENANT, "calls");
        (entry.action, entry.detail) = ("calls.pruned".to_owned(), detail.to_owned());
        Trail {
            entries: vec![entry],
            events: Vec::new(),
            link: scene.connectors.audit_link(TENANT),
        }
    };
    let prune = scene
        .connectors
        .store()
        .prune_calls(TENANT, 250, trail(r#"{"through":250}"#));
    assert_eq!(scene.runtime.block_on(prune).unwrap(), 250);
    let verdict = scene
        .runtime
        .block_on(scene.connectors.verify_ledgers(TENANT, None))
        .unwrap();
    assert_eq!((verdict.tampered, verdict.calls, verdict.pruned), (None, 350, 250));
    scene.run("DELETE FROM calls WHERE seq = ?1", 251);
    assert_eq!(scene.found(None), Some((LedgerName::Calls, 251)));
}
