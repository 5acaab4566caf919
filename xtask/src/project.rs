//! The checkout: where it lies, what is in it, and how cargo is asked about it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Folders that hold no source of ours.
const NOT_OURS: &[&str] = &["target", "node_modules", "data", "dist"];

/// One file: its path from the root with `/` between the parts, and its text.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl SourceFile {
    /// The name without folders.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The text's lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The numbered lines that stand before the file's test module. Clippy keeps test modules last.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<&str> = self.text.lines().map(str::trim_start).collect();
        let is_test_module = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ");
        let end = lines.windows(2).position(is_test_module).unwrap_or(lines.len());
        self.lines().take(end)
    }
}

/// The root of the checkout this runs in: the nearest folder upwards that has an `xtask` in it.
///
/// Not where it was compiled: checkouts may share a target folder.
pub(crate) fn root() -> Result<PathBuf, String> {
    let here = std::env::current_dir().map_err(|error| format!("cannot tell the working directory: {error}"))?;
    let root = here
        .ancestors()
        .find(|folder| folder.join("xtask/Cargo.toml").is_file());
    root.map(Path::to_path_buf)
        .ok_or_else(|| "run this inside the checkout".to_owned())
}

/// Every file of ours, by path.
pub(crate) fn files() -> Result<Vec<SourceFile>, String> {
    let root = root()?;
    let mut found = Vec::new();
    collect(&root, &root, &mut found).map_err(|error| format!("cannot read the checkout: {error}"))?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<SourceFile>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
                collect(root, &path, found)?;
            }
        } else if let Ok(relative) = path.strip_prefix(root) {
            found.push(SourceFile {
                path: relative.to_string_lossy().replace('\\', "/"),
                text: String::from_utf8_lossy(&fs::read(&path)?).into_owned(),
            });
        }
    }
    Ok(())
}

/// What cargo prints when called with these arguments in the checkout.
pub(crate) fn cargo(args: &[&str]) -> Result<String, String> {
    let command = || format!("cargo {}", args.join(" "));
    let output = Command::new("cargo")
        .args(args)
        .current_dir(root()?)
        .output()
        .map_err(|error| format!("cannot run `{}`: {error}", command()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{}` failed:\n{said}", command()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{}` printed something that is not UTF-8", command()))
}
