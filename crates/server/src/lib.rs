//! The front door: HTTP in front of the library.
//!
//! `router` is the one list of all routes. Around it: `caller` (who asks, and what they may), `route` (how a handler's
//! arguments are read, and in which order), `problem` (how errors are told), `openapi` (the list, written down), `page`
//! (pages for people, without script).

pub(crate) mod api;
pub mod app;
mod browser;
pub mod caller;
pub mod cli;
pub mod config;
pub mod cors;
pub(crate) mod faces;
pub mod limits;
pub mod local;
mod metrics;
pub mod openapi;
mod page;
mod private_file;
pub mod problem;
mod rate;
pub mod route;
pub mod router;
pub mod site;
mod source;
pub mod start;
pub mod telemetry;

pub use app::{App, serve};
