//! Discord as declared, through the library, against a server that answers from a script.

use std::{io::Write, time::Duration};

use serde_json::{Value, json};
use tieline::{
    Code, Connector, Connectors, Error, Json,
    call::{Call, Via},
    credential::{CredentialType, NewCredential},
    error::Retry,
};
use tieline_testkit::{
    canary::Canary,
    evidence,
    twin::{Reply, Twin},
};

use crate::library;

static TOKEN: Canary = Canary::shaped(
    "Discord token",
    "########################.######.##########################",
);

/// The shipped connector, but for its address, which is the twin's, and its patience, which is short.
fn discord(twin: &Twin) -> Connector {
    let shipped = tieline_catalog::shipped()
        .iter()
        .find(|shipped| shipped.id == "discord")
        .unwrap();
    let mut manifest = shipped.manifest.to_owned();
    for (said, instead) in [
        ("https://discord.com/api/v10", format!("{}/api/v10", twin.url())),
        ("allowedHosts: [", "allowedHosts: [127.0.0.1, ".to_owned()),
        ("retryDelay: 500", "retryDelay: 1".to_owned()),
        ("retryConfig:", "timeout: 1000\nretryConfig:".to_owned()),
        ("'^https://(ptb", "'^http://127|^https://(ptb".to_owned()),
    ] {
        assert!(manifest.contains(said), "{said}");
        manifest = manifest.replacen(said, &instead, 1);
    }
    Connector::shipped(&manifest).unwrap().build().unwrap()
}

async fn twin(replies: impl IntoIterator<Item = Reply>) -> (Twin, Connectors) {
    let twin = Twin::start(replies).await;
    let connectors = library::with(vec![discord(&twin)], &[]);
    let connected = library::org(&connectors)
        .connect("discord", json!({ "botToken": TOKEN }))
        .await;
    evidence::told(connected).unwrap();
    (twin, connectors)
}

async fn call(connectors: &Connectors, action: &str, input: Value) -> Result<Value, Error> {
    let output = evidence::told(library::org(connectors).action("discord", action).call(input).await)?;
    Ok(output.to_value())
}

/// One call answered so, and how often Discord was asked.
async fn answered(reply: Reply, action: &str, input: Value) -> (Error, usize) {
    let (twin, connectors) = twin(std::iter::repeat_n(reply, 5)).await;
    let error = call(&connectors, action, input).await.unwrap_err();
    assert!(!TOKEN.is_in(&format!("{error:?}")), "{error:?}");
    (error, twin.seen().len())
}

fn message() -> Value {
    json!({ "channel_id": "42", "content": "hi" })
}

#[tokio::test]
async fn a_message_as_discord_describes_it() {
    let posted = json!({ "id": "7", "channel_id": "42", "content": "Grüße 🎉", "timestamp": "2026-11-20T09:00:00+00:00", "type": 0 });
    let (twin, connectors) = twin([Reply::json(200, &posted)]).await;
    let embeds = json!([{ "title": "Workflow Complete", "color": 3066993, "fields": [{ "name": "Status", "value": "Success", "inline": true }] }]);
    let input = json!({ "channel_id": "42", "content": "Grüße 🎉", "embeds": embeds });
    let output = call(&connectors, "send_message", input).await.unwrap();
    assert_eq!(output, posted);

    let [request] = twin.seen().try_into().unwrap();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/api/v10/channels/42/messages")
    );
    assert_eq!(request.header("authorization"), Some(format!("Bot {TOKEN}").as_str()));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("host"), Some(twin.address().to_string().as_str()));
    assert!(request.header("user-agent").unwrap().starts_with("DiscordBot ("));
    assert!(request.header("cookie").is_none());
    assert_eq!(request.json(), json!({ "content": "Grüße 🎉", "embeds": embeds }));
}

