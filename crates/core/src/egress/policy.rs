//! What an operator opens and closes.

use std::net::IpAddr;

use super::{
    addresses::{self, Reach},
    detour::Detour,
    network::Network,
    target::Host,
};
use crate::{
    error::{Code, Error, Result},
    id::TenantId,
};

/// What is open beyond the public internet, and what of it is closed. The default opens nothing.
#[derive(Debug, Clone, Default)]
pub struct EgressPolicy {
    /// Chosen private addresses. Never opens loopback, link-local or metadata addresses.
    pub allow: Vec<Allow>,
    /// Opens loopback to every tenant. Right only where the process itself listens on loopback alone.
    pub loopback: bool,
    /// Public addresses of this machine, refused like private ones. Private interface addresses need no entry: their
    /// ranges are forbidden as they are.
    pub own: Vec<IpAddr>,
    /// Names that are reached somewhere else than the resolver says. They open nothing.
    pub detours: Vec<Detour>,
    /// Hosts and ports of the database that holds our own data. Nobody is connected to it, by whatever name or address.
    pub own_database: Vec<(String, u16)>,
}

/// One opening: a network, narrowed by port, tenant and host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// Which addresses.
    pub net: Network,
    /// Only this port.
    pub port: Option<u16>,
    /// Only for this tenant.
    pub tenant: Option<TenantId>,
    /// Only when reached by this name, compared without regard to case.
    pub host: Option<String>,
}

/// Where a connection is to go, for the judge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) tenant: TenantId,
    pub(super) host: &'a str,
    pub(super) port: u16,
}

impl Allow {
    /// Opens a network, as [`Network::parse`] reads it.
    pub fn net(text: &str) -> Result<Self> {
        Ok(Self {
            net: Network::parse(text)?,
            port: None,
            tenant: None,
            host: None,
        })
    }

    /// Opens a network as [`net`](Self::net) reads it, narrowed by what follows: `10.1.0.0/16 port=5432 host=db.internal
    /// tenant=ten_…`.
    ///
    /// # Errors
    /// `CONFIG_INVALID`.
    pub fn parse(text: &str) -> Result<Self> {
        let mut words = text.split_ascii_whitespace();
        let mut allow = Self::net(words.next().unwrap_or_default())?;
        for word in words {
            let narrowed = match word.split_once('=') {
                Some(("port", port)) if allow.port.is_none() => {
                    allow.port = port.parse().ok().filter(|port| *port != 0);
                    allow.port.is_some()
                }
                Some(("tenant", tenant)) if allow.tenant.is_none() => {
                    allow.tenant = tenant.parse().ok();
                    allow.tenant.is_some()
                }
                // As the judge will see it.
                Some(("host", host)) if allow.host.is_none() => {
                    allow.host = Host::parse(host).ok().map(|host| host.to_string());
                    allow.host.is_some()
                }
                _ => false,
            };
            if !narrowed {
                let detail = "An opening is a network, then at most one each of `port=`, `host=` and `tenant=`, such as \
                              `10.1.0.0/16 port=5432 host=db.internal`.";
                return Err(Error::new(Code::ConfigInvalid, detail));
            }
        }
        Ok(allow)
    }

    fn opens(&self, asked: Asked<'_>, address: IpAddr) -> bool {
        self.net.holds(address)
            && self.port.is_none_or(|port| port == asked.port)
            && self.tenant.is_none_or(|tenant| tenant == asked.tenant)
            && self
                .host
                .as_deref()
                .is_none_or(|host| host.eq_ignore_ascii_case(asked.host))
    }
}

impl EgressPolicy {
    /// Whether we may connect to this address. What an IPv6 address wraps must be open too, so that an opening of
    /// `64:ff9b::/96` does not open the private networks behind the translator.
    pub(super) fn permits(&self, asked: Asked<'_>, address: IpAddr) -> bool {
        self.permits_one(asked, address)
            && addresses::wrapped(address).all(|inside| {
                let inside = IpAddr::V4(inside);
                addresses::reach(inside) != Reach::Loopback && self.permits_one(asked, inside)
            })
    }

