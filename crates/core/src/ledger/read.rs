//! Reading the ledger.

use crate::{
    audit::Actor,
    clock::{SignedDuration, Timestamp},
    connectors::Connectors,
    error::{Error, Result},
    id::{CallId, ConnectionId},
    limits::MAX_ROWS_SCANNED,
    page::{self, Page},
    store::{CallEntry, CallFilter},
};

/// Which calls to list. All that are given must hold.
#[derive(Debug, Clone, Default)]
pub struct CallQuery {
    /// With this connection's keys.
    pub connection: Option<ConnectionId>,
    /// Of this connector.
    pub connector: Option<String>,
    /// By this actor.
    pub actor: Option<String>,
    /// That ended so: `ok`, `cancelled`, or the code of an error.
    pub outcome: Option<String>,
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Older than this call.
    pub before: Option<CallId>,
    /// How many at most; a page's default if zero.
    pub limit: usize,
}

impl Connectors {
    /// The tenant's calls, newest first. A call is listed once it is written down, within a second or so. A page of a
    /// search that finds little may be short, or empty, and still have a next one.
    ///
    /// # Errors
    /// `NOT_FOUND` for a connection that is none of the tenant's and never was called with.
    pub async fn calls(&self, by: &Actor, query: CallQuery) -> Result<Page<CallEntry, CallId>> {
        let limit = page::bounded(query.limit);
        // An identifier holds its time's millisecond: what begins after `to` need not be looked at.
        let after = |to: Timestamp| match to.as_nanosecond() % 1_000_000 {
            0 => Some(to),
            _ => to.checked_add(SignedDuration::from_millis(1)).ok(),
        };
        // At the end of time there is nothing behind it.
        let end = query.to.and_then(after).map(CallId::first_at);
        let is_first = query.before.is_none();
        let filter = CallFilter {
            tenant: by.tenant,
            connection: query.connection,
            connector: query.connector,
            actor: query.actor,
            outcome: query.outcome,
            from: query.from,
            to: query.to,
            before: query.before.into_iter().chain(end).min(),
            limit: limit + 1,
            scan: MAX_ROWS_SCANNED,
        };
        let found = self.inner.store.calls(filter).await?;
        if let (Some(connection), true, true) = (query.connection, is_first, found.rows.is_empty()) {
            self.connection_row(by, connection).await?;
        }
        let calls: Vec<CallEntry> = found.rows.into_iter().map(|row| row.entry).collect();
        let page = Page::cut(calls, limit, |call| call.id);
        Ok(Page {
            next: page.next.or(found.stopped),
            ..page
        })
    }

    /// A call of the tenant's, from the moment it ended.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn call_entry(&self, by: &Actor, id: CallId) -> Result<CallEntry> {
        if let Some(call) = self.inner.ledger.find(by.tenant, id) {
            return Ok(call);
        }
        let row = self.inner.store.call(by.tenant, id).await?;
        row.map(|row| row.entry).ok_or_else(Error::not_found)
    }
}
