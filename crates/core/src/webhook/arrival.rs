//! A request as it arrives: judged by its head, and read no further than it may go.

use bytes::Bytes;
use http::{HeaderMap, Method, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{
    connector::Arrived,
    error::{Code, Error, Result},
    event::without_token,
    limits::{WEBHOOK_BODY_BYTES, WEBHOOK_BODY_TIMEOUT},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Method and media type (W6), and the size as far as it is told: all before the body is read.
pub(super) fn check_head(head: &Parts) -> Result<()> {
    if head.method != Method::POST {
        let detail = format!("Webhooks are sent with POST, not with {}.", head.method);
        return Err(Error::new(Code::MethodNotAllowed, detail));
    }
    if !is_json(&head.headers) {
        let detail = "A webhook is JSON, and says so once: `Content-Type: application/json`.";
        return Err(Error::new(Code::MediaTypeUnsupported, detail));
    }
    let told = head.headers.get_all(header::CONTENT_LENGTH).iter();
    let lengths = told.map(|told| told.to_str().ok().and_then(|told| told.parse::<u64>().ok()));
    for length in lengths {
        if length.is_none_or(|length| length > WEBHOOK_BODY_BYTES as u64) {
            return Err(too_large());
        }
    }
    Ok(())
}

/// `application/json`, and what ends in `+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else {
        return false;
    };
    let essence = only.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Reads the body whole, which is not larger than it may be and does not take longer.
pub(super) async fn read<B>(head: Parts, body: B) -> Result<Arrived>
where
    B: Body<Error: Into<BoxError>>,
{
    if body.size_hint().lower() > WEBHOOK_BODY_BYTES as u64 {
        return Err(too_large());
    }
    let body = read_body(body).await?;
    Ok(Arrived {
        method: head.method.to_string(),
        path: without_token(head.uri.path()),
        headers: head.headers,
        body,
    })
}

async fn read_body<B>(body: B) -> Result<Bytes>
where
    B: Body<Error: Into<BoxError>>,
{
    let limited = Box::pin(Limited::new(body, WEBHOOK_BODY_BYTES));
    let read = tokio::time::timeout(WEBHOOK_BODY_TIMEOUT, limited.collect()).await;
    match read {
        Err(_) => {
            let detail = format!("The body did not arrive within {} s.", WEBHOOK_BODY_TIMEOUT.as_secs());
            Err(Error::new(Code::RequestTimeout, detail))
        }
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => {
            let detail = "The body ended before its end.";
            Err(Error::new(Code::RequestInvalid, detail).caused_by(error))
        }
    }
}

fn too_large() -> Error {
    let detail = format!("A webhook's body has {WEBHOOK_BODY_BYTES} bytes at most.");
    Error::new(Code::BodyTooLarge, detail)
}
