//! Renewing tokens: once for all who wait, by one process at a time, and never losing what came of it.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tieline::{Code, EventKind, Json, connection::Connection, event::Told, store::HealthState};
use tieline_testkit::twin::Reply;
use tokio::task::JoinSet;

use super::{
    Home,
    issuer::{Gate, Issuer, Mode},
};
use crate::house::json_reply;

/// What is known of the tokens, as it stands in the row.
async fn standing(home: &Home, connection: &Connection) -> Value {
    serde_json::from_str(&home.row(connection).await.oauth.unwrap()).unwrap()
}

/// A house whose connection's tokens are over.
async fn over(issuer: &Issuer) -> (Home, Connection) {
    let home = Home::of(issuer);
    let connection = home.sign_in().await;
    home.later(3600);
    (home, connection)
}

/// Calls, again where there are too many at once.
async fn insist(home: &Home, connection: &Connection) -> tieline::Result<Json> {
    loop {
        match home.look(connection).await {
            Err(error) if error.code() == Code::Overloaded => tokio::task::yield_now().await,
            ended => return ended,
        }
    }
}

#[tokio::test]
async fn o7_defect_4_a_thousand_calls_on_tokens_that_are_over_renew_them_once() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    let home = Arc::new(home);
    let mut calls = JoinSet::new();
    for _ in 0..1000 {
        let (home, connection) = (home.clone(), connection.clone());
        calls.spawn(async move { insist(&home, &connection).await.map(drop) });
    }
    for ended in calls.join_all().await {
        ended.unwrap();
    }
    assert_eq!(issuer.asked("refresh_token"), 1);
}

#[tokio::test]
async fn defect_4_three_calls_make_one_refresh() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    let (one, two, three) = tokio::join!(home.look(&connection), home.look(&connection), home.look(&connection));
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert_eq!(issuer.asked("refresh_token"), 1);
}

/// G8: two processes on one store, and a service that takes a refresh token once.
#[tokio::test]
async fn o7_two_processes_renew_once() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    let other = home.beside();
    for round in 1..=5 {
        let looks = (0..20).map(|number| if number % 2 == 0 { &home } else { &other });
        let looks = looks.map(|home| home.look(&connection));
        for ended in futures_util::future::join_all(looks).await {
            ended.unwrap();
        }
        assert_eq!(issuer.asked("refresh_token"), round);
        home.later(3600);
    }
    assert_eq!(standing(&home, &connection).await["epoch"], 5);
}

/// O7: another process is at it. Who waits uses what it brings; nobody asks a second time.
#[tokio::test]
async fn o7_who_finds_another_at_it_waits_for_its_tokens() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    let other = home.beside();
    issuer.mode(Mode::Silent);
    let first = tokio::spawn({
        let (other, connection) = (other, connection.clone());
        async move { other.look(&connection).await.map(drop) }
    });
    while issuer.asked("refresh_token") == 0 {
        tokio::task::yield_now().await;
    }
    // The lease stands, so ours does not ask.
    let waits = tokio::time::timeout(Duration::from_millis(300), home.look(&connection));
    assert!(waits.await.is_err());
    assert_eq!(issuer.asked("refresh_token"), 1);
    first.abort();
}

/// A caller that leaves while its tokens are renewed takes nothing along: the renewal goes on to its end.
#[tokio::test]
async fn o8_rotated_tokens_are_kept_when_the_caller_is_gone() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    let home = Arc::new(home);
    let call = tokio::spawn({
        let (home, connection) = (home.clone(), connection.clone());
        async move { home.look(&connection).await.map(drop) }
    });
    while issuer.asked("refresh_token") == 0 {
        tokio::task::yield_now().await;
    }
    call.abort();
    assert!(call.await.is_err_and(|error| error.is_cancelled()));
    assert!(home.look(&connection).await.is_ok());
    assert_eq!(
        issuer.asked("refresh_token"),
        1,
        "the service had taken the old token back"
    );
}

