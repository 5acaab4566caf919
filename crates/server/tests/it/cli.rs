//! The command line: the same commands through the running server and without one.

mod help;

use serde_json::{Value, json};
use tieline::MasterKey;
use tieline_store::DataFolder;
use tieline_testkit::canary::Canary;

use crate::{
    binary::{Folder, Ran},
    support::{Ask, GOOD_TOKEN, Upstream, WRONG_TOKEN, ask},
};

static PASSWORD: Canary = Canary::new("a person's password");

/// The amount that the upstream answers; a float would round it.
const EXACT: &str = "12345678901234567890.10";

const OPEN: [(&str, &str); 2] = [
    ("TIELINE__CATALOG__DIR", "shelf"),
    ("TIELINE__EGRESS__LOOPBACK", "true"),
];

/// A folder whose catalog holds the upstream beside.
async fn folder() -> (Folder, Upstream) {
    let upstream = Upstream::start().await;
    let folder = Folder::new();
    folder.write("shelf/acme.yaml", &upstream.manifest());
    (folder, upstream)
}

fn run(folder: &Folder, args: &[&str]) -> Ran {
    folder.run_with(args, &OPEN, None)
}

/// Connects with a good token and answers the connection's id.
fn connect(folder: &Folder, name: &str) -> String {
    folder.write("token", &format!("{GOOD_TOKEN}\n"));
    let made = run(
        folder,
        &[
            "connect",
            "acme",
            "--name",
            name,
            "--secret-file",
            "bot_token=token",
            "--json",
        ],
    )
    .json();
    made["id"].as_str().unwrap().to_owned()
}

