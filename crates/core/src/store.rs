//! What a store can do: one trait per noun, every method a domain verb that is atomic by contract.
//!
//! A store decides nothing and holds no key: it keeps sealed bytes, and a verb that changes something writes the
//! change, its [`Trail`](crate::audit::Trail) and the feed in one transaction, or nothing of it. What came out is an
//! answer (`Taken`, `Conflict`), never an error; errors are trouble with the storage itself.
//!
//! Times keep at least their microseconds. A verb that began is finished even when its future is dropped.

mod api_key;
mod audit;
pub mod conformance;
mod connection;
mod data_key;
mod feed;
mod memory;
mod tenant;

pub use self::{
    api_key::{ApiKeyRow, ApiKeyStore, Door},
    audit::{AuditRow, AuditStore},
    connection::{
        ConnectionFilter, ConnectionRow, ConnectionStore, Health, HealthState, Inserted, SealedField, Updated,
    },
    data_key::{DataKeyRow, DataKeyStore},
    feed::{FeedRow, FeedStore},
    memory::MemoryStore,
    tenant::{TenantRow, TenantStore},
};

/// The answer of a store, boxed at the border.
pub type StoreFuture<'a, T> = futures_util::future::BoxFuture<'a, crate::Result<T>>;

/// Everything the server keeps. An embedder's own store needs only [`ConnectionStore`].
pub trait Store: TenantStore + ApiKeyStore + ConnectionStore + AuditStore + DataKeyStore + FeedStore {
    /// How many statements (or, for memory, verbs) ran so far: the hot path's tests count them.
    fn statements(&self) -> u64;
}
