//! What can go wrong.
//!
//! Everything that can fail answers one [`Error`](crate::Error): a stable [`Code`](crate::Code) to branch on, a sentence for
//! people, the wrong places of an input, and whether trying again may help. Nothing is thrown past it, and a handler that
//! panics is an error of its own call.
//!
//! ```
//! use serde_json::json;
//! use tieline::{Code, error::Retry};
//! # use tieline::{Connectors, MasterKey, MemoryStore, Result, ScopeRule, clock::SystemRandom};
//! # const ACME: &str = "{ id: acme, name: Acme, baseUrl: 'https://api.acme.example', auth: [{ type: none }], \
//! #     endpoints: [{ id: send, method: POST, path: /send, body: { schema: { type: object, properties: { \
//! #     message: { type: string, required: true, minLength: 1 } } } } }] }";
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # let connectors = Connectors::builder()
//! #     .store(MemoryStore::new())
//! #     .key(MasterKey::generate(&SystemRandom)?)
//! #     .scope("organization", ScopeRule::Required)
//! #     .manifest(ACME)
//! #     .build()?;
//! # let org = connectors.scope("organization", "org_123")?;
//! # org.connect("acme", json!({})).await?;
//! # let mut reached = false;
//! if let Err(error) = org.action("acme", "send").call(json!({ "message": "" })).await {
//!     match error.code() {
//!         Code::ConnectorNotConnected | Code::ConnectionDisabled => println!("Connect it first."),
//!         Code::ConnectorActionInputInvalid => {
//!             for field in error.fields() {
//!                 println!("{}: {}", field.pointer, field.message);
//! #               reached = field.pointer == "/message";
//!             }
//!         }
//!         Code::ConnectorActionFailed => println!("The service refused: {}", error.detail()),
//!         _ => match error.retry_hint() {
//!             Retry::After(pause) => println!("Again in {pause:?}."),
//!             Retry::Backoff => println!("Again a little later."),
//!             Retry::Never => println!("{error}"),
//!         },
//!     }
//! }
//! # assert!(reached);
//! # Ok(())
//! # }
//! ```
//!
//! - [`detail`](crate::Error::detail) and [`fields`](crate::Error::fields) are fit to show. `{error:?}` and
//!   [`log_context`](crate::Error::log_context) are for the log. Neither holds a secret.
//! - `CONNECTOR_ACTION_OUTPUT_INVALID` says that the effect **has happened**:
//!   [`effect_output`](crate::Error::effect_output) has what came back. Do not call again.
//! - [`nothing_sent`](crate::Error::nothing_sent) says that even a write may be repeated.
//! - Every code has a page in `docs/errors`, and its text is [`Code::as_str`](crate::Code::as_str).
//! - `.on_error(…)` hears of every operation that ended with an error: [`events`](super::events).
