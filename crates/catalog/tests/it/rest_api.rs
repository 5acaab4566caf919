//! A REST API of the user's own, through the real engine, against a server that answers from a script.

use serde_json::{Value, json};
use tieline::{
    Code, Connectors, Error,
    call::{Call, Via},
    error::Retry,
};
use tieline_testkit::{
    canary::Canary,
    evidence,
    twin::{Reply, Seen, Twin},
};

use crate::library;

static TOKEN: Canary = Canary::new("bearer token of a REST API");
static KEY: Canary = Canary::new("API key of a REST API");
static HEADER: Canary = Canary::new("header of a REST API");

async fn connected(fields: Value) -> Result<Connectors, Error> {
    let connectors = library::with(tieline_catalog::connectors(), &[]);
    evidence::told(library::org(&connectors).connect("rest-api", fields).await)?;
    Ok(connectors)
}

async fn call(connectors: &Connectors, input: Value) -> Result<Value, Error> {
    let output = library::org(connectors).action("rest-api", "request").call(input).await;
    Ok(evidence::told(output)?.to_value())
}

/// One call over a connection with these fields: how it arrived.
async fn arrived(fields: Value, input: Value) -> Seen {
    let twin = Twin::always(Reply::json(200, &json!({ "ok": true }))).await;
    let mut fields = fields;
    fields["url"] = json!(format!("{}/v1/", twin.url()));
    let connectors = connected(fields).await.unwrap();
    let output = call(&connectors, input).await.unwrap();
    assert_eq!(output["data"], json!({ "ok": true }));
    let [seen] = twin.seen().try_into().unwrap();
    seen
}

#[tokio::test]
async fn every_way_of_signing_in() {
    let post = json!({ "method": "POST", "path": "/users", "body": { "a": 1, "key": "mine" } });
    let seen = arrived(json!({ "token": TOKEN }), post.clone()).await;
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/v1/users"));
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));

    let seen = arrived(json!({ "username": "ada" }), post.clone()).await;
    assert_eq!(seen.header("authorization"), Some("Basic YWRhOg=="));

    let key = |location: &str, name: &str| json!({ "keyValue": KEY, "keyName": name, "keyLocation": location });
    let seen = arrived(key("header", "X-Acme"), post.clone()).await;
    assert_eq!(seen.header("x-acme"), Some(&*KEY));
    assert_eq!(seen.json(), json!({ "a": 1, "key": "mine" }));

    let seen = arrived(
        key("query", "the key"),
        json!({ "path": "/users?x=1", "params": { "y": 2 } }),
    )
    .await;
    let sent = url::Url::parse(&format!("http://a.example{}", seen.target)).unwrap();
    let pairs: Vec<_> = sent
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(pairs, [pair("x", "1"), pair("y", "2"), pair("the key", &KEY)]);

    let seen = arrived(key("body", "key"), post).await;
    assert_eq!(seen.json(), json!({ "a": 1, "key": &*KEY }));
    let seen = arrived(key("body", "key"), json!({ "method": "POST" })).await;
    assert_eq!(seen.json(), json!({ "key": &*KEY }));
    let form = json!({
        "method": "PUT", "body": { "a": "1" }, "headers": { "Content-Type": "application/x-www-form-urlencoded" },
    });
    let seen = arrived(key("body", "key"), form).await;
    let body = url::form_urlencoded::parse(&seen.body);
    let pairs: Vec<_> = body
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    assert_eq!(pairs, [pair("a", "1"), pair("key", &KEY)]);
}

/// S003: headers come as an object or as a text in JSON; each value is a secret.
#[tokio::test]
async fn headers_as_an_object_or_a_text() {
    let text = format!("{{\"X-Account\": {}}}", serde_json::to_string(&HEADER).unwrap());
    for headers in [json!({ "X-Account": HEADER }), json!(text)] {
        let mine = json!({ "headers": { "x-account": "mine", "x-other": "1" } });
        let seen = arrived(json!({ "headers": headers.clone() }), mine.clone()).await;
        assert_eq!(
            (seen.header("x-account"), seen.header("x-other")),
            (Some(&*HEADER), Some("1"))
        );
        let beside = arrived(json!({ "headers": headers, "token": TOKEN }), mine).await;
        assert_eq!(beside.header("x-account"), Some(&*HEADER));
        assert_eq!(beside.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    }
    for bad in [
        json!("not json"),
        json!({ "Host": "a" }),
        json!({ "X-A": "1\r\nX-B: 2" }),
        json!([1]),
    ] {
        let error = connected(json!({ "url": "https://a.example", "headers": bad }))
            .await
            .err()
            .unwrap();
        assert_eq!(error.code(), Code::ConnectorConfigInvalid);
        assert_eq!(error.fields()[0].pointer, "/config/headers");
    }
}

/// R1, R4: a header's value is scrubbed by itself, is not told, and stays when its mask is sent back.
#[tokio::test]
async fn r1_each_header_is_a_secret() {
    let echo = |seen: &Seen| Reply::json(400, &json!({ "error": { "message": seen.header("x-account") } }));
    let twin = Twin::answering(echo).await;
    let (connectors, by) = (library::with(tieline_catalog::connectors(), &[]), library::stranger());
    let connect = library::connect(
        "rest-api",
        json!({ "url": twin.url(), "headers": { "X-Account": HEADER } }),
    );
    let connection = evidence::told(connectors.connect(&by, connect).await).unwrap();
    let call = async || {
        let call = Call {
            connector: None,
            action: "request".to_owned(),
            input: json!({}).into(),
            via: Via::Connection(connection.id),
            idempotency_key: None,
        };
        evidence::told(connectors.call(&by, call).await.map(|called| called.output))
    };
    let error = call().await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorActionFailed);
    assert!(!HEADER.is_in(&format!("{error:?}")), "{error:?}");

    let shown = serde_json::to_value(&connection.secrets["headers"]).unwrap();
    assert_eq!(shown["set"], true);
    let patch = |config: Value| tieline::connection::ConnectionPatch {
        config: Some(config.into()),
        ..Default::default()
    };
    let same = json!({ "headers": shown, "method": "POST" });
    connectors
        .update_connection(&by, connection.id, patch(same))
        .await
        .unwrap();
    call().await.unwrap_err();
    let anew = json!({ "headers": { "X-Account": "another value" } });
    connectors
        .update_connection(&by, connection.id, patch(anew))
        .await
        .unwrap();
    call().await.unwrap_err();
    let sent: Vec<_> = twin
        .seen()
        .iter()
        .map(|seen| seen.header("x-account").unwrap().to_owned())
        .collect();
    assert_eq!(sent, [&*HEADER, &*HEADER, "another value"]);

    // O5: another URL asks for them anew.
    let moved = connectors
        .update_connection(&by, connection.id, patch(json!({ "url": "https://evil.example" })))
        .await;
    assert_eq!(moved.unwrap_err().fields()[0].pointer, "/config/headers");
}

