//! Links between documents point at something.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::project::SourceFile;

/// Relative links in Markdown whose file or heading does not exist.
pub(super) fn broken(files: &[SourceFile]) -> Vec<Finding> {
    let paths = with_folders(files);
    let documents: BTreeMap<&str, &SourceFile> = files
        .iter()
        .filter(|file| file.path.ends_with(".md"))
        .map(|file| (file.path.as_str(), file))
        .collect();
    let mut found = Vec::new();
    for file in documents.values() {
        for (line, target) in targets(&file.text) {
            let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = resolve(&file.path, path);
            if !paths.contains(&path) {
                found.push(Finding::new(&file.path, line, format!("`{target}` points at nothing")));
            } else if let Some(document) = documents.get(path.as_str())
                && !heading.is_empty()
                && !headings(&document.text).contains(heading)
            {
                found.push(Finding::new(
                    &file.path,
                    line,
                    format!("{path} has no heading `#{heading}`"),
                ));
            }
        }
    }
    found
}

fn with_folders(files: &[SourceFile]) -> BTreeSet<String> {
    let mut paths = BTreeSet::from([String::new()]);
    for file in files {
        let mut path = file.path.as_str();
        while paths.insert(path.to_owned()) {
            match path.rsplit_once('/') {
                Some((folder, _)) => path = folder,
                None => break,
            }
        }
    }
    paths
}

/// The text outside code fences, with inline code blanked, by line.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let outside_code = line.split('`').step_by(2).collect::<Vec<_>>().join("·");
            lines.push((index + 1, outside_code));
        }
    }
    lines
}

/// Relative link targets with their lines.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for piece in line.split("](").skip(1) {
            let target = piece.split([')', ' ']).next().unwrap_or_default();
            let elsewhere = target.starts_with('/') || target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !elsewhere {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// The path from the root that a link in document `from` means.
fn resolve(from: &str, target: &str) -> String {
    if target.is_empty() {
        return from.to_owned();
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// A document's headings in the form that links name them.
fn headings(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && line.starts_with('#') {
            found.insert(slug(line.trim_start_matches('#').trim()));
        }
    }
    found
}

fn slug(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::file, *};

    #[test]
    fn links_to_files_folders_and_headings_that_exist_are_fine() {
        let text =
            "[a](../b.md#the-rooms) [c](.) [d](#top)\n# Top\n[e](https://example.com) `[f](nowhere)`\n```\n[g](x)\n```";
        let here = file("docs/a.md", text);
        let there = file("b.md", "## The rooms!\n");
        assert_eq!(broken(&[here, there]), []);
    }

    #[test]
    fn links_to_nothing_are_found() {
        let here = file(
            "docs/a.md",
            "fine\n[a](gone.md)\n[b](b.md#gone) and [c](../../outside.md)\n",
        );
        let there = file("docs/b.md", "# Here\n");
        let lines: Vec<usize> = broken(&[here, there]).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [2, 3, 3]);
    }
}
