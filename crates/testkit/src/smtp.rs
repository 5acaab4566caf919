//! A real mail server: `tests/parts/smtp.mjs`.

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::{canary::Canary, cert::Authority, part::Part};

/// The user the server knows.
pub const USER: &str = "team@example.com";
/// The user's password.
pub static PASSWORD: Canary = Canary::shaped(
    "SMTP password",
    "################ horse/battery+staple=################",
);

/// The running server, for host `localhost` on 127.0.0.1.
pub struct SmtpServer {
    /// Port that begins in the clear and offers STARTTLS.
    pub starttls: u16,
    /// Port with TLS from the first byte.
    pub implicit: u16,
    /// Port that offers no TLS, but sign-in in the clear.
    pub plain: u16,
    /// Who signed the server's certificate.
    pub authority: Authority,
    part: Part,
    // The part reads its certificate from here.
    _dir: TempDir,
}

/// A message as the server took it.
#[derive(Debug, Deserialize)]
pub struct Received {
    /// Which port it came through: `starttls`, `implicit` or `plain`.
    pub listener: String,
    /// Whether it came through TLS.
    pub secure: bool,
    /// Who had signed in.
    pub user: Option<String>,
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The message, its dots unstuffed, one character a byte.
    pub data: String,
}

/// A sign-in as the server saw it.
#[derive(Debug, Deserialize)]
pub struct SignIn {
    /// Which port it came through.
    pub listener: String,
    /// The mechanism, such as `PLAIN`.
    pub method: String,
    /// The name given.
    pub user: String,
    /// Whether name and password were right.
    pub accepted: bool,
    /// Whether it came through TLS.
    pub secure: bool,
}

impl SmtpServer {
    /// Starts the server; nothing where parts cannot run (see [`Part::start`]).
    pub fn start() -> Option<Self> {
        Self::start_as(Authority::new(), &["localhost", "127.0.0.1"], USER, &PASSWORD)
    }

    /// The same for other host names and with another user, its certificate signed by this authority.
    pub fn start_as(authority: Authority, names: &[&str], user: &str, password: &str) -> Option<Self> {
        let server = authority.server(names);
        let dir = TempDir::new().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).expect("a file in the temporary folder");
            path.to_str().expect("a readable path").to_owned()
        };
        let cert = write("cert.pem", &server.cert_pem);
        let key = write("key.pem", &server.key_pem);
        let env = [
            ("SMTP_USER", user),
            ("SMTP_PASSWORD", password),
            ("SMTP_CERT", cert.as_str()),
            ("SMTP_KEY", key.as_str()),
        ];
        let part = Part::start("smtp.mjs", &env)?;
        let port = |name: &str| {
            let port = part.ready()[name].as_u64().expect("a port");
            u16::try_from(port).expect("a port")
        };
        Some(Self {
            starttls: port("starttls"),
            implicit: port("implicit"),
            plain: port("plain"),
            authority,
            part,
            _dir: dir,
        })
    }

    /// The next message the server took.
    pub fn next_message(&self) -> Received {
        read(self.part.next("message"))
    }

    /// The next sign-in the server saw.
    pub fn next_sign_in(&self) -> SignIn {
        read(self.part.next("auth"))
    }

    /// The next message, and every sign-in seen before it: what is not among them did not happen.
    pub fn next_message_and_sign_ins(&self) -> (Received, Vec<SignIn>) {
        let (message, before) = self.part.next_and_before("message");
        let sign_ins = before.into_iter().map(|mut said| read(said["auth"].take()));
        (read(message), sign_ins.collect())
    }
}

fn read<T: serde::de::DeserializeOwned>(said: Value) -> T {
    serde_json::from_value(said).expect("the part says what this type reads")
}
