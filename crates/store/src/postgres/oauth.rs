//! Sign-ins that are under way, and their doors.

use tieline::{
    audit::Trail,
    id::{OAuthStateId, TenantId},
    store::{OAuthStateDoor, OAuthStateRow, OAuthStateStore, StoreFuture},
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    api_key::{make_door, open_door},
    value::{Columns, Id, Read, Time, number, values},
};
use crate::outcome::Outcome::{Changed, Unchanged};

/// Deletes the sign-ins of a tenant that fit a condition, with their doors.
macro_rules! delete {
    ($which:literal) => {
        concat!(
            "WITH gone AS (DELETE FROM oauth_states WHERE tenant = $1 AND ",
            $which,
            " RETURNING hash) DELETE FROM doors WHERE kind = 'oauth_state' AND hash IN (SELECT hash FROM gone)"
        )
    };
}

fn read(row: &Row) -> Read<OAuthStateRow> {
    Ok(OAuthStateRow {
        id: row.id("id")?,
        tenant: row.id("tenant")?,
        hash: row.array("hash")?,
        pending: row.try_get("pending")?,
        created_at: row.time("created_at")?,
        ends_at: row.time("ends_at")?,
    })
}

impl OAuthStateStore for PostgresStore {
    fn begin_oauth(&self, state: OAuthStateRow, most: usize, trail: Trail) -> StoreFuture<'_, ()> {
        self.change(state.tenant, trail, (state, most), |tx, (state, most)| {
            Box::pin(async move {
                let tenant = Id(state.tenant);
                tx.execute(delete!("ends_at <= $2"), values![tenant, Time(state.created_at)])
                    .await?;
                tx.execute(
                    "INSERT INTO oauth_states (tenant, id, hash, pending, created_at, ends_at) \
                     VALUES ($1, $2, $3, $4, $5, $6)",
                    values![
                        tenant,
                        Id(state.id),
                        &state.hash[..],
                        &state.pending[..],
                        Time(state.created_at),
                        Time(state.ends_at),
                    ],
                )
                .await?;
                make_door(tx, "oauth_state", &state.hash, state.tenant, state.id).await?;
                let oldest = delete!(
                    "id IN (SELECT id FROM oauth_states WHERE tenant = $1 ORDER BY created_at DESC, id DESC OFFSET $2)"
                );
                tx.execute(oldest, values![tenant, number(*most)]).await?;
                Ok(Changed(()))
            })
        })
    }

    fn open_oauth_state(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<OAuthStateDoor>> {
        self.read(None, hash, |tx, hash| {
            Box::pin(async move {
                let door = open_door(tx, "oauth_state", hash).await?;
                Ok(door.map(|(tenant, state)| OAuthStateDoor { tenant, state }))
            })
        })
    }

    fn take_oauth_state(
        &self,
        tenant: TenantId,
        id: OAuthStateId,
        trail: Trail,
    ) -> StoreFuture<'_, Option<OAuthStateRow>> {
        self.change(tenant, trail, (tenant, id), |tx, (tenant, id)| {
            Box::pin(async move {
                let which = values![Id(*tenant), Id(*id)];
                let take = "DELETE FROM oauth_states WHERE tenant = $1 AND id = $2 RETURNING *";
                let Some(row) = tx.one(take, which, read).await? else {
                    return Ok(Unchanged(None));
                };
                let shut = "DELETE FROM doors WHERE kind = 'oauth_state' AND hash = $1";
                tx.execute(shut, values![&row.hash[..]]).await?;
                Ok(Changed(Some(row)))
            })
        })
    }
}
