//! WooCommerce as declared, through the library, against a server that answers from a script.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tieline::{
    Code, Connector, Connectors, Error,
    call::{Call, Via},
    connection::ConnectionPatch,
    error::Retry,
};
use tieline_testkit::{
    canary::Canary,
    evidence,
    twin::{Reply, Twin},
};

use crate::library;

static KEY: Canary = Canary::shaped("WooCommerce key", "ck_########################################");
static SECRET: Canary = Canary::shaped("WooCommerce secret", "cs_########################################");

/// The shipped connector, but that it takes a shop of ours without TLS, and for its patience, which is short.
fn woocommerce() -> Connector {
    let words = [
        ("'^https://[A-Za-z0-9.-]+", "'^http://[A-Za-z0-9.-]+"),
        ("retryDelay: 500", "retryDelay: 1"),
    ];
    library::changed("woocommerce", &words)
}

fn fields(store: &str) -> Value {
    json!({ "store_url": store, "consumerKey": KEY, "consumer_secret": SECRET })
}

async fn connected(store: &str) -> Connectors {
    let connectors = library::with(vec![woocommerce()], &[]);
    let connected = library::org(&connectors).connect("woocommerce", fields(store)).await;
    evidence::told(connected).unwrap();
    connectors
}

async fn call(connectors: &Connectors, action: &str, input: Value) -> Result<Value, Error> {
    let output = evidence::told(library::org(connectors).action("woocommerce", action).call(input).await)?;
    Ok(output.to_value())
}

/// One call answered so, and how often the shop was asked.
async fn answered(reply: Reply, action: &str, input: Value) -> (Error, usize) {
    let twin = Twin::always(reply).await;
    let connectors = connected(&twin.url()).await;
    let error = call(&connectors, action, input).await.unwrap_err();
    let all = format!("{error:?}");
    assert!(!KEY.is_in(&all) && !SECRET.is_in(&all), "{all}");
    (error, twin.seen().len())
}

fn no(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({ "code": code, "message": message, "data": { "status": status } }),
    )
}

/// Below the shop's own folder, with both halves of the key.
#[tokio::test]
async fn every_action_as_the_shop_reads_it() {
    let one = json!({ "id": 1, "name": "x" });
    let many = json!([one]);
    let pages = |body| {
        Reply::json(200, body)
            .header("x-wp-total", "1")
            .header("x-wp-totalpages", "1")
    };
    for (action, input, target, body, answer) in [
        (
            "list_orders",
            json!({ "page": 2, "per_page": 100, "status": "on-hold", "modified_after": "2026-01-01T00:00:00" }),
            "GET /orders?page=2&per_page=100&status=on-hold&modified_after=2026-01-01T00%3A00%3A00",
            Value::Null,
            &many,
        ),
        ("get_order", json!({ "id": 7 }), "GET /orders/7", Value::Null, &one),
        (
            "create_order",
            json!({ "line_items": [{ "product_id": 93, "quantity": 2 }], "set_paid": true }),
            "POST /orders",
            json!({ "line_items": [{ "product_id": 93, "quantity": 2 }], "set_paid": true }),
            &one,
        ),
        (
            "update_order",
            json!({ "id": 7, "status": "completed" }),
            "PUT /orders/7",
            json!({ "status": "completed" }),
            &one,
        ),
        (
            "refund_order",
            json!({ "id": 7, "amount": "10.00", "api_refund": false }),
            "POST /orders/7/refunds",
            json!({ "amount": "10.00", "api_refund": false }),
            &one,
        ),
        (
            "add_order_note",
            json!({ "id": 7, "note": "Grüße 🎉" }),
            "POST /orders/7/notes",
            json!({ "note": "Grüße 🎉" }),
            &one,
        ),
        (
            "list_products",
            json!({ "search": "a & b", "stock_status": "instock" }),
            "GET /products?search=a%20%26%20b&stock_status=instock",
            Value::Null,
            &many,
        ),
        (
            "create_product",
            json!({ "name": "x", "regular_price": "21.99" }),
            "POST /products",
            json!({ "name": "x", "regular_price": "21.99" }),
            &one,
        ),
        (
            "update_product",
            json!({ "id": 7, "stock_quantity": 0 }),
            "PUT /products/7",
            json!({ "stock_quantity": 0 }),
            &one,
        ),
        (
            "list_customers",
            json!({ "role": "all" }),
            "GET /customers?role=all",
            Value::Null,
            &many,
        ),
        (
            "create_customer",
            json!({ "email": "ada@example.com", "password": "of the customer" }),
            "POST /customers",
            json!({ "email": "ada@example.com", "password": "of the customer" }),
            &one,
        ),
    ] {
        let twin = Twin::start([pages(answer)]).await;
        let connectors = connected(&format!("{}/my/shop/", twin.url())).await;
        assert_eq!(call(&connectors, action, input).await.unwrap(), *answer, "{action}");
        let [request] = twin.seen().try_into().unwrap();
        let (method, path) = target.split_once(' ').unwrap();
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            (method, format!("/my/shop/wp-json/wc/v3{path}").as_str())
        );
        let pair = STANDARD.encode(format!("{}:{}", &*KEY, &*SECRET));
        assert_eq!(request.header("authorization"), Some(format!("Basic {pair}").as_str()));
        if body.is_null() {
            assert!(request.body.is_empty());
        } else {
            assert_eq!(request.json(), body);
            assert_eq!(request.header("content-type"), Some("application/json"));
        }
    }
}

