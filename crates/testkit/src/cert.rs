//! Certificates made for one test: an authority and a server certificate that it signed.
//!
//! They are two because rustls refuses an authority's certificate as a server's.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

/// An authority that only the tests that hold its PEM trust.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A server certificate with its key, both PEM.
pub struct ServerCert {
    /// The certificate.
    pub cert_pem: String,
    /// The private key, PKCS #8.
    pub key_pem: String,
}

impl ServerCert {
    /// What a server needs to speak TLS with it.
    pub fn acceptor(&self) -> TlsAcceptor {
        let certificates = CertificateDer::pem_slice_iter(self.cert_pem.as_bytes()).collect::<Result<Vec<_>, _>>();
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).expect("a private key");
        // The provider is named: a build may hold two of them, and then none is the default.
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider speaks TLS")
            .with_no_client_auth()
            .with_single_cert(certificates.expect("certificates"), key)
            .expect("a certificate with its key");
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Authority {
    /// A new authority with its own key.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key pair");
        let mut params = CertificateParams::new(Vec::new()).expect("no names to refuse");
        // Two authorities of one name would be one that signs badly, not two of which one is unknown.
        static MADE: AtomicU32 = AtomicU32::new(1);
        let name = format!("Test authority {}", MADE.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let cert = params.self_signed(&key).expect("a self-signed authority");
        Self {
            pem: cert.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// The authority's certificate, PEM: what a client must trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for these names (host names or IP addresses).
    pub fn server(&self, names: &[&str]) -> ServerCert {
        let key = KeyPair::generate().expect("a key pair");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("valid names");
        let cert = params.signed_by(&key, &self.issuer).expect("a signed certificate");
        ServerCert {
            cert_pem: cert.pem(),
            key_pem: key.serialize_pem(),
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
