//! Starting: from an empty folder, with the wrong key, with the wrong configuration, beside another process.

use std::{os::unix::fs::PermissionsExt, path::Path, process::Stdio};

use tieline::{MasterKey, clock::SystemRandom};
use tieline_testkit::canary;
use tokio::task::JoinHandle;

use crate::{
    binary::{Folder, Server},
    support::{Ask, GOOD_TOKEN, Upstream, ask},
};

const ONE: &str = "id: one\nname: One\nbaseUrl: https://one.example\nauth:\n  - { type: none }\nendpoints:\n  - { id: look, name: Look, method: GET, path: /look }\n";

fn new_key() -> String {
    MasterKey::generate(&SystemRandom).unwrap().to_text().reveal().clone()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn k7_an_empty_folder_is_enough() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    for name in [
        "master.key",
        "bootstrap-key",
        "server.json",
        "tieline.db",
        "tieline.lock",
    ] {
        assert_eq!(mode(&folder.path("data").join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&folder.path("data")), 0o700);
    assert_eq!(server.told["masterKey"], "data/master.key");
    assert_eq!(server.told["bootstrapKey"], "data/bootstrap-key");

    let health = ask(server.address, Ask::get("/health")).await;
    assert_eq!(health.status, 200, "{}", health.text);
    let key = folder.read("data/bootstrap-key");
    let tenants = ask(server.address, Ask::get("/api/v1/tenants").key(key.trim())).await;
    assert_eq!(tenants.json["data"][0]["name"], "default", "{}", tenants.text);

    let (code, log) = server.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("A new master key was made: data/master.key"), "{log}");
    assert!(!folder.path("data/server.json").exists());
    let names: Vec<_> = std::fs::read_dir(folder.path("data"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        names.iter().all(|name| !name.to_string_lossy().contains("pending")),
        "{names:?}"
    );
}

/// Whatever is done to it, the next start finds the tenant of the first one, and makes no key anew.
#[tokio::test(flavor = "multi_thread")]
async fn t1_the_default_tenant_is_found_again() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let key = folder.read("data/bootstrap-key");
    let list = ask(server.address, Ask::get("/api/v1/tenants").key(key.trim())).await;
    let id = list.json["data"][0]["id"].as_str().unwrap().to_owned();
    let rename = Ask::new(http::Method::PATCH, format!("/api/v1/tenants/{id}")).key(key.trim());
    let refused = ask(server.address, rename.json(&serde_json::json!({ "name": "ours" }))).await;
    assert_eq!(
        (refused.status, refused.code()),
        (422, "REQUEST_INVALID"),
        "{}",
        refused.text
    );
    assert_eq!(server.stop().0, 0);
    let server = folder.serve(&[]);
    assert_eq!(folder.read("data/bootstrap-key"), key);
    let again = ask(server.address, Ask::get("/api/v1/tenants").key(key.trim())).await;
    assert_eq!(again.json, list.json);
    assert_eq!(server.stop().0, 0);
}

#[test]
fn the_printed_request_works_as_printed() {
    let folder = Folder::new();
    folder.write("shelf/one.yaml", ONE);
    let server = folder.serve(&[("TIELINE__CATALOG__DIR", "shelf")]);
    let curl = server.told["curl"].as_str().unwrap();
    let done = folder
        .command("sh", &["-c", curl])
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let connector: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert!(
        curl.ends_with(connector["id"].as_str().unwrap()),
        "{curl} answered {connector}"
    );
    assert_eq!(server.stop().0, 0);
}

