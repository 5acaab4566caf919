//! Passing requests on: what goes, what stays, and how it ends.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, Method};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use serde_json::json;
use tieline::{
    Code, Error, Scope,
    connection::{Connect, Connection, ConnectionPatch},
    http::{LOOP_HEADER, bytes_body},
    ledger::CallQuery,
    proxy::{Passed, Passing},
    store::CallKind,
};
use tieline_testkit::{
    canary::Canary,
    evidence::{self, Kind},
    twin::{Reply, Twin, answer},
};

use crate::house::{House, TOKEN};

static KEY: Canary = Canary::shaped("caller's key", "sk_################################");

fn manifest(port: u16, auth: &str) -> String {
    format!(
        "{{ id: acme, name: Acme, baseUrl: 'http://127.0.0.1:{port}/v1', auth: [{{ {auth}, \
         fields: [{{ name: api_token, secret: true, required: true, aliases: [token] }}] }}], endpoints: [] }}"
    )
}

const BEARER: &str = "type: bearer, token: '{{api_token}}'";
const QUERY: &str = "type: api_key, keyName: key, keyLocation: query, keyValue: '{{api_token}}'";

async fn house(twin: &Twin, auth: &str) -> (House, Connection) {
    let house = House::of(&manifest(twin.port(), auth));
    let connection = house.connect().await;
    (house, connection)
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::from_static(name), value.parse().unwrap());
    }
    headers
}

fn get(connection: &Connection, uri: &str) -> Passing {
    let (path, query) = uri
        .split_once('?')
        .map_or((uri, None), |(path, query)| (path, Some(query)));
    Passing {
        connection: connection.id,
        method: Method::GET,
        path: path.to_owned(),
        query: query.map(str::to_owned),
        headers: headers(&[("authorization", &format!("Bearer {}", &*KEY))]),
        body: bytes_body(Default::default()),
    }
}

impl House {
    async fn pass(&self, passing: Passing) -> Result<(Passed, String), Error> {
        let told = self.connectors.proxy(&self.by, passing).await;
        let mut passed = told.inspect_err(|error| evidence::keep(Kind::Answer, format!("{error:?}")))?;
        evidence::keep(Kind::Answer, format!("{} {:?}", passed.status, passed.headers));
        let mut text = Vec::new();
        while let Some(frame) = passed.body.frame().await {
            text.extend_from_slice(&frame?.into_data().expect("trailers stay behind"));
        }
        Ok((passed, String::from_utf8(text).unwrap()))
    }
}

#[tokio::test]
async fn goes_where_the_connector_points_with_every_way_of_signing_in() {
    let twin = Twin::always(Reply::Keep(answer("200 OK", "", b"hello"))).await;
    let percent: String = TOKEN.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let pair = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("me:{}", &*TOKEN));
    for (auth, line, header) in [
        (
            BEARER,
            "GET /v1//a%2Fb%ff?q={{x}}&%zz HTTP/1.1".to_owned(),
            format!("authorization: Bearer {}", &*TOKEN),
        ),
        (
            "type: custom_headers, headers: { x-key: '{{api_token}}' }",
            "GET /v1//a%2Fb%ff?q={{x}}&%zz HTTP/1.1".to_owned(),
            format!("x-key: {}", &*TOKEN),
        ),
        (
            "type: basic, username: me, password: '{{api_token}}'",
            String::new(),
            format!("authorization: Basic {pair}"),
        ),
        (QUERY, "key=".to_owned(), String::new()),
    ] {
        let (house, connection) = house(&twin, auth).await;
        let (passed, text) = house.pass(get(&connection, "//a%2Fb%ff?q={{x}}&%zz")).await.unwrap();
        assert_eq!((passed.status.as_u16(), text.as_str()), (200, "hello"));
        let sent = twin.requests().pop().unwrap();
        let first = sent.lines().next().unwrap();
        assert!(
            first.starts_with("GET /v1//a%2Fb%ff?q={{x}}&%zz") && first.contains(&line),
            "{sent}"
        );
        assert!(sent.contains(&header), "{sent}");
        assert!(!KEY.is_in(&sent), "the caller's key was passed on");
        if auth == QUERY {
            let key = first.split("&key=").nth(1).unwrap().trim_end_matches(" HTTP/1.1");
            let decode = |text: &str| {
                url::form_urlencoded::parse(format!("k={text}").as_bytes())
                    .next()
                    .unwrap()
                    .1
                    .into_owned()
            };
            assert_eq!(decode(key), decode(&percent), "{sent}");
        }
    }
}

#[tokio::test]
async fn a_token_in_the_base_urls_path_is_filled_in() {
    let twin = Twin::always(Reply::Keep(answer("200 OK", "", b""))).await;
    let manifest = manifest(twin.port(), "type: none").replace("/v1'", "/bot{{config.api_token}}'");
    let house = House::of(&manifest);
    let connection = house.connect().await;
    house.pass(get(&connection, "/getMe")).await.unwrap();
    let sent = twin.requests().pop().unwrap();
    assert!(
        sent.starts_with("GET /botcanary-") && sent.lines().next().unwrap().ends_with("/getMe HTTP/1.1"),
        "{sent}"
    );
    assert!(TOKEN.is_in(&sent));
}

