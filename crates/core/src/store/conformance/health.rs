//! What a store of the history of tests must keep.

use std::sync::Arc;

use super::sample;
use crate::{
    id::{ConnectionId, TenantId},
    store::{ConnectionRow, HealthState, Store, TestCause, TestFilter, TestRow},
};

async fn connection(store: &Arc<dyn Store>, tenant: TenantId, name: &str) -> ConnectionRow {
    let row = sample::connection(tenant, name);
    let trail = sample::trail(tenant, "made");
    store.insert_connection(row.clone(), trail).await.unwrap();
    row
}

fn all(row: &ConnectionRow) -> TestFilter {
    filter(row.tenant, row.id)
}

fn filter(tenant: TenantId, connection: ConnectionId) -> TestFilter {
    TestFilter {
        tenant,
        connection,
        state: None,
        before: None,
        limit: 100,
    }
}

async fn note(store: &Arc<dyn Store>, test: &TestRow) {
    store.note_test(test.clone(), 100).await.unwrap();
}

/// Whatever is written is read back, newest first, and no chain or feed hears of it.
pub async fn keeps_every_field(store: Arc<dyn Store>) {
    let row = connection(&store, sample::tenant_id(), "default").await;
    let before = (
        store.audit_entries(row.tenant, 0, 10).await.unwrap(),
        store.feed_end().await.unwrap(),
    );
    let failed = TestRow {
        success: false,
        state: Some(HealthState::Failing),
        finding: Some("INVALID_\0KEY".to_owned()),
        code: Some("UPSTREAM_UNAUTHORIZED".to_owned()),
        cause: TestCause::Requested,
        ..sample::test(&row, 2)
    };
    let busy = TestRow {
        success: false,
        state: None,
        cause: TestCause::Created,
        latency_ms: u64::from(u32::MAX),
        ..sample::test(&row, 3)
    };
    let tests = [busy, failed, sample::test(&row, 1)];
    for test in tests.iter().rev() {
        note(&store, test).await;
    }
    assert_eq!(store.tests(all(&row)).await.unwrap(), tests);
    let after = (
        store.audit_entries(row.tenant, 0, 10).await.unwrap(),
        store.feed_end().await.unwrap(),
    );
    assert_eq!(after, before);
    let failing = TestFilter {
        state: Some(HealthState::Failing),
        ..all(&row)
    };
    assert_eq!(store.tests(failing).await.unwrap(), tests[1..2]);
    let page = TestFilter {
        before: Some(tests[0].id),
        limit: 1,
        ..all(&row)
    };
    assert_eq!(store.tests(page).await.unwrap(), tests[1..2]);
}

/// The oldest of a connection give way, and those of others stay.
pub async fn is_bounded_by_connection(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let (row, other) = (
        connection(&store, tenant, "one").await,
        connection(&store, tenant, "other").await,
    );
    note(&store, &sample::test(&other, 0)).await;
    for nth in 0..10 {
        store.note_test(sample::test(&row, nth), 3).await.unwrap();
    }
    let times = |tests: &[TestRow]| tests.iter().map(|test| test.at).collect::<Vec<_>>();
    let tests = store.tests(all(&row)).await.unwrap();
    assert_eq!(times(&tests), [9, 8, 7].map(sample::at));
    assert_eq!(store.tests(all(&other)).await.unwrap().len(), 1);
}

/// What is old is taken out in batches, of all tenants; what is not stays.
pub async fn is_pruned_in_batches(store: Arc<dyn Store>) {
    let rows = [
        connection(&store, sample::tenant_id(), "one").await,
        connection(&store, sample::tenant_id(), "two").await,
    ];
    for row in &rows {
        for nth in 0..3 {
            note(&store, &sample::test(row, nth)).await;
        }
    }
    let prune = |at, limit| store.prune_tests(sample::at(at), limit);
    assert_eq!(prune(0, 10).await.unwrap(), 0);
    assert_eq!(prune(2, 3).await.unwrap(), 3);
    assert_eq!(prune(2, 3).await.unwrap(), 1);
    assert_eq!(prune(2, 3).await.unwrap(), 0);
    for row in &rows {
        let tests = store.tests(all(row)).await.unwrap();
        assert_eq!(tests.len(), 1);
        assert_eq!(tests[0].at, sample::at(2));
    }
}

/// A connection's history goes with it, and a tenant's with the tenant, some rows at a time; what comes late is not kept.
pub async fn goes_with_its_connection(store: Arc<dyn Store>) {
    let tenant = sample::tenant("gone");
    let trail = || sample::trail(tenant.id, "row");
    let key = sample::api_key(tenant.id);
    store.create_tenant(tenant.clone(), key, trail()).await.unwrap();
    let (one, two) = (
        connection(&store, tenant.id, "one").await,
        connection(&store, tenant.id, "two").await,
    );
    let other = connection(&store, sample::tenant_id(), "other").await;
    for row in [&one, &two, &other] {
        for nth in 0..3 {
            note(&store, &sample::test(row, nth)).await;
        }
    }
    assert!(store.delete_connection(tenant.id, one.id, trail()).await.unwrap());
    note(&store, &sample::test(&one, 9)).await;
    assert_eq!(store.tests(all(&one)).await.unwrap(), []);
    assert_eq!(store.tests(all(&two)).await.unwrap().len(), 3);

    assert!(store.delete_tenant(tenant.id, sample::at(9), trail()).await.unwrap());
    note(&store, &sample::test(&two, 9)).await;
    while store.sweep_deleted_tenants(2).await.unwrap() > 0 {}
    assert_eq!(store.tests(all(&two)).await.unwrap(), []);
    assert_eq!(store.tests(all(&other)).await.unwrap().len(), 3);
}

/// T2: a stranger neither reads nor writes the history of a connection.
pub async fn belongs_to_its_tenant(store: Arc<dyn Store>) {
    let row = connection(&store, sample::tenant_id(), "default").await;
    let stranger = sample::tenant_id();
    note(&store, &sample::test(&row, 1)).await;
    let forged = TestRow {
        tenant: stranger,
        ..sample::test(&row, 2)
    };
    note(&store, &forged).await;
    assert_eq!(store.tests(filter(stranger, row.id)).await.unwrap(), []);
    assert_eq!(store.tests(all(&row)).await.unwrap().len(), 1);
}
