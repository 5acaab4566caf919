//! Sessions: a person who signed in, in one tenant, until they leave or time is up.

mod sign_in;
#[cfg(test)]
mod tests;
mod throttle;

pub use self::sign_in::{SignIn, SignedIn, Workplace};
pub(crate) use self::throttle::Throttle;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use serde_json::json;

use crate::{
    audit::Actor,
    cache::Cache,
    clock::Timestamp,
    connectors::Connectors,
    error::{Code, Error, Result},
    event::EventKind,
    id::{SessionId, TenantId, UserId},
    limits::{MAX_SESSIONS_PER_MEMBER, SESSION_IDLE, SESSION_LIFE, SESSION_SEEN_EVERY},
    membership::Role,
    secret::Secret,
    store::{MembershipRow, SessionRow},
    token,
};

/// Somebody who is signed in, as they are at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub user: UserId,
    /// Their address.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// In which tenant, the only one this session is good for.
    pub tenant: TenantId,
    /// As what.
    pub role: Role,
    /// Under which session.
    pub session: SessionId,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
}

/// A session that just began: the only moment its token is known.
pub struct StartedSession {
    /// Who signed in.
    pub person: Person,
    /// What the browser shows from now on.
    pub token: Secret,
}

/// Sessions by the hash of their token, with the members and persons they are of: ready without a statement.
pub(crate) struct Sessions {
    by_hash: Cache<[u8; 32], Live>,
    members: Cache<UserId, MembershipRow>,
    users: Cache<UserId, Account>,
}

/// A session in memory.
struct Live {
    row: SessionRow,
    /// When it was last in use as far as this process knows, in microseconds since 1970.
    seen: AtomicI64,
}

/// What a request has to know of a person.
struct Account {
    email: String,
    name: String,
    disabled: bool,
    password_version: u64,
}

/// Tokens are looked up before any tenant is known, and persons belong to none.
const NO_TENANT: TenantId = TenantId::from_bytes([0; 16]);

impl Sessions {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            by_hash: Cache::new(capacity),
            members: Cache::new(capacity),
            users: Cache::new(capacity),
        }
    }

    pub(crate) fn forget_user(&self, user: UserId) {
        self.users.forget(NO_TENANT, &user);
    }

    pub(crate) fn forget_member(&self, tenant: TenantId, user: UserId) {
        self.members.forget(tenant, &user);
    }

    /// Forgets a tenant's sessions and members.
    pub(crate) fn forget_tenant(&self, tenant: TenantId) {
        self.by_hash.forget_where(|_, live| live.row.tenant == tenant);
        self.members.forget_where(|of, _| of == tenant);
    }

    pub(crate) fn clear(&self) {
        self.by_hash.clear();
        self.members.clear();
        self.users.clear();
    }
}

impl Live {
    fn seen(&self) -> Timestamp {
        Timestamp::from_microsecond(self.seen.load(Ordering::Relaxed)).unwrap_or(self.row.seen_at)
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        self.seen() + SESSION_IDLE <= now
    }
}

fn refused() -> Error {
    Error::new(
        Code::Unauthenticated,
        "This session has ended, or never was: sign in again.",
    )
}

impl Connectors {
    /// Who comes with this token. A warm answer runs no statement. An ended session's attempt at what was `asked` is
    /// written down for its tenant.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for a token that is malformed or unknown, for a session that was ended, was idle for too long or
    /// is too old, whose person is locked out, changed the password elsewhere, or belongs to the tenant no more: one
    /// answer for all.
    pub async fn authenticate_session(&self, token: &str, asked: &str) -> Result<Person> {
        let hash = token::hash_of(token).ok_or_else(refused)?;
        let now = self.inner.clock.now();
        let cached = self.inner.sessions.by_hash.get(NO_TENANT, &hash);
        let live = match cached {
            Some(live) if !live.is_idle(now) => live,
            // Another process may have seen it since.
            _ => self.load_session(hash).await?.ok_or_else(refused)?,
        };
        match self.person(&live, now).await? {
            Some(person) => {
                self.see(&live, now).await;
                Ok(person)
            }
            None => {
                let by = Actor::new(live.row.tenant, live.row.user);
                self.denied(&by, Code::Unauthenticated, asked).await;
                Err(refused())
            }
        }
    }

