//! The front door, tested through a real listener.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

mod action;
mod api_key;
mod app;
mod audit;
mod audit_export;
mod audit_verify;
mod bad_input;
mod batch;
mod binary;
mod call_ledger;
mod catalog;
mod cli;
mod config;
mod connection;
mod cors;
mod credential;
mod docs;
mod documents;
mod environment;
mod examples;
mod expiry;
mod faces;
mod fire;
mod frozen;
mod fuzz;
mod health;
mod idempotency;
mod load;
mod mail;
mod matrix;
mod metrics;
mod openapi;
mod permissions;
mod problems;
mod proxy;
mod rate;
mod secrets;
mod session;
mod setup;
mod shared_database;
mod shelf;
mod source;
mod start;
mod stop;
mod strangers;
mod support;
mod tenant;
mod user;