/// N: no path leads to another host or above the base.
#[tokio::test]
async fn n_no_path_leaves_the_base() {
    let twin = Twin::always(Reply::empty(200)).await;
    let connectors = connected(json!({ "url": format!("{}/v1", twin.url()), "token": TOKEN }))
        .await
        .unwrap();
    for path in [
        "/../admin",
        "/a/%2e%2e/%2E./admin",
        "@evil.example/",
        ".evil.example/",
        ":1/",
        "https://evil.example/",
        "/a\\..\\b",
        "/a b",
        "/a\r\nX-B: 1",
    ] {
        let error = call(&connectors, json!({ "path": path })).await.unwrap_err();
        assert!(
            matches!(error.code(), Code::ConnectorActionInputInvalid | Code::EgressForbidden),
            "{path}: {error}"
        );
    }
    assert_eq!(twin.connections(), 0);
    call(&connectors, json!({ "path": "//evil.example/x" })).await.unwrap();
    assert_eq!(twin.seen()[0].target, "/v1//evil.example/x");
}

#[tokio::test]
async fn refusals_fail_the_call_and_redirects_do_not() {
    let said = |status: u16, body: Value| Reply::json(status, &body);
    let trap = Twin::always(Reply::empty(200)).await;
    let twin = Twin::start([
        said(404, json!({ "message": "No such user" })),
        said(401, json!({ "error_description": "expired" })),
        said(429, json!({})).header("retry-after", "7"),
        said(503, json!({ "errors": [{ "detail": "closed" }] })),
        Reply::empty(302).header("location", &trap.url()),
    ])
    .await;
    let connectors = connected(json!({ "url": twin.url(), "token": TOKEN })).await.unwrap();
    let seven = Retry::After(std::time::Duration::from_secs(7));
    for (code, retry, words) in [
        (Code::ConnectorActionFailed, Retry::Never, "No such user"),
        (Code::UpstreamUnauthorized, Retry::Never, "expired"),
        (Code::UpstreamRateLimited, seven, "HTTP 429"),
        (Code::UpstreamUnavailable, Retry::Backoff, "closed"),
    ] {
        let error = call(&connectors, json!({})).await.unwrap_err();
        assert_eq!((error.code(), error.retry_hint()), (code, retry));
        assert!(error.detail().contains(words), "{error}");
    }
    let redirect = call(&connectors, json!({})).await.unwrap();
    assert_eq!(
        (&redirect["status"], &redirect["headers"]["location"]),
        (&json!(302), &json!(trap.url()))
    );
    assert_eq!((twin.seen().len(), trap.connections()), (5, 0));
}

/// S003: one request of the URL as it stands, any 2xx is a yes.
#[tokio::test]
async fn the_test_of_the_documents() {
    let connectors = library::with(tieline_catalog::connectors(), &[]);
    let test = async |status: u16, method: Value| {
        let twin = Twin::always(Reply::empty(status)).await;
        let fields =
            json!({ "url": format!("{}/ping?x=1", twin.url()), "method": method, "headers": "{\"X-A\": \"1\"}" });
        let connect = library::connect("rest-api", fields);
        let result = evidence::told(connectors.test_unsaved(&library::stranger(), &connect).await).unwrap();
        (result, twin.seen().remove(0))
    };
    for (status, method) in [(200, "GET"), (204, "POST")] {
        let (works, seen) = test(status, json!(method)).await;
        assert!(
            works.success && works.details["statusCode"] == status,
            "{}",
            works.message
        );
        assert_eq!((seen.method.as_str(), seen.target.as_str()), (method, "/ping?x=1"));
        assert_eq!(seen.header("x-a"), Some("1"));
    }
    let (refused, _) = test(401, Value::Null).await;
    assert_eq!(
        (refused.success, refused.error_code),
        (false, Some(Code::UpstreamUnauthorized))
    );
    for status in [302, 404, 500] {
        let (failed, _) = test(status, Value::Null).await;
        assert_eq!(
            (failed.success, failed.error_code),
            (false, Some(Code::ConnectorActionFailed))
        );
        assert!(failed.message.contains(&format!("HTTP {status}")));
    }
    for (fields, pointer) in [
        (json!({ "method": "GET" }), "/config/url"),
        (json!({ "url": "https://a.example", "method": "PUT" }), "/config/method"),
    ] {
        let connect = library::connect("rest-api", fields);
        let error = connectors
            .test_unsaved(&library::stranger(), &connect)
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::ConnectorConfigInvalid);
        assert_eq!(error.fields()[0].pointer, pointer);
    }
}
