//! Taking connections in, and letting them end.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tieline::shares::Share;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::ServiceExt;

use super::{App, patient::Patient};
use crate::{
    limits::{
        ACCEPT_PAUSE, CROWD, CUT_TIMEOUT, DRAIN_TIMEOUT, HEADER_READ_TIMEOUT, MAX_CONNECTIONS, MAX_CROWDED_HEAD_BYTES,
        MAX_HEAD_BYTES, MAX_HEADERS,
    },
    source::Peer,
};

/// A place for one connection, given back on drop.
struct Seat {
    peer: Peer,
    /// How much of a head is read.
    head_bytes: usize,
    _permit: OwnedSemaphorePermit,
    _share: Share<IpAddr>,
}

/// A connection that was accepted.
type Connected = (TcpStream, SocketAddr, OwnedSemaphorePermit);

/// Said, if it gets through, to whoever holds too many connections already.
const NO_SEAT: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Serves until `shutdown` is over, then lets open requests end, [`DRAIN_TIMEOUT`] at most. Those that take longer are
/// answered that they are cut. When this is over, nothing of any request is left: what they had to note is noted.
pub async fn serve(listener: TcpListener, app: App, shutdown: impl Future<Output = ()>) {
    serve_hurried(listener, app, shutdown, std::future::pending()).await;
}

/// The same, and cuts open requests as soon as `hurry` is over too.
pub(crate) async fn serve_hurried(
    listener: TcpListener,
    app: App,
    shutdown: impl Future<Output = ()>,
    hurry: impl Future<Output = ()>,
) {
    Door::new(app).stand_open(listener, shutdown, hurry).await;
}

/// What connections are taken in with.
struct Door {
    app: App,
    router: axum::Router,
    seats: Arc<Semaphore>,
    graceful: GracefulShutdown,
}

impl Door {
    fn new(app: App) -> Self {
        Self {
            router: app.router(),
            app,
            seats: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            graceful: GracefulShutdown::new(),
        }
    }

    async fn stand_open(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
        hurry: impl Future<Output = ()>,
    ) {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                connected = self.accept(&listener) => self.take_in(connected),
            }
        }
        self.app.ready.stop();
        self.app.life.drain();
        // Who is in the queue has been told by the kernel that they are connected.
        while let Some(connected) = self.accept(&listener).now_or_never() {
            self.take_in(connected);
        }
        drop(listener);
        let_end(self.graceful, &self.app, hurry).await;
    }

    /// The next connection, once there is a seat for it.
    async fn accept(&self, listener: &TcpListener) -> Connected {
        let seat = self.seats.clone().acquire_owned().await;
        let seat = seat.expect("the seats are never closed");
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

    /// Gives a connection its seat, or says that there is none.
    fn take_in(&self, (stream, from, permit): Connected) {
        let Some(share) = self.app.sources.hold(from.ip()) else {
            let _ = stream.try_write(NO_SEAT);
            return;
        };
        // Answers are one write each: waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let seat = Seat {
            peer: Peer(from.ip()),
            head_bytes: head_bytes(self.seats.available_permits()),
            _permit: permit,
            _share: share,
        };
        converse(stream, seat, self.router.clone(), &self.graceful, &self.app);
    }
}

/// Lets open requests end, also those whose caller is gone; after a while, or when there is a hurry, it ends them.
async fn let_end(graceful: GracefulShutdown, app: &App, hurry: impl Future<Output = ()>) {
    // Over with the last connection; asked once, it has told all of them.
    let _ = graceful.shutdown().now_or_never();
    let ended = async {
        app.conversations.idle().await;
        app.runs.idle().await;
    };
    let out_of_time = tokio::select! {
        biased;
        () = ended => false,
        () = hurry => {
            tracing::warn!("stopping at once: open requests are cut");
            true
        }
        () = tokio::time::sleep(DRAIN_TIMEOUT) => {
            tracing::warn!("some requests did not end in time and are cut");
            true
        }
    };
    if out_of_time {
        app.life.end();
        if tokio::time::timeout(CUT_TIMEOUT, app.conversations.idle())
            .await
            .is_err()
        {
            tracing::warn!("some callers did not take in time that they were cut");
        }
    }
    // Each call writes its row as it goes, so nobody may still be there when the ledger is closed. Conversations first:
    // they begin runs.
    app.conversations.end().await;
    app.runs.end().await;
}

/// How much of a head is read when so many seats are free.
fn head_bytes(free: usize) -> usize {
    if MAX_CONNECTIONS - free > CROWD {
        MAX_CROWDED_HEAD_BYTES
    } else {
        MAX_HEAD_BYTES
    }
}

