//! Signing in, being signed in, signing out.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use tieline::clock::{SignedDuration, TestClock};
use tieline_server::{
    caller::{Access, Permission},
    router,
};
use tieline_testkit::canary::Canary;

use crate::support::{Answer, Ask, TestApp};

pub(crate) static ADAS: Canary = Canary::new("ada's password");
static BOBS: Canary = Canary::new("bob's password");
static NEW: Canary = Canary::new("ada's new password");

const PATH: &str = "/api/v1/session";

/// A server whose first person is Ada, and her session.
pub(crate) async fn house(clock: Option<Arc<TestClock>>) -> (TestApp, String) {
    let clock = clock.map(|clock| clock as Arc<dyn tieline::clock::Clock>);
    let app = TestApp::start_new("home", clock).await;
    let body = json!({ "token": app.setup, "email": "ada@example.com", "name": "Ada", "password": *ADAS });
    let done = app.ask(Ask::post("/setup").json(&body)).await;
    let ada = done.session();
    (app, ada)
}

pub(crate) fn sign_in(email: &str, password: &str) -> Ask {
    Ask::post(PATH).json(&json!({ "email": email, "password": password }))
}

/// Invites somebody and has them join; answers what they read.
pub(crate) async fn join(app: &TestApp, by: &str, email: &str, role: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "role": role });
    let invited = app.ask(Ask::post("/api/v1/users").session(by).json(&body)).await;
    assert_eq!(invited.status, 201, "{}", invited.text);
    let body = json!({ "token": invited.link(), "name": email, "password": password });
    app.ask(Ask::post("/setup").json(&body)).await
}

#[tokio::test]
async fn k4_a_session_is_a_locked_cookie_that_ends_at_once() {
    let (app, first) = house(None).await;
    let signed_in = app.ask(sign_in(" ADA@example.com", &ADAS)).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.text);
    let cookie = signed_in.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-tieline=") && cookie.ends_with("; Path=/; HttpOnly; Secure; SameSite=Lax"));
    let session = signed_in.session();
    assert_ne!(session, first);
    let view = &signed_in.json["session"];
    assert_eq!(
        (&view["role"], &view["user"]["email"]),
        (&json!("owner"), &json!("ada@example.com"))
    );
    let permissions = view["permissions"].as_array().unwrap();
    assert!(permissions.contains(&json!("admin")) && !permissions.contains(&json!("operator")));

    let connections = || Ask::get("/api/v1/connections").session(&session);
    assert_eq!(app.ask(connections()).await.status, 200);
    let before = app.store.statements();
    assert_eq!(app.ask(connections()).await.status, 200);
    assert_eq!(app.store.statements() - before, 1, "being known costs no statement");

    let out = app.ask(Ask::new(Method::DELETE, PATH).session(&session)).await;
    assert_eq!(out.status, 204, "{}", out.text);
    let cleared = out.headers["set-cookie"].to_str().unwrap();
    assert!(cleared.starts_with("__Host-tieline=; Max-Age=0;"), "{cleared}");
    let dead = app.ask(connections()).await;
    assert_eq!((dead.status, dead.code()), (401, "UNAUTHENTICATED"));
    assert_eq!(
        app.ask(Ask::get(PATH).session(&first)).await.status,
        200,
        "the other one goes on"
    );

    // Signing in over a session ends it: a token that somebody planted is worth nothing afterwards.
    let again = app.ask(sign_in("ada@example.com", &ADAS).session(&first)).await;
    assert_eq!(app.ask(Ask::get(PATH).session(&again.session())).await.status, 200);
    assert_eq!(app.ask(Ask::get(PATH).session(&first)).await.status, 401);
}

#[tokio::test]
async fn k4_whatever_is_wrong_reads_the_same() {
    let (app, _) = house(None).await;
    let named = |tenant: &str| {
        let body = json!({ "email": "ada@example.com", "password": *ADAS, "tenant": tenant });
        Ask::post(PATH).json(&body)
    };
    let stranger = app.tenant("stranger").await;
    let expected = app.ask(sign_in("ada@example.com", &BOBS)).await;
    assert_eq!((expected.status, expected.code()), (401, "SIGN_IN_FAILED"));
    for ask in [
        sign_in("nobody@example.com", &ADAS),
        sign_in("no address", &ADAS),
        sign_in("ada@example.com", ""),
        sign_in("ada@example.com", &"x".repeat(2000)),
        named("stranger"),
        named(&stranger.id.to_string()),
        named("no such tenant"),
    ] {
        let answer = app.ask(ask).await;
        assert_eq!(answer.without_request_id(), expected.without_request_id());
        assert!(!answer.headers.contains_key("set-cookie"));
    }
    assert_eq!(app.ask(named("home")).await.status, 200);
}

