//! Time and randomness, as traits so that tests own both.

use std::sync::Mutex;

pub use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::error::{Error, Result};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// Gives unpredictable bytes.
pub trait Random: Send + Sync + 'static {
    /// Fills the buffer from a cryptographically secure source.
    fn fill(&self, buffer: &mut [u8]) -> Result<()>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine for the time"
    )]
    fn now(&self) -> Timestamp {
        // Stores keep microseconds: a finer time would differ from itself once read back.
        let now = Timestamp::now();
        now.round(jiff::Unit::Microsecond).unwrap_or(now)
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        aws_lc_rs::rand::fill(buffer)
            .map_err(|error| Error::internal("the operating system gave no randomness", error.to_string()))
    }
}

/// How JSON holds a [`Timestamp`], for schemas: `#[schemars(with = "Rfc3339")]`.
pub struct Rfc3339;

impl schemars::JsonSchema for Rfc3339 {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time", "examples": ["2026-01-31T09:30:00Z"] })
    }
}

/// A clock that a test moves by hand.
#[derive(Debug)]
pub struct TestClock(Mutex<Timestamp>);

impl TestClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves the clock.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().expect("no panic while holding the test clock");
        *now += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no panic while holding the test clock")
    }
}
