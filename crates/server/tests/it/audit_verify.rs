//! `tieline audit verify`, and the ledgers of the real binary when it is stopped and when it is killed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};

use crate::{
    binary::{Folder, Server},
    support::{Ask, GOOD_TOKEN, Upstream, ask},
};

const VARIABLES: &[(&str, &str)] = &[
    ("TIELINE__EGRESS__LOOPBACK", "true"),
    ("TIELINE__CATALOG__DIR", "catalog"),
    // Nobody reads the log while the server runs, and it must not wait for that.
    ("TIELINE__LOG__LEVEL", "error,tieline::audit=info"),
];

async fn folder() -> (Folder, Upstream) {
    let upstream = Upstream::start().await;
    let folder = Folder::new();
    folder.write("catalog/acme.yaml", &upstream.manifest());
    (folder, upstream)
}

fn key(folder: &Folder) -> String {
    folder.read("data/bootstrap-key").trim().to_owned()
}

async fn connect(server: &Server, key: &str, name: &str) -> Option<String> {
    let body = json!({ "connector": "acme", "name": name, "config": { "bot_token": GOOD_TOKEN, "team": "blue" } });
    let answer = ask(server.address, Ask::post("/api/v1/connections").key(key).json(&body)).await;
    (answer.status == 201).then(|| answer.json["id"].as_str().unwrap().to_owned())
}

/// What `audit verify` says, and that it is all well.
fn holds(folder: &Folder, args: &[&str]) -> Value {
    let ran = folder.run_with(&[&["audit", "verify", "--json"], args].concat(), VARIABLES, None);
    let told = ran.json();
    assert_eq!(told["holds"], true, "{told}");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a2_verify_works_on_a_stopped_folder_and_through_the_server() {
    let (folder, _upstream) = folder().await;
    let server = folder.serve(VARIABLES);
    let key = key(&folder);
    let connection = connect(&server, &key, "main").await.unwrap();
    let path = format!("/api/v1/connections/{connection}/actions/whoami");
    assert_eq!(ask(server.address, Ask::post(path).key(&key)).await.status, 200);
    let running = holds(&folder, &[]);
    let all = folder.run_with(&["audit", "verify", "--tenant", "all"], VARIABLES, None);
    assert!(all.worked().contains("holds up to"), "{}", all.all());
    let (code, log) = server.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("the head of an audit log"), "A2: {log}");

    // Both calls were written before the end: the test when it was connected, and the action.
    let stopped = holds(&folder, &["--head", running["head"].as_str().unwrap()]);
    assert_eq!(stopped["calls"], 2);

    // As somebody with the file and without the key.
    let tampering = "DROP TRIGGER audit_is_never_updated; UPDATE audit SET actor = 'nobody' WHERE seq = 3";
    tieline_testkit::tamper::with_database(&folder.path("data/tieline.db"), tampering);
    let broken = folder.run_with(&["audit", "verify"], VARIABLES, None);
    assert_eq!(broken.code, 1, "{}", broken.all());
    assert!(
        broken.stdout.contains("Entry 3 of the audit log was altered"),
        "{}",
        broken.all()
    );
    let broken = folder.run_with(&["audit", "verify", "--json"], VARIABLES, None);
    let told: Value = serde_json::from_str(&broken.stdout).unwrap();
    assert_eq!((broken.code, &told["tampered"]["seq"]), (1, &json!(3)));
}

#[tokio::test]
async fn a3_a_changed_allow_list_is_told_in_the_operators_log() {
    let folder = Folder::new();
    folder.make(&[("TIELINE__EGRESS__ALLOW", "10.1.0.0/16,fd00::5")]);
    folder.make(&[("TIELINE__EGRESS__ALLOW", "fd00::5,10.1.0.0/16")]);
    let server = folder.serve(&[
        ("TIELINE__EGRESS__ALLOW", "fd00::5"),
        ("TIELINE__EGRESS__LOOPBACK", "true"),
    ]);
    let changed = Ask::get("/api/v1/audit-logs?action=setting.changed").key(&key(&folder));
    let changed = ask(server.address, changed).await.json;
    let told = changed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["subject"].clone(), entry["detail"].clone()));
    let expected = [
        (
            "egress.allow",
            json!({ "added": ["10.1.0.0/16", "fd00::5"], "removed": [] }),
        ),
        ("egress.allow", json!({ "added": [], "removed": ["10.1.0.0/16"] })),
        ("egress.loopback", json!({ "added": ["true"], "removed": [] })),
    ];
    assert!(
        told.eq(expected.map(|(subject, detail)| (json!(subject), detail))),
        "{changed}"
    );
}

