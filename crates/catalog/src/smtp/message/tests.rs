//! What becomes of an input, down to the bytes.

use super::*;
use crate::smtp::Mailboxes;

fn mail() -> SendEmail {
    SendEmail {
        to: "a@example.com".into(),
        subject: "Hi".to_owned(),
        text: Some("text".to_owned()),
        ..SendEmail::default()
    }
}

fn letter(mail: &SendEmail) -> Result<Letter> {
    Letter::new(mail, "Team <team@example.com>", "call_7", SystemTime::UNIX_EPOCH)
}

fn text(mail: &SendEmail) -> String {
    String::from_utf8(letter(mail).unwrap().bytes).unwrap()
}

fn wrong_place(mail: &SendEmail) -> String {
    let error = letter(mail).err().expect("a wrong input");
    assert_eq!(error.code(), Code::ConnectorActionInputInvalid, "{error}");
    error.fields()[0].pointer.clone()
}

#[test]
fn envelope_and_headers() {
    let letter = letter(&SendEmail {
        to: vec!["a@example.com".to_owned(), "Bo <b@example.com>".to_owned()].into(),
        cc: "c@example.com, a@example.com".into(),
        bcc: "hidden@example.com".into(),
        reply_to: Some("Answers <r@example.com>".to_owned()),
        from: Some("Other <other@example.net>".to_owned()),
        headers: [("X-Order".to_owned(), "№ 7".to_owned())].into(),
        ..mail()
    })
    .unwrap();
    assert_eq!(letter.from.to_string(), "other@example.net");
    let recipients: Vec<String> = letter.recipients.iter().map(ToString::to_string).collect();
    assert_eq!(
        recipients,
        ["a@example.com", "b@example.com", "c@example.com", "hidden@example.com"]
    );
    assert_eq!(letter.message_id, "<call_7@example.net>");
    let bytes = String::from_utf8(letter.bytes).unwrap();
    for line in [
        "From: Other <other@example.net>\r\n",
        "To: a@example.com, Bo <b@example.com>\r\n",
        "Cc: c@example.com, a@example.com\r\n",
        "Reply-To: Answers <r@example.com>\r\n",
        "Message-ID: <call_7@example.net>\r\n",
        "Subject: Hi\r\n",
        "X-Order: =?utf-8?b?4oSW?= 7\r\n",
        "MIME-Version: 1.0\r\n",
        "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n",
    ] {
        assert!(bytes.contains(line), "{line:?} is not in {bytes}");
    }
    assert!(
        !bytes.contains("hidden") && !bytes.to_lowercase().contains("bcc"),
        "{bytes}"
    );
}

#[test]
fn texts_and_files() {
    let file = Attachment::new("räport.txt", "text/plain", b"a\nb\r\n\0\xff");
    assert!(text(&mail()).contains("Content-Type: text/plain; charset=utf-8"));
    let both = SendEmail {
        html: Some("<p>html</p>".to_owned()),
        ..mail()
    };
    let (plain_at, html_at) = (
        text(&both).find("text/plain").unwrap(),
        text(&both).find("text/html").unwrap(),
    );
    assert!(text(&both).contains("multipart/alternative") && plain_at < html_at);
    let all = text(&SendEmail {
        attachments: vec![file],
        ..both
    });
    assert!(all.find("multipart/mixed").unwrap() < all.find("multipart/alternative").unwrap());
    assert!(all.contains(&STANDARD.encode(b"a\nb\r\n\0\xff")), "{all}");
    assert!(all.is_ascii());
}

#[test]
fn lines_are_whole_and_short() {
    let long = "x".repeat(5000);
    let bytes = text(&SendEmail {
        text: Some(format!("a\nb\rc\r\nd\n{long} ü")),
        ..mail()
    });
    assert!(
        bytes
            .split("\r\n")
            .all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])),
        "{bytes}"
    );
}

