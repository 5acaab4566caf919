//! Runs the server, and again whenever a source file changes.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, SystemTime},
};

use crate::project::root;

/// How long a change may go unseen. Looking costs a few hundred file heads.
const LOOK_EVERY: Duration = Duration::from_millis(700);

/// Builds, starts and watches until interrupted.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let sources = root()?.join("crates");
    loop {
        let seen = newest(&sources);
        let mut server = start(args)?;
        while newest(&sources) == seen {
            thread::sleep(LOOK_EVERY);
        }
        println!("xtask: a source file changed");
        // The process may be gone already: a failed build, or a server that refused to start.
        let _gone = server.kill();
        let _reaped = server.wait();
    }
}

/// On Unix `cargo run` becomes the server it built, so ending this child ends the server.
fn start(args: &[&str]) -> Result<Child, String> {
    Command::new("cargo")
        .args(["run", "--quiet", "--bin", "tieline", "--", "serve"])
        .args(args)
        .current_dir(root()?)
        .spawn()
        .map_err(|error| format!("cannot run cargo: {error}"))
}

/// When a file below `folder` last changed.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?;
    entries
        .flatten()
        .filter_map(|entry| {
            let kind = entry.file_type().ok()?;
            if kind.is_dir() {
                newest(&entry.path())
            } else {
                entry.metadata().ok()?.modified().ok()
            }
        })
        .max()
}
