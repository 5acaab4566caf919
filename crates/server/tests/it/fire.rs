//! L3: every bomb and trap at once against the real binary, while another tenant is served.

mod attack;
mod traps;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};
use tieline_testkit::{canary, canary::Canary, process};
use tokio::{sync::watch, task::JoinSet};

use self::{
    attack::{Greedy, Told},
    traps::TRAPS,
};
use crate::{
    binary::{Folder, Server},
    support::{Ask, ask},
};

static TOKEN: Canary = Canary::new("token under fire");

/// What the whole server may hold, whatever is done to it.
const MOST_MEMORY: u64 = 256 * 1024 * 1024;

/// How often the other tenant has to be served, and how long it may be told to wait.
const SERVED: u64 = 25;
const MOST_WAIT: u64 = 1;

/// Traps that never come to an answer.
const NEVER: [&str; 4] = ["drip", "silent", "headers", "provisional"];

const MIB: usize = 1024 * 1024;

const VARIABLES: &[(&str, &str)] = &[
    ("TIELINE__EGRESS__LOOPBACK", "true"),
    ("TIELINE__CATALOG__DIR", "catalog"),
    // Nobody reads the log while the server runs, and it must not wait for that.
    ("TIELINE__LOG__LEVEL", "error"),
    ("TIELINE__LIMITS__REQUESTS_PER_KEY", "0"),
    ("TIELINE__LIMITS__REQUESTS_PER_TENANT", "0"),
];