/// F3: nothing of the caller's begins a header.
#[test]
fn f3_no_line_breaks_in_headers() {
    for evil in [
        "x\r\nBcc: evil@example.com",
        "x\nBcc: evil@example.com",
        "x\rBcc: evil@example.com",
        "x\0y",
        "x\u{b}y",
    ] {
        let evil = evil.to_owned();
        let file = |change: fn(&mut Attachment, String)| {
            let mut file = Attachment::new("a", "text/plain", b"");
            change(&mut file, evil.clone());
            SendEmail {
                attachments: vec![file],
                ..mail()
            }
        };
        for (mail, place) in [
            (
                SendEmail {
                    subject: evil.clone(),
                    ..mail()
                },
                "/subject",
            ),
            (
                SendEmail {
                    to: format!("{evil} <a@example.com>").into(),
                    ..mail()
                },
                "/to",
            ),
            (
                SendEmail {
                    cc: evil.clone().into(),
                    ..mail()
                },
                "/cc",
            ),
            (
                SendEmail {
                    bcc: evil.clone().into(),
                    ..mail()
                },
                "/bcc",
            ),
            (
                SendEmail {
                    from: Some(format!("{evil} <a@example.com>")),
                    ..mail()
                },
                "/from",
            ),
            (
                SendEmail {
                    reply_to: Some(evil.clone()),
                    ..mail()
                },
                "/reply_to",
            ),
            (
                SendEmail {
                    headers: [("X-A".to_owned(), evil.clone())].into(),
                    ..mail()
                },
                "/headers/X-A",
            ),
            (
                SendEmail {
                    headers: [(evil.clone(), "x".to_owned())].into(),
                    ..mail()
                },
                "/headers",
            ),
            (file(|file, evil| file.filename = evil), "/attachments/0/filename"),
            (
                file(|file, evil| file.content_type = Some(evil)),
                "/attachments/0/content_type",
            ),
        ] {
            assert_eq!(wrong_place(&mail), place, "{evil:?}");
        }
    }
}

/// F3: a display name is no address, whatever it looks like.
#[test]
fn f3_names_stay_names() {
    let mail = SendEmail {
        to: "\"Evil <evil@example.com>, more\" <a@example.com>".into(),
        ..mail()
    };
    let letter = letter(&mail).unwrap();
    assert_eq!(letter.recipients.len(), 1);
    let bytes = String::from_utf8(letter.bytes).unwrap();
    let to = bytes.split("\r\n").find(|line| line.starts_with("To: ")).unwrap();
    // As an encoded word (RFC 2047) no reader takes it for a second mailbox.
    assert!(
        to.starts_with("To: =?utf-8?b?") && to.ends_with("?= <a@example.com>"),
        "{to}"
    );
    assert!(!to.contains(','), "{to}");
}

/// F3: headers that we or the servers write are not the caller's.
#[test]
fn f3_reserved_headers() {
    for name in [
        "Bcc",
        "FROM",
        "to",
        "Content-Type",
        "Message-ID",
        "Resent-To",
        "Received",
        "Sender",
        "DKIM-Signature",
    ] {
        let mail = SendEmail {
            headers: [(name.to_owned(), "x".to_owned())].into(),
            ..mail()
        };
        assert_eq!(wrong_place(&mail), format!("/headers/{name}"));
    }
    for name in ["", "a b", "a:b", "ü"] {
        assert_eq!(
            wrong_place(&SendEmail {
                headers: [(name.to_owned(), "x".to_owned())].into(),
                ..mail()
            }),
            "/headers"
        );
    }
}

/// F1: no path of the server is read.
#[test]
fn f1_paths_are_refused_with_a_hint() {
    let file = Attachment {
        filename: "report.pdf".to_owned(),
        path: Some("/etc/passwd".to_owned()),
        ..Attachment::default()
    };
    let error = letter(&SendEmail {
        attachments: vec![file],
        ..mail()
    })
    .err()
    .unwrap();
    assert_eq!(error.code(), Code::AttachmentPathNotSupported);
    assert!(error.detail().contains("`content`"), "{error}");
    assert_eq!(error.fields()[0].pointer, "/attachments/0/path");
    let file = Attachment {
        filename: "a".to_owned(),
        url: Some("https://example.com".to_owned()),
        ..Attachment::default()
    };
    assert_eq!(
        wrong_place(&SendEmail {
            attachments: vec![file],
            ..mail()
        }),
        "/attachments/0/url"
    );
}

#[test]
fn what_is_needed() {
    assert_eq!(wrong_place(&SendEmail { text: None, ..mail() }), "/text");
    assert_eq!(
        wrong_place(&SendEmail {
            to: Mailboxes::default(),
            ..mail()
        }),
        "/to"
    );
    assert_eq!(
        wrong_place(&SendEmail {
            to: " , ".into(),
            bcc: "b@example.com".into(),
            ..mail()
        }),
        "/to"
    );
    let bare = Attachment {
        filename: "a".to_owned(),
        ..Attachment::default()
    };
    assert_eq!(
        wrong_place(&SendEmail {
            attachments: vec![bare],
            ..mail()
        }),
        "/attachments/0/content"
    );
    let odd = Attachment {
        filename: "a".to_owned(),
        content: Some("not base64!".to_owned()),
        ..Attachment::default()
    };
    assert_eq!(
        wrong_place(&SendEmail {
            attachments: vec![odd],
            ..mail()
        }),
        "/attachments/0/content"
    );
    let odd = Attachment {
        content_type: Some("nonsense".to_owned()),
        ..Attachment::new("a", "", b"")
    };
    assert_eq!(
        wrong_place(&SendEmail {
            attachments: vec![odd],
            ..mail()
        }),
        "/attachments/0/content_type"
    );
    let error = Letter::new(&mail(), "nobody", "id", SystemTime::UNIX_EPOCH)
        .err()
        .unwrap();
    assert_eq!(error.code(), Code::ConnectorConfigInvalid);
}