/// A process that dies with an answer it did not write down: nobody knows what became of it until the lease is over, and
/// then the tokens that stand are tried once more.
fn killed(issuer: &Issuer, home: &Home, connection: &Connection) {
    issuer.mode(Mode::Silent);
    let before = issuer.asked("refresh_token");
    let (other, connection) = (home.beside(), connection.clone());
    let process = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    process.spawn(async move { other.look(&connection).await.map(drop) });
    while issuer.asked("refresh_token") == before {
        std::thread::yield_now();
    }
    process.shutdown_background();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o8_an_answer_that_was_lost_is_known_to_be_lost() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    killed(&issuer, &home, &connection);
    issuer.mode(Mode::Strict);
    home.later(61);
    let error = home.look(&connection).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorOauthRefreshFailed, "{error}");
    assert_eq!(issuer.asked("refresh_token"), 2, "one retry with the tokens that stood");
    let health = home.connection(&connection).await.health;
    assert_eq!(health.state, HealthState::NeedsReauth);
    assert!(health.reason.unwrap().contains("refresh_outcome_unknown"));
    // Nobody asks again, and signing in mends it.
    assert!(home.look(&connection).await.is_err());
    assert_eq!(issuer.asked("refresh_token"), 2);
    let again = home.sign_in().await;
    assert_eq!(again.id, connection.id);
    assert!(home.look(&again).await.is_ok());
}

/// O8: an answer that was lost on the way, to a process that lives on.
#[tokio::test]
async fn o8_an_answer_that_was_lost_on_the_way_leaves_a_doubt() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    issuer.mode(Mode::Lost);
    assert!(home.look(&connection).await.is_err());
    assert_eq!(standing(&home, &connection).await["inDoubt"], true);
    assert_ne!(
        home.connection(&connection).await.health.state,
        HealthState::NeedsReauth
    );
    issuer.mode(Mode::Strict);
    home.later(300);
    assert!(home.look(&connection).await.is_err());
    let health = home.connection(&connection).await.health;
    assert!(health.reason.unwrap().contains("refresh_outcome_unknown"));
    assert_eq!(issuer.asked("refresh_token"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o8_a_service_that_takes_the_old_token_for_a_while_heals_a_lost_answer() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    killed(&issuer, &home, &connection);
    issuer.mode(Mode::Lenient);
    home.later(61);
    assert!(home.look(&connection).await.is_ok());
    assert_ne!(
        home.connection(&connection).await.health.state,
        HealthState::NeedsReauth
    );
    assert_eq!(standing(&home, &connection).await["inDoubt"], false);
}

/// O9: whatever a service or somebody on the way says that is no word about the grant, nobody has to sign in again for it.
#[tokio::test]
async fn o9_transient_trouble_never_asks_for_a_new_sign_in() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    for reply in [
        json_reply("500 Oh No", "{}"),
        json_reply("503 Busy", r#"{"error":"temporarily_unavailable"}"#),
        json_reply("429 Slow Down", "{}"),
        json_reply("200 OK", "<html>A page</html>"),
        json_reply("400 Bad Request", "<html>A page</html>"),
        json_reply("302 Found\r\nlocation: http://127.0.0.1:1/", ""),
        Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"access_token\":\"a".to_vec()),
        Reply::Reset,
    ] {
        issuer.mode(Mode::Says(reply.clone()));
        let error = home.look(&connection).await.unwrap_err();
        assert_ne!(error.code(), Code::ConnectorOauthRefreshFailed, "{reply:?}");
        assert_ne!(error.retry_hint(), tieline::error::Retry::Never, "{reply:?}: {error}");
        assert_ne!(
            home.connection(&connection).await.health.state,
            HealthState::NeedsReauth,
            "{reply:?}"
        );
        // Meanwhile nobody hammers it.
        let asked = issuer.asked("refresh_token");
        assert!(home.look(&connection).await.is_err());
        assert_eq!(issuer.asked("refresh_token"), asked);
        home.later(300);
    }
    issuer.mode(Mode::Strict);
    assert!(home.look(&connection).await.is_ok());
}

