//! Checks of the shipped connectors' folders.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::project::SourceFile;

/// Where connectors live: one folder each.
pub(super) const CATALOG: &str = "crates/catalog/src/";

/// Files that every connector has.
const PARTS: &[&str] = &["manifest.yaml", "guide.md", "icon.svg"];

/// The ids of the shipped connectors: the names of the folders that hold a manifest.
pub(super) fn ids(files: &[SourceFile]) -> BTreeSet<&str> {
    files
        .iter()
        .filter_map(|file| file.path.strip_prefix(CATALOG)?.strip_suffix("/manifest.yaml"))
        .filter(|id| !id.contains('/'))
        .collect()
}

/// Connector folders that lack a part. A folder of nothing but Rust is a module, not a connector.
pub(super) fn folders(files: &[SourceFile]) -> Vec<Finding> {
    let mut folders: BTreeMap<&str, BTreeMap<&str, &SourceFile>> = BTreeMap::new();
    for file in files {
        if let Some((folder, rest)) = file.path.strip_prefix(CATALOG).and_then(|path| path.split_once('/')) {
            folders.entry(folder).or_default().insert(rest, file);
        }
    }
    folders.retain(|_, parts| parts.keys().any(|part| !part.ends_with(".rs")));
    let mut found = Vec::new();
    for (folder, parts) in folders {
        let mut missing: Vec<String> = PARTS
            .iter()
            .filter(|part| !parts.contains_key(**part))
            .map(|part| (*part).to_owned())
            .collect();
        missing.extend(missing_work(folder, &parts, files));
        if !missing.is_empty() {
            let what = format!("lacks {}", missing.join(", "));
            found.push(Finding::new(format!("{CATALOG}{folder}/manifest.yaml"), 1, what));
        }
    }
    found
}

/// Endpoints are shown by cases; a connector that declares none does its work in Rust beside its folder, or says so
/// (`endpoints: []`) and is called through the proxy.
fn missing_work(id: &str, parts: &BTreeMap<&str, &SourceFile>, files: &[SourceFile]) -> Option<String> {
    let manifest = parts.get("manifest.yaml")?;
    let says = |word: &str| manifest.text.lines().any(|line| line.starts_with(word));
    if says("endpoints: []") && says("baseUrl:") {
        return None;
    }
    let declares_endpoints = says("endpoints:");
    if declares_endpoints {
        let has_case = parts
            .keys()
            .any(|part| part.starts_with("cases/") && part.ends_with(".yaml"));
        return (!has_case).then(|| "cases/<action>.yaml".to_owned());
    }
    let code = format!("{CATALOG}{}.rs", id.replace('-', "_"));
    let has_code = files.iter().any(|file| file.path == code);
    (!has_code).then(|| format!("endpoints, or actions in {code}"))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::file, *};

    fn connector(id: &str, parts: &[&str]) -> Vec<SourceFile> {
        let part = |part: &&str| file(&format!("{CATALOG}{id}/{part}"), "id: acme\nendpoints:\n");
        parts.iter().map(part).collect()
    }

    #[test]
    fn a_whole_folder_is_fine_and_each_missing_part_is_named() {
        let whole = ["manifest.yaml", "guide.md", "icon.svg", "cases/send.yaml"];
        assert_eq!(folders(&connector("acme", &whole)), []);
        for missing in whole {
            let rest: Vec<&str> = whole.iter().filter(|part| **part != missing).copied().collect();
            let found = folders(&connector("acme", &rest));
            assert_eq!(found.len(), 1, "{missing}");
            let name = missing.split('/').next().unwrap();
            assert!(found[0].what.contains(name), "{}", found[0]);
        }
    }

    #[test]
    fn a_connector_without_endpoints_works_in_rust() {
        let mut files = connector("acme", &["guide.md", "icon.svg"]);
        files.push(file(&format!("{CATALOG}acme/manifest.yaml"), "id: acme\n"));
        assert!(folders(&files)[0].what.contains("crates/catalog/src/acme.rs"));
        files.push(file(&format!("{CATALOG}acme.rs"), ""));
        assert_eq!(folders(&files), []);
    }

    #[test]
    fn a_connector_that_is_only_passed_on_says_where_to() {
        let with = |manifest: &str| {
            let mut files = connector("acme", &["guide.md", "icon.svg"]);
            files.push(file(&format!("{CATALOG}acme/manifest.yaml"), manifest));
            folders(&files)
        };
        assert_eq!(with("id: acme\nbaseUrl: '{{base_url}}'\nendpoints: []\n"), []);
        assert!(with("id: acme\nendpoints: []\n")[0].what.contains("cases"));
        assert!(with("id: acme\nbaseUrl: '{{base_url}}'\n")[0].what.contains("acme.rs"));
    }

    #[test]
    fn ids_are_the_folders_with_a_manifest() {
        let mut files = connector("acme", &["manifest.yaml"]);
        files.extend(connector("helpers", &["text.rs"]));
        assert_eq!(ids(&files).into_iter().collect::<Vec<_>>(), ["acme"]);
        assert_eq!(folders(&connector("helpers", &["text.rs"])), []);
    }
}
