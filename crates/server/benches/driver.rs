//! Drives a target over a number of kept connections and notes how long each answer took.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tieline_testkit::process;
use tokio::net::TcpStream;

pub(crate) const CONNECTIONS: usize = 32;

/// A request that is sent again and again.
#[derive(Clone)]
pub(crate) struct Ask(Request<Full<Bytes>>);

impl Ask {
    pub(crate) fn get(path: &str, key: &str) -> Self {
        let request = Request::get(path).body(Full::default());
        Self(request.expect("a request")).with_key(key)
    }

    pub(crate) fn post(path: &str, key: &str, body: &str) -> Self {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        Self(request.expect("a request")).with_key(key)
    }

    fn with_key(mut self, key: &str) -> Self {
        let headers = self.0.headers_mut();
        headers.insert(header::HOST, "localhost".parse().expect("a header value"));
        headers.insert(
            header::AUTHORIZATION,
            format!("Bearer {key}").parse().expect("a header value"),
        );
        self
    }
}

/// A program to measure.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    address: SocketAddr,
    pid: u32,
    ask: Ask,
    _owned: Option<Box<dyn std::any::Any>>,
}

/// What one round measured.
#[derive(Clone, Copy)]
pub(crate) struct Round {
    pub(crate) per_second: f64,
    /// Processor time of the program alone, in microseconds for each answer.
    pub(crate) cpu: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    /// Microseconds.
    pub(crate) p99: f64,
}

impl Target {
    pub(crate) fn new(name: &'static str, address: SocketAddr, pid: u32, ask: Ask) -> Self {
        Self {
            name,
            address,
            pid,
            ask,
            _owned: None,
        }
    }

    /// The same, keeping what would end with it.
    pub(crate) fn owning(
        name: &'static str,
        address: SocketAddr,
        pid: u32,
        ask: Ask,
        owned: impl std::any::Any,
    ) -> Self {
        Self {
            _owned: Some(Box::new(owned)),
            ..Self::new(name, address, pid, ask)
        }
    }

    pub(crate) async fn drive(&self, time: Duration) -> Round {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut sender = open(self.address).await;
            let (ask, stop) = (self.ask.clone(), stop.clone());
            tasks.push(tokio::spawn(async move {
                let mut took = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    once(&mut sender, &ask).await;
                    took.push(begun.elapsed());
                }
                took
            }));
        }
        let (begun, cpu) = (Instant::now(), process::family_processor_time(self.pid));
        tokio::time::sleep(time).await;
        stop.store(true, Ordering::Relaxed);
        let (seconds, cpu) = (
            begun.elapsed().as_secs_f64(),
            process::family_processor_time(self.pid) - cpu,
        );
        let mut took = Vec::new();
        for task in tasks {
            took.extend(task.await.expect("a driver that does not panic"));
        }
        took.sort_unstable();
        let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
        let answers = took.len() as f64;
        Round {
            per_second: answers / seconds,
            cpu: cpu.as_secs_f64() * 1e6 / answers,
            p50: at(0.5),
            p99: at(0.99),
        }
    }
}

/// Asks once and answers the body.
pub(crate) async fn ask(address: SocketAddr, ask: &Ask) -> Bytes {
    once(&mut open(address).await, ask).await
}

async fn open(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.expect("a listening target");
    stream.set_nodelay(true).expect("an open socket");
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("HTTP");
    tokio::spawn(connection);
    sender
}

async fn once(sender: &mut SendRequest<Full<Bytes>>, ask: &Ask) -> Bytes {
    let answer = sender.send_request(ask.0.clone()).await.expect("an answer");
    let status = answer.status();
    let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
    assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
    body
}
