//! What no compiler checks. Each check is a pure function of paths and text; this file only feeds and prints them.

mod catalog;
mod links;
mod migrations;
mod pages;
mod rules;
mod source;
mod walls;

use std::fmt;

use crate::project::{self, SourceFile};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file, from the root of the checkout.
    path: String,
    /// The line, from 1.
    line: usize,
    /// What is wrong and what to do about it.
    what: String,
}

impl Finding {
    fn new(path: impl Into<String>, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// A check over the files of the checkout.
struct Check {
    name: &'static str,
    reason: &'static str,
    find: fn(&[SourceFile]) -> Vec<Finding>,
}

const CHECKS: &[Check] = &[
    Check {
        name: "file size",
        reason: "a file that does not fit a head is two files",
        find: source::long_files,
    },
    Check {
        name: "module files",
        reason: "`foo.rs` and `foo/`: a file is named after what is in it",
        find: source::mod_files,
    },
    Check {
        name: "unfinished code",
        reason: "what is merged is finished",
        find: source::unfinished,
    },
    Check {
        name: "ignored tests",
        reason: "a test that is not run proves nothing",
        find: source::ignored_tests,
    },
    Check {
        name: "connector ids",
        reason: "a connector is known to its own folder only; when it needs more, the language or the trait grows",
        find: source::connector_ids,
    },
    Check {
        name: "connector folders",
        reason: "whoever opens a connector's folder finds all of it",
        find: catalog::folders,
    },
    Check {
        name: "error pages",
        reason: "every code a caller can meet explains itself",
        find: pages::error_pages,
    },
    Check {
        name: "rules of the linter",
        reason: "a rule that a manifest breaks explains itself",
        find: rules::explained,
    },
    Check {
        name: "twin migrations",
        reason: "a version number means the same schema in every database",
        find: migrations::twins,
    },
    Check {
        name: "links",
        reason: "a document that points nowhere is worse than none",
        find: links::broken,
    },
];

/// Runs every check and prints what it found.
pub(crate) fn run() -> Result<(), String> {
    let files = project::files()?;
    let mut red = 0;
    for check in CHECKS {
        red += usize::from(!report(check.name, check.reason, &(check.find)(&files)));
    }
    for graph_check in walls::all(&files)? {
        red += usize::from(!report(&graph_check.name, graph_check.reason, &graph_check.findings));
    }
    match red {
        0 => Ok(()),
        1 => Err("tidy: one check is red".to_owned()),
        many => Err(format!("tidy: {many} checks are red")),
    }
}

fn report(name: &str, reason: &str, findings: &[Finding]) -> bool {
    if findings.is_empty() {
        println!("tidy: {name}: ok");
        return true;
    }
    println!("tidy: {name}: RED, because {reason}");
    for finding in findings {
        println!("  {finding}");
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file for the checks' tests.
    pub(super) fn file(path: &str, text: &str) -> SourceFile {
        SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_finding_can_be_clicked() {
        let finding = Finding::new("docs/a.md", 7, "points nowhere");
        assert_eq!(finding.to_string(), "docs/a.md:7: points nowhere");
    }

    #[test]
    fn this_checkout_has_the_files_the_checks_look_for() {
        // A check that looks where nothing lies would be green for ever.
        let files = project::files().unwrap();
        for path in [pages::CODES, rules::RULES, "README.md", "crates/core/src/lib.rs"] {
            assert!(files.iter().any(|file| file.path == path), "{path}");
        }
    }
}
