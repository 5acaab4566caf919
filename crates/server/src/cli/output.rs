//! What is printed: results on standard output, everything else on standard error.

use std::io::{IsTerminal, Write, stderr, stdout};

use serde_json::json;
use tieline::{Error, error::FieldError};
use tieline_manifest::{Json, Tree};

use super::api::Refusal;
use crate::problem;

/// How results and errors are printed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// As JSON, for machines.
    pub(super) json: bool,
}

/// Why a command failed.
pub(super) enum Failure {
    /// Something here.
    Error(Error),
    /// The API said no.
    Refused(Refusal),
    /// The result was printed and is itself the bad news, such as lints.
    Told,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Output {
    /// Prints a result: as JSON, or as `text` tells it.
    pub(super) fn result(self, value: &Json, text: impl FnOnce() -> String) {
        let printed = if self.json { pretty(value.tree()) } else { text() };
        line(stdout().lock(), &printed);
    }

    /// Says something beside the result. As JSON it is one line, so that a machine can read standard error by lines.
    pub(super) fn note(self, text: &str) {
        let text = printable(text);
        let told = if self.json {
            Json::from(json!({ "note": text })).text().to_owned()
        } else {
            text
        };
        line(stderr().lock(), &told);
    }

    /// Tells why a command failed.
    pub(super) fn failure(self, failure: &Failure) {
        let (problem, text) = match failure {
            Failure::Told => return,
            Failure::Error(error) => (
                problem_of(error),
                sentence(error.code().as_str(), error.detail(), error.fields()),
            ),
            Failure::Refused(refusal) => (
                refusal.problem.clone(),
                sentence(&refusal.code, &refusal.detail, &refusal.fields),
            ),
        };
        let told = if self.json { problem.tree().to_text() } else { text };
        line(stderr().lock(), &told);
        // An effect that happened all the same has its output told, or nobody could act on it.
        if let (Some(output), false) = (problem.get("output"), self.json) {
            line(stdout().lock(), &pretty(output));
        }
    }
}

/// The problem object of an error that no server answered with: the same members, but no status.
fn problem_of(error: &Error) -> Json {
    let code = error.code();
    Json::from(json!({
        "type": format!("/errors/{code}"),
        "title": problem::title(code),
        "detail": error.detail(),
        "code": code,
        "error": error.detail(),
        "fields": error.fields(),
    }))
}

fn sentence(code: &str, detail: &str, fields: &[FieldError]) -> String {
    let mut text = format!("{code}: {detail}");
    // A sentence that already is the one wrong place is not told twice.
    for field in fields.iter().filter(|field| !detail.starts_with(&field.message)) {
        let pointer = if field.pointer.is_empty() {
            "(all)"
        } else {
            &field.pointer
        };
        text.push_str(&format!("\n  {pointer}: {}", field.message));
    }
    printable(&text)
}

/// Text from elsewhere without what a terminal would obey.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|char| {
            if char.is_control() && !matches!(char, '\n' | '\t') {
                '\u{fffd}'
            } else {
                char
            }
        })
        .collect()
}

/// A table without frames: columns aligned, one row a line.
pub(super) fn table<const N: usize>(titles: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(titles);
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    table
        .lines()
        .map(|line| line.trim().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Whether a person sits in front of us.
pub(super) fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && stderr().is_terminal()
}

/// JSON over several lines, numbers as they came.
pub(super) fn pretty(tree: &Tree) -> String {
    let mut text = String::new();
    write_pretty(tree, 1, &mut text);
    text
}

fn write_pretty(tree: &Tree, depth: usize, text: &mut String) {
    let (open, close, inside) = match tree {
        Tree::Array(items) if !items.is_empty() => {
            ('[', ']', items.iter().map(|item| (None, item)).collect::<Vec<_>>())
        }
        Tree::Object(entries) if !entries.is_empty() => (
            '{',
            '}',
            entries.iter().map(|(key, value)| (Some(key), value)).collect(),
        ),
        plain => return text.push_str(&plain.to_text()),
    };
    text.push(open);
    for (place, (key, value)) in inside.into_iter().enumerate() {
        text.push_str(if place == 0 { "\n" } else { ",\n" });
        text.push_str(&"  ".repeat(depth));
        if let Some(key) = key {
            text.push_str(&Tree::from(key.as_str()).to_text());
            text.push_str(": ");
        }
        write_pretty(value, depth + 1, text);
    }
    text.push('\n');
    text.push_str(&"  ".repeat(depth - 1));
    text.push(close);
}

fn line(mut to: impl Write, text: &str) {
    // A reader that went away (`tieline connectors | head -1`) is no failure.
    let _ = writeln!(to, "{text}");
    let _ = to.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_laid_out_and_exact() {
        let json = Json::parse(r#"{"id":12345678901234567890.10,"list":[1,{}],"none":[],"\u0007":"a\n"}"#).unwrap();
        let expected = "{\n  \"id\": 12345678901234567890.10,\n  \"list\": [\n    1,\n    {}\n  ],\n  \"none\": [],\n  \"\\u0007\": \"a\\n\"\n}";
        assert_eq!(pretty(json.tree()), expected);
        assert_eq!(Json::parse(&pretty(json.tree())).unwrap(), json);
    }

    #[test]
    fn a_terminal_obeys_nothing_from_elsewhere() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\n");
        let told = sentence(
            "X",
            "y\u{1b}",
            &[FieldError {
                pointer: String::new(),
                message: "z".to_owned(),
            }],
        );
        assert_eq!(told, "X: y\u{fffd}\n  (all): z");
    }
}
