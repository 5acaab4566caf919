//! A stream whose other side has to take what it is sent: whoever asks and never reads would keep a seat for ever.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use crate::limits::{ANSWER_IDLE_TIMEOUT, ANSWER_MIN_RATE};

/// A stream that fails with [`io::ErrorKind::TimedOut`] when the other side takes nothing for [`ANSWER_IDLE_TIMEOUT`],
/// or less than [`ANSWER_MIN_RATE`] on the whole.
pub(super) struct Patient<S> {
    stream: S,
    waiting: Option<Waiting>,
}

/// There is something that the other side has not taken yet.
struct Waiting {
    since: Instant,
    taken: u64,
    end: Pin<Box<Sleep>>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, waiting: None }
    }

    /// Passes on what a write answered, and measures our patience by it.
    fn judge(&mut self, context: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &wrote {
            Poll::Ready(Ok(bytes)) => {
                if let Some(waiting) = &mut self.waiting {
                    waiting.took(*bytes);
                }
                wrote
            }
            Poll::Ready(Err(_)) => wrote,
            Poll::Pending => {
                let waiting = self.waiting.get_or_insert_with(Waiting::begin);
                waiting
                    .end
                    .as_mut()
                    .poll(context)
                    .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the answer is not being read")))
            }
        }
    }
}

impl Waiting {
    fn begin() -> Self {
        Self {
            since: Instant::now(),
            taken: 0,
            end: Box::pin(tokio::time::sleep(ANSWER_IDLE_TIMEOUT)),
        }
    }

    fn took(&mut self, bytes: usize) {
        self.taken += bytes as u64;
        let earned = Duration::from_secs(self.taken / ANSWER_MIN_RATE);
        let end = Instant::now().min(self.since + earned) + ANSWER_IDLE_TIMEOUT;
        self.end.as_mut().reset(end);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.judge(context, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Asked for once everything was written: from here on nobody keeps us waiting.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.waiting = None;
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const PIPE: usize = 1024;

    #[tokio::test(start_paused = true)]
    async fn l2_who_takes_nothing_is_given_up() {
        let (stream, _reader) = tokio::io::duplex(PIPE);
        let mut stream = Patient::new(stream);
        let start = Instant::now();
        let error = stream.write_all(&[0; 2 * PIPE]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), ANSWER_IDLE_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn l2_who_takes_too_little_is_given_up() {
        let (stream, mut reader) = tokio::io::duplex(PIPE);
        let mut stream = Patient::new(stream);
        tokio::spawn(async move {
            // One byte whenever the idle limit comes near.
            while reader.read_u8().await.is_ok() {
                tokio::time::sleep(ANSWER_IDLE_TIMEOUT / 2).await;
            }
        });
        let start = Instant::now();
        stream.write_all(&vec![0; 100 * PIPE]).await.unwrap_err();
        assert!(start.elapsed() <= 2 * ANSWER_IDLE_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_but_steadily_gets_all_of_it() {
        let (stream, mut reader) = tokio::io::duplex(PIPE);
        let mut stream = Patient::new(stream);
        let read = tokio::spawn(async move {
            let (mut all, mut piece) = (0, vec![0; PIPE]);
            while let Ok(bytes @ 1..) = reader.read(&mut piece).await {
                all += bytes;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            all
        });
        stream.write_all(&vec![0; 3000 * PIPE]).await.unwrap();
        stream.flush().await.unwrap();
        // A pause between two answers is not the reader's.
        tokio::time::sleep(10 * ANSWER_IDLE_TIMEOUT).await;
        stream.write_all(&[0; PIPE]).await.unwrap();
        drop(stream);
        assert_eq!(read.await.unwrap(), 3001 * PIPE);
    }
}
