//! The proxy, as it is seen from outside.

mod browser;
mod stream;

use http::Method;
use serde_json::json;
use tieline_server::router;
use tieline_testkit::{
    flood,
    twin::{Reply, Twin, answer},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    binary::{Folder, Server},
    session::house,
    support::{Ask, GOOD_TOKEN, Tenant, TestApp, ask, dial, raw},
};

/// A connector whose service is at this port, signing in with a bearer token.
fn manifest(port: u16) -> String {
    format!(
        "{{ id: passed, name: Passed, baseUrl: 'http://127.0.0.1:{port}/v1', auth: [{{ type: bearer, token: '{{{{token}}}}', \
         fields: [{{ name: token, secret: true, required: true }}] }}], endpoints: [] }}"
    )
}

struct Passage {
    app: TestApp,
    tenant: Tenant,
    /// The proxy's path of a connection.
    path: String,
}

impl Passage {
    async fn to(port: u16) -> Self {
        let app = TestApp::start_with(&[&manifest(port)]).await;
        let tenant = app.tenant("alice").await;
        let body = json!({ "connector": "passed", "name": "main", "config": { "token": GOOD_TOKEN } });
        let made = app
            .ask(Ask::post("/api/v1/connections").key(&tenant.key).json(&body))
            .await;
        let path = format!("/api/v1/connections/{}/proxy", made.json["id"].as_str().unwrap());
        Self { app, tenant, path }
    }

    fn get(&self, tail: &str) -> Ask {
        Ask::get(format!("{}{tail}", self.path)).key(&self.tenant.key)
    }

    /// The head of a request, to be sent as it is.
    fn head(&self, line: &str, headers: &str) -> String {
        let (method, tail) = line.split_once(' ').unwrap();
        let (path, key) = (&self.path, &self.tenant.key);
        format!("{method} {path}{tail} HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {key}\r\n{headers}\r\n")
    }
}

/// The real binary with a connection to a service that swallows and pours: its proxy's path, and a key.
async fn flooded() -> (Folder, Server, String, String) {
    let folder = Folder::new();
    folder.write("shelf/passed.yaml", &manifest(flood::service().port()));
    let server = folder.serve(&[
        ("TIELINE__CATALOG__DIR", "shelf"),
        ("TIELINE__EGRESS__LOOPBACK", "true"),
    ]);
    let key = folder.read("data/bootstrap-key").trim().to_owned();
    let body = json!({ "connector": "passed", "config": { "token": GOOD_TOKEN } });
    let made = ask(server.address, Ask::post("/api/v1/connections").key(&key).json(&body)).await;
    let path = format!("/api/v1/connections/{}/proxy", made.json["id"].as_str().unwrap());
    (folder, server, path, key)
}

#[tokio::test]
async fn every_method_and_every_byte_of_the_uri_is_passed_on() {
    let twin = Twin::always(Reply::Keep(answer(
        "207 Multi",
        "x-kind: good\r\nx-request-id: theirs\r\n",
        b"hello",
    )))
    .await;
    let passage = Passage::to(twin.port()).await;
    for (tail, target) in [
        ("", "/v1"),
        ("/", "/v1/"),
        ("?a=1", "/v1?a=1"),
        (
            "/a%2Fb/%ff%00//c/?q=%41&x=%zz&y={}",
            "/v1/a%2Fb/%ff%00//c/?q=%41&x=%zz&y={}",
        ),
    ] {
        for method in ["GET", "POST", "DELETE", "PROPFIND", "OPTIONS", "HEAD"] {
            let mut request = passage.get(tail);
            request.method = method.parse().unwrap();
            let answer = passage.app.ask(request).await;
            assert_eq!(answer.status, 207, "{}", answer.text);
            assert_eq!(answer.text, if method == "HEAD" { "" } else { "hello" });
            assert_eq!(answer.headers["tieline-answered-by"], "upstream");
            assert_eq!(answer.headers["tieline-upstream-request-id"], "theirs");
            assert_eq!(
                (&answer.headers["x-kind"], &answer.headers["content-length"]),
                (&"good".parse().unwrap(), &"5".parse().unwrap())
            );
            let sent = twin.seen().pop().unwrap();
            assert_eq!((sent.method.as_str(), sent.target.as_str()), (method, target));
            assert_eq!(
                sent.header("authorization"),
                Some(format!("Bearer {GOOD_TOKEN}").as_str())
            );
        }
    }
    let trace = raw(
        passage.app.address,
        passage.head("TRACE /", "connection: close\r\n").as_bytes(),
    )
    .await;
    assert!(
        trace.starts_with("HTTP/1.1 405 ") && !trace.contains("tieline-answered-by"),
        "{trace}"
    );
}

