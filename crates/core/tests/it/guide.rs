//! The guide's table of names: whole, and true. That our names exist is for rustdoc to judge, which follows the links.

use std::collections::BTreeSet;

use tieline::{Code, EventKind, event::EventFilter};

const NAMES: &str = include_str!("../../src/guide/names.rs");

/// Every name that the other library's documentation tells, by the table it stands in. Events and codes are below.
const THEIRS: &[(&str, &str)] = &[
    (
        "Putting a connector together",
        "Connector.create .withConfig .withMetadata .withDefaultConfig .withOAuth .withWebhook .onContext .onValidate \
         .addAction .build",
    ),
    (
        "Putting the house together",
        "IgniterConnector.create .withDatabase .withLogger .withTelemetry .withEncrypt .withCustomEncrypt .addScope \
         .addConnector .onConnect .onDisconnect .onError .onEvent connectors.scope connectors.handle",
    ),
    (
        "In a scope",
        "IgniterConnectorScoped .list .get .connect .update .enable .disable .disconnect .action .call .subscribe",
    ),
    (
        "Keeping connections",
        "PrismaAdapter.create IgniterConnectorBaseAdapter IgniterConnectorRecord IgniterConnectorUpdateData get list upsert \
         update delete",
    ),
    (
        "Telemetry",
        "IgniterTelemetry.create .withService .withEnvironment .addEvents .withRedaction denylistKeys hashKeys \
         maxStringLength .withSampling debugRate infoRate warnRate errorRate .addTransport LoggerTransportAdapter.create \
         StoreStreamTransportAdapter.create telemetry.session",
    ),
    (
        "Types",
        "$InferConnectorKey $InferScopeKey $InferScoped $InferConfig $InferActionKeys",
    ),
    ("Environment", "IGNITER_SECRET"),
];

const CODES: &str = "NOT_FOUND NOT_CONNECTED ALREADY_CONNECTED CONFIG_INVALID DEFAULT_CONFIG_REQUIRED ACTION_NOT_FOUND \
    ACTION_INPUT_INVALID ACTION_OUTPUT_INVALID ACTION_FAILED SCOPE_INVALID SCOPE_IDENTIFIER_REQUIRED DATABASE_REQUIRED \
    DATABASE_FAILED OAUTH_NOT_CONFIGURED OAUTH_STATE_INVALID OAUTH_TOKEN_FAILED OAUTH_PARSE_TOKEN_FAILED \
    OAUTH_PARSE_USERINFO_FAILED OAUTH_REFRESH_FAILED WEBHOOK_NOT_CONFIGURED WEBHOOK_VALIDATION_FAILED \
    WEBHOOK_VERIFICATION_FAILED ENCRYPT_FAILED DECRYPT_FAILED ENCRYPTION_SECRET_REQUIRED BUILD_CONFIG_REQUIRED \
    BUILD_SCOPES_REQUIRED BUILD_CONNECTORS_REQUIRED";

const EVENTS: &str = "connector.connected connector.disconnected connector.enabled connector.disabled connector.updated \
    oauth.started oauth.completed oauth.refreshed oauth.failed action.started action.completed action.failed \
    webhook.received webhook.processed webhook.failed adapter.get adapter.list adapter.upsert adapter.update adapter.delete \
    error.occurred";

/// The rows of a table: their words, and ours.
fn rows(heading: &str) -> Vec<(&'static str, &'static str)> {
    let begin = format!("//! # {heading}\n");
    let (_, section) = NAMES
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no heading `{heading}`"));
    let section = section.split("//! # ").next().unwrap_or_default();
    let cells = section
        .lines()
        .filter_map(|line| line.strip_prefix("//! | ")?.split_once(" | "));
    cells.filter(|(theirs, _)| *theirs != "there").collect()
}

/// The names in a cell: `.call(input)` is `.call`.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(|name| name.split('(').next().unwrap_or_default())
}

#[test]
fn every_name_of_the_other_library_stands_in_its_table() {
    for (heading, names) in THEIRS {
        let told: BTreeSet<&str> = rows(heading)
            .into_iter()
            .flat_map(|(theirs, _)| named(theirs))
            .collect();
        let expected: BTreeSet<&str> = names.split_whitespace().collect();
        assert_eq!(told, expected, "{heading}");
    }
}

#[test]
fn every_code_and_event_of_the_other_library_is_ours_under_its_name() {
    let codes: BTreeSet<String> = CODES
        .split_whitespace()
        .map(|code| format!("CONNECTOR_{code}"))
        .collect();
    assert_eq!(codes.len(), 28);
    let ours: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let told: BTreeSet<&str> = rows("Errors")
        .into_iter()
        .flat_map(|(theirs, _)| named(theirs))
        .collect();
    for code in &codes {
        assert!(ours.contains(&**code) && told.contains(&**code), "{code}");
    }
    for (theirs, here) in rows("Errors")
        .into_iter()
        .filter(|(theirs, _)| theirs.contains("`CONNECTOR_"))
    {
        let code = named(theirs).next().unwrap();
        let variant = here.split('`').nth(1).unwrap();
        assert!(
            Code::ALL
                .iter()
                .any(|ours| ours.as_str() == code && format!("{ours:?}") == variant),
            "{code} {variant}"
        );
    }
    let mut told = BTreeSet::new();
    for (theirs, here) in rows("Events") {
        let variant = here.split('`').nth(1).unwrap();
        for name in named(theirs) {
            let kind = EventKind::ALL
                .iter()
                .find(|kind| format!("{kind:?}") == variant)
                .unwrap();
            assert!(EventFilter::named(name).unwrap().has(*kind), "{name} {variant}");
            told.insert(name);
        }
    }
    for event in EVENTS.split_whitespace().chain([
        "connected",
        "disconnected",
        "action",
        "oauth:completed",
        "webhook:received",
        "error",
    ]) {
        assert!(told.contains(event), "{event}");
    }
}
