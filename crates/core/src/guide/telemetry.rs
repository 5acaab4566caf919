//! Watching a deployment.
//!
//! [`Telemetry`](crate::Telemetry) is one more listener: every [event](super::events) becomes an envelope, which goes through
//! sampling and redaction and then to a queue for each transport.
//!
//! ```
//! use serde_json::json;
//! use tieline::{Connectors, MasterKey, MemoryStore, Result, ScopeRule, Telemetry, clock::SystemRandom};
//! use tieline::telemetry::{FileTransport, OtlpTransport, Redaction, Sampling, TracingTransport};
//! # const ACME: &str = "{ id: acme, name: Acme, baseUrl: 'https://api.acme.example', endpoints: [], \
//! #     auth: [{ type: bearer, token: '{{token}}', fields: [{ name: token, secret: true }] }] }";
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # use tieline_testkit::twin::{Reply, Twin};
//! # let twin = Twin::always(Reply::empty(200)).await;
//! # let (collector, folder) = (twin.url(), tieline_testkit::evidence::data_folder());
//! # let file = folder.join("telemetry.jsonl");
//! let telemetry = Telemetry::builder()
//!     .service("my-api")
//!     .environment("production")
//!     .version("1.4.0")
//!     .redaction(Redaction::default().deny(["customerName"]).max_chars(1000))
//!     .sampling(
//!         Sampling::default()
//!             .debug(0.1)
//!             .info(1.0) // 0.5 keeps every second session, whole
//!             .error(1.0)
//!             .always("*.connector.*")
//!             .never("*.adapter.*"),
//!     )
//!     .transport("log", TracingTransport)
//!     .transport("file", FileTransport::new(&file))
//!     .transport("collector", OtlpTransport::new(&collector)) // http://localhost:4318
//!     .build();
//! let connectors = Connectors::builder()
//!     .store(MemoryStore::new())
//!     .key(MasterKey::generate(&SystemRandom)?)
//!     .scope("organization", ScopeRule::Required)
//!     .manifest(ACME)
//!     .telemetry(telemetry.clone())
//!     .build()?;
//! telemetry.start(); // a task for each transport; before, envelopes wait
//!
//! // A session for each request of yours: all that happens in it shares an identifier.
//! let session = telemetry.session().attribute("request.id", "req_1");
//! session.run(async {
//!     let org = connectors.scope("organization", "org_123")?;
//!     org.connect("acme", json!({ "token": "a-token" })).await
//! }).await?;
//!
//! connectors.close().await?; // hands over what waits
//! # let line = std::fs::read_to_string(&file).unwrap();
//! # let envelope: serde_json::Value = serde_json::from_str(&line).unwrap();
//! # assert_eq!(envelope["name"], "tieline.connectors.connector.connected");
//! # assert_eq!(envelope["attributes"]["request.id"], "req_1");
//! # assert!(!line.contains("org_123"), "{line}");
//! # assert_eq!(twin.seen()[0].target, "/v1/logs");
//! # Ok(())
//! # }
//! ```
//!
//! - **Keys.** `ctx.connector.provider|scope|identity|encrypted|encryptedFields`, `ctx.action.name|durationMs|success`,
//!   `ctx.oauth.authorizationUrl|tokenUrl|pkce|scopes|hasState`, `ctx.webhook.method|path|durationMs|verified`,
//!   `ctx.error.code|message|operation|action`, `ctx.adapter.durationMs|found|count|inserted`. What failed has the level
//!   `error`, everything else `info`.
//! - **Redaction is on**, whether it is named or not. Left out are `config`, `accessToken`, `refreshToken`, `clientSecret`,
//!   `apiKey`, `token`, `secret`, `password`, `payload`, `input`, `output`, `userInfo`, and whatever else is a secret by its
//!   name; [`deny`](crate::telemetry::Redaction::deny) adds names, and nothing takes one away. `ctx.connector.identity` is
//!   shown as a hash under a key of the deployment. Texts are scrubbed of what looks like a secret, and cut after 1000
//!   characters.
//! - **Sampling** keeps everything unless told otherwise. `never` goes before `always`, and `always` before the rates. A
//!   session is kept or left out whole, but for its errors.
//! - **Transports** have a queue of [`TELEMETRY_QUEUE`](crate::limits::TELEMETRY_QUEUE) envelopes each.
//!   [`counts`](crate::Telemetry::counts) tells what was sent and what was lost. There are
//!   [`TracingTransport`](crate::telemetry::TracingTransport), [`FileTransport`](crate::telemetry::FileTransport),
//!   [`OtlpTransport`](crate::telemetry::OtlpTransport) and [`RedisTransport`](crate::telemetry::RedisTransport); one of your
//!   own is the trait [`Transport`](crate::telemetry::Transport). Collectors and Redis may be at public addresses or on
//!   loopback; `.egress(policy)` opens others.
//! - [`emit`](crate::Telemetry::emit) tells of something of your own, on the same way.
//!
//! The example `telemetry` is a whole program that tells a collector and a Redis stream.
