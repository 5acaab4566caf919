//! The real binary in a folder of its own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use tieline::MasterKey;
use tieline_testkit::{
    canary,
    evidence::{self, Kind},
};

/// The files of a data folder whose purpose is to hold a secret.
const KEY_FILES: [&str; 3] = ["master.key", "bootstrap-key", "server.json"];

/// A working directory for one test. What is in its data folder in the end stays for the scan, but for [`KEY_FILES`].
pub(crate) struct Folder(TempDir);

/// How a command ended and what it said.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// What it told when it listened.
    pub(crate) told: Value,
    pub(crate) address: SocketAddr,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        for variable in ["TIELINE_MASTER_KEY", "DATABASE_URL"] {
            command.env_remove(variable);
        }
        command
    }

    fn tieline(&self, args: &[&str]) -> Command {
        self.command(env!("CARGO_BIN_EXE_tieline"), args)
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, &[], None)
    }

    /// The same, with environment variables and standard input.
    pub(crate) fn run_with(&self, args: &[&str], variables: &[(&str, &str)], stdin: Option<&str>) -> Ran {
        let mut command = self.tieline(args);
        command
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if stdin.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().unwrap();
        if let Some(text) = stdin {
            // A command that does not read what it is given is the test's business to notice.
            let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        }
        let done = child.wait_with_output().unwrap();
        evidence::keep(Kind::Answer, &done.stdout);
        evidence::keep(Kind::Log, &done.stderr);
        Ran {
            code: done.status.code().unwrap(),
            stdout: String::from_utf8(done.stdout).unwrap(),
            stderr: String::from_utf8(done.stderr).unwrap(),
        }
    }

    /// Makes a data folder, as the first start does.
    pub(crate) fn make(&self, variables: &[(&str, &str)]) {
        let (code, log) = self.serve(variables).stop();
        assert_eq!(code, 0, "{log}");
    }

    /// Starts a server on a free port and waits until it listens.
    pub(crate) fn serve(&self, variables: &[(&str, &str)]) -> Server {
        let mut command = self.tieline(&["serve", "--json", "--listen", "127.0.0.1:0"]);
        command
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let mut text = String::new();
        while let Some(Ok(line)) = lines.next() {
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        let Ok(told) = serde_json::from_str::<Value>(&text) else {
            let mut stderr = String::new();
            child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            panic!("the server did not start: {text}{stderr}");
        };
        evidence::keep(Kind::Answer, &text);
        let database = self.path("data/tieline.db");
        if database.exists() {
            evidence::keep_wal(&database);
        }
        self.watch_keys();
        let address = told["url"]
            .as_str()
            .unwrap()
            .strip_prefix("http://")
            .unwrap()
            .parse()
            .unwrap();
        Server { child, told, address }
    }
}

impl Folder {
    /// Has the scan look for the keys that lie here now.
    fn watch_keys(&self) {
        let read = |name: &str| std::fs::read_to_string(self.path("data").join(name)).unwrap_or_default();
        // Tests put other texts there, too, which are no secrets.
        let key = read("master.key");
        if MasterKey::parse(&key).is_ok() {
            canary::never_told_master_key(key.trim());
        }
        let key = read("bootstrap-key");
        if key.starts_with("sk_") {
            canary::never_told("bootstrap key", key.trim());
        }
        let announced: Value = serde_json::from_str(&read("server.json")).unwrap_or_default();
        if let Some(key) = announced["key"].as_str() {
            canary::never_told("key of a server's run", key);
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let Ok(files) = std::fs::read_dir(self.path("data")) else {
            return;
        };
        self.watch_keys();
        let kept = evidence::data_folder();
        for file in files.map(|file| file.unwrap()) {
            if !KEY_FILES.iter().any(|name| file.file_name() == *name) {
                std::fs::copy(file.path(), kept.join(file.file_name())).unwrap();
            }
        }
    }
}

impl Ran {
    /// The result, of a command that worked.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.all());
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.all()))
    }

    /// What was printed by a command that worked.
    pub(crate) fn worked(&self) -> &str {
        assert_eq!(self.code, 0, "{}", self.all());
        &self.stdout
    }

    /// What was said by a command that failed with this code.
    pub(crate) fn failed(&self, code: &str) -> &str {
        assert_eq!(self.code, 1, "{}", self.all());
        assert!(self.stderr.contains(code), "no {code}: {}", self.all());
        &self.stderr
    }

    pub(crate) fn all(&self) -> String {
        format!("exit {}\n{}\n{}", self.code, self.stdout, self.stderr)
    }
}

impl Server {
    /// Asks the server to end, as an operator would, and answers how it did and what it logged.
    pub(crate) fn stop(self) -> (i32, String) {
        self.signal("TERM");
        self.ended()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Reads the log up to a line that holds this.
    pub(crate) fn logged(&mut self, part: &str) {
        let log = self.child.stderr.as_mut().unwrap();
        let mut seen = Vec::new();
        let mut byte = [0];
        // Byte by byte, so that nothing of what follows is taken away.
        while log.read(&mut byte).unwrap() == 1 {
            seen.push(byte[0]);
            if byte[0] == b'\n' && String::from_utf8_lossy(&seen).contains(part) {
                evidence::keep(Kind::Log, &seen);
                return;
            }
        }
        panic!("no {part} in {}", String::from_utf8_lossy(&seen));
    }

    /// How it ended, and what was left of its log.
    pub(crate) fn ended(mut self) -> (i32, String) {
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        evidence::keep(Kind::Log, &log);
        (self.child.wait().unwrap().code().unwrap_or(-1), log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
