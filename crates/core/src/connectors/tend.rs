//! What has to be done now and then, whether anybody asks or not.

use super::Connectors;
use crate::limits::TENDING_INTERVAL;

impl Connectors {
    /// Tends to what is due, for ever: a program that runs for long spawns it. Trouble is told to the log, and what could
    /// not be done is tried again the next time.
    pub async fn tend(&self) {
        loop {
            tokio::time::sleep(TENDING_INTERVAL).await;
            self.tend_once().await;
        }
    }

    /// The same, once.
    pub async fn tend_once(&self) {
        if let Err(error) = self.save_api_key_uses().await {
            tracing::warn!(code = %error.code(), "the last uses of API keys cannot be written down");
        }
        if let Err(error) = self.sweep_deleted_tenants().await {
            tracing::warn!(code = %error.code(), "what deleted tenants left cannot be taken out");
        }
        if let Err(error) = self.announce_expiries().await {
            tracing::warn!(code = %error.code(), "the expiry of credentials cannot be announced");
        }
    }
}
