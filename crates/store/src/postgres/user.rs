//! Persons.

use tieline::{
    Result,
    audit::Trail,
    clock::Timestamp,
    id::{TenantId, UserId},
    membership::Role,
    store::{MemberChange, MembershipRow, StoreFuture, UserRow, UserStore},
};
use tokio_postgres::Row;

use super::{
    PostgresStore, link, membership,
    tx::{Turn, Tx},
    value::{Columns, Id, Read, Time, number, values},
};
use crate::outcome::Outcome::{Changed, Unchanged};

pub(super) async fn insert(tx: &Tx, user: &UserRow) -> Result<()> {
    tx.execute(
        "INSERT INTO users (id, email, name, password, password_version, disabled_at, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        values![
            Id(user.id),
            user.email.as_bytes(),
            user.name.as_bytes(),
            user.password,
            number(user.password_version),
            user.disabled_at.map(Time),
            Time(user.created_at),
        ],
    )
    .await
    .map(drop)
}

/// Whether the password had this version, and now has the next.
pub(super) async fn set_password(tx: &Tx, user: UserId, password: &str, expected_version: u64) -> Result<bool> {
    let set = "UPDATE users SET password = $2, password_version = password_version + 1 \
               WHERE id = $1 AND password_version = $3";
    let set = tx
        .execute(set, values![Id(user), password, number(expected_version)])
        .await?;
    Ok(set == 1)
}

fn read(row: &Row) -> Read<UserRow> {
    Ok(UserRow {
        id: row.id("id")?,
        email: row.text("email")?,
        name: row.text("name")?,
        password: row.try_get("password")?,
        password_version: row.number("password_version")?,
        disabled_at: row.maybe_time("disabled_at")?,
        created_at: row.time("created_at")?,
    })
}

const ANY: &str = "SELECT 1 FROM users LIMIT 1";

impl UserStore for PostgresStore {
    fn has_users(&self) -> StoreFuture<'_, bool> {
        self.read(None, (), |tx, ()| Box::pin(tx.any(ANY, &[])))
    }

    fn create_first_user(&self, user: UserRow, membership: MembershipRow, trail: Trail) -> StoreFuture<'_, bool> {
        self.change(
            membership.tenant,
            trail,
            (user, membership),
            |tx, (user, membership)| {
                Box::pin(async move {
                    tx.alone(Turn::People).await?;
                    if tx.any(ANY, &[]).await? {
                        return Ok(Unchanged(false));
                    }
                    insert(tx, user).await?;
                    membership::insert(tx, membership).await?;
                    Ok(Changed(true))
                })
            },
        )
    }

    fn user(&self, id: UserId) -> StoreFuture<'_, Option<UserRow>> {
        self.read(None, id, |tx, id| {
            Box::pin(async move {
                tx.one("SELECT * FROM users WHERE id = $1", values![Id(*id)], read)
                    .await
            })
        })
    }

    fn user_by_email(&self, email: &str) -> StoreFuture<'_, Option<UserRow>> {
        self.read(None, email.to_owned(), |tx, email| {
            Box::pin(async move {
                let select = "SELECT * FROM users WHERE email = $1";
                tx.one(select, values![email.as_bytes()], read).await
            })
        })
    }

    fn set_password(
        &self,
        tenant: TenantId,
        user: UserId,
        password: String,
        expected_version: u64,
        trail: Trail,
    ) -> StoreFuture<'_, bool> {
        let given = (user, password, expected_version);
        self.change(tenant, trail, given, |tx, (user, password, expected_version)| {
            Box::pin(async move {
                Ok(match set_password(tx, *user, password, *expected_version).await? {
                    true => Changed(true),
                    false => Unchanged(false),
                })
            })
        })
    }

    fn set_disabled(
        &self,
        tenant: TenantId,
        user: UserId,
        at: Option<Timestamp>,
        trail: Trail,
    ) -> StoreFuture<'_, MemberChange> {
        self.change(tenant, trail, (tenant, user, at), |tx, (tenant, user, at)| {
            Box::pin(async move {
                tx.alone(Turn::People).await?;
                if at.is_some() && membership::is_last_owner(tx, *tenant, *user).await? {
                    return Ok(Unchanged(MemberChange::LastOwner));
                }
                for member in membership::of(tx, *user, usize::MAX).await? {
                    tx.enter(member.tenant).await?;
                    if at.is_some() {
                        // Links are made by members, and go with their membership: there are none elsewhere.
                        link::forget_made(tx, member.tenant, *user).await?;
                    } else if member.role == Role::Owner {
                        membership::owner_comes(tx, member.tenant).await?;
                    }
                }
                tx.enter(*tenant).await?;
                let set =
                    "UPDATE users SET disabled_at = $2 WHERE id = $1 AND (disabled_at IS NULL) = ($2::timestamptz IS NOT NULL)";
                let set = tx.execute(set, values![Id(*user), at.map(Time)]).await?;
                // Unchanged: links that were deleted above stand again.
                Ok(match set {
                    0 => Unchanged(MemberChange::Unchanged),
                    _ => Changed(MemberChange::Changed),
                })
            })
        })
    }
}
