//! Starts a connector: the folder with every part it needs, small but whole.

use std::{fs, path::Path};

use crate::project::root;

/// The longest id the manifest language takes.
const MAX_ID: usize = 48;

/// The parts of a connector's folder. `ID` and `NAME` stand for the connector's own.
const PARTS: &[(&str, &str)] = &[
    ("manifest.yaml", include_str!("connector/manifest.yaml")),
    ("guide.md", include_str!("connector/guide.md")),
    ("icon.svg", include_str!("connector/icon.svg")),
    ("cases/example.yaml", include_str!("connector/case.yaml")),
];

/// Writes the folder of a new connector. An existing one is left alone.
pub(crate) fn run(id: &str) -> Result<(), String> {
    check_id(id)?;
    let folder = root()?.join("crates/catalog/src").join(id);
    write(&folder, id)?;
    println!("crates/catalog/src/{id}/ is ready. What each field of its manifest means: crates/manifest/LANGUAGE.md");
    println!("Then `make gen` writes its snapshot, and `make test` runs its cases.");
    Ok(())
}

fn check_id(id: &str) -> Result<(), String> {
    let letters = id
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let begins = id.starts_with(|first: char| first.is_ascii_lowercase());
    if !letters || !begins || id.ends_with('-') || !(2..=MAX_ID).contains(&id.len()) {
        return Err(format!(
            "`{id}` is no connector id: 2 to {MAX_ID} of a-z, 0-9 and `-`, beginning with a letter, such as `acme-chat`"
        ));
    }
    if id == "custom" {
        return Err("`custom` is the id of every custom integration: choose another".to_owned());
    }
    Ok(())
}

fn write(folder: &Path, id: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", folder.display());
    if folder.exists() {
        return Err(format!("{} is there already", folder.display()));
    }
    fs::create_dir_all(folder.join("cases")).map_err(failed)?;
    for (name, text) in PARTS {
        fs::write(folder.join(name), fill(text, id)).map_err(failed)?;
    }
    Ok(())
}

fn fill(text: &str, id: &str) -> String {
    text.replace("ID", id).replace("NAME", &display_name(id))
}

/// `acme-chat` is called `Acme Chat`.
fn display_name(id: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    id.split('-').filter_map(capital).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        for good in ["acme", "acme-chat", "s3", "a1-b2"] {
            assert_eq!(check_id(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a",
            "Acme",
            "acme_chat",
            "acme-",
            "-acme",
            "3s",
            "../acme",
            "custom",
            &"a".repeat(49),
        ] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_folder_is_whole_and_never_overwritten() {
        let parent = std::env::temp_dir().join(format!("xtask-connector-{}", std::process::id()));
        let folder = parent.join("acme-chat");
        write(&folder, "acme-chat").unwrap();
        let manifest = fs::read_to_string(folder.join("manifest.yaml")).unwrap();
        assert!(manifest.starts_with("id: acme-chat\nname: Acme Chat\n"), "{manifest}");
        for (name, _) in PARTS {
            let text = fs::read_to_string(folder.join(name)).unwrap();
            assert!(!text.contains("ID") && !text.contains("NAME"), "{name}: {text}");
        }
        assert!(write(&folder, "acme-chat").unwrap_err().contains("already"));
        fs::remove_dir_all(&parent).unwrap();
    }
}
