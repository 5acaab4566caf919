//! One-time links and their doors.

use rusqlite::{Row, params};
use tieline::{
    Result,
    audit::Trail,
    id::{TenantId, UserId},
    store::{Acceptance, Accepted, Ground, KnownAs, LinkDoor, LinkPurpose, LinkRow, LinkStore, StoreFuture},
};

use super::{
    SqliteStore, membership,
    tx::Tx,
    user,
    value::{Count, RoleName, Time},
    writer::Outcome::{Changed, Unchanged},
};

/// Deletes the links that fit a condition, with their doors.
macro_rules! delete {
    ($tx:expr, $which:literal, $values:expr) => {{
        $tx.execute(
            concat!(
                "DELETE FROM doors WHERE kind = 'link' AND hash IN (SELECT hash FROM links WHERE ",
                $which,
                ")"
            ),
            $values,
        )?;
        $tx.execute(concat!("DELETE FROM links WHERE ", $which), $values)?
    }};
}
pub(super) use delete;

fn read(row: &Row<'_>) -> rusqlite::Result<LinkRow> {
    let purpose = match row.get::<_, Option<RoleName>>("role")? {
        Some(role) => LinkPurpose::Join(role.0),
        None => LinkPurpose::Reset(Ground {
            password_version: row.get::<_, Count>("password_version")?.0,
            role: row.get::<_, Option<RoleName>>("ground_role")?.map(|role| role.0),
        }),
    };
    Ok(LinkRow {
        tenant: TenantId::from_bytes(row.get("tenant")?),
        user: UserId::from_bytes(row.get("user")?),
        purpose,
        email: row.get("email")?,
        name: row.get("name")?,
        hash: row.get("hash")?,
        created_by: row.get("created_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        expires_at: row.get::<_, Time>("expires_at")?.0,
    })
}

fn insert(tx: &Tx<'_>, link: &LinkRow) -> Result<()> {
    let (role, version, ground) = match link.purpose {
        LinkPurpose::Join(role) => (Some(role), None, None),
        LinkPurpose::Reset(ground) => (None, Some(Count(ground.password_version)), ground.role),
    };
    tx.execute(
        "INSERT INTO links (tenant, user, role, email, name, hash, created_by, created_at, expires_at, \
         password_version, ground_role) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            link.tenant.as_bytes(),
            link.user.as_bytes(),
            role.map(RoleName),
            link.email,
            link.name,
            link.hash,
            link.created_by,
            Time(link.created_at),
            Time(link.expires_at),
            version,
            ground.map(RoleName),
        ],
    )?;
    tx.execute(
        "INSERT INTO doors (kind, hash, tenant, id) VALUES ('link', ?1, ?2, ?3)",
        params![link.hash, link.tenant.as_bytes(), link.user.as_bytes()],
    )?;
    Ok(())
}

