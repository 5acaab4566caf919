//! Transports: what they are handed arrives, and what becomes of them harms nobody.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::{BoxFuture, pending, ready};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value as Any},
};
use prost::Message as _;
use serde_json::{Map, Value, json};
use tieline::{
    Code, Error, Telemetry,
    limits::{TELEMETRY_ATTEMPTS, TELEMETRY_CLOSE_PATIENCE, TELEMETRY_QUEUE},
    secret::Secret,
    telemetry::{Envelope, FileTransport, Level, OtlpTransport, RedisTransport, Transport},
};
use tieline_testkit::{
    canary::Canary,
    evidence,
    redis::{PASSWORD, Redis},
    twin::{Reply, Twin},
};
use tokio::time::Instant;

use crate::{
    house::json_reply,
    telemetry::{Kept, watched},
};

static COLLECTOR_KEY: Canary = Canary::new("collector's key");

/// A transport that does not as it should.
enum Odd {
    Fails(Arc<AtomicUsize>),
    Hangs,
    Panics(Arc<AtomicUsize>),
}

impl Transport for Odd {
    fn send<'a>(&'a self, _: &'a [Arc<Envelope>]) -> BoxFuture<'a, tieline::Result<()>> {
        match self {
            Self::Fails(tried) => {
                tried.fetch_add(1, Ordering::SeqCst);
                Box::pin(ready(Err(Error::new(Code::UpstreamUnreachable, "gone"))))
            }
            Self::Hangs => Box::pin(pending()),
            Self::Panics(tried) => {
                tried.fetch_add(1, Ordering::SeqCst);
                panic!("a transport's own trouble")
            }
        }
    }
}

fn emit(telemetry: &Telemetry, count: usize) {
    for nth in 0..count {
        let attributes = Map::from_iter([("nth".to_owned(), json!(nth))]);
        telemetry.emit(Level::Info, "happened", attributes);
    }
}

