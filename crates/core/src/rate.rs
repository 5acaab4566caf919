//! How often something may happen: buckets that drain evenly, counted in memory and in whole numbers.
//!
//! What is counted is forgotten when the process ends. Of processes that share a store each counts with its share of a
//! limit, so that all of them together keep it and nobody is asked.

mod gate;

pub use gate::RateLimits;
pub(crate) use gate::{PerConnection, RateGate};

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::clock::{SignedDuration, Timestamp};

/// What one request adds to a bucket. A limit of N requests a minute takes N away each microsecond, so nothing is ever
/// rounded.
const REQUEST: u64 = 60_000_000;

/// So many requests a minute, and so many of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    per_minute: u32,
    burst: u32,
}

impl Limit {
    /// So many a minute, which may come all at once. None is no limit.
    pub fn per_minute(requests: u32) -> Option<Self> {
        Self::with_burst(requests, requests)
    }

    /// So many a minute, and so many at once.
    pub fn with_burst(requests: u32, burst: u32) -> Option<Self> {
        (requests > 0 && burst > 0).then_some(Self {
            per_minute: requests,
            burst,
        })
    }

    /// How many may come at once.
    pub fn burst(self) -> u32 {
        self.burst
    }

    /// What falls to one of so many that share it, rounded down, and never nothing.
    #[must_use]
    pub fn share(self, among: u32) -> Self {
        let share = |whole: u32| (whole / among.max(1)).max(1);
        Self {
            per_minute: share(self.per_minute),
            burst: share(self.burst),
        }
    }

    fn room(self) -> u64 {
        u64::from(self.burst) * REQUEST
    }

    /// How long it takes until so much has drained.
    fn drains(self, owed: u64) -> Duration {
        Duration::from_micros(owed.div_ceil(u64::from(self.per_minute)))
    }
}

/// How somebody stands with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many requests may come at once.
    pub limit: u32,
    /// How many may come now.
    pub remaining: u32,
    /// In how long all of them may come again.
    pub reset: Duration,
    /// When that is.
    pub reset_at: Timestamp,
}

/// A request that was one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// How the sender stands.
    pub standing: Standing,
    /// In how long the next one may come.
    pub wait: Duration,
}

/// The buckets of many, by `K`. Which stood still for longest is forgotten when there are too many.
pub struct Rates<K> {
    capacity: usize,
    processes: Processes,
    buckets: Mutex<HashMap<K, Bucket>>,
}

/// How many processes share every limit. Clones are one.
#[derive(Clone)]
struct Processes(Arc<AtomicU32>);

impl Default for Processes {
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(1)))
    }
}

impl Processes {
    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets how many there are, and answers how many there were.
    fn set(&self, count: u32) -> u32 {
        self.0.swap(count.max(1), Ordering::Relaxed)
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    owed: u64,
    /// When that was so.
    at: Timestamp,
    /// Nothing passes before.
    held_until: Timestamp,
}

impl<K: Hash + Eq + Clone> Rates<K> {
    /// No buckets yet, and at most so many. Limits are not shared with anybody.
    pub fn new(capacity: usize) -> Self {
        Self::shared(capacity, &Processes::default())
    }

    /// The same, for limits that so many processes share.
    fn shared(capacity: usize, processes: &Processes) -> Self {
        Self {
            capacity: capacity.max(2),
            processes: processes.clone(),
            buckets: Mutex::default(),
        }
    }

    /// Counts a request that is within this process's share of the limit, and refuses any other without counting it.
    ///
    /// # Errors
    /// How long to wait.
    pub fn take<Q>(&self, key: &Q, limit: Limit, now: Timestamp) -> Result<Standing, Spent>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let limit = limit.share(self.processes.count());
        self.with(key, now, |bucket| bucket.take(limit, now))
    }

