//! TLS to the database, as its address asks for it.

use std::{
    fmt, fs, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use tieline::{Error, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    Socket,
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};
use tokio_rustls::TlsConnector;

use super::address::invalid;

/// Who the database may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Whoever answers: against listeners only.
    Anybody,
    /// Whoever has a certificate that was signed by a trusted authority.
    Signed,
    /// Whoever has one for this host.
    SignedForHost,
}

/// Makes TLS connections. Without trust it is never asked to.
#[derive(Clone)]
pub(super) struct Tls {
    trust: Option<Trust>,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// `roots` names a file of CA certificates that take the place of the system's.
    pub(super) fn new(trust: Option<Trust>, roots: Option<&str>) -> Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("the TLS provider lacks TLS 1.2 or 1.3", error))?;
        let config = match trust {
            None => config
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth(),
            Some(Trust::SignedForHost) => config.with_root_certificates(trusted(roots)?).with_no_client_auth(),
            Some(trust) => {
                let signed = match trust {
                    Trust::Anybody => None,
                    _ => Some(verifier(trusted(roots)?, &provider)?),
                };
                let lenient = Arc::new(Lenient { signed, provider });
                config
                    .dangerous()
                    .with_custom_certificate_verifier(lenient)
                    .with_no_client_auth()
            }
        };
        Ok(Self {
            trust,
            config: Arc::new(config),
        })
    }

    /// Who is trusted; nobody where TLS is not spoken.
    #[cfg(test)]
    pub(super) fn trust(&self) -> Option<Trust> {
        self.trust
    }
}

fn trusted(file: Option<&str>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file.filter(|file| *file != "system") else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    let pem = fs::read(file).map_err(|_| invalid("the file of `sslrootcert` cannot be read"))?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
        added.ok_or_else(|| invalid("the file of `sslrootcert` holds something else than CA certificates in PEM"))?;
    }
    match roots.is_empty() {
        true => Err(invalid("the file of `sslrootcert` holds no certificate")),
        false => Ok(roots),
    }
}

fn verifier(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|_| invalid("no certificate authority is trusted on this machine; name a file in `sslrootcert`"))
}

/// Looks at less than a certificate says, because the address asks for less (`verify-ca`, `require`).
#[derive(Debug)]
struct Lenient {
    signed: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(signed) = &self.signed else {
            return Ok(ServerCertVerified::assertion());
        };
        match signed.verify_server_cert(end_entity, intermediates, name, ocsp_response, now) {
            // The name is looked at last, so all else holds.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl MakeTlsConnect<Socket> for Tls {
    type Stream = Stream;
    type TlsConnect = ToHost;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<ToHost> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(ToHost {
            name,
            config: self.config.clone(),
        })
    }
}

/// A handshake with one host.
pub(super) struct ToHost {
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl TlsConnect<Socket> for ToHost {
    type Stream = Stream;
    type Error = io::Error;
    type Future = futures_util::future::BoxFuture<'static, io::Result<Stream>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let stream = TlsConnector::from(self.config).connect(self.name, socket).await?;
            Ok(Stream(stream))
        })
    }
}

/// A TLS connection. Whoever verifies the host needs no channel binding, and who does not is not saved by it.
pub(super) struct Stream(tokio_rustls::client::TlsStream<Socket>);

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}
