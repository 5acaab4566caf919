//! Telegram as declared, through the library, against a server that answers from a script.

use std::time::Duration;

use serde_json::{Value, json};
use tieline::{Code, Connector, Connectors, Error, error::Retry};
use tieline_testkit::{
    canary::Canary,
    evidence,
    twin::{Reply, Twin},
};

use crate::library;

static TOKEN: Canary = Canary::shaped("Telegram token", "1234567890:AA################################");

/// The shipped connector, but for its address and its patience, which is short.
fn telegram(address: &str) -> Connector {
    let address = format!("baseUrl: {address}/bot");
    let words = [
        ("baseUrl: https://api.telegram.org/bot", address.as_str()),
        ("allowedHosts: [", "allowedHosts: [127.0.0.1, "),
        ("retryDelay: 500", "retryDelay: 1"),
    ];
    library::changed("telegram", &words)
}

async fn connected(address: &str, fields: Value) -> Connectors {
    let connectors = library::with(vec![telegram(address)], &[]);
    let connected = library::org(&connectors).connect("telegram", fields).await;
    evidence::told(connected).unwrap();
    connectors
}

async fn call(connectors: &Connectors, action: &str, input: Value) -> Result<Value, Error> {
    let output = evidence::told(library::org(connectors).action("telegram", action).call(input).await)?;
    Ok(output.to_value())
}

/// Nothing that is told of an error holds the token, in whatever writing, nor the address around it.
fn says_nothing(error: &Error) {
    let all = format!("{error:?}\n{error}\n{:?}", error.log_context());
    assert!(!TOKEN.is_in(&all) && !all.contains("bot1234567890"), "{all}");
}

/// One call answered so, and how often Telegram was asked.
async fn answered(reply: Reply, action: &str, input: Value) -> (Error, usize) {
    let twin = Twin::always(reply).await;
    let connectors = connected(&twin.url(), json!({ "botToken": TOKEN })).await;
    let error = call(&connectors, action, input).await.unwrap_err();
    says_nothing(&error);
    (error, twin.seen().len())
}

fn no(code: u16, what: &str) -> Value {
    json!({ "ok": false, "error_code": code, "description": what })
}

fn message() -> Value {
    json!({ "chat_id": "-100123", "text": "Hello" })
}

/// The token stands in the path of every request, its colon encoded, and nowhere else.
#[tokio::test]
async fn every_action_as_telegram_reads_it() {
    let sent = json!({ "message_id": 7, "date": 1, "chat": { "id": 42 } });
    let markup = json!({ "inline_keyboard": [[{ "text": "Grüße 🎉", "callback_data": "1" }]] });
    for (action, input, method, target, body, result) in [
        (
            "send_message",
            json!({ "chat_id": -100123, "text": "<b>Hi</b> & bye", "parse_mode": "HTML", "reply_markup": markup }),
            "POST",
            "/sendMessage",
            json!({ "chat_id": -100123, "text": "<b>Hi</b> & bye", "parse_mode": "HTML", "reply_markup": markup }),
            &sent,
        ),
        (
            "send_message",
            json!({ "text": "to the connection's chat" }),
            "POST",
            "/sendMessage",
            json!({ "chat_id": "@ours", "text": "to the connection's chat" }),
            &sent,
        ),
        (
            "edit_message_text",
            json!({ "chat_id": "42", "message_id": 7, "text": "x" }),
            "POST",
            "/editMessageText",
            json!({ "chat_id": "42", "message_id": 7, "text": "x" }),
            &sent,
        ),
        (
            "delete_message",
            json!({ "message_id": 7 }),
            "POST",
            "/deleteMessage",
            json!({ "chat_id": "@ours", "message_id": 7 }),
            &json!(true),
        ),
        (
            "send_photo",
            json!({ "chat_id": "42", "photo": "https://example.com/a.png" }),
            "POST",
            "/sendPhoto",
            json!({ "chat_id": "42", "photo": "https://example.com/a.png" }),
            &sent,
        ),
        (
            "send_document",
            json!({ "document": "BQAC", "caption": "c" }),
            "POST",
            "/sendDocument",
            json!({ "chat_id": "@ours", "document": "BQAC", "caption": "c" }),
            &sent,
        ),
        (
            "answer_callback_query",
            json!({ "callback_query_id": "q", "text": "Done" }),
            "POST",
            "/answerCallbackQuery",
            json!({ "callback_query_id": "q", "text": "Done" }),
            &json!(true),
        ),
        (
            "get_chat",
            json!({}),
            "GET",
            "/getChat?chat_id=%40ours",
            Value::Null,
            &json!({ "id": 42 }),
        ),
        (
            "get_updates",
            json!({ "offset": -1, "limit": 100, "timeout": 0 }),
            "GET",
            "/getUpdates?offset=-1&limit=100&timeout=0",
            Value::Null,
            &json!([{ "update_id": 1 }]),
        ),
    ] {
        let twin = Twin::start([Reply::json(200, &json!({ "ok": true, "result": result }))]).await;
        let connectors = connected(&twin.url(), json!({ "botToken": TOKEN, "chatId": "@ours" })).await;
        assert_eq!(call(&connectors, action, input).await.unwrap(), *result, "{action}");
        let [request] = twin.seen().try_into().unwrap();
        let expected = format!("/bot{}{target}", TOKEN.replace(':', "%3A"));
        assert_eq!((request.method.as_str(), request.target), (method, expected));
        assert_eq!(request.headers.iter().find(|(name, _)| name == "authorization"), None);
        if body.is_null() {
            assert!(request.body.is_empty());
        } else {
            let sent: Value = serde_json::from_slice(&request.body).unwrap();
            assert_eq!(sent, body);
        }
    }
}

