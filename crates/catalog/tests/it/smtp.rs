//! Real mail through a real server, all of it through the library's gates.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tieline::{Code, Error, error::Retry};
use tieline_catalog::smtp::{Attachment, EmailSent, SendEmail};
use tieline_testkit::{
    canary::Canary,
    evidence,
    smtp::{PASSWORD, Received, SmtpServer, USER},
};

use crate::library;

/// The fields of a connection to this port of the server.
fn fields(port: u16, more: Value) -> Value {
    let mut fields = json!({
        "host": "localhost", "port": port, "user": USER, "password": PASSWORD, "from": "Example Team <team@example.com>",
    });
    let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) else {
        panic!("objects")
    };
    fields.extend(more);
    Value::Object(fields.clone())
}

fn mail() -> SendEmail {
    SendEmail {
        to: "ada@example.com".into(),
        subject: "Hi".to_owned(),
        text: Some("text".to_owned()),
        ..SendEmail::default()
    }
}

/// Connects and sends.
async fn send(server: &SmtpServer, fields: Value, mail: SendEmail) -> Result<EmailSent, Error> {
    let connectors = library::with(tieline_catalog::connectors(), &[server.authority.pem()]);
    let org = library::org(&connectors);
    evidence::told(org.connect("smtp", fields).await)?;
    evidence::told(org.call(mail).await)
}

/// The server has seen neither sign-in nor mail: a mail sent now is its first of both.
async fn nothing_happened(server: &SmtpServer) {
    let mark = SendEmail {
        subject: "the mark".to_owned(),
        ..mail()
    };
    send(server, fields(server.starttls, json!({})), mark).await.unwrap();
    let (message, sign_ins) = server.next_message_and_sign_ins();
    assert_eq!(header(&message, "Subject"), Some("the mark"));
    assert_eq!(sign_ins.len(), 1, "{sign_ins:?}");
}

/// A header of the message, unfolded.
fn header<'a>(message: &'a Received, name: &str) -> Option<&'a str> {
    let head = message.data.split("\r\n\r\n").next()?;
    head.split("\r\n")
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn through_starttls_and_implicit_tls() {
    let Some(server) = SmtpServer::start() else { return };
    let ways = [
        (fields(server.starttls, json!({})), "starttls"),
        (
            fields(server.starttls, json!({ "secure": true, "tls": "starttls" })),
            "starttls",
        ),
        // TLS is not required here, but offered, so it is used.
        (fields(server.starttls, json!({ "secure": false })), "starttls"),
        (fields(server.implicit, json!({ "tls": "implicit" })), "implicit"),
    ];
    for (fields, listener) in ways {
        let sent = send(&server, fields, mail()).await.unwrap();
        let (sign_in, message) = (server.next_sign_in(), server.next_message());
        assert!(sign_in.accepted && sign_in.secure);
        assert_eq!(
            (message.listener.as_str(), message.secure, message.user.as_deref()),
            (listener, true, Some(USER))
        );
        assert_eq!(
            (message.from.as_str(), message.to),
            ("team@example.com", vec!["ada@example.com".to_owned()])
        );
        assert_eq!(sent.accepted, ["ada@example.com"]);
        assert!(sent.response.starts_with("250"), "{}", sent.response);
    }
}

#[tokio::test]
async fn a_whole_message_arrives_as_it_was_written() {
    let Some(server) = SmtpServer::start() else { return };
    let file: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    let sent = send(
        &server,
        fields(server.starttls, json!({})),
        SendEmail {
            to: vec!["Ada <ada@example.com>".to_owned(), "bo@example.com".to_owned()].into(),
            cc: "cleo@example.com".into(),
            bcc: "hidden@example.com".into(),
            subject: "Ready 🎉 for größe".to_owned(),
            text: Some(".\r\n.hidden dot\n..two\n\nMAIL FROM:<evil@example.com>\n.\n".to_owned()),
            html: Some("<p>fertig 🎉</p>".to_owned()),
            reply_to: Some("answers@example.com".to_owned()),
            attachments: vec![Attachment::new("repört.bin", "application/octet-stream", &file)],
            headers: BTreeMap::from([("X-Order".to_owned(), "7".to_owned())]),
            ..SendEmail::default()
        },
    )
    .await
    .unwrap();
    let message = server.next_message();
    assert_eq!(
        message.to,
        [
            "ada@example.com",
            "bo@example.com",
            "cleo@example.com",
            "hidden@example.com"
        ]
    );
    assert!(
        !message.data.contains("hidden@example.com"),
        "bcc is in the envelope only"
    );
    assert_eq!(header(&message, "Message-ID"), Some(sent.message_id.as_str()));
    assert!(sent.message_id.ends_with("@example.com>"));
    assert_eq!(header(&message, "From"), Some("\"Example Team\" <team@example.com>"));
    assert_eq!(header(&message, "X-Order"), Some("7"));
    assert_eq!(header(&message, "Reply-To"), Some("answers@example.com"));
    let subject = header(&message, "Subject").unwrap();
    assert!(
        subject.is_ascii() && subject.contains("=?utf-8?b?8J+OiQ==?="),
        "{subject}"
    );
    // The server has unstuffed the dots: what it took is what was written.
    assert!(
        message
            .data
            .contains("\r\n.\r\n.hidden dot\r\n..two\r\n\r\nMAIL FROM:<evil@example.com>\r\n.\r\n"),
        "{}",
        message.data
    );
    assert_eq!(attachment(&message), file);
}

