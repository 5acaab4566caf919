//! Into a stream of Redis.

use std::{io, sync::Arc};

use futures_util::future::BoxFuture;
use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    sync::Mutex,
    time::Instant,
};

use super::{Envelope, Transport, line, resp};
use crate::{
    egress::{Egress, EgressPolicy, SystemResolver},
    error::{Code, Error, Result, Retry},
    http::{TlsRoots, timeouts::connect_timeout, tls},
    id::TenantId,
    limits::{CONNECT, TELEMETRY_STREAM_ENTRIES},
    secret::Secret,
};

/// As whom the library itself connects.
const OURSELVES: TenantId = TenantId::from_bytes(*b"tieline telemetr");

/// Appends envelopes to a stream of Redis (`XADD`), which is trimmed to about [`TELEMETRY_STREAM_ENTRIES`] entries, or as
/// many as asked for. An entry has the fields `name`, `level`, and `envelope` with all of it as JSON.
///
/// The server's address is the operator's, so it is judged by a policy of its own: public addresses and loopback are
/// open, others once [`egress`](Self::egress) opens them.
pub struct RedisTransport {
    host: String,
    port: u16,
    stream: String,
    entries: u64,
    user: Option<String>,
    password: Option<Secret>,
    roots: Option<TlsRoots>,
    policy: EgressPolicy,
    wire: Mutex<Option<Wire>>,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

type Wire = BufReader<Box<dyn Duplex>>;

impl RedisTransport {
    /// Appends to this stream of the server there. It is connected with the first envelope.
    pub fn new(host: impl Into<String>, port: u16, stream: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port,
            stream: stream.into(),
            entries: TELEMETRY_STREAM_ENTRIES,
            user: None,
            password: None,
            roots: None,
            policy: EgressPolicy {
                loopback: true,
                ..EgressPolicy::default()
            },
            wire: Mutex::default(),
        }
    }

    /// Keeps about so many entries in the stream.
    #[must_use]
    pub fn max_entries(mut self, entries: u64) -> Self {
        self.entries = entries;
        self
    }

    /// Signs in with a password.
    #[must_use]
    pub fn password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// Signs in as this user, who needs a password too.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Speaks TLS, trusting the system's authorities and these.
    #[must_use]
    pub fn tls(mut self, roots: TlsRoots) -> Self {
        self.roots = Some(roots);
        self
    }

    /// Which addresses it may be at.
    #[must_use]
    pub fn egress(mut self, policy: EgressPolicy) -> Self {
        self.policy = policy;
        self
    }

    async fn connect(&self) -> Result<Wire> {
        let until = Instant::now() + CONNECT;
        let egress = Egress::new(self.policy.clone(), Arc::new(SystemResolver));
        let stream = egress.dial(OURSELVES, &self.host, self.port, CONNECT).await?;
        let duplex: Box<dyn Duplex> = match &self.roots {
            None => Box::new(stream),
            Some(roots) => {
                let trust: Arc<ClientConfig> = Arc::new(roots.client_config()?);
                let late = || connect_timeout("finish the TLS handshake", CONNECT);
                Box::new(tls::begin(trust, &self.host, stream, until, late).await?)
            }
        };
        let mut wire = BufReader::new(duplex);
        if let Some(password) = &self.password {
            let mut words: Vec<&[u8]> = vec![b"AUTH"];
            words.extend(self.user.as_ref().map(|user| user.as_bytes()));
            words.push(password.reveal().as_bytes());
            let mut out = Vec::new();
            resp::command(&mut out, &words);
            ask(&mut wire, &out, 1).await?;
        }
        Ok(wire)
    }

    async fn append(&self, batch: &[Arc<Envelope>]) -> Result<()> {
        let mut kept = self.wire.lock().await;
        let mut wire = match kept.take() {
            Some(wire) => wire,
            None => self.connect().await?,
        };
        let (stream, entries, mut out) = (self.stream.as_bytes(), self.entries.to_string(), Vec::new());
        for envelope in batch {
            let json = line(envelope);
            let words: [&[u8]; 12] = [
                b"XADD",
                stream,
                b"MAXLEN",
                b"~",
                entries.as_bytes(),
                b"*",
                b"name",
                envelope.name.as_bytes(),
                b"level",
                envelope.level.as_str().as_bytes(),
                b"envelope",
                json.as_bytes(),
            ];
            resp::command(&mut out, &words);
        }
        // Only a connection whose answers were all read is used again.
        ask(&mut wire, &out, batch.len()).await?;
        *kept = Some(wire);
        Ok(())
    }
}

/// Sends commands at once and reads the answer to each.
async fn ask(wire: &mut Wire, commands: &[u8], count: usize) -> Result<()> {
    wire.get_mut().write_all(commands).await.map_err(lost)?;
    wire.get_mut().flush().await.map_err(lost)?;
    let mut refused = None;
    for _ in 0..count {
        if let Err(why) = resp::answer(wire).await.map_err(lost)? {
            refused.get_or_insert(why);
        }
    }
    match refused {
        None => Ok(()),
        // Its first word is a code; what follows may quote us.
        Some(why) => {
            let code = why.split(' ').next().unwrap_or_default();
            let detail = format!("Redis refused telemetry: {code}.");
            Err(Error::new(Code::UpstreamUnavailable, detail))
        }
    }
}

fn lost(error: io::Error) -> Error {
    Error::new(Code::UpstreamUnreachable, "The connection to Redis broke.")
        .retry(Retry::Backoff)
        .caused_by(error)
}

impl Transport for RedisTransport {
    fn send<'a>(&'a self, batch: &'a [Arc<Envelope>]) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.append(batch))
    }
}
