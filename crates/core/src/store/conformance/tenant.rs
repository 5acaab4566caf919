//! What a store of tenants must keep.

use std::sync::Arc;

use super::{RACERS, link, race, sample};
use crate::{
    error::Code,
    id::{TenantId, UserId},
    membership::Role,
    store::{ApiKeyRow, Countable, Door, IdempotencyRow, Inserted, Renamed, Store, TenantRow},
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

/// A tenant with a row of each kind, and what is looked for afterwards.
struct Furnished {
    tenant: TenantRow,
    key: ApiKeyRow,
    /// A member who belongs nowhere else.
    own: UserId,
    session: [u8; 32],
    link: [u8; 32],
    oauth: [u8; 32],
}

async fn furnish(store: &Arc<dyn Store>, name: &str, shared: Option<UserId>) -> Furnished {
    let tenant = sample::tenant(name);
    let (id, key) = (tenant.id, sample::api_key(tenant.id));
    let trail = || sample::trail(id, "furnished");
    create(store, &tenant, &key).await.unwrap();
    store
        .add_data_key(sample::data_key(id, 1, b"wrapped"), trail())
        .await
        .unwrap();
    let credential = sample::credential(id, "shared");
    let pointing = credential.id;
    store.insert_credential(credential, trail()).await.unwrap();
    let mut connection = sample::connection(id, "default");
    (connection.credential, connection.secrets) = (Some(pointing), Default::default());
    store.insert_connection(connection, trail()).await.unwrap();
    store
        .insert_connection(sample::connection(id, "own"), trail())
        .await
        .unwrap();
    let user = sample::user(&format!("{name}@example.com"));
    let own = user.id;
    link::accept_new(store, &user, &sample::membership(id, own)).await;
    if let Some(shared) = shared {
        link::accept_known(store, "shared@example.com", &sample::membership(id, shared)).await;
    }
    let session = sample::session(id, own);
    store
        .create_session(session.clone(), Vec::new(), trail())
        .await
        .unwrap();
    let oauth = sample::oauth_state(id);
    store.begin_oauth(oauth.clone(), 10, trail()).await.unwrap();
    let invitation = sample::invitation(id, "invited@example.com");
    store.put_link(invitation.clone(), trail()).await.unwrap();
    let calls = (0..5).map(|_| sample::call(id)).collect();
    store.append_calls(vec![sample::call_batch(calls)]).await.unwrap();
    Furnished {
        tenant,
        key,
        own,
        session: session.hash,
        link: invitation.hash,
        oauth: oauth.hash,
    }
}

/// Everything of a tenant that others can reach, as text.
async fn reach(store: &Arc<dyn Store>, of: &Furnished) -> String {
    let id = of.tenant.id;
    format!(
        "{:?}",
        (
            (
                store.tenant(id).await.unwrap(),
                store.tenant_by_name(&of.tenant.name).await.unwrap()
            ),
            (
                store.api_keys(id, None, 10).await.unwrap(),
                store.open_door(of.key.hash).await.unwrap()
            ),
            (
                store.open_session(of.session).await.unwrap(),
                store.open_link(of.link).await.unwrap(),
                store.open_oauth_state(of.oauth).await.unwrap()
            ),
            store.sessions_of(id, of.own, 10).await.unwrap(),
            store.members(id, None, 10).await.unwrap(),
            store.memberships_of(of.own, 10).await.unwrap(),
            store.user(of.own).await.unwrap(),
            store.connections(sample::filter(id)).await.unwrap(),
            store.credentials(sample::credential_filter(id)).await.unwrap(),
            store.data_keys(id).await.unwrap(),
        )
    )
}

/// What is left where nothing is.
const NOTHING: &str = "((None, None), ([], None), (None, None, None), [], [], [], None, [], [], [])";

/// A tenant goes with everything that is its, and nothing of others; its audit chain stays, and tells of it.
pub async fn is_deleted_with_all_that_is_its(store: Arc<dyn Store>) {
    let other = furnish(&store, "other", None).await;
    let others = reach(&store, &other).await;
    let gone = furnish(&store, "gone", Some(other.own)).await;
    let id = gone.tenant.id;
    let before = store.audit_entries(id, 0, 100).await.unwrap();
    let unknown = sample::tenant_id();
    assert!(
        !store
            .delete_tenant(unknown, sample::at(9), sample::trail(unknown, "never"))
            .await
            .unwrap()
    );
    assert_eq!(store.audit_entries(unknown, 0, 10).await.unwrap(), []);

    assert!(
        store
            .delete_tenant(id, sample::at(9), sample::trail(id, "deleted"))
            .await
            .unwrap()
    );
    assert_eq!(reach(&store, &gone).await, NOTHING);
    assert_eq!(
        store.tenants(None, 10).await.unwrap(),
        std::slice::from_ref(&other.tenant)
    );
    assert_eq!(
        reach(&store, &other).await,
        others,
        "who belongs to another tenant stays there"
    );

    let after = store.audit_entries(id, 0, 100).await.unwrap();
    sample::assert_chain(&after);
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(after.last().unwrap().entry.subject, "deleted");
    assert_eq!(after.len(), before.len() + 1);
    let feed = store.read_feed(0, 1000).await.unwrap();
    assert_eq!(
        feed.last().map(|row| (row.tenant, row.subject.as_str())),
        Some((id, "deleted"))
    );
    // The name is free for another, which has nothing of the old one.
    let heir = sample::tenant("gone");
    assert_eq!(
        create(&store, &heir, &sample::api_key(heir.id)).await.unwrap(),
        Inserted::Inserted
    );
}

/// A request that runs.
fn begun(tenant: TenantId) -> IdempotencyRow {
    IdempotencyRow {
        tenant,
        id: [7; 16],
        request: vec![1],
        attempt: 1,
        until: sample::at(100),
        expires_at: sample::at(200),
        answer: None,
    }
}

/// Whatever comes for a deleted tenant leaves nothing, and says why; calls that ended late are not appended.
pub async fn never_changes_again(store: Arc<dyn Store>) {
    let gone = furnish(&store, "gone", None).await;
    let other = furnish(&store, "other", None).await;
    let id = gone.tenant.id;
    let trail = || sample::trail(id, "late");
    assert!(store.delete_tenant(id, sample::at(9), trail()).await.unwrap());
    let entries = store.audit_entries(id, 0, 100).await.unwrap();
    let refusals = [
        store.create_api_key(sample::api_key(id), trail()).await.err(),
        store
            .add_data_key(sample::data_key(id, 1, b"wrapped"), trail())
            .await
            .err(),
        store
            .insert_connection(sample::connection(id, "late"), trail())
            .await
            .err(),
        store
            .insert_credential(sample::credential(id, "late"), trail())
            .await
            .err(),
        store
            .create_session(sample::session(id, gone.own), Vec::new(), trail())
            .await
            .err(),
        store
            .put_link(sample::invitation(id, "late@example.com"), trail())
            .await
            .err(),
        store.record(id, trail()).await.err(),
        create(&store, &gone.tenant, &sample::api_key(id)).await.err(),
        store.delete_tenant(id, sample::at(10), trail()).await.err(),
        store.begin_idempotent(begun(id), sample::at(0)).await.err(),
    ];
    for (place, refusal) in refusals.iter().enumerate() {
        let code = refusal.as_ref().map(crate::Error::code);
        assert_eq!(code, Some(Code::TenantDeleted), "change {place}");
    }
    let batches = [id, other.tenant.id].map(|tenant| sample::call_batch(vec![sample::call(tenant)]));
    let mut batches = batches.to_vec();
    batches.sort_by_key(|batch| batch.tenant);
    store.append_calls(batches).await.unwrap();
    assert_eq!(store.calls_in_order(other.tenant.id, 0, 10).await.unwrap().len(), 6);
    assert_eq!(store.calls_in_order(id, 0, 10).await.unwrap().len(), 5);
    assert_eq!(store.audit_entries(id, 0, 100).await.unwrap(), entries);
    assert_eq!(reach(&store, &gone).await, NOTHING);
}

/// Calls and usage of deleted tenants go some rows at a time, and those of others stay.
pub async fn is_swept_some_rows_at_a_time(store: Arc<dyn Store>) {
    let (gone, other) = (
        furnish(&store, "gone", None).await,
        furnish(&store, "other", None).await,
    );
    assert_eq!(store.sweep_deleted_tenants(100).await.unwrap(), 0);
    let id = gone.tenant.id;
    assert!(
        store
            .delete_tenant(id, sample::at(9), sample::trail(id, "deleted"))
            .await
            .unwrap()
    );
    let calling = store.calling_tenants(None, 10).await.unwrap();
    assert_eq!(calling, [other.tenant.id], "nobody prunes what is swept");
    let mut rounds = 0;
    loop {
        let before = store.calls_in_order(id, 0, 100).await.unwrap().len();
        if store.sweep_deleted_tenants(2).await.unwrap() == 0 {
            break;
        }
        assert!(before - store.calls_in_order(id, 0, 100).await.unwrap().len() <= 2);
        rounds += 1;
    }
    assert!(rounds >= 3, "five calls, two at a time");
    assert_eq!(store.calls_in_order(id, 0, 100).await.unwrap(), []);
    assert_eq!(store.usage(sample::usage_filter(id)).await.unwrap(), []);
    assert_eq!(store.calls_in_order(other.tenant.id, 0, 100).await.unwrap().len(), 5);
    assert_eq!(
        store.usage(sample::usage_filter(other.tenant.id)).await.unwrap().len(),
        1
    );
}

/// What a tenant has is counted up to a bound, and what others have is not.
pub async fn counts_what_it_has(store: Arc<dyn Store>) {
    let tenant = furnish(&store, "one", None).await;
    furnish(&store, "other", None).await;
    let id = tenant.tenant.id;
    let all = [
        (Countable::Connections, 2),
        (Countable::Credentials, 1),
        (Countable::ApiKeys, 1),
        (Countable::Members, 1),
        (Countable::Invitations, 1),
    ];
    let trail = || sample::trail(id, "more");
    let mut reset = sample::invitation(id, "one@example.com");
    (reset.user, reset.purpose) = (tenant.own, sample::reset(Role::Viewer));
    store.put_link(reset, trail()).await.unwrap();
    for (what, count) in all {
        assert_eq!(store.count_of(id, what, 100).await.unwrap(), count, "{what}");
        assert_eq!(store.count_of(id, what, 0).await.unwrap(), 0, "{what}");
        assert_eq!(
            store.count_of(sample::tenant_id(), what, 100).await.unwrap(),
            0,
            "{what}"
        );
    }
    assert_eq!(store.count_of(id, Countable::Connections, 1).await.unwrap(), 1);
    let key = tenant.key.id;
    assert!(store.revoke_api_key(id, key, sample::at(9), trail()).await.unwrap());
    assert_eq!(store.count_of(id, Countable::ApiKeys, 100).await.unwrap(), 0);
}

/// Of changes that meet the deletion each is written before it, and goes with it, or is refused.
pub async fn deletion_and_changes_race(store: Arc<dyn Store>) {
    let gone = furnish(&store, "gone", None).await;
    let id = gone.tenant.id;
    let outcomes = race(RACERS, |racer| {
        let store = store.clone();
        async move {
            if racer == RACERS / 2 {
                let trail = sample::trail(id, "deleted");
                return store.delete_tenant(id, sample::at(9), trail).await.map(drop);
            }
            let row = sample::connection(id, &format!("racer {racer}"));
            store.insert_connection(row, sample::trail(id, "raced")).await.map(drop)
        }
    })
    .await;
    let refused =
        |outcome: &crate::Result<()>| outcome.as_ref().is_err_and(|error| error.code() == Code::TenantDeleted);
    assert!(outcomes.iter().all(|outcome| outcome.is_ok() || refused(outcome)));
    assert_eq!(reach(&store, &gone).await, NOTHING);
    let entries = store.audit_entries(id, 0, 1000).await.unwrap();
    sample::assert_chain(&entries);
    assert_eq!(entries.last().unwrap().entry.subject, "deleted");
}
