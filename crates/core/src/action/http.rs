//! HTTP for handlers, in a line or two, through the one door out.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde::{Serialize, de::DeserializeOwned};
use tieline_manifest::request::{Body, Encode, Part, Request, SecretRef, Slot, Text};
use url::form_urlencoded;
use zeroize::Zeroize;

use crate::{
    admit::{Admitted, Sending},
    error::{Code, Error, Result, Retry},
    http::retry_after,
    limits::MIN_SCRUBBED_SECRET_BYTES,
    secret::Secret,
};

/// Requests to the hosts that the connector may speak to: addresses are judged, answers are bounded, redirects are not
/// followed, and the connection's secrets are in no log.
///
/// ```
/// # use tieline::action::ActionContext;
/// # async fn send(call: ActionContext) -> tieline::Result<()> {
/// # let body = serde_json::json!({});
/// let answer = call.http().post("https://api.acme.example/messages").json(&body)?.send().await?.success()?;
/// let sent: serde_json::Value = answer.json()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Http<'a>(&'a Admitted);

macro_rules! methods {
    ($($name:ident = $method:literal,)+) => { $(
        #[doc = concat!("A ", $method, " request.")]
        pub fn $name(self, url: impl Into<String>) -> HttpRequest<'a> {
            self.request($method, url)
        }
    )+ };
}

impl<'a> Http<'a> {
    pub(super) fn of(admitted: &'a Admitted) -> Self {
        Self(admitted)
    }

    methods! {
        get = "GET",
        post = "POST",
        put = "PUT",
        patch = "PATCH",
        delete = "DELETE",
    }

    /// A request of any method, to an absolute URL.
    pub fn request(self, method: &str, url: impl Into<String>) -> HttpRequest<'a> {
        HttpRequest {
            admitted: self.0,
            method: method.to_ascii_uppercase(),
            url: url.into(),
            headers: Vec::new(),
            body: Content::None,
            within: None,
        }
    }
}

/// A request that is being put together.
pub struct HttpRequest<'a> {
    admitted: &'a Admitted,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Content,
    within: Option<Duration>,
}

enum Content {
    None,
    Text(&'static str, String),
    Bytes(String, Bytes),
}

impl HttpRequest<'_> {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Adds `Authorization: Bearer …`.
    #[must_use]
    pub fn bearer(self, token: &Secret) -> Self {
        let value = format!("Bearer {}", token.reveal());
        self.header("authorization", value)
    }

    /// Adds a parameter to the query.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.url.push(if self.url.contains('?') { '&' } else { '?' });
        self.url.extend(form_urlencoded::byte_serialize(name.as_bytes()));
        self.url.push('=');
        self.url.extend(form_urlencoded::byte_serialize(value.as_bytes()));
        self
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// `INTERNAL` for what does not serialise.
    pub fn json<T: Serialize + ?Sized>(mut self, body: &T) -> Result<Self> {
        let text = serde_json::to_string(body).map_err(|error| Error::internal("write a request's body", error))?;
        self.body = Content::Text("application/json", text);
        Ok(self)
    }

    /// Sends a form.
    #[must_use]
    pub fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        let text = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.body = Content::Text("application/x-www-form-urlencoded", text);
        self
    }

    /// Sends text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.body = Content::Text("text/plain; charset=utf-8", text.into());
        self
    }

    /// Sends bytes of a media type.
    #[must_use]
    pub fn bytes(mut self, media_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        self.body = Content::Bytes(media_type.into(), bytes.into());
        self
    }

    /// Waits so long for the answer, and never longer than the call has.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = Some(time);
        self
    }

    /// Sends it and reads the answer whole, whatever its status. Nothing is repeated.
    ///
    /// # Errors
    /// `HOST_NOT_ALLOWED` for a host that the connector may not speak to, `EGRESS_FORBIDDEN`, `UPSTREAM_…`.
    pub async fn send(self) -> Result<HttpAnswer> {
        let admitted = self.admitted;
        admitted.may_send_anywhere()?;
        let slotted = |text| slotted(text, admitted);
        let (body, bytes) = match self.body {
            Content::None => (None, None),
            Content::Text(content_type, text) => (Some((content_type.to_owned(), slotted(text))), None),
            Content::Bytes(content_type, bytes) => (Some((content_type, Text::default())), Some(bytes)),
        };
        let headers = self.headers.into_iter().map(|(name, value)| (name, slotted(value)));
        let request = Request {
            method: self.method,
            url: slotted(self.url),
            headers: headers.collect(),
            body: body.map(|(content_type, text)| Body { content_type, text }),
        };
        let sending = Sending {
            request: &request,
            bytes,
            within: self.within,
        };
        let answered = admitted.exchange(sending).await?;
        let after = answered.headers.get(http::header::RETRY_AFTER);
        let after = after.and_then(|value| retry_after(value.to_str().ok()?, admitted.now()));
        Ok(HttpAnswer {
            service: admitted.connector.descriptor().name.clone(),
            status: answered.status,
            headers: answered.headers,
            body: answered.body,
            after,
        })
    }
}