#[tokio::test]
async fn o9_a_grant_that_was_taken_back_asks_for_a_new_sign_in() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    let mut heard = home.connectors().subscribe();
    issuer.mode(Mode::Says(json_reply(
        "400 Bad Request",
        r#"{"error":"invalid_grant"}"#,
    )));
    let error = home.look(&connection).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorOauthRefreshFailed);
    let health = home.connection(&connection).await.health;
    assert_eq!(health.state, HealthState::NeedsReauth);
    assert!(health.reason.unwrap().contains("invalid_grant"));
    let mut kinds = Vec::new();
    while let Some(Told::Event(event)) = heard.try_next() {
        kinds.push(event.kind);
    }
    assert!(
        kinds.contains(&EventKind::OauthFailed) && kinds.contains(&EventKind::ConnectorHealthChanged),
        "{kinds:?}"
    );
    // A test says so too, and takes nothing of it back.
    let tested = home
        .connectors()
        .test_connection(&home.house.by, connection.id)
        .await
        .unwrap();
    assert!(!tested.success);
    assert_eq!(
        home.connection(&connection).await.health.state,
        HealthState::NeedsReauth
    );
    assert_eq!(issuer.asked("refresh_token"), 1);
}

#[tokio::test]
async fn o9_a_client_that_is_not_known_says_nothing_of_the_connection() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    let before = home.connection(&connection).await.health.state;
    issuer.mode(Mode::Says(json_reply("401 No", r#"{"error":"invalid_client"}"#)));
    let error = home.look(&connection).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorOauthTokenFailed, "{error}");
    assert_eq!(home.connection(&connection).await.health.state, before);
    issuer.mode(Mode::Strict);
    home.later(300);
    assert!(home.look(&connection).await.is_ok());
}

/// O9, O10: tokens are renewed beside the calls before they are over, and a call is not held up by trouble with that.
#[tokio::test]
async fn o10_tokens_are_renewed_before_they_are_over_and_serve_meanwhile() {
    let issuer = Issuer::start().await;
    let home = Home::of(&issuer);
    let connection = home.sign_in().await;
    assert!(home.look(&connection).await.is_ok());
    assert_eq!(issuer.asked("refresh_token"), 0, "a fresh token is left alone");
    home.later(3000);
    issuer.mode(Mode::Says(json_reply("500 Oh No", "{}")));
    assert!(home.look(&connection).await.is_ok());
    // Waits for what goes on beside.
    let refused = home
        .connectors()
        .refresh_connection(&home.house.by, connection.id)
        .await;
    assert!(refused.is_err() && home.look(&connection).await.is_ok());
    issuer.mode(Mode::Strict);
    home.later(200);
    assert!(home.look(&connection).await.is_ok());
    let version = home.row(&connection).await.version;
    home.connectors().close().await.unwrap();
    assert!(home.row(&connection).await.version >= version);
    let renewed = standing(&home, &connection).await;
    assert_eq!(
        (renewed["failures"].as_u64(), &renewed["forced"]),
        (Some(0), &json!(false))
    );
}

#[tokio::test]
async fn a_refresh_token_is_kept_where_none_comes_back() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    issuer.mode(Mode::Keeps);
    for round in 1..=3 {
        assert!(home.look(&connection).await.is_ok());
        assert_eq!(issuer.asked("refresh_token"), round);
        home.later(3600);
    }
}

/// O10: a service that refuses a token before its end is asked for another one, and the call goes out once more.
#[tokio::test]
async fn o10_a_refused_token_is_renewed_and_the_call_sent_once_more() {
    for says_in_body in [false, true] {
        let issuer = Issuer::start().await;
        let home = Home::of(&issuer);
        let connection = home.sign_in().await;
        issuer.set(|state| (state.good_from, state.says_in_body) = (2, says_in_body));
        let (one, two) = tokio::join!(home.look(&connection), home.look(&connection));
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(issuer.asked("refresh_token"), 1, "{says_in_body}");
    }
}

/// O10: one that refuses whatever it is given is not asked for more and more tokens.
#[tokio::test]
async fn o10_a_service_that_refuses_every_token_costs_one_renewal() {
    for says_in_body in [false, true] {
        let issuer = Issuer::start().await;
        let home = Home::of(&issuer);
        let connection = home.sign_in().await;
        issuer.set(|state| (state.good_from, state.says_in_body) = (1000, says_in_body));
        for _ in 0..5 {
            let error = home.look(&connection).await.unwrap_err();
            assert_eq!(error.code(), Code::UpstreamUnauthorized);
        }
        assert_eq!(issuer.asked("refresh_token"), 1, "{says_in_body}");
    }
}

