//! Operations of one scope.

use serde_json::json;
use tieline::{
    Code, Connectors, Scope,
    audit::Actor,
    connection::{Connect, Connection},
    connectors::{ConnectorQuery, Scoped, ScopedQuery},
    store::{MemoryStore, Store},
};
use tieline_testkit::twin::Twin;

use crate::telegram::{BOT, config, house, house_over, service, telegram};

/// Which subjects the feed tells of, and how often.
async fn events(store: &dyn Store) -> usize {
    store.read_feed(0, 1000).await.unwrap().len()
}

async fn two() -> (Twin, Connectors, Scoped, Scoped) {
    let twin = service().await;
    let house = house(telegram().build().unwrap());
    let [a, ab] = ["a", "a:b"].map(|identity| house.scope("organization", identity).unwrap());
    (twin, house, a, ab)
}

#[tokio::test]
async fn defect_9_identity_a_does_not_see_a_b() {
    let (twin, house, a, ab) = two().await;
    ab.connect("telegram", config(&twin)).await.unwrap();
    assert!(a.get("telegram").await.unwrap().is_none());
    assert!(a.list(ScopedQuery::default()).await.unwrap().rows.is_empty());
    assert_eq!(a.count(ScopedQuery::default()).await.unwrap(), 0);
    let error = a
        .action("telegram", "sendMessage")
        .call(json!({ "message": "x" }))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ConnectorNotConnected);
    a.disconnect("telegram").await.unwrap();
    // Nor does one kind see another's.
    let system = house.scope("system", "a:b").unwrap();
    assert!(system.get("telegram").await.unwrap().is_none());
    assert_eq!(ab.count(ScopedQuery::default()).await.unwrap(), 1);
}

#[tokio::test]
async fn defect_12_no_read_returns_a_secret() {
    let (twin, _, a, _) = two().await;
    let connected = a.connect("telegram", config(&twin)).await.unwrap();
    let got = a.get("telegram").await.unwrap().unwrap();
    let listed = a.list(ScopedQuery::default()).await.unwrap().rows;
    let updated = a.update("telegram", json!({ "chatId": "78" })).await.unwrap();
    let toggled = a.toggle("telegram", None).await.unwrap();
    for connection in [&connected, &got, &listed[0], &updated, &toggled] {
        let text = serde_json::to_string(connection).unwrap();
        assert!(!BOT.is_in(&text) && text.contains("botToken"), "{text}");
        assert!(!BOT.is_in(&format!("{connection:?}")));
    }
}

#[tokio::test]
async fn connecting_again_keeps_what_the_connection_is() {
    let (twin, _, a, _) = two().await;
    let first = a.connect("telegram", config(&twin)).await.unwrap();
    a.disable("telegram").await.unwrap();
    let again = a.connect("telegram", config(&twin)).await.unwrap();
    assert_eq!(
        (again.id, again.created_at, again.enabled),
        (first.id, first.created_at, true)
    );
    assert!(again.version > first.version);
}

#[tokio::test]
async fn promise_update_enable_disable_and_toggle_do_what_they_say() {
    let twin = service().await;
    let store = std::sync::Arc::new(MemoryStore::new());
    let house = house_over(store.clone(), telegram().build().unwrap());
    let a = house.scope("organization", "a").unwrap();
    for error in [
        a.update("telegram", json!({})).await.unwrap_err(),
        a.enable("telegram").await.unwrap_err(),
        a.disable("telegram").await.unwrap_err(),
        a.toggle("telegram", None).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::ConnectorNotConnected);
    }
    let unknown = a.toggle("telegraph", None).await.unwrap_err();
    assert_eq!(unknown.code(), Code::ConnectorNotFound);
    a.disconnect("telegram").await.unwrap();
    assert_eq!(events(&*store).await, 0, "nothing was there, and nothing is told");

    a.connect("telegram", config(&twin)).await.unwrap();
    let before = events(&*store).await;
    assert!(a.enable("telegram").await.unwrap().enabled);
    assert!(a.toggle("telegram", Some(true)).await.unwrap().enabled);
    a.update("telegram", json!({ "chatId": "77" })).await.unwrap();
    assert_eq!(events(&*store).await, before, "what is so already is not told");
    assert!(!a.toggle("telegram", None).await.unwrap().enabled);
    assert!(a.toggle("telegram", None).await.unwrap().enabled);
    assert!(!a.disable("telegram").await.unwrap().enabled);
    assert_eq!(events(&*store).await, before + 3);

    let error = a.update("telegram", json!({ "chatid": "1" })).await.unwrap_err();
    assert_eq!(
        (error.code(), error.fields()[0].pointer.as_str()),
        (Code::ConnectorConfigInvalid, "/config/chatid")
    );
    let error = a.update("telegram", json!({ "chatId": null })).await.unwrap_err();
    assert_eq!(error.fields()[0].pointer, "/config/chatId");
    a.disconnect("telegram").await.unwrap();
    a.disconnect("telegram").await.unwrap();
    assert_eq!(events(&*store).await, before + 4);
}

