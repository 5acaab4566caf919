//! Which headers are passed on, in both directions.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    error::{Code, Error, Result},
    http::LOOP_HEADER,
};

/// Headers of one hop (RFC 9110 section 7.6.1, and those that older software sends), besides those that `Connection`
/// names.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers of a request that are between the caller and us: who calls, with what framing, from where.
const CALLERS_OWN: &[&str] = &[
    "authorization",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "via",
    "x-real-ip",
];

/// Headers of an answer that would speak for our origin, or give orders to what stands in front of us.
const ORIGINS_OWN: &[&str] = &[
    // State that a browser would keep for us.
    "accept-ch",
    "clear-site-data",
    "critical-ch",
    "set-cookie",
    "set-cookie2",
    "set-login",
    "strict-transport-security",
    // What a document of ours may do, and who may read it. We say it ourselves.
    "content-security-policy",
    "content-security-policy-report-only",
    "cross-origin-embedder-policy",
    "cross-origin-embedder-policy-report-only",
    "cross-origin-opener-policy",
    "cross-origin-opener-policy-report-only",
    "cross-origin-resource-policy",
    "document-policy",
    "feature-policy",
    "origin-agent-cluster",
    "origin-trial",
    "permissions-policy",
    "service-worker-allowed",
    "speculation-rules",
    "supports-loading-mode",
    "timing-allow-origin",
    "x-permitted-cross-domain-policies",
    // Where a browser would go next, and what it would report to whom.
    "alt-svc",
    "expect-ct",
    "nel",
    "public-key-pins",
    "public-key-pins-report-only",
    "refresh",
    "report-to",
    "reporting-endpoints",
    // A web server in front of us would send a file of its own.
    "x-lighttpd-send-file",
    "x-sendfile",
];

/// Families of such headers.
const ORIGINS_FAMILIES: &[&str] = &["access-control-", "tieline-", "x-accel-"];

/// The token with which a caller came to us.
pub(super) fn own_key(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let token = value.split_once(' ').map_or(value, |(_, token)| token).trim();
    (!token.is_empty()).then_some(token)
}

/// The headers of a request that go on. `reserved` are the names that the connection's auth method sets.
pub(super) fn asked(headers: &HeaderMap, reserved: impl Fn(&str) -> bool) -> Result<HeaderMap> {
    refuse_upgrade(headers)?;
    let named = named_by_connection(headers);
    let own_key = own_key(headers);
    let passes = |name: &str| {
        !is_hop_by_hop(name, &named)
            && !CALLERS_OWN.contains(&name)
            && !name.starts_with("x-forwarded-")
            && (!name.starts_with("tieline-") || name == LOOP_HEADER.as_str())
            && !reserved(name)
    };
    let holds_key = |value: &HeaderValue| own_key.is_some_and(|key| contains(value.as_bytes(), key.as_bytes()));
    Ok(kept(headers, |name, value| passes(name) && !holds_key(value)))
}

/// The headers of an answer that go back, each as `clean` gives it.
pub(super) fn answered(headers: HeaderMap, clean: impl Fn(HeaderValue) -> HeaderValue) -> HeaderMap {
    let named = named_by_connection(&headers);
    let passes = |name: &str| {
        !is_hop_by_hop(name, &named)
            && !ORIGINS_OWN.contains(&name)
            && !ORIGINS_FAMILIES.iter().any(|family| name.starts_with(family))
    };
    let mut kept = kept(&headers, |name, _| passes(name));
    for value in kept.values_mut() {
        *value = clean(std::mem::replace(value, HeaderValue::from_static("")));
    }
    kept
}

/// Another protocol is refused before anything is sent. HTTP/2 on the same connection is only an offer, which a server
/// may pass over (RFC 9110 section 7.8).
fn refuse_upgrade(headers: &HeaderMap) -> Result<()> {
    let wanted = tokens(headers, &header::UPGRADE).find(|protocol| !protocol.eq_ignore_ascii_case("h2c"));
    match wanted {
        None => Ok(()),
        Some(_) => Err(Error::new(
            Code::UpgradeNotSupported,
            "The request asks for another protocol (`Upgrade`), such as WebSocket. The proxy passes on plain requests only: \
             leave the header out.",
        )
        .before_sending()),
    }
}

