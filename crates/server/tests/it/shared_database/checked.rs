//! `check` and `key status` look at the database as a start would find it, and leave it as it is.

use tieline::{MasterKey, clock::SystemRandom};

use super::Shared;
use crate::binary::{Folder, Ran};

struct Looks<'s> {
    shared: &'s Shared,
    folder: Folder,
}

impl Looks<'_> {
    fn run(&self, args: &[&str], more: &[(&str, &str)]) -> Ran {
        let variables = self.shared.variables();
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let free = [("TIELINE__SERVER__LISTEN", "127.0.0.1:0")];
        self.folder
            .run_with(args, &[variables.as_slice(), &free, more].concat(), None)
    }

    /// What is said of the database and of the master key, when all is well.
    fn good(&self) -> [String; 2] {
        let told = self.run(&["check", "--json"], &[]).json();
        ["database", "masterKey"].map(|need| told["needs"][need]["found"].as_str().unwrap().to_owned())
    }

    fn key(&self) -> String {
        let told = self.run(&["key", "status", "--json"], &[]).json();
        told["state"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_and_key_status_look_at_the_database_and_change_nothing() {
    let Some(shared) = Shared::new().await else { return };
    let looks = Looks {
        shared: &shared,
        folder: shared.folder(),
    };
    let owner = shared.database.owner().await;
    let [database, _] = looks.good();
    assert!(database.contains("nothing of ours is yet"), "{database}");
    assert_eq!(looks.key(), "unused");
    let schema = "SELECT to_regnamespace('tieline') IS NULL";
    assert!(
        owner.query_one(schema, &[]).await.unwrap().get::<_, bool>(0),
        "nothing was made"
    );

    shared.serve(&shared.folder()).stop();
    let before = shared.database.bytes().await;
    let [database, key] = looks.good();
    assert!(database.ends_with(", of this version"), "{database}");
    assert_eq!(key, "the environment variable TIELINE_MASTER_KEY");
    assert_eq!(looks.key(), "fits");
    let another = MasterKey::generate(&SystemRandom).unwrap().to_text();
    let another = [("TIELINE_MASTER_KEY", another.reveal().as_str())];
    for args in [["check"].as_slice(), &["key", "status"]] {
        looks.run(args, &another).failed("MASTER_KEY_MISMATCH");
    }
    assert!(shared.database.bytes().await == before, "nothing was changed");

    let role = format!("{}_app", shared.database.name());
    let steps = "tieline.refinery_schema_history";
    for (spoil, mend, found) in [
        (
            format!("ALTER ROLE {role} BYPASSRLS"),
            format!("ALTER ROLE {role} NOBYPASSRLS"),
            "CONFIG_INVALID",
        ),
        (
            format!("INSERT INTO {steps} VALUES (9999, 'later', '2030-01-01T00:00:00Z', '1')"),
            format!("DELETE FROM {steps} WHERE version = 9999"),
            "DATA_FROM_NEWER_VERSION",
        ),
        (
            "REVOKE SELECT ON tieline.meta FROM @".replace('@', &role),
            "GRANT SELECT ON tieline.meta TO @".replace('@', &role),
            "CONNECTOR_DATABASE_FAILED",
        ),
    ] {
        owner.batch_execute(&spoil).await.unwrap();
        for args in [["check"].as_slice(), &["key", "status"]] {
            looks.run(args, &[]).failed(found);
        }
        owner.batch_execute(&mend).await.unwrap();
    }
    owner
        .batch_execute(&format!("DELETE FROM {steps} WHERE version > 10"))
        .await
        .unwrap();
    let [database, _] = looks.good();
    assert!(database.contains("of an earlier version"), "{database}");

    let nowhere = [("DATABASE_URL", "postgres://somebody@127.0.0.1:1/none")];
    for args in [["check"].as_slice(), &["key", "status"]] {
        looks.run(args, &nowhere).failed("CONNECTOR_DATABASE_FAILED");
    }
}
