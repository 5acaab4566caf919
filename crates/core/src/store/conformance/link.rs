//! What a store of one-time links must keep.

use std::{future::Future, sync::Arc};

use super::{RACERS, race, sample};
use crate::{
    id::TenantId,
    membership::Role,
    store::{
        Acceptance, Accepted, Ground, KnownAs, LinkDoor, LinkPurpose, LinkRow, MemberChange, MembershipRow, Store,
        Updated, UserRow,
    },
};

async fn put(store: &Arc<dyn Store>, link: &LinkRow) {
    let trail = sample::trail(link.tenant, "link");
    store.put_link(link.clone(), trail).await.unwrap();
}

async fn accept(store: &Arc<dyn Store>, link: &LinkRow, acceptance: Acceptance) -> Accepted {
    let trail = sample::trail(link.tenant, "accepted");
    store
        .accept_link(link.tenant, link.hash, acceptance, trail)
        .await
        .unwrap()
}

/// Somebody new joins through a link.
pub(super) async fn accept_new(store: &Arc<dyn Store>, user: &UserRow, member: &MembershipRow) {
    let link = LinkRow {
        purpose: LinkPurpose::Join(member.role),
        ..sample::invitation(member.tenant, &user.email)
    };
    put(store, &link).await;
    let done = accept(store, &link, Acceptance::NewUser(user.clone(), member.clone())).await;
    assert_eq!(done, Accepted::Done);
}

/// Somebody known joins through a link.
pub(super) async fn accept_known(store: &Arc<dyn Store>, email: &str, member: &MembershipRow) {
    let link = LinkRow {
        purpose: LinkPurpose::Join(member.role),
        ..sample::invitation(member.tenant, email)
    };
    put(store, &link).await;
    assert_eq!(
        accept(store, &link, Acceptance::KnownUser(member.clone())).await,
        Accepted::Done
    );
}

/// K1: a link is found by its whole hash and nothing else, and reads as it was written.
pub async fn is_found_by_its_door_only(store: Arc<dyn Store>) {
    let join = sample::invitation(sample::tenant_id(), "größe 🔑");
    let mut reset = sample::invitation(join.tenant, "ada");
    reset.purpose = sample::reset(Role::Viewer);
    for link in [join, reset] {
        assert_eq!(store.open_link(link.hash).await.unwrap(), None);
        put(&store, &link).await;
        let door = LinkDoor {
            tenant: link.tenant,
            user: link.user,
        };
        assert_eq!(store.open_link(link.hash).await.unwrap(), Some(door));
        assert_eq!(store.link(link.tenant, link.user).await.unwrap().as_ref(), Some(&link));
        let mut close = link.hash;
        close[31] ^= 1;
        assert_eq!(store.open_link(close).await.unwrap(), None);
    }
}

/// A newer link for the same person or the same address takes the place of the older, in its tenant only.
pub async fn a_newer_one_replaces_it(store: Arc<dyn Store>) {
    let (tenant, other) = (sample::tenant_id(), sample::tenant_id());
    let elsewhere = sample::invitation(other, "ada");
    let first = sample::invitation(tenant, "ada");
    let same_address = sample::invitation(tenant, "ada");
    let same_person = LinkRow {
        user: same_address.user,
        ..sample::invitation(tenant, "ada lovelace")
    };
    for link in [&elsewhere, &first, &same_address, &same_person] {
        put(&store, link).await;
    }
    for gone in [&first, &same_address] {
        assert_eq!(store.open_link(gone.hash).await.unwrap(), None);
    }
    assert_eq!(store.members(tenant, None, 10).await.unwrap().len(), 1);
    for stands in [&elsewhere, &same_person] {
        assert!(store.open_link(stands.hash).await.unwrap().is_some());
    }
}

