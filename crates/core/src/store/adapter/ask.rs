//! The one place where an adapter is asked: in time, its trouble kept for the log, its answer held against the question.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::{Adapter, AdapterError, AdapterResult, Change, Filter, Key, Record};
use crate::{
    error::{Code, Error, Result, Retry},
    id::ConnectionId,
    limits::ADAPTER_TIMEOUT,
    store::Updated,
};

/// One of the five methods.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    Get,
    List,
    Upsert,
    Update,
    Delete,
}

impl Verb {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Upsert => "upsert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// An adapter of whatever type, asked through here only.
pub(super) struct Asked {
    adapter: Box<dyn Erased>,
    count: AtomicU64,
}

impl Asked {
    pub(super) fn new(adapter: impl Adapter) -> Self {
        Self {
            adapter: Box::new(adapter),
            count: AtomicU64::new(0),
        }
    }

    /// How often it was asked.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) async fn get(&self, key: &Key) -> Result<Option<Record>> {
        let found = self.ask(Verb::Get, self.adapter.get(key)).await?;
        match &found {
            Some(record) if record.key != *key => Err(wrong(Verb::Get, "another record than the one with this key")),
            _ => Ok(found),
        }
    }

    pub(super) async fn list(&self, filter: &Filter) -> Result<Vec<Record>> {
        let found = self.ask(Verb::List, self.adapter.list(filter)).await?;
        // One that did not rise would be asked for ever.
        let rises = found.is_sorted_by(|one, next| one.id < next.id);
        if !rises || found.len() > filter.limit || !found.iter().all(|record| filter.fits(record)) {
            return Err(wrong(
                Verb::List,
                "records that were not asked for, or not in their order",
            ));
        }
        Ok(found)
    }

    pub(super) async fn upsert(&self, record: &Record) -> Result<Record> {
        let standing = self.ask(Verb::Upsert, self.adapter.upsert(record)).await?;
        match standing.key == record.key {
            true => Ok(standing),
            false => Err(wrong(Verb::Upsert, "a record with another key")),
        }
    }

    pub(super) async fn update(
        &self,
        key: &Key,
        id: ConnectionId,
        expected_version: u64,
        change: &Change,
    ) -> Result<Updated> {
        self.ask(Verb::Update, self.adapter.update(key, id, expected_version, change))
            .await
    }

    pub(super) async fn delete(&self, key: &Key, id: ConnectionId) -> Result<bool> {
        self.ask(Verb::Delete, self.adapter.delete(key, id)).await
    }

    /// Every question goes through here.
    async fn ask<T>(&self, verb: Verb, answer: impl Future<Output = AdapterResult<T>>) -> Result<T> {
        self.count.fetch_add(1, Ordering::Relaxed);
        match timeout(ADAPTER_TIMEOUT, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failed(verb, error)),
            Err(_) => Err(trouble(verb)
                .retry(Retry::Backoff)
                .caused_by(format!("the adapter did not answer within {ADAPTER_TIMEOUT:?}"))),
        }
    }
}

fn trouble(verb: Verb) -> Error {
    Error::new(
        Code::ConnectorDatabaseFailed,
        "The connections could not be read or written. The log says why.",
    )
    .context("adapter", verb.as_str())
}

fn wrong(verb: Verb, what: &str) -> Error {
    trouble(verb).caused_by(format!(
        "the adapter answered {what}; `tieline::testing::adapter` shows what it does otherwise than it should"
    ))
}

/// Our own stores say more than an adapter can: whether a repeat helps, and what the log should know.
fn failed(verb: Verb, error: AdapterError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) if matches!(error.code(), Code::ConnectorDatabaseFailed | Code::Overloaded) => {
            error.context("adapter", verb.as_str())
        }
        Ok(error) => trouble(verb).retry(error.retry_hint()).caused_by(error),
        Err(error) => trouble(verb).caused_by(error),
    }
}

/// The five methods, boxed.
trait Erased: Send + Sync {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, AdapterResult<Option<Record>>>;
    fn list<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, AdapterResult<Vec<Record>>>;
    fn upsert<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, AdapterResult<Record>>;
    fn update<'a>(
        &'a self,
        key: &'a Key,
        id: ConnectionId,
        expected_version: u64,
        change: &'a Change,
    ) -> BoxFuture<'a, AdapterResult<Updated>>;
    fn delete<'a>(&'a self, key: &'a Key, id: ConnectionId) -> BoxFuture<'a, AdapterResult<bool>>;
}

impl<A: Adapter> Erased for A {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, AdapterResult<Option<Record>>> {
        Box::pin(Adapter::get(self, key))
    }

    fn list<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, AdapterResult<Vec<Record>>> {
        Box::pin(Adapter::list(self, filter))
    }

    fn upsert<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, AdapterResult<Record>> {
        Box::pin(Adapter::upsert(self, record))
    }

    fn update<'a>(
        &'a self,
        key: &'a Key,
        id: ConnectionId,
        expected_version: u64,
        change: &'a Change,
    ) -> BoxFuture<'a, AdapterResult<Updated>> {
        Box::pin(Adapter::update(self, key, id, expected_version, change))
    }

    fn delete<'a>(&'a self, key: &'a Key, id: ConnectionId) -> BoxFuture<'a, AdapterResult<bool>> {
        Box::pin(Adapter::delete(self, key, id))
    }
}
