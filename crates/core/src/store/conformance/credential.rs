//! What a store of shared credentials must keep.

use std::sync::Arc;

use super::{RACERS, race, sample};
use crate::{
    environment::Environment,
    id::CredentialId,
    store::{
        ConnectionRow, CredentialFilter, CredentialRow, Deleted, DueCredential, Health, HealthState, Inserted, Store,
        Tell, Updated, Users,
    },
};

type Shared = Arc<dyn Store>;

async fn insert(store: &Shared, row: &CredentialRow) -> Inserted<CredentialRow> {
    let trail = sample::trail(row.tenant, &row.id.to_string());
    store.insert_credential(row.clone(), trail).await.unwrap()
}

async fn update(store: &Shared, row: &CredentialRow, expected: u64, users: Option<Health>) -> Updated {
    let trail = sample::trail(row.tenant, &row.id.to_string());
    let users = users.map(|health| Users {
        health,
        tell: Tell::new(|connections| Ok(connections.iter().map(|id| sample::event(&id.to_string())).collect())),
    });
    let updated = store.update_credential(row.clone(), expected, users, trail).await;
    updated.unwrap()
}

async fn find(store: &Shared, row: &CredentialRow) -> Option<CredentialRow> {
    store.credential(row.tenant, row.id).await.unwrap()
}

async fn delete(store: &Shared, row: &CredentialRow, limit: usize) -> Deleted {
    let trail = sample::trail(row.tenant, &row.id.to_string());
    store.delete_credential(row.tenant, row.id, limit, trail).await.unwrap()
}

async fn list(store: &Shared, filter: CredentialFilter) -> Vec<CredentialRow> {
    store.credentials(filter).await.unwrap()
}

fn next_version(row: &CredentialRow) -> CredentialRow {
    CredentialRow {
        version: row.version + 1,
        ..row.clone()
    }
}

/// A connection that points to a credential.
fn user(credential: &CredentialRow, name: &str) -> ConnectionRow {
    ConnectionRow {
        credential: Some(credential.id),
        secrets: std::collections::BTreeMap::new(),
        ..sample::connection(credential.tenant, name)
    }
}

async fn connect(store: &Shared, row: &ConnectionRow) -> crate::Result<Inserted<ConnectionRow>> {
    store.insert_connection(row.clone(), sample::no_trail()).await
}

/// Whatever is written is read back, after an insert and after an update.
pub async fn keeps_every_field(store: Shared) {
    let mut row = sample::credential(sample::tenant_id(), "first \0 🔑");
    row.environment = Environment::Staging;
    let all_bytes: Vec<u8> = (0..=255).collect();
    row.secrets = sample::secrets(&[("token", &all_bytes), ("Empty", b"")]);
    assert_eq!(insert(&store, &row).await, Inserted::Inserted);
    assert_eq!(find(&store, &row).await.as_ref(), Some(&row));
    row = next_version(&row);
    row.description = None;
    row.auth = None;
    row.config = "{}".to_owned();
    row.secrets = sample::secrets(&[("password", &[1, 2, 3])]);
    row.secret_version = 2;
    row.metadata = "{}".to_owned();
    row.expires_at = None;
    row.notice_at = None;
    row.rotated_at = Some(sample::at(60));
    row.updated_at = sample::at(61);
    assert_eq!(update(&store, &row, 1, None).await, Updated::Updated);
    assert_eq!(find(&store, &row).await.as_ref(), Some(&row));
    let free = CredentialRow {
        connector: None,
        auth: None,
        secrets: std::collections::BTreeMap::new(),
        ..sample::credential(row.tenant, "second")
    };
    insert(&store, &free).await;
    let mut both = vec![row.clone(), free];
    both.sort_by_key(|row| row.id);
    assert_eq!(list(&store, sample::credential_filter(row.tenant)).await, both);
}

/// A name stands once in a tenant, whoever races for it; the others learn which row has it.
pub async fn name_is_given_once(store: Shared) {
    let tenant = sample::tenant_id();
    let answers = race(RACERS, |_| {
        let store = store.clone();
        async move {
            let row = sample::credential(tenant, "main");
            (insert(&store, &row).await, row)
        }
    });
    let (winners, losers): (Vec<_>, Vec<_>) = answers
        .await
        .into_iter()
        .partition(|(answer, _)| *answer == Inserted::Inserted);
    assert_eq!(winners.len(), 1);
    let winner = &winners[0].1;
    for (answer, row) in losers {
        assert_eq!(answer, Inserted::Taken(winner.clone()));
        assert_eq!(find(&store, &row).await, None);
    }
    assert_eq!(store.audit_entries(tenant, 0, 1000).await.unwrap().len(), 1);
    let elsewhere = sample::credential(sample::tenant_id(), "main");
    assert_eq!(insert(&store, &elsewhere).await, Inserted::Inserted);
    let cased = sample::credential(tenant, "Main");
    assert_eq!(insert(&store, &cased).await, Inserted::Inserted);
}

