//! The session against scripted servers: each line the client must say, and what it is answered.

use std::time::{Duration, SystemTime};

use tokio::{
    io::{DuplexStream, duplex},
    task::JoinHandle,
};

use super::*;
use crate::smtp::SendEmail;

/// What a scripted server does next.
enum Step {
    Says(&'static str),
    /// Waits for exactly this line.
    Hears(&'static str),
    /// Waits for the end of the message, and answers nothing.
    HearsMessage,
    HangsUp,
}
use Step::{HangsUp, Hears, HearsMessage, Says};

fn far() -> Patience {
    Patience {
        until: Instant::now() + Duration::from_secs(60),
        said: "That is long.".to_owned(),
    }
}

/// A stream to a server that follows the script, and what the server read in the end.
fn server(script: Vec<Step>) -> (Box<dyn Stream>, JoinHandle<Vec<u8>>) {
    let (ours, theirs) = duplex(64 * 1024);
    (Box::new(ours), tokio::spawn(follow(theirs, script)))
}

async fn follow(mut stream: DuplexStream, script: Vec<Step>) -> Vec<u8> {
    let (mut heard, mut message) = (Vec::new(), Vec::new());
    for step in script {
        match step {
            Says(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Hears(line) => assert_eq!(
                String::from_utf8(upto(&mut stream, &mut heard, b"\r\n").await).unwrap(),
                line
            ),
            HearsMessage => message = upto(&mut stream, &mut heard, b"\r\n.\r\n").await,
            HangsUp => return message,
        }
    }
    // Whatever else comes belongs to what the test did not expect.
    let _ = stream.read_to_end(&mut heard).await;
    assert_eq!(
        String::from_utf8(heard).unwrap(),
        "",
        "said after the end of the script"
    );
    message
}

async fn upto(stream: &mut DuplexStream, heard: &mut Vec<u8>, end: &[u8]) -> Vec<u8> {
    loop {
        if let Some(at) = heard.windows(end.len()).position(|window| window == end) {
            let line = heard[..at].to_vec();
            heard.drain(..at + end.len());
            return line;
        }
        assert_ne!(stream.read_buf(heard).await.unwrap(), 0, "the client hung up");
    }
}

fn letter(to: &str) -> Letter {
    let mail = SendEmail {
        to: to.into(),
        subject: "Hi".to_owned(),
        text: Some("one\n.two\n..three".to_owned()),
        ..SendEmail::default()
    };
    Letter::new(&mail, "Team <team@example.com>", "id", SystemTime::UNIX_EPOCH).unwrap()
}

/// Greets and sends one mail to `a@example.com` by this script.
async fn send(script: Vec<Step>) -> (Result<EmailSent>, Vec<u8>) {
    send_to("a@example.com", script).await
}

async fn send_to(to: &str, script: Vec<Step>) -> (Result<EmailSent>, Vec<u8>) {
    let (stream, server) = server(script);
    let sent = async {
        let mut session = Session::greet(stream, far()).await?;
        session.send(&letter(to)).await
    };
    let sent = sent.await;
    (sent, server.await.unwrap())
}

const GREETING: Step = Says("220 mail.example.com ready\r\n");
const HELLO: Step = Hears("EHLO [127.0.0.1]");
const PLAIN_OFFER: Step = Says("250-mail.example.com\r\n250 PIPELINING\r\n");
const FROM: Step = Hears("MAIL FROM:<team@example.com>");
const TO: Step = Hears("RCPT TO:<a@example.com>");
const OK: Step = Says("250 Ok\r\n");
const DATA: Step = Hears("DATA");
const GO_ON: Step = Says("354 Go on\r\n");

#[tokio::test]
async fn a_mail_with_dots() {
    let script = vec![
        GREETING,
        HELLO,
        PLAIN_OFFER,
        FROM,
        OK,
        TO,
        OK,
        DATA,
        GO_ON,
        HearsMessage,
        Says("250 2.0.0 queued as 7\r\n"),
    ];
    let (sent, message) = send(script).await;
    let sent = sent.unwrap();
    assert_eq!(sent.response, "250 2.0.0 queued as 7");
    assert_eq!(sent.message_id, "<id@example.com>");
    assert_eq!((sent.accepted.len(), sent.rejected.len()), (1, 0));
    let message = String::from_utf8(message).unwrap();
    assert!(message.ends_with("one\r\n..two\r\n...three"), "{message}");
}

#[tokio::test]
async fn some_recipients_refused() {
    let script = vec![
        GREETING,
        HELLO,
        PLAIN_OFFER,
        FROM,
        OK,
        Hears("RCPT TO:<no@example.com>"),
        Says("550 5.1.1 unknown\r\n"),
        TO,
        OK,
        DATA,
        GO_ON,
        HearsMessage,
        OK,
    ];
    let sent = send_to("no@example.com, a@example.com", script).await.0.unwrap();
    assert_eq!(sent.accepted, ["a@example.com"]);
    assert_eq!(
        sent.rejected,
        [Rejected {
            address: "no@example.com".to_owned(),
            response: "550 5.1.1 unknown".to_owned()
        }]
    );
}

#[tokio::test]
async fn all_recipients_refused() {
    let refused = vec![
        GREETING,
        HELLO,
        PLAIN_OFFER,
        FROM,
        OK,
        TO,
        Says("550-5.1.1 who\r\n550 5.1.1 unknown\r\n"),
    ];
    let error = send(refused).await.0.unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint()),
        (Code::ConnectorActionFailed, Retry::Never)
    );
    assert!(error.detail().contains("550 5.1.1 unknown"), "{error}");
    let later = vec![GREETING, HELLO, PLAIN_OFFER, FROM, OK, TO, Says("450 4.2.1 busy\r\n")];
    let error = send(later).await.0.unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint()),
        (Code::UpstreamUnavailable, Retry::Backoff)
    );
}

