//! Lists show what is asked for, in order, page by page.

use std::sync::Arc;

use super::{fine, new_key, put, record_at, short};
use crate::{
    id::ConnectionId,
    scope::Scope,
    store::adapter::{Adapter, Filter, Key, Record},
    testing::{Proof, must},
};

pub(super) async fn narrows(adapter: Arc<impl Adapter>) -> Proof {
    let base = new_key("acme");
    let other_connector = Key {
        connector: "other".to_owned(),
        ..base.clone()
    };
    let second_name = Key {
        name: "second".to_owned(),
        ..base.clone()
    };
    let elsewhere = new_key("acme");
    let records: Vec<Record> = [&base, &other_connector, &second_name, &elsewhere]
        .map(|key| record_at(key.clone()))
        .into();
    for record in &records {
        put(&*adapter, record).await?;
    }
    let scope = Some(base.scope.clone());
    let acme = Some("acme".to_owned());
    let cases = [
        (scope.clone(), None, None, vec![0, 1, 2]),
        (scope.clone(), acme.clone(), None, vec![0, 2]),
        (scope.clone(), Some("nothing".to_owned()), None, vec![]),
        (scope.clone(), acme.clone(), Some(records[2].id), vec![2]),
        (scope, acme.clone(), Some(records[3].id), vec![]),
        (None, acme, Some(records[1].id), vec![]),
        (None, None, Some(records[3].id), vec![3]),
    ];
    for (scope, connector, id, wanted) in cases {
        let filter = Filter {
            scope,
            connector,
            id,
            ..Filter::all(10)
        };
        let found = ids(&fine("list", adapter.list(&filter).await)?);
        let mut wanted: Vec<ConnectionId> = wanted.into_iter().map(|nth: usize| records[nth].id).collect();
        wanted.sort();
        must!(
            found == wanted,
            "{} gives {found:?} instead of {wanted:?}",
            short(&filter)
        );
    }
    Ok(())
}

fn ids(records: &[Record]) -> Vec<ConnectionId> {
    records.iter().map(|record| record.id).collect()
}

pub(super) async fn keeps_identities_apart(adapter: Arc<impl Adapter>) -> Proof {
    let base = new_key("acme");
    let Scope { kind, identity } = &base.scope;
    let scopes = [
        (kind.clone(), identity.clone()),
        (kind.clone(), format!("{identity}:b")),
        (kind.clone(), format!("{identity}%")),
        (format!("{kind}:{identity}"), "b".to_owned()),
        (format!("{kind} {identity}"), String::new()),
    ]
    .map(|(kind, identity)| Scope { kind, identity });
    let mut records = Vec::new();
    for scope in &scopes {
        let record = record_at(Key {
            scope: scope.clone(),
            ..base.clone()
        });
        put(&*adapter, &record).await?;
        records.push(record);
    }
    for record in &records {
        let filter = Filter {
            scope: Some(record.key.scope.clone()),
            ..Filter::all(10)
        };
        let found = fine("list", adapter.list(&filter).await)?;
        must!(
            ids(&found) == [record.id],
            "the list of {:?} shows {} records instead of its one",
            record.key.scope,
            found.len()
        );
    }
    Ok(())
}

pub(super) async fn pages(adapter: Arc<impl Adapter>) -> Proof {
    let base = new_key("acme");
    let mut wanted = Vec::new();
    for nth in 0..7 {
        let record = record_at(Key {
            name: format!("n{}", 9 - nth),
            ..base.clone()
        });
        put(&*adapter, &record).await?;
        wanted.push(record.id);
    }
    wanted.sort();
    for limit in [1, 3, 7, 10] {
        let mut filter = Filter {
            scope: Some(base.scope.clone()),
            ..Filter::all(limit)
        };
        let mut found: Vec<ConnectionId> = Vec::new();
        loop {
            let page = ids(&fine("list", adapter.list(&filter).await)?);
            must!(page.len() <= limit, "a page of {limit} has {} records", page.len());
            let Some(last) = page.last() else { break };
            found.extend(&page);
            must!(
                found.len() <= wanted.len(),
                "pages of {limit} repeat records, or never end"
            );
            filter.after = Some(*last);
        }
        must!(found == wanted, "pages of {limit} give {found:?} instead of {wanted:?}");
    }
    // All records, of whatever scope: among them these, in order.
    let mut filter = Filter::all(100);
    let mut found = Vec::new();
    loop {
        let page = ids(&fine("list", adapter.list(&filter).await)?);
        must!(page.is_sorted(), "a list of all is not in the order of identifiers");
        let Some(last) = page.last() else { break };
        must!(
            filter.after.is_none_or(|after| page[0] > after),
            "a page begins before its `after`"
        );
        filter.after = Some(*last);
        found.extend(page.into_iter().filter(|id| wanted.contains(id)));
    }
    must!(found == wanted, "a list of all gives {found:?} instead of {wanted:?}");
    Ok(())
}
