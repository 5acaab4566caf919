//! Texts frozen in files that reviewers read.

use std::{fs, path::Path};

/// Compares `text` with the file. With `UPDATE=1` in the environment (`make gen`) the file is written instead.
pub fn check(path: &Path, text: &str) {
    if crate::env_var("UPDATE").is_some_and(|value| value == "1") {
        fs::write(path, text).expect("the snapshot can be written");
        return;
    }
    let frozen = fs::read_to_string(path).unwrap_or_default();
    let wrong = text.lines().zip(frozen.lines()).position(|(now, then)| now != then);
    assert!(
        frozen == text,
        "{} is not what it was, from line {}. If that is right, `make gen` writes it anew.",
        path.display(),
        wrong.unwrap_or_else(|| text.lines().count().min(frozen.lines().count())) + 1
    );
}
