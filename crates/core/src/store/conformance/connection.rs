//! What a store of connections must keep. None of these looks at the trail, so an embedder's own store can run them.

use std::{collections::BTreeMap, sync::Arc};

use super::{RACERS, race, sample};
use crate::{
    connection::SyncFrequency,
    environment::Environment,
    scope::Scope,
    store::{ConnectionFilter, ConnectionRow, ConnectionStore, Health, HealthState, Inserted, Updated},
};

pub(super) type Connections = Arc<dyn ConnectionStore>;

const STATES: [HealthState; 4] = [
    HealthState::Untested,
    HealthState::Healthy,
    HealthState::Failing,
    HealthState::NeedsReauth,
];

pub(super) async fn insert(store: &Connections, row: &ConnectionRow) -> Inserted<ConnectionRow> {
    store.insert_connection(row.clone(), sample::no_trail()).await.unwrap()
}

pub(super) async fn update(store: &Connections, row: &ConnectionRow, expected: u64) -> Updated {
    let trail = sample::no_trail();
    store.update_connection(row.clone(), expected, trail).await.unwrap()
}

pub(super) async fn find(store: &Connections, row: &ConnectionRow) -> Option<ConnectionRow> {
    let found = store.connection_by_id(row.tenant, row.id).await.unwrap();
    let named = store.connection(row.tenant, &row.scope, &row.connector, &row.name);
    assert_eq!(named.await.unwrap(), found, "both ways to the row lead to the same");
    found
}

async fn list(store: &Connections, filter: &ConnectionFilter) -> Vec<ConnectionRow> {
    store.connections(filter.clone()).await.unwrap()
}

