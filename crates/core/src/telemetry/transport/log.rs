//! Into the program's own log.

use std::sync::Arc;

use futures_util::future::{BoxFuture, ready};

use super::{Envelope, Transport, line};
use crate::{error::Result, telemetry::Level};

/// Writes envelopes through `tracing`, under the target `tieline::telemetry` and at their level.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingTransport;

impl Transport for TracingTransport {
    fn send<'a>(&'a self, batch: &'a [Arc<Envelope>]) -> BoxFuture<'a, Result<()>> {
        for envelope in batch {
            let (name, json) = (envelope.name.as_str(), line(envelope));
            match envelope.level {
                Level::Debug => tracing::debug!(target: "tieline::telemetry", name, envelope = json),
                Level::Info => tracing::info!(target: "tieline::telemetry", name, envelope = json),
                Level::Warn => tracing::warn!(target: "tieline::telemetry", name, envelope = json),
                Level::Error => tracing::error!(target: "tieline::telemetry", name, envelope = json),
            }
        }
        Box::pin(ready(Ok(())))
    }
}
