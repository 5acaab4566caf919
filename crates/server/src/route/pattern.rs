//! Which requests a route takes: those of its method, and those whose path fits its pattern.

use http::Method;
use percent_encoding::percent_decode_str;
use tieline::Result;

use super::{Handler, Route, invalid, route};
use crate::caller::Access;

/// A route for every method but CONNECT and TRACE, which are no requests for a resource.
pub fn any<Args, H: Handler<Args>>(path: &str, access: impl Into<Access>, handler: H) -> Route {
    let any = Method::from_bytes(ANY.as_bytes()).expect("a word of letters is a method");
    route(any, path, access, handler)
}

/// What stands for all methods in the list of routes.
const ANY: &str = "ANY";

/// The methods that the API description can name.
const DESCRIBED: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

impl Route {
    /// The methods under which it is described.
    pub fn methods(&self) -> &[Method] {
        if self.method.as_str() == ANY {
            &DESCRIBED
        } else {
            std::slice::from_ref(&self.method)
        }
    }

    /// Whether it answers a request of this method. HEAD is GET without the body, which the connection leaves out by
    /// itself.
    pub(crate) fn takes(&self, method: &Method) -> bool {
        if self.method.as_str() == ANY {
            return !matches!(*method, Method::CONNECT | Method::TRACE);
        }
        self.method == *method || (self.method == Method::GET && *method == Method::HEAD)
    }

    /// The names of the path's parameters.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.path
            .split('/')
            .filter_map(|part| param(part).map(|(name, _)| name))
    }

    /// Every pattern of a path that leads here: a tail may be absent or empty.
    pub(crate) fn patterns(&self) -> Vec<&str> {
        let mut patterns = vec![self.path.as_str()];
        if let Some(tail) = self.path.find("/{*") {
            patterns.extend([&self.path[..tail], &self.path[..=tail]]);
        }
        patterns
    }

    /// The parameters of a path that led here, percent-decoded but for a tail, which is as it was sent, with its slash.
    pub(crate) fn read_params(&self, path: &str) -> Result<Vec<(String, String)>> {
        let (mut rest, mut params) = (path, Vec::new());
        for part in self.path.split('/').skip(1) {
            let text = rest.strip_prefix('/').unwrap_or(rest);
            let end = text.find('/').unwrap_or(text.len());
            match param(part) {
                Some((name, true)) => params.push((name.to_owned(), std::mem::take(&mut rest).to_owned())),
                Some((name, false)) => params.push((name.to_owned(), decoded(&text[..end])?)),
                None => {}
            }
            rest = text.get(end..).filter(|_| !rest.is_empty()).unwrap_or_default();
        }
        Ok(params)
    }
}

/// The name in a part of a path's pattern, and whether it stands for all that follows.
fn param(part: &str) -> Option<(&str, bool)> {
    let name = part.strip_prefix('{')?.strip_suffix('}')?;
    Some(name.strip_prefix('*').map_or((name, false), |name| (name, true)))
}

fn decoded(segment: &str) -> Result<String> {
    let text = percent_decode_str(segment).decode_utf8();
    let text = text.map_err(|_| invalid("The path is not percent-encoded UTF-8.", []))?;
    if text.chars().any(char::is_control) {
        return Err(invalid("The path holds control characters.", []));
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use tieline::Code;

    use super::*;
    use crate::{caller::Access::Anyone, route::Nothing};

    async fn nothing() -> Result<Nothing> {
        Ok(Nothing)
    }

    #[test]
    fn a_tail_is_as_it_was_sent_and_the_rest_is_decoded() {
        let route = any("/of/{thing}/through/{*path}", Anyone, nothing);
        assert_eq!(route.params().collect::<Vec<_>>(), ["thing", "path"]);
        for (path, thing, tail) in [
            ("/of/a%20b/through", "a b", ""),
            ("/of/1/through/", "1", "/"),
            ("/of/1/through//", "1", "//"),
            ("/of/1/through/a%2Fb/%ff/", "1", "/a%2Fb/%ff/"),
        ] {
            let expected = [("thing", thing), ("path", tail)].map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(route.read_params(path).unwrap(), expected, "{path}");
        }
        for path in ["/of/%ff/through", "/of/%00/through/a"] {
            assert_eq!(route.read_params(path).unwrap_err().code(), Code::RequestInvalid);
        }
    }

    #[test]
    fn any_is_every_method_that_asks_for_a_resource() {
        let route = any("/a", Anyone, nothing);
        for method in ["GET", "HEAD", "OPTIONS", "PROPFIND", "QUERY"] {
            assert!(route.takes(&method.parse().unwrap()), "{method}");
        }
        assert!(!route.takes(&Method::CONNECT) && !route.takes(&Method::TRACE));
        assert!(route.methods().iter().all(|method| route.takes(method)));
    }
}