#[tokio::test]
async fn refused_at_each_step() {
    let scripts = [
        (vec![Says("554 no service\r\n")], Code::ConnectorActionFailed),
        (vec![Says("421 busy\r\n")], Code::UpstreamUnavailable),
        (
            vec![GREETING, HELLO, Says("502 what?\r\n")],
            Code::ConnectorActionFailed,
        ),
        (
            vec![GREETING, HELLO, PLAIN_OFFER, FROM, Says("530 5.7.0 sign in first\r\n")],
            Code::UpstreamUnauthorized,
        ),
        (
            vec![
                GREETING,
                HELLO,
                PLAIN_OFFER,
                FROM,
                OK,
                TO,
                OK,
                DATA,
                Says("451 later\r\n"),
            ],
            Code::UpstreamUnavailable,
        ),
        (
            vec![
                GREETING,
                HELLO,
                PLAIN_OFFER,
                FROM,
                OK,
                TO,
                OK,
                DATA,
                GO_ON,
                HearsMessage,
                Says("552 full\r\n"),
            ],
            Code::ConnectorActionFailed,
        ),
        (vec![Says("HTTP/1.1 400 Bad Request\r\n")], Code::UpstreamAnswerInvalid),
    ];
    for (script, code) in scripts {
        let error = send(script).await.0.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        // Who refuses has taken nothing: greylisting (451) lives on repeats.
        assert!(error.nothing_sent(), "{error}");
    }
}

/// A server that has seen enough answers and closes while the message is still being written.
#[tokio::test]
async fn a_refusal_in_the_middle_of_a_message_is_heard() {
    let (stream, server) = server(vec![
        GREETING,
        HELLO,
        PLAIN_OFFER,
        FROM,
        OK,
        TO,
        OK,
        DATA,
        Says("354 go on\r\n552 5.3.4 too much\r\n"),
        HangsUp,
    ]);
    let mut letter = letter("a@example.com");
    letter.bytes = vec![b'x'; 1024 * 1024];
    let mut session = Session::greet(stream, far()).await.unwrap();
    let error = session.send(&letter).await.unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint()),
        (Code::ConnectorActionFailed, Retry::Never),
        "{error}"
    );
    assert!(error.detail().contains("552") && error.nothing_sent(), "{error}");
    server.await.unwrap();
}

