//! Webhooks that arrive: the address they arrive at, and the way of one from its door to its handler.

mod address;
mod arrival;
mod receive;
mod signature;
mod told;

pub use self::address::WebhookAddress;
pub(crate) use self::address::WebhookKey;

use crate::{
    audit::Actor,
    connection::Connection,
    connectors::Connectors,
    error::{Code, Error, Result},
    id::ConnectionId,
    limits::MAX_UPDATE_ATTEMPTS,
    store::ConnectionRow,
};

impl Connectors {
    /// The address that webhooks for a connection arrive at. It stays what it is when the connection changes, is connected
    /// anew, or switched off; only [`rotate_webhook`](Self::rotate_webhook) changes it. Whoever knows it gets as far as the
    /// check of the signature, so it is shown to the connection's owner only.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONNECTOR_WEBHOOK_NOT_CONFIGURED`.
    pub async fn webhook(&self, by: &Actor, id: ConnectionId) -> Result<WebhookAddress> {
        let about = self.about(by.tenant, "webhook", |about| about.connection(id));
        self.heed(about, async {
            for _ in 0..MAX_UPDATE_ATTEMPTS {
                let row = self.row_with_webhooks(by, id).await?;
                if row.webhook.is_some() {
                    return self.address(&row).await;
                }
                // One from before its connector took webhooks.
                if let Some(row) = self.rotated(by, row).await? {
                    return self.address(&row).await;
                }
            }
            Err(crate::connection::conflict())
        })
        .await
    }

    /// Gives a connection's webhooks a new address; nothing arrives at the one before from now on.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONNECTOR_WEBHOOK_NOT_CONFIGURED`; `CONNECTION_CONFLICT`.
    pub async fn rotate_webhook(&self, by: &Actor, id: ConnectionId) -> Result<WebhookAddress> {
        let about = self.about(by.tenant, "rotate_webhook", |about| about.connection(id));
        self.heed(about, async {
            for _ in 0..MAX_UPDATE_ATTEMPTS {
                let row = self.row_with_webhooks(by, id).await?;
                if let Some(row) = self.rotated(by, row).await? {
                    return self.address(&row).await;
                }
            }
            Err(crate::connection::conflict())
        })
        .await
    }

    /// Adds the address to what its maker is told of a connection.
    pub(crate) async fn with_address(&self, by: &Actor, mut connection: Connection) -> Connection {
        if let Some(view) = &mut connection.webhook {
            match self.webhook(by, connection.id).await {
                Ok(address) => view.address = Some(address),
                // It is connected all the same, and can be asked for its address later.
                Err(error) => tracing::warn!(?error, "the address of a connection's webhooks cannot be told"),
            }
        }
        connection
    }

    async fn row_with_webhooks(&self, by: &Actor, id: ConnectionId) -> Result<ConnectionRow> {
        let row = self.own_connection_row(by, id).await?;
        match self.registry().get(&row.connector)?.takes_webhooks() {
            true => Ok(row),
            false => Err(not_configured(&row.connector)),
        }
    }
}

pub(crate) fn not_configured(connector: &str) -> Error {
    let detail = format!("`{connector}` declares no webhook.");
    Error::new(Code::ConnectorWebhookNotConfigured, detail)
}
