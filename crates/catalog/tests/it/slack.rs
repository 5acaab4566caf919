//! Slack as declared, through the library, against a server that answers from a script.

mod facts;

use std::time::Duration;

use serde_json::{Value, json};
use tieline::{Code, Connector, Connectors, Error, error::Retry};
use tieline_testkit::{
    canary::Canary,
    evidence,
    twin::{Reply, Twin},
};

use crate::library;

static TOKEN: Canary = Canary::shaped("Slack token", "xoxb-################-########################");
static HOOK: Canary = Canary::shaped("Slack webhook", "########################");

/// The shipped connector, but for its addresses, which are the twin's, and its patience, which is short.
fn slack(twin: &Twin) -> Connector {
    let address = format!("baseUrl: {}/api", twin.url());
    let words = [
        ("baseUrl: https://slack.com/api", address.as_str()),
        ("allowedHosts: [", "allowedHosts: [127.0.0.1, "),
        ("retryDelay: 500", "retryDelay: 1"),
        ("'^https://hooks", "'^http://127|^https://hooks"),
    ];
    library::changed("slack", &words)
}

async fn connected(twin: &Twin, fields: Value) -> Connectors {
    let connectors = library::with(vec![slack(twin)], &[]);
    let connected = library::org(&connectors).connect("slack", fields).await;
    evidence::told(connected).unwrap();
    connectors
}

async fn call(connectors: &Connectors, action: &str, input: Value) -> Result<Value, Error> {
    let output = evidence::told(library::org(connectors).action("slack", action).call(input).await)?;
    Ok(output.to_value())
}

/// One call answered so, and how often Slack was asked.
async fn answered(reply: Reply, action: &str, input: Value) -> (Error, usize) {
    let twin = Twin::always(reply).await;
    let connectors = connected(&twin, json!({ "bot_token": TOKEN })).await;
    let error = call(&connectors, action, input).await.unwrap_err();
    assert!(!TOKEN.is_in(&format!("{error:?}")), "{error:?}");
    (error, twin.seen().len())
}

fn no(word: &str) -> Reply {
    Reply::json(200, &json!({ "ok": false, "error": word }))
}

