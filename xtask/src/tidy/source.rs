//! Checks of Rust source text.

use super::{Finding, catalog};
use crate::project::SourceFile;

/// Longest source file, tests included: about four screens more than the largest one that is still pleasant.
const MAX_LINES: usize = 500;

/// Rooms that know no connector by name.
const ROOMS_WITHOUT_CONNECTORS: &[&str] = &[
    "crates/core/src/",
    "crates/manifest/src/",
    "crates/server/src/",
    "crates/store/src/",
    "crates/workflow/src/",
];

fn rust(files: &[SourceFile]) -> impl Iterator<Item = &SourceFile> {
    files
        .iter()
        .filter(|file| file.path.starts_with("crates/") && file.path.ends_with(".rs"))
}

/// Source files over [`MAX_LINES`].
pub(super) fn long_files(files: &[SourceFile]) -> Vec<Finding> {
    rust(files)
        .filter(|file| file.path.contains("/src/"))
        .filter_map(|file| {
            let lines = file.text.lines().count();
            let what = format!("{lines} lines, {MAX_LINES} at most: split it by what its parts are about");
            (lines > MAX_LINES).then(|| Finding::new(&file.path, MAX_LINES + 1, what))
        })
        .collect()
}

/// Modules in the old file form.
pub(super) fn mod_files(files: &[SourceFile]) -> Vec<Finding> {
    files
        .iter()
        .filter(|file| file.name() == "mod.rs")
        .map(|file| {
            let folder = file.path.trim_end_matches("/mod.rs");
            Finding::new(&file.path, 1, format!("rename it to `{folder}.rs`"))
        })
        .collect()
}

/// Macros and notes that say "not finished".
pub(super) fn unfinished(files: &[SourceFile]) -> Vec<Finding> {
    const MACROS: &[&str] = &["todo!", "unimplemented!", "dbg!"];
    const NOTES: &[&str] = &["TODO", "FIXME", "XXX"];
    let mut found = Vec::new();
    for file in rust(files) {
        for (number, line) in file.lines() {
            let (code, comment) = split_comment(line);
            for name in MACROS.iter().filter(|name| has_word(code, name)) {
                found.push(Finding::new(&file.path, number, format!("`{name}` is left over")));
            }
            for note in NOTES.iter().filter(|note| has_word(comment, note)) {
                found.push(Finding::new(&file.path, number, format!("`{note}`: do it or drop it")));
            }
        }
    }
    found
}

/// The reason of the one kind of test that is never run by itself: another test starts it in a process of its own.
const OTHER_PROCESS: &str = "#[ignore = \"the other process of a test\"]";

/// Tests that are ignored for any other reason.
pub(super) fn ignored_tests(files: &[SourceFile]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in rust(files) {
        for (number, line) in file.lines() {
            let line = line.trim_start();
            if line.starts_with("#[ignore") && line != OTHER_PROCESS {
                found.push(Finding::new(
                    &file.path,
                    number,
                    format!("mend it, or drop it; only `{OTHER_PROCESS}` stays"),
                ));
            }
        }
    }
    found
}

/// Ids of connectors that are the names of other things too: a scheme of URLs, a database that we keep our own data in.
const OTHER_THINGS: &[&str] = &["http", "postgres"];

/// Ids of shipped connectors in rooms that must not know them.
pub(super) fn connector_ids(files: &[SourceFile]) -> Vec<Finding> {
    let mut ids = catalog::ids(files);
    ids.retain(|id| !OTHER_THINGS.contains(id));
    let mut found = Vec::new();
    let rooms = rust(files).filter(|file| ROOMS_WITHOUT_CONNECTORS.iter().any(|room| file.path.starts_with(room)));
    for file in rooms.filter(|file| file.name() != "tests.rs") {
        for (number, line) in file.code_lines() {
            let (code, _) = split_comment(line);
            for literal in literals(code) {
                if let Some(id) = ids.iter().find(|id| names(&literal, id)) {
                    let what = format!("names the connector `{id}`; ask its descriptor or its manifest instead");
                    found.push(Finding::new(&file.path, number, what));
                }
            }
        }
    }
    found
}

