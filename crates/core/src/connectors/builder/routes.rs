//! What the builder is told of the routes, and of webhooks that arrive there.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use super::ConnectorsBuilder;
use crate::{
    action::{ActionContext, HandlerFault},
    connector::{Delivered, Webhook},
    error::Result,
};

impl ConnectorsBuilder {
    /// Under what name the world reaches the program, such as `https://app.example`: the addresses of webhooks begin with it.
    /// Without it they are told as paths.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Below which path the routes of [`Connectors::handle_path`](crate::Connectors::handle_path) are mounted; `/api/v1/connectors`, unless given.
    #[must_use]
    pub fn base_path(mut self, path: impl Into<String>) -> Self {
        self.base_path = Some(path.into());
        self
    }

    /// Sets who takes the webhooks of a connector whose manifest declares them (`webhookConfig`). The manifest says how a
    /// delivery proves where it comes from; the handler is handed what did. A connector in Rust has a handler of its own.
    ///
    /// ```
    /// # use tieline::{Connectors, Error, Json, action::ActionContext, connector::Delivered};
    /// # use schemars::JsonSchema;
    /// # use serde::Deserialize;
    /// #[derive(Deserialize, JsonSchema)]
    /// struct Event {
    ///     r#type: String,
    /// }
    ///
    /// let builder = Connectors::builder().on_webhook("stripe", |call: ActionContext, delivered: Delivered<Event>| async move {
    ///     println!("{} happened to {}", delivered.payload.r#type, call.scope().identity);
    ///     Ok::<_, Error>(())
    /// });
    /// ```
    #[must_use]
    pub fn on_webhook<C, P, F, Fut, O, E>(mut self, connector: impl Into<String>, handler: F) -> Self
    where
        C: DeserializeOwned + Send + Sync + 'static,
        P: DeserializeOwned + JsonSchema + Send + 'static,
        F: Fn(ActionContext<C>, Delivered<P>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        O: Serialize + Send,
        E: Into<HandlerFault>,
    {
        let connector = connector.into();
        let webhook = Webhook::new(format!("Takes the webhooks of `{connector}`.")).handler(handler);
        self.webhooks.push((connector, webhook));
        self
    }

    /// Takes webhooks that nothing proves: of connectors in Rust without `verify`, and of manifests with `algorithm: none`.
    /// Whoever learns such an address can send anything; without this word they are refused.
    #[must_use]
    pub fn accept_unsigned_webhooks(mut self) -> Self {
        self.accepts_unsigned = true;
        self
    }
}
