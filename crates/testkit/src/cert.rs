//! Certificates made for one test: an authority and a server certificate that it signed.
//!
//! They are two because rustls refuses an authority's certificate as a server's.

use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

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
