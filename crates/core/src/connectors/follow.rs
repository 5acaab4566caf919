//! Following the feed, so that caches forget what other processes changed.

use std::str::FromStr;

use tokio::time::Instant;

use super::Connectors;
use crate::{
    error::{Code, Error},
    event::EventKind,
    id::{ApiKeyId, ConnectionId, CredentialId, SessionId, UserId},
    limits::{FEED_BATCH, FEED_INTERVAL, FEED_SILENCE},
    store::FeedRow,
};

impl Connectors {
    /// Follows the feed for ever: a program that runs for long spawns it, one that shares its store must. A change is seen at once when the
    /// store can tell of it, and within [`FEED_INTERVAL`] otherwise. While the feed cannot be read for longer than
    /// [`FEED_SILENCE`], caches are kept cold.
    pub async fn follow(&self) {
        let mut place = None;
        let mut heard = Instant::now();
        self.inner.heard.follow();
        loop {
            let read = tokio::time::timeout(FEED_SILENCE, self.read_feed(&mut place)).await;
            match read.unwrap_or_else(|_| Err(silent())) {
                Ok(()) => {
                    heard = Instant::now();
                    self.inner.heard.now();
                }
                Err(error) => {
                    tracing::warn!(code = %error.code(), "the feed cannot be read");
                    if heard.elapsed() >= FEED_SILENCE {
                        self.forget_everything();
                    }
                }
            }
            let moved = self.inner.store.feed_moved();
            // Time out on purpose: a hint may be lost, and a hint that never comes must not stop us from looking.
            let _ = tokio::time::timeout(FEED_INTERVAL, moved).await;
        }
    }

    pub(crate) async fn read_feed(&self, place: &mut Option<u64>) -> crate::Result<()> {
        let Some(after) = *place else {
            // What was cached before the first look may be older than the feed's end.
            *place = Some(self.inner.store.feed_end().await?);
            self.forget_everything();
            return Ok(());
        };
        let mut after = after;
        loop {
            let rows = self.inner.store.read_feed(after, FEED_BATCH).await?;
            if self.fell_behind(after, &rows).await? {
                self.forget_everything();
            }
            for row in &rows {
                self.forget(row).await?;
                after = row.seq;
            }
            *place = Some(after);
            if rows.len() < FEED_BATCH {
                return Ok(());
            }
        }
    }

    /// Whether changes behind `after` were pruned before they were read. Places alone do not tell, because they may leave
    /// gaps; that nothing older is left does.
    async fn fell_behind(&self, after: u64, rows: &[FeedRow]) -> crate::Result<bool> {
        match rows.first() {
            Some(first) if first.seq > after + 1 => Ok(self.inner.store.feed_start().await? >= first.seq),
            _ => Ok(false),
        }
    }

    /// Forgets the one row that changed, never more: what one tenant does must not cool the caches of others.
    async fn forget(&self, row: &FeedRow) -> crate::Result<()> {
        match row.kind {
            // Nothing is kept of what was not there before.
            Some(
                EventKind::TenantCreated
                | EventKind::TenantRenamed
                | EventKind::ApiKeyCreated
                | EventKind::CredentialCreated
                | EventKind::UserCreated
                | EventKind::MemberInvited
                | EventKind::MemberAdded
                | EventKind::SessionCreated
                // These stand in no feed.
                | EventKind::ActionStarted
                | EventKind::ActionCompleted
                | EventKind::ActionFailed
                | EventKind::OauthStarted
                | EventKind::OauthFailed
                | EventKind::WebhookReceived
                | EventKind::WebhookProcessed
                | EventKind::WebhookFailed
                | EventKind::AdapterGet
                | EventKind::AdapterList
                | EventKind::AdapterUpsert
                | EventKind::AdapterUpdate
                | EventKind::AdapterDelete
                | EventKind::ErrorOccurred,
            ) => return Ok(()),
            Some(EventKind::TenantDeleted) => {
                self.forget_tenant(row.tenant);
                return Ok(());
            }
            Some(
                EventKind::ConnectorConnected
                | EventKind::ConnectorDisconnected
                | EventKind::ConnectorEnabled
                | EventKind::ConnectorDisabled
                | EventKind::ConnectorUpdated
                | EventKind::ConnectorHealthChanged
                | EventKind::CredentialUpdated
                | EventKind::CredentialRotated
                | EventKind::CredentialDeleted
                | EventKind::CredentialExpiring
                | EventKind::CredentialExpired
                | EventKind::ApiKeyUpdated
                | EventKind::ApiKeyRevoked
                | EventKind::UserUpdated
                | EventKind::MemberUpdated
                | EventKind::MemberRemoved
                | EventKind::SessionEnded
                | EventKind::OauthCompleted
                | EventKind::OauthRefreshed,
            )
            | None => {}
        }
        if let Ok(connection) = ConnectionId::from_str(&row.subject) {
            self.inner.opened.forget(row.tenant, &connection);
        } else if let Ok(credential) = CredentialId::from_str(&row.subject) {
            self.inner.lent.forget(row.tenant, &credential);
        } else if let Ok(key) = ApiKeyId::from_str(&row.subject) {
            self.forget_api_key(row.tenant, key).await?;
        } else if let Ok(user) = UserId::from_str(&row.subject) {
            self.inner.sessions.forget_user(user);
            self.inner.sessions.forget_member(row.tenant, user);
        } else if let Ok(session) = SessionId::from_str(&row.subject) {
            self.forget_session(row.tenant, session).await?;
        }
        Ok(())
    }

