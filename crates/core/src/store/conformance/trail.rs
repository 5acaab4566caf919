//! A change and its trail are one: both are written, or neither is.

use std::sync::Arc;

use super::sample;
use crate::{
    audit::{Link, Trail},
    id::TenantId,
    membership::Role,
    store::{Acceptance, Accepted, ApiKeyRow, ConnectionRow, FeedRow, Inserted, MemberChange, Store, Updated},
};

/// The subjects in a tenant's chain (which must be whole) and in the feed.
async fn written(store: &Arc<dyn Store>, tenant: TenantId) -> (Vec<String>, Vec<String>) {
    let rows = store.audit_entries(tenant, 0, 1000).await.unwrap();
    sample::assert_chain(&rows);
    let feed = store.read_feed(0, 1000).await.unwrap();
    let of_tenant = |row: FeedRow| (row.tenant == tenant).then_some(row.subject);
    (
        rows.into_iter().map(|row| row.entry.subject).collect(),
        feed.into_iter().filter_map(of_tenant).collect(),
    )
}

/// Every verb that changes something writes its own trail, in order.
pub async fn goes_with_every_change(store: Arc<dyn Store>) {
    let tenant = sample::tenant("acme");
    let id = tenant.id;
    let trail = |subject: &str| sample::trail(id, subject);
    let row = sample::connection(id, "default");
    let key = sample::api_key(id);
    store
        .create_tenant(tenant, sample::api_key(id), trail("create_tenant"))
        .await
        .unwrap();
    store
        .create_api_key(key.clone(), trail("create_api_key"))
        .await
        .unwrap();
    store
        .revoke_api_key(id, key.id, sample::at(9), trail("revoke_api_key"))
        .await
        .unwrap();
    store
        .add_data_key(sample::data_key(id, 1, b"wrapped"), trail("add_data_key"))
        .await
        .unwrap();
    store
        .insert_connection(row.clone(), trail("insert_connection"))
        .await
        .unwrap();
    store
        .update_connection(sample::next_version(&row), 1, trail("update_connection"))
        .await
        .unwrap();
    store
        .delete_connection(id, row.id, trail("delete_connection"))
        .await
        .unwrap();
    store.record(id, trail("record")).await.unwrap();
    store
        .rename_tenant(id, "other".to_owned(), trail("rename_tenant"))
        .await
        .unwrap();
    people_leave_trails(&store, id).await;
    let expected = [
        "create_tenant",
        "create_api_key",
        "revoke_api_key",
        "add_data_key",
        "insert_connection",
        "update_connection",
        "delete_connection",
        "record",
        "rename_tenant",
        "create_first_user",
        "set_password",
        "set_disabled",
        "put_link",
        "accept_link",
        "change_role",
        "create_session",
        "see_session",
        "end_session",
        "remove_member",
    ];
    let (audit, feed) = written(&store, id).await;
    assert_eq!(audit, expected);
    assert_eq!(feed, expected);
}

/// The verbs about people, each once.
async fn people_leave_trails(store: &Arc<dyn Store>, id: TenantId) {
    let trail = |subject: &str| sample::trail(id, subject);
    let (ada, bob) = (sample::user("ada"), sample::user("bob"));
    let [adas, bobs] = [ada.id, bob.id].map(|user| sample::membership(id, user));
    let (session, link) = (sample::session(id, ada.id), sample::invitation(id, "bob"));
    let (user, hash) = (ada.id, link.hash);
    let made = store.create_first_user(ada, adas, trail("create_first_user")).await;
    assert!(made.unwrap());
    let password = "another".to_owned();
    assert!(
        store
            .set_password(id, user, password, 1, trail("set_password"))
            .await
            .unwrap()
    );
    let now = Some(sample::at(9));
    let locked = store.set_disabled(id, user, now, trail("set_disabled")).await;
    assert_eq!(locked.unwrap(), MemberChange::Changed);
    store.put_link(link, trail("put_link")).await.unwrap();
    let accepted = store.accept_link(id, hash, Acceptance::NewUser(bob, bobs), trail("accept_link"));
    assert_eq!(accepted.await.unwrap(), Accepted::Done);
    let changed = store.change_role(id, user, Role::Viewer, Role::Admin, trail("change_role"));
    assert_eq!(changed.await.unwrap(), MemberChange::Changed);
    let begun = store.create_session(session.clone(), Vec::new(), trail("create_session"));
    begun.await.unwrap();
    assert!(
        store
            .see_session(id, session.id, sample::at(9), trail("see_session"))
            .await
            .unwrap()
    );
    assert!(
        store
            .end_session(id, session.id, sample::at(9), trail("end_session"))
            .await
            .unwrap()
    );
    let removed = store.remove_member(id, user, Role::Admin, trail("remove_member")).await;
    assert_eq!(removed.unwrap(), MemberChange::Changed);
}

