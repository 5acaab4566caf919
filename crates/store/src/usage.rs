//! How usage is summed up, whatever the database: by day, connector, connection and actor, and by one of them alone.

use std::collections::BTreeMap;

use tieline::{
    clock::Date,
    id::ConnectionId,
    store::{Sums, UsageBy, UsageFilter, UsageRow},
};

/// How a connection lies in its column.
pub(crate) fn text(connection: Option<ConnectionId>) -> String {
    connection.map(|id| id.to_string()).unwrap_or_default()
}

/// The word for what totals are kept by.
pub(crate) fn part(by: UsageBy) -> &'static str {
    match by {
        UsageBy::Day => "day",
        UsageBy::Connector => "connector",
        UsageBy::Connection => "connection",
        UsageBy::Actor => "actor",
    }
}

/// What a batch adds to the totals, which are kept by one thing alone: part, key and day.
pub(crate) fn totals(rows: &[UsageRow]) -> BTreeMap<(&'static str, String, Date), Sums> {
    let mut totals = BTreeMap::<_, Sums>::new();
    for row in rows {
        for (by, key) in [
            (UsageBy::Day, String::new()),
            (UsageBy::Connector, row.connector.clone()),
            (UsageBy::Connection, text(row.connection)),
            (UsageBy::Actor, row.actor.clone()),
        ] {
            totals.entry((part(by), key, row.day)).or_default().add(&row.sums);
        }
    }
    totals
}

/// The conditions that are given, each with what it is about.
fn conditions(filter: &UsageFilter) -> Vec<(UsageBy, String)> {
    let connector = filter
        .connector
        .clone()
        .map(|connector| (UsageBy::Connector, connector));
    let connection = filter.connection.map(|id| (UsageBy::Connection, text(Some(id))));
    let actor = filter.actor.clone().map(|actor| (UsageBy::Actor, actor));
    [connector, connection, actor].into_iter().flatten().collect()
}

/// The totals that say what is asked: those of what it is summed up by, or of the one thing whose days are asked for.
pub(crate) fn total(filter: &UsageFilter) -> Option<(UsageBy, Option<String>)> {
    match (filter.by, &conditions(filter)[..]) {
        (by, []) => Some((by, None)),
        (UsageBy::Day, [(of, key)]) => Some((*of, Some(key.clone()))),
        (by, [(of, key)]) if by == *of => Some((by, Some(key.clone()))),
        _ => None,
    }
}
