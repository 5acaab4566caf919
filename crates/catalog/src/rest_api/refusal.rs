//! What a refusal of the API means for our caller.

use tieline::{Code, Error, clock::Timestamp, error::Retry, http::retry_after};
use tieline_manifest::Tree;

use crate::web::{Answer, Values};

/// Where APIs put their sentence, the most telling first.
const MESSAGES: [&str; 9] = [
    "/error/message",
    "/error_description",
    "/error",
    "/message",
    "/detail",
    "/title",
    "/errors/0/message",
    "/errors/0/detail",
    "/errors/0",
];

/// Characters of the API's sentence that are repeated.
const MAX_SHOWN_CHARS: usize = 300;

/// The error, where the status is one.
pub(super) fn of(answer: &Answer, now: Timestamp) -> Option<Error> {
    let status = answer.status;
    let (code, what, later) = match status {
        0..=399 => return None,
        401 => (Code::UpstreamUnauthorized, "The API refused the credentials", false),
        429 => (Code::UpstreamRateLimited, "The API asks us to slow down", true),
        408 | 500.. => (Code::UpstreamUnavailable, "The API is in trouble", true),
        _ => (Code::ConnectorActionFailed, "The API refused the call", false),
    };
    let said = MESSAGES
        .iter()
        .find_map(|place| answer.data.tree().pointer(place).and_then(Tree::as_str))
        .map(|text| {
            let plain = text
                .chars()
                .map(|letter| if letter.is_control() { ' ' } else { letter });
            format!(" It said: {}", plain.take(MAX_SHOWN_CHARS).collect::<String>())
        })
        .unwrap_or_default();
    let pause = match answer.headers.get("retry-after") {
        Some(Values::One(text)) => retry_after(text, now),
        _ => None,
    };
    let retry = match (later, pause) {
        (false, _) => Retry::Never,
        (true, Some(pause)) => Retry::After(pause),
        (true, None) => Retry::Backoff,
    };
    let detail = format!("{what} (HTTP {status}).{said}");
    Some(Error::new(code, detail).retry(retry).context("status", status))
}
