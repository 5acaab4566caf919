//! What a store of the ledger of calls must keep.

use std::{collections::BTreeSet, sync::Arc};

use super::{RACERS, race, sample};
use crate::{
    id::TenantId,
    store::{CallEntry, CallFilter, CallKind, CallRow, Store},
};

fn all(tenant: TenantId) -> CallFilter {
    CallFilter {
        tenant,
        connection: None,
        connector: None,
        actor: None,
        outcome: None,
        from: None,
        to: None,
        before: None,
        limit: 1000,
        scan: 100_000,
    }
}

async fn append(store: &Arc<dyn Store>, calls: Vec<CallEntry>) {
    store.append_calls(vec![sample::call_batch(calls)]).await.unwrap();
}

/// A call without whatever may be absent.
fn bare(tenant: TenantId) -> CallEntry {
    CallEntry {
        kind: CallKind::Test,
        action: None,
        connection: None,
        credential: None,
        status: None,
        sent: None,
        received: None,
        ..sample::call(tenant)
    }
}

/// A row comes back as it was written, in its place, with the mark that was computed for that place.
pub async fn keeps_every_field(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let calls = vec![sample::call(tenant), bare(tenant)];
    append(&store, calls.clone()).await;
    append(&store, vec![sample::call(tenant)]).await;
    let rows = store.calls_in_order(tenant, 0, 10).await.unwrap();
    let places: Vec<u64> = rows.iter().map(|row| row.seq).collect();
    assert_eq!(places, [1, 2, 3]);
    for (row, call) in rows.iter().zip(&calls) {
        assert_eq!(row.entry, *call);
        assert_eq!(row.mark, sample::mark(row.seq, &row.entry));
        assert_eq!(store.call(tenant, call.id).await.unwrap().as_ref(), Some(row));
    }
    assert_eq!(store.calls_in_order(tenant, 2, 10).await.unwrap(), rows[2..]);
    assert_eq!(store.calls_in_order(tenant, 0, 1).await.unwrap(), rows[..1]);
}

/// The calls of several tenants are written together, each with its own trail, which knows the places.
pub async fn are_written_with_their_trails(store: Arc<dyn Store>) {
    let mut tenants = [sample::tenant_id(), sample::tenant_id()];
    tenants.sort();
    for _ in 0..2 {
        let batches = tenants.map(|tenant| sample::call_batch(vec![sample::call(tenant), sample::call(tenant)]));
        store.append_calls(batches.to_vec()).await.unwrap();
    }
    for tenant in tenants {
        let audit = store.audit_entries(tenant, 0, 10).await.unwrap();
        sample::assert_chain(&audit);
        let details: Vec<_> = audit.iter().map(|row| row.entry.detail.as_str()).collect();
        assert_eq!(details, ["[1,2]", "[3,2]"]);
        assert_eq!(store.calls_in_order(tenant, 0, 10).await.unwrap().len(), 4);
    }
    assert_eq!(store.calling_tenants(None, 10).await.unwrap(), tenants);
    assert_eq!(store.calling_tenants(Some(tenants[0]), 10).await.unwrap(), tenants[1..]);
    assert_eq!(store.calling_tenants(None, 1).await.unwrap(), tenants[..1]);
}

/// When one row cannot be written, here because its identifier stands, nothing of any tenant is.
pub async fn fail_whole(store: Arc<dyn Store>) {
    let mut tenants = [sample::tenant_id(), sample::tenant_id()];
    tenants.sort();
    let known = sample::call(tenants[1]);
    append(&store, vec![known.clone()]).await;
    let batches = vec![
        sample::call_batch(vec![sample::call(tenants[0])]),
        sample::call_batch(vec![sample::call(tenants[1]), known]),
    ];
    assert!(store.append_calls(batches).await.is_err());
    let mut mixed = sample::call_batch(vec![sample::call(tenants[0])]);
    mixed.calls = [sample::call(tenants[0]), sample::call(tenants[1])].into();
    assert!(store.append_calls(vec![mixed]).await.is_err(), "T1");
    for (tenant, count) in tenants.into_iter().zip([0, 1]) {
        assert_eq!(store.calls_in_order(tenant, 0, 10).await.unwrap().len(), count);
        assert_eq!(store.audit_entries(tenant, 0, 10).await.unwrap().len(), count);
        let usage = store.usage(sample::usage_filter(tenant)).await.unwrap();
        assert_eq!(usage.iter().map(|(_, sums)| sums.calls).sum::<u64>(), count as u64);
    }
}

/// Every filter narrows the list, together they narrow it further, and the newest comes first.
pub async fn filters_combine(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let calls: Vec<CallEntry> = (0..32)
        .map(|n: usize| {
            let bit = |place: usize| n >> place & 1 == 1;
            let mut call = sample::call_at(tenant, sample::at(n as i64));
            if bit(0) {
                call.connector = "other".to_owned();
            }
            if bit(1) {
                call.connection = Some(sample::CONNECTION);
            }
            if bit(2) {
                call.actor = "cli".to_owned();
            }
            if bit(3) {
                call.outcome = "UPSTREAM_TIMEOUT".to_owned();
            }
            call
        })
        .collect();
    append(&store, calls.clone()).await;
    for mask in 0..64_usize {
        let on = |place: usize| mask >> place & 1 == 1;
        let filter = CallFilter {
            connector: on(0).then(|| "other".to_owned()),
            connection: on(1).then_some(sample::CONNECTION),
            actor: on(2).then(|| "cli".to_owned()),
            outcome: on(3).then(|| "UPSTREAM_TIMEOUT".to_owned()),
            from: on(4).then(|| sample::at(9)),
            to: on(5).then(|| sample::at(25)),
            ..all(tenant)
        };
        let fits = |n: &usize| {
            (0..4).all(|place| !on(place) || n >> place & 1 == 1) && (!on(4) || *n >= 9) && (!on(5) || *n < 25)
        };
        let expected: Vec<_> = (0..32).filter(fits).map(|n| calls[n].id).rev().collect();
        let found = store.calls(filter).await.unwrap();
        let got: Vec<_> = found.rows.iter().map(|row| row.entry.id).collect();
        assert_eq!(got, expected, "{mask:06b}");
        assert_eq!(found.stopped, None);
    }
}

