//! A REST API of the user's own: one base URL, one way of signing in, any path below.

mod connection_test;
mod refusal;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tieline::{ActionInput, Code, Connector, Effect, Error, Json, Result, RunAction, admit::Admitted};
use tieline_manifest::{Tree, headers};

use crate::web::{self, HeaderMap, MAX_TIMEOUT_MS, MIN_TIMEOUT_MS, Params, Sign, Wish, wrong};

pub use crate::web::{Answer, Encoding, Metadata, Method, Values};

/// The connector, from its manifest.
pub(crate) fn connector(manifest: &str) -> Result<Connector> {
    Connector::shipped(manifest)?
        .action::<CallEndpoint>()
        .test(connection_test::test)
        .build()
}

/// Calls an endpoint below the connection's base URL, signed in as the connection says. A status of 400 or more fails the
/// call. Redirects are not followed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallEndpoint {
    /// The method; GET unless given.
    #[serde(default)]
    pub method: Method,
    /// What follows the base URL: nothing, or a path that begins with a slash, percent-encoded where it needs to be.
    #[serde(default)]
    pub path: String,
    /// Headers by name. The connection's go over them.
    #[serde(default, skip_serializing_if = "web::is_null")]
    #[schemars(with = "HeaderMap")]
    pub headers: Json,
    /// Query parameters by name. A list repeats its name.
    #[serde(default, skip_serializing_if = "web::is_null")]
    #[schemars(with = "Params")]
    pub params: Json,
    /// The body: a text as it stands, an object as a form where `Content-Type` says so, anything else as JSON.
    #[serde(default, skip_serializing_if = "web::is_null")]
    #[schemars(with = "serde_json::Value")]
    pub body: Json,
    /// The body as bytes, in base64, instead of `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// How long it may take, in milliseconds; 30000 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = MIN_TIMEOUT_MS, max = MAX_TIMEOUT_MS))]
    pub timeout: Option<u64>,
}

impl ActionInput for CallEndpoint {
    type Output = Answer;
    const CONNECTOR: &'static str = "rest-api";
    const ACTION: &'static str = "request";
    const NAME: &'static str = "Call an endpoint";
    const EFFECT: Effect = Effect::Write;
}

impl RunAction for CallEndpoint {
    async fn run(self, admitted: &Admitted) -> Result<Answer> {
        let url = below(base(admitted)?, &self.path)?;
        let wish = Wish {
            method: self.method,
            url: web::with_query(&url, &self.params)?,
            headers: &self.headers,
            body: Some(&self.body),
            body_base64: self.body_base64.as_deref(),
            timeout: self.timeout,
        };
        let answer = web::send(admitted, wish, &sign(admitted)?).await?;
        match refusal::of(&answer, admitted.now()) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }
}

fn base(admitted: &Admitted) -> Result<&str> {
    admitted.config_str("url").ok_or_else(|| {
        let detail = "The connection has no `url`: enter the base URL.";
        Error::new(Code::ConnectorConfigInvalid, detail).field("/config/url", "is required")
    })
}

/// The base URL with a path behind its own, and before its query if it has one. What a path may not do, climb above the
/// base, is refused where every URL is.
fn below(base: &str, path: &str) -> Result<String> {
    let base = base.split('#').next().unwrap_or_default();
    let (base, own) = base
        .split_once('?')
        .map_or((base, None), |(base, own)| (base, Some(own)));
    let (path, query) = path
        .split_once('?')
        .map_or((path, None), |(path, query)| (path, Some(query)));
    if !path.is_empty() && !path.starts_with('/') {
        return Err(wrong("/path", "begins with a slash"));
    }
    if path.contains('#') || query.is_some_and(|query| query.contains('#')) {
        return Err(wrong("/path", "holds `#`, which goes nowhere: write it as `%23`"));
    }
    let base = if path.is_empty() {
        base
    } else {
        base.trim_end_matches('/')
    };
    let mut url = format!("{base}{path}");
    for (index, query) in [own, query]
        .into_iter()
        .flatten()
        .filter(|query| !query.is_empty())
        .enumerate()
    {
        url.push(if index == 0 { '?' } else { '&' });
        url.push_str(query);
    }
    Ok(url)
}

/// What the connection adds to a request: its headers, then what signs it in.
fn sign(admitted: &Admitted) -> Result<Sign<'_>> {
    let mut sign = Sign::default();
    let own = admitted
        .secret("headers")
        .map(|text| headers(&Tree::String(text.to_owned())));
    for (name, _) in own.flatten().unwrap_or_default() {
        sign = sign.header_of(&name, &format!("headers.{name}"));
    }
    let text = |name| admitted.config_str(name).unwrap_or_default();
    Ok(match admitted.auth_id() {
        Some("bearer") => sign.bearer("token"),
        Some("basic") => sign.basic(text("username"), admitted.secret("password").map(|_| "password")),
        Some("api_key") => match text("keyLocation") {
            "query" => sign.query_of(text("keyName"), "keyValue"),
            "body" => sign.body_of(text("keyName"), "keyValue"),
            _ if is_header(text("keyName")) => sign.header_of(text("keyName"), "keyValue"),
            _ => {
                let detail =
                    "The connection's `keyName` is not the name of a header. Mend it, or choose another `keyLocation`.";
                return Err(Error::new(Code::ConnectorConfigInvalid, detail).field("/config/keyName", "is no header"));
            }
        },
        _ => sign,
    })
}

/// Whether a header of this name may be set: as of a field of headers.
fn is_header(name: &str) -> bool {
    headers(&Tree::Object(vec![(name.to_owned(), Tree::String(String::new()))])).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_stands_behind_the_bases_own() {
        for (base, path, url) in [
            ("https://a.example/v1", "/users", "https://a.example/v1/users"),
            ("https://a.example/v1/", "/users/", "https://a.example/v1/users/"),
            ("https://a.example/v1/", "", "https://a.example/v1/"),
            ("https://a.example", "", "https://a.example"),
            ("https://a.example?v=2", "/users?a=b", "https://a.example/users?v=2&a=b"),
            ("https://a.example/?v=2#x", "", "https://a.example/?v=2"),
            // What looks like another host is a path.
            (
                "https://a.example",
                "//evil.example/x",
                "https://a.example//evil.example/x",
            ),
            ("https://a.example", "/@evil.example", "https://a.example/@evil.example"),
        ] {
            assert_eq!(below(base, path).unwrap(), url);
        }
        for bad in [
            "users",
            "@evil.example",
            ".evil.example/",
            ":443/x",
            "https://evil.example",
            "/a#b",
            "/a?b#c",
        ] {
            assert!(below("https://a.example", bad).is_err(), "{bad}");
        }
    }
}
