//! Webhooks that are signed in their services' own ways. The signatures are made here, by another hand than the library's.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tieline::{Connectors, MasterKey, ScopeRule, action::ActionContext, connector::Delivered};
use tieline_store::SqliteStore;
use tieline_testkit::{
    canary::{self, Canary},
    evidence,
};

use crate::library;

static TOKEN: Canary = Canary::shaped("token beside a webhook", "shpat_################################");
static SIGNING: Canary = Canary::shaped("signing secret", "signing-################-################");
static OTHER: Canary = Canary::shaped("other signing secret", "signing-################-################");

const BASE: &str = "https://app.example";
const BODY: &str = r#"{"id": 820982911946154508, "note": "gr\u00f6\u00dfe"}"#;

/// How a service signs: from the secret, the address it was given, and the body.
type Sign = fn(&str, &str, &str) -> String;

fn hmac_base64(secret: &str, signed: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, signed.as_bytes()))
}

/// A connector, the fields to connect it, the field and the header of its signature, and how it is made.
fn services() -> Vec<(&'static str, Value, &'static str, &'static str, Sign)> {
    vec![
        (
            "shopify",
            json!({ "shop": "example-shop.myshopify.com", "access_token": TOKEN }),
            "api_secret",
            "X-Shopify-Hmac-Sha256",
            |secret, _, body| hmac_base64(secret, body),
        ),
        (
            "square",
            json!({ "access_token": TOKEN }),
            "webhook_signature_key",
            "x-square-hmacsha256-signature",
            |secret, address, body| hmac_base64(secret, &format!("{address}{body}")),
        ),
    ]
}

fn house(id: &str) -> Connectors {
    let database = evidence::data_folder().join("tieline.db");
    let store = SqliteStore::open(&database).unwrap();
    evidence::keep_wal(&database);
    Connectors::builder()
        .store(store)
        .key(MasterKey::parse(canary::master_key()).unwrap())
        .scope("organization", ScopeRule::Required)
        .base_url(BASE)
        .connector(library::changed(id, &[]))
        .on_webhook(id, |_: ActionContext, delivered: Delivered<Value>| async move {
            Ok::<_, tieline::Error>(json!({ "note": delivered.payload["note"] }))
        })
        .build()
        .unwrap()
}

async fn send(connectors: &Connectors, path: &str, header: Option<(&str, &str)>, body: &str) -> (u16, Value) {
    let mut request = Request::post(path).header("content-type", "application/json");
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let request = request.body(Full::<bytes::Bytes>::from(body.to_owned())).unwrap();
    let (head, body) = connectors.handle_path(request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    evidence::keep(evidence::Kind::Answer, &body);
    (head.status.as_u16(), serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn w2_w3_every_signature_is_judged_as_its_service_makes_it() {
    for (id, mut fields, field, header, sign) in services() {
        fields[field] = (&*SIGNING).into();
        let connectors = house(id);
        let connected = library::org(&connectors).connect(id, fields).await.unwrap();
        let address = connected.webhook.unwrap().address.unwrap();
        canary::never_told("a webhook's secret", address.reveal().rsplit('.').next().unwrap());
        let path = address.reveal().strip_prefix(BASE).unwrap();
        let good = sign(&SIGNING, address.reveal(), BODY);
        let taken = send(&connectors, path, Some((header, &good)), BODY).await;
        assert_eq!(taken, (200, json!({ "note": "größe" })), "{id}");
        let changed = BODY.replace("820", "821");
        let forged = sign(&OTHER, address.reveal(), BODY);
        let refused = [
            (None, BODY),
            (Some((header, "")), BODY),
            (Some((header, forged.as_str())), BODY),
            (Some((header, good.as_str())), changed.as_str()),
        ];
        for (signature, body) in refused {
            let (status, answer) = send(&connectors, path, signature, body).await;
            assert_eq!(
                (status, &answer["code"]),
                (401, &json!("CONNECTOR_WEBHOOK_VERIFICATION_FAILED")),
                "{id}"
            );
        }
    }
}

#[tokio::test]
async fn w1_without_its_signing_secret_nothing_is_believed() {
    for (id, fields, _, header, sign) in services() {
        let connectors = house(id);
        let connected = library::org(&connectors).connect(id, fields).await.unwrap();
        let address = connected.webhook.unwrap().address.unwrap();
        let path = address.reveal().strip_prefix(BASE).unwrap();
        for secret in [&*SIGNING, "", &*TOKEN] {
            let signature = sign(secret, address.reveal(), BODY);
            let (status, _) = send(&connectors, path, Some((header, &signature)), BODY).await;
            assert_eq!(status, 401, "{id}");
        }
    }
}