#[tokio::test]
async fn errors_of_ours_are_told_from_theirs() {
    let twin = Twin::always(Reply::json(404, &json!({ "code": "NOT_FOUND" }))).await;
    let passage = Passage::to(twin.port()).await;
    let theirs = passage.app.ask(passage.get("/nothing")).await;
    assert_eq!(
        (theirs.status, theirs.json.clone()),
        (404, json!({ "code": "NOT_FOUND" }))
    );
    assert!(theirs.headers.contains_key("tieline-answered-by"));
    for (tail, code) in [("/..%2f", "REQUEST_INVALID"), ("/%2e%2e/", "REQUEST_INVALID")] {
        let ours = passage.app.ask(passage.get(tail)).await;
        assert_eq!((ours.status, ours.code()), (422, code));
        assert!(!ours.headers.contains_key("tieline-answered-by"));
    }
    let websocket = passage
        .get("/")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket");
    let refused = passage.app.ask(websocket).await;
    assert_eq!((refused.status, refused.code()), (422, "UPGRADE_NOT_SUPPORTED"));
    assert_eq!(twin.seen().len(), 1);

    let fields = json!({ "host": "localhost", "port": 1, "from": "a@example.com" });
    let body = json!({ "connector": "smtp", "config": fields });
    let made = passage
        .app
        .ask(Ask::post("/api/v1/connections").key(&passage.tenant.key).json(&body))
        .await;
    let path = format!("/api/v1/connections/{}/proxy/", made.json["id"].as_str().unwrap());
    let no_http = passage.app.ask(Ask::get(path).key(&passage.tenant.key)).await;
    assert_eq!(
        (no_http.status, no_http.code()),
        (422, "PROXY_NOT_SUPPORTED"),
        "{}",
        no_http.text
    );
}

#[tokio::test]
async fn k4_only_a_key_opens_the_proxy() {
    let proxies = router::routes()
        .into_iter()
        .filter(|route| route.path().contains("/proxy"));
    assert!(proxies.map(|route| route.is_keys_only()).eq([true]));

    let (app, owner) = house(None).await;
    let body = json!({ "connector": "acme", "config": { "bot_token": GOOD_TOKEN } });
    let made = app
        .ask(Ask::post("/api/v1/connections").session(&owner).json(&body))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("/api/v1/connections/{}/proxy/me", made.json["id"].as_str().unwrap());
    for method in [Method::GET, Method::POST, Method::OPTIONS] {
        let refused = app.ask(Ask::new(method, &path).session(&owner).json(&json!({}))).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "PERMISSION_DENIED"),
            "{}",
            refused.text
        );
    }
}