/// An update from any other version than the stored one writes nothing; identity stays whatever it says.
pub async fn changes_only_from_the_expected_version(store: Shared) {
    let row = sample::credential(sample::tenant_id(), "main");
    let next = next_version(&row);
    assert_eq!(
        update(&store, &next, 1, None).await,
        Updated::Conflict,
        "there is none yet"
    );
    insert(&store, &row).await;
    for stale in [0, 2, u64::MAX] {
        let mut other = next.clone();
        other.secrets = sample::secrets(&[("token", b"stale")]);
        assert_eq!(update(&store, &other, stale, None).await, Updated::Conflict);
        assert_eq!(find(&store, &row).await.as_ref(), Some(&row));
    }
    let moved = CredentialRow {
        name: "other".to_owned(),
        environment: Environment::Development,
        kind: "custom".to_owned(),
        connector: None,
        created_by: "someone else".to_owned(),
        created_at: sample::at(500),
        ..next.clone()
    };
    assert_eq!(update(&store, &moved, 1, None).await, Updated::Updated);
    assert_eq!(find(&store, &row).await, Some(next));
}

/// Of many updates from one version at once, one writes.
pub async fn version_race_has_one_winner(store: Shared) {
    let row = sample::credential(sample::tenant_id(), "main");
    insert(&store, &row).await;
    let answers = race(RACERS, |racer| {
        let store = store.clone();
        let mut next = next_version(&row);
        next.secrets = sample::secrets(&[("token", &racer.to_be_bytes())]);
        async move { (update(&store, &next, 1, None).await, next) }
    });
    let mut winners = answers.await;
    winners.retain(|(answer, _)| *answer == Updated::Updated);
    assert_eq!(winners.len(), 1);
    assert_eq!(find(&store, &row).await.as_ref(), Some(&winners[0].1));
}

/// The health of those who point to it changes with it, in one verb, and a test that is under way cannot overwrite that.
pub async fn tells_its_users_of_a_change(store: Shared) {
    let (row, other) = (sample::credential(sample::tenant_id(), "main"), sample::tenant_id());
    let bystander = sample::credential(row.tenant, "bystander");
    let twin = CredentialRow {
        tenant: other,
        ..row.clone()
    };
    for credential in [&row, &bystander, &twin] {
        insert(&store, credential).await;
    }
    let users = [user(&row, "a"), user(&row, "b")];
    let untouched = [
        user(&bystander, "c"),
        user(&twin, "d"),
        sample::connection(row.tenant, "e"),
    ];
    for connection in users.iter().chain(&untouched) {
        connect(&store, connection).await.unwrap();
    }
    let health = Health {
        state: HealthState::Failing,
        reason: Some("New.".to_owned()),
        since: sample::at(70),
    };
    let next = next_version(&row);
    let found = async |row: &ConnectionRow| store.connection_by_id(row.tenant, row.id).await.unwrap().unwrap();
    assert_eq!(update(&store, &next, 7, Some(health.clone())).await, Updated::Conflict);
    assert_eq!(
        found(&users[0]).await,
        users[0],
        "nothing was changed, so nobody is told"
    );
    assert_eq!(update(&store, &next, 1, Some(health.clone())).await, Updated::Updated);
    for user in &users {
        let expected = ConnectionRow {
            health: health.clone(),
            version: 2,
            ..user.clone()
        };
        assert_eq!(found(user).await, expected);
        let late = store.update_connection(sample::next_version(user), 1, sample::no_trail());
        assert_eq!(late.await.unwrap(), Updated::Conflict);
    }
    for bystander in &untouched {
        assert_eq!(found(bystander).await, *bystander);
    }
    // Those whose state changed are told, each once and before the credential.
    let told = store.read_feed(0, 100).await.unwrap();
    let told: Vec<_> = told.into_iter().map(|row| row.subject).rev().take(3).collect();
    let mut expected = users.each_ref().map(|user| user.id);
    expected.sort();
    let expected = [row.id.to_string(), expected[1].to_string(), expected[0].to_string()];
    assert_eq!(told, expected);
    let again = Health {
        reason: Some("Newer.".to_owned()),
        since: sample::at(80),
        ..health.clone()
    };
    let later = next_version(&next);
    assert_eq!(update(&store, &later, 2, Some(again)).await, Updated::Updated);
    let user_now = found(&users[0]).await;
    assert_eq!(
        (
            user_now.version,
            user_now.health.since,
            user_now.health.reason.as_deref()
        ),
        (3, health.since, Some("Newer.")),
        "the state is the same since before"
    );
    let last: Vec<_> = store
        .read_feed(0, 100)
        .await
        .unwrap()
        .into_iter()
        .rev()
        .take(2)
        .collect();
    assert_eq!(
        (&last[0].subject, &last[1].subject),
        (&row.id.to_string(), &row.id.to_string())
    );
    let next = later;
    assert_eq!(update(&store, &next_version(&next), 3, None).await, Updated::Updated);
    assert_eq!(found(&users[0]).await.version, 3);
}

