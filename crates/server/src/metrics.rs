//! What this process did, for whoever watches it: the numbers behind `/metrics`.
//!
//! Labels are routes, methods, codes and connectors of this deployment: all of them are known from the start, so their
//! number is bounded, and none names a tenant.

mod text;

use std::{
    fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use tieline::{
    Code,
    clock::Timestamp,
    metrics::{ByCode, Histogram},
};

pub(crate) use self::text::TEXT;
use self::text::Text;
use crate::{app::App, route::Route};

/// The classes of status codes, as labels.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What is counted where requests come in.
pub(crate) struct Metrics {
    routes: Mutex<Vec<Arc<RouteCounts>>>,
    /// Requests that met no route.
    stray: Arc<RouteCounts>,
    refused: ByCode,
    in_flight: AtomicUsize,
    started: Timestamp,
}

/// The requests of one route.
pub(crate) struct RouteCounts {
    method: String,
    path: String,
    by_class: [AtomicU64; CLASSES.len()],
    took: Histogram,
}

/// A request under way.
pub(crate) struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl RouteCounts {
    pub(crate) fn new(method: &str, path: &str) -> Arc<Self> {
        Arc::new(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            by_class: Default::default(),
            took: Histogram::default(),
        })
    }

    /// Counts an answer whose head took so long.
    pub(crate) fn add(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.by_class[class].fetch_add(1, Ordering::Relaxed);
        self.took.observe(took);
    }
}

impl Metrics {
    pub(crate) fn new(started: Timestamp) -> Self {
        Self {
            routes: Mutex::default(),
            stray: RouteCounts::new("", ""),
            refused: ByCode::default(),
            in_flight: AtomicUsize::new(0),
            started,
        }
    }

    /// The counts of a route, the same however often the table is put together.
    pub(crate) fn of(&self, route: &Route) -> Arc<RouteCounts> {
        let (method, path) = (route.method().as_str(), route.path());
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = routes
            .iter()
            .find(|counts| counts.method == method && counts.path == path);
        if let Some(known) = known {
            return known.clone();
        }
        let counts = RouteCounts::new(method, path);
        routes.push(counts.clone());
        counts
    }

    /// The counts of what has no route: a path or a method of a stranger's choice is no label.
    pub(crate) fn stray(&self) -> Arc<RouteCounts> {
        self.stray.clone()
    }

    pub(crate) fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(&self.in_flight)
    }

    pub(crate) fn refused(&self, code: Code) {
        self.refused.add(code);
    }
}

/// All numbers as text.
pub(crate) fn write(app: &App) -> String {
    let mut text = Text::default();
    requests(&mut text, &app.metrics);
    calls(&mut text, app);
    health(&mut text, app);
    store(&mut text, app);
    process(&mut text, &app.metrics);
    text.finish()
}

fn requests(text: &mut Text, metrics: &Metrics) {
    let routes = metrics.routes.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let routes: Vec<_> = routes
        .iter()
        .chain([&metrics.stray])
        .filter(|route| route.took.count() > 0)
        .collect();
    text.counter(
        "tieline_http_requests_total",
        "Requests answered, by route and class of status.",
    );
    for route in &routes {
        for (class, count) in CLASSES.iter().zip(&route.by_class) {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let labels = [
                    ("method", route.method.as_str()),
                    ("route", &route.path),
                    ("status", class),
                ];
                text.sample("tieline_http_requests_total", &labels, count);
            }
        }
    }
    let name = "tieline_http_request_duration_seconds";
    text.histogram(name, "Time from a request's head to its answer's.");
    for route in &routes {
        text.buckets(name, &[("method", &route.method), ("route", &route.path)], &route.took);
    }
    text.counter("tieline_http_refusals_total", "Requests refused, by error code.");
    for (code, count) in metrics.refused.counts() {
        text.sample("tieline_http_refusals_total", &[("code", code.as_str())], count);
    }
    let in_flight = metrics.in_flight.load(Ordering::Relaxed);
    text.gauge("tieline_http_requests_in_flight", "Requests being answered.", in_flight);
}

