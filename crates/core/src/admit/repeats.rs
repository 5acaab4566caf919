//! How many repeats there may be: during an outage each call would become several, and so make it longer.
//!
//! A repeat takes one from its tenant's budget, and ten calls add one. A little comes back with time, so that a tenant with
//! few calls has its repeats too.

use std::{collections::HashMap, sync::Mutex};

use crate::{
    clock::Timestamp,
    id::TenantId,
    limits::{CALLS_FOR_A_REPEAT, MAX_REPEATING_TENANTS, MAX_REPEATS, REPEATS_A_MINUTE},
};

/// The budgets of one process.
#[derive(Default)]
pub(crate) struct Repeats(Mutex<HashMap<TenantId, Budget>>);

/// What a tenant has, in parts of which [`CALLS_FOR_A_REPEAT`] are a repeat.
#[derive(Clone, Copy)]
struct Budget {
    parts: u32,
    /// Until when what time brings is counted in.
    since: Timestamp,
    used: Timestamp,
}

/// What time brings at most: so many repeats are there for whoever made no calls.
const FULL_BY_TIME: u32 = REPEATS_A_MINUTE * CALLS_FOR_A_REPEAT;
const MICROS_PER_PART: i64 = 60_000_000 / FULL_BY_TIME as i64;

impl Budget {
    fn new(now: Timestamp) -> Self {
        Self {
            parts: FULL_BY_TIME,
            since: now,
            used: now,
        }
    }

    fn catch_up(&mut self, now: Timestamp) {
        self.used = now;
        let passed = now.as_microsecond() - self.since.as_microsecond();
        let brought = u32::try_from(passed / MICROS_PER_PART).unwrap_or(0);
        if brought > 0 {
            self.since = now;
            self.parts = self.parts.max(self.parts.saturating_add(brought).min(FULL_BY_TIME));
        } else if passed < 0 {
            // The clock was set back.
            self.since = now;
        }
    }
}

impl Repeats {
    /// A call began.
    pub(crate) fn called(&self, tenant: TenantId, now: Timestamp) {
        self.with(tenant, now, |budget| {
            budget.parts = (budget.parts + 1).min(MAX_REPEATS * CALLS_FOR_A_REPEAT);
        });
    }

    /// Takes a repeat, if there is one.
    pub(crate) fn take(&self, tenant: TenantId, now: Timestamp) -> bool {
        self.with(tenant, now, |budget| {
            let left = budget.parts.checked_sub(CALLS_FOR_A_REPEAT);
            budget.parts = left.unwrap_or(budget.parts);
            left.is_some()
        })
    }

    fn with<T>(&self, tenant: TenantId, now: Timestamp, change: impl FnOnce(&mut Budget) -> T) -> T {
        let mut budgets = self.0.lock().expect("nothing panics while counting");
        if budgets.len() >= MAX_REPEATING_TENANTS && !budgets.contains_key(&tenant) {
            let oldest = budgets.iter().min_by_key(|(_, budget)| budget.used);
            if let Some(oldest) = oldest.map(|(tenant, _)| *tenant) {
                budgets.remove(&oldest);
            }
        }
        let budget = budgets.entry(tenant).or_insert_with(|| Budget::new(now));
        budget.catch_up(now);
        change(budget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: TenantId = TenantId::from_bytes([1; 16]);
    const THEIRS: TenantId = TenantId::from_bytes([2; 16]);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn taken(repeats: &Repeats, tenant: TenantId, second: i64) -> u32 {
        (0..10_000)
            .map_while(|_| repeats.take(tenant, at(second)).then_some(1))
            .sum()
    }

    #[test]
    fn l1_repeats_are_a_tenth_of_the_calls() {
        let repeats = Repeats::default();
        assert_eq!(taken(&repeats, OURS, 0), REPEATS_A_MINUTE);
        for _ in 0..500 {
            repeats.called(OURS, at(0));
        }
        assert_eq!(taken(&repeats, OURS, 0), 50);
        assert_eq!(taken(&repeats, THEIRS, 0), REPEATS_A_MINUTE, "each tenant has its own");
        for _ in 0..100_000 {
            repeats.called(OURS, at(0));
        }
        assert_eq!(
            taken(&repeats, OURS, 0),
            MAX_REPEATS,
            "good days are not saved up for ever"
        );
    }

    #[test]
    fn l1_repeats_come_back_with_time_up_to_a_few() {
        let repeats = Repeats::default();
        taken(&repeats, OURS, 100);
        assert_eq!(taken(&repeats, OURS, 101), 0);
        assert_eq!(taken(&repeats, OURS, 90), 0, "a clock that was set back brings nothing");
        assert_eq!(taken(&repeats, OURS, 120), REPEATS_A_MINUTE / 2);
        assert_eq!(taken(&repeats, OURS, 100_000), REPEATS_A_MINUTE);
    }

    #[test]
    fn l1_the_tenants_that_are_remembered_are_bounded() {
        let repeats = Repeats::default();
        for number in 0..=MAX_REPEATING_TENANTS as u128 {
            repeats.called(TenantId::from_bytes(number.to_be_bytes()), at(0));
        }
        assert_eq!(repeats.0.lock().unwrap().len(), MAX_REPEATING_TENANTS);
    }
}
