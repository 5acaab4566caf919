//! Bodies: what we send, what comes back, and how much of it we read.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tokio::{
    sync::watch,
    time::{Instant, Sleep, sleep_until},
};

use super::{
    decompress::{Decompressor, Refusal},
    exchange::AnswerLimits,
    failure::{advice, at, timed_out},
    timeouts::stood_still,
    weight::Weight,
};
use crate::{
    error::{Code, Error, Result, Retry},
    limits::{self, OVERLOAD_RETRY_AFTER},
};

/// The body of a request: whole, or a stream that is never held in memory.
pub type OutgoingBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The body of an answer as it came, still compressed. Its errors are final.
pub type IncomingBody = UnsyncBoxBody<Bytes, Error>;

/// A body that is there as a whole.
pub fn bytes_body(bytes: Bytes) -> OutgoingBody {
    Pieces(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// Hands a body on piece by piece, without copying.
struct Pieces(Bytes);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        let piece = self.0.len().min(limits::REQUEST_PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.0.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

/// Makes the progress of an upload visible; nothing is there to see for a body of one piece.
pub(super) fn watch_progress(body: OutgoingBody) -> (OutgoingBody, Option<watch::Receiver<()>>) {
    if body
        .size_hint()
        .upper()
        .is_some_and(|most| most <= limits::REQUEST_PIECE as u64)
    {
        return (body, None);
    }
    let (moved, progress) = watch::channel(());
    (Watched { inner: body, moved }.boxed_unsync(), Some(progress))
}

struct Watched {
    inner: OutgoingBody,
    moved: watch::Sender<()>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = <OutgoingBody as Body>::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        this.moved.send_replace(());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// How an answer's body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Deflate,
    Unknown,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(http::header::CONTENT_ENCODING).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return if headers.contains_key(http::header::CONTENT_ENCODING) {
                Self::Unknown
            } else {
                Self::Identity
            };
        };
        match value.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Self::Identity,
            b"gzip" | b"x-gzip" => Self::Gzip,
            b"deflate" => Self::Deflate,
            _ => Self::Unknown,
        }
    }
}

/// Reads a body whole, decompressed, within its limits and the memory there is.
pub(super) async fn read_whole(
    body: IncomingBody,
    encoding: Encoding,
    limits: AnswerLimits,
    weight: Weight,
    shown: &str,
) -> Result<(Bytes, Weight)> {
    let decompressor = match encoding {
        Encoding::Identity => return read_plain(body, limits, weight, shown).await,
        Encoding::Gzip => Decompressor::gzip(limits, weight),
        Encoding::Deflate => Decompressor::deflate(limits, weight),
        Encoding::Unknown => {
            return Err(Error::new(
                Code::UpstreamAnswerInvalid,
                at(
                    "The upstream compressed its answer in a way we did not offer: we read gzip and deflate.",
                    shown,
                ),
            ));
        }
    };
    read_compressed(body, decompressor)
        .await?
        .map_err(|refusal| refused(refusal, limits, shown))
}

async fn read_plain(
    mut body: IncomingBody,
    limits: AnswerLimits,
    mut weight: Weight,
    shown: &str,
) -> Result<(Bytes, Weight)> {
    // What announces itself as too large is not even begun.
    if body.size_hint().lower() > limits.bytes as u64 {
        return Err(refused(Refusal::TooLarge, limits, shown));
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(data) = next_data(&mut body).await? {
        let size = first.len().max(all.len()) + data.len();
        if size > limits.bytes {
            return Err(refused(Refusal::TooLarge, limits, shown));
        }
        if !weight.grow(size) {
            return Err(refused(Refusal::Spent, limits, shown));
        }
        // Most answers come in one piece, which is then handed on without a copy.
        if first.is_empty() && all.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            // Room for all that is announced: what grows step by step is there twice at each of them.
            let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
            all.reserve(size.saturating_add(announced).min(limits.bytes));
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&data);
    }
    Ok((if all.is_empty() { first } else { all.freeze() }, weight))
}

/// The outer error is the body's, the inner one the decompression's.
async fn read_compressed(
    mut body: IncomingBody,
    mut decompressor: Decompressor,
) -> Result<Result<(Bytes, Weight), Refusal>> {
    while let Some(data) = next_data(&mut body).await? {
        if let Err(refusal) = decompressor.write(&data) {
            return Ok(Err(refusal));
        }
    }
    Ok(decompressor.finish().map(|(content, weight)| (content.into(), weight)))
}

/// The next piece of content; trailers are passed over.
async fn next_data(body: &mut IncomingBody) -> Result<Option<Bytes>> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn refused(refusal: Refusal, limits: AnswerLimits, shown: &str) -> Error {
    let too_large = |detail: String| Error::new(Code::UpstreamAnswerTooLarge, at(&detail, shown));
    match refusal {
        Refusal::TooLarge => too_large(format!(
            "The upstream's answer is over {} bytes. Ask for less, for instance with smaller pages.",
            limits.bytes
        )),
        Refusal::Spent => Error::new(
            Code::Overloaded,
            at(
                "The upstream answered, and there is no memory left to read its answer: too many large requests and answers \
                 are under way. What it was asked for may have been done; if a repeat does no harm, try again in a moment.",
                shown,
            ),
        )
        .retry(Retry::After(OVERLOAD_RETRY_AFTER)),
        Refusal::Bomb => too_large(format!(
            "The upstream's answer grows to over {} times its compressed size, which honest answers do not.",
            limits.ratio
        )),
        Refusal::Broken => Error::new(
            Code::UpstreamAnswerInvalid,
            at("The upstream's compressed answer is damaged.", shown),
        )
        .retry(Retry::Backoff),
        Refusal::Ended => Error::new(
            Code::UpstreamAnswerTruncated,
            at("The upstream's compressed answer ends early or is damaged.", shown),
        )
        .retry(Retry::Backoff),
    }
}

