//! Requests made at random from the API description: whatever comes, the answer is one that the description declares, and
//! it is never our own fault.
//!
//! A request is drawn from numbers. Zeros draw the example that the description shows, so a failure shrinks towards it.
//! The numbers are the same in every run; `PROPTEST_CASES=500 PROPTEST_RNG_SEED=7 cargo nextest run fuzz` tries others, and
//! more of them for each route. What was found once is kept in `fuzz.seeds`, and tried first.

mod body;
mod dice;
mod request;
mod value;

use std::cell::{Cell, RefCell};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{FileFailurePersistence, RngSeed, TestError, TestRunner},
};
use tieline_server::caller::Permission;
use tieline_testkit::canary;

use self::dice::Dice;
use crate::{
    examples::Seed,
    support::{CONTRACT, GOOD_TOKEN, TestApp, WRONG_TOKEN, operations},
};

/// Requests for a route that takes a body, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 40;

/// The same for a route that takes none: there is less to try.
const CASES_WITHOUT_BODY: u32 = 16;

/// Numbers that one request is drawn from; what is beyond them is drawn as zero.
const DRAWS: usize = 48;

/// Requests after which the rows are new: some are deleted or switched off by then.
const RESEED: usize = 40;

/// Who and what there is to ask with and for.
pub(crate) struct World {
    app: TestApp,
    seed: Seed,
    /// A key that may do little.
    weak: String,
    /// Rows of another tenant.
    strange: Vec<(String, String)>,
    /// How many requests there were.
    asked: usize,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let bob = app.tenant("bob").await;
        let bobs = app.key(&bob, Permission::ALL).await;
        let strange = Seed::stand_ins(&app, &bob, &bobs).await;
        let (seed, weak) = Self::rows(&app, "", 0).await;
        Self {
            app,
            seed,
            weak,
            strange,
            asked: 0,
        }
    }

    async fn rows(app: &TestApp, path: &str, number: usize) -> (Seed, String) {
        let name = format!("fuzz {number}");
        let tenant = app.tenant(&name).await;
        let seed = Seed::of(app, &tenant, path, &name).await;
        let weak = app.key(&tenant, &[Permission::CatalogRead]).await;
        (seed, weak)
    }

    /// New rows for a route.
    async fn renew(&mut self, path: &str) {
        (self.seed, self.weak) = Self::rows(&self.app, path, self.asked).await;
    }

    /// Sends what the numbers draw; answers what was wrong with what came back.
    async fn try_one(&self, route: usize, numbers: &[u32]) -> Result<Done, String> {
        let operations = operations(&CONTRACT.document);
        let (method, path, operation) = &operations[route];
        let drawn = request::draw(&mut Dice::new(numbers), self, method, path, operation);
        let (request, sent) = (drawn.told(), drawn.repeatable());
        let answer = self.app.ask_unjudged(drawn.ask).await;
        let fault = answer.fault(&drawn.method, &drawn.path);
        let told = || format!("{request}\n{} {}", answer.status, answer.text);
        if let Some(fault) = fault {
            return Err(format!("{fault}\n{}", told()));
        }
        if answer.status >= 500 && !is_of_the_upstream(answer.code()) {
            return Err(format!("our own fault\n{}", told()));
        }
        let leaks = |secret: &&str| holds(&answer.text, secret) && !holds(&sent, secret);
        if self.secrets().any(|secret| leaks(&secret)) {
            return Err(format!("a secret is told\n{}", told()));
        }
        Ok(Done {
            worked: (200..300).contains(&answer.status),
            consumed: drawn.method == http::Method::DELETE,
        })
    }

    /// What no answer may tell: who asks, and what was put in for safe keeping.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let kept = self.seed.stand_ins.iter();
        let kept = kept.filter(|(example, _)| example.starts_with("the "));
        [&*GOOD_TOKEN, &*WRONG_TOKEN, canary::master_key()]
            .into_iter()
            .chain([&*self.seed.key, &*self.seed.session, &*self.weak])
            .chain(kept.map(|(_, secret)| &**secret))
    }
}

/// How a request ended that was answered as it should be.
struct Done {
    worked: bool,
    /// Whether its row is gone when it worked.
    consumed: bool,
}

/// Whether a text holds a secret or a long part of it, however it is escaped: by its runs of letters and digits.
fn holds(text: &str, secret: &str) -> bool {
    let runs = secret.split(|letter: char| !letter.is_ascii_alphanumeric());
    runs.filter(|run| run.len() >= 16).any(|run| text.contains(run))
}

/// Statuses from 500 that tell of somebody else, or that the server is honestly full.
fn is_of_the_upstream(code: &str) -> bool {
    code.starts_with("UPSTREAM_")
        || code.starts_with("SMTP_")
        || code.starts_with("CONNECTOR_ACTION_")
        || code == "OVERLOADED"
}

fn config(has_body: bool) -> ProptestConfig {
    let asked = ProptestConfig::default();
    // Nobody asks for just the library's own number of cases.
    let unasked = asked.cases == 256;
    ProptestConfig {
        cases: match (unasked, has_body) {
            (false, _) => asked.cases,
            (true, true) => CASES,
            (true, false) => CASES_WITHOUT_BODY,
        },
        rng_seed: match asked.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            fixed => fixed,
        },
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/it/fuzz.seeds"))),
        max_shrink_iters: 100,
        ..asked
    }
}

#[test]
fn whatever_comes_is_answered_as_the_description_says() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = RefCell::new(runtime.block_on(World::new()));
    let mut wrong = Vec::new();
    for (route, (method, path, operation)) in operations(&CONTRACT.document).iter().enumerate() {
        let (fresh, worked) = (Cell::new(0), Cell::new(0));
        let config = config(!operation["requestBody"].is_null());
        let cases = config.cases;
        let mut runner = TestRunner::new(config);
        let result = runner.run(&vec(any::<u32>(), 0..DRAWS), |numbers| {
            let mut world = world.borrow_mut();
            world.asked += 1;
            if fresh.get() == 0 {
                runtime.block_on(world.renew(path));
            }
            fresh.set((fresh.get() + 1) % RESEED);
            let done = runtime
                .block_on(world.try_one(route, &numbers))
                .map_err(TestCaseError::fail)?;
            if done.worked {
                worked.set(worked.get() + 1);
                if done.consumed {
                    fresh.set(0);
                }
            }
            Ok(())
        });
        match result {
            // What never works was never tried behind its first check.
            Ok(()) if worked.get() == 0 && cases >= CASES_WITHOUT_BODY => {
                wrong.push(format!("{method} {path}: none of {cases} requests worked"));
            }
            Ok(()) => {}
            Err(TestError::Fail(reason, numbers)) => wrong.push(format!("{reason}\ndrawn from {numbers:?}")),
            Err(TestError::Abort(reason)) => panic!("{reason}"),
        }
    }
    let seed = config(true).rng_seed;
    assert!(
        wrong.is_empty(),
        "{} routes answer wrongly (seed {seed:?}):\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}
