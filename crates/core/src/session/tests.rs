use std::net::Ipv4Addr;

use super::*;
use crate::{
    clock::{Clock, SignedDuration, SystemRandom, TestClock},
    limits::{ACCOUNT_ATTEMPTS_FROM_SOURCE, MAX_MEMBERSHIPS},
    link::Invite,
    membership::{Authority, MemberPatch},
    setup::NewPerson,
    store::{Acceptance, Accepted, MemoryStore, Store, TenantRow, conformance::sample},
    user::NewPassword,
    vault::MasterKey,
};

const HERE: std::net::IpAddr = std::net::IpAddr::V4(Ipv4Addr::LOCALHOST);
const TENANT: TenantId = TenantId::from_bytes([1; 16]);
const RIGHT: &str = "correct horse battery";

/// Two processes over one store, and the clock of both.
struct Houses {
    one: Connectors,
    two: Connectors,
    store: Arc<dyn Store>,
    clock: Arc<TestClock>,
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn person(email: &str) -> NewPerson {
    NewPerson {
        email: email.to_owned(),
        name: "Ada".to_owned(),
        password: secret(RIGHT),
        replaces: None,
    }
}

impl Houses {
    async fn new() -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let clock = Arc::new(TestClock::at("2026-11-20T09:00:00Z".parse().unwrap()));
        let key = MasterKey::generate(&SystemRandom).unwrap().to_text();
        let house = || {
            let builder = Connectors::builder()
                .scope("tenant", crate::ScopeRule::Optional)
                .connectors([])
                .shared_store(store.clone())
                .clock(clock.clone());
            builder.key(MasterKey::parse(key.reveal()).unwrap()).build().unwrap()
        };
        let row = TenantRow {
            id: TENANT,
            name: "home".to_owned(),
            created_at: clock.now(),
        };
        let one = house();
        let by = Actor::new(TENANT, "test");
        let new = crate::api_key::NewApiKey {
            name: "first".to_owned(),
            permissions: Default::default(),
            expires_at: None,
            environment: None,
            allowed_networks: None,
        };
        let (first_key, _) = one.new_api_key(&by, TENANT, new).unwrap();
        let trail = one.trail(&by, "tenant.created", TENANT, json!({}), &[]).unwrap();
        store.create_tenant(row, first_key, trail).await.unwrap();
        Self {
            one,
            two: house(),
            store,
            clock,
        }
    }

    /// The first person, who owns the tenant.
    async fn owner(&self) -> StartedSession {
        let (link, token) = self.one.setup_link(TENANT).await.unwrap().unwrap();
        let started = self.one.set_up(&link, token.reveal(), person("ada@example.com")).await;
        started.unwrap()
    }

    /// Somebody who was invited and came.
    async fn member(&self, email: &str, role: Role) -> StartedSession {
        let wish = Invite {
            email: email.to_owned(),
            role,
            name: None,
        };
        let (_, link) = self.one.invite(&authority(), wish).await.unwrap();
        let started = self.one.accept_link(link.token.reveal(), person(email), HERE).await;
        started.unwrap()
    }

    /// Somebody known joins one more tenant.
    async fn joins_another(&self, user: UserId, email: &str, number: u8) {
        let tenant = TenantId::from_bytes([number; 16]);
        let link = sample::invitation(tenant, email);
        let hash = link.hash;
        let put = self.store.put_link(link, sample::trail(tenant, "invited"));
        put.await.unwrap();
        let acceptance = Acceptance::KnownUser(sample::membership(tenant, user));
        let trail = sample::trail(tenant, "joined");
        let joined = self.store.accept_link(tenant, hash, acceptance, trail).await;
        assert_eq!(joined.unwrap(), Accepted::Done);
    }

    fn sign_in(&self, email: &str, password: &str) -> SignIn {
        SignIn {
            email: email.to_owned(),
            password: secret(password),
            tenant: None,
            from: HERE,
            replaces: None,
        }
    }

    async fn session(&self, email: &str) -> StartedSession {
        match self.one.sign_in(self.sign_in(email, RIGHT)).await.unwrap() {
            SignedIn::Session(started) => started,
            SignedIn::Choose(_) => panic!("one tenant"),
        }
    }
}

