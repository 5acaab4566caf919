//! The address of a connection: what it survives, what changes it, and that it is told to nobody else.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use tieline::{
    Code, Connectors, MemoryAdapter, MemoryStore,
    store::{Adapter, Store, adapter::Filter},
};
use tieline_testkit::evidence;

use super::{Lab, SIGNING, TOKEN, address_of};

const BODY: &str = r#"{"kind":"made"}"#;

/// Over a whole store and over five methods.
fn both() -> [(&'static str, Lab); 2] {
    let memory = Lab::shaped(|builder| builder);
    let adapter = Lab::over(Connectors::builder().adapter(MemoryAdapter::new()), |builder| builder);
    [("store", memory), ("adapter", adapter)]
}

#[tokio::test]
async fn defect_8_it_survives_all_but_being_changed_itself() {
    for (over, lab) in both() {
        let address = lab.connect().await;
        let begins = "https://app.example/api/v1/connectors/acme/webhook/conn_";
        assert!(address.starts_with(begins), "{over}");
        let stands = async |after: &str| {
            let shown = lab.org().webhook("acme").await.unwrap();
            assert_eq!(shown.reveal(), address, "{over}, after {after}");
            assert_eq!(
                lab.deliver(&address, BODY).await.status,
                StatusCode::OK,
                "{over}, after {after}"
            );
        };
        stands("it was made").await;
        assert_eq!(lab.connect().await, address, "{over}");
        stands("it was connected anew").await;
        lab.org()
            .update("acme", json!({ "token": "another-token" }))
            .await
            .unwrap();
        stands("an update of its secrets").await;
        lab.org().disable("acme").await.unwrap();
        assert_eq!(
            lab.deliver(&address, BODY).await.code(),
            "CONNECTION_DISABLED",
            "{over}"
        );
        lab.org().enable("acme").await.unwrap();
        stands("it was off").await;
        let new = lab.org().rotate_webhook("acme").await.unwrap();
        assert_ne!(new.reveal(), address);
        assert_eq!(
            lab.deliver(&address, BODY).await.status,
            StatusCode::NOT_FOUND,
            "{over}"
        );
        assert_eq!(lab.deliver(new.reveal(), BODY).await.status, StatusCode::OK, "{over}");
        lab.org().disconnect("acme").await.unwrap();
        assert_eq!(
            lab.deliver(new.reveal(), BODY).await.status,
            StatusCode::NOT_FOUND,
            "{over}"
        );
        assert_eq!(
            lab.org().webhook("acme").await.unwrap_err().code(),
            Code::ConnectorNotConnected
        );
        assert_ne!(lab.connect().await, new.reveal(), "{over}: another connection");
    }
}

#[tokio::test]
async fn r3_nothing_but_the_answer_to_who_asked_holds_it() {
    let adapter = Arc::new(MemoryAdapter::new());
    let lab = Lab::over(Connectors::builder().adapter(adapter.clone()), |builder| builder);
    let connected = lab
        .org()
        .connect("acme", json!({ "token": &*TOKEN, "signing_secret": &*SIGNING }))
        .await
        .unwrap();
    let address = address_of(&connected);
    let secret = address.rsplit('.').next().unwrap();
    assert!(!format!("{connected:?}").contains(secret), "it prints itself to nobody");
    assert!(
        serde_json::to_string(&connected).unwrap().contains(secret),
        "its owner is to see it"
    );
    let got = lab.org().get("acme").await.unwrap().unwrap();
    assert!(got.webhook.as_ref().unwrap().address.is_none(), "a read tells nothing");
    lab.deliver(&address, BODY).await;
    lab.deliver(&address, "not json").await;
    lab.connectors.close().await.unwrap();
    let records = adapter.list(&Filter::all(10)).await.unwrap();
    for record in &records {
        assert!(!record.value.contains(secret), "{}", record.value);
        assert!(record.value.contains("\"webhook\""), "{}", record.value);
        evidence::keep(evidence::Kind::Log, &record.value);
    }
    assert!(lab.told.lock().unwrap().len() >= 5);
    for event in lab.told.lock().unwrap().iter() {
        let text = format!("{event:?}");
        assert!(!text.contains(secret), "{text}");
    }
    lab.told().await;
}

#[tokio::test]
async fn a_hash_that_was_copied_into_another_row_opens_nothing() {
    let adapter = Arc::new(MemoryAdapter::new());
    let lab = Lab::over(Connectors::builder().adapter(adapter.clone()), |builder| builder);
    let mine = lab.connect().await;
    let config = json!({ "token": &*TOKEN, "signing_secret": &*SIGNING });
    let theirs = address_of(&lab.org().named("theirs").connect("acme", config).await.unwrap());
    let mut records = adapter.list(&Filter::all(10)).await.unwrap();
    records.sort_by_key(|record| record.key.name.clone());
    let value = |at: usize| serde_json::from_str::<serde_json::Value>(&records[at].value).unwrap();
    let mut altered = value(1);
    altered["webhook"] = value(0)["webhook"].clone();
    let change = tieline::store::adapter::Change {
        value: altered.to_string(),
        enabled: true,
        version: records[1].version + 1,
        updated_at: records[1].updated_at,
    };
    adapter
        .update(&records[1].key, records[1].id, records[1].version, &change)
        .await
        .unwrap();
    let (their_locator, _) = theirs.rsplit_once('.').unwrap();
    let (_, my_secret) = mine.rsplit_once('.').unwrap();
    let forged = format!("{their_locator}.{my_secret}");
    assert_eq!(lab.deliver(&forged, BODY).await.status, StatusCode::NOT_FOUND);
    assert_eq!(lab.deliver(&mine, BODY).await.status, StatusCode::OK);
    // Nor is the sealed secret of another row shown as its own.
    let shown = lab.org().named("theirs").webhook("acme").await;
    assert_eq!(shown.unwrap_err().code(), Code::ConnectorDecryptFailed);
}

#[tokio::test]
async fn a_note_of_a_webhook_undoes_no_change_made_meanwhile() {
    for (over, lab) in both() {
        let address = lab.connect().await;
        let org = lab.org();
        for round in 0..20 {
            let name = format!("round {round}");
            let patch = tieline::connection::ConnectionPatch {
                display_name: Some(name.clone()),
                ..Default::default()
            };
            let (delivered, updated) = tokio::join!(lab.deliver(&address, BODY), org.update("acme", patch));
            assert_eq!(delivered.status, StatusCode::OK, "{over}");
            updated.unwrap();
            let found = org.get("acme").await.unwrap().unwrap();
            assert_eq!(found.display_name, name, "{over}");
            assert!(found.webhook.unwrap().last_event_at.is_some(), "{over}");
        }
    }
}

#[tokio::test]
async fn a_connection_from_before_its_connector_took_webhooks_gets_one() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let quiet = super::ACME.split("webhookConfig").next().unwrap();
    let builder = || {
        Connectors::builder()
            .shared_store(store.clone())
            .key(tieline::MasterKey::parse(tieline_testkit::canary::master_key()).unwrap())
            .scope("organization", tieline::ScopeRule::Required)
    };
    let before = builder().manifest(quiet).build().unwrap();
    let config = json!({ "token": &*TOKEN, "signing_secret": &*SIGNING });
    let org = before.scope("organization", "org_1").unwrap();
    assert!(org.connect("acme", config).await.unwrap().webhook.is_none());
    let lab = Lab::over(Connectors::builder().shared_store(store.clone()), |builder| builder);
    let address = lab.org().webhook("acme").await.unwrap();
    assert_eq!(lab.org().webhook("acme").await.unwrap(), address);
    assert_eq!(lab.deliver(address.reveal(), BODY).await.status, StatusCode::OK);
}
