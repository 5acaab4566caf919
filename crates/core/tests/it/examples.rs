//! The example programs, started as anybody would start them, with twins of the services that they talk to.

use std::{
    io::{BufRead, BufReader, Read as _, Write as _},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use serde_json::{Value, json};
use tieline_testkit::{
    canary::{self, Canary},
    redis::{PASSWORD, Redis},
    twin::{Reply, Twin},
};
use tokio::task::spawn_blocking;

static BOT: Canary = Canary::shaped("bot token of the example", "################:A-################");

/// The program of an example. A run of all the library's tests builds it.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        program.exists(),
        "{} is missing: `cargo build --workspace --examples` makes it",
        program.display()
    );
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    command
}

async fn run(mut command: Command) -> Output {
    let output = spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A running example, which ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Posts a text and answers what came back, head and body.
#[expect(clippy::disallowed_methods, reason = "the test is the bot's visitor")]
fn posted(address: &str, text: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let length = text.len();
    write!(
        stream,
        "POST /send HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{text}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn a_bot_sends_what_it_is_posted_and_prints_what_happens() {
    let api = Twin::always(Reply::json(200, &json!({ "ok": true, "result": { "message_id": 7 } }))).await;
    let mut command = example("telegram_bot");
    command
        .env("TIELINE_SECRET", canary::master_key())
        .env("TELEGRAM_BOT_TOKEN", &*BOT)
        .env("TELEGRAM_CHAT_ID", "77")
        .env("TELEGRAM_API", api.url())
        .env("LISTEN", "127.0.0.1:0")
        .stdout(Stdio::piped());
    let rest = spawn_blocking(move || {
        let mut bot = Running(command.spawn().unwrap());
        let mut lines = BufReader::new(bot.0.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let listening = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        let address = listening.expect("it says where it listens");
        let sent = posted(&address, "Hello");
        assert!(sent.starts_with("HTTP/1.1 200 ") && sent.ends_with("\r\n7\n"), "{sent}");
        let refused = posted(&address, "");
        assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
        assert!(refused.contains("CONNECTOR_ACTION_INPUT_INVALID: "), "{refused}");
        // As whoever sits before it ends it.
        let pid = bot.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let rest: Vec<String> = lines.collect();
        assert!(bot.0.wait().unwrap().success());
        rest
    });
    let rest = rest.await.unwrap();
    let seen = api.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].target, format!("/bot{}/sendMessage", &*BOT));
    assert_eq!(seen[0].json(), json!({ "chat_id": "77", "text": "Hello" }));
    for told in [
        "tieline.connectors.action.started",
        "tieline.connectors.action.completed",
        "tieline.connectors.action.failed CONNECTOR_ACTION_INPUT_INVALID",
    ] {
        assert!(rest.iter().any(|line| line == told), "{told}: {rest:?}");
    }
    assert_eq!(rest.last().map(String::as_str), Some("closed"));
    assert!(!BOT.is_in(&rest.join("\n")));
}

/// Names and severities of what a collector was sent.
fn names(requests: &[Vec<u8>]) -> Vec<(String, String)> {
    let exports = requests
        .iter()
        .map(|body| ExportLogsServiceRequest::decode(&**body).unwrap());
    let scopes = exports
        .flat_map(|export| export.resource_logs)
        .flat_map(|logs| logs.scope_logs);
    scopes
        .flat_map(|scope| scope.log_records)
        .map(|record| (record.event_name, record.severity_text))
        .collect()
}

#[tokio::test]
async fn a_collector_and_a_stream_of_redis_hear_of_the_same_without_secrets() {
    let Some(redis) = Redis::start() else { return };
    let collector = Twin::always(Reply::empty(200)).await;
    let mut command = example("telemetry");
    command
        .args([collector.url(), format!("127.0.0.1:{}", redis.port)])
        .env("REDIS_PASSWORD", &*PASSWORD);
    let printed = String::from_utf8(run(command).await.stdout).unwrap();
    assert!(printed.contains("CONNECTOR_ACTION_INPUT_INVALID"), "{printed}");
    for name in ["collector", "stream"] {
        assert!(printed.contains(&format!("{name}: 3 sent, 0 lost")), "{printed}");
    }
    let event = |name: &str, level: &str| (format!("tieline.connectors.{name}"), level.to_owned());
    let mut expected = vec![
        event("connector.connected", "INFO"),
        event("action.failed", "ERROR"),
        event("error.occurred", "ERROR"),
    ];
    expected.sort();
    let bodies: Vec<Vec<u8>> = collector.seen().into_iter().map(|seen| seen.body).collect();
    let mut decoded = names(&bodies);
    decoded.sort();
    assert_eq!(decoded, expected);

    let entries = redis.ask(&["XRANGE", "tieline", "-", "+"]);
    let envelopes: Vec<Value> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| serde_json::from_str(entry[1][5].as_str().unwrap()).unwrap())
        .collect();
    let mut streamed: Vec<(String, String)> = envelopes
        .iter()
        .map(|envelope| {
            let text = |name: &str| envelope[name].as_str().unwrap().to_owned();
            (text("name"), text("level").to_uppercase())
        })
        .collect();
    streamed.sort();
    assert_eq!(streamed, expected);
    assert!(
        envelopes
            .iter()
            .all(|envelope| envelope["sessionId"] == envelopes[0]["sessionId"]),
        "{envelopes:?}"
    );
    let everything = format!("{envelopes:?}{}", String::from_utf8_lossy(&bodies.concat()));
    for word in ["a-token-from-acme", "Ada Lovelace", "org_123"] {
        assert!(!everything.contains(word), "{word}: {everything}");
    }
}

#[tokio::test]
async fn an_adapters_file_holds_its_secrets_sealed() {
    let folder = tieline_testkit::evidence::data_folder();
    let file: PathBuf = folder.join("connections.json");
    let mut command = example("file_adapter");
    command.arg(&file);
    run(command).await;
    let text = std::fs::read_to_string(&file).unwrap();
    let records: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(records[0]["key"]["connector"], "acme");
    assert_eq!(
        records[0]["key"]["scope"],
        json!({ "kind": "organization", "identity": "org_123" })
    );
    assert!(!text.contains("a-token-from-acme"), "{text}");
}
