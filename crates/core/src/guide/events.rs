//! Hearing of what happens.
//!
//! Events are told in this process, after what they tell of was committed. Nothing that listens can delay or break what the
//! library does, and no event holds a secret.
//!
//! ```
//! use tieline::{Connectors, EventKind, MasterKey, MemoryStore, Result, ScopeRule, clock::SystemRandom};
//! use tieline::event::{EventFilter, Told};
//! # use serde_json::json;
//! # use std::sync::{Arc, Mutex};
//! # const ACME: &str = "{ id: acme, name: Acme, baseUrl: 'https://api.acme.example', endpoints: [], \
//! #     auth: [{ type: bearer, token: '{{token}}', fields: [{ name: token, secret: true }] }] }";
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # let (heard, note) = { let heard = Arc::new(Mutex::new(Vec::new())); (heard.clone(), heard) };
//! let connectors = Connectors::builder()
//!     .store(MemoryStore::new())
//!     .key(MasterKey::generate(&SystemRandom)?)
//! #   .scope("organization", ScopeRule::Required)
//! #   .manifest(ACME)
//!     // Every event, one after the other.
//!     .on_event(move |event| {
//! #       note.lock().unwrap().push(event.kind);
//!         async move {
//!             let connector = event.connector.as_deref().unwrap_or_default();
//!             match event.kind {
//!                 EventKind::ConnectorConnected => println!("{connector} connected"),
//!                 EventKind::ConnectorDisconnected => println!("{connector} disconnected"),
//!                 EventKind::ActionCompleted | EventKind::ActionFailed => {
//!                     println!("{} ran on {connector}", event.action.as_deref().unwrap_or_default());
//!                 }
//!                 EventKind::OauthCompleted => println!("somebody signed in for {connector}"),
//!                 EventKind::WebhookReceived => println!("a webhook for {connector}"),
//!                 EventKind::ErrorOccurred => println!("trouble with {connector}: {:?}", event.failure),
//!                 _ => {}
//!             }
//!         }
//!     })
//!     // Hooks: as many as you like of each, each in a task of its own.
//!     .on_connect(|event| async move { println!("track: {} {}", event.name(), event.identity()) })
//!     .on_disconnect(|event| async move { println!("track: {} {}", event.name(), event.identity()) })
//!     .on_error(|event| async move {
//!         if let Some(failure) = &event.failure {
//!             println!("capture: {} in {}: {}", failure.code, failure.operation, failure.message);
//!         }
//!     })
//!     .build()?;
//!
//! // A subscription is a loop of yours; of everything, or of one scope and no other.
//! let org = connectors.scope("organization", "org_123")?;
//! let mut events = org.subscribe();
//! let handler = org.on(EventFilter::named("error")?, |event| async move { println!("{event:?}") });
//!
//! org.connect("acme", json!({ "token": "a-token" })).await?;
//! match events.next().await {
//!     Some(Told::Event(event)) => assert_eq!(event.name(), "tieline.connectors.connector.connected"),
//!     Some(Told::Missed(count)) => println!("{count} events did not fit while we were busy"),
//!     None => println!("the connectors are gone"),
//! }
//!
//! drop(events); // unsubscribed
//! drop(handler);
//! connectors.close().await?; // waits for handlers and hooks
//! # assert_eq!(*heard.lock().unwrap(), [EventKind::ConnectorConnected]);
//! # Ok(())
//! # }
//! ```
//!
//! | events | tell of |
//! |---|---|
//! | `connector.connected`, `.disconnected`, `.enabled`, `.disabled`, `.updated`, `.health_changed` | a connection, after the commit |
//! | `action.started`, `.completed`, `.failed` | a call. `failed` also before the work: not connected, switched off, input that does not fit; `CANCELLED` when the caller left |
//! | `oauth.started`, `.completed`, `.refreshed`, `.failed` | sign-ins at services, and the renewal of their tokens |
//! | `webhook.received`, `.processed`, `.failed` | a webhook, once it proved itself, and what became of it |
//! | `adapter.get`, `.list`, `.upsert`, `.update`, `.delete` | the store's operations with connections |
//! | `error.occurred` | an operation that ended with an error, once |
//!
//! [`EventFilter::named`](crate::event::EventFilter::named) takes dotted names, groups (`action.*`), and the short spellings
//! `connected`, `disconnected`, `enabled`, `disabled`, `updated`, `action`, `oauth:completed`, `webhook:received`, `error` and
//! their like. The store's operations (`adapter.*`) are told only to those who ask for them, by
//! [`subscribe_to`](crate::Connectors::subscribe_to) or [`on`](crate::Connectors::on). Public names begin with
//! `tieline.connectors.`; `.event_prefix("igniter.connectors")` on the builder changes that.
//!
//! A handler or hook may answer a result. Its error, or its panic, is logged and told as one `error.occurred`, and suppresses
//! nothing. One that is slow misses events ([`events_missed`](crate::Connectors::events_missed)); a subscription is told at
//! the place of the gap how many it missed. None is ever handed a configuration.
