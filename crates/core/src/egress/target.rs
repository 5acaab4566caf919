//! A URL that was read once.
//!
//! The text is checked before the parser sees it, because the WHATWG parser mends what we refuse: it drops tabs and
//! line breaks, turns backslashes, accepts missing slashes and decodes percent signs in hosts.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use tieline_manifest::HostRule;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    error::{Code, Error, Result},
    limits,
};

/// An absolute HTTP URL in its parts. Only [`Egress::judge_url`](super::Egress::judge_url) makes one, and every request
/// needs one.
#[derive(Clone)]
pub struct Target {
    https: bool,
    host: Host,
    port: u16,
    /// May hold secrets.
    path_and_query: Zeroizing<String>,
}

/// A host: an address, or a name in lower case ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Address(IpAddr),
    Name(String),
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self> {
        if text.len() > limits::URL_BYTES {
            return Err(refused(format!("it is over {} bytes", limits::URL_BYTES)));
        }
        if text
            .chars()
            .any(|letter| letter.is_control() || letter.is_whitespace() || letter == '\\')
        {
            return Err(refused("it holds a space, a control character or a backslash"));
        }
        let host = Host::parse(host_of(authority(text)?)?)?;
        let url = Url::parse(text).map_err(|_| refused("it cannot be read as a URL"))?;
        // The two readings of the host must be one.
        if url.host().map(Host::of_url) != Some(host.clone()) {
            return Err(refused("its host can be read in two ways"));
        }
        let port = url.port_or_known_default().filter(|port| *port != 0);
        Ok(Self {
            https: url.scheme() == "https",
            host,
            port: port.ok_or_else(|| refused("its port is 0"))?,
            path_and_query: path_and_query(url),
        })
    }

    /// Whether the connection is TLS.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host: a name in lower case ASCII, or an address (IPv6 without brackets).
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the host is the one named, or, for `*.example.com`, lies below it.
    pub fn is_on(&self, pattern: &str) -> bool {
        HostRule::parse(pattern).is_some_and(|rule| rule.matches(&self.host()))
    }

    /// Host and port as a request carries them: the port only where it is not the scheme's own.
    pub(crate) fn authority(&self) -> String {
        let host = match &self.host {
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
            other => other.to_string(),
        };
        match (self.https, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// The same target with path and query as they stand in `text`, which is the URL that was read: readers of URLs
    /// write some characters anew.
    pub(crate) fn verbatim(self, text: &str) -> Self {
        let rest = text.split_once("://").map_or("", |(_, rest)| rest);
        let rest = rest.find(['/', '?', '#']).map_or("", |begin| &rest[begin..]);
        let rest = rest.split('#').next().unwrap_or_default();
        let slash = if rest.starts_with('/') { "" } else { "/" };
        let mut path_and_query = Zeroizing::new(String::with_capacity(rest.len() + slash.len()));
        path_and_query.push_str(slash);
        path_and_query.push_str(rest);
        Self { path_and_query, ..self }
    }

    pub(crate) fn path_and_query(&self) -> &Zeroizing<String> {
        &self.path_and_query
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target(..)")
    }
}

impl Host {
    /// Reads a name or an address in any form of the WHATWG URL standard (decimal, octal, hexadecimal, shortened IPv4),
    /// IPv6 with or without brackets.
    pub(super) fn parse(text: &str) -> Result<Self> {
        // A percent sign begins a zone id or hides another character.
        if text.is_empty() || text.contains(|letter: char| letter == '%' || letter == '\\' || letter.is_control()) {
            return Err(refused(
                "its host is empty or holds `%`, a backslash or a control character",
            ));
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        if bare.contains(':') {
            let address = bare
                .parse::<Ipv6Addr>()
                .map_err(|_| refused("its host is not an IPv6 address"))?;
            return Ok(Self::Address(address.into()));
        }
        let host = url::Host::parse(text).map_err(|_| refused("its host is not a name or an address"))?;
        match Self::of_url(host) {
            Self::Name(name) if name.is_empty() || name.len() > limits::HOST_BYTES => Err(refused(format!(
                "its host is empty or over {} bytes",
                limits::HOST_BYTES
            ))),
            host => Ok(host),
        }
    }

    fn of_url<S: AsRef<str>>(host: url::Host<S>) -> Self {
        match host {
            url::Host::Ipv4(address) => Self::Address(address.into()),
            url::Host::Ipv6(address) => Self::Address(address.into()),
            // The dot of the root says the same name.
            url::Host::Domain(name) => {
                let name = name.as_ref();
                Self::Name(name.strip_suffix('.').unwrap_or(name).to_owned())
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// What stands between the two slashes and the path.
fn authority(text: &str) -> Result<&str> {
    let (scheme, rest) = text
        .split_once("://")
        .ok_or_else(|| refused("it is not an absolute URL"))?;
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return Err(refused("its scheme is neither https nor http"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    if authority.contains('@') {
        return Err(refused(
            "it carries a user name; use the connector's authentication instead",
        ));
    }
    Ok(authority)
}

/// The host of an authority, without its port.
fn host_of(authority: &str) -> Result<&str> {
    let end = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    let port = port.strip_prefix(':').unwrap_or(port);
    if !port.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(refused("its port is not a number"));
    }
    Ok(host)
}

/// Moves path and query out, so that the only copy of a secret in them is wiped.
fn path_and_query(url: Url) -> Zeroizing<String> {
    let text = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let moved = Zeroizing::new(text.to_owned());
    drop(Zeroizing::new(String::from(url)));
    moved
}

/// The URL's form is wrong. The text is not shown: it may hold secrets.
fn refused(why: impl fmt::Display) -> Error {
    Error::new(
        Code::EgressForbidden,
        format!("The URL is not one we send to: {why}. Write it as `https://host/path`."),
    )
    .before_sending()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_parts() {
        let target = Target::parse("HTTPS://API.Example:8443/a/%2e%2e/b?q=1#fragment").unwrap();
        assert!(target.is_https());
        assert_eq!((target.host().as_str(), target.port()), ("api.example", 8443));
        assert_eq!(target.authority(), "api.example:8443");
        assert_eq!(target.path_and_query().as_str(), "/b?q=1");
        assert_eq!(Target::parse("http://[::1]:80").unwrap().authority(), "[::1]");
        assert_eq!(
            Target::parse("http://b\u{fc}cher.example./").unwrap().host(),
            "xn--bcher-kva.example"
        );
        assert_eq!(
            Target::parse("https://api.example?q")
                .unwrap()
                .path_and_query()
                .as_str(),
            "/?q"
        );
    }

    #[test]
    fn verbatim_keeps_every_character() {
        for (url, sent) in [
            ("https://api.example", "/"),
            ("https://api.example?q", "/?q"),
            (
                "https://api.example//a%2fb/{c}|\"'/%ff?q=^`<>[]\"&x=/#f",
                "//a%2fb/{c}|\"'/%ff?q=^`<>[]\"&x=/",
            ),
        ] {
            let target = Target::parse(url).unwrap().verbatim(url);
            assert_eq!(target.path_and_query().as_str(), sent);
        }
    }

    #[test]
    fn n5_hosts_match_whole_or_below_a_parent() {
        let on = |url: &str, pattern| Target::parse(url).unwrap().is_on(pattern);
        assert!(on("https://api.example/", "API.example."));
        assert!(on("https://a.b.example/", "*.example"));
        assert!(on("https://b\u{fc}cher.example/", "b\u{fc}cher.example"));
        assert!(on("https://[::1]/", "[0:0::1]"));
        for (url, pattern) in [
            ("https://api.example/", "example"),
            ("https://example/", "*.example"),
            ("https://evilexample/", "*.example"),
            ("https://api.example.evil/", "*.example"),
            ("https://api.example/", "*"),
            ("https://api.example/", ""),
            ("https://1.2.3.4/", "*.3.4"),
        ] {
            assert!(!on(url, pattern), "{url} {pattern}");
        }
    }

    #[test]
    fn n2_odd_ipv4_forms_are_the_address_they_are() {
        let expected = Host::Address("127.0.0.1".parse().unwrap());
        for odd in [
            "2130706433",
            "017700000001",
            "0x7f000001",
            "0x7f.1",
            "127.1",
            "0177.0.0.01",
            "127.0.0.1.",
            "\u{ff11}27.0.0.1",
        ] {
            assert_eq!(Host::parse(odd).unwrap(), expected, "{odd}");
        }
        for broken in ["256.0.0.1", "1.2.3.4.5", "0x100000000", "127.0.0.08", "a.b.c.4"] {
            assert!(Host::parse(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn r3_debug_and_errors_show_nothing_of_the_url() {
        let target = Target::parse("https://secret.example/token").unwrap();
        assert_eq!(format!("{target:?}"), "Target(..)");
        let error = Target::parse("ftp://secret.example/token").unwrap_err();
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}
