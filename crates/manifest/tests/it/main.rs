//! Manifests from text to requests and results.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

mod accept;
mod cases;
mod editor;
mod forms;
mod hostile;
mod hosts;
mod language;
mod s002;
mod s004;
mod schemas;
