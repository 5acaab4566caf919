//! What testing a connection tells of the account behind it, for every shipped connector that declares a test.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tieline::{Code, health::TestResult};
use tieline_testkit::{
    canary::Canary,
    evidence,
    twin::{Reply, Seen, Twin},
};

use crate::library;

static BOT: Canary = Canary::shaped(
    "Discord token of a test",
    "########################.######.##########################",
);
static SLACK: Canary = Canary::shaped(
    "Slack token of a test",
    "xoxb-################-########################",
);
static STRIPE: Canary = Canary::shaped("Stripe key of a test", "sk_test_########################");
static TELEGRAM: Canary = Canary::shaped(
    "Telegram token of a test",
    "1234567890:AA################################",
);
static GOOGLE: Canary = Canary::shaped(
    "Google token of a test",
    "ya29.########################################",
);
static SHOPIFY: Canary = Canary::shaped("Shopify token of a test", "shpat_################################");
static SQUARE: Canary = Canary::shaped(
    "Square token of a test",
    "EAAA############################################",
);
static KEY: Canary = Canary::shaped(
    "WooCommerce key of a test",
    "ck_########################################",
);
static SECRET: Canary = Canary::shaped(
    "WooCommerce secret of a test",
    "cs_########################################",
);
static XERO: Canary = Canary::shaped("Xero token of a test", "eyJ################.########################");
static QUICKBOOKS: Canary = Canary::shaped("QuickBooks token of a test", "eyJ################.################");
static HUBSPOT: Canary = Canary::shaped(
    "HubSpot token of a test",
    "pat-na1-########-####-####-####-############",
);
static MAILCHIMP: Canary = Canary::shaped("Mailchimp key of a test", "################################-us6");
static SAGE: Canary = Canary::shaped("Sage token of a test", "eyJ################.################");

