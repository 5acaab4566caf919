//! The Connectors Service's API, at `/v1`: snake_case, its own envelopes and words.

pub(crate) mod catalog;
pub(crate) mod connector;
mod shown;

use tieline::{Code, Error, Result, limits::MAX_NAME_CHARS, store::HealthState};

/// The states of a connector, and which connections have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "S003Status")]
pub(crate) enum Status {
    /// It works.
    Active,
    /// It is switched off.
    Inactive,
    /// It does not work; `metadata.error_message` says why.
    Error,
    /// Its records are being pulled.
    Syncing,
    /// It was not tested since its configuration changed.
    Testing,
}

impl Status {
    const WORDS: [(&'static str, Self); 5] = [
        ("active", Self::Active),
        ("inactive", Self::Inactive),
        ("error", Self::Error),
        ("syncing", Self::Syncing),
        ("testing", Self::Testing),
    ];

    /// The state with this name.
    fn named(word: &str) -> Result<Self> {
        let known = Self::WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, status)| *status).ok_or_else(|| invalid_status(word))
    }

    /// Whether connections in this state are switched on, and which health they have. Nothing pulls records of
    /// connections yet, so none is in the middle of it.
    fn held(self) -> Option<(bool, Vec<HealthState>)> {
        match self {
            Self::Active => Some((true, vec![HealthState::Healthy])),
            Self::Inactive => Some((false, Vec::new())),
            Self::Error => Some((true, vec![HealthState::Failing, HealthState::NeedsReauth])),
            Self::Testing => Some((true, vec![HealthState::Untested])),
            Self::Syncing => None,
        }
    }
}

impl From<tieline::connection::Status> for Status {
    fn from(status: tieline::connection::Status) -> Self {
        use tieline::connection::Status as Ours;
        match status {
            Ours::Inactive => Self::Inactive,
            Ours::Testing => Self::Testing,
            Ours::Active => Self::Active,
            // Its owner has to sign in again, which is what the error message says.
            Ours::Error | Ours::NeedsReauth => Self::Error,
        }
    }
}

fn invalid_status(word: &str) -> Error {
    let shown: String = word.chars().take(MAX_NAME_CHARS).collect();
    Error::new(Code::StatusInvalid, format!("Invalid status: {shown}"))
}
