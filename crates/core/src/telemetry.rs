//! Telemetry: what happens, as envelopes for whoever watches the deployment.
//!
//! ```
//! use tieline::telemetry::{Redaction, Sampling, Telemetry, TracingTransport};
//!
//! let telemetry = Telemetry::builder()
//!     .service("my-api")
//!     .environment("production")
//!     .redaction(Redaction::default().deny(["customerName"]))
//!     .sampling(Sampling::default().info(0.5).always("*.connector.*"))
//!     .transport("log", TracingTransport)
//!     .build();
//! ```
//!
//! It is given to the connectors' builder, and tells of every [`Event`]. Nothing leaves before it went through sampling and
//! [`Redaction`]. Each transport has a queue of its own, and a task once [`Telemetry::start`] was called: one that is slow,
//! hangs or panics loses envelopes, which are counted, and holds nobody up.

mod attributes;
mod envelope;
mod pump;
mod redaction;
mod sampling;
pub(crate) mod session;
mod transport;

#[cfg(feature = "otlp")]
pub use self::transport::OtlpTransport;
#[cfg(feature = "redis")]
pub use self::transport::RedisTransport;
pub use self::{
    envelope::{Envelope, Level},
    pump::TransportCounts,
    redaction::Redaction,
    sampling::Sampling,
    session::SessionBuilder,
    transport::{FileTransport, TracingTransport, Transport},
};

use std::sync::{Arc, OnceLock};

use aws_lc_rs::hmac;
use futures_util::future::join_all;
use serde_json::{Map, Value};
use tokio::time::timeout;

use self::{pump::Pump, redaction::Rules, session::Session};
use crate::{
    clock::{Clock, Random, SystemClock, SystemRandom, Timestamp},
    event::Event,
    limits::TELEMETRY_CLOSE_PATIENCE,
    secret::Secret,
    vault::MasterKey,
};

/// Where events go to be looked at. Clones share one state.
#[derive(Clone)]
pub struct Telemetry(Arc<Inner>);

struct Inner {
    service: String,
    environment: String,
    version: Option<String>,
    rules: Rules,
    sampling: Sampling,
    key: OnceLock<hmac::Key>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    pumps: Vec<Arc<Pump>>,
}

/// Puts a [`Telemetry`] together.
#[must_use = "it is put together by `build`"]
#[derive(Default)]
pub struct TelemetryBuilder {
    service: Option<String>,
    environment: Option<String>,
    version: Option<String>,
    redaction: Redaction,
    sampling: Sampling,
    key: Option<Secret<Vec<u8>>>,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
    transports: Vec<(String, Arc<dyn Transport>)>,
}

impl TelemetryBuilder {
    /// The program's name; `tieline`, unless given.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Where it runs; `production`, unless given.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// The program's version.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// What is left out, hashed and cut. What is secret by its name is left out in any case.
    pub fn redaction(mut self, redaction: Redaction) -> Self {
        self.redaction = redaction;
        self
    }

    /// How much is told; everything, unless given.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// The key under which identities are hashed, so that hashes of several deployments meet. Derived from the connectors'
    /// master key, unless given.
    pub fn hash_key(mut self, key: Secret<Vec<u8>>) -> Self {
        self.key = Some(key);
        self
    }

    /// Who tells the time; the machine, unless given.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Who gives randomness, which decides what is sampled; the operating system, unless given.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = Some(random);
        self
    }

    /// Adds a transport under a name of yours. All of them are handed every envelope.
    pub fn transport(mut self, name: impl Into<String>, transport: impl Transport) -> Self {
        self.transports.push((name.into(), Arc::new(transport)));
        self
    }

    /// The telemetry, put together. It starts no task: see [`Telemetry::start`].
    pub fn build(self) -> Telemetry {
        let telemetry = Telemetry(Arc::new(Inner {
            service: self.service.unwrap_or_else(|| "tieline".to_owned()),
            environment: self.environment.unwrap_or_else(|| "production".to_owned()),
            version: self.version,
            rules: self.redaction.into_rules(),
            sampling: self.sampling,
            key: OnceLock::new(),
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock)),
            random: self.random.unwrap_or_else(|| Arc::new(SystemRandom)),
            pumps: self
                .transports
                .into_iter()
                .map(|(name, transport)| Arc::new(Pump::new(name, transport)))
                .collect(),
        }));
        if let Some(key) = &self.key {
            telemetry.hash_under(key.reveal());
        }
        telemetry
    }
}

