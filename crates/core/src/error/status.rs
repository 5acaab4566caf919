//! The one place that knows status codes.

use http::StatusCode;

use super::Code;

impl Code {
    /// The status of an answer that tells of it. Everything that answers 500 is our own trouble and tells strangers nothing.
    pub const fn status(self) -> StatusCode {
        match self {
            Code::JsonInvalid
            | Code::JsonTooComplex
            | Code::ConnectorActionInputInvalid
            | Code::ConnectorNotConnected
            | Code::ConnectorConfigInvalid
            | Code::ConnectorDefaultConfigRequired
            | Code::ConnectorTypeUnknown
            | Code::ConnectorOauthNotConfigured
            | Code::ConnectorOauthStateInvalid
            | Code::ConnectorWebhookNotConfigured
            | Code::ConnectorWebhookValidationFailed
            | Code::StatusInvalid
            | Code::ConnectorScopeInvalid
            | Code::ConnectorScopeIdentifierRequired => StatusCode::BAD_REQUEST,
            Code::Unauthenticated | Code::SignInFailed | Code::ConnectorWebhookVerificationFailed => {
                StatusCode::UNAUTHORIZED
            }
            Code::PermissionDenied | Code::NetworkNotAllowed | Code::EnvironmentMismatch | Code::CrossSiteRefused => {
                StatusCode::FORBIDDEN
            }
            Code::RouteNotFound
            | Code::NotFound
            | Code::LinkInvalid
            | Code::ConnectorNotFound
            | Code::ConnectorActionNotFound => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Code::ConnectorIdTaken
            | Code::NameTaken
            | Code::ConnectorAlreadyConnected
            | Code::LastOwner
            | Code::LimitReached
            | Code::ConnectionDisabled
            | Code::ConnectionReadOnly
            | Code::ConnectionConflict
            | Code::IdempotencyInProgress
            | Code::IdempotencyOutcomeUnknown
            | Code::IdempotencyAnswerNotKept
            | Code::AuditVerifyInProgress
            | Code::CredentialExpired
            | Code::CredentialInUse => StatusCode::CONFLICT,
            Code::TenantDeleted => StatusCode::GONE,
            Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::MediaTypeUnsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::RequestInvalid
            | Code::IdempotencyKeyReused
            | Code::ManifestInvalid
            | Code::EgressForbidden
            | Code::HostNotAllowed
            | Code::ProxyNotSupported
            | Code::UpgradeNotSupported
            | Code::AttachmentPathNotSupported => StatusCode::UNPROCESSABLE_ENTITY,
            Code::RateLimited | Code::ConnectorRateLimited | Code::UpstreamRateLimited | Code::SignInThrottled => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Code::ConnectorActionOutputInvalid
            | Code::ConnectorActionFailed
            | Code::ConnectorOauthTokenFailed
            | Code::ConnectorOauthParseTokenFailed
            | Code::ConnectorOauthParseUserinfoFailed
            | Code::ConnectorOauthRefreshFailed
            | Code::UpstreamUnreachable
            | Code::UpstreamUnauthorized
            | Code::UpstreamAccessMissing
            | Code::UpstreamUnavailable
            | Code::UpstreamAnswerTruncated
            | Code::UpstreamAnswerTooLarge
            | Code::UpstreamAnswerInvalid
            | Code::SmtpTlsRequired
            | Code::SmtpOutcomeUnknown => StatusCode::BAD_GATEWAY,
            Code::Overloaded | Code::NotReady | Code::ServerStopping => StatusCode::SERVICE_UNAVAILABLE,
            Code::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
            Code::OauthNotSupported => StatusCode::NOT_IMPLEMENTED,
            Code::Internal
            | Code::MasterKeyMissing
            | Code::MasterKeyInvalid
            | Code::MasterKeyMismatch
            | Code::ConnectorEncryptFailed
            | Code::ConnectorDecryptFailed
            | Code::ConnectorEncryptionSecretRequired
            | Code::ConnectorDatabaseRequired
            | Code::ConnectorBuildConfigRequired
            | Code::ConnectorBuildScopesRequired
            | Code::ConnectorBuildConnectorsRequired
            | Code::ConnectorDatabaseFailed
            | Code::DataFolderLocked
            | Code::DataFromNewerVersion
            | Code::ConfigInvalid
            | Code::ServerUnreachable => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code in words: `CONNECTOR_NOT_FOUND` is "Connector not found".
    pub fn title(self) -> String {
        let mut title = self.as_str().to_ascii_lowercase().replace('_', " ");
        title[..1].make_ascii_uppercase();
        title
    }
}
