//! Whether the server works, and whether it takes requests.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use schemars::JsonSchema;
use serde::Serialize;
use tieline::{Code, Error, connectors::Part, error::Retry};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    app::App,
    limits::{READY_CACHED, READY_STORE_TIMEOUT},
    route::Reply,
};

/// The state of the server.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Health {
    /// `healthy` whenever there is an answer at all.
    status: &'static str,
    /// Which service this is.
    service: &'static str,
    /// Its version.
    version: &'static str,
    /// What it offers.
    features: BTreeMap<&'static str, bool>,
}

/// What there is, and what a client may look for that is not there yet.
const FEATURES: [(&str, bool); 5] = [
    ("actions", true),
    ("encryption", true),
    ("oauth", false),
    ("tenants", true),
    ("testing", true),
];

pub(crate) async fn read() -> tieline::Result<Reply<Health>> {
    Ok(Reply(Health {
        status: "healthy",
        service: "tieline",
        version: env!("CARGO_PKG_VERSION"),
        features: BTreeMap::from(FEATURES),
    }))
}

/// Whether requests can be taken, looked at once a second at most. Who asks meanwhile waits for the same look.
#[derive(Default)]
pub(crate) struct Ready {
    stopping: AtomicBool,
    seen: Mutex<Option<(Instant, Result<(), Part>)>>,
}

impl Ready {
    /// From now on requests belong elsewhere.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    async fn look(&self, app: &App) -> Result<(), Part> {
        let mut seen = self.seen.lock().await;
        if let Some((at, found)) = *seen
            && at.elapsed() < READY_CACHED
        {
            return found;
        }
        let found = app.connectors.ready(READY_STORE_TIMEOUT).await;
        *seen = Some((Instant::now(), found));
        found
    }
}

/// That requests are taken.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TakesRequests {
    /// `ready` whenever there is this answer.
    status: &'static str,
}

pub(crate) async fn ready(app: App) -> tieline::Result<Reply<TakesRequests>> {
    if app.ready.stopping.load(Ordering::Relaxed) {
        return Err(not_ready("This server is stopping: send requests to another one."));
    }
    match app.ready.look(&app).await {
        Ok(()) => Ok(Reply(TakesRequests { status: "ready" })),
        Err(part) => Err(not_ready(&format!("The {part} does not work now. The log says more."))),
    }
}

fn not_ready(detail: &str) -> Error {
    Error::new(Code::NotReady, detail).retry(Retry::After(READY_CACHED))
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, response::Response};
    use http_body_util::BodyExt;
    use tieline::{Connectors, MasterKey, MemoryStore, clock::SystemRandom, store::DataKeyStore};
    use tower::ServiceExt;

    use super::*;

    fn app(store: MemoryStore) -> App {
        let key = MasterKey::generate(&SystemRandom).unwrap();
        App::new(
            Connectors::builder()
                .scope("tenant", tieline::ScopeRule::Optional)
                .connectors([])
                .store(store)
                .key(key)
                .build()
                .unwrap(),
        )
    }

    async fn ask(app: &App) -> Response {
        let request = http::Request::get("/ready").body(Body::empty()).unwrap();
        app.router().oneshot(request).await.unwrap()
    }

    async fn text(response: Response) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn l3_a_flood_of_questions_costs_one_look_a_second() {
        let app = app(MemoryStore::new());
        let before = app.connectors.store().statements();
        for seconds in 1..=3 {
            for _ in 0..100 {
                assert_eq!(ask(&app).await.status(), 200);
            }
            assert_eq!(app.connectors.store().statements() - before, seconds);
            tokio::time::advance(READY_CACHED).await;
        }
    }

    #[tokio::test]
    async fn the_part_that_fails_is_named() {
        let store = MemoryStore::new();
        store.keep_master_fingerprint([7; 32]).await.unwrap();
        let answer = ask(&app(store)).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "1");
        let text = text(answer).await;
        assert!(text.contains("NOT_READY") && text.contains("master key"), "{text}");
    }

    #[tokio::test]
    async fn who_is_stopping_takes_no_more() {
        let app = app(MemoryStore::new());
        assert_eq!(ask(&app).await.status(), 200);
        app.ready.stop();
        let answer = ask(&app).await;
        assert_eq!(answer.status(), 503);
        assert!(text(answer).await.contains("stopping"));
    }
}
