//! Requests under an `Idempotency-Key`: run to their end once, even when the caller hangs up, and answered again after.
//!
//! It begins when the body is there: by then the caller, their permission and the rows of the path were checked, for a
//! repeat just as for the first.

use std::sync::{Arc, OnceLock};

use axum::response::Response;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use tieline::{
    Code, Connectors, Error, Result,
    audit::Actor,
    call::IdempotencyKey,
    idempotency::{Asked, Attempt, Once, Ticket},
    limits::MAX_KEPT_ANSWER_BYTES,
};
use tokio::sync::Mutex;
use tracing::Instrument;

use super::{Extract, Request, invalid, with_type};
use crate::{
    app::{RequestId, runs::Runs},
    openapi::Operation,
    problem,
};

/// The caller's key.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// On an answer that is told again.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The headers kept of an answer, besides its status and body.
const KEPT_HEADERS: [HeaderName; 2] = [header::CONTENT_TYPE, header::LOCATION];

/// What a route with such requests does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Makes a row: nobody can say afterwards whether a run that was lost made it.
    Makes,
    /// Calls an action, which knows whether it may be run again.
    Calls,
}

/// A request under a key, from before its body to its answer.
pub(crate) struct Slot {
    connectors: Connectors,
    actor: Actor,
    key: IdempotencyKey,
    route: String,
    params: Vec<String>,
    query: String,
    effect: Effect,
    request_id: RequestId,
    attempt: OnceLock<Arc<Attempt>>,
    stage: Mutex<Stage>,
    runs: Arc<Runs>,
}

/// How far it is.
enum Stage {
    /// Its body has not come.
    Before,
    /// It runs.
    Running(Ticket),
    /// It ran before, and this is what it is told.
    Told(Response),
}

impl Slot {
    /// The slot of a request that carries a key.
    pub(super) fn of(request: &Request, route: &str, effect: Effect) -> Result<Option<Arc<Self>>> {
        let mut values = request.head.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(invalid("`Idempotency-Key` is there twice: send it once.", []));
        }
        Ok(Some(Arc::new(Self {
            connectors: request.app.connectors.clone(),
            actor: request.caller()?.actor.clone(),
            // What is no visible ASCII is no text here, and the empty text is refused like it.
            key: IdempotencyKey::parse(value.to_str().unwrap_or_default())?,
            route: route.to_owned(),
            params: request.params.iter().map(|(_, value)| value.clone()).collect(),
            query: request.head.uri.query().unwrap_or_default().to_owned(),
            effect,
            request_id: request.id,
            attempt: OnceLock::new(),
            stage: Mutex::new(Stage::Before),
            runs: request.app.runs.clone(),
        })))
    }

    /// Begins, now that the body is known. An error where the request is not to be run; the answer then is what
    /// [`end`](Self::end) finds.
    pub(super) async fn begin(&self, body: &[u8]) -> Result<()> {
        let asked = Asked {
            key: &self.key,
            route: &self.route,
            params: self.params.iter().map(String::as_str).collect(),
            query: &self.query,
            body,
            call: self.effect == Effect::Calls,
        };
        let told = match self.connectors.once(&self.actor, &asked).await? {
            Once::Run(ticket) => {
                let _ = self.attempt.set(ticket.attempt());
                *self.stage.lock().await = Stage::Running(ticket);
                return Ok(());
            }
            Once::Answered(answer) => read(answer.reveal())?,
            Once::Refused(error) => problem::answer(&error, self.request_id),
        };
        *self.stage.lock().await = Stage::Told(told);
        Err(Error::new(Code::IdempotencyInProgress, "The request was run before."))
    }

    /// Runs the handler to its end, even when the caller is gone before: their repeat will ask how it ended.
    pub(super) async fn run(self: Arc<Self>, handler: BoxFuture<'static, Result<Response>>) -> Result<Response> {
        let runs = self.runs.clone();
        let run = async move { self.end(handler.await).await };
        runs.run(run.in_current_span()).await
    }

    async fn end(&self, answer: Result<Response>) -> Result<Response> {
        let stage = std::mem::replace(&mut *self.stage.lock().await, Stage::Before);
        let ticket = match stage {
            Stage::Before => return answer,
            Stage::Told(mut told) => {
                let replayed = HeaderValue::from_static("true");
                told.headers_mut().insert(IDEMPOTENCY_REPLAYED, replayed);
                return Ok(told);
            }
            Stage::Running(ticket) => ticket,
        };
        let (answer, kept) = match answer {
            Ok(response) => {
                let (response, bytes) = write(response).await?;
                (Ok(response), ticket.answered(bytes.as_deref()).await)
            }
            Err(error) => {
                let kept = ticket.failed(&error).await;
                (Err(error), kept)
            }
        };
        if let Err(error) = kept {
            // The caller hears what happened all the same; only a repeat will be told that nobody knows.
            tracing::warn!(error = ?error, "an answer could not be kept for repeats");
        }
        answer
    }
}

