//! To a collector, as log records of OTLP over HTTP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use tieline_manifest::request::{Body, Encode, Part, Request, SecretRef, Slot, Text};
use tokio::time::Instant;

use super::{Envelope, Transport, protobuf::Message};
use crate::{
    clock::Timestamp,
    egress::{Egress, EgressPolicy, SystemResolver},
    error::{Code, Error, Result, Retry},
    http::{Allotted, AnswerLimits, Client, Secrets, TenantAndHost, TlsRoots, With, exchange_bytes, redact::Redactor},
    id::TenantId,
    limits::{MAX_MEMORY_PER_TENANT, TELEMETRY_ANSWER_BYTES, TELEMETRY_SEND_TIMEOUT},
    secret::Secret,
    shares::Shares,
    telemetry::Level,
};

/// As whom the library itself sends.
const OURSELVES: TenantId = TenantId::from_bytes(*b"tieline telemetr");

/// Sends envelopes to a collector, as log records of OTLP in protobuf over HTTP.
///
/// The collector's address is the operator's, so it is judged by a policy of its own: public addresses and loopback are
/// open, others once [`egress`](Self::egress) opens them.
pub struct OtlpTransport {
    url: String,
    secrets: Headers,
    policy: EgressPolicy,
    roots: TlsRoots,
    door: std::sync::OnceLock<Door>,
    memory: Shares<TenantId>,
    hosts: Shares<TenantAndHost>,
}

struct Door {
    egress: Arc<Egress>,
    client: Client,
}

/// Headers that go with every request; their values are secrets.
#[derive(Default)]
struct Headers(BTreeMap<String, Secret>);

impl Secrets for Headers {
    fn get(&self, secret: &SecretRef) -> Option<&str> {
        match secret {
            SecretRef::Config(name) => self.0.get(name).map(|value| value.reveal().as_str()),
            SecretRef::Input(_) => None,
        }
    }
}

impl OtlpTransport {
    /// Sends to the collector at this address, such as `http://localhost:4318`; what follows there is `/v1/logs`.
    pub fn new(endpoint: &str) -> Self {
        Self {
            url: format!("{}/v1/logs", endpoint.trim_end_matches('/')),
            secrets: Headers::default(),
            policy: EgressPolicy {
                loopback: true,
                ..EgressPolicy::default()
            },
            roots: TlsRoots::default(),
            door: std::sync::OnceLock::new(),
            memory: Shares::new(MAX_MEMORY_PER_TENANT, MAX_MEMORY_PER_TENANT),
            hosts: Shares::new(1, 1),
        }
    }

    /// Sends this header along, such as `authorization`. Its value is held and sent like a secret.
    #[must_use]
    pub fn header(mut self, name: &str, value: Secret) -> Self {
        self.secrets.0.insert(name.to_ascii_lowercase(), value);
        self
    }

    /// Which addresses it may be at.
    #[must_use]
    pub fn egress(mut self, policy: EgressPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Certificate authorities trusted besides the system's.
    #[must_use]
    pub fn tls_roots(mut self, roots: TlsRoots) -> Self {
        self.roots = roots;
        self
    }

    fn door(&self) -> Result<&Door> {
        if let Some(door) = self.door.get() {
            return Ok(door);
        }
        let egress = Arc::new(Egress::new(self.policy.clone(), Arc::new(SystemResolver)));
        let client = Client::new(egress.clone(), &self.roots)?;
        Ok(self.door.get_or_init(|| Door { egress, client }))
    }

    fn request(&self) -> Request {
        let headers = self.secrets.0.keys().map(|name| {
            let mut value = Text::default();
            value.push_slot(Slot {
                parts: vec![Part::Secret(SecretRef::Config(name.clone()))],
                encode: Encode::Raw,
            });
            (name.clone(), value)
        });
        Request {
            method: "POST".to_owned(),
            url: Text::literal(&self.url),
            headers: headers.collect(),
            body: Some(Body {
                content_type: "application/x-protobuf".to_owned(),
                text: Text::default(),
            }),
        }
    }

    async fn export(&self, body: Vec<u8>) -> Result<()> {
        let door = self.door()?;
        let with = With {
            tenant: OURSELVES,
            allowed_hosts: &[],
            deadline: Instant::now() + TELEMETRY_SEND_TIMEOUT,
            allotted: Allotted::Fixed(TELEMETRY_SEND_TIMEOUT),
            limits: AnswerLimits {
                bytes: TELEMETRY_ANSWER_BYTES,
                ..AnswerLimits::default()
            },
            memory: &self.memory,
            hosts: &self.hosts,
        };
        let request = self.request();
        let sending = exchange_bytes(
            &door.client,
            &door.egress,
            &request,
            Some(Bytes::from(body)),
            &self.secrets,
            &with,
        );
        let redactor = Redactor::new(self.secrets.0.values().map(|value| value.reveal().as_str()));
        let answer = sending.await.map_err(|error| error.scrubbed(&redactor))?;
        let status = answer.status;
        // Read to its end, so that the connection serves the next batch too.
        let _ = answer.bytes().await;
        if status.is_success() {
            return Ok(());
        }
        let detail = format!("The collector answered {status} to telemetry.");
        Err(Error::new(Code::UpstreamUnavailable, detail).retry(Retry::Backoff))
    }
}

impl Transport for OtlpTransport {
    fn send<'a>(&'a self, batch: &'a [Arc<Envelope>]) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.export(logs(batch)))
    }
}

