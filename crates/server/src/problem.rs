//! Errors as answers: problem details (RFC 9457).

use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use tieline::{
    Code, Error,
    error::{FieldError, Retry},
};
use tieline_manifest::Json;

use crate::{app::RequestId, route::with_type};

/// The media type of problem details.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What a caller reads when something failed.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Where the error is explained: `/errors/<CODE>`.
    r#type: String,
    /// The code in words.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong, where, and how to mend it.
    detail: String,
    /// The stable code.
    code: &'static str,
    /// The same as `detail`.
    error: String,
    /// Wrong places in what was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<FieldError>>")]
    fields: Vec<FieldError>,
    /// The id under which our log tells more.
    request_id: String,
    /// What the upstream answered, when the effect happened but the answer does not fit the declared output.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    output: Option<Json>,
}

/// The status of each code: the library's, whose own routes answer with it too.
pub const fn status(code: Code) -> StatusCode {
    code.status()
}

/// The code in words: `CONNECTOR_NOT_FOUND` is "Connector not found".
pub fn title(code: Code) -> String {
    code.title()
}

/// What a caller reads of one part of a request that failed, while the request as a whole did not.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ItemProblem")]
pub struct ItemProblem {
    /// Where the error is explained: `/errors/<CODE>`.
    r#type: String,
    /// The status that it would have had as an answer.
    status: u16,
    /// The stable code.
    code: &'static str,
    /// What is wrong, where, and how to mend it.
    detail: String,
    /// The same as `detail`.
    error: String,
    /// Wrong places in what was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<FieldError>>")]
    fields: Vec<FieldError>,
}

impl From<&Error> for ItemProblem {
    /// The log entry stands in the span of the request, which has its id.
    fn from(error: &Error) -> Self {
        let (status, detail, fields) = told(error);
        Self {
            r#type: format!("/errors/{}", error.code()),
            status: status.as_u16(),
            code: error.code().as_str(),
            error: detail.clone(),
            detail,
            fields,
        }
    }
}

/// Status, sentence and places as strangers may read them; our own trouble is for the log.
fn told(error: &Error) -> (StatusCode, String, Vec<FieldError>) {
    let status = status(error.code());
    if status != StatusCode::INTERNAL_SERVER_ERROR {
        tracing::debug!(error = ?error, "a request was refused");
        return (status, error.detail().to_owned(), error.fields().to_vec());
    }
    tracing::error!(error = ?error, "a request failed through our own fault");
    let detail = "Something went wrong on our side. The log has the details under this request's id.";
    // It may name places inside: those are for the log too.
    (status, detail.to_owned(), Vec::new())
}

/// The answer that tells of an error.
pub(crate) fn answer(error: &Error, request_id: RequestId) -> Response {
    let request_id = request_id.as_str();
    let (status, detail, fields) = tracing::error_span!("problem", request_id).in_scope(|| told(error));
    let problem = Problem {
        r#type: format!("/errors/{}", error.code()),
        title: title(error.code()),
        status: status.as_u16(),
        error: detail.clone(),
        detail,
        code: error.code().as_str(),
        fields,
        request_id: request_id.to_owned(),
        output: error.effect_output().cloned(),
    };
    // A problem is made of text, numbers and JSON that was parsed before: all of it serialises.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = with_type(status, HeaderValue::from_static(PROBLEM_JSON), body);
    for (name, value) in headers(error) {
        response.headers_mut().insert(name, value);
    }
    response
}

fn headers(error: &Error) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let retry_after = match error.retry_hint() {
        // Whole seconds (RFC 9110 section 10.2.3), rounded up: a retry that is early by a moment fails again.
        Retry::After(pause) => Some(pause.as_secs() + u64::from(pause.subsec_nanos() > 0)),
        Retry::Never | Retry::Backoff => None,
    };
    let challenge = (status(error.code()) == StatusCode::UNAUTHORIZED)
        .then(|| (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
    retry_after
        .map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds)))
        .into_iter()
        .chain(challenge)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;

    use super::*;

    async fn told(error: Error) -> (Response<()>, serde_json::Value) {
        let (head, body) = answer(&error, RequestId::NONE).into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (Response::from_parts(head, ()), serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn tells_what_where_and_how_to_mend_it() {
        let error = Error::new(Code::RequestInvalid, "Mend it.").field("/a", "is wrong");
        let (response, body) = told(error).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        assert_eq!(
            body,
            serde_json::json!({
                "type": "/errors/REQUEST_INVALID",
                "title": "Request invalid",
                "status": 422,
                "detail": "Mend it.",
                "code": "REQUEST_INVALID",
                "error": "Mend it.",
                "fields": [{ "pointer": "/a", "message": "is wrong" }],
                "requestId": RequestId::NONE.as_str(),
            })
        );
    }

    #[tokio::test]
    async fn our_own_trouble_tells_nothing() {
        for code in Code::ALL
            .iter()
            .filter(|code| status(**code) == StatusCode::INTERNAL_SERVER_ERROR)
        {
            let error = Error::new(*code, "table `api_keys` is locked").context("path", "/data/secret");
            let (_, body) = told(error.field("/row/sealed", "does not fit `api_keys`")).await;
            let text = body.to_string();
            assert!(!text.contains("api_keys") && !text.contains("/data"), "{text}");
            assert!(body.get("fields").is_none(), "{text}");
        }
    }

    #[tokio::test]
    async fn says_when_to_come_back() {
        let error = Error::new(Code::Overloaded, "Full.").retry(Retry::After(Duration::from_millis(1200)));
        assert_eq!(told(error).await.0.headers()[header::RETRY_AFTER], "2");
        let error = Error::new(Code::Unauthenticated, "Who?");
        assert_eq!(told(error).await.0.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }
}
