//! What a store must keep of webhooks that arrived.

use super::{
    connection::{Connections, find, insert, update},
    sample,
};
use crate::store::{ConnectionRow, LastDelivery, Updated};

/// What became of a webhook is noted beside all else: it undoes no change, no change undoes it, and the latest stands.
pub async fn notes_deliveries_beside_changes(store: Connections) {
    let row = sample::connection(sample::tenant_id(), "default");
    let note = async |at, error: Option<&str>| {
        let error = error.map(str::to_owned);
        let delivery = LastDelivery {
            at: sample::at(at),
            error,
        };
        store.note_delivery(row.tenant, row.id, delivery).await.unwrap();
    };
    let told = |row: &ConnectionRow| {
        let last = row.last_delivery.clone().unwrap();
        (last.at, last.error)
    };
    note(10, None).await;
    assert_eq!(find(&store, &row).await, None, "a note makes no row");
    insert(&store, &row).await;
    note(20, Some("größe \0")).await;
    note(15, None).await;
    let noted = find(&store, &row).await.unwrap();
    assert_eq!(told(&noted), (sample::at(20), Some("größe \0".to_owned())));
    let mut changed = sample::next_version(&noted);
    changed.webhook = Some(sample::webhook(2));
    changed.display_name = "changed".to_owned();
    let expected = noted.version;
    note(30, None).await;
    let meanwhile = find(&store, &row).await.unwrap();
    match update(&store, &changed, expected).await {
        Updated::Updated => {}
        // Where a note raises the version, whoever changes the row reads it anew.
        Updated::Conflict => {
            let again = ConnectionRow {
                version: meanwhile.version + 1,
                last_delivery: meanwhile.last_delivery.clone(),
                ..changed.clone()
            };
            assert_eq!(update(&store, &again, meanwhile.version).await, Updated::Updated);
        }
    }
    let found = find(&store, &row).await.unwrap();
    assert_eq!(told(&found), (sample::at(30), None));
    assert_eq!(
        (found.webhook, found.display_name),
        (changed.webhook, changed.display_name)
    );
}