/// The run that a handler's work belongs to, if the caller sent a key. Read before the body, asked after.
pub(crate) struct Run(Option<Arc<Slot>>);

impl Run {
    /// What a call has to know.
    pub(crate) fn attempt(&self) -> Option<Arc<Attempt>> {
        self.0.as_ref()?.attempt.get().cloned()
    }
}

impl Extract for Run {
    async fn extract(request: &mut Request) -> Result<Self> {
        Ok(Self(request.once.clone()))
    }

    fn describe(_: &mut Operation<'_>) {}
}

/// An answer, and as bytes unless it is too large to keep: status, each kept header behind its length, then the body.
async fn write(response: Response) -> Result<(Response, Option<Vec<u8>>)> {
    let (head, body) = response.into_parts();
    let body = body.collect().await;
    let body = body.map_err(|error| Error::internal("an answer that is whole cannot be read", error))?;
    let body = body.to_bytes();
    let bytes = (body.len() <= MAX_KEPT_ANSWER_BYTES).then(|| {
        let mut bytes = head.status.as_u16().to_be_bytes().to_vec();
        for name in &KEPT_HEADERS {
            let value = head.headers.get(name).map_or(&[][..], HeaderValue::as_bytes);
            bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
            bytes.extend_from_slice(value);
        }
        bytes.extend_from_slice(&body);
        bytes
    });
    Ok((Response::from_parts(head, body.into()), bytes))
}

fn read(bytes: &[u8]) -> Result<Response> {
    let cut = || Error::internal("a kept answer cannot be read", "it ends early");
    let (status, mut rest) = bytes.split_first_chunk().ok_or_else(cut)?;
    let status = StatusCode::from_u16(u16::from_be_bytes(*status))
        .map_err(|error| Error::internal("a kept answer cannot be read", error))?;
    let mut headers = Vec::new();
    for name in KEPT_HEADERS {
        let (length, after) = rest.split_first_chunk().ok_or_else(cut)?;
        let (value, after) = after
            .split_at_checked(u32::from_be_bytes(*length) as usize)
            .ok_or_else(cut)?;
        rest = after;
        if let Some(value) = HeaderValue::from_bytes(value).ok().filter(|value| !value.is_empty()) {
            headers.push((name, value));
        }
    }
    let mut response = with_type(status, HeaderValue::from_static(""), Bytes::copy_from_slice(rest));
    response.headers_mut().clear();
    response.headers_mut().extend(headers);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_comes_back_as_it_was() {
        let made = || {
            let mut response = with_type(
                StatusCode::CREATED,
                HeaderValue::from_static("application/json"),
                "{}\0",
            );
            response
                .headers_mut()
                .insert("x-other", HeaderValue::from_static("gone"));
            response
        };
        let (sent, bytes) = write(made()).await.unwrap();
        assert_eq!(sent.headers(), made().headers());
        let bytes = bytes.expect("small enough to keep");
        let again = read(&bytes).unwrap();
        assert_eq!(again.status(), StatusCode::CREATED);
        assert_eq!(again.headers()[header::CONTENT_TYPE], "application/json");
        assert!(!again.headers().contains_key("x-other") && !again.headers().contains_key(header::LOCATION));
        assert_eq!(again.into_body().collect().await.unwrap().to_bytes(), "{}\0");
        for length in 0..bytes.len() - 3 {
            assert!(read(&bytes[..length]).is_err(), "{length}");
        }
    }
}
