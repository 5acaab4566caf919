//! Integration tests of the library.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![allow(unreachable_pub, reason = "a test binary exports nothing")]

mod adapter;
mod call;
mod connection;
mod credential;
mod dial;
mod egress;
mod events;
mod examples;
mod exchange;
mod guide;
mod health;
mod hooks;
mod hostile;
mod house;
mod idempotency;
mod lab;
mod ledger;
mod library;
mod memory;
mod oauth;
mod outcome;
mod promises;
mod proxy;
mod rate;
mod rust_connector;
mod scoped;
mod store;
mod telegram;
mod telemetry;
mod tenant;
mod tls;
mod transports;
mod typed;
mod webhook;
