//! Sessions and their doors.

use rusqlite::{Row, params};
use tieline::{
    audit::Trail,
    clock::Timestamp,
    id::{SessionId, TenantId, UserId},
    store::{SessionDoor, SessionRow, SessionStore, StoreFuture},
};

use super::{
    SqliteStore,
    value::{Count, Time},
    writer::Outcome::{Changed, Unchanged},
};

fn read(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        id: SessionId::from_bytes(row.get("id")?),
        tenant: TenantId::from_bytes(row.get("tenant")?),
        user: UserId::from_bytes(row.get("user")?),
        hash: row.get("hash")?,
        password_version: row.get::<_, Count>("password_version")?.0,
        member_since: row.get::<_, Time>("member_since")?.0,
        created_at: row.get::<_, Time>("created_at")?.0,
        seen_at: row.get::<_, Time>("seen_at")?.0,
        ends_at: row.get::<_, Time>("ends_at")?.0,
        ended_at: row.get::<_, Option<Time>>("ended_at")?.map(|time| time.0),
    })
}

impl SessionStore for SqliteStore {
    fn create_session(&self, session: SessionRow, instead_of: Vec<SessionId>, trail: Trail) -> StoreFuture<'_, ()> {
        self.writer.change(session.tenant, trail, move |tx| {
            let (tenant, user, now) = (session.tenant, session.user, session.created_at);
            let over = || (tenant.as_bytes(), user.as_bytes(), Time(now));
            tx.execute(
                "DELETE FROM doors WHERE kind = 'session' AND hash IN \
                 (SELECT hash FROM sessions WHERE tenant = ?1 AND user = ?2 AND ends_at <= ?3)",
                over(),
            )?;
            tx.execute(
                "DELETE FROM sessions WHERE tenant = ?1 AND user = ?2 AND ends_at <= ?3",
                over(),
            )?;
            for id in &instead_of {
                tx.execute(
                    "UPDATE sessions SET ended_at = ?3 \
                     WHERE tenant = ?1 AND user = ?2 AND id = ?4 AND ended_at IS NULL",
                    params![
                        session.tenant.as_bytes(),
                        session.user.as_bytes(),
                        Time(session.created_at),
                        id.as_bytes(),
                    ],
                )?;
            }
            tx.execute(
                "INSERT INTO sessions (tenant, id, user, hash, password_version, member_since, created_at, seen_at, \
                 ends_at, ended_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    session.tenant.as_bytes(),
                    session.id.as_bytes(),
                    session.user.as_bytes(),
                    session.hash,
                    Count(session.password_version),
                    Time(session.member_since),
                    Time(session.created_at),
                    Time(session.seen_at),
                    Time(session.ends_at),
                    session.ended_at.map(Time),
                ],
            )?;
            tx.execute(
                "INSERT INTO doors (kind, hash, tenant, id) VALUES ('session', ?1, ?2, ?3)",
                params![session.hash, session.tenant.as_bytes(), session.id.as_bytes()],
            )?;
            Ok(Changed(()))
        })
    }

    fn open_session(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<SessionDoor>> {
        self.readers.read(move |tx| {
            let select = "SELECT tenant, id FROM doors WHERE kind = 'session' AND hash = ?1";
            tx.one(select, [hash], |row| {
                Ok(SessionDoor {
                    tenant: TenantId::from_bytes(row.get("tenant")?),
                    session: SessionId::from_bytes(row.get("id")?),
                })
            })
        })
    }

    fn session(&self, tenant: TenantId, id: SessionId) -> StoreFuture<'_, Option<SessionRow>> {
        self.readers.read(move |tx| {
            let select = "SELECT * FROM sessions WHERE tenant = ?1 AND id = ?2";
            tx.one(select, params![tenant.as_bytes(), id.as_bytes()], read)
        })
    }

    fn sessions_of(&self, tenant: TenantId, user: UserId, limit: usize) -> StoreFuture<'_, Vec<SessionRow>> {
        self.readers.read(move |tx| {
            let select =
                "SELECT * FROM sessions WHERE tenant = ?1 AND user = ?2 AND ended_at IS NULL ORDER BY id LIMIT ?3";
            let values = params![tenant.as_bytes(), user.as_bytes(), Count::of(limit)];
            tx.all(select, values, read)
        })
    }

    fn see_session(&self, tenant: TenantId, id: SessionId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool> {
        self.writer.change(tenant, trail, move |tx| {
            let seen = tx.execute(
                "UPDATE sessions SET seen_at = ?3 WHERE tenant = ?1 AND id = ?2 AND seen_at < ?3",
                params![tenant.as_bytes(), id.as_bytes(), Time(at)],
            )?;
            Ok(if seen == 1 { Changed(true) } else { Unchanged(false) })
        })
    }

    fn end_session(&self, tenant: TenantId, id: SessionId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool> {
        self.writer.change(tenant, trail, move |tx| {
            let ended = tx.execute(
                "UPDATE sessions SET ended_at = ?3 WHERE tenant = ?1 AND id = ?2 AND ended_at IS NULL",
                params![tenant.as_bytes(), id.as_bytes(), Time(at)],
            )?;
            Ok(if ended == 1 { Changed(true) } else { Unchanged(false) })
        })
    }
}
