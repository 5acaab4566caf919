//! G13: a server that is asked to stop ends what it began, loses nothing of it, and is gone in time.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tieline_testkit::{
    canary::Canary,
    twin::{Reply, Twin},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    binary::Folder,
    support::{Ask, ask, dial},
};

static TOKEN: Canary = Canary::new("token of a stopping server");

/// How often the server is stopped, each time a little later in its work.
const ROUNDS: usize = 20;
const CALLERS: usize = 24;

const VARIABLES: &[(&str, &str)] = &[
    ("TIELINE__EGRESS__LOOPBACK", "true"),
    ("TIELINE__CATALOG__DIR", "catalog"),
    ("TIELINE__LIMITS__REQUESTS_PER_KEY", "0"),
    ("TIELINE__LIMITS__REQUESTS_PER_TENANT", "0"),
];

/// A service that answers every second request only when it is let.
struct Slow {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    seen: Mutex<BTreeSet<String>>,
    count: watch::Sender<usize>,
    go_on: watch::Sender<bool>,
}

impl Slow {
    async fn start() -> Self {
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            count: watch::Sender::new(0),
            go_on: watch::Sender::new(false),
        });
        let router = Router::new().route("/say", post(say)).with_state(shared.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(router.clone());
                let serve = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(serve);
            }
        });
        Self { address, shared }
    }

    /// What arrived since this was asked last.
    fn seen(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.shared.seen.lock().unwrap())
    }
}

fn manifest(service: SocketAddr) -> String {
    format!(
        r"
id: slow
name: Slow
baseUrl: http://{service}
auth: [{{ type: bearer, token: '{{{{token}}}}', fields: [{{ name: token, secret: true, required: true }}] }}]
endpoints:
  - id: say
    method: POST
    path: /say
    body: {{ schema: {{ type: object, properties: {{ word: {{ type: string, required: true }} }} }} }}
"
    )
}

async fn connect(server: SocketAddr, key: &str) -> String {
    let body = json!({ "connector": "slow", "config": { "token": TOKEN } });
    let made = ask(server, Ask::post("/api/v1/connections").key(key).json(&body)).await;
    made.json["id"].as_str().expect("a connection").to_owned()
}

async fn say(State(shared): State<Arc<Shared>>, body: Bytes) -> String {
    let said: Value = serde_json::from_slice(&body).unwrap();
    shared
        .seen
        .lock()
        .unwrap()
        .insert(said["word"].as_str().unwrap().to_owned());
    let number = {
        let mut number = 0;
        shared.count.send_modify(|count| {
            *count += 1;
            number = *count;
        });
        number
    };
    if number % 2 == 0 {
        let _ = shared.go_on.subscribe().wait_for(|go_on| *go_on).await;
    }
    // Long enough to be sent in several pieces.
    format!(r#"{{"said":{},"rest":"{}"}}"#, said["word"], "x".repeat(40_000))
}

/// Calls over one kept connection until the server closes it; answers the words whose answer came whole.
async fn call_on(address: SocketAddr, path: String, key: String, name: String, asked: Arc<AtomicUsize>) -> Vec<String> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(dial(address).await))
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    let mut answered = Vec::new();
    for number in 0.. {
        if sender.ready().await.is_err() {
            break;
        }
        let word = format!("{name}-{number}");
        let request = Request::post(&path)
            .header(header::HOST, "tieline.test")
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(json!({ "word": word }).to_string())))
            .unwrap();
        asked.fetch_add(1, Ordering::SeqCst);
        let Ok(answer) = sender.send_request(request).await else {
            break;
        };
        let (status, last) = (answer.status(), answer.headers().get(header::CONNECTION).is_some());
        let body = answer
            .into_body()
            .collect()
            .await
            .expect("an answer that was begun is whole")
            .to_bytes();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let said: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(said["output"]["said"], word);
        answered.push(word);
        if last {
            break;
        }
    }
    driver.abort();
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn g13_s1_a_stop_under_load_loses_no_accepted_call_and_takes_its_time_only() {
    let slow = Slow::start().await;
    let folder = Folder::new();
    folder.write("catalog/slow.yaml", &manifest(slow.address));
    let mut connection = String::new();
    for round in 0..ROUNDS {
        let server = folder.serve(VARIABLES);
        let key = folder.read("data/bootstrap-key").trim().to_owned();
        if connection.is_empty() {
            connection = connect(server.address, &key).await;
        }
        slow.shared.go_on.send_replace(false);
        slow.shared.count.send_replace(0);
        let asked = Arc::new(AtomicUsize::new(0));
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let path = format!("/api/v1/connections/{connection}/actions/say");
                let name = format!("{round}-{caller}");
                tokio::spawn(call_on(server.address, path, key.clone(), name, asked.clone()))
            })
            .collect();
        // At most so many can arrive before all callers wait: every second call does.
        let moment = 1 + round * CALLERS / ROUNDS;
        let _ = slow.shared.count.subscribe().wait_for(|count| *count >= moment).await;
        let begun = Instant::now();
        server.signal("TERM");
        slow.shared.go_on.send_replace(true);
        let mut answered = BTreeSet::new();
        for caller in callers {
            answered.extend(caller.await.expect("a caller was given what it was promised"));
        }
        let (code, log) = tokio::task::spawn_blocking(|| server.ended()).await.unwrap();
        assert_eq!(code, 0, "{log}");
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "the contract, not a measurement"
        );
        let lost: Vec<_> = slow.seen().difference(&answered).cloned().collect();
        assert!(
            lost.is_empty(),
            "round {round}: accepted and not answered: {lost:?}\n{log}"
        );
        assert!(asked.load(Ordering::SeqCst) >= moment);
    }
}

