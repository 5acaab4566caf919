//! The example of the README, run against a real mail server.

use serde_json::json;
use tieline_testkit::{
    evidence,
    smtp::{PASSWORD, SmtpServer, USER},
};

use crate::library;

#[path = "../../examples/send_email.rs"]
mod send_email;

#[tokio::test]
async fn the_example_sends() {
    let Some(server) = SmtpServer::start() else { return };
    let connectors = library::with(tieline_catalog::connectors(), &[server.authority.pem()]);
    let fields =
        json!({ "host": "localhost", "port": server.starttls, "user": USER, "password": PASSWORD, "from": USER });
    let sent = evidence::told(send_email::send(&connectors, fields, "ada@example.com").await).unwrap();
    assert_eq!(sent.accepted, ["ada@example.com"]);
    assert!(server.next_message().data.contains("It works."));
}
