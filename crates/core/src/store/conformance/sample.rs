//! Rows and trails for the checks. Every call makes new identifiers.

use std::{collections::BTreeMap, sync::LazyLock};

use aws_lc_rs::digest;

use crate::{
    audit::{AuditEntry, GENESIS, Hash, Link, Trail},
    clock::{Date, SystemClock, SystemRandom, Timestamp},
    connection::SyncFrequency,
    environment::Environment,
    event::{EventKind, FeedEvent},
    id::{
        ApiKeyId, AuditId, CallId, ConnectionId, CredentialId, EventId, OAuthStateId, ProcessId, SessionId, TenantId,
        UserId,
    },
    membership::Role,
    scope::Scope,
    store::{
        ApiKeyRow, AuditRow, CallBatch, CallEntry, CallKind, ConnectionFilter, ConnectionRow, CredentialFilter,
        CredentialRow, DataKeyRow, Ground, Health, HealthState, LinkPurpose, LinkRow, Mark, MembershipRow,
        OAuthStateRow, Seal, SealedField, SessionRow, Sums, TenantRow, TestCause, TestRow, UsageBy, UsageFilter,
        UsageRow, UserRow, WebhookRow,
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

/// A process's identifier.
pub fn process_id() -> ProcessId {
    ProcessId::new(&SystemClock, &SystemRandom).unwrap()
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
        environment: None,
        networks: Some(r#"["10.0.0.0/8"]"#.to_owned()),
        version: 1,
        created_by: "cli".to_owned(),
        created_at: at(1),
        expires_at: Some(at(1000)),
        revoked_at: None,
        last_used_at: None,
    }
}

/// A person's identifier.
pub fn user_id() -> UserId {
    UserId::new(&SystemClock, &SystemRandom).unwrap()
}

/// A person with the first version of a password.
pub fn user(email: &str) -> UserRow {
    UserRow {
        id: user_id(),
        email: email.to_owned(),
        name: format!("The {email}"),
        password: "what stands for a hash".to_owned(),
        password_version: 1,
        disabled_at: None,
        created_at: at(1),
    }
}

/// A viewer's membership.
pub fn membership(tenant: TenantId, user: UserId) -> MembershipRow {
    MembershipRow {
        tenant,
        user,
        role: Role::Viewer,
        created_by: "cli".to_owned(),
        created_at: at(1),
    }
}

/// An invitation as a viewer, with a hash of its own.
pub fn invitation(tenant: TenantId, email: &str) -> LinkRow {
    let user = user_id();
    LinkRow {
        tenant,
        user,
        purpose: LinkPurpose::Join(Role::Viewer),
        email: email.to_owned(),
        name: format!("The {email}"),
        hash: sha256(&[tenant.as_bytes().as_slice(), user.as_bytes()].concat()),
        created_by: "cli".to_owned(),
        created_at: at(1),
        expires_at: at(1000),
    }
}

/// A link to set another than the first password, of somebody with this role.
pub fn reset(role: Role) -> LinkPurpose {
    LinkPurpose::Reset(Ground {
        password_version: 1,
        role: Some(role),
    })
}

/// A session with a hash of its own.
pub fn session(tenant: TenantId, user: UserId) -> SessionRow {
    let id = SessionId::new(&SystemClock, &SystemRandom).unwrap();
    SessionRow {
        id,
        tenant,
        user,
        hash: sha256(&[tenant.as_bytes().as_slice(), id.as_bytes()].concat()),
        password_version: 1,
        member_since: at(1),
        created_at: at(2),
        seen_at: at(3),
        ends_at: at(1000),
        ended_at: None,
    }
}

/// A sign-in that is under way, with a hash of its own.
pub fn oauth_state(tenant: TenantId) -> OAuthStateRow {
    let id = OAuthStateId::new(&SystemClock, &SystemRandom).unwrap();
    OAuthStateRow {
        id,
        tenant,
        hash: sha256(&[tenant.as_bytes().as_slice(), id.as_bytes()].concat()),
        pending: (0..=255).collect(),
        created_at: at(1),
        ends_at: at(600),
    }
}

/// A connection of the connector `sample` for the whole tenant, in version 1.
pub fn connection(tenant: TenantId, name: &str) -> ConnectionRow {
    let id = connection_id();
    ConnectionRow {
        id,
        tenant,
        scope: Scope::tenant(),
        environment: Environment::Production,
        connector: "sample".to_owned(),
        name: name.to_owned(),
        display_name: format!("The {name}"),
        description: None,
        sync_frequency: SyncFrequency::Manual,
        auth: "api-key".to_owned(),
        config: r#"{"host": "example.test", "big": 12345678901234567890.10}"#.to_owned(),
        credential: None,
        secrets: secrets(&[("token", id.as_bytes())]),
        secret_version: 1,
        oauth: None,
        enabled: true,
        health: Health {
            state: HealthState::Untested,
            reason: None,
            since: at(2),
        },
        webhook: Some(webhook(1)),
        last_delivery: None,
        version: 1,
        created_by: "library".to_owned(),
        created_at: at(2),
        updated_at: at(2),
    }
}

/// The n-th address of a connection's webhooks; the bytes stand for what a vault sealed.
pub fn webhook(version: u32) -> WebhookRow {
    WebhookRow {
        hash: [u8::try_from(version).unwrap_or_default(); 32],
        sealed: vec![0, 255, 7],
        version,
        since: at(i64::from(version)),
    }
}

/// A credential's identifier.
pub fn credential_id() -> CredentialId {
    CredentialId::new(&SystemClock, &SystemRandom).unwrap()
}

/// A credential for the connector `sample`, in version 1.
pub fn credential(tenant: TenantId, name: &str) -> CredentialRow {
    let id = credential_id();
    CredentialRow {
        id,
        tenant,
        name: name.to_owned(),
        description: Some("A \0 description".to_owned()),
        environment: Environment::Production,
        kind: "token".to_owned(),
        connector: Some("sample".to_owned()),
        auth: Some("api-key".to_owned()),
        config: r#"{"big": 12345678901234567890.10}"#.to_owned(),
        secrets: secrets(&[("token", id.as_bytes())]),
        secret_version: 1,
        metadata: r#"{"owner": "größe"}"#.to_owned(),
        expires_at: Some(at(1000)),
        notice_at: Some(at(900)),
        rotated_at: None,
        version: 1,
        created_by: "library".to_owned(),
        created_at: at(2),
        updated_at: at(2),
    }
}

/// A filter that lets all of a tenant's credentials through.
pub fn credential_filter(tenant: TenantId) -> CredentialFilter {
    CredentialFilter {
        tenant,
        kind: None,
        connector: None,
        environment: None,
        after: None,
        limit: 1000,
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
        health: Vec::new(),
        environment: None,
        newest_first: false,
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

/// A connection's identifier that is the same in every run.
pub const CONNECTION: ConnectionId = ConnectionId::from_bytes([7; 16]);

/// A call with everything that one can have.
pub fn call(tenant: TenantId) -> CallEntry {
    call_at(tenant, at(6))
}

/// The same, admitted at a time.
pub fn call_at(tenant: TenantId, at: Timestamp) -> CallEntry {
    CallEntry {
        id: CallId::new_at(at, &SystemRandom).unwrap(),
        tenant,
        at,
        actor: "library".to_owned(),
        kind: CallKind::Action,
        connector: "sample".to_owned(),
        action: Some("größe \0 🔑".to_owned()),
        connection: Some(connection_id()),
        credential: Some(CredentialId::from_bytes([8; 16])),
        outcome: "ok".to_owned(),
        status: Some(200),
        micros: 1234,
        attempts: 2,
        sent: Some(0),
        received: Some(600),
    }
}

/// A test of a connection that ended well, so many seconds after the hour.
pub fn test(connection: &ConnectionRow, seconds: i64) -> TestRow {
    TestRow {
        tenant: connection.tenant,
        connection: connection.id,
        id: CallId::new_at(at(seconds), &SystemRandom).unwrap(),
        at: at(seconds),
        success: true,
        state: Some(HealthState::Healthy),
        finding: None,
        code: None,
        message: "größe \0 🔑".to_owned(),
        latency_ms: 12,
        cause: TestCause::Scheduled,
        actor: "scheduler".to_owned(),
    }
}

/// The mark of the checks' calls.
pub fn mark(seq: u64, call: &CallEntry) -> Mark {
    let hash = sha256(format!("{seq} {call:?}").as_bytes());
    std::array::from_fn(|place| hash[place])
}

/// Calls of one tenant to be written, with a trail whose entry tells the first place and the count.
pub fn call_batch(calls: Vec<CallEntry>) -> CallBatch {
    let tenant = calls[0].tenant;
    let usage = calls.iter().map(|call| UsageRow {
        day: call.at.to_zoned(jiff::tz::TimeZone::UTC).date(),
        connector: call.connector.clone(),
        connection: call.connection,
        actor: call.actor.clone(),
        sums: Sums {
            calls: 1,
            micros: call.micros,
            ..Sums::default()
        },
    });
    CallBatch {
        tenant,
        usage: usage.collect(),
        calls: calls.into(),
        seal: Seal::new(move |first, calls| {
            let marks = (first..).zip(calls).map(|(seq, call)| mark(seq, call)).collect();
            let mut trail = Trail {
                entries: vec![entry(tenant, "calls")],
                ..no_trail()
            };
            trail.entries[0].detail = format!("[{first},{}]", calls.len());
            (marks, trail)
        }),
    }
}

/// All usage of a tenant, by connector.
pub fn usage_filter(tenant: TenantId) -> UsageFilter {
    UsageFilter {
        tenant,
        from: Date::MIN,
        to: Date::MAX,
        connector: None,
        connection: None,
        actor: None,
        by: UsageBy::Connector,
        after: None,
        limit: 1000,
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
pub fn event(subject: &str) -> FeedEvent {
    FeedEvent {
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
