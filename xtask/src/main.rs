//! Chores: `cargo xtask tidy | gen | connector <id> | dev | scan`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a chore talks to whoever runs it"
)]

mod connector;
mod dev;
mod project;
mod scan;
mod snapshots;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <chore>

  tidy             check what no compiler checks: walls between crates, folders, pages, links
  gen              write the checked-in snapshots anew (OpenAPI, routes, connector descriptors, schemas)
  connector <id>   start a connector: one folder in crates/catalog/src
  dev [args]       run the server, and again whenever a source file changes
  scan [folder]    look for the secrets of the last `make test` in the databases, logs and answers it left";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["tidy"] => tidy::run(),
        ["gen"] => snapshots::run(),
        ["connector", id] => connector::run(id),
        ["scan", folder @ ..] => scan::run(folder),
        ["dev", rest @ ..] => dev::run(rest),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
