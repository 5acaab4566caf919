//! What a store of memberships must keep.

use std::sync::Arc;

use super::{RACERS, race, sample, user::join};
use crate::{
    id::{TenantId, UserId},
    membership::Role,
    store::{LinkPurpose, LinkRow, MemberChange, MemberRow, MembershipRow, Store, UserRow},
};

async fn member(store: &Arc<dyn Store>, tenant: TenantId, email: &str, role: Role) -> UserRow {
    let user = sample::user(email);
    let row = MembershipRow {
        role,
        ..sample::membership(tenant, user.id)
    };
    super::link::accept_new(store, &user, &row).await;
    user
}

async fn change(store: &Arc<dyn Store>, tenant: TenantId, user: UserId, role: Role) -> MemberChange {
    let trail = sample::trail(tenant, "role");
    let from = standing(store, tenant, user).await;
    store.change_role(tenant, user, from, role, trail).await.unwrap()
}

async fn remove(store: &Arc<dyn Store>, tenant: TenantId, user: UserId) -> MemberChange {
    let trail = sample::trail(tenant, "removed");
    let role = standing(store, tenant, user).await;
    store.remove_member(tenant, user, role, trail).await.unwrap()
}

/// The role that somebody has; of nobody's any will do.
async fn standing(store: &Arc<dyn Store>, tenant: TenantId, user: UserId) -> Role {
    let row = store.member(tenant, user).await.unwrap();
    row.map_or(Role::Viewer, |row| row.role)
}

/// A membership reads as it was written, and as a member with the person's address and name.
pub async fn keeps_every_field(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let user = sample::user("ada@example.com");
    join(&store, tenant, &user).await;
    let row = sample::membership(tenant, user.id);
    assert_eq!(store.membership(tenant, user.id).await.unwrap().as_ref(), Some(&row));
    let expected = MemberRow {
        user: user.id,
        email: user.email,
        name: user.name,
        role: row.role,
        disabled_at: None,
        created_by: row.created_by,
        created_at: row.created_at,
        invited_until: None,
    };
    assert_eq!(store.member(tenant, user.id).await.unwrap(), Some(expected));
}

/// Members and those invited are one list, by identifier.
pub async fn lists_members_and_invited(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(member(&store, tenant, &format!("member {n}"), Role::Viewer).await.id);
        let link = sample::invitation(tenant, &format!("invited {n}"));
        ids.push(link.user);
        store.put_link(link, sample::trail(tenant, "invited")).await.unwrap();
    }
    ids.sort();
    let mut after = None;
    for expected in ids.chunks(3) {
        let page = store.members(tenant, after, 3).await.unwrap();
        let page: Vec<_> = page.iter().map(|row| row.user).collect();
        assert_eq!(page, expected);
        after = page.last().copied();
    }
    assert_eq!(store.members(tenant, after, 3).await.unwrap(), []);
    let all = store.members(tenant, None, 100).await.unwrap();
    assert_eq!(all.iter().filter(|row| row.invited_until.is_some()).count(), 4);
    for row in all {
        assert_eq!(store.member(tenant, row.user).await.unwrap(), Some(row));
    }
}

/// A role changes once, of members and of those invited.
pub async fn roles_change(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let user = member(&store, tenant, "ada", Role::Viewer).await;
    let link = sample::invitation(tenant, "bob");
    store
        .put_link(link.clone(), sample::trail(tenant, "invited"))
        .await
        .unwrap();
    for id in [user.id, link.user] {
        assert_eq!(change(&store, tenant, id, Role::Admin).await, MemberChange::Changed);
        assert_eq!(change(&store, tenant, id, Role::Admin).await, MemberChange::Unchanged);
        assert_eq!(store.member(tenant, id).await.unwrap().unwrap().role, Role::Admin);
    }
    let nobody = change(&store, tenant, sample::user_id(), Role::Admin).await;
    assert_eq!(nobody, MemberChange::Unchanged);
    assert_eq!(store.audit_entries(tenant, 0, 100).await.unwrap().len(), 5);
}