#[test]
fn a_second_process_is_refused_and_the_first_goes_on() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let second = folder.run(&["serve", "--listen", "127.0.0.1:0"]);
    second.failed("DATA_FOLDER_LOCKED");
    assert!(second.stdout.is_empty());
    folder.run(&["connections"]).worked();
    assert_eq!(server.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_keys_and_connections_and_the_run_s_key_dies_with_the_run() {
    let upstream = Upstream::start().await;
    let folder = Folder::new();
    folder.write("shelf/acme.yaml", &upstream.manifest());
    let variables = [
        ("TIELINE__CATALOG__DIR", "shelf"),
        ("TIELINE__EGRESS__LOOPBACK", "true"),
    ];
    let server = folder.serve(&variables);
    let connect = ["connect", "acme", "-", "--json"];
    let fields = serde_json::json!({ "bot_token": GOOD_TOKEN }).to_string();
    folder.run_with(&connect, &variables, Some(&fields)).json();
    let (key, announced) = (folder.read("data/bootstrap-key"), folder.read("data/server.json"));
    assert_eq!(server.stop().0, 0);

    let server = folder.serve(&variables);
    assert_eq!(folder.read("data/bootstrap-key"), key);
    let call = folder.run_with(&["call", "acme", "whoami"], &variables, None);
    assert!(call.worked().contains("ada"), "{}", call.all());
    let announced: serde_json::Value = serde_json::from_str(&announced).unwrap();
    let old = ask(
        server.address,
        Ask::get("/api/v1/connections").key(announced["key"].as_str().unwrap()),
    )
    .await;
    assert_eq!((old.status, old.code()), (401, "UNAUTHENTICATED"));
    assert_eq!(server.stop().0, 0);
}

#[test]
fn e5_a_bad_key_stops_the_start_and_leaves_nothing_but_the_lock_file() {
    let short = new_key()[..20].to_owned();
    for (key, code) in [
        ("", "MASTER_KEY_MISSING"),
        (short.as_str(), "MASTER_KEY_INVALID"),
        ("your-32-character-secret-key-here", "MASTER_KEY_INVALID"),
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "MASTER_KEY_INVALID"),
    ] {
        let folder = Folder::new();
        let ran = folder.run_with(
            &["serve", "--listen", "127.0.0.1:0"],
            &[("TIELINE_MASTER_KEY", key)],
            None,
        );
        let said = ran.failed(code);
        assert!(
            said.contains("TIELINE_MASTER_KEY") && said.contains("tieline key new"),
            "{said}"
        );
        assert!(key.is_empty() || !said.contains(key), "the key is shown: {said}");
        let left: Vec<_> = std::fs::read_dir(folder.path("data"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["tieline.lock"]);
    }
}

#[test]
fn e5_a_key_file_that_is_named_must_be_there() {
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let folder = Folder::new();
    folder.write("tieline.toml", "[master_key]\nfile = \"keys/master\"\n");
    let said = folder.run(&serve);
    assert!(
        said.failed("MASTER_KEY_MISSING")
            .contains("`master_key.file` names (tieline.toml:2)")
    );
    assert!(!folder.path("data/tieline.db").exists());
    folder.write("keys/master", "changeme");
    assert!(folder.run(&serve).failed("MASTER_KEY_INVALID").contains("keys/master"));
    folder.write("keys/master", &format!("{}\n", new_key()));
    let (code, log) = folder.serve(&[]).stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("Others can read the master key file"), "{log}");
}

#[test]
fn e5_a_passphrase_opens_with_its_salt_only() {
    let (folder, serve) = (Folder::new(), ["serve", "--listen", "127.0.0.1:0"]);
    folder.write(
        "tieline.toml",
        "[master_key]\npassphrase_env = \"TIELINE_PASSPHRASE\"\n",
    );
    let good = format!("orbit candle mosaic {}", new_key());
    canary::never_told("passphrase", &good);
    for (passphrase, code) in [
        (None, "MASTER_KEY_MISSING"),
        (Some("changeme changeme changeme"), "MASTER_KEY_INVALID"),
    ] {
        let variables: Vec<_> = passphrase.iter().map(|text| ("TIELINE_PASSPHRASE", *text)).collect();
        let said = folder.run_with(&serve, &variables, None);
        assert!(
            said.failed(code).contains("passphrase_env") || said.failed(code).contains("TIELINE_PASSPHRASE"),
            "{}",
            said.stderr
        );
        for name in ["tieline.db", "master.salt", "master.key"] {
            assert!(!folder.path("data").join(name).exists(), "{name} was left behind");
        }
    }

    let right = [("TIELINE_PASSPHRASE", good.as_str())];
    folder.make(&right);
    assert_eq!(mode(&folder.path("data/master.salt")), 0o600);
    assert!(!folder.path("data/master.key").exists());
    folder.run_with(&["connections"], &right, None).worked();
    let wrong = format!("{good}!");
    canary::never_told("passphrase", &wrong);
    folder
        .run_with(&serve, &[("TIELINE_PASSPHRASE", &wrong)], None)
        .failed("MASTER_KEY_MISMATCH");
    let salt = folder.read("data/master.salt");
    std::fs::remove_file(folder.path("data/master.salt")).unwrap();
    let said = folder.run_with(&serve, &right, None);
    assert!(
        said.failed("MASTER_KEY_MISSING").contains("master.salt"),
        "{}",
        said.stderr
    );
    folder.write("data/master.salt", &salt);
    folder.write("passphrase", &format!("{good}\n"));
    folder.write("tieline.toml", "[master_key]\npassphrase_file = \"passphrase\"\n");
    folder.run(&["connections"]).worked();

    folder.write(
        "tieline.toml",
        "[master_key]\npassphrase_file = \"passphrase\"\nfile = \"key\"\n",
    );
    assert!(folder.run(&serve).failed("CONFIG_INVALID").contains("passphrase_file"));
}

