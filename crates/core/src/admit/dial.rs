//! Connections for what is not HTTP, through the one judge of addresses and with the one trust.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::client::TlsStream;

use super::Admitted;
use crate::{
    error::{Code, Error, Result, Retry},
    http::TlsRoots,
};

impl Admitted {
    /// A connection to a host that is not HTTP, through the one judge of addresses.
    ///
    /// # Errors
    /// `EGRESS_FORBIDDEN`, `UPSTREAM_UNREACHABLE`, `UPSTREAM_TIMEOUT`.
    pub async fn dial(&self, host: &str, port: u16) -> Result<TcpStream> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.connectors
            .inner
            .egress
            .dial(
                self.by.tenant,
                host,
                port,
                left.min(self.connectors.inner.timeouts.connect),
            )
            .await
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
        let late = || {
            Error::new(Code::UpstreamTimeout, self.allotted.passed())
                .retry(Retry::Backoff)
                .before_sending()
        };
        crate::http::tls::begin(trust, host, stream, self.deadline, late).await
    }
}
