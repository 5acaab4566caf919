//! Limits hold for all servers of a database together.

use std::time::{Duration, Instant};

use serde_json::json;
use tieline::limits::{HEARTBEAT, PROCESS_SILENCE};
use tieline_testkit::canary;

use super::{PAUSE, Shared, bootstrap_key};
use crate::{
    binary::Server,
    support::{Answer, Ask, ask},
};

/// Requests a minute with one key. Few, so that little drains while the test runs.
const LIMIT: u32 = 20;

async fn look(server: &Server, key: &str) -> Answer {
    ask(server.address, Ask::get("/api/v1/catalog").key(key)).await
}

fn share(answer: &Answer) -> u32 {
    answer.headers["ratelimit-limit"].to_str().unwrap().parse().unwrap()
}

/// Asks until the server counts with this share, also while it refuses.
async fn until_share(server: &Server, key: &str, wanted: u32) {
    while share(&look(server, key).await) != wanted {
        tokio::time::sleep(PAUSE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_keep_a_limit_together_and_the_last_has_all_of_it() {
    let Some(shared) = Shared::new().await else { return };
    let folders = [shared.folder(), shared.folder()];
    let limit = LIMIT.to_string();
    let serve = |nth: usize| shared.serve_with(&folders[nth], &[("TIELINE__LIMITS__REQUESTS_PER_KEY", &limit)]);
    let one = serve(0);
    let operator = bootstrap_key(&folders[0]);
    let mut keys = Vec::new();
    for name in ["looks", "asks"] {
        let body = json!({ "name": name, "permissions": { "catalog:read": true } });
        let made = ask(one.address, Ask::post("/api/v1/api-keys").key(&operator).json(&body)).await;
        let key = made.json["key"].as_str().unwrap().to_owned();
        canary::told_once(&key);
        keys.push(key);
    }
    let [looks, asks] = keys.try_into().unwrap();
    assert_eq!(share(&look(&one, &looks).await), LIMIT, "alone it has all of it");
    let two = serve(1);
    assert_eq!(
        share(&look(&two, &looks).await),
        LIMIT / 2,
        "who joins takes its share at once"
    );
    until_share(&one, &looks, LIMIT / 2).await;

    let began = Instant::now();
    let mut passed = 0;
    for nth in 0..3 * LIMIT {
        let answer = look([&one, &two][nth as usize % 2], &asks).await;
        match answer.status {
            200 => passed += 1,
            429 => assert!(answer.text.contains("by all 2 processes together"), "{}", answer.text),
            _ => panic!("{}", answer.text),
        }
    }
    let drained = began.elapsed().as_secs_f64() * f64::from(LIMIT) / 60.0;
    assert!(
        passed >= LIMIT && f64::from(passed) <= f64::from(LIMIT) + drained,
        "{passed}"
    );

    // It gets no chance to say that it ends.
    two.signal("KILL");
    drop(two);
    let in_time = PROCESS_SILENCE + HEARTBEAT + Duration::from_secs(10);
    let back = tokio::time::timeout(in_time, until_share(&one, &looks, LIMIT)).await;
    back.expect("the other's share comes back when it was silent for long enough");

    // One that ends says so.
    let two = serve(1);
    until_share(&one, &looks, LIMIT / 2).await;
    let (code, log) = two.stop();
    assert_eq!(code, 0, "{log}");
    let owner = shared.database.owner().await;
    let living = owner.query_one("SELECT count(*) FROM tieline.processes", &[]).await;
    assert_eq!(living.unwrap().get::<_, i64>(0), 1);
    until_share(&one, &looks, LIMIT).await;
}
