//! Integration tests of the library.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![allow(unreachable_pub, reason = "a test binary exports nothing")]

mod call;
mod connection;
mod egress;
mod exchange;
mod hostile;
mod house;
mod lab;
mod library;
mod outcome;
mod store;
mod tls;
