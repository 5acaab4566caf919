//! Writing the rows into the store.

use std::collections::BTreeMap;

use super::{RECORDED, queue::Out};
use crate::{
    audit::Actor,
    clock::Timestamp,
    connectors::Connectors,
    error::Result,
    limits::{FLUSH_INTERVAL, FLUSH_PAUSE},
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
            ledger.waits.notified().await;
            // Over on purpose when nothing more comes.
            let _ = tokio::time::timeout(FLUSH_INTERVAL, ledger.is_crowded.notified()).await;
            if let Err(error) = self.flush_calls().await {
                tracing::warn!(?error, "calls cannot be written down; they are kept and tried again");
                tokio::time::sleep(FLUSH_PAUSE).await;
                ledger.waits.notify_one();
            }
        }
    }

    /// Writes down every call that ended, and the keys that were used.
    ///
    /// # Errors
    /// Trouble with the store. What was not written is kept.
    pub async fn flush_calls(&self) -> Result<()> {
        // To the end, because a batch that was handed over and not heard of would be written twice.
        self.to_the_end(async move |connectors| {
            let ledger = &connectors.inner.ledger;
            let _one_at_a_time = ledger.flushing.lock().await;
            connectors.record_key_uses().await?;
            loop {
                let out = ledger.next();
                if out.is_empty() {
                    return Ok(());
                }
                let batches = out
                    .into_iter()
                    .map(|out| connectors.batch(out))
                    .collect::<Result<_>>()?;
                connectors.inner.store.append_calls(batches).await?;
                ledger.written();
            }
        })
        .await
    }

    /// Ends what this program began: changes go to their end, calls that ended are written down, and the heads of audit
    /// chains are published. Call it when no call is under way any more.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn close(&self) -> Result<()> {
        self.inner.begun.ended().await;
        self.flush_calls().await?;
        self.publish_heads().await
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
