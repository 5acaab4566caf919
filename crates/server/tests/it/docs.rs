//! What the API says of itself to people.

use tieline::Code;

use crate::support::{Answer, Ask, TestApp};

/// A browser's `Accept`.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// What must hold of every page: it runs nothing, loads nothing, and nobody frames it.
fn judge_page(page: &Answer) {
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(
        policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert_eq!(page.headers["cross-origin-opener-policy"], "same-origin");
    let html = page.text.to_lowercase();
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>"));
    for forbidden in ["<script", "javascript:", " style=", " on", "src="] {
        let tags = html.split('<').skip(1).filter_map(|tag| tag.split_once('>'));
        for (tag, _) in tags {
            assert!(!format!("<{tag}").contains(forbidden), "{forbidden} in <{tag}>");
        }
    }
}

#[tokio::test]
async fn u1_the_manual_tells_every_route_and_runs_nothing() {
    let app = TestApp::start().await;
    let page = app.ask(Ask::get("/docs")).await;
    judge_page(&page);
    for route in tieline_server::router::routes() {
        assert!(page.text.contains(&route.path().replace("{*", "{")), "{}", route.path());
    }
    let anchors: std::collections::BTreeSet<_> = page
        .text
        .split(" id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let links = page
        .text
        .split("href=\"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap());
    let mut count = 0;
    for link in links {
        assert!(anchors.contains(link), "#{link} leads nowhere");
        count += 1;
    }
    assert!(count > 100, "only {count} links within the page");
}

#[tokio::test]
async fn u1_the_manual_tells_who_may_take_the_routes_of_a_session() {
    let app = TestApp::start().await;
    let page = app.ask(Ask::get("/docs")).await;
    let section = |summary: &str| {
        let rest = page.text.split_once(summary).unwrap().1;
        rest.split_once("</section>").unwrap().0
    };
    for summary in [
        "Who is signed in, and what they may do.",
        "Signs out: the session is over at once.",
        "Changes one's own password",
    ] {
        // As the page writes it.
        let text = section(&summary.replace('\'', "&#39;"));
        assert!(
            text.contains("signed in</span>") && !text.contains("open to anyone"),
            "{summary}"
        );
        assert!(
            text.contains("Cookie: __Host-tieline=") && !text.contains("Bearer"),
            "{summary}"
        );
        assert!(text.contains("Sec-Fetch-Site: same-origin"), "{summary}");
    }
    let open = section("Signs a person in, for one tenant.");
    assert!(open.contains("open to anyone") && !open.contains("Cookie: "));
}

#[tokio::test]
async fn u1_an_error_page_is_a_page_for_browsers_and_markdown_for_programs() {
    let app = TestApp::start().await;
    let list = app.ask(Ask::get("/errors").header("accept", BROWSER)).await;
    judge_page(&list);
    let markdown = app.ask(Ask::get("/errors")).await;
    assert_eq!(markdown.headers["content-type"], "text/markdown; charset=utf-8");
    for answer in [&list, &markdown] {
        assert_eq!(answer.headers["vary"], "Accept");
    }
    for code in Code::ALL {
        let page = app
            .ask(Ask::get(format!("/errors/{code}")).header("accept", BROWSER))
            .await;
        judge_page(&page);
        assert_eq!(page.headers["vary"], "Accept");
        assert!(page.text.contains(&format!("<h1>{code}</h1>")), "{code}");
        assert!(page.text.contains("<strong>Mend it.</strong>"), "{code}");
        assert!(list.text.contains(&format!("href=\"/errors/{code}\"")), "{code}");
        assert!(markdown.text.contains(&format!("(/errors/{code})")), "{code}");
    }
}
