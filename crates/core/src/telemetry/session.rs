//! Sessions: what belongs together, such as all that one request of the program brings about.

use std::{fmt::Write as _, sync::Arc};

use serde_json::{Map, Value};

use super::sampling::Draw;
use crate::clock::Random;

tokio::task_local! {
    static CURRENT: Session;
}

/// What all that happens in a session shares.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(super) id: Arc<str>,
    pub(super) attributes: Arc<Map<String, Value>>,
    pub(super) draw: Draw,
}

impl Session {
    /// One of its own, for what happens in none.
    pub(super) fn fresh(random: &dyn Random) -> Self {
        let mut bytes = [0; 24];
        if let Err(error) = random.fill(&mut bytes) {
            tracing::warn!(?error, "a telemetry session has no random identifier");
        }
        let (id, draw) = bytes.split_at(16);
        let mut text = String::with_capacity(32);
        id.iter()
            .for_each(|byte| write!(text, "{byte:02x}").expect("text takes all"));
        // 53 bits are what a number of this kind holds.
        let draw = draw.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) >> 11;
        Self {
            id: text.into(),
            attributes: Arc::default(),
            draw: draw as f64 / (1_u64 << 53) as f64,
        }
    }
}

/// The session of the task that asks, if it runs in one.
pub(crate) fn current() -> Option<Session> {
    CURRENT.try_with(Session::clone).ok()
}

/// Runs work in a session that another task was in.
pub(crate) async fn run_in<T>(session: Option<Session>, work: impl Future<Output = T>) -> T {
    let work = std::pin::pin!(work);
    match session {
        Some(session) => CURRENT.scope(session, work).await,
        None => work.await,
    }
}

/// A session about to be run.
#[must_use = "a session is of use while its work runs"]
pub struct SessionBuilder {
    session: Session,
    attributes: Map<String, Value>,
}

impl SessionBuilder {
    pub(super) fn new(random: &dyn Random) -> Self {
        Self {
            session: Session::fresh(random),
            attributes: Map::new(),
        }
    }

    /// Names it; 32 random hexadecimal digits, unless given. A name of that form is also the trace that a collector shows.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.session.id = id.into().into();
        self
    }

    /// The identifier.
    pub fn session_id(&self) -> &str {
        &self.session.id
    }

    /// Adds an attribute to all that happens in it. An event's own attribute of this name goes over it.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Runs work in it. What the library begins on its own, and handlers and hooks, are in it too; tasks that the work
    /// spawns itself are not.
    pub async fn run<T>(self, work: impl Future<Output = T>) -> T {
        let session = Session {
            attributes: Arc::new(self.attributes),
            ..self.session
        };
        run_in(Some(session), work).await
    }
}
