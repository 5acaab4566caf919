//! The second gate against an upstream that behaves well, badly, and worse.

use std::{io::Write as _, time::Duration};

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use http_body_util::BodyExt as _;
use tieline::{Code, Error, error::Retry, http::AnswerLimits};
use tieline_manifest::request::{Body, Encode, Part, Request, SecretRef, Slot, Text};

use crate::lab::{Held, LATE, Lab, OTHER_TENANT, SOON, get};
use tieline_testkit::twin::{Reply, Twin, answer};

/// Over soon, yet long enough to connect on a busy machine.
const A_WHILE: Duration = Duration::from_millis(500);

fn secret(before: &str, name: &str, encode: Encode) -> Text {
    let mut text = Text::default();
    text.push_slot(Slot {
        parts: vec![
            Part::Literal(before.to_owned()),
            Part::Secret(SecretRef::Config(name.to_owned())),
        ],
        encode,
    });
    text
}

fn text(parts: impl IntoIterator<Item = Text>) -> Text {
    let mut whole = Text::default();
    parts.into_iter().for_each(|part| whole.append(part));
    whole
}

/// The error of an exchange with a twin that does this.
async fn error_of(lab: &Lab, reply: Reply) -> Error {
    let twin = Twin::always(reply).await;
    lab.read(&twin.named("/path?query=1"))
        .await
        .expect_err("the twin misbehaves")
}

#[tokio::test]
async fn a_request_goes_out_as_rendered_with_its_secrets_filled() {
    let twin = Twin::always(Reply::Keep(answer("201 Created", "x-kind: good\r\n", b"{\"id\":1}"))).await;
    let mut lab = Lab::new();
    lab.secrets = Held(&[("token", "t/ \"ok\""), ("user", "me:pass")]);
    let request = Request {
        method: "POST".to_owned(),
        url: text([
            Text::literal(twin.named("/bots/")),
            secret("", "token", Encode::Percent),
            Text::literal("/messages?a=1"),
        ]),
        headers: vec![
            (
                "authorization".to_owned(),
                text([Text::literal("Basic "), secret("", "user", Encode::Base64)]),
            ),
            ("x-many".to_owned(), Text::literal("1")),
            ("x-many".to_owned(), Text::literal("2")),
        ],
        body: Some(Body {
            content_type: "application/json".to_owned(),
            text: text([
                Text::literal("{\"key\":\""),
                secret("", "token", Encode::Json),
                Text::literal("\"}"),
            ]),
        }),
    };
    let answer = lab.send(&request).await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["x-kind"]),
        (201, &"good".parse().unwrap())
    );
    assert_eq!(answer.bytes().await.unwrap(), "{\"id\":1}");

    let sent = &twin.requests()[0];
    let (head, body) = sent.split_once("\r\n\r\n").unwrap();
    let (line, headers) = head.split_once("\r\n").unwrap();
    assert_eq!(line, "POST /bots/t%2F%20%22ok%22/messages?a=1 HTTP/1.1");
    assert_eq!(body, "{\"key\":\"t/ \\\"ok\\\"\"}");
    let mut headers: Vec<&str> = headers.lines().collect();
    headers.sort_unstable();
    assert_eq!(
        headers,
        [
            "accept-encoding: gzip",
            "authorization: Basic bWU6cGFzcw==",
            &format!("content-length: {}", body.len()),
            "content-type: application/json",
            &format!("host: twin.example:{}", twin.port()),
            concat!("user-agent: tieline/", env!("CARGO_PKG_VERSION")),
            "x-many: 1",
            "x-many: 2",
        ]
    );
}

#[tokio::test]
async fn a_large_body_arrives_whole() {
    let twin = Twin::always(Reply::Keep(answer("200 OK", "", b"ok"))).await;
    let content: String = (0..200_000).map(|number: u32| number.to_string()).collect();
    let request = Request {
        method: "PUT".to_owned(),
        body: Some(Body {
            content_type: "text/plain".to_owned(),
            text: Text::literal(&content),
        }),
        ..get(Text::literal(twin.named("/")))
    };
    assert_eq!(Lab::new().send(&request).await.unwrap().bytes().await.unwrap(), "ok");
    let sent = &twin.requests()[0];
    assert!(sent.contains(&format!("content-length: {}\r\n", content.len())));
    assert!(sent.ends_with(&format!("\r\n\r\n{content}")));
}

