//! A real Redis, as the Debian package `redis-server` brings it.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    canary::Canary,
    part::{in_ci, skipped},
};

/// Where the packages put them.
const PROGRAM: &str = "/usr/bin/redis-server";
const CLIENT: &str = "/usr/bin/redis-cli";

/// Its word that it answers.
const READY: &str = "Ready to accept connections";

/// Ports tried: another process may take one between our choice and its use.
const TRIES: usize = 5;

/// The password that it asks for.
pub static PASSWORD: Canary = Canary::shaped("Redis password", "################horse-battery################");

/// A running Redis on 127.0.0.1 that keeps nothing. Dropping it ends the process.
pub struct Redis {
    /// Its port.
    pub port: u16,
    child: Child,
    _dir: TempDir,
}

impl Redis {
    /// Starts it and waits until it answers.
    ///
    /// Where the program is missing: fails in CI (`CI` is set), otherwise says so and returns nothing.
    pub fn start() -> Option<Self> {
        if Path::new(PROGRAM).exists() && Path::new(CLIENT).exists() {
            return Some(
                (0..TRIES)
                    .find_map(|_| Self::on_a_free_port())
                    .expect("Redis starts on one of several ports"),
            );
        }
        let missing = format!("{PROGRAM} or {CLIENT} is missing; Debian's package `redis-server` has them");
        assert!(!in_ci(), "{missing}");
        skipped("redis", &missing);
        None
    }

    fn on_a_free_port() -> Option<Self> {
        let dir = TempDir::new().expect("a temporary folder");
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = free.local_addr().expect("its address").port();
        drop(free);
        let mut child = Command::new(PROGRAM)
            .arg("-")
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Redis starts");
        // Its settings come through its input, so that the password stands in no list of processes.
        let settings = format!(
            "bind 127.0.0.1\nport {port}\nsave \"\"\nappendonly no\nrequirepass {}\nstream-node-max-entries 10\n",
            &*PASSWORD
        );
        let mut stdin = child.stdin.take().expect("its input is piped");
        stdin.write_all(settings.as_bytes()).expect("it reads its settings");
        drop(stdin);
        let mut lines = BufReader::new(child.stdout.take().expect("its log is piped")).lines();
        let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains(READY));
        // Somebody has to read what it goes on to say.
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let running = Self { port, child, _dir: dir };
        ready.then_some(running)
    }

    /// What it answers to a command.
    pub fn ask(&self, words: &[&str]) -> Value {
        let output = Command::new(CLIENT)
            .env("REDISCLI_AUTH", &*PASSWORD)
            .args(["--json", "-p", &self.port.to_string()])
            .args(words)
            .output()
            .expect("its client runs");
        serde_json::from_slice(&output.stdout).expect("it answers in JSON")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
