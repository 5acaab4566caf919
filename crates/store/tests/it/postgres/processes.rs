//! Processes that share a database are counted, by the database's clock.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use tieline::{
    id::ProcessId,
    store::{AuditStore, FeedStore, ProcessStore, conformance::sample},
};
use tieline_store::PostgresStore;

use super::{fresh, open, raw};

const HOUR: Duration = Duration::from_secs(3600);

async fn lives(store: &PostgresStore, process: ProcessId, silence: Duration) -> u32 {
    store.keep_alive(process, silence).await.unwrap()
}

#[tokio::test]
async fn processes_are_counted_while_they_live() {
    let Some((one, database)) = fresh().await else { return };
    let two = open(&database).await;
    let [a, b, c] = [(); 3].map(|()| sample::process_id());
    assert_eq!(lives(&one, a, HOUR).await, 1);
    assert_eq!(lives(&two, b, HOUR).await, 2);
    assert_eq!(lives(&one, a, HOUR).await, 2, "once each");
    two.end_process(b).await.unwrap();
    assert_eq!(lives(&one, a, HOUR).await, 1, "who ended is not waited for");

    for process in [b, c] {
        lives(&two, process, HOUR).await;
    }
    let owner = raw(&database).await;
    let silent = "UPDATE processes SET seen_at = seen_at - interval '30 seconds' WHERE uuid_send(id) = $1";
    owner.execute(silent, &[&b.as_bytes().as_slice()]).await.unwrap();
    assert_eq!(lives(&one, a, Duration::from_secs(60)).await, 3, "it may be late");
    assert_eq!(lives(&one, a, Duration::from_secs(20)).await, 2, "and then it is gone");
    assert_eq!(lives(&one, a, HOUR).await, 2, "its row, too");
    assert_eq!(lives(&two, b, HOUR).await, 3, "until it is heard of again");
}

/// Those who find the same ones silent at the same time neither fail nor wait for each other in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_find_the_same_processes_silent() {
    let Some((store, _database)) = fresh().await else {
        return;
    };
    let store = Arc::new(store);
    for _ in 0..30 {
        lives(&store, sample::process_id(), HOUR).await;
    }
    let living = (0..16).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let process = sample::process_id();
            for _ in 0..10 {
                assert_eq!(lives(&store, process, Duration::ZERO).await, 1);
            }
        })
    });
    for living in living.collect::<Vec<_>>() {
        living.await.unwrap();
    }
}

/// A heartbeat is no change of anything that is cached: it costs other processes nothing.
#[tokio::test]
async fn a_heartbeat_wakes_no_follower() {
    let Some((store, database)) = fresh().await else { return };
    let other = open(&database).await;
    let tenant = sample::tenant_id();
    let (here, there) = (store.feed_moved(), other.feed_moved());
    lives(&store, sample::process_id(), HOUR).await;
    let mut both = std::pin::pin!(futures_util::future::join(here, there));
    assert!((&mut both).now_or_never().is_none());
    store.record(tenant, sample::trail(tenant, "subject")).await.unwrap();
    both.await;
}
