//! A conversation with a mail server: greeting, TLS, sign-in, one message (RFC 5321, 3207, 4954).
//!
//! Written here and not taken from a library for three reasons: bytes that arrive before TLS begins are refused, not
//! carried into it; each recipient's reply is kept; and it is known whether the message had been handed over whole
//! when something failed.

use base64::{Engine, engine::general_purpose::STANDARD};
use tieline::{Code, Error, Result, error::Retry};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout_at},
};
use zeroize::Zeroizing;

use super::{EmailSent, Rejected, message::Letter, reply::Reply};

/// Who we say we are. An address literal is what RFC 5321 (4.1.3) gives a client without a name of its own, and this
/// one tells the recipients of a mail nothing about our network.
const HELLO: &str = "EHLO [127.0.0.1]";

/// What a session runs over: a TCP or TLS stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// An open conversation.
pub(super) struct Session {
    stream: Box<dyn Stream>,
    // Bytes received and not yet read as a reply.
    buffer: Vec<u8>,
    // The lines of the server's answer to EHLO.
    offers: Vec<String>,
    patience: Patience,
}

/// By when a conversation has to be over, and what is said when it was not.
#[derive(Clone)]
pub(super) struct Patience {
    pub(super) until: Instant,
    /// What gives it longer, in a sentence.
    pub(super) said: String,
}

impl Session {
    /// Waits for the server's greeting and says hello.
    pub(super) async fn greet(stream: Box<dyn Stream>, patience: Patience) -> Result<Self> {
        let mut session = Self {
            stream,
            buffer: Vec::new(),
            offers: Vec::new(),
            patience,
        };
        let greeting = session.read().await?;
        if greeting.code != 220 {
            return Err(greeting.refused("The mail server does not take connections now"));
        }
        session.hello().await?;
        Ok(session)
    }

    /// Goes on after STARTTLS: the server does not greet again, and everything it said before counts no longer.
    pub(super) async fn resume(stream: Box<dyn Stream>, patience: Patience) -> Result<Self> {
        let mut session = Self {
            stream,
            buffer: Vec::new(),
            offers: Vec::new(),
            patience,
        };
        session.hello().await?;
        Ok(session)
    }

    async fn hello(&mut self) -> Result<()> {
        let reply = self.ask(HELLO).await?;
        if !reply.is_success() {
            return Err(reply.refused("The mail server refused our greeting"));
        }
        self.offers = reply.lines;
        Ok(())
    }

    /// What the server says about an extension, if it offers it.
    fn offer(&self, keyword: &str) -> Option<&str> {
        // The first line is the server's name.
        self.offers.iter().skip(1).find_map(|line| {
            let (word, rest) = line.split_once([' ', '=']).unwrap_or((line, ""));
            word.eq_ignore_ascii_case(keyword).then_some(rest)
        })
    }

    /// Whether TLS can begin.
    pub(super) fn offers_starttls(&self) -> bool {
        self.offer("STARTTLS").is_some()
    }

    /// Asks for TLS and gives the stream back, on which the handshake comes next.
    pub(super) async fn starttls(mut self) -> Result<Box<dyn Stream>> {
        let reply = self.ask("STARTTLS").await?;
        if reply.code != 220 {
            let retry = if reply.is_transient() {
                Retry::Backoff
            } else {
                Retry::Never
            };
            let detail = format!("The mail server offers STARTTLS but does not begin it: {reply}. Nothing was sent.");
            return Err(Error::new(Code::SmtpTlsRequired, detail).retry(retry).before_sending());
        }
        if !self.buffer.is_empty() {
            // Someone on the way put commands before the handshake, to be taken for the server's words inside TLS.
            let detail = "The mail server, or someone on the way, spoke between STARTTLS and TLS. Nothing was sent.";
            return Err(Error::new(Code::SmtpTlsRequired, detail).before_sending());
        }
        Ok(self.stream)
    }

