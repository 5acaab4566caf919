//! Connectors that one signs in to: what they declare, and what holds for them until somebody can.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tieline::{Code, Connector, health::TestResult};
use tieline_manifest::{AuthKind, Below, ClientAuth, Door, Json, OAuth2, Values, request::SecretRef};
use tieline_testkit::{
    canary::Canary,
    evidence,
    twin::{Reply, Twin},
};

use crate::library;

static TOKEN: Canary = Canary::shaped("pasted token", "shpat_################################");

/// What a connector's method declares.
fn declared(connector: &Connector, method: &str) -> OAuth2 {
    match &connector.manifest().auth(method).unwrap().kind {
        AuthKind::OAuth2(oauth) => (**oauth).clone(),
        _ => panic!("{method} is no sign-in"),
    }
}

/// An address of it, for a connection with these public fields.
fn address(oauth: &OAuth2, door: Door, fields: &Value) -> Option<String> {
    let (nothing, fields) = (Json::parse("{}").unwrap(), Json::from_value(fields));
    let values = Values {
        input: nothing.tree(),
        config: fields.tree(),
        auth: None,
        secrets: &BTreeSet::new(),
    };
    oauth.address(door, "production", &values).map(Result::unwrap)
}

/// Where people are sent, where codes become tokens, and where tokens are given back.
#[test]
fn every_sign_in_has_its_services_addresses() {
    let shop = json!({ "shop": "example-shop.myshopify.com" });
    let sandbox = json!({ "host": "connect.squareupsandbox.com" });
    let tokens_of_shop = "https://example-shop.myshopify.com/admin/oauth/access_token";
    for (id, method, fields, authorize, token, revoke) in [
        (
            "google-drive",
            "oauth2",
            json!({}),
            "https://accounts.google.com/o/oauth2/v2/auth",
            "https://oauth2.googleapis.com/token",
            "https://oauth2.googleapis.com/revoke",
        ),
        (
            "shopify",
            "oauth2",
            shop.clone(),
            "https://example-shop.myshopify.com/admin/oauth/authorize",
            tokens_of_shop,
            "",
        ),
        ("shopify", "own_app", shop, "", tokens_of_shop, ""),
        (
            "slack",
            "oauth2",
            json!({}),
            "https://slack.com/oauth/v2/authorize",
            "https://slack.com/api/oauth.v2.access",
            "",
        ),
        (
            "square",
            "oauth2",
            sandbox,
            "https://connect.squareupsandbox.com/oauth2/authorize",
            "https://connect.squareupsandbox.com/oauth2/token",
            "",
        ),
        (
            "stripe",
            "connect",
            json!({}),
            "https://connect.stripe.com/oauth/authorize",
            "https://connect.stripe.com/oauth/token",
            "",
        ),
        ("evencio", "oauth2", json!({}), "", "", ""),
    ] {
        let oauth = declared(&library::changed(id, &[]), method);
        for (door, expected) in [
            (Door::Authorize, authorize),
            (Door::Token, token),
            (Door::Refresh, token),
            (Door::Revoke, revoke),
        ] {
            let found = address(&oauth, door, &fields).unwrap_or_default();
            assert_eq!(found, expected, "{id} {method} {door:?}");
        }
    }
}

/// What sets each sign-in apart from the standard's.
#[test]
fn every_sign_in_has_its_services_habits() {
    for (id, method, client_auth, separator, pkce, rotating, lives) in [
        ("evencio", "oauth2", ClientAuth::Basic, " ", true, true, Some(3600)),
        ("google-drive", "oauth2", ClientAuth::Body, " ", true, false, None),
        ("shopify", "oauth2", ClientAuth::Body, ",", false, true, None),
        ("slack", "oauth2", ClientAuth::Basic, ",", false, true, None),
        ("square", "oauth2", ClientAuth::Body, " ", false, false, Some(2_592_000)),
        ("stripe", "connect", ClientAuth::Body, " ", false, false, None),
    ] {
        let oauth = declared(&library::changed(id, &[]), method);
        assert_eq!(
            (
                oauth.client_auth,
                oauth.scope_separator.as_str(),
                oauth.without_pkce.is_none(),
                oauth.rotating_refresh,
                oauth.expires_in
            ),
            (client_auth, separator, pkce, rotating, lives),
            "{id}"
        );
        assert!(!oauth.oauth_scopes.is_empty(), "{id}");
    }
    let shopify = declared(&library::changed("shopify", &[]), "oauth2");
    assert_eq!(
        (shopify.token_header.as_str(), shopify.token_prefix.as_str()),
        ("x-shopify-access-token", "")
    );
    let google = declared(&library::changed("google-drive", &[]), "oauth2");
    let asked: Vec<&str> = google.authorize_params.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        asked.iter().copied().collect::<BTreeSet<_>>(),
        BTreeSet::from(["access_type", "include_granted_scopes", "prompt"])
    );
}

