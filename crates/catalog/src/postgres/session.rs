//! A conversation with a PostgreSQL server (Frontend/Backend Protocol, version 3.0).
//!
//! The messages are written and read by a library; the conversation is ours, for three things that no client library does:
//! values come as text, which keeps every digit and needs no knowledge of a type; what a server may send is bounded before
//! it is read, a single row too; and a password is never said in the clear.

use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::{
    backend::{Header, Message},
    frontend,
};
use tieline::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout_at},
};

use super::{
    failure::{Refusal, Trouble},
    limits::{CANCELLING, LOOKING_AFTER_MS, MAX_GREETING_BYTES, MAX_RECEIVED_BYTES, SERVERS_GRACE},
    server::{Access, Server, Stream},
};

/// Settings for this transaction only. The first three bound it on the server, the others are how values are written.
/// `client_connection_check_interval` is not there before PostgreSQL 14.
const SETTINGS: &str = "SELECT pg_catalog.set_config('statement_timeout', $1, true), \
    pg_catalog.set_config('idle_in_transaction_session_timeout', $1, true), \
    (SELECT pg_catalog.count(pg_catalog.set_config(name, $2, true)) FROM pg_catalog.pg_settings \
     WHERE name OPERATOR(pg_catalog.=) 'client_connection_check_interval'), \
    pg_catalog.set_config('DateStyle', 'ISO, YMD', true), pg_catalog.set_config('TimeZone', 'UTC', true), \
    pg_catalog.set_config('IntervalStyle', 'iso_8601', true), pg_catalog.set_config('bytea_output', 'hex', true), \
    pg_catalog.set_config('extra_float_digits', '3', true), pg_catalog.set_config('client_min_messages', 'error', true)";

/// An open conversation, its transaction begun.
pub(super) struct Session<'a> {
    pub(super) server: Server<'a>,
    stream: Box<dyn Stream>,
    input: BytesMut,
    deadline: Instant,
    /// Bytes that the server may still send.
    left: usize,
    /// Bytes that it has sent.
    received: usize,
    /// What a statement is cancelled with.
    pub(super) key: Option<(i32, i32)>,
    pub(super) access: Access,
}

impl<'a> Session<'a> {
    pub(super) fn new(server: Server<'a>, stream: Box<dyn Stream>, deadline: Instant) -> Self {
        Self {
            server,
            stream,
            input: BytesMut::new(),
            deadline,
            left: MAX_GREETING_BYTES,
            received: 0,
            key: None,
            access: Access::Read,
        }
    }

    /// Begins the transaction. Its first statement takes its snapshot, and from then on nothing makes a reading
    /// transaction a writing one (`transaction_read_only`).
    pub(super) async fn begin(&mut self, access: Access) -> Result<(), Trouble> {
        self.access = access;
        let patience = self.deadline.saturating_duration_since(Instant::now()) + SERVERS_GRACE;
        let patience = patience.as_millis().to_string();
        let mut out = BytesMut::new();
        frontend::query(
            match access {
                Access::Read => "BEGIN TRANSACTION READ ONLY",
                Access::Write => "BEGIN TRANSACTION READ WRITE",
            },
            &mut out,
        )?;
        frontend::parse("", SETTINGS, std::iter::empty(), &mut out)?;
        super::statement::bind(&[Some(patience), Some(LOOKING_AFTER_MS.to_owned())], &mut out)?;
        frontend::execute("", 0, &mut out)?;
        frontend::sync(&mut out);
        self.say(&out).await?;
        for _ in 0..2 {
            while !matches!(self.hear().await?, Message::ReadyForQuery(_)) {}
        }
        self.left = MAX_RECEIVED_BYTES;
        Ok(())
    }

    /// Makes what was written last.
    pub(super) async fn commit(mut self) -> Result<()> {
        let committed = async {
            let mut out = BytesMut::new();
            frontend::query("COMMIT", &mut out)?;
            self.say(&out).await?;
            let mut is_committed = false;
            loop {
                match self.hear().await? {
                    // A transaction that failed answers ROLLBACK.
                    Message::CommandComplete(body) => is_committed = body.tag()? == "COMMIT",
                    Message::ReadyForQuery(_) if is_committed => return Ok(()),
                    Message::ReadyForQuery(_) => return Err(Trouble::Odd("it did not commit")),
                    _ => {}
                }
            }
        };
        let committed: Result<(), Trouble> = committed.await;
        committed.map_err(|trouble| trouble.into_error(&[]))?;
        self.close().await;
        Ok(())
    }

    /// Says goodbye. What was not committed is undone.
    pub(super) async fn close(mut self) {
        let mut out = BytesMut::new();
        frontend::terminate(&mut out);
        let _ = self.say(&out).await;
        let _ = timeout_at(self.deadline, self.stream.shutdown()).await;
    }

    /// Has the running statement cancelled, over a connection of its own, and hears the server out. What comes of it is
    /// of no use to anybody: the server ends the statement by itself soon after.
    pub(super) async fn cancel(&mut self) {
        let Some((process, secret)) = self.key else { return };
        let until = Instant::now() + CANCELLING - Duration::from_millis(100);
        let mut request = BytesMut::new();
        frontend::cancel_request(process, secret, &mut request);
        let cancelling = async {
            let mut stream = self.server.reach(until).await?;
            stream.write_all(&request).await?;
            stream.flush().await?;
            // The server closes when it has passed the word on.
            let _ = stream.read(&mut [0]).await;
            Ok::<_, Trouble>(())
        };
        let _ = timeout_at(until, cancelling).await;
        self.deadline = until;
        while self.hear().await.is_ok() {}
    }

    pub(super) async fn say(&mut self, out: &[u8]) -> Result<(), Trouble> {
        let saying = async {
            self.stream.write_all(out).await?;
            self.stream.flush().await
        };
        let said = timeout_at(self.deadline, saying).await.map_err(|_| Trouble::Late)?;
        Ok(said?)
    }

    /// The next message, unless it is an error, which ends the conversation. A message's length is judged before the rest
    /// of it is read.
    pub(super) async fn hear(&mut self) -> Result<Message, Trouble> {
        loop {
            if let Some(header) = Header::parse(&self.input).map_err(|_| Trouble::Odd("a message has no length"))? {
                let length = usize::try_from(header.len()).unwrap_or(usize::MAX);
                if length > self.left {
                    return Err(Trouble::TooLarge);
                }
                if self.input.len() > length {
                    self.left -= length;
                    self.received += length;
                    self.server.admitted.weigh(self.received)?;
                    let message = Message::parse(&mut self.input);
                    let message = message.map_err(|_| Trouble::Odd("a message cannot be read"))?;
                    return match message.ok_or(Trouble::Odd("a message is not whole"))? {
                        Message::ErrorResponse(body) => Err(Trouble::Refused(Refusal::of(body.fields()))),
                        message => Ok(message),
                    };
                }
            }
            let reading = self.stream.read_buf(&mut self.input);
            match timeout_at(self.deadline, reading).await.map_err(|_| Trouble::Late)?? {
                0 => return Err(Trouble::Broken(std::io::ErrorKind::UnexpectedEof)),
                _ => continue,
            }
        }
    }
}
