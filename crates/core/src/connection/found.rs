//! What tests found out of a connection, written down.

use serde_json::json;

use super::change::Change;
use crate::{
    audit::Actor,
    connectors::Connectors,
    credential::expiry::is_over,
    error::Result,
    event::EventKind,
    health::Stood,
    id::ConnectionId,
    limits::MAX_UPDATE_ATTEMPTS,
    opened::Opened,
    store::{ConnectionRow, Health, HealthState},
};

impl Connectors {
    /// Writes down what a test found out, unless the secrets changed while it ran: then it says nothing of the new ones.
    pub(crate) async fn save_health(
        &self,
        by: &Actor,
        id: ConnectionId,
        tested: &Opened,
        (state, reason): (HealthState, Option<&str>),
        news_only: bool,
    ) -> Result<Stood> {
        for _ in 0..MAX_UPDATE_ATTEMPTS {
            let row = self.connection_row(by, id).await?;
            if !self.holds_what_was_tested(by, &row, tested).await? {
                return Ok(Stood::Outdated);
            }
            if (news_only && row.health.is(state, reason)) || self.write_health(by, row, state, reason).await? {
                return Ok(Stood::Holds);
            }
        }
        Err(super::conflict())
    }

    /// Writes down that a test found the connection's credential expired, unless it was given more time or other secrets
    /// meanwhile: whoever does so raises the row's version too.
    pub(crate) async fn save_expired(
        &self,
        by: &Actor,
        id: ConnectionId,
        reason: &str,
        news_only: bool,
    ) -> Result<Stood> {
        for _ in 0..MAX_UPDATE_ATTEMPTS {
            let row = self.connection_row(by, id).await?;
            let Some(credential) = row.credential else {
                return Ok(Stood::Outdated);
            };
            let expires_at = self.credential_row(by, credential).await?.expires_at;
            if !is_over(expires_at, self.inner.clock.now()) {
                return Ok(Stood::Outdated);
            }
            let state = HealthState::Failing;
            if (news_only && row.health.is(state, Some(reason)))
                || self.write_health(by, row, state, Some(reason)).await?
            {
                return Ok(Stood::Holds);
            }
        }
        Err(super::conflict())
    }

    /// Writes down a connection's health, with an event if it or its reason is another; `false` when somebody changed the row.
    async fn write_health(
        &self,
        by: &Actor,
        mut row: ConnectionRow,
        state: HealthState,
        reason: Option<&str>,
    ) -> Result<bool> {
        let (changed, version) = (!row.health.is(state, reason), row.version);
        let since = match row.health.state == state {
            true => row.health.since,
            false => self.inner.clock.now(),
        };
        row.health = Health {
            state,
            reason: reason.map(str::to_owned),
            since,
        };
        let change = Change {
            row,
            action: "connection.tested",
            detail: json!({ "health": state }),
            events: changed
                .then_some(EventKind::ConnectorHealthChanged)
                .into_iter()
                .collect(),
        };
        Ok(self.write(by, change, version).await?.is_some())
    }

    /// Asked after the row was read: whoever gives its credential new secrets raises the row's version too.
    async fn holds_what_was_tested(&self, by: &Actor, row: &ConnectionRow, tested: &Opened) -> Result<bool> {
        Ok(match (&tested.loan, row.credential) {
            (None, None) => row.secret_version == tested.secret_version,
            (Some(loan), Some(credential)) if loan.credential == credential => {
                self.credential_row(by, credential).await?.secret_version == loan.secret_version
            }
            _ => false,
        })
    }

    pub(crate) fn untested(&self) -> Health {
        Health {
            state: HealthState::Untested,
            reason: None,
            since: self.inner.clock.now(),
        }
    }
}
