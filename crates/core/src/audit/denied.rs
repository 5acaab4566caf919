//! Denied attempts, written down so that a flood of them cannot fill the disk: the same key at the same place leaves one
//! entry a minute, and a tenant a bounded number of them.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use serde_json::json;

use super::Actor;
use crate::{
    clock::Timestamp,
    connectors::Connectors,
    error::Code,
    id::TenantId,
    limits::{MAX_DENIALS_PER_MINUTE, MAX_DENYING_TENANTS},
};

/// What was written down in this minute.
#[derive(Default)]
pub(crate) struct Denials(Mutex<Minute>);

#[derive(Default)]
struct Minute {
    number: i64,
    seen: HashMap<TenantId, HashSet<(String, String)>>,
}

impl Denials {
    /// Whether this attempt is the first of its kind in this minute, and there is room for its entry.
    pub(crate) fn is_first(&self, by: &Actor, asked: &str, now: Timestamp) -> bool {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.as_second() / 60;
        if minute.number != number {
            *minute = Minute {
                number,
                seen: HashMap::new(),
            };
        }
        if minute.seen.len() >= MAX_DENYING_TENANTS && !minute.seen.contains_key(&by.tenant) {
            return false;
        }
        let seen = minute.seen.entry(by.tenant).or_default();
        seen.len() < MAX_DENIALS_PER_MINUTE && seen.insert((by.name.clone(), asked.to_owned()))
    }
}

impl Connectors {
    /// Writes down that `by` was refused what was `asked`, such as `POST /connections`; at most once a minute for each.
    /// That it cannot be written changes nothing of the refusal, so trouble goes to the log only.
    pub async fn denied(&self, by: &Actor, code: Code, asked: &str) {
        if !self.inner.denials.is_first(by, asked, self.inner.clock.now()) {
            return;
        }
        let detail = json!({ "code": code, "asked": asked });
        let written = match self.trail(by, "access.denied", &by.name, detail, &[]) {
            Ok(trail) => self.inner.store.record(by.tenant, trail).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::warn!(tenant = %by.tenant, ?error, "a denied attempt could not be written down");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SignedDuration;

    #[test]
    fn a3_a_flood_of_denials_is_bounded() {
        let denials = Denials::default();
        let tenant = |number: usize| TenantId::from_bytes((number as u128).to_be_bytes());
        let now: Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
        let (one, other) = (Actor::new(tenant(1), "key_1"), Actor::new(tenant(2), "key_1"));
        assert!(denials.is_first(&one, "GET /a", now));
        assert!(!denials.is_first(&one, "GET /a", now + SignedDuration::from_secs(59)));
        assert!(denials.is_first(&one, "GET /b", now) && denials.is_first(&other, "GET /a", now));
        assert!(denials.is_first(&one, "GET /a", now + SignedDuration::from_secs(60)));

        let later = now + SignedDuration::from_secs(600);
        let of_one = (0..2 * MAX_DENIALS_PER_MINUTE)
            .filter(|n| denials.is_first(&Actor::new(tenant(1), format!("key_{n}")), "GET /a", later));
        assert_eq!(of_one.count(), MAX_DENIALS_PER_MINUTE);
        let of_many =
            (2..2 * MAX_DENYING_TENANTS).filter(|n| denials.is_first(&Actor::new(tenant(*n), "k"), "x", later));
        assert_eq!(of_many.count(), MAX_DENYING_TENANTS - 1, "one tenant is in already");
    }
}
