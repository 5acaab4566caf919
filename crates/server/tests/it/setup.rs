//! The page behind a one-time link.

use std::sync::Arc;

use serde_json::json;
use tieline::{
    clock::{SignedDuration, TestClock},
    limits::SETUP_LINK_LIFE,
};
use tieline_testkit::canary::Canary;

use crate::support::{Answer, Ask, TestApp};

pub(crate) static PASSWORD: Canary = Canary::new("a person's password");
static OTHER: Canary = Canary::new("another password");

/// A browser's `Accept`.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn page(token: &str) -> Ask {
    Ask::get(format!("/setup?token={token}")).header("accept", BROWSER)
}

/// As a browser sends the form from a page that sends no referrer.
fn send(fields: &[(&str, &str)]) -> Ask {
    Ask::post("/setup")
        .header("accept", BROWSER)
        .header("sec-fetch-site", "same-origin")
        .header("origin", "null")
        .form(fields)
}

fn is_page(answer: &Answer, status: u16, title: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    assert!(answer.text.contains(&format!("<h1>{title}</h1>")), "{}", answer.text);
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    assert!(!answer.text.contains("<script") && !PASSWORD.is_in(&answer.text));
}

#[tokio::test]
async fn k7_the_first_person_comes_by_the_link_and_owns_the_tenant() {
    let app = TestApp::start_new("home", None).await;
    let token = app.setup.clone().unwrap();
    let open = app.ask(page(&token)).await;
    is_page(&open, 200, "Set up Tieline");
    let policy = open.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self'"), "{policy}");
    for part in [
        "<label for=\"email\">",
        "autocomplete=\"username\"",
        "<label for=\"password\">",
        "autocomplete=\"new-password\"",
        "<form method=\"post\"",
    ] {
        assert!(open.text.contains(part), "{part}: {}", open.text);
    }

    let form = [
        ("token", token.as_str()),
        ("email", "Ada@Example.com"),
        ("name", "Ada <3"),
        ("password", &*PASSWORD),
    ];
    let done = app.ask(send(&form)).await;
    is_page(&done, 200, "Welcome, Ada &lt;3");
    let cookie = done.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; Secure; SameSite=Lax"), "{cookie}");
    let me = app.ask(Ask::get("/api/v1/session").session(&done.session())).await;
    assert_eq!(me.status, 200, "{}", me.text);
    assert_eq!(
        (
            &me.json["user"]["email"],
            &me.json["user"]["name"],
            &me.json["role"],
            &me.json["tenant"]["name"]
        ),
        (
            &json!("ada@example.com"),
            &json!("Ada <3"),
            &json!("owner"),
            &json!("home")
        )
    );

    // The link is burnt, for pages and for programs.
    is_page(&app.ask(page(&token)).await, 404, "This link is not valid");
    is_page(&app.ask(send(&form)).await, 404, "This link is not valid");
    let body = json!({ "token": token, "email": "b@example.com", "name": "B", "password": *PASSWORD });
    let late = app.ask(Ask::post("/setup").json(&body)).await;
    assert_eq!((late.status, late.code()), (404, "LINK_INVALID"));
}

#[tokio::test]
async fn k7_a_program_can_set_up_too_and_a_wrong_token_cannot() {
    let app = TestApp::start_new("home", None).await;
    let token = app.setup.clone().unwrap();
    let with = |token: &str| {
        let body = json!({ "token": token, "email": "ada@example.com", "name": "Ada", "password": *PASSWORD });
        Ask::post("/setup").json(&body)
    };
    for wrong in ["", "x", &"A".repeat(43), &format!("{token}A")] {
        let refused = app.ask(with(wrong)).await;
        assert_eq!((refused.status, refused.code()), (404, "LINK_INVALID"), "{wrong}");
        is_page(&app.ask(page(wrong)).await, 404, "This link is not valid");
        let plain = app.ask(Ask::get(format!("/setup?token={wrong}"))).await;
        assert_eq!((plain.status, plain.code()), (404, "LINK_INVALID"));
    }
    let done = app.ask(with(&token)).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(done.json["session"]["role"], "owner");
    assert_eq!(done.json["tenants"][0]["name"], "home");
    assert!(!done.text.contains(&done.session()));
    // A3: it is written down, without the password.
    let log = app.ask(Ask::get("/api/v1/audit-logs").session(&done.session())).await;
    for action in ["user.created", "session.created"] {
        assert!(log.text.contains(action), "{action}: {}", log.text);
    }
}

