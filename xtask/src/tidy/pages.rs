//! Every error code has a page, every page a code and that code's status.

use std::collections::BTreeMap;

use super::Finding;
use crate::project::SourceFile;

/// Where the codes are declared.
pub(super) const CODES: &str = "crates/core/src/error/code.rs";
const PAGES: &str = "docs/errors/";
/// Where each code gets its status.
const STATUSES: &str = "crates/core/src/error/status.rs";

/// Codes without a page, pages without a code, pages that do not begin with their code or show another status.
pub(super) fn error_pages(files: &[SourceFile]) -> Vec<Finding> {
    let codes = declared(files);
    let mut found = Vec::new();
    if codes.is_empty() {
        found.push(Finding::new(
            CODES,
            1,
            "no codes are declared here: tell tidy where they went",
        ));
    }
    let pages: BTreeMap<&str, &SourceFile> = files
        .iter()
        .filter_map(|file| Some((file.path.strip_prefix(PAGES)?.strip_suffix(".md")?, file)))
        .collect();
    for (code, line) in &codes {
        if !pages.contains_key(code) {
            found.push(Finding::new(
                CODES,
                *line,
                format!("`{code}` has no page {PAGES}{code}.md"),
            ));
        }
    }
    for (code, page) in &pages {
        if !codes.contains_key(code) {
            found.push(Finding::new(&page.path, 1, "there is no such code any more"));
        }
        if page.text.lines().next() != Some(&format!("# {code}")) {
            found.push(Finding::new(&page.path, 1, format!("the first line is not `# {code}`")));
        }
    }
    let statuses = statuses(files);
    if statuses.is_empty() && files.iter().any(|file| file.path == STATUSES) {
        found.push(Finding::new(
            STATUSES,
            1,
            "no statuses are chosen here: tell tidy where they went",
        ));
    }
    found.extend(other_statuses(&pages, &names(files), &statuses));
    found
}

/// Pages whose example shows another status than the server answers. Codes that never cross HTTP show none.
fn other_statuses(
    pages: &BTreeMap<&str, &SourceFile>,
    names: &BTreeMap<&str, &str>,
    statuses: &BTreeMap<&str, &str>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (code, page) in pages {
        let Some(status) = names.get(code).and_then(|name| statuses.get(name)) else {
            continue;
        };
        for (number, line) in page.lines() {
            let shown = line
                .split_once("\"status\": ")
                .and_then(|(_, rest)| rest.split(',').next());
            if shown.is_some_and(|shown| !STATUS_NAMES.contains(&(shown, *status))) {
                found.push(Finding::new(&page.path, number, format!("{STATUSES} answers {status}")));
            }
        }
    }
    found
}

/// The statuses we answer errors with, and the names that `http` has for them.
const STATUS_NAMES: &[(&str, &str)] = &[
    ("400", "BAD_REQUEST"),
    ("401", "UNAUTHORIZED"),
    ("403", "FORBIDDEN"),
    ("404", "NOT_FOUND"),
    ("405", "METHOD_NOT_ALLOWED"),
    ("408", "REQUEST_TIMEOUT"),
    ("409", "CONFLICT"),
    ("410", "GONE"),
    ("413", "PAYLOAD_TOO_LARGE"),
    ("415", "UNSUPPORTED_MEDIA_TYPE"),
    ("422", "UNPROCESSABLE_ENTITY"),
    ("429", "TOO_MANY_REQUESTS"),
    ("500", "INTERNAL_SERVER_ERROR"),
    ("501", "NOT_IMPLEMENTED"),
    ("502", "BAD_GATEWAY"),
    ("503", "SERVICE_UNAVAILABLE"),
    ("504", "GATEWAY_TIMEOUT"),
];