    fn forget_everything(&self) {
        self.inner.opened.clear();
        self.inner.lent.clear();
        self.inner.api_keys.clear();
        self.inner.sessions.clear();
    }
}

fn silent() -> Error {
    Error::new(Code::ConnectorDatabaseFailed, "The feed did not answer in time.")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        api_key::{ApiKeyPatch, CreatedApiKey, NewApiKey, Permissions},
        audit::Actor,
        clock::SystemRandom,
        id::TenantId,
        store::{MemoryStore, Store},
        vault::MasterKey,
    };

    /// Two processes over one store.
    fn houses() -> (Connectors, Connectors, Arc<dyn Store>) {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let key = MasterKey::generate(&SystemRandom).unwrap().to_text();
        let house = || {
            let key = MasterKey::parse(key.reveal()).unwrap();
            Connectors::builder()
                .scope("tenant", crate::ScopeRule::Optional)
                .connectors([])
                .shared_store(store.clone())
                .key(key)
                .build()
                .unwrap()
        };
        (house(), house(), store)
    }

    async fn key(house: &Connectors, by: &Actor) -> CreatedApiKey {
        let new = NewApiKey {
            name: "key".to_owned(),
            permissions: Permissions::new(),
            expires_at: None,
            environment: None,
            allowed_networks: None,
        };
        house.create_api_key(by, new).await.unwrap()
    }

    #[tokio::test]
    async fn t6_a_tenants_keys_cool_no_others_cache() {
        let (one, two, store) = houses();
        let [alice, bob] = [1, 2].map(|tenant| Actor::new(TenantId::from_bytes([tenant; 16]), "test"));
        let (alices, bobs) = (key(&one, &alice).await, key(&one, &bob).await);
        let warm = async |house: &Connectors| {
            let before = store.statements();
            house.authenticate(bobs.text.reveal(), "GET /x").await.unwrap();
            store.statements() == before
        };
        let mut place = None;
        two.read_feed(&mut place).await.unwrap();
        for house in [&one, &two] {
            house.authenticate(bobs.text.reveal(), "GET /x").await.unwrap();
            house.authenticate(alices.text.reveal(), "GET /x").await.unwrap();
        }
        // What changes nothing, a new key and a revocation: none of it is bob's business, in neither process.
        key(&one, &alice).await;
        for _ in 0..2 {
            one.revoke_api_key(&alice, alices.key.id).await.unwrap();
            two.read_feed(&mut place).await.unwrap();
            assert!(warm(&one).await && warm(&two).await);
        }
        for house in [&one, &two] {
            assert!(
                house.authenticate(alices.text.reveal(), "GET /x").await.is_err(),
                "K1: revoked"
            );
        }
    }

    #[tokio::test]
    async fn a_follower_that_fell_behind_the_feed_is_cold() {
        let (one, two, store) = houses();
        let [alice, bob] = [1, 2].map(|tenant| Actor::new(TenantId::from_bytes([tenant; 16]), "test"));
        let (alices, bobs) = (key(&one, &alice).await, key(&one, &bob).await);
        let mut place = None;
        two.read_feed(&mut place).await.unwrap();
        for key in [&alices, &bobs] {
            two.authenticate(key.text.reveal(), "GET /x").await.unwrap();
        }
        one.revoke_api_key(&alice, alices.key.id).await.unwrap();
        key(&one, &alice).await;
        // The revocation is gone before the other process has read it.
        let later = one.inner.clock.now() + crate::clock::SignedDuration::from_secs(1);
        assert_eq!(store.prune_feed(later, 100).await.unwrap(), 3);
        two.read_feed(&mut place).await.unwrap();
        two.authenticate(alices.text.reveal(), "GET /x").await.unwrap_err();
        two.authenticate(bobs.text.reveal(), "GET /x").await.unwrap();
    }

    #[tokio::test]
    async fn k1_a_lowered_key_is_lowered_in_every_process() {
        let (one, two, _) = houses();
        let alice = Actor::new(TenantId::from_bytes([1; 16]), "test");
        let made = key(&one, &alice).await;
        let mut place = None;
        two.read_feed(&mut place).await.unwrap();
        let seen = two.authenticate(made.text.reveal(), "GET /x").await.unwrap();
        let patch = ApiKeyPatch {
            permissions: Some([("catalog:read".to_owned(), true)].into()),
            ..ApiKeyPatch::default()
        };
        let changed = one.update_api_key(&alice, &made.key, patch.clone()).await.unwrap();
        two.read_feed(&mut place).await.unwrap();
        let now = two.authenticate(made.text.reveal(), "GET /x").await.unwrap();
        assert_eq!((seen.permissions.len(), &now.permissions), (0, &changed.permissions));
        // What was judged is what is changed: a version that passed changes nothing more.
        let patch = ApiKeyPatch {
            name: Some("late".to_owned()),
            ..patch
        };
        let late = one.update_api_key(&alice, &made.key, patch).await.unwrap_err();
        assert_eq!(late.code(), Code::ConnectionConflict);
    }
}
