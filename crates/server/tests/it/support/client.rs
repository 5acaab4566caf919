//! A plain HTTP client, and what every answer must hold.

use std::net::SocketAddr;

use super::contract::CONTRACT;
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

    /// A header of any bytes that a header may have.
    pub(crate) fn raw_header(mut self, name: &'static str, value: &[u8]) -> Self {
        self.headers
            .append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// As a page of the server at this address, with a session.
    pub(crate) fn session(self, token: &str) -> Self {
        self.header("cookie", &format!("__Host-tieline={token}"))
            .header("sec-fetch-site", "same-origin")
    }

    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.text("application/x-www-form-urlencoded", body)
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

    /// The token of the session that began with this answer.
    pub(crate) fn session(&self) -> String {
        set_session(&self.headers).unwrap_or_else(|| panic!("no session began: {}", self.text))
    }

    /// The token of the one-time link that was told.
    pub(crate) fn link(&self) -> String {
        let link = self.json["link"]
            .as_str()
            .unwrap_or_else(|| panic!("no link: {}", self.text));
        link.split_once("/setup?token=").unwrap().1.to_owned()
    }

    /// The answer without what differs between any two.
    pub(crate) fn without_request_id(&self) -> (u16, Value) {
        let mut json = self.json.clone();
        if let Some(fields) = json.as_object_mut() {
            fields.remove("requestId");
        }
        (self.status, json)
    }

    /// What must hold of every answer: its form, and that status, code, type and body are what the API description declares.
    pub(crate) fn fault(&self, method: &Method, path: &str) -> Option<String> {
        self.malformed(method, path).or_else(|| {
            let operation = CONTRACT.operation(method, path)?;
            if self.is_passed_on() {
                let described = operation["responses"]["default"].is_object();
                return (!described).then(|| "an upstream's answer is not declared".to_owned());
            }
            // The description tells of problems, and their codes are in their bodies.
            let told_whole = *method != Method::HEAD || self.status < 400;
            let judged = told_whole && !self.is_form_again(path);
            judged.then(|| CONTRACT.fault(operation, self)).flatten()
        })
    }

    /// Whether this is what an upstream answered, which the proxy passes on whatever it is.
    fn is_passed_on(&self) -> bool {
        self.headers
            .get("tieline-answered-by")
            .is_some_and(|by| by == "upstream")
    }

    /// Whether this is a form that went wrong, which comes back as a page.
    fn is_form_again(&self, path: &str) -> bool {
        let html = self
            .headers
            .get("content-type")
            .is_some_and(|kind| kind == "text/html; charset=utf-8");
        self.status >= 400 && html && path.starts_with("/setup")
    }

    /// Panics over what [`Answer::fault`] finds.
    pub(crate) fn judge(&self, method: &Method, path: &str) {
        let fault = self.fault(method, path);
        if let Some(fault) = fault {
            panic!("{fault}: {method} {path}: {} {}", self.status, self.text);
        }
    }

    /// What is wrong with an answer's form: it has an id, nobody keeps it or guesses its type, and an error is a problem
    /// with all its parts.
    fn malformed(&self, method: &Method, path: &str) -> Option<String> {
        let header = |name: &str| {
            let value = self.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default()
        };
        let mut must = vec![
            ("x-request-id", header("x-request-id").len() == 32),
            ("U4: cache-control", header("cache-control") == "no-store"),
            ("x-content-type-options", header("x-content-type-options") == "nosniff"),
        ];
        if self.is_passed_on() {
            must.push((
                "U3: content-security-policy",
                header("content-security-policy") == "sandbox",
            ));
        } else if self.status >= 400 && *method != Method::HEAD && !self.is_form_again(path) {
            let json = &self.json;
            must.extend([
                ("problem+json", header("content-type") == "application/problem+json"),
                ("its status", json["status"] == self.status),
                ("its requestId", json["requestId"] == header("x-request-id")),
                ("its type", json["type"] == format!("/errors/{}", self.code())),
                ("its detail", json["detail"] == json["error"]),
                (
                    "its title",
                    json["title"].as_str().is_some_and(|title| !title.is_empty()),
                ),
            ]);
        }
        let broken = must.iter().find(|(_, holds)| !holds);
        broken.map(|(what, _)| format!("{what} is not what it must be"))
    }
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
    if let Some(token) = set_session(&head.headers) {
        canary::told_once(&token);
    }
    if let Some((_, token)) = json["link"].as_str().and_then(|link| link.split_once("token=")) {
        canary::told_once(token);
    }
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        json,
        text: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// The token in a `Set-Cookie` that begins a session.
fn set_session(headers: &HeaderMap) -> Option<String> {
    let cookie = headers.get("set-cookie")?.to_str().ok()?;
    let token = cookie.strip_prefix("__Host-tieline=")?.split(';').next()?;
    (!token.is_empty()).then(|| token.to_owned())
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
