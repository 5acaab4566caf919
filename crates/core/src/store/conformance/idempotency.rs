//! What a store of requests that are run once must keep.

use std::sync::Arc;

use super::{RACERS, race, sample};
use crate::{
    id::TenantId,
    store::{Begun, IdempotencyRow, Store},
};

/// A request that began at hour zero, is under way for ten seconds and kept for a hundred.
fn request(tenant: TenantId, id: u8) -> IdempotencyRow {
    IdempotencyRow {
        tenant,
        id: [id; 16],
        request: vec![0, 255, id],
        attempt: 1,
        until: sample::at(10),
        expires_at: sample::at(100),
        answer: None,
    }
}

/// Room for whatever a test keeps.
const ROOM: usize = 1000;

async fn begin(store: &Arc<dyn Store>, row: &IdempotencyRow, at: i64) -> Begun {
    store.begin_idempotent(row.clone(), sample::at(at)).await.unwrap()
}

/// The first begins, every other one is shown it whole, and no chain or feed hears of it.
pub async fn begins_once_and_keeps_every_field(store: Arc<dyn Store>) {
    let row = request(sample::tenant_id(), 1);
    assert_eq!(begin(&store, &row, 0).await, Begun::Begun);
    let other = IdempotencyRow {
        request: b"another".to_vec(),
        ..row.clone()
    };
    assert_eq!(begin(&store, &other, 99).await, Begun::Standing(row.clone()));
    assert_eq!(begin(&store, &request(row.tenant, 2), 0).await, Begun::Begun);
    assert_eq!(store.audit_entries(row.tenant, 0, 10).await.unwrap(), []);
    assert_eq!(store.feed_end().await.unwrap(), 0);
}

/// Of many at once, in however many processes, one runs.
pub async fn race_has_one_winner(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let answers = race(RACERS, |racer| {
        let store = store.clone();
        let row = IdempotencyRow {
            request: racer.to_be_bytes().to_vec(),
            ..request(tenant, 1)
        };
        async move { (begin(&store, &row, 0).await, row) }
    });
    let (won, lost): (Vec<_>, Vec<_>) = answers.await.into_iter().partition(|(begun, _)| *begun == Begun::Begun);
    assert_eq!(won.len(), 1);
    for (begun, _) in lost {
        assert_eq!(begun, Begun::Standing(won[0].1.clone()));
    }
}

/// An answer is kept once, and by the latest run only.
pub async fn is_finished_by_its_latest_run_once(store: Arc<dyn Store>) {
    let row = request(sample::tenant_id(), 1);
    let finish = |attempt, answer: &[u8]| store.finish_idempotent(row.tenant, row.id, attempt, answer.to_vec(), ROOM);
    assert!(!finish(1, b"early").await.unwrap());
    begin(&store, &row, 0).await;
    assert!(
        store
            .resume_idempotent(row.tenant, row.id, 1, sample::at(30))
            .await
            .unwrap()
    );
    assert!(!finish(1, b"stale").await.unwrap());
    assert!(!store.release_idempotent(row.tenant, row.id, 1).await.unwrap());
    assert!(finish(2, b"answer \0\xff").await.unwrap());
    assert!(!finish(2, b"again").await.unwrap());
    assert!(!store.release_idempotent(row.tenant, row.id, 2).await.unwrap());
    assert!(
        !store
            .resume_idempotent(row.tenant, row.id, 2, sample::at(40))
            .await
            .unwrap()
    );
    let standing = IdempotencyRow {
        attempt: 2,
        until: sample::at(30),
        answer: Some(b"answer \0\xff".to_vec()),
        ..row.clone()
    };
    assert_eq!(begin(&store, &row, 50).await, Begun::Standing(standing));
}

/// Of many who would take a lost run over, one does.
pub async fn resume_race_has_one_winner(store: Arc<dyn Store>) {
    let row = request(sample::tenant_id(), 1);
    begin(&store, &row, 0).await;
    let (tenant, id) = (row.tenant, row.id);
    let answers = race(RACERS, |_| {
        let store = store.clone();
        async move { store.resume_idempotent(tenant, id, 1, sample::at(30)).await.unwrap() }
    });
    assert_eq!(answers.await.into_iter().filter(|won| *won).count(), 1);
}

/// A run that did nothing leaves no trace; its key begins anew.
pub async fn released_key_begins_anew(store: Arc<dyn Store>) {
    let row = request(sample::tenant_id(), 1);
    begin(&store, &row, 0).await;
    assert!(store.release_idempotent(row.tenant, row.id, 1).await.unwrap());
    assert!(!store.release_idempotent(row.tenant, row.id, 1).await.unwrap());
    assert_eq!(begin(&store, &row, 1).await, Begun::Begun);
}

