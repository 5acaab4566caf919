//! Where envelopes go.

mod file;
mod log;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "otlp")]
mod protobuf;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod resp;

#[cfg(feature = "otlp")]
pub use self::otlp::OtlpTransport;
#[cfg(feature = "redis")]
pub use self::redis::RedisTransport;
pub use self::{file::FileTransport, log::TracingTransport};

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Envelope;
use crate::error::Result;

/// Takes envelopes somewhere.
///
/// A batch that it does not take is offered again a few times, and then dropped; so a transport that took a part of it may
/// be offered that part twice. It may take its time, fail or panic without harm to anything but its own envelopes.
pub trait Transport: Send + Sync + 'static {
    /// Takes a batch, in order.
    ///
    /// # Errors
    /// When it does not take it now.
    fn send<'a>(&'a self, batch: &'a [Arc<Envelope>]) -> BoxFuture<'a, Result<()>>;
}

/// An envelope as one line of JSON.
fn line(envelope: &Envelope) -> String {
    serde_json::to_string(envelope).expect("an envelope is JSON")
}
