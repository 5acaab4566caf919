//! How often: what a manifest declares, what a service asks for, and what an operator allows.

use std::{net::IpAddr, sync::Arc, time::Duration};

use serde_json::json;
use tieline::{
    Code, MemoryStore, Scope,
    api_key::{NewApiKey, Origin},
    audit::Actor,
    clock::{Clock, SignedDuration, TestClock, Timestamp},
    connection::{Connect, Connection},
    error::Retry,
    id::TenantId,
    rate::{Limit, RateLimits},
};
use tieline_testkit::{
    canary::Canary,
    twin::{Reply, Twin, answer},
};

use crate::house::{House, TOKEN, json_reply};

static WRONG_KEY: Canary = Canary::shaped(
    "wrong key",
    "sk_################################################################",
);

/// A house whose clock stands still until it is moved.
struct Paced {
    house: House,
    clock: Arc<TestClock>,
}

impl Paced {
    fn new(manifest: &str, limits: RateLimits) -> Self {
        let clock = Arc::new(TestClock::at(Timestamp::from_second(1_800_000_000).unwrap()));
        let house = House::shaped(Arc::new(MemoryStore::new()), manifest.to_owned(), |builder| {
            builder.clock(clock.clone()).rate_limits(limits)
        });
        Self { house, clock }
    }

    fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    async fn look(&self, connection: &Connection) -> Result<(), tieline::Error> {
        self.house.call(connection, "look", json!({})).await.map(drop)
    }

    async fn second(&self) -> Connection {
        let connect = Connect {
            config: json!({ "token": TOKEN }).into(),
            name: Some("second".to_owned()),
            ..Connect::new("acme", Scope::tenant())
        };
        self.house.connectors.connect(&self.house.by, connect).await.unwrap()
    }
}

fn acme(port: u16, rate: &str, of_look: &str) -> String {
    format!(
        r"
id: acme
name: Acme
baseUrl: http://127.0.0.1:{port}/v1
retryConfig: {{ maxRetries: 2, retryDelay: 1 }}
rateLimit: {rate}
auth:
  - {{ type: bearer, token: '{{{{token}}}}', fields: [{{ name: token, secret: true, required: true }}] }}
test: {{ path: /me, label: $.name }}
endpoints:
  - {{ id: look, method: GET, path: /look{of_look} }}
  - {{ id: gaze, method: GET, path: /gaze }}
"
    )
}

fn rests(error: &tieline::Error, seconds: u64) {
    assert_eq!(error.code(), Code::ConnectorRateLimited, "{error}");
    assert_eq!(
        error.retry_hint(),
        Retry::After(Duration::from_secs(seconds)),
        "{error}"
    );
    assert!(error.nothing_sent());
}

#[tokio::test]
async fn a_declared_rate_is_kept_for_each_connection_and_nothing_is_sent_beyond_it() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let manifest = acme(
        twin.port(),
        "{ requestsPerMinute: 60, burstLimit: 3 }",
        ", rateLimit: { requestsPerMinute: 6, burstLimit: 2 }",
    );
    let paced = Paced::new(&manifest, RateLimits::default());
    let connection = paced.house.connect().await;
    paced.look(&connection).await.unwrap();
    paced.look(&connection).await.unwrap();
    let error = paced.look(&connection).await.unwrap_err();
    rests(&error, 10);
    assert!(
        error.detail().contains("6 times a minute, 2 of them at once"),
        "{error}"
    );
    // The action's own limit takes nothing from the others'.
    paced.house.call(&connection, "gaze", json!({})).await.unwrap();
    let error = paced.house.call(&connection, "gaze", json!({})).await.unwrap_err();
    rests(&error, 1);
    assert!(error.detail().contains("60 times a minute"), "{error}");
    assert_eq!(twin.requests().len(), 3);
    paced.look(&paced.second().await).await.unwrap();
    paced.advance(1);
    paced.house.call(&connection, "gaze", json!({})).await.unwrap();
    paced.advance(9);
    paced.look(&connection).await.unwrap();
}

