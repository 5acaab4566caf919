//! Writing a connector in Rust.
//!
//! Four things make one: a struct for its **configuration**, a struct for each action's **input**, a **handler** for each
//! action, and [`Connector::builder`](crate::Connector::builder), which puts them together. The order of the builder's words
//! makes no difference. What the types say is what catalog, forms and checks show; `build` refuses what does not fit.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use serde_json::json;
//! use tieline::{ActionInput, Connector, Result, action::ActionContext, secret::Secret};
//! # use tieline::{Connectors, MasterKey, MemoryStore, ScopeRule, clock::SystemRandom};
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(rename_all = "camelCase")]
//! struct Slack {
//!     /// The address that Slack shows once. Whoever knows it may post, so it is a secret.
//!     webhook_url: Secret,
//!     channel: String,
//! }
//!
//! /// Posts a message to the channel.
//! #[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
//! #[action(connector = "slack", id = "postMessage", output = (), effect = "write")]
//! struct PostMessage {
//!     /// What it says.
//!     text: String,
//! }
//!
//! async fn post_message(call: ActionContext<Slack>, input: PostMessage) -> Result<()> {
//!     let Slack { webhook_url, channel } = call.config();
//!     let body = json!({ "channel": channel, "text": input.text });
//!     call.http().post(webhook_url.reveal().as_str()).json(&body)?.send().await?.success()?;
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let slack = Connector::builder("slack")
//!     .name("Slack")
//!     .config::<Slack>()
//!     .allowed_hosts(["hooks.slack.com"])
//!     .action(post_message)
//!     .build()?;
//! # let hooks = tieline_testkit::standin::StandIn::of("hooks.slack.com", json!("ok")).await;
//! # let connectors = Connectors::builder()
//! #     .store(MemoryStore::new())
//! #     .key(MasterKey::generate(&SystemRandom)?)
//! #     .scope("organization", ScopeRule::Required)
//! #     .connector(slack)
//! #     .egress(tieline::egress::EgressPolicy {
//! #         loopback: true,
//! #         detours: vec![tieline::egress::Detour::parse(&hooks.detour())?],
//! #         ..Default::default()
//! #     })
//! #     .tls_roots(tieline::http::TlsRoots { extra_pem: vec![hooks.pem()] })
//! #     .build()?;
//! # let org = connectors.scope("organization", "org_123")?;
//! # let config = json!({ "webhookUrl": "https://hooks.slack.com/services/T0/B0/a-secret-part", "channel": "#general" });
//! # org.connect("slack", config).await?;
//! # org.call(PostMessage { text: "Hello".into() }).await?;
//! # assert_eq!(hooks.seen()[0].json(), json!({ "channel": "#general", "text": "Hello" }));
//! # Ok(())
//! # }
//! ```
//!
//! - A field of type [`Secret`](crate::secret::Secret) is sealed when it is stored, is given to handlers, and is never shown
//!   again. It cannot be printed.
//! - A handler's [`http`](crate::action::ActionContext::http) is the one way out: addresses are judged, answers are bounded,
//!   there is a deadline, and secrets stand in no log. `allowed_hosts` says where it may go at all.
//! - A handler may end with an error of any type. [One of ours](crate::Error) keeps its code, any other is
//!   `CONNECTOR_ACTION_FAILED`.
//! - The input is checked before the handler runs, the output after it did. The handler is handed what fits.
//!
//! # What surrounds the actions
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use serde_json::json;
//! use tieline::{ActionInput, Code, Connector, Error, Result};
//! use tieline::{action::ActionContext, connector::{TestReport, Validation}, secret::Secret};
//! # use tieline::{Connectors, MasterKey, MemoryStore, ScopeRule, clock::SystemRandom};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Acme {
//!     token: Secret,
//!     region: String,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct About {
//!     team: &'static str,
//! }
//!
//! /// What handlers take beside the configuration.
//! struct Region {
//!     host: String,
//! }
//!
//! /// Tells which host is used.
//! #[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
//! #[action(connector = "acme", id = "host", output = String, effect = "read")]
//! struct Host {}
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let acme = Connector::builder("acme")
//!     .metadata(&About { team: "growth" }) // for everybody to see, in the descriptor
//!     .config::<Acme>()
//!     .on_validate(|asked: Validation<Acme>| async move {
//!         match asked.config().region.as_str() {
//!             "eu" | "us" => Ok(()),
//!             _ => Err(Error::new(Code::ConnectorConfigInvalid, "There is no such region.").field("/config/region", "eu or us")),
//!         }
//!     })
//!     .on_context(|call: ActionContext<Acme>| async move {
//!         Ok::<_, Error>(Region { host: format!("{}.acme.example", call.config().region) })
//!     })
//!     .test(|call: ActionContext<Acme, Region>| async move {
//!         Ok::<_, Error>(TestReport { label: Some(call.context().host.clone()), ..TestReport::default() })
//!     })
//!     .action(|call: ActionContext<Acme, Region>, _: Host| async move { Ok::<_, Error>(call.context().host.clone()) })
//!     .default_config(json!({ "token": "our-own-token-at-acme", "region": "eu" }))
//!     .build()?;
//! # assert_eq!(acme.descriptor().metadata, Some(json!({ "team": "growth" })));
//! # let connectors = Connectors::builder()
//! #     .store(MemoryStore::new())
//! #     .key(MasterKey::generate(&SystemRandom)?)
//! #     .scope("organization", ScopeRule::Required)
//! #     .connector(acme)
//! #     .build()?;
//!
//! // A judgement is asked before anything is stored.
//! let org = connectors.scope("organization", "org_123")?;
//! let error = org.connect("acme", json!({ "token": "t", "region": "moon" })).await.unwrap_err();
//! assert_eq!((error.code(), error.fields()[0].pointer.as_str()), (Code::ConnectorConfigInvalid, "/config/region"));
//!
//! // With a default configuration nobody has to be connected.
//! let host = connectors.action("acme", "host").call(json!({})).await?;
//! assert_eq!(host.to_value(), "eu.acme.example");
//! # Ok(())
//! # }
//! ```
//!
//! `.oauth(…)` declares how people sign in ([`oauth`](super::oauth)), `.webhook(…)` what is done with what the service sends
//! ([`webhooks`](super::webhooks)).
//!
//! # Without code
//!
//! What speaks plain HTTP is better said in a [manifest](crate#the-same-without-code): nothing is compiled, your customers can
//! write one, and retries, pages and rate limits are a word each. `Connector::shipped(text)?.action::<Input>()` adds actions in
//! Rust to one, for inputs that do the work themselves ([`RunAction`](crate::RunAction)).
