//! Writing a trail: who did what to which row, and what the world hears of it.

use std::{fmt::Display, sync::Arc};

use super::{Actor, AuditEntry, Link, Trail};
use crate::{
    clock::{Clock, Random, Timestamp},
    error::Result,
    event::{EventKind, FeedEvent},
    id::{AuditId, EventId},
    vault::LedgerVault,
};

/// Begins trails. One for the whole program.
#[derive(Clone)]
pub struct Trails {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    vault: Arc<dyn LedgerVault>,
}

impl Trails {
    /// Trails that take time and identifiers from here, and their links from the vault.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>, vault: Arc<dyn LedgerVault>) -> Self {
        Self { clock, random, vault }
    }

    /// Begins the trail of what `actor` does now:
    /// `trails.by(&actor).did("connection.created", id).event(EventKind::ConnectorConnected, id).finish()?`.
    pub fn by<'a>(&'a self, actor: &'a Actor) -> TrailBuilder<'a> {
        TrailBuilder::new(&*self.clock, &*self.random, self.vault.link(actor.tenant), actor)
    }
}

/// A trail being written. All of it happened at one time.
#[must_use = "a trail is written only when it is finished and given to the store"]
pub struct TrailBuilder<'a> {
    clock: &'a dyn Clock,
    random: &'a dyn Random,
    link: Link,
    actor: &'a Actor,
    entries: Vec<Did>,
    events: Vec<(EventKind, String)>,
}

struct Did {
    action: String,
    subject: String,
    detail: serde_json::Value,
}

impl<'a> TrailBuilder<'a> {
    pub(crate) fn new(clock: &'a dyn Clock, random: &'a dyn Random, link: Link, actor: &'a Actor) -> Self {
        Self {
            clock,
            random,
            link,
            actor,
            entries: Vec::new(),
            events: Vec::new(),
        }
    }

    /// An entry: the action in dotted form, and the identifier of the row it was done to.
    pub fn did(mut self, action: &str, subject: impl Display) -> Self {
        self.entries.push(Did {
            action: action.to_owned(),
            subject: subject.to_string(),
            detail: serde_json::json!({}),
        });
        self
    }

    /// More about the entry before: names of fields, never their values.
    ///
    /// # Panics
    /// When there is no entry before.
    pub fn detail(mut self, detail: serde_json::Value) -> Self {
        let entry = self.entries.last_mut().expect("`detail` follows a `did`");
        entry.detail = detail;
        self
    }

    /// An event for the feed, about the row with this identifier.
    pub fn event(mut self, kind: EventKind, subject: impl Display) -> Self {
        self.events.push((kind, subject.to_string()));
        self
    }

    /// The trail, ready for a verb of the store.
    ///
    /// # Errors
    /// When there is no randomness for identifiers.
    pub fn finish(self) -> Result<Trail> {
        let at = self.clock.now();
        let entries = self.entries.into_iter().map(|did| {
            Ok(AuditEntry {
                id: AuditId::new(self.clock, self.random)?,
                tenant: self.actor.tenant,
                at,
                actor: self.actor.name.clone(),
                action: did.action,
                subject: did.subject,
                detail: did.detail.to_string(),
            })
        });
        let events = self
            .events
            .into_iter()
            .map(|(kind, subject)| event(self.clock, self.random, at, kind, subject));
        Ok(Trail {
            entries: entries.collect::<Result<_>>()?,
            events: events.collect::<Result<_>>()?,
            link: self.link,
        })
    }
}

fn event(clock: &dyn Clock, random: &dyn Random, at: Timestamp, kind: EventKind, subject: String) -> Result<FeedEvent> {
    Ok(FeedEvent {
        id: EventId::new(clock, random)?,
        at,
        kind,
        subject,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{GENESIS, chain},
        clock::{SystemRandom, TestClock},
        id::{ConnectionId, TenantId},
        vault::{EnvelopeVault, MasterKey},
    };

    #[test]
    fn a_trail_says_who_did_what_when() {
        let random = Arc::new(SystemRandom);
        let clock = Arc::new(TestClock::at("2026-11-20T09:00:00Z".parse().unwrap()));
        let master = MasterKey::generate(&*random).unwrap();
        let vault = Arc::new(EnvelopeVault::derived(master, random.clone()));
        let trails = Trails::new(clock.clone(), random, vault.clone());
        let actor = Actor::new(TenantId::from_bytes([1; 16]), "key_1");
        let id = ConnectionId::from_bytes([2; 16]);

        let trail = trails
            .by(&actor)
            .did("connection.created", id)
            .detail(serde_json::json!({ "fields": ["token"] }))
            .did("connection.tested", id)
            .event(EventKind::ConnectorConnected, id)
            .finish()
            .unwrap();

        let [created, tested] = &trail.entries[..] else {
            panic!("two entries: {:?}", trail.entries)
        };
        assert_eq!((created.tenant, created.at), (actor.tenant, clock.now()));
        assert_eq!(
            (created.actor.as_str(), created.action.as_str()),
            ("key_1", "connection.created")
        );
        assert_eq!(
            (created.subject.clone(), created.detail.as_str()),
            (id.to_string(), r#"{"fields":["token"]}"#)
        );
        assert_eq!(
            (tested.action.as_str(), tested.detail.as_str()),
            ("connection.tested", "{}")
        );
        assert_ne!(created.id, tested.id);
        assert_eq!(trail.events.len(), 1);
        assert_eq!(
            (trail.events[0].kind, &trail.events[0].subject),
            (EventKind::ConnectorConnected, &id.to_string())
        );

        // A1: the link is the tenant's own, and the same whenever it is asked for.
        let hash = trail.link.hash(&GENESIS, 1, created);
        assert_eq!(hash, vault.link(actor.tenant).hash(&GENESIS, 1, created));
        assert_ne!(
            hash,
            vault.link(TenantId::from_bytes([2; 16])).hash(&GENESIS, 1, created)
        );
        assert_ne!(chain::canonical(1, created), chain::canonical(2, created));
    }
}
