//! K6: other origins' pages read our answers when they are listed, and only then.

use axum::body::Body;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use tieline_server::{App, cors::Origin};
use tower::ServiceExt;

use crate::support::TestApp;

const LISTED: &str = "https://app.example.com";

const OTHERS: [&str; 7] = [
    "null",
    "*",
    "https://evil.example",
    "https://app.example.com.evil.example",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://APP.example.com",
];

async fn ask(app: &App, method: Method, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let request = headers
        .iter()
        .fold(Request::builder().method(method).uri(path), |request, (name, value)| {
            request.header(*name, *value)
        });
    app.router()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

fn cors(headers: &HeaderMap) -> Vec<&str> {
    let names = headers.keys().map(http::HeaderName::as_str);
    names.filter(|name| name.starts_with("access-control")).collect()
}

async fn listing() -> (TestApp, App) {
    let test = TestApp::start().await;
    let app = App::new(test.connectors.clone()).with_cors(&[Origin::parse(LISTED).unwrap()]);
    (test, app)
}

#[tokio::test]
async fn k6_a_listed_origin_reads_answers_and_refusals() {
    let (_test, app) = listing().await;
    for (path, status) in [
        ("/health", StatusCode::OK),
        ("/api/v1/connections", StatusCode::UNAUTHORIZED),
        ("/nowhere", StatusCode::NOT_FOUND),
    ] {
        let answer = ask(&app, Method::GET, path, &[("origin", LISTED)]).await;
        let headers = answer.headers();
        assert_eq!(answer.status(), status);
        assert_eq!(headers["access-control-allow-origin"], LISTED);
        assert_eq!(headers["vary"], "Origin");
        let exposed = headers["access-control-expose-headers"].to_str().unwrap();
        for name in ["x-request-id", "retry-after", "location", "idempotency-replayed"] {
            assert!(exposed.contains(name), "{exposed}");
        }
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
}

#[tokio::test]
async fn k6_another_origin_is_never_reflected() {
    let (test, app) = listing().await;
    for origin in OTHERS {
        let answer = ask(&app, Method::GET, "/health", &[("origin", origin)]).await;
        assert_eq!(answer.status(), 200, "the browser keeps it from the page");
        assert_eq!(answer.headers()["vary"], "Origin");
        assert_eq!(cors(answer.headers()), Vec::<&str>::new(), "{origin}");
    }
    let plain = App::new(test.connectors.clone());
    let answer = ask(&plain, Method::GET, "/health", &[("origin", LISTED)]).await;
    assert_eq!(
        cors(answer.headers()),
        Vec::<&str>::new(),
        "nothing is listed by default"
    );
    assert!(!answer.headers().contains_key("vary"));
}

#[tokio::test]
async fn k6_a_preflight_is_answered_for_listed_origins_only() {
    let (_test, app) = listing().await;
    let wants = ("access-control-request-method", "DELETE");
    for (path, methods) in [
        ("/api/v1/connections", "GET, POST"),
        ("/api/v1/connections/conn_1", "GET, PATCH, DELETE"),
    ] {
        let answer = ask(&app, Method::OPTIONS, path, &[("origin", LISTED), wants]).await;
        let headers = answer.headers();
        assert_eq!(answer.status(), 204);
        assert_eq!(headers["access-control-allow-origin"], LISTED);
        assert_eq!(headers["access-control-allow-methods"], methods);
        let allowed = headers["access-control-allow-headers"].to_str().unwrap();
        assert!(
            allowed.contains("authorization") && allowed.contains("idempotency-key"),
            "{allowed}"
        );
        assert_eq!(headers["access-control-max-age"], "600");
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
    for origin in OTHERS {
        let answer = ask(
            &app,
            Method::OPTIONS,
            "/api/v1/connections",
            &[("origin", origin), wants],
        )
        .await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(cors(answer.headers()), Vec::<&str>::new(), "{origin}");
    }
    let unasked = ask(&app, Method::OPTIONS, "/api/v1/connections", &[("origin", LISTED)]).await;
    assert_eq!(unasked.status(), StatusCode::METHOD_NOT_ALLOWED, "no preflight");
}
