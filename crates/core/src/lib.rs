//! Connections to the services your customers use: sealed credentials, guarded calls, one language for connectors.
//!
//! This is the library behind the Tieline server, to embed in a program of your own. It starts no task and opens no
//! port unless asked to.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> tieline::Result<()> {
//! use serde_json::json;
//! use tieline::{Code, Connectors, MasterKey, MemoryStore, ScopeRule, clock::SystemRandom};
//!
//! let acme = r#"
//! id: acme
//! name: Acme
//! baseUrl: https://api.acme.example/v1
//! auth:
//!   - type: bearer
//!     fields: [{ name: api_token, secret: true, required: true }]
//!     token: '{{api_token}}'
//! endpoints:
//!   - id: create_lead
//!     method: POST
//!     path: /leads
//!     body: { schema: { type: object, properties: { email: { type: string, required: true } } } }
//! "#;
//! let connectors = Connectors::builder()
//!     .store(MemoryStore::new())
//!     .key(MasterKey::generate(&SystemRandom)?) // in earnest: MasterKey::from_env("TIELINE_SECRET")?
//!     .scope("organization", ScopeRule::Required)
//!     .manifest(acme)
//!     .build()?;
//!
//! let org = connectors.scope("organization", "org_123")?;
//! let connection = org.connect("acme", json!({ "api_token": "a-token-from-acme" })).await?;
//! assert!(connection.secrets["api_token"].set); // and never to be read again
//!
//! // A call is checked before anything leaves the process.
//! let error = org.action("acme", "create_lead").call(json!({ "emial": "ada@example.com" })).await.unwrap_err();
//! assert_eq!(error.code(), Code::ConnectorActionInputInvalid);
//! # Ok(())
//! # }
//! ```

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
pub mod health;
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
pub mod tenant;
mod token;
pub mod usage;
pub mod user;
pub mod vault;

pub use action::{ActionInput, Effect};
pub use connector::Connector;
pub use connectors::{Connectors, ConnectorsBuilder};
pub use environment::Environment;
pub use error::{Code, Error, Result};
pub use scope::{Scope, ScopeRule};
pub use store::MemoryStore;
pub use tieline_manifest::Json;
pub use vault::MasterKey;
