//! The test of a connection: one request to its URL, of which any 2xx is a yes.

use futures_util::future::BoxFuture;
use serde_json::json;
use tieline::{Code, Error, Json, Result, admit::Admitted, connector::TestReport};

use super::{base, sign};
use crate::web::{self, Method, Wish};

pub(super) fn test(admitted: &Admitted) -> BoxFuture<'_, Result<TestReport>> {
    Box::pin(async move {
        let method = match admitted.config_str("method") {
            Some("POST") => Method::Post,
            _ => Method::Get,
        };
        let wish = Wish {
            method,
            url: web::with_query(base(admitted)?, &Json::default())?,
            headers: &Json::default(),
            body: None,
            body_base64: None,
            timeout: None,
        };
        let status = web::send(admitted, wish, &sign(admitted)?).await?.status;
        match status {
            200..=299 => Ok(TestReport {
                details: [("statusCode".to_owned(), json!(status))].into(),
                ..TestReport::default()
            }),
            401 | 403 => {
                let detail = format!("The API refused the credentials (HTTP {status}): enter valid ones.");
                Err(Error::new(Code::UpstreamUnauthorized, detail))
            }
            _ => {
                let detail = format!("Failed to connect: HTTP {status}. Check the URL and its method.");
                Err(Error::new(Code::ConnectorActionFailed, detail))
            }
        }
    })
}
