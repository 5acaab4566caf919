//! Connections to the services your customers use: sealed credentials, guarded calls, one language for connectors.
//!
//! This is the library behind the Tieline server, to embed in a program of your own. It starts no task and opens no
//! port unless asked to. A **connector** says what can be done, a **connection** who may do it: your customer's account,
//! held for a **scope** such as an organization.
//!
//! # Quick start
//!
//! A connector in Rust is a struct for what one connects it with, a struct for each action's input, and a function that
//! does the work. The struct of the input knows its connector and what it answers, so calls are checked by the compiler.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use serde_json::json;
//! use tieline::{ActionInput, Connector, Connectors, MasterKey, MemoryStore, Result, ScopeRule};
//! use tieline::{action::ActionContext, clock::SystemRandom, secret::Secret};
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(rename_all = "camelCase")]
//! struct Telegram {
//!     bot_token: Secret, // sealed when it is stored, and never shown again
//!     chat_id: String,
//! }
//!
//! /// Sends a message to the chat.
//! #[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
//! #[serde(rename_all = "camelCase")]
//! #[action(connector = "telegram", id = "sendMessage", output = Sent, effect = "write")]
//! struct SendMessage {
//!     message: String,
//!     #[serde(default, skip_serializing_if = "Option::is_none")]
//!     parse_mode: Option<ParseMode>,
//! }
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! enum ParseMode {
//!     #[serde(rename = "HTML")]
//!     Html,
//!     Markdown,
//! }
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! #[serde(rename_all = "camelCase")]
//! struct Sent {
//!     message_id: i64,
//! }
//!
//! async fn send_message(call: ActionContext<Telegram>, input: SendMessage) -> Result<Sent> {
//!     let Telegram { bot_token, chat_id } = call.config();
//!     let url = format!("https://api.telegram.org/bot{}/sendMessage", bot_token.reveal());
//!     let body = json!({ "chat_id": chat_id, "text": input.message, "parse_mode": input.parse_mode });
//!     let answer = call.http().post(url).json(&body)?.send().await?.success()?;
//!     let answer: serde_json::Value = answer.json()?;
//!     Ok(Sent { message_id: answer["result"]["message_id"].as_i64().unwrap_or_default() })
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<()> {
//! #   let telegram_org = tieline_testkit::standin::StandIn::of(
//! #       "api.telegram.org", json!({ "ok": true, "result": { "message_id": 7 } }),
//! #   ).await;
//!     let telegram = Connector::builder("telegram")
//!         .name("Telegram")
//!         .config::<Telegram>()
//!         .allowed_hosts(["api.telegram.org"]) // its secrets go nowhere else
//!         .action(send_message)
//!         .build()?;
//!     let connectors = Connectors::builder()
//!         .store(MemoryStore::new()) // in earnest: SqliteStore::open("tieline.db")?
//!         .key(MasterKey::generate(&SystemRandom)?) // in earnest: MasterKey::from_env("TIELINE_SECRET")?
//!         .scope("organization", ScopeRule::Required)
//!         .connector(telegram)
//!         .on_connect(|event| async move {
//!             println!("{} is connected for {}", event.connector.as_deref().unwrap_or_default(), event.identity());
//!         })
//! #       .egress(tieline::egress::EgressPolicy {
//! #           loopback: true,
//! #           detours: vec![tieline::egress::Detour::parse(&telegram_org.detour())?],
//! #           ..Default::default()
//! #       })
//! #       .tls_roots(tieline::http::TlsRoots { extra_pem: vec![telegram_org.pem()] })
//!         .build()?;
//!
//!     let org = connectors.scope("organization", "org_123")?;
//!     org.connect("telegram", json!({ "botToken": "123456:a-token-of-a-bot", "chatId": "77" })).await?;
//!     let connection = org.get("telegram").await?;
//!     println!("enabled: {}", connection.is_some_and(|connection| connection.enabled));
//!
//!     // By type: what comes back follows from what goes in. By name: JSON in, JSON out.
//!     let message = SendMessage { message: "Hello".into(), parse_mode: Some(ParseMode::Html) };
//!     println!("message {}", org.call(message).await?.message_id);
//!     let same = org.action("telegram", "sendMessage").call(json!({ "message": "Hello again" })).await?;
//!     println!("message {}", same.to_value()["messageId"]);
//! #   assert_eq!(telegram_org.seen()[0].target, "/bot123456:a-token-of-a-bot/sendMessage");
//! #   assert_eq!(telegram_org.seen()[0].json()["parse_mode"], "HTML");
//! #   assert_eq!(telegram_org.seen()[1].json()["text"], "Hello again");
//! #   assert_eq!(same.to_value(), json!({ "messageId": 7 }));
//!
//!     org.disconnect("telegram").await?;
//!     connectors.close().await
//! }
//! ```
//!
//! `SqliteStore` and `PostgresStore` come with the crate `tieline-store`, the connectors that Tieline ships with
//! `tieline-catalog`.
//!
//! # The same without code
//!
//! What a service takes and answers over HTTP can be said in a manifest, which may come from a file or from your database.
//!
//! ```
//! # use serde_json::json;
//! # use tieline::{Code, Connectors, MasterKey, MemoryStore, ScopeRule, clock::SystemRandom};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> tieline::Result<()> {
//! # let telegram_org = tieline_testkit::standin::StandIn::of(
//! #     "api.telegram.org", json!({ "ok": true, "result": { "message_id": 7 } }),
//! # ).await;
//! let telegram = r#"
//! id: telegram
//! name: Telegram
//! baseUrl: https://api.telegram.org/bot{{config.botToken}}
//! auth:
//!   - type: api_key
//!     keyLocation: url
//!     fields: [{ name: botToken, secret: true, required: true }, { name: chatId, required: true }]
//! responseMapping: { dataPath: $.result }
//! endpoints:
//!   - id: sendMessage
//!     method: POST
//!     path: /sendMessage
//!     body:
//!       schema:
//!         type: object
//!         properties:
//!           chat_id: { type: string, required: true, fromConfig: chatId }
//!           text: { type: string, required: true }
//!           parse_mode: { type: string, enum: [HTML, Markdown] }
//! "#;
//! let connectors = Connectors::builder()
//!     .store(MemoryStore::new())
//!     .key(MasterKey::generate(&SystemRandom)?)
//!     .scope("organization", ScopeRule::Required)
//!     .manifest(telegram)
//! #   .egress(tieline::egress::EgressPolicy {
//! #       loopback: true,
//! #       detours: vec![tieline::egress::Detour::parse(&telegram_org.detour())?],
//! #       ..Default::default()
//! #   })
//! #   .tls_roots(tieline::http::TlsRoots { extra_pem: vec![telegram_org.pem()] })
//!     .build()?;
//!
//! let org = connectors.scope("organization", "org_123")?;
//! let connection = org.connect("telegram", json!({ "botToken": "123456:a-token-of-a-bot", "chatId": "77" })).await?;
//! assert!(connection.secrets["botToken"].set); // and never to be read again
//! let sent = org.action("telegram", "sendMessage").call(json!({ "text": "Hello" })).await?;
//! assert_eq!(sent.to_value()["message_id"], 7);
//!
//! // A call is checked before anything leaves the process.
//! let error = org.action("telegram", "sendMessage").call(json!({ "txet": "Hello" })).await.unwrap_err();
//! assert_eq!(error.code(), Code::ConnectorActionInputInvalid);
//! # assert_eq!(telegram_org.seen().len(), 1);
//! # assert_eq!(telegram_org.seen()[0].json(), json!({ "chat_id": "77", "text": "Hello" }));
//! # Ok(())
//! # }
//! ```
//!
//! # Where to read on
//!
//! Webhooks arrive through a web server of your own: [`handle`] shows how it is mounted.
//!
//! The [guide] tells everything else in pages of a minute or two: connectors, scopes, encryption, events, telemetry,
//! stores of one's own, errors. Who comes from another connector library finds its words in [`guide::names`].

pub mod action;
pub mod admit;
pub mod api_key;
pub mod audit;
mod begun;
pub mod cache;
pub mod call;
pub mod clock;
pub mod connection;
pub mod connector;
pub mod connectors;
pub mod credential;
pub mod egress;
mod endpoint;
pub mod environment;
pub mod error;
pub mod event;
mod framed;
pub mod guide;
pub mod handle;
pub mod health;
mod hooks;
pub mod http;
pub mod id;
pub mod idempotency;
pub mod ledger;
mod lent;
pub mod limits;
pub mod link;
pub mod membership;
mod merged;
pub mod metrics;
mod name;
pub mod oauth;
mod opened;
pub mod page;
pub mod patch;
pub mod proxy;
pub mod rate;
pub mod registry;
mod schema;
pub mod scope;
mod sealed;
pub mod secret;
pub mod session;
pub mod setup;
pub mod shares;
pub mod store;
pub mod telemetry;
pub mod tenant;
pub mod testing;
mod token;
pub mod usage;
pub mod user;
pub mod vault;
mod veiled;
pub mod webhook;

pub use action::{ActionInput, Effect, RunAction};
pub use connector::Connector;
pub use connectors::{Connectors, ConnectorsBuilder};
pub use environment::Environment;
pub use error::{Code, Error, Result};
pub use event::{Event, EventKind};
pub use scope::{Scope, ScopeRule};
pub use store::{MemoryAdapter, MemoryStore};
pub use telemetry::Telemetry;
#[cfg(feature = "derive")]
pub use tieline_derive::ActionInput;
pub use tieline_manifest::Json;
pub use vault::MasterKey;
