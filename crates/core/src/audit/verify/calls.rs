//! The ledger of calls beside the chain: each entry that tells of calls is held against their rows.

use std::collections::VecDeque;

use serde::Deserialize;

use super::{Tampered, newest};
use crate::{
    connectors::Connectors,
    error::Result,
    id::TenantId,
    ledger::{Marker, PRUNED, RECORDED, digest},
    limits::VERIFY_STEP,
    store::{AuditRow, CallRow, Mark},
    tenant::DELETED,
};

/// How far the ledger was followed.
pub(super) struct Calls<'a> {
    connectors: &'a Connectors,
    tenant: TenantId,
    marker: Marker,
    /// The last place that an entry told of.
    place: u64,
    /// Up to here the chain says that rows were pruned.
    gone: u64,
    /// Rows that were read and not looked at yet.
    rows: VecDeque<CallRow>,
    /// The place of the last row that was read.
    read: u64,
    pub(super) verified: u64,
    pub(super) pruned: u64,
}

/// What an entry tells of a batch.
#[derive(Deserialize)]
struct Batch {
    first: u64,
    last: u64,
    count: u64,
    digest: String,
}

/// What an entry tells of a pruning.
#[derive(Deserialize)]
struct Pruning {
    through: u64,
}

impl<'a> Calls<'a> {
    pub(super) async fn new(connectors: &'a Connectors, tenant: TenantId) -> Result<Self> {
        let mut calls = Self {
            connectors,
            tenant,
            marker: connectors.inner.vault.marker(tenant),
            place: 0,
            gone: 0,
            rows: VecDeque::new(),
            read: 0,
            verified: 0,
            pruned: 0,
        };
        calls.look_for_prunings().await?;
        Ok(calls)
    }

    /// Whether the entry that tells of it is genuine is seen when the chain comes to it.
    async fn look_for_prunings(&mut self) -> Result<()> {
        let entry = newest(self.connectors, self.tenant, PRUNED).await?;
        let pruning = entry.and_then(|row| serde_json::from_str::<Pruning>(&row.entry.detail).ok());
        self.gone = self.gone.max(pruning.map_or(0, |pruning| pruning.through));
        if newest(self.connectors, self.tenant, DELETED).await?.is_some() {
            // Everything goes with its tenant.
            self.gone = u64::MAX;
        }
        Ok(())
    }

    /// The place of the first row that no entry told of so far.
    pub(super) async fn untold(&mut self) -> Result<Option<u64>> {
        Ok(self.peek().await?.map(|row| row.seq))
    }

    async fn peek(&mut self) -> Result<Option<&CallRow>> {
        if self.rows.is_empty() {
            let store = &self.connectors.inner.store;
            let rows = store.calls_in_order(self.tenant, self.read, VERIFY_STEP).await?;
            self.read = rows.last().map_or(self.read, |row| row.seq);
            self.rows.extend(rows);
        }
        Ok(self.rows.front())
    }

    /// Holds an entry of the chain against the rows it tells of.
    pub(super) async fn follow(&mut self, row: &AuditRow) -> Result<Option<Tampered>> {
        if row.entry.action != RECORDED {
            return Ok(None);
        }
        let Ok(batch) = serde_json::from_str::<Batch>(&row.entry.detail) else {
            return Ok(Some(Tampered::call(
                self.place + 1,
                "has an audit entry that tells nothing",
            )));
        };
        if batch.first != self.place + 1 || batch.first + batch.count != batch.last + 1 {
            return Ok(Some(Tampered::call(self.place + 1, "is told of by no audit entry")));
        }
        self.check(&batch).await
    }

    async fn check(&mut self, batch: &Batch) -> Result<Option<Tampered>> {
        let mut marks = Vec::new();
        while self.place < batch.last {
            let seq = self.place + 1;
            let found = self.peek().await?.map(|row| row.seq);
            match found {
                Some(found) if found <= self.place => {
                    return Ok(Some(Tampered::call(found, "stands in the ledger twice")));
                }
                Some(found) if found == seq => {
                    let row = self.rows.pop_front();
                    let mark = row.as_ref().map(|row| self.marker.mark(seq, &row.entry));
                    let Some(row) = row.filter(|row| mark == Some(row.mark)) else {
                        return Ok(Some(Tampered::call(
                            seq,
                            "was altered, or another one stands in its place",
                        )));
                    };
                    marks.push(row.mark);
                    self.verified += 1;
                    self.place = seq;
                }
                _ if self.is_gone(seq).await? => self.skip(batch.last.min(self.gone)),
                _ => return Ok(Some(Tampered::call(seq, "is missing"))),
            }
        }
        Ok(self.differs(batch, &marks))
    }

    async fn is_gone(&mut self, seq: u64) -> Result<bool> {
        if seq > self.gone {
            // It may have been pruned since.
            self.look_for_prunings().await?;
        }
        Ok(seq <= self.gone)
    }

    /// Goes on behind rows that were pruned, up to the next that is there.
    fn skip(&mut self, through: u64) {
        let through = self.rows.front().map_or(through, |row| through.min(row.seq - 1));
        self.pruned += through - self.place;
        self.place = through;
    }

    /// The digest says nothing of a batch that was pruned in part.
    fn differs(&self, batch: &Batch, marks: &[Mark]) -> Option<Tampered> {
        let is_whole = marks.len() as u64 == batch.count;
        let differs = is_whole && digest(marks) != batch.digest;
        differs.then(|| {
            Tampered::call(
                batch.first,
                "begins a batch that is not the one its audit entry tells of",
            )
        })
    }
}
