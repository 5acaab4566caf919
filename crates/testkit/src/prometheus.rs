//! A real Prometheus, as the Debian package `prometheus` brings it.

use std::{
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use tempfile::TempDir;

use crate::part::{in_ci, skipped};

/// Where the package puts it.
const PROGRAM: &str = "/usr/bin/prometheus";

/// Its word that it answers.
const READY: &str = "Server is ready to receive web requests";

/// Ports tried: another process may take one between our choice and its use.
const TRIES: usize = 5;

/// A running Prometheus that scrapes one target every second. Dropping it ends the process.
pub struct Prometheus {
    /// Where its own API answers.
    pub address: SocketAddr,
    child: Child,
    // Its configuration and its data.
    _dir: TempDir,
}

impl Prometheus {
    /// Starts it on `/metrics` of the target, with this bearer token if one is needed, and waits until it answers.
    ///
    /// Where the program is missing: fails in CI (`CI` is set), otherwise says so and returns nothing.
    pub fn scrape(target: SocketAddr, token: Option<&str>) -> Option<Self> {
        if Path::new(PROGRAM).exists() {
            return Some(
                (0..TRIES)
                    .find_map(|_| Self::start(target, token))
                    .expect("Prometheus starts on one of several ports"),
            );
        }
        let missing = format!("{PROGRAM} is missing; Debian's package `prometheus` has it");
        assert!(!in_ci(), "{missing}");
        skipped("prometheus", &missing);
        None
    }

    fn start(target: SocketAddr, token: Option<&str>) -> Option<Self> {
        let dir = TempDir::new().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).expect("a file in the temporary folder");
            path
        };
        let authorization = token.map_or_else(String::new, |token| {
            let file = write("token", token);
            format!("    authorization: {{ credentials_file: '{}' }}\n", file.display())
        });
        let config = format!(
            "global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - job_name: tieline\n{authorization}    static_configs: [{{ targets: ['{target}'] }}]\n"
        );
        let config = write("prometheus.yml", &config);
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = free.local_addr().expect("its address");
        drop(free);
        let mut child = Command::new(PROGRAM)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Prometheus starts");
        let mut lines = BufReader::new(child.stderr.take().expect("its log is piped")).lines();
        let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains(READY));
        // Somebody has to read what it goes on to say.
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let running = Self {
            address,
            child,
            _dir: dir,
        };
        ready.then_some(running)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
