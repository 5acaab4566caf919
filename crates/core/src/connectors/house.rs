//! What is done now and then: the heads of the audit chains are published, and what is old is taken out.

use std::time::Duration;

use super::Connectors;
use crate::{
    clock::SignedDuration,
    error::Result,
    limits::{HEADS_AT_ONCE, HOUSE_INTERVAL, TENANTS_AT_ONCE},
};

impl Connectors {
    /// Keeps the house for ever: at once, and then every [`HOUSE_INTERVAL`]. A program that runs for long spawns it. Calls
    /// are kept for `calls_kept`, or for good.
    pub async fn keep_house(&self, calls_kept: Option<Duration>) {
        loop {
            if let Err(error) = self.tidy(calls_kept).await {
                tracing::warn!(
                    ?error,
                    "old calls and changes cannot be taken out; they are kept and tried again"
                );
            }
            tokio::time::sleep(HOUSE_INTERVAL).await;
        }
    }

    async fn tidy(&self, calls_kept: Option<Duration>) -> Result<()> {
        self.publish_heads().await?;
        self.prune_feed().await?;
        self.prune_tests().await?;
        let Some(kept) = calls_kept else { return Ok(()) };
        let kept = SignedDuration::try_from(kept).unwrap_or(SignedDuration::MAX);
        // A time before all times is one before which nothing was called.
        let Ok(before) = self.inner.clock.now().checked_sub(kept) else {
            return Ok(());
        };
        let pruned = self.prune_calls(before).await?;
        if pruned > 0 {
            tracing::info!(pruned, %before, "old calls were taken out of the ledger");
        }
        Ok(())
    }

    /// Writes the heads of audit chains into the log, some of them at a time, each round from where the last one ended. A
    /// head is a keyed hash, and so its own signature: `audit verify --head` holds the stored chain against it, and sees a
    /// tail that was cut off (A2).
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn publish_heads(&self) -> Result<()> {
        let mut place = self.inner.heads_published.lock().await;
        let mut published = 0;
        while published < HEADS_AT_ONCE {
            let heads = self.inner.store.audit_heads(*place, TENANTS_AT_ONCE).await?;
            for (tenant, head) in &heads {
                tracing::info!(target: "tieline::audit", %tenant, %head, "the head of an audit log");
            }
            published += heads.len();
            *place = heads.last().map(|(tenant, _)| *tenant);
            if heads.len() < TENANTS_AT_ONCE {
                *place = None;
                break;
            }
        }
        Ok(())
    }
}
