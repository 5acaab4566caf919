//! What ends a call from outside, and when it makes way for others.

use std::sync::{MutexGuard, PoisonError};

use tokio::time::Instant;

use super::{Admitted, turn::Turn};
use crate::{
    error::{Code, Error, Result},
    http::Allotted,
    tenant::{Gone, cut},
};

/// By when a call ends, whatever its own waits are.
pub(crate) struct Bounds {
    deadline: Instant,
    allotted: Allotted,
    gone: Gone,
}

impl Bounds {
    /// Ends work that does not end by itself.
    pub(crate) async fn hold<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Self {
            deadline,
            allotted,
            gone,
        } = self;
        tokio::select! {
            // What is done counts.
            biased;
            done = work => done,
            () = tokio::time::sleep_until(deadline) => {
                let detail = format!("{} What it did until then may have taken effect.", allotted.passed());
                Err(Error::new(Code::UpstreamTimeout, detail))
            }
            () = gone.wait() => Err(cut()),
        }
    }
}

impl Admitted {
    /// By when it has to end.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            deadline: self.deadline,
            allotted: self.allotted,
            gone: self.gone.clone(),
        }
    }

    /// Over when the tenant is gone.
    pub(crate) fn gone(&self) -> impl Future<Output = ()> + Send + use<> {
        self.gone.clone().wait()
    }

    /// Gives the turn back until then: who sleeps keeps nobody else from calling. Says whether there was one to take
    /// afterwards.
    pub(crate) async fn sleep_until(&self, then: Instant) -> bool {
        drop(self.held_turn().take());
        tokio::time::sleep_until(then).await;
        let turn = self.connectors.inner.turns.take(self.by.tenant).ok();
        let taken = turn.is_some();
        *self.held_turn() = turn;
        taken
    }

    fn held_turn(&self) -> MutexGuard<'_, Option<Turn>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
