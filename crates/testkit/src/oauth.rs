//! A real authorization server: `tests/parts/oauth.mjs`.

use serde::Deserialize;

use crate::{canary::Canary, part::Part};

/// The client that the server knows.
pub const CLIENT: &str = "tieline-tests";
/// Its secret.
pub static SECRET: Canary = Canary::new("OAuth client secret");

/// The running server, on 127.0.0.1.
pub struct OAuthServer {
    /// Its port.
    pub port: u16,
    part: Part,
}

/// An answer of its token address.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct TokenAnswer {
    /// What was asked for with.
    pub grant: Option<String>,
    /// The status.
    pub status: u16,
}

impl OAuthServer {
    /// Starts the server for people who are sent back to `redirect`; nothing where parts cannot run (see [`Part::start`]).
    pub fn start(redirect: &str) -> Option<Self> {
        let env = [
            ("OAUTH_CLIENT", CLIENT),
            ("OAUTH_SECRET", &SECRET),
            ("OAUTH_REDIRECT", redirect),
        ];
        let part = Part::start("oauth.mjs", &env)?;
        let port = part.ready()["port"].as_u64().expect("a port");
        Some(Self {
            port: u16::try_from(port).expect("a port"),
            part,
        })
    }

    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next answer of its token address.
    pub fn next_token_answer(&self) -> TokenAnswer {
        serde_json::from_value(self.part.next("token")).expect("the part says what this type reads")
    }
}
