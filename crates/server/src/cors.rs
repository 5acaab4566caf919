//! Which other origins' pages may read our answers (K6): those the operator lists, exactly, and no other.
//!
//! Pages of other origins send keys, never cookies: the dashboard's session belongs to our own origin, so no answer
//! allows credentials. An origin that is not listed is answered as if it had not said who it is; its browser keeps the
//! answer from it.

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use url::Url;

use crate::limits::CORS_MAX_AGE;

/// What a request of a listed origin may carry.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, idempotency-key");

/// What a page may read of an answer besides what every page may.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "idempotency-replayed, location, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, \
     x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-request-id",
);

/// What is asked before the real request.
const ASKED_METHOD: http::HeaderName = header::ACCESS_CONTROL_REQUEST_METHOD;

/// A web origin, as browsers write it: `https://app.example.com`, with the port where it is not the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

impl Origin {
    /// Reads an origin. `*`, `null`, paths, a slash at the end, upper case and the scheme's own port are none.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        // A star is a legal character of a host, and nobody means it as one.
        let exact = !text.contains('*')
            && matches!(url.scheme(), "http" | "https")
            && url.origin().ascii_serialization() == text;
        if exact {
            HeaderValue::from_str(text).ok().map(Self)
        } else {
            None
        }
    }
}

/// The listed origins.
#[derive(Clone, Default)]
pub(crate) struct Cors(Arc<[Origin]>);

impl Cors {
    pub(crate) fn new(origins: &[Origin]) -> Self {
        Self(origins.into())
    }

    /// The origin that asks, if it is listed. A browser names one; who names several is none.
    pub(crate) fn listed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut named = headers.get_all(header::ORIGIN).iter();
        let origin = named.next().filter(|_| named.next().is_none())?;
        self.0
            .iter()
            .find(|listed| listed.0 == origin)
            .map(|listed| listed.0.clone())
    }

    /// Says on an answer who may read it.
    pub(crate) fn mark(&self, response: &mut Response, listed: Option<HeaderValue>) {
        if self.0.is_empty() {
            return;
        }
        let headers = response.headers_mut();
        // On every answer: a cache must not hand one origin's to another.
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = listed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        }
    }
}

/// Whether a browser asks what it may send.
pub(crate) fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS && head.headers.contains_key(ASKED_METHOD)
}

/// The answer to that, for a listed origin.
pub(crate) fn preflight(methods: HeaderValue) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from(CORS_MAX_AGE.as_secs()),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k6_an_origin_is_exact_or_none() {
        for good in [
            "https://app.example.com",
            "http://localhost:3000",
            "https://[::1]:8443",
            "http://192.0.2.1",
        ] {
            assert!(Origin::parse(good).is_some(), "{good}");
        }
        for bad in [
            "*",
            "null",
            "",
            "app.example.com",
            "https://",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://app.example.com?q",
            "https://app.example.com#f",
            "https://*.example.com",
            "https://App.example.com",
            "HTTPS://app.example.com",
            "https://app.example.com:443",
            "https://user@app.example.com",
            "https://app.example.com,https://b.example.com",
            "file:///etc",
            "data:text/html,x",
            " https://app.example.com",
            "https://bücher.example",
        ] {
            assert!(Origin::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn k6_only_a_listed_origin_named_once_is_listed() {
        let cors = Cors::new(&[Origin::parse("https://a.example").unwrap()]);
        let named = |origins: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for origin in origins {
                headers.append(header::ORIGIN, HeaderValue::from_static(origin));
            }
            cors.listed(&headers)
        };
        assert_eq!(named(&["https://a.example"]).unwrap(), "https://a.example");
        for none in [
            &[][..],
            &["null"],
            &["*"],
            &["https://a.example.evil.example"],
            &["http://a.example"],
            &["https://a.example:444"],
            &["https://a.example/"],
            &["https://a.example", "https://a.example"],
        ] {
            assert!(named(none).is_none(), "{none:?}");
        }
    }
}
