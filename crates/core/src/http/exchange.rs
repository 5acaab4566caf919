//! The second gate: every HTTP call goes out, and comes back, through [`exchange`].

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tieline_manifest::request::{Request, Segment, TRANSPORT_HEADERS, Text};
use tokio::time::{Instant, timeout_at};

use super::{
    body::{Encoding, IncomingBody, bytes_body, read_whole},
    client::{Outbound, Outgoing},
    failure::deadline_passed,
    fill::{Secrets, fill_body, fill_header, fill_url},
};
use crate::{
    egress::{Egress, Target},
    error::{Code, Error, Result},
    id::TenantId,
    limits,
};

/// Who we say we are, where a connector does not say it better.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("tieline/", env!("CARGO_PKG_VERSION")));

/// Longest form of a request in an error.
const SHOWN_CHARS: usize = 200;

/// The terms of one exchange.
#[derive(Debug, Clone, Copy)]
pub struct With<'a> {
    /// For whom.
    pub tenant: TenantId,
    /// Where the secrets may go: host names, or `*.example.com` for the names below one. When empty, only the host
    /// that stands in the request before its secrets are filled in.
    pub allowed_hosts: &'a [String],
    /// When the answer must have been read at the latest.
    pub deadline: Instant,
    /// How much of the answer is read.
    pub limits: AnswerLimits,
}

/// How much of an answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerLimits {
    /// Largest body, both before and after decompression.
    pub bytes: usize,
    /// How many times its compressed size a body may grow.
    pub ratio: usize,
    /// Up to this size no ratio is asked.
    pub free_bytes: usize,
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self {
            bytes: limits::ANSWER_BYTES,
            ratio: limits::DECOMPRESSION_RATIO,
            free_bytes: limits::DECOMPRESSION_FREE_BYTES,
        }
    }
}

/// Fills the secrets in, judges where they would go, sends, and hands back the answer with its body unread.
///
/// Every status is an answer, redirects too. An error says with [`Error::nothing_sent`] whether even a write may be
/// repeated.
pub async fn exchange(
    outbound: &dyn Outbound,
    egress: &Egress,
    request: &Request,
    secrets: &dyn Secrets,
    with: &With<'_>,
) -> Result<Answer> {
    // One attempt with the secrets as they are. Whoever can renew them does so on a 401 and attempts once more.
    let shown = shown(request);
    let outgoing = prepare(egress, request, secrets, with, &shown).map_err(|error| error.context("request", &shown))?;
    let (head, body) = outbound.send(outgoing).await?.into_parts();
    Ok(Answer {
        status: head.status,
        encoding: Encoding::of(&head.headers),
        headers: head.headers,
        body,
        deadline: with.deadline,
        limits: with.limits,
        shown,
    })
}

/// Everything that is decided before a byte is sent.
fn prepare(
    egress: &Egress,
    request: &Request,
    secrets: &dyn Secrets,
    with: &With<'_>,
    shown: &str,
) -> Result<Outgoing> {
    let target = egress.judge_url(&fill_url(&request.url, secrets)?)?;
    judge_host(egress, &target, &request.url, with.allowed_hosts)?;
    let body = match &request.body {
        Some(body) => fill_body(&body.text, secrets)?,
        None => Bytes::new(),
    };
    Ok(Outgoing {
        tenant: with.tenant,
        target,
        method: method(&request.method)?,
        headers: headers(request, secrets)?,
        body: bytes_body(body),
        deadline: with.deadline,
        shown: shown.to_owned(),
    })
}

/// The host is judged as it is after filling: a secret must not be able to send the others elsewhere.
fn judge_host(egress: &Egress, target: &Target, unfilled: &Text, allowed: &[String]) -> Result<()> {
    if allowed.iter().any(|pattern| target.is_on(pattern)) {
        return Ok(());
    }
    if allowed.is_empty() {
        let declared = literal_origin(unfilled).and_then(|origin| egress.judge_url(origin).ok());
        if declared.is_some_and(|declared| declared.host() == target.host()) {
            return Ok(());
        }
    }
    let detail = if allowed.is_empty() {
        "The host of this request comes from a secret, and the connector declares no hosts. \
         Add the hosts it may reach to its `allowedHosts`."
            .to_owned()
    } else {
        format!(
            "The host of this request is not among those that may receive these secrets: {}. \
             Correct the URL, or add its host to `allowedHosts`.",
            allowed.join(", ")
        )
    };
    Err(Error::new(Code::HostNotAllowed, detail).before_sending())
}

/// Scheme, host and port of a URL whose host holds no slot.
fn literal_origin(url: &Text) -> Option<&str> {
    let Some(Segment::Literal(first)) = url.0.first() else {
        return None;
    };
    let begin = first.find("://")? + 3;
    match first[begin..].find(['/', '?', '#']) {
        Some(length) => Some(&first[..begin + length]),
        None => url.as_literal(),
    }
}

fn method(text: &str) -> Result<Method> {
    match Method::from_bytes(text.as_bytes()) {
        // CONNECT would open a tunnel and TRACE send the secrets back.
        Ok(method) if method != Method::CONNECT && method != Method::TRACE => Ok(method),
        _ => Err(Error::new(
            Code::ManifestInvalid,
            format!("`{text}` is not a method of a request. Use GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS."),
        )
        .before_sending()),
    }
}

fn headers(request: &Request, secrets: &dyn Secrets) -> Result<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 3);
    for (name, text) in &request.headers {
        let wrong = |why: &str| {
            Error::new(
                Code::ManifestInvalid,
                format!("The header `{name}` cannot be sent: {why}."),
            )
            .before_sending()
        };
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("its name is not a header's name"))?;
        if TRANSPORT_HEADERS.contains(&parsed.as_str()) {
            return Err(wrong("it belongs to the connection; leave it out"));
        }
        let value = fill_header(name, text, secrets)?;
        headers
            .try_append(parsed, value)
            .map_err(|_| wrong("there are too many headers"))?;
    }
    if let Some(body) = &request.body {
        let value = fill_header("content-type", &Text::literal(&body.content_type), secrets)?;
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
    headers
        .entry(header::ACCEPT_ENCODING)
        .or_insert(HeaderValue::from_static("gzip"));
    Ok(headers)
}

/// The request as errors show it: unfilled, and without its query.
fn shown(request: &Request) -> String {
    let url = request.url.to_string();
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    format!("{} {bare}", request.method).chars().take(SHOWN_CHARS).collect()
}

/// What the upstream answered.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: IncomingBody,
    encoding: Encoding,
    deadline: Instant,
    limits: AnswerLimits,
    shown: String,
}

impl Answer {
    /// Reads the body whole, decompressed, within the limits and the deadline of the exchange.
    pub async fn bytes(self) -> Result<Bytes> {
        let reading = read_whole(self.body, self.encoding, self.limits, &self.shown);
        timeout_at(self.deadline, reading)
            .await
            .unwrap_or_else(|_| Err(deadline_passed(&self.shown)))
    }

    /// The body as it comes, still compressed, limited only in how long it may stand still.
    pub fn into_body(self) -> IncomingBody {
        self.body
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("request", &self.shown)
            .finish_non_exhaustive()
    }
}
