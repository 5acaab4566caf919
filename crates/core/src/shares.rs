//! A supply that many draw from: bounded as a whole, and for each of them, so that nobody takes it all.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The supply, shared out by `K`. Clones share one supply.
pub struct Shares<K>(Arc<Supply<K>>);

struct Supply<K> {
    all: usize,
    each: usize,
    taken: Mutex<Taken<K>>,
}

struct Taken<K> {
    /// What everybody holds, each counted up to their part.
    all: usize,
    by: HashMap<K, usize>,
}

/// What somebody drew; given back on drop.
pub struct Share<K: Eq + Hash + Clone> {
    by: K,
    units: usize,
    supply: Arc<Supply<K>>,
}

impl<K> Clone for Shares<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> fmt::Debug for Shares<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shares")
            .field("all", &self.0.all)
            .field("each", &self.0.each)
            .finish_non_exhaustive()
    }
}

impl<K: Eq + Hash + Clone> fmt::Debug for Share<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share")
            .field("units", &self.units)
            .finish_non_exhaustive()
    }
}

impl<K: Eq + Hash + Clone> Shares<K> {
    /// A supply of so many units, and how many of them each may hold at once.
    pub fn new(all: usize, each: usize) -> Self {
        let taken = Taken {
            all: 0,
            by: HashMap::new(),
        };
        Self(Arc::new(Supply {
            all,
            each,
            taken: Mutex::new(taken),
        }))
    }

    /// A share at once or not at all: waiting would only hide that there is too much to do.
    pub fn take(&self, by: K, units: usize) -> Option<Share<K>> {
        self.0.draw(&by, units).then(|| Share {
            by,
            units,
            supply: self.0.clone(),
        })
    }

    /// A share of what is there already and cannot be refused. Whoever draws beyond their part gets no other until they
    /// gave it back.
    pub fn count(&self, by: K, units: usize) -> Share<K> {
        let mut taken = self.0.taken();
        let held = taken.held(&by);
        taken.hold(&by, held.saturating_add(units), self.0.each);
        drop(taken);
        Share {
            by,
            units,
            supply: self.0.clone(),
        }
    }

    /// What everybody holds together.
    pub fn held(&self) -> usize {
        self.0.taken().all
    }

    /// Whether there is nothing left for them. Who holds nothing is never kept out by what the others hold.
    pub fn is_spent(&self, by: K) -> bool {
        let taken = self.0.taken();
        let held = taken.held(&by);
        held >= self.0.each || (held > 0 && taken.all >= self.0.all)
    }
}

impl<K: Eq + Hash + Clone> Supply<K> {
    fn draw(&self, by: &K, units: usize) -> bool {
        let mut taken = self.taken();
        let held = taken.held(by);
        if taken.all.saturating_add(units) > self.all || held.saturating_add(units) > self.each {
            return false;
        }
        taken.hold(by, held + units, self.each);
        true
    }
}

impl<K: Eq + Hash + Clone> Share<K> {
    /// Who drew it.
    pub fn by(&self) -> K {
        self.by.clone()
    }

    /// Makes it at least so large; says whether there was enough for that.
    pub fn grow(&mut self, units: usize) -> bool {
        let more = units.saturating_sub(self.units);
        let drawn = more == 0 || self.supply.draw(&self.by, more);
        if drawn {
            self.units += more;
        }
        drawn
    }
}

impl<K> Supply<K> {
    fn taken(&self) -> MutexGuard<'_, Taken<K>> {
        // Counts are changed in one go, so a panic elsewhere left them whole.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone> Taken<K> {
    fn held(&self, by: &K) -> usize {
        self.by.get(by).copied().unwrap_or(0)
    }

    /// What somebody holds beyond their part counts for them and not for all: it must not keep the others out.
    fn hold(&mut self, by: &K, units: usize, each: usize) {
        self.all = self.all - self.held(by).min(each) + units.min(each);
        if units == 0 {
            self.by.remove(by);
        } else if let Some(held) = self.by.get_mut(by) {
            *held = units;
        } else {
            self.by.insert(by.clone(), units);
        }
    }
}

impl<K: Eq + Hash + Clone> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.supply.taken();
        let held = taken.held(&self.by);
        taken.hold(&self.by, held.saturating_sub(self.units), self.supply.each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_bounded_as_a_whole_and_for_each_and_comes_back() {
        let shares = Shares::new(10, 6);
        let first = shares.take("one", 6).unwrap();
        assert!(shares.take("one", 1).is_none(), "more than one may hold");
        let second = shares.take("two", 4).unwrap();
        assert!(shares.take("two", 1).is_none(), "more than there is");
        assert!(shares.take("three", usize::MAX).is_none());
        drop(first);
        assert!(shares.take("two", 2).is_some() && shares.take("one", 6).is_some());
        let mut grown = shares.take("three", 1).unwrap();
        assert!(
            grown.grow(6) && grown.grow(2) && !grown.grow(7),
            "it grows to what each may hold, and never shrinks"
        );
        assert!(shares.take("one", 1).is_none(), "what it grew by was drawn");
        drop(second);
        let little = shares.take("one", 1).unwrap();
        let beyond = shares.count("two", 9);
        assert!(
            shares.is_spent("two") && shares.is_spent("one"),
            "six, one and their own six, of ten"
        );
        assert!(!shares.is_spent("four"), "whoever holds nothing is not kept out");
        assert!(shares.take("four", 1).is_none(), "and gets no more than there is");
        drop(grown);
        assert!(shares.is_spent("two") && shares.take("two", 1).is_none());
        assert!(
            !shares.is_spent("one") && shares.take("one", 3).is_some(),
            "what is beyond a part keeps nobody out"
        );
        drop((beyond, little));
        let taken = shares.0.taken();
        assert_eq!((taken.all, taken.by.len()), (0, 0), "nobody is remembered for nothing");
    }
}