fn text(status: u16, body: &str) -> Reply {
    Reply::Answer {
        status,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

fn message() -> Value {
    json!({ "channel": "#general", "text": "Hello from workflow!" })
}

/// Each action as it leaves us, and that each of the names of the token is understood.
#[tokio::test]
async fn every_action_as_slack_reads_it() {
    let whole = json!({ "ok": true, "channel": { "id": "D1" }, "ts": "1.2", "channels": [], "members": [], "messages": [], "user": { "id": "W1" } });
    let flat = json!({ "ok": true, "channel": "C1", "ts": "1.2" });
    let blocks = json!([{ "type": "section", "text": { "type": "mrkdwn", "text": "*Bold text* & Grüße 🎉" } }]);
    for (field, action, input, target, body) in [
        (
            "bot_token",
            "send_message",
            json!({ "channel": "#general", "text": "Hello from workflow!", "blocks": blocks }),
            "POST /api/chat.postMessage",
            json!({ "channel": "#general", "text": "Hello from workflow!", "blocks": blocks }),
        ),
        (
            "botToken",
            "update_message",
            json!({ "channel": "C1", "ts": "1234567890.123456", "text": "Updated message" }),
            "POST /api/chat.update",
            json!({ "channel": "C1", "ts": "1234567890.123456", "text": "Updated message" }),
        ),
        (
            "access_token",
            "add_reaction",
            json!({ "channel": "C1", "timestamp": "1234567890.123456", "name": "thumbsup" }),
            "POST /api/reactions.add",
            json!({ "channel": "C1", "timestamp": "1234567890.123456", "name": "thumbsup" }),
        ),
        (
            "bot_token",
            "delete_message",
            json!({ "channel": "C1", "ts": "1.2" }),
            "POST /api/chat.delete",
            json!({ "channel": "C1", "ts": "1.2" }),
        ),
        (
            "bot_token",
            "open_direct_message",
            json!({ "users": "W1,W2" }),
            "POST /api/conversations.open",
            json!({ "users": "W1,W2" }),
        ),
        (
            "bot_token",
            "list_channels",
            json!({ "types": "public_channel,im", "limit": 1000 }),
            "GET /api/conversations.list?types=public_channel%2Cim&limit=1000",
            Value::Null,
        ),
        (
            "bot_token",
            "list_users",
            json!({ "cursor": "dXNlcjpX=" }),
            "GET /api/users.list?cursor=dXNlcjpX%3D",
            Value::Null,
        ),
        (
            "bot_token",
            "find_user_by_email",
            json!({ "email": "a+b@example.com" }),
            "GET /api/users.lookupByEmail?email=a%2Bb%40example.com",
            Value::Null,
        ),
        (
            "bot_token",
            "get_channel_history",
            json!({ "channel": "C1", "latest": "1.2", "inclusive": false }),
            "GET /api/conversations.history?channel=C1&latest=1.2&inclusive=false",
            Value::Null,
        ),
    ] {
        let answer = if action == "open_direct_message" { &whole } else { &flat };
        let answer = if body.is_null() { &whole } else { answer };
        let twin = Twin::start([Reply::json(200, answer)]).await;
        let connectors = connected(&twin, json!({ field: TOKEN })).await;
        call(&connectors, action, input).await.unwrap();
        let [request] = twin.seen().try_into().unwrap();
        assert_eq!(format!("{} {}", request.method, request.target), target);
        assert_eq!(
            request.header("authorization"),
            Some(format!("Bearer {TOKEN}").as_str())
        );
        if body.is_null() {
            assert!(request.body.is_empty(), "{action}");
            continue;
        }
        assert_eq!(request.json(), body, "{action}");
        assert_eq!(request.header("content-type"), Some("application/json; charset=utf-8"));
    }
}

/// A refusal comes as a success with Slack's own word.
#[tokio::test]
async fn slack_s_word_is_told() {
    let (error, asked) = answered(no("channel_not_found"), "send_message", message()).await;
    assert_eq!(
        (error.code(), error.retry_hint(), asked),
        (Code::ConnectorActionFailed, Retry::Never, 1)
    );
    assert!(error.detail().contains("channel_not_found"), "{error}");

    for word in [
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
    ] {
        let (error, asked) = answered(no(word), "list_users", json!({})).await;
        assert_eq!(
            (error.code(), error.retry_hint(), asked),
            (Code::UpstreamUnauthorized, Retry::Never, 1),
            "{word}"
        );
        assert!(error.detail().contains(word), "{error}");
    }

    let scope = json!({ "ok": false, "error": "missing_scope", "needed": "users:read.email", "provided": "chat:write,im:write" });
    let (error, asked) = answered(
        Reply::json(200, &scope),
        "find_user_by_email",
        json!({ "email": "a@example.com" }),
    )
    .await;
    assert_eq!((error.code(), asked), (Code::UpstreamAccessMissing, 1));
    for word in [
        "missing_scope",
        "needed: users:read.email",
        "provided: chat:write,im:write",
    ] {
        assert!(error.detail().contains(word), "{error}");
    }

    let (error, asked) = answered(Reply::json(200, &json!({})), "send_message", message()).await;
    assert_eq!((error.code(), asked), (Code::UpstreamAnswerInvalid, 1));
}

/// A list is asked for again, a message is not sent again on a guess, and a pause that Slack asks for is kept.
#[tokio::test]
async fn too_fast_and_in_trouble() {
    let (error, asked) = answered(no("internal_error"), "list_users", json!({})).await;
    assert_eq!(
        (error.code(), error.retry_hint(), asked),
        (Code::UpstreamUnavailable, Retry::Backoff, 3)
    );
    let (error, asked) = answered(no("fatal_error"), "send_message", message()).await;
    assert_eq!((error.code(), asked), (Code::UpstreamUnavailable, 1));

    let slow_down = Reply::json(429, &json!({ "ok": false, "error": "ratelimited" })).header("retry-after", "30");
    let twin = Twin::always(slow_down).await;
    let connectors = connected(&twin, json!({ "bot_token": TOKEN })).await;
    let error = call(&connectors, "send_message", message()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint()),
        (Code::UpstreamRateLimited, Retry::After(Duration::from_secs(30)))
    );
    let error = call(&connectors, "list_users", json!({})).await.unwrap_err();
    assert_eq!(
        (error.code(), twin.seen().len()),
        (Code::ConnectorRateLimited, 1),
        "the connection rests"
    );
}

/// Slack's tiers: a method has its own, and what is too much is not sent.
#[tokio::test]
async fn each_method_has_its_tier() {
    let twin = Twin::always(Reply::json(
        200,
        &json!({ "ok": true, "channels": [], "channel": "C1", "ts": "1.2" }),
    ))
    .await;
    let connectors = connected(&twin, json!({ "bot_token": TOKEN })).await;
    for _ in 0..20 {
        call(&connectors, "list_channels", json!({})).await.unwrap();
    }
    let error = call(&connectors, "list_channels", json!({})).await.unwrap_err();
    assert_eq!(
        (error.code(), twin.seen().len()),
        (Code::ConnectorRateLimited, 20),
        "{error}"
    );
    call(&connectors, "send_message", message()).await.unwrap();
}

/// What a webhook answers is plain text.
#[tokio::test]
async fn through_an_incoming_webhook() {
    let path = format!("/services/T1/B1/{}", &*HOOK);
    let twin = Twin::start([
        text(200, "ok"),
        text(404, "no_service"),
        text(410, "channel_is_archived"),
        text(400, "That is\nno good."),
        text(500, "rollup_error"),
    ])
    .await;
    let connectors = connected(&twin, json!({ "webhook_url": format!("{}{path}", twin.url()) })).await;
    let send = || call(&connectors, "send_incoming_webhook", json!({ "text": "Hello!" }));
    assert_eq!(send().await.unwrap(), json!("ok"));
    for (code, word) in [
        (Code::UpstreamUnauthorized, "no_service"),
        (Code::ConnectorActionFailed, "channel_is_archived"),
        (Code::ConnectorActionFailed, "It said: That is no good."),
        (Code::UpstreamUnavailable, "rollup_error"),
    ] {
        let error = send().await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.detail().contains(word), "{error}");
        assert!(!HOOK.is_in(&format!("{error:?}")), "{error:?}");
    }
    let seen = twin.seen();
    assert_eq!(seen.len(), 5);
    assert_eq!(
        (seen[0].method.as_str(), seen[0].target.as_str()),
        ("POST", path.as_str())
    );
    assert_eq!(seen[0].json(), json!({ "text": "Hello!" }));
    assert_eq!(seen[0].header("authorization"), None);
    // A webhook can do nothing else.
    let error = call(&connectors, "send_message", message()).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorActionInputInvalid);
    assert!(error.fields()[0].message.contains("Bot token"), "{error:?}");
    assert_eq!(twin.seen().len(), 5);
}