fn converse<S>(stream: S, seat: Seat, router: axum::Router, graceful: &GracefulShutdown, app: &App)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // Noted for what must be counted by where it comes from, such as failed sign-ins.
    let peer = seat.peer;
    let service = router.map_request(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(seat.head_bytes)
        .serve_connection(TokioIo::new(Patient::new(stream)), TowerToHyperService::new(service));
    let connection = graceful.watch(connection);
    app.conversations.begin(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(seat);
    });
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv6Addr,
        sync::atomic::{AtomicBool, Ordering},
    };

    use tieline::{Connectors, Result, clock::SystemRandom, store::MemoryStore, vault::MasterKey};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::{super::Shared, *};
    use crate::{router, source::Sources};

    const HERE: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

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
        let graceful = GracefulShutdown::new();
        converse(stream, seat().await, router, &graceful, &app);
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
        let_end(graceful, &app, std::future::pending()).await;
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

    #[test]
    fn l3_heads_are_short_in_a_crowd() {
        assert_eq!(head_bytes(MAX_CONNECTIONS - 1), MAX_HEAD_BYTES);
        assert_eq!(head_bytes(0), MAX_CROWDED_HEAD_BYTES);
        // hyper doubles its buffer until the bound is in it, and then once more.
        let most = CROWD * 2 * MAX_HEAD_BYTES + (MAX_CONNECTIONS - CROWD) * 2 * MAX_CROWDED_HEAD_BYTES;
        assert!(most < 160 * 1024 * 1024, "{most}");
    }

    /// Notes when the answer is gone.
    struct Gone(&'static AtomicBool);

    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    static IS_GONE: AtomicBool = AtomicBool::new(false);

    /// An answer that begins and never ends.
    struct Endless;

    impl crate::route::Answer for Endless {
        fn answer(self) -> Result<axum::response::Response> {
            let gone = Gone(&IS_GONE);
            let rest = async move {
                let _gone = gone;
                std::future::pending::<std::io::Result<bytes::Bytes>>().await
            };
            let body = axum::body::Body::from_stream(futures_util::stream::once(rest));
            Ok(axum::response::Response::new(body))
        }

        fn describe(_: &mut crate::openapi::Operation<'_>) {}
    }

    /// G13: what no answer can cut is cut all the same, and nothing of it is left when the ledgers close.
    #[tokio::test(start_paused = true)]
    async fn an_answer_without_end_is_gone_when_the_server_has_stopped() {
        async fn endless() -> Result<Endless> {
            Ok(Endless)
        }
        let app = app();
        let endless = crate::route::route(http::Method::GET, "/endless", crate::caller::Access::Anyone, endless);
        let (mut client, stream) = tokio::io::duplex(64 * 1024);
        let graceful = GracefulShutdown::new();
        let router = router::build(app.clone(), vec![endless]);
        converse(stream, seat().await, router, &graceful, &app);
        client
            .write_all(b"GET /endless HTTP/1.1\r\nhost: t\r\n\r\n")
            .await
            .unwrap();
        client.read_u8().await.unwrap();
        app.life.drain();
        let started = tokio::time::Instant::now();
        let_end(graceful, &app, std::future::pending()).await;
        assert_eq!(started.elapsed(), DRAIN_TIMEOUT + CUT_TIMEOUT);
        assert!(IS_GONE.load(Ordering::SeqCst));
    }

    async fn seat() -> Seat {
        seat_of(&Arc::new(Semaphore::new(1)), &Sources::default()).await
    }

    async fn seat_of(seats: &Arc<Semaphore>, sources: &Sources) -> Seat {
        Seat {
            peer: Peer(HERE),
            head_bytes: MAX_HEAD_BYTES,
            _permit: seats.clone().acquire_owned().await.unwrap(),
            _share: sources.hold(HERE).unwrap(),
        }
    }

    fn app() -> App {
        let key = MasterKey::generate(&SystemRandom).unwrap();
        let connectors = Connectors::builder()
            .scope("tenant", tieline::ScopeRule::Optional)
            .connectors([])
            .store(MemoryStore::new())
            .key(key);
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
        let app = App(Arc::new(Shared {
            sources: Arc::new(Sources::bounded(Vec::new(), 9, 2)),
            ..Arc::unwrap_or_clone(app().0)
        }));
        let served = tokio::spawn(Door::new(app).stand_open(listener, std::future::pending(), std::future::pending()));
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
            let (seats, sources) = (Arc::new(Semaphore::new(1)), Sources::bounded(Vec::new(), 1, 1));
            let seat = seat_of(&seats, &sources).await;
            let graceful = GracefulShutdown::new();
            converse(stream, seat, app.router(), &graceful, &app);
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
            assert!(sources.hold(HERE).is_some());
            asking.abort();
        }
    }
}
