//! An adapter of one's own: every connection in one JSON file.
//!
//! `cargo run -p tieline --example file_adapter -- connections.json`

use std::{collections::BTreeMap, fs, io::Write, path::PathBuf, sync::Mutex};

use serde_json::json;
use tieline::{
    Connectors, MasterKey, ScopeRule,
    clock::SystemRandom,
    id::ConnectionId,
    store::adapter::{AdapterResult, Change, Filter, Key, Record},
    store::{Adapter, Updated},
};

/// The file, and the lock that makes each method one step. One process at a time may have it.
struct FileAdapter(Mutex<PathBuf>);

impl FileAdapter {
    /// One step: reads the file, lets `step` work on the records, and if it says so puts a new file in the old one's place,
    /// whole or not at all. Secrets are in it, but sealed.
    fn step<T>(&self, step: impl FnOnce(&mut BTreeMap<ConnectionId, Record>) -> (bool, T)) -> AdapterResult<T> {
        let path = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let text = if path.exists() {
            fs::read_to_string(&*path)?
        } else {
            "[]".to_owned()
        };
        let records: Vec<Record> = serde_json::from_str(&text)?;
        let mut records = records.into_iter().map(|record| (record.id, record)).collect();
        let (changed, answer) = step(&mut records);
        if changed {
            let new = path.with_extension("new");
            let mut file = fs::File::create(&new)?;
            file.write_all(&serde_json::to_vec(&records.into_values().collect::<Vec<_>>())?)?;
            file.sync_all()?;
            fs::rename(&new, &*path)?;
        }
        Ok(answer)
    }
}

impl Adapter for FileAdapter {
    async fn get(&self, key: &Key) -> AdapterResult<Option<Record>> {
        self.step(|records| (false, records.values().find(|record| record.key == *key).cloned()))
    }

    async fn list(&self, filter: &Filter) -> AdapterResult<Vec<Record>> {
        let fitting = |record: &&Record| filter.fits(record);
        self.step(|records| {
            (
                false,
                records.values().filter(fitting).take(filter.limit).cloned().collect(),
            )
        })
    }

    async fn upsert(&self, record: &Record) -> AdapterResult<Record> {
        self.step(|records| {
            if let Some(standing) = records.values().find(|standing| standing.key == record.key) {
                return (false, standing.clone());
            }
            records.insert(record.id, record.clone());
            (true, record.clone())
        })
    }

    async fn update(&self, key: &Key, id: ConnectionId, version: u64, change: &Change) -> AdapterResult<Updated> {
        self.step(|records| match records.get_mut(&id) {
            Some(record) if record.key == *key && record.version == version => {
                record.value = change.value.clone();
                record.enabled = change.enabled;
                record.version = change.version;
                record.updated_at = change.updated_at;
                (true, Updated::Updated)
            }
            _ => (false, Updated::Conflict),
        })
    }

    async fn delete(&self, key: &Key, id: ConnectionId) -> AdapterResult<bool> {
        self.step(|records| {
            let is_there = records.get(&id).is_some_and(|record| record.key == *key);
            (is_there, is_there && records.remove(&id).is_some())
        })
    }
}

/// A service that takes a token.
const ACME: &str = "
id: acme
name: Acme
baseUrl: https://api.acme.example
auth: [{ type: bearer, token: '{{token}}', fields: [{ name: token, secret: true, required: true }] }]
endpoints: []
";

#[tokio::main]
async fn main() -> AdapterResult<()> {
    // The first argument; without one, a file that is gone at the end.
    let given = std::env::args_os().nth(1).map(PathBuf::from);
    let path = given
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("tieline-{}.json", std::process::id())));
    let connectors = Connectors::builder()
        .adapter(FileAdapter(Mutex::new(path.clone())))
        .key(MasterKey::generate(&SystemRandom)?) // in earnest: MasterKey::from_env("TIELINE_SECRET")?
        .scope("organization", ScopeRule::Required)
        .manifest(ACME)
        .build()?;
    let org = connectors.scope("organization", "org_123")?;
    org.connect("acme", json!({ "token": "a-token-from-acme" })).await?;
    assert!(org.get("acme").await?.is_some());
    assert!(
        !fs::read_to_string(&path)?.contains("a-token-from-acme"),
        "secrets arrive sealed"
    );
    connectors.close().await?;
    if given.is_none() {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_what_an_adapter_must() {
    let folder = std::env::temp_dir().join(format!("tieline-file-adapter-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    tieline::testing::adapter(|| async { FileAdapter(Mutex::new(folder.join("connections.json"))) }).await;
    fs::remove_dir_all(&folder).unwrap();
}
