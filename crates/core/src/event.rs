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
    /// A tenant was made.
    TenantCreated = "tenant.created",
    /// An API key was made.
    ApiKeyCreated = "api_key.created",
    /// An API key was revoked.
    ApiKeyRevoked = "api_key.revoked",
}