/// Whatever is written is read back, by identifier, by name and in a list, after an insert and after an update.
pub async fn keeps_every_field(store: Connections) {
    let mut row = sample::connection(sample::tenant_id(), "first");
    row.scope = Scope::new("organization", "org_1").unwrap();
    row.environment = Environment::Staging;
    row.description = Some("Of the first row.".to_owned());
    row.sync_frequency = SyncFrequency::Weekly;
    row.oauth = Some(r#"{"epoch": 9007199254740993}"#.to_owned());
    let all_bytes: Vec<u8> = (0..=255).collect();
    row.secrets = sample::secrets(&[("token", &all_bytes), ("Empty", b""), ("x-key", b"\0\0")]);
    assert_eq!(insert(&store, &row).await, Inserted::Inserted);
    assert_eq!(find(&store, &row).await.as_ref(), Some(&row));

    for state in STATES {
        row = sample::next_version(&row);
        row.display_name = format!("{state:?}");
        row.oauth = (state != HealthState::Untested).then(|| format!("{state:?}"));
        row.description = Some(format!("What is {state:?}."));
        row.sync_frequency = SyncFrequency::ALL[row.version as usize % SyncFrequency::ALL.len()];
        row.auth = "basic".to_owned();
        row.config = "{}".to_owned();
        row.secrets = sample::secrets(&[("password", &[1, 2, 3])]);
        row.secrets.get_mut("password").unwrap().last4 = None;
        row.secret_version += 1;
        row.enabled = !row.enabled;
        row.health = Health {
            state,
            reason: Some("Not reached.".to_owned()),
            since: sample::at(60),
        };
        row.updated_at = sample::at(61);
        assert_eq!(update(&store, &row, row.version - 1).await, Updated::Updated);
        assert_eq!(find(&store, &row).await.as_ref(), Some(&row));
    }
    assert_eq!(
        list(&store, &sample::filter(row.tenant)).await,
        std::slice::from_ref(&row)
    );

    row = sample::next_version(&row);
    row.secrets = BTreeMap::new();
    assert_eq!(update(&store, &row, row.version - 1).await, Updated::Updated);
    assert_eq!(find(&store, &row).await, Some(row));
}

/// Text from outside comes back byte for byte: NUL, every length of UTF-8, both normal forms, a mebibyte.
pub async fn keeps_text_as_it_came(store: Connections) {
    let mut row = sample::connection(sample::tenant_id(), "text");
    insert(&store, &row).await;
    let large = "\u{10FFFF}🔑é".repeat(100_000);
    let texts = [
        "",
        "\0",
        "a\0b",
        "{\"k\":\"\\u0000\"}",
        "🔑",
        "é e\u{301}",
        "'; --",
        "%_\\",
        "\r\n",
        " end ",
        &large,
    ];
    for text in texts {
        row = sample::next_version(&row);
        row.config = text.to_owned();
        row.display_name = text.to_owned();
        row.description = Some(text.to_owned());
        row.health.reason = Some(text.to_owned());
        assert_eq!(update(&store, &row, row.version - 1).await, Updated::Updated);
        assert!(find(&store, &row).await.as_ref() == Some(&row), "{:.20?} changed", text);
    }
}

/// Tenant, kind, identity, connector and name are five values: never joined, folded, trimmed or normalised.
pub async fn is_unique_by_five_values(store: Connections) {
    let (tenant, other) = (sample::tenant_id(), sample::tenant_id());
    let keys = [
        (tenant, "a", "b", "c", "d"),
        (tenant, "a:b", "", "c", "d"),
        (tenant, "a", "b:c", "c", "d"),
        (tenant, "a:b", "c", "c", "d"),
        (tenant, "a", "b", "c:d", ""),
        (tenant, "a", "", "bc", "d"),
        (tenant, "", "ab", "c", "d"),
        (tenant, "a", "b", "c", "D"),
        (tenant, "A", "b", "c", "d"),
        (tenant, "a", "b ", "c", "d"),
        (tenant, "a", "b\0", "c", "d"),
        (tenant, "a", "é", "c", "d"),
        (tenant, "a", "e\u{301}", "c", "d"),
        (tenant, "a", "1", "c", "d"),
        (tenant, "a", "1.0", "c", "d"),
        (other, "a", "b", "c", "d"),
    ];
    let mut rows = Vec::new();
    for (tenant, kind, identity, connector, name) in keys {
        let mut row = sample::connection(tenant, name);
        row.scope.kind = kind.to_owned();
        row.scope.identity = identity.to_owned();
        row.connector = connector.to_owned();
        assert_eq!(
            insert(&store, &row).await,
            Inserted::Inserted,
            "{:?}",
            (kind, identity, connector, name)
        );
        rows.push(row);
    }
    for row in rows {
        assert_eq!(find(&store, &row).await, Some(row.clone()));
        let filter = ConnectionFilter {
            scope: Some(row.scope.clone()),
            ..sample::filter(row.tenant)
        };
        let listed = list(&store, &filter).await;
        assert!(listed.contains(&row) && listed.iter().all(|listed| listed.scope == row.scope));
        let twin = ConnectionRow {
            id: sample::connection_id(),
            ..row.clone()
        };
        assert_eq!(insert(&store, &twin).await, Inserted::Taken(row));
    }
}

/// An insert that meets a standing row answers with that row, as it stands, and writes nothing.
pub async fn reports_who_took_the_name(store: Connections) {
    let row = sample::connection(sample::tenant_id(), "default");
    insert(&store, &row).await;
    let changed = ConnectionRow {
        secrets: sample::secrets(&[("token", b"newer"), ("second", b"more")]),
        enabled: false,
        ..sample::next_version(&row)
    };
    update(&store, &changed, 1).await;
    let late = sample::connection(row.tenant, "default");
    assert_eq!(insert(&store, &late).await, Inserted::Taken(changed.clone()));
    assert_eq!(store.connection_by_id(late.tenant, late.id).await.unwrap(), None);
    assert_eq!(list(&store, &sample::filter(row.tenant)).await, [changed]);
}

/// Of many inserts of one name at once, one writes; all others learn which.
pub async fn insert_race_has_one_winner(store: Connections) {
    let tenant = sample::tenant_id();
    let answers = race(RACERS, |_| {
        let store = store.clone();
        async move {
            let row = sample::connection(tenant, "default");
            (insert(&store, &row).await, row)
        }
    });
    let answers = answers.await;
    let (winners, losers): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|(answer, _)| *answer == Inserted::Inserted);
    assert_eq!(winners.len(), 1);
    let winner = &winners[0].1;
    for (answer, _) in losers {
        assert_eq!(answer, Inserted::Taken(winner.clone()));
    }
    assert_eq!(
        list(&store, &sample::filter(tenant)).await,
        std::slice::from_ref(winner)
    );
}

