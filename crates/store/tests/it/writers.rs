//! Fifty writers, killed again and again: the ledgers hold, and nothing that was answered is lost.

use std::{path::Path, sync::Arc};

use tieline::{
    Connectors, MasterKey,
    audit::Actor,
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

fn open(path: &Path, key: &str) -> Connectors {
    Connectors::builder()
        .store(SqliteStore::open(path).unwrap())
        .key(MasterKey::parse(key).unwrap())
        .scope("user", ScopeRule::Required)
        .manifest(MANIFEST)
        .build()
        .unwrap()
}

#[test]
fn a1_fifty_writers_with_kills_raise_no_false_alarm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tieline.db");
    // The child finds the key in a file, as a server would.
    let key = MasterKey::generate(&SystemRandom).unwrap().to_text();
    std::fs::write(dir.path().join("key"), key.reveal()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut answered: Vec<(TenantId, ConnectionId)> = Vec::new();
    let mut heads = [None; 2];
    for round in 0..KILLS {
        let mut child = Process::start("writers::write_until_killed", &path);
        let mut hear = |child: &mut Process| {
            let said = child.hear()?;
            let (tenant, id) = said.split_once(' ').unwrap();
            answered.push((tenant.parse().unwrap(), id.parse().unwrap()));
            Some(())
        };
        for _ in 0..ANSWERED + 37 * round {
            hear(&mut child).expect("the child writes until it is killed");
        }
        child.kill();
        while hear(&mut child).is_some() {}
        runtime.block_on(async {
            let connectors = open(&path, key.reveal());
            for (tenant, known) in TENANTS.iter().zip(&mut heads) {
                let verdict = connectors.verify_ledgers(*tenant, *known).await.unwrap();
                assert_eq!(verdict.tampered, None, "round {round}");
                assert!(verdict.head.seq > 0 && verdict.calls > 0);
                *known = Some(verdict.head);
            }
            for (tenant, id) in &answered {
                let by = Actor::new(*tenant, "test");
                connectors
                    .connection(&by, *id)
                    .await
                    .unwrap_or_else(|_| panic!("{id} was lost"));
            }
        });
    }
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
        for writer in writers {
            writer.await.unwrap();
        }
    });
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
