//! What is wrong with a manifest, and where.

use std::fmt;

use crate::limits;

/// The text is neither YAML nor JSON that we read.
pub const SYNTAX: &str = "syntax";
/// Too large, too deep or too many nodes.
pub const TOO_COMPLEX: &str = "too-complex";
/// A YAML anchor or alias.
pub const ANCHOR: &str = "anchor";
/// A YAML tag.
pub const TAG: &str = "tag";
/// A key stands twice in one mapping.
pub const DUPLICATE_KEY: &str = "duplicate-key";
/// A field the language does not have.
pub const UNKNOWN_FIELD: &str = "unknown-field";
/// A field or word of the documents that the language does not have yet.
pub const NOT_YET: &str = "not-yet";
/// A required field is missing.
pub const MISSING_FIELD: &str = "missing-field";
/// Text where a list belongs, and the like.
pub const WRONG_TYPE: &str = "wrong-type";
/// A value outside its set, range or form.
pub const BAD_VALUE: &str = "bad-value";
/// Two things of one name.
pub const DUPLICATE_NAME: &str = "duplicate-name";
/// A placeholder that cannot be read.
pub const BAD_TEMPLATE: &str = "bad-template";
/// A placeholder for a name that is not declared.
pub const UNKNOWN_NAME: &str = "unknown-name";
/// A secret written into the manifest itself.
pub const SECRET_IN_MANIFEST: &str = "secret-in-manifest";
/// A secret where it would be seen.
pub const SECRET_EXPOSED: &str = "secret-exposed";
/// A URL or path that would not reach the declared host.
pub const BAD_URL: &str = "bad-url";
/// It is not said where a credential may be sent.
pub const HOSTS_MISSING: &str = "hosts-missing";
/// A regular expression that cannot be compiled.
pub const BAD_PATTERN: &str = "bad-pattern";
/// A JSONPath that cannot be read.
pub const BAD_PATH: &str = "bad-path";
/// Fields that contradict each other.
pub const CONTRADICTION: &str = "contradiction";

/// One problem of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// The rule's stable id, one of this module's constants.
    pub rule: &'static str,
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// Such as `endpoints[0].method`; empty for the whole.
    pub path: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{} ({})", self.message, self.rule)
    }
}

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// Collects problems, so that one run tells them all.
#[derive(Debug, Default)]
pub(crate) struct Lints(Vec<Lint>);

impl Lints {
    pub(crate) fn add(&mut self, rule: &'static str, at: Position, path: &str, message: impl Into<String>) {
        if !self.is_full() {
            self.0.push(Lint {
                rule,
                line: at.line,
                column: at.column,
                path: path.to_owned(),
                message: message.into(),
            });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no room for more.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= limits::LINTS
    }

    /// All problems in the order of the text.
    pub(crate) fn into_sorted(mut self) -> Vec<Lint> {
        self.0.sort_by_key(|lint| (lint.line, lint.column));
        self.0
    }
}

/// The word of `words` that `word` was probably meant to be: at most two edits away, or the same but for case,
/// hyphens and underscores.
pub(crate) fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let plain = |word: &str| word.to_lowercase().replace(['-', '_'], "");
    let wanted = plain(word);
    words
        .into_iter()
        .map(|candidate| (distance(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= 2.min(candidate.len() / 2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean …?` for a message, or nothing.
pub fn hint<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> String {
    nearest(word, words).map_or_else(String::new, |word| format!("; did you mean `{word}`?"))
}

/// Like [`hint`], as the end of a sentence that another follows.
pub(crate) fn hint_then<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> String {
    nearest(word, words).map_or_else(|| ". ".to_owned(), |word| format!("; did you mean `{word}`? "))
}

/// Edits (insert, delete, replace) between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_across_cases_and_typing_errors() {
        let words = ["baseUrl", "endpoints", "queryParams", "id"];
        assert_eq!(nearest("base_url", words), Some("baseUrl"));
        assert_eq!(nearest("endpoint", words), Some("endpoints"));
        assert_eq!(nearest("queryPrams", words), Some("queryParams"));
        assert_eq!(nearest("colour", words), None);
        assert_eq!(nearest("xy", words), None, "a short word is not everything's neighbour");
    }

    #[test]
    fn a_lint_reads_as_place_path_message_rule() {
        let mut lints = Lints::default();
        lints.add(BAD_VALUE, Position { line: 12, column: 5 }, "endpoints[0].method", "no");
        assert_eq!(
            lints.into_sorted()[0].to_string(),
            "12:5 endpoints[0].method: no (bad-value)"
        );
    }
}
