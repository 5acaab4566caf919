//! What a connector that is code does with webhooks, as it is declared.

use std::{any::TypeId, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tieline_manifest::{Algorithm, Json, JsonLimits, Manifest};

use super::Connector;
use crate::{
    action::{ActionContext, HandlerFault, Handling, caught, coded, handling},
    admit::Admitted,
    error::{Code, Error, Result},
    schema::Check,
};

/// A delivery as it arrived: what a signature is made over.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The method.
    pub method: String,
    /// The address it was sent to, without the part that is secret.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
}

/// A delivery that was verified, and fits its schema.
#[derive(Debug, Clone)]
pub struct Delivered<P> {
    /// The payload.
    pub payload: P,
    /// What it came in.
    pub arrived: Arrived,
}

type Verify = Arc<dyn Fn(Arc<Admitted>, Arrived) -> BoxFuture<'static, Result<()>> + Send + Sync>;
type Handle = Arc<dyn Fn(Arc<Admitted>, Arrived, Json, Received) -> BoxFuture<'static, Result<Json>> + Send + Sync>;

/// Told when all is ready and the handler begins.
pub(crate) type Received = Box<dyn FnOnce() + Send>;

/// What is done with webhooks: how a delivery proves where it comes from, what it holds, and who takes it.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::Deserialize;
/// use tieline::{Code, Error, action::ActionContext, connector::{Arrived, Delivered, Webhook}, secret::Secret};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Config {
///     webhook_secret: Secret,
/// }
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Event {
///     r#type: String,
/// }
///
/// let webhook = Webhook::new("Receives events.")
///     .verify(|call: ActionContext<Config>, arrived: Arrived| async move {
///         let signature = arrived.headers.get("acme-signature");
///         match signature.is_some_and(|signature| signature == call.config().webhook_secret.reveal()) {
///             true => Ok(()),
///             false => Err(Error::new(Code::ConnectorWebhookVerificationFailed, "The signature is not the service's.")),
///         }
///     })
///     .handler(|_: ActionContext<Config>, delivered: Delivered<Event>| async move {
///         Ok::<_, Error>(delivered.payload.r#type)
///     });
/// ```
pub struct Webhook {
    description: String,
    payload: Option<Check>,
    verify: Option<Verify>,
    handle: Option<Handle>,
    handlings: Vec<Handling>,
}

impl Webhook {
    /// A declaration, with a sentence for people.
    pub fn new(description: impl Into<String>) -> Self {
        Self {
            description: description.into(),
            payload: None,
            verify: None,
            handle: None,
            handlings: Vec::new(),
        }
    }

    /// Sets how a delivery proves where it comes from, over the bytes as they arrived. An error refuses it.
    #[must_use]
    pub fn verify<C, F, Fut, E>(mut self, verify: F) -> Self
    where
        C: DeserializeOwned + Send + Sync + 'static,
        F: Fn(ActionContext<C>, Arrived) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<HandlerFault>,
    {
        let verify = Arc::new(verify);
        self.handlings.push(handling::<C, ()>("the webhook's `verify`"));
        self.verify = Some(Arc::new(move |admitted, arrived| {
            let verify = verify.clone();
            Box::pin(async move {
                let ended = verify(ActionContext::before(admitted)?, arrived).await;
                ended.map_err(|error| {
                    coded(
                        Code::ConnectorWebhookVerificationFailed,
                        "The webhook's check",
                        error.into(),
                    )
                })
            })
        }));
        self
    }

    /// Sets who takes a delivery that was verified. The type of its payload is the payload's schema; what it answers is
    /// the answer, as JSON.
    #[must_use]
    pub fn handler<C, X, P, F, Fut, O, E>(mut self, handler: F) -> Self
    where
        C: DeserializeOwned + Send + Sync + 'static,
        X: Send + Sync + 'static,
        P: DeserializeOwned + JsonSchema + Send + 'static,
        F: Fn(ActionContext<C, X>, Delivered<P>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        O: Serialize + Send,
        E: Into<HandlerFault>,
    {
        let handler = Arc::new(handler);
        self.payload = Some(Check::new(schemars::schema_for!(P).to_value()));
        self.handlings.push(handling::<C, X>("the webhook's handler"));
        self.handle = Some(Arc::new(move |admitted, arrived, payload, received| {
            let handler = handler.clone();
            Box::pin(async move {
                let payload: P = payload
                    .into_type()
                    .map_err(|_| refused("does not fit the type that is declared"))?;
                let context = ActionContext::made(admitted).await?;
                received();
                let ended = handler(context, Delivered { payload, arrived }).await;
                let answer =
                    ended.map_err(|error| coded(Code::ConnectorActionFailed, "The webhook's handler", error.into()))?;
                Json::from_type(&answer).map_err(|error| Error::internal("write a webhook's answer", error))
            })
        }));
        self
    }

    /// What it is, in a sentence.
    pub fn description(&self) -> &str {
        &self.description
    }

    pub(super) fn handlings(&mut self) -> Vec<Handling> {
        std::mem::take(&mut self.handlings)
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.handle.is_none() {
            let detail = "The webhook has no handler: give it one, `.handler(|call, delivered| async move { … })`.";
            return Err(Error::new(Code::ManifestInvalid, detail));
        }
        self.payload.as_ref().map_or(Ok(()), Check::compile)
    }

    pub(super) fn descriptor(&self) -> WebhookDescriptor {
        WebhookDescriptor {
            description: self.description.clone(),
            payload: self
                .payload
                .as_ref()
                .map_or(Value::Bool(true), |check| check.schema().clone()),
            verified: self.verify.is_some(),
        }
    }

    /// Whether the delivery comes from the service. One without `verify` proves nothing: whether that is allowed is not
    /// for the connector to say.
    ///
    /// # Errors
    /// `CONNECTOR_WEBHOOK_VERIFICATION_FAILED`, and what `verify` itself says.
    pub(crate) async fn verified(&self, admitted: &Arc<Admitted>, arrived: &Arrived) -> Result<bool> {
        let Some(verify) = &self.verify else { return Ok(false) };
        let work = async { verify(admitted.clone(), arrived.clone()).await };
        let checked = caught(Code::ConnectorActionFailed, work, || {
            "The webhook's `verify`".to_owned()
        })
        .await;
        checked.map_err(|error| admitted.scrub_error(error)).map(|()| true)
    }

    /// Whether a delivery has to prove where it comes from.
    pub(crate) fn is_verified(&self) -> bool {
        self.verify.is_some()
    }

    /// The payload of a verified delivery: JSON without a key that stands twice, which fits its schema.
    ///
    /// # Errors
    /// `CONNECTOR_WEBHOOK_VALIDATION_FAILED` with the wrong places.
    pub(crate) fn payload(&self, arrived: &Arrived) -> Result<Json> {
        let payload = Json::parse_bytes_with(&arrived.body, &JsonLimits::request())
            .map_err(|error| refused(&format!("is not JSON: {}", error.message)))?;
        let wrong = self
            .payload
            .as_ref()
            .map_or(Ok(Vec::new()), |check| check.errors(&payload))?;
        match wrong.is_empty() {
            true => Ok(payload),
            false => Err(refused("does not fit the schema that is declared: see `fields`").fields_from(wrong)),
        }
    }

    /// Hands a verified delivery and its payload to the handler.
    ///
    /// # Errors
    /// What the handler ends with.
    pub(crate) async fn handle(
        &self,
        admitted: &Arc<Admitted>,
        arrived: Arrived,
        payload: Json,
        received: Received,
    ) -> Result<Json> {
        let Some(handle) = &self.handle else {
            return Err(Error::internal("handle a webhook", "it has no handler"));
        };
        let work = async { handle(admitted.clone(), arrived, payload, received).await };
        let handled = caught(Code::ConnectorActionFailed, work, || "The webhook's handler".to_owned()).await;
        admitted.scrubbed(handled)
    }
}

fn refused(why: &str) -> Error {
    Error::new(Code::ConnectorWebhookValidationFailed, format!("The payload {why}."))
}

impl Connector {
    /// What it does with webhooks, where that is code.
    pub fn webhook(&self) -> Option<&Webhook> {
        self.coded.webhook.as_ref()
    }

    /// Whether webhooks arrive for its connections.
    pub fn takes_webhooks(&self) -> bool {
        self.coded.webhook.is_some() || self.manifest.webhook.is_some()
    }

    /// Gives the webhook that its manifest declares a handler.
    ///
    /// # Errors
    /// `CONNECTOR_WEBHOOK_NOT_CONFIGURED` where it declares none, or has a handler; `MANIFEST_INVALID` for a handler that
    /// takes a context, which no manifest makes.
    pub(crate) fn handle_webhooks(&mut self, mut webhook: Webhook) -> Result<()> {
        let refused = |why: &str| {
            Err(Error::new(
                Code::ConnectorWebhookNotConfigured,
                format!("`{}` {why}", self.id()),
            ))
        };
        match (&self.manifest.webhook, &self.coded.webhook) {
            (None, None) => return refused("declares no webhook: declare `webhookConfig` in its manifest."),
            (_, Some(_)) => return refused("has a handler of webhooks already: one is all it takes."),
            (Some(_), None) => {}
        }
        if let Some(handling) = webhook
            .handlings()
            .iter()
            .find(|handling| handling.context.0 != TypeId::of::<()>())
        {
            let detail = format!(
                "The handler of `{}`'s webhooks takes a `{}`, which nobody makes.",
                self.id(),
                handling.context.1
            );
            return Err(Error::new(Code::ManifestInvalid, detail));
        }
        self.coded.webhook = Some(webhook);
        Ok(())
    }
}

/// What is done with webhooks, as everybody may see it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDescriptor {
    /// What it is, in a sentence.
    pub description: String,
    /// JSON Schema of the payload.
    pub payload: Value,
    /// Whether a delivery proves where it comes from.
    pub verified: bool,
}

impl WebhookDescriptor {
    /// Of a webhook that a manifest declares.
    pub(super) fn declared(manifest: &Manifest) -> Option<Self> {
        let webhook = manifest.webhook.as_ref()?;
        Some(Self {
            description: format!("Takes the webhooks of {}.", manifest.name),
            payload: Value::Bool(true),
            verified: webhook.signature.algorithm != Algorithm::None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::{
        Connectors, MasterKey, MemoryStore, ScopeRule,
        admit::{Ask, Purpose},
        audit::Actor,
        call::Via,
        clock::SystemRandom,
        id::TenantId,
        limits::CONNECTION_TEST_TIMEOUT,
        secret::Secret,
    };

    #[derive(Deserialize, JsonSchema)]
    struct Config {
        secret: Secret,
    }

    #[derive(Deserialize, JsonSchema)]
    struct Event {
        kind: String,
    }

    async fn verify(call: ActionContext<Config>, arrived: Arrived) -> Result<(), String> {
        let signed = arrived.headers.get("signature").map(http::HeaderValue::as_bytes);
        let expected = format!("{}:{}", arrived.body.len(), call.config().secret.reveal());
        match signed == Some(expected.as_bytes()) {
            true => Ok(()),
            false => Err(format!("it should be {expected}")),
        }
    }

    async fn take(_: ActionContext<Config>, delivered: Delivered<Event>) -> Result<String> {
        match delivered.payload.kind.as_str() {
            "panic" => panic!("the handler fell off"),
            kind => Ok(format!("took {kind}")),
        }
    }

    fn arrived(body: &str, signature: &str) -> Arrived {
        Arrived {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: [(http::HeaderName::from_static("signature"), signature.parse().unwrap())]
                .into_iter()
                .collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    async fn admitted(webhook: Webhook) -> Arc<Admitted> {
        let connector = Connector::builder("acme").config::<Config>().webhook(webhook);
        let house = Connectors::builder()
            .store(MemoryStore::new())
            .key(MasterKey::generate(&SystemRandom).unwrap())
            .scope("system", ScopeRule::Optional)
            .connector(connector.build().unwrap())
            .build()
            .unwrap();
        let ask = Ask {
            connector: Some("acme"),
            via: &Via::Inline {
                auth: None,
                config: json!({ "secret": "swordfish-77" }).into(),
            },
            purpose: Purpose::Test(CONNECTION_TEST_TIMEOUT),
        };
        let by = Actor::new(TenantId::from_bytes([1; 16]), "test");
        Arc::new(house.admit(&by, ask).await.unwrap())
    }

    #[tokio::test]
    async fn a_delivery_is_verified_over_its_bytes_and_its_payload_is_judged() {
        let admitted = admitted(Webhook::new("Events.").verify(verify).handler(take)).await;
        let webhook = admitted.connector.webhook().unwrap();
        let body = "{ \"kind\" : \"made\" }";
        let handle = async |arrived: Arrived| {
            let payload = webhook.payload(&arrived)?;
            webhook.handle(&admitted, arrived, payload, Box::new(|| {})).await
        };
        let good = arrived(body, &format!("{}:swordfish-77", body.len()));
        assert!(webhook.verified(&admitted, &good).await.unwrap());
        assert_eq!(handle(good).await.unwrap().to_value(), json!("took made"));
        let error = webhook.verified(&admitted, &arrived(body, "0")).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorWebhookVerificationFailed);
        assert!(!format!("{error:?}").contains("swordfish"), "{error:?}");
        for (body, code) in [
            ("{", Code::ConnectorWebhookValidationFailed),
            ("{\"kind\":7}", Code::ConnectorWebhookValidationFailed),
            ("{\"kind\":\"panic\"}", Code::ConnectorActionFailed),
        ] {
            let error = handle(arrived(body, "")).await.unwrap_err();
            assert_eq!(error.code(), code, "{body}");
        }
    }

    #[tokio::test]
    async fn without_a_check_nothing_is_proved() {
        let admitted = admitted(Webhook::new("Events.").handler(take)).await;
        let webhook = admitted.connector.webhook().unwrap();
        assert!(!webhook.verified(&admitted, &arrived("{}", "")).await.unwrap());
    }
}
