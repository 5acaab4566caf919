//! An action that runs, for those who hear of it.

use std::sync::Arc;

use tokio::time::Instant;

use super::{EventKind, Events, Happened, heed::is_within};
use crate::{
    admit::Admitted,
    audit::Actor,
    call::{Call, Via},
    connectors::Connectors,
    error::Error,
};

/// Tells that an action started, and how it ended; of one that was dropped before its end, that it failed.
pub(crate) struct Running {
    events: Arc<Events>,
    about: Happened,
    began: Instant,
    /// Whether nobody further out tells of its error.
    outermost: bool,
    over: bool,
}

impl Connectors {
    /// Begins to tell of a call; nothing when nobody listens.
    pub(crate) fn running(&self, by: &Actor, call: &Call) -> Option<Running> {
        let events = &self.inner.events;
        let kinds = [
            EventKind::ActionStarted,
            EventKind::ActionCompleted,
            EventKind::ActionFailed,
            EventKind::ErrorOccurred,
        ];
        if !events.wants_any(kinds) {
            return None;
        }
        let mut about = Happened::to(by.tenant).operation("call").action(&call.action);
        about.connector.clone_from(&call.connector);
        match &call.via {
            Via::Connection(id) => about.connection = Some(*id),
            Via::Named { scope, .. } => about.scope = Some(scope.clone()),
            Via::Inline { .. } | Via::Credential { .. } | Via::Default | Via::Nothing => {}
        }
        Some(Running {
            events: events.clone(),
            about,
            began: Instant::now(),
            outermost: !is_within(),
            over: false,
        })
    }
}

impl Running {
    /// It was admitted: now it is known whose it is.
    pub(crate) fn admitted(&mut self, admitted: &Admitted) {
        self.about.connector = Some(admitted.connector.id().to_owned());
        self.about.call = Some(admitted.call);
        if let Some(opened) = &admitted.opened {
            self.about.connection = opened.id;
            if opened.scope.is_some() {
                self.about.scope.clone_from(&opened.scope);
            }
        }
    }

    /// Its input is in order, and its work begins.
    pub(crate) fn started(&self) {
        self.events.tell(EventKind::ActionStarted, || self.about.clone());
    }

    /// It is over.
    pub(crate) fn ended(mut self, error: Option<&Error>) {
        self.over = true;
        let about = self.about.clone().took(self.began.elapsed());
        let Some(error) = error else {
            return self.events.tell(EventKind::ActionCompleted, || about);
        };
        let about = about.failed(error);
        self.events.tell(EventKind::ActionFailed, || about.clone());
        if self.outermost {
            self.events.tell(EventKind::ErrorOccurred, || about);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            let about = self.about.clone().took(self.began.elapsed());
            self.events.tell(EventKind::ActionFailed, || about.cancelled());
        }
    }
}