/// An address that is not a webhook of Slack's is not taken, and nothing of it is told again.
#[tokio::test]
async fn n5_a_webhook_is_at_slack_s_host() {
    let shipped = library::with(tieline_catalog::connectors(), &[]);
    for address in [
        format!("https://evil.example/services/T1/B1/{}", &*HOOK),
        format!("https://hooks.slack.com.evil.example/services/T1/B1/{}", &*HOOK),
        format!("https://hooks.slack.com@evil.example/services/T1/B1/{}", &*HOOK),
        format!("http://hooks.slack.com/services/T1/B1/{}", &*HOOK),
        format!("https://hooks.slack.com/services/T1/B1/{}?x=1", &*HOOK),
        format!("https://hooks.slack.com/services/T1/B1/../{}", &*HOOK),
        format!("https://slack.com/api/services/T1/B1/{}", &*HOOK),
    ] {
        let connect = library::org(&shipped)
            .connect("slack", json!({ "webhook_url": address }))
            .await;
        let error = evidence::told(connect).unwrap_err();
        assert_eq!(error.code(), Code::ConnectorConfigInvalid, "{address}");
        assert!(!HOOK.is_in(&format!("{error:?}")), "{error:?}");
    }
    // Behind the pattern stand the hosts.
    let twin = Twin::always(text(200, "ok")).await;
    let words = [("'^https://hooks", "'^http://127|^https://hooks")];
    let connectors = library::with(vec![library::changed("slack", &words)], &[]);
    let address = format!("{}/services/T1/B1/{}", twin.url(), &*HOOK);
    let connected = library::org(&connectors)
        .connect("slack", json!({ "webhook_url": address }))
        .await;
    evidence::told(connected).unwrap();
    let error = call(&connectors, "send_incoming_webhook", json!({ "text": "x" }))
        .await
        .unwrap_err();
    assert_eq!((error.code(), twin.seen().len()), (Code::HostNotAllowed, 0));
    assert!(!HOOK.is_in(&format!("{error:?}")), "{error:?}");
}

