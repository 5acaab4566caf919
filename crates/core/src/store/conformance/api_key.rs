//! What a store of API keys must keep.

use std::sync::Arc;

use super::{RACERS, race, sample};
use crate::{
    environment::Environment,
    store::{ApiKeyRow, ApiKeyUse, Door, Store, Updated},
};

async fn create(store: &Arc<dyn Store>, key: &ApiKeyRow) -> crate::Result<()> {
    let trail = sample::trail(key.tenant, &key.id.to_string());
    store.create_api_key(key.clone(), trail).await
}

/// K1: a key is found by its whole hash and nothing else.
pub async fn is_found_by_its_door_only(store: Arc<dyn Store>) {
    let key = sample::api_key(sample::tenant_id());
    assert_eq!(store.open_door(key.hash).await.unwrap(), None);
    create(&store, &key).await.unwrap();
    let door = Door {
        tenant: key.tenant,
        key: key.id,
    };
    assert_eq!(store.open_door(key.hash).await.unwrap(), Some(door));
    for place in [0, 15, 31] {
        let mut close = key.hash;
        close[place] ^= 1;
        assert_eq!(store.open_door(close).await.unwrap(), None);
    }
}

/// Whatever is written is read back.
pub async fn keeps_every_field(store: Arc<dyn Store>) {
    let mut key = sample::api_key(sample::tenant_id());
    key.name = "nightly \0 🔑".to_owned();
    key.permissions = r#"{ "b":true,"a":false }"#.to_owned();
    create(&store, &key).await.unwrap();
    let mut forever = sample::api_key(key.tenant);
    forever.expires_at = None;
    forever.environment = Some(Environment::Staging);
    forever.last_used_at = Some(sample::at(8));
    forever.revoked_at = Some(sample::at(9));
    create(&store, &forever).await.unwrap();
    for key in [key, forever] {
        assert_eq!(store.api_key(key.tenant, key.id).await.unwrap(), Some(key));
    }
}

/// A hash or an identifier that is known already is an error; nothing of the new key is kept.
pub async fn fails_whole_on_a_known_hash(store: Arc<dyn Store>) {
    let known = sample::api_key(sample::tenant_id());
    create(&store, &known).await.unwrap();
    let end = store.feed_end().await.unwrap();
    let same_hash = ApiKeyRow {
        hash: known.hash,
        ..sample::api_key(sample::tenant_id())
    };
    let same_id = ApiKeyRow {
        id: known.id,
        ..sample::api_key(known.tenant)
    };
    for key in [&same_hash, &same_id] {
        assert!(create(&store, key).await.is_err());
    }
    assert_eq!(store.api_key(same_hash.tenant, same_hash.id).await.unwrap(), None);
    assert_eq!(store.audit_entries(same_hash.tenant, 0, 10).await.unwrap(), []);
    assert_eq!(store.open_door(same_id.hash).await.unwrap(), None);
    assert_eq!(store.open_door(known.hash).await.unwrap().unwrap().tenant, known.tenant);
    assert_eq!(
        store.api_key(known.tenant, known.id).await.unwrap().as_ref(),
        Some(&known)
    );
    assert_eq!(store.audit_entries(known.tenant, 0, 10).await.unwrap().len(), 1);
    assert_eq!(store.feed_end().await.unwrap(), end);
}

/// Name, permissions and expiry change, from the version they were read in, and nothing else does; a revoked key does not.
pub async fn changes_only_from_the_expected_version(store: Arc<dyn Store>) {
    let key = sample::api_key(sample::tenant_id());
    let update = async |key: &ApiKeyRow, expected| {
        let trail = sample::trail(key.tenant, "key");
        store.update_api_key(key.clone(), expected, trail).await.unwrap()
    };
    assert_eq!(update(&key, 1).await, Updated::Conflict, "there is none yet");
    create(&store, &key).await.unwrap();
    let expected = ApiKeyRow {
        name: "another \0 name".to_owned(),
        permissions: "{}".to_owned(),
        expires_at: None,
        version: 2,
        ..key.clone()
    };
    let other = ApiKeyRow {
        hash: sample::sha256(b"other"),
        prefix: "sk_other".to_owned(),
        environment: Some(Environment::Development),
        created_by: "someone else".to_owned(),
        created_at: sample::at(500),
        revoked_at: Some(sample::at(500)),
        last_used_at: Some(sample::at(500)),
        ..expected.clone()
    };
    for stale in [0, 2, u64::MAX] {
        assert_eq!(update(&other, stale).await, Updated::Conflict);
    }
    assert_eq!(update(&other, 1).await, Updated::Updated);
    assert_eq!(store.api_key(key.tenant, key.id).await.unwrap(), Some(expected));
    assert_eq!(update(&other, 1).await, Updated::Conflict, "the version was used up");
    let stranger = ApiKeyRow {
        tenant: sample::tenant_id(),
        ..other.clone()
    };
    assert_eq!(update(&stranger, 2).await, Updated::Conflict, "T2");
    let trail = sample::trail(key.tenant, "key");
    store
        .revoke_api_key(key.tenant, key.id, sample::at(50), trail)
        .await
        .unwrap();
    assert_eq!(update(&other, 2).await, Updated::Conflict, "it is revoked");
    assert_eq!(store.audit_entries(key.tenant, 0, 10).await.unwrap().len(), 3);
}

