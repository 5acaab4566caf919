//! What is put in comes back, and stays where it is.

use std::sync::Arc;

use super::{change, changed, fine, new_key, new_record, put, record_at, same, short, stands};
use crate::{
    clock::Timestamp,
    limits::MAX_RECORD_BYTES,
    scope::Scope,
    store::{
        adapter::{Adapter, Change, Key, Record},
        conformance::sample,
    },
    testing::{Proof, must},
};

/// Bytes of a large value: the most that a record holds.
const LARGE: usize = MAX_RECORD_BYTES;

/// Texts that must come back byte for byte: every length of UTF-8, both forms of one letter, what SQL and JSON might take
/// for their own. A NUL is written as JSON does, and no column of text may alter that.
const TEXTS: &[&str] = &[
    "{}",
    r#"{"nul":"\u0000","n":12345678901234567890.10,"n2":1e400}"#,
    "{ \"spaces\" :\t1 }\r\n",
    r#"{"k":1,"k":2}"#,
    "\"é e\u{301} 🔑 \u{10ffff}\"",
    "\"'; -- %_\\\\ $1 ?\"",
    " ",
];

pub(super) async fn comes_back_whole(adapter: Arc<impl Adapter>) -> Proof {
    let mut record = new_record();
    record.enabled = false;
    record.version = 7;
    record.updated_at = sample::at(5);
    let found = fine("get", adapter.get(&record.key).await)?;
    must!(found.is_none(), "`get` finds a record that nobody put in");
    put(&*adapter, &record).await?;
    stands(&*adapter, &record).await
}

pub(super) async fn comes_back_exactly(adapter: Arc<impl Adapter>) -> Proof {
    for text in TEXTS {
        let mut record = new_record();
        record.value = (*text).to_owned();
        put(&*adapter, &record).await?;
        stands(&*adapter, &record).await?;
    }
    let mut record = new_record();
    put(&*adapter, &record).await?;
    for (text, version) in TEXTS.iter().zip(2..) {
        let change = Change {
            value: (*text).to_owned(),
            ..change(version)
        };
        fine(
            "update",
            adapter.update(&record.key, record.id, version - 1, &change).await,
        )?;
        record = changed(&record, &change);
        stands(&*adapter, &record).await?;
    }
    Ok(())
}

pub(super) async fn holds_large_values(adapter: Arc<impl Adapter>) -> Proof {
    let mut record = new_record();
    record.value = format!("\"{}\"", "🔑é".repeat(LARGE / 6));
    put(&*adapter, &record).await?;
    stands(&*adapter, &record).await
}

pub(super) async fn keeps_microseconds(adapter: Arc<impl Adapter>) -> Proof {
    for micros in [0, 1, 999_999, 1_790_000_000_123_456, 4_102_444_800_000_001] {
        let mut record = new_record();
        record.created_at = Timestamp::from_microsecond(micros).unwrap();
        record.updated_at = Timestamp::from_microsecond(micros + 1).unwrap();
        put(&*adapter, &record).await?;
        stands(&*adapter, &record).await?;
    }
    Ok(())
}

pub(super) async fn never_overwrites(adapter: Arc<impl Adapter>) -> Proof {
    let record = new_record();
    put(&*adapter, &record).await?;
    let late = Record {
        value: "{\"late\":true}".to_owned(),
        version: 9,
        ..record_at(record.key.clone())
    };
    let standing = fine("upsert", adapter.upsert(&late).await)?;
    same("`upsert` of a taken key", &standing, &record)?;
    stands(&*adapter, &record).await?;
    // Whoever did not hear the answer asks again.
    let again = fine("upsert", adapter.upsert(&record).await)?;
    same("`upsert` of the same record again", &again, &record)
}

pub(super) async fn keeps_keys_apart(adapter: Arc<impl Adapter>) -> Proof {
    let base = new_key("acme");
    let identity = base.scope.identity.clone();
    let scope = |kind: &str, identity: &str| Scope {
        kind: kind.to_owned(),
        identity: identity.to_owned(),
    };
    let with = |scope: Scope, connector: &str, name: &str| Key {
        scope,
        connector: connector.to_owned(),
        name: name.to_owned(),
    };
    let keys = [
        base.clone(),
        with(scope("testing2", &identity), "acme", "default"),
        with(scope("testing", &format!("{identity}:b")), "acme", "default"),
        with(scope(&format!("testing:{identity}"), "b"), "acme", "default"),
        with(base.scope.clone(), "acme:default", "default"),
        with(base.scope.clone(), "acme", "default:default"),
        with(base.scope.clone(), "acme", "Default"),
        with(base.scope.clone(), "acme", "default "),
        with(base.scope.clone(), "acme", "é"),
        with(base.scope.clone(), "acme", "e\u{301}"),
        with(base.scope.clone(), "acme", "'; --"),
        with(base.scope.clone(), "acme", "%"),
        with(base.scope.clone(), "acme", "../x"),
        // With no identity at all, and one that no other run has.
        with(scope(&format!("testing {identity}"), ""), "acme", "default"),
    ];
    let records: Vec<Record> = keys.into_iter().map(record_at).collect();
    for record in &records {
        let standing = fine("upsert", adapter.upsert(record).await)?;
        must!(
            standing.id == record.id,
            "{} is taken for the key {}",
            short(&record.key),
            short(&standing.key)
        );
    }
    for record in &records {
        stands(&*adapter, record).await?;
    }
    Ok(())
}
