//! An HTTP server on loopback that answers from a script and keeps what it was asked, byte for byte.
//!
//! It speaks HTTP/1.1 by hand so that a test can answer what no honest server would.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::cert::ServerCert;

/// What the twin answers to one request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A whole answer; the connection stays open.
    Answer {
        /// The status code.
        status: u16,
        /// Headers; `content-length` is added.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// These bytes as they stand; the connection stays open.
    Keep(Vec<u8>),
    /// These bytes as they stand, then the end of the connection.
    Raw(Vec<u8>),
    /// The same, but over TLS without a word of farewell.
    Cut(Vec<u8>),
    /// The end of the connection by a reset.
    Reset,
    /// These bytes as they stand, then nothing more, while the connection stays open.
    Stall(Vec<u8>),
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Answer {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into_bytes(),
        }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds a header to a whole answer.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The request target: path and query.
    pub target: String,
    /// Headers in the order of arrival, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// All of it as it came over the wire.
    pub text: String,
}

impl Seen {
    /// The first header of this (lower case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body, read as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

/// The running server. Dropping it closes its port.
pub struct Twin {
    address: SocketAddr,
    log: Arc<Log>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Log {
    connections: AtomicUsize,
    requests: Mutex<Vec<Seen>>,
}

type Answering = dyn Fn(&Seen) -> Reply + Send + Sync;

impl Twin {
    /// Answers one request after the other with these replies; past the last one, with 599.
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let script = Mutex::new(replies.into_iter().collect::<Vec<_>>().into_iter());
        Self::answering(move |_| {
            let reply = script.lock().expect("no panic while holding the script").next();
            reply.unwrap_or_else(|| Reply::empty(599))
        })
        .await
    }

    /// Answers every request alike.
    pub async fn always(reply: Reply) -> Self {
        Self::answering(move |_| reply.clone()).await
    }

    /// Answers each request as it deserves.
    pub async fn answering(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, Arc::new(answer)).await
    }

    /// Answers every request alike, over TLS.
    pub async fn over_tls(acceptor: TlsAcceptor, reply: Reply) -> Self {
        Self::serve(Some(acceptor), Arc::new(move |_: &Seen| reply.clone())).await
    }

    /// Answers each request as it deserves, over TLS with this certificate.
    pub async fn answering_over_tls(
        certificate: &ServerCert,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Some(certificate.acceptor()), Arc::new(answer)).await
    }

    async fn serve(tls: Option<TlsAcceptor>, answer: Arc<Answering>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let log = Arc::<Log>::default();
        let accepting = tokio::spawn({
            let log = Arc::clone(&log);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    log.connections.fetch_add(1, Ordering::SeqCst);
                    let (log, answer, tls) = (Arc::clone(&log), Arc::clone(&answer), tls.clone());
                    tokio::spawn(async move {
                        // What the client does to the connection is the client's test to judge.
                        let _ = match tls {
                            None => {
                                converse(stream, &log, &*answer, |stream| {
                                    let _ = stream.set_zero_linger();
                                })
                                .await
                            }
                            Some(tls) => match tls.accept(stream).await {
                                Ok(stream) => converse(stream, &log, &*answer, |_| ()).await,
                                Err(error) => Err(error),
                            },
                        };
                    });
                }
            }
        });
        Self {
            address,
            log,
            accepting,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of a path under the name `twin.example`, for tests that own the resolver.
    pub fn named(&self, path: &str) -> String {
        format!("http://twin.example:{}{path}", self.port())
    }

    /// How many connections came in.
    pub fn connections(&self) -> usize {
        self.log.connections.load(Ordering::SeqCst)
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.log
            .requests
            .lock()
            .expect("no panic while holding the list")
            .clone()
    }

    /// The requests so far as they came over the wire.
    pub fn requests(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.text).collect()
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// An answer with a body of known length, byte for byte. `headers` are whole lines.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    log: &Log,
    answer: &Answering,
    reset_on_close: impl Fn(&S),
) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await? {
        let reply = answer(&request);
        log.requests
            .lock()
            .expect("no panic while holding the list")
            .push(request);
        match reply {
            Reply::Answer { status, headers, body } => stream.write_all(&whole(status, &headers, &body)).await?,
            Reply::Keep(bytes) => stream.write_all(&bytes).await?,
            Reply::Raw(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Reply::Cut(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.flush().await;
            }
            Reply::Stall(bytes) => {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
                stream.read_u8().await?;
            }
            Reply::Reset => {
                reset_on_close(&stream);
                return Ok(());
            }
        }
        stream.flush().await?;
    }
    Ok(())
}

fn whole(status: u16, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Twin\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // 204 and 304 carry no body and no length (RFC 9110, 8.6).
    if !matches!(status, 204 | 304) {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// The next request of a connection, or nothing at its end.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> io::Result<Option<Seen>> {
    let head_end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut start = lines.next().unwrap_or_default().split(' ');
    let mut seen = Seen {
        method: start.next().unwrap_or_default().to_owned(),
        target: start.next().unwrap_or_default().to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
        text: String::new(),
    };
    let length: usize = seen
        .header("content-length")
        .map_or(0, |length| length.parse().expect("a length"));
    assert!(
        seen.header("transfer-encoding").is_none(),
        "the twin reads no chunked requests"
    );
    let whole = head_end + 4 + length;
    while buffer.len() < whole {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    seen.body = buffer[head_end + 4..whole].to_vec();
    seen.text = String::from_utf8_lossy(&buffer[..whole]).into_owned();
    buffer.drain(..whole);
    Ok(Some(seen))
}
