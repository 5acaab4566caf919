//! K2: who may not read credentials is told no secret by any route, whatever the service says back.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use tieline_server::caller::{Access, Permission};
use tieline_testkit::{
    canary::Canary,
    twin::{Reply, Seen, Twin},
};

use crate::{
    examples::{EXAMPLE_ID, Seed, examples, is_of_people},
    support::{Answer, Ask, TestApp, WRONG_TOKEN},
};

static TOKEN: Canary = Canary::new("token of the parrot");

/// The ways in which the parrot says what it was told; each is an action.
const WAYS: [&str; 12] = [
    "plain",
    "json",
    "keys",
    "headers",
    "refusal",
    "unauthorized",
    "busy",
    "trouble",
    "redirect",
    "truncated",
    "garbage",
    "misfit",
];

/// What the examples send.
const INPUT: &str = "{ schema: { type: object, properties: { content: { type: string } } } }";

/// A service that repeats what it was told, its caller's secret above all.
async fn parrot() -> Twin {
    Twin::answering(|seen| {
        let way = seen
            .target
            .trim_start_matches('/')
            .split('?')
            .next()
            .unwrap_or_default();
        repeat(way, seen)
    })
    .await
}

fn repeat(way: &str, seen: &Seen) -> Reply {
    let secret = seen.header("authorization").unwrap_or_default();
    let said = json!({
        "code": secret,
        "message": format!("you said {}", seen.text),
        "base64": STANDARD.encode(secret),
        "url": URL_SAFE_NO_PAD.encode(secret.trim_start_matches("Bot ")),
        "percent": url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>(),
        "list": [secret, { "deep": secret }],
        "json": json!({ "in": secret }).to_string(),
    });
    let raw = |text: String| Reply::Raw(text.into_bytes());
    match way {
        "plain" => Reply::Answer {
            status: 200,
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body: seen.text.clone().into_bytes(),
        },
        "keys" => Reply::json(200, &json!({ secret: { secret: 1 } })),
        "headers" => Reply::json(200, &said)
            .header("x-echo", secret)
            .header("set-cookie", secret),
        "refusal" => Reply::json(400, &said),
        "unauthorized" => Reply::json(401, &said).header("www-authenticate", secret),
        "busy" => Reply::json(429, &said).header("retry-after", secret),
        "trouble" => Reply::json(500, &said),
        "redirect" => Reply::empty(302).header("location", &format!("http://{secret}.invalid/?{secret}")),
        "truncated" => raw(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{{\"message\":\"{secret}"
        )),
        "garbage" => raw(format!("HTTP/1.1 200 {secret}\r\n{secret}\r\n\r\n")),
        "misfit" => Reply::json(200, &json!({ "id": secret })),
        "json" => Reply::json(200, &said),
        // What the proxy passes on: its body is for whoever may use the proxy (docs/proxy.md), its headers are scrubbed.
        _ => Reply::json(200, &json!({})).header("x-echo", secret),
    }
}

fn manifest(parrot: &Twin) -> String {
    let endpoints = WAYS.iter().map(|way| {
        let output = match *way {
            "misfit" => ", output: { type: object, properties: { id: { type: integer } } }",
            _ => "",
        };
        format!("  - {{ id: {way}, name: {way}, method: POST, path: /{way}, body: {INPUT}{output} }}\n")
    });
    format!(
        r"
id: parrot
name: Parrot
baseUrl: {}
errors: {{ codePath: $.code, messagePath: $.message }}
auth:
  - id: bot
    type: api_key
    fields:
      - {{ name: bot_token, label: Bot token, secret: true, required: true }}
      - {{ name: team, label: Team }}
    keyName: Authorization
    keyLocation: header
    keyValue: 'Bot {{{{bot_token}}}}'
test: {{ method: GET, path: /json, label: $.message }}
endpoints:
{}",
        parrot.url(),
        endpoints.collect::<String>()
    )
}

/// Who asks: whoever may do one thing, and whoever may do all but what concerns credentials.
fn askers() -> Vec<Vec<Permission>> {
    use Permission::{Admin, CredentialsExecute, CredentialsRead, CredentialsWrite, WorkflowsExecute};
    let apart = [Admin, CredentialsRead, CredentialsWrite, CredentialsExecute];
    let mut alone: Vec<Permission> = vec![WorkflowsExecute];
    for route in tieline_server::router::routes() {
        if let Access::Needs(permission) = route.access()
            && !alone.contains(&permission)
            && !apart.contains(&permission)
        {
            alone.push(permission);
        }
    }
    let all = Permission::ALL
        .iter()
        .copied()
        .filter(|one| !apart.contains(one))
        .collect();
    alone.into_iter().map(|one| vec![one]).chain([all]).collect()
}

/// Whether an answer tells the token, as it is or in base64.
fn tells(answer: &Answer) -> bool {
    let whole = format!("{:?}\n{}", answer.headers, answer.text);
    let in_base64 = (0..3).any(|shift| {
        // The letters at both ends depend on what stands beside the token.
        let shifted = [&b"xx"[..shift], TOKEN.as_bytes()].concat();
        [STANDARD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)]
            .iter()
            .any(|text| whole.contains(&text[4..28]))
    });
    TOKEN.is_in(&whole) || in_base64
}

