//! Errors that leave the library: each is told once, whatever it passed on its way.

use std::pin::pin;

use super::{EventKind, Happened};
use crate::{connectors::Connectors, error::Result, id::TenantId};

tokio::task_local! {
    /// Set while an operation runs whose error will be told: what it calls does not tell it too.
    static WITHIN: ();
    /// Set while a listener hears of something: an error of its own making is an echo.
    static HEARING: ();
}

/// Whether what happens now happens inside a listener.
pub(super) fn is_echo() -> bool {
    HEARING.try_with(|()| ()).is_ok()
}

/// Runs a listener. Errors of the operations that it calls are told as echoes; while it hears an echo, not at all: so a
/// listener of errors that fails itself comes to an end.
pub(super) async fn hearing<T>(echo: bool, work: impl Future<Output = T>) -> T {
    let work = pin!(work);
    match echo {
        true => WITHIN.scope((), work).await,
        false => HEARING.scope((), work).await,
    }
}

/// Whether somebody further out tells of errors.
pub(crate) fn is_within() -> bool {
    WITHIN.try_with(|()| ()).is_ok()
}

/// Runs what tells of its error itself, where `told` says so.
pub(crate) async fn within<T>(told: bool, work: impl Future<Output = T>) -> T {
    let work = pin!(work);
    match told {
        true => WITHIN.scope((), work).await,
        false => work.await,
    }
}

impl Connectors {
    /// What to say if an operation fails; nothing when nobody listens, or somebody further out says it.
    pub(crate) fn about(
        &self,
        tenant: TenantId,
        operation: &'static str,
        more: impl FnOnce(Happened) -> Happened,
    ) -> Option<Happened> {
        let is_wanted = self.inner.events.wants(EventKind::ErrorOccurred) && !is_within();
        is_wanted.then(|| more(Happened::to(tenant).operation(operation)))
    }

    /// Carries out an operation, and tells of the error that it ends with.
    pub(crate) async fn heed<T>(&self, about: Option<Happened>, work: impl Future<Output = Result<T>>) -> Result<T> {
        let result = within(about.is_some(), work).await;
        self.heeded(about, result)
    }

    /// Tells of the error in a result.
    pub(crate) fn heeded<T>(&self, about: Option<Happened>, result: Result<T>) -> Result<T> {
        if let (Some(about), Err(error)) = (about, &result) {
            self.inner.events.tell(EventKind::ErrorOccurred, || about.failed(error));
        }
        result
    }
}
