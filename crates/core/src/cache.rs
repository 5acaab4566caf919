//! A bounded cache that a slow reader cannot poison.
//!
//! Entries are kept until they are forgotten or crowded out. Whoever loads a row takes a [`Ticket`] *before* reading it:
//! when the row is forgotten while the reading is under way, the insert is refused, because what was read may be the old
//! row and nobody would forget it a second time.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, Mutex, MutexGuard},
};

use crate::{id::TenantId, metrics::CacheCounts};

/// Shards of a large cache. Threads meet in one only by chance.
const SHARDS: usize = 16;

/// A cache smaller than this has one shard, so that its capacity is exact.
const SMALLEST_SHARDED: usize = 1024;

/// Counters of forgotten keys per shard. Two keys that share one only make each other load again.
const GENERATIONS: usize = 64;

/// A cache of `V` by tenant and `K`. Two tenants never share an entry, whatever their keys.
pub struct Cache<K, V> {
    hasher: RandomState,
    shards: Vec<Mutex<Shard<K, V>>>,
}

/// The right to insert what is about to be loaded.
pub struct Ticket<K> {
    tenant: TenantId,
    key: K,
    hash: u64,
    generation: u64,
}

struct Shard<K, V> {
    capacity: usize,
    index: HashMap<TenantId, HashMap<K, usize>>,
    slots: Vec<Option<Slot<K, V>>>,
    free: Vec<usize>,
    hand: usize,
    generations: [u64; GENERATIONS],
    hits: u64,
    misses: u64,
}

struct Slot<K, V> {
    tenant: TenantId,
    key: K,
    value: Arc<V>,
    /// Used since the hand last passed: it gets a second chance.
    used: bool,
}

impl<K: Hash + Eq + Clone, V> Cache<K, V> {
    /// An empty cache of at most `capacity` entries (rounded up to a multiple of the shards when large).
    pub fn new(capacity: usize) -> Self {
        let shards = if capacity < SMALLEST_SHARDED { 1 } else { SHARDS };
        let each = capacity.div_ceil(shards).max(1);
        Self {
            hasher: RandomState::new(),
            shards: (0..shards).map(|_| Mutex::new(Shard::new(each))).collect(),
        }
    }

    /// The entry, if it is there.
    pub fn get<Q>(&self, tenant: TenantId, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shard(self.hash(tenant, key)).get(tenant, key)
    }

