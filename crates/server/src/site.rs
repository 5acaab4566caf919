//! Where this server is reached: as configured, and never as a request says.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use url::Url;

use crate::local::for_this_machine;

/// Our own addresses, as browsers name them.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// What links begin with.
    base: String,
    /// The origins (RFC 6454) that pages of ours have.
    origins: Vec<String>,
}

impl Site {
    /// The site of `server.public_url`, and no other if that is set: another program of this machine may have a page on
    /// loopback. Else that of a listener; one on loopback, or on all addresses, is reached from this machine by the names
    /// of loopback too.
    pub fn new(public_url: Option<&Url>, listen: SocketAddr) -> Self {
        if let Some(url) = public_url {
            return Self {
                base: url.as_str().trim_end_matches('/').to_owned(),
                origins: vec![url.origin().ascii_serialization()],
            };
        }
        let base = format!("http://{}", for_this_machine(listen));
        let mut names = vec![base.clone()];
        if listen.ip().is_loopback() || listen.ip().is_unspecified() {
            let port = listen.port();
            names.push(format!("http://localhost:{port}"));
            names.push(format!("http://{}", SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
            names.push(format!("http://{}", SocketAddr::from((Ipv6Addr::LOCALHOST, port))));
        }
        let origins = names.iter().filter_map(|name| Url::parse(name).ok());
        let origins = origins.map(|url| url.origin().ascii_serialization()).collect();
        Self { base, origins }
    }

    /// The address of a path.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Whether an `Origin` is that of our own pages.
    pub(crate) fn is_own(&self, origin: &str) -> bool {
        self.origins.iter().any(|own| own == origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(public_url: &str, listen: &str) -> Site {
        let url = Url::parse(public_url).ok();
        Site::new(url.as_ref(), listen.parse().unwrap())
    }

    #[test]
    fn links_begin_where_people_reach_us() {
        let page = |public_url: &str, listen: &str| site(public_url, listen).link("/setup");
        assert_eq!(page("", "127.0.0.1:8080"), "http://127.0.0.1:8080/setup");
        assert_eq!(page("", "0.0.0.0:8080"), "http://127.0.0.1:8080/setup");
        assert_eq!(page("https://t.example/", "127.0.0.1:8080"), "https://t.example/setup");
        assert_eq!(
            page("https://t.example/in/", "127.0.0.1:8080"),
            "https://t.example/in/setup"
        );
    }

    #[test]
    fn k5_our_origins_are_exact() {
        let behind = site("https://T.example:443/in", "127.0.0.1:8080");
        assert!(behind.is_own("https://t.example"));
        let bare = site("", "127.0.0.1:8080");
        for local in ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"] {
            assert!(bare.is_own(local), "{local}");
            assert!(!behind.is_own(local), "{local} is anybody's on this machine");
        }
        for other in [
            "null",
            "",
            "http://t.example",
            "https://t.example.evil.example",
            "https://t.example:8443",
            "http://127.0.0.1:8081",
            "http://localhost",
            "https://localhost:8080",
        ] {
            assert!(!behind.is_own(other) && !bare.is_own(other), "{other}");
        }
        assert!(site("", "10.0.0.7:80").is_own("http://10.0.0.7"));
        assert!(!site("", "10.0.0.7:80").is_own("http://localhost"));
    }
}
