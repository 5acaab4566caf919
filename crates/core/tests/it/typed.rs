//! Typed actions: in which order a call is judged, and how its handler's failures are told.

use std::{error::Error as StdError, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tieline::{ActionInput, Code, Connector, Error, Result, action::ActionContext, connectors::Scoped};

use crate::telegram::house;

#[derive(Deserialize, JsonSchema)]
struct Config {
    #[serde(default)]
    context: String,
}

/// Does what it is told.
#[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
#[action(connector = "acme", id = "act", output = Done, effect = "write")]
struct Act {
    how: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Done {
    #[schemars(range(max = 9))]
    number: u8,
}

#[derive(Debug)]
struct Foreign;

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the disk is full")
    }
}

impl StdError for Foreign {}

async fn act(_: ActionContext<Config, u8>, input: Act) -> Result<Done, Box<dyn StdError + Send + Sync>> {
    match input.how.as_str() {
        "ours" => Err(Error::new(Code::UpstreamAccessMissing, "Not yours.").into()),
        "foreign" => Err(Foreign.into()),
        "text" => Err("no such thing".into()),
        "panic" => panic!("the handler fell off"),
        "odd" => Ok(Done { number: 77 }),
        _ => Ok(Done { number: 7 }),
    }
}

async fn make(call: ActionContext<Config>) -> Result<u8, Foreign> {
    match call.config().context.as_str() {
        "foreign" => Err(Foreign),
        "panic" => panic!("the context fell off"),
        _ => Ok(1),
    }
}

async fn connected(context: &str) -> Scoped {
    let acme = Connector::builder("acme")
        .config::<Config>()
        .on_context(make)
        .action(act);
    let org = house(acme.build().unwrap()).scope("organization", "org_1").unwrap();
    org.connect("acme", json!({ "context": context })).await.unwrap();
    org
}

fn how(how: &str) -> Act {
    Act { how: how.to_owned() }
}

#[tokio::test]
async fn a_handlers_failure_is_a_coded_error() {
    let org = connected("").await;
    for (word, code, said) in [
        ("ours", Code::UpstreamAccessMissing, "Not yours."),
        (
            "foreign",
            Code::ConnectorActionFailed,
            "`act` of `acme` failed: the disk is full",
        ),
        (
            "text",
            Code::ConnectorActionFailed,
            "`act` of `acme` failed: no such thing",
        ),
        (
            "panic",
            Code::ConnectorActionFailed,
            "`act` of `acme` broke off in the middle.",
        ),
    ] {
        let error = org.call(how(word)).await.unwrap_err();
        assert_eq!(error.code(), code, "{word}");
        assert!(error.detail().starts_with(said), "{word}: {error:?}");
    }
    // A panic harms nobody else.
    assert_eq!(org.call(how("fine")).await.unwrap().number, 7);
}

#[tokio::test]
async fn a_contexts_failure_is_a_coded_error() {
    for (word, said) in [
        ("foreign", "The context of `acme` failed: the disk is full"),
        ("panic", "The context of `acme` broke off in the middle."),
    ] {
        let error = connected(word).await.call(how("fine")).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorActionFailed, "{word}");
        assert!(error.detail().starts_with(said), "{word}: {error:?}");
    }
}

#[tokio::test]
async fn an_output_that_does_not_fit_is_told_with_the_output() {
    let error = connected("").await.call(how("odd")).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorActionOutputInvalid);
    assert_eq!(error.effect_output().unwrap().to_value(), json!({ "number": 77 }));
}

#[tokio::test]
async fn a_call_is_judged_from_the_connector_to_the_handler() {
    // Each time one thing less is wrong.
    let org = connected("foreign").await;
    let unconnected = org.named("other");
    let code = async |org: &Scoped, connector: &str, action: &str, input: serde_json::Value| {
        org.action(connector, action).call(input).await.unwrap_err().code()
    };
    let wrong = || json!({ "hwo": "panic" });
    assert_eq!(
        code(&unconnected, "acem", "atc", wrong()).await,
        Code::ConnectorNotFound
    );
    assert_eq!(
        code(&unconnected, "acme", "atc", wrong()).await,
        Code::ConnectorActionNotFound
    );
    assert_eq!(
        code(&unconnected, "acme", "act", wrong()).await,
        Code::ConnectorNotConnected
    );
    org.disable("acme").await.unwrap();
    assert_eq!(code(&org, "acme", "act", wrong()).await, Code::ConnectionDisabled);
    org.enable("acme").await.unwrap();
    let error = org.action("acme", "act").call(wrong()).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorActionInputInvalid);
    assert!(error.fields().iter().any(|field| field.pointer == "/hwo"), "{error:?}");
    assert!(error.fields().iter().any(|field| field.pointer == "/how"), "{error:?}");
    let error = org.call(how("panic")).await.unwrap_err();
    assert!(error.detail().starts_with("The context of"), "{error:?}");
    org.update("acme", json!({ "context": "" })).await.unwrap();
    let error = org.call(how("panic")).await.unwrap_err();
    assert!(error.detail().starts_with("`act` of"), "{error:?}");
}
