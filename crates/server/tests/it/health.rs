//! How connections fare, by themselves: a service that fails and recovers.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tieline::{
    clock::{Clock, SignedDuration, TestClock, Timestamp},
    event::EventKind,
};

use crate::support::{Answer, Ask, Tenant, TestApp, WRONG_TOKEN};

struct House {
    app: TestApp,
    clock: Arc<TestClock>,
    tenant: Tenant,
}

impl House {
    async fn new() -> Self {
        let clock = Arc::new(TestClock::at(Timestamp::from_second(1_800_000_000).unwrap()));
        let app = TestApp::start_shaped(&[], |builder| {
            builder
                .clock(clock.clone())
                .health_interval(Duration::from_secs(60 * 60))
        })
        .await;
        let tenant = app.tenant("alice").await;
        Self { app, clock, tenant }
    }

    async fn get(&self, path: &str) -> Answer {
        let answer = self.app.ask(Ask::get(path).key(&self.tenant.key)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer
    }

    async fn health(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/connections/{id}/health")).await.json
    }

    /// Lets an interval pass, and what is due be tested.
    async fn pass(&self) -> usize {
        self.clock.advance(SignedDuration::from_mins(66));
        self.app.connectors.test_due().await.unwrap()
    }

    fn now(&self) -> Value {
        json!(self.clock.now().to_string())
    }

    async fn told(&self, id: &str) -> usize {
        let feed = self.app.store.read_feed(0, 1000).await.unwrap();
        let changed = feed
            .iter()
            .filter(|row| row.kind == Some(EventKind::ConnectorHealthChanged));
        changed.filter(|row| row.subject == id).count()
    }
}

#[tokio::test]
async fn a_service_that_fails_and_recovers_is_error_and_active_by_itself() {
    let house = House::new().await;
    let id = house.app.connect(&house.tenant, "main").await;
    let new = house.health(&id).await;
    assert_eq!((&new["status"], &new["lastTestedAt"]), (&json!("active"), &house.now()));
    assert_eq!((&new["nextTestAt"], &new["lastError"]), (&Value::Null, &Value::Null));
    assert_eq!(new["data"][0]["cause"], "created");
    let born = new["health"]["since"].clone();
    assert_eq!(house.app.connectors.test_due().await.unwrap(), 0);
    assert!(house.health(&id).await["nextTestAt"].is_string());

    house.app.upstream.in_trouble(true);
    assert_eq!(house.pass().await, 1);
    let failing = house.health(&id).await;
    assert_eq!(
        (&failing["status"], &failing["health"]["state"]),
        (&json!("error"), &json!("failing"))
    );
    assert_eq!(failing["health"]["since"], house.now());
    let error = &failing["lastError"];
    assert_eq!(
        (&error["code"], &error["at"]),
        (&json!("UPSTREAM_UNAVAILABLE"), &house.now())
    );
    assert_eq!(
        (&error["message"], &failing["data"][0]["message"]),
        (&failing["health"]["reason"], &error["message"])
    );
    assert_eq!(failing["data"][0]["actor"], "scheduler");
    assert_eq!(house.told(&id).await, 2);
    let row = house.get(&format!("/v1/connectors/{id}")).await.json;
    assert_eq!(row["status"], "error");
    assert_eq!(
        (&row["metadata"]["error_message"], &row["metadata"]["last_error_at"]),
        (&error["message"], &house.now())
    );

    let since = house.now();
    assert_eq!(house.pass().await, 1);
    let still = house.health(&id).await;
    assert_eq!(
        (&still["health"]["since"], &still["lastError"]["at"]),
        (&since, &house.now())
    );
    assert_eq!(house.told(&id).await, 2, "nothing is new");

    house.app.upstream.in_trouble(false);
    assert_eq!(house.pass().await, 1);
    let well = house.health(&id).await;
    assert_eq!((&well["status"], &well["lastError"]), (&json!("active"), &Value::Null));
    assert_eq!(well["health"].get("reason"), None);
    assert!(well["health"]["since"].as_str() > born.as_str());
    assert_eq!(house.told(&id).await, 3);
    let row = house.get(&format!("/v1/connectors/{id}")).await.json;
    assert_eq!((&row["status"], &row["metadata"]), (&json!("active"), &json!({})));
    let log = house.get("/api/v1/audit-logs?actor=scheduler").await.json;
    assert_eq!(log["data"].as_array().unwrap().len(), 2, "{log}");
    let operator = house.app.operator().await;
    let metrics = house.app.ask(Ask::get("/metrics").key(&operator)).await.text;
    for line in [
        r#"tieline_health_tests_total{outcome="healthy"} 1"#,
        r#"tieline_health_tests_total{outcome="failing"} 2"#,
        "tieline_health_test_delay_seconds_count 3",
    ] {
        assert!(
            metrics.lines().any(|known| known == line),
            "`{line}` is not in {metrics}"
        );
    }
}

#[tokio::test]
async fn history_comes_in_pages_under_both_names() {
    let house = House::new().await;
    let id = house.app.connect(&house.tenant, "main").await;
    house.app.connectors.test_due().await.unwrap();
    for _ in 0..4 {
        assert_eq!(house.pass().await, 1);
    }
    let whole = house.health(&id).await;
    let causes: Vec<_> = whole["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| &test["cause"])
        .collect();
    assert_eq!(causes, ["scheduled", "scheduled", "scheduled", "scheduled", "created"]);
    let path = format!("/api/v1/connectors/{id}/health?limit=2");
    let (mut seen, mut next) = (Vec::new(), path.clone());
    loop {
        let page = house.get(&next).await.json;
        assert_eq!(page["lastTestedAt"], whole["lastTestedAt"], "whichever page");
        seen.extend(page["data"].as_array().unwrap().clone());
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        next = format!("{path}&cursor={cursor}");
    }
    assert_eq!(json!(seen), whole["data"]);
    let gone = Ask::new(http::Method::DELETE, format!("/api/v1/connections/{id}"));
    assert_eq!(house.app.ask(gone.key(&house.tenant.key)).await.status, 204);
    let missing = house.app.ask(Ask::get(path).key(&house.tenant.key)).await;
    assert_eq!((missing.status, missing.code()), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn r4_a_history_of_refusals_holds_no_secret() {
    let house = House::new().await;
    let body = json!({ "connector": "acme", "config": { "bot_token": WRONG_TOKEN } });
    let made = Ask::post("/api/v1/connections").key(&house.tenant.key).json(&body);
    let made = house.app.ask(made).await;
    let id = made.json["id"].as_str().unwrap();
    house.app.connectors.test_due().await.unwrap();
    assert_eq!(house.pass().await, 1);
    let told = house.health(id).await;
    assert_eq!(told["data"].as_array().unwrap().len(), 2);
    assert_eq!(told["lastError"]["code"], "UPSTREAM_UNAUTHORIZED");
    assert_eq!(house.told(id).await, 1, "it failed from the beginning");
    assert!(!WRONG_TOKEN.is_in(&told.to_string()));
    assert!(!WRONG_TOKEN.is_in(&String::from_utf8_lossy(&house.app.data.bytes().await)));
}