async fn tried(connectors: Vec<Connector>, id: &str, fields: Value) -> TestResult {
    let connectors = library::with(connectors, &[]);
    let connect = library::connect(id, fields);
    let result = evidence::told(connectors.try_unsaved(&library::stranger(), &connect).await).unwrap();
    assert!(!TOKEN.is_in(&format!("{result:?}")), "{result:?}");
    result
}

/// Who gives no token hears the word of the connectors service: of a connector that only knows signing in, that this is
/// needed.
#[tokio::test]
async fn what_is_missing_has_the_services_word() {
    let shop = "example-shop.myshopify.com";
    for (id, fields, word) in [
        ("google-drive", json!({}), "OAUTH_REQUIRED"),
        ("google-drive", json!({ "access_token": "" }), "OAUTH_REQUIRED"),
        ("google-drive", json!({ "access_token": null }), "OAUTH_REQUIRED"),
        ("evencio", json!({}), "OAUTH_REQUIRED"),
        ("shopify", json!({}), "MISSING_CREDENTIALS"),
        ("shopify", json!({ "shop_url": shop }), "MISSING_CREDENTIALS"),
        ("shopify", json!({ "access_token": TOKEN }), "MISSING_CREDENTIALS"),
        (
            "shopify",
            json!({ "shop_url": shop, "access_token": "" }),
            "MISSING_CREDENTIALS",
        ),
        ("square", json!({}), "MISSING_CREDENTIALS"),
        ("square", json!({ "access_token": "" }), "MISSING_CREDENTIALS"),
    ] {
        let result = tried(tieline_catalog::connectors(), id, fields.clone()).await;
        assert_eq!(result.finding.as_deref(), Some(word), "{id} {fields}");
    }
}

/// The connectors whose tokens can be pasted, at a twin's address, and the fields to connect them with.
fn pasted(twin: &Twin) -> [(Connector, Value); 3] {
    let at = |address: &str| address.replace("TWIN", &twin.url());
    let hosts = ("allowedHosts: [", "allowedHosts: [127.0.0.1, ");
    let (google, shopify, square) = (at("baseUrl: TWIN"), at("baseUrl: 'TWIN"), at("baseUrl: TWIN"));
    [
        (
            library::changed("google-drive", &[("baseUrl: https://www.googleapis.com", &google)]),
            json!({ "access_token": TOKEN }),
        ),
        (
            library::changed("shopify", &[("baseUrl: 'https://{{shop}}", &shopify), hosts]),
            json!({ "shop": "example-shop.myshopify.com", "api_key": TOKEN }),
        ),
        (
            library::changed("square", &[("baseUrl: https://{{host}}", &square), hosts]),
            json!({ "access_token": TOKEN }),
        ),
    ]
}

#[tokio::test]
async fn what_a_service_refuses_has_the_services_word() {
    for (status, word) in [
        (401, "INVALID_TOKEN"),
        (403, "CONNECTION_FAILED"),
        (404, "CONNECTION_FAILED"),
        (500, "CONNECTION_FAILED"),
    ] {
        let twin = Twin::always(Reply::json(status, &json!({}))).await;
        for (connector, fields) in pasted(&twin) {
            let id = connector.id().to_owned();
            let result = tried(vec![connector], &id, fields).await;
            assert_eq!(result.finding.as_deref(), Some(word), "{id} {status}");
        }
        assert_eq!(twin.seen().len(), 3);
    }
}

/// A token that was got elsewhere is sent as the service wants it, and in no other header.
#[tokio::test]
async fn a_pasted_token_is_sent_as_the_service_wants_it() {
    let twin = Twin::always(Reply::json(200, &json!({ "shop": {} }))).await;
    for (connector, fields) in pasted(&twin) {
        let id = connector.id().to_owned();
        let result = tried(vec![connector], &id, fields).await;
        assert!(result.success, "{id}: {}", result.message);
    }
    let bearer = format!("Bearer {}", &*TOKEN);
    let seen = twin.seen();
    let sent: Vec<(Option<&str>, Option<&str>)> = seen
        .iter()
        .map(|seen| (seen.header("authorization"), seen.header("x-shopify-access-token")))
        .collect();
    assert_eq!(
        sent,
        [
            (Some(bearer.as_str()), None),
            (None, Some(&*TOKEN)),
            (Some(bearer.as_str()), None)
        ]
    );
}

