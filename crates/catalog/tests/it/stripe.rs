//! Stripe as declared, through the library, against a server that answers from a script.

mod facts;
mod webhook;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tieline::{
    Code, Connector, Connectors, Error,
    call::IdempotencyKey,
    error::{FieldError, Retry},
};
use tieline_testkit::{
    canary::Canary,
    evidence,
    twin::{Reply, Twin},
};

use crate::library;

static KEY: Canary = Canary::shaped("Stripe key", "sk_test_########################");
static SIGNING: Canary = Canary::shaped("Stripe signing secret", "whsec_########################");
static CLIENT_SECRET: Canary = Canary::shaped("client secret of a payment", "pi_1_secret_########################");

const FORM: &str = "application/x-www-form-urlencoded";

/// The shipped connector, but for its address, which is the twin's, and its patience, which is short.
fn stripe(twin: &Twin, patience: (&str, &str)) -> Connector {
    let shipped = tieline_catalog::shipped()
        .iter()
        .find(|shipped| shipped.id == "stripe")
        .unwrap();
    let mut manifest = shipped.manifest.to_owned();
    for (said, instead) in [
        ("baseUrl: https://api.stripe.com", format!("baseUrl: {}", twin.url())),
        (patience.0, patience.1.to_owned()),
        ("retryConfig:", "timeout: 1000\nretryConfig:".to_owned()),
    ] {
        assert!(manifest.contains(said), "{said}");
        manifest = manifest.replacen(said, &instead, 1);
    }
    Connector::shipped(&manifest).unwrap().build().unwrap()
}

const HURRIED: (&str, &str) = ("retryDelay: 500", "retryDelay: 1");

async fn connected(twin: &Twin, patience: (&str, &str), config: Value) -> Connectors {
    let connectors = library::with(vec![stripe(twin, patience)], &[]);
    let connected = library::org(&connectors).connect("stripe", config).await;
    evidence::told(connected).unwrap();
    connectors
}

async fn twin(replies: impl IntoIterator<Item = Reply>) -> (Twin, Connectors) {
    let twin = Twin::start(replies).await;
    let connectors = connected(&twin, HURRIED, json!({ "secret_key": KEY })).await;
    (twin, connectors)
}

async fn call(connectors: &Connectors, action: &str, input: Value) -> Result<Value, Error> {
    let output = evidence::told(library::org(connectors).action("stripe", action).call(input).await)?;
    Ok(output.to_value())
}

/// One call answered so, and the idempotency keys that Stripe saw.
async fn answered(replies: Vec<Reply>, action: &str, input: Value) -> (Result<Value, Error>, Vec<String>) {
    let (twin, connectors) = twin(replies).await;
    let result = call(&connectors, action, input).await;
    assert!(!KEY.is_in(&format!("{result:?}")), "{result:?}");
    let seen = twin.seen();
    let keys = seen
        .iter()
        .map(|seen| seen.header("idempotency-key").unwrap_or_default().to_owned());
    (result, keys.collect())
}

fn trouble(status: u16, kind: &str, code: &str, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({ "error": { "type": kind, "code": code, "message": message } }),
    )
}

fn payment() -> Value {
    json!({ "amount": 2000, "currency": "usd", "customer": "cus_xxxxxxxxxxxxx", "description": "One-time payment" })
}

fn paid() -> Reply {
    Reply::json(
        200,
        &json!({ "id": "pi_1", "object": "payment_intent", "status": "succeeded", "amount": 2000, "currency": "usd" }),
    )
}