/// The content of the one attachment.
fn attachment(message: &Received) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let part = message.data.split("Content-Disposition: attachment").nth(1).unwrap();
    let body = part.split("\r\n\r\n").nth(1).unwrap().split("\r\n--").next().unwrap();
    STANDARD.decode(body.replace("\r\n", "")).unwrap()
}

#[tokio::test]
async fn by_name_with_the_documents_json() {
    let Some(server) = SmtpServer::start() else { return };
    let connectors = library::with(tieline_catalog::connectors(), &[server.authority.pem()]);
    let org = library::org(&connectors);
    org.connect("smtp", fields(server.starttls, json!({}))).await.unwrap();
    let input = json!({
        "to": "recipient@example.com",
        "subject": "Workflow Notification",
        "html": "<h1>Hello!</h1><p>Your workflow completed successfully.</p>",
        "text": "Hello! Your workflow completed successfully.",
        "cc": "cleo@example.com",
        "attachments": [{ "filename": "report.pdf", "content": "JVBERi0=", "content_type": "application/pdf" }]
    });
    let output = org
        .action("smtp", "send_email")
        .call(input.clone())
        .await
        .unwrap()
        .to_value();
    assert!(
        output["messageId"].is_string() && output["response"].is_string(),
        "{output}"
    );
    assert_eq!(output["accepted"], json!(["recipient@example.com", "cleo@example.com"]));

    let mut with_path = input;
    with_path["attachments"] = json!([{ "filename": "report.pdf", "path": "/path/to/report.pdf" }]);
    let error = org.action("smtp", "send_email").call(with_path).await.unwrap_err();
    assert_eq!(error.code(), Code::AttachmentPathNotSupported);
    assert!(error.detail().contains("content"), "{error}");
}

/// F3: where STARTTLS is required and stripped, neither password nor mail goes out.
#[tokio::test]
async fn f3_stripped_starttls_is_refused_before_anything_is_said() {
    let Some(server) = SmtpServer::start() else { return };
    let error = send(&server, fields(server.plain, json!({})), mail())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint()),
        (Code::SmtpTlsRequired, Retry::Never)
    );
    nothing_happened(&server).await;
}

#[tokio::test]
async fn wrong_password() {
    let Some(server) = SmtpServer::start() else { return };
    static WRONG: Canary = Canary::new("wrong SMTP password");
    let error = send(&server, fields(server.starttls, json!({ "password": WRONG })), mail())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint()),
        (Code::UpstreamUnauthorized, Retry::Never)
    );
    assert!(
        error.detail().contains("535") && !WRONG.is_in(&format!("{error:?}")),
        "{error:?}"
    );
    assert!(!server.next_sign_in().accepted);
}

/// N6: certificates are verified, and nothing in a connection turns that off.
#[tokio::test]
async fn n6_unknown_authority_and_wrong_name() {
    let Some(server) = SmtpServer::start() else { return };
    let unknown = tieline_testkit::cert::Authority::new();
    for (tls, port) in [("starttls", server.starttls), ("implicit", server.implicit)] {
        let connectors = library::with(tieline_catalog::connectors(), &[unknown.pem()]);
        let org = library::org(&connectors);
        org.connect("smtp", fields(port, json!({ "tls": tls }))).await.unwrap();
        let error = org.call(mail()).await.unwrap_err();
        assert_eq!(error.code(), Code::UpstreamUnreachable, "{error}");
        assert!(error.detail().contains("signed"), "{error}");
        // The certificate is for `localhost` and 127.0.0.1.
        let error = send(
            &server,
            fields(port, json!({ "host": "127.0.0.2", "tls": tls })),
            mail(),
        )
        .await
        .unwrap_err();
        assert_eq!(error.code(), Code::UpstreamUnreachable, "{error}");
    }
    nothing_happened(&server).await;
}

#[tokio::test]
async fn implicit_tls_where_the_server_wants_starttls() {
    let Some(server) = SmtpServer::start() else { return };
    let error = send(&server, fields(server.starttls, json!({ "tls": "implicit" })), mail())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::UpstreamUnreachable);
    assert!(error.detail().contains("other than TLS on this port"), "{error}");
}

