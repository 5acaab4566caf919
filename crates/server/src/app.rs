//! What all routes share, and the serving of it.

pub(crate) mod life;
mod patient;
pub(crate) mod runs;

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    ops::Deref,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tieline::{
    Connectors, Error, Result,
    clock::{Random, SystemRandom},
    id::TenantId,
    setup::SetupLink,
    shares::{Share, Shares},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::ServiceExt;

use self::{life::Life, patient::Patient, runs::Runs};
use crate::{
    api::health::Ready,
    browser::Peer,
    cors::{Cors, Origin},
    limits::{
        ACCEPT_PAUSE, CUT_TIMEOUT, DRAIN_TIMEOUT, HEADER_READ_TIMEOUT, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_SOURCE,
        MAX_HEAD_BYTES, MAX_HEADERS,
    },
    local::LocalKey,
    metrics::Metrics,
    openapi,
    router::{self, METRICS},
    site::Site,
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

/// A place for one connection, given back on drop.
type Seat = (OwnedSemaphorePermit, Share<IpAddr>);

/// Said, if it gets through, to whoever holds too many connections already.
const NO_SEAT: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Serves until `shutdown` is over, then lets open requests end, [`DRAIN_TIMEOUT`] at most. Those that take longer are
/// answered that they are cut.
pub async fn serve(listener: TcpListener, app: App, shutdown: impl Future<Output = ()>) {
    let by_source = Shares::new(MAX_CONNECTIONS, MAX_CONNECTIONS_PER_SOURCE);
    serve_shared(listener, app, shutdown, by_source).await;
}

async fn serve_shared(listener: TcpListener, app: App, shutdown: impl Future<Output = ()>, by_source: Shares<IpAddr>) {
    let router = app.router();
    let graceful = GracefulShutdown::new();
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (stream, from, permit) = accept(&listener, &seats) => {
                take_in((stream, from, permit), &by_source, &router, &graceful);
            }
        }
    }
    app.ready.stop();
    app.life.drain();
    // Who is in the queue has been told by the kernel that they are connected.
    while let Some(connected) = accept(&listener, &seats).now_or_never() {
        take_in(connected, &by_source, &router, &graceful);
    }
    drop(listener);
    let_end(graceful, &app).await;
}

/// Gives a connection its seat, or says that there is none.
fn take_in(
    (stream, from, permit): (TcpStream, SocketAddr, OwnedSemaphorePermit),
    by_source: &Shares<IpAddr>,
    router: &axum::Router,
    graceful: &GracefulShutdown,
) {
    let Some(share) = by_source.take(source(from.ip()), 1) else {
        let _ = stream.try_write(NO_SEAT);
        return;
    };
    // Answers are one write each: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    converse(stream, (permit, share), router.clone(), graceful);
}

/// Lets open requests end, also those whose caller is gone; after a while it ends them.
async fn let_end(graceful: GracefulShutdown, app: &App) {
    let limit = tokio::time::Instant::now() + DRAIN_TIMEOUT;
    let mut ended = std::pin::pin!(graceful.shutdown());
    let callers = tokio::time::timeout_at(limit, &mut ended).await;
    let runs = tokio::time::timeout_at(limit, app.runs.idle()).await;
    if callers.is_err() || runs.is_err() {
        tracing::warn!("some requests did not end in time and are cut");
    }
    if callers.is_err() {
        app.life.end();
        if tokio::time::timeout(CUT_TIMEOUT, &mut ended).await.is_err() {
            tracing::warn!("some callers did not take in time that they were cut");
        }
    }
    app.runs.end().await;
}

/// The next connection, once there is a seat for it.
async fn accept(listener: &TcpListener, seats: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let seat = seats.clone().acquire_owned().await.expect("the seats are never closed");
    loop {
        match listener.accept().await {
            Ok((stream, from)) => return (stream, from, seat),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whom a connection counts for: the address, or for IPv6 the network of 64 bits that one customer is given.
fn source(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

fn converse<S>(stream: S, seat: Seat, router: axum::Router, graceful: &GracefulShutdown)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // Noted for what must be counted by where it comes from, such as failed sign-ins.
    let peer = Peer(seat.1.by());
    let service = router.map_request(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Patient::new(stream)), TowerToHyperService::new(service));
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(seat);
    });
}

#[cfg(test)]
mod tests {
    use tieline::{clock::SystemRandom, store::MemoryStore, vault::MasterKey};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn a_request_id_is_all_of_its_bytes() {
        let bytes = std::array::from_fn(|place| (place as u8).wrapping_mul(17).wrapping_add(1));
        let expected = format!("{:032x}", u128::from_be_bytes(bytes));
        assert_eq!(RequestId::of(bytes).as_str(), expected);
    }