/// What a person does, from the catalog to a call.
fn story(folder: &Folder, upstream: &Upstream) {
    let listed = run(folder, &["connectors"]);
    assert!(
        listed
            .worked()
            .lines()
            .any(|line| line.starts_with("acme ") && line.contains("Acme Chat")),
        "{}",
        listed.all()
    );
    let shown = run(folder, &["connectors", "acme"]);
    for part in [
        "bot_token (string, required, secret)",
        "tieline call acme send",
        "content (string, required)",
    ] {
        assert!(shown.worked().contains(part), "{part}: {}", shown.all());
    }

    let fields = json!({ "botToken": GOOD_TOKEN }).to_string();
    let scope = ["--scope", "organization/org_1", "--field", "team=blue"];
    let connected = folder.run_with(&[&["connect", "acme", "-"][..], &scope].concat(), &OPEN, Some(&fields));
    assert!(
        connected
            .worked()
            .contains("Acme Chat is connected as `default`: conn_"),
        "{}",
        connected.all()
    );
    assert!(
        connected.stdout.contains("ada"),
        "the test's label is told: {}",
        connected.all()
    );
    assert!(!GOOD_TOKEN.is_in(&connected.all()));

    let listed = run(folder, &["connections", "--connector", "acme", "--json"]).json();
    let [connection] = listed["data"].as_array().unwrap().as_slice() else {
        panic!("{listed}")
    };
    assert_eq!(
        connection["scope"],
        json!({ "kind": "organization", "identity": "org_1" })
    );
    assert_eq!(connection["config"]["team"], "blue");
    assert_eq!(connection["status"], "active");
    let id = connection["id"].as_str().unwrap();
    let table = run(folder, &["connections"]);
    assert!(
        table.worked().contains(id) && table.stdout.contains("organization/org_1"),
        "{}",
        table.all()
    );

    assert!(run(folder, &["test", id]).worked().contains("ada"));
    let called = run(folder, &["call", "acme", "send", "--set", "content=5"]);
    assert_eq!(
        called.worked(),
        format!("{{\n  \"id\": \"7\",\n  \"amount\": {EXACT}\n}}\n")
    );
    let call = [
        "call",
        "acme",
        "send",
        "--connection",
        id,
        "--input",
        "-",
        "--set",
        "amount=1.50",
        "--json",
    ];
    let called = folder.run_with(&call, &OPEN, Some(r#"{"content":"hello"}"#));
    assert!(called.worked().contains("\"call\": \"call_"), "{}", called.all());
    let sent: Vec<Value> = upstream
        .messages()
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    assert_eq!(
        sent[0],
        json!({ "content": "5" }),
        "text stays text where the schema says text"
    );
    assert_eq!(sent[1], json!({ "content": "hello", "amount": 1.50 }));
    assert!(
        upstream.messages()[1].contains("1.50"),
        "numbers go through as they were written"
    );

    let missing = run(folder, &["call", "acme", "send"]);
    assert!(
        missing.failed("CONNECTOR_ACTION_INPUT_INVALID").contains("content"),
        "{}",
        missing.all()
    );
}

/// E8: what a thief of the data folder finds. The API key lies in a file of its own, and nowhere in the database.
fn nothing_to_steal(folder: &Folder) {
    let key = folder.read("data/bootstrap-key");
    let files: Vec<_> = std::fs::read_dir(folder.path("data"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(files.len() >= 4, "{files:?}");
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!GOOD_TOKEN.is_in(&text), "{} holds the token", path.display());
        let is_its_file = path.ends_with("bootstrap-key");
        assert_eq!(text.contains(key.trim()), is_its_file, "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_work_without_a_server() {
    let (folder, upstream) = folder().await;
    story(&folder, &upstream);
    nothing_to_steal(&folder);
    assert!(!folder.path("data/server.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_commands_go_through_the_running_server() {
    let (folder, upstream) = folder().await;
    let server = folder.serve(&OPEN);
    story(&folder, &upstream);
    nothing_to_steal(&folder);
    let key = folder.read("data/bootstrap-key");
    let log = ask(server.address, Ask::get("/api/v1/audit-logs").key(key.trim())).await;
    let entries = log.json["data"].as_array().unwrap();
    let made = entries
        .iter()
        .find(|entry| entry["action"] == "connection.created")
        .unwrap();
    assert_eq!(made["actor"], "cli", "A3: the log says who it was");
    assert_eq!(server.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_a_code_and_a_sentence_or_a_problem() {
    let (folder, _upstream) = folder().await;
    let said = run(&folder, &["call", "nope", "send"]);
    assert!(said.failed("CONNECTOR_NOT_FOUND: ").contains("nope"), "{}", said.all());
    assert!(said.stdout.is_empty());
    run(&folder, &["call", "acme", "nope"]).failed("CONNECTOR_ACTION_NOT_FOUND: ");
    run(&folder, &["connectors", "nope"]).failed("CONNECTOR_NOT_FOUND: ");
    run(&folder, &["connectors", "../tenants"]).failed("CONNECTOR_NOT_FOUND: ");
    run(&folder, &["test", "conn_01h2xcejqtf2nbrexx3vqjhp41"]).failed("NOT_FOUND: ");
    run(&folder, &["call", "acme", "whoami", "--input", "{\"a\":1,\"a\":2}"]).failed("JSON_INVALID: ");
    run(&folder, &["call", "acme", "whoami", "--input", "[]"]).failed("REQUEST_INVALID: ");
    run(&folder, &["call", "acme", "whoami", "--input", "@absent.json"]).failed("absent.json");
    run(
        &folder,
        &["connect", "acme", "--scope", "galaxy/x", "--field", "bot_token=x"],
    )
    .failed("CONNECTOR_SCOPE_INVALID: ");

    let said = run(&folder, &["connect", "acme", "--field", "colour=red", "--json"]);
    let last = said.failed("CONNECTOR_CONFIG_INVALID").lines().last().unwrap();
    let problem: Value = serde_json::from_str(last).unwrap();
    assert_eq!(problem["code"], "CONNECTOR_CONFIG_INVALID");
    let pointers: Vec<&str> = problem["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["pointer"].as_str().unwrap())
        .collect();
    assert!(
        pointers.contains(&"/config/colour") && pointers.contains(&"/config/bot_token"),
        "{pointers:?}"
    );

    let called = run(&folder, &["call", "acme", "whoami"]);
    assert_eq!(called.code, 1, "nothing is connected: {}", called.all());

    for usage in [
        &["call"][..],
        &["nonsense"],
        &["connect", "acme", "--field", "novalue"],
        &["manifest", "lint"],
    ] {
        assert_eq!(run(&folder, usage).code, 2, "{usage:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_that_happened_has_its_output_told() {
    let (folder, _upstream) = folder().await;
    connect(&folder, "main");
    let said = run(&folder, &["call", "acme", "odd"]);
    said.failed("CONNECTOR_ACTION_OUTPUT_INVALID");
    assert_eq!(serde_json::from_str::<Value>(&said.stdout).unwrap(), json!({ "id": 7 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_connections_must_be_named() {
    let (folder, _upstream) = folder().await;
    let (one, two) = (connect(&folder, "one"), connect(&folder, "two"));
    let said = run(&folder, &["call", "acme", "whoami"]);
    assert!(
        said.failed("--connection").contains(&one) && said.stderr.contains(&two),
        "{}",
        said.all()
    );
    run(&folder, &["call", "acme", "whoami", "--connection", &two]).worked();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fails_its_test_is_kept_and_fails_the_command() {
    let (folder, _upstream) = folder().await;
    let field = format!("bot_token={WRONG_TOKEN}");
    let ran = run(&folder, &["connect", "acme", "--field", &field]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.stdout.contains("UPSTREAM_UNAUTHORIZED"), "{}", ran.all());
    assert!(ran.stderr.contains("other users can see"), "{}", ran.all());
    assert!(!WRONG_TOKEN.is_in(&ran.all()));
    let listed = run(&folder, &["connections", "--json"]).json();
    assert_eq!(listed["data"][0]["status"], "error");
    let id = listed["data"][0]["id"].as_str().unwrap();
    assert_eq!(run(&folder, &["test", id]).code, 1);
}

#[test]
fn what_only_looks_makes_nothing() {
    let folder = Folder::new();
    let key = folder.run(&["key", "status", "--json"]).json();
    assert_eq!(key, json!({ "from": "data/master.key", "state": "absent" }));
    let check = folder.run(&["check", "--json"]).json();
    assert_eq!(
        check["settings"]["server.listen"],
        json!({ "value": "127.0.0.1:8080", "from": "default" })
    );
    let key = "data/master.key (there is none yet: the first start makes it)";
    assert_eq!(check["needs"]["masterKey"], json!({ "good": true, "found": key }));
    assert_eq!(
        check["needs"]["dataFolder"],
        json!({ "good": true, "found": "data will be made" })
    );
    folder.run(&["check"]).worked();
    folder.run(&["connectors"]).worked();
    folder.run(&["connections"]).worked();
    folder
        .run(&["test", "conn_01h2xcejqtf2nbrexx3vqjhp41"])
        .failed("NOT_FOUND");
    folder.run(&["openapi"]).worked();
    assert!(!folder.path("data").exists());
}

#[test]
fn standard_error_is_json_by_lines_where_that_is_asked_for() {
    let folder = Folder::new();
    let said = folder.run(&["connect", "nope", "--json"]);
    let lines: Vec<Value> = said
        .failed("CONNECTOR_NOT_FOUND")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [note, problem] = lines.as_slice() else {
        panic!("{}", said.all())
    };
    assert!(
        note["note"].as_str().unwrap().starts_with("A new master key was made"),
        "{note}"
    );
    assert_eq!(problem["code"], "CONNECTOR_NOT_FOUND");
}

#[test]
fn check_says_where_a_setting_comes_from_and_tells_no_key() {
    let folder = Folder::new();
    folder.write("tieline.toml", "[log]\nformat = \"json\"\n");
    let key = folder.run(&["key", "new"]).worked().trim().to_owned();
    let variables = [
        ("TIELINE__SERVER__LISTEN", "127.0.0.1:1"),
        ("TIELINE_MASTER_KEY", key.as_str()),
    ];
    let ran = folder.run_with(&["check", "--data", "elsewhere"], &variables, None);
    for (setting, value, from) in [
        ("log.format", "json", "tieline.toml:2"),
        ("server.listen", "127.0.0.1:1", "TIELINE__SERVER__LISTEN"),
        ("data.dir", "elsewhere", "--data"),
        ("egress.loopback", "false", "default"),
    ] {
        let line = ran.worked().lines().find(|line| line.starts_with(setting)).unwrap();
        assert!(line.contains(value) && line.ends_with(from), "{line}");
    }
    assert!(
        ran.stdout.contains("the environment variable TIELINE_MASTER_KEY"),
        "{}",
        ran.all()
    );
    assert!(!ran.all().contains(&key));
}

/// All that is missing is told at once, and nothing is made.
#[test]
fn check_judges_what_a_start_needs() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::new();
    folder.write("taken", "a file where the data folder would be made");
    folder.write(
        "tieline.toml",
        "[data]\ndir = \"taken/data\"\n[master_key]\nfile = \"absent.key\"\n[tls]\nextra_ca_files = [\"absent.pem\"]\n\
         [catalog]\ndir = \"absent\"\n",
    );
    let ran = folder.run(&["check", "--json", "--listen", &address]);
    let said: Vec<Value> = ran
        .failed("CONFIG_INVALID")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let details: Vec<&str> = said.iter().map(|problem| problem["detail"].as_str().unwrap()).collect();
    let listening = format!("--listen: nothing can listen on {address}:");
    for (detail, part) in details.iter().zip([
        "`data.dir`: nothing can be written in",
        "There is no master key in the place that `master_key.file` names (tieline.toml:4)",
        listening.as_str(),
        "`tls.extra_ca_files`: absent.pem cannot be read",
        "`catalog.dir`: absent cannot be read",
    ]) {
        assert!(detail.contains(part), "{detail}");
    }
    assert_eq!(details.len(), 5, "{}", ran.all());
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    for need in ["dataFolder", "masterKey", "address", "authorities", "connectors"] {
        assert_eq!(told["needs"][need]["good"], false, "{need}");
    }

    let folder = Folder::new();
    let server = folder.serve(&[]);
    let address = server.address.to_string();
    let told = folder.run(&["check", "--json", "--listen", &address]).json();
    let ours = format!("{address} is held by the server that runs on this data");
    assert_eq!(told["needs"]["address"], json!({ "good": true, "found": ours }));
    assert_eq!(told["needs"]["dataFolder"]["found"], "data has data in it");
    server.stop();
}

#[test]
fn check_tells_a_key_that_is_not_the_data_s() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let told = folder.run(&["check", "--json", "--listen", "127.0.0.1:0"]).json();
    assert_eq!(told["needs"]["masterKey"]["good"], true, "{told}");
    let found = told["needs"]["masterKey"]["found"].as_str().unwrap();
    assert!(found.contains("not compared with the data"), "{found}");
    let found = told["needs"]["database"]["found"].as_str().unwrap();
    assert!(found.contains("not looked at"), "{found}");
    server.stop();
    let before = files(&folder);
    folder.run(&["check", "--listen", "127.0.0.1:0"]).worked();
    assert_eq!(files(&folder), before, "looking changed something");

    let other = folder.run(&["key", "new"]).worked().trim().to_owned();
    let variables = [("TIELINE_MASTER_KEY", other.as_str())];
    let ran = folder.run_with(&["check", "--json", "--listen", "127.0.0.1:0"], &variables, None);
    assert!(
        ran.failed("MASTER_KEY_MISMATCH").contains("TIELINE_MASTER_KEY"),
        "{}",
        ran.all()
    );
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["needs"]["masterKey"]["code"], "MASTER_KEY_MISMATCH");
    assert!(!ran.all().contains(&other));
}

/// People write the secret where its place is asked for.
#[test]
fn r3_a_secret_in_place_of_its_place_is_not_told() {
    static PASTED: Canary = Canary::shaped("pasted passphrase", "orbit_candle_####################");
    for key in ["file", "passphrase_file", "passphrase_env", "env"] {
        let folder = Folder::new();
        folder.write("tieline.toml", &format!("[master_key]\n{key} = \"{}\"\n", &*PASTED));
        for args in [
            &["check"][..],
            &["check", "--json"],
            &["key", "status"],
            &["serve", "--listen", "127.0.0.1:0"],
        ] {
            if key == "env" && args[0] == "serve" {
                // With no such variable a key is made.
                continue;
            }
            let ran = folder.run(args);
            assert!(
                !PASTED.is_in(&ran.all()),
                "{key}: {}",
                ran.all().replace(&*PASTED, "HERE")
            );
            assert!(
                ran.all().contains("master_key") || args[0] == "key",
                "{key}: {}",
                ran.all()
            );
        }
    }
}

#[test]
fn e5_keys_are_made_and_judged() {
    let folder = Folder::new();
    let [one, two] = [(); 2].map(|()| folder.run(&["key", "new"]).worked().trim().to_owned());
    assert_ne!(one, two);
    assert!(MasterKey::parse(&one).is_ok());
    let status = |variables: &[(&str, &str)]| {
        folder.run_with(&["key", "status", "--json"], variables, None).json()["state"].clone()
    };
    assert_eq!(status(&[("TIELINE_MASTER_KEY", &one)]), "unused");
    folder.make(&[("TIELINE_MASTER_KEY", &one)]);
    assert_eq!(status(&[("TIELINE_MASTER_KEY", &one)]), "fits");
    folder
        .run_with(&["key", "status"], &[("TIELINE_MASTER_KEY", &two)], None)
        .failed("MASTER_KEY_MISMATCH");
    let _held = DataFolder::lock(folder.path("data")).unwrap();
    assert_eq!(status(&[("TIELINE_MASTER_KEY", &one)]), "in-use");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_the_server_s() {
    let folder = Folder::new();
    let printed = folder.run(&["openapi"]).json();
    let server = folder.serve(&[]);
    let served = ask(server.address, Ask::get("/api/v1/openapi.json")).await;
    assert_eq!(printed, served.json);
    assert_eq!(server.stop().0, 0);
}

#[test]
fn a_folder_in_other_hands_is_said_so() {
    let folder = Folder::new();
    folder.make(&[]);
    let _held = DataFolder::lock(folder.path("data")).unwrap();
    folder.run(&["connections"]).failed("DATA_FOLDER_LOCKED");

    folder.write("data/server.json", "{}");
    folder.run(&["connections"]).failed("SERVER_UNREACHABLE");
    // A port that was free a moment ago answers nobody.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    static LOCAL: Canary = Canary::new("key of a server that is gone");
    let stale = json!({ "url": format!("http://{free}"), "pid": 1, "key": LOCAL });
    folder.write("data/server.json", &stale.to_string());
    let said = folder.run(&["connections"]);
    assert!(
        said.failed("SERVER_UNREACHABLE").contains(&free.to_string()),
        "{}",
        said.all()
    );
    assert!(!LOCAL.is_in(&said.all()));
}

#[test]
fn lint_tells_every_mistake_with_its_place() {
    let folder = Folder::new();
    let good = "id: one\nname: One\nbaseUrl: https://one.example\nauth:\n  - { type: none }\nendpoints:\n  - { id: look, name: Look, method: GET, path: /look }\n";
    folder.write("good.yaml", good);
    folder.write(
        "bad.yaml",
        &good
            .replace("baseUrl: https", "baseUrl: ftp")
            .replace("name: Look,", "nmae: Look,"),
    );
    assert_eq!(
        folder.run(&["manifest", "lint", "good.yaml"]).worked(),
        "No mistakes.\n"
    );
    let ran = folder.run(&["manifest", "lint", "good.yaml", "bad.yaml"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stdout.lines().any(|line| line.starts_with("bad.yaml:3:")),
        "{}",
        ran.all()
    );
    assert!(
        ran.stdout
            .lines()
            .any(|line| line.starts_with("bad.yaml:7:") && line.contains("did you mean `name`?")),
        "{}",
        ran.all()
    );
    let ran = folder.run(&["manifest", "lint", "bad.yaml", "--json"]);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["lints"][0]["line"], 3, "{told}");
    assert_eq!(
        folder.run(&["manifest", "lint", "good.yaml", "--shipped"]).code,
        1,
        "a shipped connector says more"
    );
    folder
        .run(&["manifest", "lint", "absent.yaml"])
        .failed("absent.yaml cannot be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_tried_without_keeping_anything() {
    let (folder, upstream) = folder().await;
    let config = json!({ "botToken": GOOD_TOKEN }).to_string();
    let args = [
        "manifest",
        "run",
        "shelf/acme.yaml",
        "send",
        "--input",
        r#"{"content":"hi"}"#,
        "--config",
        "-",
    ];
    let shown = folder.run_with(&args, &OPEN, Some(&config));
    assert!(shown.worked().starts_with("POST http://127.0.0.1:"), "{}", shown.all());
    assert!(
        shown.stdout.contains("authorization: Bot {{config.bot_token}}\n"),
        "{}",
        shown.all()
    );
    assert!(shown.stdout.ends_with("\n\n{\"content\":\"hi\"}\n"), "{}", shown.all());
    assert!(!GOOD_TOKEN.is_in(&shown.all()));
    assert!(upstream.messages().is_empty());
    let without = run(&folder, &args[..6]);
    assert!(
        without.worked().contains("authorization: Bot {{config.bot_token}}\n"),
        "{}",
        without.all()
    );
    let open = run(&folder, &["manifest", "run", "shelf/acme.yaml", "open"]);
    assert!(!open.worked().contains("authorization"), "{}", open.all());

    let sent = folder.run_with(&[&args[..], &["--send"]].concat(), &OPEN, Some(&config));
    assert!(sent.worked().contains(EXACT), "{}", sent.all());
    assert_eq!(upstream.messages(), ["{\"content\":\"hi\"}"]);
    let refused = folder.run_with(&[&args[..], &["--send"]].concat(), &[], Some(&config));
    refused.failed("EGRESS_FORBIDDEN");

    let wrong = folder.run_with(
        &[
            "manifest",
            "run",
            "shelf/acme.yaml",
            "send",
            "--config",
            "{\"colour\":1}",
        ],
        &OPEN,
        None,
    );
    assert!(
        wrong.failed("CONNECTOR_CONFIG_INVALID").contains("/config/colour"),
        "{}",
        wrong.all()
    );
    run(&folder, &["manifest", "run", "shelf/acme.yaml", "nope"]).failed("CONNECTOR_ACTION_NOT_FOUND");
    assert!(!folder.path("data").exists());
}

#[test]
fn a_connector_is_shown_with_its_setup_and_what_must_be_given_first() {
    let folder = Folder::new();
    folder.write(
        "shelf/one.yaml",
        "id: one\nname: One\nbaseUrl: https://one.example\nsetup:\n  - { title: Make a bot, description: Press New., bullets: [Copy it.] }\nauth:\n  - { type: none }\nendpoints:\n  - id: look\n    name: Look\n    method: POST\n    path: /look\n    auth: none\n    body:\n      schema:\n        type: object\n        properties:\n          aside: { type: string }\n          code: { type: string, secret: true, required: true }\n",
    );
    let shown = run(&folder, &["connectors", "one"]);
    assert!(
        shown.worked().contains("1. Make a bot\n   Press New.\n   Copy it.\n"),
        "{}",
        shown.all()
    );
    assert!(
        shown
            .stdout
            .contains("  code (string, required, secret)\n  aside (string)"),
        "{}",
        shown.all()
    );

    static CODE: Canary = Canary::new("secret input");
    let called = run(
        &folder,
        &[
            "call",
            "one",
            "look",
            "--set",
            &format!("code={CODE}"),
            "--set",
            "wrong=1",
        ],
    );
    called.failed("CONNECTOR_ACTION_INPUT_INVALID");
    assert!(
        called
            .stderr
            .contains("`code` is a secret, and other users can see this command"),
        "{}",
        called.all()
    );
    assert!(!CODE.is_in(&called.all()));
}

/// Beside a running server and without one.
#[tokio::test(flavor = "multi_thread")]
async fn people_are_invited_and_listed_and_forget_their_passwords() {
    let folder = Folder::new();
    let invite = |email: &str, role: &str| folder.run(&["user", "invite", email, "--role", role, "--json"]).json();
    let invited = invite("ada@example.com", "owner");
    let link = invited["link"].as_str().unwrap().to_owned();
    assert!(link.starts_with("http://127.0.0.1:8080/setup?token="), "{link}");
    let server = folder.serve(&[]);
    let other = invite("bob@example.com", "editor");
    let at = format!("http://{}/setup?token=", server.address);
    assert!(other["link"].as_str().unwrap().starts_with(&at), "{other}");
    let token = link.split_once("token=").unwrap().1;
    let body = serde_json::json!({ "token": token, "name": "Ada", "password": *PASSWORD });
    let joined = ask(server.address, Ask::post("/setup").json(&body)).await;
    assert_eq!(joined.json["session"]["role"], "owner", "{}", joined.text);
    let list = folder.run(&["user", "list"]);
    for words in [
        "ada@example.com",
        "bob@example.com",
        "active",
        "invited",
        "owner",
        "editor",
    ] {
        assert!(list.worked().contains(words), "{words}: {}", list.stdout);
    }
    let reset = folder.run(&["user", "reset", "ada@example.com"]);
    assert!(reset.worked().starts_with(&at), "{}", reset.stdout);
    folder.run(&["user", "reset", "nobody@example.com"]).failed("NOT_FOUND");
    assert_eq!(server.stop().0, 0);
}

/// The files of the data folder, and what is in them.
fn files(folder: &Folder) -> std::collections::BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder.path("data")).unwrap();
    let files = entries.map(|entry| {
        let path = entry.unwrap().path();
        (path.display().to_string(), std::fs::read(&path).unwrap())
    });
    files.collect()
}
