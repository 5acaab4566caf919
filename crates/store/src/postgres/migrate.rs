//! Brings a database to this version's form, as the user who owns it.

use refinery::{Migration, Runner};
use tieline::{Code, Error, Result};
use tokio_postgres::Client;

use super::{address::Address, trouble::refused};

macro_rules! steps {
    ($($name:literal)+) => {
        &[$(($name, include_str!(concat!("../../migrations/postgres/", $name, ".sql")))),+]
    };
}

/// Every step, in order. A step that was released never changes: its checksum is in the databases it made.
const STEPS: &[(&str, &str)] = steps!(
    "V0001__house"
    "V0002__people"
    "V0003__calls"
    "V0004__idempotency"
    "V0005__environments"
    "V0006__credentials"
    "V0007__link_grounds"
    "V0008__audit_search"
    "V0009__bounds_of_ledgers"
    "V0010__tenant_ends"
    "V0011__faces"
    "V0012__health"
    "V0013__processes"
    "V0014__webhooks"
    "V0015__oauth"
);

/// The number of the last step, `V0001__name`.
fn newest() -> i32 {
    let number = |(name, _): &(&str, &str)| name.get(1..5)?.parse().ok();
    STEPS
        .last()
        .and_then(number)
        .expect("steps are called so, as their test sees")
}

/// The lock that lets one process at a time take steps in a database: any number that nobody else has.
const LOCK: i64 = 0x7469_656c_6e65;

/// The oldest PostgreSQL whose functions are used here.
const OLDEST: i32 = 140_000;

/// Takes the steps that are missing, and answers the role in which all work is done. Who comes at the same time waits.
pub(super) async fn run(address: &Address) -> Result<String> {
    let connected = address.config.connect(address.tls.clone()).await;
    let (mut client, connection) = connected.map_err(|error| refused(&error))?;
    // Ends with the client, and gives the lock back then.
    let connection = tokio::spawn(connection);
    let role = migrate(&mut client).await;
    drop(client);
    let _ = connection.await;
    role
}

async fn migrate(client: &mut Client) -> Result<String> {
    check_server(client).await?;
    let prepare = "SELECT pg_advisory_lock($1), set_config('search_path', 'tieline', false)";
    client
        .query_one(prepare, &[&LOCK])
        .await
        .map_err(|error| failed(&error))?;
    let taken = last_step(client).await?;
    let known = newest();
    match taken {
        Some(last) if last > known => return Err(newer(last, known)),
        Some(last) if last == known => {}
        _ => take_steps(client, STEPS).await?,
    }
    keep_places_rising(client).await?;
    let role = client.query_one("SELECT app FROM roles", &[]).await;
    role.map(|row| row.get(0)).map_err(|error| failed(&error))
}

/// Whether a database that is ours is behind this version; nothing where none is yet. Changes nothing.
pub(super) async fn standing(client: &Client) -> Result<Option<bool>> {
    check_server(client).await?;
    match last_step(client).await? {
        Some(last) if last > newest() => Err(newer(last, newest())),
        Some(last) => Ok(Some(last < newest())),
        None => Ok(None),
    }
}

async fn check_server(client: &Client) -> Result<()> {
    let sql = "SELECT current_setting('server_version_num')::int, current_setting('server_encoding')";
    let row = client.query_one(sql, &[]).await.map_err(|error| refused(&error))?;
    let (version, encoding): (i32, String) = (row.get(0), row.get(1));
    let why = if version < OLDEST {
        "The server is older than PostgreSQL 14."
    } else if encoding != "UTF8" {
        "The database's encoding is not UTF8: make one with `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`."
    } else {
        return Ok(());
    };
    Err(Error::new(Code::ConfigInvalid, why))
}

async fn last_step(client: &Client) -> Result<Option<i32>> {
    let asked = async {
        let there = "SELECT to_regclass('tieline.refinery_schema_history') IS NOT NULL";
        if !client.query_one(there, &[]).await?.get::<_, bool>(0) {
            return Ok(None);
        }
        let last = "SELECT max(version) FROM tieline.refinery_schema_history";
        client.query_one(last, &[]).await.map(|row| row.get(0))
    };
    asked.await.map_err(|error| failed(&error))
}

async fn take_steps(client: &mut Client, steps: &[(&str, &str)]) -> Result<()> {
    client
        .batch_execute("CREATE SCHEMA IF NOT EXISTS tieline")
        .await
        .map_err(|error| failed(&error))?;
    let steps: Result<Vec<_>, _> = steps
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql))
        .collect();
    let steps = steps.map_err(|error| Error::internal("a migration is badly named", error))?;
    // Grouped: all missing steps and their entries in the history are one transaction.
    match Runner::new(&steps).set_grouped(true).run_async(client).await {
        Ok(_) => Ok(()),
        Err(error) => Err(unmigrated(database_error(&error))),
    }
}