/// `Taken`, `Conflict` and `false` leave no entry and no event.
pub async fn stays_away_when_nothing_changed(store: Arc<dyn Store>) {
    let tenant = sample::tenant("acme");
    let id = tenant.id;
    let row = sample::connection(id, "default");
    let key = sample::api_key(id);
    let data_key = sample::data_key(id, 1, b"wrapped");
    let before = sample::trail(id, "before");
    store
        .create_tenant(tenant.clone(), key.clone(), before.clone())
        .await
        .unwrap();
    store
        .revoke_api_key(id, key.id, sample::at(9), before.clone())
        .await
        .unwrap();
    store.add_data_key(data_key.clone(), before.clone()).await.unwrap();
    store.insert_connection(row.clone(), before).await.unwrap();
    let settled = written(&store, id).await;
    assert_eq!(settled.0.len(), 4);

    let trail = || sample::trail(id, "nothing");
    let again = store
        .create_tenant(tenant.clone(), sample::api_key(id), trail())
        .await
        .unwrap();
    assert_eq!(again, Inserted::Taken(tenant));
    assert!(!store.revoke_api_key(id, key.id, sample::at(10), trail()).await.unwrap());
    assert!(
        !store
            .revoke_api_key(id, sample::api_key_id(), sample::at(10), trail())
            .await
            .unwrap()
    );
    let again = sample::data_key(id, 1, b"another");
    assert_eq!(
        store.add_data_key(again, trail()).await.unwrap(),
        Inserted::Taken(data_key)
    );
    let again = sample::connection(id, "default");
    assert_eq!(
        store.insert_connection(again, trail()).await.unwrap(),
        Inserted::Taken(row.clone())
    );
    let stale = store
        .update_connection(sample::next_version(&row), 7, trail())
        .await
        .unwrap();
    assert_eq!(stale, Updated::Conflict);
    assert!(
        !store
            .delete_connection(id, sample::connection_id(), trail())
            .await
            .unwrap()
    );
    assert_eq!(written(&store, id).await, settled);
}

/// T1: a trail with one entry of another tenant fails the change; neither chain grows.
pub async fn of_another_tenant_changes_nothing(store: Arc<dyn Store>) {
    let (id, other) = (sample::tenant_id(), sample::tenant_id());
    let row = sample::connection(id, "default");
    let trail = Trail {
        entries: vec![sample::entry(id, "mine"), sample::entry(other, "theirs")],
        ..sample::trail(id, "mine")
    };
    assert!(store.insert_connection(row.clone(), trail.clone()).await.is_err());
    assert!(store.record(id, trail).await.is_err());
    assert_eq!(store.connection_by_id(id, row.id).await.unwrap(), None);
    for tenant in [id, other] {
        assert_eq!(written(&store, tenant).await, (vec![], vec![]));
    }
}

/// When a trail cannot be written, here because its link panics, the change is not either, and the store goes on.
pub async fn that_panics_changes_nothing(store: Arc<dyn Store>) {
    let id = sample::tenant_id();
    let row = sample::connection(id, "default");
    let trail = Trail {
        link: Link::new(|_, _, _| std::panic::panic_any("a link that fails on purpose")),
        ..sample::trail(id, "never")
    };
    let verb = {
        let (store, row) = (store.clone(), row.clone());
        tokio::spawn(async move { store.insert_connection(row, trail).await.is_err() })
    };
    // A store may hand the panic on to its caller, or answer with an error.
    assert!(verb.await.unwrap_or(true));
    assert_eq!(store.connection_by_id(id, row.id).await.unwrap(), None);
    assert_eq!(written(&store, id).await, (vec![], vec![]));
    let inserted = store.insert_connection(row, sample::trail(id, "after")).await.unwrap();
    assert_eq!(inserted, Inserted::Inserted);
    assert_eq!(written(&store, id).await.0, ["after"]);
}

/// T2: with another tenant's id every verb runs the same statements as with an id that nobody has.
pub async fn strangers_cost_what_unknown_ids_cost(store: Arc<dyn Store>) {
    let (owner, stranger) = (sample::tenant_id(), sample::tenant_id());
    let row = sample::connection(owner, "default");
    let key = sample::api_key(owner);
    store
        .insert_connection(row.clone(), sample::trail(owner, "row"))
        .await
        .unwrap();
    store
        .create_api_key(key.clone(), sample::trail(owner, "key"))
        .await
        .unwrap();
    let theirs = attempts(&store, stranger, &row, &key).await;
    let unknown = attempts(
        &store,
        stranger,
        &sample::connection(owner, "unknown"),
        &sample::api_key(owner),
    )
    .await;
    assert_eq!(theirs, unknown);
    assert!(theirs.iter().all(|statements| *statements > 0));
    assert_eq!(written(&store, stranger).await, (vec![], vec![]));
    assert_eq!(store.connection_by_id(owner, row.id).await.unwrap(), Some(row));
}

/// How many statements each verb runs when `tenant` tries it on these rows, all in vain.
async fn attempts(store: &Arc<dyn Store>, tenant: TenantId, row: &ConnectionRow, key: &ApiKeyRow) -> [u64; 6] {
    let trail = || sample::trail(tenant, "attempt");
    let mut marks = [store.statements(); 7];
    assert_eq!(store.connection_by_id(tenant, row.id).await.unwrap(), None);
    marks[1] = store.statements();
    let named = store.connection(tenant, &row.scope, &row.connector, &row.name);
    assert_eq!(named.await.unwrap(), None);
    marks[2] = store.statements();
    let mut changed = sample::next_version(row);
    changed.tenant = tenant;
    assert_eq!(
        store.update_connection(changed, 1, trail()).await.unwrap(),
        Updated::Conflict
    );
    marks[3] = store.statements();
    assert!(!store.delete_connection(tenant, row.id, trail()).await.unwrap());
    marks[4] = store.statements();
    assert_eq!(store.api_key(tenant, key.id).await.unwrap(), None);
    marks[5] = store.statements();
    assert!(
        !store
            .revoke_api_key(tenant, key.id, sample::at(9), trail())
            .await
            .unwrap()
    );
    marks[6] = store.statements();
    std::array::from_fn(|n| marks[n + 1] - marks[n])
}
