//! U: what a service answers lies on our origin, and a browser that is led there runs none of it.

use std::{
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{Method, header};
use tieline_testkit::{
    part,
    twin::{Reply, Twin, answer},
};
use tokio::net::TcpListener;

use super::Passage;
use crate::support::{Ask, ask};

/// A page whose every part tries to run something.
const PAGE: &str = "<!doctype html><title>t</title><p id=p>as it was sent</p><script>p.textContent='changed';fetch('/ran')</script>\
    <img src=x onerror=\"fetch('/ran')\"><svg onload=\"fetch('/ran')\"></svg><iframe srcdoc=\"<script>parent.fetch('/ran')</script>\"></iframe>\
    <form id=f action=/ran></form><script>f.submit()</script>";

/// What would stand in front of us and let a browser in: it adds the key to whatever comes. A page under `/bare` loses
/// what we said of it.
struct Front {
    passage: Passage,
    ran: AtomicUsize,
}

async fn front(State(front): State<Arc<Front>>, request: Request) -> Response {
    if request.uri().path() == "/ran" {
        front.ran.fetch_add(1, Ordering::SeqCst);
        return "".into_response();
    }
    let ask_for = Ask::new(Method::GET, format!("{}/page", front.passage.path)).key(&front.passage.tenant.key);
    let told = ask(front.passage.app.address, ask_for).await;
    let mut headers = told.headers;
    if request.uri().path() == "/bare" {
        headers.remove(header::CONTENT_SECURITY_POLICY);
    }
    headers.remove(header::CONTENT_LENGTH);
    (headers, told.text).into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn u3_a_page_that_is_passed_on_does_not_run_on_our_origin() {
    let Some(browser) = part::browser() else { return };
    for kind in ["text/html", "image/svg+xml", "text/xml"] {
        let page = match kind {
            "text/html" => PAGE.to_owned(),
            _ => "<svg xmlns=\"http://www.w3.org/2000/svg\"><text>as it was sent</text><script>fetch('/ran')</script></svg>".to_owned(),
        };
        let head = format!("content-type: {kind}\r\ncontent-security-policy: default-src * 'unsafe-inline'\r\n");
        let twin = Twin::always(Reply::Keep(answer("200 OK", &head, page.as_bytes()))).await;
        let passage = Passage::to(twin.port()).await;
        let shared = Arc::new(Front {
            passage,
            ran: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(get(front)).with_state(shared.clone());
        let served = tokio::spawn(async move { axum::serve(listener, router).await });

        let shown = look(&browser, &format!("{origin}/page")).await;
        assert!(shown.contains("as it was sent"), "the page was not shown: {shown}");
        assert_eq!(shared.ran.load(Ordering::SeqCst), 0, "{kind}: a script ran: {shown}");
        // The same page runs where nobody says that it may not, so the browser would have told.
        look(&browser, &format!("{origin}/bare")).await;
        assert!(
            shared.ran.load(Ordering::SeqCst) > 0,
            "{kind}: the browser runs nothing at all"
        );
        served.abort();
    }
}

/// What a browser makes of a page.
async fn look(browser: &std::path::Path, url: &str) -> String {
    let (browser, url) = (browser.to_owned(), url.to_owned());
    let profile = tempfile::tempdir().unwrap();
    let looking = move || {
        let output = Command::new(browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--virtual-time-budget=3000",
                "--dump-dom",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(url)
            .stderr(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    tokio::task::spawn_blocking(looking).await.unwrap()
}