/// An update from any other version than the stored one, or of a row that is not there, writes nothing.
pub async fn changes_only_from_the_expected_version(store: Connections) {
    let row = sample::connection(sample::tenant_id(), "default");
    let next = sample::next_version(&row);
    assert_eq!(update(&store, &next, 1).await, Updated::Conflict, "there is no row yet");
    assert_eq!(find(&store, &row).await, None, "an update never inserts");
    insert(&store, &row).await;
    for stale in [0, 2, u64::MAX] {
        let mut other = next.clone();
        other.secrets = sample::secrets(&[("token", b"stale"), ("other", b"stale")]);
        assert_eq!(update(&store, &other, stale).await, Updated::Conflict);
        assert_eq!(find(&store, &row).await.as_ref(), Some(&row));
    }
    assert_eq!(update(&store, &next, 1).await, Updated::Updated);
    assert_eq!(
        update(&store, &next, 1).await,
        Updated::Conflict,
        "the version was used up"
    );
}

/// Scope, environment, connector, name and birth stay what they were, whatever an update says.
pub async fn keeps_its_identity(store: Connections) {
    let row = sample::connection(sample::tenant_id(), "default");
    insert(&store, &row).await;
    let mut moved = sample::next_version(&row);
    moved.scope = Scope::new("user", "u_1").unwrap();
    moved.environment = Environment::Development;
    moved.connector = "other".to_owned();
    moved.name = "other".to_owned();
    moved.created_by = "someone else".to_owned();
    moved.created_at = sample::at(500);
    moved.display_name = "changed".to_owned();
    assert_eq!(update(&store, &moved, 1).await, Updated::Updated);
    let expected = ConnectionRow {
        display_name: "changed".to_owned(),
        ..sample::next_version(&row)
    };
    assert_eq!(find(&store, &row).await, Some(expected));
    let found = store.connection(moved.tenant, &moved.scope, &moved.connector, &moved.name);
    assert_eq!(found.await.unwrap(), None);
}

/// Of many updates from one version at once, one writes; and so on for the next version.
pub async fn version_race_has_one_winner(store: Connections) {
    let mut row = sample::connection(sample::tenant_id(), "default");
    insert(&store, &row).await;
    for version in 1..=3 {
        let answers = race(RACERS, |racer| {
            let store = store.clone();
            let mut next = sample::next_version(&row);
            next.display_name = format!("racer {racer}");
            next.secrets = sample::secrets(&[("token", &racer.to_be_bytes())]);
            async move { (update(&store, &next, version).await, next) }
        });
        let mut winners = answers.await;
        winners.retain(|(answer, _)| *answer == Updated::Updated);
        assert_eq!(winners.len(), 1, "version {version}");
        row = winners.remove(0).1;
        assert_eq!(find(&store, &row).await.as_ref(), Some(&row));
    }
}

/// A row goes once, with its secrets, and leaves its name free.
pub async fn is_deleted_once(store: Connections) {
    let row = sample::connection(sample::tenant_id(), "default");
    insert(&store, &row).await;
    let delete = || store.delete_connection(row.tenant, row.id, sample::no_trail());
    assert!(delete().await.unwrap());
    assert!(!delete().await.unwrap());
    assert_eq!(find(&store, &row).await, None);
    assert_eq!(list(&store, &sample::filter(row.tenant)).await, []);
    assert_eq!(update(&store, &sample::next_version(&row), 1).await, Updated::Conflict);
    let again = ConnectionRow {
        secrets: BTreeMap::new(),
        ..row.clone()
    };
    assert_eq!(
        insert(&store, &again).await,
        Inserted::Inserted,
        "the same id without its secrets"
    );
    assert_eq!(find(&store, &row).await, Some(again));
}

