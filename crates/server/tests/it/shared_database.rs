//! Two servers over one PostgreSQL database: what one changes the other knows, and nothing happens twice.

mod checked;
mod limits;

use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use tieline::{MasterKey, clock::SystemRandom};
use tieline_testkit::{canary, postgres::Database};

use crate::{
    binary::{Folder, Server},
    support::{Ask, GOOD_TOKEN, Upstream, ask},
};

/// Between two looks at a server that is to notice something.
const PAUSE: Duration = Duration::from_millis(50);

/// What servers of one database have in common.
struct Shared {
    database: Database,
    upstream: Upstream,
    master_key: String,
}

impl Shared {
    /// Nothing, where there is no PostgreSQL.
    async fn new() -> Option<Self> {
        Some(Self {
            database: Database::fresh().await?,
            upstream: Upstream::start().await,
            master_key: canary::master_key().to_owned(),
        })
    }

    fn folder(&self) -> Folder {
        let folder = Folder::new();
        folder.write("catalog/acme.yaml", &self.upstream.manifest());
        folder
    }

    fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("DATABASE_URL", self.database.url()),
            ("TIELINE_MASTER_KEY", self.master_key.clone()),
            ("TIELINE__DATABASE__CONNECTIONS", "4".to_owned()),
            ("TIELINE__EGRESS__LOOPBACK", "true".to_owned()),
            ("TIELINE__CATALOG__DIR", "catalog".to_owned()),
        ]
    }

    fn serve(&self, folder: &Folder) -> Server {
        self.serve_with(folder, &[])
    }

    fn serve_with(&self, folder: &Folder, more: &[(&str, &str)]) -> Server {
        let variables = self.variables();
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        folder.serve(&[variables.as_slice(), more].concat())
    }

    fn verified(&self, folder: &Folder) -> Value {
        let variables = self.variables();
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        folder.run_with(&["audit", "verify", "--json"], &variables, None).json()
    }
}

fn bootstrap_key(folder: &Folder) -> String {
    folder.read("data/bootstrap-key").trim().to_owned()
}

