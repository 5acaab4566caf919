//! What proves a webhook, and what does not.

use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tieline::clock::{Clock, SignedDuration};

use super::{ACME, Lab, SIGNING, TOKEN, address_of, request, signature};

const BODY: &str = r#"{"kind":"made"}"#;

type Sent = Request<Full<bytes::Bytes>>;

fn with(address: &str, body: &str, headers: &[(&str, &str)]) -> Sent {
    let builder = headers.iter().fold(request(address, body), |builder, (name, value)| {
        builder.header(*name, *value)
    });
    builder.body(Full::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn w2_w3_what_proves_nothing_is_refused_with_one_sentence() {
    let lab = Lab::new();
    let address = lab.connect().await;
    let now = lab.clock.now().as_second();
    let at = |off: i64| (now + off).to_string();
    let good = |seconds: &str| signature(&SIGNING, seconds, BODY);
    let (time, sign) = ("x-acme-time", "x-acme-signature");
    let cases = [
        ("no signature", with(&address, BODY, &[(time, &at(0))])),
        ("no time", with(&address, BODY, &[(sign, &good(&at(0)))])),
        (
            "another key",
            with(
                &address,
                BODY,
                &[(time, &at(0)), (sign, &signature("another", &at(0), BODY))],
            ),
        ),
        (
            "another body",
            with(&address, r#"{"kind":"mad3"}"#, &[(time, &at(0)), (sign, &good(&at(0)))]),
        ),
        (
            "a space more",
            with(
                &address,
                r#"{"kind": "made"}"#,
                &[(time, &at(0)), (sign, &good(&at(0)))],
            ),
        ),
        (
            "another time than was signed",
            with(&address, BODY, &[(time, &at(1)), (sign, &good(&at(0)))]),
        ),
        (
            "stale",
            with(&address, BODY, &[(time, &at(-301)), (sign, &good(&at(-301)))]),
        ),
        (
            "from the future",
            with(&address, BODY, &[(time, &at(301)), (sign, &good(&at(301)))]),
        ),
        (
            "a doubled signature",
            with(
                &address,
                BODY,
                &[(time, &at(0)), (sign, &good(&at(0))), (sign, &good(&at(0)))],
            ),
        ),
        (
            "a doubled time",
            with(&address, BODY, &[(time, &at(0)), (time, &at(0)), (sign, &good(&at(0)))]),
        ),
        (
            "half a signature",
            with(&address, BODY, &[(time, &at(0)), (sign, &good(&at(0))[..32])]),
        ),
        (
            "no hexadecimal",
            with(&address, BODY, &[(time, &at(0)), (sign, &"z".repeat(64))]),
        ),
        (
            "no time at all",
            with(&address, BODY, &[(time, "soon"), (sign, &good("soon"))]),
        ),
        (
            "a time beyond all times",
            with(
                &address,
                BODY,
                &[(time, &"9".repeat(30)), (sign, &good(&"9".repeat(30)))],
            ),
        ),
        (
            "a negative time",
            with(&address, BODY, &[(time, "-1"), (sign, &good("-1"))]),
        ),
    ];
    let mut told = Vec::new();
    for (what, sent) in cases {
        let answer = lab.send(sent).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (401, "CONNECTOR_WEBHOOK_VERIFICATION_FAILED"),
            "{what}"
        );
        told.push(answer.body.to_string());
        let events = lab.told().await;
        let expected = ["webhook.failed", "error.occurred"]
            .map(|kind| format!("{kind} CONNECTOR_WEBHOOK_VERIFICATION_FAILED Some(false)"));
        assert_eq!(events, expected, "{what}");
        let view = lab.org().get("acme").await.unwrap().unwrap().webhook.unwrap();
        assert!(
            view.error.unwrap().starts_with("CONNECTOR_WEBHOOK_VERIFICATION_FAILED"),
            "{what}"
        );
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    for (what, off) in [("just not stale", -300), ("just not too early", 300)] {
        let sent = with(&address, BODY, &[(time, &at(off)), (sign, &good(&at(off)))]);
        assert_eq!(lab.send(sent).await.status, StatusCode::OK, "{what}");
    }
}

#[tokio::test]
async fn w3_what_was_good_is_stale_later() {
    let lab = Lab::new();
    let address = lab.connect().await;
    let recorded = || lab.signed(&address, BODY);
    let first = recorded();
    let later = recorded();
    assert_eq!(lab.send(first).await.status, StatusCode::OK);
    lab.clock.advance(SignedDuration::from_secs(301));
    assert_eq!(lab.send(later).await.code(), "CONNECTOR_WEBHOOK_VERIFICATION_FAILED");
}

#[tokio::test]
async fn w1_without_a_usable_secret_nothing_is_taken_and_nothing_is_noted() {
    let lab = Lab::new();
    for (name, config) in [
        ("none", json!({ "token": &*TOKEN })),
        ("null", json!({ "token": &*TOKEN, "signing_secret": null })),
    ] {
        let org = lab.org().named(name);
        let address = address_of(&org.connect("acme", config).await.unwrap());
        let seconds = lab.clock.now().as_second().to_string();
        for secret in ["", "null", &*SIGNING] {
            let signed = signature(secret, &seconds, BODY);
            let sent = with(
                &address,
                BODY,
                &[("x-acme-time", &seconds), ("x-acme-signature", &signed)],
            );
            let answer = lab.send(sent).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code()),
                (401, "CONNECTOR_WEBHOOK_VERIFICATION_FAILED"),
                "{name}"
            );
        }
        let view = org.get("acme").await.unwrap().unwrap().webhook.unwrap();
        assert_eq!((view.last_event_at, view.error), (None, None), "{name}");
    }
}

#[tokio::test]
async fn w1_a_manifest_that_names_no_secret_or_wants_none_refuses_everything() {
    let unnamed = ACME
        .replace("    keyField: signing_secret\n", "")
        .replace("id: acme", "id: unnamed");
    let none = "{ id: open, name: Open, baseUrl: 'https://open.example', auth: [{ type: none }], endpoints: [], \
        webhookConfig: { signatureConfig: { header: X-None, algorithm: none }, responseStatus: 202, responseBody: thanks } }";
    let config = json!({ "token": &*TOKEN, "signing_secret": &*SIGNING });
    let lab = Lab::shaped(|builder| builder.manifest(unnamed.as_str()).manifest(none));
    for (connector, config) in [("unnamed", &config), ("open", &json!({}))] {
        let address = address_of(&lab.org().connect(connector, config.clone()).await.unwrap());
        let answer = lab.deliver(&address, BODY).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (401, "CONNECTOR_WEBHOOK_VERIFICATION_FAILED"),
            "{connector}"
        );
    }
    // The program's own word opens what declares that it proves nothing, and nothing else.
    let lab = Lab::shaped(|builder| {
        builder
            .manifest(unnamed.as_str())
            .manifest(none)
            .accept_unsigned_webhooks()
    });
    let address = address_of(&lab.org().connect("open", json!({})).await.unwrap());
    let answer = lab.deliver(&address, BODY).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (202, Some("thanks")));
    assert_eq!(answer.head["content-type"], "text/plain; charset=utf-8");
    assert_eq!(
        lab.told().await,
        ["webhook.received Some(false)", "webhook.processed Some(false)"]
    );
    let address = address_of(&lab.org().connect("unnamed", config).await.unwrap());
    assert_eq!(lab.deliver(&address, BODY).await.status, StatusCode::UNAUTHORIZED);
}

