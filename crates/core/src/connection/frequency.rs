//! How often a connection's records are wanted.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How often somebody wants the records of a connection pulled. A wish that is kept with the connection: its syncs begin
/// with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum SyncFrequency {
    /// As soon as something happens.
    Realtime,
    /// Every hour.
    Hourly,
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// When somebody asks.
    #[default]
    Manual,
}

impl SyncFrequency {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Realtime, Self::Hourly, Self::Daily, Self::Weekly, Self::Manual];

    /// The word for it, on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Manual => "manual",
        }
    }
}

impl fmt::Display for SyncFrequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SyncFrequency {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == text);
        known.ok_or_else(|| Error::internal("a stored connection has an unknown sync frequency", text.to_owned()))
    }
}
