//! A connector written in Rust, whole: it sends HTTP to a twin of its service.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tieline::{
    ActionInput, Code, Connector, Connectors, Error, MasterKey, MemoryStore, Result, Scope, ScopeRule,
    action::ActionContext,
    audit::Actor,
    call::{Call, Via},
    connection::Connect,
    connector::{CodedBuilder, TestReport, Validation},
    connectors::Scoped,
    egress::EgressPolicy,
    secret::Secret,
    store::Store,
};
use tieline_testkit::{
    canary::{self, Canary},
    twin::{Reply, Twin},
};

use crate::lab::TENANT;

pub(crate) static BOT: Canary = Canary::shaped("telegram bot token", "################:A-################");

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TelegramConfig {
    /// As the bot that makes bots shows it.
    pub(crate) bot_token: Secret,
    pub(crate) chat_id: String,
    /// Where the service is.
    pub(crate) api: String,
    #[serde(default)]
    pub(crate) quiet: Quiet,
}

/// When messages make no sound.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Quiet {
    pub(crate) hours: Vec<u8>,
}

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub(crate) enum ParseMode {
    Html,
    Markdown,
}

/// Sends a message to a chat.
#[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
#[serde(rename_all = "camelCase")]
#[action(connector = "telegram", id = "sendMessage", output = Sent, effect = "write")]
pub(crate) struct SendMessage {
    /// What it says.
    pub(crate) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parse_mode: Option<ParseMode>,
}

impl SendMessage {
    pub(crate) fn saying(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            parse_mode: None,
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    pub(crate) message_id: i64,
}

/// Tells for whom it was called, and how often a context was made.
#[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
#[action(connector = "telegram", id = "whoami", output = Whoever, effect = "read", idempotent)]
pub(crate) struct WhoAmI {}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Whoever {
    pub(crate) kind: String,
    pub(crate) identity: String,
    pub(crate) chat: String,
    pub(crate) made: usize,
}

/// What `on_context` makes.
pub(crate) struct Chat {
    pub(crate) name: String,
    pub(crate) made: usize,
}

#[derive(Deserialize)]
struct Answer {
    result: Message,
}

#[derive(Deserialize)]
struct Message {
    message_id: i64,
}

pub(crate) async fn send_message(call: ActionContext<TelegramConfig>, input: SendMessage) -> Result<Sent> {
    let config = call.config();
    let url = format!("{}/bot{}/sendMessage", config.api, config.bot_token.reveal());
    let quiet = !config.quiet.hours.is_empty();
    let body = json!({
        "chat_id": config.chat_id, "text": input.message, "parse_mode": input.parse_mode, "disable_notification": quiet,
    });
    let answer = call.http().post(url).json(&body)?.send().await?.success()?;
    let answer: Answer = answer.json()?;
    Ok(Sent {
        message_id: answer.result.message_id,
    })
}

async fn whoami(call: ActionContext<TelegramConfig, Chat>, _: WhoAmI) -> Result<Whoever> {
    Ok(Whoever {
        kind: call.scope().kind.clone(),
        identity: call.scope().identity.clone(),
        chat: call.context().name.clone(),
        made: call.context().made,
    })
}

async fn validate(asked: Validation<TelegramConfig>) -> Result<()> {
    match asked.config().chat_id.as_str() {
        "closed" => {
            let token = asked.config().bot_token.reveal();
            let error = Error::new(Code::UpstreamAccessMissing, format!("{token} is not in that chat."));
            Err(error.field("/config/chatId", "add the bot to it"))
        }
        "slow" => std::future::pending().await,
        "panic" => panic!("a judge that fell off"),
        _ => Ok(()),
    }
}

/// The connector, but for its configuration's default.
pub(crate) fn telegram() -> CodedBuilder {
    let made = Arc::new(AtomicUsize::new(0));
    Connector::builder("telegram")
        .name("Telegram")
        .description("Messages to people.")
        .config::<TelegramConfig>()
        .allowed_hosts(["127.0.0.1"])
        .on_context(move |call: ActionContext<TelegramConfig>| {
            let made = made.clone();
            async move {
                Ok::<_, tieline::Error>(Chat {
                    name: format!("chat {}", call.config().chat_id),
                    made: made.fetch_add(1, Ordering::SeqCst) + 1,
                })
            }
        })
        .on_validate(validate)
        .test(|call: ActionContext<TelegramConfig>| async move {
            let config = call.config();
            let url = format!("{}/bot{}/getMe", config.api, config.bot_token.reveal());
            let answer: serde_json::Value = call.http().get(url).send().await?.success()?.json()?;
            Ok::<_, tieline::Error>(TestReport {
                label: answer["result"]["username"].as_str().map(str::to_owned),
                ..TestReport::default()
            })
        })
        .action(send_message)
        .action(whoami)
}

pub(crate) fn house(connector: Connector) -> Connectors {
    house_over(Arc::new(MemoryStore::new()), connector)
}

pub(crate) fn house_over(store: Arc<dyn Store>, connector: Connector) -> Connectors {
    Connectors::builder()
        .shared_store(store)
        .key(MasterKey::parse(canary::master_key()).unwrap())
        .scope("organization", ScopeRule::Required)
        .scope("system", ScopeRule::Optional)
        .connector(connector)
        .egress(EgressPolicy {
            loopback: true,
            ..EgressPolicy::default()
        })
        .build()
        .unwrap()
}

pub(crate) fn config(twin: &Twin) -> serde_json::Value {
    json!({ "botToken": &*BOT, "chatId": "77", "api": twin.url() })
}

pub(crate) async fn connected(twin: &Twin) -> Scoped {
    let org = house(telegram().build().unwrap())
        .scope("organization", "org_1")
        .unwrap();
    org.connect("telegram", config(twin)).await.unwrap();
    org
}

pub(crate) async fn service() -> Twin {
    Twin::always(Reply::json(
        200,
        &json!({ "ok": true, "result": { "message_id": 7, "username": "acme_bot" } }),
    ))
    .await
}

#[tokio::test]
async fn a_message_goes_out_by_type_and_by_name() {
    let twin = service().await;
    let org = connected(&twin).await;
    let sent = org.call(SendMessage::saying("Hello")).await.unwrap();
    assert_eq!(sent.message_id, 7);
    let seen = twin.seen();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].target.clone()),
        ("POST", format!("/bot{}/sendMessage", &*BOT))
    );
    assert_eq!(
        seen[0].json(),
        json!({ "chat_id": "77", "text": "Hello", "parse_mode": null, "disable_notification": false })
    );
    let input = json!({ "message": "Hello", "parseMode": "Markdown" });
    let same = org.action("telegram", "sendMessage").call(input).await.unwrap();
    assert_eq!(same.to_value(), json!({ "messageId": 7 }));
    assert_eq!(twin.seen()[1].json()["parse_mode"], "Markdown");
}

