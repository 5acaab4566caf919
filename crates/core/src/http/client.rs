//! Sending one request: pooled connections, and a limit on every wait.
//!
//! Redirects are answers like any other: nothing is followed, no cookie is kept, no proxy is taken from the
//! environment.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::{self, BoxFuture};
use http::{HeaderMap, Method, Request, Response, Uri, uri::PathAndQuery};
use hyper_util::{
    client::legacy::{
        Client as Pool,
        connect::{CaptureConnection, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::ClientConfig;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    body::{IncomingBody, OutgoingBody, guard, watch_progress},
    connect::Connector,
    failure::{failed, head_too_large, never_sent, timed_out, too_many_provisional},
    fill::wiped,
    loops::LoopMark,
    timeouts::{Allotted, Timeouts, no_first_byte},
    tls::TlsRoots,
};
use crate::{
    egress::{Egress, Target},
    error::{Code, Error, Result},
    id::TenantId,
    limits,
};

/// Sends requests. [`Client`] does it for real; tests may script it.
pub trait Outbound: Send + Sync {
    /// Sends one request and waits for the head of its answer, whatever its status.
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Response<IncomingBody>>>;
}

/// A request with its secrets filled in.
pub struct Outgoing {
    /// For whom: connections are never shared between tenants.
    pub tenant: TenantId,
    /// Where to.
    pub target: Target,
    /// The method.
    pub method: Method,
    /// The headers. `host` and the framing are added.
    pub headers: HeaderMap,
    /// The body, whole or as a stream.
    pub body: OutgoingBody,
    /// When the head of the answer must be there at the latest.
    pub deadline: Instant,
    /// How long the call may take in all.
    pub allotted: Allotted,
    /// How the request may be shown in errors: method and URL without secrets.
    pub shown: String,
}

/// The HTTP client.
pub struct Client {
    egress: Arc<Egress>,
    tls: Arc<ClientConfig>,
    mark: Option<LoopMark>,
    timeouts: Timeouts,
    pools: Mutex<Pools>,
}

impl Client {
    /// A client whose connections this judge makes, trusting the system's roots and these.
    pub fn new(egress: Arc<Egress>, roots: &TlsRoots) -> Result<Self> {
        let mut tls = roots.client_config()?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            egress,
            tls: Arc::new(tls),
            mark: None,
            timeouts: Timeouts::default(),
            pools: Mutex::new(Pools::default()),
        })
    }

    /// The same trust, for protocols that are not HTTP and so must not say that they are (ALPN).
    pub(crate) fn trust(&self) -> Arc<ClientConfig> {
        let mut tls = (*self.tls).clone();
        tls.alpn_protocols.clear();
        Arc::new(tls)
    }

    /// The same client, every request of which carries this mark.
    #[must_use]
    pub fn marked(mut self, mark: LoopMark) -> Self {
        self.mark = Some(mark);
        self
    }

    /// The same client with other limits on its waits.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    fn pool(&self, tenant: TenantId) -> TenantPool {
        // Nothing panics while the lock is held, and the map is whole at any time.
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.get(tenant, || {
            Pool::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(limits::IDLE_CONNECTION)
                .pool_max_idle_per_host(limits::IDLE_PER_HOST)
                .http1_max_buf_size(limits::ANSWER_HEAD_BYTES)
                .build(Connector {
                    egress: Arc::clone(&self.egress),
                    tls: Arc::clone(&self.tls),
                    tenant,
                    within: self.timeouts.connect,
                })
        })
    }

    async fn send_one(&self, outgoing: Outgoing) -> Result<Response<IncomingBody>> {
        let idle = self.timeouts.idle;
        let first_byte = outgoing.allotted.first_byte(self.timeouts.first_byte);
        let shown = outgoing.shown;
        let (body, progress) = watch_progress(outgoing.body);
        let mut request = Request::new(body);
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = uri(&outgoing.target)?;
        *request.headers_mut() = outgoing.headers;
        if let Some(mark) = &self.mark {
            mark.put_on(request.headers_mut());
        }
        let mut connection = capture_connection(&mut request);
        let flooded = watch_provisional(&mut request);

        let head = tokio::select! {
            // In order: a flood counts even if an answer followed it; an answer that is there counts, however late.
            biased;
            () = flooded.notified() => Err(too_many_provisional(&shown)),
            answer = self.pool(outgoing.tenant).request(request) => answer.map_err(|error| failed(&error, &shown)),
            () = overdue(connected(&mut connection), progress, first_byte) => Err(timed_out(&shown, &no_first_byte(first_byte))),
            () = sleep_until(outgoing.deadline) => Err(match connection.connection_metadata().is_some() {
                true => timed_out(&shown, &outgoing.allotted.passed()),
                false => never_sent(&shown, &outgoing.allotted.passed()),
            }),
        };
        let connected = connection.connection_metadata().is_some();
        match head {
            Ok(answer) if head_bytes(answer.headers()) > limits::ANSWER_HEAD_BYTES => Err(head_too_large(&shown)),
            Ok(answer) => Ok(answer.map(|body| guard(body, idle, shown))),
            Err(error) if connected => Err(error),
            Err(error) => Err(error.before_sending()),
        }
    }
}

