//! Reading one value.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use tieline::MasterKey;
use url::{Host, Url};

/// The addresses listed as ours, and those that are plain to see: where we listen, and where people reach us.
pub(super) fn own_addresses(mut listed: Vec<IpAddr>, listen: SocketAddr, public_url: Option<&Url>) -> Vec<IpAddr> {
    let public = public_url.and_then(|url| match url.host()? {
        Host::Ipv4(address) => Some(IpAddr::from(address)),
        Host::Ipv6(address) => Some(IpAddr::from(address)),
        Host::Domain(_) => None,
    });
    for address in [Some(listen.ip()), public].into_iter().flatten() {
        if !address.is_unspecified() && !listed.contains(&address) {
            listed.push(address);
        }
    }
    listed
}

/// A path that is one.
pub(super) fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty() && !text.contains('\0')).then(|| text.into())
}

/// What the name of a variable is, to whom another was given.
pub(super) const VARIABLE_NAME: &str =
    "the name of an environment variable: letters, digits and `_`, not the secret itself";

/// A name as shells can write it. People paste the key or the passphrase itself here; it must not be shown then.
pub(super) fn variable_name(text: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let name = !text.is_empty() && text.bytes().all(fits) && !text.starts_with(|first: char| first.is_ascii_digit());
    (name && MasterKey::parse(text).is_err()).then(|| text.to_owned())
}

/// Where people may reach us.
pub(super) fn public_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    (matches!(url.scheme(), "http" | "https") && plain).then_some(url)
}
