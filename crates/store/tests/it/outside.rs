//! The proof from outside: a program in a folder of its own, which is the quick start of the documentation as it stands
//! there, built against the library and run.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;
use tieline_testkit::{canary, standin::StandIn};
use tokio::task::spawn_blocking;

const LIBRARY: &str = include_str!("../../../core/src/lib.rs");

/// What the quick start says one writes in earnest.
const IN_EARNEST: &str = " // in earnest: ";

/// The one line that the program has and the quick start has not: where the service is found.
const AT_THE_STAND_IN: &str = r#"
        .egress(tieline::egress::EgressPolicy {
            loopback: true,
            detours: vec![tieline::egress::Detour::parse(&std::env::var("DETOUR").unwrap())?],
            ..Default::default()
        })
        .tls_roots(tieline::http::TlsRoots { extra_pem: vec![std::env::var("AUTHORITY").unwrap().into()] })
"#;

/// The first example of the documentation, as its readers see it.
fn quick_start() -> String {
    let mut fences = LIBRARY.split("//! ```");
    let example = fences.nth(1).expect("an example");
    let lines = example
        .lines()
        .skip(1)
        .map(|line| line.strip_prefix("//!").unwrap_or(line));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    let visible = lines.filter(|line| *line != "#" && !line.starts_with("# "));
    visible.map(|line| format!("{line}\n")).collect()
}

/// The same in earnest: with a database and a key from the environment, as its comments say.
fn in_earnest(program: &str) -> String {
    let mut swapped = 0;
    let lines = program.lines().map(|line| match line.split_once(IN_EARNEST) {
        Some((code, instead)) => {
            swapped += 1;
            let (word, _) = code.split_once('(').expect("a word with an argument");
            format!("{word}({instead})\n")
        }
        None => format!("{line}\n"),
    });
    let program: String = lines.collect();
    assert_eq!(swapped, 2, "store and key");
    let builder = program.find("Connectors::builder()").expect("it builds");
    let build = builder + program[builder..].find("        .build()?;").expect("and ends with it");
    let (before, after) = program.split_at(build);
    format!(
        "use tieline_store::SqliteStore;\n{before}{}{after}",
        AT_THE_STAND_IN.trim_start_matches('\n')
    )
}

/// What a reader's `Cargo.toml` says. The profile is ours, so that what was built for the tests serves here too.
fn manifest(checkout: &Path) -> String {
    let workspace = fs::read_to_string(checkout.join("Cargo.toml")).unwrap();
    let profiles = &workspace[workspace.find("[profile.dev]").unwrap()..];
    let at = |path: &str| checkout.join(path).display().to_string();
    format!(
        r#"
[package]
name = "outside"
version = "0.0.0"
edition = "2024"

[dependencies]
tieline = {{ path = {core:?} }}
tieline-store = {{ path = {store:?} }}
schemars = "1"
serde = {{ version = "1", features = ["derive"] }}
serde_json = "1"
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}

[workspace]

{profiles}
"#,
        core = at("crates/core"),
        store = at("crates/store"),
    )
}

/// The packages of a lock file, by name and version.
fn packages(lock: &Path) -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(lock).unwrap();
    let mut packages = BTreeSet::new();
    for package in text.split("[[package]]").skip(1) {
        let value = |name: &str| {
            let line = package
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name} = \"")));
            line.unwrap().trim_end_matches('"').to_owned()
        };
        packages.insert((value("name"), value("version")));
    }
    packages
}

#[tokio::test]
async fn a_project_outside_of_the_house_runs_the_quick_start() {
    let service = StandIn::of("api.telegram.org", json!({ "ok": true, "result": { "message_id": 7 } })).await;
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned();
    let folder = tempfile::tempdir().unwrap();
    assert!(!folder.path().starts_with(&checkout));
    let place = |name: &str| folder.path().join(name);
    fs::create_dir(place("src")).unwrap();
    fs::write(place("src/main.rs"), in_earnest(&quick_start())).unwrap();
    fs::write(place("Cargo.toml"), manifest(&checkout)).unwrap();
    fs::copy(checkout.join("Cargo.lock"), place("Cargo.lock")).unwrap();

    // The folder that the tests themselves were built into: most of what the program stands on is there already.
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned();
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--offline", "--quiet", "--target-dir"])
        .arg(&target)
        .current_dir(folder.path())
        .env("CARGO_INCREMENTAL", "0");
    let built = spawn_blocking(move || build.output()).await.unwrap().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));

    let (ours, its) = (packages(&checkout.join("Cargo.lock")), packages(&place("Cargo.lock")));
    let foreign: Vec<_> = its.difference(&ours).filter(|(name, _)| name != "outside").collect();
    assert!(foreign.is_empty(), "other versions than ours: {foreign:?}");
    for (name, _) in &its {
        assert!(
            !["axum", "tieline-catalog", "tieline-server"].contains(&&**name),
            "it takes in {name}"
        );
    }

    let mut run = Command::new(target.join("debug/outside"));
    run.current_dir(folder.path())
        .env_clear()
        .env("TIELINE_SECRET", canary::master_key())
        .env("DETOUR", service.detour())
        .env("AUTHORITY", String::from_utf8(service.pem()).unwrap());
    let ran = spawn_blocking(move || run.output()).await.unwrap().unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    for line in ["telegram is connected for org_123", "enabled: true", "message 7"] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
    let seen = service.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].target, "/bot123456:a-token-of-a-bot/sendMessage");
    assert_eq!(
        seen[0].json(),
        json!({ "chat_id": "77", "text": "Hello", "parse_mode": "HTML" })
    );
    let database = fs::read(place("tieline.db")).unwrap();
    assert!(database.starts_with(b"SQLite format 3"));
    let token = b"a-token-of-a-bot";
    assert!(
        !database.windows(token.len()).any(|window| window == token),
        "secrets are sealed"
    );
}