#[tokio::test]
async fn an_edit_and_a_reaction() {
    let (twin, connectors) = twin([
        Reply::json(200, &json!({ "id": "7", "channel_id": "42" })),
        Reply::empty(204),
    ])
    .await;
    let edit = json!({ "channel_id": "42", "message_id": "7", "content": null, "embeds": [] });
    call(&connectors, "edit_message", edit).await.unwrap();
    let react = json!({ "channel_id": "42", "message_id": "7", "emoji": "🔥" });
    assert_eq!(
        call(&connectors, "add_reaction", react).await.unwrap(),
        json!({ "success": true })
    );
    let [edit, react] = twin.seen().try_into().unwrap();
    assert_eq!(
        (edit.method.as_str(), edit.target.as_str()),
        ("PATCH", "/api/v10/channels/42/messages/7")
    );
    assert_eq!(edit.json(), json!({ "content": null, "embeds": [] }));
    let target = "/api/v10/channels/42/messages/7/reactions/%F0%9F%94%A5/@me";
    assert_eq!((react.method.as_str(), react.target.as_str()), ("PUT", target));
}

/// A webhook address needs no connection, is a secret, and goes to Discord only.
#[tokio::test]
async fn through_a_webhook_address() {
    let (twin, connectors) = twin([Reply::empty(204)]).await;
    let by = library::stranger();
    let send = async |address: &str| {
        let input =
            json!({ "webhook_url": address, "content": "Hello!", "username": "Custom Bot Name", "wait": false });
        let call = Call {
            connector: Some("discord".to_owned()),
            action: "send_webhook".to_owned(),
            input: input.into(),
            via: Via::Nothing,
            idempotency_key: None,
        };
        evidence::told(connectors.call(&by, call).await.map(|called| called.output.to_value()))
    };
    static WEBHOOK: Canary = Canary::shaped(
        "webhook token",
        "token-################-of-the-webhook-################",
    );
    let address = format!("{}/api/webhooks/123/{WEBHOOK}", twin.url());
    assert_eq!(send(&address).await.unwrap(), json!({ "success": true }));
    let [request] = twin.seen().try_into().unwrap();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", format!("/api/webhooks/123/{WEBHOOK}?wait=false").as_str())
    );
    assert_eq!(request.header("authorization"), None);
    assert_eq!(
        request.json(),
        json!({ "content": "Hello!", "username": "Custom Bot Name" })
    );

    let shipped = library::with(tieline_catalog::connectors(), &[]);
    for elsewhere in [
        address.as_str(),
        "https://evil.example/api/webhooks/1/a",
        "https://discord.com.evil.example/api/webhooks/1/a",
        "https://discord.com@evil.example/api/webhooks/1/a",
        "https://discord.com/api/webhooks/1/../../users/@me",
        "https://discord.com/api/webhooks/1/a?x=https://discord.com/api/webhooks/1/a",
        "http://discord.com/api/webhooks/1/a",
    ] {
        let input: Json = json!({ "webhook_url": elsewhere, "content": "x" }).into();
        let call = Call {
            connector: Some("discord".to_owned()),
            action: "send_webhook".to_owned(),
            input,
            via: Via::Nothing,
            idempotency_key: None,
        };
        let error = evidence::told(shipped.call(&by, call).await.map(|called| called.output)).unwrap_err();
        assert_eq!(error.code(), Code::ConnectorActionInputInvalid, "{elsewhere}");
        assert!(!format!("{error:?}").contains(elsewhere), "{error:?}");
    }
}

#[tokio::test]
async fn refusals() {
    let unauthorized = Reply::json(401, &json!({ "message": "401: Unauthorized", "code": 0 }));
    let (error, asked) = answered(unauthorized, "list_guilds", json!({})).await;
    assert_eq!(
        (error.code(), error.retry_hint(), asked),
        (Code::UpstreamUnauthorized, Retry::Never, 1)
    );

    let missing = Reply::json(403, &json!({ "message": "Missing Access", "code": 50001 }));
    let (error, asked) = answered(missing, "send_message", message()).await;
    assert_eq!((error.code(), asked), (Code::ConnectorActionFailed, 1));
    assert!(error.detail().contains("Missing Access (50001)"), "{error}");
}