#[tokio::test]
async fn k_a_caller_neither_tells_nor_sets_a_credential() {
    let twin = Twin::always(Reply::Keep(answer("200 OK", "", b""))).await;
    let (house, connection) = house(&twin, BEARER).await;
    let mut passing = get(&connection, "");
    passing.headers.extend(headers(&[
        ("cookie", "session=1"),
        ("x-note", &format!("my key is {}.", &*KEY)),
        ("x-many", "1"),
        ("x-many", "2"),
        ("user-agent", "theirs"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("host", "elsewhere.example"),
        ("idempotency-key", "7"),
    ]));
    house.pass(passing).await.unwrap();
    let sent = twin.requests().pop().unwrap();
    let (line, rest) = sent.split_once("\r\n").unwrap();
    assert_eq!(line, "GET /v1 HTTP/1.1");
    let mut lines: Vec<_> = rest
        .trim_end()
        .lines()
        .map(|line| line.replace(&*TOKEN, "TOKEN"))
        .collect();
    lines.retain(|line| !line.starts_with("tieline-loop: "));
    lines.sort_unstable();
    let host = format!("host: 127.0.0.1:{}", twin.port());
    let expected = [
        "authorization: Bearer TOKEN",
        &host,
        "idempotency-key: 7",
        "user-agent: theirs",
        "x-many: 1",
        "x-many: 2",
    ];
    assert_eq!(lines, expected);

    let (house, connection) = self::house(&twin, QUERY).await;
    house.pass(get(&connection, "/a?KEY=mine&b=1")).await.unwrap();
    let sent = twin.requests().pop().unwrap();
    assert!(
        sent.starts_with("GET /v1/a?b=1&key=canary-") && !sent.contains("mine"),
        "{sent}"
    );
}

#[tokio::test]
async fn r1_a_secret_that_is_echoed_in_a_header_does_not_come_back() {
    let echo = format!(
        "https://acme.example/next?key={}",
        url::form_urlencoded::byte_serialize(TOKEN.as_bytes()).collect::<String>()
    );
    let head = format!(
        "location: {echo}\r\nx-echo: a {} b\r\nx-more: \u{e9}\r\nset-cookie: a=b\r\n",
        &*TOKEN
    );
    let trap = Twin::always(Reply::empty(200)).await;
    let twin = Twin::always(Reply::Keep(answer("302 Found", &head, b"{}"))).await;
    let (house, connection) = house(&twin, BEARER).await;
    let (passed, _) = house.pass(get(&connection, "/x")).await.unwrap();
    assert_eq!(passed.status, 302);
    assert_eq!(passed.headers["location"], "https://acme.example/next?key=[redacted]");
    assert_eq!(passed.headers["x-echo"], "a [redacted] b");
    assert_eq!(passed.headers["x-more"].as_bytes(), "\u{e9}".as_bytes());
    assert!(!passed.headers.contains_key("set-cookie"));
    assert_eq!(
        (twin.requests().len(), trap.requests().len()),
        (1, 0),
        "n4: nothing is followed"
    );
}

#[tokio::test]
async fn what_cannot_be_passed_on_is_refused_before_anything_is_sent() {
    let twin = Twin::always(Reply::empty(200)).await;
    let (house, connection) = house(&twin, BEARER).await;
    let refused = async |passing: Passing| {
        let error = house.pass(passing).await.err().unwrap();
        assert!(error.nothing_sent(), "{error}");
        error.code()
    };
    for path in ["/..", "/a/%2e%2E/b", "/..%2fa", "/.", "a"] {
        assert_eq!(refused(get(&connection, path)).await, Code::RequestInvalid, "{path}");
    }
    let mut websocket = get(&connection, "/");
    websocket
        .headers
        .extend(headers(&[("connection", "upgrade"), ("upgrade", "websocket")]));
    assert_eq!(refused(websocket).await, Code::UpgradeNotSupported);
    for method in [Method::TRACE, Method::CONNECT] {
        let passing = Passing {
            method,
            ..get(&connection, "/")
        };
        assert_eq!(refused(passing).await, Code::MethodNotAllowed);
    }
    for auth in [
        "type: api_key, keyName: k, keyLocation: body, keyValue: '{{api_token}}'",
        "type: custom",
    ] {
        let house = House::of(&manifest(twin.port(), auth));
        let connection = house.connect().await;
        let error = house.pass(get(&connection, "/")).await.err().unwrap();
        assert_eq!(error.code(), Code::ProxyNotSupported, "{auth}");
    }
    let whole = manifest(0, "type: none")
        .replace("http://127.0.0.1:0/v1", "{{config.api_token}}")
        .replace("endpoints", "allowedHosts: [acme.example], endpoints");
    let house = House::of(&whole);
    let connection = house.connect_with(&twin.url()).await;
    let error = house.pass(get(&connection, "/")).await.err().unwrap();
    assert_eq!(error.code(), Code::HostNotAllowed, "n5");
    assert_eq!(twin.connections(), 0);
}

#[tokio::test]
async fn an_answer_that_breaks_off_says_so() {
    for (reply, code) in [
        (
            Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec()),
            Code::UpstreamAnswerTruncated,
        ),
        (
            Reply::Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n".to_vec()),
            Code::UpstreamAnswerTruncated,
        ),
        (
            Reply::Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz".to_vec()),
            Code::UpstreamAnswerInvalid,
        ),
        (
            Reply::Raw(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_vec()),
            Code::UpstreamAnswerInvalid,
        ),
        (Reply::Reset, Code::UpstreamAnswerTruncated),
    ] {
        let twin = Twin::always(reply.clone()).await;
        let (house, connection) = house(&twin, BEARER).await;
        let error = house
            .pass(get(&connection, "/"))
            .await
            .err()
            .unwrap_or_else(|| panic!("{reply:?}"));
        assert_eq!(error.code(), code, "{reply:?}: {error}");
    }
}

