//! Secrets in an adapter's records: where they lie, what does not open, and what is sealed besides.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tieline::{
    Code, Connectors, Error, MasterKey, MemoryAdapter, Result,
    audit::Actor,
    clock::SystemRandom,
    connection::{Connection, ConnectionPatch},
    secret::Secret,
    store::{
        Adapter, Updated,
        adapter::{Change, Record},
    },
    vault::{EnvelopeVault, Place, Vault},
};
use tieline_testkit::{
    canary::{self, Canary},
    evidence,
    twin::Twin,
};

use super::{all, house, look, org, tenant_of};
use crate::house::{OTHER, TOKEN, json_reply};

/// A field that no manifest declares secret, and a program wants sealed.
static ACCOUNT: Canary = Canary::new("account");
static SECOND_ACCOUNT: Canary = Canary::new("second account");

/// A vault of a program's own, always of the same key.
pub(crate) fn vault() -> impl Vault {
    EnvelopeVault::derived(MasterKey::parse(canary::master_key()).unwrap(), Arc::new(SystemRandom))
}

pub(crate) fn vault_of_new_keys() -> impl Vault {
    EnvelopeVault::derived(MasterKey::generate(&SystemRandom).unwrap(), Arc::new(SystemRandom))
}

fn value(record: &Record) -> Value {
    serde_json::from_str(&record.value).unwrap()
}

/// Writes a record's value behind the library's back, its version as it was or another.
async fn tamper(adapter: &MemoryAdapter, record: &Record, value: &Value) {
    let change = Change {
        value: value.to_string(),
        enabled: record.enabled,
        version: record.version,
        updated_at: record.updated_at,
    };
    let written = adapter.update(&record.key, record.id, record.version, &change).await;
    assert_eq!(written.unwrap(), Updated::Updated);
}

#[tokio::test]
async fn e2_sealed_values_open_in_their_own_record_only() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let adapter = Arc::new(MemoryAdapter::new());
    let connectors = house(adapter.clone(), twin.port());
    org(&connectors)
        .connect("acme", json!({ "token": TOKEN }))
        .await
        .unwrap();
    let first = all(&*adapter).await.remove(0);
    assert!(!TOKEN.is_in(&first.value), "E1");
    // The same fields with other secrets: an older value, and another record's.
    org(&connectors)
        .connect("acme", json!({ "token": OTHER }))
        .await
        .unwrap();
    let stranger = connectors.scope("organization", "org_2").unwrap();
    stranger.connect("acme", json!({ "token": TOKEN })).await.unwrap();
    let records = all(&*adapter).await;
    let mine = records.iter().find(|record| record.id == first.id).unwrap().clone();
    let theirs = records.iter().find(|record| record.id != first.id).unwrap();
    look(&connectors).await.unwrap();

    let sealed = |record: &Record| value(record)["secrets"]["api_token"]["sealed"].clone();
    let with = |sealed: Value, version: Value| {
        let mut value = value(&mine);
        value["secrets"]["api_token"]["sealed"] = sealed;
        value["secretVersion"] = version;
        value
    };
    let (now, before) = (
        value(&mine)["secretVersion"].clone(),
        value(&first)["secretVersion"].clone(),
    );
    assert_ne!(now, before);
    let text = sealed(&mine).as_str().unwrap().to_owned();
    // Somewhere in the ciphertext.
    let (head, tail) = text.split_at(30);
    let flipped = format!("{head}{}{}", if tail.starts_with('A') { "B" } else { "A" }, &tail[1..]);
    let renamed = {
        let mut value = value(&mine);
        let secret = value["secrets"].as_object_mut().unwrap().remove("api_token").unwrap();
        value["secrets"]["other"] = secret.clone();
        value["secrets"]["api_token"] = secret;
        value
    };
    let attacks = [
        ("another record's", with(sealed(theirs), now.clone())),
        ("an older one", with(sealed(&first), now.clone())),
        ("this one as if it were older", with(sealed(&mine), before)),
        ("an altered one", with(json!(flipped), now.clone())),
        ("a shorter one", with(json!(&text[..8]), now.clone())),
        ("none", with(json!(""), now.clone())),
        ("another field's", renamed),
    ];
    let sent = twin.requests().len();
    for (what, value) in attacks {
        tamper(&adapter, &mine, &value).await;
        // A process that has nothing ready of it.
        let error = look(&house(adapter.clone(), twin.port())).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorDecryptFailed, "{what}: {error}");
    }
    assert_eq!(twin.requests().len(), sent, "nothing went out");
    // The negative control: as it was, it opens.
    tamper(&adapter, &mine, &value(&mine)).await;
    look(&house(adapter.clone(), twin.port())).await.unwrap();
    // Nor does anything open under another key.
    let other_key = super::keyless(adapter.clone(), twin.port()).key(MasterKey::generate(&SystemRandom).unwrap());
    let error = look(&other_key.build().unwrap()).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorDecryptFailed);
}

