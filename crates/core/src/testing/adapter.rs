//! What an adapter must keep.

mod keep;
mod list;
mod write;

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;

use super::{Proof, judge, must};
use crate::{
    scope::Scope,
    store::{
        adapter::{Adapter, AdapterResult, Change, Filter, Key, Record},
        conformance::sample,
    },
};

/// Proves an adapter: give a function that makes one. It is called once for each rule; whether it begins empty does not
/// matter, for every record is told from others by its scope and its identifier.
///
/// In a test with `#[tokio::test(flavor = "multi_thread")]` writers really run at the same time.
///
/// # Panics
/// With every rule that it breaks, and how.
pub async fn adapter<A: Adapter, F: Future<Output = A>>(make: impl Fn() -> F) {
    let mut proofs = Vec::new();
    for (rule, check) in rules::<A>() {
        let adapter = Arc::new(make().await);
        proofs.push((rule, check(adapter).await));
    }
    judge("adapter", proofs);
}

type Check<A> = fn(Arc<A>) -> BoxFuture<'static, Proof>;

/// What is large comes last: an adapter that reads all it has each time is not slowed by it.
fn rules<A: Adapter>() -> Vec<(&'static str, Check<A>)> {
    vec![
        ("what is put in comes back whole", |a| {
            Box::pin(keep::comes_back_whole(a))
        }),
        ("values come back byte for byte", |a| {
            Box::pin(keep::comes_back_exactly(a))
        }),
        ("times keep their microseconds", |a| {
            Box::pin(keep::keeps_microseconds(a))
        }),
        ("a taken key answers the record that stands", |a| {
            Box::pin(keep::never_overwrites(a))
        }),
        ("all four values of a key count, as they are", |a| {
            Box::pin(keep::keeps_keys_apart(a))
        }),
        ("an update changes what it says and nothing else", |a| {
            Box::pin(write::updates(a))
        }),
        ("an update from another version or identifier is a conflict", |a| {
            Box::pin(write::conflicts(a))
        }),
        ("of many who make one key, one record stands", |a| {
            Box::pin(write::upserts_race(a))
        }),
        ("of many who update one version, one does", |a| {
            Box::pin(write::updates_race(a))
        }),
        ("deleting takes one record, once", |a| Box::pin(write::deletes(a))),
        ("a deleted key is free for another record", |a| {
            Box::pin(write::lives_again(a))
        }),
        ("lists are narrowed by what is named", |a| Box::pin(list::narrows(a))),
        ("identities that begin alike do not meet", |a| {
            Box::pin(list::keeps_identities_apart(a))
        }),
        ("pages follow each other by rising identifier", |a| {
            Box::pin(list::pages(a))
        }),
        ("large values fit", |a| Box::pin(keep::holds_large_values(a))),
    ]
}

/// Says which method failed.
fn fine<T>(method: &str, answer: AdapterResult<T>) -> Result<T, String> {
    answer.map_err(|error| format!("`{method}` failed: {error}"))
}

fn new_key(connector: &str) -> Key {
    Key {
        // Its own in every run.
        scope: Scope {
            kind: "testing".to_owned(),
            identity: sample::connection_id().to_string(),
        },
        connector: connector.to_owned(),
        name: "default".to_owned(),
    }
}

fn record_at(key: Key) -> Record {
    Record {
        key,
        id: sample::connection_id(),
        value: r#"{"public":1,"sealed":"AAECAw=="}"#.to_owned(),
        enabled: true,
        version: 1,
        created_at: sample::at(0),
        updated_at: sample::at(0),
    }
}

fn new_record() -> Record {
    record_at(new_key("acme"))
}

fn change(version: u64) -> Change {
    Change {
        value: format!("{{\"version\":{version}}}"),
        enabled: !version.is_multiple_of(2),
        version,
        updated_at: sample::at(i64::try_from(version).unwrap()),
    }
}

fn changed(record: &Record, change: &Change) -> Record {
    Record {
        value: change.value.clone(),
        enabled: change.enabled,
        version: change.version,
        updated_at: change.updated_at,
        ..record.clone()
    }
}

async fn put(adapter: &impl Adapter, record: &Record) -> Proof {
    let standing = fine("upsert", adapter.upsert(record).await)?;
    same("`upsert` of a free key", &standing, record)
}

async fn stands(adapter: &impl Adapter, record: &Record) -> Proof {
    match fine("get", adapter.get(&record.key).await)? {
        Some(found) => same("`get`", &found, record)?,
        None => return Err("`get` finds nothing where a record was put in".to_owned()),
    }
    let only = Filter {
        id: Some(record.id),
        ..Filter::all(1)
    };
    match &fine("list", adapter.list(&only).await)?[..] {
        [found] => same("`list` by identifier", found, record),
        found => Err(format!(
            "`list` by identifier answers {} records instead of one",
            found.len()
        )),
    }
}

async fn is_gone(adapter: &impl Adapter, record: &Record) -> Proof {
    let found = fine("get", adapter.get(&record.key).await)?;
    must!(found.is_none(), "`get` still finds the record");
    let only = Filter {
        id: Some(record.id),
        ..Filter::all(1)
    };
    let found = fine("list", adapter.list(&only).await)?;
    must!(found.is_empty(), "`list` by identifier still finds the record");
    Ok(())
}

/// Names the first part that is another.
fn same(what: &str, found: &Record, wanted: &Record) -> Proof {
    fn part<T: PartialEq + fmt::Debug>(what: &str, part: &str, found: &T, wanted: &T) -> Proof {
        must!(
            found == wanted,
            "{what} answers another {part}: {} instead of {}",
            short(found),
            short(wanted)
        );
        Ok(())
    }
    part(what, "key", &found.key, &wanted.key)?;
    part(what, "id", &found.id, &wanted.id)?;
    part(what, "value", &found.value, &wanted.value)?;
    part(what, "enabled", &found.enabled, &wanted.enabled)?;
    part(what, "version", &found.version, &wanted.version)?;
    part(what, "created_at", &found.created_at, &wanted.created_at)?;
    part(what, "updated_at", &found.updated_at, &wanted.updated_at)
}

/// A value as it is shown in a sentence.
fn short(value: &impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}