/// A shop is a host of Shopify's, and of a service with two environments there are these two.
#[tokio::test]
async fn n5_a_token_is_for_its_services_hosts() {
    let connectors = library::with(tieline_catalog::connectors(), &[]);
    for (id, name, value) in [
        ("shopify", "shop", "evil.example"),
        ("shopify", "shop", "example-shop.myshopify.com.evil.example"),
        ("shopify", "shop", "evil.example/.myshopify.com"),
        ("shopify", "shop", "a@example-shop.myshopify.com"),
        ("shopify", "shop", "https://example-shop.myshopify.com"),
        ("shopify", "shop", "myshopify.com"),
        ("shopify", "shop", "example-shop.myshopify.com\n"),
        ("shopify", "api_version", "2026-07/../../.."),
        ("square", "host", "connect.squareup.com.evil.example"),
        ("square", "host", "squareup.com"),
        ("evencio", "base_url", "http://api.example.com"),
    ] {
        let mut fields = match id {
            "shopify" => json!({ "shop": "example-shop.myshopify.com", "access_token": TOKEN }),
            _ => json!({ "access_token": TOKEN }),
        };
        fields[name] = value.into();
        let connected = evidence::told(library::org(&connectors).connect(id, fields).await);
        let error = connected.unwrap_err();
        let pointers: Vec<&str> = error.fields().iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(
            (error.code(), pointers),
            (Code::ConnectorConfigInvalid, vec![format!("/config/{name}").as_str()]),
            "{id} {value}"
        );
    }
}

/// Whoever changes where the token goes gives it again.
#[tokio::test]
async fn o5_another_place_asks_for_the_token_anew() {
    let connectors = library::with(tieline_catalog::connectors(), &[]);
    let org = library::org(&connectors);
    for (id, fields, change, secret) in [
        (
            "shopify",
            json!({ "shop": "example-shop.myshopify.com", "access_token": TOKEN }),
            json!({ "shop": "other-shop.myshopify.com" }),
            "access_token",
        ),
        (
            "square",
            json!({ "access_token": TOKEN }),
            json!({ "host": "connect.squareupsandbox.com" }),
            "access_token",
        ),
        (
            "evencio",
            json!({ "base_url": "https://api.example.com/v1", "access_token": TOKEN }),
            json!({ "base_url": "https://api.example.org/v1" }),
            "accessToken",
        ),
    ] {
        evidence::told(org.connect(id, fields).await).unwrap();
        let error = evidence::told(org.update(id, change.clone()).await).unwrap_err();
        let pointers: Vec<&str> = error.fields().iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(
            (error.code(), pointers),
            (Code::ConnectorConfigInvalid, vec![format!("/config/{secret}").as_str()]),
            "{id}"
        );
        let mut whole = change;
        whole[secret] = (&*TOKEN).into();
        evidence::told(org.update(id, whole).await).unwrap();
    }
}

/// A service that describes nothing is called through the proxy, below the address that its connection gives.
#[test]
fn what_is_not_described_is_passed_on() {
    let evencio = library::changed("evencio", &[]);
    let manifest = evencio.manifest();
    let (nothing, config) = (
        Json::parse("{}").unwrap(),
        Json::from_value(&json!({ "base_url": "https://api.example.com/v1" })),
    );
    let values = Values {
        input: nothing.tree(),
        config: config.tree(),
        auth: manifest.auth.first(),
        secrets: &BTreeSet::from([SecretRef::Config("accessToken".to_owned())]),
    };
    let below = Below {
        method: "GET",
        path: "/events",
        query: Some("limit=1"),
        sends: &|_| false,
    };
    let request = manifest.render_proxy(&below, &values).unwrap();
    assert_eq!(request.url.to_string(), "https://api.example.com/v1/events?limit=1");
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.to_string()))
        .collect();
    assert_eq!(
        headers,
        [("authorization".to_owned(), "Bearer {{config.accessToken}}".to_owned())]
    );
}
