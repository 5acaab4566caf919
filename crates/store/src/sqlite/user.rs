//! Persons.

use rusqlite::{Row, params};
use tieline::{
    Result,
    audit::Trail,
    clock::Timestamp,
    id::{TenantId, UserId},
    store::{MemberChange, MembershipRow, StoreFuture, UserRow, UserStore},
};

use super::{
    SqliteStore, link, membership,
    tx::Tx,
    value::{Count, Time},
    writer::Outcome::{Changed, Unchanged},
};

pub(super) fn insert(tx: &Tx<'_>, user: &UserRow) -> Result<()> {
    tx.execute(
        "INSERT INTO users (id, email, name, password, password_version, disabled_at, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            user.id.as_bytes(),
            user.email,
            user.name,
            user.password,
            Count(user.password_version),
            user.disabled_at.map(Time),
            Time(user.created_at),
        ],
    )?;
    Ok(())
}

/// Whether the password had this version, and now has the next.
pub(super) fn set_password(tx: &Tx<'_>, user: UserId, password: &str, expected_version: u64) -> Result<bool> {
    let set = tx.execute(
        "UPDATE users SET password = ?2, password_version = password_version + 1 \
         WHERE id = ?1 AND password_version = ?3",
        params![user.as_bytes(), password, Count(expected_version)],
    )?;
    Ok(set == 1)
}

fn read(row: &Row<'_>) -> rusqlite::Result<UserRow> {
    Ok(UserRow {
        id: UserId::from_bytes(row.get("id")?),
        email: row.get("email")?,
        name: row.get("name")?,
        password: row.get("password")?,
        password_version: row.get::<_, Count>("password_version")?.0,
        disabled_at: row.get::<_, Option<Time>>("disabled_at")?.map(|time| time.0),
        created_at: row.get::<_, Time>("created_at")?.0,
    })
}

impl UserStore for SqliteStore {
    fn has_users(&self) -> StoreFuture<'_, bool> {
        self.readers
            .read(|tx| Ok(tx.one("SELECT 1 FROM users LIMIT 1", [], |_| Ok(()))?.is_some()))
    }

    fn create_first_user(&self, user: UserRow, membership: MembershipRow, trail: Trail) -> StoreFuture<'_, bool> {
        self.writer.change(membership.tenant, trail, move |tx| {
            if tx.one("SELECT 1 FROM users LIMIT 1", [], |_| Ok(()))?.is_some() {
                return Ok(Unchanged(false));
            }
            insert(tx, &user)?;
            membership::insert(tx, &membership)?;
            Ok(Changed(true))
        })
    }

    fn user(&self, id: UserId) -> StoreFuture<'_, Option<UserRow>> {
        self.readers
            .read(move |tx| tx.one("SELECT * FROM users WHERE id = ?1", [id.as_bytes()], read))
    }

    fn user_by_email(&self, email: &str) -> StoreFuture<'_, Option<UserRow>> {
        let email = email.to_owned();
        self.readers
            .read(move |tx| tx.one("SELECT * FROM users WHERE email = ?1", [&email], read))
    }

    fn set_password(
        &self,
        tenant: TenantId,
        user: UserId,
        password: String,
        expected_version: u64,
        trail: Trail,
    ) -> StoreFuture<'_, bool> {
        self.writer.change(tenant, trail, move |tx| {
            Ok(if set_password(tx, user, &password, expected_version)? {
                Changed(true)
            } else {
                Unchanged(false)
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
        self.writer.change(tenant, trail, move |tx| {
            match at {
                Some(_) if membership::is_last_owner(tx, tenant, user)? => {
                    return Ok(Unchanged(MemberChange::LastOwner));
                }
                Some(_) => drop(link::delete!(tx, "created_by = ?1", [user.to_string()])),
                None => {
                    let owned = "SELECT tenant FROM memberships WHERE user = ?1 AND role = 'owner'";
                    let owned = tx.all(owned, [user.as_bytes()], |row| Ok(TenantId::from_bytes(row.get(0)?)))?;
                    for tenant in owned {
                        membership::owner_comes(tx, tenant)?;
                    }
                }
            }
            let set = tx.execute(
                "UPDATE users SET disabled_at = ?2 WHERE id = ?1 AND (disabled_at IS NULL) = (?2 IS NOT NULL)",
                params![user.as_bytes(), at.map(Time)],
            )?;
            // Unchanged: links that were deleted above stand again.
            Ok(match set {
                0 => Unchanged(MemberChange::Unchanged),
                _ => Changed(MemberChange::Changed),
            })
        })
    }
}
