//! Tells a collector (OTLP over HTTP) and a Redis stream what happens to connections.
//!
//! `cargo run -p tieline --example telemetry -- http://127.0.0.1:4318 127.0.0.1:6379`
//!
//! Without arguments these are the addresses. Redis' password, where it asks for one, is `REDIS_PASSWORD`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example is a program of its own: it reads its environment, and prints"
)]

use std::error::Error as StdError;

use serde_json::json;
use tieline::{
    Connectors, MasterKey, MemoryStore, Result, ScopeRule, Telemetry,
    clock::SystemRandom,
    secret::Secret,
    telemetry::{OtlpTransport, Redaction, RedisTransport, Sampling},
};

/// A service that takes a token.
const ACME: &str = "
id: acme
name: Acme
baseUrl: https://api.acme.example
auth: [{ type: bearer, token: '{{token}}', fields: [{ name: token, secret: true, required: true }] }]
endpoints:
  - id: greet
    method: POST
    path: /greetings
    body: { schema: { type: object, properties: { name: { type: string, required: true } } } }
";

fn telemetry(collector: &str, redis: &str) -> Result<Telemetry, Box<dyn StdError + Send + Sync>> {
    let (host, port) = redis.rsplit_once(':').ok_or("Redis is at host:port")?;
    let mut stream = RedisTransport::new(host, port.parse()?, "tieline");
    if let Ok(password) = std::env::var("REDIS_PASSWORD") {
        stream = stream.password(Secret::new(password));
    }
    Ok(Telemetry::builder()
        .service("telemetry-example")
        .environment("development")
        // Redaction is on without this; names of one's own come on top.
        .redaction(Redaction::default().deny(["customerName"]))
        .sampling(Sampling::default().never("*.adapter.*"))
        .transport("collector", OtlpTransport::new(collector))
        .transport("stream", stream)
        .build())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError + Send + Sync>> {
    let mut given = std::env::args().skip(1);
    let mut or = |otherwise: &str| given.next().unwrap_or_else(|| otherwise.to_owned());
    let telemetry = telemetry(&or("http://127.0.0.1:4318"), &or("127.0.0.1:6379"))?;
    let connectors = Connectors::builder()
        .store(MemoryStore::new())
        .key(MasterKey::generate(&SystemRandom)?)
        .scope("organization", ScopeRule::Required)
        .manifest(ACME)
        .telemetry(telemetry.clone())
        .build()?;
    telemetry.start();

    // As a request of a web application would be: all that it brings about has one session.
    let session = telemetry.session().attribute("customerName", "Ada Lovelace");
    let work = async {
        let org = connectors.scope("organization", "org_123")?;
        org.connect("acme", json!({ "token": "a-token-from-acme-for-org-123" }))
            .await?;
        // There is no such input: it fails before anything is sent.
        let refused = org.action("acme", "greet").call(json!({ "nmae": "Grace" })).await;
        println!(
            "{}",
            refused.err().map_or("greeted".to_owned(), |error| error.to_string())
        );
        Ok::<_, tieline::Error>(())
    };
    session.run(work).await?;

    connectors.close().await?;
    for counts in telemetry.counts() {
        println!("{}: {} sent, {} lost", counts.name, counts.sent, counts.dropped);
    }
    Ok(())
}