#[tokio::test]
async fn k4_guessing_is_slowed_down_and_costs_nothing() {
    let clock = Arc::new(TestClock::at("2026-11-20T09:00:00Z".parse().unwrap()));
    let (app, _) = house(Some(clock.clone())).await;
    for _ in 0..5 {
        assert_eq!(app.ask(sign_in("ada@example.com", &BOBS)).await.status, 401);
    }
    let refused = app.ask(sign_in("ada@example.com", &ADAS)).await;
    assert_eq!((refused.status, refused.code()), (429, "SIGN_IN_THROTTLED"));
    assert_eq!(refused.headers["retry-after"], "60");
    // Whoever is not known is slowed down alike.
    for _ in 0..5 {
        assert_eq!(app.ask(sign_in("nobody@example.com", &BOBS)).await.status, 401);
    }
    assert_eq!(app.ask(sign_in("nobody@example.com", &BOBS)).await.status, 429);
    clock.advance(SignedDuration::from_secs(60));
    assert_eq!(app.ask(sign_in("ada@example.com", &ADAS)).await.status, 200);
}

#[tokio::test]
async fn k4_a_session_ends_by_itself() {
    let clock = Arc::new(TestClock::at("2026-11-20T09:00:00Z".parse().unwrap()));
    let (app, ada) = house(Some(clock.clone())).await;
    let alive = async |token: &str| app.ask(Ask::get(PATH).session(token)).await.status == 200;
    // In use every eleven hours it lives for its week, and no longer.
    for _ in 0..15 {
        clock.advance(SignedDuration::from_hours(11));
        assert!(alive(&ada).await);
    }
    clock.advance(SignedDuration::from_hours(3));
    assert!(!alive(&ada).await, "168 hours");
    let idle = app.ask(sign_in("ada@example.com", &ADAS)).await.session();
    clock.advance(SignedDuration::from_hours(12) - SignedDuration::from_secs(1));
    assert!(alive(&idle).await);
    clock.advance(SignedDuration::from_hours(12));
    assert!(!alive(&idle).await, "a night without use");
}

#[tokio::test]
async fn k4_being_seen_is_written_once_a_minute() {
    let clock = Arc::new(TestClock::at("2026-11-20T09:00:00Z".parse().unwrap()));
    let (app, ada) = house(Some(clock.clone())).await;
    app.ask(Ask::get(PATH).session(&ada)).await;
    let costs = async || {
        let before = app.store.statements();
        assert_eq!(app.ask(Ask::get("/api/v1/catalog").session(&ada)).await.status, 200);
        app.store.statements() - before
    };
    let warm = costs().await;
    clock.advance(SignedDuration::from_secs(59));
    assert_eq!(costs().await, warm);
    clock.advance(SignedDuration::from_secs(1));
    assert!(costs().await > warm);
    assert_eq!(costs().await, warm);
}

#[tokio::test]
async fn k5_a_session_changes_nothing_for_another_site() {
    let (app, ada) = house(None).await;
    let cookie = format!("__Host-tieline={ada}");
    let own = format!("http://{}", app.address);
    let body = json!({ "email": "carol@example.com", "role": "viewer" });
    let invite = |headers: &[(&'static str, &str)]| {
        let ask = Ask::post("/api/v1/users").header("cookie", &cookie).json(&body);
        headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value))
    };
    for headers in [
        &[][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "null"), ("sec-fetch-site", "same-origin")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
        // The name it was asked by is the attacker's word.
        &[("origin", "http://tieline.test")],
        &[("origin", "http://tieline.test"), ("x-forwarded-host", "tieline.test")],
    ] {
        let refused = app.ask(invite(headers)).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "CROSS_SITE_REFUSED"),
            "{headers:?}"
        );
    }
    let list = app.ask(Ask::get("/api/v1/users").header("cookie", &cookie)).await;
    assert_eq!(list.json["data"].as_array().unwrap().len(), 1, "nobody was invited");
    let plain = Ask::post("/api/v1/users")
        .session(&ada)
        .text("text/plain", body.to_string());
    assert_eq!(app.ask(plain).await.status, 415);
    for headers in [
        &[("sec-fetch-site", "same-origin")][..],
        &[("origin", own.as_str())],
        &[("origin", own.as_str()), ("sec-fetch-site", "same-origin")],
    ] {
        assert_eq!(app.ask(invite(headers)).await.status, 201, "{headers:?}");
    }
    // Signing somebody in behind their back is refused too.
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let refused = app.ask(sign_in("ada@example.com", &ADAS).header(name, value)).await;
        assert_eq!((refused.status, refused.code()), (403, "CROSS_SITE_REFUSED"), "{name}");
        assert!(!refused.headers.contains_key("set-cookie"));
    }
}

