//! Whether the server takes requests, lets the open ones end, or has no more time for them.

use tieline::{Code, Error};
use tokio::sync::watch;

/// The life of a server, from one state to the next and never back.
pub(crate) struct Life(watch::Sender<State>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Serving,
    /// Open requests may end; new ones should go elsewhere.
    Draining,
    /// Open requests are cut.
    Ending,
}

impl Life {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(State::Serving))
    }

    pub(super) fn drain(&self) {
        self.move_to(State::Draining);
    }

    pub(super) fn end(&self) {
        self.move_to(State::Ending);
    }

    fn move_to(&self, next: State) {
        self.0.send_if_modified(|state| {
            let moves = *state < next;
            *state = next.max(*state);
            moves
        });
    }

    /// Whether the server was asked to stop: it is ready for nothing new.
    pub(crate) fn is_draining(&self) -> bool {
        *self.0.borrow() >= State::Draining
    }

    /// How many wait for the end.
    #[cfg(test)]
    pub(super) fn watchers(&self) -> usize {
        self.0.receiver_count()
    }

    /// Over when open requests have to end.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + use<> {
        let mut state = self.0.subscribe();
        async move {
            if state.wait_for(|state| *state == State::Ending).await.is_err() {
                // Nobody is there any more to end anything.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// What is told to whoever is cut.
pub(crate) fn cut() -> Error {
    let detail = "The server is stopping and could not wait for the end of this request. What it did until then may have \
        taken effect: look before you repeat it.";
    Error::new(Code::ServerStopping, detail)
}