#[test]
fn e5_data_opens_with_its_own_key_only() {
    let folder = Folder::new();
    folder.make(&[]);
    let key = folder.read("data/master.key");
    std::fs::remove_file(folder.path("data/master.key")).unwrap();
    let said = folder.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(
        said.failed("MASTER_KEY_MISSING").contains("put that key back"),
        "{}",
        said.stderr
    );
    assert!(!folder.path("data/master.key").exists(), "no key is made beside data");

    let other = new_key();
    let said = folder.run_with(
        &["serve", "--listen", "127.0.0.1:0"],
        &[("TIELINE_MASTER_KEY", &other)],
        None,
    );
    said.failed("MASTER_KEY_MISMATCH");
    folder
        .run_with(&["key", "status"], &[("TIELINE_MASTER_KEY", &other)], None)
        .failed("MASTER_KEY_MISMATCH");

    let ran = folder.run_with(&["connections"], &[("TIELINE_MASTER_KEY", key.trim())], None);
    ran.worked();
}

#[test]
fn a_wrong_configuration_is_refused_with_its_place() {
    for (file, sentence) in [
        (
            "[server]\nlisen = \"x\"\n",
            "tieline.toml:2: there is no setting `server.lisen`; did you mean `server.listen`?",
        ),
        (
            "[server]\nlisten = 8080\n",
            "tieline.toml:2: `server.listen` must be text.",
        ),
        ("[server\n", "tieline.toml:1: this is not TOML"),
        (
            "[egress]\nloopback = true\n[server]\nlisten = \"0.0.0.0:0\"\n",
            "tieline.toml:2: `egress.loopback`",
        ),
        (
            "[tls]\nextra_ca_files = [\"absent.pem\"]\n",
            "absent.pem cannot be read",
        ),
        ("[catalog]\ndir = \"absent\"\n", "absent cannot be read"),
        ("[log]\nlevel = \"=\"\n", "tieline.toml:2: `log.level` must be"),
    ] {
        let folder = Folder::new();
        folder.write("tieline.toml", file);
        let ran = folder.run(&["serve"]);
        let said = ran.failed("CONFIG_INVALID");
        assert!(said.contains(sentence), "{said}");
        assert!(!folder.path("data/tieline.db").exists(), "{file}");
    }
    let folder = Folder::new();
    let said = folder.run(&["serve", "--config", "absent.toml"]);
    assert!(said.failed("CONFIG_INVALID").contains("absent.toml cannot be read"));
    let said = folder.run_with(&["serve"], &[("TIELINE__DATA__DRI", "x")], None);
    assert!(
        said.failed("CONFIG_INVALID")
            .contains("TIELINE__DATA__DRI: there is no setting `data.dri`; did you mean `data.dir`?")
    );
}

#[test]
fn a_port_that_is_taken_is_said_so() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = folder.run(&["serve", "--listen", &address]);
    assert!(
        ran.failed("CONFIG_INVALID")
            .contains(&format!("--listen: nothing can listen on {address}")),
        "{}",
        ran.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_ended_before_its_key_was_written_is_made_good() {
    let folder = Folder::new();
    folder.make(&[]);
    let lost = folder.read("data/bootstrap-key");
    // As a crash between the first tenant and its key's file leaves it.
    std::fs::remove_file(folder.path("data/bootstrap-key")).unwrap();
    folder.write("data/bootstrap-key.pending", "");
    let server = folder.serve(&[]);
    let key = folder.read("data/bootstrap-key");
    assert_ne!(key, lost);
    let answer = ask(server.address, Ask::get("/api/v1/tenants").key(key.trim())).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!folder.path("data/bootstrap-key.pending").exists());
    assert_eq!(server.stop().0, 0);

    // An operator who takes the file away means it.
    std::fs::remove_file(folder.path("data/bootstrap-key")).unwrap();
    let server = folder.serve(&[]);
    assert!(!folder.path("data/bootstrap-key").exists());
    assert_eq!(server.told["bootstrapKey"], serde_json::Value::Null);
    assert_eq!(server.stop().0, 0);
}

