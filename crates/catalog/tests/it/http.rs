//! Requests of the caller's own making, through the real engine, against a server that answers from a script.

use serde_json::{Value, json};
use tieline::{
    Code, Connectors, Error, Scope,
    audit::Actor,
    call::{Call, Via},
    connection::Connect,
    egress::EgressPolicy,
    id::ConnectionId,
};
use tieline_catalog::http::SendRequest;
use tieline_testkit::{
    canary::Canary,
    evidence,
    twin::{Reply, Twin, answer},
};

use crate::library;

static TOKEN: Canary = Canary::new("bearer token of http");
static PASSWORD: Canary = Canary::new("password of http");
static KEY: Canary = Canary::new("API key of http");

fn connectors() -> Connectors {
    library::with(tieline_catalog::connectors(), &[])
}

/// A stored connection with these fields.
async fn connected(connectors: &Connectors, fields: Value) -> Result<ConnectionId, Error> {
    let connect = Connect {
        config: fields.into(),
        ..Connect::new("http", Scope::new("organization", "org_1").unwrap())
    };
    Ok(evidence::told(connectors.connect(&writer(), connect).await)?.id)
}

/// Who may write credentials, and who may not, of one tenant.
fn writer() -> Actor {
    caller().writing_credentials(true)
}

fn caller() -> Actor {
    library::stranger()
}

async fn request(connectors: &Connectors, by: &Actor, via: Via, input: Value) -> Result<Value, Error> {
    let call = Call {
        connector: Some("http".to_owned()),
        action: "request".to_owned(),
        input: input.into(),
        via,
        idempotency_key: None,
    };
    Ok(evidence::told(connectors.call(by, call).await.map(|called| called.output))?.to_value())
}

#[tokio::test]
async fn each_credential_goes_over_the_callers_headers() {
    let basic = format!("Basic {}", base64(&format!("ada:{}", &*PASSWORD)));
    for (fields, header, value) in [
        (
            json!({ "type": "bearer", "token": TOKEN }),
            "authorization",
            format!("Bearer {TOKEN}"),
        ),
        (json!({ "token": TOKEN }), "authorization", format!("Bearer {TOKEN}")),
        (
            json!({ "type": "basic", "username": "ada", "password": PASSWORD }),
            "authorization",
            basic,
        ),
        (
            json!({ "username": "ada" }),
            "authorization",
            "Basic YWRhOg==".to_owned(),
        ),
        (
            json!({ "type": "api_key", "api_key": KEY }),
            "x-api-key",
            KEY.to_string(),
        ),
        (
            json!({ "type": "api_key", "api_key": KEY, "header": "X-Acme-Token" }),
            "x-acme-token",
            KEY.to_string(),
        ),
    ] {
        let (twin, connectors) = (Twin::always(Reply::json(200, &json!({}))).await, connectors());
        let mut fields = fields;
        fields["allowedHosts"] = json!(["127.0.0.1"]);
        let id = connected(&connectors, fields).await.unwrap();
        let headers = json!({ "Authorization": "mine", "X-Api-Key": "mine", "X-ACME-Token": "mine", "X-Mine": "1" });
        let input = json!({ "method": "GET", "url": twin.url(), "headers": headers });
        request(&connectors, &caller(), Via::Connection(id), input)
            .await
            .unwrap();
        let [seen] = twin.seen().try_into().unwrap();
        let sent: Vec<_> = seen.headers.iter().filter(|(name, _)| name == header).collect();
        assert_eq!(sent, [&(header.to_owned(), value)]);
        assert_eq!(seen.header("x-mine"), Some("1"));
    }
}

fn base64(text: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

#[tokio::test]
async fn the_documents_step_as_it_stands() {
    let posted = json!({ "id": 7 });
    let (twin, connectors) = (Twin::always(Reply::json(201, &posted)).await, connectors());
    let fields = json!({ "type": "bearer", "token": TOKEN, "allowedHosts": "127.0.0.1" });
    let id = connected(&connectors, fields).await.unwrap();
    let url = format!("{}/data?page=2", twin.url());
    let input = json!({
        "method": "POST", "url": url, "headers": { "Content-Type": "application/json" },
        "body": { "key": "value" }, "params": { "filter": "a b" }, "timeout": 30000,
    });
    let output = request(&connectors, &caller(), Via::Connection(id), input)
        .await
        .unwrap();
    assert_eq!(
        (&output["status"], &output["statusText"], &output["data"]),
        (&json!(201), &json!("Twin"), &posted)
    );
    assert_eq!(output["headers"]["content-type"], "application/json");
    let metadata = &output["metadata"];
    assert_eq!(metadata["url"], format!("{url}&filter=a%20b"));
    assert_eq!(
        (&metadata["method"], &metadata["encoding"]),
        (&json!("POST"), &json!("json"))
    );
    assert!(metadata["duration"].is_u64());
    let [seen] = twin.seen().try_into().unwrap();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/data?page=2&filter=a%20b")
    );
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("host"), Some(twin.address().to_string().as_str()));
    assert_eq!(seen.json(), json!({ "key": "value" }));
}

