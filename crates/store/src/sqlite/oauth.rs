//! Sign-ins that are under way, and their doors.

use rusqlite::{Row, params};
use tieline::{
    audit::Trail,
    id::{OAuthStateId, TenantId},
    store::{OAuthStateDoor, OAuthStateRow, OAuthStateStore, StoreFuture},
};

use super::{
    SqliteStore,
    value::{Count, Time},
    writer::Outcome::{Changed, Unchanged},
};

/// Deletes the sign-ins of a tenant that fit a condition, with their doors.
macro_rules! delete {
    ($tx:expr, $which:literal, $values:expr) => {{
        $tx.execute(
            concat!(
                "DELETE FROM doors WHERE kind = 'oauth_state' AND hash IN \
                 (SELECT hash FROM oauth_states WHERE tenant = ?1 AND ",
                $which,
                ")"
            ),
            $values,
        )?;
        $tx.execute(
            concat!("DELETE FROM oauth_states WHERE tenant = ?1 AND ", $which),
            $values,
        )?
    }};
}

fn read(row: &Row<'_>) -> rusqlite::Result<OAuthStateRow> {
    Ok(OAuthStateRow {
        id: OAuthStateId::from_bytes(row.get("id")?),
        tenant: TenantId::from_bytes(row.get("tenant")?),
        hash: row.get("hash")?,
        pending: row.get("pending")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        ends_at: row.get::<_, Time>("ends_at")?.0,
    })
}

impl OAuthStateStore for SqliteStore {
    fn begin_oauth(&self, state: OAuthStateRow, most: usize, trail: Trail) -> StoreFuture<'_, ()> {
        self.writer.change(state.tenant, trail, move |tx| {
            let tenant = state.tenant.as_bytes();
            delete!(tx, "ends_at <= ?2", params![tenant, Time(state.created_at)]);
            tx.execute(
                "INSERT INTO oauth_states (tenant, id, hash, pending, created_at, ends_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    tenant,
                    state.id.as_bytes(),
                    state.hash,
                    state.pending,
                    Time(state.created_at),
                    Time(state.ends_at),
                ],
            )?;
            tx.execute(
                "INSERT INTO doors (kind, hash, tenant, id) VALUES ('oauth_state', ?1, ?2, ?3)",
                params![state.hash, tenant, state.id.as_bytes()],
            )?;
            delete!(
                tx,
                "id IN (SELECT id FROM oauth_states WHERE tenant = ?1 ORDER BY created_at DESC, id DESC LIMIT -1 OFFSET ?2)",
                params![tenant, Count::of(most)]
            );
            Ok(Changed(()))
        })
    }

    fn open_oauth_state(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<OAuthStateDoor>> {
        self.readers.read(move |tx| {
            let select = "SELECT tenant, id FROM doors WHERE kind = 'oauth_state' AND hash = ?1";
            tx.one(select, [hash], |row| {
                Ok(OAuthStateDoor {
                    tenant: TenantId::from_bytes(row.get("tenant")?),
                    state: OAuthStateId::from_bytes(row.get("id")?),
                })
            })
        })
    }

    fn take_oauth_state(
        &self,
        tenant: TenantId,
        id: OAuthStateId,
        trail: Trail,
    ) -> StoreFuture<'_, Option<OAuthStateRow>> {
        self.writer.change(tenant, trail, move |tx| {
            let which = params![tenant.as_bytes(), id.as_bytes()];
            // One writer: nobody comes between the two.
            let row = tx.one("SELECT * FROM oauth_states WHERE tenant = ?1 AND id = ?2", which, read)?;
            Ok(match delete!(tx, "id = ?2", which) {
                0 => Unchanged(None),
                _ => Changed(row),
            })
        })
    }
}
