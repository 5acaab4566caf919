//! The only judge of addresses, and the only place that dials.
//!
//! A name is resolved here, every answer is judged, and exactly a judged address is dialled: there is no second
//! look-up in which a name could point elsewhere. Address literals take the same path. HTTP, SMTP and PostgreSQL all
//! come through [`Egress::dial`].

mod addresses;
mod detour;
mod network;
mod policy;
mod resolve;
mod target;

pub use self::{
    detour::Detour,
    network::Network,
    policy::{Allow, EgressPolicy},
    resolve::{Resolve, SystemResolver},
    target::Target,
};

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use self::{policy::Asked, target::Host};
use crate::{
    error::{Code, Error, Result, Retry},
    http::timeouts::connect_timeout,
    id::TenantId,
    limits,
};

/// The one answer to every forbidden address: it tells nothing about what lies there, because nothing is dialled.
///
/// Refused, closed, silent and broken ports of forbidden addresses so answer alike (N7). A name that does not exist has
/// another answer, `UPSTREAM_UNREACHABLE`, on purpose: it has no address to be forbidden, may be a mistake of typing or a
/// moment's trouble of the resolver, and must be worth a repeat. That a name of the operator's own resolves to something
/// private can be told from the difference; what lies there cannot.
const FORBIDDEN: &str = "The address is not one we connect to: it is private, local or reserved. \
    Use a public address; an operator can open private networks under `egress.allow`, never link-local or metadata addresses.";

/// Judges where a connection may go, and makes it.
pub struct Egress {
    policy: EgressPolicy,
    resolver: Arc<dyn Resolve>,
}

impl Egress {
    /// A judge with this policy, asking this resolver.
    pub fn new(policy: EgressPolicy, resolver: Arc<dyn Resolve>) -> Self {
        Self { policy, resolver }
    }

    /// Reads a URL once and refuses the forms that two readers could understand differently. Its address is judged
    /// when it is dialled.
    pub fn judge_url(&self, text: &str) -> Result<Target> {
        Target::parse(text)
    }

    /// Connects to a host, within `connect` for looking up the name and connecting together.
    ///
    /// The host is a name or an address in any form that a URL takes. Every address of a name must be permitted, or
    /// none is dialled. Nothing was sent when this fails.
    pub async fn dial(&self, tenant: TenantId, host: &str, port: u16, connect: Duration) -> Result<TcpStream> {
        let until = Instant::now() + connect;
        let addresses = match timeout_at(until, self.judged(tenant, host, port)).await {
            Ok(judged) => judged?,
            Err(_) => return Err(not_in_time(connect)),
        };
        dial_first(&addresses, until, connect).await
    }

    /// The addresses of a host, once all of them are found to be permitted.
    async fn judged(&self, tenant: TenantId, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
        let host = Host::parse(host)?;
        if port == 0 {
            return Err(forbidden());
        }
        let detour = self.policy.detours.iter().find(|detour| detour.is_for(&host, port));
        let port = detour.map_or(port, |detour| detour.to.port());
        let addresses = match (&host, detour) {
            (_, Some(detour)) => vec![detour.to.ip()],
            (Host::Address(address), None) => vec![*address],
            (Host::Name(name), None) => self.resolver.resolve(name).await.map_err(unresolved)?,
        };
        let name = host.to_string();
        let asked = Asked {
            tenant,
            host: &name,
            port,
        };
        if self.is_own_database(&addresses, port).await {
            return Err(forbidden().context("address", "our own database"));
        }
        if let Some(refused) = addresses.iter().find(|address| !self.policy.permits(asked, **address)) {
            return Err(forbidden().context("address", refused));
        }
        Ok(addresses
            .into_iter()
            .map(|address: IpAddr| SocketAddr::new(address, port))
            .collect())
    }

