//! Puts the secrets into the slots of a rendered request.
//!
//! Every buffer that holds a filled secret is wiped when it is dropped, and is allocated at its full size first: a
//! buffer that grows leaves its former copies behind.

use bytes::Bytes;
use http::HeaderValue;
use tieline_manifest::request::{Encode, Part, SecretRef, Segment, Slot, Text};
use zeroize::Zeroizing;

use crate::error::{Code, Error, Result};

/// The opened secrets of one call.
pub trait Secrets: Send + Sync {
    /// The secret, or nothing where it is not set.
    fn get(&self, secret: &SecretRef) -> Option<&str>;
}

/// The text with every slot filled.
pub fn fill(text: &Text, secrets: &dyn Secrets) -> Result<Zeroizing<String>> {
    Ok(write(&pieces(text, secrets)?))
}

/// A URL. A slot at its beginning is a whole URL, to which the rest is joined; no secret can lead to another path than
/// the one that was rendered.
pub(super) fn fill_url(text: &Text, secrets: &dyn Secrets) -> Result<Zeroizing<String>> {
    let mut pieces = pieces(text, secrets)?;
    if pieces.iter().any(Piece::is_empty_slot) {
        return Err(value_refused("The URL", text, "It may not be empty."));
    }
    if let [Piece::Slot(whole, Encode::Raw), rest @ ..] = pieces.as_mut_slice() {
        join_url(whole, rest.first_mut()).map_err(|hint| value_refused("The URL", text, hint))?;
    }
    let url = write(&pieces);
    if climbs(&url) {
        let hint = "It may not make a segment of the path `.` or `..`.";
        return Err(value_refused("The URL", text, hint));
    }
    Ok(url)
}

/// Joins what follows a whole URL to it: a path to one without a query, a query to the one it may have.
fn join_url(whole: &mut Zeroizing<String>, rest: Option<&mut Piece<'_>>) -> Result<(), &'static str> {
    if whole.contains('#') {
        return Err("It may not have a fragment (`#…`).");
    }
    let Some(Piece::Literal(rest)) = rest else {
        return Ok(());
    };
    if let Some(path) = rest.strip_prefix('/') {
        if whole.contains('?') {
            return Err("It may not have a query (`?…`): a path is put behind it.");
        }
        if whole.ends_with('/') {
            *rest = path;
        }
    } else if let (Some(query), Some(own)) = (rest.strip_prefix('?'), whole.find('?')) {
        if own + 1 == whole.len() {
            *rest = query;
        } else {
            // A slot holds the mark that joins them, so that the literal need not be copied.
            let mut joined = Zeroizing::new(String::with_capacity(whole.len() + 1));
            joined.push_str(whole);
            joined.push('&');
            *whole = joined;
            *rest = query;
        }
    }
    Ok(())
}

/// Whether a segment of the path is `.` or `..`, percent-encoded or not: URL parsers take them away, the second with the
/// segment before it.
fn climbs(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let is_dot = |segment: &str| {
        let mut rest = segment;
        let mut dots = 0;
        while !rest.is_empty() {
            let dot = rest.strip_prefix('.');
            let Some(after) = dot
                .or_else(|| rest.strip_prefix("%2e"))
                .or_else(|| rest.strip_prefix("%2E"))
            else {
                return false;
            };
            (rest, dots) = (after, dots + 1);
        }
        dots == 1 || dots == 2
    };
    path.split('/').skip(1).any(is_dot)
}

fn pieces<'a>(text: &'a Text, secrets: &dyn Secrets) -> Result<Vec<Piece<'a>>> {
    let each = text.0.iter().map(|segment| match segment {
        Segment::Literal(literal) => Ok(Piece::Literal(literal)),
        Segment::Slot(slot) => join(slot, secrets).map(|value| Piece::Slot(value, slot.encode)),
        Segment::Bytes(_) => Err(Error::internal("fill a request", "a file stands outside a body")),
    });
    each.collect()
}

