//! Writing the rows into the store.

use std::collections::BTreeMap;

use super::{RECORDED, queue::Out};
use crate::{
    audit::Actor,
    clock::Timestamp,
    connectors::Connectors,
    error::Result,
    limits::{FLUSH_INTERVAL, FLUSH_PAUSE, REFUSALS_IN_A_ROW},
    store::{CallBatch, CallEntry, Sums, UsageRow},
};

/// What the ledger's entries in the audit chain are about.
pub(super) const SUBJECT: &str = "calls";

impl Connectors {
    /// Keeps the ledger for ever: writes down what waits, at once when it makes a batch and within [`FLUSH_INTERVAL`]
    /// otherwise. A program that runs for long spawns it. Sleeps while nobody calls.
    pub async fn keep_ledger(&self) {
        let ledger = &self.inner.ledger;
        let _keeper = ledger.keeper();
        loop {
            ledger.something().await;
            // Over on purpose when nothing more comes.
            let _ = tokio::time::timeout(FLUSH_INTERVAL, ledger.crowd()).await;
            if let Err(error) = self.flush_calls().await {
                tracing::warn!(
                    ?error,
                    "not all calls can be written down; they are kept and tried again"
                );
                tokio::time::sleep(FLUSH_PAUSE).await;
                ledger.waits.notify_one();
            }
        }
    }

    /// Writes down every call that ended before, and the keys that were used. A tenant whose ledgers the store refuses is
    /// set aside, and tried again after a while; the others' are written.
    ///
    /// # Errors
    /// Trouble with the store. What was not written is kept.
    pub async fn flush_calls(&self) -> Result<()> {
        self.flush(false).await
    }

    /// Ends what this program began: changes go to their end, calls that ended are written down, and the heads of audit
    /// chains are published. Call it when no call is under way any more.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn close(&self) -> Result<()> {
        self.inner.begun.ended().await;
        let flushed = self.flush(true).await;
        let published = self.publish_heads().await;
        self.inner.events.close().await;
        // Others would find out by themselves, later.
        let _ = self.inner.store.end_process(self.inner.process).await;
        flushed.and(published)
    }

    /// How many calls are set aside because the store refuses them, and of how many tenants.
    pub fn calls_set_aside(&self) -> (usize, usize) {
        self.inner.ledger.set_aside()
    }

    async fn flush(&self, to_the_last: bool) -> Result<()> {
        // To the end, because a batch that was handed over and not heard of would be written twice.
        self.to_the_end(async move |connectors| {
            let ledger = &connectors.inner.ledger;
            let _one_at_a_time = ledger.flushing.lock().await;
            if to_the_last {
                ledger.hasten();
            }
            let calls = connectors.write_waiting(to_the_last).await;
            let uses = connectors.record_key_uses().await;
            calls.and(uses)
        })
        .await
    }

    /// Writes what waits now, a batch at a time; what comes meanwhile waits until it makes a batch, unless it is to the
    /// last.
    async fn write_waiting(&self, to_the_last: bool) -> Result<()> {
        let ledger = &self.inner.ledger;
        let mut left = ledger.waiting();
        let mut ended = Ok(());
        loop {
            left -= ledger.send(left);
            let (refused, is_over) = self.write_out().await;
            ended = ended.and(refused);
            if is_over {
                return ended;
            }
            if left == 0 && to_the_last {
                left = ledger.waiting();
            }
            if left == 0 {
                return ended;
            }
        }
    }

    /// Writes what is on its way: all in one, or where that fails tenant by tenant. Answers the first trouble, and whether
    /// it is the store's and not some tenant's.
    async fn write_out(&self) -> (Result<()>, bool) {
        let ledger = &self.inner.ledger;
        let out = ledger.out();
        if out.is_empty() {
            return (Ok(()), false);
        }
        if out.len() > 1 && self.append(&out).await.is_ok() {
            return (Ok(()), false);
        }
        let (mut ended, mut in_a_row) = (Ok(()), 0);
        for one in out {
            let tenant = one.0;
            let Err(error) = self.append(std::slice::from_ref(&one)).await else {
                in_a_row = 0;
                continue;
            };
            if self.was_written(&one).await {
                in_a_row = 0;
                continue;
            }
            ledger.refused(tenant);
            tracing::error!(
                %tenant, ?error,
                "a tenant's calls cannot be written down; they are kept, and tried again within a minute"
            );
            ended = ended.and(Err(error));
            in_a_row += 1;
            if in_a_row == REFUSALS_IN_A_ROW {
                return (ended, true);
            }
        }
        (ended, false)
    }

    /// Hands rows to the store, all of them or none, and lets go of them.
    async fn append(&self, out: &[Out]) -> Result<()> {
        let batches = out.iter().cloned().map(|out| self.batch(out));
        let batches = batches.collect::<Result<_>>()?;
        self.inner.store.append_calls(batches).await?;
        for (tenant, calls) in out {
            self.inner.ledger.written(*tenant, calls.len());
        }
        Ok(())
    }

    /// Lets go of rows that an earlier try wrote although nobody heard so: a commit whose answer was lost. They are the
    /// first of those that wait; says whether there are no others.
    async fn was_written(&self, (tenant, calls): &Out) -> bool {
        let mut written = 0;
        for call in calls.iter() {
            match self.inner.store.call(*tenant, call.id).await {
                Ok(Some(_)) => written += 1,
                Ok(None) | Err(_) => break,
            }
        }
        self.inner.ledger.written(*tenant, written);
        written == calls.len()
    }

    fn batch(&self, (tenant, calls): Out) -> Result<CallBatch> {
        let by = Actor::server(tenant);
        let trail = self.inner.trails.by(&by).did(RECORDED, SUBJECT).finish()?;
        Ok(CallBatch {
            tenant,
            usage: usage(&calls),
            calls,
            seal: self.inner.vault.marker(tenant).seal(trail),
        })
    }
}

/// What calls add to the usage.
fn usage(calls: &[CallEntry]) -> Vec<UsageRow> {
    let mut sums = BTreeMap::<_, Sums>::new();
    for call in calls {
        let key = (day_of(call.at), &call.connector, call.connection, &call.actor);
        sums.entry(key).or_default().add(&Sums {
            calls: 1,
            errors: u64::from(call.outcome != crate::admit::OK),
            micros: call.micros,
            sent: call.sent.unwrap_or(0),
            received: call.received.unwrap_or(0),
        });
    }
    let rows = sums
        .into_iter()
        .map(|((day, connector, connection, actor), sums)| UsageRow {
            day,
            connector: connector.clone(),
            connection,
            actor: actor.clone(),
            sums,
        });
    rows.collect()
}

fn day_of(at: Timestamp) -> crate::clock::Date {
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}
