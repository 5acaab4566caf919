//! Tenants end in a database that several processes write to.

use std::{sync::Arc, time::Duration};

use tieline::{
    Code,
    id::TenantId,
    store::{
        CallStore, ConnectionStore, IdempotencyRow, IdempotencyStore, TenantStore, UsageStore, conformance::sample,
    },
};
use tieline_store::PostgresStore;
use tieline_testkit::postgres::Database;
use tokio_postgres::Client;

use super::{fresh, open, raw};

/// Between two looks at the database.
const PAUSE: Duration = Duration::from_millis(10);

async fn make(store: &PostgresStore) -> TenantId {
    let tenant = sample::tenant("gone");
    let (key, trail) = (sample::api_key(tenant.id), sample::trail(tenant.id, "made"));
    store.create_tenant(tenant.clone(), key, trail).await.unwrap();
    tenant.id
}

async fn delete(store: &PostgresStore, tenant: TenantId) {
    let deleted = store.delete_tenant(tenant, sample::at(9), sample::trail(tenant, "deleted"));
    assert!(deleted.await.unwrap());
}

async fn count(owner: &Client, table: &str, tenant: TenantId) -> i64 {
    let sql = format!("SELECT count(*) FROM {table} WHERE uuid_send(tenant) = $1");
    let counted = owner.query_one(&sql, &[&tenant.as_bytes().as_slice()]).await;
    counted.unwrap().get(0)
}

/// Over when somebody in this database waits for a lock.
async fn somebody_waits(owner: &Client) {
    let waits = "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                 WHERE NOT l.granted AND a.datname = current_database())";
    while !owner.query_one(waits, &[]).await.unwrap().get::<_, bool>(0) {
        tokio::time::sleep(PAUSE).await;
    }
}

/// A change goes from its rows to the head of the chain. A deletion that held the head while it waits for such a row would
/// stand in a circle with it, which costs one of them a second and its work.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_does_not_hold_the_head_while_it_waits_for_rows() {
    let Some((store, database)) = fresh().await else { return };
    let store = Arc::new(store);
    let tenant = make(&store).await;
    let row = sample::connection(tenant, "default");
    store
        .insert_connection(row, sample::trail(tenant, "row"))
        .await
        .unwrap();
    let (change, watch) = (raw(&database).await, raw(&database).await);
    change
        .batch_execute("BEGIN; SELECT 1 FROM connections FOR UPDATE")
        .await
        .unwrap();
    let deletion = {
        let store = store.clone();
        tokio::spawn(async move { delete(&store, tenant).await })
    };
    somebody_waits(&watch).await;
    let head = "SELECT 1 FROM audit_heads FOR UPDATE NOWAIT";
    change.batch_execute(head).await.expect("the head is free");
    change.batch_execute("ROLLBACK").await.unwrap();
    deletion.await.unwrap();
    assert_eq!(count(&watch, "connections", tenant).await, 0);
}

/// What is written between the deletion's first look at a table and its turn at the head goes, too.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_just_before_the_deletion_goes_with_it() {
    let Some((store, database)) = fresh().await else { return };
    let store = Arc::new(store);
    let tenant = make(&store).await;
    let (change, watch) = (raw(&database).await, raw(&database).await);
    // A change of another process: it has the head, and rows that nobody sees yet.
    let begin = "BEGIN; SELECT 1 FROM audit_heads FOR UPDATE";
    change.batch_execute(begin).await.unwrap();
    let bytes = tenant.as_bytes().as_slice();
    let insert = "INSERT INTO data_keys (tenant, id, wrapped, created_at) SELECT id, 7, '', now() FROM tenants \
                  WHERE uuid_send(id) = $1";
    assert_eq!(change.execute(insert, &[&bytes]).await.unwrap(), 1);
    let deletion = {
        let store = store.clone();
        tokio::spawn(async move { delete(&store, tenant).await })
    };
    somebody_waits(&watch).await;
    change.batch_execute("COMMIT").await.unwrap();
    deletion.await.unwrap();
    assert_eq!(count(&watch, "data_keys", tenant).await, 0);
}

/// Servers that sweep at the same time leave nothing behind: none takes what another is at for swept.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sweeps_that_meet_leave_nothing() {
    let Some((store, database)) = fresh().await else { return };
    let stores = [Arc::new(store), Arc::new(open(&database).await)];
    let tenant = make(&stores[0]).await;
    let calls = (0..120).map(|_| sample::call(tenant)).collect();
    stores[0].append_calls(vec![sample::call_batch(calls)]).await.unwrap();
    delete(&stores[0], tenant).await;
    let sweeps = (0..8).map(|nth| {
        let store = stores[nth % 2].clone();
        tokio::spawn(async move { while store.sweep_deleted_tenants(5).await.unwrap() > 0 {} })
    });
    for sweep in sweeps.collect::<Vec<_>>() {
        sweep.await.unwrap();
    }
    assert_eq!(stores[0].calls_in_order(tenant, 0, 1000).await.unwrap(), []);
    assert_eq!(stores[0].usage(sample::usage_filter(tenant)).await.unwrap(), []);
}

