use super::{
    MemoryStore,
    Outcome::{Changed, Unchanged},
    taken,
};
use crate::{
    audit::Trail,
    clock::Timestamp,
    id::{SessionId, TenantId, UserId},
    store::{SessionDoor, SessionRow, SessionStore, StoreFuture},
};

impl SessionStore for MemoryStore {
    fn create_session(&self, session: SessionRow, instead_of: Vec<SessionId>, trail: Trail) -> StoreFuture<'_, ()> {
        self.change(session.tenant, trail, move |state| {
            let known =
                |row: &SessionRow| row.hash == session.hash || (row.tenant == session.tenant && row.id == session.id);
            if state.sessions.values().any(known) {
                return Err(taken("a session with this hash or id exists"));
            }
            let of_member = |row: &SessionRow| row.tenant == session.tenant && row.user == session.user;
            state
                .sessions
                .retain(|_, row| !of_member(row) || row.ends_at > session.created_at);
            for id in instead_of {
                if let Some(row) = state.sessions.get_mut(&(session.tenant, id))
                    && of_member(row)
                {
                    row.ended_at.get_or_insert(session.created_at);
                }
            }
            state.sessions.insert((session.tenant, session.id), session);
            Ok(Changed(()))
        })
    }

    fn open_session(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<SessionDoor>> {
        self.read(move |state| {
            let row = state.sessions.values().find(|row| row.hash == hash)?;
            Some(SessionDoor {
                tenant: row.tenant,
                session: row.id,
            })
        })
    }

    fn session(&self, tenant: TenantId, id: SessionId) -> StoreFuture<'_, Option<SessionRow>> {
        self.read(move |state| state.sessions.get(&(tenant, id)).cloned())
    }

    fn sessions_of(&self, tenant: TenantId, user: UserId, limit: usize) -> StoreFuture<'_, Vec<SessionRow>> {
        self.read(move |state| {
            let rows = state.sessions.values();
            let rows = rows.filter(|row| row.tenant == tenant && row.user == user && row.ended_at.is_none());
            rows.take(limit).cloned().collect()
        })
    }

    fn see_session(&self, tenant: TenantId, id: SessionId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool> {
        self.change(tenant, trail, move |state| {
            match state.sessions.get_mut(&(tenant, id)) {
                Some(row) if row.seen_at < at => {
                    row.seen_at = at;
                    Ok(Changed(true))
                }
                _ => Ok(Unchanged(false)),
            }
        })
    }

    fn end_session(&self, tenant: TenantId, id: SessionId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool> {
        self.change(tenant, trail, move |state| {
            match state.sessions.get_mut(&(tenant, id)) {
                Some(row) if row.ended_at.is_none() => {
                    row.ended_at = Some(at);
                    Ok(Changed(true))
                }
                _ => Ok(Unchanged(false)),
            }
        })
    }
}