    /// To be taken before the row is loaded.
    pub fn ticket<Q>(&self, tenant: TenantId, key: &Q) -> Ticket<K>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hash(tenant, key);
        Ticket {
            tenant,
            key: key.to_owned(),
            hash,
            generation: *self.shard(hash).generation(hash),
        }
    }

    /// Keeps what was loaded, unless its key was forgotten since the ticket was taken. Says whether it was kept.
    pub fn insert(&self, ticket: Ticket<K>, value: Arc<V>) -> bool {
        let mut shard = self.shard(ticket.hash);
        if *shard.generation(ticket.hash) != ticket.generation {
            return false;
        }
        let displaced = shard.insert(ticket.tenant, ticket.key, value);
        // What left is dropped after the lock: it may be large, or overwrite itself.
        drop(shard);
        drop(displaced);
        true
    }

    /// Drops the entry, and refuses whatever of it is being loaded just now.
    pub fn forget<Q>(&self, tenant: TenantId, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hash(tenant, key);
        let mut shard = self.shard(hash);
        *shard.generation(hash) += 1;
        let removed = shard.remove(tenant, key);
        drop(shard);
        drop(removed);
    }

    /// Drops the entries that fit, and refuses whatever is being loaded just now, of others too: those load it once more.
    /// Goes through all entries, so it is for what happens seldom.
    pub fn forget_where(&self, fits: impl Fn(TenantId, &V) -> bool) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.generations.iter_mut().for_each(|generation| *generation += 1);
            let held = shard
                .slots
                .iter()
                .flatten()
                .filter(|slot| fits(slot.tenant, &slot.value));
            let going: Vec<_> = held.map(|slot| (slot.tenant, slot.key.clone())).collect();
            let removed: Vec<_> = going.iter().map(|(tenant, key)| shard.remove(*tenant, key)).collect();
            drop(shard);
            drop(removed);
        }
    }

    /// Drops everything, and refuses whatever is being loaded just now.
    pub fn clear(&self) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.generations.iter_mut().for_each(|generation| *generation += 1);
            let removed = (std::mem::take(&mut shard.index), std::mem::take(&mut shard.slots));
            shard.free.clear();
            shard.hand = 0;
            drop(shard);
            drop(removed);
        }
    }

    /// What it did so far.
    pub fn counts(&self) -> CacheCounts {
        self.shards.iter().fold(CacheCounts::default(), |sum, shard| {
            let shard = lock(shard);
            CacheCounts {
                hits: sum.hits + shard.hits,
                misses: sum.misses + shard.misses,
                entries: sum.entries + (shard.slots.len() - shard.free.len()) as u64,
            }
        })
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        let held = |shard: &Mutex<Shard<K, V>>| {
            let shard = lock(shard);
            shard.slots.len() - shard.free.len()
        };
        self.shards.iter().map(held).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn hash<Q: Hash + ?Sized>(&self, tenant: TenantId, key: &Q) -> u64 {
        self.hasher.hash_one((tenant, key))
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard<K, V>> {
        lock(&self.shards[(hash % self.shards.len() as u64) as usize])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic while holding a shard of a cache")
}

impl<K: Hash + Eq + Clone, V> Shard<K, V> {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            index: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            hand: 0,
            generations: [0; GENERATIONS],
            hits: 0,
            misses: 0,
        }
    }

    fn generation(&mut self, hash: u64) -> &mut u64 {
        // The low bits chose the shard.
        &mut self.generations[(hash >> 32) as usize % GENERATIONS]
    }

    fn get<Q>(&mut self, tenant: TenantId, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let place = self.index.get(&tenant).and_then(|keys| keys.get(key));
        let slot = place.and_then(|place| self.slots[*place].as_mut());
        // Counted here, where the shard is locked anyway.
        match slot {
            Some(slot) => {
                self.hits += 1;
                slot.used = true;
                Some(Arc::clone(&slot.value))
            }
            None => {
                self.misses += 1;
                None
            }
        }
    }

    /// Puts an entry in; answers what had to leave for it.
    fn insert(&mut self, tenant: TenantId, key: K, value: Arc<V>) -> Option<Slot<K, V>> {
        let removed = self.remove(tenant, &key);
        let (place, evicted) = self.room();
        self.index.entry(tenant).or_default().insert(key.clone(), place);
        self.slots[place] = Some(Slot {
            tenant,
            key,
            value,
            used: false,
        });
        removed.or(evicted)
    }

    fn remove<Q>(&mut self, tenant: TenantId, key: &Q) -> Option<Slot<K, V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let keys = self.index.get_mut(&tenant)?;
        let place = keys.remove(key)?;
        if keys.is_empty() {
            self.index.remove(&tenant);
        }
        self.free.push(place);
        self.slots[place].take()
    }

    /// A free place. When all are taken, the hand goes round: who was used gets a second chance, who was not leaves.
    fn room(&mut self) -> (usize, Option<Slot<K, V>>) {
        if let Some(place) = self.free.pop() {
            return (place, None);
        }
        if self.slots.len() < self.capacity {
            self.slots.push(None);
            return (self.slots.len() - 1, None);
        }
        loop {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.slots.len();
            match &mut self.slots[place] {
                Some(slot) if slot.used => slot.used = false,
                Some(slot) => {
                    let (tenant, key) = (slot.tenant, slot.key.clone());
                    let evicted = self.remove(tenant, &key);
                    self.free.pop();
                    return (place, evicted);
                }
                None => return (place, None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn tenant(number: u8) -> TenantId {
        TenantId::from_bytes([number; 16])
    }

    fn put<V>(cache: &Cache<String, V>, tenant: TenantId, key: &str, value: V) {
        assert!(cache.insert(cache.ticket(tenant, key), Arc::new(value)));
    }

    #[test]
    fn t7_tenants_do_not_share_entries() {
        let cache = Cache::new(10);
        put(&cache, tenant(1), "a", 1);
        assert_eq!(cache.get(tenant(1), "a").as_deref(), Some(&1));
        assert_eq!(cache.get(tenant(2), "a"), None);
        cache.forget(tenant(2), "a");
        assert_eq!(cache.get(tenant(1), "a").as_deref(), Some(&1));
    }

    #[test]
    fn a_slow_reader_cannot_bring_an_old_row_back() {
        let cache = Arc::new(Cache::<String, &str>::new(10));
        let row = Arc::new(Mutex::new("old"));
        let (has_read, wait_for_read) = mpsc::channel();
        let (may_insert, wait_for_forget) = mpsc::channel();
        let reader = std::thread::spawn({
            let (cache, row) = (Arc::clone(&cache), Arc::clone(&row));
            move || {
                let ticket = cache.ticket(tenant(1), "row");
                let read = *row.lock().unwrap();
                has_read.send(()).unwrap();
                wait_for_forget.recv().unwrap();
                cache.insert(ticket, Arc::new(read))
            }
        });
        wait_for_read.recv().unwrap();
        *row.lock().unwrap() = "new";
        cache.forget(tenant(1), "row");
        may_insert.send(()).unwrap();
        assert!(!reader.join().unwrap(), "the old row was kept");
        assert_eq!(cache.get(tenant(1), "row"), None);
        put(&cache, tenant(1), "row", *row.lock().unwrap());
        assert_eq!(cache.get(tenant(1), "row").as_deref(), Some(&"new"));
    }

    #[test]
    fn clearing_refuses_what_is_being_loaded() {
        for capacity in [10, 10_000] {
            let cache = Cache::<String, u8>::new(capacity);
            let keys: Vec<_> = (0..100).map(|number| number.to_string()).collect();
            let tickets: Vec<_> = keys.iter().map(|key| cache.ticket(tenant(1), key.as_str())).collect();
            put(&cache, tenant(1), "there", 1);
            cache.clear();
            assert!(cache.is_empty());
            for ticket in tickets {
                assert!(!cache.insert(ticket, Arc::new(1)));
            }
            put(&cache, tenant(1), "there", 2);
            assert_eq!(cache.get(tenant(1), "there").as_deref(), Some(&2));
        }
    }

    #[test]
    fn stays_within_its_capacity_and_keeps_what_is_used() {
        let cache = Cache::new(3);
        for key in ["a", "b", "c"] {
            put(&cache, tenant(1), key, key.to_owned());
        }
        assert!(cache.get(tenant(1), "a").is_some());
        put(&cache, tenant(1), "d", "d".to_owned());
        assert_eq!(cache.len(), 3);
        assert!(cache.get(tenant(1), "a").is_some(), "used, so it had a second chance");
        assert!(cache.get(tenant(1), "b").is_none(), "the oldest that was not used");
        assert!(cache.get(tenant(1), "d").is_some());

        let large = Cache::new(2_000);
        for number in 0..20_000 {
            put(&large, tenant((number % 7) as u8), &number.to_string(), number);
        }
        assert_eq!(large.len(), 2_000);
    }

    #[test]
    fn a_place_left_by_a_forgotten_entry_is_used_again() {
        let cache = Cache::new(2);
        for round in 0..100 {
            put(&cache, tenant(1), "a", round);
            put(&cache, tenant(1), "b", round);
            put(&cache, tenant(1), "a", round + 1);
            assert_eq!(cache.get(tenant(1), "a").as_deref(), Some(&(round + 1)));
            cache.forget(tenant(1), "a");
            assert_eq!(cache.get(tenant(1), "b").as_deref(), Some(&round));
            assert_eq!(cache.len(), 1);
        }
    }

    /// Asks its own cache when dropped: would never return if it were dropped inside the lock.
    struct Asks(Arc<Cache<String, Asks>>);

    impl Drop for Asks {
        fn drop(&mut self) {
            self.0.get(tenant(9), "anything");
        }
    }

    #[test]
    fn values_are_dropped_outside_the_lock() {
        let cache = Arc::new(Cache::new(1));
        let (done, wait) = mpsc::channel();
        std::thread::spawn(move || {
            put(&cache, tenant(1), "a", Asks(Arc::clone(&cache)));
            put(&cache, tenant(1), "a", Asks(Arc::clone(&cache)));
            put(&cache, tenant(1), "b", Asks(Arc::clone(&cache)));
            cache.forget(tenant(1), "b");
            put(&cache, tenant(1), "c", Asks(Arc::clone(&cache)));
            cache.clear();
            done.send(()).unwrap();
        });
        let answer = wait.recv_timeout(std::time::Duration::from_secs(30));
        assert!(answer.is_ok(), "a value was dropped while its shard was locked");
    }
}
