//! The proofs can fail: adapters and vaults that are wrong in one way each are told so, in words.

use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicU64, Ordering},
};

use futures_util::{FutureExt, future::BoxFuture};
use tieline::{
    MemoryAdapter, Result,
    clock::Timestamp,
    id::ConnectionId,
    secret::Secret,
    store::{
        Adapter, Updated,
        adapter::{AdapterResult, Change, Filter, Key, Record},
    },
    vault::{Place, Vault},
};

use super::sealed;

/// In which one way an adapter is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    JoinsKeys,
    FoldsCase,
    Overwrites,
    IgnoresVersion,
    IgnoresIdentifier,
    ChecksThenWrites,
    DeletesWhatever,
    ErrsOnSecondDelete,
    IgnoresAfter,
    IgnoresScope,
    Unsorted,
    CutsTimes,
    RewritesJson,
    CutsValues,
    Forgets,
}

struct Broken {
    inside: MemoryAdapter,
    fault: Fault,
    asked: AtomicU64,
}

impl Broken {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn key(&self, key: &Key) -> Key {
        let mut key = key.clone();
        if self.is(Fault::JoinsKeys) {
            key.scope.kind = format!("{}:{}", key.scope.kind, key.scope.identity);
            key.scope.identity = String::new();
        }
        if self.is(Fault::FoldsCase) {
            key.name = key.name.to_lowercase();
        }
        key
    }

    fn stored(&self, mut record: Record) -> Record {
        record.key = self.key(&record.key);
        if self.is(Fault::CutsTimes) {
            record.updated_at = Timestamp::from_millisecond(record.updated_at.as_millisecond()).unwrap();
        }
        if self.is(Fault::RewritesJson)
            && let Ok(value) = serde_json::from_str::<serde_json::Value>(&record.value)
        {
            record.value = value.to_string();
        }
        if self.is(Fault::CutsValues) {
            record.value.truncate(record.value.floor_char_boundary(65_535));
        }
        record
    }

    /// As it was asked for, so that only the one fault is seen.
    fn shown(&self, key: &Key, record: Record) -> Record {
        Record {
            key: key.clone(),
            ..record
        }
    }
}

impl Adapter for Broken {
    async fn get(&self, key: &Key) -> AdapterResult<Option<Record>> {
        let found = self.inside.get(&self.key(key)).await?;
        Ok(found.map(|record| self.shown(key, record)))
    }

    async fn list(&self, filter: &Filter) -> AdapterResult<Vec<Record>> {
        let mut filter = filter.clone();
        if self.is(Fault::IgnoresAfter) {
            filter.after = None;
        }
        if self.is(Fault::IgnoresScope) && filter.id.is_none() {
            filter.scope = filter.scope.map(|scope| tieline::Scope {
                identity: scope.identity.split(':').next().unwrap_or_default().to_owned(),
                ..scope
            });
        }
        let mut found = self.inside.list(&filter).await?;
        if self.is(Fault::Unsorted) {
            found.reverse();
        }
        Ok(found)
    }

    async fn upsert(&self, record: &Record) -> AdapterResult<Record> {
        let stored = self.stored(record.clone());
        if self.is(Fault::Overwrites)
            && let Some(standing) = self.inside.get(&stored.key).await?
        {
            self.inside.delete(&stored.key, standing.id).await?;
        }
        if self.is(Fault::Forgets) && self.asked.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            return Ok(record.clone());
        }
        let standing = self.inside.upsert(&stored).await?;
        Ok(self.shown(&record.key, standing))
    }

    async fn update(&self, key: &Key, id: ConnectionId, version: u64, change: &Change) -> AdapterResult<Updated> {
        let key = self.key(key);
        let standing = self.inside.get(&key).await?;
        let (mut id, mut expected) = (id, version);
        if let Some(standing) = standing {
            if self.is(Fault::IgnoresIdentifier) {
                id = standing.id;
            }
            if self.is(Fault::IgnoresVersion) {
                expected = standing.version;
            }
            if self.is(Fault::ChecksThenWrites) && standing.version == version && standing.id == id {
                tokio::task::yield_now().await;
                let now = self.inside.get(&key).await?;
                expected = now.map_or(expected, |now| now.version);
            }
        }
        let changed = self.stored(Record {
            key: key.clone(),
            id,
            value: change.value.clone(),
            enabled: change.enabled,
            version: change.version,
            created_at: change.updated_at,
            updated_at: change.updated_at,
        });
        let change = Change {
            value: changed.value,
            updated_at: changed.updated_at,
            ..change.clone()
        };
        self.inside.update(&key, id, expected, &change).await
    }

    async fn delete(&self, key: &Key, id: ConnectionId) -> AdapterResult<bool> {
        let key = self.key(key);
        let standing = self.inside.get(&key).await?;
        match standing {
            None if self.is(Fault::ErrsOnSecondDelete) => Err("there is no such record".into()),
            Some(standing) if self.is(Fault::DeletesWhatever) => self.inside.delete(&key, standing.id).await,
            _ => self.inside.delete(&key, id).await,
        }
    }
}