/// Seals, until it does not.
struct Failing;

impl Vault for Failing {
    fn seal<'a>(&'a self, _: Place<'a>, _: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(async { Err(Error::internal("the KMS", "quota exceeded")) })
    }

    fn open_bytes<'a>(&'a self, _: Place<'a>, _: &'a [u8]) -> BoxFuture<'a, Result<Secret<Vec<u8>>>> {
        Box::pin(async { Err(Error::internal("the KMS", "quota exceeded")) })
    }
}

#[tokio::test]
async fn e5_a_vault_of_ones_own_seals_and_what_it_refuses_is_not_stored() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let adapter = Arc::new(MemoryAdapter::new());
    let with = |vault| super::keyless(adapter.clone(), twin.port()).vault(vault);
    let failing = super::keyless(adapter.clone(), twin.port())
        .vault(Failing)
        .build()
        .unwrap();
    let error = org(&failing)
        .connect("acme", json!({ "token": TOKEN }))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ConnectorEncryptFailed);
    assert!(!error.to_string().contains("quota") && format!("{error:?}").contains("quota"));
    assert!(all(&*adapter).await.is_empty());
    org(&with(vault()).build().unwrap())
        .connect("acme", json!({ "token": TOKEN }))
        .await
        .unwrap();
    assert!(!TOKEN.is_in(&all(&*adapter).await[0].value));
    look(&with(vault()).build().unwrap()).await.unwrap();
    assert_eq!(look(&failing).await.unwrap_err().code(), Code::ConnectorDecryptFailed);
}

/// The small service, which is told of the account in its address.
fn listing(adapter: Arc<MemoryAdapter>, port: u16, fields: &[&str]) -> Connectors {
    let manifest = format!(
        r#"
id: acme
name: Acme
baseUrl: http://127.0.0.1:{port}/v1
defaultHeaders: {{ X-Account: '{{{{account}}}}' }}
auth:
  - type: bearer
    fields:
      - {{ name: api_token, secret: true, required: true, aliases: [token] }}
      - {{ name: account, required: true, aliases: [account_name] }}
      - {{ name: number, type: integer }}
    token: '{{{{api_token}}}}'
allowedHosts: [127.0.0.1]
endpoints: [{{ id: look, method: GET, path: /look }}]
"#
    );
    Connectors::builder()
        .adapter(adapter)
        .key(MasterKey::parse(canary::master_key()).unwrap())
        .scope("organization", tieline::ScopeRule::Required)
        .manifest(manifest)
        .egress(tieline::egress::EgressPolicy {
            loopback: true,
            ..tieline::egress::EgressPolicy::default()
        })
        .encrypt(fields.iter().copied())
        .build()
        .unwrap()
}

async fn patched(connectors: &Connectors, connection: &Connection, config: Value) -> Connection {
    let own = Actor::new(tenant_of(connectors).await, "test");
    let patch = ConnectionPatch {
        config: Some(config.into()),
        ..ConnectionPatch::default()
    };
    evidence::told(connectors.update_connection(&own, connection.id, patch).await).unwrap()
}

