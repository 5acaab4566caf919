//! What happens inside, under its public dotted name.

use crate::{clock::Timestamp, id::EventId};

/// The prefix of public event names, unless the deployment chose another.
pub const DEFAULT_PREFIX: &str = "tieline.connectors";

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its identifier.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The identifier of the row it happened to, in text form.
    pub subject: String,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $dotted:literal,)+) => {
        /// The reference list of events.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$name,)+];

            /// The dotted name, without the prefix.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(EventKind::$name => $dotted,)+
                }
            }

            /// The kind with this dotted name (without the prefix); none of a name that a newer version wrote.
            pub fn named(dotted: &str) -> Option<Self> {
                match dotted {
                    $($dotted => Some(EventKind::$name),)+
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// A connection was made, or made anew under its old identifier.
    ConnectorConnected = "connector.connected",
    /// A connection was deleted.
    ConnectorDisconnected = "connector.disconnected",
    /// A connection was switched on.
    ConnectorEnabled = "connector.enabled",
    /// A connection was switched off.
    ConnectorDisabled = "connector.disabled",
    /// A connection's configuration changed.
    ConnectorUpdated = "connector.updated",
    /// A connection's health changed.
    ConnectorHealthChanged = "connector.health_changed",
    /// A shared credential was made.
    CredentialCreated = "credential.created",
    /// A shared credential's fields, description, metadata or expiry changed.
    CredentialUpdated = "credential.updated",
    /// A shared credential has new secrets.
    CredentialRotated = "credential.rotated",
    /// A shared credential was deleted.
    CredentialDeleted = "credential.deleted",
    /// A shared credential will expire soon.
    CredentialExpiring = "credential.expiring",
    /// A shared credential has expired.
    CredentialExpired = "credential.expired",
    /// A tenant was made.
    TenantCreated = "tenant.created",
    /// A tenant was given another name.
    TenantRenamed = "tenant.renamed",
    /// A tenant was deleted with all that was its.
    TenantDeleted = "tenant.deleted",
    /// A person was made known to the deployment.
    UserCreated = "user.created",
    /// A person's password changed, or they were locked out or let in again.
    UserUpdated = "user.updated",
    /// Somebody was invited into the tenant.
    MemberInvited = "member.invited",
    /// Somebody joined the tenant.
    MemberAdded = "member.added",
    /// A member has another role.
    MemberUpdated = "member.updated",
    /// A member, or somebody who was invited, belongs to the tenant no more.
    MemberRemoved = "member.removed",
    /// Somebody signed in.
    SessionCreated = "session.created",
    /// A session was ended before its time.
    SessionEnded = "session.ended",
    /// An API key was made.
    ApiKeyCreated = "api_key.created",
    /// An API key's name, permissions or expiry changed.
    ApiKeyUpdated = "api_key.updated",
    /// An API key was revoked.
    ApiKeyRevoked = "api_key.revoked",
}
