//! What a store's feed must keep.

use std::{collections::HashMap, sync::Arc, task::Poll};

use super::{RACERS, race, sample};
use crate::{
    audit::Trail,
    event::{EventKind, FeedEvent},
    store::Store,
};

/// Every event of every change is there, once, in the order of commit, with places that rise.
pub async fn is_complete_and_in_order(store: Arc<dyn Store>) {
    assert_eq!(store.feed_end().await.unwrap(), 0);
    assert_eq!(store.read_feed(0, 10).await.unwrap(), []);
    let tenants = [sample::tenant_id(), sample::tenant_id()];
    let mut expected = Vec::new();
    for n in 0..5 {
        let tenant = tenants[n % 2];
        let trail = Trail {
            events: vec![sample::event(&format!("{n}/a")), sample::event(&format!("{n}/b"))],
            ..sample::trail(tenant, "subject")
        };
        expected.extend(trail.events.iter().map(|event| (tenant, event.subject.clone())));
        store.record(tenant, trail).await.unwrap();
    }
    let rows = store.read_feed(0, 1000).await.unwrap();
    let got: Vec<_> = rows.iter().map(|row| (row.tenant, row.subject.clone())).collect();
    assert_eq!(got, expected);
    assert!(rows.is_sorted_by(|a, b| a.seq < b.seq) && rows[0].seq > 0);
    assert_eq!(store.feed_end().await.unwrap(), rows[rows.len() - 1].seq);
}

/// What happened, when, and under which identifier comes back as it was written, of every kind there is.
pub async fn keeps_every_field(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let of_kind = |kind: &EventKind| FeedEvent {
        kind: *kind,
        ..sample::event(kind.as_str())
    };
    let events: Vec<FeedEvent> = EventKind::ALL.iter().map(of_kind).collect();
    let trail = Trail {
        events: events.clone(),
        ..sample::trail(tenant, "subject")
    };
    store.record(tenant, trail).await.unwrap();
    let rows = store.read_feed(0, 1000).await.unwrap();
    assert_eq!(rows.len(), events.len());
    for (row, event) in rows.into_iter().zip(events) {
        let kept = FeedEvent {
            id: row.event,
            at: row.at,
            kind: row.kind.expect("this version wrote it, so it has a word for it"),
            subject: row.subject,
        };
        assert_eq!(kept, event);
    }
}

/// A follower that goes on from the last place it saw misses nothing and sees nothing twice.
pub async fn pages_by_place(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    for n in 0..8 {
        store
            .record(tenant, sample::trail(tenant, &n.to_string()))
            .await
            .unwrap();
    }
    let all = store.read_feed(0, 1000).await.unwrap();
    assert_eq!(all.len(), 8);
    let mut after = 0;
    for expected in all.chunks(3) {
        let page = store.read_feed(after, 3).await.unwrap();
        assert_eq!(page, expected);
        after = page[page.len() - 1].seq;
    }
    assert_eq!(store.read_feed(after, 3).await.unwrap(), []);
    assert_eq!(store.read_feed(u64::MAX, 3).await.unwrap(), []);
}

/// `feed_moved` waits while nothing changes, and returns once something did since it was called.
pub async fn tells_when_it_moved(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let mut quiet = store.feed_moved();
    let first_look = std::future::poll_fn(|context| Poll::Ready(quiet.as_mut().poll(context))).await;
    assert!(first_look.is_pending(), "nothing moved yet");
    let unpolled = store.feed_moved();
    store.record(tenant, sample::trail(tenant, "subject")).await.unwrap();
    quiet.await;
    unpolled.await;
    assert_eq!(store.read_feed(0, 10).await.unwrap().len(), 1, "what moved can be read");
}

/// Whoever writes one change after the other finds them in that order, however many write.
pub async fn keeps_the_order_of_each_writer(store: Arc<dyn Store>) {
    const CHANGES: usize = 4;
    let tenant = sample::tenant_id();
    race(RACERS, |racer| {
        let store = store.clone();
        async move {
            for n in 0..CHANGES {
                store
                    .record(tenant, sample::trail(tenant, &format!("{racer}/{n}")))
                    .await
                    .unwrap();
            }
        }
    })
    .await;
    let rows = store.read_feed(0, 2 * RACERS * CHANGES).await.unwrap();
    assert_eq!(rows.len(), RACERS * CHANGES);
    assert!(rows.is_sorted_by(|a, b| a.seq < b.seq));
    let mut seen: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let (racer, n) = row.subject.split_once('/').unwrap();
        let next = seen.entry(racer.to_owned()).or_default();
        assert_eq!(n, next.to_string());
        *next += 1;
    }
}

/// What is old is taken out from the beginning; the newest change stays, and places go on from it.
pub async fn is_pruned_from_the_beginning(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    assert_eq!(store.feed_start().await.unwrap(), 0);
    assert_eq!(store.prune_feed(sample::at(100), 10).await.unwrap(), 0);
    for n in [1, 2, 9, 3, 10] {
        let trail = Trail {
            events: vec![FeedEvent {
                at: sample::at(n),
                ..sample::event("row")
            }],
            ..sample::trail(tenant, "row")
        };
        store.record(tenant, trail).await.unwrap();
    }
    let all = store.read_feed(0, 10).await.unwrap();
    assert_eq!(store.feed_start().await.unwrap(), all[0].seq);
    assert_eq!(store.prune_feed(sample::at(5), 1).await.unwrap(), 1);
    assert_eq!(
        store.prune_feed(sample::at(5), 10).await.unwrap(),
        1,
        "up to the first that is not old"
    );
    assert_eq!(store.read_feed(0, 10).await.unwrap(), all[2..]);
    assert_eq!(store.feed_start().await.unwrap(), all[2].seq);
    assert_eq!(store.prune_feed(sample::at(100), 10).await.unwrap(), 2);
    assert_eq!(store.prune_feed(sample::at(100), 10).await.unwrap(), 0);
    assert_eq!(store.read_feed(0, 10).await.unwrap(), all[4..]);
    assert_eq!(store.feed_end().await.unwrap(), all[4].seq);
    store.record(tenant, sample::trail(tenant, "next")).await.unwrap();
    assert!(store.feed_end().await.unwrap() > all[4].seq);
}
