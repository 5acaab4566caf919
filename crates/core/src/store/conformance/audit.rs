//! What a store of the audit chain must keep (A1).

use std::{collections::BTreeSet, sync::Arc};

use super::{RACERS, race, sample};
use crate::{
    audit::{AuditEntry, Trail},
    id::TenantId,
    store::{AuditFilter, AuditRow, Scanned, Store},
};

/// A chain in which the bits of a place say what its entry is.
async fn chain_of_bits(store: &Arc<dyn Store>, tenant: TenantId, entries: usize) {
    let entry = |n: usize| {
        let bit = |place: usize| n >> place & 1 == 1;
        let pick = |on: bool, yes: &str, no: &str| if on { yes } else { no }.to_owned();
        AuditEntry {
            at: sample::at(n as i64),
            subject: pick(bit(0), "conn_1", "conn_2"),
            actor: pick(bit(1), "key_1", "cli"),
            action: pick(
                bit(2),
                "connection.created",
                if bit(3) { "connections" } else { "connection.updated" },
            ),
            ..sample::entry(tenant, "")
        }
    };
    let trail = Trail {
        entries: (0..entries).map(entry).collect(),
        ..sample::no_trail()
    };
    store.record(tenant, trail).await.unwrap();
}

fn places(found: &Scanned<AuditRow, u64>) -> Vec<u64> {
    found.rows.iter().map(|row| row.seq).collect()
}

/// Entries follow the ones before, within a trail and from trail to trail, and verify as they are read back.
pub async fn chain_continues_and_verifies(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    assert_eq!(store.audit_entries(tenant, 0, 10).await.unwrap(), []);
    let mut entries = Vec::new();
    for count in [1, 3, 0, 2] {
        let trail = Trail {
            entries: (0..count)
                .map(|n| sample::entry(tenant, &format!("{n} \0 🔑")))
                .collect(),
            ..sample::no_trail()
        };
        entries.extend(trail.entries.clone());
        store.record(tenant, trail).await.unwrap();
    }
    let rows = store.audit_entries(tenant, 0, 10).await.unwrap();
    sample::assert_chain(&rows);
    assert_eq!(rows.len(), entries.len());
    for (row, entry) in rows.iter().zip(entries) {
        assert_eq!(row.entry.at.as_microsecond(), entry.at.as_microsecond());
        let mut kept = entry;
        kept.at = row.entry.at;
        assert_eq!(row.entry, kept);
    }
}

/// Pages follow each other by place.
pub async fn pages_by_place(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    for n in 0..8 {
        store
            .record(tenant, sample::trail(tenant, &n.to_string()))
            .await
            .unwrap();
    }
    let all = store.audit_entries(tenant, 0, 1000).await.unwrap();
    assert_eq!(all.len(), 8);
    for after in 0..=8 {
        let page = store.audit_entries(tenant, after, 3).await.unwrap();
        let after = after as usize;
        assert_eq!(page, all[after..(after + 3).min(8)]);
    }
    assert_eq!(store.audit_entries(tenant, u64::MAX, 3).await.unwrap(), []);
    assert_eq!(store.audit_entries(tenant, 0, 0).await.unwrap(), []);
}

/// Many writers at once leave whole chains, each trail's entries side by side and in order.
pub async fn is_gapless_under_concurrency(store: Arc<dyn Store>) {
    let tenants = [sample::tenant_id(), sample::tenant_id()];
    race(RACERS, |racer| {
        let store = store.clone();
        let tenant = tenants[racer % 2];
        async move {
            let part = |n: usize| sample::entry(tenant, &format!("{racer}/{n}"));
            let trail = Trail {
                entries: vec![part(0), part(1), part(2)],
                ..sample::no_trail()
            };
            store.record(tenant, trail).await.unwrap();
        }
    })
    .await;
    for (parity, tenant) in tenants.into_iter().enumerate() {
        let rows = store.audit_entries(tenant, 0, 1000).await.unwrap();
        sample::assert_chain(&rows);
        let mut racers = BTreeSet::new();
        for trail in rows.chunks(3) {
            let racer = trail[0]
                .entry
                .subject
                .strip_suffix("/0")
                .expect("a trail begins with its first entry");
            let subjects: Vec<_> = trail.iter().map(|row| row.entry.subject.as_str()).collect();
            assert_eq!(
                subjects,
                [format!("{racer}/0"), format!("{racer}/1"), format!("{racer}/2")]
            );
            racers.insert(racer.parse::<usize>().unwrap());
        }
        assert!(
            racers.into_iter().eq((parity..RACERS).step_by(2)),
            "each trail is there once"
        );
    }
}