#[tokio::test]
async fn refusals() {
    let chat = no(400, "Bad Request: chat not found");
    for status in [400, 200] {
        let (error, asked) = answered(Reply::json(status, &chat), "send_message", message()).await;
        assert_eq!(
            (error.code(), error.retry_hint(), asked),
            (Code::ConnectorActionFailed, Retry::Never, 1)
        );
        assert!(error.detail().contains("chat not found (400)"), "{error}");
    }
    let mut moved = no(400, "Bad Request: group chat was upgraded to a supergroup chat");
    moved["parameters"] = json!({ "migrate_to_chat_id": -1_001_234_567_890_i64 });
    let (error, _) = answered(Reply::json(400, &moved), "send_message", message()).await;
    assert!(
        error.detail().contains("migrate_to_chat_id: -1001234567890"),
        "the error names where to go: {error}"
    );
    for (status, what) in [(401, "Unauthorized"), (404, "Not Found")] {
        let (error, asked) = answered(Reply::json(status, &no(status, what)), "get_updates", json!({})).await;
        assert_eq!(
            (error.code(), error.retry_hint(), asked),
            (Code::UpstreamUnauthorized, Retry::Never, 1),
            "{status}"
        );
    }
    let conflict = no(409, "Conflict: can't use getUpdates method while webhook is active");
    let (error, asked) = answered(Reply::json(409, &conflict), "get_updates", json!({})).await;
    assert_eq!((error.code(), asked), (Code::ConnectorActionFailed, 1));
}

/// How long to wait stands in the body.
#[tokio::test]
async fn too_fast_and_in_trouble() {
    let mut slow_down = no(429, "Too Many Requests: retry after 5");
    slow_down["parameters"] = json!({ "retry_after": 5 });
    let twin = Twin::always(Reply::json(429, &slow_down)).await;
    let connectors = connected(&twin.url(), json!({ "bot_token": TOKEN })).await;
    let error = call(&connectors, "send_message", message()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint()),
        (Code::UpstreamRateLimited, Retry::After(Duration::from_secs(5)))
    );
    let error = call(&connectors, "get_chat", json!({ "chat_id": 1 }))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), twin.seen().len()),
        (Code::ConnectorRateLimited, 1),
        "the connection rests"
    );
    let (error, asked) = answered(Reply::empty(502), "send_message", message()).await;
    assert_eq!((error.code(), asked), (Code::UpstreamUnavailable, 1));
    let (error, asked) = answered(Reply::empty(502), "get_chat", json!({ "chat_id": 1 })).await;
    assert_eq!((error.code(), asked), (Code::UpstreamUnavailable, 3));
}

