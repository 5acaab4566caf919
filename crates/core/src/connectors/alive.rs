//! Being counted among the processes that share a store, so that limits hold for all of them together.

use super::Connectors;
use crate::{
    error::Result,
    limits::{HEARTBEAT, PROCESS_SILENCE},
};

impl Connectors {
    /// Shows for ever that this process lives, every [`HEARTBEAT`]: a program that shares its store spawns it, after it has
    /// done so [once](Self::show_life).
    pub async fn keep_alive(&self) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            if let Err(error) = self.show_life().await {
                tracing::warn!(code = %error.code(), "the processes of this database cannot be counted");
            }
        }
    }

    /// The same, once, and takes the share of all limits that falls to one of those who live now. A program that shares its
    /// store does this before it lets anybody in; the others take their smaller share within a [`HEARTBEAT`].
    ///
    /// # Errors
    /// Trouble with the store. The share stays as it was.
    pub async fn show_life(&self) -> Result<()> {
        let living = self.inner.store.keep_alive(self.inner.process, PROCESS_SILENCE).await?;
        let before = self.inner.rates.share_among(living);
        if before != living {
            tracing::info!(
                before,
                now = living,
                "limits are shared among the processes of this database"
            );
        }
        Ok(())
    }
}