fn request(tenant: TenantId, id: u8) -> IdempotencyRow {
    IdempotencyRow {
        tenant,
        id: [id; 16],
        request: vec![1],
        attempt: 1,
        until: sample::at(100),
        expires_at: sample::at(200),
        answer: None,
    }
}

/// Kept answers may be very many: they go some at a time, after the tenant, and none comes back.
#[tokio::test]
async fn kept_answers_are_swept_and_none_comes_later() {
    let Some((store, database)) = fresh().await else { return };
    let owner = raw(&database).await;
    let tenant = make(&store).await;
    for id in 0..7 {
        store
            .begin_idempotent(request(tenant, id), sample::at(0))
            .await
            .unwrap();
    }
    let finish = |id: u8| store.finish_idempotent(tenant, [id; 16], 1, b"answer".to_vec(), 1000);
    for id in 0..5 {
        assert!(finish(id).await.unwrap());
    }
    delete(&store, tenant).await;
    // One that ran meanwhile is told that it may end; what it leaves is swept with the rest.
    assert!(finish(5).await.unwrap());
    let late = store.begin_idempotent(request(tenant, 9), sample::at(0)).await;
    assert_eq!(late.unwrap_err().code(), Code::TenantDeleted);
    let mut rounds = 0;
    while store.sweep_deleted_tenants(2).await.unwrap() > 0 {
        rounds += 1;
    }
    assert!(rounds >= 4, "seven answers, two at a time");
    assert!(!finish(6).await.unwrap(), "there is nothing left to end");
    for table in ["idempotency", "idempotency_kept"] {
        assert_eq!(count(&owner, table, tenant).await, 0, "{table}");
    }
}

/// A deletion of another process that has the head of the chain already, and is seen once it commits.
struct Deletion(Client);

impl Deletion {
    async fn begin(database: &Database) -> Self {
        let client = raw(database).await;
        let begin = "BEGIN; SELECT 1 FROM audit_heads FOR UPDATE";
        client.batch_execute(begin).await.unwrap();
        Self(client)
    }

    async fn commit(self, tenant: TenantId) {
        let note =
            "INSERT INTO deleted_tenants (id, deleted_at) SELECT id, now() FROM tenants WHERE uuid_send(id) = $1";
        let bytes = tenant.as_bytes().as_slice();
        assert_eq!(self.0.execute(note, &[&bytes]).await.unwrap(), 1);
        self.0.batch_execute("COMMIT").await.unwrap();
    }
}

/// A change that waits for the head while the tenant is deleted is refused, with all that it wrote.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_under_way_meets_the_deletion_at_the_head() {
    let Some((store, database)) = fresh().await else { return };
    let store = Arc::new(store);
    let tenant = make(&store).await;
    let (deletion, watch) = (Deletion::begin(&database).await, raw(&database).await);
    let change = {
        let (store, row) = (store.clone(), sample::connection(tenant, "late"));
        tokio::spawn(async move { store.insert_connection(row, sample::trail(tenant, "late")).await })
    };
    somebody_waits(&watch).await;
    deletion.commit(tenant).await;
    assert_eq!(change.await.unwrap().unwrap_err().code(), Code::TenantDeleted);
    assert_eq!(count(&watch, "connections", tenant).await, 0);
    assert_eq!(count(&watch, "audit", tenant).await, 1);
}

/// Calls that wait for the head meanwhile are left out, and those of other tenants in the same batch are written.
#[tokio::test(flavor = "multi_thread")]
async fn calls_under_way_meet_the_deletion_at_the_head() {
    let Some((store, database)) = fresh().await else { return };
    let store = Arc::new(store);
    let tenant = make(&store).await;
    let other = sample::tenant_id();
    let (deletion, watch) = (Deletion::begin(&database).await, raw(&database).await);
    let mut batches = [tenant, other]
        .map(|tenant| sample::call_batch(vec![sample::call(tenant)]))
        .to_vec();
    batches.sort_by_key(|batch| batch.tenant);
    let calls = {
        let store = store.clone();
        tokio::spawn(async move { store.append_calls(batches).await })
    };
    somebody_waits(&watch).await;
    deletion.commit(tenant).await;
    calls.await.unwrap().unwrap();
    for (table, left) in [("calls", 0), ("usage", 0), ("call_heads", 0), ("audit", 1)] {
        assert_eq!(count(&watch, table, tenant).await, left, "{table}");
    }
    assert_eq!(store.calls_in_order(other, 0, 10).await.unwrap().len(), 1);
}
