//! The guide: a page for each thing one does with the library, a minute or two each. Every example is compiled and run.
//!
//! The [quick start](crate#quick-start) comes first. Then, in the order in which one needs them:
//!
//! | page | |
//! |---|---|
//! | [`connectors`] | writing a connector in Rust: configuration, actions, what surrounds them, a default configuration |
//! | [`scopes`] | for whom connections are held, and all that one does with them |
//! | [`encryption`] | the master key, sealing more fields, a vault of one's own, values from elsewhere |
//! | [`events`] | events, subscriptions and hooks |
//! | [`telemetry`] | envelopes for a collector, a stream or a file, with redaction that is on |
//! | [`adapters`] | keeping connections in a database of one's own |
//! | [`errors`] | what can go wrong, and how a program tells it apart |
//! | [`types`] | what the compiler knows of connectors, actions and scopes |
//! | [`oauth`] | declaring how people sign in at a service |
//! | [`webhooks`] | declaring what is done with what a service sends |
//! | [`practices`] | what to look at before it is in earnest |
//! | [`names`] | the words of another connector library, and ours |
//!
//! Whole programs stand in `crates/core/examples`: a bot in a web application (`telegram_bot`), an adapter that keeps a file
//! (`file_adapter`), and telemetry to a collector and a Redis stream (`telemetry`).

pub mod adapters;
pub mod connectors;
pub mod encryption;
pub mod errors;
pub mod events;
pub mod names;
pub mod oauth;
pub mod practices;
pub mod scopes;
pub mod telemetry;
pub mod types;
pub mod webhooks;
