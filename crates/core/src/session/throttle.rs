//! Slowing down whoever guesses passwords: by address, by account from one address, and by account from everywhere.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest;

use crate::{
    clock::Timestamp,
    error::{Code, Error, Result, Retry},
    limits::{ACCOUNT_ATTEMPTS, ACCOUNT_ATTEMPTS_FROM_SOURCE, MAX_THROTTLED, SOURCE_ATTEMPTS},
};

/// Remembers failures. Asking it costs neither a statement nor a hash.
pub(crate) struct Throttle(Mutex<[Table; 3]>);

/// What attempts are counted by: the beginning of an account's SHA-256, for an address may be long and is a stranger's to
/// choose, and a source. In each table what does not matter is empty.
type Key = ([u8; 16], Option<IpAddr>);

/// Each failure takes one of `burst` places, and gives it back after `each`.
struct Table {
    burst: u32,
    each: Duration,
    /// Until when the failures of each key weigh. One that weighs no more is as good as none.
    until: HashMap<Key, Timestamp>,
    swept: Timestamp,
}

impl Default for Throttle {
    fn default() -> Self {
        Self(Mutex::new(
            [SOURCE_ATTEMPTS, ACCOUNT_ATTEMPTS_FROM_SOURCE, ACCOUNT_ATTEMPTS].map(|(burst, each)| Table {
                burst,
                each,
                until: HashMap::new(),
                swept: Timestamp::UNIX_EPOCH,
            }),
        ))
    }
}

impl Throttle {
    /// Counts an attempt as a failure beforehand, so that many at once do not all slip through;
    /// [`forgive`](Self::forgive) takes it back.
    ///
    /// # Errors
    /// `SIGN_IN_THROTTLED` with the time to wait; such an attempt counts for nothing.
    pub(crate) fn attempt(&self, account: &str, from: IpAddr, now: Timestamp) -> Result<()> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wait = Duration::ZERO;
        for (table, key) in tables.iter_mut().zip(keys(account, from)) {
            wait = wait.max(table.wait(&key, now));
        }
        if wait > Duration::ZERO {
            let detail = "Too many failed attempts to sign in: wait, and then try again.";
            return Err(Error::new(Code::SignInThrottled, detail).retry(Retry::After(wait)));
        }
        for (table, key) in tables.iter_mut().zip(keys(account, from)) {
            table.charge(key, now);
        }
        Ok(())
    }

    /// Takes back the attempt that was no failure.
    pub(crate) fn forgive(&self, account: &str, from: IpAddr) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (table, key) in tables.iter_mut().zip(keys(account, from)) {
            table.refund(&key);
        }
    }
}

fn keys(account: &str, from: IpAddr) -> [Key; 3] {
    let digest = digest::digest(&digest::SHA256, account.as_bytes());
    let account = std::array::from_fn(|place| digest.as_ref()[place]);
    [(NO_ACCOUNT, Some(from)), (account, Some(from)), (account, None)]
}

const NO_ACCOUNT: [u8; 16] = [0; 16];

/// Whoever finds no place in a full table.
const OTHERS: Key = (NO_ACCOUNT, None);

impl Table {
    fn wait(&mut self, key: &Key, now: Timestamp) -> Duration {
        let room = self.each * (self.burst - 1);
        let place = self.place(key, now);
        let until = self.until.get(place).copied().unwrap_or(now);
        let weighs = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        weighs.saturating_sub(room)
    }

    fn charge(&mut self, key: Key, now: Timestamp) {
        let key = *self.place(&key, now);
        let until = self.until.entry(key).or_insert(now);
        *until = (*until).max(now) + self.each;
    }

    fn refund(&mut self, key: &Key) {
        if let Some(until) = self.until.get_mut(key) {
            *until -= self.each;
        }
    }

    /// Under which key an attempt counts: its own while there is room for it.
    fn place<'k>(&mut self, key: &'k Key, now: Timestamp) -> &'k Key {
        static OTHERS_KEY: Key = OTHERS;
        if self.until.len() < MAX_THROTTLED || self.until.contains_key(key) {
            return key;
        }
        // Looking through a full table for every attempt would be work that a stranger gives us.
        if now >= self.swept + self.each {
            self.swept = now;
            self.until.retain(|_, until| *until > now);
        }
        if self.until.len() < MAX_THROTTLED {
            key
        } else {
            &OTHERS_KEY
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SignedDuration;

    fn now() -> Timestamp {
        "2026-11-20T09:00:00Z".parse().unwrap()
    }

    fn host(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from(0x0a00_0000 + number).into()
    }

    fn wait(error: &Error) -> Duration {
        assert_eq!(error.code(), Code::SignInThrottled);
        match error.retry_hint() {
            Retry::After(wait) => wait,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn k4_an_account_is_guessed_at_slowly() {
        let (throttle, now) = (Throttle::default(), now());
        let (burst, each) = ACCOUNT_ATTEMPTS_FROM_SOURCE;
        for _ in 0..burst {
            throttle.attempt("ada", host(1), now).unwrap();
        }
        let refused = throttle.attempt("ada", host(1), now).unwrap_err();
        assert_eq!(wait(&refused), each);
        throttle.attempt("bob", host(1), now).unwrap();
        throttle.attempt("ada", host(2), now).unwrap();
        let later = now + each;
        throttle.attempt("ada", host(1), later).unwrap();
        assert!(throttle.attempt("ada", host(1), later).is_err(), "one at a time");
        let much_later = later + SignedDuration::from_hours(24);
        for _ in 0..burst {
            throttle.attempt("ada", host(1), much_later).unwrap();
        }
        assert!(
            throttle.attempt("ada", host(1), much_later).is_err(),
            "a pause saves up no more"
        );
    }

    #[test]
    fn k4_a_source_and_an_account_have_bounds_of_their_own() {
        let (throttle, now) = (Throttle::default(), now());
        let of_source = (0..100).filter(|n| throttle.attempt(&format!("user {n}"), host(1), now).is_ok());
        assert_eq!(of_source.count(), SOURCE_ATTEMPTS.0 as usize);
        let of_account = (0..100).filter(|n| throttle.attempt("ada", host(100 + n), now).is_ok());
        assert_eq!(of_account.count(), ACCOUNT_ATTEMPTS.0 as usize);
    }

    #[test]
    fn k4_success_does_not_count() {
        let (throttle, now) = (Throttle::default(), now());
        for _ in 0..1000 {
            throttle.attempt("ada", host(1), now).unwrap();
            throttle.forgive("ada", host(1));
        }
    }

    #[test]
    fn k4_a_flood_of_accounts_and_sources_is_bounded() {
        let (throttle, now) = (Throttle::default(), now());
        for number in 0..MAX_THROTTLED as u32 + 1000 {
            let _ = throttle.attempt(&format!("user {number}"), host(number), now);
        }
        let held = |throttle: &Throttle| throttle.0.lock().unwrap().each_ref().map(|table| table.until.len());
        // One more for all the others.
        assert!(
            held(&throttle).iter().all(|held| *held <= MAX_THROTTLED + 1),
            "{:?}",
            held(&throttle)
        );
        assert!(
            throttle.attempt("new", host(900_000), now).is_err(),
            "the others share one count"
        );
        let later = now + SignedDuration::from_hours(1);
        throttle.attempt("new", host(900_000), later).unwrap();
        assert!(
            held(&throttle).iter().all(|held| *held < 10),
            "what weighs no more is swept"
        );
    }
}
