//! Where a request comes from: whom failed sign-ins, wrong keys and open requests count for, and what the audit log tells.
//!
//! That is the address its connection comes from. What a request says of itself is believed from one side only: a proxy of
//! the operator's own (`server.trusted_proxies`) adds the address it was asked from to `X-Forwarded-For`, on the right of
//! whatever its client wrote there. So the list is read from the right, past the operator's own proxies, and no further.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, request::Parts};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tieline::{
    Code, Error, Result,
    api_key::Origin,
    egress::Network,
    error::Retry,
    limits::OVERLOAD_RETRY_AFTER,
    shares::{Share, Shares},
};

use crate::{
    limits::{MAX_CONNECTIONS, MAX_CONNECTIONS_OF_PROXIES, MAX_CONNECTIONS_PER_SOURCE},
    openapi::Operation,
    route::{Extract, Request},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a connection comes from; noted when it is accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Whom a request counts for; noted when it is entered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source(pub(crate) IpAddr);

/// The address that a request comes from, all of it; noted when it is entered.
#[derive(Debug, Clone, Copy)]
struct Address(IpAddr);

impl Extract for Source {
    async fn extract(request: &mut Request) -> Result<Self> {
        // What comes over no connection comes from this machine.
        Ok(of(&request.head).unwrap_or(Self(Ipv4Addr::LOCALHOST.into())))
    }

    fn describe(_: &mut Operation<'_>) {}
}

/// Whom a request counts for, if it came over a connection.
pub(crate) fn of(head: &Parts) -> Option<Source> {
    head.extensions.get().copied()
}

/// The same with the address itself, which keys may be bound to.
pub(crate) fn origin(head: &Parts) -> Option<Origin> {
    let Address(address) = head.extensions.get().copied()?;
    Some(Origin {
        address,
        counts_as: of(head)?.0,
    })
}

/// Whom connections and requests count for, and how many of them may be open.
pub(crate) struct Sources {
    proxies: Vec<Network>,
    /// Connections from strangers, and requests under way that a proxy passes on: they cost us as much, and hold what a
    /// connection of their own would.
    open: Shares<IpAddr>,
    /// Connections from the operator's proxies, all of them together.
    proxied: Shares<IpAddr>,
}

impl Sources {
    /// Those behind these proxies.
    pub(crate) fn behind(proxies: Vec<Network>) -> Self {
        Self::bounded(proxies, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_SOURCE)
    }

    pub(crate) fn bounded(proxies: Vec<Network>, all: usize, each: usize) -> Self {
        Self {
            proxies,
            open: Shares::new(all, each),
            proxied: Shares::new(MAX_CONNECTIONS_OF_PROXIES, MAX_CONNECTIONS_OF_PROXIES),
        }
    }

    /// Room for a connection from this address, at once or not at all.
    pub(crate) fn hold(&self, peer: IpAddr) -> Option<Share<IpAddr>> {
        let supply = if self.is_proxy(peer) { &self.proxied } else { &self.open };
        supply.take(counted_as(peer), 1)
    }

    /// Notes whom a request counts for. One that a proxy passes on takes a share that a connection of its own would have
    /// taken; [`held`] keeps it until the answer was sent.
    ///
    /// # Errors
    /// `OVERLOADED` when as many requests of theirs are open as may be.
    pub(crate) fn enter(&self, head: &mut Parts) -> Result<Option<Share<IpAddr>>> {
        let Some(Peer(peer)) = head.extensions.get().copied() else {
            return Ok(None);
        };
        let forwarded = self.forwarded(peer, &head.headers);
        let address = forwarded.unwrap_or(peer).to_canonical();
        let source = counted_as(address);
        head.extensions.insert(Source(source));
        head.extensions.insert(Address(address));
        if forwarded.is_none() {
            return Ok(None);
        }
        self.open.take(source, 1).map(Some).ok_or_else(|| {
            let detail = "Too many requests from one address are open: read their answers, and try again in a moment.";
            Error::new(Code::Overloaded, detail)
                .retry(Retry::After(OVERLOAD_RETRY_AFTER))
                .before_sending()
        })
    }

    /// The address that our own proxies say a request comes from, if it comes from one of them and they say so.
    fn forwarded(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        if !self.is_proxy(peer) {
            return None;
        }
        // Several lines are one list (RFC 9110 section 5.3).
        let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
        let addresses = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for address in addresses {
            // Nobody knows what stands to the left of what cannot be read.
            let address = read(address)?;
            if !self.is_proxy(address) {
                return Some(address);
            }
        }
        None
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.proxies.iter().any(|network| network.holds(address))
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self::behind(Vec::new())
    }
}

/// A network for `server.trusted_proxies`. What is wrong may come with a hint.
pub(crate) fn proxies(text: &str) -> Result<Network, String> {
    let network = Network::parse(text).map_err(|error| {
        let hint = error.fields().first().map(|field| format!("; {}", field.message));
        hint.unwrap_or_default()
    })?;
    match network.mapped() {
        // Nobody is left whom a request could come from.
        _ if network.prefix() == 0 => Err("; this is everybody".to_owned()),
        Some(inside) => Err(format!("; did you mean `{inside}`?")),
        None => Ok(network),
    }
}

/// An address as proxies write it: alone, in brackets, or with the port it was asked from.
fn read(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => text.parse().ok(),
    };
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address| address.to_canonical())
}

