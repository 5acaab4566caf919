//! How often: what a caller is told on every answer, and what who comes too often reads.

use std::sync::Arc;

use serde_json::json;
use tieline::{
    clock::{SignedDuration, TestClock, Timestamp},
    rate::{Limit, RateLimits},
};
use tieline_server::caller::Permission;

use crate::{
    binary::Folder,
    support::{Answer, Ask, TestApp},
};

/// An app whose clock stands still until it is moved.
async fn limited(limits: RateLimits) -> (TestApp, Arc<TestClock>) {
    let clock = Arc::new(TestClock::at(Timestamp::from_second(1_800_000_000).unwrap()));
    let app = TestApp::start_shaped(&[], |builder| builder.clock(clock.clone()).rate_limits(limits)).await;
    (app, clock)
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).map(|value| value.to_str().unwrap())
}

/// Limit, remaining, reset in seconds, and reset as a time.
fn standing(answer: &Answer) -> [&str; 4] {
    let told = [
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
        "x-ratelimit-reset",
    ];
    assert_eq!(header(answer, "x-ratelimit-limit"), header(answer, "ratelimit-limit"));
    assert_eq!(
        header(answer, "x-ratelimit-remaining"),
        header(answer, "ratelimit-remaining")
    );
    told.map(|name| header(answer, name).unwrap_or_default())
}

#[tokio::test]
async fn every_answer_tells_how_the_caller_stands() {
    let limits = RateLimits {
        requests_per_key: Limit::per_minute(8),
        ..RateLimits::default()
    };
    let (app, clock) = limited(limits).await;
    let alice = app.tenant("alice").await;
    let connection = app.connect(&alice, "one").await;
    let read = |path: &str| Ask::get(format!("/api/v1/{path}")).key(&alice.key);
    let answer = app.ask(read(&format!("connections/{connection}"))).await;
    assert_eq!(standing(&answer), ["8", "6", "15", "1800000015"]);
    let unknown = app.ask(read("connections/conn_00000000000000000000000000")).await;
    assert_eq!((unknown.status, standing(&unknown)[1]), (404, "5"));
    let invalid = app
        .ask(
            Ask::post("/api/v1/connections")
                .key(&alice.key)
                .text("application/json", "{"),
        )
        .await;
    assert_eq!((invalid.status, standing(&invalid)[1]), (400, "4"));
    let weak = app.key(&alice, &[Permission::CatalogRead]).await;
    let denied = app.ask(Ask::get("/api/v1/connections").key(&weak)).await;
    assert_eq!((denied.status, standing(&denied)[1]), (403, "7"));
    for open in [Ask::get("/health"), Ask::get("/api/v1/connections")] {
        assert_eq!(
            header(&app.ask(open).await, "ratelimit-limit"),
            None,
            "nobody stands here"
        );
    }

    for left in ["3", "2", "1", "0"] {
        assert_eq!(standing(&app.ask(read("catalog")).await)[1], left);
    }
    let before = app.store.statements();
    let refused = app.ask(read("connections")).await;
    assert_eq!(
        (refused.status, refused.code()),
        (429, "RATE_LIMITED"),
        "{}",
        refused.text
    );
    assert_eq!(standing(&refused), ["8", "0", "60", "1800000060"]);
    assert_eq!(header(&refused, "retry-after"), Some("8"), "7.5 seconds, rounded up");
    assert!(refused.text.contains("`limits.requests_per_key`"), "{}", refused.text);
    assert_eq!(app.store.statements(), before, "a refused request costs no statement");
    clock.advance(SignedDuration::from_secs(8));
    assert_eq!(app.ask(read("connections")).await.status, 200);
}

