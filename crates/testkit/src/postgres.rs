//! PostgreSQL databases, each for one test and gone after it.
//!
//! The server is the one that `TIELINE_TEST_POSTGRES` names (`postgres://user@host:port/postgres`; the user may make
//! databases and roles), else the one on 127.0.0.1:5432, else one of this process's own from the system's programs.

mod server;

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use futures_util::StreamExt;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, NoTls};

pub use self::server::{PrivateServer, Setup};
use crate::{
    env_var, evidence,
    part::{in_ci, skipped},
};

/// Where a server is looked for, unless `TIELINE_TEST_POSTGRES` names one.
const USUAL: &str = "postgres://postgres@127.0.0.1:5432/postgres";

/// Begins the name of everything the tests make on a server.
const PREFIX: &str = "tieline_test_";

/// A database of its own. Dropping it takes it from the server, with the roles that were named after it.
pub struct Database {
    name: String,
    server: &'static Server,
    /// Whether what it holds is ours, and so may hold no secret.
    is_ours: bool,
}

impl Database {
    /// A new, empty one. Where there is no PostgreSQL: fails in CI (`CI` is set), otherwise says so and answers nothing.
    pub async fn fresh() -> Option<Self> {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        // On a thread of its own, because it waits and has its own runtime.
        let found = SERVER.get_or_init(|| {
            let find = || Server::find(env_var("TIELINE_TEST_POSTGRES").as_deref(), USUAL);
            std::thread::spawn(find).join().expect("no panic but ours")
        });
        match found {
            Ok(server) => Some(Self::on(server).await),
            Err(missing) if in_ci() => panic!("a test of PostgreSQL cannot run: {missing}"),
            Err(missing) => {
                skipped("a test of PostgreSQL", missing);
                None
            }
        }
    }

    async fn on(server: &'static Server) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("{PREFIX}{:015x}_{}", server.run, MADE.fetch_add(1, Ordering::Relaxed));
        let create = format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0");
        server.run(create).await;
        Self {
            name,
            server,
            is_ours: true,
        }
    }

    /// The same as somebody else's, which a connector speaks to: what stands in it is its owner's business.
    #[must_use]
    pub fn of_a_service(mut self) -> Self {
        self.is_ours = false;
        self
    }

    /// Its address, as an operator gives it to a program.
    pub fn url(&self) -> String {
        self.server.address(&self.name)
    }

    /// Its name, after which its roles are named.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes of every row in it, as the server keeps them.
    ///
    /// # Panics
    /// When they cannot be read.
    pub async fn bytes(&self) -> Vec<u8> {
        self.server
            .config_of(&self.name)
            .bytes()
            .await
            .expect("the server's owner may read every row")
    }

    /// A connection of the one who owns everything in it.
    ///
    /// # Panics
    /// When there is none to be had.
    pub async fn owner(&self) -> Client {
        connect(&self.server.config_of(&self.name).0)
            .await
            .expect("the server lets its owner in")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server, self.name.clone());
        let kept = self.is_ours.then(|| evidence::data_folder().join("postgres.copy"));
        let (done, is_done) = std::sync::mpsc::channel();
        server.runtime.spawn(async move {
            // E8: what it holds is looked through after the run. A test may have broken it, or taken it away itself.
            if let Some(kept) = kept
                && let Ok(bytes) = server.config_of(&name).bytes().await
            {
                std::fs::write(kept, bytes).expect("evidence can be written");
            }
            forget(&server.admin, &name).await;
            let _ = done.send(());
        });
        // A thread that waits here keeps no other from dropping: the work is done in the server's runtime.
        let _ = is_done.recv();
    }
}

/// Takes a database and its roles from the server.
async fn forget(admin: &Client, name: &str) {
    let statements = [
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        format!("DROP ROLE IF EXISTS {name}_app"),
        format!("DROP ROLE IF EXISTS {name}_claim"),
        format!("DROP ROLE IF EXISTS {name}_user"),
    ];
    for statement in statements {
        // What stays behind is taken by the next run.
        let _ = admin.batch_execute(&statement).await;
    }
}

struct Server {
    /// Where it is, but for the database.
    config: Config,
    /// This process's number, whose lock tells other processes that it lives.
    run: i64,
    runtime: Runtime,
    admin: Client,
    _private: Option<PrivateServer>,
}

