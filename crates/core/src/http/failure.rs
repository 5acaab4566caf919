//! What can go wrong between sending and the end of the answer, in words for the caller.
//!
//! The words never hold a filled URL: they name the request as it was before its secrets were filled in.

use std::error::Error as _;

use crate::{
    error::{Code, Error, Retry},
    limits,
};

/// Says what went wrong before there was an answer.
pub(super) fn failed(error: &hyper_util::client::legacy::Error, shown: &str) -> Error {
    if let Some(own) = error.source().and_then(|source| source.downcast_ref::<Error>()) {
        let detail = match own.code() {
            // Refusals stay as they are: one and the same for all.
            Code::EgressForbidden => own.detail().to_owned(),
            _ => at(own.detail(), shown),
        };
        return restated(own, detail).before_sending();
    }
    let Some(cause) = error.source().and_then(|source| source.downcast_ref::<hyper::Error>()) else {
        return Error::internal("the HTTP client refused the request", error.to_string());
    };
    if cause.is_parse_too_large() {
        return head_too_large(shown);
    }
    let closed = format!(
        "The upstream closed the connection before it answered. {}",
        advice(shown)
    );
    let (code, detail, retry) = if cause.is_parse() || cause.is_parse_status() {
        (
            Code::UpstreamAnswerInvalid,
            "The upstream's answer is not HTTP/1.1. Check host and port.",
            Retry::Never,
        )
    } else if cause.is_user() {
        // A body that is passed on failed, and says itself how.
        if let Some(own) = cause.source().and_then(|source| source.downcast_ref::<Error>()) {
            return restated(own, at(own.detail(), shown));
        }
        return Error::internal("the HTTP client refused the request", cause.to_string());
    } else {
        (Code::UpstreamAnswerTruncated, closed.as_str(), Retry::Backoff)
    };
    Error::new(code, at(detail, shown))
        .retry(retry)
        .caused_by(cause.to_string())
}

/// An error of ours that came back through the HTTP client.
fn restated(own: &Error, detail: String) -> Error {
    let mut error = Error::new(own.code(), detail).retry(own.retry_hint());
    for (key, value) in own.log_context() {
        error = error.context(key, value);
    }
    match own.source() {
        Some(source) => error.caused_by(source.to_string()),
        None => error,
    }
}

/// The head is over our bounds.
pub(super) fn head_too_large(shown: &str) -> Error {
    let detail = format!(
        "The head of the upstream's answer is larger than we read: over {} bytes or {} lines.",
        limits::ANSWER_HEAD_BYTES,
        limits::ANSWER_HEADERS
    );
    Error::new(Code::UpstreamAnswerTooLarge, at(&detail, shown))
}

/// Provisional answers came, and no end of them.
pub(super) fn too_many_provisional(shown: &str) -> Error {
    let detail = format!(
        "The upstream sent more than {} provisional answers and no real one.",
        limits::PROVISIONAL_ANSWERS
    );
    Error::new(Code::UpstreamAnswerInvalid, at(&detail, shown))
}

/// A wait of ours was over.
pub(super) fn timed_out(shown: &str, what: &str) -> Error {
    never_sent(shown, &format!("{what} {}", advice(shown)))
}

/// The same, before a connection was there: nothing can have happened yet.
pub(super) fn never_sent(shown: &str, what: &str) -> Error {
    Error::new(Code::UpstreamTimeout, at(what, shown)).retry(Retry::Backoff)
}

/// What to do about a request whose answer nobody saw. Only what reads may be sent again without a thought; `shown` begins
/// with the method.
pub(super) fn advice(shown: &str) -> &'static str {
    let method = shown.split(' ').next().unwrap_or_default();
    match method {
        "GET" | "HEAD" | "OPTIONS" | "TRACE" => "Try again later.",
        _ => "It may have taken effect there: find out before you send it again.",
    }
}

/// A sentence with the request it is about.
pub(super) fn at(detail: &str, shown: &str) -> String {
    format!("{detail} ({shown})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_reads_is_said_to_be_safe_to_send_again() {
        for (shown, reads) in [
            ("GET https://a.example/", true),
            ("HEAD https://a.example/", true),
            ("POST https://a.example/", false),
            ("DELETE https://a.example/", false),
        ] {
            let error = timed_out(shown, "It took too long.");
            assert_eq!(error.detail().contains("Try again later"), reads, "{error}");
            assert_eq!(error.detail().contains("may have taken effect"), !reads, "{error}");
            let unsent = never_sent(shown, "It took too long.");
            assert!(!unsent.detail().contains("taken effect"), "{unsent}");
        }
    }
}