/// A limit on standing still.
struct Patience {
    idle: Duration,
    /// Made at the first wait: most bodies are there at once and need none.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Patience {
    fn new(idle: Duration) -> Self {
        Self {
            idle,
            timer: None,
            waiting: false,
        }
    }

    /// Something moved.
    fn moved(&mut self) {
        self.waiting = false;
    }

    /// Waits for the end of patience, counted from the beginning of this wait.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = || Instant::now() + self.idle;
        let begins = !std::mem::replace(&mut self.waiting, true);
        match &mut self.timer {
            Some(timer) if begins => timer.as_mut().reset(until()),
            Some(_) => {}
            None => self.timer = Some(Box::pin(sleep_until(until()))),
        }
        self.timer
            .as_mut()
            .map_or(Poll::Pending, |timer| timer.as_mut().poll(cx))
    }
}

/// Puts our limit on standing still, and our words for errors, around a body from the wire.
pub(super) fn guard(inner: Incoming, idle: Duration, shown: String) -> IncomingBody {
    Guarded {
        inner,
        patience: Patience::new(idle),
        shown,
    }
    .boxed_unsync()
}

struct Guarded {
    inner: Incoming,
    patience: Patience,
    shown: String,
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            this.patience.moved();
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| broken(&error, &this.shown))));
        }
        ready!(this.patience.poll_over(cx));
        Poll::Ready(Some(Err(timed_out(&this.shown, &stood_still(this.patience.idle)))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A body that somebody sends us to pass on: its content alone, without trailers, and no longer still than `idle`. Its
/// errors are ours and reach whoever waits for the answer.
pub(crate) fn passing(inner: OutgoingBody, idle: Duration) -> OutgoingBody {
    Passing {
        inner,
        patience: Patience::new(idle),
    }
    .boxed_unsync()
}

struct Passing {
    inner: OutgoingBody,
    patience: Patience,
}

impl Body for Passing {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        while let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            this.patience.moved();
            return Poll::Ready(match frame {
                Some(Ok(frame)) if frame.is_data() => Some(Ok(frame)),
                Some(Ok(_)) => continue,
                Some(Err(error)) => Some(Err(upload_broken(&*error).into())),
                None => None,
            });
        }
        ready!(this.patience.poll_over(cx));
        Poll::Ready(Some(Err(upload_idle(this.patience.idle).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn upload_broken(error: &dyn std::error::Error) -> Error {
    let detail = "The body ended early, so what was passed on of it is not whole.";
    Error::new(Code::RequestTimeout, detail).context("body", error)
}

fn upload_idle(idle: Duration) -> Error {
    let detail =
        format!("The body stood still for {idle:?}, so what was passed on of it is not whole. Send it without pauses.");
    Error::new(Code::RequestTimeout, detail)
}

/// The body broke off or its framing is wrong; which of the two, hyper tells only by the I/O error beneath.
fn broken(error: &hyper::Error, shown: &str) -> Error {
    use std::{error::Error as _, io};
    let kind = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .map(io::Error::kind);
    let early = format!("The upstream's answer ended early. {}", advice(shown));
    let (code, detail) = match kind {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => (
            Code::UpstreamAnswerInvalid,
            "The framing of the upstream's answer is broken.",
        ),
        _ => (Code::UpstreamAnswerTruncated, early.as_str()),
    };
    Error::new(code, at(detail, shown))
        .retry(Retry::Backoff)
        .caused_by(error.to_string())
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};
    use http_body_util::StreamBody;

    use super::*;

    type Piece = std::result::Result<Frame<Bytes>, &'static str>;

    async fn passed(pieces: Vec<Piece>, then_stands_still: bool) -> (Vec<Bytes>, Option<Error>) {
        let rest = if then_stands_still {
            stream::pending().boxed()
        } else {
            stream::empty().boxed()
        };
        let pieces = stream::iter(pieces).chain(rest).map(|piece| piece.map_err(Into::into));
        let mut body = passing(StreamBody::new(pieces).boxed_unsync(), limits::IDLE_READ);
        let mut came = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => came.push(frame.into_data().expect("trailers stay behind")),
                Err(error) => return (came, Some(*error.downcast().expect("an error of ours"))),
            }
        }
        (came, None)
    }

    fn data(text: &'static str) -> Piece {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    #[tokio::test(start_paused = true)]
    async fn l2_a_passed_on_body_ends_breaks_off_or_is_given_up() {
        let trailers = Ok(Frame::trailers(HeaderMap::new()));
        let (came, error) = passed(vec![data("a"), trailers, data("b")], false).await;
        assert_eq!(
            (came, error.is_none()),
            (vec![Bytes::from("a"), Bytes::from("b")], true)
        );
        let (came, error) = passed(vec![data("a"), Err("the caller went away")], false).await;
        assert_eq!((came.len(), error.unwrap().code()), (1, Code::RequestTimeout));
        let start = Instant::now();
        let (came, error) = passed(vec![data("a")], true).await;
        assert_eq!((came.len(), error.unwrap().code()), (1, Code::RequestTimeout));
        assert_eq!(start.elapsed(), limits::IDLE_READ);
    }
}
