//! The adapters over one table: the suite that every adapter runs, a table of one's own, and several who share it.

use std::sync::Arc;

use tieline::{
    Code,
    store::{
        Adapter,
        adapter::{Filter, Key, Record},
        conformance::sample,
    },
};
use tieline_store::{PostgresAdapter, SqliteAdapter, SqliteStore};
use tieline_testkit::postgres::Database;

fn record(name: &str) -> Record {
    Record {
        key: Key {
            scope: tieline::Scope::new("organization", "org_1").unwrap(),
            connector: "acme".to_owned(),
            name: name.to_owned(),
        },
        id: sample::connection_id(),
        value: "{}".to_owned(),
        enabled: true,
        version: 1,
        created_at: sample::at(1),
        updated_at: sample::at(2),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_what_an_adapter_must() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.db");
    tieline::testing::adapter(|| async { SqliteAdapter::open(&file).unwrap() }).await;
    // And over a store's own database, in a table beside its own.
    SqliteStore::open(dir.path().join("tieline.db")).unwrap().close();
    let file = dir.path().join("tieline.db");
    tieline::testing::adapter(|| async { SqliteAdapter::options(&file).table("integrations").open().unwrap() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_what_an_adapter_must() {
    let Some(database) = Database::fresh().await else {
        return;
    };
    let url = database.url();
    let options = || PostgresAdapter::options(&url).table("Integrations").connections(4);
    // Whoever comes at the same time makes the table once.
    let made = futures_util::future::join_all((0..4).map(|_| options().connect())).await;
    for adapter in made {
        adapter.unwrap().close().await;
    }
    tieline::testing::adapter(|| async { options().connect().await.unwrap() }).await;
}

#[tokio::test]
async fn sqlite_answers_across_files_and_starts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.db");
    let one = SqliteAdapter::open(&file).unwrap();
    let other = SqliteAdapter::open(&file).unwrap();
    let kept = record("default");
    assert_eq!(one.upsert(&kept).await.unwrap(), kept);
    assert_eq!(
        other.get(&kept.key).await.unwrap().as_ref(),
        Some(&kept),
        "seen by another process at once"
    );
    let elsewhere = SqliteAdapter::options(&file).table("second").open().unwrap();
    assert_eq!(elsewhere.get(&kept.key).await.unwrap(), None, "tables are apart");
    one.close();
    let late = one.get(&kept.key).await.unwrap_err();
    assert!(late.to_string().contains("closed"), "{late}");
    drop((one, other));
    let again = SqliteAdapter::open(&file).unwrap();
    assert_eq!(again.list(&Filter::all(10)).await.unwrap(), [kept]);
}

#[tokio::test]
async fn a_table_that_is_another_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tieline.db");
    SqliteStore::open(&file).unwrap().close();
    for table in ["connections", "a b", "x\"; DROP TABLE meta; --", ""] {
        let error = SqliteAdapter::options(&file).table(table).open().unwrap_err();
        assert_eq!(error.code(), Code::ConfigInvalid, "{table}: {error}");
    }
    let Some(database) = Database::fresh().await else {
        return;
    };
    let owner = database.owner().await;
    // All columns, and nothing that keeps a key from standing twice.
    let unfit = "CREATE TABLE unfit (id text, scope text, identity text, connector text, name text, value text, \
                 enabled boolean, version bigint, created_at timestamptz, updated_at timestamptz); \
                 CREATE TABLE other (id int)";
    owner.batch_execute(unfit).await.unwrap();
    for table in ["unfit", "other", "public.other"] {
        let adapter = PostgresAdapter::options(database.url()).table(table).connect().await;
        assert_eq!(adapter.unwrap_err().code(), Code::ConfigInvalid, "{table}");
    }
    let error = PostgresAdapter::connect("mysql://u:hunter2@h/d").await.unwrap_err();
    assert_eq!(error.code(), Code::ConfigInvalid);
}

#[tokio::test]
async fn postgres_uses_a_table_that_others_made() {
    let Some(database) = Database::fresh().await else {
        return;
    };
    let owner = database.owner().await;
    let documented = "CREATE TABLE integrations (\
                      id text COLLATE \"C\" NOT NULL PRIMARY KEY, \
                      scope text NOT NULL, identity text NOT NULL, connector text NOT NULL, name text NOT NULL, \
                      value text NOT NULL, enabled boolean NOT NULL, version bigint NOT NULL, \
                      created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, \
                      UNIQUE (scope, identity, connector, name))";
    owner.batch_execute(documented).await.unwrap();
    let options = || {
        PostgresAdapter::options(database.url())
            .table("integrations")
            .connections(2)
    };
    let (one, other) = (options().connect().await.unwrap(), options().connect().await.unwrap());
    let kept = record("default");
    one.upsert(&kept).await.unwrap();
    assert_eq!(other.get(&kept.key).await.unwrap().as_ref(), Some(&kept));
    let row = owner
        .query_one("SELECT scope, identity, value FROM integrations", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "organization");
    one.close().await;
    assert!(one.get(&kept.key).await.unwrap_err().to_string().contains("closed"));
}

/// Errors of ours say through an adapter what they say through a store.
#[tokio::test]
async fn trouble_keeps_its_code_and_its_words() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = Arc::new(SqliteAdapter::open(dir.path().join("app.db")).unwrap());
    let connectors = tieline::Connectors::builder()
        .adapter(adapter.clone())
        .key(tieline::MasterKey::generate(&tieline::clock::SystemRandom).unwrap())
        .scope("organization", tieline::ScopeRule::Required)
        .connectors([])
        .build()
        .unwrap();
    let org = connectors.scope("organization", "org_1").unwrap();
    assert!(org.get("acme").await.unwrap().is_none());
    adapter.close();
    let error = org.get("acme").await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorDatabaseFailed);
    assert!(error.detail().contains("closed"), "{error}");
    assert!(
        error.log_context().contains(&("adapter", "get".to_owned())),
        "{error:?}"
    );
}
