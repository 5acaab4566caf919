//! The answer's body on its way to the caller.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

use crate::{
    admit::Admitted,
    error::{Error, Result},
    http::{Answer, IncomingBody, OutgoingBody},
    tenant::cut,
};

/// How many bytes of a body left so far.
pub(super) type Sent = Arc<AtomicU64>;

/// A body that is counted as it goes: it may be on its way still when its answer begins.
pub(super) struct Counted {
    inner: OutgoingBody,
    sent: Sent,
}

impl Counted {
    pub(super) fn around(inner: OutgoingBody) -> (OutgoingBody, Sent) {
        let sent = Sent::default();
        let counted = Self {
            inner,
            sent: sent.clone(),
        };
        (counted.boxed_unsync(), sent)
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = <OutgoingBody as Body>::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        this.sent.fetch_add(data.map_or(0, Bytes::len) as u64, Relaxed);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A body that holds what was admitted until it ends, so that what is written down is how all of it ended. Trailers stay
/// behind: they belong to the hop (RFC 9110 section 6.5.1), and could say what headers may not.
pub(super) struct Flow {
    inner: IncomingBody,
    admitted: Admitted,
    gone: BoxFuture<'static, ()>,
    status: u16,
    sent: Sent,
}

impl Flow {
    pub(super) fn through(answer: Answer, admitted: Admitted, sent: Sent) -> IncomingBody {
        let flow = Self {
            status: answer.status.as_u16(),
            inner: answer.into_body(),
            gone: admitted.gone().fuse().boxed(),
            admitted,
            sent,
        };
        if flow.is_end_stream() {
            // Nobody asks a body without content for its end.
            flow.admitted.ended(&Ok(()));
        }
        flow.boxed_unsync()
    }
}

impl Body for Flow {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.gone.poll_unpin(cx).is_ready() {
            let broken: Result<Bytes> = Err(cut());
            this.admitted.ended(&broken);
            return Poll::Ready(Some(broken.map(Frame::data)));
        }
        loop {
            let frame = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) if !frame.is_data() => continue,
                Some(Err(error)) => Some(Err(this.admitted.scrub_error(error))),
                frame => frame,
            };
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            this.admitted.tally.received_bytes(data.map_or(0, Bytes::len) as u64);
            match &frame {
                Some(broken @ Err(_)) => this.admitted.ended(broken),
                Some(Ok(_)) if !this.inner.is_end_stream() => {}
                _ => this.admitted.ended(&Ok(())),
            }
            return Poll::Ready(frame);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Flow {
    /// Before what was admitted is written down, which follows.
    fn drop(&mut self) {
        self.admitted.tally.answered(self.status, self.sent.load(Relaxed));
    }
}