async fn connect(server: &Server, key: &str, name: &str) -> String {
    let body = json!({ "connector": "acme", "name": name, "config": { "bot_token": GOOD_TOKEN, "team": "blue" } });
    let answer = ask(server.address, Ask::post("/api/v1/connections").key(key).json(&body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json["id"].as_str().unwrap().to_owned()
}

/// Asks again until the answer has this status; a test that waits in vain is ended from outside.
async fn until(server: &Server, status: u16, asked: impl Fn() -> Ask) {
    while ask(server.address, asked()).await.status != status {
        tokio::time::sleep(PAUSE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn k1_what_one_server_changes_the_other_knows() {
    let Some(shared) = Shared::new().await else { return };
    let folders = [shared.folder(), shared.folder()];
    let [one, two] = folders.each_ref().map(|folder| shared.serve(folder));
    let operator = bootstrap_key(&folders[0]);
    assert!(!folders[1].path("data/bootstrap-key").exists(), "the first has made it");
    assert!(folders.iter().all(|folder| !folder.path("data/tieline.db").exists()));

    let id = connect(&one, &operator, "main").await;
    let act = |key: &str| Ask::post(format!("/api/v1/connections/{id}/actions/whoami")).key(key);
    let body = json!({ "name": "other", "permissions": { "connections:execute": true } });
    let made = ask(one.address, Ask::post("/api/v1/api-keys").key(&operator).json(&body)).await;
    let (key, key_id) = (
        made.json["key"].as_str().unwrap(),
        made.json["apiKey"]["id"].as_str().unwrap(),
    );
    canary::told_once(key);
    // Both hold key and connection in their caches now.
    for server in [&one, &two] {
        let called = ask(server.address, act(key)).await;
        assert_eq!(called.status, 200, "{}", called.text);
    }
    let switch = |what: &str| Ask::post(format!("/api/v1/connections/{id}/{what}")).key(&operator);
    ask(one.address, switch("disable")).await;
    until(&two, 409, || act(key)).await;
    ask(two.address, switch("enable")).await;
    until(&one, 200, || act(key)).await;
    ask(
        two.address,
        Ask::new(Method::DELETE, format!("/api/v1/api-keys/{key_id}")).key(&operator),
    )
    .await;
    until(&one, 401, || act(key)).await;

    for server in [one, two] {
        let (code, log) = server.stop();
        assert_eq!(code, 0, "{log}");
    }
    let told = shared.verified(&folders[1]);
    assert_eq!(told["holds"], true, "{told}");
    // The connection's first test, one call at each, and the one that went through again. Who is refused calls nobody.
    assert!(told["calls"].as_u64().unwrap() >= 4, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a1_writers_of_two_servers_share_one_chain_and_one_effect() {
    let Some(shared) = Shared::new().await else { return };
    let folders = [shared.folder(), shared.folder()];
    let [one, two] = folders.each_ref().map(|folder| shared.serve(folder));
    let key = bootstrap_key(&folders[0]);
    let servers = [&one, &two];
    let makes = (0..40).map(|nth| {
        let body = json!({ "name": format!("c{nth}"), "type": "token", "connector": "acme", "data": { "bot_token": GOOD_TOKEN } });
        let server = servers[nth % 2].address;
        ask(server, Ask::post("/api/v1/credentials").key(&key).json(&body))
    });
    assert!(join_all(makes).await.iter().all(|made| made.status == 201));

    // The same keyed request at both: one makes it, and the other tells what the first has made or that it is at it.
    let body = json!({ "name": "once", "type": "token", "connector": "acme", "data": { "bot_token": GOOD_TOKEN } });
    let keyed = || {
        Ask::post("/api/v1/credentials")
            .key(&key)
            .header("idempotency-key", "one-effect")
            .json(&body)
    };
    let answers = join_all((0..12).map(|nth| ask(servers[nth % 2].address, keyed()))).await;
    assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status)));
    let again = ask(two.address, keyed()).await;
    assert_eq!(again.status, 201, "{}", again.text);
    let listed = ask(one.address, Ask::get("/api/v1/credentials?limit=200").key(&key)).await;
    let names = listed.json["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["name"] == "once");
    assert_eq!(names.count(), 1);

    let told = ask(two.address, Ask::get("/api/v1/audit-logs/verify").key(&key)).await;
    assert_eq!(told.json["holds"], true, "{}", told.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_no_key_is_made_for_a_database_that_servers_share() {
    let Some(shared) = Shared::new().await else { return };
    let folder = shared.folder();
    let url = shared.database.url();
    let start = |variables: &[(&str, &str)]| {
        let variables = [&[("DATABASE_URL", url.as_str())], variables].concat();
        folder.run_with(&["serve", "--listen", "127.0.0.1:0"], &variables, None)
    };
    let refused = start(&[]);
    assert!(
        refused.failed("MASTER_KEY_MISSING").contains("share a database"),
        "{}",
        refused.all()
    );
    assert!(!folder.path("data/master.key").exists());
    folder.write("passphrase", "correct horse battery staple and more");
    let refused = start(&[("TIELINE__MASTER_KEY__PASSPHRASE_FILE", "passphrase")]);
    assert!(
        refused.failed("MASTER_KEY_MISSING").contains("master.salt"),
        "{}",
        refused.all()
    );

    // Another key than the one it was sealed with.
    shared.serve(&folder).stop();
    let another = MasterKey::generate(&SystemRandom).unwrap().to_text();
    let refused = start(&[("TIELINE_MASTER_KEY", another.reveal())]);
    refused.failed("MASTER_KEY_MISMATCH");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_first_starts_at_once_make_one_tenant() {
    let Some(shared) = Shared::new().await else { return };
    let folders = [shared.folder(), shared.folder(), shared.folder()];
    let servers: Vec<Server> = std::thread::scope(|scope| {
        let starting: Vec<_> = folders
            .iter()
            .map(|folder| scope.spawn(|| shared.serve(folder)))
            .collect();
        starting.into_iter().map(|started| started.join().unwrap()).collect()
    });
    let with_key: Vec<_> = folders
        .iter()
        .filter(|folder| folder.path("data/bootstrap-key").exists())
        .collect();
    let [first] = with_key.as_slice() else {
        panic!("{} keys were made", with_key.len());
    };
    let tenants = Ask::get("/api/v1/tenants");
    let listed = ask(servers[0].address, tenants.key(&bootstrap_key(first))).await;
    assert_eq!(listed.json["data"].as_array().unwrap().len(), 1, "{}", listed.text);
}

/// Two servers, one interval: each connection is tested once.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_tested_by_one_server() {
    let Some(shared) = Shared::new().await else { return };
    let folders = [shared.folder(), shared.folder()];
    let servers = folders.each_ref().map(|folder| shared.serve(folder));
    let key = bootstrap_key(&folders[0]);
    let made = (0..40).map(|nth| {
        let (server, key) = (&servers[nth % 2], key.clone());
        async move { connect(server, &key, &format!("c{nth}")).await }
    });
    let ids = join_all(made).await;
    assert_eq!(shared.upstream.asked(), 40, "each was tested when it was made");
    // What is switched on again is due at once, and both look for it.
    for action in ["disable", "enable"] {
        let batches = servers.iter().zip(ids.chunks(20)).map(|(server, ids)| {
            let body = json!({ "action": action, "connections": ids });
            ask(
                server.address,
                Ask::post("/api/v1/connections/batch").key(&key).json(&body),
            )
        });
        assert!(join_all(batches).await.iter().all(|answer| answer.status == 200));
    }
    let health = async |id: &str| {
        let path = format!("/api/v1/connections/{id}/health");
        ask(servers[0].address, Ask::get(path).key(&key)).await.json
    };
    for id in &ids {
        // A test that waits in vain is ended from outside.
        while health(id).await["data"].as_array().unwrap().len() < 2 {
            tokio::time::sleep(PAUSE).await;
        }
    }
    for id in &ids {
        let told = health(id).await;
        let causes: Vec<_> = told["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|test| &test["cause"])
            .collect();
        assert_eq!(causes, ["scheduled", "created"], "{told}");
        assert!(told["nextTestAt"].as_str() > told["lastTestedAt"].as_str(), "{told}");
    }
    assert_eq!(shared.upstream.asked(), 80);
    for server in servers {
        let (code, log) = server.stop();
        assert_eq!(code, 0, "{log}");
    }
    assert_eq!(shared.verified(&folders[0])["holds"], true);
}

#[test]
fn r3_the_databases_password_is_shown_nowhere() {
    let folder = Folder::new();
    let url = "postgres://tieline:swordfish-in-a-url@127.0.0.1:1/none?sslmode=disable";
    let check = folder.run_with(&["check"], &[("DATABASE_URL", url)], None);
    assert!(
        check.all().contains("postgres://tieline:…@127.0.0.1:1/none"),
        "{}",
        check.all()
    );
    let key = canary::master_key();
    let serve = folder.run_with(&["serve"], &[("DATABASE_URL", url), ("TIELINE_MASTER_KEY", key)], None);
    assert_eq!(serve.code, 1);
    for ran in [check, serve] {
        assert!(!ran.all().contains("swordfish"), "{}", ran.all());
    }
}
