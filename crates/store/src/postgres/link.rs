//! One-time links and their doors.

use tieline::{
    Result,
    audit::Trail,
    id::{TenantId, UserId},
    store::{Acceptance, Accepted, Ground, KnownAs, LinkDoor, LinkPurpose, LinkRow, LinkStore, StoreFuture},
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    api_key::{make_door, open_door},
    membership,
    tx::{Turn, Tx},
    user,
    value::{Columns, Id, Read, Time, number, values},
};
use crate::{
    outcome::Outcome::{Changed, Unchanged},
    word::Word,
};

/// Deletes the links that fit a condition, with their doors.
macro_rules! delete {
    ($tx:expr, $which:literal, [$($value:expr),+]) => {
        $tx.execute(
            concat!(
                "WITH gone AS (DELETE FROM links WHERE ",
                $which,
                " RETURNING hash) DELETE FROM doors WHERE kind = 'link' AND hash IN (SELECT hash FROM gone)"
            ),
            $crate::postgres::value::values![$($value),+],
        )
        .await?
    };
}
pub(super) use delete;

/// Takes the links that a person or a key made in a tenant.
pub(super) async fn forget_made(tx: &Tx, tenant: TenantId, maker: impl std::fmt::Display + Send) -> Result<()> {
    let maker = maker.to_string();
    delete!(tx, "tenant = $1 AND created_by = $2", [Id(tenant), maker.as_bytes()]);
    Ok(())
}

fn read(row: &Row) -> Read<LinkRow> {
    let purpose = match row.maybe_word("role")? {
        Some(role) => LinkPurpose::Join(role),
        None => LinkPurpose::Reset(Ground {
            password_version: row.number("password_version")?,
            role: row.maybe_word("ground_role")?,
        }),
    };
    Ok(LinkRow {
        tenant: row.id("tenant")?,
        user: row.id("user_id")?,
        purpose,
        email: row.text("email")?,
        name: row.text("name")?,
        hash: row.array("hash")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
    })
}

async fn insert(tx: &Tx, link: &LinkRow) -> Result<()> {
    let (role, version, ground) = match link.purpose {
        LinkPurpose::Join(role) => (Some(role), None, None),
        LinkPurpose::Reset(ground) => (None, Some(number(ground.password_version)), ground.role),
    };
    tx.execute(
        "INSERT INTO links (tenant, user_id, role, email, name, hash, created_by, created_at, expires_at, \
         password_version, ground_role) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        values![
            Id(link.tenant),
            Id(link.user),
            role.map(Word::name),
            link.email.as_bytes(),
            link.name.as_bytes(),
            &link.hash[..],
            link.created_by.as_bytes(),
            Time(link.created_at),
            Time(link.expires_at),
            version,
            ground.map(Word::name),
        ],
    )
    .await?;
    make_door(tx, "link", &link.hash, link.tenant, link.user).await
}