/// Passes on what is answered without end, and has read the beginning of it.
async fn stream(server: SocketAddr, connection: &str, key: &str) -> TcpStream {
    let mut stream = dial(server).await;
    let head = format!(
        "GET /api/v1/connections/{connection}/proxy/endless HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {key}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut came = Vec::new();
    while !came.ends_with(BEGINNING) {
        came.push(stream.read_u8().await.expect("more of the answer"));
    }
    stream
}

const BEGINNING: &[u8] = b"the beginning";

/// A4, A1: what was accepted is written down, however it is cut.
#[tokio::test(flavor = "multi_thread")]
async fn g13_every_call_that_a_second_signal_cuts_has_its_row() {
    const EACH: usize = 8;
    let twin = Twin::answering(|seen| match seen.target.as_str() {
        "/endless" => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
            Reply::Stall([head, BEGINNING].concat())
        }
        _ => Reply::Stall(Vec::new()),
    })
    .await;
    let folder = Folder::new();
    folder.write("catalog/slow.yaml", &manifest(twin.address()));
    let mut server = folder.serve(VARIABLES);
    let (address, key) = (server.address, folder.read("data/bootstrap-key").trim().to_owned());
    let connection = connect(address, &key).await;
    let path = format!("/api/v1/connections/{connection}");
    let say = || {
        Ask::post(format!("{path}/actions/say"))
            .key(&key)
            .json(&json!({ "word": "x" }))
    };
    let (mut cut, mut streams) = (Vec::new(), Vec::new());
    for number in 0..EACH {
        for asked in [
            say(),
            say().header("idempotency-key", &format!("key-{number}")),
            Ask::get(format!("{path}/proxy/silent")).key(&key),
        ] {
            cut.push(tokio::spawn(ask(address, asked)));
        }
        streams.push(stream(address, &connection, &key).await);
    }
    while twin.seen().len() < 4 * EACH {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    server.signal("TERM");
    server.logged("open requests may end");
    server.signal("TERM");
    for cut in cut {
        let answer = cut.await.unwrap();
        assert_eq!((answer.status, answer.code()), (503, "SERVER_STOPPING"));
    }
    let (code, log) = tokio::task::spawn_blocking(|| server.ended()).await.unwrap();
    assert_eq!(code, 0, "{log}");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "the contract, not a measurement"
    );
    drop(streams);

    let verified = folder.run_with(&["audit", "verify", "--json"], VARIABLES, None).json();
    assert_eq!(verified["holds"], true, "{verified}");
    let server = folder.serve(VARIABLES);
    let listed = ask(
        server.address,
        Ask::get("/api/v1/calls?outcome=cancelled&limit=200").key(&key),
    )
    .await;
    let rows = listed.json["data"].as_array().unwrap();
    let of = |kind: &str, status: Value| {
        let same = rows
            .iter()
            .filter(|row| row["kind"] == kind && row["upstreamStatus"] == status);
        same.count()
    };
    let counts = [
        of("action", Value::Null),
        of("proxy", Value::Null),
        of("proxy", json!(200)),
    ];
    assert_eq!((counts, rows.len()), ([2 * EACH, EACH, EACH], 4 * EACH));
    server.stop();
}
