//! The front door: HTTP in front of the library.
//!
//! `router` is the one list of all routes. Around it: `caller` (who asks, and what they may), `route` (how a handler's
//! arguments are read, and in which order), `problem` (how errors are told), `openapi` (the list, written down).

mod api;
pub mod app;
pub mod caller;
pub mod cli;
pub mod config;
pub mod limits;
pub mod local;
pub mod openapi;
mod private_file;
pub mod problem;
pub mod route;
pub mod router;
mod shares;
pub mod start;
pub mod telemetry;

pub use app::{App, serve};