    /// Whether one of these addresses is where our own data lies. Its name is looked up anew, for a database may move; while
    /// it has no address, nobody can tell, and its port stays closed. On this machine every loopback address is it, and so is
    /// every address of ours that we know.
    async fn is_own_database(&self, addresses: &[IpAddr], port: u16) -> bool {
        for (host, _) in self.policy.own_database.iter().filter(|(_, own)| *own == port) {
            let own = match Host::parse(host) {
                Ok(Host::Address(address)) => vec![address],
                Ok(Host::Name(name)) => self.resolver.resolve(&name).await.unwrap_or_default(),
                Err(_) => Vec::new(),
            };
            let here = own.iter().any(IpAddr::is_loopback);
            let is_own = |address: &IpAddr| {
                let plain = address.to_canonical();
                own.contains(&plain) || (here && (plain.is_loopback() || self.policy.own.contains(&plain)))
            };
            if own.is_empty() || addresses.iter().any(is_own) {
                return true;
            }
        }
        false
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Dials one judged address after the other, each with a fair share of the time that is left.
async fn dial_first(addresses: &[SocketAddr], until: Instant, within: Duration) -> Result<TcpStream> {
    let tried = &addresses[..addresses.len().min(limits::DIALLED_ADDRESSES)];
    let mut failure = unreachable("its name has no address");
    for (index, address) in tried.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(tried.len() - index).expect("the number of addresses is bounded");
        match timeout(share, connect_to(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = unreachable("the connection failed").caused_by(error),
            Err(_) => failure = not_in_time(within),
        }
    }
    Err(failure)
}

#[expect(clippy::disallowed_methods, reason = "the one place that dials: a judged address")]
async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // A request is written in one piece; waiting to join it with more would only delay it.
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn forbidden() -> Error {
    Error::new(Code::EgressForbidden, FORBIDDEN).before_sending()
}

fn unresolved(error: io::Error) -> Error {
    unreachable("its name was not found").caused_by(error)
}

fn unreachable(why: &str) -> Error {
    Error::new(
        Code::UpstreamUnreachable,
        format!("The upstream cannot be reached: {why}. Check host and port."),
    )
    .retry(Retry::Backoff)
    .before_sending()
}

fn not_in_time(within: Duration) -> Error {
    connect_timeout("let us connect", within)
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;

    use super::*;

    const TENANT: TenantId = TenantId::from_bytes([1; 16]);

    /// Answers every name with the same addresses.
    struct Answers(Vec<IpAddr>);

    impl Resolve for Answers {
        fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
            let answers = self.0.clone();
            Box::pin(async move { Ok(answers) })
        }
    }

    async fn judged(answers: &[&str]) -> Result<Vec<SocketAddr>> {
        let answers = answers.iter().map(|text| text.parse().expect("an address")).collect();
        Egress::new(EgressPolicy::default(), Arc::new(Answers(answers)))
            .judged(TENANT, "api.example", 443)
            .await
    }

    #[tokio::test]
    async fn n2_one_forbidden_answer_refuses_the_name() {
        let public = judged(&["93.184.216.34", "2606:4700::1"]).await.unwrap();
        assert_eq!(
            public,
            [
                "93.184.216.34:443".parse().unwrap(),
                "[2606:4700::1]:443".parse().unwrap()
            ]
        );
        for mixed in [
            ["93.184.216.34", "10.0.0.1"],
            ["127.0.0.1", "93.184.216.34"],
            ["93.184.216.34", "fe80::1"],
            ["2606:4700::1", "::ffff:169.254.169.254"],
        ] {
            let error = judged(&mixed).await.unwrap_err();
            assert_eq!(
                (error.code(), error.detail()),
                (Code::EgressForbidden, FORBIDDEN),
                "{mixed:?}"
            );
            assert!(error.nothing_sent());
        }
    }

    /// N5: a detour leads where the operator says and nowhere else, and the address there is judged like any other.
    #[tokio::test]
    async fn n5_a_detour_is_judged_where_it_leads() {
        let judged = async |loopback, to: &str, host: &str, port| {
            let policy = EgressPolicy {
                detours: vec![Detour::parse(&format!("API.example:443={to}")).unwrap()],
                loopback,
                ..EgressPolicy::default()
            };
            let elsewhere = vec!["93.184.216.34".parse().unwrap()];
            let egress = Egress::new(policy, Arc::new(Answers(elsewhere)));
            egress.judged(TENANT, host, port).await
        };
        let public = judged(false, "8.8.8.8:8443", "api.example", 443).await.unwrap();
        assert_eq!(public, ["8.8.8.8:8443".parse().unwrap()]);
        for (host, port) in [("api.example", 80), ("other.example", 443), ("www.api.example", 443)] {
            let told = judged(false, "8.8.8.8:8443", host, port).await.unwrap();
            assert_eq!(told[0].ip().to_string(), "93.184.216.34", "{host}:{port}");
        }
        for closed in ["10.0.0.1:8443", "127.0.0.1:8443", "169.254.169.254:80"] {
            let error = judged(false, closed, "api.example", 443).await.unwrap_err();
            assert_eq!(error.code(), Code::EgressForbidden, "{closed}");
        }
        assert!(judged(true, "127.0.0.1:8443", "api.example", 443).await.is_ok());
        assert!(judged(true, "169.254.169.254:80", "api.example", 443).await.is_err());
    }

    #[tokio::test]
    async fn q2_our_own_database_is_refused_by_whatever_name() {
        let resolved = |text: &str| text.parse::<IpAddr>().expect("an address");
        let judged = async |own: &str, answers: Vec<IpAddr>, host: &str, port: u16| {
            let policy = EgressPolicy {
                allow: vec![Allow::net("10.0.0.0/8").unwrap()],
                loopback: true,
                own_database: vec![(own.to_owned(), 5432)],
                ..EgressPolicy::default()
            };
            let judge = Egress::new(policy, Arc::new(Answers(answers)));
            judge.judged(TENANT, host, port).await.is_ok()
        };
        let here = vec![resolved("10.1.2.3")];
        assert!(!judged("db.internal", here.clone(), "db.internal", 5432).await);
        assert!(!judged("db.internal", here.clone(), "another.name.example", 5432).await);
        assert!(!judged("db.internal", here.clone(), "10.1.2.3", 5432).await);
        assert!(!judged("10.1.2.3", here.clone(), "db.internal", 5432).await);
        // Another port, or another address, is another server.
        assert!(judged("db.internal", here.clone(), "10.1.2.3", 5433).await);
        assert!(judged("db.internal", here.clone(), "10.1.2.4", 5432).await);
        // While nobody knows where it is, it may be anywhere.
        assert!(!judged("db.internal", Vec::new(), "10.1.2.4", 5432).await);
        // On this machine every loopback address leads to it.
        for host in ["127.0.0.1", "127.9.9.9", "::1", "2130706433"] {
            assert!(!judged("127.0.0.1", Vec::new(), host, 5432).await, "{host}");
            assert!(judged("127.0.0.1", Vec::new(), host, 5433).await, "{host}");
        }
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_unreachable() {
        let egress = Egress::new(EgressPolicy::default(), Arc::new(Answers(Vec::new())));
        let error = egress
            .dial(TENANT, "api.example", 443, limits::CONNECT)
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::UpstreamUnreachable);
        assert_eq!(error.retry_hint(), Retry::Backoff);
        assert!(error.nothing_sent());
    }
}