#[tokio::test]
async fn of_two_that_flip_it_at_once_both_count() {
    let (twin, _, a, _) = two().await;
    a.connect("telegram", config(&twin)).await.unwrap();
    let (one, other) = tokio::join!(a.toggle("telegram", None), a.toggle("telegram", None));
    assert_ne!(one.unwrap().enabled, other.unwrap().enabled);
    assert!(a.get("telegram").await.unwrap().unwrap().enabled);
}

#[tokio::test]
async fn a_second_account_has_a_name_of_its_own() {
    let (twin, house, a, _) = two().await;
    let second = a.named("second");
    let one = a.connect("telegram", config(&twin)).await.unwrap();
    let two = second.connect("telegram", config(&twin)).await.unwrap();
    assert_ne!(one.id, two.id);
    assert_eq!((one.name.as_str(), two.name.as_str()), ("default", "second"));
    second.disable("telegram").await.unwrap();
    a.action("telegram", "sendMessage")
        .call(json!({ "message": "x" }))
        .await
        .unwrap();
    let error = second
        .action("telegram", "sendMessage")
        .call(json!({ "message": "x" }))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ConnectionDisabled);
    // Who asks for a new one by a name that is taken is told.
    let by = Actor::new(crate::lab::TENANT, "test");
    let connect = || Connect {
        name: Some("second".to_owned()),
        config: config(&twin).into(),
        ..Connect::new("telegram", Scope::new("organization", "a").unwrap())
    };
    house.create_connection(&by, connect()).await.unwrap();
    let taken = house.create_connection(&by, connect()).await.unwrap_err();
    assert_eq!(taken.code(), Code::ConnectorAlreadyConnected);
}

#[tokio::test]
async fn a_list_is_filtered_and_cut_into_pages() {
    let (twin, house, a, _) = two().await;
    let mut made = Vec::new();
    for name in ["one", "two", "three", "four", "five"] {
        made.push(a.named(name).connect("telegram", config(&twin)).await.unwrap());
    }
    a.named("two").disable("telegram").await.unwrap();
    let ids = |rows: &[Connection]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    let mut expected = ids(&made);
    // Of one millisecond, any comes first.
    expected.sort();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = a
            .list(ScopedQuery {
                after,
                limit: 2,
                ..ScopedQuery::default()
            })
            .await
            .unwrap();
        assert!(page.rows.len() <= 2);
        seen.extend(ids(&page.rows));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, expected);
    let asked = async |query: ScopedQuery| {
        let rows = a.list(query.clone()).await.unwrap().rows;
        assert_eq!(a.count(query).await.unwrap(), rows.len() as u64);
        rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
    };
    let all = ScopedQuery::default;
    assert_eq!(
        asked(ScopedQuery {
            enabled: Some(false),
            ..all()
        })
        .await,
        ["two"]
    );
    assert_eq!(
        asked(ScopedQuery {
            name: Some("four".to_owned()),
            ..all()
        })
        .await,
        ["four"]
    );
    let off_and_named = ScopedQuery {
        name: Some("four".to_owned()),
        enabled: Some(false),
        ..all()
    };
    assert!(asked(off_and_named).await.is_empty());
    assert!(
        asked(ScopedQuery {
            connector: Some("other".to_owned()),
            ..all()
        })
        .await
        .is_empty()
    );
    // The manager tells what there is, and how often it is connected.
    let known = house.get("telegram", true).await.unwrap().unwrap();
    assert_eq!(
        (known.descriptor().name.as_str(), known.connections),
        ("Telegram", Some(5))
    );
    assert!(house.get("telegraph", true).await.unwrap().is_none());
    let listed = house
        .list(ConnectorQuery {
            count: true,
            ..ConnectorQuery::default()
        })
        .await
        .unwrap();
    assert_eq!(
        (listed.rows.len(), listed.rows[0].connections, listed.next),
        (1, Some(5), None)
    );
    let other = ConnectorQuery {
        name: Some("Other".to_owned()),
        ..ConnectorQuery::default()
    };
    assert!(house.list(other).await.unwrap().rows.is_empty());
}
