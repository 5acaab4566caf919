//! From where a key may be used.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ApiKey;
use crate::{
    egress::Network,
    error::{Code, Error, Result},
    limits::MAX_KEY_NETWORKS,
};

/// From where a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The address itself.
    pub address: IpAddr,
    /// Whom it counts for: the address, or the network of its customer.
    pub counts_as: IpAddr,
}

/// What comes over no connection comes from this machine.
pub(super) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A network that a key may be used from: an address (`203.0.113.7`), or one with a prefix (`10.0.0.0/8`, `2001:db8::/32`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyNetwork(Network);

impl JsonSchema for KeyNetwork {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "KeyNetwork".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "maxLength": 43,
            "description": "An address, or a network with its prefix, such as `203.0.113.0/24`.",
        })
    }
}

impl TryFrom<String> for KeyNetwork {
    type Error = Error;

    /// Requests that came over IPv4 are known by their IPv4 address, however it was written: so are networks.
    fn try_from(text: String) -> Result<Self> {
        let network = Network::parse(&text)?;
        Ok(Self(network.mapped().unwrap_or(network)))
    }
}

impl From<KeyNetwork> for String {
    fn from(network: KeyNetwork) -> Self {
        network.to_string()
    }
}

impl fmt::Display for KeyNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether the second list opens nothing that the first does not; no list opens everything.
pub fn covers(wide: Option<&[KeyNetwork]>, narrow: Option<&[KeyNetwork]>) -> bool {
    let Some(wide) = wide else { return true };
    let inside = |network: &KeyNetwork| wide.iter().any(|own| own.0.covers(&network.0));
    narrow.is_some_and(|narrow| narrow.iter().all(inside))
}

impl ApiKey {
    /// Refuses a request from an address that the key may not be used from.
    ///
    /// # Errors
    /// `NETWORK_NOT_ALLOWED`.
    pub fn may_come_from(&self, address: IpAddr) -> Result<()> {
        let address = address.to_canonical();
        match &self.allowed_networks {
            Some(networks) if !networks.iter().any(|network| network.0.holds(address)) => {
                let detail = format!(
                    "This key may not be used from {address}. Send the request from one of its `allowedNetworks`, or have them changed."
                );
                Err(Error::new(Code::NetworkNotAllowed, detail))
            }
            _ => Ok(()),
        }
    }
}

/// Refuses lists that open nothing, and such as are too long to look through with every request.
pub(super) fn check(networks: Option<&[KeyNetwork]>) -> Result<()> {
    let message = match networks {
        Some([]) => "is empty, so nobody could use the key; leave it out, or send `null`, for everywhere".to_owned(),
        Some(networks) if networks.len() > MAX_KEY_NETWORKS => format!("has more than {MAX_KEY_NETWORKS} networks"),
        _ => return Ok(()),
    };
    let detail = "The networks of the key are not usable: see `fields`.";
    Err(Error::new(Code::RequestInvalid, detail).field("/allowedNetworks", message))
}

/// As they are stored.
pub(super) fn text(networks: Option<&[KeyNetwork]>) -> Result<Option<String>> {
    let text = networks.map(serde_json::to_string).transpose();
    text.map_err(|error| Error::internal("a list of networks does not serialise", error))
}

/// Reads what was stored.
pub(super) fn stored(text: Option<&str>) -> Result<Option<Vec<KeyNetwork>>> {
    let networks = text.map(serde_json::from_str).transpose();
    networks.map_err(|error| Error::internal("a stored list of networks does not parse", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<KeyNetwork> {
        texts
            .iter()
            .map(|text| KeyNetwork::try_from((*text).to_owned()).unwrap())
            .collect()
    }

    #[test]
    fn k1_a_list_covers_what_is_inside_it_and_nothing_else() {
        let wide = networks(&["10.0.0.0/8", "2001:db8::/32"]);
        for (narrow, inside) in [
            (&["10.0.0.0/8"][..], true),
            (&["10.1.2.3", "2001:db8:1::/48"], true),
            (&["::ffff:10.1.0.0/112"], true),
            (&["10.0.0.0/7"], false),
            (&["10.1.2.3", "192.0.2.1"], false),
            (&["0.0.0.0/0"], false),
            (&["::/0"], false),
        ] {
            let narrow = networks(narrow);
            assert_eq!(covers(Some(&wide), Some(&narrow)), inside, "{narrow:?}");
            assert!(covers(None, Some(&narrow)));
        }
        assert!(!covers(Some(&wide), None) && covers(None, None));
    }

    #[test]
    fn k1_networks_are_read_as_they_are_meant() {
        assert_eq!(networks(&["::ffff:192.0.2.0/120"]), networks(&["192.0.2.0/24"]));
        assert_eq!(String::from(networks(&["203.0.113.7"])[0]), "203.0.113.7/32");
        for wrong in [
            "",
            "everywhere",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "fe80::1%eth0",
            " 10.0.0.1",
        ] {
            assert!(KeyNetwork::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
