//! The end of a credential's time: refused at use, announced before and then.

use serde_json::json;

use crate::{
    audit::Actor,
    clock::{SignedDuration, Timestamp},
    connectors::Connectors,
    error::{Code, Error, Result},
    event::EventKind,
    id::TenantId,
    lent::expired,
    limits::{EXPIRY_BATCH, EXPIRY_NOTICE},
    store::{DueCredential, Health, HealthState, Tell, Users},
};

/// Refuses an expiry that is over already.
pub(super) fn check(expires_at: Option<Timestamp>, now: Timestamp) -> Result<()> {
    if is_over(expires_at, now) {
        let detail = "A credential that has expired already is of no use: give a time to come, or none.";
        return Err(Error::new(Code::RequestInvalid, detail).field("/expiresAt", "is in the past"));
    }
    Ok(())
}

/// Whether it is over.
pub(crate) fn is_over(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_some_and(|at| at <= now)
}

/// When its coming expiry is to be announced.
pub(super) fn notice(expires_at: Option<Timestamp>) -> Option<Timestamp> {
    let lead = SignedDuration::try_from(EXPIRY_NOTICE).unwrap_or(SignedDuration::ZERO);
    expires_at.map(|at| at.checked_sub(lead).unwrap_or(at))
}

impl Connectors {
    /// Announces, in the feed and in the audit log, which credentials will expire within [`EXPIRY_NOTICE`] and which have
    /// expired; the connections that point to those are failing from then on, and each is told of. All of it once, also when several processes look at the same time.
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
        let (action, kind, users) = if expires_at <= now {
            row.notice_at = None;
            let failing = Health {
                state: HealthState::Failing,
                reason: Some(expired(expires_at).detail().to_owned()),
                since: now,
            };
            let users = self.users(row.tenant, failing);
            ("credential.expired", EventKind::CredentialExpired, Some(users))
        } else {
            row.notice_at = Some(expires_at);
            ("credential.expiring", EventKind::CredentialExpiring, None)
        };
        let detail = json!({ "name": row.name, "expiresAt": expires_at });
        let trail = self.trail(&Actor::server(row.tenant), action, row.id, detail, &[kind])?;
        let version = row.version;
        row.version += 1;
        // Whoever changed it in between is looked at the next time.
        self.inner
            .store
            .update_credential(row, version, users, trail)
            .await
            .map(drop)
    }

    /// What becomes of the connections that point to a tenant's credential: their health, and an event for each whose
    /// state changes.
    pub(super) fn users(&self, tenant: TenantId, health: Health) -> Users {
        let trails = self.inner.trails.clone();
        let tell = Tell::new(move |connections| {
            let server = Actor::server(tenant);
            let events = connections.iter().fold(trails.by(&server), |events, connection| {
                events.event(EventKind::ConnectorHealthChanged, connection)
            });
            events.finish().map(|trail| trail.events)
        });
        Users { health, tell }
    }
}