/// The latest use stands, whoever writes it down first; nothing else changes and nothing is told of it.
pub async fn the_latest_use_stands(store: Arc<dyn Store>) {
    let key = sample::api_key(sample::tenant_id());
    create(&store, &key).await.unwrap();
    let end = store.feed_end().await.unwrap();
    let used = |at| ApiKeyUse {
        tenant: key.tenant,
        key: key.id,
        at: sample::at(at),
    };
    let elsewhere = ApiKeyUse {
        tenant: sample::tenant_id(),
        ..used(99)
    };
    for (uses, latest) in [
        (vec![elsewhere, used(5)], 5),
        (vec![used(3)], 5),
        (vec![used(6), used(4)], 6),
        (vec![], 6),
    ] {
        store.note_api_key_uses(uses).await.unwrap();
        let expected = ApiKeyRow {
            last_used_at: Some(sample::at(latest)),
            ..key.clone()
        };
        assert_eq!(store.api_key(key.tenant, key.id).await.unwrap(), Some(expected));
    }
    assert_eq!(store.feed_end().await.unwrap(), end);
    assert_eq!(store.audit_entries(key.tenant, 0, 10).await.unwrap().len(), 1);
}

/// The first revocation counts; its time stands, and so does the door.
pub async fn revokes_once(store: Arc<dyn Store>) {
    let key = sample::api_key(sample::tenant_id());
    create(&store, &key).await.unwrap();
    let revoke = |at| store.revoke_api_key(key.tenant, key.id, at, sample::trail(key.tenant, "key"));
    assert!(revoke(sample::at(50)).await.unwrap());
    assert!(!revoke(sample::at(51)).await.unwrap());
    let revoked = store.api_key(key.tenant, key.id).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(sample::at(50)));
    assert!(store.open_door(key.hash).await.unwrap().is_some());
    let audit = store.audit_entries(key.tenant, 0, 10).await.unwrap();
    assert_eq!(audit.len(), 2, "the second revocation changed nothing");
}

/// Of many revocations at once, one is the first.
pub async fn revocation_race_has_one_winner(store: Arc<dyn Store>) {
    let key = sample::api_key(sample::tenant_id());
    create(&store, &key).await.unwrap();
    let answers = race(RACERS, |racer| {
        let (store, tenant, id) = (store.clone(), key.tenant, key.id);
        let at = sample::at(racer as i64);
        async move {
            let trail = sample::trail(tenant, "key");
            store.revoke_api_key(tenant, id, at, trail).await.unwrap().then_some(at)
        }
    });
    let winners: Vec<_> = answers.await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let row = store.api_key(key.tenant, key.id).await.unwrap().unwrap();
    assert_eq!(row.revoked_at, Some(winners[0]));
    assert_eq!(store.audit_entries(key.tenant, 0, 1000).await.unwrap().len(), 2);
}

/// Pages follow each other by identifier.
pub async fn pages_by_identifier(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let mut keys: Vec<_> = (0..8).map(|_| sample::api_key(tenant)).collect();
    for key in &keys {
        create(&store, key).await.unwrap();
    }
    keys.sort_by_key(|key| key.id);
    let mut after = None;
    for expected in keys.chunks(3) {
        let page = store.api_keys(tenant, after, 3).await.unwrap();
        assert_eq!(page, expected);
        after = page.last().map(|key| key.id);
    }
    assert_eq!(store.api_keys(tenant, after, 3).await.unwrap(), []);
}

/// T2: another tenant neither reads, lists nor revokes a key, even with a key of the same identifier.
pub async fn belongs_to_its_tenant(store: Arc<dyn Store>) {
    let key = sample::api_key(sample::tenant_id());
    create(&store, &key).await.unwrap();
    let stranger = sample::tenant_id();
    let revoke = || store.revoke_api_key(stranger, key.id, sample::at(50), sample::trail(stranger, "key"));
    assert_eq!(store.api_key(stranger, key.id).await.unwrap(), None);
    assert_eq!(store.api_keys(stranger, None, 10).await.unwrap(), []);
    assert!(!revoke().await.unwrap());

    let theirs = ApiKeyRow {
        id: key.id,
        ..sample::api_key(stranger)
    };
    create(&store, &theirs).await.unwrap();
    assert_eq!(store.api_key(stranger, key.id).await.unwrap().as_ref(), Some(&theirs));
    assert_eq!(store.api_keys(stranger, None, 10).await.unwrap(), [theirs]);
    assert!(revoke().await.unwrap());
    assert_eq!(store.api_keys(key.tenant, None, 10).await.unwrap(), [key]);
}
