//! What a browser brings and how it is judged: the session's cookie, and on whose behalf a request was made (K4, K5).
//!
//! A cookie comes along with whatever request a browser makes, so a request that a cookie authenticates and that changes
//! something must show that a page of ours made it:
//!
//! 1. `Sec-Fetch-Site`, where there is one, is `same-origin`. Browsers write it themselves; no page can.
//! 2. `Origin`, where there is one, is exactly one of our own ([`Site`]).
//! 3. One of the two is there.
//! 4. A body is JSON, which no form of another site can send.
//!
//! GET and HEAD never change anything. Signing in and the form behind a one-time link ask for 1 and 2: a browser is
//! recognised by either header, and a program has no cookies to be abused. The form's page sends no referrer, for which
//! browsers write `Origin: null`; that is taken there, beside `same-origin` only.

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use tieline::{Code, Error, Result, limits::SESSION_LIFE, secret::Secret};

use crate::{
    openapi::Operation,
    route::{Extract, Request},
    site::Site,
};

/// The session's cookie. The prefix has browsers refuse it unless it is `Secure`, of this host alone and for every path.
pub(crate) const COOKIE: &str = "__Host-tieline";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The token of the session that the browser shows, if it shows one.
pub(crate) struct Shown(pub(crate) Option<Secret>);

impl Extract for Shown {
    async fn extract(request: &mut Request) -> Result<Self> {
        let token = token(&request.head.headers).ok().flatten();
        Ok(Self(token.map(|token| Secret::new(token.to_owned()))))
    }

    fn describe(_: &mut Operation<'_>) {}
}

/// That no other site had the browser make this request, on routes that need no session.
pub(crate) struct OwnPage;

impl Extract for OwnPage {
    async fn extract(request: &mut Request) -> Result<Self> {
        judge(&request.app.site, &request.head.headers, Page::Json).map(|_| Self)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.fails(&[Code::CrossSiteRefused]);
    }
}

/// The same where a form may be sent.
pub(crate) struct OwnForm;

impl Extract for OwnForm {
    async fn extract(request: &mut Request) -> Result<Self> {
        judge(&request.app.site, &request.head.headers, Page::Form).map(|_| Self)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.fails(&[Code::CrossSiteRefused]);
    }
}

/// What kind of page of ours may have made a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    Json,
    Form,
}

/// Refuses a request that changes something unless a page of ours made it.
pub(crate) fn may_change(site: &Site, head: &Parts) -> Result<()> {
    if head.method.is_safe() {
        return Ok(());
    }
    if !judge(site, &head.headers, Page::Json)? {
        return Err(refused(
            "It has neither `Sec-Fetch-Site` nor `Origin`: programs use an API key and no session.",
        ));
    }
    let has_body = head.headers.contains_key(header::TRANSFER_ENCODING)
        || head
            .headers
            .get(header::CONTENT_LENGTH)
            .is_some_and(|length| length != "0");
    let json = |value: &HeaderValue| {
        let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    };
    let mut types = head.headers.get_all(header::CONTENT_TYPE).iter();
    let fits = match (types.next(), types.next()) {
        (None, _) => !has_body,
        (Some(one), None) => json(one),
        (Some(_), Some(_)) => false,
    };
    if fits {
        return Ok(());
    }
    Err(Error::new(
        Code::MediaTypeUnsupported,
        "With a session a body must be JSON: send `Content-Type: application/json`.",
    ))
}

/// Whether the headers show a browser; refuses what it did on behalf of another site.
fn judge(site: &Site, headers: &HeaderMap, page: Page) -> Result<bool> {
    let fetch_site = only(headers, &SEC_FETCH_SITE)?;
    let origin = only(headers, &header::ORIGIN)?;
    if fetch_site.is_some_and(|site| site != "same-origin") {
        return Err(refused(
            "Another site made your browser send it, as `Sec-Fetch-Site` says.",
        ));
    }
    let own = |origin: &str| {
        site.is_own(origin) || (origin == "null" && page == Page::Form && fetch_site == Some("same-origin"))
    };
    if origin.is_some_and(|origin| !own(origin)) {
        return Err(refused(
            "Its `Origin` is not ours. If it is where people reach this server, set `server.public_url` to it.",
        ));
    }
    Ok(fetch_site.is_some() || origin.is_some())
}

/// The value of a header that may be there once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => one
            .to_str()
            .map(Some)
            .map_err(|_| refused("A header of it is no text.")),
        (Some(_), Some(_)) => Err(refused("It has the same header twice.")),
    }
}

fn refused(why: &str) -> Error {
    Error::new(
        Code::CrossSiteRefused,
        format!("This request changes something and was not made by a page of this server. {why}"),
    )
}

/// The token in the session's cookie. More than one is as good as none: one of them is somebody else's.
pub(crate) fn token(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut tokens = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    match (tokens.next(), tokens.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => Ok(Some(one)),
        (Some(_), Some(_)) => {
            let detail = format!("The cookie `{COOKIE}` came twice: delete this site's cookies and sign in again.");
            Err(Error::new(Code::Unauthenticated, detail))
        }
    }
}

