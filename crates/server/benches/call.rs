//! W1: an action call beside its limit, in one run.
//!
//! The limit is the least program that does the same job: a raw hyper server that reads the request, puts a bearer
//! token in, sends it to the same upstream through a keep-alive pool and hands the answer back. Both are driven by the
//! same driver over the same number of connections, in turns, so that a machine whose speed drifts drifts for both.
//! Read the ratio; the absolute rates include driver and upstream, which share the machine.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::disallowed_methods,
    reason = "driver and limit talk to loopback without a guard, on purpose"
)]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tieline::{
    Connectors, Json, MasterKey, Scope, ScopeRule, api_key::NewApiKey, clock::SystemRandom, connection::Connect,
    connector::Connector, egress::EgressPolicy,
};
use tieline_server::app::{App, serve};
use tieline_store::SqliteStore;
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: usize = 32;
const WARM_UP: Duration = Duration::from_secs(1);
const ROUND: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;
const TOKEN: &str = "a-token-of-thirty-two-characters";
const INPUT: &str = r##"{"channel":"#general","text":"Hello from the benchmark, long enough to be a message."}"##;

type Answer = Result<Response<Full<Bytes>>, Infallible>;

#[tokio::main]
async fn main() {
    let upstream = listen(|_| async { Ok(Response::new(Full::new(upstream_answer()))) }).await;
    let limit = start_limit(upstream).await;
    let (subject, path, key) = start_subject(upstream).await;

    let limit_target = Target {
        address: limit,
        path: "/call".to_owned(),
        key: "none".to_owned(),
    };
    let subject_target = Target {
        address: subject,
        path,
        key,
    };
    drive(&limit_target, WARM_UP).await;
    drive(&subject_target, WARM_UP).await;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push((drive(&limit_target, ROUND).await, drive(&subject_target, ROUND).await));
    }
    report(&mut rounds);
}

/// About 600 bytes, like a chat service's answer.
fn upstream_answer() -> Bytes {
    let filler = "lorem ipsum dolor sit amet ".repeat(18);
    Bytes::from(format!(
        r#"{{"ok":true,"id":"1234567890","channel":"C024BE91L","text":"{filler}","ts":1700000000.000100}}"#
    ))
}

async fn listen<F, R>(handle: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let address = listener.local_addr().expect("a bound listener has an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let handle = handle.clone();
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(handle)),
            );
        }
    });
    address
}

async fn start_limit(upstream: SocketAddr) -> SocketAddr {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    listen(move |request| {
        let client = client.clone();
        async move {
            let body = request
                .into_body()
                .collect()
                .await
                .expect("the driver sends whole bodies")
                .to_bytes();
            let mut forwarded = Request::new(Full::new(body));
            *forwarded.method_mut() = Method::POST;
            *forwarded.uri_mut() = format!("http://{upstream}/messages").parse().expect("a URL");
            let bearer = HeaderValue::from_str(&format!("Bearer {TOKEN}")).expect("a header value");
            forwarded.headers_mut().insert(header::AUTHORIZATION, bearer);
            let answer = client.request(forwarded).await.expect("the upstream answers");
            let body = answer
                .into_body()
                .collect()
                .await
                .expect("the upstream answers whole")
                .to_bytes();
            Ok(Response::new(Full::new(body)))
        }
    })
    .await
}