#[tokio::test]
async fn a_break_before_the_final_dot_is_no_doubt() {
    for script in [
        vec![HangsUp],
        vec![GREETING, HELLO, PLAIN_OFFER, FROM, HangsUp],
        vec![GREETING, HELLO, PLAIN_OFFER, FROM, OK, TO, OK, DATA, HangsUp],
    ] {
        let error = send(script).await.0.unwrap_err();
        assert_eq!(
            (error.code(), error.retry_hint()),
            (Code::UpstreamUnreachable, Retry::Backoff),
            "{error}"
        );
        assert!(error.nothing_sent());
    }
}

#[tokio::test]
async fn a_break_after_the_final_dot_is_unknown() {
    let script = vec![
        GREETING,
        HELLO,
        PLAIN_OFFER,
        FROM,
        OK,
        TO,
        OK,
        DATA,
        GO_ON,
        HearsMessage,
        HangsUp,
    ];
    let error = send(script).await.0.unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint()),
        (Code::SmtpOutcomeUnknown, Retry::Never)
    );
    assert!(!error.nothing_sent());
}

#[tokio::test(start_paused = true)]
async fn a_silent_server() {
    let silent = send(vec![GREETING, HELLO]).await.0.unwrap_err();
    assert_eq!(
        (silent.code(), silent.retry_hint()),
        (Code::UpstreamTimeout, Retry::Backoff)
    );
    let after_dot = vec![
        GREETING,
        HELLO,
        PLAIN_OFFER,
        FROM,
        OK,
        TO,
        OK,
        DATA,
        GO_ON,
        HearsMessage,
    ];
    assert_eq!(send(after_dot).await.0.unwrap_err().code(), Code::SmtpOutcomeUnknown);
}

#[tokio::test]
async fn too_large_for_the_server() {
    let script = vec![GREETING, HELLO, Says("250-mail.example.com\r\n250 SIZE 10\r\n")];
    let error = send(script).await.0.unwrap_err();
    assert!(error.detail().contains("10 at most"), "{error}");
}

#[tokio::test]
async fn a_local_part_outside_ascii() {
    let refused = send_to("jürgen@example.com", vec![GREETING, HELLO, PLAIN_OFFER])
        .await
        .0
        .unwrap_err();
    assert!(refused.detail().contains("SMTPUTF8"), "{refused}");
    let script = vec![
        GREETING,
        HELLO,
        Says("250-mail.example.com\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"),
        Hears("MAIL FROM:<team@example.com> SMTPUTF8 BODY=8BITMIME"),
        OK,
        Hears("RCPT TO:<jürgen@example.com>"),
        OK,
        DATA,
        GO_ON,
        HearsMessage,
        OK,
    ];
    send_to("jürgen@example.com", script).await.0.unwrap();
}

/// F3: what arrives between the reply to STARTTLS and the handshake is refused, not carried into TLS.
#[tokio::test]
async fn f3_words_before_tls_are_refused() {
    let offer = || Says("250-mail.example.com\r\n250 STARTTLS\r\n");
    let ask = || Hears("STARTTLS");
    let script = |reply| vec![GREETING, HELLO, offer(), ask(), Says(reply), HangsUp];
    let begin = async |reply| {
        let (stream, _server) = server(script(reply));
        let session = Session::greet(stream, far()).await.unwrap();
        assert!(session.offers_starttls());
        session
            .starttls()
            .await
            .err()
            .map(|error| (error.code(), error.retry_hint()))
    };
    assert_eq!(begin("220 go\r\n").await, None);
    assert_eq!(
        begin("220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n").await,
        Some((Code::SmtpTlsRequired, Retry::Never))
    );
    assert_eq!(
        begin("454 not now\r\n").await,
        Some((Code::SmtpTlsRequired, Retry::Backoff))
    );
    assert_eq!(
        begin("502 what?\r\n").await,
        Some((Code::SmtpTlsRequired, Retry::Never))
    );
}

async fn sign_in(offer: &'static str, script: Vec<Step>) -> Result<()> {
    let mut whole = vec![GREETING, HELLO, Says(offer)];
    whole.extend(script);
    let (stream, server) = server(whole);
    let signed_in = async {
        let mut session = Session::greet(stream, far()).await?;
        session.sign_in("ada", "secret words").await
    };
    let signed_in = signed_in.await;
    server.await.unwrap();
    signed_in
}