impl Telemetry {
    /// Begins to put one together.
    pub fn builder() -> TelemetryBuilder {
        TelemetryBuilder::default()
    }

    /// Starts a task for each transport; before, envelopes wait within the bound of its queue. Starting twice is fine.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(&self) {
        for pump in &self.0.pumps {
            pump.start();
        }
    }

    /// Begins a session: everything told while its work runs shares an identifier and attributes.
    pub fn session(&self) -> SessionBuilder {
        SessionBuilder::new(&*self.0.random)
    }

    /// Tells of something of the program's own, under a dotted name such as `billing.invoice.paid`. It goes the same way
    /// as everything else: sampled, redacted, and to every transport.
    pub fn emit(&self, level: Level, name: &str, attributes: Map<String, Value>) {
        self.put(self.0.clock.now(), level, [name, name], || (attributes, None));
    }

    /// What became of the envelopes of each transport.
    pub fn counts(&self) -> Vec<TransportCounts> {
        self.0.pumps.iter().map(|pump| pump.counts()).collect()
    }

    /// Hands over what waits, within a bound; `false` when that was not enough. Where no task was started it does so itself.
    pub async fn flush(&self) -> bool {
        let all = join_all(self.0.pumps.iter().map(|pump| pump.finish()));
        timeout(TELEMETRY_CLOSE_PATIENCE, all).await.is_ok()
    }

    /// The same; what is told afterwards, or left over, is dropped and counted.
    pub async fn close(&self) {
        if !self.flush().await {
            tracing::warn!("telemetry was not taken in time at the end: what was left is dropped");
        }
        self.0.pumps.iter().for_each(|pump| pump.close());
    }

    /// Tells of an event.
    pub(crate) fn record(&self, event: &Event) {
        let (name, level) = (event.name(), Level::of(event.kind));
        self.put(event.at, level, [&name, event.kind.as_str()], || attributes::of(event));
    }

    /// Hashes under a key that follows from the connectors' master key, unless one was given.
    pub(crate) fn keyed(&self, master: &MasterKey) {
        if self.0.key.get().is_none() {
            self.hash_under(master.telemetry_key().reveal());
        }
    }

    fn hash_under(&self, key: &[u8]) {
        // The first one counts: hashes of one deployment have to meet.
        let _ = self.0.key.set(hmac::Key::new(hmac::HMAC_SHA256, key));
    }

    fn put(
        &self,
        at: Timestamp,
        level: Level,
        names: [&str; 2],
        more: impl FnOnce() -> (Map<String, Value>, Option<Value>),
    ) {
        let inner = &*self.0;
        let (session, draw) = match session::current() {
            Some(session) => (session.clone(), session.draw),
            None => {
                let session = Session::fresh(&*inner.random);
                let draw = session.draw;
                (session, draw)
            }
        };
        if !inner.sampling.keeps(level, names, draw) {
            return;
        }
        let (own, error) = more();
        let mut attributes = session.attributes.as_ref().clone();
        attributes.extend(own);
        let key = inner.key.get();
        let envelope = Arc::new(Envelope {
            name: names[0].to_owned(),
            time: at,
            level,
            service: inner.service.clone(),
            environment: inner.environment.clone(),
            version: inner.version.clone(),
            session_id: session.id.as_ref().to_owned(),
            attributes: inner.rules.redact(attributes, key),
            error: error.map(|error| inner.rules.redact_under("error", error, key)),
        });
        for pump in &inner.pumps {
            pump.push(envelope.clone());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.pumps.iter().for_each(|pump| pump.close());
    }
}
