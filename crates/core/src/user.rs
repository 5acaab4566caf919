//! Persons: one account for the whole deployment, whatever tenants it belongs to.

mod email;
mod password;

pub(crate) use self::{email::Email, password::Passwords};

use std::sync::Arc;

use serde_json::json;

use crate::{
    audit::Actor,
    connectors::Connectors,
    error::{Code, Error, Result},
    event::EventKind,
    id::UserId,
    secret::Secret,
    session::{Person, StartedSession},
    store::UserRow,
};

/// A person's wish for another password.
pub struct NewPassword {
    /// The one that holds.
    pub current: Secret,
    /// The one that shall.
    pub new: Secret,
}

impl Connectors {
    /// Changes the password of whoever is signed in. All their sessions end, in every tenant; the one that asked goes on
    /// under a new token.
    ///
    /// # Errors
    /// `REQUEST_INVALID` for a wrong current password (at `/currentPassword`) and for a weak new one (at
    /// `/newPassword`), `SIGN_IN_THROTTLED` after too many wrong ones.
    pub async fn change_password(
        &self,
        by: &Person,
        wish: NewPassword,
        from: std::net::IpAddr,
    ) -> Result<StartedSession> {
        let user = self.inner.store.user(by.user).await?.ok_or_else(Error::not_found)?;
        password::check("/newPassword", wish.new.reveal(), &[&user.email, &user.name])?;
        let stored = user.password.clone();
        if !self.proves(&user.email, Arc::new(wish.current), stored, from).await? {
            let detail = "The current password is not right, so it was not changed.";
            return Err(Error::new(Code::RequestInvalid, detail).field("/currentPassword", "is not your password"));
        }
        let hashed = self.inner.passwords.hash(Arc::new(wish.new)).await?;
        let actor = Actor::new(by.tenant, by.user);
        let trail = self.trail(
            &actor,
            "user.password_changed",
            by.user,
            json!({}),
            &[EventKind::UserUpdated],
        )?;
        let (tenant, id, version) = (by.tenant, by.user, user.password_version);
        let set = self
            .to_the_end(async move |connectors| {
                let set = connectors
                    .inner
                    .store
                    .set_password(tenant, id, hashed, version, trail)
                    .await;
                connectors.inner.sessions.forget_user(id);
                set
            })
            .await?;
        if !set {
            return Err(changed_meanwhile());
        }
        self.continue_session(by, version + 1).await
    }

    /// Whether this is the password of an account: counted, and slowed down after failures.
    pub(crate) async fn proves(
        &self,
        email: &str,
        password: Arc<Secret>,
        stored: String,
        from: std::net::IpAddr,
    ) -> Result<bool> {
        let throttle = &self.inner.throttle;
        throttle.attempt(email, from, self.inner.clock.now())?;
        let right = self.inner.passwords.verify(password, Some(stored)).await;
        // What we could not judge was no failure of theirs.
        if !matches!(right, Ok(false)) {
            throttle.forgive(email, from);
        }
        right
    }

    /// A new person, whose password was checked and hashed.
    pub(crate) fn new_user(&self, id: UserId, email: String, name: String, password: String) -> UserRow {
        UserRow {
            id,
            email,
            name,
            password,
            password_version: 1,
            disabled_at: None,
            created_at: self.inner.clock.now(),
        }
    }

    /// The hash of a password that somebody chose.
    pub(crate) async fn hash_password(&self, password: Secret, email: &str, name: &str) -> Result<String> {
        password::check("/password", password.reveal(), &[email, name])?;
        self.inner.passwords.hash(Arc::new(password)).await
    }

    /// Refuses a password that nobody could have chosen here, whosever it is.
    pub(crate) fn check_password(&self, password: &Secret, email: &str, name: &str) -> Result<()> {
        password::check("/password", password.reveal(), &[email, name])
    }
}

/// Two changes met; nothing of the second was kept.
pub(crate) fn changed_meanwhile() -> Error {
    Error::new(
        Code::ConnectionConflict,
        "Somebody changed this at the same time, so nothing was changed: look again, and repeat it.",
    )
}