/// The token is in every address, and in none that is shown: not of a server that is not there, breaks off, is silent,
/// sends us elsewhere, or tells the address back.
#[tokio::test]
async fn r1_no_address_that_is_shown_holds_the_token() {
    let gone = Twin::start([]).await.url();
    let connectors = connected(&gone, json!({ "bot_token": TOKEN })).await;
    let error = call(&connectors, "send_message", message()).await.unwrap_err();
    assert_eq!(error.code(), Code::UpstreamUnreachable, "{error}");
    says_nothing(&error);

    let address = format!("https://api.telegram.org/bot{}/sendMessage", &*TOKEN);
    let encoded = address.replace(&*TOKEN, &TOKEN.replace(':', "%3A"));
    for reply in [
        Reply::Reset,
        Reply::Raw(b"HTTP/1.1 200 OK\r\n\r\n{".to_vec()),
        Reply::empty(307).header("location", &address),
        Reply::empty(302).header("location", &encoded),
        Reply::json(400, &no(400, &format!("Bad Request: {address}"))),
        Reply::json(400, &no(400, &format!("Bad Request: {encoded}"))),
        Reply::json(200, &json!({ "result": address })),
    ] {
        answered(reply, "send_message", message()).await;
    }
    // Whoever is silent is waited for; a second is enough here.
    let twin = Twin::always(Reply::Stall(Vec::new())).await;
    let address_there = format!("baseUrl: {}/bot", twin.url());
    let words = [
        ("baseUrl: https://api.telegram.org/bot", address_there.as_str()),
        ("allowedHosts: [", "timeout: 1000\nallowedHosts: [127.0.0.1, "),
    ];
    let connectors = library::with(vec![library::changed("telegram", &words)], &[]);
    let org = library::org(&connectors);
    evidence::told(org.connect("telegram", json!({ "token": TOKEN })).await).unwrap();
    let error = call(&connectors, "send_message", message()).await.unwrap_err();
    assert_eq!(error.code(), Code::UpstreamTimeout, "{error}");
    says_nothing(&error);

    let twin = Twin::always(Reply::json(
        200,
        &json!({ "ok": true, "result": { "id": 42, "title": address } }),
    ))
    .await;
    let connectors = connected(&twin.url(), json!({ "bot_token": TOKEN })).await;
    let output = call(&connectors, "get_chat", json!({ "chat_id": 42 })).await.unwrap();
    assert!(!TOKEN.is_in(&output.to_string()), "{output}");
}

#[tokio::test]
async fn what_is_no_token_or_no_chat_is_refused_and_not_repeated() {
    let shipped = library::with(tieline_catalog::connectors(), &[]);
    for (fields, pointer) in [
        (json!({ "bot_token": TOKEN.replace(':', "/") }), "/bot_token"),
        (json!({ "botToken": format!("bot{}", &*TOKEN) }), "/botToken"),
        (json!({ "token": format!("{}/../x", &*TOKEN) }), "/token"),
        (json!({ "bot_token": TOKEN, "chatId": "ours" }), "/chatId"),
        (json!({ "chat_id": "@ours" }), "/bot_token"),
    ] {
        let connect = library::org(&shipped).connect("telegram", fields).await;
        let error = evidence::told(connect).unwrap_err();
        let pointers: Vec<&str> = error.fields().iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, [format!("/config{pointer}")], "{error:?}");
        says_nothing(&error);
    }
    let twin = Twin::start([]).await;
    let connectors = connected(&twin.url(), json!({ "bot_token": TOKEN })).await;
    for (action, input, pointer) in [
        ("send_message", json!({ "text": "nowhere" }), "/chat_id"),
        ("send_message", json!({ "chat_id": "ours", "text": "x" }), "/chat_id"),
        ("send_message", json!({ "chat_id": 1, "text": "" }), "/text"),
        (
            "send_message",
            json!({ "chat_id": 1, "text": "x".repeat(4097) }),
            "/text",
        ),
        ("edit_message_text", json!({ "text": "x" }), ""),
    ] {
        let error = call(&connectors, action, input).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorActionInputInvalid);
        assert!(error.fields().iter().any(|field| field.pointer == pointer), "{error:?}");
    }
    assert_eq!(twin.seen().len(), 0);
}