impl Outbound for Client {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Response<IncomingBody>>> {
        Box::pin(self.send_one(outgoing))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("egress", &self.egress)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("tenant", &self.tenant)
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}

type TenantPool = Pool<Connector, OutgoingBody>;

/// The connections of each tenant.
#[derive(Default)]
struct Pools {
    by_tenant: HashMap<TenantId, (TenantPool, u64)>,
    uses: u64,
}

impl Pools {
    fn get(&mut self, tenant: TenantId, make: impl FnOnce() -> TenantPool) -> TenantPool {
        self.uses += 1;
        if let Some((pool, used)) = self.by_tenant.get_mut(&tenant) {
            *used = self.uses;
            return pool.clone();
        }
        if self.by_tenant.len() >= limits::TENANT_POOLS {
            let oldest = self.by_tenant.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(tenant, _)| *tenant) {
                self.by_tenant.remove(&oldest);
            }
        }
        let pool = make();
        self.by_tenant.insert(tenant, (pool.clone(), self.uses));
        pool
    }
}

/// The target in hyper's form. Path and query are apart from the authority, which outlives the request in the pool.
fn uri(target: &Target) -> Result<Uri> {
    let unsendable = || {
        Error::new(
            Code::EgressForbidden,
            "The URL holds characters that cannot be sent. Percent-encode them.",
        )
        .before_sending()
    };
    let path = PathAndQuery::from_maybe_shared(wiped(target.path_and_query().clone())).map_err(|_| unsendable())?;
    Uri::builder()
        .scheme(if target.is_https() { "https" } else { "http" })
        .authority(target.authority())
        .path_and_query(path)
        .build()
        .map_err(|_| unsendable())
}

/// Tells when more provisional answers came than we accept.
fn watch_provisional(request: &mut Request<OutgoingBody>) -> Arc<Notify> {
    let flooded = Arc::new(Notify::new());
    let seen = AtomicUsize::new(0);
    let notify = Arc::clone(&flooded);
    hyper::ext::on_informational(request, move |_| {
        if seen.fetch_add(1, Ordering::Relaxed) == limits::PROVISIONAL_ANSWERS {
            notify.notify_one();
        }
    });
    flooded
}

/// Whether the request has its connection. If it never gets one, the request itself will say why.
async fn connected(connection: &mut CaptureConnection) -> bool {
    connection.wait_for_connection_metadata().await.is_some()
}

/// Ends when the answer is overdue: counted from the connection, and anew from every piece of an upload.
async fn overdue(connected: impl Future<Output = bool>, progress: Option<watch::Receiver<()>>, limit: Duration) {
    if !connected.await {
        return future::pending().await;
    }
    if let Some(mut progress) = progress {
        // Ends with the last piece, or with one that does not move on.
        while let Ok(Ok(())) = timeout(limit, progress.changed()).await {}
        if progress.has_changed().is_ok() {
            return;
        }
    }
    sleep(limit).await;
}

/// The size of a head as it was on the wire. hyper's own bound is on its buffer, which may hold twice as much.
fn head_bytes(headers: &HeaderMap) -> usize {
    const COLON_SPACE_AND_LINE_END: usize = 4;
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + COLON_SPACE_AND_LINE_END)
        .sum()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::egress::{EgressPolicy, SystemResolver};

    #[tokio::test]
    async fn t7_pools_are_per_tenant_and_bounded() {
        let egress = Arc::new(Egress::new(EgressPolicy::default(), Arc::new(SystemResolver)));
        let client = Client::new(egress, &TlsRoots::default()).unwrap();
        let tenant = |number: usize| TenantId::from_bytes((number as u128).to_be_bytes());
        for number in 0..limits::TENANT_POOLS {
            client.pool(tenant(number));
        }
        // Tenant 0 was used again, so tenant 1 is the one that gives way.
        client.pool(tenant(0));
        client.pool(tenant(limits::TENANT_POOLS));
        let pools = client.pools.lock().unwrap();
        assert_eq!(pools.by_tenant.len(), limits::TENANT_POOLS);
        assert!(pools.by_tenant.contains_key(&tenant(0)));
        assert!(!pools.by_tenant.contains_key(&tenant(1)));
    }
    #[tokio::test(start_paused = true)]
    async fn l1_an_upload_that_moves_is_not_overdue() {
        let limit = limits::FIRST_BYTE;
        let (moved, progress) = watch::channel(());
        let mut wait = std::pin::pin!(overdue(future::ready(true), Some(progress), limit));
        for _ in 0..10 {
            assert!(wait.as_mut().now_or_never().is_none());
            tokio::time::advance(limit * 2 / 3).await;
            moved.send_replace(());
        }
        // From the last piece on, the head of the answer has its full time.
        assert!(wait.as_mut().now_or_never().is_none());
        drop(moved);
        assert!(wait.as_mut().now_or_never().is_none());
        tokio::time::advance(limit * 2 / 3).await;
        assert!(wait.as_mut().now_or_never().is_none());
        tokio::time::advance(limit).await;
        assert!(wait.as_mut().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn l1_an_upload_that_stands_still_is_overdue() {
        let (_moved, progress) = watch::channel(());
        let mut wait = std::pin::pin!(overdue(future::ready(true), Some(progress), limits::FIRST_BYTE));
        assert!(wait.as_mut().now_or_never().is_none());
        tokio::time::advance(limits::FIRST_BYTE * 2).await;
        assert!(wait.as_mut().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_connection_nothing_is_overdue() {
        let mut wait = std::pin::pin!(overdue(future::ready(false), None, limits::FIRST_BYTE));
        tokio::time::advance(limits::FIRST_BYTE * 2).await;
        assert!(wait.as_mut().now_or_never().is_none());
    }
}
