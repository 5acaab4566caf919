//! The stores' integration tests, one binary.

#![allow(clippy::unwrap_used, reason = "helpers outside of test functions fail as tests do")]

mod adapter;
mod broken;
mod child;
mod conformance;
mod folder;
mod library;
mod outside;
mod postgres;
mod sqlite;
mod tamper;
mod walls;
mod webhook;
mod writers;