/// A message is never posted twice on a guess; a list is asked for again.
#[tokio::test]
async fn too_fast_and_in_trouble() {
    let slow_down = || {
        Reply::json(
            429,
            &json!({ "message": "You are being rate limited.", "retry_after": 0.4, "global": false }),
        )
    };
    let (error, asked) = answered(slow_down().header("retry-after", "2"), "send_message", message()).await;
    assert_eq!((error.code(), asked), (Code::UpstreamRateLimited, 1));
    assert_eq!(error.retry_hint(), Retry::After(Duration::from_secs(2)));
    // Without the header, the body says it.
    let (error, _) = answered(slow_down(), "send_message", message()).await;
    assert_eq!(error.retry_hint(), Retry::After(Duration::from_millis(400)));

    for status in [500, 503] {
        let (error, asked) = answered(Reply::empty(status), "send_message", message()).await;
        assert_eq!(
            (error.code(), error.retry_hint(), asked),
            (Code::UpstreamUnavailable, Retry::Never, 1),
            "the message may have been posted"
        );
        assert!(error.detail().contains("may have taken effect"), "{error}");
    }
    let (error, asked) = answered(Reply::empty(503), "list_guilds", json!({})).await;
    assert_eq!((error.code(), asked), (Code::UpstreamUnavailable, 3));

    let now = Reply::json(429, &json!({ "retry_after": 0.001 })).header("retry-after", "0");
    let (twin, connectors) = twin([now, Reply::json(200, &json!([{ "id": "5", "name": "Ours" }]))]).await;
    assert_eq!(
        call(&connectors, "list_guilds", json!({})).await.unwrap(),
        json!([{ "id": "5", "name": "Ours" }])
    );
    assert_eq!(twin.seen().len(), 2);
}

