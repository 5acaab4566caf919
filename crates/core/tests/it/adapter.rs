//! The library over an embedding program's own adapter.

#[path = "../../examples/file_adapter.rs"]
#[allow(dead_code, reason = "its `main` runs with the documentation; its test runs here")]
mod file_adapter;

mod broken;
mod sealed;

use std::{future::pending, io, sync::Arc, time::Duration};

use serde_json::json;
use tieline::{
    Code, Connectors, ConnectorsBuilder, MasterKey, MemoryAdapter, MemoryStore, ScopeRule,
    audit::Actor,
    connection::{Connect, ConnectionPatch, ConnectionQuery, Status},
    connectors::Scoped,
    credential::{CredentialType, NewCredential},
    egress::EgressPolicy,
    error::Retry,
    id::{ConnectionId, CredentialId},
    limits::ADAPTER_TIMEOUT,
    store::{
        Adapter, Updated,
        adapter::{AdapterResult, Change, Filter, Key, Record},
    },
};
use tieline_testkit::{canary, evidence, twin::Twin};

use crate::{
    house::{OTHER, TOKEN, json_reply, manifest},
    lab::TENANT,
};

/// The builder of a house over an adapter, but for its key.
fn keyless(adapter: impl Adapter, port: u16) -> ConnectorsBuilder {
    Connectors::builder()
        .adapter(adapter)
        .scope("organization", ScopeRule::Required)
        .manifest(manifest(port))
        .egress(EgressPolicy {
            loopback: true,
            ..EgressPolicy::default()
        })
}

fn builder(adapter: impl Adapter, port: u16) -> ConnectorsBuilder {
    keyless(adapter, port).key(MasterKey::parse(canary::master_key()).unwrap())
}

fn house(adapter: impl Adapter, port: u16) -> Connectors {
    builder(adapter, port).build().unwrap()
}

fn org(connectors: &Connectors) -> Scoped {
    connectors.scope("organization", "org_1").unwrap()
}

async fn look(connectors: &Connectors) -> tieline::Result<()> {
    evidence::told(org(connectors).action("acme", "look").call(json!({})).await).map(drop)
}

