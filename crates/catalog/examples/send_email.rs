//! Connects a mail server for an organization and sends one mail through it.
//!
//! `cargo run -p tieline-catalog --example send_email -- smtp.example.com 587 team@example.com ada@example.com`
//!
//! The second last argument is the user and the sender; the password is read from standard input.

use serde_json::{Value, json};
use tieline::{Connectors, MasterKey, MemoryStore, Result, ScopeRule, clock::SystemRandom};
use tieline_catalog::smtp::{EmailSent, SendEmail};

/// Connects and sends. Connecting again replaces what was connected before.
pub(crate) async fn send(connectors: &Connectors, server: Value, to: &str) -> Result<EmailSent> {
    let org = connectors.scope("organization", "org_123")?;
    org.connect("smtp", server).await?;
    // The output type follows from the input type.
    org.call(SendEmail {
        to: to.into(),
        subject: "Hello from Tieline".to_owned(),
        text: Some("It works.".to_owned()),
        ..SendEmail::default()
    })
    .await
}

#[allow(
    dead_code,
    clippy::print_stdout,
    reason = "a test includes this file for `send`; an example prints"
)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, user, to] = arguments.as_slice() else {
        return Err("give host, port, user and recipient, and the password on standard input".into());
    };
    let port: u16 = port.parse()?;
    let mut password = String::new();
    std::io::stdin().read_line(&mut password)?;

    let connectors = Connectors::builder()
        .store(MemoryStore::new())
        .key(MasterKey::generate(&SystemRandom)?)
        .scope("organization", ScopeRule::Required)
        .connectors(tieline_catalog::connectors())
        .build()?;
    let server = json!({ "host": host, "port": port, "user": user, "password": password.trim_end(), "from": user });
    let sent = send(&connectors, server, to).await?;
    println!(
        "{} for {}: {}",
        sent.message_id,
        sent.accepted.join(", "),
        sent.response
    );
    connectors.close().await?;
    Ok(())
}
