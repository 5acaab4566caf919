//! Writes the checked-in snapshots anew: each is compared by a test, and that test writes instead when asked to.

use std::process::Command;

use crate::project::root;

/// The crates whose tests hold snapshots.
const PACKAGES: &[&str] = &["tieline-manifest", "tieline-catalog", "tieline-server"];

/// Runs the tests in writing mode, then shows what changed.
pub(crate) fn run() -> Result<(), String> {
    let mut test = Command::new("cargo");
    test.arg("test").arg("--quiet");
    for package in PACKAGES {
        test.args(["--package", package]);
    }
    test.env("UPDATE", "1");
    finish(&mut test)?;
    finish(Command::new("git").args(["status", "--short"]))
}

fn finish(command: &mut Command) -> Result<(), String> {
    let status = command
        .current_dir(root()?)
        .status()
        .map_err(|error| format!("cannot run {command:?}: {error}"))?;
    status
        .success()
        .then_some(())
        .ok_or_else(|| format!("{command:?} failed"))
}
