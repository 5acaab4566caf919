//! The database server for tests: databases of their own on the one that runs, and private servers with TLS.

use std::process::Command;

use serde_json::{Value, json};
use tieline_testkit::{
    canary::Canary,
    cert::Authority,
    postgres::{self, PrivateServer},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

/// The password of every role of a private server.
pub(super) static PASSWORD: Canary = Canary::new("PostgreSQL password");

/// A database that is there as long as its test.
pub(super) struct Database {
    made: postgres::Database,
    pub(super) name: String,
    pub(super) port: u16,
    url: Url,
}

impl Database {
    /// A new one; nothing where no server runs. In CI that is a failure.
    pub(super) async fn make() -> Option<Self> {
        let made = postgres::Database::fresh().await?.of_a_service();
        let url: Url = made.url().parse().unwrap();
        Some(Self {
            name: made.name().to_owned(),
            port: url.port().unwrap(),
            url,
            made,
        })
    }

    /// Fields of a connection that reads.
    pub(super) fn fields(&self) -> Value {
        json!({
            "host": self.url.host_str().unwrap(), "port": self.port, "database": self.name,
            "username": self.url.username(), "password": self.url.password().unwrap_or("any"), "sslmode": "disable",
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
        psql(&self.made.url(), sql).unwrap()
    }
}

fn psql(url: &str, sql: &str) -> Result<String, String> {
    let ran = Command::new("psql")
        .args([url, "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .output();
    let ran = ran.map_err(|error| error.to_string())?;
    match ran.status.success() {
        true => Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&ran.stderr).into_owned()),
    }
}

/// Who is let in, and how they sign in.
const ADMITS: &str = "local all postgres trust\nhost all postgres 127.0.0.1/32 trust\nhost all md5 127.0.0.1/32 md5\n\
                      host all clear 127.0.0.1/32 password\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// A server with TLS and passwords, whose roles are named for how they sign in: `scram`, `md5`, `clear`.
pub(super) struct Private {
    pub(super) authority: Authority,
    server: PrivateServer,
}

impl Private {
    /// One with a certificate for `localhost`.
    pub(super) async fn start() -> Option<Self> {
        Self::run(true).await
    }

    /// One that offers no TLS.
    pub(super) async fn without_tls() -> Option<Self> {
        Self::run(false).await
    }

    async fn run(tls: bool) -> Option<Self> {
        let authority = Authority::new();
        let cert = authority.server(&["localhost"]);
        let server = PrivateServer::shaped(|setup| {
            let setup = setup.with("log_connections=on").admits(ADMITS);
            if tls { setup.with_tls(&cert) } else { setup }
        })?;
        // The roles' passwords reach the server as hashes: its log is searched for them.
        let owner = server.owner().await;
        for (role, method) in [("scram", "scram-sha-256"), ("clear", "scram-sha-256"), ("md5", "md5")] {
            let sql = format!(
                "SET log_min_error_statement = panic; SET password_encryption = '{method}'; CREATE ROLE {role} LOGIN PASSWORD $p${}$p$",
                &*PASSWORD
            );
            owner.batch_execute(&sql).await.unwrap();
        }
        Some(Self { authority, server })
    }

    pub(super) fn fields(&self, user: &str, sslmode: &str) -> Value {
        json!({
            "host": "localhost", "port": self.server.port(), "database": "postgres", "username": user, "password": PASSWORD,
            "sslmode": sslmode,
        })
    }

    /// What the server wrote down.
    pub(super) fn log(&self) -> String {
        self.server.log()
    }
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