    /// Takes back a request that was counted and came to nothing.
    pub fn give_back<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(bucket) = self.buckets().get_mut(key) {
            bucket.owed = bucket.owed.saturating_sub(REQUEST);
        }
    }

    /// Lets nothing pass for so long.
    pub fn hold<Q>(&self, key: &Q, pause: Duration, now: Timestamp)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let until = after(now, pause);
        self.with(key, now, |bucket| bucket.held_until = bucket.held_until.max(until));
    }

    /// For how long nothing passes.
    pub fn held<Q>(&self, key: &Q, now: Timestamp) -> Option<Duration>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let until = self.buckets().get(key)?.held_until;
        (until > now).then(|| Duration::try_from(until.duration_since(now)).unwrap_or_default())
    }

    fn with<Q, T>(&self, key: &Q, now: Timestamp, change: impl FnOnce(&mut Bucket) -> T) -> T
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let mut buckets = self.buckets();
        if let Some(bucket) = buckets.get_mut(key) {
            return change(bucket);
        }
        if buckets.len() >= self.capacity {
            forget_half(&mut buckets);
        }
        let mut bucket = Bucket {
            owed: 0,
            at: now,
            held_until: now,
        };
        let changed = change(&mut bucket);
        buckets.insert(key.to_owned(), bucket);
        changed
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<K, Bucket>> {
        // A bucket is changed in one go, so a panic elsewhere left it whole.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Half at a time: looking through all of them for each newcomer would be slow when there are many.
fn forget_half<K: Hash + Eq + Clone>(buckets: &mut HashMap<K, Bucket>) {
    let last = |bucket: &Bucket| bucket.at.max(bucket.held_until);
    let mut times: Vec<(Timestamp, K)> = buckets
        .iter()
        .map(|(key, bucket)| (last(bucket), key.clone()))
        .collect();
    let half = times.len() / 2;
    times.select_nth_unstable_by_key(half, |(time, _)| *time);
    for (_, key) in &times[..half] {
        buckets.remove(key);
    }
}

impl Bucket {
    fn take(&mut self, limit: Limit, now: Timestamp) -> Result<Standing, Spent> {
        // A clock that was put back takes nothing away, and is not waited for.
        let passed = now.duration_since(self.at).as_micros().max(0);
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        let drained = passed.saturating_mul(limit.per_minute.into());
        (self.owed, self.at) = (self.owed.saturating_sub(drained), now);
        let over = (self.owed + REQUEST).saturating_sub(limit.room());
        if over == 0 {
            self.owed += REQUEST;
            return Ok(self.standing(limit));
        }
        Err(Spent {
            standing: self.standing(limit),
            wait: limit.drains(over),
        })
    }

    fn standing(&self, limit: Limit) -> Standing {
        let free = limit.room().saturating_sub(self.owed) / REQUEST;
        let reset = limit.drains(self.owed);
        Standing {
            limit: limit.burst,
            remaining: u32::try_from(free).unwrap_or(u32::MAX),
            reset,
            reset_at: after(self.at, reset),
        }
    }
}

fn after(now: Timestamp, pause: Duration) -> Timestamp {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_microsecond(1_800_000_000_000_000 + micros).unwrap()
    }

    fn passes(rates: &Rates<u32>, key: u32, limit: Limit, now: Timestamp) -> bool {
        rates.take(&key, limit, now).is_ok()
    }

    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_limit_is_exact_to_the_microsecond() {
        let rates = Rates::new(10);
        // Seven a minute: one every 8 571 428.57 microseconds, which no whole number of them is.
        let limit = Limit::per_minute(7).unwrap();
        assert!((0..7).all(|_| passes(&rates, 1, limit, at(0))));
        let spent = rates.take(&1, limit, at(0)).unwrap_err();
        assert_eq!(spent.wait, Duration::from_micros(8_571_429));
        assert_eq!(
            (spent.standing.remaining, spent.standing.reset_at),
            (0, at(60 * SECOND))
        );
        assert!(!passes(&rates, 1, limit, at(8_571_428)) && passes(&rates, 1, limit, at(8_571_429)));
        // Over ten thousand minutes not one more or less comes through, however often it is tried.
        let mut passed = 0;
        for step in 1..=10_000_i64 * 21 {
            let now = at(8_571_429 + step * 60 * SECOND / 21);
            passed += u32::from(passes(&rates, 1, limit, now));
            assert!(!passes(&rates, 1, limit, now));
        }
        assert_eq!(passed, 70_000);
    }

    #[test]
    fn a_share_is_rounded_down_and_never_nothing() {
        let share = |per_minute, burst, among| {
            let share = Limit::with_burst(per_minute, burst).unwrap().share(among);
            (share.per_minute, share.burst)
        };
        assert_eq!(share(100, 10, 3), (33, 3));
        assert_eq!(share(2, 7, 4), (1, 1));
        assert_eq!(share(u32::MAX, 5, 0), (u32::MAX, 5), "nobody shares with none");
        for (limit, among) in [(6000, 7), (60, 60), (5, 3)] {
            assert!(share(limit, limit, among).0 * among <= limit);
        }
    }

    #[test]
    fn processes_together_let_through_what_one_would() {
        let limit = Limit::per_minute(60).unwrap();
        let processes = Processes::default();
        let [one, two]: [Rates<u32>; 2] = [Rates::shared(10, &processes), Rates::shared(10, &processes)];
        assert_eq!(processes.set(2), 1);
        let both = |tenth: i64| [&one, &two].map(|rates| passes(rates, 1, limit, at(tenth * SECOND / 10)));
        let passed = |tenths: std::ops::Range<i64>| tenths.flat_map(both).filter(|passed| *passed).count();
        assert_eq!(
            passed(0..1) + passed(1..600),
            60 + 58,
            "the burst at once, and then evenly"
        );
        assert_eq!(passed(600..1200), 60);
        // The other is gone: who is left has the whole of it at once.
        assert_eq!(processes.set(1), 2);
        assert_eq!((0..100).filter(|_| passes(&one, 2, limit, at(0))).count(), 60);
    }

    #[test]
    fn tells_how_one_stands() {
        let rates = Rates::new(10);
        let limit = Limit::with_burst(60, 3).unwrap();
        let standing = rates.take(&1, limit, at(0)).unwrap();
        assert_eq!(
            (standing.limit, standing.remaining, standing.reset),
            (3, 2, Duration::from_secs(1))
        );
        assert_eq!(rates.take(&1, limit, at(0)).unwrap().remaining, 1);
        assert_eq!(rates.take(&1, limit, at(0)).unwrap().remaining, 0);
        assert_eq!(rates.take(&1, limit, at(2 * SECOND)).unwrap().remaining, 1);
        assert_eq!(
            rates.take(&2, limit, at(0)).unwrap().remaining,
            2,
            "another's is another's"
        );
        assert_eq!((Limit::per_minute(0), Limit::with_burst(1, 0)), (None, None));
    }

    #[test]
    fn a_clock_that_is_put_back_locks_nobody_out() {
        let rates = Rates::new(10);
        let limit = Limit::per_minute(60).unwrap();
        assert!(passes(&rates, 1, Limit::with_burst(60, 1).unwrap(), at(3600 * SECOND)));
        assert!(!passes(&rates, 1, Limit::with_burst(60, 1).unwrap(), at(0)));
        assert!(passes(&rates, 1, Limit::with_burst(60, 1).unwrap(), at(SECOND)));
        // Nor does a limit that was lowered meanwhile.
        assert!((0..60).all(|_| passes(&rates, 2, limit, at(0))));
        let spent = rates.take(&2, Limit::per_minute(1).unwrap(), at(0)).unwrap_err();
        assert_eq!((spent.standing.remaining, spent.wait), (0, Duration::from_secs(3600)));
    }

    #[test]
    fn who_is_held_waits() {
        let rates = Rates::new(10);
        assert_eq!(rates.held(&1, at(0)), None);
        rates.hold(&1, Duration::from_secs(7), at(0));
        rates.hold(&1, Duration::from_secs(3), at(0));
        assert_eq!(rates.held(&1, at(SECOND)), Some(Duration::from_secs(6)));
        assert_eq!((rates.held(&1, at(7 * SECOND)), rates.held(&2, at(0))), (None, None));
    }

    #[test]
    fn is_bounded_and_forgets_who_stood_still() {
        let rates = Rates::new(100);
        let limit = Limit::per_minute(1).unwrap();
        rates.hold(&7, Duration::from_secs(3600), at(0));
        for key in 100..1000 {
            assert!(passes(&rates, key, limit, at(i64::from(key))));
            assert!(rates.buckets().len() <= 100);
        }
        assert!(!passes(&rates, 999, limit, at(1000)), "the latest are remembered");
        assert!(rates.held(&7, at(1000)).is_some(), "and so is who is held");
    }
}