/// Each action as it leaves us, to the byte.
#[tokio::test]
async fn every_action_as_stripe_reads_it() {
    let list = json!({ "object": "list", "data": [], "has_more": false, "available": [], "pending": [], "id": "x" });
    let twin = Twin::always(Reply::json(200, &list)).await;
    let connectors = connected(&twin, HURRIED, json!({ "api_key": KEY, "webhook_secret": SIGNING })).await;
    let mut keys = BTreeSet::new();
    for (action, input, target, body) in [
        (
            "create_customer",
            json!({ "email": "customer@example.com", "name": "John Doe", "metadata": { "userId": "user_123" } }),
            "POST /v1/customers",
            "email=customer%40example.com&name=John+Doe&metadata%5BuserId%5D=user_123",
        ),
        (
            "create_customer",
            json!({ "metadata": { "a&b=c": "d=e&f", "n": 1, "off": null, "on": true, "é 日": "+%\n" } }),
            "POST /v1/customers",
            "metadata%5Ba%26b%3Dc%5D=d%3De%26f&metadata%5Bn%5D=1&metadata%5Boff%5D=&metadata%5Bon%5D=true&metadata%5B%C3%A9+%E6%97%A5%5D=%2B%25%0A",
        ),
        ("create_customer", json!({}), "POST /v1/customers", ""),
        (
            "update_customer",
            json!({ "customer_id": "cus_1", "name": "", "address": null }),
            "POST /v1/customers/cus_1",
            "name=&address=",
        ),
        (
            "create_invoice",
            json!({ "customer": "cus_xxxxxxxxxxxxx", "description": "Monthly subscription", "auto_advance": true }),
            "POST /v1/invoices",
            "customer=cus_xxxxxxxxxxxxx&auto_advance=true&description=Monthly+subscription",
        ),
        (
            "create_invoice_item",
            json!({ "customer": "cus_xxxxxxxxxxxxx", "amount": 1000, "currency": "usd", "description": "Pro Plan" }),
            "POST /v1/invoiceitems",
            "customer=cus_xxxxxxxxxxxxx&amount=1000&currency=usd&description=Pro+Plan",
        ),
        (
            "finalize_invoice",
            json!({ "invoice": "in_1" }),
            "POST /v1/invoices/in_1/finalize",
            "",
        ),
        (
            "send_invoice",
            json!({ "invoice": "in_1", "expand": ["customer"] }),
            "POST /v1/invoices/in_1/send",
            "expand%5B0%5D=customer",
        ),
        (
            "create_payment_intent",
            payment(),
            "POST /v1/payment_intents",
            "amount=2000&currency=usd&customer=cus_xxxxxxxxxxxxx&description=One-time+payment",
        ),
        (
            "create_refund",
            json!({ "charge": "ch_1", "reverse_transfer": false }),
            "POST /v1/refunds",
            "charge=ch_1&reverse_transfer=false",
        ),
        (
            "retrieve_customer",
            json!({ "customer_id": "cus/../1?x" }),
            "GET /v1/customers/cus%2F..%2F1%3Fx",
            "",
        ),
        (
            "list_customers",
            json!({ "created": { "gte": 1, "lt": 2 }, "limit": 3, "expand": ["data.a", "data.b"] }),
            "GET /v1/customers?created%5Bgte%5D=1&created%5Blt%5D=2&limit=3&expand%5B0%5D=data.a&expand%5B1%5D=data.b",
            "",
        ),
        (
            "get_payment_intent",
            json!({ "intent": "pi_1" }),
            "GET /v1/payment_intents/pi_1",
            "",
        ),
        ("get_balance", json!({}), "GET /v1/balance", ""),
    ] {
        call(&connectors, action, input).await.unwrap();
        let request = twin.seen().pop().unwrap();
        assert_eq!(format!("{} {}", request.method, request.target), target);
        assert_eq!(String::from_utf8(request.body.clone()).unwrap(), body, "{action}");
        assert_eq!(request.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        for absent in ["stripe-account", "stripe-version", "cookie"] {
            assert_eq!(request.header(absent), None, "{absent}");
        }
        let posted = request.method == "POST";
        assert_eq!(request.header("content-type"), posted.then_some(FORM), "{action}");
        assert_eq!(request.header("idempotency-key").is_some(), posted, "{action}");
        let fresh = request
            .header("idempotency-key")
            .is_none_or(|key| keys.insert(key.to_owned()));
        assert!(fresh, "each call has a key of its own");
    }
}

#[tokio::test]
async fn a_connected_account_and_a_version_are_named() {
    let twin = Twin::start([Reply::json(200, &json!({ "available": [], "pending": [] }))]).await;
    let config = json!({ "secret_key": KEY, "stripe_account": "acct_1A", "stripe_version": "2026-07-29.dahlia" });
    let connectors = connected(&twin, HURRIED, config).await;
    call(&connectors, "get_balance", json!({})).await.unwrap();
    let [request] = twin.seen().try_into().unwrap();
    assert_eq!(request.header("stripe-account"), Some("acct_1A"));
    assert_eq!(request.header("stripe-version"), Some("2026-07-29.dahlia"));
}

/// Whatever happens to the first attempts, Stripe sees one key for one payment.
#[tokio::test]
async fn a_payment_that_is_tried_again_carries_the_same_key() {
    for failure in [
        Reply::empty(500),
        Reply::empty(502),
        Reply::empty(503),
        Reply::empty(504),
        trouble(409, "invalid_request_error", "lock_timeout", "busy"),
        trouble(429, "invalid_request_error", "rate_limit", "slow down"),
        Reply::empty(400).header("stripe-should-retry", "true"),
        Reply::Reset,
        Reply::Raw(Vec::new()),
        Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"id\"".to_vec()),
    ] {
        let shown = format!("{failure:?}");
        let replies = vec![failure.clone(), failure, paid()];
        let (result, keys) = answered(replies, "create_payment_intent", payment()).await;
        assert_eq!(result.unwrap()["id"], "pi_1", "{shown}");
        assert!(keys.len() == 3 && !keys[0].is_empty(), "{shown}: {keys:?}");
        assert!(keys.iter().all(|key| *key == keys[0]), "{shown}: {keys:?}");
    }
}

