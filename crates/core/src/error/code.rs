//! Every error code, once. Each has a page in `docs/errors/`.

/// Declares the codes with the text that goes over the wire.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $wire:literal,)+) => {
        /// A stable error code. The wire form never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The wire form, in `SCREAMING_SNAKE_CASE`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Code::$name => $wire,)+
                }
            }
        }
    };
}

codes! {
    // The caller's request.
    /// The path is none of ours.
    RouteNotFound = "ROUTE_NOT_FOUND",
    /// The path is ours, the method is not.
    MethodNotAllowed = "METHOD_NOT_ALLOWED",
    /// No row with this id, or none that this caller may know of.
    NotFound = "NOT_FOUND",
    /// The body is not JSON, or holds a key twice.
    JsonInvalid = "JSON_INVALID",
    /// The JSON is nested deeper, or has more nodes or longer keys, than we accept.
    JsonTooComplex = "JSON_TOO_COMPLEX",
    /// The body is larger than we accept.
    BodyTooLarge = "BODY_TOO_LARGE",
    /// The body's content type is not `application/json`.
    MediaTypeUnsupported = "MEDIA_TYPE_UNSUPPORTED",
    /// The body did not arrive in time, or came too slowly.
    RequestTimeout = "REQUEST_TIMEOUT",
    /// The body, query or path does not have the declared shape.
    RequestInvalid = "REQUEST_INVALID",
    /// No API key, or one that is unknown, revoked or expired.
    Unauthenticated = "UNAUTHENTICATED",
    /// The key is valid but lacks a permission.
    PermissionDenied = "PERMISSION_DENIED",
    /// The key may not be used from where the request came.
    NetworkNotAllowed = "NETWORK_NOT_ALLOWED",
    /// The key is bound to another environment than what it would use or change.
    EnvironmentMismatch = "ENVIRONMENT_MISMATCH",
    /// The idempotency key was used with another request.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED",
    /// The first request with the idempotency key is still running.
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS",
    /// The first request with the idempotency key ended, and nobody knows whether it took effect.
    IdempotencyOutcomeUnknown = "IDEMPOTENCY_OUTCOME_UNKNOWN",
    /// The first request with the idempotency key was carried out; its answer was too large to keep.
    IdempotencyAnswerNotKept = "IDEMPOTENCY_ANSWER_NOT_KEPT",
    /// The ledgers of the tenant are being verified already.
    AuditVerifyInProgress = "AUDIT_VERIFY_IN_PROGRESS",
    /// Address and password do not belong together, or the account is locked.
    SignInFailed = "SIGN_IN_FAILED",
    /// Too many failed attempts to sign in, from here or for this account.
    SignInThrottled = "SIGN_IN_THROTTLED",
    /// A browser sent this on behalf of another site, or does not say on whose.
    CrossSiteRefused = "CROSS_SITE_REFUSED",
    /// A one-time link that is unknown, used, replaced or too old.
    LinkInvalid = "LINK_INVALID",
    /// A tenant keeps at least one owner.
    LastOwner = "LAST_OWNER",
    /// The tenant has as many of these as one may.
    LimitReached = "LIMIT_REACHED",
    /// The tenant was deleted while the request ran.
    TenantDeleted = "TENANT_DELETED",
    /// The caller, its tenant or its address came too often.
    RateLimited = "RATE_LIMITED",
    /// The server is stopping and had no time left for the request.
    ServerStopping = "SERVER_STOPPING",
    /// We are over capacity for the moment.
    Overloaded = "OVERLOADED",
    /// A part of the server does not work, or it is stopping: send requests elsewhere for now.
    NotReady = "NOT_READY",
    /// Something that only we can mend.
    Internal = "INTERNAL",

    // Connectors and actions.
    /// No connector with this id.
    ConnectorNotFound = "CONNECTOR_NOT_FOUND",
    /// The connector has no action with this id.
    ConnectorActionNotFound = "CONNECTOR_ACTION_NOT_FOUND",
    /// The input does not fit the action's schema.
    ConnectorActionInputInvalid = "CONNECTOR_ACTION_INPUT_INVALID",
    /// The effect happened, but the answer does not fit the declared output.
    ConnectorActionOutputInvalid = "CONNECTOR_ACTION_OUTPUT_INVALID",
    /// The upstream understood the call and refused it.
    ConnectorActionFailed = "CONNECTOR_ACTION_FAILED",
    /// There is a connection of this name already, and the caller asked for a new one.
    ConnectorAlreadyConnected = "CONNECTOR_ALREADY_CONNECTED",
    /// Nothing is connected for this scope and connector.
    ConnectorNotConnected = "CONNECTOR_NOT_CONNECTED",
    /// The connection's configuration does not fit the connector.
    ConnectorConfigInvalid = "CONNECTOR_CONFIG_INVALID",
    /// The action needs a connection and none was named.
    ConnectorDefaultConfigRequired = "CONNECTOR_DEFAULT_CONFIG_REQUIRED",
    /// No scope of this kind.
    ConnectorScopeInvalid = "CONNECTOR_SCOPE_INVALID",
    /// The scope needs an identity.
    ConnectorScopeIdentifierRequired = "CONNECTOR_SCOPE_IDENTIFIER_REQUIRED",
    /// The connection has been used as often as its service allows for now.
    ConnectorRateLimited = "CONNECTOR_RATE_LIMITED",
    /// A manifest does not follow the language.
    ManifestInvalid = "MANIFEST_INVALID",
    /// Two connectors have one id.
    ConnectorIdTaken = "CONNECTOR_ID_TAKEN",
    /// The connector's type that a body names is none of the catalog's.
    ConnectorTypeUnknown = "CONNECTOR_TYPE_UNKNOWN",

    /// A connector in Rust does not say what one connects it with.
    ConnectorBuildConfigRequired = "CONNECTOR_BUILD_CONFIG_REQUIRED",
    /// The builder was told of no scope.
    ConnectorBuildScopesRequired = "CONNECTOR_BUILD_SCOPES_REQUIRED",
    /// The builder was told of no connector.
    ConnectorBuildConnectorsRequired = "CONNECTOR_BUILD_CONNECTORS_REQUIRED",

    // Signing in to a service.
    /// The connector declares no way to sign in with OAuth.
    ConnectorOauthNotConfigured = "CONNECTOR_OAUTH_NOT_CONFIGURED",
    /// The state that came back is unknown, used, too old, or another browser's.
    ConnectorOauthStateInvalid = "CONNECTOR_OAUTH_STATE_INVALID",
    /// The service gave no tokens.
    ConnectorOauthTokenFailed = "CONNECTOR_OAUTH_TOKEN_FAILED",
    /// The service's answer holds no tokens that can be read.
    ConnectorOauthParseTokenFailed = "CONNECTOR_OAUTH_PARSE_TOKEN_FAILED",
    /// The service's answer does not tell who signed in.
    ConnectorOauthParseUserinfoFailed = "CONNECTOR_OAUTH_PARSE_USERINFO_FAILED",
    /// The tokens are over and cannot be renewed.
    ConnectorOauthRefreshFailed = "CONNECTOR_OAUTH_REFRESH_FAILED",
    /// The connector declares how one signs in, and this version does not sign in for it.
    OauthNotSupported = "OAUTH_NOT_SUPPORTED",

    // Webhooks that arrive.
    /// The connector takes no webhooks.
    ConnectorWebhookNotConfigured = "CONNECTOR_WEBHOOK_NOT_CONFIGURED",
    /// The delivery's payload is not what the connector declares.
    ConnectorWebhookValidationFailed = "CONNECTOR_WEBHOOK_VALIDATION_FAILED",
    /// The delivery does not prove that it comes from the service.
    ConnectorWebhookVerificationFailed = "CONNECTOR_WEBHOOK_VERIFICATION_FAILED",

    // Connections and credentials.
    /// A status that there is not, or that cannot be asked for.
    StatusInvalid = "STATUS_INVALID",
    /// The connection exists but is switched off.
    ConnectionDisabled = "CONNECTION_DISABLED",
    /// The connection only reads, and the call would write.
    ConnectionReadOnly = "CONNECTION_READ_ONLY",
    /// The credential's time is over.
    CredentialExpired = "CREDENTIAL_EXPIRED",
    /// The credential is pointed to.
    CredentialInUse = "CREDENTIAL_IN_USE",
    /// The name is taken where it must be unique.
    NameTaken = "NAME_TAKEN",
    /// Someone else changed the row first.
    ConnectionConflict = "CONNECTION_CONFLICT",

    // The upstream and the way there.
    /// The address is not one we connect to.
    EgressForbidden = "EGRESS_FORBIDDEN",
    /// The host is not among those the connector declares.
    HostNotAllowed = "HOST_NOT_ALLOWED",
    /// The upstream cannot be reached.
    UpstreamUnreachable = "UPSTREAM_UNREACHABLE",
    /// The upstream did not answer in time.
    UpstreamTimeout = "UPSTREAM_TIMEOUT",
    /// The upstream refused the credentials.
    UpstreamUnauthorized = "UPSTREAM_UNAUTHORIZED",
    /// The upstream knows the credentials, and they lack access that the action needs.
    UpstreamAccessMissing = "UPSTREAM_ACCESS_MISSING",
    /// The upstream asked us to slow down.
    UpstreamRateLimited = "UPSTREAM_RATE_LIMITED",
    /// The upstream failed on its own side.
    UpstreamUnavailable = "UPSTREAM_UNAVAILABLE",
    /// The answer ended early.
    UpstreamAnswerTruncated = "UPSTREAM_ANSWER_TRUNCATED",
    /// The answer is larger than we read.
    UpstreamAnswerTooLarge = "UPSTREAM_ANSWER_TOO_LARGE",
    /// The answer is not what the connector declares (not JSON, for one).
    UpstreamAnswerInvalid = "UPSTREAM_ANSWER_INVALID",

    // Passing requests on.
    /// Nothing can be passed on through this connection.
    ProxyNotSupported = "PROXY_NOT_SUPPORTED",
    /// The request asks for another protocol, such as WebSocket.
    UpgradeNotSupported = "UPGRADE_NOT_SUPPORTED",

    // Mail.
    /// An attachment named a path on the server.
    AttachmentPathNotSupported = "ATTACHMENT_PATH_NOT_SUPPORTED",
    /// The mail server does not offer the TLS that the connection requires.
    SmtpTlsRequired = "SMTP_TLS_REQUIRED",
    /// The message was sent whole but its acceptance is unknown: a repeat may send it twice.
    SmtpOutcomeUnknown = "SMTP_OUTCOME_UNKNOWN",

    // Keys and storage.
    /// There is no master key, or none beside existing data.
    MasterKeyMissing = "MASTER_KEY_MISSING",
    /// The master key is too short, not base64url, or a placeholder.
    MasterKeyInvalid = "MASTER_KEY_INVALID",
    /// The master key is not the one this data was sealed with.
    MasterKeyMismatch = "MASTER_KEY_MISMATCH",
    /// Sealing a secret failed.
    ConnectorEncryptFailed = "CONNECTOR_ENCRYPT_FAILED",
    /// A sealed value does not open: it was moved, altered, or sealed with another key.
    ConnectorDecryptFailed = "CONNECTOR_DECRYPT_FAILED",
    /// No key was given to the builder, or to an import of old values.
    ConnectorEncryptionSecretRequired = "CONNECTOR_ENCRYPTION_SECRET_REQUIRED",
    /// No store was given to the builder, or an adapter only, and this needs a whole store.
    ConnectorDatabaseRequired = "CONNECTOR_DATABASE_REQUIRED",
    /// The store failed.
    ConnectorDatabaseFailed = "CONNECTOR_DATABASE_FAILED",
    /// Another process holds the data folder.
    DataFolderLocked = "DATA_FOLDER_LOCKED",
    /// The data was written by a newer version.
    DataFromNewerVersion = "DATA_FROM_NEWER_VERSION",
    /// A setting is unknown, malformed or contradicts another.
    ConfigInvalid = "CONFIG_INVALID",
    /// The command line cannot reach the running server.
    ServerUnreachable = "SERVER_UNREACHABLE",
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
