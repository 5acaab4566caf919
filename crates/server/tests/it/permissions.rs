//! K2: every route asks for its permission, and for nothing else.

use std::collections::BTreeSet;

use http::Method;
use tieline_server::{
    caller::{Access, Permission},
    route::Route,
    router,
};

use crate::support::{Ask, TestApp};

/// A path that reaches the route; the ids in it are nobody's.
pub(crate) fn path(template: &str) -> String {
    template
        .replace("{connection}", "conn_00000000000000000000000000")
        .replace("{credential}", "cred_00000000000000000000000000")
        .replace("{user}", "usr_00000000000000000000000000")
        .replace("{tenant}", "ten_00000000000000000000000000")
        .replace("{key}", "key_00000000000000000000000000")
        .replace("{call}", "call_00000000000000000000000000")
        .replace("{connector}", "acme")
        .replace("{action}", "whoami")
        .replace("{code}", "NOT_FOUND")
        .replace("{*path}", "me")
}

/// Every route under every method that leads there, such as no description names too.
fn doors() -> impl Iterator<Item = (Route, Method)> {
    router::routes().into_iter().flat_map(|route| {
        let methods: BTreeSet<_> = [route.method()]
            .into_iter()
            .chain(route.methods())
            .map(Method::to_string)
            .collect();
        methods
            .into_iter()
            .map(move |method| (route.clone(), method.parse().unwrap()))
    })
}

#[tokio::test]
async fn k2_without_a_key_only_open_routes_open() {
    let app = TestApp::start().await;
    let never_made = format!("sk_{}", "0".repeat(64));
    for (route, method) in doors() {
        let ask = Ask::new(method.clone(), path(route.path()));
        if route.access() == Access::Anyone {
            let answer = app.ask(ask).await;
            let challenged = answer.headers.contains_key("www-authenticate");
            assert!(answer.status < 500 && !challenged, "{}: {}", route.path(), answer.text);
            continue;
        }
        for ask in [
            ask.clone(),
            ask.clone().key("sk_short"),
            ask.clone().key(&never_made),
            ask.clone().header("authorization", "Basic x"),
        ] {
            let answer = app.ask(ask).await;
            assert_eq!(
                (answer.status, answer.code()),
                (401, if method == Method::HEAD { "" } else { "UNAUTHENTICATED" }),
                "{}",
                route.path()
            );
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
}

#[tokio::test]
async fn k2_without_its_permission_a_route_stays_shut() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    for (route, method) in doors() {
        let Access::Needs(needed) = route.access() else {
            continue;
        };
        let others: Vec<_> = Permission::ALL
            .iter()
            .copied()
            .filter(|permission| {
                *permission != needed && (*permission != Permission::Admin || needed == Permission::Operator)
            })
            .collect();
        let key = app.key(&tenant, &others).await;
        // What the path names and the body holds does not matter before the permission.
        let ask = Ask::new(method.clone(), path(route.path()))
            .key(&key)
            .text("text/plain", "{");
        let answer = app.ask(ask).await;
        assert_eq!(
            (answer.status, answer.code()),
            (
                403,
                if method == Method::HEAD {
                    ""
                } else {
                    "PERMISSION_DENIED"
                }
            ),
            "{} {}",
            method,
            route.path()
        );
        assert!(
            method == Method::HEAD || answer.text.contains(needed.as_str()),
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn k2_with_just_its_permission_a_route_opens() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    for (route, method) in doors() {
        let Access::Needs(needed) = route.access() else {
            continue;
        };
        let key = app.key(&tenant, &[needed]).await;
        let answer = app.ask(Ask::new(method.clone(), path(route.path())).key(&key)).await;
        assert!(
            ![401, 403].contains(&answer.status) && answer.status < 500,
            "{} {}: {}",
            method,
            route.path(),
            answer.text
        );
    }
}

#[tokio::test]
async fn k2_false_grants_nothing_and_admin_is_no_operator() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let by = tieline::audit::Actor::new(tenant.id, "test");
    let mut new = crate::support::new_key(&[Permission::CatalogRead]);
    new.permissions.insert("connections:read".to_owned(), false);
    let made = app.connectors.create_api_key(&by, new).await.unwrap();
    let key = made.text.reveal();
    assert_eq!(app.ask(Ask::get("/api/v1/catalog").key(key)).await.status, 200);
    assert_eq!(app.ask(Ask::get("/api/v1/connections").key(key)).await.status, 403);
    assert_eq!(app.ask(Ask::get("/api/v1/tenants").key(&tenant.key)).await.status, 403);
}

#[tokio::test]
async fn a_head_request_needs_the_same_permission() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let head = |key: &str| Ask::new(Method::HEAD, "/api/v1/connections").key(key);
    let key = app.key(&tenant, &[Permission::CatalogRead]).await;
    assert_eq!(app.ask(head(&key)).await.status, 403);
    let answer = app.ask(head(&tenant.key)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
}
