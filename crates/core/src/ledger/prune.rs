//! Taking out what is old: calls, and the feed.

use serde_json::json;

use super::keep::SUBJECT;
use crate::{
    audit::Actor,
    clock::{SignedDuration, Timestamp},
    connectors::Connectors,
    error::Result,
    id::TenantId,
    limits::{FEED_KEPT, PRUNE_ROWS, TENANTS_AT_ONCE},
};

/// The audit entry of a pruning.
pub(crate) const PRUNED: &str = "calls.pruned";

impl Connectors {
    /// Takes out all calls that were admitted before a time, tenant by tenant and some at a time; says how many. Usage
    /// stays.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn prune_calls(&self, before: Timestamp) -> Result<usize> {
        let (mut pruned, mut after) = (0, None);
        loop {
            let tenants = self.inner.store.calling_tenants(after, TENANTS_AT_ONCE).await?;
            for tenant in &tenants {
                pruned += self.prune_calls_of(*tenant, before).await?;
            }
            if tenants.len() < TENANTS_AT_ONCE {
                return Ok(pruned);
            }
            after = tenants.last().copied();
        }
    }

    async fn prune_calls_of(&self, tenant: TenantId, before: Timestamp) -> Result<usize> {
        let mut pruned = 0;
        loop {
            // From the beginning, as long as they are old: a row between that is not holds those behind it.
            let rows = self.inner.store.calls_in_order(tenant, 0, PRUNE_ROWS).await?;
            let old = rows.iter().take_while(|row| row.entry.at < before);
            let Some(through) = old.last().map(|row| row.seq) else {
                return Ok(pruned);
            };
            let detail = json!({ "through": through, "before": before });
            let trail = self.trail(&Actor::server(tenant), PRUNED, SUBJECT, detail, &[])?;
            pruned += self.inner.store.prune_calls(tenant, through, trail).await?;
        }
    }

    /// Takes out what is old of the feed, some at a time; says how many. Whoever follows it from further back finds a gap.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn prune_feed(&self) -> Result<usize> {
        let kept = SignedDuration::try_from(FEED_KEPT).unwrap_or(SignedDuration::MAX);
        let before = self.inner.clock.now() - kept;
        let mut pruned = 0;
        loop {
            let count = self.inner.store.prune_feed(before, PRUNE_ROWS).await?;
            pruned += count;
            if count < PRUNE_ROWS {
                return Ok(pruned);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        call::{Call, Via},
        clock::{Clock, SystemRandom, TestClock},
        ledger::CallQuery,
        store::MemoryStore,
        usage::UsageQuery,
        vault::MasterKey,
    };

    /// Its one action goes to an address that is refused: a call that leaves its row and nothing else.
    const MANIFEST: &str = "
id: acme
name: Acme
baseUrl: http://10.0.0.1
auth: [{ type: none }]
endpoints: [{ id: look, method: GET, path: /look, auth: none }]
";

    const KEPT: std::time::Duration = std::time::Duration::from_secs(90 * 24 * 60 * 60);

    async fn call(house: &Connectors, by: &Actor) {
        let call = Call {
            connector: Some("acme".to_owned()),
            action: "look".to_owned(),
            input: tieline_manifest::Json::default(),
            via: Via::Nothing,
            idempotency_key: None,
        };
        house.call(by, call).await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn old_calls_are_taken_out_and_what_is_left_verifies() {
        let clock = Arc::new(TestClock::at("2026-08-01T09:00:00Z".parse().unwrap()));
        let house = Connectors::builder()
            .scope("tenant", crate::ScopeRule::Optional)
            .store(MemoryStore::new())
            .clock(clock.clone())
            .key(MasterKey::generate(&SystemRandom).unwrap())
            .manifest(MANIFEST)
            .build()
            .unwrap();
        let tenants = [1, 2].map(|tenant| Actor::new(TenantId::from_bytes([tenant; 16]), "test"));
        // A batch that is old in part, and one that is not.
        for day in 0..4 {
            for by in &tenants {
                call(&house, by).await;
            }
            if day >= 2 {
                house.flush_calls().await.unwrap();
            }
            clock.advance(SignedDuration::from_hours(40 * 24));
        }
        let keeper = {
            let house = house.clone();
            tokio::spawn(async move { house.keep_house(Some(KEPT)).await })
        };
        let left = async |by: &Actor| house.calls(by, CallQuery::default()).await.unwrap().rows.len();
        while left(&tenants[1]).await > 2 {
            tokio::task::yield_now().await;
        }
        keeper.abort();
        for by in &tenants {
            assert_eq!(left(by).await, 2, "those of day 80 and 120, at day 160");
            let verdict = house.verify_ledgers(by.tenant, None).await.unwrap();
            assert_eq!((verdict.tampered, verdict.calls, verdict.pruned), (None, 2, 2));
            let usage = UsageQuery {
                from: Some("2026-08-01".parse().unwrap()),
                to: None,
                by: crate::store::UsageBy::Connector,
                connector: None,
                connection: None,
                actor: None,
                after: None,
                limit: 0,
            };
            assert_eq!(house.usage(by, usage).await.unwrap().rows[0].1.calls, 4, "usage stays");
        }
        // Nothing is pruned before its time, and a batch may lose all of its rows.
        assert_eq!(
            house
                .prune_calls(clock.now() - SignedDuration::from_hours(90 * 24))
                .await
                .unwrap(),
            0
        );
        assert_eq!(house.prune_calls(clock.now()).await.unwrap(), 4);
        call(&house, &tenants[0]).await;
        house.flush_calls().await.unwrap();
        let verdict = house.verify_ledgers(tenants[0].tenant, None).await.unwrap();
        assert_eq!((verdict.tampered, verdict.calls, verdict.pruned), (None, 1, 4));
    }
}
