//! What a store can do: one trait per noun, every method a domain verb that is atomic by contract.
//!
//! A store decides nothing and holds no key: it keeps sealed bytes, and a verb that changes something writes the
//! change, its [`Trail`](crate::audit::Trail) and the feed in one transaction, or nothing of it. What came out is an
//! answer (`Taken`, `Conflict`), never an error; errors are trouble with the storage itself.
//!
//! Times keep at least their microseconds. A verb that began is finished even when its future is dropped.

pub mod adapter;
mod api_key;
mod audit;
mod call;
pub mod conformance;
mod connection;
mod credential;
mod data_key;
mod feed;
mod health;
mod idempotency;
mod link;
mod membership;
mod memory;
mod oauth;
mod process;
mod session;
mod setting;
mod tenant;
mod usage;
mod user;
mod work;

pub use self::{
    adapter::{Adapter, MemoryAdapter},
    api_key::{ApiKeyRow, ApiKeyStore, ApiKeyUse, Door},
    audit::{AuditFilter, AuditRow, AuditStore, entity},
    call::{CallBatch, CallEntry, CallFilter, CallKind, CallRow, CallStore, Mark, Scanned, Seal},
    connection::{
        ConnectionFilter, ConnectionRow, ConnectionStore, Health, HealthState, Inserted, LastDelivery, SealedField,
        Updated, WebhookRow,
    },
    credential::{CredentialFilter, CredentialRow, CredentialStore, Deleted, DueCredential, Tell, Users},
    data_key::{DataKeyRow, DataKeyStore},
    feed::{FeedRow, FeedStore},
    health::{HealthStore, TestCause, TestFilter, TestRow},
    idempotency::{Begun, IdempotencyRow, IdempotencyStore},
    link::{Acceptance, Accepted, Ground, KnownAs, LinkDoor, LinkPurpose, LinkRow, LinkStore},
    membership::{MemberChange, MemberRow, MembershipRow, MembershipStore},
    memory::MemoryStore,
    oauth::{OAuthStateDoor, OAuthStateRow, OAuthStateStore},
    process::ProcessStore,
    session::{SessionDoor, SessionRow, SessionStore},
    setting::SettingStore,
    tenant::{Countable, Renamed, TenantRow, TenantStore, tenant_is_deleted},
    usage::{Sums, UsageBy, UsageFilter, UsageRow, UsageStore},
    user::{UserRow, UserStore},
    work::{Claim, WorkKind, WorkStore},
};

/// The answer of a store, boxed at the border.
pub type StoreFuture<'a, T> = futures_util::future::BoxFuture<'a, crate::Result<T>>;

/// What a store did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Statements that ran.
    pub statements: u64,
    /// Commits that were made.
    pub commits: u64,
    /// Changes that wait.
    pub waiting: u64,
}

/// Everything the server keeps. What an embedding program writes itself is an [`Adapter`], which has five methods.
pub trait Store:
    TenantStore
    + UserStore
    + MembershipStore
    + LinkStore
    + SessionStore
    + ApiKeyStore
    + OAuthStateStore
    + ConnectionStore
    + CredentialStore
    + AuditStore
    + DataKeyStore
    + FeedStore
    + IdempotencyStore
    + CallStore
    + UsageStore
    + SettingStore
    + ProcessStore
    + WorkStore
    + HealthStore
{
    /// How many statements (or, for memory, verbs) ran so far: the hot path's tests count them.
    fn statements(&self) -> u64;

    /// Whether it keeps connections, for one tenant, and nothing else: then there is no feed that tells what others changed,
    /// and every call looks at its connection anew.
    fn keeps_connections_only(&self) -> bool {
        false
    }

    /// What it did, and what waits for it.
    fn counts(&self) -> StoreCounts {
        StoreCounts {
            statements: self.statements(),
            ..StoreCounts::default()
        }
    }
}
