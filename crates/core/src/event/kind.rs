//! The reference list of events.

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
    /// An action is about to do its work: everything before it was found to be in order.
    ActionStarted = "action.started",
    /// An action did its work.
    ActionCompleted = "action.completed",
    /// An action failed, at its work or before it.
    ActionFailed = "action.failed",
    /// Somebody set out to sign in at a service.
    OauthStarted = "oauth.started",
    /// Somebody signed in at a service.
    OauthCompleted = "oauth.completed",
    /// A connection's tokens were renewed.
    OauthRefreshed = "oauth.refreshed",
    /// A sign-in at a service, or the renewal of its tokens, failed.
    OauthFailed = "oauth.failed",
    /// A webhook came, and its signature was found to be good where it has one.
    WebhookReceived = "webhook.received",
    /// A webhook was worked on.
    WebhookProcessed = "webhook.processed",
    /// A webhook was refused, or could not be worked on.
    WebhookFailed = "webhook.failed",
    /// A connection was looked up in the store.
    AdapterGet = "adapter.get",
    /// Connections were listed from the store.
    AdapterList = "adapter.list",
    /// A connection was written into the store by connecting.
    AdapterUpsert = "adapter.upsert",
    /// A connection was changed in the store.
    AdapterUpdate = "adapter.update",
    /// A connection was deleted from the store.
    AdapterDelete = "adapter.delete",
    /// An operation of the library ended with an error.
    ErrorOccurred = "error.occurred",
}

// A filter has a bit for each kind.
const _: () = assert!(EventKind::ALL.len() <= 64);

impl EventKind {
    /// The short name that programs written for the documents' library know it by; `action` is one that did its work or
    /// failed.
    pub const fn alias(self) -> Option<&'static str> {
        Some(match self {
            Self::ConnectorConnected => "connected",
            Self::ConnectorDisconnected => "disconnected",
            Self::ConnectorEnabled => "enabled",
            Self::ConnectorDisabled => "disabled",
            Self::ConnectorUpdated => "updated",
            Self::ActionCompleted | Self::ActionFailed => "action",
            Self::OauthStarted => "oauth:started",
            Self::OauthCompleted => "oauth:completed",
            Self::OauthRefreshed => "oauth:refreshed",
            Self::OauthFailed => "oauth:failed",
            Self::WebhookReceived => "webhook:received",
            Self::WebhookProcessed => "webhook:processed",
            Self::WebhookFailed => "webhook:failed",
            Self::ErrorOccurred => "error",
            _ => return None,
        })
    }

    /// Whether it tells of an operation of the store, which happens many times where other things happen once.
    pub const fn is_adapter(self) -> bool {
        matches!(
            self,
            Self::AdapterGet | Self::AdapterList | Self::AdapterUpsert | Self::AdapterUpdate | Self::AdapterDelete
        )
    }

    /// Whether it says that something failed.
    pub const fn is_failure(self) -> bool {
        matches!(
            self,
            Self::ActionFailed | Self::OauthFailed | Self::WebhookFailed | Self::ErrorOccurred
        )
    }

    pub(crate) const fn bit(self) -> u64 {
        1 << self as u64
    }
}