#[tokio::test]
async fn attempts_have_an_end() {
    let (result, keys) = answered(vec![Reply::empty(503); 9], "create_payment_intent", payment()).await;
    let error = result.unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint(), keys.len()),
        (Code::UpstreamUnavailable, Retry::Backoff, 4)
    );
    let told = Reply::empty(503).header("stripe-should-retry", "false");
    let (result, keys) = answered(vec![told; 9], "create_payment_intent", payment()).await;
    assert_eq!((result.unwrap_err().retry_hint(), keys.len()), (Retry::Never, 1));

    // A pause that would outlast the call is not begun.
    let twin = Twin::always(Reply::empty(503)).await;
    let connectors = connected(
        &twin,
        ("retryDelay: 500", "retryDelay: 60000"),
        json!({ "secret_key": KEY }),
    )
    .await;
    let error = call(&connectors, "create_payment_intent", payment()).await.unwrap_err();
    assert_eq!((error.code(), twin.seen().len()), (Code::UpstreamUnavailable, 1));

    let (result, keys) = answered(vec![Reply::Stall(Vec::new())], "create_payment_intent", payment()).await;
    assert_eq!((result.unwrap_err().code(), keys.len()), (Code::UpstreamTimeout, 1));
}

#[tokio::test]
async fn the_caller_s_own_key_is_the_one_that_stripe_sees() {
    let (twin, connectors) = twin([Reply::empty(500), paid()]).await;
    let org = library::org(&connectors);
    let key = IdempotencyKey::parse("order-42").unwrap();
    let action = org.action("stripe", "create_payment_intent").idempotency_key(key);
    evidence::told(action.call(payment()).await).unwrap();
    let keys: Vec<_> = twin
        .seen()
        .iter()
        .map(|seen| seen.header("idempotency-key").map(str::to_owned))
        .collect();
    assert_eq!(keys, [Some("order-42".to_owned()), Some("order-42".to_owned())]);
}