fn raw(head: &str, body: &[u8]) -> Reply {
    Reply::Raw(
        [
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{head}\r\n").as_bytes(),
            body,
        ]
        .concat(),
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn answers_that_no_honest_server_gives() {
    const MIB: usize = 1024 * 1024;
    let bomb = gzip(&vec![b' '; 64 * MIB]);
    let large = vec![b' '; 11 * MIB];
    for (reply, code) in [
        (
            raw("content-length: 100\r\n", b"{\"id\":"),
            Code::UpstreamAnswerTruncated,
        ),
        (
            raw("transfer-encoding: chunked\r\n", b"5\r\n{\"id\"\r\n"),
            Code::UpstreamAnswerTruncated,
        ),
        (
            raw(&format!("content-length: {}\r\n", large.len()), &large),
            Code::UpstreamAnswerTooLarge,
        ),
        (
            raw(
                &format!("content-encoding: gzip\r\ncontent-length: {}\r\n", bomb.len()),
                &bomb,
            ),
            Code::UpstreamAnswerTooLarge,
        ),
        (
            raw("content-length: 11\r\n", b"<html>\nhi\r\n"),
            Code::UpstreamAnswerInvalid,
        ),
        (
            raw("content-length: 22\r\n", b"{\"id\":\"1\",\"id\":\"2\"}   "),
            Code::UpstreamAnswerInvalid,
        ),
        (Reply::Stall(Vec::new()), Code::UpstreamTimeout),
        (
            Reply::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec()),
            Code::UpstreamTimeout,
        ),
    ] {
        let (error, asked) = answered(reply.clone(), "send_message", message()).await;
        assert_eq!((error.code(), asked), (code, 1), "{error}");
    }
    let whole = gzip(br#"{"id":"7","channel_id":"42"}"#);
    let reply = raw(
        &format!("content-encoding: gzip\r\ncontent-length: {}\r\n", whole.len()),
        &whole,
    );
    let (_twin, connectors) = twin([reply]).await;
    assert_eq!(call(&connectors, "send_message", message()).await.unwrap()["id"], "7");
}

#[tokio::test]
async fn an_answer_without_what_is_promised_says_that_the_effect_happened() {
    let (error, asked) = answered(Reply::json(200, &json!({ "id": 7 })), "send_message", message()).await;
    assert_eq!((error.code(), asked), (Code::ConnectorActionOutputInvalid, 1));
    assert_eq!(error.effect_output().unwrap().to_value(), json!({ "id": 7 }));
}

#[tokio::test]
async fn inputs_that_never_leave() {
    let (twin, connectors) = twin([]).await;
    for input in [
        json!({ "channel_id": "42" }),
        json!({ "channel_id": "../users/@me", "content": "x" }),
        json!({ "channel_id": 42, "content": "x" }),
        json!({ "channel_id": "42", "content": "x".repeat(4001) }),
        json!({ "channel_id": "42", "contents": "x" }),
    ] {
        let error = call(&connectors, "send_message", input.clone()).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorActionInputInvalid, "{input}");
    }
    assert_eq!(twin.seen().len(), 0);
}

#[tokio::test]
async fn the_test_names_the_bot() {
    let (twin, connectors) = twin([
        Reply::json(200, &json!({ "id": "8", "username": "our-bot" })),
        Reply::empty(401),
    ])
    .await;
    let connect = library::connect("discord", json!({ "token": TOKEN }));
    let result = evidence::told(connectors.test_unsaved(&library::stranger(), &connect).await).unwrap();
    assert_eq!(
        (result.success, result.label.as_deref()),
        (true, Some("our-bot")),
        "{}",
        result.message
    );
    let [request] = twin.seen().try_into().unwrap();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("GET", "/api/v10/users/@me")
    );
    let result = evidence::told(connectors.test_unsaved(&library::stranger(), &connect).await).unwrap();
    assert_eq!(
        (result.success, result.error_code),
        (false, Some(Code::UpstreamUnauthorized))
    );
}

/// S001: the documented step, with the credential it names and no connection.
#[tokio::test]
async fn the_documented_step_goes_over_a_shared_credential() {
    let posted = json!({ "id": "7", "channel_id": "123456789012345678" });
    let twin = Twin::start([Reply::json(200, &posted)]).await;
    let connectors = library::with(vec![discord(&twin)], &[]);
    let by = library::stranger();
    let new = NewCredential {
        name: "bot".to_owned(),
        description: None,
        kind: CredentialType::Token,
        connector: Some("discord".to_owned()),
        auth: None,
        data: json!({ "bot_token": TOKEN }).into(),
        metadata: None,
        environment: None,
        expires_at: None,
    };
    let credential = connectors.create_credential(&by, new).await.unwrap();
    let input = json!({
        "channel_id": "123456789012345678",
        "content": "Hello from workflow!",
        "embeds": [{
            "title": "Workflow Complete",
            "description": "Your workflow finished successfully",
            "color": 3066993,
            "fields": [{ "name": "Status", "value": "Success", "inline": true }],
        }],
    });
    let call = Call {
        connector: Some("discord".to_owned()),
        action: "send_message".to_owned(),
        input: input.clone().into(),
        via: Via::Credential {
            credential: credential.id,
            config: None,
        },
        idempotency_key: None,
    };
    let called = evidence::told(connectors.call(&by, call).await.map(|called| called.output)).unwrap();
    assert_eq!(called.to_value()["id"], "7");
    let [sent] = twin.seen().try_into().unwrap();
    assert_eq!(sent.target, "/api/v10/channels/123456789012345678/messages");
    assert_eq!(sent.header("authorization"), Some(format!("Bot {}", &*TOKEN).as_str()));
    for field in ["content", "embeds"] {
        assert_eq!(sent.json()[field], input[field]);
    }
}