#[tokio::test]
async fn refusals() {
    let missing = no(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.");
    let (error, asked) = answered(missing, "get_order", json!({ "id": 1 })).await;
    assert_eq!(
        (error.code(), error.retry_hint(), asked),
        (Code::ConnectorActionFailed, Retry::Never, 1)
    );
    assert!(
        error
            .detail()
            .contains("Invalid ID. (woocommerce_rest_shop_order_invalid_id)"),
        "{error}"
    );
    for code in ["woocommerce_rest_authentication_error", "woocommerce_rest_cannot_view"] {
        let (error, asked) = answered(no(401, code, "No."), "list_orders", json!({})).await;
        assert_eq!((error.code(), asked), (Code::UpstreamUnauthorized, 1));
        assert!(error.detail().contains(code), "{error}");
    }
    let page = Reply::Answer {
        status: 200,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: b"<html>Are you a robot?</html>".to_vec(),
    };
    let (error, asked) = answered(page, "list_orders", json!({})).await;
    assert_eq!((error.code(), asked), (Code::UpstreamAnswerInvalid, 1));
}

/// An order is never made twice on a guess; a list is asked for again, unless the shop's host wants more time than we have.
#[tokio::test]
async fn in_trouble() {
    let (error, asked) = answered(Reply::empty(503), "create_order", json!({ "set_paid": true })).await;
    assert_eq!((error.code(), asked), (Code::UpstreamUnavailable, 1));
    let (error, asked) = answered(Reply::empty(503), "list_orders", json!({})).await;
    assert_eq!((error.code(), asked), (Code::UpstreamUnavailable, 3));
    let later = Reply::empty(429).header("retry-after", "120");
    let (error, asked) = answered(later, "list_orders", json!({})).await;
    assert_eq!(
        (error.code(), error.retry_hint(), asked),
        (Code::UpstreamRateLimited, Retry::After(Duration::from_secs(120)), 1)
    );
}

#[tokio::test]
async fn what_is_no_shop_or_no_key_is_refused_and_not_repeated() {
    let shipped = library::with(tieline_catalog::connectors(), &[]);
    let good = fields("https://shop.example.com");
    let with = |name: &str, value: &str| {
        let mut fields = good.clone();
        fields[name] = value.into();
        fields
    };
    for (fields, pointer) in [
        (with("store_url", "http://shop.example.com"), "/store_url"),
        (with("store_url", "shop.example.com"), "/store_url"),
        (with("store_url", "https://ada:pass@shop.example.com"), "/store_url"),
        (with("store_url", "https://shop.example.com?x=1"), "/store_url"),
        (with("store_url", "https://shop.example.com/#x"), "/store_url"),
        (
            with("store_url", "https://shop.example.com\\@evil.example"),
            "/store_url",
        ),
        (with("consumerKey", &SECRET), "/consumerKey"),
        (with("consumer_secret", &KEY), "/consumer_secret"),
        (
            json!({ "store_url": "https://shop.example.com", "consumer_key": KEY }),
            "/consumer_secret",
        ),
    ] {
        let connect = library::org(&shipped).connect("woocommerce", fields).await;
        let error = evidence::told(connect).unwrap_err();
        let pointers: Vec<&str> = error.fields().iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, [format!("/config{pointer}")], "{error:?}");
        let all = format!("{error:?}");
        assert!(!KEY.is_in(&all) && !SECRET.is_in(&all), "{all}");
    }
}

/// Whoever changes the shop's address gives the key again, even for another folder of the same host.
#[tokio::test]
async fn o5_another_shop_asks_for_the_key_anew() {
    let twin = Twin::always(Reply::json(200, &json!([]))).await;
    let (connectors, by) = (library::with(vec![woocommerce()], &[]), library::stranger());
    let connect = library::connect("woocommerce", fields(&format!("{}/one", twin.url())));
    let id = evidence::told(connectors.connect(&by, connect).await).unwrap().id;
    let other = format!("{}/other", twin.url());
    let change = |config: Value| {
        let patch = ConnectionPatch {
            config: Some(config.into()),
            ..ConnectionPatch::default()
        };
        connectors.update_connection(&by, id, patch)
    };
    let error = evidence::told(change(json!({ "store_url": other })).await).unwrap_err();
    let pointers: Vec<&str> = error.fields().iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!(
        (error.code(), pointers),
        (
            Code::ConnectorConfigInvalid,
            vec!["/config/consumer_key", "/config/consumer_secret"]
        )
    );
    evidence::told(change(fields(&other)).await).unwrap();
    let call = Call {
        connector: None,
        action: "list_orders".to_owned(),
        input: json!({}).into(),
        via: Via::Connection(id),
        idempotency_key: None,
    };
    let called = evidence::told(connectors.call(&by, call).await.map(|called| called.output));
    called.unwrap();
    let [request] = twin.seen().try_into().unwrap();
    assert_eq!(request.target, "/other/wp-json/wc/v3/orders");
}

/// The key goes to the shop's host and nowhere else, wherever the shop sends us.
#[tokio::test]
async fn n5_the_key_stays_at_the_shop() {
    let elsewhere = Twin::always(Reply::json(200, &json!([]))).await;
    let away = format!("http://localhost:{}/wp-json/wc/v3/orders", elsewhere.port());
    for status in [301, 302, 307, 308] {
        let reply = Reply::empty(status).header("location", &away);
        let (error, asked) = answered(reply, "list_orders", json!({})).await;
        assert_eq!((error.code(), asked), (Code::ConnectorActionFailed, 1), "{error}");
        assert!(error.detail().contains("to another address"), "{error}");
    }
    assert_eq!(elsewhere.seen().len(), 0);
}