/// What is pointed to is not deleted, and its users are told up to the limit.
pub async fn stays_while_it_is_pointed_to(store: Shared) {
    let row = sample::credential(sample::tenant_id(), "main");
    insert(&store, &row).await;
    let mut users: Vec<_> = ["a", "b", "c"].map(|name| user(&row, name)).into();
    users.sort_by_key(|user| user.id);
    for user in &users {
        connect(&store, user).await.unwrap();
    }
    let ids: Vec<_> = users.iter().map(|user| user.id).collect();
    let before = store.audit_entries(row.tenant, 0, 100).await.unwrap().len();
    assert_eq!(delete(&store, &row, 10).await, Deleted::InUse(ids.clone()));
    assert_eq!(delete(&store, &row, 2).await, Deleted::InUse(ids[..2].to_vec()));
    assert_eq!(find(&store, &row).await.as_ref(), Some(&row));
    assert_eq!(store.audit_entries(row.tenant, 0, 100).await.unwrap().len(), before);

    let mut parted = sample::next_version(&users[0]);
    parted.credential = None;
    let parted = store.update_connection(parted, 1, sample::no_trail()).await;
    assert_eq!(parted.unwrap(), Updated::Updated);
    for user in &users[1..] {
        assert!(matches!(delete(&store, &row, 10).await, Deleted::InUse(_)));
        let gone = store.delete_connection(user.tenant, user.id, sample::no_trail());
        assert!(gone.await.unwrap());
    }
    assert_eq!(delete(&store, &row, 10).await, Deleted::Deleted);
    assert_eq!(delete(&store, &row, 10).await, Deleted::Missing);
    assert_eq!(find(&store, &row).await, None);
    assert_eq!(insert(&store, &row).await, Inserted::Inserted, "the name is free");
}

/// Nothing points to what is not there, or is another tenant's.
pub async fn is_pointed_to_only_while_it_stands(store: Shared) {
    let row = sample::credential(sample::tenant_id(), "main");
    insert(&store, &row).await;
    let standing = sample::connection(row.tenant, "standing");
    connect(&store, &standing).await.unwrap();
    let theirs = sample::credential(sample::tenant_id(), "theirs");
    insert(&store, &theirs).await;
    for nobodys in [sample::credential_id(), theirs.id] {
        let mut new = user(&row, "new");
        new.credential = Some(nobodys);
        let error = connect(&store, &new).await.unwrap_err();
        assert_eq!(error.code(), crate::Code::NotFound);
        assert_eq!(store.connection_by_id(new.tenant, new.id).await.unwrap(), None);
        let mut pointing = sample::next_version(&standing);
        pointing.credential = Some(nobodys);
        let error = store
            .update_connection(pointing, 1, sample::no_trail())
            .await
            .unwrap_err();
        assert_eq!(error.code(), crate::Code::NotFound);
        let found = store.connection_by_id(row.tenant, standing.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(&standing));
    }
    let mut pointing = sample::next_version(&standing);
    pointing.credential = Some(row.id);
    let pointed = store.update_connection(pointing.clone(), 1, sample::no_trail()).await;
    assert_eq!(pointed.unwrap(), Updated::Updated);
    let found = store.connection_by_id(row.tenant, standing.id).await.unwrap();
    assert_eq!(found, Some(pointing));
}

