//! What the tests of several rooms share. A dev-dependency only: it panics where a library would answer an error.

pub mod canary;
pub mod cert;
pub mod evidence;
pub mod flood;
pub mod oauth;
pub mod part;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod redis;
pub mod smtp;
pub mod snapshot;
pub mod standin;
pub mod tamper;
pub mod twin;

use std::path::{Path, PathBuf};

#[expect(
    clippy::disallowed_methods,
    reason = "only the environment knows where and why the tests run"
)]
/// An environment variable that tells where and why the tests run.
pub fn env_var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the crate lies two folders below the root")
        .to_owned()
}
