//! Actions that a manifest declares: render, exchange, read, and again where that is safe.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tieline_manifest::{
    Failure, FailureKind, FieldProblem, Head, Json, Manifest, Repeat, RetryConfig, Tree, Values,
    request::{Request, Text},
};
use tokio::time::Instant;

use crate::{
    action::Action,
    admit::{Admitted, Answered, Sending},
    error::{Code, Error, FieldError, Result, Retry},
    http,
    idempotency::outcome_is_unknown,
    limits::MAX_RETRY_PAUSE,
};

/// An endpoint of a manifest, as an action.
pub(crate) struct EndpointAction {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) index: usize,
}

impl Action for EndpointAction {
    fn keyed(&self) -> bool {
        self.manifest.endpoints[self.index].idempotency_header.is_some()
    }

    fn run<'a>(&'a self, admitted: &'a Arc<Admitted>, input: Json) -> BoxFuture<'a, Result<Json>> {
        Box::pin(async move {
            let (manifest, endpoint) = (&*self.manifest, &self.manifest.endpoints[self.index]);
            let mut request = render(admitted, input.tree(), |values| endpoint.render(manifest, values))?;
            // It is in the request, and may be large: nobody reads it again.
            drop(input);
            let keyed = endpoint.idempotency_header.as_deref();
            if let Some(header) = keyed {
                carry_key(&mut request, header, admitted);
            }
            admitted
                .connectors
                .inner
                .repeats
                .called(admitted.by.tenant, admitted.now());
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
                    return Err(advised(failed.error, again.repeatable));
                }
            }
        })
    }
}

/// Lets the service know a repeat as one: all attempts of one call carry the same key. One that the manifest itself
/// sends is left as it is.
fn carry_key(request: &mut Request, header: &str, admitted: &Admitted) {
    if !request.headers.iter().any(|(name, _)| name == header) {
        let key = Text::literal(admitted.idempotency_key());
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
    /// Whether the manifest lets us repeat it by ourselves.
    listed: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        // Whoever is over capacity is not helped by repeats.
        let listed = error.code() != Code::Overloaded;
        Self { error, listed }
    }
}