#[tokio::test]
async fn a_repeat_is_counted_like_any_other_request() {
    let twin = Twin::always(json_reply("503 No", "{}")).await;
    let paced = Paced::new(
        &acme(twin.port(), "{ requestsPerMinute: 2 }", ""),
        RateLimits::default(),
    );
    let connection = paced.house.connect().await;
    let error = paced.look(&connection).await.unwrap_err();
    assert_eq!(
        error.code(),
        Code::UpstreamUnavailable,
        "the answer is told, not our limit: {error}"
    );
    assert_eq!(
        twin.requests().len(),
        2,
        "the third attempt would have been one too many"
    );
}

#[tokio::test]
async fn l1_a_service_that_asks_for_a_pause_is_given_it_by_all_calls_of_the_connection() {
    let twin = Twin::always(Reply::Keep(answer("429 Slow", "retry-after: 90\r\n", b"{}"))).await;
    let paced = Paced::new(&acme(twin.port(), "{}", ""), RateLimits::default());
    let connection = paced.house.connect().await;
    let error = paced.look(&connection).await.unwrap_err();
    assert_eq!(error.code(), Code::UpstreamRateLimited);
    paced.advance(30);
    rests(&paced.house.call(&connection, "gaze", json!({})).await.unwrap_err(), 60);
    let (connectors, by) = (&paced.house.connectors, &paced.house.by);
    rests(&connectors.test_connection(by, connection.id).await.unwrap_err(), 60);
    assert_eq!(
        connectors.connection(by, connection.id).await.unwrap().health.state,
        connection.health.state
    );
    assert_eq!(twin.requests().len(), 1);
    assert_eq!(
        paced.look(&paced.second().await).await.unwrap_err().code(),
        Code::UpstreamRateLimited
    );
    paced.advance(60);
    assert_eq!(
        paced.look(&connection).await.unwrap_err().code(),
        Code::UpstreamRateLimited
    );
    assert_eq!(twin.requests().len(), 3);
}

#[tokio::test]
async fn l1_a_service_that_has_none_left_is_not_asked_until_it_has() {
    let headers = "x-left: 0\r\nx-reset: 1800000020\r\n";
    let twin = Twin::always(Reply::Keep(answer("200 OK", headers, b"{}"))).await;
    let rate = "{ remainingHeader: X-Left, resetHeader: X-Reset, resetFormat: epoch }";
    let paced = Paced::new(&acme(twin.port(), rate, ""), RateLimits::default());
    let connection = paced.house.connect().await;
    paced.look(&connection).await.unwrap();
    rests(&paced.look(&connection).await.unwrap_err(), 20);
    paced.advance(20);
    paced.look(&connection).await.unwrap();
    assert_eq!(twin.requests().len(), 2);
}

#[tokio::test]
async fn what_no_manifest_limits_an_operator_may() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let limits = RateLimits {
        calls_per_connection: Limit::per_minute(2),
        ..RateLimits::default()
    };
    let paced = Paced::new(&acme(twin.port(), "{}", ""), limits);
    let connection = paced.house.connect().await;
    paced.look(&connection).await.unwrap();
    paced.look(&connection).await.unwrap();
    let error = paced.look(&connection).await.unwrap_err();
    rests(&error, 30);
    assert!(error.detail().contains("limits.calls_per_connection"), "{error}");
}

