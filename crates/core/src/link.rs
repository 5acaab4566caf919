//! One-time links that people hand to each other: to join a tenant, or to set a new password.

use std::{net::IpAddr, sync::Arc};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::{
    audit::Actor,
    clock::Timestamp,
    connectors::Connectors,
    error::{Code, Error, Result},
    event::EventKind,
    id::UserId,
    limits::{INVITATION_LIFE, MAX_MEMBERSHIPS, MAX_NAME_CHARS, RESET_LINK_LIFE},
    membership::{Authority, Member, MemberStatus, Role},
    name::check_name,
    secret::Secret,
    session::StartedSession,
    setup::{NewPerson, invalid},
    store::{Acceptance, Accepted, Countable, Ground, KnownAs, LinkPurpose, LinkRow, MembershipRow, UserRow},
    token,
    user::{Email, changed_meanwhile},
};

/// Whom to invite.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = json!({ "email": "hopper@example.com", "role": "editor", "name": "Grace" }))]
pub struct Invite {
    /// Their e-mail address.
    pub email: String,
    /// As what they shall belong to the tenant.
    pub role: Role,
    /// What people call them; the address, unless given.
    #[serde(default)]
    pub name: Option<String>,
}

/// A link that was just made: the only moment its token is known.
pub struct MadeLink {
    /// The token.
    pub token: Secret,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// What a link is, for whoever holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedLink {
    /// What it is for.
    pub purpose: LinkPurpose,
    /// For which address it was made.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// The name of the tenant.
    pub tenant: String,
}

impl Connectors {
    /// Invites somebody. An invitation that stands for the address is replaced. Whether the address is known to the
    /// deployment is not told, and makes no difference here.
    ///
    /// # Errors
    /// `NAME_TAKEN` for a member's address, `PERMISSION_DENIED` for a role above one's own, `REQUEST_INVALID`,
    /// `LIMIT_REACHED`.
    pub async fn invite(&self, by: &Authority, wish: Invite) -> Result<(Member, MadeLink)> {
        let email = Email::parse(&wish.email)?.into_text();
        let name = wish
            .name
            .unwrap_or_else(|| email.chars().take(MAX_NAME_CHARS).collect());
        check_name("/name", &name)?;
        self.may_grant(by, wish.role).await?;
        let tenant = by.actor.tenant;
        let user = match self.inner.store.known_as(tenant, &email).await? {
            Some(KnownAs::Member(_)) => {
                let detail = format!("`{email}` belongs to this tenant already: change that member instead.");
                return Err(Error::new(Code::NameTaken, detail).field("/email", "is a member's"));
            }
            Some(KnownAs::Invited(user)) => {
                let standing = self.member(&by.actor, user).await?;
                self.may_change(by, &standing).await?;
                user
            }
            None => {
                self.has_room_for(tenant, Countable::Invitations).await?;
                self.has_room_for(tenant, Countable::Members).await?;
                UserId::new(&*self.inner.clock, &*self.inner.random)?
            }
        };
        let detail = json!({ "email": email, "role": wish.role });
        let trail = self.trail(&by.actor, "member.invited", user, detail, &[EventKind::MemberInvited])?;
        let (row, made) = self.new_link(&by.actor, user, LinkPurpose::Join(wish.role), (email, name))?;
        self.inner.store.put_link(row, trail).await?;
        Ok((self.member(&by.actor, user).await?, made))
    }

    /// Makes a link for a member to set a new password with.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for oneself, for roles above one's own and for persons of other tenants.
    pub async fn reset_member(&self, by: &Authority, user: UserId) -> Result<MadeLink> {
        let member = self.member(&by.actor, user).await?;
        by.reaches(member.role)?;
        if member.status == MemberStatus::Invited {
            let detail = "Nobody has accepted this invitation yet: invite them anew for another link.";
            return Err(Error::new(Code::RequestInvalid, detail));
        }
        if by.is(user) {
            let detail = "Change your own password with the one you have.";
            return Err(Error::new(Code::PermissionDenied, detail));
        }
        self.owns(by, user).await?;
        let account = self.inner.store.user(user).await?.ok_or_else(Error::not_found)?;
        let role = (!by.operator).then_some(member.role);
        self.make_reset(&by.actor, account, role).await
    }