#[test]
fn bounds() {
    let many: Vec<String> = (0..=MAX_RECIPIENTS).map(|n| format!("a{n}@example.com")).collect();
    assert_eq!(
        wrong_place(&SendEmail {
            to: many[1..].to_vec().into(),
            cc: many[..1].to_vec().into(),
            ..mail()
        }),
        "/to"
    );
    assert!(
        letter(&SendEmail {
            to: many[1..].to_vec().into(),
            ..mail()
        })
        .is_ok()
    );
    assert_eq!(
        wrong_place(&SendEmail {
            subject: "x".repeat(MAX_HEADER_BYTES + 1),
            ..mail()
        }),
        "/subject"
    );
    assert_eq!(
        wrong_place(&SendEmail {
            text: Some("x".repeat(MAX_TEXT_BYTES + 1)),
            ..mail()
        }),
        "/text"
    );
    let half = Attachment::new("a", "text/plain", &vec![b'x'; MAX_ATTACHMENT_BYTES / 2]);
    let more = Attachment::new("b", "text/plain", &vec![b'x'; MAX_ATTACHMENT_BYTES / 2 + 1]);
    let fits = SendEmail {
        attachments: vec![half.clone(), half.clone()],
        ..mail()
    };
    assert!(letter(&fits).is_ok());
    assert_eq!(
        wrong_place(&SendEmail {
            attachments: vec![half, more],
            ..mail()
        }),
        "/attachments/1"
    );
}

/// F3: what a reader decodes is what was written, and nothing that was not checked.
#[test]
fn f3_text_that_looks_encoded_is_encoded() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let evil = "Hi =?utf-8?q?=0D=0ABcc:_evil@example.com?= and more, a long line that needs more than one word: größer";
    let decoded = |header: &str| {
        let words = header.split_ascii_whitespace().map(|word| {
            assert!(word.len() <= 75, "{word}");
            let text = word.strip_prefix("=?utf-8?b?").and_then(|rest| rest.strip_suffix("?="));
            STANDARD
                .decode(text.unwrap_or_else(|| panic!("not encoded: {word}")))
                .unwrap()
        });
        String::from_utf8(words.flatten().collect()).unwrap()
    };
    let bytes = text(&SendEmail {
        subject: evil.to_owned(),
        headers: [("X-A".to_owned(), evil.to_owned())].into(),
        ..mail()
    });
    let head = bytes.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
    let header = |name: &str| head.split("\r\n").find_map(|line| line.strip_prefix(name)).unwrap();
    assert_eq!(decoded(header("Subject: ")), evil);
    assert_eq!(decoded(header("X-A: ")), evil);

    // Nothing looks encoded here, and a machine may have to read it.
    let plain = "<https://example.com/?list=?>";
    let bytes = text(&SendEmail {
        headers: [("List-Unsubscribe".to_owned(), plain.to_owned())].into(),
        ..mail()
    });
    assert!(bytes.contains(&format!("List-Unsubscribe: {plain}\r\n")), "{bytes}");

    // Display names are encoded by lettre whenever they hold more than letters.
    let bytes = text(&SendEmail {
        to: "=?utf-8?q?Boss?= <a@example.com>".into(),
        ..mail()
    });
    assert!(!bytes.contains("=?utf-8?q?Boss?="), "{bytes}");
}

/// A file is a file: no parts or messages of the caller's making, and no odd letters in its type.
#[test]
fn files_have_plain_media_types_and_names() {
    let with = |change: fn(&mut Attachment)| {
        let mut file = Attachment::new("a.txt", "text/plain", b"");
        change(&mut file);
        SendEmail {
            attachments: vec![file],
            ..mail()
        }
    };
    for (change, place) in [
        (
            (|file| file.content_type = Some("multipart/mixed; boundary=x".to_owned())) as fn(&mut Attachment),
            "content_type",
        ),
        (
            |file| file.content_type = Some("Message/rfc822".to_owned()),
            "content_type",
        ),
        (
            |file| file.content_type = Some("text/plain; name=\"ü\"".to_owned()),
            "content_type",
        ),
        (
            |file| file.content_type = Some("text/plain; name=\"=?utf-8?q?a?=\"".to_owned()),
            "content_type",
        ),
        (|file| file.filename = "=?utf-8?q?a?=.txt".to_owned(), "filename"),
    ] {
        assert_eq!(wrong_place(&with(change)), format!("/attachments/0/{place}"));
    }
    assert!(
        letter(&with(
            |file| file.content_type = Some("text/csv; charset=utf-8".to_owned())
        ))
        .is_ok()
    );
}
