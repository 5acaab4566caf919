//! The end of a credential's time: refused at use, announced before and then.

use serde_json::json;

use crate::{
    audit::Actor,
    clock::{SignedDuration, Timestamp},
    connectors::Connectors,
    error::{Code, Error, Result},
    event::EventKind,
    limits::{EXPIRY_BATCH, EXPIRY_NOTICE},
    store::DueCredential,
};

/// Refuses an expiry that is over already.
pub(super) fn check(expires_at: Option<Timestamp>, now: Timestamp) -> Result<()> {
    if expires_at.is_some_and(|at| at <= now) {
        let detail = "A credential that has expired already is of no use: give a time to come, or none.";
        return Err(Error::new(Code::RequestInvalid, detail).field("/expiresAt", "is in the past"));
    }
    Ok(())
}

/// When its coming expiry is to be announced.
pub(super) fn notice(expires_at: Option<Timestamp>) -> Option<Timestamp> {
    let lead = SignedDuration::try_from(EXPIRY_NOTICE).unwrap_or(SignedDuration::ZERO);
    expires_at.map(|at| at.checked_sub(lead).unwrap_or(at))
}

impl Connectors {
    /// Announces, in the feed and in the audit log, which credentials will expire within [`EXPIRY_NOTICE`] and which have
    /// expired: each once, also when several processes look at the same time.
    ///
    /// # Errors
    /// Trouble with the store; what was not announced is still due.
    pub async fn announce_expiries(&self) -> Result<()> {
        loop {
            let now = self.inner.clock.now();
            let due = self.inner.store.due_credentials(now, EXPIRY_BATCH).await?;
            for credential in &due {
                self.announce(*credential, now).await?;
            }
            if due.len() < EXPIRY_BATCH {
                return Ok(());
            }
        }
    }

    async fn announce(&self, due: DueCredential, now: Timestamp) -> Result<()> {
        let Some(mut row) = self.inner.store.credential(due.tenant, due.credential).await? else {
            return Ok(());
        };
        // Another process was faster, or the expiry was put off.
        let Some(expires_at) = row.expires_at.filter(|_| row.notice_at.is_some_and(|at| at <= now)) else {
            return Ok(());
        };
        let (action, kind) = if expires_at <= now {
            row.notice_at = None;
            ("credential.expired", EventKind::CredentialExpired)
        } else {
            row.notice_at = Some(expires_at);
            ("credential.expiring", EventKind::CredentialExpiring)
        };
        let detail = json!({ "name": row.name, "expiresAt": expires_at });
        let trail = self.trail(&Actor::server(row.tenant), action, row.id, detail, &[kind])?;
        let version = row.version;
        row.version += 1;
        // Whoever changed it in between is looked at the next time.
        self.inner
            .store
            .update_credential(row, version, None, trail)
            .await
            .map(drop)
    }
}