/// Calls and changes until it is told to end; answers what was acknowledged.
async fn load(
    address: std::net::SocketAddr,
    key: String,
    connection: String,
    worker: String,
    stop: Arc<AtomicBool>,
) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let mut n = 0;
    while !stop.load(Ordering::SeqCst) {
        n += 1;
        let (key, worker, connection) = (key.clone(), worker.clone(), connection.clone());
        // The server is killed in the middle: a request that gets no answer panics, and ends in its own task.
        let done = tokio::spawn(async move {
            let path = format!("/api/v1/connections/{connection}/actions/whoami");
            let called = ask(address, Ask::post(path).key(&key)).await;
            if called.status != 200 || n % 4 != 1 {
                return None;
            }
            let new = json!({ "name": format!("{worker} {n}"), "permissions": { "catalog:read": true } });
            let made = ask(address, Ask::post("/api/v1/api-keys").key(&key).json(&new)).await;
            (made.status == 201)
                .then(|| made.json["apiKey"]["id"].as_str().map(str::to_owned))
                .flatten()
        });
        match done.await {
            Ok(id) => acknowledged.extend(id),
            Err(_) => break,
        }
    }
    acknowledged
}

/// How many calls are written down.
async fn recorded(server: &Server, key: &str) -> u64 {
    let usage = ask(server.address, Ask::get("/api/v1/usage?by=connector").key(key)).await;
    usage.json["data"][0]["calls"].as_u64().unwrap_or(0)
}

const KILLS: u64 = 4;
const WORKERS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn g15_kill_9_under_load_leaves_ledgers_that_verify_and_loses_nothing_acknowledged() {
    let (folder, _upstream) = folder().await;
    let mut connection = None;
    let mut acknowledged: Vec<String> = Vec::new();
    let mut head: Option<String> = None;
    for round in 0..KILLS {
        let server = folder.serve(VARIABLES);
        let key = key(&folder);
        let id = match &connection {
            Some(id) => String::clone(id),
            None => connect(&server, &key, "main").await.unwrap(),
        };
        connection = Some(id.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (key, id, stop) = (key.clone(), id.clone(), stop.clone());
                tokio::spawn(load(server.address, key, id, format!("{round}.{worker}"), stop))
            })
            .collect();
        // When batches of calls flow the server is in the middle of everything.
        let before = recorded(&server, &key).await;
        while recorded(&server, &key).await < before + 20 + 5 * round {
            tokio::task::yield_now().await;
        }
        server.signal("KILL");
        stop.store(true, Ordering::SeqCst);
        for worker in workers {
            acknowledged.extend(worker.await.unwrap());
        }
        drop(server);
        let args: Vec<&str> = head.iter().flat_map(|head| ["--head", head.as_str()]).collect();
        let told = holds(&folder, &args);
        head = Some(told["head"].as_str().unwrap().to_owned());
    }
    let server = folder.serve(VARIABLES);
    let key = key(&folder);
    let (mut kept, mut path) = (Vec::new(), "/api/v1/api-keys?limit=200".to_owned());
    loop {
        let page = ask(server.address, Ask::get(path).key(&key)).await.json;
        kept.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| key["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("/api/v1/api-keys?limit=200&cursor={cursor}");
    }
    assert!(!acknowledged.is_empty());
    for id in &acknowledged {
        assert!(kept.contains(id), "{id} was acknowledged and lost");
    }
    let (code, log) = server.stop();
    assert_eq!(code, 0, "{log}");
}
