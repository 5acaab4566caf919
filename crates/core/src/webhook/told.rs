//! What is told of a webhook: that it was received, and how it ended.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use http::request::Parts;
use tokio::time::Instant;

use crate::{
    connectors::Connectors,
    error::Error,
    event::{EventKind, Events, Facts, Happened, is_within, without_token},
    store::ConnectionRow,
};

/// How far a webhook has come.
#[derive(Default)]
pub(super) struct Progress {
    /// It has the means to prove where it comes from: from here on it is noted with its connection.
    proving: AtomicBool,
    /// Whether its signature was checked, and good.
    verified: OnceLock<bool>,
    /// It is the program's own work from here on.
    handling: AtomicBool,
}

impl Progress {
    pub(super) fn proves(&self) {
        self.proving.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_noted(&self) -> bool {
        self.proving.load(Ordering::Relaxed)
    }

    pub(super) fn is_verified(&self, verified: bool) {
        let _ = self.verified.set(verified);
    }

    pub(super) fn handles(&self) {
        self.handling.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_handled(&self) -> bool {
        self.handling.load(Ordering::Relaxed)
    }
}

/// Tells of one webhook that came to a connection's address. Strangers are not told of.
pub(super) struct Telling {
    events: Arc<Events>,
    about: Happened,
    method: String,
    path: String,
    began: Instant,
    /// Whether nobody further out tells of its error.
    pub(super) outermost: bool,
    pub(super) progress: Arc<Progress>,
}

impl Connectors {
    pub(super) fn telling(&self, row: &ConnectionRow, head: &Parts) -> Arc<Telling> {
        let about = Happened::to(row.tenant).operation("webhook");
        Arc::new(Telling {
            events: self.inner.events.clone(),
            about: about.connector(&row.connector).scope(&row.scope).connection(row.id),
            method: head.method.to_string(),
            path: without_token(head.uri.path()),
            began: Instant::now(),
            outermost: !is_within(),
            progress: Arc::default(),
        })
    }
}

impl Telling {
    fn about(&self) -> Happened {
        self.about.clone().facts(Facts::Webhook {
            method: self.method.clone(),
            path: self.path.clone(),
            verified: self.progress.verified.get().copied(),
        })
    }

    /// It is whole and in order, and its handler begins.
    pub(super) fn received(&self) {
        self.events.tell(EventKind::WebhookReceived, || self.about());
    }

    /// It is over.
    pub(super) fn ended(&self, error: Option<&Error>) {
        let about = || self.about().took(self.began.elapsed());
        let Some(error) = error else {
            return self.events.tell(EventKind::WebhookProcessed, about);
        };
        self.events.tell(EventKind::WebhookFailed, || about().failed(error));
        if self.outermost {
            self.events.tell(EventKind::ErrorOccurred, || about().failed(error));
        }
    }
}
