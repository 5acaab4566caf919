//! The first person of a deployment: let in by a one-time link that only the terminal knows.

use subtle::ConstantTimeEq;

use crate::{
    audit::Actor,
    clock::Timestamp,
    connectors::Connectors,
    error::{Code, Error, Result},
    event::EventKind,
    id::{TenantId, UserId},
    limits::SETUP_LINK_LIFE,
    membership::Role,
    name::check_name,
    secret::Secret,
    session::StartedSession,
    store::MembershipRow,
    token,
    user::Email,
};

/// The link of this start, as a hash: it is good while there is nobody, and for [`SETUP_LINK_LIFE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupLink {
    hash: [u8; 32],
    tenant: TenantId,
    expires_at: Timestamp,
}

/// Whom a link lets in.
pub struct NewPerson {
    /// Their address.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// Their password.
    pub password: Secret,
    /// The token the browser showed so far: its session ends.
    pub replaces: Option<Secret>,
}

impl Connectors {
    /// The link for the first person, who will own this tenant, and its token; none once there is somebody.
    pub async fn setup_link(&self, tenant: TenantId) -> Result<Option<(SetupLink, Secret)>> {
        if self.inner.store.has_users().await? {
            return Ok(None);
        }
        let (token, hash) = token::new(&*self.inner.random)?;
        let expires_at = self.inner.clock.now() + SETUP_LINK_LIFE;
        let link = SetupLink {
            hash,
            tenant,
            expires_at,
        };
        Ok(Some((link, token)))
    }

    /// Whether a token is that of the link, and the link still good.
    ///
    /// # Errors
    /// `LINK_INVALID` where it is not.
    pub async fn check_setup(&self, link: &SetupLink, token: &str) -> Result<()> {
        let same: bool = token::hash_of(token).is_some_and(|hash| hash.ct_eq(&link.hash).into());
        if !same || link.expires_at <= self.inner.clock.now() || self.inner.store.has_users().await? {
            return Err(invalid());
        }
        Ok(())
    }

    /// Makes the first person, owner of the link's tenant, and signs them in.
    ///
    /// # Errors
    /// `LINK_INVALID`, and `REQUEST_INVALID` at `/email`, `/name` or `/password`; then the link stays good.
    pub async fn set_up(&self, link: &SetupLink, token: &str, person: NewPerson) -> Result<StartedSession> {
        self.check_setup(link, token).await?;
        let email = Email::parse(&person.email)?.into_text();
        check_name("/name", &person.name)?;
        let password = self.hash_password(person.password, &email, &person.name).await?;
        let id = UserId::new(&*self.inner.clock, &*self.inner.random)?;
        let user = self.new_user(id, email, person.name, password);
        let actor = Actor::new(link.tenant, "setup");
        let member = MembershipRow {
            tenant: link.tenant,
            user: id,
            role: Role::Owner,
            created_by: actor.name.clone(),
            created_at: user.created_at,
        };
        let detail = serde_json::json!({ "email": user.email, "role": member.role });
        let events = [EventKind::UserCreated, EventKind::MemberAdded];
        let trail = self.trail(&actor, "user.created", id, detail, &events)?;
        let version = user.password_version;
        if !self.inner.store.create_first_user(user, member.clone(), trail).await? {
            return Err(invalid());
        }
        self.begin_session(member, version, person.replaces).await
    }
}

/// What is said of every link that opens nothing, whatever the reason.
pub(crate) fn invalid() -> Error {
    Error::new(
        Code::LinkInvalid,
        "This link is not valid: it was used, replaced by a newer one, is too old, or was not copied whole.",
    )
}
