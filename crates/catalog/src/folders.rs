//! Finding connectors: a folder with a `manifest.yaml` is one. The build script and the library share this file.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// The declaration, which makes a folder a connector.
pub const MANIFEST: &str = "manifest.yaml";
/// What a person reads to connect it.
pub const GUIDE: &str = "guide.md";
/// Its picture.
pub const ICON: &str = "icon.svg";
/// Folder of the examples that are its tests.
pub const CASES: &str = "cases";

/// The folder of one connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The folder's name, which is the connector's id.
    pub id: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// The connectors in `dir`, by id. Anything without a manifest is passed over.
///
/// # Errors
/// When the folder cannot be read.
pub fn scan(dir: &Path) -> io::Result<Vec<Folder>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if let Some(id) = path.file_name().and_then(|name| name.to_str())
            && path.join(MANIFEST).is_file()
        {
            found.push(Folder {
                id: id.to_owned(),
                path,
            });
        }
    }
    found.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(found)
}

/// What the build script writes of the connectors in `dir`: a list of `Shipped` in Rust, and what is missing.
///
/// # Errors
/// When the folder cannot be read.
pub fn embed(dir: &Path) -> io::Result<(String, Vec<String>)> {
    let (mut list, mut missing) = ("&[\n".to_owned(), Vec::new());
    for folder in scan(dir)? {
        let id = &folder.id;
        missing.extend(folder.missing().iter().map(|name| format!("{id} has no {name}")));
        let file = |name| format!("include_str!({:?})", folder.path.join(name));
        let (manifest, guide, icon) = (file(MANIFEST), file(GUIDE), file(ICON));
        writeln!(
            list,
            "Shipped {{ id: {id:?}, manifest: {manifest}, guide: {guide}, icon: {icon} }},"
        )
        .map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    Ok((list, missing))
}

impl Folder {
    /// The files every connector has and this folder lacks.
    pub fn missing(&self) -> Vec<&'static str> {
        let files = [MANIFEST, GUIDE, ICON]
            .into_iter()
            .filter(|name| !self.path.join(name).is_file());
        files.collect()
    }

    /// Its case files, by name; none where the folder of cases is missing.
    ///
    /// # Errors
    /// When the folder of cases cannot be read.
    pub fn cases(&self) -> io::Result<Vec<PathBuf>> {
        let mut cases = Vec::new();
        if !self.path.join(CASES).is_dir() {
            return Ok(cases);
        }
        for entry in fs::read_dir(self.path.join(CASES))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                cases.push(path);
            }
        }
        cases.sort();
        Ok(cases)
    }
}