#[tokio::test]
async fn text_forms_and_bytes_without_a_credential() {
    let (twin, connectors) = (Twin::always(Reply::empty(204)).await, connectors());
    let send = async |mut input: Value| {
        input["url"] = json!(twin.url());
        input["method"] = json!("PUT");
        request(&connectors, &caller(), Via::Nothing, input).await.unwrap()
    };
    let output = send(json!({ "body": "<a>é</a>", "headers": { "content-type": "application/xml" } })).await;
    assert_eq!((&output["status"], &output["data"]), (&json!(204), &Value::Null));
    send(json!({ "body": { "a b": ["1", "ü"] }, "headers": { "Content-Type": "application/x-www-form-urlencoded" } }))
        .await;
    send(json!({ "body_base64": "AP+A" })).await;
    send(json!({ "body": [1, null] })).await;
    let seen = twin.seen();
    let bodies: Vec<&[u8]> = seen.iter().map(|seen| seen.body.as_slice()).collect();
    assert_eq!(
        bodies,
        ["<a>é</a>".as_bytes(), b"a+b=1&a+b=%C3%BC", &[0, 255, 128], b"[1,null]"]
    );
    let types: Vec<_> = seen.iter().map(|seen| seen.header("content-type").unwrap()).collect();
    let form = "application/x-www-form-urlencoded";
    assert_eq!(
        types,
        ["application/xml", form, "application/octet-stream", "application/json"]
    );
    assert!(seen.iter().all(|seen| seen.header("authorization").is_none()));
}

/// N4: a redirect is an answer, and the credential stays here.
#[tokio::test]
async fn n4_every_status_is_an_answer_and_no_redirect_is_followed() {
    let trap = Twin::always(Reply::empty(200)).await;
    let redirect = Reply::empty(302)
        .header("location", &trap.url())
        .header("set-cookie", "a=1");
    let refusal = Reply::json(500, &json!({ "oops": true }));
    let replies = [
        redirect.header("set-cookie", "b=2"),
        Reply::empty(404),
        refusal,
        Reply::empty(401),
    ];
    let (twin, connectors) = (Twin::start(replies).await, connectors());
    let fields = json!({ "token": TOKEN, "allowedHosts": ["127.0.0.1"] });
    let id = connected(&connectors, fields).await.unwrap();
    let mut outputs = Vec::new();
    for _ in 0..4 {
        let input = json!({ "url": twin.url(), "method": "POST" });
        outputs.push(
            request(&connectors, &caller(), Via::Connection(id), input)
                .await
                .unwrap(),
        );
    }
    let statuses: Vec<_> = outputs.iter().map(|output| output["status"].clone()).collect();
    assert_eq!(statuses, [302, 404, 500, 401]);
    assert_eq!(outputs[0]["headers"]["location"], trap.url());
    assert_eq!(outputs[0]["headers"]["set-cookie"], json!(["a=1", "b=2"]));
    assert_eq!(outputs[2]["data"], json!({ "oops": true }));
    assert_eq!((twin.seen().len(), trap.connections()), (4, 0));
}

/// N5: a stored credential goes to the hosts that it names; one that names none, only for who may write credentials.
#[tokio::test]
async fn n5_allowed_hosts() {
    let (twin, connectors) = (Twin::always(Reply::empty(200)).await, connectors());
    let here = json!({ "url": twin.url() });
    let fields = |hosts: Value| json!({ "token": TOKEN, "allowedHosts": hosts });
    let id = connected(&connectors, fields(json!(["api.example.com", "*.example.org"])))
        .await
        .unwrap();
    for by in [caller(), writer()] {
        for url in [
            twin.url(),
            "https://api.example.com.evil.example".to_owned(),
            "https://example.org".to_owned(),
        ] {
            let error = request(&connectors, &by, Via::Connection(id), json!({ "url": url }))
                .await
                .unwrap_err();
            assert_eq!(error.code(), Code::HostNotAllowed, "{url}");
            assert!(error.nothing_sent());
        }
    }
    // Reconnected without hosts.
    let id = connected(&connectors, json!({ "token": TOKEN })).await.unwrap();
    let error = request(&connectors, &caller(), Via::Connection(id), here.clone())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::HostNotAllowed);
    assert!(error.detail().contains("allowedHosts"), "{error}");
    assert_eq!(twin.connections(), 0);
    request(&connectors, &writer(), Via::Connection(id), here.clone())
        .await
        .unwrap();
    // Without secrets there is nothing to guard, nor where the caller brings them along.
    let none = connected(&connectors, json!({ "type": "none" })).await.unwrap();
    request(&connectors, &caller(), Via::Connection(none), here.clone())
        .await
        .unwrap();
    let inline = Via::Inline {
        auth: None,
        config: json!({ "token": TOKEN }).into(),
    };
    request(&connectors, &caller(), inline, here).await.unwrap();
    assert_eq!(twin.seen().len(), 3);
}

