//! What a store of persons must keep.

use std::sync::Arc;

use super::{RACERS, race, sample};
use crate::store::{MemberChange, Store, UserRow};

/// A person who came in through an invitation, as all but the first do.
pub(super) async fn join(store: &Arc<dyn Store>, tenant: crate::id::TenantId, user: &UserRow) {
    let member = sample::membership(tenant, user.id);
    super::link::accept_new(store, user, &member).await;
}

/// Whatever is written is read back, by identifier and by address.
pub async fn keeps_every_field(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let mut user = sample::user("größe@example.com");
    user.name = "Ada 🔑".to_owned();
    assert!(!store.has_users().await.unwrap());
    join(&store, tenant, &user).await;
    assert!(store.has_users().await.unwrap());
    assert_eq!(store.user(user.id).await.unwrap().as_ref(), Some(&user));
    assert_eq!(store.user_by_email(&user.email).await.unwrap().as_ref(), Some(&user));
    assert_eq!(store.user_by_email("GRÖSSE@example.com").await.unwrap(), None);
    assert_eq!(store.user(sample::user_id()).await.unwrap(), None);
}

/// K7: of many who come first at once, one is the first, and everybody after that is too late.
pub async fn the_first_is_one(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let answers = race(RACERS, |racer| {
        let store = store.clone();
        async move {
            let user = sample::user(&format!("{racer}@example.com"));
            let member = sample::membership(tenant, user.id);
            let trail = sample::trail(tenant, "first");
            let first = store.create_first_user(user.clone(), member, trail).await.unwrap();
            first.then_some(user)
        }
    });
    let first: Vec<_> = answers.await.into_iter().flatten().collect();
    assert_eq!(first.len(), 1);
    assert_eq!(store.members(tenant, None, 10).await.unwrap().len(), 1);
    assert_eq!(store.user(first[0].id).await.unwrap().as_ref(), Some(&first[0]));
    assert_eq!(store.audit_entries(tenant, 0, 1000).await.unwrap().len(), 1);
}

/// Of many who change a password of one version at once, one does.
pub async fn a_password_changes_from_its_version(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let user = sample::user("ada@example.com");
    join(&store, tenant, &user).await;
    let answers = race(RACERS, |racer| {
        let (store, id) = (store.clone(), user.id);
        async move {
            let trail = sample::trail(tenant, "password");
            let password = format!("hash {racer}");
            let set = store
                .set_password(tenant, id, password.clone(), 1, trail)
                .await
                .unwrap();
            set.then_some(password)
        }
    });
    let winners: Vec<_> = answers.await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let changed = store.user(user.id).await.unwrap().unwrap();
    assert_eq!((&changed.password, changed.password_version), (&winners[0], 2));
    let nobody = store.set_password(tenant, sample::user_id(), String::new(), 1, sample::trail(tenant, "x"));
    assert!(!nobody.await.unwrap());
    assert_eq!(store.audit_entries(tenant, 0, 1000).await.unwrap().len(), 3);
}

/// Locking out and letting in count once each; the first time stands.
pub async fn is_locked_out_once(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let user = sample::user("ada@example.com");
    join(&store, tenant, &user).await;
    let set = |at| store.set_disabled(tenant, user.id, at, sample::trail(tenant, "disabled"));
    assert_eq!(set(None).await.unwrap(), MemberChange::Unchanged);
    assert_eq!(set(Some(sample::at(50))).await.unwrap(), MemberChange::Changed);
    assert_eq!(set(Some(sample::at(51))).await.unwrap(), MemberChange::Unchanged);
    let locked = store.user(user.id).await.unwrap().unwrap();
    assert_eq!(locked.disabled_at, Some(sample::at(50)));
    assert_eq!(set(None).await.unwrap(), MemberChange::Changed);
    assert_eq!(store.user(user.id).await.unwrap(), Some(user));
    assert_eq!(store.audit_entries(tenant, 0, 10).await.unwrap().len(), 4);
}
