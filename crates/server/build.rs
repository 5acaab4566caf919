//! Embeds the pages of the error codes: `docs/errors/<CODE>.md`.

use std::{error::Error, fmt::Write as _, fs, path::PathBuf};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its output folder in no other way"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo names no output folder")?);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut pages: Vec<_> = match fs::read_dir(&folder) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?,
        Err(_) => Vec::new(),
    };
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    let mut code = "/// Code and page.\nstatic ERROR_PAGES: &[(&str, &str)] = &[\n".to_owned();
    for page in pages {
        let name = page
            .file_stem()
            .and_then(|name| name.to_str())
            .ok_or("a page's name is not UTF-8")?;
        writeln!(code, "    ({name:?}, include_str!({:?})),", page.canonicalize()?)?;
    }
    code.push_str("];\n");
    fs::write(out.join("error_pages.rs"), code)?;
    Ok(())
}
