//! Trust: the system's roots and the operator's own.

use std::{io, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    version::{TLS12, TLS13},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::error::{Code, Error, Result, Retry};

/// Which certificate authorities are trusted besides the system's.
#[derive(Debug, Clone, Default)]
pub struct TlsRoots {
    /// PEM texts, each of one or more CA certificates. Kept as they came, for transports that read PEM themselves.
    pub extra_pem: Vec<Vec<u8>>,
}

impl TlsRoots {
    /// The settings of a TLS client: TLS 1.2 or newer, certificates always verified. ALPN is left to the protocol.
    pub fn client_config(&self) -> Result<ClientConfig> {
        settings(self.store()?)
    }

    /// The settings of a TLS client that trusts these authorities (PEM) and nobody else. Nothing where there is none, or one
    /// is broken.
    pub(crate) fn only(pem: &[u8]) -> Result<Option<ClientConfig>> {
        let mut store = RootCertStore::empty();
        Ok(match add(&mut store, pem) {
            Some(()) => Some(settings(store)?),
            None => None,
        })
    }

    fn store(&self) -> Result<RootCertStore> {
        let system = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        // Systems carry certificates that no strict reader accepts; the others still count.
        let (added, _) = store.add_parsable_certificates(system.certs);
        if added == 0 {
            tracing::warn!(errors = ?system.errors, "the system trusts no certificate authority: only configured ones count");
        }
        for (index, pem) in self.extra_pem.iter().enumerate() {
            add(&mut store, pem).ok_or_else(|| {
                Error::new(
                    Code::ConfigInvalid,
                    format!(
                        "CA certificate file number {} holds no readable certificate. It must be PEM with `BEGIN CERTIFICATE`.",
                        index + 1
                    ),
                )
            })?;
        }
        Ok(store)
    }
}

fn settings(roots: RootCertStore) -> Result<ClientConfig> {
    // The provider is handed over rather than installed for the whole process: an embedder may have its own.
    Ok(
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| Error::internal("the TLS provider lacks TLS 1.2 or 1.3", error))?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

/// Adds every certificate of a PEM text; nothing where there is none or one is broken.
fn add(store: &mut RootCertStore, pem: &[u8]) -> Option<()> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    if certificates.is_empty() {
        return None;
    }
    certificates
        .into_iter()
        .try_for_each(|certificate| store.add(certificate).ok())
}

/// The handshake over a connection that was dialled. `host` is what the certificate must be for, `late` what is told when
/// it was not done in time.
pub(crate) async fn begin<S>(
    config: Arc<ClientConfig>,
    host: &str,
    stream: S,
    until: Instant,
    late: impl FnOnce() -> Error,
) -> Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| untrusted("its host is no name for a certificate"))?;
    match timeout_at(until, TlsConnector::from(config).connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(handshake_failed(error)),
        Err(_) => Err(late()),
    }
}

/// Says in plain words why TLS failed. The names inside the library's own words may come from a filled URL.
fn handshake_failed(error: io::Error) -> Error {
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match reason {
        Some(rustls::Error::InvalidCertificate(certificate)) => untrusted(match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another host name"
            }
            CertificateError::Revoked => "its certificate was revoked",
            CertificateError::UnknownIssuer => {
                "nobody we trust has signed its certificate; a CA of your own must be configured"
            }
            _ => "its certificate is not valid",
        }),
        Some(rustls::Error::InvalidMessage(_)) => untrusted("it answers something other than TLS on this port"),
        Some(_) => untrusted("it does not speak TLS 1.2 or newer here"),
        None => Error::new(
            Code::UpstreamUnreachable,
            "The upstream cannot be reached: the connection broke in the TLS handshake. Check that its port speaks TLS.",
        )
        .caused_by(error.kind().to_string())
        .retry(Retry::Backoff)
        .before_sending(),
    }
}

/// TLS that will fail the same way again.
fn untrusted(why: &str) -> Error {
    Error::new(
        Code::UpstreamUnreachable,
        format!("The upstream cannot be reached over TLS: {why}."),
    )
    .before_sending()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        for bad in [
            "",
            "not pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            let roots = TlsRoots {
                extra_pem: vec![bad.into()],
            };
            assert_eq!(
                roots.client_config().unwrap_err().code(),
                Code::ConfigInvalid,
                "{bad:?}"
            );
        }
    }
}
