//! A plain HTTP client, and what every answer must hold.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tieline_testkit::{
    canary,
    evidence::{self, Kind},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A request to make.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Ask {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers
            .append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text("application/json", body.to_string())
    }

    pub(crate) fn text(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null when the answer is no JSON.
    pub(crate) json: Value,
}

impl Answer {
    /// The error code.
    pub(crate) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// The answer without what differs between any two.
    pub(crate) fn without_request_id(&self) -> (u16, Value) {
        let mut json = self.json.clone();
        if let Some(fields) = json.as_object_mut() {
            fields.remove("requestId");
        }
        (self.status, json)
    }

    /// What must hold of every answer: it has an id, nobody keeps it or guesses its type, an error is a problem with all
    /// its parts, and the status is one that the API description declares.
    pub(crate) fn judge(&self, document: &Value, method: &Method, path: &str) {
        let header = |name: &str| {
            self.headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let told = format!("{method} {path}: {} {}", self.status, self.text);
        assert_eq!(header("x-request-id").len(), 32, "{told}");
        assert_eq!(header("cache-control"), "no-store", "U4: {told}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{told}");
        if self.status >= 400 && *method != Method::HEAD {
            assert_eq!(header("content-type"), "application/problem+json", "{told}");
            assert_eq!(self.json["status"], self.status, "{told}");
            assert_eq!(self.json["requestId"], header("x-request-id"), "{told}");
            assert_eq!(self.json["type"], format!("/errors/{}", self.code()), "{told}");
            assert_eq!(self.json["detail"], self.json["error"], "{told}");
            assert!(!self.json["title"].as_str().unwrap_or_default().is_empty(), "{told}");
        }
        if let Some(operation) = operation(document, method, path) {
            let declared = &operation["responses"][self.status.to_string()];
            assert!(!declared.is_null(), "the API description does not declare this: {told}");
            if self.status >= 400 {
                let codes = declared["description"].as_str().unwrap_or_default();
                assert!(
                    codes.split(", ").any(|code| code == self.code()),
                    "not among {codes}: {told}"
                );
            }
        }
    }
}

/// What the description says of a request's route.
fn operation<'a>(document: &'a Value, method: &Method, path: &str) -> Option<&'a Value> {
    let path = path.split('?').next().unwrap_or_default();
    let method = method.as_str().to_ascii_lowercase();
    let fits = |template: &str| {
        let part_fits = |(wanted, part): (&str, &str)| wanted == part || (wanted.starts_with('{') && !part.is_empty());
        template.split('/').count() == path.split('/').count()
            && template.split('/').zip(path.split('/')).all(part_fits)
    };
    let paths = document["paths"].as_object()?;
    let mut fitting: Vec<_> = paths.iter().filter(|(template, _)| fits(template)).collect();
    // A literal path goes before one with parameters.
    fitting.sort_by_key(|(template, _)| template.matches('{').count());
    fitting.first()?.1.get(&method)
}

/// Sends a request on a connection of its own.
pub(crate) async fn ask(address: SocketAddr, ask: Ask) -> Answer {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(dial(address).await))
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    let mut request = Request::new(Full::new(ask.body));
    *request.method_mut() = ask.method;
    *request.uri_mut() = ask.path.parse().unwrap();
    *request.headers_mut() = ask.headers;
    request
        .headers_mut()
        .insert("host", HeaderValue::from_static("tieline.test"));
    let response = sender.send_request(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    evidence::keep(Kind::Answer, format!("{} {:?}", head.status, head.headers));
    evidence::keep(Kind::Answer, &body);
    drop(sender);
    driver.abort();
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    for key in [&json["key"], &json["firstKey"]["key"]] {
        if let Some(key) = key.as_str() {
            canary::told_once(key);
        }
    }
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        json,
        text: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// Sends bytes as they are and reads what comes until the server closes.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = dial(address).await;
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // The server may close while we still send; what it said before is what counts.
    let _ = stream.read_to_end(&mut answer).await;
    evidence::keep(Kind::Answer, &answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test talks to its own server, not to an upstream"
)]
pub(crate) async fn dial(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}