// T6: counted, not timed. Whatever one tenant asks for, the others lose nothing.
#[tokio::test]
async fn t6_one_tenant_at_a_hundred_times_its_share_harms_no_other() {
    let limits = RateLimits {
        requests_per_tenant: Limit::per_minute(10),
        ..RateLimits::default()
    };
    let (app, _) = limited(limits).await;
    let (greedy, other) = (app.tenant("greedy").await, app.tenant("other").await);
    let connections = [app.connect(&greedy, "one").await, app.connect(&other, "one").await];
    let send = |tenant: &crate::support::Tenant, connection: &str| {
        let path = format!("/api/v1/connections/{connection}/actions/send");
        Ask::post(path)
            .key(&tenant.key)
            .json(&json!({ "content": tenant.id.to_string() }))
    };
    let flood = futures_util::future::join_all((0..1000).map(|_| app.ask(send(&greedy, &connections[0]))));
    let others = async {
        let mut statuses = Vec::new();
        for _ in 0..9 {
            statuses.push(app.ask(send(&other, &connections[1])).await.status);
        }
        statuses
    };
    let (flood, others) = tokio::join!(flood, others);
    assert_eq!(others, [200; 9]);
    let of = |tenant: &crate::support::Tenant| {
        let id = tenant.id.to_string();
        app.upstream.messages().iter().filter(|body| body.contains(&id)).count()
    };
    assert_eq!(of(&other), 9, "none was lost or sent twice");
    assert_eq!(flood.iter().filter(|answer| answer.status == 200).count(), 9);
    assert_eq!(
        flood.iter().filter(|answer| answer.code() == "RATE_LIMITED").count(),
        1000 - 9
    );
    assert_eq!(of(&greedy), 9, "what was refused was not sent");
}

#[tokio::test]
async fn k1_wrong_keys_are_told_to_wait_and_a_good_one_behind_their_address_never_is() {
    let limits = RateLimits {
        wrong_keys_per_source: Limit::per_minute(3),
        ..RateLimits::default()
    };
    let (app, _) = limited(limits).await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    let ask = |key: &str| app.ask(Ask::get("/api/v1/catalog").key(key));
    assert_eq!(ask(&alice.key).await.status, 200);
    let wrong = |number: usize| format!("sk_{number:064x}");
    for number in 0..3 {
        assert_eq!(ask(&wrong(number)).await.code(), "UNAUTHENTICATED");
    }
    let refused = ask(&wrong(3)).await;
    assert_eq!((refused.status, refused.code()), (429, "RATE_LIMITED"));
    assert_eq!(header(&refused, "retry-after"), Some("20"));
    for (key, what) in [(&alice.key, "known"), (&bob.key, "not known yet")] {
        assert_eq!(ask(key).await.status, 200, "{what}");
    }
    // While the flood goes on, too.
    let flood = futures_util::future::join_all((0..200).map(|number| ask_owned(&app, wrong(number))));
    let carol = async {
        let carol = app.tenant("carol").await;
        ask(&carol.key).await.status
    };
    let (flood, carol) = tokio::join!(flood, carol);
    assert_eq!(carol, 200);
    assert!(flood.iter().all(|status| *status == 429), "{flood:?}");
}

async fn ask_owned(app: &TestApp, key: String) -> u16 {
    app.ask(Ask::get("/api/v1/catalog").key(&key)).await.status
}

#[test]
fn the_server_keeps_the_limits_of_its_configuration_and_lets_its_own_commands_in() {
    let folder = Folder::new();
    let variables = [
        ("TIELINE__LIMITS__REQUESTS_PER_KEY", "2"),
        ("TIELINE__LIMITS__REQUESTS_PER_TENANT", "2"),
    ];
    let checked = folder.run_with(&["check", "--json"], &variables, None).json();
    let setting = &checked["settings"]["limits.requests_per_key"];
    assert_eq!(
        *setting,
        json!({ "value": 2, "from": "TIELINE__LIMITS__REQUESTS_PER_KEY" })
    );
    let wrong = folder.run_with(&["check"], &[("TIELINE__LIMITS__REQUESTS_PER_KEY", "many")], None);
    assert!(
        wrong.failed("CONFIG_INVALID").contains("must be a whole number"),
        "{}",
        wrong.all()
    );
    let server = folder.serve(&variables);
    let key = folder.read("data/bootstrap-key");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let statuses = (0..3).map(|_| {
        let ask = Ask::get("/api/v1/catalog").key(key.trim());
        runtime.block_on(crate::support::ask(server.address, ask)).status
    });
    assert_eq!(statuses.collect::<Vec<_>>(), [200, 200, 429]);
    assert_eq!(folder.run(&["connections"]).code, 0);
    server.stop();
}
