//! What a store of usage must keep.

use std::{collections::BTreeMap, sync::Arc};

use super::sample;
use crate::store::{Store, Sums, UsageBy, UsageFilter};

/// Batches add up, by every group and under every filter.
pub async fn adds_up(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    for n in 0..16_usize {
        let mut call = sample::call_at(tenant, sample::at(43_200 * n as i64));
        call.micros = 1 << n;
        if n % 2 == 1 {
            call.connector = "other".to_owned();
        }
        call.connection = (n % 4 < 2).then_some(sample::CONNECTION);
        if n % 8 < 4 {
            call.actor = "cli".to_owned();
        }
        store.append_calls(vec![sample::call_batch(vec![call])]).await.unwrap();
    }
    let sums = async |filter: UsageFilter| {
        let groups = store.usage(filter).await.unwrap();
        assert!(groups.is_sorted_by(|one, other| one.0 < other.0));
        let micros = groups.into_iter().map(|(group, sums)| (group, sums.micros));
        micros.collect::<BTreeMap<_, _>>()
    };
    let by = |by| UsageFilter {
        by,
        ..sample::usage_filter(tenant)
    };
    let map = |pairs: &[(&str, u64)]| pairs.iter().map(|(key, sum)| ((*key).to_owned(), *sum)).collect();
    let connection = sample::CONNECTION.to_string();
    let expected: BTreeMap<_, _> = map(&[("other", 0xaaaa), ("sample", 0x5555)]);
    assert_eq!(sums(by(UsageBy::Connector)).await, expected);
    let expected: BTreeMap<_, _> = map(&[("", 0xcccc), (&connection, 0x3333)]);
    assert_eq!(sums(by(UsageBy::Connection)).await, expected);
    let expected: BTreeMap<_, _> = map(&[("cli", 0x0f0f), ("library", 0xf0f0)]);
    assert_eq!(sums(by(UsageBy::Actor)).await, expected);
    assert_eq!(sums(by(UsageBy::Day)).await.values().sum::<u64>(), 0xffff);

    let narrowed = UsageFilter {
        connector: Some("other".to_owned()),
        connection: Some(sample::CONNECTION),
        actor: Some("cli".to_owned()),
        ..by(UsageBy::Connector)
    };
    let expected: BTreeMap<_, _> = map(&[("other", 0x0202)]);
    assert_eq!(sums(narrowed).await, expected);
}

/// Everything that is summed up is, and days are cut at midnight in UTC.
pub async fn keeps_every_sum_and_day(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let days = ["2026-11-19", "2026-11-20", "2026-11-21"].map(|day| day.parse().unwrap());
    let mut batch = sample::call_batch(vec![sample::call(tenant)]);
    let sums = Sums {
        calls: 1,
        errors: 2,
        micros: 3,
        sent: 4,
        received: 5,
    };
    batch.usage = days
        .map(|day| {
            let mut row = batch.usage[0].clone();
            (row.day, row.sums) = (day, sums);
            row
        })
        .to_vec();
    store.append_calls(vec![batch]).await.unwrap();
    let filter = |from: usize, to: usize| UsageFilter {
        from: days[from],
        to: days[to],
        by: UsageBy::Day,
        ..sample::usage_filter(tenant)
    };
    let got = store.usage(filter(1, 2)).await.unwrap();
    assert_eq!(got, [("2026-11-20".to_owned(), sums), ("2026-11-21".to_owned(), sums)]);
    let after = UsageFilter {
        after: Some("2026-11-19".to_owned()),
        limit: 1,
        ..filter(0, 2)
    };
    assert_eq!(store.usage(after).await.unwrap(), [("2026-11-20".to_owned(), sums)]);
    assert_eq!(store.usage(filter(0, 0)).await.unwrap().len(), 1);
}

/// T2: a tenant reads its own usage only.
pub async fn belongs_to_its_tenant(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let batch = sample::call_batch(vec![sample::call(tenant)]);
    store.append_calls(vec![batch]).await.unwrap();
    assert_eq!(store.usage(sample::usage_filter(tenant)).await.unwrap().len(), 1);
    assert_eq!(
        store.usage(sample::usage_filter(sample::tenant_id())).await.unwrap(),
        []
    );
}
