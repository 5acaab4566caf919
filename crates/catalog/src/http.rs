//! Any address over HTTP, with a stored credential: the caller writes the request, so it is Rust.

mod connection_test;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tieline::{ActionInput, Code, Connector, Effect, Error, Json, Result, RunAction, admit::Admitted};

use crate::web::{self, HeaderMap, MAX_TIMEOUT_MS, MIN_TIMEOUT_MS, Params, Sign, Wish};

pub use crate::web::{Answer, Encoding, Metadata, Method, Values};

/// The connector, from its manifest.
pub(crate) fn connector(manifest: &str) -> Result<Connector> {
    Connector::shipped(manifest)?
        .action::<SendRequest>()
        .test(connection_test::test)
        .build()
}

/// Sends one request, with the credential's headers if there is one. Every status is an answer: look at `status`.
/// Redirects are not followed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// The method; GET unless given.
    #[serde(default)]
    pub method: Method,
    /// Where to: an absolute http or https URL.
    pub url: String,
    /// Headers by name. The credential's go over them.
    #[serde(default, skip_serializing_if = "web::is_null")]
    #[schemars(with = "HeaderMap")]
    pub headers: Json,
    /// Query parameters by name, beside those in the URL. A list repeats its name.
    #[serde(default, skip_serializing_if = "web::is_null")]
    #[schemars(with = "Params")]
    pub params: Json,
    /// The body: a text as it stands, an object as a form where `Content-Type` says so, anything else as JSON.
    #[serde(default, skip_serializing_if = "web::is_null")]
    #[schemars(with = "serde_json::Value")]
    pub body: Json,
    /// The body as bytes, in base64, instead of `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// How long it may take, in milliseconds; 30000 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = MIN_TIMEOUT_MS, max = MAX_TIMEOUT_MS))]
    pub timeout: Option<u64>,
}

impl ActionInput for SendRequest {
    type Output = Answer;
    const CONNECTOR: &'static str = "http";
    const ACTION: &'static str = "request";
    const NAME: &'static str = "Send a request";
    const EFFECT: Effect = Effect::Write;
    const REQUIRES_CONNECTION: bool = false;
}

impl RunAction for SendRequest {
    async fn run(self, admitted: &Admitted) -> Result<Answer> {
        let wish = Wish {
            method: self.method,
            url: web::with_query(&self.url, &self.params)?,
            headers: &self.headers,
            body: Some(&self.body),
            body_base64: self.body_base64.as_deref(),
            timeout: self.timeout,
        };
        web::send(admitted, wish, &sign(admitted)?).await
    }
}

/// What the credential adds.
fn sign(admitted: &Admitted) -> Result<Sign<'_>> {
    let sign = Sign::default();
    Ok(match admitted.auth_id() {
        Some("bearer") => sign.bearer("token"),
        Some("basic") => {
            let password = admitted.secret("password").map(|_| "password");
            sign.basic(admitted.config_str("username").unwrap_or_default(), password)
        }
        Some("api_key") => {
            let header = admitted.config_str("header").ok_or_else(|| {
                let detail = "The connection has no `header`: name the header that carries the key.";
                Error::new(Code::ConnectorConfigInvalid, detail)
            })?;
            sign.header_of(header, "api_key")
        }
        _ => sign,
    })
}