/// The cookie of a session that began.
pub(crate) fn set(token: &Secret) -> Result<HeaderValue> {
    let life = SESSION_LIFE.as_secs();
    cookie(&format!("{}; Max-Age={life}", token.reveal()))
}

/// What takes the cookie away.
pub(crate) fn clear() -> Result<HeaderValue> {
    cookie("; Max-Age=0")
}

fn cookie(value: &str) -> Result<HeaderValue> {
    let text = format!("{COOKIE}={value}; Path=/; HttpOnly; Secure; SameSite=Lax");
    let mut value = HeaderValue::try_from(text).map_err(|error| Error::internal("a cookie is no header", error))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, headers: &[(&'static str, &str)]) -> Parts {
        let request = headers
            .iter()
            .fold(http::Request::builder().method(method), |request, (name, value)| {
                request.header(*name, *value)
            });
        request.body(()).unwrap().into_parts().0
    }

    fn site() -> Site {
        let url = url::Url::parse("https://tieline.example").ok();
        Site::new(url.as_ref(), "127.0.0.1:8080".parse().unwrap())
    }

    const OURS: (&str, &str) = ("origin", "https://tieline.example");
    const EVIL: (&str, &str) = ("origin", "https://evil.example");
    const NULL: (&str, &str) = ("origin", "null");
    const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");
    const CROSS: (&str, &str) = ("sec-fetch-site", "cross-site");
    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    #[test]
    fn k5_a_change_by_cookie_needs_a_page_of_ours() {
        let judged = |method: &str, headers: &[(&'static str, &str)]| {
            may_change(&site(), &head(method, headers))
                .err()
                .map(|error| error.code())
        };
        for fine in [
            &[SAME][..],
            &[OURS],
            &[SAME, OURS, JSON],
            &[SAME, JSON, ("content-length", "2")],
            &[SAME, ("content-length", "0")],
        ] {
            assert_eq!(judged("POST", fine), None, "{fine:?}");
        }
        for refused in [
            &[][..],
            &[CROSS],
            &[CROSS, OURS],
            &[EVIL],
            &[SAME, ("origin", "http://localhost:8080")],
            &[SAME, EVIL],
            &[SAME, NULL],
            &[NULL],
            &[("sec-fetch-site", "same-site"), OURS],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "")],
            &[SAME, SAME],
            &[SAME, CROSS],
            &[OURS, EVIL],
            &[("origin", "")],
            &[("referer", "https://tieline.example/")],
        ] {
            for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS2"] {
                assert_eq!(
                    judged(method, refused),
                    Some(Code::CrossSiteRefused),
                    "{method} {refused:?}"
                );
            }
            assert_eq!(judged("GET", refused), None);
            assert_eq!(judged("HEAD", refused), None);
        }
        for no_json in [
            &[SAME, ("content-type", "text/plain")][..],
            &[
                SAME,
                ("content-type", "application/x-www-form-urlencoded"),
                ("content-length", "2"),
            ],
            &[SAME, ("content-length", "2")],
            &[SAME, ("transfer-encoding", "chunked")],
            &[SAME, JSON, ("content-type", "text/plain")],
        ] {
            assert_eq!(judged("POST", no_json), Some(Code::MediaTypeUnsupported), "{no_json:?}");
        }
    }

    #[test]
    fn k5_signing_in_and_forms_refuse_other_sites() {
        let json = |headers: &[(&'static str, &str)]| judge(&site(), &head("POST", headers).headers, Page::Json).ok();
        let form = |headers: &[(&'static str, &str)]| judge(&site(), &head("POST", headers).headers, Page::Form).ok();
        for (headers, in_json, in_form) in [
            (&[][..], Some(false), Some(false)),
            (&[SAME], Some(true), Some(true)),
            (&[OURS], Some(true), Some(true)),
            (&[SAME, NULL], None, Some(true)),
            (&[NULL], None, None),
            (&[CROSS], None, None),
            (&[CROSS, NULL], None, None),
            (&[SAME, EVIL], None, None),
            (&[EVIL], None, None),
        ] {
            assert_eq!((json(headers), form(headers)), (in_json, in_form), "{headers:?}");
        }
    }

    #[test]
    fn k4_the_cookie_is_locked_to_host_and_connection() {
        let cookie = set(&Secret::new("token".to_owned())).unwrap();
        assert_eq!(
            cookie,
            "__Host-tieline=token; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Lax"
        );
        assert!(cookie.is_sensitive());
        assert_eq!(
            clear().unwrap(),
            "__Host-tieline=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"
        );
        let read = |headers: &[(&'static str, &str)]| {
            token(&head("GET", headers).headers)
                .map(|token| token.map(str::to_owned))
                .ok()
        };
        assert_eq!(read(&[]), Some(None));
        assert_eq!(
            read(&[("cookie", "a=b;__Host-tieline=t; c=d")]),
            Some(Some("t".to_owned()))
        );
        assert_eq!(
            read(&[("cookie", "tieline=t; x__Host-tieline=u; __Host-tieline2=v")]),
            Some(None)
        );
        assert_eq!(read(&[("cookie", "__Host-tieline=t; __Host-tieline=u")]), None);
        assert_eq!(
            read(&[("cookie", "__Host-tieline=t"), ("cookie", "__Host-tieline=u")]),
            None
        );
    }
}
