//! N: where a connection may go.

use std::{
    io::ErrorKind,
    net::{IpAddr, TcpListener},
    sync::{Arc, Mutex},
};

use tieline::{
    Code, Error,
    egress::{Egress, EgressPolicy},
    error::Retry,
    http::TlsRoots,
};

use crate::{
    hostile::{FORMS, LITERALS, NAMES},
    lab::{LATE, Lab, Names, SOON, TENANT},
};
use tieline_testkit::twin::{Reply, Twin, answer};

/// Listens on every address of this machine and is asked at the end who came. The kernel completes a connection
/// without our accepting it, so nobody is missed.
struct Trap(TcpListener);

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("[::]:0")
            .or_else(|_| TcpListener::bind("0.0.0.0:0"))
            .unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn caught(&self) -> usize {
        std::iter::repeat_with(|| self.0.accept())
            .take_while(|accepted| accepted.as_ref().map_err(|error| error.kind()).err() != Some(ErrorKind::WouldBlock))
            .count()
    }
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// What a caller can see of an error.
fn visible(error: &Error) -> (Code, String, Retry, bool) {
    (
        error.code(),
        error.detail().to_owned(),
        error.retry_hint(),
        error.nothing_sent(),
    )
}

#[test]
fn the_corpus_is_large() {
    assert!(FORMS.len() + LITERALS.len() + NAMES.len() >= 150);
}

#[tokio::test]
async fn n2_hostile_forms_are_refused_before_anything_is_resolved() {
    let trap = Trap::set();
    // Whatever slips through would land in the trap.
    let names = Names::new(|_| addresses(&["127.0.0.1"]));
    let open = EgressPolicy {
        loopback: true,
        ..EgressPolicy::default()
    };
    let lab = Lab::with(Egress::new(open, names.clone()), &TlsRoots::default()).timeouts(SOON, SOON, SOON);
    for form in FORMS {
        let url = form.replace("{port}", &trap.port().to_string());
        let error = lab.egress.judge_url(&url).expect_err(form);
        assert_eq!(error.code(), Code::EgressForbidden, "{form:?}");
        assert!(error.nothing_sent(), "{form:?}");
        assert!(lab.get(&url).await.is_err(), "{form:?}");
    }
    let overlong = format!("http://127.0.0.1:{}/{}", trap.port(), "a".repeat(10_000));
    assert_eq!(lab.get(&overlong).await.unwrap_err().code(), Code::EgressForbidden);
    let long_name = format!("http://{}example:{}/", "a.".repeat(130), trap.port());
    assert_eq!(lab.get(&long_name).await.unwrap_err().code(), Code::EgressForbidden);
    assert_eq!((trap.caught(), names.asked()), (0, 0));

    // The trap works: the same way does reach it with a URL as it should be.
    let plain = format!("http://127.0.0.1:{}/", trap.port());
    assert_eq!(lab.get(&plain).await.unwrap_err().code(), Code::UpstreamTimeout);
    assert_eq!(trap.caught(), 1);
}

#[tokio::test]
async fn n3_n7_forbidden_addresses_get_one_answer_and_no_connection() {
    let trap = Trap::set();
    let answers = Arc::new(Mutex::new(addresses(&["93.184.216.34"])));
    let told = Arc::clone(&answers);
    let names = Names::new(move |_| told.lock().unwrap().clone());
    let egress = Egress::new(EgressPolicy::default(), names.clone());
    let lab = Lab::with(egress, &TlsRoots::default()).timeouts(SOON, SOON, SOON);
    let mut seen = Vec::new();
    for literal in LITERALS {
        seen.push((*literal, refusal(&lab, &trap, literal).await));
        assert_eq!(names.asked(), 0, "{literal} is an address and nothing to resolve");
    }
    for (index, (name, forbidden)) in NAMES.iter().enumerate() {
        *answers.lock().unwrap() = addresses(forbidden);
        seen.push((*name, refusal(&lab, &trap, name).await));
        assert_eq!(
            names.asked(),
            (index + 1) * 2,
            "one look-up for each of the two surfaces: {name}"
        );
    }
    let first = &seen[0].1;
    assert_eq!(first.0, Code::EgressForbidden);
    for (host, other) in &seen {
        assert_eq!(other, first, "{host}");
    }
    assert_eq!(trap.caught(), 0);
}

/// The answer of both surfaces, HTTP and a plain dial, which must be the same.
async fn refusal(lab: &Lab, trap: &Trap, host: &str) -> (Code, String, Retry, bool) {
    let url = format!("http://{host}:{}/latest/meta-data/", trap.port());
    let over_http = visible(&lab.get(&url).await.expect_err(host));
    let dialled = visible(&lab.egress.dial(TENANT, host, trap.port(), SOON).await.expect_err(host));
    assert_eq!(over_http, dialled, "{host}");
    over_http
}

