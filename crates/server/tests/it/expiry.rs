//! Shared credentials whose time is over, and the connections that point to them.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use tieline::{
    clock::{Clock, SignedDuration, TestClock, Timestamp},
    event::EventKind,
};

use crate::support::{Ask, GOOD_TOKEN, Tenant, TestApp};

struct House {
    app: TestApp,
    clock: Arc<TestClock>,
    tenant: Tenant,
}

impl House {
    async fn new() -> Self {
        let clock = Arc::new(TestClock::at(Timestamp::from_second(1_800_000_000).unwrap()));
        let app = TestApp::start_shaped(&[], |builder| builder.clock(clock.clone())).await;
        let tenant = app.tenant("alice").await;
        Self { app, clock, tenant }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>, status: u16) -> Value {
        let ask = Ask::new(method, format!("/api/v1{path}")).key(&self.tenant.key);
        let answer = self.app.ask(body.iter().fold(ask, |ask, body| ask.json(body))).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        answer.json
    }

    /// The time in so many hours, as a field.
    fn within(&self, hours: i64) -> Value {
        json!((self.clock.now() + SignedDuration::from_hours(hours)).to_string())
    }

    /// Lets hours pass, and what is due be tended to.
    async fn pass(&self, hours: i64) {
        self.clock.advance(SignedDuration::from_hours(hours));
        self.app.connectors.tend_once().await;
    }

    /// A credential that expires within so many hours.
    async fn credential(&self, hours: i64) -> String {
        let body = json!({
            "name": "main", "type": "token", "connector": "acme", "data": { "bot_token": GOOD_TOKEN },
            "expiresAt": self.within(hours),
        });
        let made = self.ask(Method::POST, "/credentials", Some(body), 201).await;
        made["id"].as_str().unwrap().to_owned()
    }

    async fn connect(&self, name: &str, credential: &str) -> Value {
        let body = json!({ "connector": "acme", "name": name, "credentialId": credential });
        self.ask(Method::POST, "/connections", Some(body), 201).await
    }

    /// Status, health, reason and since when.
    async fn state(&self, connection: &str) -> (String, String, Value, Value) {
        let read = self
            .ask(Method::GET, &format!("/connections/{connection}"), None, 200)
            .await;
        let health = &read["health"];
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        (
            word(&read["status"]),
            word(&health["state"]),
            health["reason"].clone(),
            health["since"].clone(),
        )
    }

    async fn is(&self, connection: &str, status: &str, health: &str) {
        let state = self.state(connection).await;
        assert_eq!((state.0.as_str(), state.1.as_str()), (status, health), "{state:?}");
    }

    /// How often a connection's health was told to change.
    async fn told(&self, connection: &str) -> usize {
        let feed = self.app.store.read_feed(0, 1000).await.unwrap();
        let changed = feed
            .iter()
            .filter(|row| row.kind == Some(EventKind::ConnectorHealthChanged));
        changed.filter(|row| row.subject == connection).count()
    }

    async fn test(&self, connection: &str) -> Value {
        self.ask(Method::POST, &format!("/connections/{connection}/test"), None, 200)
            .await
    }
}

fn id(made: &Value) -> &str {
    made["id"].as_str().unwrap()
}

#[tokio::test]
async fn connections_fail_when_their_credential_expires_and_are_untested_when_it_has_more_time() {
    let house = House::new().await;
    let credential = house.credential(48).await;
    let (one, two) = (
        house.connect("one", &credential).await,
        house.connect("two", &credential).await,
    );
    let bystander = house.app.connect(&house.tenant, "bystander").await;
    let (one, two) = (id(&one), id(&two));
    let switched_off = json!({ "enabled": false });
    house
        .ask(Method::PATCH, &format!("/connections/{two}"), Some(switched_off), 200)
        .await;
    house.is(one, "active", "healthy").await;
    assert_eq!(house.told(one).await, 1, "from untested to healthy");
    house.pass(47).await;
    house.is(one, "active", "healthy").await;

    house.pass(1).await;
    let (status, health, reason, since) = house.state(one).await;
    assert_eq!((status.as_str(), health.as_str()), ("error", "failing"));
    assert!(
        reason.as_str().unwrap().contains("expired at 2027-01-17T08:00:00Z"),
        "{reason}"
    );
    assert_eq!(since, json!(house.clock.now().to_string()));
    house.is(two, "inactive", "failing").await;
    house.is(&bystander, "active", "healthy").await;
    for _ in 0..2 {
        house.pass(1).await;
        assert_eq!(
            (house.told(one).await, house.told(two).await),
            (2, 2),
            "one event for one change"
        );
    }
    let tested = house.test(one).await;
    assert_eq!(
        (&tested["success"], &tested["errorCode"]),
        (&json!(false), &json!("CREDENTIAL_EXPIRED"))
    );
    assert_eq!(house.state(one).await.3, since, "it is failing since it expired");
    assert_eq!(house.told(one).await, 2);

    // More time.
    let later = json!({ "expiresAt": house.within(24) });
    let path = format!("/credentials/{credential}");
    house.ask(Method::PATCH, &path, Some(later), 200).await;
    house.is(one, "testing", "untested").await;
    house.is(two, "inactive", "untested").await;
    assert_eq!((house.told(one).await, house.told(two).await), (3, 3));
    assert_eq!(house.test(one).await["success"], true);
    house.is(one, "active", "healthy").await;
    // Yet more of it says nothing new.
    let later = json!({ "expiresAt": house.within(48) });
    house.ask(Method::PATCH, &path, Some(later), 200).await;
    house.is(one, "active", "healthy").await;

    // And new secrets: the end of the old ones is not theirs.
    house.pass(48).await;
    house.is(one, "error", "failing").await;
    let told = house.told(one).await;
    let secrets = json!({ "data": { "bot_token": GOOD_TOKEN } });
    let rotated = house
        .ask(Method::POST, &format!("{path}/rotate"), Some(secrets), 200)
        .await;
    assert_eq!(rotated["expiresAt"], Value::Null);
    house.is(one, "testing", "untested").await;
    assert_eq!(house.told(one).await, told + 1);
    assert_eq!(house.test(one).await["success"], true);
    house.pass(24 * 365).await;
    house.is(one, "active", "healthy").await;
}

#[tokio::test]
async fn a_test_over_an_expired_credential_is_kept_before_anybody_announced_it() {
    let house = House::new().await;
    let credential = house.credential(1).await;
    let connection = house.connect("one", &credential).await;
    let connection = id(&connection);
    house.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(house.test(connection).await["success"], false);
    house.is(connection, "error", "failing").await;
    house.app.connectors.tend_once().await;
    assert_eq!(house.told(connection).await, 2, "it was failing already");
    // What is made over it is kept, as failing.
    let late = house.connect("late", &credential).await;
    assert_eq!(
        (&late["status"], &late["test"]["errorCode"]),
        (&json!("error"), &json!("CREDENTIAL_EXPIRED"))
    );
    house.is(id(&late), "error", "failing").await;
    let path = format!("/connections/{connection}/actions/whoami");
    let refused = house.ask(Method::POST, &path, None, 409).await;
    assert_eq!(refused["code"], "CREDENTIAL_EXPIRED");
}