    /// The same for any person of the deployment, by their address; for operators. The link and its trail belong to the
    /// first of the person's tenants.
    ///
    /// # Errors
    /// `NOT_FOUND` where nobody has this address, or they belong to no tenant.
    pub async fn reset_anyone(&self, by: &Actor, email: &str) -> Result<MadeLink> {
        let email = Email::parse(email)?.into_text();
        let user = self
            .inner
            .store
            .user_by_email(&email)
            .await?
            .ok_or_else(Error::not_found)?;
        let places = self.inner.store.memberships_of(user.id, 1).await?;
        let place = places.first().ok_or_else(Error::not_found)?;
        let actor = Actor::new(place.tenant, &by.name);
        self.make_reset(&actor, user, None).await
    }

    /// What a link is.
    ///
    /// # Errors
    /// `LINK_INVALID`, also where nobody may set this password by this link any more.
    pub async fn open_link(&self, token: &str) -> Result<OpenedLink> {
        let row = self.find_link(token).await?;
        if let LinkPurpose::Reset(ground) = row.purpose {
            self.account_on(&row, ground).await?;
        }
        let tenant = self.inner.store.tenant(row.tenant).await?.ok_or_else(invalid)?;
        Ok(OpenedLink {
            purpose: row.purpose,
            email: row.email,
            name: row.name,
            tenant: tenant.name,
        })
    }

    /// Does what a link is for, uses it up, and signs its person in. Whoever has an account proves it with its password;
    /// who has none gets one with the password that is sent. The address is the link's, whatever is sent.
    ///
    /// # Errors
    /// `LINK_INVALID`; `LIMIT_REACHED`, `REQUEST_INVALID` at `/password` or `/name`, `SIGN_IN_THROTTLED`: then the link stays good.
    pub async fn accept_link(&self, token: &str, mut person: NewPerson, from: IpAddr) -> Result<StartedSession> {
        let link = self.find_link(token).await?;
        // First of all and for everybody: it must not tell who has an account.
        self.check_password(&person.password, &link.email, &link.name)?;
        let replaces = person.replaces.take();
        let (member, version) = match link.purpose {
            LinkPurpose::Reset(ground) => self.accept_reset(link, ground, person.password).await?,
            LinkPurpose::Join(role) => self.accept_invitation(link, role, person, from).await?,
        };
        self.begin_session(member, version, replaces).await
    }

    async fn accept_invitation(
        &self,
        link: LinkRow,
        role: Role,
        person: NewPerson,
        from: IpAddr,
    ) -> Result<(MembershipRow, u64)> {
        self.has_room_for(link.tenant, Countable::Members).await?;
        let account = self.inner.store.user_by_email(&link.email).await?;
        let member = |user, created_at| MembershipRow {
            tenant: link.tenant,
            user,
            role,
            created_by: link.created_by.clone(),
            created_at,
        };
        let now = self.inner.clock.now();
        let (acceptance, membership, version, events) = match account {
            Some(account) => {
                let stored = account.password;
                let right = self
                    .proves(&link.email, Arc::new(person.password), stored, from)
                    .await?;
                if !right || account.disabled_at.is_some() {
                    let detail = "There is an account with this address, and this is not its password. Forgotten? Ask who invited you for a link to set a new one.";
                    return Err(Error::new(Code::RequestInvalid, detail).field("/password", "is not the account's"));
                }
                self.has_room(account.id).await?;
                let membership = member(account.id, now);
                let version = account.password_version;
                let events = vec![EventKind::MemberAdded];
                (Acceptance::KnownUser(membership.clone()), membership, version, events)
            }
            None => {
                check_name("/name", &person.name)?;
                let password = self.hash_password(person.password, &link.email, &person.name).await?;
                let user = self.new_user(link.user, link.email.clone(), person.name, password);
                let membership = member(user.id, user.created_at);
                let events = vec![EventKind::UserCreated, EventKind::MemberAdded];
                let version = user.password_version;
                (
                    Acceptance::NewUser(user, membership.clone()),
                    membership,
                    version,
                    events,
                )
            }
        };
        let user = membership.user;
        let actor = Actor::new(link.tenant, user);
        let detail = json!({ "role": role, "invitation": link.user });
        let trail = self.trail(&actor, "member.joined", user, detail, &events)?;
        self.used(
            self.inner
                .store
                .accept_link(link.tenant, link.hash, acceptance, trail)
                .await?,
        )?;
        Ok((membership, version))
    }