#[test]
fn a_bad_manifest_of_the_operator_s_stops_no_other() {
    let folder = Folder::new();
    folder.write("shelf/good.yaml", ONE);
    folder.write("shelf/taken.yml", ONE);
    folder.write(
        "shelf/bad.yaml",
        &ONE.replace("one", "two").replace("method: GET", "metod: GET"),
    );
    folder.write("shelf/notes.txt", "not a manifest");
    let variables = [("TIELINE__CATALOG__DIR", "shelf")];
    let ran = folder.run_with(&["connectors", "--json"], &variables, None);
    let listed = ran.json();
    let ids: Vec<&str> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&"one") && !ids.contains(&"two"), "{ids:?}");
    assert!(ran.stderr.contains("shelf/bad.yaml:7:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("shelf/taken.yml: left out"), "{}", ran.stderr);
    let check = folder.run_with(&["check"], &variables, None);
    assert!(check.failed("shelf/bad.yaml:7:").contains("shelf/taken.yml"));
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_the_log_holds_no_body_credential_or_query_even_at_trace() {
    let upstream = Upstream::start().await;
    let folder = Folder::new();
    folder.write("shelf/acme.yaml", &upstream.manifest());
    let variables = [
        ("TIELINE__CATALOG__DIR", "shelf"),
        ("TIELINE__EGRESS__LOOPBACK", "true"),
        ("TIELINE__LOG__LEVEL", "trace"),
        ("TIELINE__LOG__FORMAT", "json"),
    ];
    let server = folder.serve(&variables);
    let key = folder.read("data/bootstrap-key");
    let body =
        serde_json::json!({ "connector": "acme", "config": { "bot_token": GOOD_TOKEN, "team": "body-canary-51" } });
    let made = ask(
        server.address,
        Ask::post("/api/v1/connections").key(key.trim()).json(&body),
    )
    .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json["id"].as_str().unwrap();
    let path = format!("/api/v1/connections/{id}/actions/send?note=query-canary-77");
    let sent = serde_json::json!({ "content": "input-canary-93" });
    ask(server.address, Ask::post(path).key(key.trim()).json(&sent)).await;
    assert_eq!(upstream.messages().len(), 1);
    let local: serde_json::Value = serde_json::from_str(&folder.read("data/server.json")).unwrap();
    let (code, log) = server.stop();
    assert_eq!(code, 0);
    assert!(
        log.lines()
            .any(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
        "the log is JSON: {log}"
    );
    assert!(!GOOD_TOKEN.is_in(&log), "the token is in the log");
    let secrets = [
        "body-canary-51",
        "query-canary-77",
        "input-canary-93",
        key.trim(),
        local["key"].as_str().unwrap(),
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// A server with the upstream in its catalog, and a slow call that has reached the upstream.
async fn with_open_call() -> (Folder, Upstream, Server, JoinHandle<u16>) {
    let upstream = Upstream::start().await;
    let folder = Folder::new();
    folder.write("shelf/acme.yaml", &upstream.manifest());
    let server = folder.serve(&[
        ("TIELINE__CATALOG__DIR", "shelf"),
        ("TIELINE__EGRESS__LOOPBACK", "true"),
    ]);
    let (address, key) = (server.address, folder.read("data/bootstrap-key"));
    let body = serde_json::json!({ "connector": "acme", "config": { "bot_token": GOOD_TOKEN } });
    let made = ask(address, Ask::post("/api/v1/connections").key(key.trim()).json(&body)).await;
    let path = format!("/api/v1/connections/{}/actions/slow", made.json["id"].as_str().unwrap());
    let call = Ask::post(path).key(key.trim()).json(&serde_json::json!({}));
    let called = tokio::spawn(async move { ask(address, call).await.status });
    upstream.slow_arrived().await;
    (folder, upstream, server, called)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_open_requests_end() {
    let (folder, upstream, mut server, called) = with_open_call().await;
    server.signal("TERM");
    server.logged("stopping");
    folder.run(&["connections"]).failed("DATA_FOLDER_LOCKED");
    upstream.let_slow_go_on();
    assert_eq!(called.await.unwrap(), 200);
    assert_eq!(server.ended().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_cuts_them() {
    let (_folder, _upstream, mut server, called) = with_open_call().await;
    server.signal("INT");
    server.logged("stopping");
    server.signal("INT");
    assert_eq!(server.ended().0, 0);
    assert_eq!(called.await.unwrap(), 503, "the request was cut, and its caller told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_leaves_nothing_that_misleads() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    server.signal("KILL");
    server.ended();
    assert!(folder.path("data/server.json").exists(), "nobody could take it back");
    folder.run(&["connections"]).worked();
    assert!(
        !folder.path("data/server.json").exists(),
        "a later command would send secrets to that address"
    );
    assert_eq!(folder.serve(&[]).stop().0, 0);
}