#[tokio::test(start_paused = true)]
async fn transports_that_fail_hang_or_panic_lose_only_their_own() {
    let (tried, panicked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let kept = Kept::default();
    let telemetry = Telemetry::builder()
        .transport("fails", Odd::Fails(tried.clone()))
        .transport("hangs", Odd::Hangs)
        .transport("panics", Odd::Panics(panicked.clone()))
        .transport("works", kept.clone())
        .build();
    telemetry.start();
    telemetry.start();
    emit(&telemetry, 3);
    // Long enough for every attempt at the first batch.
    tokio::time::sleep(Duration::from_secs(60)).await;
    for tried in [&tried, &panicked] {
        assert_eq!(
            tried.load(Ordering::SeqCst),
            TELEMETRY_ATTEMPTS as usize,
            "none is given up on"
        );
    }
    emit(&telemetry, TELEMETRY_QUEUE + 10);
    let begun = Instant::now();
    telemetry.close().await;
    assert!(
        begun.elapsed() <= TELEMETRY_CLOSE_PATIENCE + Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    emit(&telemetry, 1);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let all = (3 + TELEMETRY_QUEUE + 10 + 1) as u64;
    for counts in telemetry.counts() {
        let works = counts.name == "works";
        assert_eq!((counts.sent + counts.dropped, counts.waiting), (all, 0), "{counts:?}");
        // Eleven did not fit or came too late.
        assert_eq!(
            (counts.sent, works),
            (if works { all - 11 } else { 0 }, works),
            "{counts:?}"
        );
    }
}

#[tokio::test]
async fn a_call_does_not_wait_for_a_transport_that_hangs() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let telemetry = Telemetry::builder()
        .transport("hangs", Odd::Hangs)
        .transport("panics", Odd::Panics(Arc::default()))
        .build();
    telemetry.start();
    let house = watched(&twin, &telemetry);
    let connection = house.connect().await;
    for _ in 0..100 {
        house.call(&connection, "look", json!({})).await.unwrap();
    }
    assert!(telemetry.counts()[0].waiting > 200);
}

#[tokio::test]
async fn a_file_has_a_line_for_each_and_files_have_a_bound() {
    let folder = evidence::data_folder();
    let path = folder.join("telemetry.jsonl");
    let telemetry = Telemetry::builder()
        .transport("file", FileTransport::new(&path).rotated(2000, 3))
        .build();
    let mut lines = Vec::new();
    for _ in 0..10 {
        emit(&telemetry, 10);
        assert!(telemetry.flush().await);
    }
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let names: Vec<_> = files
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["telemetry.jsonl", "telemetry.jsonl.1", "telemetry.jsonl.2"]);
    for file in files.iter().rev() {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.len() <= 2000);
        lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    let places: Vec<_> = lines
        .iter()
        .map(|line| line["attributes"]["nth"].as_u64().unwrap())
        .collect();
    assert_eq!(places.last(), Some(&9));
    assert!(
        places.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 10),
        "in order, and none missing: {places:?}"
    );
    assert_eq!(
        (lines[0]["name"].as_str(), lines[0]["level"].as_str()),
        (Some("happened"), Some("info"))
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

fn plain(value: Option<&AnyValue>) -> Value {
    let of = |pairs: &[KeyValue]| {
        let pairs = pairs.iter().map(|pair| (pair.key.clone(), plain(pair.value.as_ref())));
        Value::Object(pairs.collect())
    };
    match value.and_then(|value| value.value.as_ref()) {
        None => Value::Null,
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(value)) => json!(value),
        Some(Any::IntValue(value)) => json!(value),
        Some(Any::DoubleValue(value)) => json!(value),
        Some(Any::ArrayValue(list)) => list.values.iter().map(|item| plain(Some(item))).collect(),
        Some(Any::KvlistValue(list)) => of(&list.values),
        Some(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_collector_decodes_what_it_is_sent() {
    let collector = Twin::start([Reply::empty(503), Reply::empty(200)]).await;
    let endpoint = format!("http://127.0.0.1:{}/", collector.port());
    let telemetry = Telemetry::builder()
        .service("my-api")
        .version("1.2.3")
        .transport(
            "otlp",
            OtlpTransport::new(&endpoint).header("Authorization", Secret::new(format!("Bearer {}", &*COLLECTOR_KEY))),
        )
        .build();
    let said = json!({
        "text": "Grüße", "yes": true, "no": false, "zero": 0, "less": -7, "half": 0.5, "huge": u64::MAX, "none": null,
        "list": [1, "two", [false]], "deep": { "a": { "b": 1 } },
    });
    let session = telemetry.session();
    let id = session.session_id().to_owned();
    session
        .run(async {
            let Value::Object(said) = said.clone() else { panic!() };
            telemetry.emit(Level::Error, "went.wrong", said);
            telemetry.emit(Level::Info, "went.well", Map::new());
        })
        .await;
    assert!(telemetry.flush().await);
    let requests = collector.seen();
    assert_eq!(requests.len(), 2, "the first answer was a refusal");
    assert_eq!(requests[0].body, requests[1].body);
    let request = &requests[1];
    assert_eq!((&*request.method, &*request.target), ("POST", "/v1/logs"));
    assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
    assert_eq!(
        request.header("authorization"),
        Some(&*format!("Bearer {}", &*COLLECTOR_KEY))
    );
    let export = ExportLogsServiceRequest::decode(&*request.body).unwrap();
    let [resource] = &export.resource_logs[..] else {
        panic!()
    };
    let about: Vec<_> = resource.resource.as_ref().unwrap().attributes.iter().collect();
    let about: Vec<_> = about
        .iter()
        .map(|pair| (&*pair.key, plain(pair.value.as_ref())))
        .collect();
    assert_eq!(
        about,
        [
            ("service.name", json!("my-api")),
            ("service.version", json!("1.2.3")),
            ("deployment.environment.name", json!("production"))
        ]
    );
    let [scope] = &resource.scope_logs[..] else { panic!() };
    assert_eq!(scope.scope.as_ref().unwrap().name, "tieline");
    let [wrong, well] = &scope.log_records[..] else {
        panic!()
    };
    assert_eq!(
        (wrong.severity_number, &*wrong.severity_text, &*wrong.event_name),
        (17, "ERROR", "went.wrong")
    );
    assert_eq!(
        (well.severity_number, plain(well.body.as_ref())),
        (9, json!("went.well"))
    );
    let trace: String = wrong.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((&trace, &wrong.trace_id), (&id, &well.trace_id));
    assert!(wrong.time_unix_nano > 1_700_000_000_000_000_000 && wrong.observed_time_unix_nano == wrong.time_unix_nano);
    let told: Map<String, Value> = wrong
        .attributes
        .iter()
        .map(|pair| (pair.key.clone(), plain(pair.value.as_ref())))
        .collect();
    let mut expected = said;
    expected["session.id"] = json!(id);
    // It has no whole number as large as this.
    expected["huge"] = json!(u64::MAX as f64);
    assert_eq!(Value::Object(told), expected);
}

/// What a transport is handed.
async fn batch() -> Vec<Arc<Envelope>> {
    let kept = Kept::default();
    let telemetry = Telemetry::builder().transport("kept", kept.clone()).build();
    emit(&telemetry, 1);
    kept.of(&telemetry).await.into_iter().map(Arc::new).collect()
}

#[tokio::test]
async fn n1_a_collector_at_an_address_that_is_not_open_is_not_dialled() {
    let batch = batch().await;
    for host in ["10.0.0.1", "169.254.169.254", "[fe80::1]"] {
        let collector = OtlpTransport::new(&format!("http://{host}:4318"));
        let stream = RedisTransport::new(host, 6379, "s");
        for refused in [collector.send(&batch).await, stream.send(&batch).await] {
            assert_eq!(refused.unwrap_err().code(), Code::EgressForbidden, "{host}");
        }
    }
}

#[tokio::test]
async fn a_stream_of_redis_takes_envelopes_and_is_trimmed() {
    let Some(redis) = Redis::start() else { return };
    let at = || RedisTransport::new("127.0.0.1", redis.port, "tieline").max_entries(20);
    let telemetry = Telemetry::builder()
        .transport("in", at().password(Secret::new(PASSWORD.to_string())))
        .transport("user", at().user("default").password(Secret::new(PASSWORD.to_string())))
        .build();
    emit(&telemetry, 1);
    assert!(telemetry.flush().await);
    let entries = redis.ask(&["XRANGE", "tieline", "-", "+"]);
    assert_eq!(entries.as_array().unwrap().len(), 2);
    let entry: Vec<_> = entries[0][1]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    assert_eq!(entry[..5], ["name", "happened", "level", "info", "envelope"]);
    let envelope: Value = serde_json::from_str(entry[5]).unwrap();
    assert_eq!(
        (&envelope["name"], &envelope["attributes"]["nth"]),
        (&json!("happened"), &json!(0))
    );
    for _ in 0..10 {
        emit(&telemetry, 100);
        assert!(telemetry.flush().await);
    }
    let length = redis.ask(&["XLEN", "tieline"]).as_u64().unwrap();
    assert!((20..60).contains(&length), "{length}");
    // Redis closes the connection; the next envelope goes over a new one.
    redis.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
    emit(&telemetry, 1);
    assert!(telemetry.flush().await);
    for counts in telemetry.counts() {
        assert_eq!((counts.sent, counts.dropped), (1002, 0), "{counts:?}");
    }
}

#[tokio::test]
async fn redis_without_its_password_refuses_and_the_error_does_not_tell_it() {
    let Some(redis) = Redis::start() else { return };
    let at = || RedisTransport::new("127.0.0.1", redis.port, "tieline");
    let wrong = at().password(Secret::new(format!("not-{}", &*PASSWORD)));
    // Who has not signed in may not even say as many words.
    for (transport, word) in [(wrong, "WRONGPASS"), (at(), "ERR")] {
        let error = transport.send(&batch().await).await.unwrap_err();
        assert_eq!(error.code(), Code::UpstreamUnavailable);
        assert!(
            error.detail().contains(word) && !PASSWORD.is_in(&format!("{error:?}")),
            "{error:?}"
        );
    }
}
