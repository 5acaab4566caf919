//! Webhooks over a database that is opened again, and over adapters.

use std::path::Path;

use http::Request;
use http_body_util::Full;
use serde_json::json;
use tieline::{Connectors, ConnectorsBuilder, MasterKey, ScopeRule, connection::DeliveryResult, connectors::Scoped};
use tieline_store::{PostgresAdapter, PostgresOptions, PostgresStore, SqliteAdapter, SqliteStore};
use tieline_testkit::{canary, evidence, postgres::Database};

/// What proves itself by a token, for the signatures are proved elsewhere.
const MANIFEST: &str = "
id: acme
name: Acme
baseUrl: https://acme.example
auth: [{ type: custom, fields: [{ name: password, secret: true }] }]
endpoints: []
webhookConfig: { signatureConfig: { header: X-Token, algorithm: token, keyField: password } }
";

const OPTIONS: PostgresOptions = PostgresOptions { connections: 2 };

static PASSWORD: canary::Canary = canary::Canary::new("token of webhooks");

fn house(builder: ConnectorsBuilder) -> Connectors {
    builder
        .key(MasterKey::parse(canary::master_key()).unwrap())
        .scope("organization", ScopeRule::Required)
        .manifest(MANIFEST)
        .build()
        .unwrap()
}

fn org(connectors: &Connectors) -> Scoped {
    connectors.scope("organization", "org_1").unwrap()
}

async fn deliver(connectors: &Connectors, path: &str, token: &str) -> u16 {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("x-token", token);
    let request = request.body(Full::<bytes::Bytes>::from("{}")).unwrap();
    connectors.handle_path(request).await.status().as_u16()
}

/// Connects in one process and takes webhooks in another: what `open` answers each time.
async fn stays(mut open: impl AsyncFnMut() -> ConnectorsBuilder) {
    let first = house(open().await);
    let connected = org(&first)
        .connect("acme", json!({ "password": &*PASSWORD }))
        .await
        .unwrap();
    let address = connected.webhook.unwrap().address.unwrap();
    canary::never_told("a webhook's secret", address.reveal().rsplit('.').next().unwrap());
    first.close().await.unwrap();
    drop(first);
    let second = house(open().await);
    let org = org(&second);
    assert_eq!(org.webhook("acme").await.unwrap(), address);
    assert_eq!(deliver(&second, address.reveal(), &PASSWORD).await, 200);
    let view = org.get("acme").await.unwrap().unwrap().webhook.unwrap();
    assert_eq!(
        (view.last_event_result, view.error),
        (Some(DeliveryResult::Success), None)
    );
    assert_eq!(deliver(&second, address.reveal(), "wrong").await, 401);
    let stands = org.get("acme").await.unwrap().unwrap();
    assert_eq!(stands.webhook.unwrap().last_event_result, Some(DeliveryResult::Error));
    let rotated = org.rotate_webhook("acme").await.unwrap();
    assert_eq!(deliver(&second, address.reveal(), &PASSWORD).await, 404);
    assert_eq!(deliver(&second, rotated.reveal(), &PASSWORD).await, 200);
    org.disconnect("acme").await.unwrap();
    assert_eq!(deliver(&second, rotated.reveal(), &PASSWORD).await, 404);
    second.close().await.unwrap();
}

#[tokio::test]
async fn over_sqlite_an_address_outlives_its_process() {
    let file = evidence::data_folder().join("tieline.db");
    let open = |file: &Path| Connectors::builder().store(SqliteStore::open(file).unwrap());
    stays(async || open(&file)).await;
}

#[tokio::test]
async fn over_an_adapter_in_sqlite_too() {
    let file = evidence::data_folder().join("app.db");
    stays(async || Connectors::builder().adapter(SqliteAdapter::open(&file).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_postgres_and_an_adapter_there_too() {
    let Some(database) = Database::fresh().await else {
        return;
    };
    let url = database.url();
    stays(async || Connectors::builder().store(PostgresStore::open(&url, OPTIONS).await.unwrap())).await;
    stays(async || Connectors::builder().adapter(PostgresAdapter::connect(&url).await.unwrap())).await;
}