/// A tenant knows the addresses of its members and of those it invited.
pub async fn knows_addresses(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let user = sample::user("ada");
    accept_new(&store, &user, &sample::membership(tenant, user.id)).await;
    let invited = sample::invitation(tenant, "bob");
    put(&store, &invited).await;
    let mut reset = sample::invitation(tenant, "carol");
    reset.purpose = sample::reset(Role::Viewer);
    put(&store, &reset).await;
    for (email, known) in [
        ("ada", Some(KnownAs::Member(user.id))),
        ("bob", Some(KnownAs::Invited(invited.user))),
        ("carol", None),
        ("dave", None),
    ] {
        assert_eq!(store.known_as(tenant, email).await.unwrap(), known, "{email}");
    }
}

/// K7: of many who use one link at once, one does.
pub async fn is_used_once(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let link = sample::invitation(tenant, "ada");
    put(&store, &link).await;
    let answers = race(RACERS, |racer| {
        let (store, link) = (store.clone(), link.clone());
        async move {
            let user = sample::user(&format!("ada {racer}"));
            let member = sample::membership(link.tenant, user.id);
            accept(&store, &link, Acceptance::NewUser(user, member)).await
        }
    });
    let (done, gone): (Vec<_>, Vec<_>) = answers.await.into_iter().partition(|answer| *answer == Accepted::Done);
    assert_eq!(done.len(), 1);
    assert!(gone.into_iter().all(|answer| answer == Accepted::Gone));
    assert_eq!(store.members(tenant, None, 1000).await.unwrap().len(), 1);
    assert_eq!(store.open_link(link.hash).await.unwrap(), None);
    assert_eq!(store.audit_entries(tenant, 0, 1000).await.unwrap().len(), 2);
}

/// What rests on something that changed meanwhile changes nothing, and the link stays good.
pub async fn a_stale_one_stays_good(store: Arc<dyn Store>) {
    let (tenant, other) = (sample::tenant_id(), sample::tenant_id());
    let user = sample::user("ada");
    let member = sample::membership(tenant, user.id);
    accept_new(&store, &user, &member).await;
    let link = sample::invitation(other, "ada");
    put(&store, &link).await;
    let twin = UserRow {
        email: user.email.clone(),
        ..sample::user("x")
    };
    let joined = sample::membership(other, user.id);
    let end = store.feed_end().await.unwrap();
    for stale in [
        Acceptance::NewUser(twin.clone(), sample::membership(other, twin.id)),
        Acceptance::KnownUser(MembershipRow {
            role: Role::Editor,
            ..joined.clone()
        }),
    ] {
        assert_eq!(accept(&store, &link, stale).await, Accepted::Stale);
    }
    let no_reset = Acceptance::Password(user.id, "other".to_owned());
    assert_eq!(accept(&store, &link, no_reset).await, Accepted::Gone);
    assert_eq!(store.feed_end().await.unwrap(), end);
    assert_eq!(store.user(user.id).await.unwrap().as_ref(), Some(&user));
    assert_eq!(
        accept(&store, &link, Acceptance::KnownUser(joined.clone())).await,
        Accepted::Done
    );
    put(&store, &link).await;
    assert_eq!(
        accept(&store, &link, Acceptance::KnownUser(joined)).await,
        Accepted::Stale
    );
}

/// A new password comes with the next version.
pub async fn sets_a_password(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    let user = sample::user("ada");
    accept_new(&store, &user, &sample::membership(tenant, user.id)).await;
    let mut link = sample::invitation(tenant, "ada");
    (link.user, link.purpose) = (user.id, sample::reset(Role::Viewer));
    put(&store, &link).await;
    let member = store.member(tenant, user.id).await.unwrap().unwrap();
    assert_eq!(
        (member.invited_until, member.role),
        (None, Role::Viewer),
        "a member all the while"
    );
    let done = accept(&store, &link, Acceptance::Password(user.id, "new".to_owned())).await;
    assert_eq!(done, Accepted::Done);
    let changed = store.user(user.id).await.unwrap().unwrap();
    assert_eq!((changed.password.as_str(), changed.password_version), ("new", 2));
}

