//! Reading an answer: is it a success, where is the result, and what does a failure say.

use std::fmt;

use crate::{
    endpoint::{Endpoint, ResponseMapping, Test},
    json::{Json, Tree},
    limits,
    manifest::Manifest,
    path::Path,
};

/// The first part of an answer.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Looks a header up by its name in lower case.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
}

impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it means for the caller and for a retry.
    pub kind: FailureKind,
    /// The HTTP status.
    pub status: u16,
    /// The upstream's own code.
    pub code: Option<String>,
    /// The upstream's own sentence, made one line and cut to a bound; for [`FailureKind::Malformed`] ours.
    pub message: Option<String>,
    /// How long the upstream asks us to wait, as it wrote it: seconds or a date, which needs a clock to be read. Of an
    /// answer that says to come later (429, 408, 5xx).
    pub retry_after: Option<String>,
}

/// The kinds of [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The upstream understood and refused.
    Rejected,
    /// The credential was refused (401).
    Unauthorized,
    /// We must wait (429).
    RateLimited,
    /// The upstream is in trouble (408, 5xx).
    Unavailable,
    /// A success that is not what the manifest declares.
    Malformed,
}

impl FailureKind {
    /// Every word of [`FailureKind::as_str`].
    pub(crate) const WORDS: &[&'static str] = &["rejected", "unauthorized", "rate_limited", "unavailable", "malformed"];

    /// The word used in cases.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Unauthorized => "unauthorized",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Malformed => "malformed",
        }
    }
}

impl Endpoint {
    /// Reads an answer: the result, or why there is none.
    pub fn read(&self, manifest: &Manifest, head: &Head<'_>, body: &[u8]) -> Result<Json, Failure> {
        if !(200..300).contains(&head.status) {
            return Err(failure(manifest, head, body));
        }
        read_result(&self.mapping, &manifest.mapping, head, body)
    }
}

impl Test {
    /// Reads an answer to the credential test: the account's label, if there is one.
    pub(crate) fn read(&self, manifest: &Manifest, head: &Head<'_>, body: &[u8]) -> Result<Option<String>, Failure> {
        let passes = if self.expect.is_empty() {
            (200..300).contains(&head.status)
        } else {
            self.expect.contains(&head.status)
        };
        if !passes {
            return Err(failure(manifest, head, body));
        }
        let Some(path) = &self.label else { return Ok(None) };
        let json =
            Json::parse_bytes(body).map_err(|error| malformed(head, format!("the answer is not JSON: {error}")))?;
        Ok(path.first(json.tree()).and_then(line))
    }
}

fn malformed(head: &Head<'_>, message: String) -> Failure {
    Failure {
        kind: FailureKind::Malformed,
        status: head.status,
        code: None,
        message: Some(message),
        retry_after: None,
    }
}

fn read_result(own: &ResponseMapping, common: &ResponseMapping, head: &Head<'_>, body: &[u8]) -> Result<Json, Failure> {
    let when_empty = own.when_empty.as_ref().or(common.when_empty.as_ref());
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(when_empty.cloned().map(Json::from_tree).unwrap_or_default());
    }
    let json = Json::parse_bytes(body).map_err(|error| malformed(head, format!("the answer is not JSON: {error}")))?;
    let Some(path) = own.data_path.as_ref().or(common.data_path.as_ref()) else {
        return Ok(json);
    };
    if path.is_root() {
        return Ok(json);
    }
    if !path.is_singular() {
        let found = path.all(json.tree()).into_iter().cloned().collect();
        return Ok(Json::from_tree(Tree::Array(found)));
    }
    match path.first(json.tree()) {
        Some(tree) => Ok(Json::from_tree(tree.clone())),
        None => Err(malformed(head, format!("the answer has nothing at {}", path.as_str()))),
    }
}

fn failure(manifest: &Manifest, head: &Head<'_>, body: &[u8]) -> Failure {
    let json = Json::parse_bytes(body).ok();
    let at = |path: &Option<Path>| {
        let tree = path.as_ref()?.first(json.as_ref()?.tree())?;
        line(tree)
    };
    let kind = match head.status {
        401 => FailureKind::Unauthorized,
        429 => FailureKind::RateLimited,
        408 | 500..=599 => FailureKind::Unavailable,
        _ => FailureKind::Rejected,
    };
    let later = matches!(kind, FailureKind::RateLimited | FailureKind::Unavailable);
    Failure {
        kind,
        status: head.status,
        code: at(&manifest.errors.code_path),
        message: at(&manifest.errors.message_path),
        retry_after: later.then(|| retry_after(manifest, head, json.as_ref())).flatten(),
    }
}

/// A scalar as text.
fn plain(tree: &Tree) -> Option<String> {
    match tree {
        Tree::String(text) => Some(text.clone()),
        Tree::Number(text) => Some(text.to_string()),
        Tree::Bool(value) => Some(value.to_string()),
        Tree::Null | Tree::Array(_) | Tree::Object(_) => None,
    }
}

/// What an upstream says, fit for an error or a log: one line, no control characters, bounded. What would move a
/// terminal's cursor, begin another line or turn the direction of writing becomes a blank.
fn line(tree: &Tree) -> Option<String> {
    let turns = |letter| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let text = plain(tree)?;
    let words = text.split(|letter: char| letter.is_control() || letter.is_whitespace() || turns(letter));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    Some(words.join(" ").chars().take(limits::UPSTREAM_MESSAGE_CHARS).collect())
}

/// The header first; the body where there is none.
fn retry_after(manifest: &Manifest, head: &Head<'_>, body: Option<&Json>) -> Option<String> {
    let limit = &manifest.rate_limit;
    let header = (head.header)(&limit.retry_after_header).map(str::to_owned);
    header.or_else(|| plain(limit.retry_after_path.as_ref()?.first(body?.tree())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_upstream_says_is_one_clean_line() {
        let said = |text: &str| line(&Tree::from(text)).unwrap();
        assert_eq!(said("no\r\nX-Evil: 1"), "no X-Evil: 1");
        assert_eq!(
            said("\u{1b}[31mred\u{7}\u{9b}0m \t gone\u{85}\u{2028}next"),
            "[31mred 0m gone next"
        );
        assert_eq!(said("safe\u{202e}exe.txt\u{2066}!"), "safe exe.txt !");
        assert_eq!(said("Größe ändern 🎉"), "Größe ändern 🎉");
        assert_eq!(
            said(&"é\n".repeat(1000)).chars().count(),
            limits::UPSTREAM_MESSAGE_CHARS
        );
    }
}
