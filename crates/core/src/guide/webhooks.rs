//! Declaring what is done with what a service sends.
//!
//! ```
//! use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use tieline::{Code, Connector, Error, Result};
//! use tieline::{action::ActionContext, connector::{Arrived, Delivered, Webhook}, secret::Secret};
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(rename_all = "camelCase")]
//! struct Stripe {
//!     webhook_secret: Secret,
//! }
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct StripeEvent {
//!     r#type: String,
//!     data: serde_json::Value,
//! }
//!
//! /// The signature is over the time and the bytes as they arrived.
//! async fn is_stripes(call: ActionContext<Stripe>, arrived: Arrived) -> Result<()> {
//!     let refused = || Error::new(Code::ConnectorWebhookVerificationFailed, "The signature is not Stripe's.");
//!     let header = arrived.headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
//!     let part = |name: &str| header.split(',').find_map(|part| part.strip_prefix(name)).ok_or_else(refused);
//!     let (time, signature) = (part("t=")?, part("v1=")?);
//!     let key = hmac::Key::new(hmac::HMAC_SHA256, call.config().webhook_secret.reveal().as_bytes());
//!     let expected = hmac::sign(&key, &[time.as_bytes(), b".", &arrived.body].concat());
//!     let expected: String = expected.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
//!     verify_slices_are_equal(expected.as_bytes(), signature.as_bytes()).map_err(|_| refused())
//! }
//!
//! async fn take(_: ActionContext<Stripe>, delivered: Delivered<StripeEvent>) -> Result<()> {
//!     match delivered.payload.r#type.as_str() {
//!         "payment_intent.succeeded" => println!("paid: {}", delivered.payload.data),
//!         "customer.subscription.deleted" => println!("gone: {}", delivered.payload.data),
//!         _ => {}
//!     }
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let stripe = Connector::builder("stripe")
//!     .config::<Stripe>()
//!     .webhook(Webhook::new("Receives Stripe's events.").verify(is_stripes).handler(take))
//!     .build()?;
//! # let connectors = tieline::Connectors::builder()
//! #     .store(tieline::MemoryStore::new())
//! #     .key(tieline::MasterKey::generate(&tieline::clock::SystemRandom)?)
//! #     .scope("organization", tieline::ScopeRule::Required)
//! #     .connector(stripe)
//! #     .build()?;
//! # let org = connectors.scope("organization", "org_123")?;
//! org.connect("stripe", serde_json::json!({ "webhookSecret": "whsec_as-stripe-shows-it" })).await?;
//! let address = org.webhook("stripe").await?; // to be entered at Stripe; it stays when the connection is made anew
//!
//! // What a web server of yours does with each request that arrives there:
//! # let body = r#"{"type":"payment_intent.succeeded","data":{"object":{}}}"#;
//! # let key = hmac::Key::new(hmac::HMAC_SHA256, b"whsec_as-stripe-shows-it");
//! # let signed: String = hmac::sign(&key, format!("1.{body}").as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
//! # let of = |signature: &str| http::Request::post(address.reveal())
//! #     .header("content-type", "application/json")
//! #     .header("stripe-signature", format!("t=1,v1={signature}"))
//! #     .body(http_body_util::Full::new(bytes::Bytes::from(body)))
//! #     .unwrap();
//! # let (request, forged) = (of(&signed), of(&"0".repeat(64)));
//! let response = connectors.handle_path(request).await;
//! assert_eq!(response.status(), 200);
//! # assert_eq!(connectors.handle_path(forged).await.status(), 401);
//! # connectors.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! `verify` judges the bytes as they arrived, before anything reads them. The payload is checked against its type's schema
//! next, and the handler is handed what fits.
//!
//! # Mounting the address
//!
//! Each connection has an address of its own, [`Scoped::webhook`](crate::connectors::Scoped::webhook) tells it, and a web
//! server of yours hands what arrives there to the library: [`handle`](crate::handle) shows how, in a few lines each for
//! three web servers.