fn kept(headers: &HeaderMap, passes: impl Fn(&str, &HeaderValue) -> bool) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if passes(name.as_str(), value) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

fn is_hop_by_hop(name: &str, named: &[String]) -> bool {
    HOP_BY_HOP.contains(&name) || name.starts_with("proxy-") || named.iter().any(|other| other == name)
}

fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    tokens(headers, &header::CONNECTION)
        .map(str::to_ascii_lowercase)
        .collect()
}

/// The words of a list header (RFC 9110 section 5.6.1).
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        let mut map = HeaderMap::new();
        for (name, value) in pairs.iter().map(pair) {
            map.append(name, value);
        }
        map
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn hop_by_hop_headers_and_those_that_connection_names_stay() {
        let pairs = [
            ("connection", "close, X-Hop"),
            ("connection", "x-other"),
            ("x-hop", "1"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "1"),
            ("proxy-authenticate", "1"),
            ("proxy-connection", "1"),
            ("te", "trailers"),
            ("trailer", "x-sum"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAAA"),
            ("x-stays", "1"),
            ("x-stays", "2"),
        ];
        assert_eq!(names(&asked(&map(&pairs), |_| false).unwrap()), ["x-stays", "x-stays"]);
        assert_eq!(names(&answered(map(&pairs), |value| value)), ["x-stays", "x-stays"]);
    }

    #[test]
    fn k_nothing_of_the_callers_own_passes() {
        let asked = asked(
            &map(&[
                ("authorization", "Bearer sk_own"),
                ("cookie", "a=b"),
                ("host", "tieline.example"),
                ("content-length", "3"),
                ("expect", "100-continue"),
                ("forwarded", "for=1.2.3.4"),
                ("x-forwarded-for", "1.2.3.4"),
                ("x-forwarded-anything", "1"),
                ("x-real-ip", "1.2.3.4"),
                ("x-mine", "key=sk_own;"),
                ("x-api-key", "theirs"),
                ("tieline-loop", "a mark"),
                ("tieline-other", "1"),
                ("accept-encoding", "br"),
                ("idempotency-key", "1"),
                ("content-type", "text/plain"),
            ]),
            |name| name == "x-api-key",
        );
        let passed = ["accept-encoding", "content-type", "idempotency-key", "tieline-loop"];
        assert_eq!(names(&asked.unwrap()), passed);
    }

    #[test]
    fn u_nothing_speaks_for_our_origin() {
        let mut pairs: Vec<_> = ORIGINS_OWN.iter().map(|name| (*name, "x")).collect();
        pairs.extend([
            ("access-control-allow-origin", "*"),
            ("x-accel-redirect", "/etc/passwd"),
            ("tieline-answered-by", "tieline"),
        ]);
        let passing = [
            "content-type",
            "etag",
            "link",
            "location",
            "retry-after",
            "www-authenticate",
        ];
        pairs.extend(passing.map(|name| (name, "x")));
        let clean = |_| HeaderValue::from_static("clean");
        let answered = answered(map(&pairs), clean);
        assert_eq!(names(&answered), passing);
        assert!(answered.values().all(|value| value == "clean"));
    }

    #[test]
    fn other_protocols_are_refused() {
        for upgrade in ["websocket", "WebSocket, h2c", "TLS/1.2", "h2c, foo"] {
            let error = asked(&map(&[("upgrade", upgrade)]), |_| false).unwrap_err();
            assert_eq!(error.code(), Code::UpgradeNotSupported);
            assert!(error.nothing_sent());
        }
        assert!(asked(&map(&[("upgrade", "h2c")]), |_| false).is_ok());
    }
}
