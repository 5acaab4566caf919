//! Memberships, and those invited beside them.

use rusqlite::{Row, params};
use tieline::{
    Result,
    audit::Trail,
    id::{TenantId, UserId},
    membership::Role,
    store::{MemberChange, MemberRow, MembershipRow, MembershipStore, StoreFuture},
};

use super::{
    SqliteStore, link,
    tx::{ReadTx, Tx},
    value::{Count, RoleName, Time},
    writer::Outcome::{Changed, Unchanged},
};

/// Members and those invited, as one table.
macro_rules! members {
    ($rest:literal) => {
        concat!(
            "SELECT * FROM (\
             SELECT m.tenant, m.user, u.email, u.name, m.role, u.disabled_at, m.created_by, m.created_at, \
             NULL AS invited_until FROM memberships m JOIN users u ON u.id = m.user WHERE m.tenant = ?1 \
             UNION ALL \
             SELECT tenant, user, email, name, role, NULL, created_by, created_at, expires_at \
             FROM links WHERE tenant = ?1 AND role IS NOT NULL) ",
            $rest
        )
    };
}

pub(super) fn insert(tx: &Tx<'_>, row: &MembershipRow) -> Result<()> {
    if row.role == Role::Owner {
        owner_comes(tx, row.tenant)?;
    }
    tx.execute(
        "INSERT INTO memberships (tenant, user, role, created_by, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            row.tenant.as_bytes(),
            row.user.as_bytes(),
            RoleName(row.role),
            row.created_by,
            Time(row.created_at),
        ],
    )?;
    Ok(())
}

/// One membership.
pub(super) fn find(tx: &ReadTx<'_>, tenant: TenantId, user: UserId) -> Result<Option<MembershipRow>> {
    tx.one(
        "SELECT * FROM memberships WHERE tenant = ?1 AND user = ?2",
        params![tenant.as_bytes(), user.as_bytes()],
        read,
    )
}