/// Every named condition of a filter must hold.
pub async fn filters_combine(store: Connections) {
    let tenant = sample::tenant_id();
    let scopes = [
        Scope::tenant(),
        Scope::new("user", "1").unwrap(),
        Scope::new("user", "2").unwrap(),
    ];
    let mut rows = Vec::new();
    for scope in &scopes {
        for connector in ["sample", "other"] {
            for enabled in [true, false] {
                let mut row = sample::connection(tenant, if enabled { "on" } else { "off" });
                row.scope = scope.clone();
                row.connector = connector.to_owned();
                row.enabled = enabled;
                if enabled {
                    row.environment = Environment::Development;
                }
                insert(&store, &row).await;
                rows.push(row);
            }
        }
    }
    rows.sort_by_key(|row| row.id);
    for environment in Environment::ALL {
        for scope in [None, Some(scopes[1].clone())] {
            let fits = |row: &&ConnectionRow| {
                row.environment == environment && scope.as_ref().is_none_or(|scope| row.scope == *scope)
            };
            let expected: Vec<_> = rows.iter().filter(fits).cloned().collect();
            let filter = ConnectionFilter {
                scope: scope.clone(),
                environment: Some(environment),
                ..sample::filter(tenant)
            };
            assert_eq!(list(&store, &filter).await, expected, "{filter:?}");
        }
    }
    let scopes = [None, Some(scopes[1].clone()), Some(Scope::new("user", "3").unwrap())];
    for scope in scopes {
        for connector in [None, Some("other".to_owned()), Some("none".to_owned())] {
            for enabled in [None, Some(true), Some(false)] {
                let fits = |row: &&ConnectionRow| {
                    scope.as_ref().is_none_or(|scope| row.scope == *scope)
                        && connector.as_ref().is_none_or(|connector| row.connector == *connector)
                        && enabled.is_none_or(|enabled| row.enabled == enabled)
                };
                let expected: Vec<_> = rows.iter().filter(fits).cloned().collect();
                let filter = ConnectionFilter {
                    scope: scope.clone(),
                    connector: connector.clone(),
                    enabled,
                    ..sample::filter(tenant)
                };
                assert_eq!(list(&store, &filter).await, expected, "{filter:?}");
            }
        }
    }
}

/// Health is a condition like the others, and those that hold are counted whatever the page.
pub async fn filters_by_health_and_counts(store: Connections) {
    let tenant = sample::tenant_id();
    let mut rows = Vec::new();
    for (number, state) in STATES.iter().cycle().take(12).enumerate() {
        let mut row = sample::connection(tenant, &format!("{number}"));
        row.health.state = *state;
        row.enabled = number % 3 > 0;
        if number > 7 {
            row.scope = Scope::new("user", "1").unwrap();
        }
        insert(&store, &row).await;
        rows.push(row);
    }
    insert(&store, &sample::connection(sample::tenant_id(), "a stranger's")).await;
    rows.sort_by_key(|row| row.id);
    for wanted in [&[][..], &STATES[1..2], &STATES[2..], &STATES[..3], &STATES[..]] {
        for enabled in [None, Some(true)] {
            for scope in [None, Some(Scope::new("user", "1").unwrap())] {
                let fits = |row: &&ConnectionRow| {
                    (wanted.is_empty() || wanted.contains(&row.health.state))
                        && enabled.is_none_or(|enabled| row.enabled == enabled)
                        && scope.as_ref().is_none_or(|scope| row.scope == *scope)
                };
                let expected: Vec<_> = rows.iter().filter(fits).cloned().collect();
                let mut filter = ConnectionFilter {
                    scope: scope.clone(),
                    health: wanted.to_vec(),
                    enabled,
                    ..sample::filter(tenant)
                };
                assert_eq!(list(&store, &filter).await, expected, "{filter:?}");
                (filter.limit, filter.after) = (1, expected.first().map(|row| row.id));
                assert_eq!(store.count_connections(filter).await.unwrap(), expected.len() as u64);
            }
        }
    }
}

