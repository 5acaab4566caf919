//! What all routes share.

pub(crate) mod life;
mod patient;
pub(crate) mod runs;
mod serve;
mod tasks;

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use tieline::{
    Connectors, Error, Result,
    clock::{Random, SystemRandom},
    egress::Network,
    id::TenantId,
    setup::SetupLink,
    shares::Shares,
};

pub use self::serve::serve;
pub(crate) use self::serve::serve_hurried;
use self::{life::Life, runs::Runs, tasks::Tasks};
use crate::{
    api::health::Ready,
    cors::{Cors, Origin},
    local::LocalKey,
    metrics::Metrics,
    openapi,
    router::{self, METRICS},
    site::Site,
    source::Sources,
};

/// What all routes share. Clones share one state.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// The state behind an [`App`].
#[derive(Clone)]
pub struct Shared {
    /// The library.
    pub connectors: Connectors,
    /// The API description, as it is sent.
    pub(crate) openapi: Bytes,
    /// The same for people, once somebody asked for it.
    manual: OnceLock<Bytes>,
    pub(crate) local: Option<Arc<LocalKey>>,
    pub(crate) cors: Cors,
    pub(crate) ready: Arc<Ready>,
    pub(crate) metrics: Arc<Metrics>,
    open_metrics: bool,
    /// Where we are reached.
    pub(crate) site: Site,
    /// The link for the first person, while there is none.
    pub(crate) setup: Option<SetupLink>,
    /// The bytes of requests and answers that may be in memory at once: the library's, whose upstreams draw from it too.
    pub(crate) memory: Shares<TenantId>,
    /// Whether requests are taken; routes that tell of it ask [`App::is_draining`].
    pub(crate) life: Arc<Life>,
    /// Requests that are run to their end even when their caller is gone.
    pub(crate) runs: Arc<Runs>,
    /// Where requests come from.
    pub(crate) sources: Arc<Sources>,
    /// Connections with whoever asks.
    conversations: Arc<Tasks>,
    random: Arc<dyn Random>,
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// The routes of this library.
    pub fn new(connectors: Connectors) -> Self {
        Self(Arc::new(Shared {
            openapi: openapi::document(&router::routes()).to_string().into(),
            manual: OnceLock::new(),
            local: None,
            site: Site::default(),
            setup: None,
            cors: Cors::default(),
            ready: Arc::default(),
            metrics: Arc::new(Metrics::new(connectors.clock().now())),
            open_metrics: false,
            memory: connectors.memory().clone(),
            connectors,
            life: Arc::new(Life::new()),
            runs: Arc::new(Runs::new()),
            sources: Arc::default(),
            conversations: Arc::new(Tasks::new()),
            random: Arc::new(SystemRandom),
        }))
    }

    /// Lets this machine's command line in with a key that no database knows.
    #[must_use]
    pub fn with_local_key(self, key: LocalKey) -> Self {
        Self(Arc::new(Shared {
            local: Some(Arc::new(key)),
            ..Arc::unwrap_or_clone(self.0)
        }))
    }

    /// Lets pages of these origins read our answers.
    #[must_use]
    pub fn with_cors(self, origins: &[Origin]) -> Self {
        Self(Arc::new(Shared {
            cors: Cors::new(origins),
            ..Arc::unwrap_or_clone(self.0)
        }))
    }

    /// Tells where the server is reached; without it no browser may change anything.
    #[must_use]
    pub fn at(self, site: Site) -> Self {
        Self(Arc::new(Shared {
            site,
            ..Arc::unwrap_or_clone(self.0)
        }))
    }

    /// Believes proxies in these networks whom they pass on.
    #[must_use]
    pub fn behind(self, proxies: Vec<Network>) -> Self {
        Self(Arc::new(Shared {
            sources: Arc::new(Sources::behind(proxies)),
            ..Arc::unwrap_or_clone(self.0)
        }))
    }

    /// Lets everyone read the numbers under `/metrics`.
    #[must_use]
    pub fn with_open_metrics(self) -> Self {
        Self(Arc::new(Shared {
            open_metrics: true,
            ..Arc::unwrap_or_clone(self.0)
        }))
    }

    /// Lets the first person in by this link.
    #[must_use]
    pub fn with_setup(self, link: SetupLink) -> Self {
        Self(Arc::new(Shared {
            setup: Some(link),
            ..Arc::unwrap_or_clone(self.0)
        }))
    }

    /// All routes as one service: what [`serve`] listens with, and what answers without listening.
    pub fn router(&self) -> axum::Router {
        let routes = router::routes().into_iter();
        let routes = routes.map(|route| {
            if self.open_metrics {
                route.opened_to_all(METRICS)
            } else {
                route
            }
        });
        router::build(self.clone(), routes.collect())
    }

    /// The API description as a page.
    pub(crate) fn manual(&self) -> Result<Bytes> {
        if let Some(written) = self.manual.get() {
            return Ok(written.clone());
        }
        let document = serde_json::from_slice(&self.openapi);
        let document = document.map_err(|error| Error::internal("the API description does not parse", error))?;
        let page = openapi::manual(&document).document().into();
        Ok(self.manual.get_or_init(|| page).clone())
    }

    /// Whether the server was asked to stop: open requests end, and it is not ready for others.
    pub fn is_draining(&self) -> bool {
        self.life.is_draining()
    }

    /// A name for one request, in answer and log.
    pub(crate) fn request_id(&self) -> Result<RequestId> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes)?;
        Ok(RequestId::of(bytes))
    }
}

/// The name of a request: 32 hexadecimal digits.
#[derive(Clone, Copy)]
pub(crate) struct RequestId([u8; 32]);

impl RequestId {
    /// What stands where there was no randomness for a name.
    pub(crate) const NONE: Self = Self([b'0'; 32]);

    fn of(bytes: [u8; 16]) -> Self {
        let digit = |place: usize| {
            let half = bytes[place / 2] >> (4 * (1 - place % 2)) & 15;
            b"0123456789abcdef"[usize::from(half)]
        };
        Self(std::array::from_fn(digit))
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are UTF-8")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_all_of_its_bytes() {
        let bytes = std::array::from_fn(|place| (place as u8).wrapping_mul(17).wrapping_add(1));
        let expected = format!("{:032x}", u128::from_be_bytes(bytes));
        assert_eq!(RequestId::of(bytes).as_str(), expected);
    }
}