/// The status of each code by the code's name in Rust: `Code::A | Code::B => StatusCode::NOT_FOUND`.
fn statuses(files: &[SourceFile]) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    let mut waiting = Vec::new();
    for (_, line) in files
        .iter()
        .filter(|file| file.path == STATUSES)
        .flat_map(SourceFile::code_lines)
    {
        let is_word_end = |letter: char| !letter.is_alphanumeric() && letter != '_';
        let first_word = |text| str::split(text, is_word_end).next().unwrap_or_default();
        let (names, status) = line.split_once("StatusCode::").unwrap_or((line, ""));
        waiting.extend(names.split("Code::").skip(1).map(first_word));
        if !status.is_empty() {
            found.extend(waiting.drain(..).map(|name| (name, first_word(status))));
        }
    }
    found
}

/// The name in Rust of each code.
fn names(files: &[SourceFile]) -> BTreeMap<&str, &str> {
    declarations(files).map(|(name, wire, _)| (wire, name)).collect()
}

/// The declared codes with their lines.
fn declared(files: &[SourceFile]) -> BTreeMap<&str, usize> {
    declarations(files).map(|(_, wire, line)| (wire, line)).collect()
}

/// `Name = "WIRE",` with its line.
fn declarations(files: &[SourceFile]) -> impl Iterator<Item = (&str, &str, usize)> {
    files
        .iter()
        .filter(|file| file.path == CODES)
        .flat_map(SourceFile::lines)
        .filter_map(|(number, line)| {
            let (name, wire) = line.trim().split_once(" = \"")?;
            let wire = wire.strip_suffix("\",")?;
            let plain = name.chars().all(char::is_alphanumeric);
            let shouting = wire
                .chars()
                .all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_');
            (plain && shouting).then_some((name, wire, number))
        })
}

#[cfg(test)]
mod tests {
    use super::{super::tests::file, *};

    fn code(text: &str) -> SourceFile {
        file(CODES, text)
    }

    #[test]
    fn codes_and_pages_match_both_ways() {
        let codes = code("    /// Lost.\n    NotFound = \"NOT_FOUND\",\n");
        let page = file("docs/errors/NOT_FOUND.md", "# NOT_FOUND\n");
        assert_eq!(error_pages(&[codes.clone(), page.clone()]), []);

        let without_page = error_pages(std::slice::from_ref(&codes));
        assert_eq!((without_page.len(), without_page[0].line), (1, 2));

        let orphan = file("docs/errors/GONE.md", "# GONE\n");
        assert!(
            error_pages(&[codes.clone(), page, orphan])[0]
                .what
                .contains("no such code")
        );

        let mistitled = file("docs/errors/NOT_FOUND.md", "# Not found\n");
        assert!(error_pages(&[codes, mistitled])[0].what.contains("first line"));
    }

    #[test]
    fn a_page_shows_the_status_that_is_answered() {
        let codes = code("NotFound = \"NOT_FOUND\",\nGone = \"GONE\",\nInternal = \"INTERNAL\",\n");
        let arms = "Code::NotFound\n| Code::Gone => {\n StatusCode::NOT_FOUND\n}\nCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,";
        let page = |code: &str, status: u16| {
            let text = format!("# {code}\n{{\"type\": \"x\", \"status\": {status}, \"code\": \"{code}\"}}\n");
            file(&format!("docs/errors/{code}.md"), &text)
        };
        let with = |gone: u16, internal: u16| {
            [
                codes.clone(),
                file(STATUSES, arms),
                page("NOT_FOUND", 404),
                page("GONE", gone),
                page("INTERNAL", internal),
            ]
        };
        assert_eq!(error_pages(&with(404, 500)), []);
        assert_eq!(error_pages(&with(410, 500)).len(), 1);
        assert_eq!(error_pages(&with(404, 404)).len(), 1);
    }

    #[test]
    fn moved_codes_are_noticed() {
        assert_eq!(error_pages(&[code("")]).len(), 1);
        assert_eq!(error_pages(&[code(""), file(STATUSES, "")]).len(), 2);
    }
}