/// T1: a link is used in its own tenant only.
pub async fn belongs_to_its_tenant(store: Arc<dyn Store>) {
    let link = sample::invitation(sample::tenant_id(), "ada");
    put(&store, &link).await;
    let stranger = sample::tenant_id();
    let user = sample::user("ada");
    let acceptance = Acceptance::NewUser(user.clone(), sample::membership(stranger, user.id));
    let trail = sample::trail(stranger, "stolen");
    let used = store.accept_link(stranger, link.hash, acceptance, trail).await.unwrap();
    assert_eq!(used, Accepted::Gone);
    assert_eq!(store.members(stranger, None, 10).await.unwrap(), []);
    assert_eq!(store.user(user.id).await.unwrap(), None);
    assert!(store.open_link(link.hash).await.unwrap().is_some());
}

/// K3: a link to set a new password is void once what it rests on is otherwise, and nothing is changed by it; an operator's
/// stays good but for the password and the lock.
pub async fn a_reset_stands_on_its_ground(store: Arc<dyn Store>) {
    type Change = fn(&Arc<dyn Store>, TenantId, &UserRow) -> Changing;
    type Changing = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    let nothing: Change = |_, _, _| Box::pin(async {});
    let promoted: Change = |store, tenant, user| {
        let (store, user) = (store.clone(), user.id);
        Box::pin(async move {
            let trail = sample::trail(tenant, "role");
            let raised = store.change_role(tenant, user, Role::Viewer, Role::Owner, trail);
            assert_eq!(raised.await.unwrap(), MemberChange::Changed);
        })
    };
    let elsewhere: Change = |store, _, user| {
        let (store, user) = (store.clone(), user.clone());
        Box::pin(
            async move { accept_known(&store, &user.email, &sample::membership(sample::tenant_id(), user.id)).await },
        )
    };
    let changed: Change = |store, tenant, user| {
        let (store, user) = (store.clone(), user.id);
        Box::pin(async move {
            let set = store.set_password(tenant, user, "own".to_owned(), 1, sample::trail(tenant, "password"));
            assert!(set.await.unwrap());
        })
    };
    let locked: Change = |store, tenant, user| {
        let (store, user) = (store.clone(), user.id);
        Box::pin(async move {
            let set = store.set_disabled(tenant, user, Some(sample::at(9)), sample::trail(tenant, "locked"));
            assert_eq!(set.await.unwrap(), MemberChange::Changed);
        })
    };
    for (n, (change, tenants, operators)) in [
        (nothing, true, true),
        (promoted, false, true),
        (elsewhere, false, true),
        (changed, false, false),
        (locked, false, false),
    ]
    .into_iter()
    .enumerate()
    {
        for (role, good) in [(Some(Role::Viewer), tenants), (None, operators)] {
            let tenant = sample::tenant_id();
            let user = sample::user(&format!("ada {n} {role:?}"));
            accept_new(&store, &user, &sample::membership(tenant, user.id)).await;
            let ground = Ground {
                password_version: 1,
                role,
            };
            let link = LinkRow {
                user: user.id,
                purpose: LinkPurpose::Reset(ground),
                ..sample::invitation(tenant, &user.email)
            };
            put(&store, &link).await;
            assert_eq!(store.link(tenant, user.id).await.unwrap().as_ref(), Some(&link));
            change(&store, tenant, &user).await;
            let before = store.user(user.id).await.unwrap();
            let done = accept(&store, &link, Acceptance::Password(user.id, "new".to_owned())).await;
            let after = store.user(user.id).await.unwrap();
            assert_eq!(done == Accepted::Done, good, "change {n}, ground {role:?}: {done:?}");
            assert_eq!(after != before, good, "change {n}, ground {role:?}");
        }
    }
}