impl LinkStore for SqliteStore {
    fn put_link(&self, link: LinkRow, trail: Trail) -> StoreFuture<'_, ()> {
        self.writer.change(link.tenant, trail, move |tx| {
            delete!(
                tx,
                "tenant = ?1 AND (user = ?2 OR email = ?3 OR expires_at <= ?4)",
                (
                    link.tenant.as_bytes(),
                    link.user.as_bytes(),
                    &link.email,
                    Time(link.created_at)
                )
            );
            insert(tx, &link)?;
            Ok(Changed(()))
        })
    }

    fn open_link(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<LinkDoor>> {
        self.readers.read(move |tx| {
            let select = "SELECT tenant, id FROM doors WHERE kind = 'link' AND hash = ?1";
            tx.one(select, [hash], |row| {
                Ok(LinkDoor {
                    tenant: TenantId::from_bytes(row.get("tenant")?),
                    user: UserId::from_bytes(row.get("id")?),
                })
            })
        })
    }

    fn link(&self, tenant: TenantId, user: UserId) -> StoreFuture<'_, Option<LinkRow>> {
        self.readers.read(move |tx| {
            let select = "SELECT * FROM links WHERE tenant = ?1 AND user = ?2";
            tx.one(select, params![tenant.as_bytes(), user.as_bytes()], read)
        })
    }

    fn known_as(&self, tenant: TenantId, email: &str) -> StoreFuture<'_, Option<KnownAs>> {
        let email = email.to_owned();
        self.readers.read(move |tx| {
            let member = tx.one(
                "SELECT m.user FROM memberships m JOIN users u ON u.id = m.user WHERE m.tenant = ?1 AND u.email = ?2",
                params![tenant.as_bytes(), email],
                |row| Ok(KnownAs::Member(UserId::from_bytes(row.get("user")?))),
            )?;
            let invited = tx.one(
                "SELECT user FROM links WHERE tenant = ?1 AND email = ?2 AND role IS NOT NULL",
                params![tenant.as_bytes(), email],
                |row| Ok(KnownAs::Invited(UserId::from_bytes(row.get("user")?))),
            )?;
            Ok(member.or(invited))
        })
    }

    fn accept_link(
        &self,
        tenant: TenantId,
        hash: [u8; 32],
        acceptance: Acceptance,
        trail: Trail,
    ) -> StoreFuture<'_, Accepted> {
        self.writer.change(tenant, trail, move |tx| {
            let select = "SELECT * FROM links WHERE tenant = ?1 AND hash = ?2";
            let Some(link) = tx.one(select, params![tenant.as_bytes(), hash], read)? else {
                return Ok(Unchanged(Accepted::Gone));
            };
            delete!(tx, "tenant = ?1 AND hash = ?2", (tenant.as_bytes(), hash));
            // Unchanged: the link that was deleted above stands again.
            Ok(match bring_about(tx, &link, &acceptance)? {
                Accepted::Done => Changed(Accepted::Done),
                other => Unchanged(other),
            })
        })
    }
}

fn bring_about(tx: &Tx<'_>, link: &LinkRow, acceptance: &Acceptance) -> Result<Accepted> {
    let fresh = match acceptance {
        Acceptance::NewUser(new, _) => tx
            .one("SELECT 1 FROM users WHERE email = ?1", [&new.email], |_| Ok(()))?
            .is_none(),
        Acceptance::KnownUser(member) => membership::find(tx, member.tenant, member.user)?.is_none(),
        Acceptance::Password(id, password) => {
            let LinkPurpose::Reset(ground) = link.purpose else {
                return Ok(Accepted::Gone);
            };
            let set = stands(tx, ground, link.tenant, *id)?
                && user::set_password(tx, *id, password, ground.password_version)?;
            return Ok(if set { Accepted::Done } else { Accepted::Gone });
        }
    };
    if let Acceptance::NewUser(_, member) | Acceptance::KnownUser(member) = acceptance {
        if !fresh || link.purpose != LinkPurpose::Join(member.role) {
            return Ok(Accepted::Stale);
        }
        if let Acceptance::NewUser(new, _) = acceptance {
            user::insert(tx, new)?;
        }
        membership::insert(tx, member)?;
    }
    Ok(Accepted::Done)
}

/// Whether what a link to set a new password rests on is as it was, but for the password's version.
fn stands(tx: &Tx<'_>, ground: Ground, tenant: TenantId, user: UserId) -> Result<bool> {
    let enabled = "SELECT 1 FROM users WHERE id = ?1 AND disabled_at IS NULL";
    let enabled = tx.one(enabled, [user.as_bytes()], |_| Ok(()))?.is_some();
    let Some(role) = ground.role else { return Ok(enabled) };
    let elsewhere = tx.one(
        "SELECT 1 FROM memberships WHERE user = ?1 AND (tenant <> ?2 OR role <> ?3) LIMIT 1",
        params![user.as_bytes(), tenant.as_bytes(), RoleName(role)],
        |_| Ok(()),
    )?;
    Ok(enabled && elsewhere.is_none() && membership::find(tx, tenant, user)?.is_some())
}
