//! Which addresses are not part of the public internet, as data.
//!
//! Written from the IANA registries "IPv4 Special-Purpose Address Space", "IPv6 Special-Purpose Address Space",
//! "IPv4 Multicast Address Space" and "IPv6 Address Space". The standard library's own judgement is not used: it
//! lets `192.0.0.192` pass. Rows that a registry calls globally reachable inside a larger block that is not
//! (`192.0.0.9`, `2001:1::1`) stay forbidden: nobody runs an API there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses: the first address and the length of the prefix in bits.
pub(super) type Block<A> = (A, u8);

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Block<Ipv4Addr> {
    (Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, d: u16, prefix: u8) -> Block<Ipv6Addr> {
    (Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

/// IPv4 that is not public.
const FORBIDDEN_V4: &[Block<Ipv4Addr>] = &[
    v4(0, 0, 0, 0, 8),        // "this network", RFC 791
    v4(10, 0, 0, 0, 8),       // private, RFC 1918
    v4(100, 64, 0, 0, 10),    // shared by carriers, RFC 6598
    v4(127, 0, 0, 0, 8),      // loopback, RFC 1122
    v4(168, 63, 129, 16, 32), // a cloud's host services, although the registries call it public
    v4(169, 254, 0, 0, 16),   // link-local, RFC 3927: metadata services
    v4(172, 16, 0, 0, 12),    // private, RFC 1918
    v4(192, 0, 0, 0, 24),     // protocol assignments, RFC 6890
    v4(192, 0, 2, 0, 24),     // documentation, RFC 5737
    v4(192, 88, 99, 0, 24),   // 6to4 relays, RFC 7526
    v4(192, 168, 0, 0, 16),   // private, RFC 1918
    v4(198, 18, 0, 0, 15),    // benchmarks, RFC 2544
    v4(198, 51, 100, 0, 24),  // documentation, RFC 5737
    v4(203, 0, 113, 0, 24),   // documentation, RFC 5737
    v4(224, 0, 0, 0, 4),      // multicast, RFC 5771
    v4(240, 0, 0, 0, 4),      // reserved, RFC 1112, and broadcast
];

/// The part of IPv6 given out as global unicast (RFC 4291). All else is reserved, local, multicast or a wrapping of
/// IPv4 (`::/96`, `::ffff:0:0/96`, `::ffff:0:0:0/96`, `64:ff9b::/96`, `64:ff9b:1::/48`) and forbidden.
const GLOBAL_V6: Block<Ipv6Addr> = v6(0x2000, 0, 0, 0, 3);

/// IPv6 inside [`GLOBAL_V6`] that is not public.
const FORBIDDEN_V6: &[Block<Ipv6Addr>] = &[
    v6(0x2001, 0, 0, 0, 23),     // protocol assignments, RFC 2928: Teredo, benchmarks, ORCHID
    v6(0x2001, 0xdb8, 0, 0, 32), // documentation, RFC 3849
    v6(0x2002, 0, 0, 0, 16),     // 6to4, RFC 3056
    v6(0x3fff, 0, 0, 0, 20),     // documentation, RFC 9637
];

/// Addresses that no allow-list opens: they reach this machine itself, the link, everybody, or a cloud's metadata.
const NEVER_V4: &[Block<Ipv4Addr>] = &[
    v4(0, 0, 0, 0, 8),          // many systems take it for loopback
    v4(100, 100, 100, 200, 32), // metadata inside the carriers' range
    v4(127, 0, 0, 0, 8),
    v4(168, 63, 129, 16, 32),
    v4(169, 254, 0, 0, 16),
    v4(192, 0, 0, 192, 32), // metadata inside the protocol assignments
    v4(224, 0, 0, 0, 4),
    v4(255, 255, 255, 255, 32),
];

/// As [`NEVER_V4`].
const NEVER_V6: &[Block<Ipv6Addr>] = &[
    (Ipv6Addr::UNSPECIFIED, 128),
    (Ipv6Addr::LOCALHOST, 128),
    // Metadata in private ranges. They are closed as they are; this is for an operator who opens `fd00::/8` whole.
    v6(0xfd00, 0xec2, 0, 0, 32),
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128),
    v6(0xfe80, 0, 0, 0, 10),
    v6(0xff00, 0, 0, 0, 8),
];

/// How far an address lies from the public internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Everybody's.
    Public,
    /// Not public, but an operator may open it.
    Closed,
    /// This machine itself.
    Loopback,
    /// Never opened.
    Never,
}

/// The reach of this very address, without looking into what it may wrap.
pub(super) fn reach(address: IpAddr) -> Reach {
    let (loopback, never, public) = match address {
        IpAddr::V4(v4) => (
            v4.is_loopback(),
            NEVER_V4.iter().any(|block| holds_v4(*block, v4)),
            !FORBIDDEN_V4.iter().any(|block| holds_v4(*block, v4)),
        ),
        IpAddr::V6(v6) => (
            v6 == Ipv6Addr::LOCALHOST,
            NEVER_V6.iter().any(|block| holds_v6(*block, v6)),
            holds_v6(GLOBAL_V6, v6) && !FORBIDDEN_V6.iter().any(|block| holds_v6(*block, v6)),
        ),
    };
    if loopback {
        Reach::Loopback
    } else if never {
        Reach::Never
    } else if public {
        Reach::Public
    } else {
        Reach::Closed
    }
}

/// The IPv4 addresses an IPv6 address leads to, if it is one of the ways to wrap them.
pub(super) fn wrapped(address: IpAddr) -> impl Iterator<Item = Ipv4Addr> {
    let found = match address {
        IpAddr::V4(_) => [None, None],
        IpAddr::V6(v6) => wrapped_v6(v6),
    };
    found.into_iter().flatten()
}

fn wrapped_v6(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let words = address.segments();
    let pair = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    let last = pair(words[6], words[7]);
    match words {
        // `::1` and `::` are addresses of their own, not wrapped IPv4.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None, None],
        // Compatible and mapped (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0, _, _]
        | [0, 0, 0, 0, 0, 0xffff, _, _]
        | [0, 0, 0, 0, 0xffff, 0, _, _]
        | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => [Some(last), None],
        // Local NAT64 (RFC 8215): a /96 or a /48 with the address around bits 64 to 71 (RFC 6052 section 2.2).
        [0x64, 0xff9b, 1, high, middle, low, _, _] => {
            let [_, third] = middle.to_be_bytes();
            let [fourth, _] = low.to_be_bytes();
            [Some(last), Some(pair(high, u16::from_be_bytes([third, fourth])))]
        }
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => [Some(pair(high, low)), None],
        // Teredo (RFC 4380): the server, and the client with its bits turned.
        [0x2001, 0, high, low, ..] => [Some(pair(high, low)), Some(pair(!words[6], !words[7]))],
        // ISATAP (RFC 5214): an interface identifier under any prefix.
        [_, _, _, _, 0 | 0x200, 0x5efe, _, _] => [Some(last), None],
        _ => [None, None],
    }
}

/// Whether a block holds an address; never across the families.
pub(super) fn holds(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => holds_v4((network, prefix), address),
        (IpAddr::V6(network), IpAddr::V6(address)) => holds_v6((network, prefix), address),
        _ => false,
    }
}

