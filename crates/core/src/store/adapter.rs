//! A store that an embedding program writes itself: five methods over one plain record.
//!
//! [`Adapter`] is the contract, [`MemoryAdapter`] the shortest example, [`guide::adapters`](crate::guide::adapters) shows a
//! whole one that keeps its records in a file, and [`testing::adapter`](crate::testing::adapter) proves yours in one line.

mod ask;
mod connection;
mod memory;
mod unkept;
mod value;

pub(crate) use self::connection::AdapterStore;
pub use self::memory::MemoryAdapter;

use std::sync::Arc;

use super::Updated;
use crate::{clock::Timestamp, id::ConnectionId, scope::Scope};

/// What went wrong in an adapter: any error, so that `?` does. Its text goes into the log, and to nobody else.
pub type AdapterError = Box<dyn std::error::Error + Send + Sync>;

/// What an adapter answers.
pub type AdapterResult<T> = Result<T, AdapterError>;

/// The place of a connection: no two records have the same. It is four values beside each other and never one joined text:
/// kind `user` with identity `a` is nobody that kind `user` with identity `a:b` is, and neither list shows the other's.
/// Compared byte by byte: `é` in one letter or in two, `a` and `A`, and texts that end in spaces are all different.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Key {
    /// For whom: a kind, such as `organization`, and an identity, such as `org_123`, which may be empty.
    pub scope: Scope,
    /// Of which connector.
    pub connector: String,
    /// Its name; `default`, unless the program gives others.
    pub name: String,
}

/// What an adapter keeps of one connection.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// Its place.
    pub key: Key,
    /// Its identifier: `conn_` and 26 letters. Unique, kept for life, and never given again. Its text sorts as it does.
    pub id: ConnectionId,
    /// Everything else, as one JSON text: the public fields, and the secret ones, each sealed and in base64. Keep it byte by
    /// byte (a text column; one that reads and rewrites JSON, such as `jsonb`, may alter it). A hundred kilobytes are much, a
    /// megabyte is the most.
    pub value: String,
    /// Whether calls may use it.
    pub enabled: bool,
    /// 1 at first; another with every change.
    pub version: u64,
    /// When it was made, to the microsecond.
    pub created_at: Timestamp,
    /// When it last changed, to the microsecond.
    pub updated_at: Timestamp,
}

/// What becomes of a record. Key, identifier and time of making stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The new value.
    pub value: String,
    /// Whether calls may use it from now on.
    pub enabled: bool,
    /// The new version.
    pub version: u64,
    /// When.
    pub updated_at: Timestamp,
}

/// Which records to list. All named conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// For whom: kind and identity are both as given. With an empty identity those of the empty one, not of all.
    pub scope: Option<Scope>,
    /// Of which connector.
    pub connector: Option<String>,
    /// With which identifier.
    pub id: Option<ConnectionId>,
    /// Only those whose identifier sorts after this one.
    pub after: Option<ConnectionId>,
    /// At most this many.
    pub limit: usize,
}

impl Filter {
    /// All records, so many at a time.
    pub fn all(limit: usize) -> Self {
        Self {
            scope: None,
            connector: None,
            id: None,
            after: None,
            limit,
        }
    }

    /// Whether a record fits, the limit set aside.
    pub fn fits(&self, record: &Record) -> bool {
        self.scope.as_ref().is_none_or(|scope| record.key.scope == *scope)
            && self
                .connector
                .as_ref()
                .is_none_or(|connector| record.key.connector == *connector)
            && self.id.is_none_or(|id| record.id == id)
            && self.after.is_none_or(|after| record.id > after)
    }
}

/// Keeps connections wherever a program keeps its own data: `Connectors::builder().adapter(MyAdapter)`.
///
/// Write the methods as `async fn`. They decide nothing and understand nothing of the value; secrets arrive sealed.
///
/// **What must be atomic.** Each method by itself, against every other that runs at the same time, in every process that
/// shares the data: of two `upsert`s of one key one record stands, of two `update`s from one version one is `Updated`. In
/// SQL that is one statement each with a unique index over the four values of the key; in memory or a file, one lock.
/// Nothing has to hold over two calls.
///
/// **What must be visible.** A change that was answered is seen by whatever is asked after it, from every process: the
/// library has no other way to hear of it, and asks once for every call it makes. Read from the primary, not from a replica
/// that is behind.
///
/// **When things go wrong.** Answer an error: it becomes `CONNECTOR_DATABASE_FAILED`, with its text in the log only. Whoever
/// takes longer than [`ADAPTER_TIMEOUT`](crate::limits::ADAPTER_TIMEOUT) is not waited for. A future may be dropped at any
/// `await`: what it wrote is then there whole, or not at all.
pub trait Adapter: Send + Sync + 'static {
    /// The record with this key.
    fn get(&self, key: &Key) -> impl Future<Output = AdapterResult<Option<Record>>> + Send;

    /// The records that fit, by rising identifier, the first `limit` of them. Whoever wants more asks again with `after`.
    fn list(&self, filter: &Filter) -> impl Future<Output = AdapterResult<Vec<Record>>> + Send;

    /// Puts the record in if its key is free, and changes nothing if it is not. Answers the record that stands now: the
    /// given one, or the one that was there. `INSERT … ON CONFLICT DO NOTHING`, and then what `get` would answer.
    ///
    /// It never overwrites, because secrets are sealed for the identifier of their record: whoever finds the key taken
    /// seals anew for the identifier that stands, and updates.
    fn upsert(&self, record: &Record) -> impl Future<Output = AdapterResult<Record>> + Send;

    /// Makes the change if the record with this key has this identifier and this version, and otherwise nothing: then the
    /// answer is [`Updated::Conflict`], also where there is no such record. The identifier is asked for because a record may
    /// have been deleted and another made under its key since, whose version may be the same.
    fn update(
        &self,
        key: &Key,
        id: ConnectionId,
        expected_version: u64,
        change: &Change,
    ) -> impl Future<Output = AdapterResult<Updated>> + Send;

    /// Deletes the record with this key, if it has this identifier. `false` when there is none, which is no error.
    fn delete(&self, key: &Key, id: ConnectionId) -> impl Future<Output = AdapterResult<bool>> + Send;
}

impl<A: Adapter> Adapter for Arc<A> {
    async fn get(&self, key: &Key) -> AdapterResult<Option<Record>> {
        (**self).get(key).await
    }

    async fn list(&self, filter: &Filter) -> AdapterResult<Vec<Record>> {
        (**self).list(filter).await
    }

    async fn upsert(&self, record: &Record) -> AdapterResult<Record> {
        (**self).upsert(record).await
    }

    async fn update(&self, key: &Key, id: ConnectionId, version: u64, change: &Change) -> AdapterResult<Updated> {
        (**self).update(key, id, version, change).await
    }

    async fn delete(&self, key: &Key, id: ConnectionId) -> AdapterResult<bool> {
        (**self).delete(key, id).await
    }
}
