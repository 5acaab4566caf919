//! What a transport is handed.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{clock::Timestamp, event::EventKind};

/// How much something matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// What happens all the time.
    Info,
    /// What should not happen often.
    Warn,
    /// What failed.
    Error,
}

impl Level {
    /// The level of an event: an error where something failed, and else information.
    pub const fn of(kind: EventKind) -> Self {
        if kind.is_failure() { Self::Error } else { Self::Info }
    }

    /// The level in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Something that happened, redacted and ready to leave.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Envelope {
    /// Its public dotted name.
    pub name: String,
    /// When it happened.
    pub time: Timestamp,
    /// How much it matters.
    pub level: Level,
    /// Whose it is.
    pub service: String,
    /// Where that runs.
    pub environment: String,
    /// Which version of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it belongs to: that of a session, or one of its own.
    pub session_id: String,
    /// More, under dotted keys.
    pub attributes: Map<String, Value>,
    /// Why it failed: `code` and `message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
}