/// Deleting and pointing at the same time: whoever comes second sees the first.
pub async fn deletion_and_pointing_race(store: Shared) {
    for round in 0..10 {
        let row = sample::credential(sample::tenant_id(), "main");
        insert(&store, &row).await;
        let answers = race(10, |racer| {
            let (store, row) = (store.clone(), row.clone());
            async move {
                if racer == round {
                    return delete(&store, &row, 1).await == Deleted::Deleted;
                }
                let _ = connect(&store, &user(&row, &racer.to_string())).await;
                false
            }
        });
        let deleted = answers.await.contains(&true);
        let users = store.connections(sample::filter(row.tenant)).await.unwrap().len();
        let stands = find(&store, &row).await.is_some();
        assert_eq!((stands, users > 0), (!deleted, !deleted), "{users} point to it");
    }
}

/// Every named condition of a filter must hold, and pages follow each other by identifier.
pub async fn filters_combine(store: Shared) {
    let tenant = sample::tenant_id();
    let mut rows = Vec::new();
    for kind in ["token", "custom"] {
        for connector in [Some("sample"), Some("other"), None] {
            for environment in Environment::ALL {
                let row = CredentialRow {
                    kind: kind.to_owned(),
                    connector: connector.map(str::to_owned),
                    environment,
                    ..sample::credential(tenant, &format!("{kind} {connector:?} {environment}"))
                };
                insert(&store, &row).await;
                rows.push(row);
            }
        }
    }
    rows.sort_by_key(|row| row.id);
    for kind in [None, Some("token".to_owned()), Some("none".to_owned())] {
        for connector in [None, Some("other".to_owned()), Some("none".to_owned())] {
            for environment in [None, Some(Environment::Staging)] {
                let fits = |row: &&CredentialRow| {
                    kind.as_ref().is_none_or(|kind| row.kind == *kind)
                        && (connector.is_none() || row.connector == connector)
                        && environment.is_none_or(|environment| row.environment == environment)
                };
                let expected: Vec<_> = rows.iter().filter(fits).cloned().collect();
                let mut filter = CredentialFilter {
                    kind: kind.clone(),
                    connector: connector.clone(),
                    environment,
                    limit: 2,
                    ..sample::credential_filter(tenant)
                };
                let mut got = Vec::new();
                loop {
                    let page = list(&store, filter.clone()).await;
                    let Some(last) = page.last() else { break };
                    filter.after = Some(last.id);
                    got.extend(page);
                }
                assert_eq!(got, expected, "{filter:?}");
            }
        }
    }
}

/// Those of which something is to be announced, of all tenants, the longest due first.
pub async fn due_ones_come_oldest_first(store: Shared) {
    let mut due = Vec::new();
    for (notice, name) in [
        (Some(30), "a"),
        (Some(10), "b"),
        (None, "c"),
        (Some(20), "d"),
        (Some(31), "e"),
    ] {
        let row = CredentialRow {
            notice_at: notice.map(sample::at),
            ..sample::credential(sample::tenant_id(), name)
        };
        insert(&store, &row).await;
        due.push(DueCredential {
            tenant: row.tenant,
            credential: row.id,
        });
    }
    let ask = async |now, limit| store.due_credentials(sample::at(now), limit).await.unwrap();
    assert_eq!(ask(9, 10).await, []);
    assert_eq!(ask(10, 10).await, [due[1]]);
    assert_eq!(ask(30, 10).await, [due[1], due[3], due[0]]);
    assert_eq!(ask(30, 2).await, [due[1], due[3]]);
}

/// T2, T4: whatever another tenant asks of a row, the answer is that of a random id; two tenants may hold rows of one
/// identifier, secrets included.
pub async fn belongs_to_its_tenant(store: Shared) {
    let row = sample::credential(sample::tenant_id(), "main");
    insert(&store, &row).await;
    let stranger = sample::tenant_id();
    let theirs = CredentialRow {
        tenant: stranger,
        secrets: sample::secrets(&[("token", b"stranger's"), ("more", b"stranger's")]),
        ..row.clone()
    };
    assert_eq!(find(&store, &theirs).await, None);
    assert_eq!(list(&store, sample::credential_filter(stranger)).await, []);
    assert_eq!(update(&store, &next_version(&theirs), 1, None).await, Updated::Conflict);
    assert_eq!(delete(&store, &theirs, 10).await, Deleted::Missing);
    assert_eq!(find(&store, &row).await.as_ref(), Some(&row));

    insert(&store, &theirs).await;
    let id: CredentialId = row.id;
    assert_eq!(find(&store, &theirs).await.as_ref(), Some(&theirs), "{id}");
    assert_eq!(update(&store, &next_version(&theirs), 1, None).await, Updated::Updated);
    assert_eq!(delete(&store, &theirs, 10).await, Deleted::Deleted);
    assert_eq!(find(&store, &row).await, Some(row));
}
