//! What a store of data keys must keep.

use std::sync::Arc;

use super::{RACERS, race, sample};
use crate::store::{Inserted, Store};

/// A tenant's keys come in the order of their numbers, whatever the order of writing.
pub async fn are_listed_oldest_first(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    assert_eq!(store.data_keys(tenant).await.unwrap(), []);
    let keys = [1, 2, 10, u32::MAX].map(|id| sample::data_key(tenant, id, &[0, 255, id as u8]));
    for key in [&keys[3], &keys[0], &keys[2], &keys[1]] {
        let trail = sample::trail(tenant, "key");
        assert_eq!(
            store.add_data_key(key.clone(), trail).await.unwrap(),
            Inserted::Inserted
        );
    }
    assert_eq!(store.data_keys(tenant).await.unwrap(), keys);
}

/// Of many first keys at once, one is kept, and everyone learns which.
pub async fn race_has_one_winner(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let answers = race(RACERS, |racer| {
        let store = store.clone();
        async move {
            let key = sample::data_key(tenant, 1, &racer.to_be_bytes());
            (
                store
                    .add_data_key(key.clone(), sample::trail(tenant, "key"))
                    .await
                    .unwrap(),
                key,
            )
        }
    });
    let answers = answers.await;
    let (won, lost): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|(answer, _)| *answer == Inserted::Inserted);
    assert_eq!(won.len(), 1);
    let winner = &won[0].1;
    for (answer, _) in lost {
        assert_eq!(answer, Inserted::Taken(winner.clone()));
    }
    assert_eq!(store.data_keys(tenant).await.unwrap(), std::slice::from_ref(winner));
    assert_eq!(store.audit_entries(tenant, 0, 1000).await.unwrap().len(), 1);
}

/// T2: each tenant has its own numbers and sees no other's keys.
pub async fn belong_to_their_tenant(store: Arc<dyn Store>) {
    let keys = [(); 2]
        .map(|()| sample::tenant_id())
        .map(|tenant| sample::data_key(tenant, 1, tenant.as_bytes()));
    for key in &keys {
        let trail = sample::trail(key.tenant, "key");
        assert_eq!(
            store.add_data_key(key.clone(), trail).await.unwrap(),
            Inserted::Inserted
        );
    }
    for key in keys {
        let again = sample::data_key(key.tenant, 1, b"again");
        let answer = store.add_data_key(again, sample::trail(key.tenant, "key"));
        assert_eq!(answer.await.unwrap(), Inserted::Taken(key.clone()));
        assert_eq!(store.data_keys(key.tenant).await.unwrap(), [key]);
    }
    assert_eq!(store.data_keys(sample::tenant_id()).await.unwrap(), []);
}

/// The first fingerprint stays; everyone after it, or beside it, is told that one.
pub async fn fingerprint_is_kept_once(store: Arc<dyn Store>) {
    assert_eq!(store.master_fingerprint().await.unwrap(), None);
    let answers = race(RACERS, |racer| {
        let store = store.clone();
        async move { store.keep_master_fingerprint([racer as u8; 32]).await.unwrap() }
    });
    let answers = answers.await;
    let kept = store.master_fingerprint().await.unwrap();
    assert!(answers.iter().all(|answer| Some(*answer) == kept));
    assert_eq!(store.keep_master_fingerprint([255; 32]).await.unwrap(), answers[0]);
    assert_eq!(store.master_fingerprint().await.unwrap(), kept);
}
