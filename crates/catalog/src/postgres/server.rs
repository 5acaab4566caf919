//! A connection's fields, and the way from them to a session with TLS and sign-in done.

use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tieline::{Code, Error, Result, admit::Admitted};
use tieline_manifest::Tree;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout_at},
};

use super::{
    failure::Trouble,
    limits::{CANCELLING, MAX_TIMEOUT_MS, MIN_TIMEOUT_MS, TIMEOUT_MS},
    session::Session,
};

/// What a conversation runs over: a TCP or TLS stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// A connection's fields, read.
pub(super) struct Server<'a> {
    pub(super) admitted: &'a Admitted,
    pub(super) host: &'a str,
    port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    /// Where tables are looked for that name no schema.
    pub(super) schema: &'a str,
    pub(super) application: &'a str,
    /// Whether everything is said inside TLS.
    pub(super) encrypted: bool,
    /// The one authority that is trusted, PEM; those of the system, unless given.
    authority: Option<&'a str>,
    read_only: bool,
}

impl<'a> Server<'a> {
    /// Reads the fields of the connection that was admitted.
    pub(super) fn of(admitted: &'a Admitted) -> Result<Self> {
        let text = |name| admitted.config_str(name).filter(|text| !text.is_empty());
        let need = |name| text(name).ok_or_else(|| config(name, "is missing"));
        let port = match admitted.config().get("port") {
            Some(Tree::Number(digits)) => digits.parse().ok().filter(|port| *port != 0),
            _ => None,
        };
        Ok(Self {
            admitted,
            host: need("host")?,
            port: port.ok_or_else(|| config("port", "is not a port number"))?,
            database: need("database")?,
            user: need("username")?,
            password: admitted.secret("password").unwrap_or_default(),
            schema: text("schema").unwrap_or("public"),
            application: text("applicationName").unwrap_or("tieline"),
            encrypted: text("sslmode") != Some("disable"),
            authority: text("sslrootcert"),
            read_only: !matches!(admitted.config().get("readOnly"), Some(Tree::Bool(false))),
        })
    }

    /// A session that is signed in, with its transaction begun.
    pub(super) async fn open(self, access: Access, timeout: Option<u64>) -> Result<Session<'a>> {
        if access == Access::Write && self.read_only {
            let detail = "This connection only reads. To write over it, set its `readOnly` to false, with a user that may do no \
                          more than it has to.";
            return Err(Error::new(Code::ConnectionReadOnly, detail).before_sending());
        }
        let milliseconds = timeout.unwrap_or(TIMEOUT_MS);
        if !(MIN_TIMEOUT_MS..=MAX_TIMEOUT_MS).contains(&milliseconds) {
            let why = format!("is between {MIN_TIMEOUT_MS} and {MAX_TIMEOUT_MS} milliseconds");
            let detail = format!("The statement was not sent: `timeout` {why}.");
            return Err(Error::new(Code::ConnectorActionInputInvalid, detail).field("/timeout", why));
        }
        let asked = Instant::now() + Duration::from_millis(milliseconds);
        let latest = self.admitted.deadline().checked_sub(CANCELLING);
        let deadline = latest.map_or(asked, |latest| asked.min(latest));
        let opened = async {
            let stream = self.reach(deadline).await?;
            let mut session = Session::new(self, stream, deadline);
            session.sign_in().await.map_err(Trouble::at_sign_in)?;
            session.begin(access).await?;
            Ok(session)
        };
        let opened: Result<_, Trouble> = opened.await;
        opened.map_err(|trouble| trouble.into_error(&[]).before_sending())
    }

    /// A stream to the server, inside TLS unless the connection says otherwise. Nothing was said on it.
    pub(super) async fn reach(&self, deadline: Instant) -> Result<Box<dyn Stream>, Trouble> {
        let mut stream = self.admitted.dial(self.host, self.port).await?;
        if !self.encrypted {
            return Ok(Box::new(stream));
        }
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        let asking = async {
            stream.write_all(&request).await?;
            // One byte and no more: what follows it belongs to TLS.
            stream.read_u8().await
        };
        let answer = timeout_at(deadline, asking).await.map_err(|_| Trouble::Late)?;
        match answer? {
            b'S' => {}
            b'N' => {
                let detail = "The database server offers no TLS, so nothing was said. Have it switched on there; where the network \
                              between is yours alone, `sslmode: disable` goes without.";
                return Err(Error::new(Code::UpstreamUnreachable, detail).into());
            }
            _ => return Err(Trouble::Odd("it answers the question for TLS with neither yes nor no")),
        }
        Ok(match self.authority {
            None => Box::new(self.admitted.tls(self.host, stream).await?),
            Some(pem) => Box::new(self.admitted.tls_trusting(self.host, stream, pem.as_bytes()).await?),
        })
    }
}

/// A field that is wrong in a way the manifest cannot say.
fn config(name: &str, why: &str) -> Error {
    let detail = format!("The connection's `{name}` {why}. Mend it and connect again.");
    Error::new(Code::ConnectorConfigInvalid, detail).field(format!("/config/{name}"), why)
}
