//! Signing in: one answer for whatever is wrong, and the same work for it.

use std::{net::IpAddr, sync::Arc};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::StartedSession;
use crate::{
    audit::Actor,
    connectors::Connectors,
    error::{Code, Error, Result},
    id::{TenantId, UserId},
    limits::{MAX_MEMBERSHIPS, MAX_PASSWORD_BYTES},
    membership::Role,
    secret::Secret,
    store::{MembershipRow, UserRow},
    user::Email,
};

/// What somebody signs in with.
pub struct SignIn {
    /// Their address.
    pub email: String,
    /// Their password.
    pub password: Secret,
    /// Which tenant, by identifier or name; needed of those who belong to several.
    pub tenant: Option<String>,
    /// Where they come from.
    pub from: IpAddr,
    /// The token the browser showed so far: its session ends.
    pub replaces: Option<Secret>,
}

/// What came of signing in.
pub enum SignedIn {
    /// A session.
    Session(StartedSession),
    /// The password was right, and there are several tenants to choose from: sign in with one of them.
    Choose(Vec<Workplace>),
}

/// A tenant that somebody belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workplace {
    /// The tenant.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// As what they belong to it.
    pub role: Role,
}

impl Connectors {
    /// Signs a person in.
    ///
    /// # Errors
    /// `SIGN_IN_FAILED` for an unknown address, a wrong password, a locked account and a tenant they do not belong to: one
    /// answer, and for the first three the same work. `SIGN_IN_THROTTLED` after too many failures, `OVERLOADED` when too
    /// many sign in at once.
    pub async fn sign_in(&self, wish: SignIn) -> Result<SignedIn> {
        let email = Email::parse(&wish.email).map(Email::into_text).unwrap_or_default();
        if wish.password.reveal().len() > MAX_PASSWORD_BYTES {
            return Err(failed());
        }
        // Before anything that costs.
        self.inner.throttle.attempt(&email, wish.from, self.inner.clock.now())?;
        let judged = self.judge(&email, wish.password).await;
        // What we could not judge was no failure of theirs.
        if !matches!(judged, Ok((_, false))) {
            self.inner.throttle.forgive(&email, wish.from);
        }
        let (known, right) = judged?;
        let Some(user) = known.filter(|_| right) else {
            self.note_failure(email, wish.from);
            return Err(failed());
        };
        if user.disabled_at.is_some() {
            self.note_failure(email, wish.from);
            return Err(failed());
        }
        let places = self.inner.store.memberships_of(user.id, MAX_MEMBERSHIPS).await?;
        let chosen = match (wish.tenant, places.as_slice()) {
            (None, [only]) => Some(only.clone()),
            (None, []) => None,
            (None, _) => return self.workplaces_of(places).await.map(SignedIn::Choose),
            (Some(named), _) => self.named(places, &named).await?,
        };
        let member = chosen.ok_or_else(failed)?;
        self.begin_session(member, user.password_version, wish.replaces)
            .await
            .map(SignedIn::Session)
    }

    /// The account of an address, and whether this is its password: the same work where there is none.
    async fn judge(&self, email: &str, password: Secret) -> Result<(Option<UserRow>, bool)> {
        let known = self.inner.store.user_by_email(email).await?;
        let stored = known.as_ref().map(|user| user.password.clone());
        let right = self.inner.passwords.verify(Arc::new(password), stored).await?;
        Ok((known, right))
    }

    /// The tenants a person belongs to.
    pub async fn workplaces(&self, user: UserId) -> Result<Vec<Workplace>> {
        let places = self.inner.store.memberships_of(user, MAX_MEMBERSHIPS).await?;
        self.workplaces_of(places).await
    }

    async fn workplaces_of(&self, places: Vec<MembershipRow>) -> Result<Vec<Workplace>> {
        let mut known = Vec::new();
        for place in places {
            if let Some(tenant) = self.inner.store.tenant(place.tenant).await? {
                known.push(Workplace {
                    id: tenant.id,
                    name: tenant.name,
                    role: place.role,
                });
            }
        }
        Ok(known)
    }

    async fn named(&self, places: Vec<MembershipRow>, name: &str) -> Result<Option<MembershipRow>> {
        let by_name = match name.parse::<TenantId>() {
            Ok(id) => Some(id),
            Err(_) => self.inner.store.tenant_by_name(name).await?.map(|tenant| tenant.id),
        };
        Ok(places.into_iter().find(|place| Some(place.tenant) == by_name))
    }

    /// A3: writes a failure down in each tenant of that account, bounded as denials are. Beside the answer and not before
    /// it, or the time it takes would tell who has an account here.
    fn note_failure(&self, email: String, from: IpAddr) {
        tracing::info!(%from, "somebody failed to sign in");
        let connectors = self.clone();
        self.begin(async move {
            if let Err(error) = connectors.write_failure(&email, from).await {
                tracing::warn!(?error, "a failed sign-in could not be written down");
            }
        });
    }

    async fn write_failure(&self, email: &str, from: IpAddr) -> Result<()> {
        let Some(user) = self.inner.store.user_by_email(email).await? else {
            return Ok(());
        };
        let now = self.inner.clock.now();
        for place in self.inner.store.memberships_of(user.id, MAX_MEMBERSHIPS).await? {
            let actor = Actor::new(place.tenant, user.id);
            if self.inner.denials.is_first(&actor, "sign in", now) {
                let detail = json!({ "from": from });
                let trail = self.trail(&actor, "session.refused", user.id, detail, &[])?;
                self.inner.store.record(place.tenant, trail).await?;
            }
        }
        Ok(())
    }
}

/// What everybody reads who does not get in.
fn failed() -> Error {
    Error::new(
        Code::SignInFailed,
        "Address and password do not belong together, or this account may not sign in here.",
    )
}