/// Whom an address counts for: itself, or for IPv6 the network of 64 bits that one customer is given.
fn counted_as(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// The answer, which holds its share until all of it was sent.
pub(crate) fn held(response: Response, share: Option<Share<IpAddr>>) -> Response {
    match share {
        None => response,
        Some(share) => response.map(|inner| Body::new(Holding { inner, _share: share })),
    }
}

struct Holding {
    inner: Body,
    _share: Share<IpAddr>,
}

impl HttpBody for Holding {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(proxies: &[&str]) -> Sources {
        let networks = proxies.iter().map(|text| super::proxies(text).unwrap());
        Sources::bounded(networks.collect(), 9, 2)
    }

    /// Whom a request counts for that comes from there and says this.
    fn source(sources: &Sources, peer: &str, lines: &[&str]) -> String {
        let mut request = http::Request::new(());
        for line in lines {
            request.headers_mut().append(X_FORWARDED_FOR, line.parse().unwrap());
        }
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        let (mut head, ()) = request.into_parts();
        sources.enter(&mut head).unwrap();
        of(&head).unwrap().0.to_string()
    }

    #[test]
    fn l2_a_source_is_an_address_or_a_network_of_one_customer() {
        let sources = sources(&[]);
        for (peer, counted) in [
            ("127.0.0.1", "127.0.0.1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(source(&sources, peer, &[]), counted);
        }
    }

    #[test]
    fn k4_nobody_is_believed_but_the_operators_proxies() {
        let (nobody, ours) = (sources(&[]), sources(&["10.0.0.0/8", "fd00::5"]));
        for peer in ["203.0.113.9", "::ffff:203.0.113.9"] {
            assert_eq!(source(&ours, peer, &["198.51.100.1"]), "203.0.113.9");
        }
        assert_eq!(source(&nobody, "10.1.2.3", &["198.51.100.1"]), "10.1.2.3");
        assert_eq!(
            source(&ours, "fd00::6", &["198.51.100.1"]),
            "fd00::",
            "beside the proxy"
        );
        for peer in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::5"] {
            assert_eq!(source(&ours, peer, &["198.51.100.1"]), "198.51.100.1");
        }
    }

    #[test]
    fn k4_the_list_is_read_from_the_right_past_our_own_and_no_further() {
        let ours = sources(&["10.0.0.0/8", "2001:db8:f::/48"]);
        let from = |lines: &[&str]| source(&ours, "10.0.0.1", lines);
        for lines in [
            &["198.51.100.1"][..],
            &["  198.51.100.1\t"],
            &["192.0.2.66, 198.51.100.1"],
            &["nonsense,198.51.100.1 , 10.9.9.9"],
            &["192.0.2.66", "198.51.100.1"],
            &["192.0.2.66", "198.51.100.1, 10.9.9.9", "2001:db8:f::7"],
            &["192.0.2.66, 198.51.100.1", "::ffff:10.9.9.9"],
            &["::ffff:198.51.100.1"],
            &["198.51.100.1:50000, [2001:db8:f::7]:443, [2001:db8:f::8]"],
        ] {
            assert_eq!(from(lines), "198.51.100.1", "{lines:?}");
        }
        assert_eq!(from(&["2001:db8:1:2:3::4"]), "2001:db8:1:2::");
        // What cannot be read, or names none but our own, leaves the peer.
        for lines in [
            &[][..],
            &[""],
            &["198.51.100.1,"],
            &["198.51.100.1", ""],
            &["198.51.100.1, unknown"],
            &["198.51.100.1, _hidden, 10.9.9.9"],
            &["198.51.100.300"],
            &["198.51.100.1/32"],
            &["198.51.100.1 192.0.2.66"],
            &["[198.51.100.1]"],
            &["fe80::1%eth0"],
            &["10.9.9.9, 10.8.8.8"],
        ] {
            assert_eq!(from(lines), "10.0.0.1", "{lines:?}");
        }
    }

    #[test]
    fn l2_who_stands_behind_a_proxy_has_a_part_of_their_own() {
        let ours = sources(&["10.0.0.0/8"]);
        let ask = |from: &str| {
            let mut request = http::Request::new(());
            request.headers_mut().append(X_FORWARDED_FOR, from.parse().unwrap());
            request.extensions_mut().insert(Peer("10.0.0.1".parse().unwrap()));
            let (mut head, ()) = request.into_parts();
            ours.enter(&mut head)
        };
        let connections: Vec<_> = (0..20)
            .map(|_| ours.hold("10.0.0.1".parse().unwrap()).unwrap())
            .collect();
        let held = [ask("198.51.100.1").unwrap(), ask("198.51.100.1").unwrap()];
        let refused = ask("198.51.100.1").unwrap_err();
        assert_eq!(refused.code(), Code::Overloaded);
        assert!(ask("198.51.100.2").unwrap().is_some(), "another's part is another's");
        assert!(
            ours.hold("198.51.100.1".parse().unwrap()).is_none(),
            "by either way they are the same"
        );
        drop((held, connections));
        assert!(ask("198.51.100.1").is_ok());
    }

    /// K1: whom a request counts for may be a whole network; a key may be bound to one address of it.
    #[test]
    fn k1_the_address_itself_is_known_too() {
        let ours = sources(&["10.0.0.0/8"]);
        let known = |peer: &str, line: &str| {
            let mut request = http::Request::new(());
            request.headers_mut().append(X_FORWARDED_FOR, line.parse().unwrap());
            request.extensions_mut().insert(Peer(peer.parse().unwrap()));
            let (mut head, ()) = request.into_parts();
            ours.enter(&mut head).unwrap();
            origin(&head).unwrap().address.to_string()
        };
        for (peer, line, address) in [
            ("2001:db8:1:2:3:4:5:6", "198.51.100.1", "2001:db8:1:2:3:4:5:6"),
            ("::ffff:192.0.2.7", "198.51.100.1", "192.0.2.7"),
            ("10.1.2.3", "2001:db8:1:2::9", "2001:db8:1:2::9"),
            ("10.1.2.3", "::ffff:198.51.100.1", "198.51.100.1"),
        ] {
            assert_eq!(known(peer, line), address);
        }
        assert_eq!(origin(&http::Request::new(()).into_parts().0), None);
    }
}