/// What a proof says when it fails.
async fn verdict(proof: impl Future<Output = ()>) -> Option<String> {
    let failed = AssertUnwindSafe(proof).catch_unwind().await.err()?;
    failed.downcast_ref::<String>().cloned()
}

#[tokio::test]
async fn every_fault_of_an_adapter_is_found_and_named() {
    let faults = [
        (Fault::JoinsKeys, "is taken for the key"),
        (Fault::FoldsCase, "is taken for the key"),
        (Fault::Overwrites, "`upsert` of a taken key answers another id"),
        (Fault::IgnoresVersion, "changes version 1"),
        (
            Fault::IgnoresIdentifier,
            "another identifier than the one it is meant for",
        ),
        (
            Fault::ChecksThenWrites,
            "who updated one version were told that they did",
        ),
        (
            Fault::DeletesWhatever,
            "`delete` takes a record that has another identifier",
        ),
        (Fault::ErrsOnSecondDelete, "`delete` failed: there is no such record"),
        (Fault::IgnoresAfter, "repeat records, or never end"),
        (Fault::IgnoresScope, "instead of its one"),
        (Fault::Unsorted, "instead of"),
        (Fault::CutsTimes, "another updated_at"),
        (Fault::RewritesJson, "another value"),
        (
            Fault::CutsValues,
            "large values fit: `upsert` of a free key answers another value",
        ),
        (Fault::Forgets, "finds nothing where a record was put in"),
    ];
    for (fault, words) in faults {
        let make = || async move {
            Broken {
                inside: MemoryAdapter::new(),
                fault,
                asked: AtomicU64::new(0),
            }
        };
        let said = verdict(tieline::testing::adapter(make)).await;
        let said = said.unwrap_or_else(|| panic!("{fault:?} was not found"));
        assert!(
            said.starts_with("this adapter breaks ") && said.contains(words),
            "{fault:?}: {said}"
        );
    }
}

/// A vault that is wrong in one way.
struct Leaky {
    inside: Box<dyn Vault>,
    fault: &'static str,
}

impl Leaky {
    fn place<'a>(&self, place: Place<'a>) -> Place<'a> {
        match self.fault {
            "field" => Place { field: "", ..place },
            "secret version" => Place {
                secret_version: 0,
                ..place
            },
            _ => place,
        }
    }
}

impl Vault for Leaky {
    fn seal<'a>(&'a self, place: Place<'a>, plain: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(async move {
            match self.fault {
                "plain" => Ok(plain.to_vec()),
                _ => self.inside.seal(self.place(place), plain).await,
            }
        })
    }

    fn open_bytes<'a>(&'a self, place: Place<'a>, sealed: &'a [u8]) -> BoxFuture<'a, Result<Secret<Vec<u8>>>> {
        Box::pin(async move {
            match self.fault {
                "plain" => Ok(Secret::new(sealed.to_vec())),
                _ => self.inside.open_bytes(self.place(place), sealed).await,
            }
        })
    }
}

#[tokio::test]
async fn e2_every_fault_of_a_vault_is_found_and_named() {
    tieline::testing::vault(|| async { sealed::vault() }).await;
    let faults = [
        ("plain", "shows the plain one"),
        ("field", "it opens in another field"),
        ("secret version", "it opens in another secret version"),
        ("keys", "what one sealed the other does not open"),
    ];
    for (fault, words) in faults {
        let make = || async move {
            let inside: Box<dyn Vault> = match fault {
                "keys" => Box::new(sealed::vault_of_new_keys()),
                _ => Box::new(sealed::vault()),
            };
            Leaky { inside, fault }
        };
        let said = verdict(tieline::testing::vault(make)).await;
        let said = said.unwrap_or_else(|| panic!("{fault} was not found"));
        assert!(said.contains(words), "{fault}: {said}");
    }
}