/// K5 for the whole table: with a session no route but GET runs for another site, whatever it does.
#[tokio::test]
async fn k5_no_route_changes_anything_for_another_site() {
    let (app, ada) = house(None).await;
    let mut tried = 0;
    for route in router::routes() {
        if route.method().is_safe() || route.access() == Access::Anyone {
            continue;
        }
        let ask = Ask::new(route.method().clone(), crate::permissions::path(route.path()))
            .header("cookie", &format!("__Host-tieline={ada}"))
            .header("sec-fetch-site", "cross-site")
            .json(&json!({}));
        let refused = app.ask(ask).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "CROSS_SITE_REFUSED"),
            "{}",
            route.path()
        );
        tried += 1;
    }
    assert!(tried > 10);
}

#[tokio::test]
async fn k5_with_a_key_a_cookie_counts_for_nothing() {
    let (app, ada) = house(None).await;
    let other = app.tenant("other").await;
    let both = Ask::get("/api/v1/users").session(&ada).key(&other.key);
    let answer = app.ask(both).await;
    assert_eq!(
        (answer.status, &answer.json["data"]),
        (200, &json!([])),
        "the key's tenant"
    );
    let wrong = Ask::get("/api/v1/users").session(&ada).key("sk_wrong");
    assert_eq!(app.ask(wrong).await.status, 401);
    let about = app.ask(Ask::get(PATH).key(&other.key)).await;
    assert_eq!(
        (about.status, about.code()),
        (403, "PERMISSION_DENIED"),
        "a key has no session"
    );
}

