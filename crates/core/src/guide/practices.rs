//! What to look at before it is in earnest.
//!
//! 1. **The key lies outside the database**, and there is a copy of it: without it no secret opens. See
//!    [`encryption`](super::encryption).
//! 2. **Secrets are of type [`Secret`](crate::secret::Secret)**, in configurations and in what handlers pass around. What is
//!    no text cannot be logged by mistake.
//! 3. **Every connector declares its hosts.** A credential is then sent nowhere else, whatever an input or an answer says.
//! 4. **Errors are told apart by their code**, never by their sentence, and repeated only where
//!    [`retry_hint`](crate::Error::retry_hint) says so. See [`errors`](super::errors).
//! 5. **Writes that may be repeated carry an idempotency key**:
//!    [`ActionCall::idempotency_key`](crate::connectors::ActionCall::idempotency_key), and
//!    [`ActionContext::idempotency_key`](crate::action::ActionContext::idempotency_key) where a handler sends one on.
//! 6. **Redaction stays as it is**, plus the names of your own fields. Several transports, a rate for what is frequent, and a
//!    session for each request of yours: [`telemetry`](super::telemetry).
//! 7. **`close` is awaited at the end.** It waits for handlers and hooks, writes down the calls that are not in the ledger
//!    yet, and hands over telemetry.
//! 8. **What runs for long keeps its house**: spawn [`keep_ledger`](crate::Connectors::keep_ledger) and
//!    [`keep_house`](crate::Connectors::keep_house) beside a whole store, [`watch_health`](crate::Connectors::watch_health) to
//!    have connections tested by themselves, and [`follow`](crate::Connectors::follow) where several processes share
//!    it. Nothing is started without being asked for.
//! 9. **A connector is proved against a server**, not against an idea of one: the examples of this guide send to twins on
//!    loopback, under the services' own names, with [`EgressPolicy`](crate::egress::EgressPolicy)'s `detours`.
