//! Which hosts a credential may be sent to.

use std::{fmt, net::Ipv6Addr};

use crate::{
    lint::{self, Lints},
    node::Spot,
};

/// A host, or all hosts below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRule {
    /// Exactly this host, in lower case.
    Exact(String),
    /// Every host that ends with a dot and this suffix, in lower case.
    Below(String),
}

impl HostRule {
    /// A host in any form that a URL takes (a name, an address, IPv6 with brackets or without), or `*.` and a name.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("*.") {
            Some(parent) => match canonical(parent)? {
                url::Host::Domain(name) => Some(Self::Below(name)),
                url::Host::Ipv4(_) | url::Host::Ipv6(_) => None,
            },
            None => canonical(text).map(|host| Self::Exact(host.to_string())),
        }
    }

    /// Whether a host, in any of these forms, is meant.
    pub fn matches(&self, host: &str) -> bool {
        match (self, canonical(host)) {
            (Self::Exact(exact), Some(host)) => host.to_string() == *exact,
            (Self::Below(suffix), Some(url::Host::Domain(name))) => name
                .strip_suffix(suffix.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|label| !label.is_empty()),
            // An address lies below nothing.
            (Self::Below(_), _) | (Self::Exact(_), None) => false,
        }
    }

    /// The same, but only what may stand in a list of allowed hosts: `*.com` would send a credential to anyone who buys a
    /// name.
    pub(crate) fn declared(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (name, below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text.as_str(), false),
        };
        let is_label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let enough = name.split('.').count() >= if below { 2 } else { 1 };
        Self::parse(&text).filter(|_| enough && name.split('.').all(is_label))
    }

    pub(crate) fn read(spot: &Spot<'_>, lints: &mut Lints) -> Option<Self> {
        let rule = Self::declared(&spot.text()?);
        if rule.is_none() {
            spot.lint(
                lints,
                lint::BAD_VALUE,
                "a host such as `api.acme.example` or `*.acme.example` is expected, without scheme, port and path",
            );
        }
        rule
    }
}

/// The host as the URL parser writes it, without the dot of the root.
fn canonical(text: &str) -> Option<url::Host> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return Some(url::Host::Ipv6(address));
    }
    url::Host::parse(bare).ok()
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // N5
    #[test]
    fn n5_a_host_rule_ends_at_label_borders() {
        let below = HostRule::Below("acme.example".to_owned());
        assert!(below.matches("a.acme.example") && below.matches("A.B.ACME.example."));
        for host in [
            "acme.example",
            "evilacme.example",
            ".acme.example",
            "acme.example.evil.test",
            "a.acme.example.evil",
        ] {
            assert!(!below.matches(host), "{host}");
        }
        assert_eq!(HostRule::parse("*.ACME.example."), Some(below));
        let exact = HostRule::Exact("acme.example".to_owned());
        assert!(exact.matches("Acme.Example"));
        assert!(!exact.matches("a.acme.example") && !exact.matches("acme.example.evil"));
    }

    #[test]
    fn n5_one_host_has_one_form() {
        for (rule, host) in [
            ("bücher.example", "xn--bcher-kva.example"),
            ("[0:0::1]", "::1"),
            ("::1", "[::1]"),
            ("127.1", "127.0.0.1"),
        ] {
            assert!(HostRule::parse(rule).unwrap().matches(host), "{rule} {host}");
        }
        for (rule, host) in [
            ("*.3.4", "1.2.3.4"),
            ("*", "a.example"),
            ("", "a.example"),
            ("*.", "a.example"),
        ] {
            assert!(
                !HostRule::parse(rule).is_some_and(|rule| rule.matches(host)),
                "{rule} {host}"
            );
        }
    }
}