    /// Signs in with the first mechanism that both sides know.
    pub(super) async fn sign_in(&mut self, user: &str, password: &str) -> Result<()> {
        let offered = self.offer("AUTH").unwrap_or_default().to_ascii_uppercase();
        let knows = |mechanism| offered.split_ascii_whitespace().any(|word| word == mechanism);
        let reply = if knows("PLAIN") {
            let both = Zeroizing::new(format!("\0{user}\0{password}"));
            let both = Zeroizing::new(STANDARD.encode(both.as_bytes()));
            self.ask_secretly("AUTH PLAIN ", &both).await?
        } else if knows("LOGIN") {
            self.login(user, password).await?
        } else {
            let detail = "The mail server offers no sign-in that we know (PLAIN or LOGIN). Leave user and password empty if it needs none.";
            return Err(Error::new(Code::ConnectorConfigInvalid, detail).before_sending());
        };
        if reply.code == 235 {
            Ok(())
        } else {
            Err(without(&reply, user, password).refused("The mail server refused the sign-in"))
        }
    }

    async fn login(&mut self, user: &str, password: &str) -> Result<Reply> {
        let reply = self.ask("AUTH LOGIN").await?;
        if reply.code != 334 {
            return Ok(reply);
        }
        let reply = self.ask(&STANDARD.encode(user)).await?;
        if reply.code != 334 {
            return Ok(reply);
        }
        let password = Zeroizing::new(STANDARD.encode(password));
        self.ask_secretly("", &password).await
    }

    /// Proves that the server listens.
    pub(super) async fn noop(&mut self) -> Result<()> {
        let reply = self.ask("NOOP").await?;
        if reply.is_success() {
            Ok(())
        } else {
            Err(reply.refused("The mail server is not ready"))
        }
    }

    /// Sends one message to all recipients that the server takes.
    pub(super) async fn send(&mut self, letter: &Letter) -> Result<EmailSent> {
        let mail = self.mail_from(letter)?;
        let reply = self.ask(&mail).await?;
        if !reply.is_success() {
            return Err(reply.refused("The mail server refused the sender"));
        }
        let (accepted, rejected) = self.recipients(letter).await?;
        let reply = self.ask("DATA").await?;
        if reply.code != 354 {
            return Err(reply.refused("The mail server refused the message"));
        }
        let reply = self.hand_over(&letter.bytes).await?;
        if !reply.is_success() {
            return Err(reply.refused("The mail server refused the message"));
        }
        Ok(EmailSent {
            message_id: letter.message_id.clone(),
            accepted,
            rejected,
            response: reply.to_string(),
        })
    }

    /// The MAIL command, or why this server cannot take the message.
    fn mail_from(&self, letter: &Letter) -> Result<String> {
        let limit = self.offer("SIZE").and_then(|size| size.trim().parse::<usize>().ok());
        if let Some(limit) = limit.filter(|&limit| limit > 0 && letter.bytes.len() > limit) {
            let detail = format!(
                "The message has {} bytes; the mail server takes {limit} at most.",
                letter.bytes.len()
            );
            return Err(Error::new(Code::ConnectorActionFailed, detail).before_sending());
        }
        let mut mail = format!("MAIL FROM:<{}>", letter.from);
        if letter.needs_utf8() {
            if self.offer("SMTPUTF8").is_none() {
                let detail = "An address has letters outside ASCII before its @, and the mail server does not take those (SMTPUTF8).";
                return Err(Error::new(Code::ConnectorActionFailed, detail).before_sending());
            }
            mail.push_str(" SMTPUTF8 BODY=8BITMIME");
        }
        Ok(mail)
    }

    /// Who the server takes the message for, and who not. At least one, else it is an error.
    async fn recipients(&mut self, letter: &Letter) -> Result<(Vec<String>, Vec<Rejected>)> {
        let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
        let mut refusals = Vec::new();
        for address in &letter.recipients {
            let reply = self.ask(&format!("RCPT TO:<{address}>")).await?;
            if reply.is_success() {
                accepted.push(address.to_string());
            } else {
                rejected.push(Rejected {
                    address: address.to_string(),
                    response: reply.to_string(),
                });
                refusals.push(reply);
            }
        }
        if !accepted.is_empty() {
            return Ok((accepted, rejected));
        }
        // If one of them may be taken later, the whole may be tried again.
        let refusal = refusals.iter().find(|reply| reply.is_transient()).or(refusals.first());
        Err(match refusal {
            Some(reply) => reply.refused("The mail server refused every recipient"),
            None => Error::new(Code::ConnectorActionInputInvalid, "The mail has no recipients."),
        })
    }