// S003's defect: tests of connections were a way to probe addresses, as often as one liked.
#[tokio::test]
async fn tests_are_limited_for_each_tenant() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let limits = RateLimits {
        tests_per_tenant: Limit::per_minute(2),
        ..RateLimits::default()
    };
    let paced = Paced::new(&acme(twin.port(), "{}", ""), limits);
    let (connectors, by) = (&paced.house.connectors, &paced.house.by);
    let connection = paced.house.connect().await;
    let unsaved = Connect {
        config: json!({ "token": TOKEN }).into(),
        ..Connect::new("acme", Scope::tenant())
    };
    assert!(connectors.test_connection(by, connection.id).await.unwrap().success);
    assert!(connectors.test_unsaved(by, &unsaved).await.unwrap().success);
    let before = paced.house.store.statements();
    for error in [
        connectors.test_connection(by, connection.id).await.unwrap_err(),
        connectors.test_unsaved(by, &unsaved).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::RateLimited);
        assert_eq!(error.retry_hint(), Retry::After(Duration::from_secs(30)));
        assert!(error.detail().contains("limits.tests_per_tenant"), "{error}");
    }
    assert_eq!(paced.house.store.statements(), before);
    assert_eq!(twin.requests().len(), 2);
    let other = Actor::new(TenantId::from_bytes([9; 16]), "test");
    assert!(connectors.test_unsaved(&other, &unsaved).await.unwrap().success);
    paced.look(&connection).await.unwrap();
}

#[test]
fn t6_each_key_has_a_limit_and_each_tenant_one_for_all_its_keys() {
    let limits = RateLimits {
        requests_per_key: Limit::per_minute(10),
        requests_per_tenant: Limit::per_minute(25),
        ..RateLimits::default()
    };
    let paced = Paced::new(&acme(1, "{}", ""), limits);
    let key = |tenant: u8, key: usize| Actor::new(TenantId::from_bytes([tenant; 16]), format!("key_{tenant}_{key}"));
    let count = |by: &Actor| paced.house.connectors.count_request(by);
    // A hundred times what the other may, from more and more keys.
    let passed = (0..2500).filter(|n| count(&key(1, n % 250)).1.is_ok()).count();
    assert_eq!(passed, 25);
    let others = (0..10).filter(|_| count(&key(2, 0)).1.is_ok()).count();
    assert_eq!(others, 10, "nothing of theirs is lost");
    let (standing, refused) = count(&key(2, 0));
    let (standing, refused) = (standing.unwrap(), refused.unwrap_err());
    assert_eq!(
        (standing.limit, standing.remaining, standing.reset),
        (10, 0, Duration::from_secs(60))
    );
    assert_eq!(refused.retry_hint(), Retry::After(Duration::from_secs(6)));
    assert!(refused.detail().contains("`limits.requests_per_key`"), "{refused}");
    let refused = count(&key(1, 0)).1.unwrap_err();
    assert!(refused.detail().contains("`limits.requests_per_tenant`"), "{refused}");
    // Told is the tighter of the two: of the tenant's 25 there are 14 left, and of a new key's ten nine.
    assert_eq!(count(&key(2, 1)).0.unwrap().remaining, 9);
    (0..9).for_each(|_| drop(count(&key(2, 1))));
    assert_eq!(count(&key(2, 2)).0.unwrap().remaining, 4);
    paced.advance(60);
    assert!(count(&key(1, 0)).1.is_ok());
    assert!(
        House::of(&acme(1, "{}", ""))
            .connectors
            .count_request(&key(1, 0))
            .0
            .is_none()
    );
}

