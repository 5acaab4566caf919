//! Rows and trails for the checks. Every call makes new identifiers.

use std::{collections::BTreeMap, sync::LazyLock};

use aws_lc_rs::digest;

use crate::{
    audit::{AuditEntry, GENESIS, Hash, Link, Trail},
    clock::{SystemClock, SystemRandom, Timestamp},
    event::{Event, EventKind},
    id::{ApiKeyId, AuditId, ConnectionId, EventId, TenantId},
    scope::Scope,
    store::{
        ApiKeyRow, AuditRow, ConnectionFilter, ConnectionRow, DataKeyRow, Health, HealthState, SealedField, TenantRow,
    },
};

/// The link of the checks' chains: SHA-256 over everything an entry holds.
pub static LINK: LazyLock<Link> = LazyLock::new(|| {
    Link::new(|previous, seq, entry| {
        let text = format!(
            "{:?}",
            (
                seq,
                entry.id,
                entry.tenant,
                entry.at,
                &entry.actor,
                &entry.action,
                &entry.subject,
                &entry.detail
            )
        );
        sha256(&[previous, text.as_bytes()].concat())
    })
});

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> Hash {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// `seconds` after the hour these rows were born, with microseconds that a store must keep.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_microsecond(1_790_000_000_123_456 + seconds * 1_000_000).unwrap()
}

/// A tenant's identifier.
pub fn tenant_id() -> TenantId {
    TenantId::new(&SystemClock, &SystemRandom).unwrap()
}

/// A connection's identifier.
pub fn connection_id() -> ConnectionId {
    ConnectionId::new(&SystemClock, &SystemRandom).unwrap()
}

/// An API key's identifier.
pub fn api_key_id() -> ApiKeyId {
    ApiKeyId::new(&SystemClock, &SystemRandom).unwrap()
}

/// A tenant.
pub fn tenant(name: &str) -> TenantRow {
    TenantRow {
        id: tenant_id(),
        name: name.to_owned(),
        created_at: at(0),
    }
}

/// A key with a hash of its own.
pub fn api_key(tenant: TenantId) -> ApiKeyRow {
    let id = api_key_id();
    ApiKeyRow {
        id,
        tenant,
        name: "a key".to_owned(),
        hash: sha256(&[tenant.as_bytes().as_slice(), id.as_bytes()].concat()),
        prefix: "sk_012345678".to_owned(),
        permissions: r#"{"connections:read": true}"#.to_owned(),
        created_by: "cli".to_owned(),
        created_at: at(1),
        expires_at: Some(at(1000)),
        revoked_at: None,
    }
}

/// A connection of the connector `sample` for the whole tenant, in version 1.
pub fn connection(tenant: TenantId, name: &str) -> ConnectionRow {
    let id = connection_id();
    ConnectionRow {
        id,
        tenant,
        scope: Scope::tenant(),
        connector: "sample".to_owned(),
        name: name.to_owned(),
        display_name: format!("The {name}"),
        auth: "api-key".to_owned(),
        config: r#"{"host": "example.test", "big": 12345678901234567890.10}"#.to_owned(),
        secrets: secrets(&[("token", id.as_bytes())]),
        secret_version: 1,
        enabled: true,
        health: Health {
            state: HealthState::Untested,
            reason: None,
            since: at(2),
        },
        version: 1,
        created_by: "library".to_owned(),
        created_at: at(2),
        updated_at: at(2),
    }
}

/// The same connection one version later.
pub fn next_version(row: &ConnectionRow) -> ConnectionRow {
    ConnectionRow {
        version: row.version + 1,
        ..row.clone()
    }
}

/// Secret fields; the bytes stand for what a vault sealed.
pub fn secrets(fields: &[(&str, &[u8])]) -> BTreeMap<String, SealedField> {
    let field = |(name, sealed): &(&str, &[u8])| {
        let field = SealedField {
            sealed: sealed.to_vec(),
            last4: Some("ab12".to_owned()),
            updated_at: at(3),
        };
        ((*name).to_owned(), field)
    };
    fields.iter().map(field).collect()
}

/// A filter that lets all of a tenant's connections through.
pub fn filter(tenant: TenantId) -> ConnectionFilter {
    ConnectionFilter {
        tenant,
        scope: None,
        connector: None,
        enabled: None,
        after: None,
        limit: 1000,
    }
}

/// A tenant's data key.
pub fn data_key(tenant: TenantId, id: u32, wrapped: &[u8]) -> DataKeyRow {
    DataKeyRow {
        tenant,
        id,
        wrapped: wrapped.to_vec(),
        created_at: at(i64::from(id)),
    }
}

/// One entry and one event about `subject`.
pub fn trail(tenant: TenantId, subject: &str) -> Trail {
    Trail {
        entries: vec![entry(tenant, subject)],
        events: vec![event(subject)],
        link: LINK.clone(),
    }
}

/// Nothing to write down, for stores that keep no trail.
pub fn no_trail() -> Trail {
    Trail {
        entries: Vec::new(),
        events: Vec::new(),
        link: LINK.clone(),
    }
}

/// An audit entry, with nanoseconds that a store may cut.
pub fn entry(tenant: TenantId, subject: &str) -> AuditEntry {
    AuditEntry {
        id: AuditId::new(&SystemClock, &SystemRandom).unwrap(),
        tenant,
        at: Timestamp::from_nanosecond(at(4).as_nanosecond() + 789).unwrap(),
        actor: "library".to_owned(),
        action: "sample.changed".to_owned(),
        subject: subject.to_owned(),
        detail: r#"{"fields": ["größe", "日本", "🔑"]}"#.to_owned(),
    }
}

/// An event about `subject`.
pub fn event(subject: &str) -> Event {
    Event {
        id: EventId::new(&SystemClock, &SystemRandom).unwrap(),
        at: at(5),
        kind: EventKind::ConnectorUpdated,
        subject: subject.to_owned(),
    }
}

/// Panics unless these are a whole chain: places 1, 2, 3 … and every hash follows from the one before.
pub fn assert_chain(rows: &[AuditRow]) {
    let mut previous = GENESIS;
    for (place, row) in (1..).zip(rows) {
        assert_eq!(row.seq, place, "the chain has a gap");
        assert_eq!(
            row.hash,
            LINK.hash(&previous, row.seq, &row.entry),
            "the chain breaks at {place}"
        );
        previous = row.hash;
    }
}