    /// Ends a session before its time.
    pub async fn end_session(&self, by: &Person) -> Result<()> {
        self.end(by.tenant, by.user, by.session).await
    }

    /// The same person goes on under a new token; the old one is dead.
    pub(crate) async fn continue_session(&self, by: &Person, password_version: u64) -> Result<StartedSession> {
        let membership = self
            .inner
            .store
            .membership(by.tenant, by.user)
            .await?
            .ok_or_else(refused)?;
        self.start_session(membership, password_version, Some(by.session)).await
    }

    /// Begins a session in a browser, and ends the one it showed so far.
    pub(crate) async fn begin_session(
        &self,
        member: MembershipRow,
        password_version: u64,
        showed: Option<Secret>,
    ) -> Result<StartedSession> {
        if let Some(token) = showed {
            self.end_session_of(token.reveal()).await?;
        }
        self.start_session(member, password_version, None).await
    }

    /// Begins a session of a member who proved to know the password of this version, in the place of one of theirs and of
    /// the oldest when there are too many.
    pub(crate) async fn start_session(
        &self,
        member: MembershipRow,
        password_version: u64,
        replaces: Option<SessionId>,
    ) -> Result<StartedSession> {
        let inner = &self.inner;
        let account = inner.store.user(member.user).await?.ok_or_else(refused)?;
        let now = inner.clock.now();
        let (token, hash) = token::new(&*inner.random)?;
        let id = SessionId::new(&*inner.clock, &*inner.random)?;
        let row = SessionRow {
            id,
            tenant: member.tenant,
            user: member.user,
            hash,
            password_version,
            member_since: member.created_at,
            created_at: now,
            seen_at: now,
            ends_at: now + SESSION_LIFE,
            ended_at: None,
        };
        let standing = inner
            .store
            .sessions_of(member.tenant, member.user, 2 * MAX_SESSIONS_PER_MEMBER);
        let instead_of = gives_way(standing.await?, replaces);
        let actor = Actor::new(member.tenant, member.user);
        let ended = instead_of.iter().map(|row| row.id);
        let trail = ended
            .clone()
            .fold(inner.trails.by(&actor).did("session.created", id), |trail, ended| {
                trail.event(EventKind::SessionEnded, ended)
            })
            .event(EventKind::SessionCreated, id)
            .finish()?;
        let ended: Vec<SessionId> = ended.collect();
        let (created, hashes) = (
            row.clone(),
            instead_of.into_iter().map(|row| row.hash).collect::<Vec<_>>(),
        );
        self.to_the_end(async move |connectors| {
            let made = connectors.inner.store.create_session(created, ended, trail).await;
            hashes
                .iter()
                .for_each(|hash| connectors.inner.sessions.by_hash.forget(NO_TENANT, hash));
            made
        })
        .await?;
        let person = Person {
            user: member.user,
            email: account.email,
            name: account.name,
            tenant: member.tenant,
            role: member.role,
            session: id,
            ends_at: row.ends_at,
        };
        Ok(StartedSession { person, token })
    }

    /// Ends whatever session goes by this token; one that is dead already is no trouble.
    pub(crate) async fn end_session_of(&self, token: &str) -> Result<()> {
        let Some(hash) = token::hash_of(token) else {
            return Ok(());
        };
        let Some(door) = self.inner.store.open_session(hash).await? else {
            return Ok(());
        };
        match self.inner.store.session(door.tenant, door.session).await? {
            Some(row) => self.end(row.tenant, row.user, row.id).await,
            None => Ok(()),
        }
    }

    async fn end(&self, tenant: TenantId, user: UserId, id: SessionId) -> Result<()> {
        let hash = self.inner.store.session(tenant, id).await?.map(|row| row.hash);
        let actor = Actor::new(tenant, user);
        let trail = self.trail(&actor, "session.ended", id, json!({}), &[EventKind::SessionEnded])?;
        let at = self.inner.clock.now();
        self.to_the_end(async move |connectors| {
            let ended = connectors.inner.store.end_session(tenant, id, at, trail).await;
            if let Some(hash) = hash {
                connectors.inner.sessions.by_hash.forget(NO_TENANT, &hash);
            }
            ended
        })
        .await
        .map(drop)
    }

    /// Forgets a session that another process ended. Its row stays until it would have ended by itself, and tells the
    /// hash.
    pub(crate) async fn forget_session(&self, tenant: TenantId, id: SessionId) -> Result<()> {
        if let Some(row) = self.inner.store.session(tenant, id).await? {
            self.inner.sessions.by_hash.forget(NO_TENANT, &row.hash);
        }
        Ok(())
    }