/// Pages follow each other by identifier, forwards and backwards: nothing twice, nothing missed, also while rows come and
/// go in between.
pub async fn pages_by_identifier(store: Connections) {
    let tenant = sample::tenant_id();
    let mut rows: Vec<_> = (0..25).map(|n| sample::connection(tenant, &format!("{n}"))).collect();
    for row in &rows {
        insert(&store, row).await;
    }
    rows.sort_by_key(|row| row.id);
    let scopes = [None, Some(Scope::tenant())];
    for (scope, newest_first) in scopes
        .into_iter()
        .flat_map(|scope| [(scope.clone(), true), (scope, false)])
    {
        rows.reverse();
        let mut page = ConnectionFilter {
            scope,
            newest_first,
            limit: 7,
            ..sample::filter(tenant)
        };
        for expected in rows.chunks(7) {
            let got = list(&store, &page).await;
            assert_eq!(got, expected);
            page.after = Some(got[got.len() - 1].id);
        }
        assert_eq!(list(&store, &page).await, []);
        page.limit = 0;
        page.after = None;
        assert_eq!(list(&store, &page).await, []);
    }
    // The row that the cursor names is gone: the page goes on behind its place.
    let gone = rows.remove(9);
    store
        .delete_connection(tenant, gone.id, sample::no_trail())
        .await
        .unwrap();
    let page = ConnectionFilter {
        after: Some(gone.id),
        limit: 3,
        ..sample::filter(tenant)
    };
    assert_eq!(list(&store, &page).await, rows[9..12]);
}

/// T2: whatever another tenant asks of a row, the answer is that of a random id, and the row stands.
pub async fn belongs_to_its_tenant(store: Connections) {
    let row = sample::connection(sample::tenant_id(), "default");
    insert(&store, &row).await;
    let stranger = sample::tenant_id();
    let theirs = ConnectionRow {
        tenant: stranger,
        secrets: sample::secrets(&[("token", b"stranger's"), ("more", b"stranger's")]),
        ..sample::next_version(&row)
    };
    assert_eq!(find(&store, &theirs).await, None);
    assert_eq!(list(&store, &sample::filter(stranger)).await, []);
    let scoped = ConnectionFilter {
        scope: Some(row.scope.clone()),
        ..sample::filter(stranger)
    };
    assert_eq!(list(&store, &scoped).await, []);
    assert_eq!(update(&store, &theirs, 1).await, Updated::Conflict);
    assert!(
        !store
            .delete_connection(stranger, row.id, sample::no_trail())
            .await
            .unwrap()
    );
    assert_eq!(find(&store, &row).await, Some(row));
}

/// T2, T4: two tenants may hold rows of one identifier and one name; neither reads, changes or deletes the other's,
/// secrets included.
pub async fn shares_no_row_with_the_same_id_elsewhere(store: Connections) {
    let mine = sample::connection(sample::tenant_id(), "default");
    let theirs = ConnectionRow {
        tenant: sample::tenant_id(),
        config: "theirs".to_owned(),
        secrets: sample::secrets(&[("token", b"theirs"), ("second", b"theirs")]),
        ..mine.clone()
    };
    assert_eq!(insert(&store, &mine).await, Inserted::Inserted);
    assert_eq!(insert(&store, &theirs).await, Inserted::Inserted);
    assert_eq!(find(&store, &mine).await.as_ref(), Some(&mine));
    assert_eq!(find(&store, &theirs).await.as_ref(), Some(&theirs));
    for row in [&mine, &theirs] {
        assert_eq!(
            list(&store, &sample::filter(row.tenant)).await,
            std::slice::from_ref(row)
        );
    }

    let mut changed = sample::next_version(&mine);
    changed.config = "changed".to_owned();
    changed.secrets = sample::secrets(&[("token", b"changed")]);
    assert_eq!(update(&store, &changed, 1).await, Updated::Updated);
    assert_eq!(find(&store, &theirs).await.as_ref(), Some(&theirs));

    assert!(
        store
            .delete_connection(mine.tenant, mine.id, sample::no_trail())
            .await
            .unwrap()
    );
    assert_eq!(find(&store, &mine).await, None);
    assert_eq!(find(&store, &theirs).await, Some(theirs));
}
