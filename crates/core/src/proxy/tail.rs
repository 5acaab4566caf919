//! Where below the base URL a request is passed on to: as the caller wrote it, or not at all.

use percent_encoding::percent_decode_str;

use crate::error::{Code, Error, Result};

/// Path and query, judged. Percent-encoding is as it was.
pub(super) struct Tail {
    /// Nothing, or a path that begins with a slash.
    pub(super) path: String,
    pub(super) query: Option<String>,
}

impl Tail {
    /// Refuses what could be read as a way out of the base URL's path, by us or by any server behind it, and a caller's
    /// own key, which has no business upstream.
    pub(super) fn judge(path: &str, query: Option<&str>, own_key: Option<&str>) -> Result<Self> {
        if !path.is_empty() && !path.starts_with('/') {
            return Err(refused("path", "The path begins with `/`."));
        }
        for (place, text) in [("path", path), ("query", query.unwrap_or_default())] {
            if text
                .bytes()
                .any(|byte| !byte.is_ascii_graphic() || byte == b'\\' || byte == b'#')
            {
                return Err(refused(
                    place,
                    "Percent-encode blanks, backslashes and what is no ASCII.",
                ));
            }
            if own_key.is_some_and(|key| text.contains(key)) {
                return Err(refused(
                    place,
                    "Your own API key stands in it, and it is passed on: leave it out.",
                ));
            }
        }
        if climbs(path) {
            let hint =
                "A segment `.` or `..`, percent-encoded or not, could leave the connector's base URL: leave it out.";
            return Err(refused("path", hint));
        }
        Ok(Self {
            path: path.to_owned(),
            query: query.map(str::to_owned),
        })
    }

    /// Without a parameter of the query that is not the caller's to set, however it is written.
    pub(super) fn without(mut self, name: Option<&str>) -> Self {
        if let (Some(name), Some(query)) = (name, &self.query) {
            self.query = without(query, name);
        }
        self
    }
}

/// Whether a segment is `.` or `..`, for servers too that decode slashes first, take backslashes for slashes, or cut
/// off parameters (`..;a`).
fn climbs(path: &str) -> bool {
    let decoded = percent_decode_str(path).collect::<Vec<u8>>();
    decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        matches!(name, b"." | b"..")
    })
}

/// The query without the pairs of this name. Some servers part pairs at `;` too, do not mind the case of names, or read
/// `name[]` as `name`.
fn without(query: &str, name: &str) -> Option<String> {
    let is_named = |pair: &&str| {
        let written = pair.split('=').next().unwrap_or_default().replace('+', " ");
        let decoded = percent_decode_str(&written).decode_utf8_lossy();
        let said = decoded.split('[').next().unwrap_or_default().trim();
        said.eq_ignore_ascii_case(name)
    };
    if !query.split(['&', ';']).any(|pair| is_named(&pair)) {
        return Some(query.to_owned());
    }
    let kept = query
        .split_inclusive(['&', ';'])
        .filter(|pair| !is_named(&pair.trim_end_matches(['&', ';'])));
    let kept = kept.collect::<String>();
    let kept = kept.strip_suffix(['&', ';']).unwrap_or(&kept);
    (!kept.is_empty()).then(|| kept.to_owned())
}

fn refused(place: &str, hint: &str) -> Error {
    let detail = format!("The {place} below the proxy cannot be passed on. {hint}");
    Error::new(Code::RequestInvalid, detail).before_sending()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(path: &str, query: Option<&str>) -> Result<Tail> {
        Tail::judge(path, query, Some("sk_own"))
    }

    #[test]
    fn no_segment_leads_up() {
        for path in [
            "/.",
            "/..",
            "/../",
            "/a/./b",
            "/a/../b",
            "/%2e",
            "/%2E%2e/",
            "/.%2e/a",
            "/..%2fa",
            "/a%2f..",
            "/a%5c..%5cb",
            "/..;x=1/a",
            "/..%3bx/a",
            "/%2e;/",
            "a",
            "..",
        ] {
            assert_eq!(judged(path, None).err().unwrap().code(), Code::RequestInvalid, "{path}");
        }
        for path in [
            "",
            "/",
            "//",
            "/a..b",
            "/...",
            "/.well-known/x",
            "/a%2Fb",
            "/%252e%252e",
            "/%ff%00",
            "/{a}|'\"^`",
        ] {
            assert_eq!(judged(path, Some("a=../..")).unwrap().path, path);
        }
    }

    #[test]
    fn k_the_callers_key_and_odd_letters_stay_here() {
        for (path, query) in [
            ("/a/sk_own", None),
            ("/a", Some("key=sk_own")),
            ("/a\\b", None),
            ("/a", Some("q=\u{e9}")),
            ("/a", Some("q= ")),
            ("/a", Some("#x")),
        ] {
            assert!(judged(path, query).is_err(), "{path} {query:?}");
        }
    }

    #[test]
    fn a_parameter_that_is_not_theirs_is_left_out_and_the_rest_is_as_it_was() {
        for (query, left) in [
            ("a=%31&b", Some("a=%31&b")),
            ("key=1", None),
            ("a=1&key=2&b=3", Some("a=1&b=3")),
            ("key=2&a=1&KEY[]=3&k%65y=4", Some("a=1")),
            ("a=1;key=2;b=3&+key=4", Some("a=1;b=3")),
            ("key&keys=1&a=key", Some("keys=1&a=key")),
            ("", Some("")),
        ] {
            assert_eq!(without(query, "key").as_deref(), left, "{query}");
        }
    }
}
