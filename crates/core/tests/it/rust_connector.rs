//! Connectors written in Rust: what they declare, and what of it is refused.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tieline::{
    ActionInput, Code, Connector, Connectors, Json, MasterKey, MemoryStore, Result, ScopeRule,
    action::ActionContext,
    connector::{Arrived, CodedBuilder, Delivered, OAuth, Webhook},
    secret::Secret,
};
use tieline_testkit::canary::{self, Canary};

use crate::telegram::{TelegramConfig, house, telegram};

static CLIENT: Canary = Canary::new("oauth client secret");
static PASSWORD: Canary = Canary::new("nested password");

#[derive(Serialize, JsonSchema)]
struct About {
    team: &'static str,
}

/// A builder's word.
type Word = fn(CodedBuilder) -> CodedBuilder;

/// Every order of these.
fn orders(words: &[Word]) -> Vec<Vec<Word>> {
    if words.is_empty() {
        return vec![Vec::new()];
    }
    let first = |at: usize| {
        let mut rest = words.to_vec();
        let word = rest.remove(at);
        orders(&rest).into_iter().map(move |order| [vec![word], order].concat())
    };
    (0..words.len()).flat_map(first).collect()
}

#[test]
fn the_order_of_a_builders_words_loses_nothing() {
    let words: [Word; 6] = [
        |builder| builder.config::<TelegramConfig>(),
        |builder| builder.action(crate::telegram::send_message),
        |builder| builder.on_context(|_: ActionContext<TelegramConfig>| async { Ok::<_, tieline::Error>(7_u8) }),
        |builder| {
            builder
                .on_validate(|_: tieline::connector::Validation<TelegramConfig>| async { Ok::<_, tieline::Error>(()) })
        },
        |builder| {
            builder
                .metadata(&About { team: "chat" })
                .allowed_hosts(["api.telegram.org"])
        },
        |builder| builder.webhook(webhook()),
    ];
    let told = |order: Vec<Word>| {
        let builder = order
            .into_iter()
            .fold(Connector::builder("telegram"), |builder, word| word(builder));
        serde_json::to_value(builder.build().unwrap().descriptor()).unwrap()
    };
    let expected = told(words.to_vec());
    assert_eq!(expected["actions"][0]["id"], "sendMessage");
    assert_eq!(expected["metadata"], json!({ "team": "chat" }));
    assert_eq!(expected["webhook"]["description"], "Receives updates.");
    assert_eq!(expected["allowedHosts"], json!(["api.telegram.org"]));
    let orders = orders(&words);
    assert_eq!(orders.len(), 720);
    for order in orders {
        assert_eq!(told(order), expected);
    }
}

#[derive(Deserialize, JsonSchema)]
struct Update {
    update_id: i64,
}

fn webhook() -> Webhook {
    Webhook::new("Receives updates.")
        .verify(|call: ActionContext<TelegramConfig>, arrived: Arrived| async move {
            match arrived.body.ends_with(call.config().chat_id.as_bytes()) {
                true => Ok::<_, tieline::Error>(()),
                false => Err(tieline::Error::new(Code::ConnectorWebhookVerificationFailed, "No.")),
            }
        })
        .handler(
            |_: ActionContext<TelegramConfig>, delivered: Delivered<Update>| async move {
                Ok::<_, tieline::Error>(delivered.payload.update_id)
            },
        )
}

