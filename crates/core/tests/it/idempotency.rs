//! Requests that are run once, over lost runs, other processes and the end of their day.

use std::sync::Arc;

use serde_json::json;
use tieline::{
    Code, Connectors, Error, MasterKey, MemoryStore,
    audit::Actor,
    call::{Call, IdempotencyKey, Via},
    clock::{SignedDuration, TestClock, Timestamp},
    egress::EgressPolicy,
    id::TenantId,
    idempotency::{Asked, Once, Ticket},
    limits::{IDEMPOTENCY_KEPT, IDEMPOTENCY_LEASE, MAX_KEPT_ANSWER_BYTES},
    store::Store,
};
use tieline_testkit::{canary, twin::Twin};

use crate::house::json_reply;

/// Two processes over one store and one clock, with a service that takes idempotency keys and one that does not.
struct Houses {
    one: Connectors,
    two: Connectors,
    clock: Arc<TestClock>,
    twin: Twin,
    by: Actor,
}

impl Houses {
    async fn new() -> Self {
        let twin = Twin::always(json_reply("200 OK", "{}")).await;
        let clock = Arc::new(TestClock::at(Timestamp::UNIX_EPOCH));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let manifest = format!(
            r"
id: acme
name: Acme
baseUrl: http://127.0.0.1:{}
allowedHosts: [127.0.0.1]
auth: [{{ type: none }}]
endpoints:
  - {{ id: pay, method: POST, path: /pay, auth: none, idempotencyHeader: Idempotency-Key }}
  - {{ id: post, method: POST, path: /post, auth: none }}
  - {{ id: look, method: GET, path: /look, auth: none }}
",
            twin.port()
        );
        let house = || {
            Connectors::builder()
                .scope("tenant", tieline::ScopeRule::Optional)
                .shared_store(store.clone())
                .clock(clock.clone())
                .key(MasterKey::parse(canary::master_key()).unwrap())
                .egress(EgressPolicy {
                    loopback: true,
                    ..EgressPolicy::default()
                })
                .manifest(&manifest)
                .build()
                .unwrap()
        };
        Self {
            one: house(),
            two: house(),
            clock,
            twin,
            by: Actor::new(TenantId::from_bytes([1; 16]), "key_1"),
        }
    }

    /// Asks, calls the action where that is ours to do, and leaves the run as a process does that dies.
    async fn lost(&self, action: &str) {
        let ticket = run(self.one.once(&self.by, &call("k")).await);
        self.call(&self.one, action, &ticket).await.unwrap();
    }

    async fn call(&self, house: &Connectors, action: &str, ticket: &Ticket) -> tieline::Result<()> {
        let call = Call {
            connector: Some("acme".to_owned()),
            action: action.to_owned(),
            input: json!({}).into(),
            via: Via::Nothing,
            idempotency_key: None,
        };
        house.call_once(&self.by, call, Some(ticket.attempt())).await.map(drop)
    }

    fn later(&self, by: std::time::Duration) {
        self.clock.advance(SignedDuration::try_from(by).unwrap());
    }

    fn upstream_keys(&self) -> Vec<String> {
        let key = |text: String| {
            let line = text.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("idempotency-key").then(|| value.to_owned())
            });
            line.unwrap_or_default()
        };
        self.twin.requests().into_iter().map(key).collect()
    }
}

fn asked<'a>(key: &'a IdempotencyKey, body: &'a [u8]) -> Asked<'a> {
    Asked {
        key,
        route: "POST /things/{thing}",
        params: vec!["1"],
        query: "",
        body,
        call: false,
    }
}

fn key(text: &str) -> &'static IdempotencyKey {
    Box::leak(Box::new(IdempotencyKey::parse(text).unwrap()))
}

fn make(text: &str) -> Asked<'static> {
    asked(key(text), b"{}")
}

fn call(text: &str) -> Asked<'static> {
    Asked {
        call: true,
        ..make(text)
    }
}

#[track_caller]
fn run(once: tieline::Result<Once>) -> Ticket {
    match once.unwrap() {
        Once::Run(ticket) => ticket,
        Once::Answered(_) | Once::Refused(_) => panic!("it ran before"),
    }
}

