//! What happens to a webhook that proved itself: its handler, and that handler's troubles.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::StatusCode;
use serde_json::json;
use tieline::{
    Code, Connector, Connectors, Error, Json, MemoryStore, ScopeRule,
    action::ActionContext,
    connection::DeliveryResult,
    connector::{Arrived, Delivered, Webhook},
    secret::Secret,
};
use tieline_testkit::canary::Canary;

use super::{ACME, Lab, Made, SIGNING, TOKEN, address_of};

static OWN: Canary = Canary::new("secret of a connector in rust");

const BODY: &str = r#"{"kind":"made"}"#;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {
    secret: Secret,
    fails: Option<String>,
}

/// A connector in Rust. Its context, its handler and its check fail as its configuration and the payload say.
fn coded(handled: Arc<AtomicUsize>) -> Connector {
    let webhook = Webhook::new("Receives events.")
        .verify(|call: ActionContext<Config>, arrived: Arrived| async move {
            let signature = arrived
                .headers
                .get("x-acme-signature")
                .map(|value| value.as_bytes().to_vec());
            let panics = arrived.headers.contains_key("x-panic");
            assert!(!panics, "the check fell off over {}", call.config().secret.reveal());
            match signature.as_deref() == Some(call.config().secret.reveal().as_bytes()) {
                true => Ok(()),
                false => Err(format!("it is not {}", call.config().secret.reveal())),
            }
        })
        .handler(move |call: ActionContext<Config, String>, delivered: Delivered<Made>| {
            handled.fetch_add(1, Ordering::SeqCst);
            async move {
                match delivered.payload.kind.as_str() {
                    "panic" => panic!("the handler fell off"),
                    "fail" => Err(Error::new(
                        Code::Overloaded,
                        format!("Not now: {}", call.config().secret.reveal()),
                    )),
                    "other" => Err(Error::internal("reach the table `users`", "it is locked")),
                    _ => Ok(json!({
                        "context": call.context(),
                        "path": delivered.arrived.path,
                        "method": delivered.arrived.method,
                        "header": delivered.arrived.headers["x-own"].to_str().unwrap(),
                        "for": call.scope().identity,
                        "echo": call.config().secret.reveal(),
                    })),
                }
            }
        });
    Connector::builder("own")
        .config::<Config>()
        .on_context(|call: ActionContext<Config>| async move {
            match &call.config().fails {
                Some(why) => Err(Error::new(Code::ConnectorActionFailed, why.clone())),
                None => Ok("made for it".to_owned()),
            }
        })
        .webhook(webhook)
        .build()
        .unwrap()
}

struct Own {
    lab: Lab,
    handled: Arc<AtomicUsize>,
    address: String,
}

async fn own(config: serde_json::Value) -> Own {
    let handled = Arc::new(AtomicUsize::new(0));
    let connector = coded(handled.clone());
    let lab = Lab::shaped(|builder| builder.connector(connector));
    let address = address_of(&lab.org().connect("own", config).await.unwrap());
    Own { lab, handled, address }
}

impl Own {
    async fn send(&self, body: &str, header: (&str, &str)) -> super::Read {
        let request = super::request(&self.address, body)
            .header("x-own", "seen")
            .header(header.0, header.1);
        self.lab.send(request.body(body.to_owned().into()).unwrap()).await
    }

    async fn deliver(&self, body: &str) -> super::Read {
        self.send(body, ("x-acme-signature", &OWN)).await
    }
}

#[tokio::test]
async fn a_connector_in_rust_is_handed_payload_config_context_scope_and_headers() {
    let own = own(json!({ "secret": &*OWN })).await;
    let answer = own.deliver(BODY).await;
    assert_eq!(
        answer.body,
        json!({
            "context": "made for it", "path": "/api/v1/connectors/own/webhook/{token}", "method": "POST",
            "header": "seen", "for": "org_1", "echo": "[redacted]",
        })
    );
    assert_eq!(
        own.lab.told().await,
        ["webhook.received Some(true)", "webhook.processed Some(true)"]
    );
}

#[tokio::test]
async fn w2_a_check_that_fails_tells_its_reason_to_nobody_outside() {
    let own = own(json!({ "secret": &*OWN })).await;
    let refused = own.send(BODY, ("x-acme-signature", "wrong")).await;
    assert_eq!(refused.code(), "CONNECTOR_WEBHOOK_VERIFICATION_FAILED");
    assert_eq!(
        refused.body["detail"],
        "The delivery does not prove where it comes from."
    );
    let view = own.lab.org().get("own").await.unwrap().unwrap().webhook.unwrap();
    assert!(!OWN.is_in(&format!("{view:?}")), "{view:?}");
    let broke = own.send(BODY, ("x-panic", "1")).await;
    assert_eq!((broke.status.as_u16(), broke.code()), (502, "CONNECTOR_ACTION_FAILED"));
    assert_eq!(own.handled.load(Ordering::SeqCst), 0);
    assert_eq!(own.deliver(BODY).await.status, StatusCode::OK, "a panic harms nobody");
}

