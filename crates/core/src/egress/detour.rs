//! Names that are reached somewhere else than the resolver says.

use std::net::SocketAddr;

use super::target::Host;
use crate::error::{Code, Error, Result};

/// A name and port that are reached at another address: through a relay of the operator's. What is said there does not
/// change, and neither does the name that its certificate must be for; the address is judged like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detour {
    host: String,
    port: u16,
    pub(super) to: SocketAddr,
}

impl Detour {
    /// Reads a detour: `api.acme.example:443=10.1.2.3:8443`.
    ///
    /// # Errors
    /// `CONFIG_INVALID`.
    pub fn parse(text: &str) -> Result<Self> {
        let read = || {
            let (from, to) = text.split_once('=')?;
            let (host, port) = from.rsplit_once(':')?;
            let host = match Host::parse(host).ok()? {
                Host::Name(name) => name,
                // An address is what it says.
                Host::Address(_) => return None,
            };
            let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
            let to: SocketAddr = to.parse().ok().filter(|to: &SocketAddr| to.port() != 0)?;
            Some(Self { host, port, to })
        };
        read().ok_or_else(|| {
            let detail = "A detour is a name with its port, and the address with the port where it is reached instead, such as \
                          `api.acme.example:443=10.1.2.3:8443`.";
            Error::new(Code::ConfigInvalid, detail)
        })
    }

    pub(super) fn is_for(&self, host: &Host, port: u16) -> bool {
        matches!(host, Host::Name(name) if *name == self.host) && self.port == port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detour_names_both_ends_whole() {
        let detour = Detour::parse("API.example:443=[::1]:8443").unwrap();
        let expected = Detour {
            host: "api.example".to_owned(),
            port: 443,
            to: "[::1]:8443".parse().unwrap(),
        };
        assert_eq!(detour, expected);
        for wrong in [
            "",
            "api.example:443",
            "api.example=127.0.0.1:1",
            "api.example:443=127.0.0.1",
            "api.example:0=127.0.0.1:1",
            "api.example:443=127.0.0.1:0",
            "api.example:443=localhost:1",
            "10.0.0.1:443=127.0.0.1:1",
            "https://api.example:443=127.0.0.1:1",
        ] {
            assert_eq!(Detour::parse(wrong).unwrap_err().code(), Code::ConfigInvalid, "{wrong}");
        }
    }
}
