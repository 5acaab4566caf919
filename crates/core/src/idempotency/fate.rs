//! What is known to have happened when a request failed.

use crate::error::{Code, Error};

/// What a failure says of the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing can have happened: the same request may be run again.
    Nothing,
    /// The upstream understood and said no, or did it and answered oddly: a repeat would hear the same.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// Whether nobody knows what a request did that failed so.
pub(crate) fn outcome_is_unknown(error: &Error) -> bool {
    of(error) == Fate::Unknown
}

/// The fate of a failed request. Every code is sorted by name. In doubt it is unknown: to refuse a repeat in vain is a
/// nuisance, to run a write twice is not to be mended.
pub(super) fn of(error: &Error) -> Fate {
    if error.nothing_sent() {
        return Fate::Nothing;
    }
    match error.code() {
        // Refused before anything was begun, or by an upstream that says it did not take the call.
        Code::RouteNotFound
        | Code::MethodNotAllowed
        | Code::JsonInvalid
        | Code::JsonTooComplex
        | Code::BodyTooLarge
        | Code::MediaTypeUnsupported
        | Code::RequestTimeout
        | Code::RequestInvalid
        | Code::Unauthenticated
        | Code::PermissionDenied
        | Code::EnvironmentMismatch
        | Code::NetworkNotAllowed
        | Code::IdempotencyKeyReused
        | Code::IdempotencyInProgress
        | Code::NotFound
        | Code::AuditVerifyInProgress
        | Code::CrossSiteRefused
        | Code::SignInFailed
        | Code::SignInThrottled
        | Code::LinkInvalid
        | Code::LastOwner
        | Code::NotReady
        | Code::RateLimited
        | Code::ConnectorRateLimited
        | Code::ConnectorNotFound
        | Code::ConnectorActionNotFound
        | Code::ConnectorActionInputInvalid
        | Code::ConnectorAlreadyConnected
        | Code::ConnectorNotConnected
        | Code::ConnectorOauthNotConfigured
        | Code::OauthNotSupported
        | Code::ConnectorOauthStateInvalid
        | Code::ConnectorOauthRefreshFailed
        | Code::ConnectorWebhookNotConfigured
        | Code::ConnectorWebhookValidationFailed
        | Code::ConnectorWebhookVerificationFailed
        | Code::ConnectorConfigInvalid
        | Code::ConnectorDefaultConfigRequired
        | Code::ConnectorScopeInvalid
        | Code::ConnectorScopeIdentifierRequired
        | Code::ConnectorTypeUnknown
        | Code::StatusInvalid
        | Code::ConnectionDisabled
        | Code::ConnectionReadOnly
        | Code::ConnectionConflict
        | Code::NameTaken
        | Code::LimitReached
        | Code::CredentialExpired
        | Code::CredentialInUse
        | Code::ConnectorIdTaken
        | Code::ProxyNotSupported
        | Code::UpgradeNotSupported
        | Code::ManifestInvalid
        | Code::HostNotAllowed
        | Code::AttachmentPathNotSupported
        | Code::SmtpTlsRequired
        | Code::UpstreamUnauthorized
        | Code::UpstreamAccessMissing
        | Code::UpstreamRateLimited
        | Code::ConnectorEncryptFailed
        | Code::ConnectorDecryptFailed => Fate::Nothing,
        Code::ConnectorActionFailed | Code::ConnectorActionOutputInvalid => Fate::Refused,
        // Nothing is known of a run that was cut, or lost before; nor does an answer tell that did not come whole.
        Code::ServerStopping
        | Code::TenantDeleted
        | Code::IdempotencyOutcomeUnknown
        | Code::IdempotencyAnswerNotKept
        | Code::Internal
        | Code::UpstreamUnreachable
        | Code::UpstreamTimeout
        | Code::UpstreamUnavailable
        | Code::UpstreamAnswerTruncated
        | Code::UpstreamAnswerTooLarge
        | Code::UpstreamAnswerInvalid
        | Code::SmtpOutcomeUnknown
        // A code is used up whether or not its answer could be read.
        | Code::ConnectorOauthTokenFailed
        | Code::ConnectorOauthParseTokenFailed
        | Code::ConnectorOauthParseUserinfoFailed
        | Code::ConnectorDatabaseFailed
        // Said before anything is sent (and marked so), and of an answer for which there was no memory left.
        | Code::Overloaded
        // An upstream may have redirected there after it did its work.
        | Code::EgressForbidden
        // These end a start or a command, and say nothing of a request.
        | Code::MasterKeyMissing
        | Code::MasterKeyInvalid
        | Code::MasterKeyMismatch
        | Code::ConnectorEncryptionSecretRequired
        | Code::ConnectorDatabaseRequired
        | Code::ConnectorBuildConfigRequired
        | Code::ConnectorBuildScopesRequired
        | Code::ConnectorBuildConnectorsRequired
        | Code::DataFolderLocked
        | Code::DataFromNewerVersion
        | Code::ConfigInvalid
        | Code::ServerUnreachable => Fate::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_before_it_began_frees_the_key() {
        for code in [
            Code::EnvironmentMismatch,
            Code::CredentialExpired,
            Code::CredentialInUse,
            Code::RateLimited,
            Code::ConnectorRateLimited,
            Code::NotReady,
        ] {
            assert_eq!(of(&Error::new(code, "x")), Fate::Nothing, "{code}");
        }
    }

    #[test]
    fn what_may_have_reached_the_service_never_frees_a_key() {
        let fate = |code| of(&Error::new(code, "x"));
        for code in [
            Code::UpstreamTimeout,
            Code::UpstreamUnreachable,
            Code::UpstreamUnavailable,
            Code::UpstreamAnswerTruncated,
            Code::UpstreamAnswerTooLarge,
            Code::UpstreamAnswerInvalid,
            Code::SmtpOutcomeUnknown,
            Code::ConnectorDatabaseFailed,
            Code::Overloaded,
            Code::Internal,
            Code::ServerStopping,
            Code::EgressForbidden,
        ] {
            assert_eq!(fate(code), Fate::Unknown, "{code}");
            let unsent = Error::new(code, "x").before_sending();
            assert_eq!(of(&unsent), Fate::Nothing, "{code} before sending");
        }
        assert_eq!(fate(Code::ConnectorActionFailed), Fate::Refused);
        assert_eq!(fate(Code::UpstreamRateLimited), Fate::Nothing);
    }
}