#[tokio::test]
async fn sign_in_plain_and_login() {
    let plain = vec![
        Hears("AUTH PLAIN AGFkYQBzZWNyZXQgd29yZHM="),
        Says("235 2.7.0 welcome\r\n"),
    ];
    sign_in("250-x\r\n250 AUTH LOGIN PLAIN\r\n", plain).await.unwrap();
    let login = vec![
        Hears("AUTH LOGIN"),
        Says("334 VXNlcm5hbWU6\r\n"),
        Hears("YWRh"),
        Says("334 UGFzc3dvcmQ6\r\n"),
        Hears("c2VjcmV0IHdvcmRz"),
        Says("235 welcome\r\n"),
    ];
    // The old spelling with `=`.
    sign_in("250-x\r\n250 AUTH=LOGIN\r\n", login).await.unwrap();
}

#[tokio::test]
async fn sign_in_refused() {
    let plain = Hears("AUTH PLAIN AGFkYQBzZWNyZXQgd29yZHM=");
    let wrong = sign_in("250-x\r\n250 AUTH PLAIN\r\n", vec![plain, Says("535 5.7.8 no\r\n")])
        .await
        .unwrap_err();
    assert_eq!(
        (wrong.code(), wrong.retry_hint()),
        (Code::UpstreamUnauthorized, Retry::Never)
    );
    let none = sign_in("250-x\r\n250 AUTH CRAM-MD5\r\n", vec![]).await.unwrap_err();
    assert_eq!(none.code(), Code::ConnectorConfigInvalid);
}

/// R1: a server that repeats what it was sent does not get a secret into our error.
#[tokio::test]
async fn r1_a_refusal_repeats_no_password() {
    for echo in [
        "535 bad: secret words\r\n",
        "535 bad: c2VjcmV0IHdvcmRz\r\n",
        "535 bad: AGFkYQBzZWNyZXQgd29yZHM=\r\n",
    ] {
        let plain = Hears("AUTH PLAIN AGFkYQBzZWNyZXQgd29yZHM=");
        let error = sign_in("250-x\r\n250 AUTH PLAIN\r\n", vec![plain, Says(echo)])
            .await
            .unwrap_err();
        let shown = format!("{error:?}");
        assert!(
            shown.contains("bad: ***") && !shown.contains("secret words") && !shown.contains("c2VjcmV0"),
            "{shown}"
        );
    }
}

/// F3: no line end but CRLF, and no line that is a dot alone, so that nothing ends the message early.
#[test]
fn f3_nothing_in_a_message_ends_it() {
    for (message, wire) in [
        ("", ""),
        ("a", "a\r\n"),
        (".", "..\r\n"),
        (
            "a\r\n.\r\nMAIL FROM:<x@example.com>\r\n",
            "a\r\n..\r\nMAIL FROM:<x@example.com>\r\n",
        ),
        ("a\n.\nb", "a\r\n..\r\nb\r\n"),
        ("a\r.\rb", "a\r\n..\r\nb\r\n"),
        ("a\n.\r\nb", "a\r\n..\r\nb\r\n"),
        ("a\r\r\n.b", "a\r\n\r\n..b\r\n"),
    ] {
        assert_eq!(
            String::from_utf8(stuffed(message.as_bytes())).unwrap(),
            wire,
            "{message:?}"
        );
    }
}

proptest::proptest! {
    /// F3: whatever the message, the server finds its end where it ends, and reads what was written.
    #[test]
    fn f3_any_message_arrives_whole(message in "[a.\r\n]{0,40}") {
        let wire = String::from_utf8(stuffed(message.as_bytes())).unwrap();
        let lines: Vec<&str> = wire.split("\r\n").collect();
        proptest::prop_assert!(lines.iter().all(|line| !line.contains(['\r', '\n']) && *line != "."));
        let read: Vec<&str> = lines.iter().map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
        let mut written = message.replace("\r\n", "\n").replace('\r', "\n");
        if !written.is_empty() && !written.ends_with('\n') {
            written.push('\n');
        }
        proptest::prop_assert_eq!(read.join("\n"), written);
    }

    /// A server may say anything.
    #[test]
    fn any_reply_is_read_or_refused(mut bytes in proptest::collection::vec(0u8.., 0..200)) {
        while let Ok(Some(reply)) = Reply::take(&mut bytes) {
            proptest::prop_assert!((200..=599).contains(&reply.code));
        }
    }
}