impl Server {
    /// The server of this name, else the one at the usual place, else one of our own.
    fn find(named: Option<&str>, usual: &str) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let named = named.filter(|url| !url.is_empty());
        let config: Config = named
            .unwrap_or(usual)
            .parse()
            .map_err(|error| format!("TIELINE_TEST_POSTGRES: {error}"))?;
        let (config, admin, private) = match runtime.block_on(connect(&config)) {
            Ok(admin) => (config, admin, None),
            Err(error) if named.is_some() => return Err(format!("TIELINE_TEST_POSTGRES: {error}")),
            Err(error) => {
                let private = PrivateServer::start(&Setup::default())
                    .map_err(|why| format!("nothing at {usual} ({error}), and no server can be started: {why}"))?;
                let config = private.config();
                let admin = runtime.block_on(connect(&config)).map_err(|error| error.to_string())?;
                (config, admin, Some(private))
            }
        };
        let run = (RandomState::new().hash_one(std::process::id()) >> 4) as i64;
        runtime
            .block_on(async {
                admin.execute("SELECT pg_advisory_lock($1)", &[&run]).await?;
                sweep(&admin).await
            })
            .map_err(|error| error.to_string())?;
        Ok(Self {
            config,
            run,
            runtime,
            admin,
            _private: private,
        })
    }

    /// Runs a statement of the server's owner.
    async fn run(&'static self, statement: String) {
        let ran = self
            .runtime
            .spawn(async move { self.admin.batch_execute(&statement).await });
        ran.await.expect("no panic").expect("the server's owner may do this");
    }

    fn config_of(&self, database: &str) -> Owner {
        let mut config = self.config.clone();
        config.dbname(database);
        Owner(config)
    }

    fn address(&self, database: &str) -> String {
        let user = self.config.get_user().unwrap_or("postgres");
        let password = self.config.get_password().map(String::from_utf8_lossy);
        let password = password.map(|password| format!(":{password}")).unwrap_or_default();
        let host = match self.config.get_hosts().first() {
            Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
            _ => "127.0.0.1".to_owned(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        format!("postgres://{user}{password}@{host}:{port}/{database}")
    }
}

/// The way into one database, as the one who owns everything.
struct Owner(Config);

impl Owner {
    async fn bytes(&self) -> Result<Vec<u8>, tokio_postgres::Error> {
        let client = connect(&self.0).await?;
        let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables \
                      WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1";
        let mut bytes = Vec::new();
        for table in client.query(tables, &[]).await? {
            let copy = format!("COPY {} TO STDOUT (FORMAT binary)", table.get::<_, String>(0));
            let mut rows = std::pin::pin!(client.copy_out(&copy).await?);
            while let Some(row) = rows.next().await {
                bytes.extend_from_slice(&row?);
            }
        }
        Ok(bytes)
    }
}

async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Removes what runs left behind that live no more: nobody holds their lock.
async fn sweep(admin: &Client) -> Result<(), tokio_postgres::Error> {
    let left = "SELECT datname::text FROM pg_database WHERE starts_with(datname, $1) \
                UNION SELECT regexp_replace(rolname, '_(app|claim|user)$', '') FROM pg_roles WHERE starts_with(rolname, $1)";
    for row in admin.query(left, &[&PREFIX]).await? {
        let name: String = row.get(0);
        let run = name.strip_prefix(PREFIX).and_then(|rest| rest.split('_').next());
        let Some(run) = run.and_then(|run| i64::from_str_radix(run, 16).ok()) else {
            continue;
        };
        let taken = admin.query_one("SELECT pg_try_advisory_lock($1)", &[&run]).await?;
        if taken.get(0) {
            forget(admin, &name).await;
            admin.execute("SELECT pg_advisory_unlock($1)", &[&run]).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where nothing listens.
    const CLOSED: &str = "postgres://postgres@127.0.0.1:1/postgres";

    /// On a thread of its own, as a server has a runtime of its own.
    fn find(named: Option<&'static str>, usual: &'static str) -> Result<Server, String> {
        std::thread::spawn(move || Server::find(named, usual))
            .join()
            .expect("no panic")
    }

    #[tokio::test]
    async fn where_no_server_runs_one_is_started() {
        let server = match find(None, CLOSED) {
            Ok(server) => server,
            Err(missing) => {
                assert!(!in_ci() && missing.contains("no server can be started"), "{missing}");
                return skipped("the fallback of the tests of PostgreSQL", &missing);
            }
        };
        // As long as the process, like the one that all tests share.
        let server: &'static Server = Box::leak(Box::new(server));
        let database = Database::on(server).await;
        assert!(!database.url().contains(":1/") && database.url().ends_with(database.name()));
        let owner = database.owner().await;
        let name: String = owner
            .query_one("SELECT current_database()::text", &[])
            .await
            .expect("a name")
            .get(0);
        assert_eq!(name, database.name());
    }

    #[test]
    fn a_server_that_is_named_is_meant() {
        for named in [CLOSED, "no address"] {
            let missing = find(Some(named), USUAL).err().expect("nothing is there");
            assert!(missing.starts_with("TIELINE_TEST_POSTGRES: "), "{missing}");
        }
    }
}