    async fn load_session(&self, hash: [u8; 32]) -> Result<Option<Arc<Live>>> {
        let (store, cache) = (&self.inner.store, &self.inner.sessions.by_hash);
        let ticket = cache.ticket(NO_TENANT, &hash);
        let Some(door) = store.open_session(hash).await? else {
            return Ok(None);
        };
        let Some(row) = store.session(door.tenant, door.session).await? else {
            return Ok(None);
        };
        let seen = AtomicI64::new(row.seen_at.as_microsecond());
        let live = Arc::new(Live { row, seen });
        cache.insert(ticket, live.clone());
        Ok(Some(live))
    }

    /// Who a session is of, if it still holds.
    async fn person(&self, live: &Live, now: Timestamp) -> Result<Option<Person>> {
        let row = &live.row;
        if row.ended_at.is_some() || row.ends_at <= now || live.is_idle(now) {
            return Ok(None);
        }
        let Some(member) = self.cached_membership(row.tenant, row.user).await? else {
            return Ok(None);
        };
        let Some(account) = self.account(row.user).await? else {
            return Ok(None);
        };
        let holds = member.created_at == row.member_since
            && account.password_version == row.password_version
            && !account.disabled;
        Ok(holds.then(|| Person {
            user: row.user,
            email: account.email.clone(),
            name: account.name.clone(),
            tenant: row.tenant,
            role: member.role,
            session: row.id,
            ends_at: row.ends_at,
        }))
    }

    async fn cached_membership(&self, tenant: TenantId, user: UserId) -> Result<Option<Arc<MembershipRow>>> {
        let cache = &self.inner.sessions.members;
        if let Some(member) = cache.get(tenant, &user) {
            return Ok(Some(member));
        }
        let ticket = cache.ticket(tenant, &user);
        let Some(row) = self.inner.store.membership(tenant, user).await? else {
            return Ok(None);
        };
        let member = Arc::new(row);
        cache.insert(ticket, member.clone());
        Ok(Some(member))
    }

    async fn account(&self, user: UserId) -> Result<Option<Arc<Account>>> {
        let cache = &self.inner.sessions.users;
        if let Some(account) = cache.get(NO_TENANT, &user) {
            return Ok(Some(account));
        }
        let ticket = cache.ticket(NO_TENANT, &user);
        let Some(row) = self.inner.store.user(user).await? else {
            return Ok(None);
        };
        let account = Arc::new(Account {
            email: row.email,
            name: row.name,
            disabled: row.disabled_at.is_some(),
            password_version: row.password_version,
        });
        cache.insert(ticket, account.clone());
        Ok(Some(account))
    }

    /// Notes that a session is in use, at most once a minute. That it cannot be noted changes nothing for its person.
    async fn see(&self, live: &Live, now: Timestamp) {
        let seen = live.seen.load(Ordering::Relaxed);
        let due = live.seen() + SESSION_SEEN_EVERY <= now;
        let exchange = || {
            live.seen
                .compare_exchange(seen, now.as_microsecond(), Ordering::Relaxed, Ordering::Relaxed)
        };
        // Of many requests at once one writes.
        if !due || exchange().is_err() {
            return;
        }
        let (tenant, id) = (live.row.tenant, live.row.id);
        let noted = match self.inner.trails.by(&Actor::new(tenant, live.row.user)).finish() {
            Ok(trail) => self.inner.store.see_session(tenant, id, now, trail).await,
            Err(error) => Err(error),
        };
        if let Err(error) = noted {
            tracing::warn!(session = %id, ?error, "that a session is in use could not be noted");
        }
    }
}

/// Which sessions end when one begins: the one it replaces, and the oldest beyond the bound.
fn gives_way(mut standing: Vec<SessionRow>, replaces: Option<SessionId>) -> Vec<SessionRow> {
    standing.sort_by_key(|row| (Some(row.id) != replaces, row.created_at, row.id));
    let replaced = usize::from(standing.first().is_some_and(|row| Some(row.id) == replaces));
    let too_many = (standing.len() + 1).saturating_sub(MAX_SESSIONS_PER_MEMBER);
    standing.truncate(too_many.max(replaced));
    standing
}
