//! Usage: the calls of a day, summed up.

use super::StoreFuture;
use crate::{
    clock::Date,
    id::{ConnectionId, TenantId},
};

/// What calls cost together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many calls.
    pub calls: u64,
    /// How many of them ended in an error, or were cancelled.
    pub errors: u64,
    /// How long they took together, in microseconds.
    pub micros: u64,
    /// Bytes of bodies sent, as far as known.
    pub sent: u64,
    /// Bytes of bodies received, as far as known.
    pub received: u64,
}

impl Sums {
    /// Adds other calls.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.micros += other.micros;
        self.sent += other.sent;
        self.received += other.received;
    }
}

/// What one actor used of one connection on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// The day the calls were admitted on, in UTC.
    pub day: Date,
    /// The connector.
    pub connector: String,
    /// The connection, where there was one.
    pub connection: Option<ConnectionId>,
    /// Who called.
    pub actor: String,
    /// How much.
    pub sums: Sums,
}

/// What usage is summed up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageBy {
    /// Each day.
    Day,
    /// Each connector.
    Connector,
    /// Each connection.
    Connection,
    /// Each actor.
    Actor,
}

/// Which usage. All that are given must hold.
#[derive(Debug, Clone)]
pub struct UsageFilter {
    /// Whose.
    pub tenant: TenantId,
    /// From this day on.
    pub from: Date,
    /// Up to and with this day.
    pub to: Date,
    /// Of this connector.
    pub connector: Option<String>,
    /// Of this connection.
    pub connection: Option<ConnectionId>,
    /// Of this actor.
    pub actor: Option<String>,
    /// What it is summed up by.
    pub by: UsageBy,
    /// Groups after this one.
    pub after: Option<String>,
    /// How many groups at most.
    pub limit: usize,
}

/// Reads what [`CallStore::append_calls`](super::CallStore::append_calls) sums up.
pub trait UsageStore: Send + Sync + 'static {
    /// Usage by group: the day, the connector, the connection's identifier (empty for none) or the actor, as text and in
    /// its order.
    fn usage(&self, filter: UsageFilter) -> StoreFuture<'_, Vec<(String, Sums)>>;
}