#[tokio::test]
async fn k7_the_link_has_a_life() {
    let clock = Arc::new(TestClock::at("2026-11-20T09:00:00Z".parse().unwrap()));
    let app = TestApp::start_new("home", Some(clock.clone())).await;
    let token = app.setup.clone().unwrap();
    clock.advance(SignedDuration::try_from(SETUP_LINK_LIFE).unwrap() - SignedDuration::from_secs(1));
    is_page(&app.ask(page(&token)).await, 200, "Set up Tieline");
    clock.advance(SignedDuration::from_secs(1));
    is_page(&app.ask(page(&token)).await, 404, "This link is not valid");
}

#[tokio::test]
async fn a_wrong_form_comes_back_with_what_was_typed_but_the_password() {
    let app = TestApp::start_new("home", None).await;
    let token = app.setup.clone().unwrap();
    for (email, name, password, status, field, says) in [
        ("ada", "Ada", &*PASSWORD, 422, "email", "such as `ada@example.com`"),
        ("ada@example.com", "", &*PASSWORD, 422, "name", "1 to 100 characters"),
        (
            "ada@example.com",
            "Ada",
            "short",
            422,
            "password",
            "12 characters or more",
        ),
        (
            "ada@example.com",
            "Ada",
            "aaaaaaaaaaaaaaaa",
            422,
            "password",
            "different characters",
        ),
    ] {
        let form = [
            ("token", token.as_str()),
            ("email", email),
            ("name", name),
            ("password", password),
        ];
        let again = app.ask(send(&form)).await;
        is_page(&again, status, "Set up Tieline");
        assert!(again.text.contains(says), "{says}: {}", again.text);
        assert!(again.text.contains(&format!("value=\"{email}\"")), "{}", again.text);
        assert!(again.text.contains(&format!("id=\"{field}-hint\"")) && again.text.contains("role=\"alert\""));
        assert!(!again.text.contains(&format!("value=\"{password}\"")));
        assert!(!again.headers.contains_key("set-cookie"));
    }
    let hostile = "\"><script>x</script>";
    let form = [
        ("token", token.as_str()),
        ("email", hostile),
        ("name", hostile),
        ("password", &*PASSWORD),
    ];
    is_page(&app.ask(send(&form)).await, 422, "Set up Tieline");
    let huge = "x".repeat(20_000);
    let form = [
        ("token", token.as_str()),
        ("email", huge.as_str()),
        ("name", "A"),
        ("password", &*PASSWORD),
    ];
    let refused = app.ask(send(&form)).await;
    assert_eq!((refused.status, refused.code()), (413, "BODY_TOO_LARGE"));
    let form = [
        ("token", token.as_str()),
        ("email", "ada@example.com"),
        ("name", "Ada"),
        ("password", &*PASSWORD),
    ];
    is_page(&app.ask(send(&form)).await, 200, "Welcome, Ada");
}

#[tokio::test]
async fn k5_no_other_site_sends_the_form() {
    let app = TestApp::start_new("home", None).await;
    let token = app.setup.clone().unwrap();
    let form = [
        ("token", token.as_str()),
        ("email", "ada@example.com"),
        ("name", "Ada"),
        ("password", &*OTHER),
    ];
    for headers in [
        &[("sec-fetch-site", "cross-site"), ("origin", "null")][..],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
    ] {
        let ask = headers
            .iter()
            .fold(Ask::post("/setup"), |ask, (name, value)| ask.header(name, value));
        let refused = app.ask(ask.form(&form)).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "CROSS_SITE_REFUSED"),
            "{headers:?}"
        );
    }
    let own = format!("http://{}", app.address);
    let fine = app.ask(Ask::post("/setup").header("origin", &own).form(&form)).await;
    assert_eq!(fine.status, 200, "{}", fine.text);
}

/// K7: of two who come by the same link at the same moment one owns the tenant, and the other is nobody.
#[tokio::test]
async fn k7_of_two_first_persons_one_is_the_owner() {
    let app = TestApp::start_new("home", None).await;
    let token = app.setup.clone().unwrap();
    let come = async |email: &str| {
        let body = json!({ "token": token, "email": email, "name": "Somebody", "password": *PASSWORD });
        app.ask(Ask::post("/setup").json(&body)).await
    };
    let (one, other) = tokio::join!(come("ada@example.com"), come("bob@example.com"));
    let (owner, nobody) = if one.status == 200 { (one, other) } else { (other, one) };
    assert_eq!(owner.status, 200, "{}", owner.text);
    assert_eq!((nobody.status, nobody.code()), (404, "LINK_INVALID"), "{}", nobody.text);
    assert!(!nobody.headers.contains_key("set-cookie"));
    let users = app.ask(Ask::get("/api/v1/users").session(&owner.session())).await;
    let users = users.json["data"].as_array().unwrap();
    assert_eq!(users.len(), 1, "{users:?}");
    assert_eq!(users[0]["role"], "owner");
}