/// The last owner stays an owner and stays; an invited owner is none yet.
pub async fn the_last_owner_stays(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    assert!(!store.has_owner(tenant).await.unwrap());
    let carol = invited_owner(&store, tenant, "carol").await;
    assert!(!store.has_owner(tenant).await.unwrap());
    let ada = member(&store, tenant, "ada", Role::Owner).await;
    assert!(store.has_owner(tenant).await.unwrap());
    assert_eq!(
        store.open_link(carol.hash).await.unwrap(),
        None,
        "too late to be the first"
    );
    let dave = invited_owner(&store, tenant, "dave").await;
    let settled = store.audit_entries(tenant, 0, 100).await.unwrap();
    assert_eq!(
        change(&store, tenant, ada.id, Role::Admin).await,
        MemberChange::LastOwner
    );
    assert_eq!(remove(&store, tenant, ada.id).await, MemberChange::LastOwner);
    assert_eq!(store.audit_entries(tenant, 0, 100).await.unwrap(), settled);
    let bob = member(&store, tenant, "bob", Role::Owner).await;
    assert_eq!(change(&store, tenant, ada.id, Role::Admin).await, MemberChange::Changed);
    assert_eq!(remove(&store, tenant, bob.id).await, MemberChange::LastOwner);
    assert_eq!(remove(&store, tenant, ada.id).await, MemberChange::Changed);
    assert!(
        store.open_link(dave.hash).await.unwrap().is_some(),
        "invited by an owner"
    );
}

async fn invited_owner(store: &Arc<dyn Store>, tenant: TenantId, email: &str) -> LinkRow {
    let link = LinkRow {
        purpose: LinkPurpose::Join(Role::Owner),
        ..sample::invitation(tenant, email)
    };
    let trail = sample::trail(tenant, "invited");
    store.put_link(link.clone(), trail).await.unwrap();
    link
}

/// Who is locked out is no owner to rely on: the last one who is not stays, and is not locked out either. When one is made
/// or let in where there was none, invitations to be the first are void.
pub async fn a_locked_owner_does_not_count(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let (ada, bob) = (
        member(&store, tenant, "ada", Role::Owner).await,
        member(&store, tenant, "bob", Role::Owner).await,
    );
    let lock = async |user, at| {
        let trail = sample::trail(tenant, "locked");
        store.set_disabled(tenant, user, at, trail).await.unwrap()
    };
    let now = Some(sample::at(9));
    assert_eq!(lock(bob.id, now).await, MemberChange::Changed);
    assert_eq!(lock(ada.id, now).await, MemberChange::LastOwner);
    assert_eq!(remove(&store, tenant, ada.id).await, MemberChange::LastOwner);
    assert_eq!(
        change(&store, tenant, ada.id, Role::Admin).await,
        MemberChange::LastOwner
    );
    // From another tenant, as an operator does, she is locked out all the same.
    let elsewhere = sample::tenant_id();
    let locked = store.set_disabled(elsewhere, ada.id, now, sample::trail(elsewhere, "locked"));
    assert_eq!(locked.await.unwrap(), MemberChange::Changed);
    assert!(!store.has_owner(tenant).await.unwrap());
    let carol = invited_owner(&store, tenant, "carol").await;
    assert_eq!(lock(bob.id, None).await, MemberChange::Changed);
    assert!(store.has_owner(tenant).await.unwrap());
    assert_eq!(store.open_link(carol.hash).await.unwrap(), None);
    let empty = sample::tenant_id();
    let eve = member(&store, empty, "eve", Role::Admin).await;
    let invited = invited_owner(&store, empty, "frank").await;
    assert_eq!(change(&store, empty, eve.id, Role::Owner).await, MemberChange::Changed);
    assert_eq!(store.open_link(invited.hash).await.unwrap(), None);
}

/// What was decided on another role than the one that stands is not done.
pub async fn changes_from_the_role_it_was_decided_on(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let user = member(&store, tenant, "ada", Role::Admin).await;
    let link = sample::invitation(tenant, "bob");
    let put = store.put_link(link.clone(), sample::trail(tenant, "invited"));
    put.await.unwrap();
    for (id, stands, thought) in [
        (user.id, Role::Admin, Role::Viewer),
        (link.user, Role::Viewer, Role::Editor),
    ] {
        let trail = || sample::trail(tenant, "stale");
        let changed = store.change_role(tenant, id, thought, Role::Owner, trail()).await;
        assert_eq!(changed.unwrap(), MemberChange::Unchanged);
        let removed = store.remove_member(tenant, id, thought, trail()).await;
        assert_eq!(removed.unwrap(), MemberChange::Unchanged);
        assert_eq!(store.member(tenant, id).await.unwrap().unwrap().role, stands);
    }
}