#[tokio::test]
async fn a_body_goes_up_when_it_is_asked_for_and_its_length_is_ours_to_tell() {
    let twin = Twin::always(Reply::Keep(answer("200 OK", "", b"ok"))).await;
    let passage = Passage::to(twin.port()).await;
    let mut stream = dial(passage.app.address).await;
    let head = passage.head(
        "POST /up",
        "expect: 100-continue\r\ncontent-length: 5\r\nconnection: close\r\n",
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 200 OK\r\n"), "{told}");
    let sent = twin.seen().pop().unwrap();
    assert_eq!(
        (
            sent.body.as_slice(),
            sent.header("content-length"),
            sent.header("expect")
        ),
        (&b"hello"[..], Some("5"), None)
    );

    // A refusal does not ask for it.
    let head = passage.head(
        "POST /%2e",
        "expect: 100-continue\r\ncontent-length: 5\r\nconnection: close\r\n",
    );
    let refused = raw(passage.app.address, head.as_bytes()).await;
    assert!(refused.starts_with("HTTP/1.1 422 "), "{refused}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_seen_to_break_off() {
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n".to_vec();
    let counted = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec();
    for reply in [chunked, counted] {
        let twin = Twin::always(Reply::Raw(reply)).await;
        let passage = Passage::to(twin.port()).await;
        // Kept open, so that its end is not how an answer ends.
        let told = raw(passage.app.address, passage.head("GET /", "").as_bytes()).await;
        assert!(told.contains("half") && !told.ends_with("0\r\n\r\n"), "{told}");
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_upstreams_request() {
    let service = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let passage = Passage::to(service.local_addr().unwrap().port()).await;
    let begin = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nbegin".to_vec();
    // Gone before the answer, in the middle of it, and in the middle of the own body.
    for (line, length, answer) in [("GET /", 0, vec![]), ("GET /", 0, begin), ("POST /", 1000, vec![])] {
        let mut caller = dial(passage.app.address).await;
        let head = passage.head(line, &format!("content-length: {length}\r\n"));
        caller.write_all(head.as_bytes()).await.unwrap();
        let (mut upstream, _) = service.accept().await.unwrap();
        let mut piece = vec![0; 10_000];
        assert!(upstream.read(&mut piece).await.unwrap() > 0);
        upstream.write_all(&answer).await.unwrap();
        if !answer.is_empty() {
            assert!(caller.read(&mut piece).await.unwrap() > 0);
        }
        drop(caller);
        // Ends, or is reset: what must not happen is that it stays.
        while !matches!(upstream.read(&mut piece).await, Ok(0) | Err(_)) {}
    }
}

#[tokio::test]
async fn k_compressed_bytes_come_as_they_are_and_cookies_of_nobody() {
    let head = "content-encoding: br\r\nset-cookie: a=b\r\naccess-control-allow-origin: *\r\ncontent-security-policy: default-src *\r\n";
    let twin = Twin::always(Reply::Keep(answer("200 OK", head, b"not really brotli"))).await;
    let passage = Passage::to(twin.port()).await;
    let request = passage
        .get("/")
        .header("accept-encoding", "br")
        .header("cookie", "__Host-session=1");
    let told = passage.app.ask(request).await;
    assert_eq!(
        (told.text.as_str(), &told.headers["content-encoding"]),
        ("not really brotli", &"br".parse().unwrap())
    );
    for name in ["set-cookie", "access-control-allow-origin"] {
        assert!(!told.headers.contains_key(name), "{name}");
    }
    let sent = twin.seen().pop().unwrap();
    assert_eq!(
        (sent.header("accept-encoding"), sent.header("cookie")),
        (Some("br"), None)
    );
    let plain = passage.app.ask(passage.get("/")).await;
    assert_eq!(
        (plain.status, twin.seen().pop().unwrap().header("accept-encoding")),
        (200, None)
    );
}

#[tokio::test]
async fn t2_a_strangers_connection_passes_nothing_on() {
    let twin = Twin::always(Reply::empty(200)).await;
    let passage = Passage::to(twin.port()).await;
    let bob = passage.app.tenant("bob").await;
    for method in [Method::GET, Method::POST, "PURGE".parse().unwrap()] {
        let refused = passage
            .app
            .ask(Ask::new(method, format!("{}/x", passage.path)).key(&bob.key))
            .await;
        assert_eq!((refused.status, refused.code()), (404, "NOT_FOUND"));
    }
    assert!(twin.seen().is_empty());
}
