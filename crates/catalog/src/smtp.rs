//! The mail connector: SMTP is not declared HTTP, so it is written in Rust.

mod connection_test;
mod encryption;
mod limits;
mod mailbox;
mod message;
mod reply;
mod server;
mod session;

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tieline::{ActionInput, Connector, Effect, Result, RunAction, admit::Admitted};

use self::{message::Letter, server::Server};

pub use self::mailbox::Mailboxes;

/// The mail connector, from its manifest.
pub(crate) fn connector(manifest: &str) -> Result<Connector> {
    Connector::shipped(manifest)?
        .action::<SendEmail>()
        .test(connection_test::test)
        .build()
}

/// Sends an e-mail to one or several recipients. At least one of `text` and `html` is needed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendEmail {
    /// To whom: `ada@example.com` or `Ada <ada@example.com>`, several with commas or as a list.
    pub to: Mailboxes,
    /// The subject.
    pub subject: String,
    /// The plain form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The HTML form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Copies.
    #[serde(default, skip_serializing_if = "Mailboxes::is_empty")]
    pub cc: Mailboxes,
    /// Blind copies: they get the mail and are named nowhere in it.
    #[serde(default, skip_serializing_if = "Mailboxes::is_empty")]
    pub bcc: Mailboxes,
    /// Where answers go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// The sender, instead of the connection's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Files, 10 MiB together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Further headers, such as `List-Unsubscribe`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// A file that goes with a mail.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// Its name.
    pub filename: String,
    /// The file, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Its media type; `application/octet-stream` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Refused: files of the server are never read. Send `content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Refused: nothing is fetched. Send `content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Attachment {
    /// A file from its bytes.
    pub fn new(filename: impl Into<String>, content_type: impl Into<String>, content: &[u8]) -> Self {
        Self {
            filename: filename.into(),
            content: Some(STANDARD.encode(content)),
            content_type: Some(content_type.into()),
            ..Self::default()
        }
    }
}

/// A mail that was handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EmailSent {
    /// The Message-ID, in angle brackets.
    pub message_id: String,
    /// Who the server took it for.
    pub accepted: Vec<String>,
    /// Who not, and why.
    pub rejected: Vec<Rejected>,
    /// The server's last reply.
    pub response: String,
}

/// A recipient that the server refused while it took others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// The address.
    pub address: String,
    /// The server's reply.
    pub response: String,
}

impl ActionInput for SendEmail {
    type Output = EmailSent;
    const CONNECTOR: &'static str = "smtp";
    const ACTION: &'static str = "send_email";
    const NAME: &'static str = "Send an e-mail";
    const EFFECT: Effect = Effect::Write;
}

impl RunAction for SendEmail {
    async fn run(self, admitted: &Admitted) -> Result<EmailSent> {
        let server = Server::of(admitted)?;
        // The call's id: unique, and one for all attempts of this call, so that receivers can drop a twin.
        let id = admitted.call().to_string();
        let letter = Letter::new(&self, server.from, &id, admitted.now().into())?;
        let mut session = server.open(admitted).await?;
        let sent = session.send(&letter).await?;
        session.quit().await;
        Ok(sent)
    }
}