/// Whoever may do everything in the tenant.
fn authority() -> Authority {
    Authority {
        actor: Actor::new(TENANT, "test"),
        rank: Some(Role::Owner),
        operator: false,
    }
}

async fn known(house: &Connectors, token: &Secret) -> Option<Role> {
    let person = house.authenticate_session(token.reveal(), "GET /x").await;
    person.ok().map(|person| person.role)
}

/// K1 for people: what one process changes the other knows once it has read the feed, within a second that is.
#[tokio::test]
async fn k1_another_process_forgets_roles_members_passwords_and_sessions() {
    let houses = Houses::new().await;
    houses.owner().await;
    let (one, two) = (&houses.one, &houses.two);
    let mut place = None;
    two.read_feed(&mut place).await.unwrap();
    let bob = houses.member("bob@example.com", Role::Admin).await;
    let carol = houses.member("carol@example.com", Role::Viewer).await;
    let (bobs, id) = (&bob.token, bob.person.user);
    let mut both = async || {
        two.read_feed(&mut place).await.unwrap();
        let before = houses.store.statements();
        let carols = known(two, &carol.token).await;
        assert_eq!(carols, Some(Role::Viewer));
        let warm = houses.store.statements() == before;
        (known(one, bobs).await, known(two, bobs).await, warm)
    };
    assert_eq!(both().await, (Some(Role::Admin), Some(Role::Admin), false));
    let role = |role| MemberPatch {
        role: Some(role),
        disabled: None,
    };
    let disabled = |disabled| MemberPatch {
        role: None,
        disabled: Some(disabled),
    };
    one.change_member(&authority(), id, role(Role::Viewer)).await.unwrap();
    assert_eq!(
        both().await,
        (Some(Role::Viewer), Some(Role::Viewer), true),
        "and carol stayed warm"
    );
    one.change_member(&authority(), id, disabled(true)).await.unwrap();
    assert_eq!(both().await, (None, None, true));
    one.change_member(&authority(), id, disabled(false)).await.unwrap();
    assert_eq!(both().await, (Some(Role::Viewer), Some(Role::Viewer), true));
    houses.joins_another(id, "bob@example.com", 9).await;
    one.remove_member(&authority(), id).await.unwrap();
    assert_eq!(both().await, (None, None, true));

    // Back again, under the same account: the session of before stays dead in both.
    houses.clock.advance(SignedDuration::from_micros(1));
    let back = houses.member("bob@example.com", Role::Viewer).await;
    assert_eq!(back.person.user, id);
    assert_eq!(both().await, (None, None, true));
    let wish = NewPassword {
        current: secret(RIGHT),
        new: secret("several other words"),
    };
    assert_eq!(known(two, &back.token).await, Some(Role::Viewer));
    let changed = one.change_password(&back.person, wish, HERE).await.unwrap();
    two.read_feed(&mut place).await.unwrap();
    for house in [one, two] {
        assert_eq!(known(house, &back.token).await, None);
        assert_eq!(known(house, &changed.token).await, Some(Role::Viewer));
    }
    one.end_session(&changed.person).await.unwrap();
    two.read_feed(&mut place).await.unwrap();
    for house in [one, two] {
        assert_eq!(known(house, &changed.token).await, None);
    }
}

#[tokio::test]
async fn k4_a_session_that_is_being_loaded_while_it_ends_is_not_kept() {
    let houses = Houses::new().await;
    let ada = houses.owner().await;
    let hash = token::hash_of(ada.token.reveal()).unwrap();
    let row = houses.store.session(TENANT, ada.person.session).await.unwrap().unwrap();
    let cache = &houses.one.inner.sessions.by_hash;
    let ticket = cache.ticket(NO_TENANT, &hash);
    houses.one.end_session(&ada.person).await.unwrap();
    let stale = Live {
        seen: AtomicI64::new(row.seen_at.as_microsecond()),
        row,
    };
    assert!(!cache.insert(ticket, Arc::new(stale)), "what was read before the end");
    assert_eq!(known(&houses.one, &ada.token).await, None);
}