    /// Refuses to join one more tenant than a person may belong to.
    async fn has_room(&self, user: UserId) -> Result<()> {
        if self.inner.store.memberships_of(user, MAX_MEMBERSHIPS).await?.len() < MAX_MEMBERSHIPS {
            return Ok(());
        }
        let detail = format!(
            "This account belongs to {MAX_MEMBERSHIPS} tenants, and no account belongs to more: have one of them remove it first."
        );
        Err(Error::new(Code::RequestInvalid, detail))
    }

    async fn accept_reset(&self, link: LinkRow, ground: Ground, password: Secret) -> Result<(MembershipRow, u64)> {
        let account = self.account_on(&link, ground).await?;
        let hashed = self.hash_password(password, &account.email, &account.name).await?;
        let user = account.id;
        let actor = Actor::new(link.tenant, user);
        let trail = self.trail(
            &actor,
            "user.password_reset",
            user,
            json!({}),
            &[EventKind::UserUpdated],
        )?;
        let acceptance = Acceptance::Password(user, hashed);
        let (tenant, hash) = (link.tenant, link.hash);
        let accepted = self
            .to_the_end(async move |connectors| {
                let accepted = connectors
                    .inner
                    .store
                    .accept_link(tenant, hash, acceptance, trail)
                    .await;
                connectors.inner.sessions.forget_user(user);
                accepted
            })
            .await?;
        self.used(accepted)?;
        let membership = self.inner.store.membership(tenant, user).await?.ok_or_else(invalid)?;
        Ok((membership, ground.password_version + 1))
    }

    /// Whose password a link sets, while its ground is there. The store looks again when it is used.
    async fn account_on(&self, link: &LinkRow, ground: Ground) -> Result<UserRow> {
        let account = self.inner.store.user(link.user).await?.ok_or_else(invalid)?;
        let places = self.inner.store.memberships_of(account.id, MAX_MEMBERSHIPS).await?;
        let here = places.iter().find(|row| row.tenant == link.tenant);
        let role = here.ok_or_else(invalid)?.role;
        let same = ground.role.is_none_or(|of| of == role && places.len() == 1);
        if !same || account.password_version != ground.password_version || account.disabled_at.is_some() {
            return Err(invalid());
        }
        Ok(account)
    }

    fn used(&self, accepted: Accepted) -> Result<()> {
        match accepted {
            Accepted::Done => Ok(()),
            Accepted::Gone => Err(invalid()),
            Accepted::Stale => Err(changed_meanwhile()),
        }
    }

    /// A link that is good while the person has this role here and belongs to no other tenant; without one, wherever they
    /// belong.
    async fn make_reset(&self, by: &Actor, of: UserRow, role: Option<Role>) -> Result<MadeLink> {
        let trail = self.trail(by, "user.reset_link_made", of.id, json!({}), &[])?;
        let ground = Ground {
            password_version: of.password_version,
            role,
        };
        let (row, made) = self.new_link(by, of.id, LinkPurpose::Reset(ground), (of.email, of.name))?;
        self.inner.store.put_link(row, trail).await?;
        Ok(made)
    }

    fn new_link(
        &self,
        by: &Actor,
        user: UserId,
        purpose: LinkPurpose,
        (email, name): (String, String),
    ) -> Result<(LinkRow, MadeLink)> {
        let now = self.inner.clock.now();
        let life = match purpose {
            LinkPurpose::Join(_) => INVITATION_LIFE,
            LinkPurpose::Reset(_) => RESET_LINK_LIFE,
        };
        let (token, hash) = token::new(&*self.inner.random)?;
        let row = LinkRow {
            tenant: by.tenant,
            user,
            purpose,
            email,
            name,
            hash,
            created_by: by.name.clone(),
            created_at: now,
            expires_at: now + life,
        };
        let expires_at = row.expires_at;
        Ok((row, MadeLink { token, expires_at }))
    }

    async fn find_link(&self, token: &str) -> Result<LinkRow> {
        let hash = token::hash_of(token).ok_or_else(invalid)?;
        let door = self.inner.store.open_link(hash).await?.ok_or_else(invalid)?;
        let row = self.inner.store.link(door.tenant, door.user).await?;
        // A link that was replaced between the two reads is another link.
        let good = |row: &LinkRow| row.hash == hash && row.expires_at > self.inner.clock.now();
        row.filter(good).ok_or_else(invalid)
    }
}