/// A service that tells a secret back is not repeated.
#[tokio::test]
async fn r1_what_slack_echoes_is_scrubbed() {
    let echo = json!({ "ok": false, "error": "missing_scope", "needed": format!("x {TOKEN}"), "response_metadata": { "messages": [format!("no: {TOKEN}")] } });
    let (error, _) = answered(Reply::json(200, &echo), "list_users", json!({})).await;
    assert_eq!(error.code(), Code::UpstreamAccessMissing);
    let team = json!({ "ok": true, "team": format!("Acme {TOKEN}"), "user": &*TOKEN });
    let twin = Twin::always(Reply::json(200, &team)).await;
    let connectors = library::with(vec![slack(&twin)], &[]);
    let connect = library::connect("slack", json!({ "bot_token": TOKEN }));
    let result = evidence::told(connectors.test_unsaved(&library::stranger(), &connect).await).unwrap();
    assert!(result.success && result.label.as_deref().unwrap().starts_with("Acme "));
    assert!(!TOKEN.is_in(&format!("{result:?}")), "{result:?}");
    assert!(!TOKEN.is_in(&serde_json::to_string(&result).unwrap()));
}

/// A webhook cannot be asked; a good token that was revoked is told apart from an answer that is none.
#[tokio::test]
async fn what_connecting_finds_out() {
    let twin = Twin::start([no("token_revoked"), text(200, "<html>maintenance</html>")]).await;
    let connectors = library::with(vec![slack(&twin)], &[]);
    let test = async |fields: Value| {
        let connect = library::connect("slack", fields);
        evidence::told(connectors.test_unsaved(&library::stranger(), &connect).await).unwrap()
    };
    let result = test(json!({ "bot_token": TOKEN })).await;
    assert_eq!(
        (result.success, result.error_code),
        (false, Some(Code::UpstreamUnauthorized))
    );
    let result = test(json!({ "bot_token": TOKEN })).await;
    assert_eq!(
        (result.success, result.error_code),
        (false, Some(Code::UpstreamAnswerInvalid))
    );
    let result = test(json!({ "webhook_url": format!("{}/services/T1/B1/{}", twin.url(), &*HOOK) })).await;
    assert!(
        result.success && result.message.contains("nothing was tried"),
        "{}",
        result.message
    );
    assert_eq!(twin.seen().len(), 2);
}
