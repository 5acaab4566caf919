//! Actions that a manifest declares: render, exchange, read, and again where that is safe.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tieline_manifest::{
    Failure, FailureKind, FieldProblem, Head, Json, Manifest, RetryConfig, Tree, Values,
    request::{Request, Text},
};
use tokio::time::Instant;

use crate::{
    action::Action,
    admit::Admitted,
    error::{Code, Error, FieldError, Result, Retry},
    http::{self, AnswerLimits, With},
    limits::MAX_RETRY_PAUSE,
};

/// An endpoint of a manifest, as an action.
pub(crate) struct EndpointAction {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) index: usize,
}

impl Action for EndpointAction {
    fn run<'a>(&'a self, admitted: &'a Admitted, input: Json) -> BoxFuture<'a, Result<Json>> {
        Box::pin(async move {
            let (manifest, endpoint) = (&*self.manifest, &self.manifest.endpoints[self.index]);
            let mut request = render(admitted, input.tree(), |values| endpoint.render(manifest, values))?;
            let keyed = endpoint.idempotency_header.as_deref();
            if let Some(header) = keyed {
                carry_key(&mut request, header, admitted);
            }
            let mut again = Again::new(manifest.retry.as_ref(), endpoint.idempotent || keyed.is_some());
            let signed = endpoint.needs_auth && admitted.auth().is_some();
            loop {
                let attempted = attempt(admitted, &request, signed, |head, body| {
                    endpoint.read(manifest, head, body)
                });
                let failed = match attempted.await {
                    Ok(output) => return Ok(output),
                    Err(failed) => failed,
                };
                if !again.after(&failed, admitted).await? {
                    return Err(failed.error);
                }
            }
        })
    }
}

/// Lets the service know a repeat as one: the key is the call's id, which all attempts of one call share. One that the
/// manifest itself sends is left as it is.
fn carry_key(request: &mut Request, header: &str, admitted: &Admitted) {
    if !request.headers.iter().any(|(name, _)| name == header) {
        let key = Text::literal(admitted.call().to_string());
        request.headers.push((header.to_owned(), key));
    }
}

/// Renders a request from an input and the admitted connection's fields.
pub(crate) fn render(
    admitted: &Admitted,
    input: &Tree,
    render: impl FnOnce(&Values<'_>) -> Result<Request, Vec<FieldProblem>>,
) -> Result<Request> {
    let secrets = admitted.present();
    let values = Values {
        input,
        config: admitted.config(),
        auth: admitted.auth(),
        secrets: &secrets,
    };
    render(&values).map_err(|problems| {
        Error::new(
            Code::ConnectorActionInputInvalid,
            "The request cannot be made from this input: see `fields`.",
        )
        .fields_from(problems.into_iter().map(|problem| FieldError {
            pointer: problem.pointer,
            message: problem.message,
        }))
    })
}

/// An attempt that did not work.
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// The status, where the service answered at all.
    status: Option<u16>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, status: None }
    }
}

