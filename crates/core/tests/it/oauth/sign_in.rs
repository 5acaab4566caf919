//! From the beginning of a sign-in to its end, and everything that is refused on the way.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tieline::{
    ActionInput, Code, Connector, Connectors, EventKind, MasterKey, MemoryAdapter, MemoryStore, Scope, ScopeRule,
    action::ActionContext,
    clock::{SignedDuration, TestClock},
    connection::{Connect, ConnectionPatch},
    connector::OAuth,
    egress::EgressPolicy,
    event::{Facts, Told},
    oauth::{CameBack, PastedTokens},
    secret::Secret,
    store::HealthState,
};
use tieline_testkit::{canary, evidence};

use super::{
    BACK, BROWSER, Home, came_back,
    issuer::{ACCESS, CLIENT_SECRET, CODE, Issuer, Mode, REFRESH, WORDS, token},
    param, query, told, wish,
};
use crate::house::json_reply;

#[tokio::test]
async fn o1_o3_a_person_is_sent_away_and_what_they_come_back_with_becomes_a_connection() {
    let issuer = Issuer::start().await;
    let home = Home::of(&issuer);
    let mut heard = home.connectors().subscribe();
    let begun = home.begin().await;
    assert_eq!(param(&begun, "response_type").as_deref(), Some("code"));
    assert_eq!(param(&begun, "client_id").as_deref(), Some("the-client"));
    assert_eq!(param(&begun, "redirect_uri").as_deref(), Some(BACK));
    assert_eq!(param(&begun, "scope").as_deref(), Some("read offline_access"));
    assert_eq!(param(&begun, "code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(param(&begun, "code_challenge").map(|text| text.len()), Some(43));
    assert_eq!(param(&begun, "state").as_ref(), Some(&begun.state));
    assert!(begun.state.len() == 43 && begun.cookie.is_none());
    assert!(!CLIENT_SECRET.is_in(&begun.authorize_url));

    let ended = home.come_back(&query(&begun.state, "")).await;
    assert_eq!(ended.return_to.as_deref(), Some("/connections?tab=1"));
    let connection = ended.outcome.unwrap();
    assert_eq!(
        connection.config.to_value(),
        json!({ "client": "the-client", "region": "us", "team": "T1", "realm": "R1" })
    );
    assert_eq!(home.look(&connection).await.unwrap().to_value(), json!({ "ok": true }));
    let sent = issuer
        .twin
        .seen()
        .into_iter()
        .find(|seen| seen.target == "/token")
        .unwrap();
    assert_eq!(sent.header("accept"), Some("application/json"));
    assert!(sent.header("authorization").unwrap().starts_with("Basic "));

    let mut kinds = Vec::new();
    while let Some(Told::Event(event)) = heard.try_next() {
        if event.kind == EventKind::OauthCompleted {
            assert_eq!(event.connection, Some(connection.id));
            assert!(matches!(
                &event.facts,
                Facts::OAuth {
                    pkce: true,
                    has_state: true,
                    ..
                }
            ));
        }
        evidence::keep(evidence::Kind::Answer, format!("{event:?}"));
        kinds.push(event.kind);
    }
    for kind in [
        EventKind::OauthStarted,
        EventKind::ConnectorConnected,
        EventKind::OauthCompleted,
    ] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
}

#[tokio::test]
async fn defect_3_tokens_lie_sealed_and_are_never_shown() {
    let issuer = Issuer::start().await;
    let home = Home::of(&issuer);
    let connection = home.sign_in().await;
    let shown = serde_json::to_string(&connection).unwrap();
    assert!(!ACCESS.is_in(&shown) && !REFRESH.is_in(&shown), "{shown}");
    assert!(connection.secrets["oauth"].set && connection.secrets["oauth"].last4.is_none());
    let row = home.row(&connection).await;
    let all = format!("{row:?}{}", String::from_utf8_lossy(&row.secrets["oauth"].sealed));
    for secret in [&ACCESS, &REFRESH, &CLIENT_SECRET] {
        assert!(!secret.is_in(&all));
    }
    let audit = home
        .house
        .store
        .audit_entries(home.house.by.tenant, 0, 100)
        .await
        .unwrap();
    assert!(audit.iter().any(|row| row.entry.action == "oauth.started"));
    assert!(!CODE.is_in(&format!("{audit:?}")));
}

/// O1, COSF: whoever does not come back as they went is refused before the service is asked anything.
#[tokio::test]
async fn o1_only_the_browser_that_began_ends_a_sign_in() {
    let issuer = Issuer::start().await;
    let home = Home::of(&issuer);
    for browser in [&b"another browser"[..], b""] {
        let begun = home.begin().await;
        let ended = came_back(home.connectors(), &query(&begun.state, ""), browser).await;
        assert_eq!(ended.outcome.unwrap_err().code(), Code::ConnectorOauthStateInvalid);
        assert_eq!(ended.return_to, None, "nothing is told of a sign-in to a stranger");
    }
    assert_eq!(issuer.asked("authorization_code"), 0);
}

#[tokio::test]
async fn o1_a_state_is_good_once_and_for_ten_minutes() {
    let issuer = Issuer::start().await;
    let home = Home::of(&issuer);
    let begun = home.begin().await;
    let came = query(&begun.state, "");
    assert!(home.come_back(&came).await.outcome.is_ok());
    let again = home.come_back(&came).await.outcome.unwrap_err();
    assert_eq!(again.code(), Code::ConnectorOauthStateInvalid);

    let begun = home.begin().await;
    home.later(600);
    let late = home.come_back(&query(&begun.state, "")).await.outcome.unwrap_err();
    assert_eq!(late.detail(), again.detail(), "one answer, whatever is wrong");
    for unknown in ["", "short", &"A".repeat(43)] {
        let error = home.come_back(&query(unknown, "")).await.outcome.unwrap_err();
        assert_eq!(error.detail(), again.detail());
    }
    assert_eq!(issuer.asked("authorization_code"), 1);
}

/// O1: two come back with one state at once, to two processes.
#[tokio::test]
async fn o1_of_many_who_come_back_with_one_state_one_is_let_in() {
    let issuer = Issuer::start().await;
    let home = Home::of(&issuer);
    let other = home.beside();
    let begun = home.begin().await;
    let came = query(&begun.state, "");
    let (one, two) = tokio::join!(home.come_back(&came), other.come_back(&came));
    assert!(one.outcome.is_ok() != two.outcome.is_ok());
    assert_eq!(issuer.asked("authorization_code"), 1);
}

#[tokio::test]
async fn o2_what_comes_back_is_the_service_s_own_and_stands_there_once() {
    let issuer = Issuer::start().await;
    let told_each_time = Home::with(
        &issuer,
        "issuer: 'https://acme.example'\n    issuerInCallback: true",
        |builder| builder,
    );
    for (more, is_good) in [
        ("&iss=https%3A%2F%2Facme.example", true),
        ("&iss=https%3A%2F%2Facme.example%2F", false),
        ("&iss=https%3A%2F%2Fevil.example", false),
        ("", false),
        ("&iss=https%3A%2F%2Facme.example&iss=https%3A%2F%2Facme.example", false),
        ("&iss=https%3A%2F%2Facme.example&code=another", false),
    ] {
        let begun = told_each_time.begin().await;
        let ended = told_each_time.come_back(&query(&begun.state, more)).await;
        match is_good {
            true => assert!(ended.outcome.is_ok(), "{more}"),
            false => assert_eq!(
                ended.outcome.unwrap_err().code(),
                Code::ConnectorOauthStateInvalid,
                "{more}"
            ),
        }
    }
    let now_and_then = Home::with(&issuer, "issuer: 'https://acme.example'", |builder| builder);
    let begun = now_and_then.begin().await;
    assert!(now_and_then.come_back(&query(&begun.state, "")).await.outcome.is_ok());
    assert_eq!(issuer.asked("authorization_code"), 2);

    let home = Home::of(&issuer);
    let begun = home.begin().await;
    let came = query(&begun.state, "");
    let other_address = CameBack {
        query: &came,
        browser: BROWSER,
        cookie: None,
        connector: Some("another"),
    };
    let refused = told(home.connectors().finish_oauth(other_address).await);
    assert_eq!(refused.outcome.unwrap_err().code(), Code::ConnectorOauthStateInvalid);
    assert_eq!(issuer.asked("authorization_code"), 2);
}

/// Defects 1 and 2: an error that comes back is one, a state is no error, and a connection lands in the scope it was begun for.
#[tokio::test]
async fn defect_1_2_7_what_the_service_says_is_a_code_and_never_its_words() {
    let issuer = Issuer::start().await;
    let home = Home::of(&issuer);
    let mut heard = home.connectors().subscribe();
    let words: String = url::form_urlencoded::byte_serialize(WORDS.as_bytes()).collect();
    for (said, code) in [
        (
            format!("error=access_denied&error_description={words}"),
            Some("access_denied"),
        ),
        (
            format!("error=server_error&error_description={words}"),
            Some("server_error"),
        ),
        (format!("error={words}+and+more"), None),
        ("realmId=1".to_owned(), None),
    ] {
        let begun = home.begin().await;
        let ended = home.come_back(&format!("state={}&{said}", begun.state)).await;
        assert_eq!(ended.return_to.as_deref(), Some("/connections?tab=1"));
        let error = ended.outcome.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorOauthTokenFailed, "{said}");
        assert!(code.is_none_or(|code| error.detail().contains(code)), "{error}");
        assert!(!WORDS.is_in(&format!("{error:?}")), "{error:?}");
    }
    assert_eq!(issuer.asked("authorization_code"), 0);
    // The same of what the token address says.
    for reply in [
        json_reply(
            "400 Bad Request",
            &json!({ "error": "invalid_grant", "error_description": &*WORDS }).to_string(),
        ),
        json_reply("500 Oh No", &format!("\"{}\"", &*WORDS)),
        json_reply("200 OK", &format!("<html>{}</html>", &*WORDS)),
        json_reply("302 Found\r\nlocation: https://evil.example", ""),
    ] {
        issuer.mode(Mode::Says(reply));
        let begun = home.begin().await;
        let error = home.come_back(&query(&begun.state, "")).await.outcome.unwrap_err();
        let codes = [Code::ConnectorOauthTokenFailed, Code::ConnectorOauthParseTokenFailed];
        assert!(codes.contains(&error.code()), "{error}");
        assert!(!WORDS.is_in(&format!("{error:?}")), "{error:?}");
    }
    while let Some(Told::Event(event)) = heard.try_next() {
        evidence::keep(evidence::Kind::Answer, format!("{event:?}"));
        assert!(!WORDS.is_in(&format!("{event:?}")));
    }
    let scope = Scope::new("organization", "org_7").unwrap();
    issuer.mode(Mode::Strict);
    let mut wish = wish();
    wish.connect.scope = scope.clone();
    let begun = home.connectors().begin_oauth(&home.house.by, wish).await.unwrap();
    let connection = home.come_back(&query(&begun.state, "")).await.outcome.unwrap();
    assert_eq!(connection.scope, scope);
}

/// A sign-in of the same name connects anew: identifier stays, and what was typed in is replaced.
#[tokio::test]
async fn signing_in_again_keeps_the_connection() {
    let issuer = Issuer::start().await;
    let home = Home::of(&issuer);
    let first = home.sign_in().await;
    let second = home.sign_in().await;
    assert_eq!((second.id, second.version > first.version), (first.id, true));
    assert!(home.look(&second).await.is_ok());
    // What the sign-in told stays when somebody changes a field, and so do the tokens.
    let patch = ConnectionPatch::from(json!({ "region": "ap" }));
    let changed = home
        .connectors()
        .update_connection(&home.house.by, first.id, patch)
        .await
        .unwrap();
    assert_eq!(changed.config.to_value()["team"], "T1");
    assert!(home.look(&changed).await.is_ok());
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// Says who signed in.
#[derive(Serialize, Deserialize, JsonSchema, ActionInput)]
#[action(connector = "coded", id = "who", output = Who, effect = "read")]
struct AskWho {}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Who {
    account: Option<String>,
    ok: bool,
}

async fn who(call: ActionContext<Nothing>, _: AskWho) -> tieline::Result<Who> {
    let tokens = call.oauth().unwrap();
    let url = format!(
        "{}/api/look",
        std::str::from_utf8(call.scope().identity.as_bytes()).unwrap()
    );
    let answer = call.http().get(url).bearer(&tokens.access_token).send().await?;
    Ok(Who {
        account: tokens.account.clone(),
        ok: answer.success()?.json::<serde_json::Value>()?["ok"] == true,
    })
}

fn coded(issuer: &Issuer, user_info: &str) -> Connectors {
    let url = |path: &str| format!("{}{path}", issuer.twin.url());
    let oauth = OAuth::new(url("/authorize"), url("/token"))
        .client("the-client", CLIENT_SECRET.to_string())
        .client_auth_in_body()
        .user_info_url(url(user_info));
    let connector = Connector::builder("coded")
        .config::<Nothing>()
        .allowed_hosts(["127.0.0.1"])
        .oauth(oauth)
        .action(who);
    Connectors::builder()
        .store(MemoryStore::new())
        .key(MasterKey::parse(canary::master_key()).unwrap())
        .scope("at", ScopeRule::Required)
        .connector(connector.build().unwrap())
        .egress(EgressPolicy {
            loopback: true,
            ..EgressPolicy::default()
        })
        .build()
        .unwrap()
}

/// A connector in Rust: its handler is given the tokens and who signed in. Where the service does not tell who, the tokens
/// stand all the same; and where it refuses a token meanwhile, the handler's request goes once more with a new one.
#[tokio::test]
async fn a_handler_is_given_the_tokens_and_who_signed_in() {
    for (user_info, account) in [("/me", Some("Ada")), ("/anonymous", None)] {
        let issuer = Issuer::start().await;
        let connectors = coded(&issuer, user_info);
        let by = tieline::audit::Actor::new(crate::lab::TENANT, "test");
        let scope = Scope::new("at", issuer.twin.url()).unwrap();
        let mut wish = wish();
        wish.connect = Connect::new("coded", scope.clone());
        let begun = connectors.begin_oauth(&by, wish).await.unwrap();
        let came = query(&begun.state, "");
        let ended = connectors.finish_oauth(CameBack {
            query: &came,
            browser: BROWSER,
            cookie: None,
            connector: None,
        });
        let connection = told(ended.await).outcome.unwrap();
        let sent = issuer
            .twin
            .seen()
            .into_iter()
            .find(|seen| seen.target == "/token")
            .unwrap();
        assert!(sent.header("authorization").is_none() && CLIENT_SECRET.is_in(&url_decoded(&sent.body)));
        for renewals in [0, 1] {
            issuer.set(|state| state.good_from = 1 + renewals);
            let call = tieline::call::Call {
                connector: None,
                action: "who".to_owned(),
                input: json!({}).into(),
                via: tieline::call::Via::Connection(connection.id),
                idempotency_key: None,
            };
            let told = evidence::told(connectors.call(&by, call).await.map(|called| called.output)).unwrap();
            assert_eq!(told.to_value(), json!({ "account": account, "ok": true }));
            assert_eq!(issuer.asked("refresh_token"), renewals);
        }
    }
}

fn url_decoded(body: &[u8]) -> String {
    url::form_urlencoded::parse(body)
        .map(|(_, value)| value.into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test]
async fn client_credentials_need_nobody_to_sign_in() {
    let issuer = Issuer::start().await;
    issuer.set(|state| state.lives = 60);
    let home = Home::with(&issuer, "grantType: client_credentials", |builder| builder);
    let connection = home
        .connectors()
        .connect(
            &home.house.by,
            Connect {
                config: json!({ "client_secret": CLIENT_SECRET }).into(),
                ..Connect::new("acme", Scope::tenant())
            },
        )
        .await
        .unwrap();
    let refused = home.connectors().begin_oauth(&home.house.by, wish()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ConnectorOauthNotConfigured);
    for _ in 0..3 {
        assert!(home.look(&connection).await.is_ok());
    }
    assert_eq!(issuer.asked("client_credentials"), 1);
    home.later(61);
    assert!(home.look(&connection).await.is_ok());
    assert_eq!(issuer.asked("client_credentials"), 2);
}

#[tokio::test]
async fn a_pasted_token_is_used_until_it_is_over_and_cannot_be_renewed() {
    let issuer = Issuer::start().await;
    issuer.set(|state| state.issued = 1);
    let home = Home::of(&issuer);
    let tokens = PastedTokens {
        access_token: Secret::new(token(&ACCESS, 1)),
        refresh_token: None,
        expires_at: Some(home.connectors().clock().now() + SignedDuration::from_secs(3600)),
    };
    let connect = Connect::new("acme", Scope::tenant());
    let connection = home
        .connectors()
        .connect_with_tokens(&home.house.by, connect, tokens)
        .await
        .unwrap();
    assert!(home.look(&connection).await.is_ok());
    home.later(3600);
    let over = home.look(&connection).await.unwrap_err();
    assert_eq!(over.code(), Code::ConnectorOauthRefreshFailed, "{over}");
    assert!(over.detail().contains("nothing to renew it with"), "{over}");
    assert_eq!(issuer.asked("refresh_token"), 0);
    assert_eq!(home.connection(&connection).await.health.state, HealthState::Untested);
}

/// With five methods nothing is stored of a sign-in: it travels sealed with the browser.
#[tokio::test]
async fn o1_with_an_adapter_a_sign_in_travels_sealed_in_a_cookie() {
    let issuer = Issuer::start().await;
    let clock = Arc::new(TestClock::at("2026-11-20T09:00:00Z".parse().unwrap()));
    let connectors = Connectors::builder()
        .adapter(MemoryAdapter::new())
        .key(MasterKey::parse(canary::master_key()).unwrap())
        .scope("tenant", ScopeRule::Optional)
        .manifest(issuer.manifest(""))
        .clock(clock.clone())
        .egress(EgressPolicy {
            loopback: true,
            ..EgressPolicy::default()
        })
        .build()
        .unwrap();
    let by = tieline::audit::Actor::new(connectors_tenant(), "test");
    let begin = || connectors.begin_oauth(&by, wish());
    let (begun, other) = (begin().await.unwrap(), begin().await.unwrap());
    let (cookie, others) = (begun.cookie.clone().unwrap(), other.cookie.clone().unwrap());
    assert!(!CLIENT_SECRET.is_in(&cookie) && cookie.len() < 3800);
    let finish = async |state: &str, cookie: Option<&str>| {
        let came = query(state, "");
        let came = CameBack {
            query: &came,
            browser: BROWSER,
            cookie,
            connector: None,
        };
        told(connectors.finish_oauth(came).await).outcome
    };
    // Only the cookie of this very state opens, and only whole.
    let broken = format!("{}A", &cookie[..cookie.len() - 1]);
    for wrong in [
        None,
        Some(others.as_str()),
        Some(""),
        Some("%%%"),
        Some(broken.as_str()),
    ] {
        let error = finish(&begun.state, wrong).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorOauthStateInvalid, "{wrong:?}");
    }
    assert_eq!(issuer.asked("authorization_code"), 0);
    assert!(finish(&begun.state, Some(&cookie)).await.is_ok());
    assert!(finish(&begun.state, Some(&cookie)).await.is_err(), "once in a process");
    clock.advance(SignedDuration::from_secs(600));
    assert!(finish(&other.state, Some(&others)).await.is_err(), "ten minutes");
    assert_eq!(issuer.asked("authorization_code"), 1);
    // Tokens are renewed over an adapter, too.
    let scope = connectors.scope("tenant", "").unwrap();
    clock.advance(SignedDuration::from_secs(3600));
    assert!(scope.action("acme", "look").call(json!({})).await.is_ok());
    assert_eq!(issuer.asked("refresh_token"), 1);
}

/// The one tenant of a program that embeds the library.
fn connectors_tenant() -> tieline::id::TenantId {
    tieline::id::TenantId::from_bytes(*b"tieline library!")
}