/// O7: another process renewed them since this one looked: they are used, and nobody asks for more.
#[tokio::test]
async fn o7_who_is_refused_looks_at_the_row_first() {
    let issuer = Issuer::start().await;
    let home = Home::of(&issuer);
    let connection = home.sign_in().await;
    assert!(home.look(&connection).await.is_ok());
    let other = home.beside();
    issuer.set(|state| state.good_from = 2);
    assert!(other.look(&connection).await.is_ok());
    assert!(home.look(&connection).await.is_ok(), "its cache had the old ones");
    assert_eq!(issuer.asked("refresh_token"), 1);
}

/// O7: a late answer to a renewal of tokens that stand no more is dropped; what somebody signed in for since stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn o7_a_late_answer_does_not_replace_newer_tokens() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    let gate = Arc::new(Gate::default());
    issuer.set(|state| state.gate = Some(gate.clone()));
    let other = home.beside();
    let renewing = tokio::spawn({
        let connection = connection.clone();
        async move {
            other
                .connectors()
                .refresh_connection(&other.house.by, connection.id)
                .await
                .map(drop)
        }
    });
    while issuer.asked("refresh_token") == 0 {
        tokio::task::yield_now().await;
    }
    // The service has done it, and the answer is on its way. Somebody signs in meanwhile.
    let again = home.sign_in().await;
    let signed_in = standing(&home, &again).await["fingerprint"].clone();
    gate.open();
    renewing.await.unwrap().unwrap();
    assert_eq!(standing(&home, &again).await["fingerprint"], signed_in);
    assert!(home.look(&again).await.is_ok());
}

/// O7: whoever was taken for lost and hears late that the grant is over says nothing: another is at it by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn o7_a_late_refusal_of_a_former_owner_says_nothing() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    let gates = [Arc::new(Gate::default()), Arc::new(Gate::default())];
    let renew = |home: Home| {
        let id = connection.id;
        tokio::spawn(async move { home.connectors().refresh_connection(&home.house.by, id).await.map(drop) })
    };
    let refusal = Mode::Says(json_reply("400 Bad Request", r#"{"error":"invalid_grant"}"#));
    issuer.set(|state| (state.gate, state.mode) = (Some(gates[0].clone()), refusal));
    let former = renew(home.beside());
    while issuer.asked("refresh_token") < 1 {
        tokio::task::yield_now().await;
    }
    home.later(61);
    issuer.set(|state| (state.gate, state.mode) = (Some(gates[1].clone()), Mode::Strict));
    let owner = renew(home.beside());
    while issuer.asked("refresh_token") < 2 {
        tokio::task::yield_now().await;
    }
    gates[0].open();
    assert!(former.await.unwrap().is_err());
    let (health, known) = (
        home.connection(&connection).await.health,
        standing(&home, &connection).await,
    );
    gates[1].open();
    assert_ne!(health.state, HealthState::NeedsReauth);
    assert_eq!(known["attempt"]["epoch"], 2);
    owner.await.unwrap().unwrap();
    assert!(home.look(&connection).await.is_ok());
}

/// O11: what was disconnected while its tokens were renewed stays away.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn o11_a_renewal_under_way_brings_nothing_back() {
    let issuer = Issuer::start().await;
    let (home, connection) = over(&issuer).await;
    let gate = Arc::new(Gate::default());
    issuer.set(|state| state.gate = Some(gate.clone()));
    let other = home.beside();
    let renewing = tokio::spawn({
        let connection = connection.clone();
        async move {
            other
                .connectors()
                .refresh_connection(&other.house.by, connection.id)
                .await
                .map(drop)
        }
    });
    while issuer.asked("refresh_token") == 0 {
        tokio::task::yield_now().await;
    }
    home.connectors()
        .delete_connection(&home.house.by, connection.id)
        .await
        .unwrap();
    gate.open();
    assert_eq!(renewing.await.unwrap().unwrap_err().code(), Code::NotFound);
    let row = home
        .house
        .store
        .connection_by_id(home.house.by.tenant, connection.id)
        .await
        .unwrap();
    assert_eq!(row, None);
}
