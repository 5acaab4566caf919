//! What can go wrong between sending and the end of the answer, in words for the caller.
//!
//! The words never hold a filled URL: they name the request as it was before its secrets were filled in.

use std::{error::Error as _, time::Duration};

use crate::{
    error::{Code, Error, Retry},
    limits,
};

/// Says what went wrong before there was an answer.
pub(super) fn failed(error: &hyper_util::client::legacy::Error, shown: &str) -> Error {
    if let Some(own) = error.source().and_then(|source| source.downcast_ref::<Error>()) {
        return restated(own, shown);
    }
    let Some(cause) = error.source().and_then(|source| source.downcast_ref::<hyper::Error>()) else {
        return Error::internal("the HTTP client refused the request", error.to_string());
    };
    if cause.is_parse_too_large() {
        return head_too_large(shown);
    }
    let (code, detail, retry) = if cause.is_parse() || cause.is_parse_status() {
        (
            Code::UpstreamAnswerInvalid,
            "The upstream's answer is not HTTP/1.1. Check host and port.",
            Retry::Never,
        )
    } else if cause.is_user() {
        return Error::internal("the HTTP client refused the request", cause.to_string());
    } else {
        (
            Code::UpstreamAnswerTruncated,
            "The upstream closed the connection before it answered.",
            Retry::Backoff,
        )
    };
    Error::new(code, at(detail, shown))
        .retry(retry)
        .caused_by(cause.to_string())
}

/// A failure to connect, with the request it happened to. Refusals stay as they are: one and the same for all.
fn restated(own: &Error, shown: &str) -> Error {
    let detail = match own.code() {
        Code::EgressForbidden => own.detail().to_owned(),
        _ => at(own.detail(), shown),
    };
    let mut error = Error::new(own.code(), detail).retry(own.retry_hint()).before_sending();
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
pub(super) fn timed_out(shown: &str, wait: &str, limit: Duration) -> Error {
    let detail = format!("The upstream did not answer within {limit:?} ({wait}). Try again later.");
    Error::new(Code::UpstreamTimeout, at(&detail, shown)).retry(Retry::Backoff)
}

/// The call's own time was over.
pub(super) fn deadline_passed(shown: &str) -> Error {
    let detail = "The upstream did not answer within the time given to the whole call (total). \
        Try again later, or give the call more time.";
    Error::new(Code::UpstreamTimeout, at(detail, shown)).retry(Retry::Backoff)
}

/// A sentence with the request it is about.
pub(super) fn at(detail: &str, shown: &str) -> String {
    format!("{detail} ({shown})")
}
