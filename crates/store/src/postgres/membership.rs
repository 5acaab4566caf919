//! Memberships, and those invited beside them.

use tieline::{
    Result,
    audit::Trail,
    id::{TenantId, UserId},
    membership::Role,
    store::{MemberChange, MemberRow, MembershipRow, MembershipStore, StoreFuture},
};
use tokio_postgres::Row;

use super::{
    PostgresStore, link,
    tx::{ReadTx, Turn, Tx},
    value::{Columns, Id, Read, Time, behind, number, values},
};
use crate::{
    outcome::Outcome::{Changed, Unchanged},
    word::Word,
};

/// Members and those invited, as one table.
macro_rules! members {
    ($rest:literal) => {
        concat!(
            "SELECT * FROM (\
             SELECT m.tenant, m.user_id, u.email, u.name, m.role, u.disabled_at, m.created_by, m.created_at, \
             NULL::timestamptz AS invited_until FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.tenant = $1 \
             UNION ALL \
             SELECT tenant, user_id, email, name, role, NULL, created_by, created_at, expires_at \
             FROM links WHERE tenant = $1 AND role IS NOT NULL) AS members ",
            $rest
        )
    };
}

const MEMBER: &str = members!("WHERE user_id = $2 ORDER BY invited_until IS NOT NULL LIMIT 1");

pub(super) async fn insert(tx: &Tx, row: &MembershipRow) -> Result<()> {
    if row.role == Role::Owner {
        owner_comes(tx, row.tenant).await?;
    }
    tx.execute(
        "INSERT INTO memberships (tenant, user_id, role, created_by, created_at) VALUES ($1, $2, $3, $4, $5)",
        values![
            Id(row.tenant),
            Id(row.user),
            row.role.name(),
            row.created_by.as_bytes(),
            Time(row.created_at),
        ],
    )
    .await
    .map(drop)
}

/// One membership.
pub(super) async fn find(tx: &ReadTx, tenant: TenantId, user: UserId) -> Result<Option<MembershipRow>> {
    let select = "SELECT * FROM memberships WHERE tenant = $1 AND user_id = $2";
    tx.one(select, values![Id(tenant), Id(user)], read).await
}

/// A person's memberships in all tenants, by tenant.
pub(super) async fn of(tx: &ReadTx, user: UserId, limit: usize) -> Result<Vec<MembershipRow>> {
    let select = "SELECT * FROM memberships_of($1, $2)";
    tx.all(select, values![Id(user), number(limit)], read).await
}

fn read(row: &Row) -> Read<MembershipRow> {
    Ok(MembershipRow {
        tenant: row.id("tenant")?,
        user: row.id("user_id")?,
        role: row.word("role")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
    })
}

fn read_member(row: &Row) -> Read<MemberRow> {
    Ok(MemberRow {
        user: row.id("user_id")?,
        email: row.text("email")?,
        name: row.text("name")?,
        role: row.word("role")?,
        disabled_at: row.maybe_time("disabled_at")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
        invited_until: row.maybe_time("invited_until")?,
    })
}

/// The owners of a tenant who are not locked out.
macro_rules! owners {
    ($rest:literal) => {
        concat!(
            "SELECT m.user_id FROM memberships m JOIN users u ON u.id = m.user_id \
             WHERE m.tenant = $1 AND m.role = 'owner' AND u.disabled_at IS NULL ",
            $rest
        )
    };
}

async fn has_owner(tx: &ReadTx, tenant: TenantId) -> Result<bool> {
    tx.any(owners!("LIMIT 1"), values![Id(tenant)]).await
}

/// Whether a tenant has an owner, and nobody else is.
pub(super) async fn is_last_owner(tx: &Tx, tenant: TenantId, user: UserId) -> Result<bool> {
    let owners = tx
        .all(owners!("LIMIT 2"), values![Id(tenant)], |row| {
            row.id::<UserId>("user_id")
        })
        .await?;
    Ok(owners == [user])
}

/// A tenant is about to have an owner: if it has none yet, whoever else was to be its first is too late.
pub(super) async fn owner_comes(tx: &Tx, tenant: TenantId) -> Result<()> {
    if !has_owner(tx, tenant).await? {
        link::delete!(tx, "tenant = $1 AND role = 'owner'", [Id(tenant)]);
    }
    Ok(())
}

/// Takes a member with everything that rests on the membership.
async fn forget(tx: &Tx, tenant: TenantId, user: UserId) -> Result<()> {
    let member = values![Id(tenant), Id(user)];
    tx.execute(
        "WITH ended AS (DELETE FROM sessions WHERE tenant = $1 AND user_id = $2 RETURNING hash) \
         DELETE FROM doors WHERE kind = 'session' AND hash IN (SELECT hash FROM ended)",
        member,
    )
    .await?;
    link::forget_made(tx, tenant, user).await?;
    tx.execute("DELETE FROM memberships WHERE tenant = $1 AND user_id = $2", member)
        .await?;
    forget_stranger(tx, user).await
}