#[tokio::test]
async fn k4_a_new_password_ends_all_other_sessions() {
    let (app, first) = house(None).await;
    let session = app.ask(sign_in("ada@example.com", &ADAS)).await.session();
    let change = |current: &str, new: &str| {
        let body = json!({ "currentPassword": current, "newPassword": new });
        Ask::post("/api/v1/session/password").session(&session).json(&body)
    };
    for (ask, pointer) in [
        (change(&BOBS, &NEW), "/currentPassword"),
        (change(&ADAS, "short"), "/newPassword"),
    ] {
        let refused = app.ask(ask).await;
        assert_eq!((refused.status, refused.code()), (422, "REQUEST_INVALID"));
        assert_eq!(refused.json["fields"][0]["pointer"], pointer);
    }
    let changed = app.ask(change(&ADAS, &NEW)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    for dead in [&first, &session] {
        assert_eq!(app.ask(Ask::get(PATH).session(dead)).await.status, 401);
    }
    assert_eq!(app.ask(Ask::get(PATH).session(&changed.session())).await.status, 200);
    assert_eq!(app.ask(sign_in("ada@example.com", &ADAS)).await.status, 401);
    assert_eq!(app.ask(sign_in("ada@example.com", &NEW)).await.status, 200);
}

/// T1: a session is good for one tenant, and who belongs to several chooses at sign-in.
#[tokio::test]
async fn t1_a_session_is_of_one_tenant() {
    let (app, ada) = house(None).await;
    let other = app.tenant("other").await;
    let body = json!({ "email": "ada@example.com", "role": "viewer" });
    let invited = app.ask(Ask::post("/api/v1/users").key(&other.key).json(&body)).await;
    let wrong = json!({ "token": invited.link(), "password": *BOBS });
    let refused = app.ask(Ask::post("/setup").json(&wrong)).await;
    assert_eq!(
        (refused.status, &refused.json["fields"][0]["pointer"]),
        (422, &json!("/password"))
    );
    let right = json!({ "token": invited.link(), "password": *ADAS });
    let joined = app.ask(Ask::post("/setup").json(&right)).await;
    assert_eq!(
        (joined.status, &joined.json["session"]["role"]),
        (200, &json!("viewer")),
        "{}",
        joined.text
    );

    let choose = app.ask(sign_in("ada@example.com", &ADAS)).await;
    assert_eq!((choose.status, &choose.json["session"]), (200, &Value::Null));
    assert!(!choose.headers.contains_key("set-cookie"));
    let mut names: Vec<_> = choose.json["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["name"].clone())
        .collect();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, ["home", "other"]);

    let named = json!({ "email": "ada@example.com", "password": *ADAS, "tenant": other.id });
    let theirs = app.ask(Ask::post(PATH).json(&named)).await;
    assert_eq!(theirs.json["session"]["tenant"]["name"], "other", "{}", theirs.text);
    app.connect(&other, "theirs").await;
    let seen = async |token: &str| {
        let list = app
            .ask(
                Ask::get("/api/v1/connections")
                    .session(token)
                    .header("x-tenant", "other"),
            )
            .await;
        list.json["data"].as_array().unwrap().len()
    };
    assert_eq!((seen(&ada).await, seen(&theirs.session()).await), (0, 1));
    let write = Ask::post("/api/v1/users").session(&theirs.session()).json(&body);
    assert_eq!(app.ask(write).await.status, 403, "an owner at home is a viewer there");
}

#[tokio::test]
async fn a3_sign_ins_and_failures_are_written_down() {
    let (app, ada) = house(None).await;
    for _ in 0..3 {
        app.ask(sign_in("ada@example.com", &BOBS)).await;
    }
    app.ask(sign_in("ada@example.com", &ADAS)).await;
    let count = async |action: &str| {
        let log = app.ask(Ask::get("/api/v1/audit-logs?limit=200").session(&ada)).await;
        let rows = log.json["data"].as_array().unwrap().clone();
        rows.iter().filter(|row| row["action"] == action).count()
    };
    assert_eq!(count("session.created").await, 2);
    // It is written beside the answer.
    while count("session.refused").await == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(count("session.refused").await, 1, "three in a minute are one entry");
}

#[tokio::test]
async fn k2_a_role_opens_what_it_holds() {
    let (app, ada) = house(None).await;
    for (role, email) in [
        ("viewer", "v@example.com"),
        ("editor", "e@example.com"),
        ("admin", "a@example.com"),
    ] {
        let session = join(&app, &ada, email, role, &BOBS).await.session();
        let view = app.ask(Ask::get(PATH).session(&session)).await;
        let held = view.json["permissions"].as_array().unwrap().clone();
        for route in router::routes() {
            let Access::Needs(needed) = route.access() else {
                continue;
            };
            let path = crate::permissions::path(route.path());
            if needed == Permission::Operator {
                let answer = app.ask(Ask::new(route.method().clone(), path).session(&session)).await;
                assert_eq!(answer.status, 403, "{role} {}", route.path());
                continue;
            }
            let answer = app.ask(Ask::new(route.method().clone(), path).session(&session)).await;
            let open = held.contains(&json!(needed.as_str())) && !route.is_keys_only();
            assert_eq!(
                answer.code() != "PERMISSION_DENIED",
                open,
                "{role} {} {}: {}",
                route.method(),
                route.path(),
                answer.text
            );
        }
    }
}

/// L2, J: what comes from nobody yet is small, and judged like every other body.
#[tokio::test]
async fn l2_strangers_bodies_are_small_and_judged() {
    let (app, ada) = house(None).await;
    for path in crate::problems::WITHOUT_KEY {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        let large = format!("{{\"password\":\"{}\"}}", "x".repeat(16 * 1024));
        let signed_in = path.ends_with("/password");
        let large_code = if signed_in {
            (422, "REQUEST_INVALID")
        } else {
            (413, "BODY_TOO_LARGE")
        };
        for (body, expected) in [
            ("{", (400, "JSON_INVALID")),
            ("{\"password\":1,\"password\":2}", (400, "JSON_INVALID")),
            ("{\"password\":\"\\u0000\"}", (422, "REQUEST_INVALID")),
            ("{\"unknown\":1}", (422, "REQUEST_INVALID")),
            (deep.as_str(), (400, "JSON_TOO_COMPLEX")),
            (large.as_str(), large_code),
        ] {
            let ask = Ask::post(path).text("application/json", body.to_owned());
            let ask = if signed_in { ask.session(&ada) } else { ask };
            let answer = app.ask(ask).await;
            assert_eq!((answer.status, answer.code()), expected, "{path}: {}", answer.text);
        }
        let plain = Ask::post(path).session(&ada).text("text/plain", "{}");
        assert_eq!(app.ask(plain).await.status, 415, "{path}");
    }
}