/// Of two owners who remove each other at once, one stays.
pub async fn owners_race_leaves_one(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let mut owners = Vec::new();
    for n in 0..RACERS / 5 {
        owners.push(member(&store, tenant, &format!("owner {n}"), Role::Owner).await.id);
    }
    let answers = race(owners.len(), |racer| {
        let (store, user) = (store.clone(), owners[racer]);
        async move { remove(&store, tenant, user).await }
    });
    let stayed = answers
        .await
        .into_iter()
        .filter(|change| *change == MemberChange::LastOwner);
    assert_eq!(stayed.count(), 1);
    assert_eq!(store.members(tenant, None, 100).await.unwrap().len(), 1);
}

/// Who is removed is gone with sessions and links, in this tenant only.
pub async fn removal_takes_sessions_and_links(store: Arc<dyn Store>) {
    let (one, other) = (sample::tenant_id(), sample::tenant_id());
    let user = member(&store, one, "ada", Role::Viewer).await;
    let elsewhere = sample::membership(other, user.id);
    super::link::accept_known(&store, &user.email, &elsewhere).await;
    let mut hashes = Vec::new();
    for tenant in [one, other] {
        let session = sample::session(tenant, user.id);
        let trail = sample::trail(tenant, "session");
        store.create_session(session.clone(), Vec::new(), trail).await.unwrap();
        let mut link = sample::invitation(tenant, &user.email);
        (link.user, link.purpose) = (user.id, sample::reset(Role::Viewer));
        store
            .put_link(link.clone(), sample::trail(tenant, "reset"))
            .await
            .unwrap();
        hashes.push((session.hash, link.hash));
    }
    assert_eq!(store.memberships_of(user.id, 10).await.unwrap().len(), 2);
    assert_eq!(store.memberships_of(user.id, 1).await.unwrap().len(), 1);
    assert_eq!(remove(&store, one, user.id).await, MemberChange::Changed);
    assert_eq!(remove(&store, one, user.id).await, MemberChange::Unchanged);
    assert_eq!(store.memberships_of(user.id, 10).await.unwrap(), [elsewhere]);
    assert_eq!(store.open_session(hashes[0].0).await.unwrap(), None);
    assert_eq!(store.sessions_of(one, user.id, 10).await.unwrap(), []);
    assert_eq!(store.open_link(hashes[0].1).await.unwrap(), None);
    assert!(store.open_session(hashes[1].0).await.unwrap().is_some());
    assert!(store.open_link(hashes[1].1).await.unwrap().is_some());
    assert!(store.user(user.id).await.unwrap().is_some(), "the account stays");
    assert_eq!(remove(&store, other, user.id).await, MemberChange::Changed);
    assert_eq!(store.user(user.id).await.unwrap(), None, "known nowhere any more");
    assert_eq!(store.user_by_email(&user.email).await.unwrap(), None);
}

/// T2: another tenant neither reads, changes nor removes a member or an invitation.
pub async fn belongs_to_its_tenant(store: Arc<dyn Store>) {
    let (tenant, stranger) = (sample::tenant_id(), sample::tenant_id());
    let user = member(&store, tenant, "ada", Role::Viewer).await;
    let link = sample::invitation(tenant, "bob");
    store
        .put_link(link.clone(), sample::trail(tenant, "invited"))
        .await
        .unwrap();
    let before = store.members(tenant, None, 10).await.unwrap();
    for id in [user.id, link.user] {
        assert_eq!(store.membership(stranger, id).await.unwrap(), None);
        assert_eq!(store.member(stranger, id).await.unwrap(), None);
        assert_eq!(store.link(stranger, id).await.unwrap(), None);
        assert_eq!(change(&store, stranger, id, Role::Owner).await, MemberChange::Unchanged);
        assert_eq!(remove(&store, stranger, id).await, MemberChange::Unchanged);
    }
    assert_eq!(store.members(stranger, None, 10).await.unwrap(), []);
    assert_eq!(store.known_as(stranger, "ada").await.unwrap(), None);
    assert_eq!(store.known_as(stranger, "bob").await.unwrap(), None);
    assert_eq!(store.members(tenant, None, 10).await.unwrap(), before);
    assert_eq!(store.audit_entries(stranger, 0, 10).await.unwrap(), []);
}
