//! Changes are made once, from where they began, or not at all.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;

use super::{change, changed, fine, is_gone, new_key, new_record, put, record_at, stands};
use crate::{
    id::ConnectionId,
    store::{
        Updated,
        adapter::{Adapter, Change, Filter, Key},
        conformance::sample,
    },
    testing::{Proof, must},
};

/// How many take part in a race.
const RACERS: usize = 16;

pub(super) async fn updates(adapter: Arc<impl Adapter>) -> Proof {
    let mut record = new_record();
    let bystander = record_at(Key {
        name: "other".to_owned(),
        ..record.key.clone()
    });
    put(&*adapter, &record).await?;
    put(&*adapter, &bystander).await?;
    for version in 2..6 {
        let change = change(version);
        let updated = adapter.update(&record.key, record.id, version - 1, &change).await;
        let updated = fine("update", updated)?;
        must!(
            updated == Updated::Updated,
            "`update` from the version that stands is a conflict"
        );
        record = changed(&record, &change);
        stands(&*adapter, &record).await?;
    }
    stands(&*adapter, &bystander).await
}

pub(super) async fn conflicts(adapter: Arc<impl Adapter>) -> Proof {
    let record = new_record();
    let missing = fine("update", adapter.update(&record.key, record.id, 1, &change(2)).await)?;
    must!(
        missing == Updated::Conflict,
        "`update` of what is not there is no conflict"
    );
    is_gone(&*adapter, &record).await?;
    put(&*adapter, &record).await?;
    for version in [0, 2, 3] {
        let updated = fine(
            "update",
            adapter.update(&record.key, record.id, version, &change(3)).await,
        )?;
        must!(
            updated == Updated::Conflict,
            "`update` from version {version} changes version 1"
        );
    }
    let another = sample::connection_id();
    let updated = fine("update", adapter.update(&record.key, another, 1, &change(2)).await)?;
    must!(
        updated == Updated::Conflict,
        "`update` changes a record that has another identifier than the one it is meant for"
    );
    stands(&*adapter, &record).await
}

/// Runs as many at the same time as take part in a race.
async fn race<A: Adapter, T: Send + 'static, F>(
    adapter: &Arc<A>,
    racer: impl Fn(Arc<A>, usize) -> F,
) -> Result<Vec<T>, String>
where
    F: Future<Output = Result<T, String>> + Send + 'static,
{
    let racers = (0..RACERS).map(|nth| tokio::spawn(racer(adapter.clone(), nth)));
    let ended = join_all(racers).await.into_iter();
    ended
        .map(|ended| ended.unwrap_or_else(|error| Err(format!("it panicked: {error}"))))
        .collect()
}

pub(super) async fn upserts_race(adapter: Arc<impl Adapter>) -> Proof {
    let key = new_key("acme");
    let ids = race(&adapter, |adapter, _| {
        let record = record_at(key.clone());
        async move { Ok(fine("upsert", adapter.upsert(&record).await)?.id) }
    })
    .await?;
    let ids: BTreeSet<ConnectionId> = ids.into_iter().collect();
    must!(
        ids.len() == 1,
        "{RACERS} who made one key were told of {} records",
        ids.len()
    );
    let standing = fine("get", adapter.get(&key).await)?.map(|record| record.id);
    must!(
        standing == ids.first().copied(),
        "what stands is another record than everybody was told"
    );
    let listed = Filter {
        scope: Some(key.scope),
        ..Filter::all(RACERS)
    };
    let listed = fine("list", adapter.list(&listed).await)?.len();
    must!(listed == 1, "{listed} records stand under one key");
    Ok(())
}

pub(super) async fn updates_race(adapter: Arc<impl Adapter>) -> Proof {
    let mut record = new_record();
    put(&*adapter, &record).await?;
    for version in 2..12 {
        let (key, id) = (record.key.clone(), record.id);
        let answers = race(&adapter, |adapter, nth| {
            let (key, change) = (key.clone(), of_racer(version, nth));
            async move {
                let updated = adapter.update(&key, id, version - 1, &change).await;
                Ok(fine("update", updated)?.eq(&Updated::Updated).then_some(change))
            }
        })
        .await?;
        let won: Vec<Change> = answers.into_iter().flatten().collect();
        let [won] = &won[..] else {
            return Err(format!(
                "{} of {RACERS} who updated one version were told that they did",
                won.len()
            ));
        };
        record = changed(&record, won);
        stands(&*adapter, &record).await?;
    }
    Ok(())
}

fn of_racer(version: u64, nth: usize) -> Change {
    Change {
        value: format!("{{\"racer\":{nth}}}"),
        ..change(version)
    }
}

pub(super) async fn deletes(adapter: Arc<impl Adapter>) -> Proof {
    let record = new_record();
    let bystander = record_at(Key {
        connector: "other".to_owned(),
        ..record.key.clone()
    });
    put(&*adapter, &record).await?;
    put(&*adapter, &bystander).await?;
    let deleted = fine("delete", adapter.delete(&record.key, sample::connection_id()).await)?;
    must!(
        !deleted,
        "`delete` takes a record that has another identifier than the one it is meant for"
    );
    stands(&*adapter, &record).await?;
    let deleted = fine("delete", adapter.delete(&record.key, record.id).await)?;
    must!(deleted, "`delete` of a record that is there answers false");
    is_gone(&*adapter, &record).await?;
    let deleted = fine("delete", adapter.delete(&record.key, record.id).await)?;
    must!(!deleted, "`delete` of what is gone answers true");
    let updated = fine("update", adapter.update(&record.key, record.id, 1, &change(2)).await)?;
    must!(
        updated == Updated::Conflict,
        "`update` of what was deleted is no conflict"
    );
    is_gone(&*adapter, &record).await?;
    stands(&*adapter, &bystander).await
}

pub(super) async fn lives_again(adapter: Arc<impl Adapter>) -> Proof {
    let first = new_record();
    put(&*adapter, &first).await?;
    fine("delete", adapter.delete(&first.key, first.id).await)?;
    let second = record_at(first.key.clone());
    put(&*adapter, &second).await?;
    // Who still means the first one, whose version was the same, does nothing to the second.
    let updated = fine("update", adapter.update(&first.key, first.id, 1, &change(2)).await)?;
    must!(
        updated == Updated::Conflict,
        "`update` of a deleted record changes the one made under its key since"
    );
    let deleted = fine("delete", adapter.delete(&first.key, first.id).await)?;
    must!(
        !deleted,
        "`delete` of a deleted record takes the one made under its key since"
    );
    stands(&*adapter, &second).await
}