/// From its last moment on a key is as good as new, whether anybody pruned or not.
pub async fn expired_key_begins_anew(store: Arc<dyn Store>) {
    let row = request(sample::tenant_id(), 1);
    begin(&store, &row, 0).await;
    store
        .finish_idempotent(row.tenant, row.id, 1, b"old".to_vec(), ROOM)
        .await
        .unwrap();
    let next = IdempotencyRow {
        request: b"next".to_vec(),
        expires_at: sample::at(200),
        ..row
    };
    assert_eq!(begin(&store, &next, 100).await, Begun::Begun);
    assert_eq!(begin(&store, &next, 150).await, Begun::Standing(next));
}

/// Where a tenant's answers are too many, those of before make room; that there was one stays known.
pub async fn oldest_answers_make_room(store: Arc<dyn Store>) {
    let (tenant, other) = (sample::tenant_id(), sample::tenant_id());
    let request = |tenant, id: u8| IdempotencyRow {
        expires_at: sample::at(100 + i64::from(id)),
        ..request(tenant, id)
    };
    let keep = async |tenant, id: u8, bytes: usize, room: usize| {
        begin(&store, &request(tenant, id), 0).await;
        let answer = vec![id; bytes];
        assert!(
            store
                .finish_idempotent(tenant, [id; 16], 1, answer, room)
                .await
                .unwrap()
        );
    };
    let kept = async |tenant, id| match begin(&store, &request(tenant, id), 50).await {
        Begun::Standing(row) => row.answer.map(|answer| answer.len()),
        Begun::Begun => panic!("its key was forgotten"),
    };
    keep(other, 1, 9, 9).await;
    for id in 1..=3 {
        keep(tenant, id, 4, 12).await;
    }
    keep(tenant, 4, 5, 12).await;
    let mut lengths = Vec::new();
    for id in 1..=4 {
        lengths.push(kept(tenant, id).await);
    }
    assert_eq!(lengths, [Some(0), Some(0), Some(4), Some(5)]);
    assert_eq!(kept(other, 1).await, Some(9), "another tenant's stay");
    // One that is larger than all room is kept by itself.
    keep(tenant, 5, 20, 12).await;
    assert_eq!((kept(tenant, 4).await, kept(tenant, 5).await), (Some(0), Some(20)));
    // What is pruned makes room too.
    assert_eq!(store.prune_idempotency(sample::at(105), 100).await.unwrap(), 6);
    keep(tenant, 6, 6, 12).await;
    keep(tenant, 7, 6, 12).await;
    assert_eq!((kept(tenant, 6).await, kept(tenant, 7).await), (Some(6), Some(6)));
}

/// What has expired is removed in batches, what has not stays.
pub async fn is_pruned_in_batches(store: Arc<dyn Store>) {
    let tenants = [sample::tenant_id(), sample::tenant_id()];
    for tenant in tenants {
        for id in 0..3 {
            begin(&store, &request(tenant, id), 0).await;
        }
    }
    let fresh = IdempotencyRow {
        expires_at: sample::at(101),
        ..request(tenants[0], 9)
    };
    begin(&store, &fresh, 0).await;
    let prune = |at, limit| store.prune_idempotency(sample::at(at), limit);
    assert_eq!(prune(99, 10).await.unwrap(), 0);
    assert_eq!(prune(100, 4).await.unwrap(), 4);
    assert_eq!(prune(100, 4).await.unwrap(), 2);
    assert_eq!(prune(100, 4).await.unwrap(), 0);
    assert_eq!(begin(&store, &fresh, 100).await, Begun::Standing(fresh));
}

/// T2: the same key of another tenant is another request.
pub async fn belongs_to_its_tenant(store: Arc<dyn Store>) {
    let mine = request(sample::tenant_id(), 1);
    begin(&store, &mine, 0).await;
    let stranger = sample::tenant_id();
    assert!(
        !store
            .resume_idempotent(stranger, mine.id, 1, sample::at(30))
            .await
            .unwrap()
    );
    assert!(!store.release_idempotent(stranger, mine.id, 1).await.unwrap());
    let finished = store.finish_idempotent(stranger, mine.id, 1, b"theirs".to_vec(), ROOM);
    assert!(!finished.await.unwrap());
    let theirs = IdempotencyRow {
        tenant: stranger,
        ..mine.clone()
    };
    assert_eq!(begin(&store, &theirs, 0).await, Begun::Begun);
    assert_eq!(begin(&store, &mine, 0).await, Begun::Standing(mine));
}
