//! Calls: through the real client, against a real listener.

use serde_json::json;
use tieline::{
    Code, Scope,
    call::{Call, Via},
    connection::Connect,
};
use tieline_testkit::{canary::Canary, twin::Twin};

use crate::house::{House, SLEEPY, TOKEN, json_reply};

#[tokio::test]
async fn a_call_goes_out_as_declared_and_its_answer_comes_back_exactly() {
    let twin = Twin::always(json_reply(
        "200 OK",
        r#"{"id":"7","at":1700000000.000100,"big":12345678901234567890123}"#,
    ))
    .await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    let output = house
        .call(&connection, "post", json!({ "channel": "a/b", "text": "hi" }))
        .await
        .unwrap();
    assert_eq!(
        output.text(),
        r#"{"id":"7","at":1700000000.000100,"big":12345678901234567890123}"#
    );
    let request = &twin.requests()[0];
    assert!(
        request.starts_with("POST /v1/channels/a%2Fb/messages HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request
            .to_lowercase()
            .contains(&format!("authorization: bearer {TOKEN}")),
        "{request}"
    );
    assert!(request.ends_with(r#"{"text":"hi"}"#), "{request}");
}

#[tokio::test]
async fn wrong_input_is_refused_with_its_place_before_anything_is_sent() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    let error = house
        .call(&connection, "post", json!({ "channel": "x", "text": 5, "tezt": true }))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ConnectorActionInputInvalid);
    assert!(error.fields().iter().any(|field| field.pointer == "/text"), "{error:?}");
    let cases = [
        (
            house.call(&connection, "psot", json!({})).await,
            Code::ConnectorActionNotFound,
        ),
        (
            house
                .call_via(Via::Nothing, "post", json!({ "channel": "x", "text": "y" }))
                .await,
            Code::ConnectorDefaultConfigRequired,
        ),
    ];
    for (result, code) in cases {
        assert_eq!(result.unwrap_err().code(), code);
    }
    assert_eq!(twin.connections(), 0);
}

#[tokio::test]
async fn an_output_that_does_not_fit_says_that_the_effect_happened_and_carries_it() {
    let twin = Twin::always(json_reply("200 OK", r#"{"id":7}"#)).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    let error = house
        .call(&connection, "post", json!({ "channel": "x", "text": "y" }))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ConnectorActionOutputInvalid);
    assert_eq!(error.effect_output().unwrap().text(), r#"{"id":7}"#);
}

#[tokio::test]
async fn refusals_of_the_service_have_a_code_each() {
    let cases = [
        ("401 Unauthorized", Code::UpstreamUnauthorized),
        ("404 Not Found", Code::ConnectorActionFailed),
        ("500 Internal Server Error", Code::UpstreamUnavailable),
    ];
    for (status, code) in cases {
        let twin = Twin::always(json_reply(status, r#"{"code":50035,"message":"Invalid Form Body"}"#)).await;
        let house = House::with(&twin);
        let connection = house.connect().await;
        let error = house
            .call(&connection, "post", json!({ "channel": "x", "text": "y" }))
            .await
            .unwrap_err();
        assert_eq!(error.code(), code);
        assert!(
            error.detail().contains("Invalid Form Body") && error.detail().contains("50035"),
            "{error}"
        );
        assert_eq!(twin.requests().len(), 1);
    }
}

#[tokio::test]
async fn only_what_is_safe_is_repeated() {
    let twin = Twin::always(json_reply("503 Service Unavailable", "{}")).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    house
        .call(&connection, "post", json!({ "channel": "x", "text": "y" }))
        .await
        .unwrap_err();
    assert_eq!(
        twin.requests().len(),
        1,
        "a write without an idempotency key is never repeated blindly"
    );
    house.call(&connection, "look", json!({})).await.unwrap_err();
    assert_eq!(
        twin.requests().len(),
        4,
        "a read is repeated as often as the manifest says"
    );
}

#[tokio::test]
async fn r1_what_a_service_echoes_comes_back_without_the_secret() {
    let echo = json!({ "id": "1", "you_sent": format!("Bearer {TOKEN}"), "token_type": "bot" }).to_string();
    let twin = Twin::always(json_reply("200 OK", &echo)).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    let output = house.call(&connection, "look", json!({})).await.unwrap();
    assert!(!TOKEN.is_in(output.text()), "{}", output.text());
    assert!(output.text().contains(r#""token_type":"bot""#));
    let twin = Twin::always(json_reply(
        "400 Bad Request",
        &json!({ "message": format!("bad token {TOKEN}") }).to_string(),
    ))
    .await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    let error = house.call(&connection, "look", json!({})).await.unwrap_err();
    assert!(!TOKEN.is_in(&format!("{error:?}")), "{error:?}");
}

#[tokio::test]
async fn a_secret_input_fills_the_url_and_stays_on_declared_hosts() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    static PATH: Canary = Canary::shaped("secret path", "secret-path-################-################");
    let address = format!("http://127.0.0.1:{}/hooks/{}", twin.port(), PATH);
    house
        .call_via(Via::Nothing, "hook", json!({ "address": address }))
        .await
        .unwrap();
    assert!(twin.requests()[0].starts_with(&format!("POST /hooks/{PATH} ")));
    let error = house
        .call_via(
            Via::Nothing,
            "hook",
            json!({ "address": format!("https://evil.example/{PATH}") }),
        )
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::HostNotAllowed);
    assert!(!PATH.is_in(&format!("{error:?}")), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn work_that_does_not_end_is_ended_at_the_deadline() {
    let house = House::of(SLEEPY);
    let connect = Connect::new("sleepy", Scope::tenant());
    let connection = house.connectors.connect(&house.by, connect).await.unwrap();
    let call = Call {
        connector: None,
        action: "sleep".to_owned(),
        input: json!({}).into(),
        via: Via::Connection(connection.id),
        idempotency_key: None,
    };
    assert_eq!(
        house.connectors.call(&house.by, call).await.unwrap_err().code(),
        Code::UpstreamTimeout
    );
}

#[tokio::test]
async fn a_warm_call_by_name_runs_no_statement() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let org = house.connectors.scope("organization", "org_1").unwrap();
    org.connect("acme", json!({ "token": TOKEN })).await.unwrap();
    org.action("acme", "look").call(json!({})).await.unwrap();
    let before = house.store.statements();
    org.action("acme", "look").call(json!({})).await.unwrap();
    assert_eq!(house.store.statements(), before);
    org.disconnect("acme").await.unwrap();
    assert_eq!(
        org.action("acme", "look").call(json!({})).await.unwrap_err().code(),
        Code::ConnectorNotConnected
    );
    org.connect("acme", json!({ "token": TOKEN })).await.unwrap();
    org.action("acme", "look").call(json!({})).await.unwrap();
}

#[tokio::test]
async fn a_warm_call_runs_no_statement() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let house = House::with(&twin);
    let connection = house.connect().await;
    house.call(&connection, "look", json!({})).await.unwrap();
    let before = house.store.statements();
    for _ in 0..10 {
        house.call(&connection, "look", json!({})).await.unwrap();
    }
    assert_eq!(house.store.statements(), before);
}