fn write(pieces: &[Piece<'_>]) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(pieces.iter().map(Piece::most_bytes).sum()));
    for piece in pieces {
        piece.write(&mut out);
    }
    out
}

/// A header value; marked sensitive where it holds a secret, so that nothing prints it.
pub(super) fn fill_header(name: &str, text: &Text, secrets: &dyn Secrets) -> Result<HeaderValue> {
    let filled = fill(text, secrets)?;
    let mut value = HeaderValue::from_maybe_shared(wiped(filled)).map_err(|_| header_refused(name, text))?;
    value.set_sensitive(text.has_slots());
    Ok(value)
}

/// The content of a body.
pub(super) fn fill_body(text: &Text, secrets: &dyn Secrets) -> Result<Bytes> {
    match text.as_literal() {
        Some(literal) => Ok(Bytes::copy_from_slice(literal.as_bytes())),
        None if text.has_slots() => fill(text, secrets).map(wiped),
        None => Ok(joined(text)),
    }
}

/// A body with files and without secrets: the manifest language keeps them apart.
fn joined(text: &Text) -> Bytes {
    let parts = text.0.iter().map(|segment| match segment {
        Segment::Literal(literal) => literal.as_bytes(),
        Segment::Bytes(bytes) => bytes,
        Segment::Slot(_) => &[],
    });
    parts.collect::<Vec<_>>().concat().into()
}

/// Bytes that are wiped when the last holder lets go of them.
pub(super) fn wiped(text: Zeroizing<String>) -> Bytes {
    Bytes::from_owner(Wiped(text))
}

struct Wiped(Zeroizing<String>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

enum Piece<'a> {
    Literal(&'a str),
    Slot(Zeroizing<String>, Encode),
}

impl Piece<'_> {
    fn is_empty_slot(&self) -> bool {
        matches!(self, Self::Slot(value, _) if value.is_empty())
    }

    /// The most room it can take once encoded.
    fn most_bytes(&self) -> usize {
        match self {
            Self::Literal(literal) => literal.len(),
            Self::Slot(value, encode) => match encode {
                Encode::Raw => value.len(),
                Encode::Percent | Encode::Form => value.len() * 3,
                Encode::Json => value.len() * 6,
                Encode::Base64 => value.len().div_ceil(3) * 4,
            },
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Literal(literal) => out.push_str(literal),
            Self::Slot(value, encode) => encode.write(value, out),
        }
    }
}

/// The parts of a slot as one value, not yet encoded.
fn join(slot: &Slot, secrets: &dyn Secrets) -> Result<Zeroizing<String>> {
    let parts = slot
        .parts
        .iter()
        .map(|part| match part {
            Part::Literal(literal) => Ok(literal.as_str()),
            Part::Secret(secret) => secrets.get(secret).ok_or_else(|| missing(secret)),
        })
        .collect::<Result<Vec<_>>>()?;
    let mut value = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| value.push_str(part));
    Ok(value)
}

fn missing(secret: &SecretRef) -> Error {
    match secret {
        SecretRef::Config(field) => Error::new(
            Code::ConnectorConfigInvalid,
            format!("The connection has no `{field}`. Set it in the connection or its credential."),
        )
        .field(format!("/{field}"), "This secret is required for the call."),
        SecretRef::Input(field) => Error::new(
            Code::ConnectorActionInputInvalid,
            format!("The input has no `{field}`, which this action needs."),
        )
        .field(format!("/{field}"), "This secret is required for the call."),
    }
    .before_sending()
}

/// A header value that would break the request's framing.
fn header_refused(name: &str, text: &Text) -> Error {
    let hint = "It may not hold line breaks, NUL or other control characters; look for a stray line break at its end.";
    value_refused(&format!("The header `{name}`"), text, hint)
}