/// An `ExportLogsServiceRequest`. All envelopes of a process have one resource.
fn logs(batch: &[Arc<Envelope>]) -> Vec<u8> {
    let Some(first) = batch.first() else { return Vec::new() };
    let resource = [
        ("service.name", Some(&first.service)),
        ("service.version", first.version.as_ref()),
        ("deployment.environment.name", Some(&first.environment)),
    ];
    let resource = resource
        .iter()
        .fold(Message::default(), |resource, (key, value)| match value {
            Some(value) => resource.message(1, key_value(key, &Value::String((*value).clone()))),
            None => resource,
        });
    let scope = Message::default().text(1, "tieline").text(2, env!("CARGO_PKG_VERSION"));
    let records = batch
        .iter()
        .fold(Message::default().message(1, scope), |records, envelope| {
            records.message(2, record(envelope))
        });
    let logs = Message::default().message(1, resource).message(2, records);
    Message::default().message(1, logs).into_bytes()
}

fn record(envelope: &Envelope) -> Message {
    let severity = match envelope.level {
        Level::Debug => 5,
        Level::Info => 9,
        Level::Warn => 13,
        Level::Error => 17,
    };
    let at = nanoseconds(envelope.time);
    let mut record = Message::default()
        .fixed64(1, at)
        .varint(2, severity)
        .text(3, &envelope.level.as_str().to_ascii_uppercase())
        .message(5, any_value(&Value::String(envelope.name.clone())));
    let session = Value::String(envelope.session_id.clone());
    record = record.message(6, key_value("session.id", &session));
    for (key, value) in &envelope.attributes {
        record = record.message(6, key_value(key, value));
    }
    if let Some(error) = &envelope.error {
        record = record.message(6, key_value("error", error));
    }
    if let Some(trace) = trace(&envelope.session_id) {
        record = record.bytes(9, &trace);
    }
    record.fixed64(11, at).text(12, &envelope.name)
}

fn nanoseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0)
}

/// A session whose identifier has the form of a trace's is one.
fn trace(session: &str) -> Option<[u8; 16]> {
    let is_one = session.len() == 32 && session.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u128::from_str_radix(session, 16).ok().filter(|_| is_one)?;
    (number != 0).then(|| number.to_be_bytes())
}

fn key_value(key: &str, value: &Value) -> Message {
    Message::default().text(1, key).message(2, any_value(value))
}

/// An `AnyValue`; null is one without a value.
fn any_value(value: &Value) -> Message {
    let message = Message::default();
    match value {
        Value::Null => message,
        Value::Bool(value) => message.varint(2, u64::from(*value)),
        Value::String(text) => message.text(1, text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            // Two's complement, as the form has it.
            (Some(whole), _) => message.varint(3, whole.cast_unsigned()),
            (None, Some(number)) => message.fixed64(4, number.to_bits()),
            (None, None) => message.text(1, &number.to_string()),
        },
        Value::Array(items) => {
            let list = items
                .iter()
                .fold(Message::default(), |list, item| list.message(1, any_value(item)));
            message.message(5, list)
        }
        Value::Object(members) => message.message(6, key_values(members)),
    }
}

fn key_values(members: &Map<String, Value>) -> Message {
    members.iter().fold(Message::default(), |list, (key, value)| {
        list.message(1, key_value(key, value))
    })
}
