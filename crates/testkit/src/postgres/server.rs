//! A PostgreSQL server of a test's own, from the system's programs.

use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use tokio_postgres::{Client, Config};

use crate::{
    cert::ServerCert,
    part::{in_ci, skipped},
};

/// Where Debian keeps a version's programs, one folder each.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Ends the server and its files when its input closes, which it does when the test's process ends, however it ends.
const KEEPER: &str = r#"read -r _; "$1"/pg_ctl -D "$2" -m immediate stop >/dev/null 2>&1; rm -rf "$2""#;

/// How a private server is to be. Unless told, it offers no TLS and trusts whoever is on this machine.
#[derive(Default)]
pub struct Setup {
    settings: Vec<String>,
    files: Vec<(&'static str, String)>,
}

impl Setup {
    /// With a setting of its own (`name=value`).
    #[must_use]
    pub fn with(mut self, setting: &str) -> Self {
        self.settings.push(setting.to_owned());
        self
    }

    /// With TLS for whoever asks for it.
    #[must_use]
    pub fn with_tls(mut self, cert: &ServerCert) -> Self {
        self.files.push(("server.crt", cert.cert_pem.clone()));
        self.files.push(("server.key", cert.key_pem.clone()));
        self.with("ssl=on")
    }

    /// Lets in whom these lines of a `pg_hba.conf` say.
    #[must_use]
    pub fn admits(mut self, lines: &str) -> Self {
        self.files.push(("pg_hba.conf", lines.to_owned()));
        self
    }
}

/// A running server. It ends with this value, or with the process.
pub struct PrivateServer {
    port: u16,
    keeper: Child,
    folder: TempDir,
}

impl PrivateServer {
    /// Starts one as it is shaped. Where its programs are missing: fails in CI (`CI` is set), otherwise says so and answers
    /// nothing.
    pub fn shaped(shape: impl FnOnce(Setup) -> Setup) -> Option<Self> {
        match Self::start(&shape(Setup::default())) {
            Ok(server) => Some(server),
            Err(missing) if in_ci() => panic!("a test of PostgreSQL cannot run: {missing}"),
            Err(missing) => {
                skipped("a test of PostgreSQL", &missing);
                None
            }
        }
    }

    /// Starts one, or says what is missing.
    pub fn start(setup: &Setup) -> Result<Self, String> {
        let programs = programs().ok_or(format!("{VERSIONS} has no initdb"))?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let somebody = unprivileged(folder.path())?;
        if let Some((user, group)) = somebody {
            chown(folder.path(), Some(user), Some(group)).map_err(|error| error.to_string())?;
        }
        let data = folder.path().join("data");
        let run = |program: &str| {
            let mut command = Command::new(programs.join(program));
            command.current_dir(folder.path()).stdin(Stdio::null());
            if let Some((user, group)) = somebody {
                command.uid(user).gid(group);
            }
            command
        };
        let mut initdb = run("initdb");
        initdb.args([
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        finish(initdb.arg(&data))?;
        for (name, text) in &setup.files {
            let path = data.join(name);
            write_private(&path, text, somebody).map_err(|error| format!("{name}: {error}"))?;
        }
        let port = free_port()?;
        let mut options = format!(
            "-p {port} -k {} -c listen_addresses=127.0.0.1 -c fsync=off",
            folder.path().display()
        );
        for setting in &setup.settings {
            options.push_str(&format!(" -c {setting}"));
        }
        let mut start = run("pg_ctl");
        start
            .arg("-D")
            .arg(&data)
            .args(["-w", "-l"])
            .arg(folder.path().join("log"));
        finish(start.args(["-o", &options, "start"]))?;
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&programs).arg(&data);
        if let Some((user, group)) = somebody {
            keeper.uid(user).gid(group);
        }
        let keeper = keeper
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        Ok(Self { port, keeper, folder })
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A connection of the one who owns everything in it.
    ///
    /// # Panics
    /// When there is none to be had.
    pub async fn owner(&self) -> Client {
        super::connect(&self.config())
            .await
            .expect("the server lets its owner in")
    }

    /// What it wrote down.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("the server keeps a log")
    }

    /// How its owner gets in.
    pub(super) fn config(&self) -> Config {
        let mut config = Config::new();
        config
            .host("127.0.0.1")
            .port(self.port)
            .user("postgres")
            .dbname("postgres");
        config
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Writes a file that only the server reads: it refuses a key that others could.
fn write_private(path: &Path, text: &str, owner: Option<(u32, u32)>) -> std::io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    match owner {
        Some((user, group)) => chown(path, Some(user), Some(group)),
        None => Ok(()),
    }
}

/// The programs of the newest version.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop().map(|(_, programs)| programs)
}

/// As whom it runs, because it refuses to run as root: nobody else when we are not root.
fn unprivileged(ours: &Path) -> Result<Option<(u32, u32)>, String> {
    use std::os::unix::fs::MetadataExt;

    // Whoever made a file just now is who we are.
    if fs::metadata(ours).map_err(|error| error.to_string())?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
    let named = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let user = named("postgres").or_else(|| named("nobody"));
    user.map(Some).ok_or_else(|| "there is no user but root".to_owned())
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener
        .map(|address| address.port())
        .map_err(|error| error.to_string())
}

fn finish(command: &mut Command) -> Result<(), String> {
    let status = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| error.to_string())?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{} ended with {status}", command.get_program().display())),
    }
}