/// T2: every tenant has a chain of its own, from place 1, and reads no other.
pub async fn belongs_to_its_tenant(store: Arc<dyn Store>) {
    let tenants = [sample::tenant_id(), sample::tenant_id()];
    for n in 0..6 {
        let tenant = tenants[n % 2];
        store
            .record(tenant, sample::trail(tenant, &n.to_string()))
            .await
            .unwrap();
    }
    for tenant in tenants {
        let rows = store.audit_entries(tenant, 0, 10).await.unwrap();
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|row| row.entry.tenant == tenant));
        sample::assert_chain(&rows);
    }
    assert_eq!(store.audit_entries(sample::tenant_id(), 0, 10).await.unwrap(), []);
}

/// Every filter narrows the search, together they narrow it further, in either order.
pub async fn is_searched_by_what_it_tells(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    chain_of_bits(&store, tenant, 32).await;
    for mask in 0..128_usize {
        let on = |place: usize| mask >> place & 1 == 1;
        let filter = AuditFilter {
            subject: on(0).then(|| "conn_1".to_owned()),
            actor: on(1).then(|| "key_1".to_owned()),
            action: on(2).then(|| "connection.created".to_owned()),
            entity: on(3).then(|| "connection".to_owned()),
            from: on(4).then(|| sample::at(9)),
            to: on(5).then(|| sample::at(25)),
            newest_first: on(6),
            ..AuditFilter::all(tenant)
        };
        let bit = |n: usize, place: usize| n >> place & 1 == 1;
        let fits = |n: &usize| {
            (0..3).all(|place| !on(place) || bit(*n, place))
                && (!on(3) || bit(*n, 2) || !bit(*n, 3))
                && (!on(4) || *n >= 9)
                && (!on(5) || *n < 25)
        };
        let mut expected: Vec<u64> = (0..32).filter(fits).map(|n| n as u64 + 1).collect();
        if on(6) {
            expected.reverse();
        }
        let found = store.find_audit(filter).await.unwrap();
        assert_eq!((places(&found), found.stopped), (expected, None), "{mask:07b}");
    }
}

/// Searches page in either order, look at a bounded number of rows, and say where they stopped.
pub async fn search_pages_and_stops(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    chain_of_bits(&store, tenant, 16).await;
    let page = |after: Option<u64>, newest_first: bool| AuditFilter {
        after,
        newest_first,
        limit: 3,
        ..AuditFilter::all(tenant)
    };
    let rows = async |filter: AuditFilter| places(&store.find_audit(filter).await.unwrap());
    assert_eq!(rows(page(None, false)).await, [1, 2, 3]);
    assert_eq!(rows(page(Some(3), false)).await, [4, 5, 6]);
    assert_eq!(rows(page(None, true)).await, [16, 15, 14]);
    assert_eq!(rows(page(Some(14), true)).await, [13, 12, 11]);
    assert_eq!(rows(page(Some(16), false)).await, [0; 0]);
    let rare = AuditFilter {
        subject: Some("conn_2".to_owned()),
        from: Some(sample::at(12)),
        scan: 4,
        limit: 5,
        ..AuditFilter::all(tenant)
    };
    let (mut after, mut found, mut looks) = (None, Vec::new(), 0);
    loop {
        let look = store.find_audit(AuditFilter { after, ..rare.clone() }).await.unwrap();
        found.extend(places(&look));
        looks += 1;
        after = look.stopped;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, [13, 15]);
    assert!(
        (2..=4).contains(&looks),
        "an index may spare rows, and none is looked at twice"
    );
    let stranger = AuditFilter::all(sample::tenant_id());
    assert_eq!(rows(stranger).await, [0; 0], "T2");
}

/// The heads are those of the chains.
pub async fn tells_its_heads(store: Arc<dyn Store>) {
    let mut tenants = [sample::tenant_id(), sample::tenant_id()];
    tenants.sort();
    assert_eq!(store.audit_head(tenants[0]).await.unwrap(), None);
    assert_eq!(store.audit_heads(None, 10).await.unwrap(), []);
    for tenant in tenants {
        chain_of_bits(&store, tenant, 3).await;
    }
    let mut heads = Vec::new();
    for tenant in tenants {
        let last = store.audit_entries(tenant, 2, 10).await.unwrap().remove(0);
        let head = store.audit_head(tenant).await.unwrap().unwrap();
        assert_eq!((head.seq, head.hash), (last.seq, last.hash));
        heads.push((tenant, head));
    }
    assert_eq!(store.audit_heads(None, 10).await.unwrap(), heads);
    assert_eq!(store.audit_heads(None, 1).await.unwrap(), heads[..1]);
    assert_eq!(store.audit_heads(Some(tenants[0]), 10).await.unwrap(), heads[1..]);
}
