//! Where the routes are mounted, as the world outside sees them.

use http::Uri;
use url::Url;

use crate::{
    error::{Code, Error, Result},
    limits::MAX_BASE_BYTES,
};

/// The base path, unless another is given.
const PATH: &str = "/api/v1/connectors";

/// Where the routes are mounted.
pub(crate) struct Base {
    /// Scheme, host and port, where they were given.
    origin: Option<String>,
    /// The path below which the connectors are. Begins with a slash and ends with none.
    path: String,
}

impl Base {
    /// What the builder was told, judged.
    ///
    /// # Errors
    /// `CONFIG_INVALID`.
    pub(crate) fn new(url: Option<&str>, path: Option<&str>) -> Result<Self> {
        let path = path.unwrap_or(PATH).trim_end_matches('/');
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let begins = path.is_empty() || path.starts_with('/');
        if !begins || path.contains("//") || !path.bytes().all(is_plain) || path.len() > MAX_BASE_BYTES {
            let detail = format!("The base path is one such as `{PATH}`: it begins with a slash, and has no query.");
            return Err(Error::new(Code::ConfigInvalid, detail));
        }
        let path = path.to_owned();
        let Some(text) = url else {
            return Ok(Self { origin: None, path });
        };
        let parsed = Url::parse(text).ok().filter(|url| {
            let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            let nobody = url.username().is_empty() && url.password().is_none();
            matches!(url.scheme(), "http" | "https") && bare && nobody && text.len() <= MAX_BASE_BYTES
        });
        let url = parsed.ok_or_else(|| {
            let detail = "The base URL is one such as `https://app.example`: a scheme and a host. What follows them belongs \
                          into the base path.";
            Error::new(Code::ConfigInvalid, detail)
        })?;
        Ok(Self {
            origin: Some(url.origin().ascii_serialization()),
            path,
        })
    }

    /// The address of a connector's routes; a path, where it is not known under what name we are reached.
    pub(crate) fn of(&self, connector: &str) -> String {
        let origin = self.origin.as_deref().unwrap_or_default();
        format!("{origin}{}/{connector}", self.path)
    }

    /// What stands below the base path.
    pub(super) fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(&self.path)?.strip_prefix('/')
    }

    /// The address of a request as its sender called it, which some of them sign. Not from the `Host` header, which says
    /// what the sender likes.
    pub(crate) fn called(&self, uri: &Uri) -> String {
        let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
        match &self.origin {
            Some(origin) => format!("{origin}{rest}"),
            None => uri.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_made_and_found_below_the_same_base() {
        let base = Base::new(Some("https://app.example/"), None).unwrap();
        assert_eq!(base.of("acme"), "https://app.example/api/v1/connectors/acme");
        assert_eq!(base.below("/api/v1/connectors/acme/webhook/x"), Some("acme/webhook/x"));
        for foreign in ["/api/v1/connectorsacme/webhook/x", "/other/acme/webhook/x", "", "/"] {
            assert_eq!(base.below(foreign), None, "{foreign}");
        }
        let own = Base::new(None, Some("/hooks/")).unwrap();
        assert_eq!(own.of("acme"), "/hooks/acme");
        let root = Base::new(Some("http://localhost:3000"), Some("/")).unwrap();
        assert_eq!(root.of("acme"), "http://localhost:3000/acme");
        assert_eq!(root.below("/acme/webhook/x"), Some("acme/webhook/x"));
    }

    #[test]
    fn a_base_that_is_none_is_refused() {
        for url in [
            "app.example",
            "ftp://a.example",
            "https://u@a.example",
            "https://a.example/x",
            "https://a.example?x",
        ] {
            let error = Base::new(Some(url), None).err().unwrap();
            assert_eq!(error.code(), Code::ConfigInvalid, "{url}");
        }
        for path in ["hooks", "/a//b", "/a?b", "/a b", &"/a".repeat(MAX_BASE_BYTES)] {
            assert!(Base::new(None, Some(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn the_signed_address_is_ours_and_not_what_a_header_says() {
        let base = Base::new(Some("https://app.example"), None).unwrap();
        let uri = "/hooks/x?a=b".parse().unwrap();
        assert_eq!(base.called(&uri), "https://app.example/hooks/x?a=b");
    }
}
