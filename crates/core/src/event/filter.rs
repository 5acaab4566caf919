//! Which events a listener wants.

use super::EventKind;
use crate::error::{Code, Error, Result};

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventFilter(u64);

impl Default for EventFilter {
    /// Every kind but the operations of the store, of which each call may have several.
    fn default() -> Self {
        Self::of(EventKind::ALL.iter().copied().filter(|kind| !kind.is_adapter()))
    }
}

impl EventFilter {
    /// No kind.
    pub(crate) const NOTHING: Self = Self(0);

    /// Every kind, those of the store's operations too.
    pub fn everything() -> Self {
        Self::of(EventKind::ALL.iter().copied())
    }

    /// These kinds.
    pub fn of(kinds: impl IntoIterator<Item = EventKind>) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | kind.bit()))
    }

    /// The kinds with this name: dotted (`action.failed`), a whole group (`action.*`), or as programs written for the
    /// documents' library spell it (`connected`, `action`, `oauth:completed`, `error`).
    ///
    /// # Errors
    /// `REQUEST_INVALID` for a name that no kind has.
    pub fn named(name: &str) -> Result<Self> {
        let group = name.strip_suffix(".*");
        let has_it = |kind: &EventKind| {
            kind.as_str() == name || kind.alias() == Some(name) || kind.as_str().split('.').next() == group
        };
        let found = Self::of(EventKind::ALL.iter().copied().filter(has_it));
        if found == Self::NOTHING {
            let detail =
                format!("There is no event `{name}`: names are such as `action.failed`, `connected`, `oauth.*`.");
            return Err(Error::new(Code::RequestInvalid, detail));
        }
        Ok(found)
    }

    /// These kinds and those.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it holds this kind.
    pub fn has(self, kind: EventKind) -> bool {
        self.0 & kind.bit() != 0
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dotted_grouped_or_the_documents_own() {
        let named = |name| EventFilter::named(name).unwrap();
        assert_eq!(named("connected"), EventFilter::of([EventKind::ConnectorConnected]));
        assert_eq!(named("connector.connected"), named("connected"));
        let ended = [EventKind::ActionCompleted, EventKind::ActionFailed];
        assert_eq!(named("action"), EventFilter::of(ended));
        assert_eq!(named("action.*"), named("action").and(named("action.started")));
        assert_eq!(named("oauth:completed"), named("oauth.completed"));
        assert_eq!(named("webhook:received"), named("webhook.received"));
        assert_eq!(named("error"), named("error.occurred"));
        for wrong in ["", "*", ".*", "conect", "action.", "adapter"] {
            assert_eq!(
                EventFilter::named(wrong).unwrap_err().code(),
                Code::RequestInvalid,
                "{wrong}"
            );
        }
    }

    #[test]
    fn the_stores_operations_have_to_be_asked_for() {
        let usual = EventFilter::default();
        assert!(EventKind::ALL.iter().all(|kind| usual.has(*kind) != kind.is_adapter()));
        assert!(EventKind::ALL.iter().all(|kind| EventFilter::everything().has(*kind)));
    }
}