/// A value that cannot stand in its place. Only the first of the secrets is named: each may be at fault.
fn value_refused(place: &str, text: &Text, hint: &str) -> Error {
    match text.secrets().next() {
        Some(SecretRef::Config(field)) => Error::new(
            Code::ConnectorConfigInvalid,
            format!("{place} cannot be sent with this `{field}`. {hint}"),
        )
        .field(format!("/{field}"), hint),
        Some(SecretRef::Input(field)) => Error::new(
            Code::ConnectorActionInputInvalid,
            format!("{place} cannot be sent with this `{field}`. {hint}"),
        )
        .field(format!("/{field}"), hint),
        None => Error::new(
            Code::ConnectorActionInputInvalid,
            format!("{place} cannot be sent. {hint}"),
        ),
    }
    .before_sending()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(&'static str);

    impl Secrets for One {
        fn get(&self, secret: &SecretRef) -> Option<&str> {
            (*secret == SecretRef::Config("token".to_owned())).then_some(self.0)
        }
    }

    fn slot(before: &str, secret: &str, encode: Encode) -> Text {
        let mut text = Text::literal("<");
        text.push_slot(Slot {
            parts: vec![
                Part::Literal(before.to_owned()),
                Part::Secret(SecretRef::Config(secret.to_owned())),
            ],
            encode,
        });
        text.push_str(">");
        text
    }

    #[test]
    fn every_encoding_is_applied_once_to_the_joined_value() {
        for (encode, filled) in [
            (Encode::Raw, "<u:a b/\"\\\u{7}~+é>"),
            (Encode::Percent, "<u%3Aa%20b%2F%22%5C%07~%2B%C3%A9>"),
            (Encode::Form, "<u%3Aa+b%2F%22%5C%07~%2B%C3%A9>"),
            (Encode::Json, "<u:a b/\\\"\\\\\\u0007~+é>"),
            (Encode::Base64, "<dTphIGIvIlwHfivDqQ==>"),
        ] {
            let text = slot("u:", "token", encode);
            assert_eq!(fill(&text, &One("a b/\"\\\u{7}~+é")).unwrap().as_str(), filled);
        }
    }

    #[test]
    fn json_form_reads_back_as_the_secret() {
        let secret = "\u{0}\u{1f}\n\t\"\\/\u{2028}\u{1f600}";
        let filled = fill(&slot("", "token", Encode::Json), &One(secret)).unwrap();
        let quoted = format!("\"{}\"", &filled[1..filled.len() - 1]);
        assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), secret);
    }

    fn filled_url(before: &str, encode: Encode, after: &str, secret: &'static str) -> Result<String> {
        let mut url = Text::literal(before);
        url.push_slot(Slot {
            parts: vec![Part::Secret(SecretRef::Config("token".to_owned()))],
            encode,
        });
        url.push_str(after);
        fill_url(&url, &One(secret)).map(|url| url.to_string())
    }

    #[test]
    fn x3_no_secret_climbs_out_of_its_segment() {
        let (before, after) = ("https://a.example/base/v1/a/", "/b");
        let filled = |secret| filled_url(before, Encode::Percent, after, secret);
        for fine in ["...", ".a", "a/../b", "%2e%2e"] {
            assert!(filled(fine).is_ok(), "{fine}");
        }
        for bad in ["..", ".", ""] {
            let error = filled(bad).unwrap_err();
            assert_eq!(error.code(), Code::ConnectorConfigInvalid, "{bad:?}");
            assert_eq!(error.fields()[0].pointer, "/token");
            assert!(error.nothing_sent());
        }
        // What stands beside it counts too.
        assert!(filled_url("https://a.example/.", Encode::Percent, "/b", ".").is_err());
        for bad in [
            "https://a.example/x/..",
            "https://a.example/%2E%2e/x",
            "https://a.example/.%2e",
        ] {
            assert!(filled_url("", Encode::Raw, "/b", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_query_joins_the_one_that_a_secret_url_has() {
        let filled = |rest, secret| filled_url("", Encode::Raw, rest, secret);
        for (secret, rest, url) in [
            (
                "https://a.example/hook",
                "?wait=true",
                "https://a.example/hook?wait=true",
            ),
            (
                "https://a.example/hook?token=1",
                "?wait=true",
                "https://a.example/hook?token=1&wait=true",
            ),
            (
                "https://a.example/hook?",
                "?wait=true",
                "https://a.example/hook?wait=true",
            ),
            ("https://a.example/hook?token=1", "", "https://a.example/hook?token=1"),
            ("https://a.example/base", "/path?x=1", "https://a.example/base/path?x=1"),
            ("https://a.example/base/", "/path", "https://a.example/base/path"),
        ] {
            assert_eq!(filled(rest, secret).unwrap(), url);
        }
        for (secret, rest) in [
            ("https://a.example/hook#part", "?wait=true"),
            ("https://a.example/hook#part", ""),
            ("https://a.example/base?token=1", "/path"),
        ] {
            let error = filled(rest, secret).unwrap_err();
            assert_eq!(error.code(), Code::ConnectorConfigInvalid, "{secret}");
            assert!(!format!("{error:?}").contains("a.example"), "{error:?}");
        }
    }

    // E7: a buffer that had to grow would have left a copy behind.
    #[test]
    fn e7_buffers_are_allocated_once() {
        for encode in [Encode::Raw, Encode::Percent, Encode::Form, Encode::Json, Encode::Base64] {
            for secret in ["", "a", "\u{1}\u{1}\u{1}\u{1}", "é\"\\ ~"] {
                let piece = Piece::Slot(Zeroizing::new(secret.to_owned()), encode);
                let mut out = String::new();
                piece.write(&mut out);
                assert!(out.len() <= piece.most_bytes(), "{encode:?} {secret:?}");
            }
        }
    }

    #[test]
    fn x3_header_values_refuse_line_breaks_and_nul() {
        for bad in ["a\r\nx-evil: 1", "a\n", "a\r", "a\0", "a\u{7f}"] {
            let error = fill_header("authorization", &slot("", "token", Encode::Raw), &One(bad)).unwrap_err();
            assert_eq!(error.code(), Code::ConnectorConfigInvalid);
            assert_eq!(error.fields()[0].pointer, "/token");
            assert!(!format!("{error:?}").contains("evil"));
            let error = fill_header("x-note", &Text::literal(bad), &One("")).unwrap_err();
            assert_eq!(error.code(), Code::ConnectorActionInputInvalid);
        }
    }

    #[test]
    fn r1_only_header_values_with_secrets_are_sensitive() {
        let secret = fill_header("authorization", &slot("Bearer ", "token", Encode::Raw), &One("abc")).unwrap();
        assert_eq!(secret.as_bytes(), b"<Bearer abc>");
        assert_eq!(format!("{secret:?}"), "Sensitive");
        let plain = fill_header("accept", &Text::literal("text/plain"), &One("")).unwrap();
        assert!(!plain.is_sensitive());
    }

    #[test]
    fn a_file_keeps_its_bytes_and_stands_in_no_header() {
        let mut text = Text::literal("a");
        text.0.push(Segment::Bytes(vec![0xff, 0, 0xfe]));
        text.push_str("b");
        assert_eq!(fill_body(&text, &One("")).unwrap().as_ref(), b"a\xff\x00\xfeb");
        assert!(fill_header("x-note", &text, &One("")).is_err());
    }

    #[test]
    fn a_missing_secret_is_named() {
        let error = fill(&slot("", "api_key", Encode::Raw), &One("abc")).unwrap_err();
        assert_eq!(error.code(), Code::ConnectorConfigInvalid);
        assert_eq!(error.fields()[0].pointer, "/api_key");
        assert!(error.nothing_sent());
    }
}