#[track_caller]
fn refused(once: tieline::Result<Once>) -> Code {
    match once {
        Ok(Once::Run(_)) => panic!("it is run again"),
        Ok(Once::Answered(_)) => panic!("it was answered"),
        Ok(Once::Refused(error)) | Err(error) => error.code(),
    }
}

#[tokio::test]
async fn an_answer_is_told_again_for_a_day_in_every_process() {
    let houses = Houses::new().await;
    let ticket = run(houses.one.once(&houses.by, &make("k")).await);
    assert_eq!(
        refused(houses.two.once(&houses.by, &make("k")).await),
        Code::IdempotencyInProgress
    );
    ticket.answered(Some(b"made \0\xff")).await.unwrap();
    houses.later(IDEMPOTENCY_KEPT - std::time::Duration::from_secs(1));
    for house in [&houses.one, &houses.two] {
        match house.once(&houses.by, &make("k")).await.unwrap() {
            Once::Answered(answer) => assert_eq!(answer.reveal(), b"made \0\xff"),
            Once::Run(_) | Once::Refused(_) => panic!("it was answered"),
        }
    }
    houses.later(std::time::Duration::from_secs(1));
    run(houses.two.once(&houses.by, &make("k")).await);
}

#[tokio::test]
async fn a_key_is_bound_to_caller_route_rows_and_bytes() {
    let houses = Houses::new().await;
    let (one, by) = (&houses.one, &houses.by);
    run(one.once(by, &make("k")).await);
    let stranger = Actor::new(TenantId::from_bytes([2; 16]), "key_1");
    let colleague = Actor::new(by.tenant, "key_2");
    for other in [&stranger, &colleague] {
        run(one.once(other, &make("k")).await);
    }
    for other in [
        make("K"),
        Asked {
            route: "POST /others/{thing}",
            ..make("k")
        },
        Asked {
            params: vec!["2"],
            ..make("k")
        },
    ] {
        run(one.once(by, &other).await);
    }
    for other in [
        asked(key("k"), b"{ }"),
        Asked {
            query: "a=1",
            ..make("k")
        },
        Asked {
            query: "{}",
            body: b"",
            ..make("k")
        },
    ] {
        assert_eq!(refused(one.once(by, &other).await), Code::IdempotencyKeyReused);
    }
}

#[tokio::test]
async fn what_did_nothing_frees_the_key_and_what_was_refused_is_told_again() {
    let houses = Houses::new().await;
    let (one, by) = (&houses.one, &houses.by);
    let nothing = Error::new(Code::ConnectorConfigInvalid, "Mend it.");
    run(one.once(by, &make("k")).await).failed(&nothing).await.unwrap();
    // Another body now: the mended one.
    let mended = asked(key("k"), b"{\"mended\": true}");
    let no = Error::new(Code::ConnectorActionFailed, "No.").field("/a", "is wrong");
    run(one.once(by, &mended).await).failed(&no).await.unwrap();
    match one.once(by, &mended).await.unwrap() {
        Once::Refused(error) => {
            assert_eq!((error.code(), error.detail()), (no.code(), no.detail()));
            assert_eq!(error.fields(), no.fields());
        }
        Once::Run(_) | Once::Answered(_) => panic!("it was refused"),
    }
    let lost = Error::new(Code::UpstreamTimeout, "Late.");
    run(one.once(by, &make("late")).await).failed(&lost).await.unwrap();
    match one.once(by, &make("late")).await {
        Err(error) => {
            assert_eq!(error.code(), Code::IdempotencyOutcomeUnknown);
            assert!(error.detail().contains("UPSTREAM_TIMEOUT"), "{error}");
        }
        Ok(_) => panic!("nobody knows"),
    }
    let large = vec![0; MAX_KEPT_ANSWER_BYTES + 1];
    run(one.once(by, &make("large")).await)
        .answered(Some(&large))
        .await
        .unwrap();
    assert_eq!(
        refused(one.once(by, &make("large")).await),
        Code::IdempotencyAnswerNotKept
    );
}