#[tokio::test]
async fn a_connection_is_tested_by_its_code() {
    let twin = service().await;
    let connectors = house(telegram().build().unwrap());
    let connect = Connect {
        config: config(&twin).into(),
        ..Connect::new("telegram", Scope::new("organization", "org_1").unwrap())
    };
    let created = connectors
        .create_connection(&Actor::new(TENANT, "test"), connect)
        .await
        .unwrap();
    let tested = created.test;
    assert!(tested.success, "{tested:?}");
    assert_eq!(tested.label.as_deref(), Some("acme_bot"));
}

#[tokio::test]
async fn e7_a_handlers_request_shows_its_secrets_to_nobody() {
    let twin = Twin::always(Reply::json(403, &json!({ "ok": false }))).await;
    let org = connected(&twin).await;
    let error = org.call(SendMessage::saying("x")).await.unwrap_err();
    assert_eq!(error.code(), Code::UpstreamAccessMissing);
    assert!(!BOT.is_in(&format!("{error:?}")), "{error:?}");
    // Nobody is there: the error shows the request.
    let gone = Twin::always(Reply::empty(200)).await;
    let mut unreachable = config(&gone);
    unreachable["api"] = json!("http://127.0.0.1:1");
    org.connect("telegram", unreachable).await.unwrap();
    let error = org.call(SendMessage::saying("x")).await.unwrap_err();
    assert_eq!(error.code(), Code::UpstreamUnreachable);
    assert!(error.detail().contains("{{config.botToken}}"), "{error:?}");
    assert!(!BOT.is_in(&format!("{error:?}")), "{error:?}");
}

#[tokio::test]
async fn n5_a_handler_speaks_to_its_hosts_only() {
    let twin = service().await;
    let org = connected(&twin).await;
    let mut elsewhere = config(&twin);
    elsewhere["api"] = json!(format!("http://localhost:{}", twin.port()));
    org.connect("telegram", elsewhere).await.unwrap();
    let error = org.call(SendMessage::saying("x")).await.unwrap_err();
    assert_eq!(error.code(), Code::HostNotAllowed);
    assert_eq!(twin.seen().len(), 0);
}

