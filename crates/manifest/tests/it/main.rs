//! Manifests from text to requests and results.

mod accept;
mod cases;
mod forms;
mod hostile;
mod hosts;
mod language;
mod schemas;
