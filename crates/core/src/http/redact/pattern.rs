//! Secrets by their shape, and values by the name before them, in text of any kind.

use std::ops::Range;

use super::names::{is_secret_line, is_secret_name};
use crate::limits::MAX_SECRET_NAME_BYTES;

/// A token this long is one even when it is all letters of one case.
const SURELY_A_TOKEN: usize = 20;

/// A shorter run of letters is not taken for a token.
const SHORTEST_TOKEN: usize = 8;

/// Where the text has the shape of a secret. One pass: what was found is not searched again.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut spans = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let found = match bytes[at] {
            b'b' | b'B' => scheme(text, at, "bearer ")
                .or_else(|| scheme(text, at, "basic "))
                .or_else(|| bot_token(text, at)),
            b'e' => json_web_token(text, at),
            b's' => own_api_key(text, at),
            b'-' => private_key(text, at),
            b'=' => named_value(text, at),
            b':' => userinfo(text, at)
                .or_else(|| quoted_value(text, at))
                .or_else(|| secret_line(text, at)),
            _ => None,
        };
        at = match found {
            Some(span) => {
                let next = span.end.max(at + 1);
                spans.push(span);
                next
            }
            None => at + 1,
        };
    }
    spans
}

/// The place after the longest run of bytes of a kind.
fn run(text: &str, start: usize, kind: impl Fn(u8) -> bool) -> usize {
    let bytes = &text.as_bytes()[start..];
    start + bytes.iter().position(|byte| !kind(*byte)).unwrap_or(bytes.len())
}

/// The place where the run before `end` begins, no further back than a name can reach.
fn run_back(text: &str, end: usize, kind: impl Fn(u8) -> bool) -> usize {
    let floor = end.saturating_sub(MAX_SECRET_NAME_BYTES);
    let bytes = &text.as_bytes()[floor..end];
    floor + bytes.iter().rposition(|byte| !kind(*byte)).map_or(0, |at| at + 1)
}