/// Rows of a new tenant, a connection and a shared credential with the token among them, and what examples say in their place: the way first.
async fn seed(app: &TestApp, name: &str, permissions: &[Permission], path: &str) -> Seed {
    let tenant = &app.tenant(name).await;
    let mut seed = Seed::of(app, tenant, path, name).await;
    seed.key = app.key(tenant, permissions).await;
    let body = json!({ "connector": "parrot", "name": "parrot", "config": { "bot_token": TOKEN } });
    let made = app
        .ask(Ask::post("/api/v1/connections").key(&tenant.key).json(&body))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(!tells(&made), "{}", made.text);
    let body = json!({ "connector": "parrot", "name": "parrot", "type": "token", "data": { "bot_token": TOKEN } });
    let shared = app
        .ask(Ask::post("/api/v1/credentials").key(&tenant.key).json(&body))
        .await;
    assert_eq!(shared.status, 201, "{}", shared.text);
    assert!(!tells(&shared), "{}", shared.text);
    let own = [
        ("send".to_owned(), WAYS[0]),
        (format!("conn{EXAMPLE_ID}"), made.json["id"].as_str().unwrap()),
        (format!("cred{EXAMPLE_ID}"), shared.json["id"].as_str().unwrap()),
        ("acme".to_owned(), "parrot"),
        ("the token".to_owned(), &*WRONG_TOKEN),
    ];
    let own = own.into_iter().map(|(example, real)| (example, real.to_owned()));
    seed.stand_ins.splice(0..0, own);
    seed
}

#[tokio::test]
async fn k2_who_may_not_read_credentials_is_told_no_secret_by_any_route() {
    let parrot = parrot().await;
    let app = TestApp::start_with(&[&manifest(&parrot)]).await;
    let (examples, _) = examples(app.document);
    let (mut asked, mut answered) = (0, 0);
    for permissions in askers() {
        let mut rows = None;
        for example in &examples {
            let allowed = example.operation["x-permission"]
                .as_str()
                .is_none_or(|needed| permissions.iter().any(|one| one.as_str() == needed));
            if example.operation["x-permission"].is_null() && permissions.len() == 1 {
                // Open to all alike: once is enough.
                continue;
            }
            if !allowed && permissions != [Permission::WorkflowsExecute] {
                // Who is refused reads the same words, whatever else they may.
                continue;
            }
            let names_action = example.path.contains("{action}") || example.body.is_some_and(says_send);
            let ways = if allowed && names_action { &WAYS[..] } else { &WAYS[..1] };
            for way in ways {
                // Passwords take their time: people are there only for whoever may ask for them.
                let path = if allowed { example.path.as_str() } else { "" };
                let of_people = is_of_people(path);
                let mut seed = match rows.take() {
                    Some(seed) if !of_people => seed,
                    _ => seed(&app, &format!("tenant {asked}"), &permissions, path).await,
                };
                seed.stand_ins[0].1 = (*way).to_owned();
                let answer = app.ask(example.ask(&seed, None)).await;
                assert!(
                    !tells(&answer),
                    "{permissions:?} {} {} {way}: {} {}",
                    example.method,
                    example.path,
                    answer.status,
                    answer.text
                );
                asked += 1;
                answered += usize::from(answer.status < 300);
                // What was changed is not what the next one expects.
                let untouched = names_action || !allowed || example.method == http::Method::GET;
                rows = (untouched && !of_people).then_some(seed);
            }
        }
    }
    for way in WAYS {
        let heard = parrot
            .seen()
            .into_iter()
            .filter(|seen| seen.target == format!("/{way}"));
        let heard = heard.filter(|seen| seen.text.contains(&*TOKEN)).count();
        assert!(heard > 1, "the parrot heard the token {heard} times as `{way}`");
    }
    assert!(
        asked > 150 && answered > 60,
        "{answered} of {asked} requests did something"
    );
}

fn says_send(body: &Value) -> bool {
    body["action"] == "send"
}

#[test]
fn a_told_token_is_seen() {
    let answer = |text: String| Answer {
        status: 200,
        headers: http::HeaderMap::new(),
        text,
        json: Value::Null,
    };
    for text in [
        TOKEN.to_string(),
        STANDARD.encode(format!("Bot {}", &*TOKEN)),
        URL_SAFE_NO_PAD.encode(format!("a{}", &*TOKEN)),
        json!({ "a": TOKEN }).to_string(),
    ] {
        assert!(tells(&answer(text)));
    }
    assert!(!tells(&answer("[redacted]".to_owned())));
}