#[tokio::test]
async fn k4_nobodys_password_costs_what_somebodys_does() {
    let houses = Houses::new().await;
    houses.owner().await;
    let costs = async |email: &str, password: &str| {
        let passwords = &houses.one.inner.passwords;
        // What is written of the attempt before is written beside its answer; here there is one thread, and no waiting.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let before = (passwords.hashed(), houses.store.statements());
        let refused = houses.one.sign_in(houses.sign_in(email, password)).await.err().unwrap();
        assert_eq!(refused.code(), Code::SignInFailed);
        (passwords.hashed() - before.0, houses.store.statements() - before.1)
    };
    let wrong = costs("ada@example.com", "wrong").await;
    assert_eq!(wrong, (1, 1), "one hash and one look for the account");
    assert_eq!(costs("nobody@example.com", "wrong").await, wrong);
    assert_eq!(costs("no address", "wrong").await, wrong);
}

#[tokio::test]
async fn k4_whoever_is_slowed_down_costs_no_hash() {
    let houses = Houses::new().await;
    houses.owner().await;
    let attempt = async || {
        houses
            .one
            .sign_in(houses.sign_in("ada@example.com", "wrong"))
            .await
            .err()
            .unwrap()
            .code()
    };
    while attempt().await == Code::SignInFailed {}
    // What is written of failures is written beside the answers.
    while houses
        .store
        .audit_entries(TENANT, 0, 100)
        .await
        .unwrap()
        .iter()
        .all(|row| row.entry.action != "session.refused")
    {
        tokio::task::yield_now().await;
    }
    let costs = || (houses.one.inner.passwords.hashed(), houses.store.statements());
    let before = costs();
    assert_eq!(attempt().await, Code::SignInThrottled);
    assert_eq!(costs(), before);
    houses.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(attempt().await, Code::SignInFailed);
}