    fn permits_one(&self, asked: Asked<'_>, address: IpAddr) -> bool {
        let opened = || self.allow.iter().any(|allow| allow.opens(asked, address));
        match addresses::reach(address) {
            Reach::Public => !self.own.contains(&address) || opened(),
            Reach::Closed => opened(),
            Reach::Loopback => self.loopback,
            Reach::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: TenantId = TenantId::from_bytes([1; 16]);
    const THEIRS: TenantId = TenantId::from_bytes([2; 16]);

    fn asked(tenant: TenantId, host: &str, port: u16) -> Asked<'_> {
        Asked { tenant, host, port }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn n5_an_opening_is_as_narrow_as_it_says() {
        let policy = EgressPolicy {
            allow: vec![Allow {
                port: Some(5432),
                tenant: Some(OURS),
                host: Some("db.example".to_owned()),
                ..Allow::net("10.1.0.0/16").unwrap()
            }],
            ..EgressPolicy::default()
        };
        let open = |tenant, host, port, to| policy.permits(asked(tenant, host, port), address(to));
        assert!(open(OURS, "DB.example", 5432, "10.1.2.3"));
        assert!(!open(THEIRS, "db.example", 5432, "10.1.2.3"));
        assert!(!open(OURS, "db.example", 5433, "10.1.2.3"));
        assert!(!open(OURS, "other.example", 5432, "10.1.2.3"));
        assert!(!open(OURS, "db.example", 5432, "10.2.0.1"));
        assert!(!open(OURS, "db.example", 5432, "::ffff:10.1.2.3"));
    }

    #[test]
    fn n5_no_opening_reaches_loopback_link_local_or_metadata() {
        let policy = EgressPolicy {
            allow: vec![Allow::net("0.0.0.0/0").unwrap(), Allow::net("::/0").unwrap()],
            ..EgressPolicy::default()
        };
        for never in [
            "127.0.0.1",
            "::1",
            "0.0.0.0",
            "169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "fd00:ec2::253",
            "fd00:ec2:1::1",
            "168.63.129.16",
            "192.0.0.192",
            "::ffff:127.0.0.1",
            "64:ff9b::169.254.169.254",
            "2002:7f00:1::",
            "224.0.0.1",
        ] {
            assert!(!policy.permits(asked(OURS, "x", 80), address(never)), "{never}");
        }
        assert!(policy.permits(asked(OURS, "x", 80), address("10.0.0.1")));
    }

    #[test]
    fn n5_loopback_opens_loopback_alone_and_not_through_a_wrapping() {
        let policy = EgressPolicy {
            allow: vec![Allow::net("::/0").unwrap()],
            loopback: true,
            ..EgressPolicy::default()
        };
        assert!(policy.permits(asked(OURS, "x", 80), address("127.0.0.1")));
        assert!(policy.permits(asked(OURS, "x", 80), address("::1")));
        assert!(!policy.permits(asked(OURS, "x", 80), address("::ffff:127.0.0.1")));
        assert!(!policy.permits(asked(OURS, "x", 80), address("10.0.0.1")));
    }

    #[test]
    fn n5_an_opened_translator_opens_nothing_private_behind_it() {
        let policy = EgressPolicy {
            allow: vec![Allow::net("64:ff9b::/96").unwrap()],
            ..EgressPolicy::default()
        };
        assert!(policy.permits(asked(OURS, "x", 443), address("64:ff9b::8.8.8.8")));
        assert!(!policy.permits(asked(OURS, "x", 443), address("64:ff9b::10.0.0.1")));
    }

    #[test]
    fn n3_our_own_public_address_is_refused() {
        let policy = EgressPolicy {
            own: vec![address("8.8.4.4")],
            ..EgressPolicy::default()
        };
        assert!(!policy.permits(asked(OURS, "x", 443), address("8.8.4.4")));
        assert!(policy.permits(asked(OURS, "x", 443), address("8.8.8.8")));
    }

    #[test]
    fn n5_an_opening_is_read_with_what_narrows_it() {
        let all = format!(" 10.1.0.0/16  host=db.internal tenant={OURS} port=5432 ");
        let narrow = Allow {
            port: Some(5432),
            tenant: Some(OURS),
            host: Some("db.internal".to_owned()),
            ..Allow::net("10.1.0.0/16").unwrap()
        };
        assert_eq!(Allow::parse(&all).unwrap(), narrow);
        assert_eq!(Allow::parse("fd00::5").unwrap(), Allow::net("fd00::5").unwrap());
        for (written, judged) in [
            ("DB.Internal", "db.internal"),
            ("bücher.internal", "xn--bcher-kva.internal"),
            ("0xa.1", "10.0.0.1"),
        ] {
            let allow = Allow::parse(&format!("10.0.0.0/8 host={written}")).unwrap();
            assert_eq!(allow.host.as_deref(), Some(judged));
            assert_eq!(
                Host::parse(written).unwrap().to_string(),
                judged,
                "the judge sees the same"
            );
        }
        for wrong in [
            "",
            "port=5432",
            "10.1.0.0/16 5432",
            "10.1.0.0/16 port=",
            "10.1.0.0/16 port=0",
            "10.1.0.0/16 port=65536",
            "10.1.0.0/16 port=1 port=2",
            "10.1.0.0/16 host=",
            "10.1.0.0/16 host=a/b",
            "10.1.0.0/16 tenant=default",
            "10.1.0.0/16 Port=1",
            "10.1.0.0/16 10.2.0.0/16",
        ] {
            assert_eq!(Allow::parse(wrong).unwrap_err().code(), Code::ConfigInvalid, "{wrong}");
        }
    }
}