/// Square signs the address too, and others send the secret itself.
#[tokio::test]
async fn an_address_can_be_signed_and_a_token_compared() {
    let square = ACME
        .replace("'{timestamp}.{body}'", "'{url}{body}'")
        .replace("    timestampHeader: X-Acme-Time\n", "");
    let square = square.replace("id: acme", "id: square");
    let token = square
        .replace("hmac-sha256", "token")
        .replace("'{url}{body}'", "'{body}'");
    let token = token.replace("id: square", "id: token");
    let lab = Lab::shaped(|builder| builder.manifest(square.as_str()).manifest(token.as_str()));
    let config = json!({ "token": &*TOKEN, "signing_secret": &*SIGNING });
    let address = address_of(&lab.org().connect("square", config.clone()).await.unwrap());
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SIGNING.as_bytes());
    let hex = |text: String| -> String {
        let tag = aws_lc_rs::hmac::sign(&key, text.as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let good = hex(format!("{address}{BODY}"));
    assert_eq!(
        lab.send(with(&address, BODY, &[("x-acme-signature", &good)]))
            .await
            .status,
        StatusCode::OK
    );
    // The host is the one that was configured, and not what the sender says.
    let elsewhere = hex(format!("{}{BODY}", address.replace("app.example", "evil.example")));
    let sent = with(
        &address,
        BODY,
        &[("x-acme-signature", &elsewhere), ("host", "evil.example")],
    );
    assert_eq!(lab.send(sent).await.status, StatusCode::UNAUTHORIZED);
    let address = address_of(&lab.org().connect("token", config).await.unwrap());
    for (secret, status) in [(&*SIGNING, 200), ("", 401), ("another", 401), (&SIGNING[1..], 401)] {
        let answer = lab.send(with(&address, BODY, &[("x-acme-signature", secret)])).await;
        assert_eq!(answer.status.as_u16(), status);
    }
}