#[test]
fn the_descriptor_tells_what_the_types_say() {
    let connector = telegram().icon("plane").webhook(webhook()).build().unwrap();
    let told = connector.descriptor();
    assert_eq!((told.name.as_str(), told.icon.as_deref()), ("Telegram", Some("plane")));
    let fields: Vec<(&str, &str, bool, bool)> = told.auth[0]
        .fields
        .iter()
        .map(|field| (field.name.as_str(), field.r#type.as_str(), field.secret, field.required))
        .collect();
    for expected in [
        ("botToken", "string", true, true),
        ("chatId", "string", false, true),
        ("api", "string", false, true),
        ("quiet", "json", false, false),
    ] {
        assert!(fields.contains(&expected), "{fields:?}");
    }
    assert_eq!(told.auth[0].schema["additionalProperties"], false);
    assert_eq!(told.auth[0].schema["properties"]["botToken"]["writeOnly"], true);
    let action = told.actions.iter().find(|action| action.id == "sendMessage").unwrap();
    assert_eq!(
        (action.name.as_str(), action.description.as_str()),
        ("Send message", "Sends a message to a chat.")
    );
    assert_eq!(action.input["properties"]["message"]["description"], "What it says.");
    assert_eq!(action.input["additionalProperties"], false);
    let webhook = serde_json::to_value(&told.webhook).unwrap();
    assert_eq!(
        (&webhook["verified"], &webhook["payload"]["required"]),
        (&json!(true), &json!(["update_id"]))
    );
}

fn refused(builder: CodedBuilder) -> (Code, String) {
    let error = builder.build().err().unwrap();
    (error.code(), format!("{error:?}"))
}

#[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
#[action(connector = "acme", id = "look", output = Look, effect = "read")]
struct Look {}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[test]
fn what_does_not_fit_together_is_refused_at_build() {
    let (code, said) = refused(Connector::builder("acme").name("Acme"));
    assert_eq!(code, Code::ConnectorBuildConfigRequired);
    assert!(said.contains(".config::<"), "{said}");
    let acme = || Connector::builder("acme").config::<Nothing>();
    let other = |_: ActionContext<TelegramConfig>, input: Look| async { Ok::<_, tieline::Error>(input) };
    let (code, said) = refused(acme().action(other));
    assert_eq!(code, Code::ManifestInvalid);
    assert!(said.contains("TelegramConfig") && said.contains("`look`"), "{said}");
    let context = |_: ActionContext<Nothing, u8>, input: Look| async { Ok::<_, tieline::Error>(input) };
    let (code, said) = refused(acme().action(context));
    assert!(code == Code::ManifestInvalid && said.contains("on_context"), "{said}");
    let fine = |_: ActionContext<Nothing>, input: Look| async { Ok::<_, tieline::Error>(input) };
    assert!(acme().action(fine).build().is_ok());
    for (builder, word) in [
        (acme().action(fine).action(fine), "twice"),
        (
            Connector::builder("other").config::<Nothing>().action(fine),
            "was written for `acme`",
        ),
        (Connector::builder("No Id").config::<Nothing>(), "an id is"),
        (acme().allowed_hosts(["https://a.example/x"]), "allowedHosts"),
        (acme().config_schema(json!({ "type": "array" })), "is no object"),
        (
            acme().config_schema(json!({ "type": "object", "properties": { "a": { "type": 7 } } })),
            "no JSON Schema",
        ),
        (
            acme().metadata_value(json!({ "type": "object", "required": ["team"] }), json!({})),
            "/metadata/team",
        ),
        (acme().webhook(Webhook::new("Nobody takes it.")), "has no handler"),
    ] {
        let (code, said) = refused(builder);
        assert!(
            code == Code::ManifestInvalid && said.contains(word),
            "{word}: {code} {said}"
        );
    }
    let (code, said) = refused(telegram().default_config(json!({ "botTokn": "x" })));
    assert!(
        code == Code::ConnectorConfigInvalid && said.contains("/config/botTokn"),
        "{said}"
    );
}

#[test]
fn a_house_says_what_it_lacks() {
    let builder = || {
        Connectors::builder()
            .store(MemoryStore::new())
            .key(MasterKey::parse(canary::master_key()).unwrap())
    };
    let code = |builder: tieline::ConnectorsBuilder| builder.build().err().map(|error| error.code());
    assert_eq!(code(builder().connectors([])), Some(Code::ConnectorBuildScopesRequired));
    let scoped = || builder().scope("system", ScopeRule::Optional);
    assert_eq!(code(scoped()), Some(Code::ConnectorBuildConnectorsRequired));
    assert_eq!(code(scoped().connectors([])), None);
}

#[test]
fn a_sign_in_is_declared_and_keeps_its_clients_secret() {
    let oauth = OAuth::new(
        "https://login.acme.example/authorize",
        "https://login.acme.example/token",
    )
    .client("our-client", &*CLIENT)
    .scopes(["contacts.read"])
    .extra_param("prompt", "consent")
    .user_info_url("https://login.acme.example/me")
    .read_account(|_| Ok(tieline::connector::Account::default()));
    let connector = Connector::builder("acme")
        .config::<Nothing>()
        .oauth(oauth)
        .build()
        .unwrap();
    let told = serde_json::to_value(connector.descriptor()).unwrap();
    assert_eq!(told["auth"][0]["type"], "oauth2");
    assert_eq!(
        told["oauth"]["authorizationUrl"],
        "https://login.acme.example/authorize"
    );
    assert_eq!(
        (&told["oauth"]["oauthScopes"], &told["oauth"]["pkce"]),
        (&json!(["contacts.read"]), &json!(true))
    );
    assert!(!CLIENT.is_in(&told.to_string()) && !CLIENT.is_in(&format!("{:?}", connector.oauth())));
    let declared = connector.oauth().unwrap();
    assert!(
        declared
            .client_secret()
            .is_some_and(|secret| **secret.reveal() == *CLIENT)
    );
    assert!(declared.account_reader().is_some() && declared.tokens_reader().is_none());
    let bad = OAuth::new("not a url", "https://login.acme.example/token");
    assert_eq!(
        refused(Connector::builder("acme").config::<Nothing>().oauth(bad)).0,
        Code::ManifestInvalid
    );
}

/// Everything a configuration may hold.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Wide {
    #[schemars(title = "Region of the account")]
    region: Region,
    #[serde(rename = "max-items", default = "ten")]
    max_items: u32,
    account: Account,
    labels: Vec<String>,
    #[serde(default)]
    limits: BTreeMap<String, u8>,
    #[schemars(extend("writeOnly" = true))]
    pin: Option<String>,
}

fn ten() -> u32 {
    10
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Region {
    Eu,
    Us,
}

#[derive(Deserialize, JsonSchema)]
struct Account {
    user: String,
    password: Secret,
}

/// Tells what it was given.
#[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
#[action(connector = "wide", id = "tell", output = Told, effect = "read")]
struct Tell {}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Told {
    told: Vec<String>,
    length: usize,
}

async fn tell(call: ActionContext<Wide>, _: Tell) -> Result<Told> {
    let config = call.config();
    let region = match config.region {
        Region::Eu => "eu",
        Region::Us => "us",
    };
    let mut told = vec![
        region.to_owned(),
        config.max_items.to_string(),
        config.account.user.clone(),
    ];
    told.extend(config.labels.clone());
    told.extend(config.limits.iter().map(|(name, limit)| format!("{name}={limit}")));
    told.push(format!("pin {}", config.pin.is_some()));
    Ok(Told {
        told,
        length: config.account.password.reveal().len(),
    })
}

fn wide() -> Connector {
    Connector::builder("wide")
        .config::<Wide>()
        .action(tell)
        .build()
        .unwrap()
}

fn wide_config() -> Value {
    json!({
        "region": "eu", "labels": ["a", "b"], "limits": { "x": 3 }, "pin": "0042",
        "account": { "user": "ada", "password": &*PASSWORD },
    })
}

#[tokio::test]
async fn nested_values_and_renames_reach_the_handler() {
    let org = house(wide()).scope("organization", "org_1").unwrap();
    let connection = org.connect("wide", wide_config()).await.unwrap();
    let shown = serde_json::to_value(&connection).unwrap();
    assert!(!PASSWORD.is_in(&shown.to_string()), "{shown}");
    assert_eq!(
        shown["secrets"]["account"]["set"], true,
        "a secret inside seals the whole field"
    );
    assert_eq!(
        shown["secrets"]["account"].get("last4"),
        None,
        "the last of several may be short"
    );
    assert_eq!(shown["secrets"]["pin"]["set"], true);
    assert_eq!(
        shown["config"],
        json!({ "region": "eu", "labels": ["a", "b"], "limits": { "x": 3 }, "max-items": 10 })
    );
    let told = org.call(Tell {}).await.unwrap();
    assert_eq!(told.told, ["eu", "10", "ada", "a", "b", "x=3", "pin true"]);
    assert_eq!(told.length, PASSWORD.len());
    let connector = wide();
    let region = connector.descriptor().auth[0]
        .fields
        .iter()
        .find(|field| field.name == "region")
        .unwrap();
    assert_eq!(
        (region.label.as_str(), region.r#type.as_str()),
        ("Region of the account", "string")
    );
}

#[tokio::test]
async fn what_does_not_fit_is_refused_where_it_stands() {
    let org = house(wide()).scope("organization", "org_1").unwrap();
    for (pointer, value, wrong) in [
        ("/account/password", json!(7), "/config/account/password"),
        ("/account/usr", json!("x"), "/config/account/usr"),
        ("/labels/0", json!(7), "/config/labels/0"),
        ("/limits/x", json!(3000), "/config/limits/x"),
        ("/region", json!("moon"), "/config/region"),
        ("/regoin", json!("eu"), "/config/regoin"),
        ("/max-items", json!(-1), "/config/max-items"),
    ] {
        let mut config = wide_config();
        let (way, name) = pointer.rsplit_once('/').unwrap();
        match config.pointer_mut(way).unwrap() {
            Value::Array(items) => items[0] = value,
            place => place[name] = value,
        }
        let error = org.connect("wide", config).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorConfigInvalid, "{pointer}");
        assert!(
            error.fields().iter().any(|field| field.pointer == wrong),
            "{pointer}: {error:?}"
        );
        assert!(!PASSWORD.is_in(&format!("{error:?}")), "{error:?}");
    }
    let error = org.connect("wide", json!({ "region": "eu" })).await.unwrap_err();
    let missing: Vec<&str> = error.fields().iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!(missing, ["/config/account", "/config/labels"], "{error:?}");
    assert!(org.get("wide").await.unwrap().is_none());
}

#[tokio::test]
async fn a_secret_that_is_sent_back_as_it_was_shown_stays() {
    let org = house(wide()).scope("organization", "org_1").unwrap();
    let connection = org.connect("wide", wide_config()).await.unwrap();
    let shown = serde_json::to_value(&connection.secrets["account"]).unwrap();
    org.update("wide", json!({ "account": shown, "region": "us" }))
        .await
        .unwrap();
    let told = org.call(Tell {}).await.unwrap();
    assert_eq!((told.told[0].as_str(), told.length), ("us", PASSWORD.len()));
    org.update(
        "wide",
        json!({ "account": { "user": "bob", "password": "another-one" } }),
    )
    .await
    .unwrap();
    assert_eq!(org.call(Tell {}).await.unwrap().told[2], "bob");
    let error = org
        .update("wide", json!({ "account": { "user": "bob" } }))
        .await
        .unwrap_err();
    assert_eq!(error.fields()[0].pointer, "/config/account/password");
    let error = org.update("wide", json!({ "account": null })).await.unwrap_err();
    assert_eq!(error.fields()[0].pointer, "/config/account");
}

#[tokio::test]
async fn a_schema_is_enough_and_is_read_as_json() {
    let schema = json!({
        "type": "object",
        "properties": { "token": { "type": "string", "writeOnly": true }, "size": { "type": "integer" } },
        "required": ["token"],
    });
    let read = |call: ActionContext<Json>, _: Tell| async move {
        let size = call.config().get("size").map(tieline_manifest::Tree::to_text);
        let length = call
            .config()
            .get("token")
            .and_then(tieline_manifest::Tree::as_str)
            .map_or(0, str::len);
        Ok::<_, tieline::Error>(Told {
            told: size.into_iter().collect(),
            length,
        })
    };
    let connector = Connector::builder("wide")
        .config_schema(schema)
        .action(read)
        .build()
        .unwrap();
    let org = house(connector).scope("organization", "org_1").unwrap();
    org.connect("wide", json!({ "token": "12345678", "size": 12 }))
        .await
        .unwrap();
    let told = org.call(Tell {}).await.unwrap();
    assert_eq!((told.told, told.length), (vec!["12".to_owned()], 8));
    let error = org
        .connect("wide", json!({ "token": "12345678", "szie": 1 }))
        .await
        .unwrap_err();
    assert_eq!(error.fields()[0].pointer, "/config/szie");
}