#[tokio::test]
async fn refused_recipients() {
    let Some(server) = SmtpServer::start() else { return };
    let to = |to: &str| SendEmail {
        to: to.into(),
        ..mail()
    };
    let port = || fields(server.starttls, json!({}));
    let sent = send(&server, port(), to("rejected@example.com, ada@example.com"))
        .await
        .unwrap();
    assert_eq!(sent.accepted, ["ada@example.com"]);
    assert_eq!(sent.rejected[0].address, "rejected@example.com");
    assert!(sent.rejected[0].response.starts_with("550"), "{:?}", sent.rejected);
    assert_eq!(server.next_message().to, ["ada@example.com"]);

    let error = send(&server, port(), to("rejected@example.com")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint()),
        (Code::ConnectorActionFailed, Retry::Never)
    );
    let error = send(&server, port(), to("later@example.com")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint()),
        (Code::UpstreamUnavailable, Retry::Backoff)
    );
    let error = send(&server, port(), to("full@example.com")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint()),
        (Code::ConnectorActionFailed, Retry::Never)
    );
    assert!(error.detail().contains("552"), "{error}");
}

/// F3: header injection is refused before the server hears of it.
#[tokio::test]
async fn f3_header_injection_is_refused() {
    let Some(server) = SmtpServer::start() else { return };
    for input in [
        json!({ "to": "a@example.com\r\nRCPT TO:<evil@example.com>", "subject": "x", "text": "x" }),
        json!({ "to": "a@example.com", "subject": "x\r\nBcc: evil@example.com", "text": "x" }),
        json!({ "to": "a@example.com", "subject": "x", "text": "x", "headers": { "X-A": "x\nBcc: evil@example.com" } }),
        json!({ "to": "a@example.com", "subject": "x", "text": "x", "headers": { "Bcc": "evil@example.com" } }),
    ] {
        let connectors = library::with(tieline_catalog::connectors(), &[server.authority.pem()]);
        let org = library::org(&connectors);
        org.connect("smtp", fields(server.starttls, json!({}))).await.unwrap();
        let error = org.action("smtp", "send_email").call(input).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorActionInputInvalid, "{error}");
        assert!(!error.fields().is_empty());
    }
    nothing_happened(&server).await;
}

#[tokio::test]
async fn odd_connections_are_refused() {
    let Some(server) = SmtpServer::start() else { return };
    for (more, code) in [
        (
            json!({ "host": "mail.example.com", "port": 22 }),
            Code::ConnectorConfigInvalid,
        ),
        (json!({ "port": 70_000 }), Code::ConnectorConfigInvalid),
        (json!({ "from": "nobody" }), Code::ConnectorConfigInvalid),
        (json!({ "user": "" }), Code::ConnectorConfigInvalid),
        (json!({ "host": "localhost/evil" }), Code::ConnectorConfigInvalid),
        (json!({ "tls": "none" }), Code::ConnectorConfigInvalid),
        (json!({ "pasword": "x" }), Code::ConnectorConfigInvalid),
        // N3: the judge of addresses stands before mail servers too.
        (json!({ "host": "169.254.169.254", "port": 25 }), Code::EgressForbidden),
        (json!({ "host": "10.0.0.1", "port": 587 }), Code::EgressForbidden),
    ] {
        let error = send(&server, fields(server.starttls, more.clone()), mail())
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{more}: {error}");
    }
    nothing_happened(&server).await;
}

/// The test of a connection signs in and sends nothing.
#[tokio::test]
async fn the_test_sends_no_mail() {
    let Some(server) = SmtpServer::start() else { return };
    let connectors = library::with(tieline_catalog::connectors(), &[server.authority.pem()]);
    let test = async |more: Value| {
        let connect = library::connect("smtp", fields(server.starttls, more));
        evidence::told(connectors.test_unsaved(&library::stranger(), &connect).await).unwrap()
    };
    let works = test(json!({})).await;
    assert!(works.success, "{}", works.message);
    assert_eq!(works.label, Some(format!("{USER} at localhost")));
    let anonymous = test(json!({ "user": "", "password": "" })).await;
    assert_eq!(anonymous.label.as_deref(), Some("localhost"), "{}", anonymous.message);
    let refused = test(json!({ "password": "another" })).await;
    assert_eq!(
        (refused.success, refused.error_code),
        (false, Some(Code::UpstreamUnauthorized))
    );
    let in_the_clear = test(json!({ "port": server.plain })).await;
    assert_eq!(
        (in_the_clear.success, in_the_clear.error_code),
        (false, Some(Code::SmtpTlsRequired))
    );

    send(&server, fields(server.starttls, json!({})), mail()).await.unwrap();
    let (message, sign_ins) = server.next_message_and_sign_ins();
    assert_eq!(header(&message, "Subject"), Some("Hi"));
    assert_eq!(
        sign_ins.iter().map(|sign_in| sign_in.accepted).collect::<Vec<_>>(),
        [true, false, true]
    );
}
