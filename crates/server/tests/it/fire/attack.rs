//! Clients that want more than they may have, each from an address of its own.

use std::net::SocketAddr;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::watch,
};

/// Whom an attack is made with.
#[derive(Clone)]
pub(crate) struct Greedy {
    pub(crate) server: SocketAddr,
    pub(crate) source: [u8; 4],
    pub(crate) key: String,
    pub(crate) connection: String,
    /// Goes on with everything that is slow.
    pub(crate) beat: watch::Receiver<u64>,
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u64>,
}

impl Greedy {
    /// The same from another address.
    pub(crate) fn from(&self, source: [u8; 4]) -> Self {
        Self { source, ..self.clone() }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a test talks to its own server, not to an upstream"
    )]
    pub(crate) async fn dial(&self) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((self.source, 0).into())?;
        socket.connect(self.server).await
    }

    /// The head of a request, with a key.
    pub(crate) fn head(&self, line: &str, more: &str) -> String {
        format!(
            "{line} HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\n{more}",
            self.key
        )
    }

    pub(crate) fn action(&self, action: &str, more: &str, body: &str) -> Vec<u8> {
        let line = format!("POST /api/v1/connections/{}/actions/{action}", self.connection);
        self.post(&line, more, body)
    }

    pub(crate) fn post(&self, line: &str, more: &str, body: &str) -> Vec<u8> {
        let more = format!(
            "{more}connection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.head(line, &more).into_bytes()
    }

    /// Sends a request and reads the answer to its end.
    pub(crate) async fn ask(&self, request: &[u8]) -> std::io::Result<Told> {
        let mut stream = self.dial().await?;
        // It may be answered, and the rest not be taken.
        let sent = stream.write_all(request).await;
        let told = read_head(&mut stream).await;
        let told = told.or_else(|error| sent.and(Err(error)))?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
        Ok(told)
    }

    /// Sends what is there and then a byte a beat until the server has enough.
    pub(crate) async fn drip(&self, begin: &[u8]) -> std::io::Result<()> {
        let (mut stream, mut beat) = (self.dial().await?, self.beat.clone());
        stream.write_all(begin).await?;
        while beat.changed().await.is_ok() {
            stream.write_all(b"x").await?;
        }
        Ok(())
    }

    /// Sends a request and takes 4 KiB of the answer a beat.
    pub(crate) async fn sip(&self, request: &[u8]) -> std::io::Result<()> {
        let (mut stream, mut beat) = (self.dial().await?, self.beat.clone());
        stream.write_all(request).await?;
        let mut piece = [0; 4096];
        while beat.changed().await.is_ok() {
            if stream.read(&mut piece).await? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Pours into a request without end.
    pub(crate) async fn pour(&self, head: &[u8]) -> std::io::Result<()> {
        let mut stream = self.dial().await?;
        stream.write_all(head).await?;
        let piece = [b"10000\r\n".to_vec(), vec![b'x'; 64 * 1024], b"\r\n".to_vec()].concat();
        loop {
            stream.write_all(&piece).await?;
        }
    }

    pub(crate) async fn sign_in(&self, number: u64) -> std::io::Result<Told> {
        let body =
            json!({ "email": format!("nobody-{number}@example.com"), "password": "guess after guess" }).to_string();
        let request = format!(
            "POST /api/v1/session HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.ask(request.as_bytes()).await
    }
}

/// Status and `Retry-After` of an answer, whose body follows.
pub(crate) async fn read_head(stream: &mut TcpStream) -> std::io::Result<Told> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let retry_after = lines.find(|(name, _)| *name == "retry-after");
    Ok(Told {
        status: status.unwrap_or(0),
        retry_after: retry_after.and_then(|(_, seconds)| seconds.parse().ok()),
    })
}