#[tokio::test]
async fn refusals_say_what_stripe_says() {
    let declined = json!({ "error": { "type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds",
        "message": "Your card has insufficient funds.", "param": "payment_method" } });
    let missing = "No such customer: 'cus_2'";
    for (reply, code, said, pointer) in [
        (
            Reply::json(402, &declined),
            Code::ConnectorActionFailed,
            "(HTTP 402). It said: Your card has insufficient funds. (card_declined).",
            Some("/payment_method"),
        ),
        (
            trouble(
                401,
                "invalid_request_error",
                "api_key_expired",
                "Expired API Key provided",
            ),
            Code::UpstreamUnauthorized,
            "connect again with valid ones. It said: Expired API Key provided (api_key_expired).",
            None,
        ),
        (
            Reply::json(
                403,
                &json!({ "error": { "type": "invalid_request_error", "message": "This key may not." } }),
            ),
            Code::ConnectorActionFailed,
            "(HTTP 403). It said: This key may not. (invalid_request_error).",
            None,
        ),
        (
            trouble(404, "invalid_request_error", "resource_missing", missing),
            Code::ConnectorActionFailed,
            "(HTTP 404). It said: No such customer: 'cus_2' (resource_missing).",
            None,
        ),
        (
            Reply::json(
                400,
                &json!({ "error": { "type": "idempotency_error", "message": "Used with other parameters." } }),
            ),
            Code::ConnectorActionFailed,
            "(HTTP 400). It said: Used with other parameters. (idempotency_error).",
            None,
        ),
        (
            Reply::json(
                400,
                &json!({ "error": { "type": "invalid_request_error", "message": "Bad.", "param": "shipping[address][country]" } }),
            ),
            Code::ConnectorActionFailed,
            "(HTTP 400). It said: Bad. (invalid_request_error).",
            Some("/shipping/address/country"),
        ),
        (
            Reply::empty(410),
            Code::ConnectorActionFailed,
            "Stripe refused the call (HTTP 410).",
            None,
        ),
    ] {
        let (result, keys) = answered(vec![reply; 3], "create_payment_intent", payment()).await;
        let error = result.unwrap_err();
        assert_eq!(
            (error.code(), error.retry_hint(), keys.len()),
            (code, Retry::Never, 1),
            "{error}"
        );
        assert!(error.detail().contains(said), "{error}");
        let pointers: Vec<&str> = error
            .fields()
            .iter()
            .map(|field: &FieldError| field.pointer.as_str())
            .collect();
        assert_eq!(pointers, Vec::from_iter(pointer), "{error}");
    }
    let busy = trouble(409, "invalid_request_error", "lock_timeout", "busy");
    let (result, keys) = answered(vec![busy; 9], "create_payment_intent", payment()).await;
    let error = result.unwrap_err();
    assert_eq!(
        (error.code(), error.retry_hint(), keys.len()),
        (Code::ConnectorActionFailed, Retry::Backoff, 4),
        "the caller may try again later"
    );
    let slow = trouble(429, "invalid_request_error", "rate_limit", "slow down").header("request-id", "req_42");
    let (result, keys) = answered(vec![slow; 9], "get_balance", json!({})).await;
    let error = result.unwrap_err();
    assert_eq!((error.code(), keys.len()), (Code::UpstreamRateLimited, 4));
    assert!(
        format!("{error:?}").contains("upstream_request = req_42"),
        "the log can name it to Stripe: {error:?}"
    );
}

/// Whoever holds it can finish the payment: the caller gets it, and nothing of ours keeps it. The scan of logs and
/// databases after the tests looks for it.
#[tokio::test]
async fn r3_the_client_secret_of_a_payment_is_answered_and_not_kept() {
    let answer = json!({ "id": "pi_1", "status": "requires_payment_method", "client_secret": CLIENT_SECRET, "amount": 2000, "currency": "usd" });
    let wrong = json!({ "client_secret": CLIENT_SECRET });
    let (_twin, connectors) = twin([Reply::json(200, &answer), Reply::json(200, &wrong)]).await;
    let org = library::org(&connectors);
    let action = org.action("stripe", "create_payment_intent");
    let output = action.call(payment()).await.unwrap();
    assert!(CLIENT_SECRET.is_in(output.text()));
    // An answer without its id is an effect that happened: it is carried to the caller, and shown nowhere else.
    let error = action.call(payment()).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorActionOutputInvalid);
    assert!(CLIENT_SECRET.is_in(error.effect_output().unwrap().text()));
    assert!(!CLIENT_SECRET.is_in(&format!("{error:?}")), "{error:?}");
}

