//! What a store of the audit chain must keep (A1).

use std::{collections::BTreeSet, sync::Arc};

use super::{RACERS, race, sample};
use crate::{audit::Trail, store::Store};

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
