//! A network, as operators write it.

use std::{fmt, net::IpAddr};

use super::addresses;
use crate::error::{Code, Error, Result};

/// A block of addresses: those that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads an address (`10.1.2.3`), which is a network of one, or a network with its prefix (`10.0.0.0/8`, `fd00::/8`).
    ///
    /// # Errors
    /// `CONFIG_INVALID`; where an address and a network are named at once, with a field that says what may be meant.
    pub fn parse(text: &str) -> Result<Self> {
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(net, prefix)| (net, Some(prefix)));
        let first = address.parse::<IpAddr>().ok();
        let longest = if matches!(first, Some(IpAddr::V4(_))) { 32 } else { 128 };
        let prefix = prefix.map_or(Some(longest), |prefix| prefix.parse().ok());
        match (first, prefix) {
            (Some(first), Some(prefix)) if prefix <= longest && addresses::first(first, prefix) != first => {
                let meant = format!(
                    "did you mean `{}/{prefix}` or `{first}`?",
                    addresses::first(first, prefix)
                );
                let detail = format!("`{text}` names an address and a network at once: {meant}");
                Err(Error::new(Code::ConfigInvalid, detail).field("", meant))
            }
            (Some(first), Some(prefix)) if prefix <= longest => Ok(Self { first, prefix }),
            _ => Err(Error::new(
                Code::ConfigInvalid,
                format!(
                    "`{text}` is not a network. Write an address or an address with a prefix, such as `10.0.0.0/8`."
                ),
            )),
        }
    }

    /// How many leading bits name it.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether all addresses of another network are in it.
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.holds(other.first)
    }

    /// Whether an address is in it; never across the families.
    pub fn holds(&self, address: IpAddr) -> bool {
        addresses::holds(self.first, self.prefix, address)
    }

    /// The IPv4 network that this one is a mapping of (`::ffff:10.0.0.0/104`), if it is one.
    pub fn mapped(&self) -> Option<Self> {
        let IpAddr::V6(first) = self.first else { return None };
        Some(Self {
            first: first.to_ipv4_mapped()?.into(),
            prefix: self.prefix.checked_sub(96)?,
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_or_refused() {
        assert_eq!(Network::parse("10.0.0.1").unwrap().prefix, 32);
        assert_eq!(Network::parse("fd00::/8").unwrap().prefix, 8);
        for wrong in [
            "",
            "10.0.0.0/33",
            "fd00::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "example.com",
            "10.0.0/8",
            "10.1.2.3/8",
            "10.0.0.1/31",
            "fd00::1/8",
            "0.0.0.1/0",
        ] {
            assert_eq!(
                Network::parse(wrong).unwrap_err().code(),
                Code::ConfigInvalid,
                "{wrong}"
            );
        }
        for whole in ["10.0.0.0/8", "10.0.0.2/31", "0.0.0.0/0", "::/0", "fd00::1/128"] {
            assert!(Network::parse(whole).is_ok(), "{whole}");
        }
        let hint = Network::parse("10.1.2.3/8").unwrap_err();
        assert!(
            hint.detail().ends_with("did you mean `10.0.0.0/8` or `10.1.2.3`?"),
            "{hint}"
        );
    }
}
