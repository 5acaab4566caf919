//! Passing requests on.

use std::sync::Arc;

use axum::response::Response;
use http::HeaderValue;
use http_body_util::BodyExt;
use serde_json::json;
use tieline::{
    Code, Result,
    http::OutgoingBody,
    proxy::{Passed, Passing},
};

use super::action::Usable;
use crate::{
    app::App,
    caller::Caller,
    openapi::Operation,
    route::{Answer, Extract, Request, Row, Streamed},
};

/// How it can fail before the upstream answers, beyond what its arguments say.
pub(crate) const PASSING: &[Code] = &[
    Code::ConnectorNotFound,
    Code::ConnectorConfigInvalid,
    Code::ConnectorActionInputInvalid,
    Code::ManifestInvalid,
    Code::ConnectorDecryptFailed,
    Code::ConnectionDisabled,
    Code::CredentialExpired,
    Code::EnvironmentMismatch,
    Code::ConnectorRateLimited,
    Code::ProxyNotSupported,
    Code::UpgradeNotSupported,
    Code::MethodNotAllowed,
    Code::RequestTimeout,
    Code::EgressForbidden,
    Code::HostNotAllowed,
    Code::UpstreamUnreachable,
    Code::UpstreamTimeout,
    Code::UpstreamAnswerTruncated,
    Code::UpstreamAnswerTooLarge,
    Code::UpstreamAnswerInvalid,
];

/// Says that an answer is the upstream's: errors of ours do not have it, and nobody else can set it.
pub(crate) const ANSWERED_BY: &str = "tieline-answered-by";

/// The upstream's own name for the request; ours stands under the usual name.
const UPSTREAM_REQUEST_ID: &str = "tieline-upstream-request-id";

/// The request as it came, its body unread.
pub(crate) struct Raw {
    head: http::request::Parts,
    path: String,
    body: OutgoingBody,
}

impl Extract for Raw {
    const READS_BODY: bool = true;

    async fn extract(request: &mut Request) -> Result<Self> {
        let body = request.take_body()?;
        Ok(Self {
            head: request.head.clone(),
            path: request.param("path")?.to_owned(),
            body: body.map_err(Into::into).boxed_unsync(),
        })
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.reads_param(
            "path",
            &schemars::json_schema!({ "type": "string", "examples": ["me"] }),
        );
        operation.reads_anything("Passed on as it comes.");
    }
}

impl Answer for Passed {
    fn answer(self) -> Result<Response> {
        let mut response = Response::new(axum::body::Body::new(self.body.map_err(axum::Error::new)));
        (*response.status_mut(), *response.headers_mut()) = (self.status, self.headers);
        let headers = response.headers_mut();
        if let Some(theirs) = headers.remove("x-request-id") {
            headers.insert(UPSTREAM_REQUEST_ID, theirs);
        }
        headers.insert(ANSWERED_BY, HeaderValue::from_static("upstream"));
        // What the upstream sends lies on our origin: a document of it may not run scripts there, nor send forms.
        headers.insert(
            http::header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox"),
        );
        response.extensions_mut().insert(Streamed);
        Ok(response)
    }

    fn describe(operation: &mut Operation<'_>) {
        let headers = json!({ (ANSWERED_BY): {
            "description": "`upstream`. Where it is absent, the answer is ours and a problem.",
            "schema": { "const": "upstream" },
        } });
        operation.answers_anything("What the upstream answered, whatever its status.", headers);
    }
}

pub(crate) async fn pass(
    app: App,
    caller: Arc<Caller>,
    Row(connection): Row<Usable>,
    Raw { head, path, body }: Raw,
) -> Result<Passed> {
    let passing = Passing {
        connection: connection.0,
        method: head.method,
        path,
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        body,
    };
    app.connectors.proxy(&caller.actor, passing).await
}
