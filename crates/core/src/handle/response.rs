//! Responses: what a handler answers, what a manifest declares, and what went wrong.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use tieline_manifest::{Json, WebhookConfig};

use super::Answer;
use crate::error::{Code, Error, FieldError, Retry};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What is answered to a webhook, unless its manifest says otherwise.
const RECEIVED: &str = r#"{"status":"received"}"#;

/// On every answer: nothing in it is to be run, guessed at or kept (W7).
const EVERYWHERE: [(HeaderName, HeaderValue); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox; default-src 'none'"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// What a handler answered.
pub(crate) fn answer(json: &Json) -> Answer {
    with(StatusCode::OK, JSON, json.text().to_owned())
}

/// What a manifest declares as the answer.
pub(crate) fn declared(webhook: Option<&WebhookConfig>) -> Answer {
    let status = webhook.and_then(|webhook| StatusCode::from_u16(webhook.response_status).ok());
    let body = webhook.and_then(|webhook| webhook.response_body.clone());
    let body = body.unwrap_or_else(|| RECEIVED.to_owned());
    let media_type = if Json::parse(&body).is_ok() { JSON } else { TEXT };
    with(status.unwrap_or(StatusCode::OK), media_type, body)
}

/// What went wrong, as its sender may read it (RFC 9457).
#[derive(Serialize)]
struct Problem<'e> {
    r#type: String,
    title: String,
    status: u16,
    detail: &'e str,
    code: Code,
    /// The same as `detail`.
    error: &'e str,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    fields: &'e [FieldError],
}

/// The answer that tells of an error. Of our own trouble it tells nothing.
pub(super) fn problem(error: &Error) -> Answer {
    let status = error.code().status();
    let (detail, fields) = match status {
        StatusCode::INTERNAL_SERVER_ERROR => {
            tracing::error!(?error, "a request failed through our own fault");
            ("Something went wrong on our side. The log says more.", &[][..])
        }
        _ => {
            tracing::debug!(?error, "a request was refused");
            (error.detail(), error.fields())
        }
    };
    let problem = Problem {
        r#type: format!("/errors/{}", error.code()),
        title: error.code().title(),
        status: status.as_u16(),
        detail,
        code: error.code(),
        error: detail,
        fields,
    };
    // A problem is made of text and numbers: all of it serialises.
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let mut response = with(status, PROBLEM_JSON, body);
    if let Retry::After(pause) = error.retry_hint() {
        let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    if error.code() == Code::MethodNotAllowed {
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

fn with(status: StatusCode, media_type: HeaderValue, body: String) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response.headers_mut().extend(EVERYWHERE);
    response
}
