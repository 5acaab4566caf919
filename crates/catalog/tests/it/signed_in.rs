//! Connectors whose services let people in by signing in, with a token that was got elsewhere.

use serde_json::{Value, json};
use tieline::{
    Code, Connector, Connectors, Error,
    connection::{Connect, ConnectionPatch},
};
use tieline_testkit::{
    canary::Canary,
    evidence,
    twin::{Reply, Twin},
};

use crate::library;

static TOKEN: Canary = Canary::shaped("token that was got elsewhere", "eyJ################.################");
static KEY: Canary = Canary::shaped("Mailchimp key of a move", "################################-us6");

const TENANT: &str = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0";
const REALM: &str = "9341453474484455";

/// A connector with a twin in the place of its service, and little patience.
fn at(twin: &Twin, id: &str, base: &str, open: bool) -> Connectors {
    let base_here = format!("baseUrl: {}", twin.url());
    let mut words = vec![(base, base_here.as_str())];
    if open {
        words.push(("allowedHosts: [", "allowedHosts: [127.0.0.1, "));
    }
    library::with(vec![hurried(id, &words)], &[])
}

fn hurried(id: &str, words: &[(&str, &str)]) -> Connector {
    let shipped = tieline_catalog::shipped();
    let manifest = shipped.iter().find(|shipped| shipped.id == id).unwrap().manifest;
    let pause = ["retryDelay: 500", "retryDelay: 1000"]
        .into_iter()
        .find(|pause| manifest.contains(*pause));
    let words: Vec<(&str, &str)> = words
        .iter()
        .copied()
        .chain([(pause.unwrap(), "retryDelay: 1")])
        .collect();
    library::changed(id, &words)
}

/// Each with what connects it, and where its manifest says the service is.
fn each() -> [(&'static str, &'static str, bool, Value); 4] {
    [
        (
            "hubspot",
            "baseUrl: https://api.hubapi.com",
            false,
            json!({ "access_token": TOKEN }),
        ),
        (
            "quickbooks",
            "baseUrl: https://{{host}}",
            true,
            json!({ "access_token": TOKEN, "realm_id": REALM }),
        ),
        (
            "sage",
            "baseUrl: https://api.accounting.sage.com",
            false,
            json!({ "access_token": TOKEN }),
        ),
        (
            "xero",
            "baseUrl: https://api.xero.com",
            false,
            json!({ "access_token": TOKEN, "tenant_id": TENANT }),
        ),
    ]
}

async fn finding(connectors: &Connectors, connect: &Connect) -> String {
    let tried = connectors.try_unsaved(&library::stranger(), connect).await;
    let result = evidence::told(tried).unwrap();
    assert!(!result.success && !TOKEN.is_in(&format!("{result:?}")), "{result:?}");
    result.finding.unwrap()
}

#[tokio::test]
async fn what_a_test_found_has_its_word() {
    for (id, base, open, fields) in each() {
        let shipped = library::with(tieline_catalog::connectors(), &[]);
        let nothing = finding(&shipped, &library::connect(id, json!({}))).await;
        assert_eq!(nothing, "OAUTH_REQUIRED", "{id}");
        let ugly = json!({ "access_token": "two words" });
        let ugly = finding(&shipped, &library::connect(id, ugly)).await;
        let expected = if id == "quickbooks" {
            "MISSING_CREDENTIALS"
        } else {
            "INVALID_TOKEN"
        };
        assert_eq!(ugly, expected, "{id}");
        for (reply, word) in [
            (Reply::empty(401), "INVALID_TOKEN"),
            (Reply::json(403, &json!({})), "CONNECTION_FAILED"),
            (Reply::empty(503), "CONNECTION_FAILED"),
            (Reply::json(200, &json!([])), "CONNECTION_FAILED"),
            (Reply::Reset, "NETWORK_ERROR"),
        ] {
            let twin = Twin::always(reply).await;
            let connectors = at(&twin, id, base, open);
            let word_found = finding(&connectors, &library::connect(id, fields.clone())).await;
            assert_eq!(word_found, word, "{id}");
        }
    }
}

async fn call(connectors: &Connectors, id: &str, action: &str, input: Value) -> Result<Value, Error> {
    let output = evidence::told(library::org(connectors).action(id, action).call(input).await)?;
    Ok(output.to_value())
}

