//! How much one tenant may have.

use std::fmt;

use crate::{
    connectors::Connectors,
    error::{Code, Error, Result},
    id::TenantId,
    limits::{
        MAX_API_KEYS_PER_TENANT, MAX_CONNECTIONS_PER_TENANT, MAX_CREDENTIALS_PER_TENANT, MAX_INVITATIONS_PER_TENANT,
        MAX_MEMBERS_PER_TENANT,
    },
    store::Countable,
};

/// How many rows of each kind one tenant may have. Environments have no bound of their own: there are three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantBounds {
    /// Connections, whatever their scope.
    pub connections: usize,
    /// Shared credentials.
    pub credentials: usize,
    /// API keys that are not revoked.
    pub api_keys: usize,
    /// Members.
    pub members: usize,
    /// Invitations that nobody has accepted.
    pub invitations: usize,
}

impl Default for TenantBounds {
    fn default() -> Self {
        Self {
            connections: MAX_CONNECTIONS_PER_TENANT,
            credentials: MAX_CREDENTIALS_PER_TENANT,
            api_keys: MAX_API_KEYS_PER_TENANT,
            members: MAX_MEMBERS_PER_TENANT,
            invitations: MAX_INVITATIONS_PER_TENANT,
        }
    }
}

impl TenantBounds {
    fn of(&self, what: Countable) -> usize {
        match what {
            Countable::Connections => self.connections,
            Countable::Credentials => self.credentials,
            Countable::ApiKeys => self.api_keys,
            Countable::Members => self.members,
            Countable::Invitations => self.invitations,
        }
    }
}

impl fmt::Display for Countable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connections => "connections",
            Self::Credentials => "credentials",
            Self::ApiKeys => "API keys",
            Self::Members => "members",
            Self::Invitations => "open invitations",
        })
    }
}

fn mend(what: Countable) -> &'static str {
    match what {
        Countable::Connections | Countable::Credentials => "delete those that nobody uses",
        Countable::ApiKeys => "revoke those that nobody uses",
        Countable::Members => "remove those who left",
        Countable::Invitations => "delete those that nobody will accept",
    }
}

impl Connectors {
    /// Refuses one more than a tenant may have.
    ///
    /// # Errors
    /// `LIMIT_REACHED`.
    pub(crate) async fn has_room_for(&self, tenant: TenantId, what: Countable) -> Result<()> {
        let most = self.inner.bounds.of(what);
        if self.inner.store.count_of(tenant, what, most).await? < most {
            return Ok(());
        }
        let detail = format!("This tenant has {most} {what}, and none has more: {}.", mend(what));
        Err(Error::new(Code::LimitReached, detail))
    }
}
