//! The test of a connection: one GET of the address that it names for it, if any.

use futures_util::future::BoxFuture;
use serde_json::json;
use tieline::{Code, Error, Json, Result, admit::Admitted, connector::TestReport};

use super::sign;
use crate::web::{self, Method, Wish};

pub(super) fn test(admitted: &Admitted) -> BoxFuture<'_, Result<TestReport>> {
    Box::pin(async move {
        let url = admitted.config_str("test_url").filter(|url| !url.is_empty());
        let Some(url) = url else {
            let message = "The fields are complete. There is no `test_url`, so nothing was tried.";
            return Ok(TestReport {
                message: Some(message.to_owned()),
                ..TestReport::default()
            });
        };
        let wish = Wish {
            method: Method::Get,
            url: url.to_owned(),
            headers: &Json::default(),
            body: None,
            body_base64: None,
            timeout: None,
        };
        let status = web::send(admitted, wish, &sign(admitted)?).await?.status;
        let message = match status {
            200..=299 => format!("The test address answered with HTTP {status}."),
            401 | 403 => {
                let detail = format!("The test address refused the credentials (HTTP {status}): enter valid ones.");
                return Err(Error::new(Code::UpstreamUnauthorized, detail));
            }
            _ => format!(
                "The test address can be reached and answered with HTTP {status}, which says neither yes nor no to the credentials."
            ),
        };
        Ok(TestReport {
            message: Some(message),
            details: [("statusCode".to_owned(), json!(status))].into(),
            ..TestReport::default()
        })
    })
}