impl LinkStore for PostgresStore {
    fn put_link(&self, link: LinkRow, trail: Trail) -> StoreFuture<'_, ()> {
        self.change(link.tenant, trail, link, |tx, link| {
            Box::pin(async move {
                tx.alone(Turn::People).await?;
                delete!(
                    tx,
                    "tenant = $1 AND (user_id = $2 OR email = $3 OR expires_at <= $4)",
                    [
                        Id(link.tenant),
                        Id(link.user),
                        link.email.as_bytes(),
                        Time(link.created_at)
                    ]
                );
                insert(tx, link).await?;
                Ok(Changed(()))
            })
        })
    }

    fn open_link(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<LinkDoor>> {
        self.read(None, hash, |tx, hash| {
            Box::pin(async move {
                let door = open_door(tx, "link", hash).await?;
                Ok(door.map(|(tenant, user)| LinkDoor { tenant, user }))
            })
        })
    }

    fn link(&self, tenant: TenantId, user: UserId) -> StoreFuture<'_, Option<LinkRow>> {
        self.read(tenant, (tenant, user), |tx, (tenant, user)| {
            Box::pin(async move {
                let select = "SELECT * FROM links WHERE tenant = $1 AND user_id = $2";
                tx.one(select, values![Id(*tenant), Id(*user)], read).await
            })
        })
    }

    fn known_as(&self, tenant: TenantId, email: &str) -> StoreFuture<'_, Option<KnownAs>> {
        self.read(tenant, (tenant, email.to_owned()), |tx, (tenant, email)| {
            Box::pin(async move {
                let known = values![Id(*tenant), email.as_bytes()];
                let member = "SELECT m.user_id FROM memberships m JOIN users u ON u.id = m.user_id \
                              WHERE m.tenant = $1 AND u.email = $2";
                let member = tx
                    .one(member, known, |row| Ok(KnownAs::Member(row.id("user_id")?)))
                    .await?;
                let invited = "SELECT user_id FROM links WHERE tenant = $1 AND email = $2 AND role IS NOT NULL";
                let invited = tx
                    .one(invited, known, |row| Ok(KnownAs::Invited(row.id("user_id")?)))
                    .await?;
                Ok(member.or(invited))
            })
        })
    }

    fn accept_link(
        &self,
        tenant: TenantId,
        hash: [u8; 32],
        acceptance: Acceptance,
        trail: Trail,
    ) -> StoreFuture<'_, Accepted> {
        self.change(
            tenant,
            trail,
            (tenant, hash, acceptance),
            |tx, (tenant, hash, acceptance)| {
                Box::pin(async move {
                    tx.alone(Turn::People).await?;
                    let select = "SELECT * FROM links WHERE tenant = $1 AND hash = $2";
                    let Some(link) = tx.one(select, values![Id(*tenant), &hash[..]], read).await? else {
                        return Ok(Unchanged(Accepted::Gone));
                    };
                    delete!(tx, "tenant = $1 AND hash = $2", [Id(*tenant), &hash[..]]);
                    // Unchanged: the link that was deleted above stands again.
                    Ok(match bring_about(tx, &link, acceptance).await? {
                        Accepted::Done => Changed(Accepted::Done),
                        other => Unchanged(other),
                    })
                })
            },
        )
    }
}

async fn bring_about(tx: &Tx, link: &LinkRow, acceptance: &Acceptance) -> Result<Accepted> {
    let (fresh, member) = match acceptance {
        Acceptance::NewUser(new, member) => {
            let known = "SELECT 1 FROM users WHERE email = $1";
            (!tx.any(known, values![new.email.as_bytes()]).await?, member)
        }
        Acceptance::KnownUser(member) => (
            membership::find(tx, member.tenant, member.user).await?.is_none(),
            member,
        ),
        Acceptance::Password(id, password) => {
            let LinkPurpose::Reset(ground) = link.purpose else {
                return Ok(Accepted::Gone);
            };
            let set = stands(tx, ground, link.tenant, *id).await?
                && user::set_password(tx, *id, password, ground.password_version).await?;
            return Ok(if set { Accepted::Done } else { Accepted::Gone });
        }
    };
    if !fresh || link.purpose != LinkPurpose::Join(member.role) {
        return Ok(Accepted::Stale);
    }
    if let Acceptance::NewUser(new, _) = acceptance {
        user::insert(tx, new).await?;
    }
    membership::insert(tx, member).await?;
    Ok(Accepted::Done)
}

/// Whether what a link to set a new password rests on is as it was, but for the password's version.
async fn stands(tx: &Tx, ground: Ground, tenant: TenantId, user: UserId) -> Result<bool> {
    let enabled = "SELECT 1 FROM users WHERE id = $1 AND disabled_at IS NULL";
    let enabled = tx.any(enabled, values![Id(user)]).await?;
    let Some(role) = ground.role else { return Ok(enabled) };
    // One more than there may be.
    let members = membership::of(tx, user, 2).await?;
    let only = matches!(&members[..], [only] if only.tenant == tenant && only.role == role);
    Ok(enabled && only)
}
