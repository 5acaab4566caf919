//! Counts of what a process did, for whoever watches it. Cheap enough for every call: an atomic addition each, no lock,
//! and never a tenant's name.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{Code, connectors::Connectors};

/// Upper ends of a histogram's buckets, in seconds: from a call on the same machine to the longest there is.
pub const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0,
];

/// How long things took.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One more than there are ends: the last takes what is longer than all.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

impl Histogram {
    /// Counts one.
    pub fn observe(&self, took: Duration) {
        let place = BUCKETS.partition_point(|end| *end < took.as_secs_f64());
        self.buckets[place].fetch_add(1, Ordering::Relaxed);
        self.micros
            .fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many took no longer than each end of [`BUCKETS`], then all.
    pub fn cumulative(&self) -> [u64; BUCKETS.len() + 1] {
        let mut sum = 0;
        self.buckets.each_ref().map(|bucket| {
            sum += bucket.load(Ordering::Relaxed);
            sum
        })
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// How long they took together, in seconds.
    pub fn seconds(&self) -> f64 {
        Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64()
    }
}

/// A count for each error code.
#[derive(Debug)]
pub struct ByCode([AtomicU64; Code::ALL.len()]);

impl Default for ByCode {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; Code::ALL.len()])
    }
}

impl ByCode {
    /// Counts one.
    pub fn add(&self, code: Code) {
        // Codes are numbered in the order of `ALL`.
        self.0[code as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The codes that occurred, with their counts.
    pub fn counts(&self) -> impl Iterator<Item = (Code, u64)> {
        let counts = Code::ALL.iter().zip(&self.0);
        counts
            .map(|(code, count)| (*code, count.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }
}

/// The calls of one connector in this process.
#[derive(Debug, Default)]
pub struct CallCounts {
    ok: AtomicU64,
    cancelled: AtomicU64,
    failed: ByCode,
    /// How long they took, whatever came of them.
    pub took: Histogram,
}

/// How a call ended: well, or not; nothing when its caller left before the end.
pub(crate) type Ending = Option<Option<Code>>;

impl CallCounts {
    pub(crate) fn add(&self, ending: Ending, took: Duration) {
        match ending {
            None => drop(self.cancelled.fetch_add(1, Ordering::Relaxed)),
            Some(None) => drop(self.ok.fetch_add(1, Ordering::Relaxed)),
            Some(Some(code)) => self.failed.add(code),
        }
        self.took.observe(took);
    }

    /// How many ended how: `ok`, `cancelled`, or an error code.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let ended = [("ok", &self.ok), ("cancelled", &self.cancelled)];
        let ended = ended.map(|(outcome, count)| (outcome, count.load(Ordering::Relaxed)));
        let failed = self.failed.counts().map(|(code, count)| (code.as_str(), count));
        ended.into_iter().filter(|(_, count)| *count > 0).chain(failed)
    }
}

/// What a cache did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Questions answered.
    pub hits: u64,
    /// Questions not answered.
    pub misses: u64,
    /// Entries now.
    pub entries: u64,
}

impl Connectors {
    /// The calls under way now.
    pub fn calls_in_flight(&self) -> usize {
        self.inner.turns.taken()
    }

    /// The caches by name.
    pub fn caches(&self) -> [(&'static str, CacheCounts); 4] {
        [
            ("connections", self.inner.opened.counts()),
            ("credentials", self.inner.lent.counts()),
            ("names", self.inner.names.counts()),
            ("api_keys", self.inner.api_keys.counts()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_up_to_each_end() {
        let histogram = Histogram::default();
        for millis in [1, 2, 100, 101, 200_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let counts = histogram.cumulative();
        let upto = |end: f64| counts[BUCKETS.iter().position(|known| *known == end).unwrap()];
        assert_eq!(
            [upto(0.001), upto(0.0025), upto(0.1), upto(0.25), upto(120.0)],
            [1, 2, 3, 4, 4]
        );
        assert_eq!((counts[BUCKETS.len()], histogram.count()), (5, 5));
        assert!((histogram.seconds() - 200.204).abs() < 1e-9);
    }

    #[test]
    fn every_code_has_a_count_of_its_own() {
        let codes = ByCode::default();
        for (times, code) in Code::ALL.iter().enumerate() {
            (0..times).for_each(|_| codes.add(*code));
        }
        let expected = Code::ALL.iter().copied().zip(0..).skip(1);
        assert!(codes.counts().eq(expected));
    }

    #[test]
    fn a_call_is_counted_under_its_ending() {
        let calls = CallCounts::default();
        let took = Duration::from_millis(3);
        for ending in [None, Some(None), Some(None), Some(Some(Code::UpstreamTimeout))] {
            calls.add(ending, took);
        }
        let outcomes: Vec<_> = calls.outcomes().collect();
        assert_eq!(outcomes, [("ok", 2), ("cancelled", 1), ("UPSTREAM_TIMEOUT", 1)]);
        assert_eq!(calls.took.count(), 4);
    }
}