#[tokio::test]
async fn e8_listed_fields_are_sealed_and_used_like_any_other() {
    let twin = Twin::always(json_reply("200 OK", &json!({ "echo": ACCOUNT }).to_string())).await;
    let adapter = Arc::new(MemoryAdapter::new());
    // By an alias, by a path, and a name that nothing has.
    let connectors = listing(
        adapter.clone(),
        twin.port(),
        &["account_name", "number.of.things", "oauth.accessToken"],
    );
    let config = json!({ "token": TOKEN, "account": ACCOUNT, "number": 7 });
    let connection = org(&connectors).connect("acme", config).await.unwrap();
    assert_eq!(connection.config.text(), "{}");
    assert!(connection.secrets["account"].set && connection.secrets["number"].set);
    let record = all(&*adapter).await.remove(0);
    assert!(!ACCOUNT.is_in(&record.value));
    assert_eq!(value(&record)["secretVersion"], 1);
    let sees = async |connectors: &Connectors, account: &str| {
        let output = org(connectors).action("acme", "look").call(json!({})).await.unwrap();
        if account == &*ACCOUNT {
            assert!(!ACCOUNT.is_in(output.text()), "what is sealed is not told either");
        }
        assert_eq!(twin.seen().last().unwrap().header("x-account"), Some(account));
    };
    sees(&connectors, &ACCOUNT).await;

    // A change of another field keeps it; sent back as it was shown, it stays; given anew, it is sealed anew.
    let other = patched(&connectors, &connection, json!({ "number": 8 })).await;
    assert!(other.secrets["account"].set && other.config.text() == "{}");
    sees(&connectors, &ACCOUNT).await;
    let shown = json!({ "account": other.secrets["account"], "number": 9 });
    patched(&connectors, &connection, shown).await;
    sees(&connectors, &ACCOUNT).await;
    patched(&connectors, &connection, json!({ "account": SECOND_ACCOUNT })).await;
    assert!(!SECOND_ACCOUNT.is_in(&all(&*adapter).await[0].value));
    sees(&connectors, &SECOND_ACCOUNT).await;
    // A patch that changes nothing of the fields loses none of them.
    let own = Actor::new(tenant_of(&connectors).await, "test");
    let named = ConnectionPatch {
        display_name: Some("Ours".to_owned()),
        config: Some(json!({ "account": SECOND_ACCOUNT }).into()),
        ..ConnectionPatch::default()
    };
    connectors.update_connection(&own, connection.id, named).await.unwrap();
    sees(&connectors, &SECOND_ACCOUNT).await;
    // What was sealed while it was listed is read by who lists it no more.
    sees(&listing(adapter.clone(), twin.port(), &[]), &SECOND_ACCOUNT).await;
    let unlisted = listing(adapter.clone(), twin.port(), &[]);
    patched(&unlisted, &connection, json!({ "number": 10 })).await;
    let record = all(&*adapter).await.remove(0);
    assert!(!SECOND_ACCOUNT.is_in(&record.value), "nor opened by them");
    assert_eq!(value(&record)["config"], json!({}));
    sees(&unlisted, &SECOND_ACCOUNT).await;
    // Taken away, it is gone.
    patched(&connectors, &connection, json!({ "number": null })).await;
    assert!(!all(&*adapter).await[0].value.contains("number"));
}

#[tokio::test]
async fn e8_a_row_from_before_the_list_grew_is_read_and_sealed_with_its_next_change() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let adapter = Arc::new(MemoryAdapter::new());
    let before = listing(adapter.clone(), twin.port(), &[]);
    let config = json!({ "token": TOKEN, "account": "main-account", "number": 7 });
    let connection = org(&before).connect("acme", config).await.unwrap();
    assert!(
        all(&*adapter).await[0].value.contains("main-account"),
        "open, as the manifest says"
    );
    let now = listing(adapter.clone(), twin.port(), &["account", "number"]);
    org(&now).action("acme", "look").call(json!({})).await.unwrap();
    assert_eq!(twin.seen().last().unwrap().header("x-account"), Some("main-account"));
    assert!(
        all(&*adapter).await[0].value.contains("main-account"),
        "reading writes nothing"
    );

    // Whatever the change is about.
    let own = Actor::new(tenant_of(&now).await, "test");
    let off = ConnectionPatch {
        enabled: Some(false),
        ..ConnectionPatch::default()
    };
    connectors_off_and_on(&now, &own, &connection, off).await;
    let record = all(&*adapter).await.remove(0);
    assert!(!record.value.contains("main-account"));
    assert_eq!(value(&record)["secretVersion"], 2, "the token was sealed anew with it");
    for house in [&now, &before] {
        org(house).action("acme", "look").call(json!({})).await.unwrap();
        let seen = twin.seen();
        assert_eq!(seen.last().unwrap().header("x-account"), Some("main-account"));
        let bearer = format!("Bearer {}", &*TOKEN);
        assert_eq!(seen.last().unwrap().header("authorization"), Some(bearer.as_str()));
    }
}

async fn connectors_off_and_on(connectors: &Connectors, own: &Actor, connection: &Connection, off: ConnectionPatch) {
    let on = ConnectionPatch {
        enabled: Some(true),
        ..ConnectionPatch::default()
    };
    for patch in [off, on] {
        connectors.update_connection(own, connection.id, patch).await.unwrap();
    }
}
