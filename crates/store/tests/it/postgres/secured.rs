//! TLS to a real server, as the address asks for it.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use tieline::{
    Code,
    store::{ConnectionStore, Inserted, conformance::sample},
};
use tieline_store::PostgresStore;
use tieline_testkit::{cert::Authority, postgres::PrivateServer};

use super::OPTIONS;

/// A server with a certificate for `localhost`, and files with authorities.
struct Secured {
    server: PrivateServer,
    folder: TempDir,
}

impl Secured {
    fn start() -> Option<Self> {
        let authority = Authority::new();
        let server = PrivateServer::shaped(|server| server.with_tls(&authority.server(&["localhost"])))?;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ours.pem"), authority.pem()).unwrap();
        fs::write(folder.path().join("another.pem"), Authority::new().pem()).unwrap();
        Some(Self { server, folder })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn open(&self, host: &str, mode: &str, roots: Option<&str>) -> tieline::Result<PostgresStore> {
        let roots = roots.map(|name| format!("&sslrootcert={}", self.file(name).display()));
        let (port, roots) = (self.server.port(), roots.unwrap_or_default());
        let url = format!("postgres://postgres@{host}:{port}/postgres?sslmode={mode}{roots}");
        PostgresStore::open(&url, OPTIONS).await
    }
}

/// N6: whoever is to be verified is, and nobody is spoken to in the clear who should not be.
#[tokio::test(flavor = "multi_thread")]
async fn n6_the_database_is_who_its_address_says() {
    let Some(secured) = Secured::start() else { return };
    let ours = Some("ours.pem");
    let store = secured.open("localhost", "verify-full", ours).await.unwrap();
    let row = sample::connection(sample::tenant_id(), "default");
    let made = store
        .insert_connection(row.clone(), sample::trail(row.tenant, "row"))
        .await;
    assert_eq!(made.unwrap(), Inserted::Inserted);
    let admin = secured.server.owner().await;
    let clear = "SELECT count(*) FILTER (WHERE s.ssl), count(*) FILTER (WHERE NOT s.ssl) FROM pg_stat_ssl s \
                 JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'tieline'";
    let line = admin.query_one(clear, &[]).await.unwrap();
    let (secured_lines, clear_lines): (i64, i64) = (line.get(0), line.get(1));
    assert!(
        secured_lines >= 2 && clear_lines == 0,
        "the pool and the one that listens: {secured_lines}, {clear_lines}"
    );
    store.close().await;

    for (host, mode, roots) in [
        ("127.0.0.1", "verify-ca", ours),
        ("127.0.0.1", "require", None),
        ("localhost", "require", None),
    ] {
        let opened = secured.open(host, mode, roots).await;
        opened
            .unwrap_or_else(|error| panic!("{host} {mode}: {error:?}"))
            .close()
            .await;
    }
    for (host, mode, roots) in [
        // The certificate is for `localhost` alone.
        ("127.0.0.1", "verify-full", ours),
        ("localhost", "verify-full", Some("another.pem")),
        ("localhost", "verify-ca", Some("another.pem")),
        // A root that is given is looked at.
        ("localhost", "require", Some("another.pem")),
        // None of the system's authorities has signed it.
        ("localhost", "verify-full", None),
    ] {
        let refused = secured
            .open(host, mode, roots)
            .await
            .expect_err(&format!("{host} {mode} {roots:?}"));
        assert_eq!(refused.code(), Code::ConnectorDatabaseFailed, "{refused}");
        assert!(refused.nothing_sent(), "{refused}");
        PostgresStore::peek(&format!(
            "postgres://postgres@{host}:{}/postgres?sslmode={mode}{}",
            secured.server.port(),
            roots.map_or(String::new(), |name| format!(
                "&sslrootcert={}",
                secured.file(name).display()
            ))
        ))
        .await
        .unwrap_err();
    }
}

/// A server that lets nobody in without TLS does not get a password, or a word, in the clear.
#[tokio::test(flavor = "multi_thread")]
async fn n6_disable_is_refused_by_a_server_that_demands_tls() {
    let authority = Authority::new();
    let tls_only = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
    let server = PrivateServer::shaped(|server| server.with_tls(&authority.server(&["localhost"])).admits(tls_only));
    let Some(server) = server else { return };
    let open = async |mode: &str| {
        let url = format!(
            "postgres://postgres@localhost:{}/postgres?sslmode={mode}",
            server.port()
        );
        PostgresStore::open(&url, OPTIONS).await
    };
    let refused = open("disable").await.unwrap_err();
    assert_eq!(refused.code(), Code::ConnectorDatabaseFailed);
    assert!(refused.detail().contains("does not let this user in"), "{refused}");
    for unsafe_mode in ["allow", "prefer"] {
        assert_eq!(open(unsafe_mode).await.unwrap_err().code(), Code::ConfigInvalid);
    }
    open("require").await.unwrap().close().await;
}

/// Whoever asks for TLS does not go on without it.
#[tokio::test(flavor = "multi_thread")]
async fn n6_a_server_without_tls_is_left_when_tls_is_asked_for() {
    let Some(server) = PrivateServer::shaped(|server| server) else {
        return;
    };
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!(
            "postgres://postgres@localhost:{}/postgres?sslmode={mode}",
            server.port()
        );
        let refused = PostgresStore::open(&url, OPTIONS).await.unwrap_err();
        assert_eq!(refused.code(), Code::ConnectorDatabaseFailed, "{mode}: {refused}");
    }
    let url = format!("postgres://postgres@localhost:{}/postgres", server.port());
    PostgresStore::open(&url, OPTIONS).await.unwrap().close().await;
}