/// Takes a person who belongs to no tenant.
pub(super) async fn forget_stranger(tx: &Tx, user: UserId) -> Result<()> {
    if of(tx, user, 1).await?.is_empty() {
        tx.execute("DELETE FROM users WHERE id = $1", values![Id(user)]).await?;
    }
    Ok(())
}

impl MembershipStore for PostgresStore {
    fn membership(&self, tenant: TenantId, user: UserId) -> StoreFuture<'_, Option<MembershipRow>> {
        self.read(tenant, (tenant, user), |tx, (tenant, user)| {
            Box::pin(find(tx, *tenant, *user))
        })
    }

    fn memberships_of(&self, user: UserId, limit: usize) -> StoreFuture<'_, Vec<MembershipRow>> {
        self.read(None, (user, limit), |tx, (user, limit)| Box::pin(of(tx, *user, *limit)))
    }

    fn member(&self, tenant: TenantId, user: UserId) -> StoreFuture<'_, Option<MemberRow>> {
        self.read(tenant, (tenant, user), |tx, (tenant, user)| {
            Box::pin(async move { tx.one(MEMBER, values![Id(*tenant), Id(*user)], read_member).await })
        })
    }

    fn members(&self, tenant: TenantId, after: Option<UserId>, limit: usize) -> StoreFuture<'_, Vec<MemberRow>> {
        self.read(tenant, (tenant, after, limit), |tx, (tenant, after, limit)| {
            Box::pin(async move {
                let select = members!("WHERE user_id >= $2 ORDER BY user_id LIMIT $3");
                let values = values![Id(*tenant), behind(*after), number(*limit)];
                tx.all(select, values, read_member).await
            })
        })
    }

    fn has_owner(&self, tenant: TenantId) -> StoreFuture<'_, bool> {
        self.read(tenant, tenant, |tx, tenant| Box::pin(has_owner(tx, *tenant)))
    }

    fn change_role(
        &self,
        tenant: TenantId,
        user: UserId,
        from: Role,
        to: Role,
        trail: Trail,
    ) -> StoreFuture<'_, MemberChange> {
        self.change(tenant, trail, (tenant, user, from, to), |tx, (tenant, user, from, to)| {
            Box::pin(async move {
                tx.alone(Turn::People).await?;
                let (tenant, user, from, to) = (*tenant, *user, *from, *to);
                let member = find(tx, tenant, user).await?.is_some();
                if member && from == Role::Owner && to != from && is_last_owner(tx, tenant, user).await? {
                    return Ok(Unchanged(MemberChange::LastOwner));
                }
                if member && to == Role::Owner {
                    owner_comes(tx, tenant).await?;
                }
                if member && to < from {
                    link::forget_made(tx, tenant, user).await?;
                }
                let change = match member {
                    true => {
                        "UPDATE memberships SET role = $3 WHERE tenant = $1 AND user_id = $2 AND role = $4 AND role <> $3"
                    }
                    false => "UPDATE links SET role = $3 WHERE tenant = $1 AND user_id = $2 AND role = $4 AND role <> $3",
                };
                let changed = tx.execute(change, values![Id(tenant), Id(user), to.name(), from.name()]).await?;
                // Unchanged: links that were deleted above stand again.
                Ok(match changed {
                    0 => Unchanged(MemberChange::Unchanged),
                    _ => Changed(MemberChange::Changed),
                })
            })
        })
    }

    fn remove_member(&self, tenant: TenantId, user: UserId, role: Role, trail: Trail) -> StoreFuture<'_, MemberChange> {
        self.change(tenant, trail, (tenant, user, role), |tx, (tenant, user, role)| {
            Box::pin(async move {
                tx.alone(Turn::People).await?;
                let (tenant, user) = (*tenant, *user);
                let standing = tx.one(MEMBER, values![Id(tenant), Id(user)], read_member).await?;
                let Some(standing) = standing.filter(|row| row.role == *role) else {
                    return Ok(Unchanged(MemberChange::Unchanged));
                };
                if standing.invited_until.is_none() {
                    if is_last_owner(tx, tenant, user).await? {
                        return Ok(Unchanged(MemberChange::LastOwner));
                    }
                    forget(tx, tenant, user).await?;
                }
                link::delete!(tx, "tenant = $1 AND user_id = $2", [Id(tenant), Id(user)]);
                Ok(Changed(MemberChange::Changed))
            })
        })
    }
}