/// One exchange through the second gate, its answer read whole and as declared. `signed` is whether the connection's
/// credentials went with the request.
pub(crate) async fn attempt<T>(
    admitted: &Admitted,
    request: &Request,
    signed: bool,
    read: impl FnOnce(&Head<'_>, &[u8]) -> Result<T, Failure>,
) -> Result<T, Failed> {
    let inner = &admitted.connectors.inner;
    let with = With {
        tenant: admitted.by.tenant,
        allowed_hosts: &admitted.hosts,
        deadline: admitted.deadline,
        limits: AnswerLimits::default(),
    };
    let mut answer = http::exchange(&*inner.outbound, &inner.egress, request, admitted, &with).await?;
    let (status, headers) = (answer.status.as_u16(), std::mem::take(&mut answer.headers));
    let body = answer.bytes().await?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    read(
        &Head {
            status,
            header: &header,
        },
        &body,
    )
    .map_err(|failure| {
        let pause = failure.retry_after.as_deref();
        let pause = pause.and_then(|text| http::retry_after(text, admitted.now()));
        let error = refused(&admitted.connector.descriptor().name, failure, signed, pause);
        Failed {
            error,
            status: Some(status),
        }
    })
}

/// What a refusal of the service means for our caller.
fn refused(service: &str, failure: Failure, signed: bool, pause: Option<Duration>) -> Error {
    let said = match (&failure.message, &failure.code) {
        (Some(message), Some(code)) => format!(" It said: {message} ({code})."),
        (Some(message), None) => format!(" It said: {message}"),
        (None, Some(code)) => format!(" Its code: {code}."),
        (None, None) => String::new(),
    };
    let status = failure.status;
    let later = pause.map_or(Retry::Backoff, Retry::After);
    let (code, detail, retry) = match failure.kind {
        FailureKind::Unauthorized if !signed => (
            Code::UpstreamUnauthorized,
            format!(
                "{service} let us in only with credentials (HTTP {status}), and this action sends none of a connection's: \
                 check the address or the secret in its input.{said}"
            ),
            Retry::Never,
        ),
        FailureKind::Unauthorized => (
            Code::UpstreamUnauthorized,
            format!("{service} refused the credentials (HTTP {status}): connect again with valid ones.{said}"),
            Retry::Never,
        ),
        FailureKind::RateLimited => (
            Code::UpstreamRateLimited,
            format!("{service} asks us to slow down (HTTP {status}).{said}"),
            later,
        ),
        FailureKind::Unavailable => (
            Code::UpstreamUnavailable,
            format!("{service} is in trouble (HTTP {status}): try again later.{said}"),
            later,
        ),
        FailureKind::Malformed => (
            Code::UpstreamAnswerInvalid,
            format!("{service} answered something other than declared (HTTP {status}).{said}"),
            Retry::Never,
        ),
        FailureKind::Rejected => (
            Code::ConnectorActionFailed,
            format!("{service} refused the call (HTTP {status}).{said}"),
            Retry::Never,
        ),
    };
    Error::new(code, detail).retry(retry).context("status", status)
}

/// When a failed attempt is repeated.
struct Again<'a> {
    config: Option<&'a RetryConfig>,
    attempts: u64,
    pause: Duration,
    repeatable: bool,
}

impl<'a> Again<'a> {
    fn new(config: Option<&'a RetryConfig>, repeatable: bool) -> Self {
        let pause = Duration::from_millis(config.map_or(0, |config| config.retry_delay_ms));
        Self {
            config,
            attempts: 0,
            pause,
            repeatable,
        }
    }

    /// Waits and says yes, or says no at once.
    async fn after(&mut self, failed: &Failed, admitted: &Admitted) -> Result<bool> {
        let Some(pause) = self.pause_after(failed) else {
            return Ok(false);
        };
        let wake = Instant::now() + jitter(admitted, pause)?;
        if wake >= admitted.deadline {
            return Ok(false);
        }
        tokio::time::sleep_until(wake).await;
        Ok(true)
    }

    /// A write without an idempotency key is repeated only when nothing can have reached the service.
    fn pause_after(&mut self, failed: &Failed) -> Option<Duration> {
        let config = self.config?;
        let safe = self.repeatable || failed.error.nothing_sent();
        let listed = failed
            .status
            .is_none_or(|status| config.retry_on.is_empty() || config.retry_on.contains(&status));
        if !safe || !listed || self.attempts >= config.max_retries {
            return None;
        }
        self.attempts += 1;
        let backoff = self.pause;
        self.pause = (self.pause * 2).min(MAX_RETRY_PAUSE);
        match failed.error.retry_hint() {
            Retry::Never => None,
            Retry::Backoff => Some(backoff),
            Retry::After(pause) if pause > MAX_RETRY_PAUSE => None,
            Retry::After(pause) => Some(pause.max(backoff)),
        }
    }
}

/// Up to twice the pause: a crowd of callers that failed together does not come back together.
fn jitter(admitted: &Admitted, pause: Duration) -> Result<Duration> {
    let mut byte = [0_u8];
    admitted.connectors.inner.random.fill(&mut byte)?;
    Ok(pause + pause.mul_f64(f64::from(byte[0]) / 255.0))
}
