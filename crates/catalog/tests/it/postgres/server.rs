//! The database server for tests: databases of their own on the one that runs, and private servers with TLS.

use std::{
    env,
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tieline_testkit::{canary::Canary, cert::Authority};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The password of every role of a private server.
pub(super) static PASSWORD: Canary = Canary::new("PostgreSQL password");

/// Where the server listens that everybody may use (trust, user `postgres`).
const PORT: u16 = 5432;

/// A database that is there as long as its test.
pub(super) struct Database {
    pub(super) name: String,
    pub(super) port: u16,
}

impl Database {
    /// A new one; nothing where no server runs. In CI that is a failure.
    pub(super) fn make() -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let nth = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("tieline_connector_{}_{nth}", std::process::id());
        let made = psql(PORT, "postgres", &format!("CREATE DATABASE {name}"));
        if let Err(why) = made {
            return missing(&why);
        }
        Some(Self { name, port: PORT })
    }

    /// Fields of a connection that reads.
    pub(super) fn fields(&self) -> Value {
        json!({
            "host": "127.0.0.1", "port": self.port, "database": self.name, "username": "postgres", "password": "any",
            "sslmode": "disable",
        })
    }

    /// Fields of a connection that writes.
    pub(super) fn writable(&self) -> Value {
        let mut fields = self.fields();
        fields["readOnly"] = json!(false);
        fields
    }

    /// Runs SQL past the connector.
    pub(super) fn run(&self, sql: &str) {
        self.ask(sql);
    }

    /// The same, and the one value that it answers.
    pub(super) fn ask(&self, sql: &str) -> String {
        psql(self.port, &self.name, sql).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = psql(
            self.port,
            "postgres",
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
        );
    }
}

fn psql(port: u16, database: &str, sql: &str) -> Result<String, String> {
    let ran = Command::new("psql")
        .args([
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-d",
            database,
            "-p",
            &port.to_string(),
        ])
        .args(["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .output();
    let ran = ran.map_err(|error| error.to_string())?;
    match ran.status.success() {
        true => Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&ran.stderr).into_owned()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "only the environment knows where the tests run"
)]
#[expect(clippy::print_stderr, reason = "whoever runs the tests is to know what did not run")]
fn missing<T>(why: &str) -> Option<T> {
    assert!(env::var_os("CI").is_none(), "no PostgreSQL to test against: {why}");
    eprintln!("SKIPPED: no PostgreSQL to test against: {why}");
    None
}

/// A server with TLS and passwords, whose roles are named for how they sign in: `scram`, `md5`, `clear`.
pub(super) struct Private {
    pub(super) authority: Authority,
    port: u16,
    dir: TempDir,
}

impl Private {
    /// One with a certificate for `localhost`.
    pub(super) fn start() -> Option<Self> {
        Self::run(true)
    }

    /// One that offers no TLS.
    pub(super) fn without_tls() -> Option<Self> {
        Self::run(false)
    }

    fn run(tls: bool) -> Option<Self> {
        let Some(programs) = programs() else {
            return missing("its programs are not under /usr/lib/postgresql");
        };
        let authority = Authority::new();
        let cert = authority.server(&["localhost"]);
        let dir = TempDir::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let server = Self { authority, port, dir };
        let data = server.dir.path().join("data");
        own(server.dir.path());
        as_user(
            programs.join("initdb").as_path(),
            &["-A", "trust", "-U", "postgres", "--no-sync", "-D", text(&data)],
        );
        let write = |name: &str, text: &str| {
            let path = data.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            own(&path);
        };
        write("server.crt", &cert.cert_pem);
        write("server.key", &cert.key_pem);
        write(
            "pg_hba.conf",
            "local all postgres trust\nhost all postgres 127.0.0.1/32 trust\nhost all md5 127.0.0.1/32 md5\n\
             host all clear 127.0.0.1/32 password\nhost all all 127.0.0.1/32 scram-sha-256\n",
        );
        let ssl = if tls { "on" } else { "off" };
        let settings = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\nfsync = off\nssl = {ssl}\n\
             log_connections = on\n",
            text(server.dir.path())
        );
        write("postgresql.auto.conf", &settings);
        let log = server.dir.path().join("log");
        as_user(
            programs.join("pg_ctl").as_path(),
            &["-D", text(&data), "-l", text(&log), "-w", "-s", "start"],
        );
        // The roles' passwords reach the server as hashes: its log is searched for them.
        for (role, method) in [("scram", "scram-sha-256"), ("clear", "scram-sha-256"), ("md5", "md5")] {
            let sql = format!(
                "SET log_min_error_statement = panic; SET password_encryption = '{method}'; CREATE ROLE {role} LOGIN PASSWORD $p${}$p$",
                &*PASSWORD
            );
            psql(port, "postgres", &sql).unwrap();
        }
        Some(server)
    }

    pub(super) fn fields(&self, user: &str, sslmode: &str) -> Value {
        json!({
            "host": "localhost", "port": self.port, "database": "postgres", "username": user, "password": PASSWORD,
            "sslmode": sslmode,
        })
    }

    /// What the server wrote down.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if let Some(programs) = programs() {
            let data = self.dir.path().join("data");
            as_user(
                programs.join("pg_ctl").as_path(),
                &["-D", text(&data), "-m", "immediate", "-s", "stop"],
            );
        }
    }
}

/// The newest server's programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let programs = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    programs.filter(|path| path.join("initdb").is_file()).max()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The server refuses to run as root: then it runs as `postgres`.
fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.starts_with(b"0\n")
}

fn own(path: &Path) {
    if is_root() {
        assert!(
            Command::new("chown")
                .args(["postgres", text(path)])
                .status()
                .unwrap()
                .success()
        );
    }
}

fn as_user(program: &Path, args: &[&str]) {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
            .arg(program);
        command
    } else {
        Command::new(program)
    };
    // A server that is left running must not hold the pipes of the test.
    let status = command
        .args(args)
        .current_dir("/")
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{program:?}");
}

/// Says these bytes to whoever comes, whatever is said to it; answers its port.
pub(super) async fn says(bytes: Vec<u8>) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let mut heard = [0; 1024];
                let _ = stream.read(&mut heard).await;
                let _ = stream.write_all(&bytes).await;
                while stream.read(&mut heard).await.is_ok_and(|count| count > 0) {}
            });
        }
    });
    port
}