fn read(row: &Row<'_>) -> rusqlite::Result<MembershipRow> {
    Ok(MembershipRow {
        tenant: TenantId::from_bytes(row.get("tenant")?),
        user: UserId::from_bytes(row.get("user")?),
        role: row.get::<_, RoleName>("role")?.0,
        created_by: row.get("created_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
    })
}

fn read_member(row: &Row<'_>) -> rusqlite::Result<MemberRow> {
    Ok(MemberRow {
        user: UserId::from_bytes(row.get("user")?),
        email: row.get("email")?,
        name: row.get("name")?,
        role: row.get::<_, RoleName>("role")?.0,
        disabled_at: row.get::<_, Option<Time>>("disabled_at")?.map(|time| time.0),
        created_by: row.get("created_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        invited_until: row.get::<_, Option<Time>>("invited_until")?.map(|time| time.0),
    })
}

/// The owners of a tenant who are not locked out.
macro_rules! owners {
    ($rest:literal) => {
        concat!(
            "SELECT m.user FROM memberships m JOIN users u ON u.id = m.user \
             WHERE m.tenant = ?1 AND m.role = 'owner' AND u.disabled_at IS NULL ",
            $rest
        )
    };
}

fn has_owner(tx: &ReadTx<'_>, tenant: TenantId) -> Result<bool> {
    Ok(tx.one(owners!("LIMIT 1"), [tenant.as_bytes()], |_| Ok(()))?.is_some())
}

/// Whether a tenant has an owner, and nobody else is.
pub(super) fn is_last_owner(tx: &Tx<'_>, tenant: TenantId, user: UserId) -> Result<bool> {
    let owners = tx.all(owners!("LIMIT 2"), [tenant.as_bytes()], |row| {
        Ok(UserId::from_bytes(row.get("user")?))
    })?;
    Ok(owners == [user])
}

/// A tenant is about to have an owner: if it has none yet, whoever else was to be its first is too late.
pub(super) fn owner_comes(tx: &Tx<'_>, tenant: TenantId) -> Result<()> {
    if !has_owner(tx, tenant)? {
        link::delete!(tx, "tenant = ?1 AND role = 'owner'", (tenant.as_bytes(),));
    }
    Ok(())
}

/// Takes the links that a person or a key made in a tenant.
pub(super) fn forget_made(tx: &Tx<'_>, tenant: TenantId, maker: impl std::fmt::Display) -> Result<()> {
    link::delete!(
        tx,
        "tenant = ?1 AND created_by = ?2",
        (tenant.as_bytes(), maker.to_string())
    );
    Ok(())
}

impl MembershipStore for SqliteStore {
    fn membership(&self, tenant: TenantId, user: UserId) -> StoreFuture<'_, Option<MembershipRow>> {
        self.readers.read(move |tx| find(tx, tenant, user))
    }

    fn memberships_of(&self, user: UserId, limit: usize) -> StoreFuture<'_, Vec<MembershipRow>> {
        self.readers.read(move |tx| {
            let select = "SELECT * FROM memberships WHERE user = ?1 ORDER BY tenant LIMIT ?2";
            tx.all(select, params![user.as_bytes(), Count::of(limit)], read)
        })
    }

    fn member(&self, tenant: TenantId, user: UserId) -> StoreFuture<'_, Option<MemberRow>> {
        self.readers.read(move |tx| {
            let select = members!("WHERE user = ?2 ORDER BY invited_until IS NOT NULL LIMIT 1");
            tx.one(select, params![tenant.as_bytes(), user.as_bytes()], read_member)
        })
    }

    fn members(&self, tenant: TenantId, after: Option<UserId>, limit: usize) -> StoreFuture<'_, Vec<MemberRow>> {
        self.readers.read(move |tx| {
            let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
            let select = members!("WHERE user > ?2 ORDER BY user LIMIT ?3");
            tx.all(select, params![tenant.as_bytes(), after, Count::of(limit)], read_member)
        })
    }

    fn has_owner(&self, tenant: TenantId) -> StoreFuture<'_, bool> {
        self.readers.read(move |tx| has_owner(tx, tenant))
    }

    fn change_role(
        &self,
        tenant: TenantId,
        user: UserId,
        from: Role,
        to: Role,
        trail: Trail,
    ) -> StoreFuture<'_, MemberChange> {
        self.writer.change(tenant, trail, move |tx| {
            let member = find(tx, tenant, user)?.is_some();
            if member && from == Role::Owner && to != from && is_last_owner(tx, tenant, user)? {
                return Ok(Unchanged(MemberChange::LastOwner));
            }
            if member && to == Role::Owner {
                owner_comes(tx, tenant)?;
            }
            if member && to < from {
                forget_made(tx, tenant, user)?;
            }
            let values = params![tenant.as_bytes(), user.as_bytes(), RoleName(to), RoleName(from)];
            let changed = if member {
                tx.execute(
                    "UPDATE memberships SET role = ?3 WHERE tenant = ?1 AND user = ?2 AND role = ?4 AND role <> ?3",
                    values,
                )?
            } else {
                tx.execute(
                    "UPDATE links SET role = ?3 WHERE tenant = ?1 AND user = ?2 AND role = ?4 AND role <> ?3",
                    values,
                )?
            };
            // Unchanged: links that were deleted above stand again.
            Ok(match changed {
                0 => Unchanged(MemberChange::Unchanged),
                _ => Changed(MemberChange::Changed),
            })
        })
    }

    fn remove_member(&self, tenant: TenantId, user: UserId, role: Role, trail: Trail) -> StoreFuture<'_, MemberChange> {
        self.writer.change(tenant, trail, move |tx| {
            let standing = members!("WHERE user = ?2 ORDER BY invited_until IS NOT NULL LIMIT 1");
            let standing = tx.one(standing, params![tenant.as_bytes(), user.as_bytes()], read_member)?;
            let Some(standing) = standing.filter(|row| row.role == role) else {
                return Ok(Unchanged(MemberChange::Unchanged));
            };
            let member = || (tenant.as_bytes(), user.as_bytes());
            if standing.invited_until.is_none() {
                if is_last_owner(tx, tenant, user)? {
                    return Ok(Unchanged(MemberChange::LastOwner));
                }
                tx.execute(
                    "DELETE FROM doors WHERE kind = 'session' AND hash IN \
                     (SELECT hash FROM sessions WHERE tenant = ?1 AND user = ?2)",
                    member(),
                )?;
                tx.execute("DELETE FROM sessions WHERE tenant = ?1 AND user = ?2", member())?;
                forget_made(tx, tenant, user)?;
                tx.execute("DELETE FROM memberships WHERE tenant = ?1 AND user = ?2", member())?;
                tx.execute(
                    "DELETE FROM users WHERE id = ?1 AND id NOT IN (SELECT user FROM memberships WHERE user = ?1)",
                    [user.as_bytes()],
                )?;
            }
            link::delete!(tx, "tenant = ?1 AND user = ?2", member());
            Ok(Changed(MemberChange::Changed))
        })
    }
}