/// Whether a string literal is this id, or a path with this id as one of its parts.
fn names(literal: &str, id: &str) -> bool {
    !literal.contains(char::is_whitespace) && literal.split('/').any(|part| part == id)
}

/// The string literals of one line. A literal over several lines is none: ids are short.
fn literals(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    let mut letters = code.chars().peekable();
    while let Some(letter) = letters.next() {
        match (&mut open, letter) {
            (None, '\'') if letters.peek() == Some(&'"') => {
                letters.next();
            }
            (None, '"') => open = Some(String::new()),
            (Some(_), '"') => found.extend(open.take()),
            (Some(text), '\\') => text.extend(letters.next()),
            (Some(text), _) => text.push(letter),
            (None, _) => {}
        }
    }
    found
}

/// A line's code and its comment. `//` inside a string (a URL) begins none.
fn split_comment(line: &str) -> (&str, &str) {
    let mut from = 0;
    while let Some(offset) = line[from..].find("//") {
        let at = from + offset;
        if line[..at].matches('"').count().is_multiple_of(2) {
            return line.split_at(at);
        }
        from = at + 2;
    }
    (line, "")
}

/// Whether `word` stands in `text` and is not the end or beginning of a longer word.
fn has_word(text: &str, word: &str) -> bool {
    let part_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let ends = word.ends_with('!') || !after.is_some_and(part_of_word);
        ends && !before.is_some_and(part_of_word)
    })
}

#[cfg(test)]
mod tests {
    use super::{super::tests::file, *};

    #[test]
    fn a_long_file_is_found_and_a_pleasant_one_is_not() {
        let long = file("crates/core/src/a.rs", &"x\n".repeat(501));
        let pleasant = file("crates/core/src/b.rs", &"x\n".repeat(500));
        let test = file("crates/core/tests/it/c.rs", &"x\n".repeat(900));
        let found = long_files(&[long, pleasant, test]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].line), ("crates/core/src/a.rs", 501));
    }

    #[test]
    fn mod_rs_is_found() {
        let found = mod_files(&[file("crates/core/src/a/mod.rs", ""), file("crates/core/src/a.rs", "")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("crates/core/src/a.rs"));
    }

    #[test]
    fn what_is_unfinished_is_found_and_what_speaks_of_it_is_not() {
        let text = [
            "fn a() { todo!() }",
            "    dbg!(x);",
            "// TODO: later",
            "// the list of todos",
            "let x = \"https://example.com/TODO\";",
            "not_todo!(x)",
        ];
        let found = unfinished(&[file("crates/core/src/a.rs", &text.join("\n"))]);
        let lines: Vec<usize> = found.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [1, 2, 3]);
    }

    #[test]
    fn an_ignored_test_is_found() {
        let text = format!("    {OTHER_PROCESS}\n    #[ignore]\n    #[ignore = \"slow\"]\n// #[ignore] is bad");
        let lines: Vec<usize> = ignored_tests(&[file("crates/store/tests/it/a.rs", &text)])
            .iter()
            .map(|f| f.line)
            .collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn a_connector_named_outside_its_folder_is_found() {
        let manifest = file("crates/catalog/src/discord/manifest.yaml", "");
        let text = [
            "if connector == \"discord\" {",
            "let path = \"/connections/discord/test\";",
            "// like \"discord\"",
            "let code = \"DISCORD_FAILED\";",
            "let quote = '\"'; let sentence = \"such as discord\";",
            "#[cfg(test)]",
            "use crate::x;",
            "let id = \"discord\";",
            "#[cfg(test)]",
            "mod tests { const ID: &str = \"discord\"; }",
        ]
        .join("\n");
        let inside = file("crates/catalog/src/discord.rs", &text);
        let outside = file("crates/core/src/a.rs", &text);
        let found = connector_ids(&[manifest, inside, outside]);
        let places: Vec<String> = found.iter().map(|f| format!("{}:{}", f.path, f.line)).collect();
        let place = |line: usize| format!("crates/core/src/a.rs:{line}");
        assert_eq!(places, [place(1), place(2), place(8)]);
    }
}
