//! One tenant's audit chain is broken by somebody with the file: nobody else's ledger waits for it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use tieline::{
    Code, Connectors, MasterKey,
    api_key::{NewApiKey, Permissions},
    audit::Actor,
    clock::SystemRandom,
    id::TenantId,
    limits::FLUSH_PAUSE,
};
use tieline_store::SqliteStore;

use crate::tamper::{MANIFEST, refused_call};

const BROKEN: TenantId = TenantId::from_bytes([1; 16]);
const SOUND: TenantId = TenantId::from_bytes([2; 16]);

/// Puts the head of the broken tenant's chain back or forth: whatever continues the chain from there is refused.
fn move_head(path: &Path, by: i64) {
    let raw = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    raw.execute_batch("DROP TRIGGER IF EXISTS audit_head_only_advances")
        .unwrap();
    let moved = "UPDATE audit_heads SET seq = seq + ?1 WHERE tenant = ?2";
    raw.execute(moved, (by, BROKEN.as_bytes())).unwrap();
}

struct House {
    connectors: Connectors,
    keys: [String; 2],
    dir: TempDir,
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let connectors = Connectors::builder()
            .scope("tenant", tieline::ScopeRule::Optional)
            .store(SqliteStore::open(dir.path().join("tieline.db")).unwrap())
            .key(MasterKey::generate(&SystemRandom).unwrap())
            .manifest(MANIFEST)
            .build()
            .unwrap();
        let mut keys = Vec::new();
        for tenant in [BROKEN, SOUND] {
            let new = NewApiKey {
                name: "key".to_owned(),
                permissions: Permissions::new(),
                expires_at: None,
                environment: None,
                allowed_networks: None,
            };
            let made = connectors.create_api_key(&Actor::new(tenant, "test"), new).await;
            keys.push(made.unwrap().text.reveal().clone());
        }
        let keys = keys.try_into().unwrap();
        Self { connectors, keys, dir }
    }

    fn move_head(&self, by: i64) {
        move_head(&self.dir.path().join("tieline.db"), by);
    }

    async fn call_both(&self) {
        for tenant in [BROKEN, SOUND] {
            refused_call(&self.connectors, tenant).await;
        }
    }

    /// How many calls are written down of each.
    async fn written(&self) -> [usize; 2] {
        let rows = async |tenant| self.connectors.store().calls_in_order(tenant, 0, 100).await.unwrap();
        [rows(BROKEN).await.len(), rows(SOUND).await.len()]
    }

    /// How many uses of keys are.
    async fn uses(&self) -> [usize; 2] {
        let used = async |tenant| {
            let log = self.connectors.store().audit_entries(tenant, 0, 100).await.unwrap();
            log.iter().filter(|row| row.entry.action == "api_key.used").count()
        };
        [used(BROKEN).await, used(SOUND).await]
    }

    async fn hold(&self) {
        for tenant in [BROKEN, SOUND] {
            let verdict = self.connectors.verify_ledgers(tenant, None).await.unwrap();
            assert_eq!(verdict.tampered, None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a1_a_broken_chain_stops_no_other_tenants_ledger() {
    let house = House::new().await;
    house.call_both().await;
    house.connectors.flush_calls().await.unwrap();
    assert_eq!(house.written().await, [1, 1]);
    house.move_head(-1);
    for key in &house.keys {
        house.connectors.authenticate(key, "GET /x").await.unwrap();
    }
    house.call_both().await;
    let told = house.connectors.flush_calls().await.unwrap_err();
    assert_eq!(told.code(), Code::ConnectorDatabaseFailed);
    assert_eq!((house.written().await, house.uses().await), ([1, 2], [0, 1]));
    assert_eq!(house.connectors.calls_set_aside(), (1, 1));
    // From here on the others' flushes do not even try it.
    house.call_both().await;
    house.connectors.flush_calls().await.unwrap();
    assert_eq!(
        (house.written().await, house.connectors.calls_set_aside()),
        ([1, 3], (2, 1))
    );
    assert!(
        house.connectors.close().await.is_err(),
        "the last try fails, and says so"
    );
    house.move_head(1);
    house.connectors.close().await.unwrap();
    assert_eq!((house.written().await, house.uses().await), ([3, 3], [1, 1]));
    assert_eq!(house.connectors.calls_set_aside(), (0, 0));
    house.hold().await;
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_was_mended_is_written_by_the_keeper() {
    let house = House::new().await;
    house.move_head(-1);
    let keeper = {
        let connectors = house.connectors.clone();
        tokio::spawn(async move { connectors.keep_ledger().await })
    };
    house.call_both().await;
    while house.connectors.calls_set_aside() != (1, 1) {
        tokio::time::sleep(FLUSH_PAUSE).await;
    }
    while house.written().await != [0, 1] {
        tokio::time::sleep(FLUSH_PAUSE).await;
    }
    house.move_head(1);
    while house.connectors.calls_set_aside() != (0, 0) {
        tokio::time::sleep(FLUSH_PAUSE).await;
    }
    assert_eq!(house.written().await, [1, 1]);
    keeper.abort();
    house.hold().await;
}
