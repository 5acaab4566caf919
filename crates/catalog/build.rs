//! Embeds every connector folder of `src/`, so that a new folder is all that a new data connector needs.

use std::{env, fs, io, path::Path};

#[path = "src/folders.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the library has more use for it than the build script"
)]
mod folders;

#[expect(
    clippy::disallowed_methods,
    reason = "cargo talks with a build script through the environment"
)]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src");
    let variable = |name| env::var(name).map_err(io::Error::other);
    let (list, missing) = folders::embed(&Path::new(&variable("CARGO_MANIFEST_DIR")?).join("src"))?;
    for what in missing {
        println!("cargo::error=crates/catalog/src: {what}");
    }
    fs::write(Path::new(&variable("OUT_DIR")?).join("shipped.rs"), list)
}