/// O5: what decides where a secret is sent asks for it anew.
#[tokio::test]
async fn o5_new_hosts_ask_for_the_secret() {
    let connectors = connectors();
    let id = connected(
        &connectors,
        json!({ "token": TOKEN, "allowedHosts": ["api.example.com"] }),
    )
    .await
    .unwrap();
    let patch = |config: Value| tieline::connection::ConnectionPatch {
        config: Some(config.into()),
        ..Default::default()
    };
    for change in [
        json!({ "allowedHosts": ["evil.example"] }),
        json!({ "test_url": "https://evil.example" }),
    ] {
        let error = connectors
            .update_connection(&writer(), id, patch(change.clone()))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::ConnectorConfigInvalid, "{change}");
        assert_eq!(error.fields()[0].pointer, "/config/token");
    }
    let anew = json!({ "allowedHosts": ["other.example"], "token": TOKEN });
    connectors.update_connection(&writer(), id, patch(anew)).await.unwrap();
    for bad in [json!(["https://api.example.com"]), json!("*.com"), json!(7)] {
        let fields = json!({ "token": TOKEN, "allowedHosts": bad });
        assert_eq!(
            connected(&connectors, fields).await.unwrap_err().code(),
            Code::ConnectorConfigInvalid
        );
    }
}

/// R1: what the service echoes of the credential is scrubbed from everything that comes back.
#[tokio::test]
async fn r1_an_echoed_credential_is_scrubbed() {
    let echo = |seen: &tieline_testkit::twin::Seen| {
        let authorization = seen.header("authorization").unwrap_or_default().to_owned();
        let body = json!({ "you": authorization });
        Reply::json(200, &body).header("x-echo", &authorization)
    };
    let (twin, connectors) = (Twin::answering(echo).await, connectors());
    let fields = json!({ "token": TOKEN, "allowedHosts": ["127.0.0.1"] });
    let id = connected(&connectors, fields).await.unwrap();
    let output = request(
        &connectors,
        &caller(),
        Via::Connection(id),
        json!({ "url": twin.url() }),
    )
    .await
    .unwrap();
    assert!(!TOKEN.is_in(&output.to_string()), "{output}");
    assert!(output["data"]["you"].as_str().unwrap().contains("[redacted]"));
}

/// N: addresses, and headers that belong to the connection.
#[tokio::test]
async fn n_nothing_leaves_for_bad_addresses_and_headers() {
    let (twin, connectors) = (Twin::always(Reply::empty(200)).await, connectors());
    let port = twin.port();
    for (input, code) in [
        (
            json!({ "url": "http://169.254.169.254/latest/meta-data" }),
            Code::EgressForbidden,
        ),
        (json!({ "url": "http://10.0.0.1/" }), Code::EgressForbidden),
        (json!({ "url": "http://[::ffff:10.0.0.1]/" }), Code::EgressForbidden),
        (json!({ "url": "http://0x0a.1/" }), Code::EgressForbidden),
        (json!({ "url": "file:///etc/passwd" }), Code::EgressForbidden),
        (json!({ "url": "/etc/passwd" }), Code::EgressForbidden),
        (
            json!({ "url": format!("http://user:pass@127.0.0.1:{port}/") }),
            Code::EgressForbidden,
        ),
        (
            json!({ "url": format!("http://127.0.0.1:{port}\\@evil.example/") }),
            Code::EgressForbidden,
        ),
        (
            json!({ "url": twin.url(), "headers": { "Host": "evil.example" } }),
            Code::ConnectorActionInputInvalid,
        ),
        (
            json!({ "url": twin.url(), "headers": { "Content-Length": "0" } }),
            Code::ConnectorActionInputInvalid,
        ),
        (
            json!({ "url": twin.url(), "headers": { "Transfer-Encoding": "chunked" } }),
            Code::ConnectorActionInputInvalid,
        ),
        (
            json!({ "url": twin.url(), "headers": { "X-A": "1\r\nX-B: 2" } }),
            Code::ConnectorActionInputInvalid,
        ),
        (
            json!({ "url": twin.url(), "method": "TRACE" }),
            Code::ConnectorActionInputInvalid,
        ),
        (
            json!({ "url": twin.url(), "timeout": 0 }),
            Code::ConnectorActionInputInvalid,
        ),
        (
            json!({ "url": twin.url(), "timeout": 121_000 }),
            Code::ConnectorActionInputInvalid,
        ),
        (
            json!({ "url": twin.url(), "body": 1, "body_base64": "AA==" }),
            Code::ConnectorActionInputInvalid,
        ),
        (
            json!({ "url": twin.url(), "follow": true }),
            Code::ConnectorActionInputInvalid,
        ),
        (json!({}), Code::ConnectorActionInputInvalid),
    ] {
        let error = request(&connectors, &caller(), Via::Nothing, input.clone())
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{input}: {error}");
    }
    assert_eq!(twin.connections(), 0);
    let closed = library::guarded(tieline_catalog::connectors(), EgressPolicy::default());
    let error = request(&closed, &caller(), Via::Nothing, json!({ "url": twin.url() }))
        .await
        .unwrap_err();
    assert_eq!((error.code(), twin.connections()), (Code::EgressForbidden, 0));
}

