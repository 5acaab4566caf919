//! Stripe's webhooks, signed by Stripe's own library.

use std::sync::Arc;

use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use serde_json::{Value, json};
use tieline::{
    Connectors, MasterKey, ScopeRule,
    action::ActionContext,
    clock::{Clock, TestClock},
    connector::Delivered,
};
use tieline_store::SqliteStore;
use tieline_testkit::{
    canary::{self, Canary},
    evidence,
    part::Part,
};

use super::{KEY, SIGNING};
use crate::library;

static OTHER: Canary = Canary::shaped("another signing secret", "whsec_########################");

#[derive(Deserialize)]
struct Delivery {
    name: String,
    body: String,
    header: Option<String>,
    /// Whether Stripe's library would take it.
    accepted: bool,
}

/// What somebody who subscribes writes: the event, as far as they care.
#[derive(Deserialize, schemars::JsonSchema)]
struct Event {
    r#type: String,
    data: Data,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Data {
    object: Value,
}

fn house(clock: Arc<TestClock>) -> Connectors {
    let database = evidence::data_folder().join("tieline.db");
    let store = SqliteStore::open(&database).unwrap();
    evidence::keep_wal(&database);
    Connectors::builder()
        .store(store)
        .key(MasterKey::parse(canary::master_key()).unwrap())
        .scope("organization", ScopeRule::Required)
        .clock(clock)
        .base_url("https://app.example")
        .connector(library::changed("stripe", &[]))
        .on_webhook("stripe", |_: ActionContext, delivered: Delivered<Event>| async move {
            let Event { r#type, data } = delivered.payload;
            Ok::<_, tieline::Error>(json!({ "type": r#type, "note": data.object["note"] }))
        })
        .build()
        .unwrap()
}

async fn send(connectors: &Connectors, path: &str, delivery: &Delivery, headers: &[&str]) -> (u16, Value) {
    let mut request = Request::post(path).header("content-type", "application/json; charset=utf-8");
    for header in headers {
        request = request.header("stripe-signature", HeaderValue::from_str(header).unwrap());
    }
    let request = request.body(Full::<bytes::Bytes>::from(delivery.body.clone())).unwrap();
    let (head, body) = connectors.handle_path(request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    evidence::keep(evidence::Kind::Answer, &body);
    (head.status.as_u16(), serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn w2_w3_stripes_own_signatures_are_judged_as_stripe_judges_them() {
    let clock = Arc::new(TestClock::at("2026-11-20T09:00:00Z".parse().unwrap()));
    let now = clock.now().as_second().to_string();
    let env = [
        ("STRIPE_SECRET", &*SIGNING),
        ("STRIPE_OTHER", &*OTHER),
        ("STRIPE_NOW", now.as_str()),
    ];
    let Some(part) = Part::start("stripe.mjs", &env) else {
        return;
    };
    let deliveries: Vec<Delivery> = serde_json::from_value(part.ready()["deliveries"].clone()).unwrap();
    let connectors = house(clock);
    let config = json!({ "secret_key": KEY, "webhook_secret": SIGNING });
    let connected = library::org(&connectors).connect("stripe", config).await.unwrap();
    let address = connected.webhook.unwrap().address.unwrap();
    canary::never_told("a webhook's secret", address.reveal().rsplit('.').next().unwrap());
    let path = address.reveal().strip_prefix("https://app.example").unwrap();
    let mut taken = 0;
    for delivery in &deliveries {
        let headers: Vec<&str> = delivery.header.iter().map(String::as_str).collect();
        let (status, body) = send(&connectors, path, delivery, &headers).await;
        // Theirs looks at what is too old only; ours at both (W3).
        let expected = delivery.accepted && delivery.name != "future";
        let name = &delivery.name;
        match expected {
            true => assert_eq!(
                (status, body),
                (200, json!({ "type": "payment_intent.succeeded", "note": "größe" })),
                "{name}"
            ),
            false => assert_eq!(
                (status, &body["code"]),
                (401, &json!("CONNECTOR_WEBHOOK_VERIFICATION_FAILED")),
                "{name}"
            ),
        }
        taken += u32::from(expected);
    }
    assert_eq!((taken, deliveries.len()), (5, 16));
    let valid = &deliveries[0];
    let header = valid.header.as_deref().unwrap();
    let (status, _) = send(&connectors, path, valid, &[header, header]).await;
    assert_eq!(status, 401, "a doubled header");
}

#[tokio::test]
async fn w1_without_its_signing_secret_stripe_is_not_believed() {
    let clock = Arc::new(TestClock::at("2026-11-20T09:00:00Z".parse().unwrap()));
    let now = clock.now().as_second().to_string();
    let env = [
        ("STRIPE_SECRET", &*SIGNING),
        ("STRIPE_OTHER", &*OTHER),
        ("STRIPE_NOW", now.as_str()),
    ];
    let Some(part) = Part::start("stripe.mjs", &env) else {
        return;
    };
    let deliveries: Vec<Delivery> = serde_json::from_value(part.ready()["deliveries"].clone()).unwrap();
    let connectors = house(clock);
    let org = library::org(&connectors);
    let connected = org.connect("stripe", json!({ "secret_key": KEY })).await.unwrap();
    let address = connected.webhook.unwrap().address.unwrap();
    let path = address.reveal().strip_prefix("https://app.example").unwrap();
    let valid = &deliveries[0];
    let header = valid.header.as_deref().unwrap();
    let (status, body) = send(&connectors, path, valid, &[header]).await;
    assert_eq!(
        (status, &body["code"]),
        (401, &json!("CONNECTOR_WEBHOOK_VERIFICATION_FAILED"))
    );
    let stands = org.get("stripe").await.unwrap().unwrap();
    assert_eq!(stands.webhook.unwrap().last_event_at, None, "nothing is stored");
    org.update("stripe", json!({ "webhook_secret": SIGNING }))
        .await
        .unwrap();
    assert_eq!(
        send(&connectors, path, valid, &[header]).await.0,
        200,
        "and once it is there, it is"
    );
}