    /// Sends the message and its end, and waits for the reply. Between the two nobody knows what the server did.
    async fn hand_over(&mut self, message: &[u8]) -> Result<Reply> {
        if let Err(error) = self.write(&stuffed(message)).await {
            return self.last_words().await.ok_or(error);
        }
        let unknown = |error: Error| {
            let detail = "The message was handed over whole, but the mail server's answer did not come: it may have been sent. A repeat may send it twice.";
            Error::new(Code::SmtpOutcomeUnknown, detail).caused_by(error)
        };
        if let Err(error) = self.write(b".\r\n").await {
            return self.last_words().await.ok_or_else(|| unknown(error));
        }
        self.read().await.map_err(unknown)
    }

    /// A server that has seen enough says why and hangs up before it read all: its refusal tells more than the broken
    /// connection, and makes sure that nothing was taken.
    async fn last_words(&mut self) -> Option<Reply> {
        self.read().await.ok().filter(|reply| !reply.is_success())
    }

    /// Says goodbye. The message is out; what happens now changes nothing.
    pub(super) async fn quit(mut self) {
        let _ = self.write(b"QUIT\r\n").await;
        let _ = timeout_at(self.patience.until, self.stream.shutdown()).await;
    }

    /// One command, without its line end, and the reply to it.
    async fn ask(&mut self, command: &str) -> Result<Reply> {
        self.ask_secretly("", command).await
    }

    /// The same for a command whose second half must not stay in memory.
    async fn ask_secretly(&mut self, command: &str, secret: &str) -> Result<Reply> {
        let line = Zeroizing::new(format!("{command}{secret}\r\n"));
        self.write(line.as_bytes()).await?;
        self.read().await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout_at(self.patience.until, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broken().caused_by(error)),
            Err(_) => Err(late(&self.patience)),
        }
    }

    async fn read(&mut self) -> Result<Reply> {
        loop {
            let taken = Reply::take(&mut self.buffer).map_err(|_| {
                Error::new(
                    Code::UpstreamAnswerInvalid,
                    "This is no mail server: its answer is not SMTP. Check host and port.",
                )
                .before_sending()
            })?;
            if let Some(reply) = taken {
                return Ok(reply);
            }
            match timeout_at(self.patience.until, self.stream.read_buf(&mut self.buffer)).await {
                Ok(Ok(0)) => return Err(broken()),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(broken().caused_by(error)),
                Err(_) => return Err(late(&self.patience)),
            }
        }
    }
}

/// Without the final dot no server delivers anything, so a repeat is safe.
fn broken() -> Error {
    let detail = "The connection to the mail server broke before the message was handed over. Nothing was sent.";
    Error::new(Code::UpstreamUnreachable, detail)
        .retry(Retry::Backoff)
        .before_sending()
}

fn late(patience: &Patience) -> Error {
    let said = &patience.said;
    let detail = format!(
        "The mail server did not answer in time, and the message was not handed over: nothing was sent. {said}"
    );
    Error::new(Code::UpstreamTimeout, detail)
        .retry(Retry::Backoff)
        .before_sending()
}

/// A refusal that repeats what was sent must not carry it into an error.
fn without(reply: &Reply, user: &str, password: &str) -> Reply {
    let both = STANDARD.encode(format!("\0{user}\0{password}"));
    let shown = [password.to_owned(), STANDARD.encode(password), both];
    let lines = reply.lines.iter().map(|line| {
        shown
            .iter()
            .filter(|secret| !secret.is_empty())
            .fold(line.clone(), |line, secret| line.replace(secret.as_str(), "***"))
    });
    Reply {
        code: reply.code,
        lines: lines.collect(),
    }
}

/// The message as it goes over the wire (RFC 5321, 4.5.2): a dot at the beginning of a line is doubled, and a CR or LF
/// alone becomes a whole line end, so that no server can be made to see the end of the message within it.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(message.len() + message.len() / 64 + 2);
    let mut line_begins = true;
    let mut bytes = message.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' | b'\n' => {
                if byte == b'\r' {
                    bytes.next_if_eq(&b'\n');
                }
                wire.extend_from_slice(b"\r\n");
                line_begins = true;
            }
            _ => {
                if byte == b'.' && line_begins {
                    wire.push(b'.');
                }
                wire.push(byte);
                line_begins = false;
            }
        }
    }
    if !line_begins {
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

#[cfg(test)]
mod tests;
