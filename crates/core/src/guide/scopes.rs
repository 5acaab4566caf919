//! For whom connections are held.
//!
//! A scope is a **kind** and an **identity**: `organization` and `org_123`, `user` and `u_7`. Kinds are declared; whether one
//! needs an identity is its [`ScopeRule`](crate::ScopeRule). Scopes never meet: what is connected for one is not there for any
//! other, whatever their names look like.
//!
//! ```
//! use serde_json::json;
//! use tieline::{Code, Connectors, MasterKey, MemoryStore, Result, ScopeRule};
//! use tieline::{clock::SystemRandom, connectors::{ConnectorQuery, ScopedQuery}};
//! # const ACME: &str = "{ id: acme, name: Acme, baseUrl: 'https://api.acme.example', endpoints: [], \
//! #     auth: [{ type: bearer, token: '{{token}}', fields: [{ name: token, secret: true }, { name: region }] }] }";
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let connectors = Connectors::builder()
//!     .store(MemoryStore::new())
//!     .key(MasterKey::generate(&SystemRandom)?)
//!     .scope("organization", ScopeRule::Required)
//!     .scope("user", ScopeRule::Required)
//!     .scope("system", ScopeRule::Optional) // there is one of it
//!     .manifest(ACME)
//!     .build()?;
//!
//! let org = connectors.scope("organization", "org_123")?;
//! let user = connectors.scope("user", "user_456")?;
//! let system = connectors.scope("system", "")?;
//! # assert!(system.get("acme").await?.is_none());
//! assert_eq!(connectors.scope("planet", "earth").err().unwrap().code(), Code::ConnectorScopeInvalid);
//! assert_eq!(connectors.scope("user", "").err().unwrap().code(), Code::ConnectorScopeIdentifierRequired);
//!
//! org.connect("acme", json!({ "token": "a-token", "region": "eu" })).await?;
//! assert!(user.get("acme").await?.is_none()); // isolated
//!
//! org.update("acme", json!({ "region": "us" })).await?; // what is not named stays
//! org.disable("acme").await?; // nothing goes over it until it is on again
//! org.enable("acme").await?;
//!
//! // A second account of the same service has a name of its own.
//! org.named("second").connect("acme", json!({ "token": "another" })).await?;
//! let page = org.list(ScopedQuery { enabled: Some(true), limit: 20, ..ScopedQuery::default() }).await?;
//! assert_eq!((page.rows.len(), page.next), (2, None));
//!
//! // What could be connected, with the number of connections there are.
//! let known = connectors.list(ConnectorQuery { count: true, limit: 20, ..ConnectorQuery::default() }).await?;
//! assert_eq!((known.rows[0].descriptor().name.as_str(), known.rows[0].connections), ("Acme", Some(2)));
//!
//! org.disconnect("acme").await?;
//! org.disconnect("acme").await?; // what is not there can be removed
//! # Ok(())
//! # }
//! ```
//!
//! Connecting again replaces the configuration and keeps the connection: its identifier, its address for webhooks, its
//! history. No read returns a secret, sealed or open: [`Connection::secrets`](crate::connection::Connection::secrets) says
//! which are set, and shows the end of long ones.
//!
//! All that one does in a scope is in [`Scoped`](crate::connectors::Scoped). A program that serves several tenants, with
//! people, API keys and roles, has the same verbs with a caller on [`Connectors`](crate::Connectors) itself.