#[tokio::test]
async fn what_is_judged_before_it_is_stored_says_why() {
    let twin = service().await;
    let org = connected(&twin).await;
    let wish = |chat: &str| {
        let mut config = config(&twin);
        config["chatId"] = json!(chat);
        config
    };
    let error = org
        .named("other")
        .connect("telegram", wish("closed"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::UpstreamAccessMissing);
    assert_eq!(error.fields()[0].pointer, "/config/chatId");
    assert!(!BOT.is_in(&format!("{error:?}")), "{error:?}");
    assert!(
        org.named("other").get("telegram").await.unwrap().is_none(),
        "nothing is stored"
    );
    // A change is judged too, with the secrets that stay.
    let error = org.update("telegram", json!({ "chatId": "closed" })).await.unwrap_err();
    assert_eq!(error.code(), Code::UpstreamAccessMissing);
    assert!(!BOT.is_in(&format!("{error:?}")), "{error:?}");
    let error = org.update("telegram", json!({ "chatId": "panic" })).await.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    let kept = org.get("telegram").await.unwrap().unwrap();
    assert_eq!(
        kept.config.get("chatId").and_then(tieline_manifest::Tree::as_str),
        Some("77")
    );
    org.call(SendMessage::saying("still here")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_judgement_has_an_end() {
    let house = house(telegram().build().unwrap());
    let org = house.scope("organization", "org_1").unwrap();
    let wish = json!({ "botToken": &*BOT, "chatId": "slow", "api": "http://127.0.0.1:1" });
    let error = org.connect("telegram", wish).await.unwrap_err();
    assert_eq!(error.code(), Code::UpstreamTimeout);
    assert!(org.get("telegram").await.unwrap().is_none());
}

#[tokio::test]
async fn a_handler_sees_its_scope_and_its_context() {
    let twin = service().await;
    let org = connected(&twin).await;
    let whoever = org.call(WhoAmI {}).await.unwrap();
    let expected = Whoever {
        kind: "organization".to_owned(),
        identity: "org_1".to_owned(),
        chat: "chat 77".to_owned(),
        made: 1,
    };
    assert_eq!(whoever, expected);
}

#[tokio::test]
async fn a_default_configuration_serves_nobody_in_particular() {
    let twin = service().await;
    let house = house(telegram().default_config(config(&twin)).build().unwrap());
    let sent = house
        .action("telegram", "sendMessage")
        .call(json!({ "message": "Hello" }))
        .await
        .unwrap();
    assert_eq!(sent.to_value(), json!({ "messageId": 7 }));
    let whoever = house.action("telegram", "whoami").call(json!({})).await.unwrap();
    assert_eq!(whoever.to_value()["kind"], "default");
    assert_eq!(whoever.to_value()["identity"], "");
    // It is nobody's connection: a scope still has to connect.
    let org = house.scope("organization", "org_1").unwrap();
    let error = org.call(SendMessage::saying("x")).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorNotConnected);
    let without = self::house(telegram().build().unwrap());
    let error = without
        .action("telegram", "sendMessage")
        .call(json!({ "message": "x" }))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ConnectorDefaultConfigRequired);
}

#[tokio::test]
async fn n5_without_declared_hosts_only_who_may_write_credentials_sends_secrets() {
    let twin = service().await;
    let open = || {
        Connector::builder("telegram")
            .config::<TelegramConfig>()
            .action(send_message)
    };
    let house = house(open().default_config(config(&twin)).build().unwrap());
    let caller = Actor::new(TENANT, "test");
    let writer = caller.clone().writing_credentials(true);
    let wish = Connect {
        config: config(&twin).into(),
        ..Connect::new("telegram", Scope::new("organization", "org_1").unwrap())
    };
    let connection = house.connect(&writer, wish.clone()).await.unwrap();
    let code = async |by: &Actor, via: Via| {
        let call = Call {
            connector: Some("telegram".to_owned()),
            action: "sendMessage".to_owned(),
            input: json!({ "message": "x" }).into(),
            via,
            idempotency_key: None,
        };
        house.call(by, call).await.err().map(|error| error.code())
    };
    for via in [Via::Connection(connection.id), Via::Default] {
        assert_eq!(code(&caller, via.clone()).await, Some(Code::HostNotAllowed), "{via:?}");
        assert_eq!(code(&writer, via.clone()).await, None, "{via:?}");
    }
    // Who brings them along may send them where he likes.
    let inline = Via::Inline {
        auth: None,
        config: wish.config,
    };
    assert_eq!(code(&caller, inline).await, None);
    assert_eq!(twin.seen().len(), 3);
}