#[tokio::test]
async fn k1_wrong_keys_are_limited_for_each_address_and_lock_no_good_one_out() {
    let limits = RateLimits {
        wrong_keys_per_source: Limit::per_minute(3),
        ..RateLimits::default()
    };
    let paced = Paced::new(&acme(1, "{}", ""), limits);
    let connectors = &paced.house.connectors;
    let new = NewApiKey {
        name: "key".to_owned(),
        permissions: [("admin".to_owned(), true)].into(),
        expires_at: None,
        environment: None,
        allowed_networks: None,
    };
    let good = connectors.create_tenant("test", "some", new).await.unwrap().key.text;
    let origin = |ip: &str| {
        let address: IpAddr = ip.parse().unwrap();
        Some(Origin {
            address,
            counts_as: address,
        })
    };
    let [here, there] = ["192.0.2.1", "192.0.2.2"].map(origin);
    let tried = async |from| {
        let error = connectors
            .authenticate_from(from, &WRONG_KEY, "GET /")
            .await
            .unwrap_err();
        (error.code(), error.retry_hint())
    };
    for _ in 0..3 {
        assert_eq!(tried(here).await.0, Code::Unauthenticated);
    }
    let spent = (Code::RateLimited, Retry::After(Duration::from_secs(20)));
    assert_eq!(tried(here).await, spent);
    // Nobody has seen it yet, and then it is known.
    for _ in 0..2 {
        let key = connectors.authenticate_from(here, good.reveal(), "GET /").await;
        assert!(key.is_ok(), "others behind its address lock no key out");
    }
    assert_eq!(tried(here).await, spent, "a good key excuses no wrong one");
    for elsewhere in [there, None] {
        assert_eq!(tried(elsewhere).await.0, Code::Unauthenticated);
    }
    paced.advance(20);
    assert_eq!(tried(here).await.0, Code::Unauthenticated);
    assert_eq!(paced.clock.now(), Timestamp::from_second(1_800_000_020).unwrap());
}

#[tokio::test]
async fn a_use_that_the_connection_refuses_is_not_held_against_the_action() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let manifest = acme(
        twin.port(),
        "{ requestsPerMinute: 60, burstLimit: 1 }",
        ", rateLimit: { requestsPerMinute: 6, burstLimit: 2 }",
    );
    let paced = Paced::new(&manifest, RateLimits::default());
    let connection = paced.house.connect().await;
    paced.look(&connection).await.unwrap();
    for _ in 0..3 {
        rests(&paced.look(&connection).await.unwrap_err(), 1);
    }
    paced.advance(1);
    paced.look(&connection).await.unwrap();
}

#[tokio::test]
async fn l1_a_repeat_that_slept_keeps_the_pause_that_was_asked_for_meanwhile() {
    let headers = "x-left: 0\r\nx-reset: 1800000020\r\n";
    let twin = Twin::always(Reply::Keep(answer("503 No", headers, b"{}"))).await;
    let rate = "{ remainingHeader: X-Left, resetHeader: X-Reset, resetFormat: epoch }";
    let paced = Paced::new(&acme(twin.port(), rate, ""), RateLimits::default());
    let connection = paced.house.connect().await;
    let error = paced.look(&connection).await.unwrap_err();
    assert_eq!(error.code(), Code::UpstreamUnavailable, "{error}");
    assert_eq!(twin.requests().len(), 1, "nothing goes out before the pause is over");
}

#[tokio::test]
async fn what_is_refused_for_its_input_is_no_use_of_the_connection() {
    let twin = Twin::always(json_reply("200 OK", "{}")).await;
    let paced = Paced::new(
        &acme(twin.port(), "{ requestsPerMinute: 2 }", ""),
        RateLimits::default(),
    );
    let connection = paced.house.connect().await;
    for _ in 0..5 {
        let wrong = paced.house.call(&connection, "look", json!({ "wrong": 1 })).await;
        assert_eq!(wrong.unwrap_err().code(), Code::ConnectorActionInputInvalid);
    }
    paced.look(&connection).await.unwrap();
    paced.look(&connection).await.unwrap();
    rests(&paced.look(&connection).await.unwrap_err(), 30);
}

#[tokio::test]
async fn a_test_that_is_asked_to_come_later_says_nothing_of_the_connection() {
    let twin = Twin::always(json_reply("429 Slow", "{}")).await;
    let paced = Paced::new(&acme(twin.port(), "{}", ""), RateLimits::default());
    let connection = paced.house.connect().await;
    let (connectors, by) = (&paced.house.connectors, &paced.house.by);
    let result = connectors.test_connection(by, connection.id).await.unwrap();
    assert_eq!(
        (result.success, result.error_code),
        (false, Some(Code::UpstreamRateLimited))
    );
    let health = connectors.connection(by, connection.id).await.unwrap().health;
    assert_eq!(health.state, connection.health.state);
    assert_eq!(health.reason, None);
}