/// The first address of the block that an address is in.
pub(super) fn first(address: IpAddr, prefix: u8) -> IpAddr {
    let rest = |bits: u32| bits.saturating_sub(u32::from(prefix));
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(rest(32)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(rest(128)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

fn holds_v4((network, prefix): Block<Ipv4Addr>, address: Ipv4Addr) -> bool {
    let rest = 32 - u32::from(prefix.min(32));
    let head = |address: Ipv4Addr| address.to_bits().checked_shr(rest).unwrap_or(0);
    head(network) == head(address)
}

fn holds_v6((network, prefix): Block<Ipv6Addr>, address: Ipv6Addr) -> bool {
    let rest = 128 - u32::from(prefix.min(128));
    let head = |address: Ipv6Addr| address.to_bits().checked_shr(rest).unwrap_or(0);
    head(network) == head(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Reach {
        reach(text.parse().expect("an address"))
    }

    // N3: first and last address of every block, and the neighbours on both sides.
    #[test]
    fn n3_edges_of_every_ipv4_block() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("168.63.129.16", "168.63.129.16"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "255.255.255.255"),
        ] {
            assert_ne!(of(first), Reach::Public, "{first}");
            assert_ne!(of(last), Reach::Public, "{last}");
            let bits = |text: &str| text.parse::<Ipv4Addr>().expect("an address").to_bits();
            for outside in [bits(first).checked_sub(1), bits(last).checked_add(1)]
                .into_iter()
                .flatten()
            {
                let outside = Ipv4Addr::from_bits(outside);
                // 126.255.255.255 and 128.0.0.0, for two, are public; no listed block touches another.
                assert_eq!(reach(outside.into()), Reach::Public, "{outside} beside {first}");
            }
        }
    }

    #[test]
    fn n3_ipv6_blocks_and_their_neighbours() {
        for closed in [
            "::",
            "::1",
            "::2",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::1",
            "100::1",
            "100:0:0:1::1",
            "2001::1",
            "2001:1::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            "2002:808:808::1",
            "3fff::1",
            "3fff:fff:ffff::1",
            "4000::1",
            "5f00::1",
            "8000::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "feff::1",
            "ff00::1",
            "ff02::1",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ] {
            assert_ne!(of(closed), Reach::Public, "{closed}");
        }
        for public in [
            "2000::1",
            "2001:200::1",
            "2001:db7:ffff::1",
            "2001:db9::1",
            "2003::1",
            "2606:4700::1",
            "3ffe::1",
            "3fff:1000::1",
        ] {
            assert_eq!(of(public), Reach::Public, "{public}");
        }
    }

    #[test]
    fn n5_some_reach_is_never_opened() {
        for never in [
            "0.0.0.0",
            "100.100.100.200",
            "168.63.129.16",
            "169.254.169.254",
            "192.0.0.192",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert_eq!(of(never), Reach::Never, "{never}");
        }
        for loopback in ["127.0.0.1", "127.1.2.3", "::1"] {
            assert_eq!(of(loopback), Reach::Loopback, "{loopback}");
        }
        for closed in ["10.0.0.1", "100.64.0.1", "192.168.1.1", "fd00::1"] {
            assert_eq!(of(closed), Reach::Closed, "{closed}");
        }
    }

    #[test]
    fn n3_every_wrapping_is_unwrapped() {
        for (wrapping, inside) in [
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::10.0.0.1", "10.0.0.1"),
            ("::ffff:0:10.0.0.1", "10.0.0.1"),
            ("64:ff9b::10.0.0.1", "10.0.0.1"),
            ("64:ff9b:1::10.0.0.1", "10.0.0.1"),
            ("64:ff9b:1:a00:0:100::", "10.0.0.1"),
            ("2002:a00:1::", "10.0.0.1"),
            ("2001:0:a00:1::", "10.0.0.1"),
            ("2001::f5ff:fffe", "10.0.0.1"),
            ("2606:4700::5efe:10.0.0.1", "10.0.0.1"),
            ("2606:4700::200:5efe:10.0.0.1", "10.0.0.1"),
        ] {
            let inside: Ipv4Addr = inside.parse().expect("an address");
            let found: Vec<_> = wrapped(wrapping.parse().expect("an address")).collect();
            assert!(found.contains(&inside), "{wrapping} gave {found:?}");
        }
        for own in ["::1", "::", "2606:4700::1", "10.0.0.1"] {
            assert_eq!(wrapped(own.parse().expect("an address")).count(), 0, "{own}");
        }
    }

    #[test]
    fn a_prefix_of_zero_or_beyond_the_family_is_no_panic() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(holds(address("1.2.3.4"), 0, address("9.9.9.9")));
        assert!(holds(address("1.2.3.4"), 200, address("1.2.3.4")));
        assert!(!holds(address("1.2.3.4"), 200, address("1.2.3.5")));
        assert!(holds(address("::"), 0, address("ff02::1")));
        assert!(!holds(address("::"), 0, address("1.2.3.4")));
    }
}