/// Whoever is removed, lowered or locked out leaves no link behind that they made.
pub async fn links_go_with_their_maker(store: Arc<dyn Store>) {
    let tenant = sample::tenant_id();
    for n in 0..4 {
        let maker = sample::user(&format!("maker {n}"));
        let row = MembershipRow {
            role: Role::Admin,
            ..sample::membership(tenant, maker.id)
        };
        let invited = sample::invitation(tenant, &maker.email);
        let invited = LinkRow {
            purpose: LinkPurpose::Join(Role::Admin),
            ..invited
        };
        put(&store, &invited).await;
        let joined = accept(&store, &invited, Acceptance::NewUser(maker.clone(), row)).await;
        assert_eq!(joined, Accepted::Done);
        let made = LinkRow {
            created_by: maker.id.to_string(),
            ..sample::invitation(tenant, &format!("made {n}"))
        };
        let other = sample::invitation(tenant, &format!("another's {n}"));
        put(&store, &made).await;
        put(&store, &other).await;
        let trail = || sample::trail(tenant, "maker");
        let done = match n {
            0 => store.remove_member(tenant, maker.id, Role::Admin, trail()).await,
            1 => {
                store
                    .change_role(tenant, maker.id, Role::Admin, Role::Editor, trail())
                    .await
            }
            2 => store.set_disabled(tenant, maker.id, Some(sample::at(9)), trail()).await,
            _ => {
                store
                    .change_role(tenant, maker.id, Role::Admin, Role::Owner, trail())
                    .await
            }
        };
        assert_eq!(done.unwrap(), MemberChange::Changed);
        assert_eq!(store.open_link(made.hash).await.unwrap().is_some(), n == 3, "{n}");
        assert!(store.open_link(other.hash).await.unwrap().is_some());
    }
}

/// K3: a key that is revoked takes the links that it made, in its own tenant and once; a change of the key takes none.
pub async fn links_go_with_the_key_that_made_them(store: Arc<dyn Store>) {
    let (tenant, stranger) = (sample::tenant_id(), sample::tenant_id());
    let key = sample::api_key(tenant);
    let trail = || sample::trail(tenant, "key");
    store.create_api_key(key.clone(), trail()).await.unwrap();
    let by = |tenant, email: &str, maker: &str| LinkRow {
        created_by: maker.to_owned(),
        ..sample::invitation(tenant, email)
    };
    let maker = key.id.to_string();
    let links = [
        by(tenant, "one", &maker),
        by(tenant, "two", &maker),
        by(tenant, "another's", "cli"),
        by(stranger, "a stranger's", &maker),
    ];
    for link in &links {
        put(&store, link).await;
    }
    let open = async || {
        let mut open = Vec::new();
        for link in &links {
            open.push(store.open_link(link.hash).await.unwrap().is_some());
        }
        open
    };
    let mut lowered = key.clone();
    (lowered.permissions, lowered.version) = ("{}".to_owned(), 2);
    let changed = store.update_api_key(lowered, 1, trail()).await.unwrap();
    assert_eq!((changed, open().await), (Updated::Updated, vec![true; 4]));
    assert!(
        store
            .revoke_api_key(tenant, key.id, sample::at(9), trail())
            .await
            .unwrap()
    );
    assert_eq!(open().await, [false, false, true, true]);
    assert_eq!(store.link(tenant, links[0].user).await.unwrap(), None);
}

/// A new link sweeps its tenant's that are over, with their doors; no other tenant's.
pub async fn what_is_over_is_swept(store: Arc<dyn Store>) {
    let (tenant, other) = (sample::tenant_id(), sample::tenant_id());
    let [over, good, elsewhere] = [(tenant, 50), (tenant, 51), (other, 50)].map(|(tenant, at)| LinkRow {
        expires_at: sample::at(at),
        ..sample::invitation(tenant, &format!("{at}"))
    });
    for link in [&over, &good, &elsewhere] {
        put(&store, link).await;
    }
    let new = LinkRow {
        created_at: sample::at(50),
        ..sample::invitation(tenant, "new")
    };
    put(&store, &new).await;
    assert_eq!(store.open_link(over.hash).await.unwrap(), None);
    assert_eq!(store.link(tenant, over.user).await.unwrap(), None);
    for stands in [good, elsewhere, new] {
        assert!(store.open_link(stands.hash).await.unwrap().is_some());
    }
}