/// Pages follow each other, and a search looks at a bounded number of rows and says where it stopped.
pub async fn pages_and_stops(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let mut calls: Vec<CallEntry> = (0..10).map(|n| sample::call_at(tenant, sample::at(n))).collect();
    calls[1].actor = "rare".to_owned();
    append(&store, calls.clone()).await;
    let ids = |rows: &[CallRow]| rows.iter().map(|row| row.entry.id).collect::<Vec<_>>();
    let newest: Vec<_> = calls.iter().map(|call| call.id).rev().collect();
    let page = store
        .calls(CallFilter {
            limit: 4,
            ..all(tenant)
        })
        .await
        .unwrap();
    assert_eq!((ids(&page.rows), page.stopped), (newest[..4].to_vec(), None));
    let next = CallFilter {
        before: Some(newest[3]),
        limit: 4,
        ..all(tenant)
    };
    assert_eq!(ids(&store.calls(next).await.unwrap().rows), newest[4..8]);

    let rare = CallFilter {
        actor: Some("rare".to_owned()),
        scan: 4,
        limit: 2,
        ..all(tenant)
    };
    let mut before = None;
    let mut found = Vec::new();
    let mut looks = 0;
    loop {
        let page = store.calls(CallFilter { before, ..rare.clone() }).await.unwrap();
        found.extend(ids(&page.rows));
        looks += 1;
        before = page.stopped;
        if before.is_none() {
            break;
        }
    }
    assert_eq!((found, looks), (vec![calls[1].id], 3));
    let exactly = CallFilter {
        scan: 10,
        ..all(tenant)
    };
    assert_eq!(store.calls(exactly).await.unwrap().stopped, None, "there is no more");
    let recent = CallFilter {
        from: Some(sample::at(8)),
        scan: 3,
        ..rare
    };
    assert_eq!(
        store.calls(recent).await.unwrap().stopped,
        None,
        "older rows are not looked at"
    );
}

/// Many writers at once leave no gap and write no place twice.
pub async fn are_gapless_under_concurrency(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    race(RACERS, |_| {
        let store = store.clone();
        async move { append(&store, vec![sample::call(tenant), sample::call(tenant)]).await }
    })
    .await;
    let rows = store.calls_in_order(tenant, 0, 1000).await.unwrap();
    assert!(rows.iter().map(|row| row.seq).eq(1..=2 * RACERS as u64));
    assert!(rows.iter().all(|row| row.mark == sample::mark(row.seq, &row.entry)));
    let ids: BTreeSet<_> = rows.iter().map(|row| row.entry.id).collect();
    assert_eq!(ids.len(), rows.len());
    sample::assert_chain(&store.audit_entries(tenant, 0, 1000).await.unwrap());
}

/// The oldest are taken out with a trail; places go on from where they were, and usage stays.
pub async fn are_pruned_from_the_beginning(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    append(&store, (0..5).map(|_| sample::call(tenant)).collect()).await;
    let trail = || sample::trail(tenant, "pruned");
    assert_eq!(store.prune_calls(tenant, 3, trail()).await.unwrap(), 3);
    assert_eq!(store.prune_calls(tenant, 3, trail()).await.unwrap(), 0);
    assert_eq!(
        store
            .prune_calls(sample::tenant_id(), 9, sample::no_trail())
            .await
            .unwrap(),
        0
    );
    let places = async || {
        let rows = store.calls_in_order(tenant, 0, 10).await.unwrap();
        rows.iter().map(|row| row.seq).collect::<Vec<_>>()
    };
    assert_eq!(places().await, [4, 5]);
    assert_eq!(store.prune_calls(tenant, 5, trail()).await.unwrap(), 2);
    append(&store, vec![sample::call(tenant)]).await;
    assert_eq!(places().await, [6], "a place is never given twice");
    let audit = store.audit_entries(tenant, 0, 10).await.unwrap();
    sample::assert_chain(&audit);
    assert_eq!(audit.len(), 4, "two batches, two prunings");
    let usage = store.usage(sample::usage_filter(tenant)).await.unwrap();
    assert_eq!(usage[0].1.calls, 6);
}

/// T2: a tenant reads its own calls only, and a stranger's costs what nobody's costs.
pub async fn belong_to_their_tenant(store: Arc<dyn Store>) {
    let (owner, stranger) = (sample::tenant_id(), sample::tenant_id());
    let call = sample::call(owner);
    append(&store, vec![call.clone()]).await;
    let mut marks = [store.statements(); 3];
    assert_eq!(store.call(stranger, call.id).await.unwrap(), None);
    marks[1] = store.statements();
    assert_eq!(store.call(stranger, sample::call(owner).id).await.unwrap(), None);
    marks[2] = store.statements();
    assert_eq!(marks[1] - marks[0], marks[2] - marks[1]);
    assert_eq!(store.calls(all(stranger)).await.unwrap().rows, []);
    assert_eq!(store.calls_in_order(stranger, 0, 10).await.unwrap(), []);
    assert_eq!(store.calls_in_order(owner, 0, 10).await.unwrap().len(), 1);
}