#[tokio::test]
async fn inputs_that_never_leave() {
    let (twin, connectors) = twin([]).await;
    for (action, input, pointer) in [
        ("create_payment_intent", json!({ "amount": 5 }), "/currency"),
        (
            "create_payment_intent",
            json!({ "amount": "5", "currency": "usd" }),
            "/amount",
        ),
        (
            "create_payment_intent",
            json!({ "amount": 5.5, "currency": "usd" }),
            "/amount",
        ),
        ("create_customer", json!({ "adress": {} }), "/adress"),
        (
            "create_customer",
            json!({ "address": { "town": "x" } }),
            "/address/town",
        ),
        (
            "create_customer",
            json!({ "metadata": { "a][b": "c" } }),
            "/metadata/a][b",
        ),
        ("create_customer", json!({ "tax_exempt": "always" }), "/tax_exempt"),
        ("create_refund", json!({ "amount": 5 }), ""),
        ("list_customers", json!({ "limit": 101 }), "/limit"),
        ("retrieve_customer", json!({ "customer_id": ".." }), "/customer_id"),
        ("retrieve_customer", json!({ "customer_id": "" }), "/customer_id"),
    ] {
        let error = call(&connectors, action, input.clone()).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorActionInputInvalid, "{input}");
        assert!(
            error.fields().iter().any(|field| field.pointer == pointer),
            "{input}: {error:?}"
        );
    }
    assert_eq!(twin.seen().len(), 0);
}

#[tokio::test]
async fn the_test_tells_live_from_test_and_takes_a_limited_key() {
    let limited = trouble(
        403,
        "invalid_request_error",
        "more_permissions_required",
        "This key may not.",
    );
    for (reply, label, success) in [
        (
            Reply::json(200, &json!({ "object": "balance", "livemode": true })),
            Some("Live mode"),
            true,
        ),
        (
            Reply::json(200, &json!({ "object": "balance", "livemode": false })),
            Some("Test mode"),
            true,
        ),
        (limited, None, true),
        (
            trouble(
                403,
                "invalid_request_error",
                "account_invalid",
                "No access to account 'acct_1A'",
            ),
            None,
            false,
        ),
        (
            trouble(401, "invalid_request_error", "api_key_expired", "Expired"),
            None,
            false,
        ),
    ] {
        let twin = Twin::start([reply]).await;
        let connectors = library::with(vec![stripe(&twin, HURRIED)], &[]);
        let connect = library::connect("stripe", json!({ "apiKey": KEY }));
        let result = evidence::told(connectors.test_unsaved(&library::stranger(), &connect).await).unwrap();
        assert_eq!(
            (result.success, result.label.as_deref()),
            (success, label),
            "{}",
            result.message
        );
        let asked: Vec<String> = twin
            .seen()
            .iter()
            .map(|seen| format!("{} {}", seen.method, seen.target))
            .collect();
        // Whose account it is, is asked only of a good key; that nobody answers changes nothing.
        let both = ["GET /v1/balance", "GET /v1/account"];
        assert_eq!(asked, both[..if success { 2 } else { 1 }]);
    }
}

#[tokio::test]
async fn what_is_no_key_is_refused_without_being_repeated() {
    let connectors = library::with(tieline_catalog::connectors(), &[]);
    for (config, pointer) in [
        (json!({ "secret_key": "pk_test_publishable0000000000" }), "/secret_key"),
        (json!({ "api_key": format!(" {KEY}") }), "/api_key"),
        (
            json!({ "secret_key": KEY, "webhook_secret": "whsec_" }),
            "/webhook_secret",
        ),
        (
            json!({ "secret_key": KEY, "stripe_account": "cus_1" }),
            "/stripe_account",
        ),
        (
            json!({ "secret_key": KEY, "stripe_version": "newest" }),
            "/stripe_version",
        ),
        (json!({}), "/secret_key"),
    ] {
        let connect = library::org(&connectors).connect("stripe", config).await;
        let error = evidence::told(connect).unwrap_err();
        let pointers: Vec<&str> = error.fields().iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, [format!("/config{pointer}")], "{error:?}");
        assert!(!format!("{error:?}").contains("publishable"), "{error:?}");
    }
}
