//! Our own words, as databases keep them.

use tieline::{
    Environment,
    connection::SyncFrequency,
    membership::Role,
    store::{CallKind, HealthState, TestCause},
};

/// One of a few, kept by its name.
pub(crate) trait Word: Copy {
    /// Its name.
    fn name(self) -> &'static str;

    /// The one of this name.
    fn named(name: &str) -> Option<Self>;
}

impl Word for CallKind {
    fn name(self) -> &'static str {
        self.as_str()
    }

    fn named(name: &str) -> Option<Self> {
        Self::named(name)
    }
}

impl Word for TestCause {
    fn name(self) -> &'static str {
        self.as_str()
    }

    fn named(name: &str) -> Option<Self> {
        Self::named(name)
    }
}

impl Word for Role {
    fn name(self) -> &'static str {
        self.as_str()
    }

    fn named(name: &str) -> Option<Self> {
        Self::named(name)
    }
}

impl Word for Environment {
    fn name(self) -> &'static str {
        self.as_str()
    }

    fn named(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

impl Word for SyncFrequency {
    fn name(self) -> &'static str {
        self.as_str()
    }

    fn named(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

const STATES: [HealthState; 4] = [
    HealthState::Untested,
    HealthState::Healthy,
    HealthState::Failing,
    HealthState::NeedsReauth,
];

impl Word for HealthState {
    fn name(self) -> &'static str {
        match self {
            Self::Untested => "untested",
            Self::Healthy => "healthy",
            Self::Failing => "failing",
            Self::NeedsReauth => "needs_reauth",
        }
    }

    fn named(name: &str) -> Option<Self> {
        STATES.into_iter().find(|state| state.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returns<W: Word + PartialEq + std::fmt::Debug>(words: &[W]) {
        for word in words {
            assert_eq!(W::named(word.name()), Some(*word));
        }
        assert_eq!(W::named("no such word"), None);
    }

    #[test]
    fn every_word_comes_back() {
        returns(CallKind::ALL);
        returns(TestCause::ALL);
        returns(&STATES);
        returns(&SyncFrequency::ALL);
        returns(&[Role::Viewer, Role::Editor, Role::Admin, Role::Owner]);
        returns(&[Environment::Development, Environment::Staging, Environment::Production]);
    }
}
