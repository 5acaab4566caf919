//! Sessions and their doors.

use tieline::{
    audit::Trail,
    clock::Timestamp,
    id::{SessionId, TenantId, UserId},
    store::{SessionDoor, SessionRow, SessionStore, StoreFuture},
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    api_key::{make_door, open_door},
    value::{Columns, Id, Read, Time, number, values},
};
use crate::outcome::Outcome::{self, Changed};

fn read(row: &Row) -> Read<SessionRow> {
    Ok(SessionRow {
        id: row.id("id")?,
        tenant: row.id("tenant")?,
        user: row.id("user_id")?,
        hash: row.array("hash")?,
        password_version: row.number("password_version")?,
        member_since: row.time("member_since")?,
        created_at: row.time("created_at")?,
        seen_at: row.time("seen_at")?,
        ends_at: row.time("ends_at")?,
        ended_at: row.maybe_time("ended_at")?,
    })
}

impl SessionStore for PostgresStore {
    fn create_session(&self, session: SessionRow, instead_of: Vec<SessionId>, trail: Trail) -> StoreFuture<'_, ()> {
        self.change(session.tenant, trail, (session, instead_of), |tx, (session, instead_of)| {
            Box::pin(async move {
                let (tenant, user, now) = (Id(session.tenant), Id(session.user), Time(session.created_at));
                tx.execute(
                    "WITH over AS (DELETE FROM sessions WHERE tenant = $1 AND user_id = $2 AND ends_at <= $3 RETURNING hash) \
                     DELETE FROM doors WHERE kind = 'session' AND hash IN (SELECT hash FROM over)",
                    values![tenant, user, now],
                )
                .await?;
                if !instead_of.is_empty() {
                    let ids: Vec<_> = instead_of.iter().map(|id| Id(*id)).collect();
                    tx.execute(
                        "UPDATE sessions SET ended_at = $3 \
                         WHERE tenant = $1 AND user_id = $2 AND id = ANY ($4) AND ended_at IS NULL",
                        values![tenant, user, now, ids],
                    )
                    .await?;
                }
                tx.execute(
                    "INSERT INTO sessions (tenant, id, user_id, hash, password_version, member_since, created_at, \
                     seen_at, ends_at, ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    values![
                        tenant,
                        Id(session.id),
                        user,
                        &session.hash[..],
                        number(session.password_version),
                        Time(session.member_since),
                        now,
                        Time(session.seen_at),
                        Time(session.ends_at),
                        session.ended_at.map(Time),
                    ],
                )
                .await?;
                make_door(tx, "session", &session.hash, session.tenant, session.id).await?;
                Ok(Changed(()))
            })
        })
    }

    fn open_session(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<SessionDoor>> {
        self.read(None, hash, |tx, hash| {
            Box::pin(async move {
                let door = open_door(tx, "session", hash).await?;
                Ok(door.map(|(tenant, session)| SessionDoor { tenant, session }))
            })
        })
    }

    fn session(&self, tenant: TenantId, id: SessionId) -> StoreFuture<'_, Option<SessionRow>> {
        self.read(tenant, (tenant, id), |tx, (tenant, id)| {
            Box::pin(async move {
                let select = "SELECT * FROM sessions WHERE tenant = $1 AND id = $2";
                tx.one(select, values![Id(*tenant), Id(*id)], read).await
            })
        })
    }

    fn sessions_of(&self, tenant: TenantId, user: UserId, limit: usize) -> StoreFuture<'_, Vec<SessionRow>> {
        self.read(tenant, (tenant, user, limit), |tx, (tenant, user, limit)| {
            Box::pin(async move {
                let select = "SELECT * FROM sessions WHERE tenant = $1 AND user_id = $2 AND ended_at IS NULL \
                              ORDER BY id LIMIT $3";
                tx.all(select, values![Id(*tenant), Id(*user), number(*limit)], read)
                    .await
            })
        })
    }

    fn see_session(&self, tenant: TenantId, id: SessionId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool> {
        self.change(tenant, trail, (tenant, id, at), |tx, (tenant, id, at)| {
            Box::pin(async move {
                let see = "UPDATE sessions SET seen_at = $3 WHERE tenant = $1 AND id = $2 AND seen_at < $3";
                let seen = tx.execute(see, values![Id(*tenant), Id(*id), Time(*at)]).await?;
                Ok(Outcome::of_rows(seen))
            })
        })
    }

    fn end_session(&self, tenant: TenantId, id: SessionId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool> {
        self.change(tenant, trail, (tenant, id, at), |tx, (tenant, id, at)| {
            Box::pin(async move {
                let end = "UPDATE sessions SET ended_at = $3 WHERE tenant = $1 AND id = $2 AND ended_at IS NULL";
                let ended = tx.execute(end, values![Id(*tenant), Id(*id), Time(*at)]).await?;
                Ok(Outcome::of_rows(ended))
            })
        })
    }
}
