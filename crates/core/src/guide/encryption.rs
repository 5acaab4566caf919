//! Secrets at rest.
//!
//! Every field that a connector declares secret is sealed on its own (AES-256-GCM) before it is stored, bound to its tenant,
//! row and field: a sealed value that is moved does not open. There is nothing to switch on. What there is to decide:
//!
//! ```
//! use serde_json::json;
//! use tieline::{Connectors, MasterKey, MemoryStore, Result, ScopeRule, clock::SystemRandom};
//! # const ACME: &str = "{ id: acme, name: Acme, baseUrl: 'https://api.acme.example', endpoints: [], \
//! #     auth: [{ type: bearer, token: '{{apiKey}}', fields: [{ name: apiKey, secret: true }, { name: account }] }] }";
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let connectors = Connectors::builder()
//!     .store(MemoryStore::new())
//!     .key(MasterKey::generate(&SystemRandom)?) // in earnest: MasterKey::from_env("TIELINE_SECRET")?
//!     .encrypt(["account", "accessToken"]) // besides what is secret anyway, of whatever connector
//! #   .scope("organization", ScopeRule::Required)
//! #   .manifest(ACME)
//!     .build()?;
//! # let org = connectors.scope("organization", "org_123")?;
//! let connection = org.connect("acme", json!({ "apiKey": "k-123", "account": "ada" })).await?;
//! assert!(connection.secrets["apiKey"].set && connection.secrets["account"].set);
//! assert!(connection.config.get("account").is_none());
//! # Ok(())
//! # }
//! ```
//!
//! - **The key** is 32 random bytes in base64url, and nothing shorter is taken: `tieline key new` makes one, and so does
//!   [`MasterKey::generate`](crate::MasterKey::generate). Keep it outside the database.
//! - **A vault of one's own**, such as a KMS, takes its place with `.vault(…)`: two methods, shown at
//!   [`Vault`](crate::vault::Vault). [`testing::vault`](crate::testing::vault) proves them in one line of a test.
//! - **Values from elsewhere** are opened once and connected anew: [`vault::import`](crate::vault::import) reads what
//!   other libraries sealed with their key.
//!
//! ```
//! use tieline::{Code, MasterKey};
//!
//! // Not in the environment, or too short: both are said at start.
//! assert_eq!(MasterKey::from_env("TIELINE_SECRET_OF_NOBODY").err().unwrap().code(), Code::MasterKeyMissing);
//! assert_eq!(MasterKey::parse("secret").err().unwrap().code(), Code::MasterKeyInvalid);
//! ```