/// A connector, what it is connected with, and what its service answers.
struct Row {
    connector: &'static str,
    /// What its manifest says, and what stands there instead; `TWIN` is the twin's address.
    words: Vec<(&'static str, &'static str)>,
    /// `TWIN` is the twin's address here too.
    fields: Value,
    /// What is asked, and what a good answer is.
    asked: Vec<(&'static str, Value)>,
    label: &'static str,
    details: Value,
    /// How the service refuses a wrong credential.
    refusal: Reply,
}

fn rows() -> Vec<Row> {
    let unauthorized = |body: Value| Reply::json(401, &body);
    vec![
        Row {
            connector: "discord",
            words: vec![
                ("baseUrl: https://discord.com", "baseUrl: TWIN"),
                ("allowedHosts: [", "allowedHosts: [127.0.0.1, "),
            ],
            fields: json!({ "bot_token": BOT }),
            asked: vec![("GET /api/v10/users/@me", json!({ "id": "8", "username": "our-bot" }))],
            label: "our-bot",
            details: json!({ "account": "our-bot", "id": "8" }),
            refusal: unauthorized(json!({ "message": "401: Unauthorized", "code": 0 })),
        },
        Row {
            connector: "google-drive",
            words: vec![("baseUrl: https://www.googleapis.com", "baseUrl: TWIN")],
            fields: json!({ "access_token": GOOGLE }),
            asked: vec![(
                "GET /drive/v3/about?fields=user",
                json!({ "user": { "displayName": "Ada", "emailAddress": "ada@example.com" } }),
            )],
            label: "ada@example.com",
            details: json!({ "email": "ada@example.com" }),
            refusal: unauthorized(json!({ "error": { "code": 401, "message": "No.", "status": "UNAUTHENTICATED" } })),
        },
        Row {
            connector: "shopify",
            words: vec![
                ("baseUrl: 'https://{{shop}}", "baseUrl: 'TWIN"),
                ("allowedHosts: [", "allowedHosts: [127.0.0.1, "),
            ],
            fields: json!({ "shop_url": "example-shop.myshopify.com", "access_token": SHOPIFY }),
            asked: vec![(
                "GET /admin/api/2026-07/shop.json",
                json!({ "shop": { "id": 1, "name": "Ada's Shop" } }),
            )],
            label: "Ada's Shop",
            details: json!({ "shop": "Ada's Shop" }),
            refusal: unauthorized(json!({ "errors": "[API] Invalid API key or access token" })),
        },
        Row {
            connector: "square",
            words: vec![
                ("baseUrl: https://{{host}}", "baseUrl: TWIN"),
                ("allowedHosts: [", "allowedHosts: [127.0.0.1, "),
            ],
            fields: json!({ "access_token": SQUARE }),
            asked: vec![(
                "GET /v2/locations",
                json!({ "locations": [{ "id": "L1", "business_name": "Ada's Shop" }, { "id": "L2" }] }),
            )],
            label: "Ada's Shop",
            details: json!({ "locations": 2 }),
            refusal: unauthorized(
                json!({ "errors": [{ "category": "AUTHENTICATION_ERROR", "code": "UNAUTHORIZED", "detail": "No." }] }),
            ),
        },
        Row {
            connector: "slack",
            words: vec![
                ("baseUrl: https://slack.com", "baseUrl: TWIN"),
                ("allowedHosts: [", "allowedHosts: [127.0.0.1, "),
            ],
            fields: json!({ "bot_token": SLACK }),
            asked: vec![(
                "GET /api/auth.test",
                json!({ "ok": true, "team": "Acme", "user": "our-bot", "url": "https://acme.slack.com/" }),
            )],
            label: "Acme",
            details: json!({ "account": "Acme", "user": "our-bot", "url": "https://acme.slack.com/" }),
            refusal: Reply::json(200, &json!({ "ok": false, "error": "invalid_auth" })),
        },
        Row {
            connector: "stripe",
            words: vec![("baseUrl: https://api.stripe.com", "baseUrl: TWIN")],
            fields: json!({ "api_key": STRIPE }),
            asked: vec![
                ("GET /v1/balance", json!({ "object": "balance", "livemode": true })),
                (
                    "GET /v1/account",
                    json!({ "id": "acct_1", "business_profile": { "name": "Ada's Shop" }, "email": "ada@example.com" }),
                ),
            ],
            label: "Ada's Shop",
            details: json!({ "livemode": true, "account": "Ada's Shop" }),
            refusal: unauthorized(
                json!({ "error": { "type": "invalid_request_error", "message": "Invalid API Key provided" } }),
            ),
        },
        Row {
            connector: "telegram",
            words: vec![
                ("baseUrl: https://api.telegram.org/bot", "baseUrl: TWIN/bot"),
                ("allowedHosts: [", "allowedHosts: [127.0.0.1, "),
            ],
            fields: json!({ "botToken": TELEGRAM, "chatId": "1" }),
            asked: vec![(
                "GET /bot1234567890%3AAA",
                json!({ "ok": true, "result": { "id": 1_234_567_890, "first_name": "Our bot", "username": "our_bot" } }),
            )],
            label: "our_bot",
            details: json!({ "account": "our_bot", "name": "Our bot", "id": 1_234_567_890 }),
            refusal: unauthorized(json!({ "ok": false, "error_code": 401, "description": "Unauthorized" })),
        },
        Row {
            connector: "woocommerce",
            words: vec![("'^https://[A-Za-z0-9.-]+", "'^http://[A-Za-z0-9.-]+")],
            fields: json!({ "store_url": "TWIN/shop", "consumer_key": KEY, "consumer_secret": SECRET }),
            asked: vec![
                ("GET /shop/wp-json/wc/v3/orders?per_page=1", json!([])),
                ("GET /shop/wp-json/?_fields=name", json!({ "name": "Ada's Shop" })),
            ],
            label: "Ada's Shop",
            details: json!({ "store_url": "TWIN/shop", "account": "Ada's Shop" }),
            refusal: unauthorized(
                json!({ "code": "woocommerce_rest_cannot_view", "message": "No.", "data": { "status": 401 } }),
            ),
        },
        Row {
            connector: "hubspot",
            words: vec![("baseUrl: https://api.hubapi.com", "baseUrl: TWIN")],
            fields: json!({ "accessToken": HUBSPOT }),
            asked: vec![(
                "GET /account-info/v3/details",
                json!({ "portalId": 62_515, "accountType": "STANDARD", "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1" }),
            )],
            label: "62515",
            details: json!({ "account": 62_515, "account_type": "STANDARD", "hosting": "na1" }),
            refusal: unauthorized(json!({ "status": "error", "message": "No.", "category": "INVALID_AUTHENTICATION" })),
        },
        Row {
            connector: "mailchimp",
            words: vec![
                ("baseUrl: https://{{dc}}.api.mailchimp.com", "baseUrl: TWIN"),
                ("allowedHosts: [", "allowedHosts: [127.0.0.1, "),
            ],
            fields: json!({ "apiKey": MAILCHIMP, "dc": "us6" }),
            asked: vec![
                ("GET /3.0/ping", json!({ "health_status": "Everything's Chimpy!" })),
                (
                    "GET /3.0/",
                    json!({ "account_id": "8d3a", "account_name": "Ada's Shop", "email": "ada@example.com" }),
                ),
            ],
            label: "Ada's Shop",
            details: json!({ "account": "Ada's Shop", "data_centre": "us6", "id": "8d3a", "email": "ada@example.com" }),
            refusal: unauthorized(json!({ "title": "API Key Invalid", "status": 401, "detail": "No." })),
        },
        Row {
            connector: "quickbooks",
            words: vec![
                ("baseUrl: https://{{host}}", "baseUrl: TWIN"),
                ("allowedHosts: [", "allowedHosts: [127.0.0.1, "),
            ],
            fields: json!({ "access_token": QUICKBOOKS, "realmId": "9341453474484455" }),
            asked: vec![(
                "GET /v3/company/9341453474484455/companyinfo/9341453474484455",
                json!({ "CompanyInfo": { "Id": "1", "CompanyName": "Ada's Shop", "Country": "US" } }),
            )],
            label: "Ada's Shop",
            details: json!({ "account": "Ada's Shop", "country": "US" }),
            refusal: unauthorized(
                json!({ "fault": { "error": [{ "message": "AuthenticationFailed", "code": "3200" }] } }),
            ),
        },
        Row {
            connector: "sage",
            words: vec![("baseUrl: https://api.accounting.sage.com", "baseUrl: TWIN")],
            fields: json!({ "api_key": SAGE, "business_id": "b1f0c2d3" }),
            asked: vec![
                (
                    "GET /v3.1/businesses",
                    json!({ "$total": 1, "$items": [{ "id": "b1f0c2d3", "displayed_as": "Ada's Shop" }] }),
                ),
                ("GET /v3.1/user", json!({ "id": "u1", "displayed_as": "Ada" })),
            ],
            label: "Ada",
            details: json!({ "businesses": 1, "user": "Ada" }),
            refusal: unauthorized(json!([{ "$severity": "error", "$message": "The token is over." }])),
        },
        Row {
            connector: "xero",
            words: vec![("baseUrl: https://api.xero.com", "baseUrl: TWIN")],
            fields: json!({ "access_token": XERO, "tenantId": "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0" }),
            asked: vec![(
                "GET /api.xro/2.0/Organisation",
                json!({ "Organisations": [{ "OrganisationID": "b2c8", "Name": "Ada's Shop" }] }),
            )],
            label: "Ada's Shop",
            details: json!({ "organization": "Ada's Shop" }),
            refusal: unauthorized(
                json!({ "Type": null, "Title": "Unauthorized", "Status": 401, "Detail": "TokenExpired: token expired" }),
            ),
        },
    ]
}

/// The same with the twin's address in it.
fn at(url: &str, value: &Value) -> Value {
    serde_json::from_str(&value.to_string().replace("TWIN", url)).unwrap()
}

async fn test(row: &Row, url: &str) -> TestResult {
    let words: Vec<(&str, String)> = row
        .words
        .iter()
        .map(|(said, instead)| (*said, instead.replace("TWIN", url)))
        .collect();
    let words: Vec<(&str, &str)> = words.iter().map(|(said, instead)| (*said, instead.as_str())).collect();
    let connectors = library::with(vec![library::changed(row.connector, &words)], &[]);
    let connect = library::connect(row.connector, at(url, &row.fields));
    let result = evidence::told(connectors.test_unsaved(&library::stranger(), &connect).await).unwrap();
    for secret in [
        &BOT,
        &GOOGLE,
        &SHOPIFY,
        &SQUARE,
        &SLACK,
        &STRIPE,
        &TELEGRAM,
        &KEY,
        &SECRET,
        &XERO,
        &QUICKBOOKS,
        &HUBSPOT,
    ] {
        assert!(!secret.is_in(&format!("{result:?}")), "{result:?}");
    }
    result
}

fn line(seen: &Seen) -> String {
    format!("{} {}", seen.method, seen.target)
}

#[tokio::test]
async fn a_good_credential_tells_its_account() {
    for row in rows() {
        let twin = Twin::start(row.asked.iter().map(|(_, answer)| Reply::json(200, answer))).await;
        let result = test(&row, &twin.url()).await;
        assert!(result.success, "{}: {}", row.connector, result.message);
        assert_eq!(result.label.as_deref(), Some(row.label), "{}", row.connector);
        assert_eq!(
            json!(result.details),
            at(&twin.url(), &row.details),
            "{}",
            row.connector
        );
        assert!(result.message.starts_with("Successfully connected to ") && result.message.ends_with(row.label));
        let seen = twin.seen();
        assert_eq!(seen.len(), row.asked.len(), "{}", row.connector);
        for (seen, (asked, _)) in seen.iter().zip(&row.asked) {
            assert!(line(seen).starts_with(asked), "{}: {}", row.connector, line(seen));
        }
    }
}

/// What a second request would add may fail in every way, and the credential is as good as it was.
#[tokio::test]
async fn what_only_adds_changes_nothing_when_it_fails() {
    for row in rows().into_iter().filter(|row| row.asked.len() > 1) {
        for then in [
            Reply::empty(401),
            Reply::empty(500),
            Reply::Reset,
            Reply::json(200, &json!([])),
            Reply::Answer {
                status: 200,
                headers: Vec::new(),
                body: b"<html>".to_vec(),
            },
        ] {
            let twin = Twin::start([Reply::json(200, &row.asked[0].1), then]).await;
            let result = test(&row, &twin.url()).await;
            assert!(result.success, "{}: {}", row.connector, result.message);
            assert!(
                result.label.is_some() && !result.details.is_empty(),
                "{}",
                row.connector
            );
            assert_eq!(twin.seen().len(), 2, "{}", row.connector);
        }
    }
}

#[tokio::test]
async fn a_wrong_credential_is_told_from_a_service_in_trouble() {
    for row in rows() {
        for (reply, code) in [
            (row.refusal.clone(), Code::UpstreamUnauthorized),
            (Reply::empty(503), Code::UpstreamUnavailable),
            (Reply::json(429, &json!({})), Code::UpstreamRateLimited),
            (Reply::Reset, Code::UpstreamAnswerTruncated),
        ] {
            let twin = Twin::always(reply).await;
            let result = test(&row, &twin.url()).await;
            assert_eq!(
                (result.success, result.error_code, result.label, result.details.len()),
                (false, Some(code), None, 0),
                "{}: {}",
                row.connector,
                result.message
            );
            assert_eq!(twin.seen().len(), 1, "{}: a bad key is asked about once", row.connector);
        }
        let connectors = library::with(tieline_catalog::connectors(), &[]);
        let connect = library::connect(row.connector, json!({}));
        let nothing = evidence::told(connectors.test_unsaved(&library::stranger(), &connect).await);
        assert_eq!(
            nothing.unwrap_err().code(),
            Code::ConnectorConfigInvalid,
            "{}",
            row.connector
        );
    }
}

/// A connector that declares a test stands in the table.
#[test]
fn the_table_is_whole() {
    let declared = tieline_catalog::connectors()
        .into_iter()
        .filter(|connector| {
            let manifest = connector.manifest();
            manifest.auth.iter().any(|auth| manifest.test_of(Some(auth)).is_some())
        })
        .map(|connector| connector.id().to_owned());
    let told = rows().into_iter().map(|row| row.connector.to_owned());
    assert_eq!(declared.collect::<BTreeSet<_>>(), told.collect());
}