/// All that the adapter has, and evidence of it.
async fn all(adapter: &impl Adapter) -> Vec<Record> {
    let records = adapter.list(&Filter::all(1000)).await.unwrap();
    for record in &records {
        evidence::keep(evidence::Kind::Log, &record.value);
    }
    records
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_what_an_adapter_must() {
    tieline::testing::adapter(|| async { MemoryAdapter::new() }).await;
}

#[tokio::test]
async fn the_whole_way_over_an_adapter() {
    let twin = Twin::always(json_reply("200 OK", r#"{"id":"7"}"#)).await;
    let adapter = Arc::new(MemoryAdapter::new());
    let connectors = house(adapter.clone(), twin.port());
    let by = Actor::new(TENANT, "test");
    let org = org(&connectors);
    let error = look(&connectors).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorNotConnected);
    let connection = evidence::told(org.connect("acme", json!({ "token": TOKEN })).await).unwrap();
    assert_eq!((connection.version, connection.status), (1, Status::Testing));
    assert!(connection.secrets["api_token"].set);
    let output = org
        .action("acme", "post")
        .call(json!({ "channel": "c", "text": "t" }))
        .await;
    assert_eq!(output.unwrap().text(), r#"{"id":"7"}"#);
    assert_eq!(
        twin.seen()[0].header("authorization"),
        Some(&*format!("Bearer {}", &*TOKEN))
    );

    // Connecting anew keeps the identifier, and another scope sees nothing of it.
    let again = org.connect("acme", json!({ "token": OTHER })).await.unwrap();
    assert_eq!((again.id, again.version), (connection.id, 2));
    look(&connectors).await.unwrap();
    assert_eq!(
        twin.seen()[1].header("authorization"),
        Some(&*format!("Bearer {}", &*OTHER))
    );
    let other = connectors.scope("organization", "org_1:b").unwrap();
    assert!(other.get("acme").await.unwrap().is_none(), "a and a:b never meet");

    // The library's tenant is the adapter's only one.
    let own = Actor::new(tenant_of(&connectors).await, "test");
    let patch = ConnectionPatch {
        display_name: Some("Ours".to_owned()),
        enabled: Some(false),
        ..ConnectionPatch::default()
    };
    let changed = connectors.update_connection(&own, again.id, patch).await.unwrap();
    assert_eq!(
        (changed.display_name.as_str(), changed.status),
        ("Ours", Status::Inactive)
    );
    assert_eq!(look(&connectors).await.unwrap_err().code(), Code::ConnectionDisabled);
    let test = connectors.test_connection(&own, again.id).await.unwrap();
    assert!(test.success, "{test:?}");
    assert_eq!(
        connectors.connection(&by, again.id).await.unwrap_err().code(),
        Code::NotFound
    );

    assert_eq!(all(&*adapter).await.len(), 1);
    org.disconnect("acme").await.unwrap();
    org.disconnect("acme").await.unwrap();
    assert!(all(&*adapter).await.is_empty());
    assert_eq!(look(&connectors).await.unwrap_err().code(), Code::ConnectorNotConnected);
    connectors.close().await.unwrap();
}

/// Everybody's who embeds the library.
async fn tenant_of(_: &Connectors) -> tieline::id::TenantId {
    tieline::id::TenantId::from_bytes(*b"tieline library!")
}

#[tokio::test]
async fn what_one_changes_the_others_use_in_their_very_next_call() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let adapter = Arc::new(MemoryAdapter::new());
    let [one, two] = [(); 2].map(|()| house(adapter.clone(), twin.port()));
    let id = org(&one).connect("acme", json!({ "token": TOKEN })).await.unwrap().id;
    let own = Actor::new(tenant_of(&one).await, "test");
    let switch = |enabled| ConnectionPatch {
        enabled: Some(enabled),
        ..ConnectionPatch::default()
    };
    for round in 0..3 {
        for (token, from) in [(&TOKEN, &one), (&OTHER, &two)] {
            org(from).connect("acme", json!({ "token": token })).await.unwrap();
            for house in [&two, &one] {
                look(house).await.unwrap();
                let sent = twin.seen().last().unwrap().header("authorization").map(str::to_owned);
                assert_eq!(sent, Some(format!("Bearer {}", &**token)), "round {round}");
            }
        }
        one.update_connection(&own, id, switch(false)).await.unwrap();
        assert_eq!(look(&two).await.unwrap_err().code(), Code::ConnectionDisabled);
        two.update_connection(&own, id, switch(true)).await.unwrap();
        look(&one).await.unwrap();
    }
    org(&one).disconnect("acme").await.unwrap();
    assert_eq!(look(&two).await.unwrap_err().code(), Code::ConnectorNotConnected);
    // Whoever is connected in its place is somebody else, whose first version is 1 again.
    let next = org(&one).connect("acme", json!({ "token": OTHER })).await.unwrap();
    assert_ne!(next.id, id);
    look(&two).await.unwrap();
    assert_eq!(two.connection(&own, id).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_warm_call_asks_the_adapter_once() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let connectors = house(MemoryAdapter::new(), twin.port());
    let id = org(&connectors)
        .connect("acme", json!({ "token": TOKEN }))
        .await
        .unwrap()
        .id;
    let own = Actor::new(tenant_of(&connectors).await, "test");
    let by_id = || tieline::call::Call {
        connector: None,
        action: "look".to_owned(),
        input: json!({}).into(),
        via: tieline::call::Via::Connection(id),
        idempotency_key: None,
    };
    for round in 0..3 {
        let before = connectors.store().statements();
        look(&connectors).await.unwrap();
        assert_eq!(connectors.store().statements() - before, 1, "by name, round {round}");
        connectors.call(&own, by_id()).await.unwrap();
        assert_eq!(
            connectors.store().statements() - before,
            2,
            "by identifier, round {round}"
        );
    }
}

#[tokio::test]
async fn lists_page_and_are_narrowed_over_an_adapter() {
    let connectors = house(MemoryAdapter::new(), 1);
    let own = Actor::new(tenant_of(&connectors).await, "test");
    let mut ids = Vec::new();
    for nth in 0..5 {
        let connect = Connect {
            name: Some(format!("n{nth}")),
            config: json!({ "token": TOKEN }).into(),
            ..Connect::new("acme", tieline::Scope::new("organization", "org_1").unwrap())
        };
        ids.push(connectors.connect(&own, connect).await.unwrap().id);
    }
    ids.sort();
    let off = ConnectionPatch {
        enabled: Some(false),
        ..ConnectionPatch::default()
    };
    connectors.update_connection(&own, ids[2], off).await.unwrap();
    let list = async |query: ConnectionQuery| -> Vec<ConnectionId> {
        let page = connectors.connections(&own, query).await.unwrap();
        page.rows.iter().map(|connection| connection.id).collect()
    };
    let query = |limit, after, newest_first| ConnectionQuery {
        limit,
        after,
        newest_first,
        ..ConnectionQuery::default()
    };
    assert_eq!(list(query(3, None, false)).await, ids[..3]);
    assert_eq!(list(query(3, Some(ids[2]), false)).await, ids[3..]);
    assert_eq!(list(query(2, None, true)).await, [ids[4], ids[3]]);
    assert_eq!(list(query(2, Some(ids[3]), true)).await, [ids[2], ids[1]]);
    assert_eq!(list(query(9, Some(ids[0]), true)).await, []);
    let enabled = ConnectionQuery {
        enabled: Some(true),
        ..query(9, None, false)
    };
    assert_eq!(list(enabled.clone()).await.len(), 4);
    assert_eq!(connectors.count_connections(&own, enabled).await.unwrap(), 4);
}

#[tokio::test]
async fn what_needs_a_whole_store_says_so() {
    let connectors = house(MemoryAdapter::new(), 1);
    let own = Actor::new(tenant_of(&connectors).await, "test");
    let scope = tieline::Scope::new("organization", "org_1").unwrap();
    let mut errors = Vec::new();
    let lent = Connect {
        credential: Some(CredentialId::from_bytes([7; 16])),
        ..Connect::new("acme", scope.clone())
    };
    errors.push(connectors.connect(&own, lent).await.unwrap_err());
    let credential = NewCredential {
        name: "shared".to_owned(),
        description: None,
        environment: None,
        kind: CredentialType::Custom,
        connector: None,
        auth: None,
        data: json!({ "x": 1 }).into(),
        metadata: None,
        expires_at: None,
    };
    errors.push(
        connectors
            .create_credential(&own, credential)
            .await
            .map(drop)
            .unwrap_err(),
    );
    let key = tieline::api_key::NewApiKey {
        name: "first".to_owned(),
        permissions: [("admin".to_owned(), true)].into(),
        expires_at: None,
        environment: None,
        allowed_networks: None,
    };
    errors.push(
        connectors
            .create_tenant("operator", "acme-corp", key)
            .await
            .map(drop)
            .unwrap_err(),
    );
    let config = json!({ "token": TOKEN }).into();
    let stranger = Connect {
        config,
        ..Connect::new("acme", scope)
    };
    errors.push(
        connectors
            .connect(&Actor::new(TENANT, "test"), stranger)
            .await
            .unwrap_err(),
    );
    for error in errors {
        assert_eq!(error.code(), Code::ConnectorDatabaseRequired, "{error}");
        assert!(error.detail().contains(".store("), "{error}");
    }
    assert!(connectors.authenticate("sk_0", "GET /x").await.is_err());
    assert_eq!(connectors.ready(Duration::from_secs(1)).await, Ok(()));
}

/// Fails, or never answers.
struct Sick {
    hangs: bool,
}

impl Sick {
    async fn answer<T>(&self) -> AdapterResult<T> {
        match self.hangs {
            true => pending().await,
            false => Err(io::Error::other("disk 7 of cabinet 3 is on fire").into()),
        }
    }
}

impl Adapter for Sick {
    async fn get(&self, _: &Key) -> AdapterResult<Option<Record>> {
        self.answer().await
    }

    async fn list(&self, _: &Filter) -> AdapterResult<Vec<Record>> {
        self.answer().await
    }

    async fn upsert(&self, _: &Record) -> AdapterResult<Record> {
        self.answer().await
    }

    async fn update(&self, _: &Key, _: ConnectionId, _: u64, _: &Change) -> AdapterResult<Updated> {
        self.answer().await
    }

    async fn delete(&self, _: &Key, _: ConnectionId) -> AdapterResult<bool> {
        self.answer().await
    }
}

#[tokio::test(start_paused = true)]
async fn an_adapters_trouble_is_bounded_and_its_words_are_for_the_log() {
    for hangs in [false, true] {
        let connectors = house(Sick { hangs }, 1);
        let own = Actor::new(tenant_of(&connectors).await, "test");
        let began = tokio::time::Instant::now();
        let errors = [
            org(&connectors).get("acme").await.map(drop).unwrap_err(),
            org(&connectors)
                .connect("acme", json!({ "token": TOKEN }))
                .await
                .map(drop)
                .unwrap_err(),
            look(&connectors).await.unwrap_err(),
            connectors
                .connection(&own, ConnectionId::from_bytes([1; 16]))
                .await
                .map(drop)
                .unwrap_err(),
        ];
        let waited = if hangs { ADAPTER_TIMEOUT * 4 } else { Duration::ZERO };
        assert!(began.elapsed() <= waited, "{:?}", began.elapsed());
        for error in errors {
            assert_eq!(error.code(), Code::ConnectorDatabaseFailed, "{error}");
            assert!(!error.to_string().contains("cabinet"), "{error}");
            assert_eq!(format!("{error:?}").contains("cabinet 3"), !hangs, "{error:?}");
            assert_eq!(error.retry_hint() == Retry::Backoff, hangs);
        }
        let ready = connectors.ready(Duration::from_secs(60)).await;
        assert_eq!(ready, Err(tieline::connectors::Part::Store));
    }
}

/// Answers whatever it has, whoever is asked for.
struct Careless(Arc<MemoryAdapter>);

impl Adapter for Careless {
    async fn get(&self, _: &Key) -> AdapterResult<Option<Record>> {
        Ok(self.0.list(&Filter::all(1)).await?.pop())
    }

    async fn list(&self, _: &Filter) -> AdapterResult<Vec<Record>> {
        self.0.list(&Filter::all(1000)).await
    }

    async fn upsert(&self, record: &Record) -> AdapterResult<Record> {
        self.0.upsert(record).await
    }

    async fn update(&self, key: &Key, id: ConnectionId, version: u64, change: &Change) -> AdapterResult<Updated> {
        self.0.update(key, id, version, change).await
    }

    async fn delete(&self, key: &Key, id: ConnectionId) -> AdapterResult<bool> {
        self.0.delete(key, id).await
    }
}

#[tokio::test]
async fn t2_what_an_adapter_answers_is_held_against_what_it_was_asked() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let adapter = Arc::new(MemoryAdapter::new());
    let sound = house(adapter.clone(), twin.port());
    let other = sound.scope("organization", "org_1:b").unwrap();
    let theirs = other.connect("acme", json!({ "token": TOKEN })).await.unwrap();
    let careless = house(Careless(adapter), twin.port());
    let own = Actor::new(tenant_of(&careless).await, "test");
    let of_scope = ConnectionQuery {
        scope: Some(tieline::Scope::new("organization", "org_1").unwrap()),
        limit: 10,
        ..ConnectionQuery::default()
    };
    let beyond = ConnectionQuery {
        after: Some(theirs.id),
        limit: 10,
        ..ConnectionQuery::default()
    };
    let errors = [
        look(&careless).await.unwrap_err(),
        org(&careless).get("acme").await.map(drop).unwrap_err(),
        careless
            .connection(&own, ConnectionId::from_bytes([1; 16]))
            .await
            .map(drop)
            .unwrap_err(),
        careless.connections(&own, of_scope).await.map(drop).unwrap_err(),
        careless.connections(&own, beyond).await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.code(), Code::ConnectorDatabaseFailed, "{error}");
        assert!(format!("{error:?}").contains("tieline::testing::adapter"), "{error:?}");
    }
    assert!(twin.requests().is_empty(), "nothing went out");
}

#[test]
fn what_is_missing_beside_an_adapter_is_said_at_build() {
    let code = |builder: ConnectorsBuilder| builder.build().err().map(|error| error.code());
    let missing = Some(Code::ConnectorEncryptionSecretRequired);
    assert_eq!(code(Connectors::builder()), Some(Code::ConnectorDatabaseRequired));
    assert_eq!(code(keyless(MemoryAdapter::new(), 1)), missing);
    assert_eq!(code(builder(MemoryAdapter::new(), 1)), None);
    // A vault takes the key's place; a whole store's ledgers want one all the same.
    assert_eq!(code(keyless(MemoryAdapter::new(), 1).vault(sealed::vault())), None);
    let whole = || {
        let whole = Connectors::builder().store(MemoryStore::new()).vault(sealed::vault());
        whole.scope("organization", ScopeRule::Required).connectors([])
    };
    assert_eq!(code(whole()), missing);
    assert_eq!(code(whole().key(MasterKey::parse(canary::master_key()).unwrap())), None);
    for wrong in ["", ".x"] {
        assert_eq!(
            code(builder(MemoryAdapter::new(), 1).encrypt([wrong])),
            Some(Code::ConfigInvalid)
        );
    }
}