/// The text with a slot in the place of each of the connection's secrets, so that nothing that shows the request shows
/// them: they are put in just before it is sent. Secrets too short to be told from other text stay where they are.
fn slotted(mut text: String, admitted: &Admitted) -> Text {
    let secrets = admitted.opened.iter().flat_map(|opened| &opened.secrets);
    let mut secrets: Vec<(&String, &str)> = secrets
        .map(|(name, secret)| (name, secret.reveal().as_str()))
        .filter(|(_, secret)| secret.len() >= MIN_SCRUBBED_SECRET_BYTES)
        .collect();
    // Of two secrets that begin at one place, the longer one stands there.
    secrets.sort_by_key(|(_, secret)| std::cmp::Reverse(secret.len()));
    let mut out = Text::default();
    let mut rest = text.as_str();
    loop {
        let found = secrets.iter().filter_map(|found| Some((rest.find(found.1)?, found)));
        let Some((at, (name, secret))) = found.min_by_key(|(at, _)| *at) else {
            break;
        };
        out.push_str(&rest[..at]);
        out.push_slot(Slot {
            parts: vec![Part::Secret(SecretRef::Config((*name).clone()))],
            encode: Encode::Raw,
        });
        rest = &rest[at + secret.len()..];
    }
    out.push_str(rest);
    text.zeroize();
    out
}

/// What a service answered.
pub struct HttpAnswer {
    service: String,
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    after: Option<Duration>,
}

impl HttpAnswer {
    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, decompressed.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body as text, with a mark in the place of what is none.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, read as a type.
    ///
    /// # Errors
    /// `UPSTREAM_ANSWER_INVALID`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let detail = format!("{} answered something other than expected: {error}.", self.service);
            Error::new(Code::UpstreamAnswerInvalid, detail)
        })
    }

    /// The answer, if its status is one of success.
    ///
    /// # Errors
    /// `UPSTREAM_UNAUTHORIZED`, `UPSTREAM_ACCESS_MISSING`, `UPSTREAM_RATE_LIMITED`, `UPSTREAM_UNAVAILABLE` and
    /// `CONNECTOR_ACTION_FAILED`, by status. What the service said beside it is not told: whoever wants it reads the
    /// answer.
    pub fn success(self) -> Result<Self> {
        let (service, status) = (&self.service, self.status);
        let (code, detail, retry) = match status {
            200..=299 => return Ok(self),
            401 => (
                Code::UpstreamUnauthorized,
                format!("{service} refused the credentials (HTTP 401): connect again with valid ones."),
                Retry::Never,
            ),
            403 => (
                Code::UpstreamAccessMissing,
                format!(
                    "{service} knows the credentials, and they may not do this (HTTP 403): grant the access there."
                ),
                Retry::Never,
            ),
            429 => (
                Code::UpstreamRateLimited,
                format!("{service} asks us to slow down (HTTP 429)."),
                self.after.map_or(Retry::Backoff, Retry::After),
            ),
            500.. => (
                Code::UpstreamUnavailable,
                format!("{service} is in trouble (HTTP {status})."),
                self.after.map_or(Retry::Backoff, Retry::After),
            ),
            _ => (
                Code::ConnectorActionFailed,
                format!("{service} refused the call (HTTP {status})."),
                Retry::Never,
            ),
        };
        Err(Error::new(code, detail).retry(retry).context("status", status))
    }
}
