//! A twin in the place of a service on the internet: it has the service's own name, over TLS.

use serde_json::Value;

use crate::{
    cert::Authority,
    twin::{Reply, Seen, Twin},
};

/// A service's stand-in on loopback. Dropping it closes its port.
pub struct StandIn {
    host: String,
    authority: Authority,
    twin: Twin,
}

impl StandIn {
    /// Answers every request to this host with this JSON.
    pub async fn of(host: &str, answer: Value) -> Self {
        let authority = Authority::new();
        let certificate = authority.server(&[host]);
        let twin = Twin::answering_over_tls(&certificate, move |_| Reply::json(200, &answer)).await;
        Self {
            host: host.to_owned(),
            authority,
            twin,
        }
    }

    /// Where the service is reached instead, as an egress policy's detours are written.
    pub fn detour(&self) -> String {
        format!("{}:443={}", self.host, self.twin.address())
    }

    /// The authority that its certificate is from, PEM.
    pub fn pem(&self) -> Vec<u8> {
        self.authority.pem().as_bytes().to_vec()
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.twin.seen()
    }
}