/// Whether a word begins here. Also keeps the search linear: one run of letters has one beginning.
fn begins_word(text: &str, at: usize) -> bool {
    at == 0 || !matches!(text.as_bytes()[at - 1], b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.')
}

fn starts_with(text: &str, at: usize, prefix: &str) -> bool {
    let bytes = text.as_bytes();
    bytes
        .get(at..at + prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Letters of `token68` (RFC 9110 section 11.2).
fn is_token_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Whether a word is a token rather than prose: `Bearer authentication` is none.
fn looks_random(word: &str) -> bool {
    let mixed = word.bytes().skip(1).any(|byte| byte.is_ascii_uppercase())
        && word.bytes().any(|byte| byte.is_ascii_lowercase());
    let signs = word
        .bytes()
        .any(|byte| byte.is_ascii_digit() || matches!(byte, b'=' | b'+'));
    word.len() >= SURELY_A_TOKEN || (word.len() >= SHORTEST_TOKEN && (mixed || signs))
}

/// `Bearer …` and `Basic …` (RFC 6750, RFC 7617).
fn scheme(text: &str, at: usize, name: &str) -> Option<Range<usize>> {
    if !begins_word(text, at) || !starts_with(text, at, name) {
        return None;
    }
    let start = run(text, at + name.len(), |byte| byte == b' ');
    let end = run(text, start, is_token_letter);
    let token = text[start..end].trim_end_matches('.');
    looks_random(token).then(|| start..start + token.len())
}

/// `bot<digits>:<token>`, as it stands in the paths of Telegram's Bot API; the colon may be percent-encoded.
fn bot_token(text: &str, at: usize) -> Option<Range<usize>> {
    if !begins_word(text, at) || !starts_with(text, at, "bot") {
        return None;
    }
    let start = at + "bot".len();
    let digits = run(text, start, |byte| byte.is_ascii_digit());
    let colon = [":", "%3A"]
        .into_iter()
        .find(|colon| starts_with(text, digits, colon))?;
    let secret = digits + colon.len();
    let end = run(text, secret, is_url_safe);
    (digits > start && end - secret >= SHORTEST_TOKEN).then_some(start..end)
}

/// A JSON Web Token (RFC 7519): three or five parts, the first beginning with `{"` in base64url.
fn json_web_token(text: &str, at: usize) -> Option<Range<usize>> {
    if !begins_word(text, at) || !text[at..].starts_with("eyJ") {
        return None;
    }
    let end = run(text, at, |byte| is_url_safe(byte) || byte == b'.');
    let mut parts = text[at..end].split('.');
    let long = |part: Option<&str>| part.is_some_and(|part| part.len() >= SHORTEST_TOKEN);
    (long(parts.next()) && long(parts.next()) && parts.next().is_some()).then_some(at..end)
}

/// A key of our own API, `sk_` and 64 hexadecimal digits; and others of that family.
fn own_api_key(text: &str, at: usize) -> Option<Range<usize>> {
    if !begins_word(text, at) || !text[at..].starts_with("sk_") {
        return None;
    }
    let end = run(text, at, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let has_digit = text[at..end].bytes().any(|byte| byte.is_ascii_digit());
    (end - at > SURELY_A_TOKEN && has_digit).then_some(at..end)
}

/// A private key in PEM (RFC 7468). Certificates and public keys are no secrets. One cut short is secret to its end.
fn private_key(text: &str, at: usize) -> Option<Range<usize>> {
    let label = text[at..].strip_prefix("-----BEGIN ")?;
    let label = &label[..label.find("-----")?];
    if label.len() > MAX_SECRET_NAME_BYTES || !label.contains("PRIVATE KEY") {
        return None;
    }
    let end = text[at..].find("-----END ").and_then(|end| {
        let footer = at + end + "-----END ".len();
        text[footer..]
            .find("-----")
            .map(|dashes| footer + dashes + "-----".len())
    });
    Some(at..end.unwrap_or(text.len()))
}

/// What stands before the `@` in `scheme://user:password@host`. A plain short user (`ssh://git@…`) stays.
fn userinfo(text: &str, at: usize) -> Option<Range<usize>> {
    if !text[at..].starts_with("://") {
        return None;
    }
    let start = at + "://".len();
    let end = run(text, start, |byte| {
        !byte.is_ascii_whitespace() && !b"/?#\\\"'<>".contains(&byte)
    });
    let user = &text[start..start + text[start..end].rfind('@')?];
    (user.contains(':') || looks_random(user)).then(|| start..start + user.len())
}

/// The value of `name=value`, as in queries, forms, cookies and connection strings.
fn named_value(text: &str, at: usize) -> Option<Range<usize>> {
    let name = run_back(text, at, |byte| {
        byte.is_ascii_alphanumeric() || b"_-.[]%".contains(&byte)
    });
    if !text.is_char_boundary(name) || !is_secret_name(&text[name..at]) {
        return None;
    }
    let start = at + 1;
    match text.as_bytes().get(start) {
        Some(quote @ (b'"' | b'\'')) => string(text, start + 1, *quote),
        _ => {
            let end = run(text, start, |byte| {
                !byte.is_ascii_whitespace() && !b"&;\"'<>\\".contains(&byte)
            });
            says_something(text, start..end)
        }
    }
}

/// The value of `"name": value`, in JSON or something like it, whole or cut, and inside a string of JSON too.
fn quoted_value(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let close = run_back(text, at, |byte| byte == b' ').checked_sub(1)?;
    let quote = bytes[close];
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let end = if close > 0 && bytes[close - 1] == b'\\' {
        close - 1
    } else {
        close
    };
    let name = run_back(text, end, |byte| byte != quote);
    if name == 0 || bytes[name - 1] != quote || !is_secret_name(&text[name..end]) {
        return None;
    }
    let start = run(text, at + 1, |byte| byte.is_ascii_whitespace());
    match bytes.get(start)? {
        b'\\' if bytes.get(start + 1) == Some(&quote) => string(text, start + 2, quote),
        opening if *opening == quote => string(text, start + 1, quote),
        b'-' | b'0'..=b'9' => Some(
            start..run(text, start, |byte| {
                byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
            }),
        ),
        _ => None,
    }
}

/// What stands in a string up to its closing quote (in a string inside a string, that quote has a backslash before it).
/// A string cut short goes on to the end.
fn string(text: &str, start: usize, quote: u8) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let nested = start >= 2 && bytes[start - 2] == b'\\';
    let mut at = start;
    while at < bytes.len() && bytes[at] != quote {
        if bytes[at] == b'\\' {
            if nested && bytes.get(at + 1) == Some(&quote) {
                break;
            }
            at += 1;
        }
        at += 1;
    }
    // The character after a backslash may be a long one.
    let end = text.ceil_char_boundary(at.min(bytes.len()));
    says_something(text, start..end)
}

/// The rest of a line such as `Authorization: …`.
fn secret_line(text: &str, at: usize) -> Option<Range<usize>> {
    let name = run_back(text, at, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !text.is_char_boundary(name) || !is_secret_line(&text[name..at]) {
        return None;
    }
    let start = run(text, at + 1, |byte| byte == b' ');
    says_something(text, start..run(text, start, |byte| !matches!(byte, b'\r' | b'\n')))
}

/// Values that only say whether there is a secret stay.
fn says_something(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let word = &text[span.clone()];
    (!matches!(word, "" | "true" | "false" | "null")).then_some(span)
}