/// One exchange through the second gate, its answer read whole and as declared. `signed` is whether the connection's
/// credentials went with the request.
pub(crate) async fn attempt<T>(
    admitted: &Admitted,
    request: &Request,
    signed: bool,
    read: impl Fn(&Head<'_>, &[u8]) -> Result<T, Failure>,
) -> Result<T, Failed> {
    let mut again = signed;
    loop {
        let answered = admitted.exchange(Sending::of(request)).await?;
        let failure = match judged(admitted, &answered, &read) {
            Ok(read) => return Ok(read),
            Err(failure) => failure,
        };
        // Some services say in the body, and under a status of success, that a token is over.
        if std::mem::take(&mut again) && failure.kind == FailureKind::Unauthorized && other_tokens(admitted).await {
            continue;
        }
        let pause = failure.retry_after.as_deref();
        let pause = pause.and_then(|text| http::retry_after(text, admitted.now()));
        if let (FailureKind::RateLimited, Some(pause)) = (failure.kind, pause) {
            admitted.rest(pause);
        }
        let listed = failure.repeat == Repeat::Listed;
        let error = refused(&admitted.connector.descriptor().name, failure, signed, pause);
        return Err(Failed { error, listed });
    }
}

fn judged<T>(
    admitted: &Admitted,
    answered: &Answered,
    read: impl Fn(&Head<'_>, &[u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let header = |name: &str| answered.headers.get(name).and_then(|value| value.to_str().ok());
    let head = Head {
        status: answered.status,
        header: &header,
    };
    let exhausted = admitted.connector.manifest().exhausted(&head);
    if let Some(pause) = exhausted.and_then(|exhausted| http::reset(&exhausted, admitted.now())) {
        admitted.rest(pause);
    }
    read(&head, &answered.body)
}

/// Whether there are other tokens to send the same request with once more.
async fn other_tokens(admitted: &Admitted) -> bool {
    let used = admitted.tokens_in_use();
    admitted.has_other_tokens(used.as_deref()).await && admitted.uses().is_ok()
}

/// Says what to do about a failure of which nobody knows what it did before: only what may be repeated without having its
/// effect twice is sent again without a look.
pub(crate) fn advised(error: Error, repeatable: bool) -> Error {
    let error = match error.code() {
        Code::UpstreamUnavailable if repeatable => error.and("Try again later."),
        Code::UpstreamUnavailable => error.and("It may have taken effect there: find out before you send it again."),
        _ => error,
    };
    if repeatable || !outcome_is_unknown(&error) {
        return error;
    }
    error.retry(Retry::Never)
}

/// What a refusal of the service means for our caller.
fn refused(service: &str, failure: Failure, signed: bool, pause: Option<Duration>) -> Error {
    let said = said(&failure);
    let status = failure.status;
    let retry = match failure.repeat {
        Repeat::Never => Retry::Never,
        Repeat::Later | Repeat::Listed => pause.map_or(Retry::Backoff, Retry::After),
    };
    let (code, detail) = match failure.kind {
        FailureKind::Unauthorized if !signed => (
            Code::UpstreamUnauthorized,
            format!(
                "{service} let us in only with credentials (HTTP {status}), and this action sends none of a connection's: \
                 check the address or the secret in its input.{said}"
            ),
        ),
        FailureKind::Unauthorized => (
            Code::UpstreamUnauthorized,
            format!("{service} refused the credentials (HTTP {status}): connect again with valid ones.{said}"),
        ),
        FailureKind::AccessMissing => (
            Code::UpstreamAccessMissing,
            format!(
                "{service} knows the credentials, and they may not do this (HTTP {status}): grant the access that is \
                 missing there, then connect again if that makes new ones.{said}"
            ),
        ),
        FailureKind::RateLimited => (
            Code::UpstreamRateLimited,
            format!("{service} asks us to slow down (HTTP {status}).{said}"),
        ),
        FailureKind::Unavailable => (
            Code::UpstreamUnavailable,
            format!("{service} is in trouble (HTTP {status}).{said}"),
        ),
        FailureKind::Malformed => (
            Code::UpstreamAnswerInvalid,
            format!("{service} answered something other than declared (HTTP {status}).{said}"),
        ),
        FailureKind::Rejected if (300..400).contains(&status) => (
            Code::ConnectorActionFailed,
            format!(
                "{service} sends us to another address (HTTP {status}), and we do not follow with credentials: check the \
                 address that is called.{said}"
            ),
        ),
        FailureKind::Rejected => (
            Code::ConnectorActionFailed,
            format!("{service} refused the call (HTTP {status}).{said}"),
        ),
    };
    let mut error = Error::new(code, detail).retry(retry).context("status", status);
    if let Some(pointer) = failure.pointer {
        error = error.field(pointer, format!("{service} refuses what stands here"));
    }
    match failure.request_id {
        Some(id) => error.context("upstream_request", id),
        None => error,
    }
}

/// The service's own words, and what the manifest gives names to.
fn said(failure: &Failure) -> String {
    let mut said = match (&failure.message, &failure.code) {
        (Some(message), Some(code)) => format!(" It said: {message} ({code})."),
        (Some(message), None) => format!(" It said: {message}"),
        (None, Some(code)) => format!(" Its code: {code}."),
        (None, None) => String::new(),
    };
    if !failure.details.is_empty() {
        let details: Vec<String> = failure
            .details
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        said.push_str(&format!(" It named {}.", details.join("; ")));
    }
    said
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
        let now = Instant::now();
        let repeats = &admitted.connectors.inner.repeats;
        if now + pause.longest() >= admitted.deadline || !repeats.take(admitted.by.tenant, admitted.now()) {
            return Ok(false);
        }
        let mut byte = [0];
        admitted.connectors.inner.random.fill(&mut byte)?;
        let awake = admitted.sleep_until(now + pause.drawn(byte[0])).await;
        Ok(awake && admitted.uses().is_ok())
    }

    /// A write without an idempotency key is repeated only when nothing can have reached the service.
    fn pause_after(&mut self, failed: &Failed) -> Option<Pause> {
        let config = self.config?;
        let safe = self.repeatable || failed.error.nothing_sent();
        if !safe || !failed.listed || self.attempts >= config.max_retries {
            return None;
        }
        self.attempts += 1;
        let backoff = self.pause;
        self.pause = (self.pause * 2).min(MAX_RETRY_PAUSE);
        match failed.error.retry_hint() {
            Retry::Never => None,
            Retry::Backoff => Some(Pause {
                least: Duration::ZERO,
                backoff,
            }),
            Retry::After(pause) if pause > MAX_RETRY_PAUSE => None,
            Retry::After(least) => Some(Pause { least, backoff }),
        }
    }
}

/// A pause before a repeat: at least what the service asked for, and any part of the back-off. A crowd of callers that
/// failed together so does not come back together.
struct Pause {
    least: Duration,
    backoff: Duration,
}

impl Pause {
    fn longest(&self) -> Duration {
        self.least + self.backoff
    }

    fn drawn(&self, byte: u8) -> Duration {
        self.least + self.backoff.mul_f64(f64::from(byte) / 255.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l1_a_pause_is_drawn_from_all_of_the_back_off_after_what_the_service_asked_for() {
        let seconds = Duration::from_secs;
        let own = Pause {
            least: Duration::ZERO,
            backoff: seconds(8),
        };
        assert_eq!(
            (own.drawn(0), own.drawn(255), own.longest()),
            (seconds(0), seconds(8), seconds(8))
        );
        assert!(own.drawn(128) > seconds(4) && own.drawn(127) < seconds(4));
        let asked = Pause {
            least: seconds(5),
            ..own
        };
        assert_eq!((asked.drawn(0), asked.drawn(255)), (seconds(5), seconds(13)));
    }
}
