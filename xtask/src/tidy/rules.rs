//! Every rule of the manifest's linter has its part of the page, and every part a rule.

use std::collections::BTreeMap;

use super::Finding;
use crate::project::SourceFile;

/// Where the rules are declared.
pub(super) const RULES: &str = "crates/manifest/src/lint.rs";
const PAGE: &str = "docs/manifest/rules.md";

/// Rules that the page does not explain, and parts of the page that no rule has.
pub(super) fn explained(files: &[SourceFile]) -> Vec<Finding> {
    let rules = lines_of(files, RULES, |line| {
        let (_, id) = line.strip_prefix("pub const ")?.split_once(": &str = \"")?;
        id.strip_suffix("\";")
    });
    let parts = lines_of(files, PAGE, |line| line.strip_prefix("## "));
    if rules.is_empty() {
        return vec![Finding::new(
            RULES,
            1,
            "no rules are declared here: tell tidy where they went",
        )];
    }
    let missing = rules
        .iter()
        .filter(|(rule, _)| !parts.contains_key(*rule))
        .map(|(rule, line)| Finding::new(RULES, *line, format!("`{rule}` has no part `## {rule}` in {PAGE}")));
    let gone = parts
        .iter()
        .filter(|(part, _)| !rules.contains_key(*part))
        .map(|(_, line)| Finding::new(PAGE, *line, "there is no such rule any more"));
    missing.chain(gone).collect()
}

fn lines_of<'f>(
    files: &'f [SourceFile],
    path: &str,
    of: impl Fn(&'f str) -> Option<&'f str>,
) -> BTreeMap<&'f str, usize> {
    files
        .iter()
        .filter(|file| file.path == path)
        .flat_map(SourceFile::lines)
        .filter_map(|(number, line)| Some((of(line)?, number)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::file, *};

    #[test]
    fn rules_and_parts_match_both_ways() {
        let rules = |text| file(RULES, text);
        let page = |text| file(PAGE, text);
        let one = "/// Lost.\npub const GONE: &str = \"gone-away\";\n";
        assert_eq!(explained(&[rules(one), page("# Rules\n\n## gone-away\n")]), []);
        assert_eq!(explained(&[rules(one)])[0].line, 2);
        let other = explained(&[rules(one), page("## gone-away\n## other\n")]);
        assert_eq!((other.len(), other[0].line, other[0].path.as_str()), (1, 2, PAGE));
        assert_eq!(
            explained(&[rules(""), page("## other\n")]).len(),
            1,
            "moved rules are noticed"
        );
    }
}
