//! `/metrics`: what it tells, what it must not, and that a real Prometheus reads it.

use http::Method;
use serde_json::{Value, json};
use tieline_server::{App, caller::Permission};
use tieline_testkit::prometheus::Prometheus;

use crate::support::{Ask, GOOD_TOKEN, TestApp, ask};

async fn read(app: &TestApp, key: &str) -> String {
    let answer = app.ask(Ask::get("/metrics").key(key)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    answer.text
}

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|known| known == line), "`{line}` is not in\n{text}");
}

#[tokio::test]
async fn requests_and_calls_are_counted_under_their_routes_and_outcomes() {
    let app = TestApp::start().await;
    let (tenant, operator) = (app.tenant("alice").await, app.operator().await);
    let connection = app.connect(&tenant, "main").await;
    let call = |action: &str| {
        Ask::post(format!(
            "/api/v1/connections/{connection}/actions/{action}?secret=query"
        ))
        .key(&tenant.key)
        .json(&json!({}))
    };
    for (action, status) in [("whoami", 200), ("whoami", 200), ("busy", 429)] {
        assert_eq!(app.ask(call(action)).await.status, status);
    }
    app.ask(Ask::get("/nowhere/secret-path")).await;
    app.ask(Ask::new(Method::PUT, "/health")).await;
    let text = read(&app, &operator).await;
    let route = r#"method="POST",route="/api/v1/connections/{connection}/actions/{action}""#;
    has(
        &text,
        &format!("tieline_http_requests_total{{{route},status=\"2xx\"}} 2"),
    );
    has(
        &text,
        &format!("tieline_http_requests_total{{{route},status=\"4xx\"}} 1"),
    );
    has(
        &text,
        &format!("tieline_http_request_duration_seconds_count{{{route}}} 3"),
    );
    has(
        &text,
        r#"tieline_http_requests_total{method="",route="",status="4xx"} 2"#,
    );
    has(&text, r#"tieline_http_refusals_total{code="UPSTREAM_RATE_LIMITED"} 1"#);
    has(&text, r#"tieline_http_refusals_total{code="ROUTE_NOT_FOUND"} 1"#);
    has(&text, "tieline_http_requests_in_flight 1");
    // The connection was tested when it was made.
    has(&text, r#"tieline_calls_total{connector="acme",outcome="ok"} 3"#);
    has(
        &text,
        r#"tieline_calls_total{connector="acme",outcome="UPSTREAM_RATE_LIMITED"} 1"#,
    );
    has(&text, r#"tieline_call_duration_seconds_count{connector="acme"} 4"#);
    has(&text, "tieline_calls_in_flight 0");
    has(&text, "tieline_store_queue 0");
    for name in [
        "tieline_store_statements_total",
        "tieline_store_commits_total",
        "tieline_cache_lookups_total",
        "tieline_memory_held_bytes",
        "process_start_time_seconds",
        "process_resident_memory_bytes",
        "tieline_info",
    ] {
        assert!(text.contains(&format!("\n{name}")), "{name} is not in\n{text}");
    }
    // R3 and T1: neither a tenant nor what a caller wrote is a label.
    for never in [
        tenant.id.to_string().as_str(),
        connection.as_str(),
        "alice",
        "secret",
        &GOOD_TOKEN,
        &tenant.key,
    ] {
        assert!(!text.contains(never), "{never} is in\n{text}");
    }
}

#[tokio::test]
async fn k2_only_operators_read_it_unless_it_is_opened() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    assert_eq!(app.ask(Ask::get("/metrics")).await.status, 401);
    assert_eq!(app.ask(Ask::get("/metrics").key(&tenant.key)).await.status, 403);
    let key = app.key(&tenant, &[Permission::Operator]).await;
    assert_eq!(app.ask(Ask::get("/metrics").key(&key)).await.status, 200);
    let open = App::new(app.connectors.clone()).with_open_metrics();
    let request = http::Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
    let answer = tower::ServiceExt::oneshot(open.router(), request).await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// Asks Prometheus until it answers what is waited for: it scrapes in its own time.
async fn until(prometheus: &Prometheus, path: &str, found: impl Fn(&Value) -> bool) -> Value {
    loop {
        let answer = ask(prometheus.address, Ask::get(path)).await;
        if answer.status == 200 && found(&answer.json) {
            return answer.json;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_scrapes_it() {
    let app = TestApp::start().await;
    let operator = app.operator().await;
    let (target, token) = (app.address, operator.clone());
    let started = tokio::task::spawn_blocking(move || Prometheus::scrape(target, Some(&token)));
    let Some(prometheus) = started.await.unwrap() else {
        return;
    };
    let targets = until(&prometheus, "/api/v1/targets", |json| {
        json["data"]["activeTargets"][0]["health"] == "up"
    });
    let target = targets.await["data"]["activeTargets"][0].clone();
    assert_eq!(target["lastError"], "", "{target}");
    let query = "/api/v1/query?query=tieline_http_requests_total%7Broute%3D%22%2Fmetrics%22%7D";
    let found = until(&prometheus, query, |json| json["data"]["result"][0]["value"].is_array()).await;
    let metric = &found["data"]["result"][0]["metric"];
    assert_eq!(
        (&metric["method"], &metric["status"]),
        (&json!("GET"), &json!("2xx")),
        "{found}"
    );
    // It knows each family's kind, so it read the whole text.
    let metadata = until(&prometheus, "/api/v1/metadata", |json| {
        json["data"]["tieline_call_duration_seconds"].is_array()
    });
    let metadata = metadata.await;
    for (name, kind) in [
        ("tieline_call_duration_seconds", "histogram"),
        ("tieline_store_commits_total", "counter"),
        ("process_resident_memory_bytes", "gauge"),
    ] {
        assert_eq!(metadata["data"][name][0]["type"], kind, "{name}");
    }
}
