//! Connections for what is not HTTP, through the one judge of addresses and with the one trust.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_rustls::client::TlsStream;

use super::{Admitted, Dialled};
use crate::{
    error::{Code, Error, Result, Retry},
    http::{TlsRoots, seat, timeouts::connect_timeout},
};

impl Admitted {
    /// A connection to a host that is not HTTP, through the one judge of addresses.
    ///
    /// # Errors
    /// `EGRESS_FORBIDDEN`, `UPSTREAM_UNREACHABLE`, `UPSTREAM_TIMEOUT`; `OVERLOADED` when the tenant has too many
    /// conversations with this host already.
    pub async fn dial(&self, host: &str, port: u16) -> Result<Dialled> {
        let inner = &self.connectors.inner;
        let seat = seat(&inner.hosts, self.by.tenant, host)?;
        let left = self.deadline.saturating_duration_since(Instant::now());
        let within = left.min(inner.timeouts.connect);
        let dialled = inner.egress.dial(self.by.tenant, host, port, within).await;
        let stream = dialled.map_err(|error| match error.code() {
            // The call ended it, and not the wait for connections.
            Code::UpstreamTimeout if left < inner.timeouts.connect => self.out_of_time(),
            _ => error,
        })?;
        Ok(Dialled::new(stream, seat))
    }

    /// That the call's time was over before anything was sent, and what gives it more.
    pub fn out_of_time(&self) -> Error {
        Error::new(Code::UpstreamTimeout, self.allotted.passed())
            .retry(Retry::Backoff)
            .before_sending()
    }

    /// TLS over a connection that was dialled, trusting whom the HTTP client trusts. `host` is what the certificate
    /// must be for.
    ///
    /// # Errors
    /// `UPSTREAM_UNREACHABLE` with the reason, `UPSTREAM_TIMEOUT`.
    pub async fn tls<S>(&self, host: &str, stream: S) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<S>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        self.handshake(self.connectors.inner.tls.clone(), host, stream).await
    }

    /// The same, trusting the authorities of this PEM text and nobody else.
    ///
    /// # Errors
    /// Those of [`tls`](Self::tls); `CONNECTOR_CONFIG_INVALID` where the text holds no certificate.
    pub async fn tls_trusting<S>(
        &self,
        host: &str,
        stream: S,
        pem: &[u8],
    ) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<S>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let trust = TlsRoots::only(pem)?.ok_or_else(|| {
            let detail =
                "The connection's authority holds no readable certificate: it must be PEM with `BEGIN CERTIFICATE`.";
            Error::new(Code::ConnectorConfigInvalid, detail).before_sending()
        })?;
        self.handshake(Arc::new(trust), host, stream).await
    }

    async fn handshake<S>(&self, trust: Arc<ClientConfig>, host: &str, stream: S) -> Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let connect = self.connectors.inner.timeouts.connect;
        let until = Instant::now() + connect;
        let late = || match until < self.deadline {
            true => connect_timeout("finish the TLS handshake", connect),
            false => self.out_of_time(),
        };
        crate::http::tls::begin(trust, host, stream, until.min(self.deadline), late).await
    }
}