async fn start_subject(upstream: SocketAddr) -> (SocketAddr, String, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteStore::open(folder.path().join("bench.db")).expect("a database");
    let manifest = format!(
        r#"
id: bench
name: Bench
baseUrl: http://{upstream}
auth:
  - type: bearer
    fields: [{{ name: token, secret: true, required: true }}]
    token: '{{{{token}}}}'
endpoints:
  - id: send
    method: POST
    path: /messages
    body:
      schema:
        type: object
        properties:
          channel: {{ type: string, required: true }}
          text: {{ type: string, required: true }}
    output: {{ type: object, properties: {{ ok: {{ type: boolean, required: true }}, id: {{ type: string }} }} }}
"#
    );
    let connectors = Connectors::builder()
        .store(store)
        .key(MasterKey::generate(&SystemRandom).expect("randomness"))
        .scope("tenant", ScopeRule::Optional)
        .connector(Connector::parse(&manifest).expect("a manifest"))
        .egress(EgressPolicy {
            loopback: true,
            ..EgressPolicy::default()
        })
        .build()
        .expect("a whole builder");
    let everything = NewApiKey {
        name: "bench".to_owned(),
        permissions: [("admin".to_owned(), true)].into(),
        expires_at: None,
    };
    let made = connectors
        .create_tenant("bench", "bench", everything)
        .await
        .expect("a tenant");
    let by = tieline::audit::Actor::new(made.tenant.id, "bench");
    let config = Json::parse(&format!(r#"{{"token":"{TOKEN}"}}"#)).expect("JSON");
    let connect = Connect {
        config,
        ..Connect::new("bench", Scope::tenant())
    };
    let connection = connectors.connect(&by, connect).await.expect("a connection");

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let address = listener.local_addr().expect("a bound listener has an address");
    tokio::spawn(async move {
        let _folder = folder;
        serve(listener, App::new(connectors), std::future::pending()).await;
    });
    (
        address,
        format!("/api/v1/connections/{}/actions/send", connection.id),
        made.key.text.reveal().clone(),
    )
}

struct Target {
    address: SocketAddr,
    path: String,
    key: String,
}

/// What one round measured.
#[derive(Clone, Copy)]
struct Round {
    per_second: f64,
    cpu_micros: f64,
}

async fn drive(target: &Target, time: Duration) -> Round {
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(target.address).await.expect("a listening target");
        stream.set_nodelay(true).expect("an open socket");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("HTTP");
        tokio::spawn(connection);
        let request = Request::post(&target.path)
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {}", target.key))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from_static(INPUT.as_bytes())))
            .expect("a request");
        let (stop, done) = (stop.clone(), done.clone());
        tasks.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let answer = sender.send_request(request.clone()).await.expect("an answer");
                assert!(answer.status().is_success(), "{}", answer.status());
                answer.into_body().collect().await.expect("a whole answer");
                done.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let (begun, cpu) = (Instant::now(), cpu_time());
    tokio::time::sleep(time).await;
    let (calls, seconds, cpu) = (
        done.load(Ordering::Relaxed),
        begun.elapsed().as_secs_f64(),
        cpu_time() - cpu,
    );
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.expect("a driver that does not panic");
    }
    Round {
        per_second: calls as f64 / seconds,
        cpu_micros: cpu.as_secs_f64() * 1e6 / calls as f64,
    }
}

/// Processor time of this process, from the kernel's accounting in ticks of 10 ms.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

fn report(rounds: &mut [(Round, Round)]) {
    println!(
        "W1 action call, {CONNECTIONS} connections, {ROUNDS} rounds of {} s each in turns; CPU includes driver and upstream",
        ROUND.as_secs()
    );
    println!(
        "{:>12} {:>12} {:>8} {:>14} {:>14}",
        "limit /s", "tieline /s", "ratio", "limit µs CPU", "tieline µs CPU"
    );
    for (limit, subject) in rounds.iter() {
        println!(
            "{:>12.0} {:>12.0} {:>8.2} {:>14.1} {:>14.1}",
            limit.per_second,
            subject.per_second,
            subject.per_second / limit.per_second,
            limit.cpu_micros,
            subject.cpu_micros
        );
    }
    rounds.sort_by(|a, b| (a.1.per_second / a.0.per_second).total_cmp(&(b.1.per_second / b.0.per_second)));
    let (limit, subject) = rounds[rounds.len() / 2];
    println!("median ratio {:.2}", subject.per_second / limit.per_second);
}