/// An invoice is written once: the repeat has the key of the first, for PUT and POST alike.
#[tokio::test]
async fn xero_repeats_a_write_with_the_same_key() {
    for (action, input, answer) in [
        (
            "create_invoice",
            json!({ "Invoices": [{ "Type": "ACCREC" }] }),
            json!({ "Invoices": [{ "InvoiceID": "9f1a" }] }),
        ),
        (
            "update_invoice",
            json!({ "InvoiceID": "9f1a", "Invoices": [{ "Status": "VOIDED" }] }),
            json!({ "Invoices": [{ "InvoiceID": "9f1a" }] }),
        ),
    ] {
        let twin = Twin::start([Reply::empty(503), Reply::json(200, &answer)]).await;
        let connectors = at(&twin, "xero", "baseUrl: https://api.xero.com", false);
        let fields = json!({ "access_token": TOKEN, "tenantId": TENANT });
        evidence::told(library::org(&connectors).connect("xero", fields).await).unwrap();
        assert_eq!(call(&connectors, "xero", action, input).await.unwrap(), answer);
        let seen = twin.seen();
        let keys: Vec<_> = seen.iter().map(|request| request.header("idempotency-key")).collect();
        assert!(
            keys.len() == 2 && keys[0].is_some() && keys[0] == keys[1],
            "{action}: {keys:?}"
        );
        for request in &seen {
            assert_eq!(request.header("xero-tenant-id"), Some(TENANT));
            assert_eq!(request.header("accept"), Some("application/json"));
            assert_eq!(
                request.header("authorization"),
                Some(format!("Bearer {}", &*TOKEN).as_str())
            );
        }
    }
}

/// Services without keys for repeats are asked once, and lists again.
#[tokio::test]
async fn what_has_no_key_is_not_made_twice() {
    for (id, write, input, list) in [
        ("hubspot", "create_deal", json!({ "properties": {} }), "list_deals"),
        (
            "quickbooks",
            "create_payment",
            json!({ "CustomerRef": { "value": "1" }, "TotalAmt": 1 }),
            "list_items",
        ),
        ("sage", "create_contact", json!({ "contact": {} }), "list_tax_rates"),
    ] {
        let (_, base, open, fields) = each().into_iter().find(|(other, ..)| *other == id).unwrap();
        for (action, input, most) in [(write, input, 1), (list, json!({}), usize::MAX)] {
            let twin = Twin::always(Reply::empty(503)).await;
            let connectors = at(&twin, id, base, open);
            evidence::told(library::org(&connectors).connect(id, fields.clone()).await).unwrap();
            let error = call(&connectors, id, action, input).await.unwrap_err();
            assert_eq!(error.code(), Code::UpstreamUnavailable, "{id}");
            let asked = twin.seen().len();
            assert_eq!(asked.min(2), most.min(2), "{id} {action}: {asked}");
        }
    }
}

/// What decides where a secret goes is one of a few, and whoever changes it gives the secret again.
#[tokio::test]
async fn n5_o5_where_the_secret_goes_is_never_free() {
    let (shipped, by) = (library::with(tieline_catalog::connectors(), &[]), library::stranger());
    for (id, fields, places, other) in [
        (
            "mailchimp",
            json!({ "api_key": KEY, "dc": "us6" }),
            ["us6.evil", "evil.example/#", "us6@evil", ""],
            json!({ "dc": "us7" }),
        ),
        (
            "quickbooks",
            json!({ "access_token": TOKEN, "realm_id": REALM, "host": "quickbooks.api.intuit.com" }),
            [
                "evil.example",
                "evil.example#quickbooks.api.intuit.com",
                "api.intuit.com",
                "",
            ],
            json!({ "host": "sandbox-quickbooks.api.intuit.com" }),
        ),
    ] {
        let place = if id == "mailchimp" { "dc" } else { "host" };
        for wrong in places {
            let mut fields = fields.clone();
            fields[place] = wrong.into();
            let error = evidence::told(library::org(&shipped).connect(id, fields).await).unwrap_err();
            let pointers: Vec<&str> = error.fields().iter().map(|field| field.pointer.as_str()).collect();
            assert_eq!(pointers, [format!("/config/{place}")], "{error:?}");
        }
        let connection = shipped.connect(&by, library::connect(id, fields)).await;
        let patch = ConnectionPatch {
            config: Some(other.into()),
            ..ConnectionPatch::default()
        };
        let changed = shipped
            .update_connection(&by, evidence::told(connection).unwrap().id, patch)
            .await;
        assert_eq!(
            evidence::told(changed).unwrap_err().code(),
            Code::ConnectorConfigInvalid,
            "{id}"
        );
    }
}
