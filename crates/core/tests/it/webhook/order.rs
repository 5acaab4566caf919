//! The way of a webhook: the house's first, and everything that can stand in it.

use http::{Request, StatusCode, header};
use http_body_util::Full;
use serde_json::json;
use tieline::{connection::DeliveryResult, limits::WEBHOOK_BODY_BYTES};

use super::{Lab, TOKEN, request};

#[tokio::test]
async fn a_signed_webhook_reaches_its_handler_and_its_answer_is_the_handlers() {
    let lab = Lab::new();
    let address = lab.connect().await;
    let answer = lab.deliver(&address, r#"{"kind":"made"}"#).await;
    assert_eq!(
        (answer.status, &answer.body),
        (StatusCode::OK, &json!({ "kind": "made", "for": "org_1" }))
    );
    assert_eq!(answer.head[header::CONTENT_TYPE], "application/json");
    assert_eq!(answer.head[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(
        lab.told().await,
        ["webhook.received Some(true)", "webhook.processed Some(true)"]
    );
    let webhook = lab.org().get("acme").await.unwrap().unwrap().webhook.unwrap();
    assert_eq!(webhook.last_event_at, Some(super::NOW.parse().unwrap()));
    assert_eq!(
        (webhook.last_event_result, webhook.error),
        (Some(DeliveryResult::Success), None)
    );
}

#[tokio::test]
async fn defect_8_strangers_are_told_one_thing_whatever_is_wrong() {
    let lab = Lab::new();
    let address = lab.connect().await;
    let other = lab
        .org()
        .named("other")
        .connect("acme", json!({ "token": &*TOKEN }))
        .await
        .unwrap();
    let other = super::address_of(&other);
    let (locator, secret) = address.rsplit_once('.').unwrap();
    let (other_locator, _) = other.rsplit_once('.').unwrap();
    let never = format!("{}{}", &locator[..locator.len() - 26], "01jd3k9v7rf8pa0q2m5w8x4ynz");
    let strangers = [
        address.replace("/acme/", "/nobody/"),
        format!("{never}.{secret}"),
        format!("{locator}.{}", "A".repeat(43)),
        format!("{other_locator}.{secret}"),
        format!("{locator}.{secret}x"),
        locator.to_owned(),
        format!("{locator}."),
        format!("{}/webhook/", &address[..address.find("/webhook").unwrap()]),
        format!("{}/webhook", &address[..address.find("/webhook").unwrap()]),
    ];
    let mut told = Vec::new();
    for stranger in &strangers {
        let answer = lab.deliver(stranger, r#"{"kind":"made"}"#).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{stranger}");
        assert!(
            lab.told().await.is_empty(),
            "strangers are nothing to tell of: {stranger}"
        );
        told.push((answer.head, answer.body.to_string()));
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    // A body that cannot be read is not read: the stranger is refused before.
    let unread = request(&strangers[2], "{").body(Full::from("{")).unwrap();
    assert_eq!(lab.send(unread).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_connector_without_a_webhook_says_so_and_has_no_address() {
    let lab = Lab::new();
    let connected = lab.org().connect("silent", json!({})).await.unwrap();
    assert!(connected.webhook.is_none());
    let answer = lab.deliver("/api/v1/connectors/silent/webhook/x", "{}").await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (400, "CONNECTOR_WEBHOOK_NOT_CONFIGURED")
    );
    for asked in [
        lab.org().webhook("silent").await,
        lab.org().rotate_webhook("silent").await,
    ] {
        assert_eq!(asked.unwrap_err().code().as_str(), "CONNECTOR_WEBHOOK_NOT_CONFIGURED");
    }
}

#[tokio::test]
async fn defect_14_a_connection_that_is_switched_off_takes_none() {
    let lab = Lab::new();
    let address = lab.connect().await;
    lab.org().disable("acme").await.unwrap();
    let answer = lab.deliver(&address, r#"{"kind":"made"}"#).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "CONNECTION_DISABLED"));
    assert_eq!(
        lab.told().await,
        [
            "webhook.failed CONNECTION_DISABLED None",
            "error.occurred CONNECTION_DISABLED None"
        ]
    );
    lab.org().enable("acme").await.unwrap();
    assert_eq!(lab.deliver(&address, r#"{"kind":"made"}"#).await.status, StatusCode::OK);
}

#[tokio::test]
async fn w6_other_methods_media_types_and_sizes_are_refused_before_anything_is_read() {
    let lab = Lab::new();
    let address = lab.connect().await;
    let path = address.strip_prefix("https://app.example").unwrap();
    let json = |method: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
    };
    let large = (WEBHOOK_BODY_BYTES + 1).to_string();
    let cases = [
        (json("GET").body(Full::default()).unwrap(), 405, "METHOD_NOT_ALLOWED"),
        (json("PUT").body(Full::from("{}")).unwrap(), 405, "METHOD_NOT_ALLOWED"),
        (
            Request::post(path).body(Full::from("{}")).unwrap(),
            415,
            "MEDIA_TYPE_UNSUPPORTED",
        ),
        (
            Request::post(path)
                .header("content-type", "text/plain")
                .body(Full::from("{}"))
                .unwrap(),
            415,
            "MEDIA_TYPE_UNSUPPORTED",
        ),
        (
            json("POST")
                .header("content-type", "text/plain")
                .body(Full::from("{}"))
                .unwrap(),
            415,
            "MEDIA_TYPE_UNSUPPORTED",
        ),
        (
            json("POST")
                .header("content-length", &large)
                .body(Full::from("{}"))
                .unwrap(),
            413,
            "BODY_TOO_LARGE",
        ),
        (
            json("POST")
                .header("content-length", "-1")
                .body(Full::from("{}"))
                .unwrap(),
            413,
            "BODY_TOO_LARGE",
        ),
    ];
    for (request, status, code) in cases {
        let what = format!("{request:?}");
        let answer = lab.send(request).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{what}");
    }
    let got = lab.send(json("GET").body(Full::default()).unwrap()).await;
    assert_eq!(got.head[header::ALLOW], "POST");
}

#[tokio::test]
async fn a_payload_that_does_not_fit_is_told_with_its_places() {
    let lab = Lab::new();
    let address = lab.connect().await;
    for (body, pointer) in [
        (r#"{"number":1}"#, Some("/kind")),
        (r#"{"kind":"made","number":"one"}"#, Some("/number")),
        ("not json", None),
        (r#"{"kind":"made","kind":"unmade"}"#, None),
        ("", None),
    ] {
        let answer = lab.deliver(&address, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (400, "CONNECTOR_WEBHOOK_VALIDATION_FAILED"),
            "{body}"
        );
        assert_eq!(answer.body["fields"][0]["pointer"].as_str(), pointer, "{body}");
        let told = lab.told().await;
        let expected = ["webhook.failed", "error.occurred"]
            .map(|kind| format!("{kind} CONNECTOR_WEBHOOK_VALIDATION_FAILED Some(true)"));
        assert_eq!(told, expected, "{body}");
    }
    let webhook = lab.org().get("acme").await.unwrap().unwrap().webhook.unwrap();
    assert_eq!(webhook.last_event_result, Some(DeliveryResult::Error));
    assert!(
        webhook
            .error
            .unwrap()
            .starts_with("CONNECTOR_WEBHOOK_VALIDATION_FAILED: The payload is not JSON")
    );
}

#[tokio::test]
async fn defect_10_every_failure_is_an_answer_with_a_code() {
    let lab = Lab::new();
    lab.connect().await;
    let address = lab.org().webhook("acme").await.unwrap();
    let token = address.reveal().rsplit('/').next().unwrap().to_owned();
    let send = async |connector: &str, route: &str| {
        let body = r#"{"kind":"made"}"#;
        super::read(
            lab.connectors
                .handle(connector, route, lab.signed("/mine/elsewhere", body))
                .await,
        )
        .await
    };
    for (connector, route, status, code) in [
        ("acme", "/webhook", 404, "NOT_FOUND"),
        ("acme", "/nowhere", 404, "ROUTE_NOT_FOUND"),
        ("acme", "", 404, "ROUTE_NOT_FOUND"),
        ("nobody", "/oauth/connect", 404, "NOT_FOUND"),
        ("acme", "/oauth/connect", 400, "CONNECTOR_OAUTH_NOT_CONFIGURED"),
        ("acme", "/oauth/callback", 400, "CONNECTOR_OAUTH_NOT_CONFIGURED"),
    ] {
        let answer = send(connector, route).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{connector} {route}"
        );
        assert_eq!(answer.head[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(answer.body["type"], format!("/errors/{code}"));
        assert_eq!(answer.body["status"], status);
    }
    // The token may be handed over beside the path, which then may be anything.
    assert_eq!(send("acme", &format!("/webhook/{token}")).await.status, StatusCode::OK);
    let path = format!("/hooks/{token}");
    let at_its_end = lab
        .connectors
        .handle("acme", "/webhook", lab.signed(&path, r#"{"kind":"made"}"#))
        .await;
    assert_eq!(at_its_end.status(), StatusCode::OK);
    for path in [
        "/",
        "/api/v1/connectors/acme",
        "/elsewhere/acme/webhook/x",
        "/api/v1/connectors",
    ] {
        let answer = lab.deliver(path, "{}").await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (404, "ROUTE_NOT_FOUND"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn signing_in_is_declared_and_said_to_be_not_there_yet() {
    let manifest = "{ id: signs, name: Signs, baseUrl: 'https://signs.example', endpoints: [], auth: [{ type: oauth2, \
        authorizationUrl: 'https://signs.example/a', tokenUrl: 'https://signs.example/t', fields: [] }] }";
    let lab = Lab::shaped(|builder| builder.manifest(manifest));
    for route in ["oauth/connect", "oauth/callback"] {
        let answer = lab.deliver(&format!("/api/v1/connectors/signs/{route}"), "{}").await;
        assert_eq!((answer.status.as_u16(), answer.code()), (501, "OAUTH_NOT_SUPPORTED"));
    }
}
