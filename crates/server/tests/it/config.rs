//! Every file of `config_wrong` is a configuration that is refused, with exactly the words at its top.
//!
//! `# refused:` is a mistake that must be told, in this order and no other beside it; `# env:` sets a variable and
//! `# flags:` adds to the command line.

use std::{fs, path::Path};

use serde_json::Value;

use crate::binary::Folder;

/// What stands in the comments at the top of a file, under this word.
fn told<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    text.lines()
        .map_while(|line| line.strip_prefix("# "))
        .filter_map(|line| line.strip_prefix(word)?.strip_prefix(": "))
        .collect()
}

/// What a configuration is refused with, mistake by mistake.
fn refusals(text: &str) -> Result<Vec<String>, String> {
    let folder = Folder::new();
    folder.write("tieline.toml", text);
    let variables: Vec<(&str, &str)> = told(text, "env").iter().filter_map(|env| env.split_once('=')).collect();
    let flags = told(text, "flags").into_iter().flat_map(str::split_whitespace);
    let args: Vec<&str> = ["check", "--json"].into_iter().chain(flags).collect();
    let ran = folder.run_with(&args, &variables, None);
    if ran.code != 1 || !ran.stdout.is_empty() || folder.path("data").exists() {
        return Err(format!("it is not refused: {}", ran.all()));
    }
    let problem: Value = serde_json::from_str(&ran.stderr).map_err(|error| format!("{error}: {}", ran.all()))?;
    if problem["code"] != "CONFIG_INVALID" {
        return Err(format!("it is refused for another reason: {}", ran.all()));
    }
    let fields = problem["fields"].as_array().ok_or("it names no place")?;
    let messages = fields.iter().filter_map(|field| field["message"].as_str());
    Ok(messages.map(str::to_owned).collect())
}

#[test]
fn wrong_configurations_are_refused_with_what_where_and_what_was_meant() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/config_wrong");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 50, "the files are found: {}", files.len());
    let mut wrong = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let expected = told(&text, "refused");
        assert!(!expected.is_empty(), "{} says what it is refused with", file.display());
        match refusals(&text) {
            Ok(refusals) if refusals == expected => {}
            Ok(refusals) => wrong.push(format!(
                "{}\n  expected {expected:#?}\n  told {refusals:#?}",
                file.display()
            )),
            Err(other) => wrong.push(format!("{}: {other}", file.display())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What can be set is what the manual says: each of its lines, with a comment before it or before its group.
#[test]
fn the_manual_explains_every_setting() {
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config.default.toml")).unwrap();
    let settings = Folder::new().run(&["check", "--json"]).json()["settings"]
        .as_object()
        .unwrap()
        .len();
    let mut lines = 0;
    let mut explained = false;
    for line in manual.lines() {
        match line.chars().next() {
            Some('#') => explained = true,
            Some('[') | None => explained = false,
            Some(_) => {
                assert!(explained, "`{line}` stands without a word");
                lines += 1;
            }
        }
    }
    assert_eq!(lines, settings);
}

/// The manual itself is a configuration that changes nothing.
#[test]
fn the_manual_is_a_configuration() {
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config.default.toml")).unwrap();
    let (plain, written) = (Folder::new(), Folder::new());
    written.write("tieline.toml", &manual);
    let settings = |folder: &Folder| {
        let told = folder.run(&["check", "--json"]).json();
        let settings = told["settings"].as_object().unwrap().clone();
        settings
            .into_iter()
            .map(|(name, setting)| (name, setting["value"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(settings(&plain), settings(&written));
}