#[tokio::test]
async fn every_status_is_an_answer() {
    for status in [
        "200 OK",
        "204 No Content",
        "400 Bad Request",
        "401 Unauthorized",
        "404 Not Found",
        "500 Oh",
        "503 No",
    ] {
        let twin = Twin::always(Reply::Keep(
            format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").into(),
        ))
        .await;
        let answer = Lab::new().get(&twin.named("/")).await.unwrap();
        assert_eq!(answer.status.as_str(), &status[..3]);
        assert_eq!(answer.bytes().await.unwrap(), "");
        assert_eq!(
            twin.requests().len(),
            1,
            "nothing is repeated here, on {status} neither"
        );
    }
}

#[tokio::test]
async fn n4_redirects_are_not_followed() {
    let trap = Twin::always(Reply::Keep(answer("200 OK", "", b""))).await;
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let location = format!("location: {}\r\n", trap.named("/"));
        let twin = Twin::always(Reply::Keep(answer(status, &location, b"elsewhere"))).await;
        let answer = Lab::new().get(&twin.named("/")).await.unwrap();
        assert_eq!(answer.status.as_str(), &status[..3]);
        assert_eq!(answer.bytes().await.unwrap(), "elsewhere");
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn connections_are_kept_alive() {
    let twin = Twin::always(Reply::Keep(answer("200 OK", "", b"again"))).await;
    let lab = Lab::new();
    for _ in 0..5 {
        assert_eq!(lab.read(&twin.named("/")).await.unwrap(), "again");
    }
    assert_eq!((twin.connections(), twin.requests().len()), (1, 5));
}

#[tokio::test]
async fn t7_connections_are_never_shared_between_tenants() {
    let twin = Twin::always(Reply::Keep(answer("200 OK", "", b"again"))).await;
    let mut lab = Lab::new();
    lab.read(&twin.named("/")).await.unwrap();
    lab.tenant = OTHER_TENANT;
    lab.read(&twin.named("/")).await.unwrap();
    lab.read(&twin.named("/")).await.unwrap();
    assert_eq!(twin.connections(), 2);
}

#[tokio::test]
async fn t7_cookies_are_not_kept() {
    let twin = Twin::always(Reply::Keep(answer("200 OK", "set-cookie: a=b\r\n", b""))).await;
    let lab = Lab::new();
    lab.read(&twin.named("/")).await.unwrap();
    lab.read(&twin.named("/")).await.unwrap();
    assert!(!twin.requests()[1].to_lowercase().contains("cookie"));
}

#[tokio::test]
async fn l1_every_wait_has_its_own_end() {
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345".to_vec();
    let waits = [
        (
            Lab::new().timeouts(LATE, SOON, LATE),
            Reply::Stall(Vec::new()),
            ["within 50 ms (first byte)", "`outbound.first_byte_seconds`"],
        ),
        (
            Lab::new().timeouts(LATE, SOON, LATE),
            Reply::Stall(b"HTTP/1.1 200 OK\r\nx-a: ".to_vec()),
            ["within 50 ms (first byte)", "`outbound.first_byte_seconds`"],
        ),
        (
            Lab::new().timeouts(LATE, LATE, SOON),
            Reply::Stall(begun.clone()),
            ["for 50 ms (idle read)", "`outbound.idle_seconds`"],
        ),
        (
            Lab {
                within: A_WHILE,
                ..Lab::new()
            },
            Reply::Stall(Vec::new()),
            ["within 500 ms (total)", "`outbound.total_seconds`"],
        ),
        (
            Lab {
                within: A_WHILE,
                ..Lab::new()
            },
            Reply::Stall(begun),
            ["within 500 ms (total)", "`outbound.total_seconds`"],
        ),
    ];
    for (lab, reply, told) in waits {
        let error = error_of(&lab, reply).await;
        assert_eq!(
            (error.code(), error.retry_hint()),
            (Code::UpstreamTimeout, Retry::Backoff),
            "{error}"
        );
        assert!(
            told.iter().all(|part| error.detail().contains(part)),
            "{told:?}: {error}"
        );
        assert!(!error.nothing_sent(), "the request was on its way: {error}");
    }
}

#[tokio::test]
async fn broken_connections_and_bodies_are_told_apart() {
    let cases: [(&str, Reply, Code); 10] = [
        (
            "closed without an answer",
            Reply::Raw(Vec::new()),
            Code::UpstreamAnswerTruncated,
        ),
        ("reset without an answer", Reply::Reset, Code::UpstreamAnswerTruncated),
        (
            "closed in the head",
            Reply::Raw(b"HTTP/1.1 200 OK\r\nx-a".to_vec()),
            Code::UpstreamAnswerTruncated,
        ),
        (
            "closed before the announced length",
            Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345".to_vec()),
            Code::UpstreamAnswerTruncated,
        ),
        (
            "closed before the last chunk",
            Reply::Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n".to_vec()),
            Code::UpstreamAnswerTruncated,
        ),
        (
            "closed inside a chunk",
            Reply::Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n123".to_vec()),
            Code::UpstreamAnswerTruncated,
        ),
        (
            "a chunk without a size",
            Reply::Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n123".to_vec()),
            Code::UpstreamAnswerInvalid,
        ),
        (
            "not HTTP",
            Reply::Raw(b"220 mail.example ESMTP\r\n\r\n".to_vec()),
            Code::UpstreamAnswerInvalid,
        ),
        (
            "another HTTP",
            Reply::Raw(b"HTTP/3.7 200 OK\r\n\r\n".to_vec()),
            Code::UpstreamAnswerInvalid,
        ),
        (
            "two lengths",
            Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n12".to_vec()),
            Code::UpstreamAnswerInvalid,
        ),
    ];
    for (what, reply, code) in cases {
        let error = error_of(&Lab::new(), reply).await;
        assert_eq!(error.code(), code, "{what}: {error:?}");
        assert!(!error.nothing_sent(), "{what}");
        if code == Code::UpstreamAnswerTruncated {
            assert_eq!(error.retry_hint(), Retry::Backoff, "{what}");
        }
    }
}

#[tokio::test]
async fn l1_heads_are_bounded() {
    let head = |lines: usize, length: usize| {
        let mut head = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n".to_owned();
        for line in 1..lines {
            head += &format!("x-{line}: {}\r\n", "a".repeat(length));
        }
        Reply::Raw((head + "\r\n").into_bytes())
    };
    let twin = Twin::always(head(100, 10)).await;
    assert_eq!(Lab::new().read(&twin.named("/")).await.unwrap(), "");
    for bomb in [head(101, 10), head(100, 1000), head(2, 100_000), head(50_000, 10)] {
        assert_eq!(error_of(&Lab::new(), bomb).await.code(), Code::UpstreamAnswerTooLarge);
    }
}

#[tokio::test]
async fn l1_provisional_answers_are_bounded() {
    let provisional = |count: usize| {
        let head = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(count)
            + "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        Reply::Keep(head.into_bytes())
    };
    let twin = Twin::always(provisional(10)).await;
    assert_eq!(Lab::new().read(&twin.named("/")).await.unwrap(), "ok");
    let error = error_of(&Lab::new(), provisional(11)).await;
    assert_eq!(error.code(), Code::UpstreamAnswerInvalid);
    assert!(error.detail().contains("provisional"), "{error}");
}

fn small() -> Lab {
    Lab {
        limits: AnswerLimits {
            bytes: 100_000,
            ratio: 100,
            free_bytes: 10_000,
        },
        ..Lab::new()
    }
}

#[tokio::test]
async fn l1_bodies_are_bounded() {
    let twin = Twin::always(Reply::Keep(answer("200 OK", "", &[b'a'; 100_000]))).await;
    assert_eq!(small().read(&twin.named("/")).await.unwrap().len(), 100_000);
    let chunks = b"1000\r\n"
        .iter()
        .chain(&[b'a'; 0x1000])
        .chain(b"\r\n")
        .copied()
        .collect::<Vec<u8>>()
        .repeat(30);
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    chunked.extend(chunks);
    for oversized in [
        Reply::Keep(answer("200 OK", "", &[b'a'; 100_001])),
        // Announced alone is enough: not one byte of it comes.
        Reply::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec()),
        Reply::Stall(chunked.clone()),
    ] {
        let error = error_of(&small(), oversized).await;
        assert_eq!(
            (error.code(), error.retry_hint()),
            (Code::UpstreamAnswerTooLarge, Retry::Never),
            "{error}"
        );
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn encoded(encoding: &str, body: &[u8]) -> Reply {
    Reply::Keep(answer("200 OK", &format!("content-encoding: {encoding}\r\n"), body))
}

#[tokio::test]
async fn compressed_bodies_are_read() {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(b"hello").unwrap();
    let zlib = zlib.finish().unwrap();
    for (reply, content) in [
        (encoded("gzip", &gzip(b"hello")), "hello"),
        (encoded("GZIP", &gzip(b"hello")), "hello"),
        (encoded("x-gzip", &gzip(b"hello")), "hello"),
        (encoded("deflate", &zlib), "hello"),
        (encoded("identity", b"hello"), "hello"),
        (encoded("gzip", b""), ""),
    ] {
        let twin = Twin::always(reply).await;
        assert_eq!(Lab::new().read(&twin.named("/")).await.unwrap(), content);
    }
}

#[tokio::test]
async fn l1_compressed_bombs_and_lies_are_refused() {
    let honest = gzip(b"hello hello hello");
    for (what, reply, code) in [
        // A thousandfold; stopped by the ratio long before the size.
        (
            "a bomb",
            encoded("gzip", &gzip(&[0; 90_000])),
            Code::UpstreamAnswerTooLarge,
        ),
        (
            "a large bomb",
            encoded("gzip", &gzip(&vec![0; 50_000_000])),
            Code::UpstreamAnswerTooLarge,
        ),
        (
            "a bomb in a bomb",
            encoded("gzip, gzip", &gzip(&honest)),
            Code::UpstreamAnswerInvalid,
        ),
        (
            "what we did not offer",
            encoded("br", b"hello"),
            Code::UpstreamAnswerInvalid,
        ),
        (
            "no gzip at all",
            encoded("gzip", b"{\"hello\":1}"),
            Code::UpstreamAnswerInvalid,
        ),
        (
            "half a gzip",
            encoded("gzip", &honest[..honest.len() - 9]),
            Code::UpstreamAnswerTruncated,
        ),
        (
            "two encodings in two lines",
            encoded("gzip\r\ncontent-encoding: gzip", &honest),
            Code::UpstreamAnswerInvalid,
        ),
    ] {
        assert_eq!(error_of(&small(), reply).await.code(), code, "{what}");
    }
}

#[tokio::test]
async fn a_body_can_be_streamed_instead() {
    let twin = Twin::always(Reply::Stall(
        b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n12345".to_vec(),
    ))
    .await;
    // Longer than we would read whole: the stream does not mind.
    let answer = small().timeouts(LATE, LATE, SOON).get(&twin.named("/")).await.unwrap();
    let mut body = answer.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "12345");
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(error.detail().contains("idle read"), "{error}");
}

const CANARY: &str = "canary-5ecret.example";

/// A lab with a secret host that leads to the twin.
fn secret_host(allowed: &[&str]) -> Lab {
    Lab {
        secrets: Held(&[("host", CANARY), ("token", "canary-5ecret")]),
        allowed: allowed.iter().map(|host| (*host).to_owned()).collect(),
        ..Lab::new()
    }
}

#[tokio::test]
async fn n5_the_host_is_judged_after_filling() {
    let twin = Twin::always(Reply::Keep(answer("200 OK", "", b"ok"))).await;
    let request = get(text([
        Text::literal("http://"),
        secret("", "host", Encode::Raw),
        Text::literal(format!(":{}/", twin.port())),
    ]));
    for refused in [
        &[][..],
        &["api.example"],
        &["example"],
        &["*.canary-5ecret.example"],
        &["*.5ecret.example"],
    ] {
        let error = secret_host(refused).send(&request).await.unwrap_err();
        assert_eq!(error.code(), Code::HostNotAllowed, "{refused:?}");
        assert!(error.nothing_sent());
        assert!(!format!("{error:?}").contains("canary-5ecret.example:"), "{error:?}");
    }
    assert_eq!(twin.connections(), 0);
    for allowed in [
        &[CANARY][..],
        &["*.example"],
        &["other.example", "CANARY-5ecret.example."],
    ] {
        secret_host(allowed).send(&request).await.unwrap();
    }
}

#[tokio::test]
async fn n5_a_secret_cannot_move_the_host() {
    let twin = Twin::always(Reply::Keep(answer("200 OK", "", b"ok"))).await;
    // The slot stands where the host has not ended: `api.example` and then `.evil.example` from the secret.
    let request = get(text([
        Text::literal("http://api.example"),
        secret(".", "host", Encode::Raw),
        Text::literal(format!(":{}/", twin.port())),
    ]));
    for allowed in [&[][..], &["api.example"]] {
        let error = secret_host(allowed).send(&request).await.unwrap_err();
        assert_eq!(error.code(), Code::HostNotAllowed);
    }
    // A literal host needs no declaration, and another one is not enough.
    let plain = get(Text::literal(twin.named("/")));
    secret_host(&[]).send(&plain).await.unwrap();
    assert_eq!(
        secret_host(&["api.example"]).send(&plain).await.unwrap_err().code(),
        Code::HostNotAllowed
    );
    assert_eq!(twin.requests().len(), 1);
}

#[tokio::test]
async fn r1_errors_show_the_request_unfilled_and_without_its_query() {
    let twin = Twin::always(Reply::Raw(Vec::new())).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for (port, code) in [
        (twin.port(), Code::UpstreamAnswerTruncated),
        (closed, Code::UpstreamUnreachable),
        (0, Code::EgressForbidden),
    ] {
        let request = get(text([
            Text::literal("http://"),
            secret("", "host", Encode::Raw),
            Text::literal(format!(":{port}/bot")),
            secret("", "token", Encode::Percent),
            Text::literal("/send?customer=1"),
        ]));
        let error = secret_host(&["*.example"]).send(&request).await.unwrap_err();
        assert_eq!(error.code(), code);
        let all = format!("{error} {error:?}");
        assert!(!all.contains("canary"), "{all}");
        assert!(!all.contains("customer"), "{all}");
        let shown = format!("GET http://{{{{config.host}}}}:{port}/bot{{{{config.token}}}}/send");
        assert!(all.contains(&shown), "{all}");
    }
}

#[tokio::test]
async fn x3_requests_cannot_be_split_or_reframed() {
    let twin = Twin::always(Reply::Keep(answer("200 OK", "", b""))).await;
    let mut lab = Lab::new();
    lab.secrets = Held(&[("token", "a\r\nx-evil: 1")]);
    let with_header = |name: &str, value: Text| Request {
        headers: vec![(name.to_owned(), value)],
        ..get(Text::literal(twin.named("/")))
    };
    let split = with_header("authorization", secret("", "token", Encode::Raw));
    assert_eq!(lab.send(&split).await.unwrap_err().code(), Code::ConnectorConfigInvalid);
    for name in [
        "host",
        "Host",
        "content-length",
        "transfer-encoding",
        "connection",
        "te",
        "upgrade",
        "expect",
        "a b",
        "a\r\nb",
        "",
    ] {
        let error = lab.send(&with_header(name, Text::literal("1"))).await.unwrap_err();
        assert_eq!(error.code(), Code::ManifestInvalid, "{name:?}");
        assert!(error.nothing_sent());
    }
    for method in ["CONNECT", "TRACE", "", "GET /", "GET\r\n"] {
        let request = Request {
            method: method.to_owned(),
            ..get(Text::literal(twin.named("/")))
        };
        assert_eq!(
            lab.send(&request).await.unwrap_err().code(),
            Code::ManifestInvalid,
            "{method:?}"
        );
    }
    let moved = get(text([
        Text::literal(twin.named("/a/")),
        secret("", "token", Encode::Raw),
    ]));
    assert_eq!(lab.send(&moved).await.unwrap_err().code(), Code::EgressForbidden);
    assert_eq!(twin.connections(), 0);
}