#[tokio::test]
async fn n2_hostile_hosts_are_refused_by_a_plain_dial() {
    let trap = Trap::set();
    let names = Names::new(|_| addresses(&["127.0.0.1"]));
    let open = EgressPolicy {
        loopback: true,
        ..EgressPolicy::default()
    };
    let egress = Egress::new(open, names.clone());
    for host in [
        "",
        ".",
        " ",
        "a b",
        "127.0.0.1%lo",
        "[fe80::1%eth0]",
        "[::1",
        "::1]",
        "127.0.0.1:80",
        "user@host",
        "host/path",
        "host\\",
        "host\r\n",
        "host\0",
        "256.1.1.1",
        "1.2.3.4.5",
        "0x1ffffffff",
        "http://127.0.0.1",
        "host?",
        "host#",
        "%6cocalhost",
    ] {
        let error = egress.dial(TENANT, host, trap.port(), LATE).await.expect_err(host);
        assert_eq!(error.code(), Code::EgressForbidden, "{host:?}");
    }
    assert_eq!(
        egress.dial(TENANT, "127.0.0.1", 0, LATE).await.unwrap_err().code(),
        Code::EgressForbidden
    );
    assert_eq!((trap.caught(), names.asked()), (0, 0));
    egress.dial(TENANT, "0x7f.1", trap.port(), LATE).await.unwrap();
    assert_eq!(trap.caught(), 1);
}

#[tokio::test]
async fn n2_a_name_is_looked_up_once_and_the_judged_address_is_dialled() {
    // Loopback stands in for a public address; the second answer is where the attacker wants us.
    let wanted = Twin::always(Reply::Raw(answer("200 OK", "connection: close\r\n", b"judged"))).await;
    let names = Names::new(|question| addresses(if question == 0 { &["127.0.0.1"] } else { &["10.0.0.1"] }));
    let open = EgressPolicy {
        loopback: true,
        ..EgressPolicy::default()
    };
    let lab = Lab::with(Egress::new(open, names.clone()), &TlsRoots::default());
    assert_eq!(lab.read(&wanted.named("/")).await.unwrap(), "judged");
    assert_eq!(names.asked(), 1);
    // The next connection asks anew, and is judged anew.
    let error = lab.read(&wanted.named("/")).await.unwrap_err();
    assert_eq!(
        (error.code(), names.asked(), wanted.connections()),
        (Code::EgressForbidden, 2, 1)
    );
}

#[tokio::test]
async fn n2_mixed_answers_dial_nothing_even_if_the_first_is_open() {
    let trap = Trap::set();
    let open = EgressPolicy {
        loopback: true,
        ..EgressPolicy::default()
    };
    let egress = Egress::new(open, Names::new(|_| addresses(&["127.0.0.1", "10.0.0.1"])));
    let error = egress.dial(TENANT, "api.example", trap.port(), LATE).await.unwrap_err();
    assert_eq!((error.code(), trap.caught()), (Code::EgressForbidden, 0));
}

#[tokio::test]
async fn the_next_judged_address_is_tried_when_one_fails() {
    let open = EgressPolicy {
        loopback: true,
        ..EgressPolicy::default()
    };
    let alone = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = alone.local_addr().unwrap().port();
    // Nobody listens on this port of the second loopback address.
    let egress = Egress::new(open, Names::new(|_| addresses(&["127.0.0.2", "127.0.0.1"])));
    let stream = egress.dial(TENANT, "api.example", port, LATE).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap().to_string(), format!("127.0.0.1:{port}"));
}

#[tokio::test]
async fn n7_a_closed_port_is_unreachable_and_nothing_was_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = Lab::new()
        .get(&format!("http://api.example:{closed}/"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::UpstreamUnreachable);
    assert_eq!(error.retry_hint(), Retry::Backoff);
    assert!(error.nothing_sent());
}

#[tokio::test]
async fn l1_a_look_up_without_end_is_a_connect_timeout() {
    struct Silent;
    impl tieline::egress::Resolve for Silent {
        fn resolve<'a>(&'a self, _: &'a str) -> futures_util::future::BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
            Box::pin(std::future::pending())
        }
    }
    let egress = Egress::new(EgressPolicy::default(), Arc::new(Silent));
    let lab = Lab::with(egress, &TlsRoots::default()).timeouts(SOON, LATE, LATE);
    let error = lab.get("http://api.example/").await.unwrap_err();
    assert_eq!(error.code(), Code::UpstreamTimeout);
    assert!(error.detail().contains("connect"), "{error}");
    assert_eq!(error.retry_hint(), Retry::Backoff);
    assert!(error.nothing_sent());
}
