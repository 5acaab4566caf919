//! The subject: the real binary in an empty folder, with a connection to the upstream.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;
use tieline_testkit::process;

use crate::{
    child::Running,
    driver::{Ask, ask},
    limit::TOKEN,
    table::mebibytes,
};

pub(crate) struct Tieline {
    running: Running,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    pub(crate) connection: String,
    _folder: TempDir,
}

/// The binary that is measured.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tieline");

/// Starts it on a free port, with what it needs in this folder.
pub(crate) fn serve(folder: &Path) -> Running {
    let mut command = Command::new(BINARY);
    command
        .args(["serve", "--json", "--listen", "127.0.0.1:0"])
        .current_dir(folder)
        .env_remove("TIELINE_MASTER_KEY")
        .env("TIELINE__CATALOG__DIR", "shelf")
        .env("TIELINE__EGRESS__LOOPBACK", "true")
        .env("TIELINE__LOG__LEVEL", "warn")
        // The gates stay, for they are a part of the cost; only nobody is to be turned away.
        .env("TIELINE__LIMITS__REQUESTS_PER_KEY", "100000000")
        .env("TIELINE__LIMITS__REQUESTS_PER_TENANT", "100000000")
        .stderr(Stdio::null());
    let told = |line: &str| {
        line.trim()
            .strip_prefix("\"url\": \"http://")?
            .trim_end_matches([',', '"'])
            .parse()
            .ok()
    };
    Running::start(&mut command, told)
}

impl Tieline {
    pub(crate) async fn start(upstream: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let shelf = folder.path().join("shelf");
        std::fs::create_dir(&shelf).expect("a writable folder");
        std::fs::write(shelf.join("bench.yaml"), manifest(upstream)).expect("a writable folder");
        let running = serve(folder.path());
        let key = std::fs::read_to_string(folder.path().join("data/bootstrap-key")).expect("a key");
        let key = key.trim().to_owned();
        let connect = format!(r#"{{"connector":"bench","config":{{"token":"{TOKEN}"}}}}"#);
        let made = ask(running.address, &Ask::post("/api/v1/connections", &key, &connect)).await;
        let made: serde_json::Value = serde_json::from_slice(&made).expect("JSON");
        Self {
            address: running.address,
            connection: made["id"].as_str().expect("a connection").to_owned(),
            running,
            key,
            _folder: folder,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    pub(crate) fn report_memory(&self) {
        println!(
            "resident after this load: {}\n",
            mebibytes(process::resident(self.pid()))
        );
    }
}

fn manifest(upstream: SocketAddr) -> String {
    format!(
        r#"
id: bench
name: Bench
baseUrl: http://{upstream}
auth:
  - type: bearer
    fields: [{{ name: token, secret: true, required: true }}]
    token: '{{{{token}}}}'
endpoints:
  - id: send
    method: POST
    path: /messages
    body:
      schema:
        type: object
        properties:
          channel: {{ type: string, required: true }}
          text: {{ type: string, required: true }}
    output: {{ type: object, properties: {{ ok: {{ type: boolean, required: true }}, id: {{ type: string }} }} }}
"#
    )
}