#[tokio::test]
async fn defect_10_a_handler_that_fails_or_panics_is_an_answer_and_an_event() {
    let own = own(json!({ "secret": &*OWN })).await;
    for (kind, status, code) in [
        ("fail", 503, "OVERLOADED"),
        ("panic", 502, "CONNECTOR_ACTION_FAILED"),
        ("other", 500, "INTERNAL"),
    ] {
        let answer = own.deliver(&json!({ "kind": kind }).to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code));
        let text = answer.body.to_string();
        assert!(
            !text.contains("Not now") && !text.contains("users") && !text.contains("fell off"),
            "{text}"
        );
        let told = own.lab.told().await;
        let expected = [
            "webhook.received Some(true)".to_owned(),
            format!("webhook.failed {code} Some(true)"),
            format!("error.occurred {code} Some(true)"),
        ];
        assert_eq!(told, expected);
        let view = own.lab.org().get("own").await.unwrap().unwrap().webhook.unwrap();
        assert_eq!(view.last_event_result, Some(DeliveryResult::Error));
        let error = view.error.unwrap();
        assert!(error.starts_with(code) && !OWN.is_in(&error), "{error}");
    }
    assert_eq!(own.deliver(BODY).await.status, StatusCode::OK);
    let view = own.lab.org().get("own").await.unwrap().unwrap().webhook.unwrap();
    assert_eq!(
        (view.last_event_result, view.error),
        (Some(DeliveryResult::Success), None)
    );
}

#[tokio::test]
async fn what_fails_before_the_handler_is_told_too() {
    let own = own(json!({ "secret": &*OWN, "fails": "no context today" })).await;
    let answer = own.deliver(BODY).await;
    assert_eq!(answer.code(), "CONNECTOR_ACTION_FAILED");
    assert!(!answer.body.to_string().contains("today"));
    let told = own.lab.told().await;
    let expected =
        ["webhook.failed", "error.occurred"].map(|kind| format!("{kind} CONNECTOR_ACTION_FAILED Some(true)"));
    assert_eq!(told, expected, "nothing was received");
    assert_eq!(own.handled.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_manifests_webhook_without_a_handler_is_answered_as_it_declares() {
    let lab = Lab::shaped(|builder| builder);
    let address = lab.connect().await;
    let answer = lab.deliver(&address, BODY).await;
    assert_eq!(
        (answer.status, &answer.body),
        (StatusCode::OK, &json!({ "status": "received" }))
    );
    assert_eq!(
        lab.deliver(&address, "{").await.code(),
        "CONNECTOR_WEBHOOK_VALIDATION_FAILED"
    );
    let events = lab.told().await;
    assert_eq!(
        events[..2],
        ["webhook.received Some(true)", "webhook.processed Some(true)"]
    );
}

#[tokio::test]
async fn a_handler_is_for_one_connector_that_declares_webhooks() {
    let builder = || {
        Connectors::builder()
            .store(MemoryStore::new())
            .key(tieline::MasterKey::parse(tieline_testkit::canary::master_key()).unwrap())
            .scope("organization", ScopeRule::Required)
            .manifest(ACME)
            .manifest(super::SILENT)
    };
    async fn take(_: ActionContext<Json>, _: Delivered<Made>) -> tieline::Result<()> {
        Ok(())
    }
    let code = |builder: tieline::ConnectorsBuilder| builder.build().err().map(|error| error.code());
    assert_eq!(code(builder().on_webhook("acme", take)), None);
    assert_eq!(
        code(builder().on_webhook("nobody", take)),
        Some(Code::ConnectorNotFound)
    );
    let not_configured = Some(Code::ConnectorWebhookNotConfigured);
    assert_eq!(code(builder().on_webhook("silent", take)), not_configured);
    assert_eq!(
        code(builder().on_webhook("acme", take).on_webhook("acme", take)),
        not_configured
    );
    let own = coded(Arc::default());
    assert_eq!(code(builder().connector(own).on_webhook("own", take)), not_configured);
}

#[tokio::test]
async fn what_a_handler_calls_passes_the_gates_and_its_failure_is_told_once() {
    let calls = Arc::new(std::sync::OnceLock::<Connectors>::new());
    let inner = calls.clone();
    let lab = Lab::shaped(|builder| {
        builder.on_webhook("acme", move |_: ActionContext, _: Delivered<Made>| {
            let connectors = inner.get().unwrap().clone();
            async move {
                let org = connectors.scope("organization", "org_1")?;
                org.action("acme", "nothing").call(json!({})).await
            }
        })
    });
    calls.set(lab.connectors.clone()).ok().unwrap();
    let address = lab.connect().await;
    assert_eq!(lab.deliver(&address, BODY).await.code(), "CONNECTOR_ACTION_NOT_FOUND");
    let told = lab.told().await;
    assert_eq!(
        told.iter().filter(|told| told.starts_with("error.occurred")).count(),
        1,
        "{told:?}"
    );
    assert!(SIGNING.len() > 8 && TOKEN.len() > 8);
}
