//! What a store of tenants must keep.

use std::sync::Arc;

use super::{RACERS, race, sample};
use crate::{
    id::TenantId,
    store::{ApiKeyRow, Door, Inserted, Renamed, Store, TenantRow},
};

type Answer = crate::Result<Inserted<TenantRow>>;

async fn create(store: &Arc<dyn Store>, tenant: &TenantRow, key: &ApiKeyRow) -> Answer {
    let trail = sample::trail(tenant.id, &tenant.id.to_string());
    store.create_tenant(tenant.clone(), key.clone(), trail).await
}

/// Panics unless nothing at all is kept of a tenant and its key.
async fn assert_nothing_of(store: &Arc<dyn Store>, tenant: &TenantRow, key: &ApiKeyRow) {
    assert_eq!(store.tenant(tenant.id).await.unwrap(), None);
    assert_eq!(store.api_keys(tenant.id, None, 10).await.unwrap(), []);
    assert_eq!(store.api_key(key.tenant, key.id).await.unwrap(), None);
    assert_eq!(store.audit_entries(tenant.id, 0, 10).await.unwrap(), []);
}

/// A tenant and its first key appear together, with the key's door.
pub async fn comes_with_its_first_key(store: Arc<dyn Store>) {
    let tenant = sample::tenant("Größe 🔑");
    let key = sample::api_key(tenant.id);
    assert_eq!(create(&store, &tenant, &key).await.unwrap(), Inserted::Inserted);
    assert_eq!(store.tenant(tenant.id).await.unwrap().as_ref(), Some(&tenant));
    assert_eq!(store.tenant_by_name("Größe 🔑").await.unwrap().as_ref(), Some(&tenant));
    assert_eq!(store.tenant_by_name("größe 🔑").await.unwrap(), None);
    assert_eq!(store.api_key(tenant.id, key.id).await.unwrap().as_ref(), Some(&key));
    let door = Door {
        tenant: tenant.id,
        key: key.id,
    };
    assert_eq!(store.open_door(key.hash).await.unwrap(), Some(door));
    sample::assert_chain(&store.audit_entries(tenant.id, 0, 10).await.unwrap());
}

/// A second tenant of the same name is not made, nor anything that comes with it.
pub async fn name_is_given_once(store: Arc<dyn Store>) {
    let first = sample::tenant("acme");
    create(&store, &first, &sample::api_key(first.id)).await.unwrap();
    let end = store.feed_end().await.unwrap();
    let second = sample::tenant("acme");
    let key = sample::api_key(second.id);
    assert_eq!(create(&store, &second, &key).await.unwrap(), Inserted::Taken(first));
    assert_nothing_of(&store, &second, &key).await;
    assert_eq!(store.open_door(key.hash).await.unwrap(), None);
    assert_eq!(store.feed_end().await.unwrap(), end);
}

/// Of many makers of one name at once, one wins.
pub async fn name_race_has_one_winner(store: Arc<dyn Store>) {
    let answers = race(RACERS, |_| {
        let store = store.clone();
        async move {
            let tenant = sample::tenant("acme");
            create(&store, &tenant, &sample::api_key(tenant.id)).await.unwrap()
        }
    });
    let answers = answers.await;
    let winner = store.tenant_by_name("acme").await.unwrap().unwrap();
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| *answer == Inserted::Inserted);
    assert_eq!(won.len(), 1);
    assert!(lost.into_iter().all(|answer| answer == Inserted::Taken(winner.clone())));
    assert_eq!(store.tenants(None, 10).await.unwrap(), [winner]);
}

/// T1: a tenant cannot be made with a key of another.
pub async fn refuses_the_key_of_another(store: Arc<dyn Store>) {
    let tenant = sample::tenant("acme");
    let key = sample::api_key(sample::tenant_id());
    assert!(create(&store, &tenant, &key).await.is_err());
    assert_nothing_of(&store, &tenant, &key).await;
    assert_eq!(store.open_door(key.hash).await.unwrap(), None);
}

/// When the key cannot be written, the tenant is not made either.
pub async fn fails_whole_when_its_key_fails(store: Arc<dyn Store>) {
    let first = sample::tenant("first");
    let known = sample::api_key(first.id);
    create(&store, &first, &known).await.unwrap();
    let end = store.feed_end().await.unwrap();
    let second = sample::tenant("second");
    let mut key = sample::api_key(second.id);
    key.hash = known.hash;
    assert!(create(&store, &second, &key).await.is_err());
    assert_nothing_of(&store, &second, &key).await;
    assert_eq!(store.feed_end().await.unwrap(), end);
    let door = store.open_door(known.hash).await.unwrap().unwrap();
    assert_eq!((door.tenant, door.key), (first.id, known.id));
}

/// Pages follow each other by identifier.
pub async fn pages_by_identifier(store: Arc<dyn Store>) {
    let mut ids: Vec<TenantId> = Vec::new();
    for n in 0..8 {
        let tenant = sample::tenant(&format!("tenant {n}"));
        create(&store, &tenant, &sample::api_key(tenant.id)).await.unwrap();
        ids.push(tenant.id);
    }
    ids.sort();
    let mut after = None;
    for expected in ids.chunks(3) {
        let page = store.tenants(after, 3).await.unwrap();
        let page: Vec<_> = page.iter().map(|row| row.id).collect();
        assert_eq!(page, expected);
        after = page.last().copied();
    }
    assert_eq!(store.tenants(after, 3).await.unwrap(), []);
}

/// A name is free or another tenant's; whose it was before may have it back.
pub async fn is_renamed(store: Arc<dyn Store>) {
    let (one, other) = (sample::tenant("one"), sample::tenant("other"));
    for tenant in [&one, &other] {
        create(&store, tenant, &sample::api_key(tenant.id)).await.unwrap();
    }
    let rename = async |id, name: &str| {
        let trail = sample::trail(id, "renamed");
        store.rename_tenant(id, name.to_owned(), trail).await.unwrap()
    };
    assert_eq!(rename(one.id, "other").await, Renamed::Taken);
    assert_eq!(rename(one.id, "one").await, Renamed::Unchanged);
    assert_eq!(rename(TenantId::from_bytes([9; 16]), "third").await, Renamed::Unchanged);
    assert_eq!(rename(one.id, "third").await, Renamed::Renamed);
    assert_eq!(store.tenant_by_name("third").await.unwrap().unwrap().id, one.id);
    assert_eq!(store.tenant_by_name("one").await.unwrap(), None);
    assert_eq!(rename(other.id, "one").await, Renamed::Renamed);
    assert_eq!(store.audit_entries(one.id, 0, 10).await.unwrap().len(), 2);
}