#[tokio::test]
async fn a_lost_making_is_never_run_twice() {
    let houses = Houses::new().await;
    drop(run(houses.one.once(&houses.by, &make("k")).await));
    houses.later(IDEMPOTENCY_LEASE - std::time::Duration::from_secs(1));
    let again = async || refused(houses.two.once(&houses.by, &make("k")).await);
    assert_eq!(again().await, Code::IdempotencyInProgress);
    houses.later(std::time::Duration::from_secs(1));
    for _ in 0..3 {
        assert_eq!(again().await, Code::IdempotencyOutcomeUnknown);
    }
}

#[tokio::test]
async fn a_lost_call_goes_on_with_the_same_key_where_the_service_takes_one() {
    let houses = Houses::new().await;
    houses.lost("pay").await;
    houses.later(IDEMPOTENCY_LEASE);
    let ticket = run(houses.two.once(&houses.by, &call("k")).await);
    let beside = refused(houses.one.once(&houses.by, &call("k")).await);
    assert_eq!(beside, Code::IdempotencyInProgress, "one goes on");
    houses.call(&houses.two, "pay", &ticket).await.unwrap();
    ticket.answered(Some(b"paid")).await.unwrap();
    // Another body and another key are other payments.
    for other in [
        Asked {
            body: b"{\"other\": 1}",
            ..call("k2")
        },
        call("k3"),
    ] {
        let ticket = run(houses.one.once(&houses.by, &other).await);
        houses.call(&houses.one, "pay", &ticket).await.unwrap();
    }
    let keys = houses.upstream_keys();
    assert_eq!(keys.len(), 4);
    assert!(keys[0] == keys[1] && keys[0].len() == 32, "{keys:?}");
    assert!(
        keys[2] != keys[0] && keys[3] != keys[0] && keys[2] != keys[3],
        "{keys:?}"
    );
}

#[tokio::test]
async fn a_lost_read_is_run_again() {
    let houses = Houses::new().await;
    houses.lost("look").await;
    houses.later(IDEMPOTENCY_LEASE);
    let ticket = run(houses.two.once(&houses.by, &call("k")).await);
    houses.call(&houses.two, "look", &ticket).await.unwrap();
    assert_eq!(houses.twin.requests().len(), 2);
}

#[tokio::test]
async fn a_lost_write_without_a_key_of_the_service_is_never_run_twice() {
    let houses = Houses::new().await;
    houses.lost("post").await;
    for _ in 0..2 {
        houses.later(IDEMPOTENCY_LEASE);
        let ticket = run(houses.two.once(&houses.by, &call("k")).await);
        // That this run was refused before it began says nothing of the first.
        let full = Error::new(Code::Overloaded, "Full.").before_sending();
        ticket.failed(&full).await.unwrap();
    }
    houses.later(IDEMPOTENCY_LEASE);
    let ticket = run(houses.two.once(&houses.by, &call("k")).await);
    let error = houses.call(&houses.two, "post", &ticket).await.unwrap_err();
    assert_eq!(error.code(), Code::IdempotencyOutcomeUnknown);
    ticket.failed(&error).await.unwrap();
    assert_eq!(
        refused(houses.one.once(&houses.by, &call("k")).await),
        Code::IdempotencyOutcomeUnknown
    );
    assert_eq!(houses.twin.requests().len(), 1);
}

#[tokio::test]
async fn a_call_that_timed_out_may_be_repeated_where_the_service_takes_a_key() {
    let houses = Houses::new().await;
    let late = Error::new(Code::UpstreamTimeout, "Late.");
    for (action, again) in [("pay", true), ("look", true), ("post", false)] {
        let ask = async || houses.one.once(&houses.by, &call(action)).await;
        let ticket = run(ask().await);
        houses.call(&houses.one, action, &ticket).await.unwrap();
        ticket.failed(&late).await.unwrap();
        let repeat = ask().await;
        assert_eq!(matches!(repeat, Ok(Once::Run(_))), again, "{action}");
    }
}