    #[test]
    fn l2_a_source_is_an_address_or_a_network_of_one_customer() {
        let source = |text: &str| source(text.parse().unwrap()).to_string();
        assert_eq!(source("127.0.0.1"), "127.0.0.1");
        assert_eq!(source("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(source("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
    }

    /// G13: who cannot be waited for is told, and what did end is whole.
    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_cut_with_an_answer_when_the_server_stops() {
        async fn never() -> Result<crate::route::Nothing> {
            std::future::pending().await
        }
        let app = app();
        let endless = crate::route::route(http::Method::GET, "/endless", crate::caller::Access::Anyone, never);
        let router = router::build(app.clone(), vec![endless]);
        let (mut client, stream) = tokio::io::duplex(64 * 1024);
        let (seats, by_source) = (Arc::new(Semaphore::new(1)), Shares::new(1, 1));
        let permit = seats.acquire_owned().await.unwrap();
        let share = by_source.take(IpAddr::V6(Ipv6Addr::LOCALHOST), 1).unwrap();
        let graceful = GracefulShutdown::new();
        converse(stream, (permit, share), router, &graceful);
        client
            .write_all(b"GET /endless HTTP/1.1\r\nhost: t\r\n\r\n")
            .await
            .unwrap();
        // The request is in before the end begins.
        while app.life.watchers() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(!app.is_draining());
        app.life.drain();
        let started = tokio::time::Instant::now();
        let_end(graceful, &app).await;
        assert_eq!(started.elapsed(), DRAIN_TIMEOUT);
        assert!(app.is_draining());
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
        assert!(
            answer.contains("connection: close") && answer.contains("SERVER_STOPPING"),
            "{answer}"
        );
    }

    fn app() -> App {
        let key = MasterKey::generate(&SystemRandom).unwrap();
        let connectors = Connectors::builder().store(MemoryStore::new()).key(key);
        App::new(connectors.build().unwrap())
    }

    /// The first line of an answer, or none when the connection ended without one.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test talks to its own server, not to an upstream"
    )]
    async fn ask(address: SocketAddr) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(b"GET /health HTTP/1.1\r\nhost: t\r\n\r\n").await;
        let mut line = Vec::new();
        while let Ok(byte @ 1..) = stream.read_u8().await {
            if byte == b'\r' {
                break;
            }
            line.push(byte);
        }
        (stream, String::from_utf8(line).unwrap())
    }

    #[tokio::test]
    async fn l2_one_source_does_not_take_every_seat() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(serve_shared(listener, app(), std::future::pending(), Shares::new(9, 2)));
        let works = |line: &str| line == "HTTP/1.1 200 OK";
        let [(first, one), (_second, two)] = [ask(address).await, ask(address).await];
        assert!(works(&one) && works(&two));
        let (_, three) = ask(address).await;
        assert!(!works(&three), "loopback is a source like any other");
        assert!(
            three.is_empty() || three == "HTTP/1.1 503 Service Unavailable",
            "{three}"
        );
        drop(first);
        // The server sees the end of a connection in its own time.
        while !works(&ask(address).await.1) {}
        served.abort();
    }

    /// L2: whoever asks again and again and never reads loses the seat.
    #[tokio::test(start_paused = true)]
    async fn l2_a_seat_is_not_kept_by_whoever_does_not_read() {
        let app = app();
        for pipelined in [1, 200] {
            let (mut client, stream) = tokio::io::duplex(4096);
            let (seats, by_source) = (Arc::new(Semaphore::new(1)), Shares::new(1, 1));
            let permit = seats.clone().acquire_owned().await.unwrap();
            let share = by_source.take(IpAddr::V6(Ipv6Addr::LOCALHOST), 1).unwrap();
            let graceful = GracefulShutdown::new();
            converse(stream, (permit, share), app.router(), &graceful);
            let asking = tokio::spawn(async move {
                let request = "GET /api/v1/openapi.json HTTP/1.1\r\nhost: t\r\n\r\n".repeat(pipelined);
                let _ = client.write_all(request.as_bytes()).await;
                // Stays, and reads nothing.
                std::future::pending::<()>().await;
                drop(client);
            });
            let free = tokio::time::timeout(std::time::Duration::from_secs(600), seats.acquire()).await;
            assert!(free.is_ok(), "{pipelined} requests keep the seat");
            drop(free);
            assert!(by_source.take(IpAddr::V6(Ipv6Addr::LOCALHOST), 1).is_some());
            asking.abort();
        }
    }
}