/// The attacks that burn, each with how often it came to its end.
#[derive(Default)]
struct Fire {
    attacks: Vec<(&'static str, u64, Arc<AtomicU64>)>,
    burning: JoinSet<()>,
}

impl Fire {
    /// Begins an attack so many times side by side, each again and again. It has burnt when it came to its end so often.
    fn kindle<F, A>(&mut self, name: &'static str, beside: u64, ends: u64, attack: A)
    where
        F: Future<Output = ()> + Send,
        A: Fn(u64) -> F + Clone + Send + Sync + 'static,
    {
        let ended = Arc::new(AtomicU64::new(0));
        self.attacks.push((name, ends, ended.clone()));
        for place in 0..beside {
            let (attack, ended) = (attack.clone(), ended.clone());
            self.burning.spawn(async move {
                for round in 0.. {
                    attack(place + round * beside).await;
                    ended.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            });
        }
    }

    /// Those that have not come round yet.
    fn unburnt(&self) -> Vec<&'static str> {
        let unburnt = self
            .attacks
            .iter()
            .filter(|(_, ends, ended)| ended.load(Ordering::Relaxed) < *ends);
        unburnt.map(|(name, ..)| *name).collect()
    }
}

fn manifest(service: std::net::SocketAddr) -> String {
    let endpoints = TRAPS.iter().chain(&["ok", "kept"]).map(|trap| {
        let body = "body: { schema: { type: object, properties: { text: { type: string } } } }";
        // What never answers is not waited for; what does may have to wait itself.
        let timeout = if NEVER.contains(trap) { 2000 } else { 120_000 };
        format!("  - {{ id: {trap}, method: POST, path: /{trap}, timeout: {timeout}, {body} }}\n")
    });
    format!(
        "id: traps\nname: Traps\nbaseUrl: http://{service}\nauth: [{{ type: bearer, token: '{{{{token}}}}', fields: [{{ name: token, secret: true, required: true }}] }}]\nendpoints:\n{}",
        endpoints.collect::<String>()
    )
}

/// A tenant of its own with a connection to the traps, asking from this address.
async fn tenant(server: &Server, operator: &str, name: &str, source: [u8; 4], beat: &watch::Sender<u64>) -> Greedy {
    let made = ask(
        server.address,
        Ask::post("/api/v1/tenants")
            .key(operator)
            .json(&json!({ "name": name })),
    )
    .await;
    let key = made.json["firstKey"]["key"].as_str().expect("a tenant").to_owned();
    canary::told_once(&key);
    let body = json!({ "connector": "traps", "config": { "token": TOKEN } });
    let made = ask(server.address, Ask::post("/api/v1/connections").key(&key).json(&body)).await;
    Greedy {
        server: server.address,
        source,
        key,
        connection: made.json["id"].as_str().expect("a connection").to_owned(),
        beat: beat.subscribe(),
    }
}

/// Answers of services, in every shape.
fn set_traps(fire: &mut Fire, greedy: &[Greedy; 3]) {
    for trap in TRAPS {
        let greedy = greedy.clone();
        fire.kindle(trap, 2, 1, move |number| {
            let one = greedy[number as usize % 3].clone();
            async move {
                let _ = one.ask(&one.action(trap, "", "{}")).await;
            }
        });
    }
    let one = greedy[0].clone();
    fire.kindle("large answers nobody reads", 6, 0, move |_| {
        let one = one.clone();
        async move {
            let _ = one.sip(&one.action("large", "", "{}")).await;
        }
    });
    let one = greedy[1].clone();
    fire.kindle("kept answers", 16, 16, move |number| {
        let one = one.clone();
        async move {
            // Four of the same: one run, and repeats of it.
            let key = format!("idempotency-key: key-{}\r\n", number / 4);
            let _ = one.ask(&one.action("kept", &key, "{}")).await;
        }
    });
}

/// What passes through unread.
fn pass_on(fire: &mut Fire, greedy: &[Greedy; 3]) {
    let one = greedy[2].clone();
    let path = format!("/api/v1/connections/{}/proxy", one.connection);
    let asks = [
        "endless",
        "announced",
        "drip",
        "headers",
        "provisional",
        "brotli",
        "gzip-zeros",
        "large",
    ];
    fire.kindle("proxied answers nobody reads", 24, 0, {
        let (one, path) = (one.clone(), path.clone());
        move |number| {
            let (one, line) = (
                one.clone(),
                format!("GET {path}/{}", asks[number as usize % asks.len()]),
            );
            async move {
                let _ = one.sip(one.head(&line, "\r\n").as_bytes()).await;
            }
        }
    });
    fire.kindle("proxied requests without end", 8, 0, move |_| {
        let (one, line) = (one.clone(), format!("POST {path}/silent"));
        async move {
            let _ = one
                .pour(one.head(&line, "transfer-encoding: chunked\r\n\r\n").as_bytes())
                .await;
        }
    });
}

/// Requests, in every shape.
fn ask_too_much(fire: &mut Fire, greedy: &[Greedy; 3]) {
    // One that is too large to be sent on, and two that are.
    let inputs = [(0, 14), (1, 9), (2, 9)].map(|(place, size)| {
        let (one, input) = (
            greedy[place].clone(),
            json!({ "text": "x".repeat(size * MIB) }).to_string(),
        );
        (Arc::new(one.action("ok", "", &input)), one)
    });
    fire.kindle("large inputs", 6, 3, move |number| {
        let (input, one) = inputs[number as usize % 3].clone();
        async move {
            let _ = one.ask(&input).await;
        }
    });
    let hostile: Arc<[String]> = [
        "[".repeat(MIB),
        format!("[{}0]", "0,".repeat(MIB / 2 - 2)),
        format!(
            "{{\"config\":{{{}\"z\":0}}}}",
            (0..80_000).map(|n| format!("\"{n}\":0,")).collect::<String>()
        ),
        format!("\"{}\"", "\\u0041".repeat(MIB / 6 - 1)),
    ]
    .into();
    let all = greedy.clone();
    fire.kindle("hostile JSON", 4, 4, move |number| {
        let (one, hostile) = (all[number as usize % 3].clone(), hostile.clone());
        async move {
            let body = &hostile[number as usize % hostile.len()];
            let _ = one.ask(&one.post("POST /api/v1/connections", "", body)).await;
        }
    });
    let all = greedy.clone();
    fire.kindle("slow bodies", 24, 4, move |number| {
        let one = all[number as usize % 3].clone();
        async move {
            let length = [
                "content-length: 1000000\r\n\r\n",
                "transfer-encoding: chunked\r\n\r\n10000\r\n",
            ];
            let more = format!("content-type: application/json\r\n{}", length[number as usize % 2]);
            let _ = one.drip(one.head("POST /api/v1/connections", &more).as_bytes()).await;
        }
    });
    let all = greedy.clone();
    fire.kindle("slow inputs", 6, 0, move |number| {
        let one = all[number as usize % 3].clone();
        async move {
            let line = format!("POST /api/v1/connections/{}/actions/ok", one.connection);
            let more = format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n", 14 * MIB);
            let _ = one.drip(one.head(&line, &more).as_bytes()).await;
        }
    });
}

/// Those who are nobody.
fn come_as_strangers(fire: &mut Fire, greedy: &[Greedy; 3]) {
    let all = greedy.clone();
    fire.kindle("slow heads", 150, 10, move |number| {
        let one = all[number as usize % 3].clone();
        async move {
            let begin = format!("GET /health HTTP/1.1\r\nhost: t\r\nx-long: {}", "x".repeat(38 * 1024));
            let _ = one.drip(begin.as_bytes()).await;
        }
    });
    let one = greedy[0].clone();
    fire.kindle("too many headers", 8, 8, move |number| {
        let one = one.clone();
        async move {
            let more = if number % 2 == 0 {
                "x: y\r\n".repeat(200)
            } else {
                format!("x: {}\r\n", "y".repeat(64 * 1024))
            };
            let _ = one
                .ask(one.head("GET /health", &format!("{more}\r\n")).as_bytes())
                .await;
        }
    });
    let one = greedy[1].clone();
    fire.kindle("sign-ins", 80, 80, move |number| {
        let one = one.from([127, 2, (number / 250 % 250) as u8, (number % 250 + 1) as u8]);
        async move {
            let _ = one.sign_in(number).await;
        }
    });
    let one = greedy[2].clone();
    fire.kindle("wrong keys", 8, 50, move |number| {
        let one = Greedy {
            key: format!("sk_{number:064x}"),
            ..one.clone()
        };
        async move {
            let _ = one
                .ask(one.head("GET /api/v1/catalog", "connection: close\r\n\r\n").as_bytes())
                .await;
        }
    });
    let one = greedy[0].clone();
    fire.kindle("pages nobody reads", 16, 0, move |_| {
        let one = one.clone();
        async move {
            let ask = "GET /api/v1/openapi.json HTTP/1.1\r\nhost: t\r\n\r\n".repeat(100);
            let _ = one.sip(ask.as_bytes()).await;
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn l3_t6_under_every_attack_at_once_memory_is_bounded_and_another_tenant_is_served() {
    let beat = watch::Sender::new(0);
    let service = traps::start(beat.subscribe()).await;
    let folder = Folder::new();
    folder.write("catalog/traps.yaml", &manifest(service));
    let server = folder.serve(VARIABLES);
    let operator = folder.read("data/bootstrap-key").trim().to_owned();
    let mut tenants = Vec::new();
    for (number, name) in ["one", "two", "three", "quiet"].into_iter().enumerate() {
        tenants.push(tenant(&server, &operator, name, [127, 1, 0, number as u8 + 1], &beat).await);
    }
    let quiet = tenants.pop().unwrap();
    let greedy: [Greedy; 3] = tenants.try_into().ok().unwrap();
    let idle = process::peak(server.pid());

    let mut fire = Fire::default();
    set_traps(&mut fire, &greedy);
    pass_on(&mut fire, &greedy);
    ask_too_much(&mut fire, &greedy);
    come_as_strangers(&mut fire, &greedy);

    let call = quiet.action("ok", "", "{\"text\":\"a small one\"}");
    let (mut served, mut refused) = (0, 0);
    while served < SERVED || !fire.unburnt().is_empty() {
        let told = match quiet.ask(&call).await {
            Ok(told) => told,
            Err(error) => {
                let (code, log) = server.ended();
                panic!("{error}, after {served} served; the server ended with {code}: {log}");
            }
        };
        match told {
            Told { status: 200, .. } => served += 1,
            Told {
                status: 429 | 503,
                retry_after: Some(..=MOST_WAIT),
            } => refused += 1,
            other => panic!("{other:?} after {served} served, {refused} refused"),
        }
        beat.send_modify(|beat| *beat += 1);
        assert!(
            refused <= 50 + served / 2,
            "{served} served, {refused} refused, {:?}",
            fire.unburnt()
        );
    }
    let peak = process::peak(server.pid());
    drop(fire);
    assert!(peak < MOST_MEMORY, "{} KiB, {} when idle", peak / 1024, idle / 1024);

    // And after it, all is as it was.
    let health: Value = ask(server.address, Ask::get("/health")).await.json;
    assert!(health.is_object(), "{health}");
    let large = quiet.action("large", "", "{}");
    while quiet.ask(&large).await.unwrap().status != 200 {}
    let (code, log) = tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
    assert_eq!(code, 0, "{log}");
}
