//! Integration tests of the library.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![allow(unreachable_pub, reason = "a test binary exports nothing")]

mod call;
mod connection;
mod credential;
mod dial;
mod egress;
mod exchange;
mod hostile;
mod house;
mod idempotency;
mod lab;
mod ledger;
mod library;
mod memory;
mod outcome;
mod proxy;
mod rate;
mod store;
mod tenant;
mod tls;
