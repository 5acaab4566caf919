//! Requests made at random from pieces that have hurt others: whatever comes, it is never our own fault.

use std::collections::BTreeMap;

use http::Method;
use proptest::{prelude::*, test_runner::TestRunner};

use crate::support::{Ask, TestApp};

/// Values where strings, numbers, objects or ids are meant.
const VALUES: [&str; 20] = [
    "null",
    "true",
    "0",
    "-1",
    "1e400",
    "123456789012345678901234567890",
    "0.1",
    "\"\"",
    "\"acme\"",
    "\"whoami\"",
    "\"conn_00000000000000000000000000\"",
    "\"conn_7zzzzzzzzzzzzzzzzzzzzzzzzz\"",
    "\"\\u202e\\ufeff👋\"",
    "\"../../etc/passwd\"",
    "\"{{config.bot_token}}\"",
    "\"2999-01-01T00:00:00Z\"",
    "[]",
    "{}",
    "{\"kind\":\"tenant\",\"identity\":\"\"}",
    "{\"bot_token\":\"abc\",\"__proto__\":{}}",
];

/// Names of fields that some route knows.
const NAMES: [&str; 14] = [
    "connector",
    "connectorType",
    "action",
    "name",
    "displayName",
    "config",
    "scope",
    "auth",
    "permissions",
    "expiresAt",
    "connectionId",
    "input",
    "enabled",
    "nonsense",
];

/// Parts of paths and queries.
const PARTS: [&str; 12] = [
    "acme",
    "whoami",
    "conn_00000000000000000000000000",
    "key_00000000000000000000000000",
    "..",
    "%2e%2e",
    "%00",
    "%ff",
    "%2F",
    "a%20b",
    "NOT_FOUND",
    "%F0%9F%91%8B",
];

/// Beginnings that some route takes; random fields go over and beside them.
const BEGINNINGS: [&[(&str, &str)]; 4] = [
    &[],
    &[("name", "\"a name\"")],
    &[("connector", "\"acme\""), ("config", "{\"bot_token\":\"abc\"}")],
    &[
        ("connectorType", "\"acme\""),
        ("action", "\"send\""),
        ("input", "{\"content\":\"hello\"}"),
    ],
];

fn body() -> impl Strategy<Value = String> {
    let field = (prop::sample::select(&NAMES[..]), prop::sample::select(&VALUES[..]));
    let random = prop::collection::btree_map(field.0, field.1, 0..4);
    let object = (prop::sample::select(&BEGINNINGS[..]), random).prop_map(|(beginning, random)| {
        let mut fields: BTreeMap<_, _> = beginning.iter().copied().collect();
        fields.extend(random);
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", fields.join(","))
    });
    prop_oneof![8 => object, 1 => prop::sample::select(&VALUES[..]).prop_map(str::to_owned), 1 => ".{0,40}"]
}

fn request(routes: Vec<(Method, String)>) -> impl Strategy<Value = (Method, String, String)> {
    let part = || prop::sample::select(&PARTS[..]);
    let name = prop::sample::select(vec![
        "limit",
        "cursor",
        "q",
        "enabled",
        "scope",
        "identity",
        "connector",
        "tag",
    ]);
    let value = prop_oneof![3 => part(), 1 => Just(""), 1 => Just("tenant")];
    let query = prop_oneof![
        2 => Just(String::new()),
        1 => prop::collection::btree_map(name, value, 1..3).prop_map(|pairs| {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("?{}", pairs.join("&"))
        }),
    ];
    (prop::sample::select(routes), part(), part(), query, body()).prop_map(
        |((method, path), first, second, query, body)| {
            let path = path
                .replacen('{', "\u{1}", 2)
                .split('/')
                .scan([first, second].into_iter(), |parts, part| {
                    Some(
                        if part.starts_with('\u{1}') {
                            parts.next().unwrap_or("acme")
                        } else {
                            part
                        }
                        .to_owned(),
                    )
                })
                .collect::<Vec<_>>()
                .join("/");
            (method, path + &query, body)
        },
    )
}

#[test]
fn whatever_comes_is_never_our_own_fault() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let app = runtime.block_on(TestApp::start());
    let tenant = runtime.block_on(app.tenant("alice"));
    let key = runtime.block_on(app.key(&tenant, tieline_server::caller::Permission::ALL));
    let routes = tieline_server::router::routes();
    let routes = routes
        .iter()
        .map(|route| (route.method().clone(), route.path().to_owned()))
        .collect();
    let config = ProptestConfig {
        cases: 600,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&request(routes), |(method, path, body)| {
            let ask = Ask::new(method, path).key(&key).text("application/json", body);
            // `ask` judges form and declared codes of every answer.
            let answer = runtime.block_on(app.ask(ask));
            prop_assert!(answer.status != 500, "{}", answer.text);
            Ok(())
        })
        .unwrap();
}
