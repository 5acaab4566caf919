//! The front door, tested through a real listener.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

mod action;
mod api_key;
mod app;
mod audit;
mod bad_input;
mod binary;
mod catalog;
mod cli;
mod connection;
mod frozen;
mod hostile;
mod load;
mod mail;
mod permissions;
mod problems;
mod start;
mod strangers;
mod support;
mod tenant;