#[tokio::test]
async fn trailers_and_double_lengths_stay_behind() {
    let wire = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: set-cookie\r\n\r\n5\r\nhello\r\n0\r\nset-cookie: a=b\r\n\r\n";
    let twin = Twin::always(Reply::Keep(wire.to_vec())).await;
    let (house, connection) = house(&twin, BEARER).await;
    let (passed, text) = house.pass(get(&connection, "/")).await.unwrap();
    assert_eq!(
        (text.as_str(), passed.headers.len()),
        ("hello", 0),
        "{:?}",
        passed.headers
    );
}

#[tokio::test]
async fn a_disabled_connection_passes_nothing_on_and_marks_are_kept() {
    let twin = Twin::always(Reply::empty(200)).await;
    let (house, connection) = house(&twin, BEARER).await;
    let mut passing = get(&connection, "/");
    passing.headers.extend(headers(&[("tieline-loop", "of another")]));
    house.pass(passing).await.unwrap();
    let marks: Vec<_> = twin.requests()[0]
        .lines()
        .filter(|line| line.starts_with("tieline-loop: "))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        marks.len(),
        2,
        "n3: whoever passed it on before finds their mark: {marks:?}"
    );
    let mut through_many = HeaderMap::new();
    for number in 0..5 {
        assert!(!house.connectors.loop_mark().is_on(&through_many));
        through_many.append(LOOP_HEADER, number.into());
    }
    assert!(house.connectors.loop_mark().is_on(&through_many));

    let connect = Connect {
        config: json!({ "token": &*TOKEN }).into(),
        name: Some("off".to_owned()),
        ..Connect::new("acme", Scope::tenant())
    };
    let off = house.connectors.connect(&house.by, connect).await.unwrap();
    let patch = ConnectionPatch {
        enabled: Some(false),
        ..ConnectionPatch::default()
    };
    house
        .connectors
        .update_connection(&house.by, off.id, patch)
        .await
        .unwrap();
    let error = house.pass(get(&off, "/")).await.err().unwrap();
    assert_eq!(error.code(), Code::ConnectionDisabled);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_callers_trouble() {
    let twin = Twin::always(Reply::empty(200)).await;
    let (house, connection) = house(&twin, BEARER).await;
    let pieces = [Ok(Frame::data(Bytes::from("half"))), Err("the caller went away".into())];
    let body = StreamBody::new(stream::iter(pieces)).boxed_unsync();
    let broken = Passing {
        method: Method::POST,
        body,
        ..get(&connection, "/")
    };
    let error = house.pass(broken).await.err().unwrap();
    assert_eq!(error.code(), Code::RequestTimeout, "{error:?}");
    assert!(!error.nothing_sent());
}

#[tokio::test]
async fn what_was_passed_on_stands_in_the_ledger_with_how_it_ended() {
    let twin = Twin::always(Reply::Keep(answer("404 Not Found", "", b"hello"))).await;
    let (house, connection) = house(&twin, BEARER).await;
    let post = || Passing {
        method: Method::POST,
        body: bytes_body(Bytes::from("abc")),
        ..get(&connection, "/")
    };
    let row = async || {
        house.connectors.flush_calls().await.unwrap();
        let page = house.connectors.calls(&house.by, CallQuery::default()).await.unwrap();
        // Identifiers of one millisecond are in no order.
        page.rows.into_iter().max_by_key(|row| row.at).unwrap()
    };
    house.pass(post()).await.unwrap();
    let whole = row().await;
    assert_eq!(
        (whole.kind, whole.outcome.as_str(), whole.status),
        (CallKind::Proxy, "ok", Some(404))
    );
    assert_eq!((whole.sent, whole.received, whole.attempts), (Some(3), Some(5), 1));

    let passed = house.connectors.proxy(&house.by, post()).await.unwrap();
    drop(passed.body);
    let left = row().await;
    assert_eq!(
        (left.outcome.as_str(), left.received),
        ("cancelled", Some(0)),
        "nobody read it"
    );

    let refused = Passing {
        path: "/..".to_owned(),
        ..post()
    };
    house.pass(refused).await.err().unwrap();
    let refused = row().await;
    assert_eq!((refused.outcome.as_str(), refused.attempts), ("REQUEST_INVALID", 0));
}
