//! The library on a store that commits on a thread of its own.

use std::{future::poll_fn, sync::Arc, task::Poll};

use tieline::{
    Code, Connectors, Json, MasterKey, Scope, ScopeRule,
    audit::Actor,
    call::{Call, Via},
    clock::SystemRandom,
    connection::{Connect, ConnectionPatch},
    id::TenantId,
    store::Store,
};
use tieline_store::SqliteStore;

const TENANT: TenantId = TenantId::from_bytes([1; 16]);

/// Nothing is dialled: the address is one that the guard refuses.
const MANIFEST: &str = "
id: acme
name: Acme
baseUrl: http://10.0.0.1
auth: [{ type: none }]
endpoints: [{ id: look, method: GET, path: /look }]
";

/// What reading the row takes before the change itself begins.
const READ_STATEMENTS: u64 = 2;

/// A verb that was begun commits even if its caller is gone, so the caches have to hear of it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_caller_is_gone_still_reaches_the_caches() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path().join("tieline.db")).unwrap());
    let connectors = Connectors::builder()
        .shared_store(store.clone())
        .key(MasterKey::generate(&SystemRandom).unwrap())
        .scope("tenant", ScopeRule::Optional)
        .manifest(MANIFEST)
        .build()
        .unwrap();
    let by = Actor::new(TENANT, "test");
    let connect = Connect::new("acme", Scope::tenant());
    let id = connectors.connect(&by, connect).await.unwrap().id;
    let switch = |enabled| {
        let patch = ConnectionPatch {
            enabled: Some(enabled),
            ..ConnectionPatch::default()
        };
        connectors.update_connection(&by, id, patch)
    };
    let is_enabled = async || {
        let call = Call {
            connector: None,
            action: "look".to_owned(),
            input: Json::parse("{}").unwrap(),
            via: Via::Connection(id),
            idempotency_key: None,
        };
        connectors.call(&by, call).await.unwrap_err().code() == Code::EgressForbidden
    };
    for _ in 0..100 {
        while !is_enabled().await {
            switch(true).await.unwrap();
        }
        let mut change = Box::pin(switch(false));
        // The caller leaves as soon as the change was handed to the writer, which is seen by its statements.
        let before = store.statements();
        while store.statements() < before + READ_STATEMENTS + 1 {
            if poll_fn(|context| Poll::Ready(change.as_mut().poll(context)))
                .await
                .is_ready()
            {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(change);
        // The change's own task may still be on its way to store or caches; without one they never agree again.
        let mut turns = 0;
        while is_enabled().await != store.connection_by_id(TENANT, id).await.unwrap().unwrap().enabled {
            turns += 1;
            assert!(turns < 1_000, "the cache says what the store says");
            tokio::task::yield_now().await;
        }
    }
}
