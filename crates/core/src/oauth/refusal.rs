//! Why a token request came to nothing, and what that says of the tokens.

use std::time::Duration;

use crate::error::{Code, Error, Retry};

/// Why there are no new tokens.
pub(super) struct Refusal {
    pub(super) kind: RefusalKind,
    pub(super) error: Error,
}

/// What it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusalKind {
    /// Nothing of the tokens: it may be tried again. Whether the service did what was asked is known, or not.
    Transient { is_known: bool },
    /// That the tokens, or the code, are good no more.
    Grant,
    /// That the client is not known, whoever's tokens they are.
    Client,
    /// Something else that a repeat does not change.
    Other,
}

impl Refusal {
    /// Trouble on the way, before there was an answer.
    pub(super) fn unanswered(error: Error) -> Self {
        let transient = RefusalKind::Transient {
            is_known: error.nothing_sent(),
        };
        let kind = match error.code() {
            Code::EgressForbidden | Code::HostNotAllowed | Code::ManifestInvalid => RefusalKind::Other,
            _ => transient,
        };
        let error = match (kind, error.retry_hint()) {
            (RefusalKind::Transient { .. }, Retry::Never) => error.retry(Retry::Backoff),
            _ => error,
        };
        Self { kind, error }
    }

    /// For how long the service asked to be left alone.
    pub(super) fn pause(&self) -> Option<Duration> {
        match self.error.retry_hint() {
            Retry::After(pause) => Some(pause),
            Retry::Never | Retry::Backoff => None,
        }
    }
}

/// Codes that say that a grant is over: RFC 6749 section 5.2, and what services write in its place.
const OVER: &[&str] = &[
    "invalid_grant",
    "invalid_refresh_token",
    "bad_refresh_token",
    "token_revoked",
    "token_expired",
    "expired_token",
];

/// Codes that say that the client is not known, or may not.
const CLIENT: &[&str] = &[
    "invalid_client",
    "unauthorized_client",
    "invalid_client_id",
    "bad_client_secret",
];

/// Codes that say that it may work later.
const LATER: &[&str] = &[
    "temporarily_unavailable",
    "server_error",
    "slow_down",
    "rate_limited",
    "ratelimited",
];

/// What an answer without tokens says. `word` is the code in it, where it is JSON and has one.
pub(super) fn refusal(service: &str, status: u16, word: Option<&str>, pause: Option<Duration>) -> Refusal {
    let is = |words: &[&str]| word.is_some_and(|word| words.contains(&word));
    let kind = match status {
        _ if is(OVER) => RefusalKind::Grant,
        _ if is(CLIENT) => RefusalKind::Client,
        429 => RefusalKind::Transient { is_known: true },
        _ if is(LATER) => RefusalKind::Transient { is_known: true },
        408 | 500.. => RefusalKind::Transient { is_known: false },
        400..500 if word.is_some() => RefusalKind::Other,
        200..300 if word.is_some() => RefusalKind::Other,
        // A page where JSON was promised: somebody on the way answered, and nobody knows what the service did.
        _ => RefusalKind::Transient { is_known: false },
    };
    let said = word.map(|word| format!(", {word}")).unwrap_or_default();
    let (code, hint, retry) = match kind {
        RefusalKind::Transient { .. } if (200..300).contains(&status) => (
            Code::ConnectorOauthParseTokenFailed,
            "Its answer holds no tokens that can be read: try again later.",
            Retry::Backoff,
        ),
        RefusalKind::Transient { .. } if status == 429 => {
            (Code::UpstreamRateLimited, "It asks us to slow down.", Retry::Backoff)
        }
        RefusalKind::Transient { .. } => (Code::UpstreamUnavailable, "Try again later.", Retry::Backoff),
        RefusalKind::Grant => (
            Code::ConnectorOauthTokenFailed,
            "The sign-in is over or was taken back: sign in again.",
            Retry::Never,
        ),
        RefusalKind::Client => (
            Code::ConnectorOauthTokenFailed,
            "It does not know the client: compare the client's identifier and secret with what is registered there.",
            Retry::Never,
        ),
        RefusalKind::Other => (
            Code::ConnectorOauthTokenFailed,
            "Begin again, and compare client and addresses with what is registered there if it happens each time.",
            Retry::Never,
        ),
    };
    let retry = pause.map_or(retry, Retry::After);
    let error = Error::new(code, format!("{service} gave no tokens (HTTP {status}{said}). {hint}"))
        .retry(retry)
        .context("status", status);
    Refusal { kind, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o9_what_an_answer_says_of_the_tokens() {
        const UNKNOWN: RefusalKind = RefusalKind::Transient { is_known: false };
        const KNOWN: RefusalKind = RefusalKind::Transient { is_known: true };
        for (status, word, kind) in [
            (400, Some("invalid_grant"), RefusalKind::Grant),
            (401, Some("invalid_grant"), RefusalKind::Grant),
            (200, Some("invalid_refresh_token"), RefusalKind::Grant),
            (401, Some("invalid_client"), RefusalKind::Client),
            (400, Some("unauthorized_client"), RefusalKind::Client),
            (400, Some("invalid_request"), RefusalKind::Other),
            (400, Some("temporarily_unavailable"), KNOWN),
            (429, None, KNOWN),
            (500, None, UNKNOWN),
            (502, None, UNKNOWN),
            (503, Some("whatever"), UNKNOWN),
            (408, None, UNKNOWN),
            (400, None, UNKNOWN),
            (404, None, UNKNOWN),
            (200, None, UNKNOWN),
            (302, None, UNKNOWN),
        ] {
            let refusal = refusal("Acme", status, word, None);
            assert_eq!(refusal.kind, kind, "{status} {word:?}");
            let may_help = refusal.error.retry_hint() != Retry::Never;
            assert_eq!(
                may_help,
                matches!(kind, RefusalKind::Transient { .. }),
                "{status} {word:?}"
            );
        }
    }
}
