//! A1: somebody with the database and without the key alters it; `verify_ledgers` says where.

use rusqlite::{Connection, OpenFlags};
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
use tieline_testkit::postgres::Database;
use tokio::runtime::Runtime;
use tokio_postgres::Client;

const TENANT: TenantId = TenantId::from_bytes([1; 16]);

/// How long a chain is, and how many alterations of it are tried. PostgreSQL takes longer for each, and has the same chain.
const SQLITE: (usize, usize) = (10_000, 1_000);
const POSTGRES: (usize, usize) = (2_000, 100);

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

/// Columns that are written; another may be made from them.
const AUDIT: (&str, &str) = ("audit", "tenant, seq, id, at, actor, action, subject, detail, hash");
const CALLS: (&str, &str) = (
    "calls",
    "tenant, seq, id, at, actor, kind, connector, action, connection, credential, outcome, status, micros, attempts, sent, \
     received, mark",
);

/// A database as the one who alters it has it open: as its owner, past all that guards it but its own rules.
enum Raw {
    Sqlite(Connection, #[expect(dead_code, reason = "kept until the end")] TempDir),
    Postgres(Client, #[expect(dead_code, reason = "kept until the end")] Database),
}

impl Raw {
    /// Statements are written for SQLite, with words in brackets for what the databases say differently.
    fn dialect(&self, sql: &str) -> String {
        let words = match self {
            Self::Sqlite(..) => [
                ("[uuid]", "randomblob(16)"),
                ("[mark]", "randomblob(16)"),
                ("[hash]", "randomblob(32)"),
                ("[later]", "at + 1"),
                ("[tenant]", "x'01010101010101010101010101010101'"),
            ],
            Self::Postgres(..) => [
                ("[uuid]", "gen_random_uuid()"),
                ("[mark]", "substr(sha256(gen_random_uuid()::text::bytea), 1, 16)"),
                ("[hash]", "sha256(gen_random_uuid()::text::bytea)"),
                ("[later]", "at + interval '1 microsecond'"),
                ("[tenant]", "'01010101-0101-0101-0101-010101010101'"),
            ],
        };
        words
            .into_iter()
            .fold(sql.to_owned(), |sql, (word, here)| sql.replace(word, here))
    }

    /// Runs one statement with a place, and says how many rows it changed.
    fn run(&self, runtime: &Runtime, sql: &str, place: usize) -> u64 {
        let sql = self.dialect(sql).replace("[at]", &place.to_string());
        let ran = match self {
            Self::Sqlite(raw, _) => raw
                .execute(&sql, [])
                .map(|rows| rows as u64)
                .map_err(|error| error.to_string()),
            Self::Postgres(raw, _) => runtime
                .block_on(raw.execute(&sql, &[]))
                .map_err(|error| format!("{error:?}")),
        };
        ran.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn batch(&self, runtime: &Runtime, sql: &str) {
        match self {
            Self::Sqlite(raw, _) => raw.execute_batch(sql).unwrap(),
            Self::Postgres(raw, _) => runtime.block_on(raw.batch_execute(sql)).unwrap(),
        }
    }

    /// Takes away what refuses to change the past.
    fn disarm(&self, runtime: &Runtime) {
        let Self::Sqlite(raw, _) = self else {
            let tables = ["audit", "audit_heads", "calls"];
            return tables.into_iter().for_each(|table| {
                self.batch(runtime, &format!("ALTER TABLE {table} DISABLE TRIGGER USER"));
            });
        };
        let mut triggers = raw
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            .unwrap();
        let names = triggers.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let names: Vec<String> = names.map(Result::unwrap).collect();
        for name in names {
            raw.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
        }
        raw.execute_batch("PRAGMA synchronous = off").unwrap();
    }
}

struct Scene {
    connectors: Connectors,
    raw: Raw,
    runtime: Runtime,
}

fn below(bound: usize) -> usize {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes).unwrap();
    (u64::from_be_bytes(bytes) % bound as u64) as usize
}

fn connectors() -> tieline::ConnectorsBuilder {
    Connectors::builder()
        .scope("tenant", tieline::ScopeRule::Optional)
        .key(MasterKey::generate(&SystemRandom).unwrap())
        .manifest(MANIFEST)
}

impl Scene {
    fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tieline.db");
        let connectors = connectors().store(SqliteStore::open(&path).unwrap()).build().unwrap();
        let raw = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        Self {
            connectors,
            raw: Raw::Sqlite(raw, dir),
            runtime: Runtime::new().unwrap(),
        }
    }

    fn postgres() -> Option<Self> {
        let runtime = Runtime::new().unwrap();
        let (connectors, raw) = runtime.block_on(async {
            let (store, database) = crate::postgres::fresh().await?;
            let raw = crate::postgres::raw(&database).await;
            Some((connectors().store(store).build().unwrap(), Raw::Postgres(raw, database)))
        })?;
        Some(Self {
            connectors,
            raw,
            runtime,
        })
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

    /// Takes the guards away, and keeps a copy to restore from.
    fn begin(&self, (table, columns): (&str, &str)) {
        self.raw.disarm(&self.runtime);
        let copy = format!(
            "CREATE TABLE original AS SELECT {columns} FROM {table}; CREATE UNIQUE INDEX original_place ON original (seq)"
        );
        self.raw.batch(&self.runtime, &copy);
    }

    /// Puts back the rows of these places.
    fn restore(&self, (table, columns): (&str, &str), places: impl IntoIterator<Item = usize>) {
        let mut sql = String::from("BEGIN;");
        for other in ["<", ">"] {
            sql.push_str(&format!("DELETE FROM {table} WHERE tenant {other} [tenant];"));
        }
        let places: Vec<usize> = places.into_iter().collect();
        for place in &places {
            sql.push_str(&format!(
                "DELETE FROM {table} WHERE tenant = [tenant] AND seq = {place};"
            ));
        }
        for place in &places {
            sql.push_str(&format!(
                "INSERT INTO {table} ({columns}) SELECT {columns} FROM original WHERE seq = {place};"
            ));
        }
        sql.push_str("COMMIT");
        self.raw.batch(&self.runtime, &self.raw.dialect(&sql));
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
            self.run(&format!("UPDATE {table} SET seq = {to} WHERE seq = [at]"), from);
        }
    }

    /// Runs a statement about the row at a place.
    fn run(&self, sql: &str, place: usize) {
        // With the tenant named, the primary key leads to the row.
        let sql = sql.replace("WHERE seq", "WHERE tenant = [tenant] AND seq");
        assert!(self.raw.run(&self.runtime, &sql, place) > 0, "{sql} at {place}");
    }
}

/// Each column of an entry, and what is done to it.
const EDITS: [&str; 9] = [
    "tenant = [uuid]",
    "id = [uuid]",
    "at = [later]",
    "actor = actor || 'x'",
    "action = 'sample.changee'",
    "subject = ''",
    "detail = '{}'",
    "hash = [hash]",
    // A letter moved from one column into the next.
    "action = substr(actor, length(actor)) || action, actor = substr(actor, 1, length(actor) - 1)",
];

/// Does one random thing to the chain; answers the place where it must be seen, and those that have to be restored.
fn alter(scene: &Scene, entries: usize) -> (usize, Vec<usize>, String) {
    // A verification ends at the first such place, so most are put where that is soon: a tenth of all beyond the middle.
    let at = 1 + below([10, 100, 1_000, 1_000, entries - 1][below(5)]);
    match below(24) {
        0..8 => {
            let edit = EDITS[below(EDITS.len())];
            scene.run(&format!("UPDATE audit SET {edit} WHERE seq = [at]"), at);
            (at, vec![at], edit.to_owned())
        }
        8..14 => {
            scene.run("DELETE FROM audit WHERE seq = [at]", at);
            (at, vec![at], "delete".to_owned())
        }
        14..21 => {
            let other = at + 1 + below(entries - at);
            scene.swap("audit", at, other);
            (at, vec![at, other], format!("swap with {other}"))
        }
        kind => alter_the_end(scene, entries, kind),
    }
}

/// What moves everything after it, or cuts it off: near the end.
fn alter_the_end(scene: &Scene, entries: usize, kind: usize) -> (usize, Vec<usize>, String) {
    let at = entries - below(MOVED);
    let what = match kind {
        21 => {
            // With care: the rest closes up. Of the last entry this is a cut.
            scene.run("DELETE FROM audit WHERE seq = [at]", at);
            for seq in at + 1..=entries {
                scene.run("UPDATE audit SET seq = seq - 1 WHERE seq = [at]", seq);
            }
            "delete and close up"
        }
        22 => {
            for seq in (at..=entries).rev() {
                scene.run("UPDATE audit SET seq = seq + 1 WHERE seq = [at]", seq);
            }
            scene.run(
                "INSERT INTO audit (tenant, seq, id, at, actor, action, subject, detail, hash) \
                 SELECT tenant, [at], [uuid], at, 'intruder', action, subject, detail, hash FROM audit WHERE seq = [at] + 1",
                at,
            );
            "insert"
        }
        // Seen by the head beside the chain.
        _ => {
            scene.run("DELETE FROM audit WHERE seq > [at]", at - 1);
            "cut"
        }
    };
    // The place beyond the end is emptied, and has no original.
    (at, (at..=entries + 1).collect(), what.to_owned())
}

#[test]
fn a1_a_thousand_alterations_of_the_audit_log_are_located() {
    alterations_are_located(&Scene::sqlite(), SQLITE);
}

#[test]
fn a1_alterations_of_the_audit_log_are_located_in_postgres() {
    if let Some(scene) = Scene::postgres() {
        alterations_are_located(&scene, POSTGRES);
    }
}

fn alterations_are_located(scene: &Scene, (entries, alterations): (usize, usize)) {
    scene.write_chain(entries);
    let verdict = scene
        .runtime
        .block_on(scene.connectors.verify_ledgers(TENANT, None))
        .unwrap();
    assert_eq!((verdict.tampered, verdict.head.seq), (None, entries as u64));
    scene.begin(AUDIT);
    for _ in 0..alterations {
        let (place, touched, what) = alter(scene, entries);
        let expected = Some((LedgerName::Audit, place as u64));
        assert_eq!(scene.found(None), expected, "{what} at {place}");
        scene.restore(AUDIT, touched);
    }
    assert_eq!(scene.found(Some(verdict.head)), None, "restored, it holds");
}

#[test]
fn a2_an_end_that_is_cut_off_with_its_head_is_seen_against_a_published_head() {
    a_cut_is_seen(&Scene::sqlite());
    if let Some(scene) = Scene::postgres() {
        a_cut_is_seen(&scene);
    }
}

fn a_cut_is_seen(scene: &Scene) {
    scene.write_chain(1_000);
    let head = scene
        .runtime
        .block_on(scene.connectors.verify_ledgers(TENANT, None))
        .unwrap()
        .head;
    scene.begin(AUDIT);
    scene.run("DELETE FROM audit WHERE seq > [at]", 900);
    assert_eq!(
        scene.found(None),
        Some((LedgerName::Audit, 901)),
        "the head beside the chain tells"
    );
    let back =
        "UPDATE audit_heads SET (seq, hash) = (SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1) WHERE seq > 0";
    scene.run(back, 1);
    assert_eq!(scene.found(None), None, "nothing in the file tells any more");
    assert_eq!(scene.found(Some(head)), Some((LedgerName::Audit, 901)));
    scene.restore(AUDIT, 901..=1_000);
    assert_eq!(scene.found(Some(head)), None);
    scene.run("DELETE FROM audit_heads WHERE seq > 0", 1);
    assert_eq!(
        scene.found(None),
        Some((LedgerName::Audit, 1_000)),
        "a head that is gone is missed"
    );
    let forged = "INSERT INTO audit_heads SELECT tenant, seq, [hash] FROM audit WHERE seq = [at]";
    scene.run(forged, 500);
    assert_eq!(scene.found(None), Some((LedgerName::Audit, 500)));
}

/// Each column of a call, and what is done to it.
const CALL_EDITS: [&str; 18] = [
    "tenant = [uuid]",
    "id = [uuid]",
    "at = [later]",
    "actor = 'somebody'",
    "kind = 'proxy'",
    "connector = connector || 'x'",
    "action = NULL",
    "action = 'xlook'",
    "connection = [uuid]",
    "credential = [uuid]",
    "outcome = 'ok'",
    "status = 200",
    "status = 0",
    "micros = micros + 1",
    "attempts = 1",
    "sent = 0",
    "received = 600",
    "mark = [mark]",
];

#[test]
fn a1_altered_calls_are_located() {
    altered_calls_are_located(&Scene::sqlite());
    if let Some(scene) = Scene::postgres() {
        altered_calls_are_located(&scene);
    }
}

fn altered_calls_are_located(scene: &Scene) {
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
    scene.begin(CALLS);
    let is_found = |place: usize, touched: &[usize], what: &str| {
        assert_eq!(
            scene.found(None),
            Some((LedgerName::Calls, place as u64)),
            "{what} at {place}"
        );
        scene.restore(CALLS, touched.iter().copied());
    };
    for edit in CALL_EDITS.iter().cycle().take(5 * CALL_EDITS.len()) {
        let at = 1 + below(calls);
        scene.run(&format!("UPDATE calls SET {edit} WHERE seq = [at]"), at);
        is_found(at, &[at], edit);
    }
    for _ in 0..20 {
        let (at, other) = (1 + below(calls / 2), 1 + calls / 2 + below(calls / 2));
        scene.run("DELETE FROM calls WHERE seq = [at]", at);
        is_found(at, &[at], "delete");
        scene.swap("calls", at, other);
        is_found(at, &[at, other], "swap");
    }
    let forged = "INSERT INTO calls (tenant, seq, id, at, actor, kind, connector, action, connection, credential, outcome, \
                  status, micros, attempts, sent, received, mark) SELECT tenant, seq + 1, [uuid], at, actor, kind, connector, \
                  action, connection, credential, outcome, status, micros, attempts, sent, received, mark FROM calls \
                  WHERE seq = [at]";
    scene.run(forged, calls);
    is_found(calls + 1, &[calls + 1], "insert at the end");
    scene.run("DELETE FROM calls WHERE seq > [at]", calls - 100);
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
    scene.run("DELETE FROM calls WHERE seq = [at]", 251);
    assert_eq!(scene.found(None), Some((LedgerName::Calls, 251)));
}