/// In a database that came from another cluster, transactions are numbered anew, and the feed's places must not be.
async fn keep_places_rising(client: &Client) -> Result<()> {
    let sql = "UPDATE feed_base SET base = newest + 1 FROM newest_in_feed() AS newest \
               WHERE base + (pg_snapshot_xmax(pg_current_snapshot())::text::bigint << 16) <= newest";
    client.execute(sql, &[]).await.map(drop).map_err(|error| failed(&error))
}

fn database_error(error: &refinery::Error) -> Option<&tokio_postgres::Error> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        source = error.source();
    }
    None
}

fn failed(error: &tokio_postgres::Error) -> Error {
    unmigrated(Some(error))
}

fn unmigrated(error: Option<&tokio_postgres::Error>) -> Error {
    let told = Error::new(
        Code::ConnectorDatabaseFailed,
        "The database could not be brought to this version's form. Its user must own it and may make roles \
         (`CREATEROLE`), or be a member of the roles `<database>_app` and `<database>_claim` that somebody made for it \
         (`NOLOGIN`). The log says more.",
    );
    let Some(error) = error else { return told };
    let told = told.caused_by(error.to_string());
    // No values are involved in these statements, so the message names only what is missing.
    match error.as_db_error() {
        Some(db) => told
            .context("sqlstate", db.code().code())
            .context("message", db.message()),
        None => told,
    }
}

fn newer(last: i32, known: i32) -> Error {
    Error::new(
        Code::DataFromNewerVersion,
        format!(
            "The database was written by a newer version of Tieline (step {last}; this version knows {known}). Run that \
             version, or restore a backup made before it. Nothing was changed."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_step_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
        let files = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let steps: Vec<_> = STEPS.iter().map(|(name, _)| format!("{name}.sql")).collect();
        assert_eq!(files, steps);
        let numbers: Vec<i32> = steps.iter().map(|step| step[1..5].parse().unwrap()).collect();
        assert!(numbers.is_sorted() && numbers.last() == Some(&newest()), "{numbers:?}");
        assert!(
            steps.iter().all(|step| step.starts_with('V') && &step[5..7] == "__"),
            "{steps:?}"
        );
    }

    /// Also as an owner whom the policies hold.
    #[tokio::test]
    async fn connections_of_before_get_their_work() {
        let Some(database) = tieline_testkit::postgres::Database::fresh().await else {
            return;
        };
        let name = database.name();
        let make = format!("CREATE ROLE {name}_user LOGIN CREATEROLE; ALTER DATABASE {name} OWNER TO {name}_user");
        database.owner().await.batch_execute(&make).await.unwrap();
        let url = database.url();
        let (_, host) = url.split_once('@').unwrap();
        let address = Address::parse(&format!("postgres://{name}_user@{host}")).unwrap();
        let (mut client, connection) = address.config.connect(address.tls.clone()).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("SET search_path = tieline").await.unwrap();
        take_steps(&mut client, &STEPS[..11]).await.unwrap();
        let tenant = |nth| format!("00000000-0000-0000-0000-00000000000{nth}");
        for nth in 1..=2 {
            let connect = format!(
                "SELECT set_config('app.tenant', '{0}', false); \
                 INSERT INTO connections (tenant, id, scope_kind, scope_identity, connector, name, display_name, auth, config, \
                 secret_version, enabled, health, health_since, version, created_by, created_at, updated_at) \
                 VALUES ('{0}', '{0}', '', '', '', '', '', '', '', 1, true, 'healthy', now(), 1, '', now(), now())",
                tenant(nth)
            );
            client.batch_execute(&connect).await.unwrap();
        }
        take_steps(&mut client, STEPS).await.unwrap();
        // Whoever migrates may look across tenants, as `claim` does.
        client.batch_execute(&format!("SET ROLE {name}_app")).await.unwrap();
        for nth in 1..=3 {
            let enter = format!("SELECT set_config('app.tenant', '{}', false)", tenant(nth));
            client.batch_execute(&enter).await.unwrap();
            let work =
                "SELECT count(*) FROM work WHERE kind = 'health' AND key = tenant AND epoch = 0 AND due <= now()";
            let count: i64 = client.query_one(work, &[]).await.unwrap().get(0);
            assert_eq!(count, i64::from(nth < 3));
        }
    }
}
