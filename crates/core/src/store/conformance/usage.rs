//! What a store of usage must keep.

use std::{collections::BTreeMap, sync::Arc};

use super::sample;
use crate::store::{CallEntry, Store, Sums, UsageBy, UsageFilter};

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

/// Whatever is asked for together, the sums are those of the rows that fit, and pages follow each other.
pub async fn conditions_combine(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let mut calls = Vec::new();
    for n in 0..32_usize {
        let bit = |place: usize| n >> place & 1 == 1;
        let mut call = sample::call_at(tenant, sample::at(if bit(4) { 100_000 } else { 0 }));
        call.micros = 1 << n;
        call.connector = if bit(0) { "other" } else { "sample" }.to_owned();
        call.connection = bit(1).then_some(sample::CONNECTION);
        call.actor = if bit(2) { "cli" } else { "library" }.to_owned();
        calls.push(call);
    }
    for calls in calls.chunks(5) {
        store
            .append_calls(vec![sample::call_batch(calls.to_vec())])
            .await
            .unwrap();
    }
    let day = |call: &CallEntry| call.at.to_zoned(jiff::tz::TimeZone::UTC).date();
    for by in [UsageBy::Day, UsageBy::Connector, UsageBy::Connection, UsageBy::Actor] {
        for mask in 0..16_usize {
            let on = |place: usize| mask >> place & 1 == 1;
            let mut filter = UsageFilter {
                by,
                connector: on(0).then(|| "other".to_owned()),
                connection: on(1).then_some(sample::CONNECTION),
                actor: on(2).then(|| "cli".to_owned()),
                limit: 1,
                ..sample::usage_filter(tenant)
            };
            if on(3) {
                filter.from = day(&calls[31]);
            }
            let mut expected = BTreeMap::<String, u64>::new();
            for (n, call) in calls.iter().enumerate() {
                if n & mask & 7 == mask & 7 && (!on(3) || n >> 4 & 1 == 1) {
                    let group = match by {
                        UsageBy::Day => day(call).to_string(),
                        UsageBy::Connector => call.connector.clone(),
                        UsageBy::Connection => call.connection.map(|id| id.to_string()).unwrap_or_default(),
                        UsageBy::Actor => call.actor.clone(),
                    };
                    *expected.entry(group).or_default() += call.micros;
                }
            }
            let mut got = BTreeMap::new();
            loop {
                let page = store.usage(filter.clone()).await.unwrap();
                let Some((group, sums)) = page.into_iter().next() else {
                    break;
                };
                filter.after = Some(group.clone());
                got.insert(group, sums.micros);
            }
            assert_eq!(got, expected, "{by:?} {mask:04b}");
        }
    }
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