#[tokio::test]
async fn k4_sessions_of_a_member_are_bounded_and_the_oldest_gives_way() {
    let houses = Houses::new().await;
    let first = houses.owner().await;
    let mut later = Vec::new();
    for _ in 0..3 * MAX_SESSIONS_PER_MEMBER {
        houses.clock.advance(SignedDuration::from_secs(1));
        later.push(houses.session("ada@example.com").await);
    }
    assert_eq!(known(&houses.one, &first.token).await, None);
    let (gone, stay) = later.split_at(2 * MAX_SESSIONS_PER_MEMBER);
    for session in gone {
        assert_eq!(known(&houses.one, &session.token).await, None);
    }
    for session in stay {
        assert_eq!(known(&houses.one, &session.token).await, Some(Role::Owner));
    }
    let live = houses.store.sessions_of(TENANT, first.person.user, 100).await.unwrap();
    assert_eq!(live.len(), MAX_SESSIONS_PER_MEMBER);
    // What is over is swept by the next one.
    houses.clock.advance(SignedDuration::try_from(SESSION_LIFE).unwrap());
    houses.session("ada@example.com").await;
    assert_eq!(
        houses
            .store
            .sessions_of(TENANT, first.person.user, 100)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn k4_a_session_seen_by_another_process_is_not_idle() {
    let houses = Houses::new().await;
    let ada = houses.owner().await;
    assert!(known(&houses.two, &ada.token).await.is_some());
    houses.clock.advance(SignedDuration::from_hours(11));
    assert!(known(&houses.one, &ada.token).await.is_some());
    houses.clock.advance(SignedDuration::from_hours(11));
    assert!(
        known(&houses.two, &ada.token).await.is_some(),
        "seen eleven hours ago, elsewhere"
    );
    houses.clock.advance(SignedDuration::from_hours(12));
    assert!(known(&houses.two, &ada.token).await.is_none());
}

/// K7: of many who use the link of one start at once, one is the first.
#[tokio::test]
async fn k7_the_setup_link_lets_one_in() {
    let houses = Houses::new().await;
    let (link, token) = houses.one.setup_link(TENANT).await.unwrap().unwrap();
    let (other, _) = houses.two.setup_link(TENANT).await.unwrap().unwrap();
    assert!(
        houses.two.check_setup(&other, token.reveal()).await.is_err(),
        "another start's token"
    );
    let attempts = (0..5).map(|n| {
        houses
            .one
            .set_up(&link, token.reveal(), person(&format!("{n}@example.com")))
    });
    let answers = futures_util::future::join_all(attempts).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for refused in answers.into_iter().filter_map(Result::err) {
        assert_eq!(refused.code(), Code::LinkInvalid);
    }
    assert!(houses.two.setup_link(TENANT).await.unwrap().is_none());
}

/// The end of an invitation's life, to the second.
#[tokio::test]
async fn an_invitation_has_a_life() {
    let houses = Houses::new().await;
    let wish = Invite {
        email: "bob@example.com".to_owned(),
        role: Role::Viewer,
        name: None,
    };
    let (_, link) = houses.one.invite(&authority(), wish).await.unwrap();
    let life = SignedDuration::try_from(crate::limits::INVITATION_LIFE).unwrap();
    houses.clock.advance(life - SignedDuration::from_secs(1));
    assert!(houses.one.open_link(link.token.reveal()).await.is_ok());
    houses.clock.advance(SignedDuration::from_secs(1));
    let late = houses
        .one
        .accept_link(link.token.reveal(), person("bob@example.com"), HERE)
        .await;
    assert_eq!(late.err().unwrap().code(), Code::LinkInvalid);
}

/// That we had no room to look at a password is nobody's failed guess.
#[tokio::test]
async fn k4_who_was_turned_away_has_not_failed() {
    let houses = Houses::new().await;
    let ada = houses.owner().await;
    let flood = houses.one.inner.passwords.flooded().await;
    for _ in 0..ACCOUNT_ATTEMPTS_FROM_SOURCE.0 {
        let away = houses.one.sign_in(houses.sign_in("ada@example.com", RIGHT)).await;
        assert_eq!(away.err().unwrap().code(), Code::Overloaded);
        let wish = NewPassword {
            current: secret(RIGHT),
            new: secret("several other words"),
        };
        let away = houses.one.change_password(&ada.person, wish, HERE).await;
        assert_eq!(away.err().unwrap().code(), Code::Overloaded);
    }
    drop(flood);
    houses.session("ada@example.com").await;
}

/// A person belongs to so many tenants and to no more.
#[tokio::test]
async fn memberships_are_bounded_where_they_begin() {
    let houses = Houses::new().await;
    houses.owner().await;
    let user = sample::user("bob@example.com");
    let hash = houses
        .one
        .hash_password(secret(RIGHT), &user.email, "Bob")
        .await
        .unwrap();
    let tenant = TenantId::from_bytes([2; 16]);
    let link = sample::invitation(tenant, &user.email);
    let token = link.hash;
    let put = houses.store.put_link(link, sample::trail(tenant, "invited"));
    put.await.unwrap();
    let row = crate::store::UserRow {
        password: hash,
        ..user.clone()
    };
    let new = Acceptance::NewUser(row, sample::membership(tenant, user.id));
    let joined = houses
        .store
        .accept_link(tenant, token, new, sample::trail(tenant, "joined"));
    assert_eq!(joined.await.unwrap(), Accepted::Done);
    for number in 0..MAX_MEMBERSHIPS - 2 {
        houses
            .joins_another(user.id, &user.email, u8::try_from(number + 3).unwrap())
            .await;
    }
    houses.member(&user.email, Role::Viewer).await;
    let more = houses.store.memberships_of(user.id, 1000).await.unwrap();
    assert_eq!(more.len(), MAX_MEMBERSHIPS);
    houses.one.remove_member(&authority(), user.id).await.unwrap();
    houses.joins_another(user.id, &user.email, 255).await;
    let wish = Invite {
        email: user.email.clone(),
        role: Role::Viewer,
        name: None,
    };
    let (_, link) = houses.one.invite(&authority(), wish).await.unwrap();
    let refused = houses
        .one
        .accept_link(link.token.reveal(), person(&user.email), HERE)
        .await;
    assert_eq!(refused.err().unwrap().code(), Code::RequestInvalid);
    assert_eq!(
        houses.store.memberships_of(user.id, 1000).await.unwrap().len(),
        MAX_MEMBERSHIPS
    );
}