fn calls(text: &mut Text, app: &App) {
    let registry = app.connectors.registry();
    let connectors = registry.list();
    let called: Vec<_> = connectors
        .iter()
        .filter(|connector| connector.counts().took.count() > 0)
        .collect();
    text.counter(
        "tieline_calls_total",
        "Calls of connectors, by outcome: ok, cancelled or an error code.",
    );
    for connector in &called {
        for (outcome, count) in connector.counts().outcomes() {
            text.sample(
                "tieline_calls_total",
                &[("connector", connector.id()), ("outcome", outcome)],
                count,
            );
        }
    }
    let name = "tieline_call_duration_seconds";
    text.histogram(name, "Time of a call, with its repeats.");
    for connector in &called {
        text.buckets(name, &[("connector", connector.id())], &connector.counts().took);
    }
    let in_flight = app.connectors.calls_in_flight();
    text.gauge("tieline_calls_in_flight", "Calls under way.", in_flight);
    let (calls, tenants) = app.connectors.calls_set_aside();
    let help = "Calls kept in memory because the store refuses their tenants' ledgers.";
    text.gauge("tieline_ledger_calls_set_aside", help, calls);
    let help = "Tenants whose ledgers the store refuses. More than 0 wants a person: the log names them.";
    text.gauge("tieline_ledger_tenants_set_aside", help, tenants);
}

fn health(text: &mut Text, app: &App) {
    let counts = app.connectors.schedule_counts();
    let name = "tieline_health_tests_total";
    text.counter(
        name,
        "Tests of connections whose time had come: healthy, failing, unsaid, or late and taken over.",
    );
    for (outcome, count) in counts.outcomes() {
        text.sample(name, &[("outcome", outcome)], count);
    }
    let name = "tieline_health_test_delay_seconds";
    text.histogram(name, "How long after its time a test began.");
    text.buckets(name, &[], &counts.delay);
}

fn store(text: &mut Text, app: &App) {
    let counts = app.connectors.store().counts();
    text.counter("tieline_store_statements_total", "Statements the store ran.");
    text.sample("tieline_store_statements_total", &[], counts.statements);
    text.counter("tieline_store_commits_total", "Commits the store made.");
    text.sample("tieline_store_commits_total", &[], counts.commits);
    text.gauge("tieline_store_queue", "Changes waiting for the store.", counts.waiting);
    let caches = app.connectors.caches();
    text.counter("tieline_cache_lookups_total", "Lookups in a cache, by result.");
    for (cache, counts) in &caches {
        for (result, count) in [("hit", counts.hits), ("miss", counts.misses)] {
            text.sample(
                "tieline_cache_lookups_total",
                &[("cache", cache), ("result", result)],
                count,
            );
        }
    }
    text.family("tieline_cache_entries", "gauge", "Entries in a cache.");
    for (cache, counts) in &caches {
        text.sample("tieline_cache_entries", &[("cache", cache)], counts.entries);
    }
    if let Some(lag) = app.connectors.feed_lag() {
        let help = "Time since the feed of changes was read.";
        text.gauge("tieline_feed_lag_seconds", help, lag.as_secs_f64());
    }
    let held = app.memory.held();
    text.gauge(
        "tieline_memory_held_bytes",
        "Bytes of requests and answers in memory.",
        held,
    );
}

fn process(text: &mut Text, metrics: &Metrics) {
    let started = metrics.started.as_microsecond() as f64 / 1e6;
    text.gauge(
        "process_start_time_seconds",
        "When the process started, since 1970.",
        started,
    );
    if let Some(bytes) = resident() {
        text.gauge("process_resident_memory_bytes", "Memory of the process.", bytes);
    }
    text.family("tieline_info", "gauge", "The version that runs.");
    text.sample("tieline_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
}

/// The process's memory, where the system tells (Linux).
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
