//! The second gate: every HTTP call goes out, and comes back, through [`exchange`].

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::ext::ReasonPhrase;
use tieline_manifest::request::{Request, Segment, TRANSPORT_HEADERS, Text};
use tokio::time::{Instant, timeout_at};

use super::{
    body::{Encoding, IncomingBody, OutgoingBody, bytes_body, read_whole},
    client::{Outbound, Outgoing},
    failure::timed_out,
    fill::{Secrets, fill_body, fill_header, fill_url},
    timeouts::Allotted,
    weight::Weight,
};
use crate::{
    egress::{Egress, Target},
    error::{Code, Error, Result, Retry},
    id::TenantId,
    limits,
    shares::{Share, Shares},
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
    /// How long the call may take in all.
    pub allotted: Allotted,
    /// How much of the answer is read.
    pub limits: AnswerLimits,
    /// The memory that an answer which is read whole is drawn from.
    pub memory: &'a Shares<TenantId>,
    /// The exchanges there may be at once, by tenant and host.
    pub hosts: &'a Shares<TenantAndHost>,
}

/// Whose exchanges with which host.
pub type TenantAndHost = (TenantId, String);

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
    exchange_bytes(outbound, egress, request, None, secrets, with).await
}

/// The same with a body that need not be text, in the place of the request's.
pub(crate) async fn exchange_bytes(
    outbound: &dyn Outbound,
    egress: &Egress,
    request: &Request,
    bytes: Option<Bytes>,
    secrets: &dyn Secrets,
    with: &With<'_>,
) -> Result<Answer> {
    // One attempt with the secrets as they are. Whoever can renew them does so on a 401 and attempts once more.
    let shown = shown(request);
    let mut outgoing = prepare(egress, request, secrets, with, &shown, |target, _| target)
        .map_err(|error| error.context("request", &shown))?;
    if let Some(bytes) = bytes {
        outgoing.body = bytes_body(bytes);
    }
    let headers = &mut outgoing.headers;
    headers
        .entry(header::ACCEPT_ENCODING)
        .or_insert(HeaderValue::from_static("gzip"));
    send(outbound, outgoing, with, shown).await
}

/// The same for a request that is passed on: what stands in `request` is ours and goes over what `theirs` says; the body
/// is theirs and is not read here. Path and query leave exactly as they are written.
pub async fn pass(
    outbound: &dyn Outbound,
    egress: &Egress,
    request: &Request,
    mut theirs: HeaderMap,
    body: OutgoingBody,
    secrets: &dyn Secrets,
    with: &With<'_>,
) -> Result<Answer> {
    let shown = shown(request);
    let mut outgoing = prepare(egress, request, secrets, with, &shown, Target::verbatim)
        .map_err(|error| error.context("request", &shown))?;
    if theirs.contains_key(header::USER_AGENT) {
        // Who we are is said only where they do not say who they are.
        outgoing.headers.remove(header::USER_AGENT);
    }
    theirs.extend(outgoing.headers);
    (outgoing.headers, outgoing.body) = (theirs, body);
    send(outbound, outgoing, with, shown).await
}

async fn send(outbound: &dyn Outbound, outgoing: Outgoing, with: &With<'_>, shown: String) -> Result<Answer> {
    let seat = seat(with.hosts, with.tenant, &outgoing.target.host())?;
    let sent = outgoing.body.size_hint().exact().unwrap_or(0);
    let (head, body) = outbound.send(outgoing).await?.into_parts();
    Ok(Answer {
        sent,
        status: head.status,
        reason: reason(&head.extensions, head.status),
        encoding: Encoding::of(&head.headers),
        headers: head.headers,
        body,
        deadline: with.deadline,
        allotted: with.allotted,
        limits: with.limits,
        weight: Weight::of(with.memory, with.tenant),
        seat,
        shown,
    })
}

fn reason(extensions: &Extensions, status: StatusCode) -> String {
    let own = extensions.get::<ReasonPhrase>();
    own.map_or_else(
        || status.canonical_reason().unwrap_or_default().to_owned(),
        |reason| String::from_utf8_lossy(reason.as_bytes()).into_owned(),
    )
}

/// One of the tenant's conversations with this host, until its answer was read, or until it was hung up on.
pub(crate) fn seat(hosts: &Shares<TenantAndHost>, tenant: TenantId, host: &str) -> Result<Share<TenantAndHost>> {
    hosts.take((tenant, host.to_ascii_lowercase()), 1).ok_or_else(|| {
        let detail = format!(
            "Too many calls to {host} are under way and it has not answered yet: nothing was sent. Try again in a moment."
        );
        Error::new(Code::Overloaded, detail)
            .retry(Retry::After(limits::OVERLOAD_RETRY_AFTER))
            .before_sending()
    })
}

/// Everything that is decided before a byte is sent.
fn prepare(
    egress: &Egress,
    request: &Request,
    secrets: &dyn Secrets,
    with: &With<'_>,
    shown: &str,
    written: impl FnOnce(Target, &str) -> Target,
) -> Result<Outgoing> {
    let url = fill_url(&request.url, secrets)?;
    let target = written(egress.judge_url(&url)?, &url);
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
        allotted: with.allotted,
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
    /// The status in the upstream's words, else in those of the standard; empty where neither has any.
    pub reason: String,
    /// The headers.
    pub headers: HeaderMap,
    /// Bytes of the request's body, secrets filled in.
    pub sent: u64,
    body: IncomingBody,
    encoding: Encoding,
    deadline: Instant,
    allotted: Allotted,
    limits: AnswerLimits,
    weight: Weight,
    seat: Share<TenantAndHost>,
    shown: String,
}

impl Answer {
    /// Reads the body whole, decompressed, within the limits and the deadline of the exchange. Its memory counts until the
    /// last of it is dropped.
    pub async fn bytes(self) -> Result<Bytes> {
        let (bytes, weight) = self.weighed().await?;
        Ok(Bytes::from_owner(Weighed { bytes, _weight: weight }))
    }

    /// The same, with the count of its memory apart: what is made of the body may outlive it.
    pub(crate) async fn weighed(self) -> Result<(Bytes, Weight)> {
        let reading = read_whole(self.body, self.encoding, self.limits, self.weight, &self.shown);
        timeout_at(self.deadline, reading)
            .await
            .unwrap_or_else(|_| Err(timed_out(&self.shown, &self.allotted.passed())))
    }

    /// The body as it comes, still compressed, limited only in how long it may stand still.
    pub fn into_body(self) -> IncomingBody {
        Seated {
            inner: self.body,
            _seat: self.seat,
        }
        .boxed_unsync()
    }
}

/// A body that comes as long as its exchange lasts.
struct Seated {
    inner: IncomingBody,
    _seat: Share<TenantAndHost>,
}

impl Body for Seated {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A body whose memory counts as long as it is there.
struct Weighed {
    bytes: Bytes,
    _weight: Weight,
}

impl AsRef<[u8]> for Weighed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
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