#[tokio::test]
async fn a_timeout_of_the_callers_own() {
    let (twin, connectors) = (Twin::always(Reply::Stall(Vec::new())).await, connectors());
    let input = json!({ "url": twin.url(), "timeout": 1000 });
    let error = request(&connectors, &caller(), Via::Nothing, input).await.unwrap_err();
    assert_eq!(error.code(), Code::UpstreamTimeout);
    assert!(error.detail().contains("1 s"), "{error}");
}

#[tokio::test]
async fn answers_of_every_kind() {
    let connectors = connectors();
    let ask = async |reply: Reply| {
        let twin = Twin::always(reply).await;
        let input = json!({ "url": twin.url() });
        request(&connectors, &caller(), Via::Nothing, input).await
    };
    let raw = |media_type: &str, body: &[u8]| {
        Reply::Keep(answer("200 Fine", &format!("content-type: {media_type}\r\n"), body))
    };
    let exact = ask(raw("application/json", b"{\"n\":0.1}")).await.unwrap();
    assert_eq!(
        (&exact["data"], &exact["statusText"]),
        (&json!({ "n": 0.1 }), &json!("Fine"))
    );
    let bytes = ask(raw("image/png", b"\x89PNG")).await.unwrap();
    assert_eq!(
        (&bytes["data"], &bytes["metadata"]["encoding"]),
        (&json!("iVBORw=="), &json!("base64"))
    );
    let text = ask(raw("text/plain", b"hi")).await.unwrap();
    assert_eq!(
        (&text["data"], &text["metadata"]["encoding"]),
        (&json!("hi"), &json!("text"))
    );
    let large = ask(raw("text/plain", &vec![b'x'; 11 * 1024 * 1024])).await.unwrap_err();
    assert_eq!(large.code(), Code::UpstreamAnswerTooLarge);
    // Its JSON form is over the limit although its bytes are not.
    let controls = ask(raw("text/plain", &vec![1; 2 * 1024 * 1024])).await.unwrap_err();
    assert_eq!(controls.code(), Code::UpstreamAnswerTooLarge);
}

#[tokio::test]
async fn the_test_asks_the_address_it_is_given() {
    let connectors = connectors();
    let test = async |status: u16| {
        let twin = Twin::always(Reply::empty(status)).await;
        let fields = json!({ "token": TOKEN, "allowedHosts": "127.0.0.1", "test_url": format!("{}/me", twin.url()) });
        let connect = library::connect("http", fields);
        let result = evidence::told(connectors.test_unsaved(&caller(), &connect).await).unwrap();
        let [seen] = twin.seen().try_into().unwrap();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/me"));
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
        result
    };
    let works = test(204).await;
    assert!(works.success && works.details["statusCode"] == 204, "{}", works.message);
    let refused = test(401).await;
    assert_eq!(
        (refused.success, refused.error_code),
        (false, Some(Code::UpstreamUnauthorized))
    );
    let unclear = test(404).await;
    assert!(
        unclear.success && unclear.message.contains("neither yes nor no"),
        "{}",
        unclear.message
    );
    let connect = library::connect("http", json!({ "token": TOKEN }));
    let untried = evidence::told(connectors.test_unsaved(&caller(), &connect).await).unwrap();
    assert!(
        untried.success && untried.message.contains("nothing was tried"),
        "{}",
        untried.message
    );
}

#[tokio::test]
async fn from_rust_with_types() {
    let (twin, connectors) = (Twin::always(Reply::json(200, &json!([1]))).await, connectors());
    let org = library::org(&connectors);
    org.connect("http", json!({ "api_key": KEY })).await.unwrap();
    let request = SendRequest {
        url: twin.url(),
        ..SendRequest::default()
    };
    let answer = evidence::told(org.call(request).await).unwrap();
    assert_eq!((answer.status, answer.data.text()), (200, "[1]"));
    assert_eq!(twin.seen()[0].header("x-api-key"), Some(&*KEY));
}
