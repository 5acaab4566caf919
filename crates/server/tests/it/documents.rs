//! The documents that this product grew out of, run as they are printed, against the real binary.
//!
//! `documents/<name>/` holds each of a document's commands and JSON blocks once, letter for letter, and `plan.json` in
//! their order: what a reader does with a block, and what stands in place of its placeholders. Each is sent by `curl`. What
//! came back, and what the services were sent, is compared with `answers.json` field by field; what differs from run to run
//! has a name there. The services are twins on loopback, reached under their own names through `egress.detours`.

mod block;
mod services;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tieline_testkit::{canary, postgres::Database, snapshot};

use self::{
    block::{Block, Reader},
    services::Services,
};
use crate::binary::Folder;

/// Where a server's data lies.
enum Data {
    Folder,
    Shared(Database),
}

impl Data {
    /// Each kind there is here.
    async fn every() -> Vec<Self> {
        let shared = Database::fresh().await.map(Self::Shared);
        [Self::Folder].into_iter().chain(shared).collect()
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Folder => "SQLite",
            Self::Shared(_) => "PostgreSQL",
        }
    }

    /// The settings that say so.
    fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            // What is sent is compared to the letter, so nothing is sent that nobody asked for.
            Self::Folder => vec![("TIELINE__HEALTH__INTERVAL", "off".to_owned())],
            Self::Shared(database) => vec![
                ("TIELINE__HEALTH__INTERVAL", "off".to_owned()),
                ("DATABASE_URL", database.url()),
                ("TIELINE_MASTER_KEY", canary::master_key().to_owned()),
            ],
        }
    }
}

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/documents")
}

fn read(name: &str) -> String {
    let path = documents().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rows(name: &str) -> Vec<Value> {
    serde_json::from_str(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Follows a document's plan on every store.
async fn follow(document: &str, user_has_mail: bool) {
    for data in Data::every().await {
        let settings = data.settings();
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let Some(services) = Services::start(user_has_mail).await else {
            return;
        };
        let folder = Folder::new();
        let server = services.serve(&folder, &settings);
        let mut reader = Reader::new(&folder, server.address);
        let mut told = Vec::new();
        for step in rows(&format!("{document}/plan.json")) {
            let block = Block::of(document, &step);
            let (status, answer) = reader.send(&block);
            if block.is_told() {
                let mut sent = services.sent();
                sent.extend(block.is_mailed().then(|| services.mailed()));
                told.push(json!({ "block": block.name(), "status": status, "answer": answer, "sent": sent }));
            } else {
                assert_eq!(status, 200, "{} on {}: {answer}", block.name(), data.name());
            }
        }
        let text = format!("{:#}\n", Value::Array(told));
        snapshot::check(&documents().join(document).join("answers.json"), &text);
        let (code, log) = server.stop();
        assert_eq!(code, 0, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connectors_guide_of_the_workflow_platform() {
    follow("s001", true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_the_connectors_service() {
    follow("s003", false).await;
}

/// Every row of the catalog that the service had is a card of ours, as soon as the connector is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalog_of_the_connectors_service() {
    let services = Services::start(false).await.unwrap();
    let folder = Folder::new();
    let server = services.serve(&folder, &[]);
    let (_, catalog) = Reader::new(&folder, server.address).send(&Block::of("s003", &json!({ "block": "catalog.sh" })));
    let cards = catalog["connectors"].as_array().unwrap();
    assert_eq!(catalog["total"], cards.len());
    let mut compared = 0;
    for row in rows("s003/catalog.json") {
        let Some(card) = cards.iter().find(|card| card["id"] == row["id"]) else {
            continue;
        };
        for (name, value) in row.as_object().unwrap() {
            assert_eq!(&card[name], value, "{name} of {}", row["id"]);
        }
        assert!(card["name"].is_string());
        compared += 1;
    }
    assert!(compared > 0, "no connector of the service is in {catalog}");
}

/// Every word that the service's tests could say of a failure is said for its reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_error_code_of_the_connectors_service() {
    const WORDS: [&str; 11] = [
        "CONNECTION_FAILED",
        "INVALID_KEY",
        "INVALID_METHOD",
        "INVALID_TOKEN",
        "MISSING_CREDENTIALS",
        "MISSING_DEPENDENCY",
        "MISSING_URL",
        "NETWORK_ERROR",
        "OAUTH_REQUIRED",
        "TEST_FAILED",
        "UNSUPPORTED_TYPE",
    ];
    let services = Services::start(false).await.unwrap();
    let folder = Folder::new();
    for name in ["ledger.yaml", "any-api.yaml", "any-database.yaml"] {
        folder.write(&format!("shelf/{name}"), &read(&format!("s003/{name}")));
    }
    let mut settings = vec![("TIELINE__CATALOG__DIR", "shelf")];
    let shared = Database::fresh().await.map(Data::Shared);
    let shared = shared.as_ref().map(Data::settings).unwrap_or_default();
    settings.extend(shared.iter().map(|(name, value)| (*name, value.as_str())));
    let server = services.serve(&folder, &settings);
    let mut reader = Reader::new(&folder, server.address);
    let mut said = std::collections::BTreeSet::new();
    for row in rows("s003/tests.json") {
        let body = json!({ "connector_type": row["connector_type"], "config": row["config"] });
        let (status, answer) = reader.post("/v1/connectors/test", &body);
        let works = row["error_code"].is_null();
        assert_eq!(
            (status, &answer["success"], &answer["error_code"]),
            (200, &json!(works), &row["error_code"]),
            "{}: {answer}",
            row["says"]
        );
        assert!(
            answer["message"].as_str().is_some_and(|message| !message.is_empty()),
            "{answer}"
        );
        said.extend(row["error_code"].as_str().map(str::to_owned));
    }
    assert_eq!(said.iter().map(String::as_str).collect::<Vec<_>>(), WORDS);
}
