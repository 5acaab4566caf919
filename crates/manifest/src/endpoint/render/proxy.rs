//! What a connector adds to a request that it passes on without reading it.

use super::Rendering;
use crate::{
    auth::{Auth, AuthKind, KeyLocation},
    endpoint::body::Pairs,
    manifest::Manifest,
    request::{Request, Text},
    values::{FieldProblem, Scope, Values},
};

/// A request to pass on, as its sender wrote it.
pub struct Below<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// What follows the base URL: nothing, or a path that begins with a slash. It is not encoded again.
    pub path: &'a str,
    /// The query, without its question mark. It is not encoded again.
    pub query: Option<&'a str>,
    /// Whether its sender gives a header of this (lower case) name.
    pub sends: &'a dyn Fn(&str) -> bool,
}

impl Manifest {
    /// Why requests cannot be passed on with this auth method, if they cannot.
    pub fn no_proxy(&self, auth: Option<&Auth>) -> Option<&'static str> {
        if self.base_url.is_none() {
            return Some("it declares no `baseUrl`");
        }
        match auth.map(|auth| &auth.kind) {
            Some(AuthKind::Custom) => Some("it signs in with code of its own"),
            Some(AuthKind::ApiKey {
                location: KeyLocation::Body,
                ..
            }) => Some("its key belongs into the body, which is passed on unread"),
            _ => None,
        }
    }

    /// Renders what is this connection's of a passed-on request: the address with path and query behind it, the auth
    /// method's headers and parameters, and those default headers that are secret or that the sender does not give.
    pub fn render_proxy(&self, below: &Below<'_>, values: &Values<'_>) -> Result<Request, Vec<FieldProblem>> {
        let scope = Scope::new(values, &[]);
        let mut work = Rendering::new(&scope);
        let auth = work.auth(self);
        let mut url = Text::default();
        work.base(self, &Vec::new(), &mut url);
        url.push_str(below.path);
        let mut key = Pairs::query(self.query_arrays);
        work.query_key(auth, &mut key);
        if let Some(query) = below.query {
            url.push_str("?");
            url.push_str(query);
        }
        if !key.out.0.is_empty() {
            url.push_str(match below.query {
                None => "?",
                Some("") => "",
                Some(_) => "&",
            });
            url.append(key.out);
        }
        let mut headers = Vec::new();
        for header in &self.default_headers {
            // The type of a body is its sender's to tell, and there may be no body.
            let theirs = header.name == "content-type" || (below.sends)(&header.name);
            if header.value.has_secret() || !theirs {
                let value = work.header(header);
                headers.extend(value.map(|value| (header.name.clone(), value)));
            }
        }
        work.auth_headers(auth, &mut headers);
        work.finish(Request {
            method: below.method.to_owned(),
            url,
            headers,
            body: None,
        })
    }
}

impl Auth {
    /// Names in lower case of the headers that this method sets, whether or not their values are there.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match &self.kind {
            AuthKind::ApiKey {
                name,
                location: KeyLocation::Header,
                ..
            } => (Some(name.as_str()), None),
            AuthKind::Bearer { .. } | AuthKind::Basic { .. } => (Some("authorization"), None),
            AuthKind::OAuth2(oauth) => (Some(oauth.token_header.as_str()), None),
            AuthKind::CustomHeaders { headers } => (None, Some(headers)),
            AuthKind::ApiKey { .. } | AuthKind::None | AuthKind::Custom => (None, None),
        };
        let many = many.into_iter().flatten().map(|header| header.name.as_str());
        one.into_iter().chain(many)
    }

    /// The parameter of the query that this method sets.
    pub fn query_name(&self) -> Option<&str> {
        match &self.kind {
            AuthKind::ApiKey {
                name,
                location: KeyLocation::Query,
                ..
            } => Some(name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Json, Use, request::SecretRef};

    fn rendered(auth: &str, path: &str, query: Option<&str>, sends: &[&str]) -> String {
        let manifest = format!(
            "{{ id: acme, name: A, baseUrl: 'https://api.example/v1', \
             defaultHeaders: {{ x-version: '1', x-key: 'k {{{{config.token}}}}', content-type: text/plain }}, \
             auth: [{{ {auth}, fields: [{{ name: token, secret: true, required: true }}] }}], endpoints: [] }}"
        );
        let manifest = Manifest::parse(&manifest, Use::Tenant).unwrap();
        let nothing = Json::parse("{}").unwrap();
        let values = Values {
            input: nothing.tree(),
            config: nothing.tree(),
            auth: manifest.auth.first(),
            secrets: &BTreeSet::from([SecretRef::Config("token".to_owned())]),
        };
        let below = Below {
            method: "PURGE",
            path,
            query,
            sends: &|name| sends.contains(&name),
        };
        let request = manifest.render_proxy(&below, &values).unwrap();
        let headers = request.headers.iter().map(|(name, value)| format!("\n{name}: {value}"));
        format!("{} {}{}", request.method, request.url, headers.collect::<String>())
    }

    const BEARER: &str = "type: bearer, token: '{{token}}'";
    const QUERY: &str = "type: api_key, keyName: key, keyLocation: query, keyValue: '{{token}}'";
    const SECRET: &str = "x-key: k {{config.token}}";

    #[test]
    fn what_follows_the_base_url_is_not_encoded_again() {
        for (path, query, url) in [
            ("", None, "https://api.example/v1"),
            ("/", None, "https://api.example/v1/"),
            (
                "/a%2Fb//c",
                Some("q={{token}}&%zz"),
                "https://api.example/v1/a%2Fb//c?q={{token}}&%zz",
            ),
            ("/a", Some(""), "https://api.example/v1/a?"),
        ] {
            let expected = format!("PURGE {url}\nx-version: 1\n{SECRET}\nauthorization: Bearer {{{{config.token}}}}");
            assert_eq!(rendered(BEARER, path, query, &[]), expected);
        }
    }

    #[test]
    fn a_key_in_the_query_stands_last() {
        for (query, url) in [(None, "?key="), (Some(""), "?key="), (Some("a=1"), "?a=1&key=")] {
            let expected = format!("PURGE https://api.example/v1/x{url}{{{{config.token}}}}\nx-version: 1\n{SECRET}");
            assert_eq!(rendered(QUERY, "/x", query, &[]), expected);
        }
    }

    #[test]
    fn a_sender_replaces_default_headers_but_no_secret_ones() {
        let text = rendered(QUERY, "/x", None, &["x-version", "x-key"]);
        assert!(!text.contains("x-version") && text.ends_with(SECRET), "{text}");
    }

    #[test]
    fn says_why_nothing_can_be_passed_on() {
        let why = |rest: &str| {
            let manifest = format!("{{ id: acme, name: A, endpoints: [], {rest} }}");
            let manifest = Manifest::parse(&manifest, Use::Tenant).unwrap();
            manifest.no_proxy(manifest.auth.first())
        };
        let base = "baseUrl: 'https://api.example'";
        let fields = "fields: [{ name: token, secret: true }]";
        let key = format!(
            "{base}, auth: [{{ type: api_key, keyName: k, keyLocation: body, keyValue: '{{{{token}}}}', {fields} }}]"
        );
        assert_eq!(why(&format!("{base}, auth: [{{ {BEARER}, {fields} }}]")), None);
        assert!(why(&key).unwrap().contains("body"));
        assert!(
            why(&format!("{base}, auth: [{{ type: custom, {fields} }}]"))
                .unwrap()
                .contains("code")
        );
    }
}
