//! What is known of a connection's tokens without opening them, and who is renewing them. It lies open in the
//! connection's row, and one conditional write of that row is the lease and the journal of a renewal in one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::refresh::Why;
use crate::{
    clock::{Random, SignedDuration, Timestamp},
    error::{Error, Result},
    id::ProcessId,
    limits::{FORCED_RENEWAL_REST, RENEWAL_AHEAD, RENEWAL_LEASE, RENEWAL_REST, RENEWAL_REST_MOST, TOKEN_MARGIN},
    store::ConnectionRow,
};

/// What is known of a connection's tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Standing {
    /// Which tokens these are: drawn anew for each, so it tells nothing of them. Empty while there are none.
    pub(crate) fingerprint: String,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    /// Whether there is anything to renew them with.
    pub(crate) renews: bool,
    /// Whether they were got because the service refused those before.
    pub(crate) forced: bool,
    /// Whether the service says that they cannot be renewed any more.
    pub(crate) refused: bool,
    /// How often a renewal was begun.
    pub(crate) epoch: u64,
    /// The renewal that is under way.
    pub(crate) attempt: Option<Attempt>,
    /// Whether the answer to a renewal was lost, so that nobody knows whether these are still good.
    pub(crate) in_doubt: bool,
    /// Renewals that failed one after the other.
    pub(crate) failures: u32,
    /// When it may be tried again.
    pub(crate) rest_until: Option<Timestamp>,
}

/// A renewal that is under way: who is at it, and until when nobody else is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) owner: String,
    pub(crate) epoch: u64,
    pub(crate) until: Timestamp,
    /// Of the tokens that it renews.
    pub(crate) fingerprint: String,
    /// Whether an earlier one was lost.
    pub(crate) in_doubt: bool,
}

/// How much a renewal is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Not at all.
    Fresh,
    /// They still work, and somebody should renew them.
    Soon,
    /// Nobody should use them any more.
    Over,
}

/// What whoever wants a renewal does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: others were faster, or these are too new to be renewed again.
    Nothing,
    /// There is nothing to renew them with, or the service said that they cannot be any more.
    Over,
    /// It failed a moment ago.
    Rest(Duration),
    /// Somebody else is at it.
    Wait,
    /// Begin, having written down this.
    Begin(Standing),
}

/// Tokens as they came.
pub(super) struct Issued {
    pub(super) expires_at: Option<Timestamp>,
    pub(super) renews: bool,
    pub(super) forced: bool,
}

impl Standing {
    /// What the row says; nothing of one that never had tokens.
    pub(crate) fn of(row: &ConnectionRow) -> Result<Option<Self>> {
        let read = |text: &String| {
            serde_json::from_str(text).map_err(|error| Error::internal("what is known of tokens cannot be read", error))
        };
        row.oauth.as_ref().map(read).transpose()
    }

    pub(crate) fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::internal("what is known of tokens cannot be written", error))
    }

    /// Before the first tokens, of who gets them without a person.
    pub(crate) fn awaited() -> Self {
        Self {
            renews: true,
            ..Self::default()
        }
    }

    /// With new tokens. The count of renewals goes on, so that a late answer to an old one is known.
    pub(super) fn with(&self, issued: Issued, now: Timestamp, random: &dyn Random) -> Result<Self> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes)?;
        Ok(Self {
            fingerprint: format!("{:032x}", u128::from_be_bytes(bytes)),
            issued_at: Some(now),
            expires_at: issued.expires_at,
            renews: issued.renews,
            forced: issued.forced,
            epoch: self.epoch,
            ..Self::default()
        })
    }

    /// How much a renewal is wanted. They are renewed ahead of their end: a quarter of an hour, or half of a short life,
    /// and a little later or earlier, so that those that were got together are not renewed together.
    pub(crate) fn urgency(&self, now: Timestamp) -> Urgency {
        if self.fingerprint.is_empty() {
            return if self.renews { Urgency::Over } else { Urgency::Fresh };
        }
        let Some(end) = self.expires_at else {
            return Urgency::Fresh;
        };
        let life = self.issued_at.map_or(Duration::ZERO, |from| between(from, end));
        let margin = TOKEN_MARGIN.min(life / 10);
        if between(now, end) <= margin {
            return Urgency::Over;
        }
        let ahead = RENEWAL_AHEAD.min(life / 2).mul_f64(self.spread());
        match self.renews && !self.refused && between(now, end) <= ahead {
            true => Urgency::Soon,
            false => Urgency::Fresh,
        }
    }

    /// Whether they still work by themselves, whatever became of a renewal.
    pub(crate) fn works(&self, now: Timestamp) -> bool {
        !self.fingerprint.is_empty() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Between 0.8 and 1, by the tokens.
    fn spread(&self) -> f64 {
        let drawn = self
            .fingerprint
            .get(..2)
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        0.8 + f64::from(drawn.unwrap_or(255)) / 255.0 * 0.2
    }

    /// What whoever saw the tokens of this fingerprint, and wants others, does now.
    pub(crate) fn next(&self, seen: &str, why: Why, us: ProcessId, now: Timestamp) -> Next {
        if self.fingerprint != seen || self.is_too_new(why, now) {
            return Next::Nothing;
        }
        if !self.renews || self.refused {
            return Next::Over;
        }
        if let Some(rest) = self.rest_until.filter(|until| *until > now && why != Why::Asked) {
            return Next::Rest(between(now, rest));
        }
        match &self.attempt {
            // One of our own that is not under way here was broken off.
            Some(attempt) if attempt.owner != us.to_string() && attempt.until > now => Next::Wait,
            open => Next::Begin(self.begun(us, now, open.is_some())),
        }
    }

    /// A service that refuses new tokens as it refused the old ones is not asked for newer ones each time.
    fn is_too_new(&self, why: Why, now: Timestamp) -> bool {
        let age = self.issued_at.map_or(Duration::MAX, |from| between(from, now));
        why == Why::Refused && self.forced && age < FORCED_RENEWAL_REST
    }

    fn begun(&self, us: ProcessId, now: Timestamp, was_open: bool) -> Self {
        let in_doubt = self.in_doubt || was_open;
        let attempt = Attempt {
            owner: us.to_string(),
            epoch: self.epoch + 1,
            until: after(now, RENEWAL_LEASE),
            fingerprint: self.fingerprint.clone(),
            in_doubt,
        };
        Self {
            epoch: attempt.epoch,
            in_doubt,
            attempt: Some(attempt),
            ..self.clone()
        }
    }

    /// Whether the tokens that an attempt renews still stand. Where there were none, nobody else may have begun since.
    pub(super) fn holds_what(&self, attempt: &Attempt) -> bool {
        self.fingerprint == attempt.fingerprint
            && (!self.fingerprint.is_empty() || self.attempt.as_ref() == Some(attempt))
    }

    /// After a renewal that failed, and may be tried again.
    pub(super) fn rested(&self, in_doubt: bool, asked: Option<Duration>, now: Timestamp) -> Self {
        let own = RENEWAL_REST * 2_u32.saturating_pow(self.failures.min(10));
        let rest = asked.unwrap_or(own).max(own).min(RENEWAL_REST_MOST);
        Self {
            attempt: None,
            in_doubt,
            failures: self.failures.saturating_add(1),
            rest_until: Some(after(now, rest)),
            ..self.clone()
        }
    }

    /// After the service said that they cannot be renewed.
    pub(super) fn given_up(&self) -> Self {
        Self {
            attempt: None,
            refused: true,
            ..self.clone()
        }
    }
}

/// From one time to another; nothing where that is before.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or(Duration::ZERO)
}

/// A time so much later, or as late as there is one.
pub(super) fn after(now: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    fn us(which: u8) -> ProcessId {
        ProcessId::from_bytes([which; 16])
    }

    fn tokens(life: i64) -> Standing {
        let issued = Issued {
            expires_at: Some(at(life)),
            renews: true,
            forced: false,
        };
        Standing::default().with(issued, at(0), &SystemRandom).unwrap()
    }

    fn begun(standing: &Standing, which: u8, now: Timestamp) -> Standing {
        match standing.next(&standing.fingerprint, Why::Due, us(which), now) {
            Next::Begin(begun) => begun,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn o10_tokens_are_renewed_ahead_of_their_end_and_not_all_at_once() {
        let hour = tokens(3600);
        assert_eq!(hour.urgency(at(2690)), Urgency::Fresh);
        assert_eq!(hour.urgency(at(2890)), Urgency::Soon);
        assert_eq!(
            hour.urgency(at(3541)),
            Urgency::Over,
            "a minute is no margin to begin a call in"
        );
        let short = tokens(10);
        assert_eq!(short.urgency(at(4)), Urgency::Fresh);
        assert_eq!(short.urgency(at(7)), Urgency::Soon);
        assert_eq!(short.urgency(at(9)), Urgency::Over);
        let spread = |first: &str| Standing {
            fingerprint: format!("{first}{}", "0".repeat(30)),
            ..hour.clone()
        };
        assert_eq!(spread("00").urgency(at(2800)), Urgency::Fresh);
        assert_eq!(spread("ff").urgency(at(2800)), Urgency::Soon);
    }

    #[test]
    fn o7_one_is_at_it_until_the_lease_is_over() {
        let standing = tokens(60);
        let taken = begun(&standing, 1, at(60));
        assert_eq!((taken.epoch, taken.in_doubt), (1, false));
        let seen = &standing.fingerprint;
        assert_eq!(taken.next(seen, Why::Due, us(2), at(61)), Next::Wait);
        let late = after(at(60), RENEWAL_LEASE);
        let over = begun(&taken, 2, late);
        assert_eq!(
            (over.epoch, over.in_doubt),
            (2, true),
            "O8: nobody knows what became of the first"
        );
        let own = begun(&taken, 1, at(61));
        assert!(own.in_doubt, "one of our own that was broken off is taken up at once");
        assert_eq!(
            taken.next("another", Why::Due, us(2), at(61)),
            Next::Nothing,
            "others were faster"
        );
    }

    #[test]
    fn o9_a_failure_is_followed_by_a_rest_that_grows() {
        let mut standing = tokens(60);
        let mut rests = Vec::new();
        for _ in 0..12 {
            standing = standing.rested(false, None, at(60));
            match standing.next(&standing.fingerprint, Why::Due, us(1), at(60)) {
                Next::Rest(rest) => rests.push(rest),
                other => panic!("{other:?}"),
            }
        }
        assert!(
            rests.windows(2).all(|two| two[0] <= two[1]) && rests[0] < rests[11],
            "{rests:?}"
        );
        assert_eq!(rests[11], RENEWAL_REST_MOST);
        assert!(matches!(
            standing.next(&standing.fingerprint, Why::Asked, us(1), at(60)),
            Next::Begin(_)
        ));
        assert_eq!(
            standing
                .given_up()
                .next(&standing.fingerprint, Why::Asked, us(1), at(9999)),
            Next::Over
        );
    }

    #[test]
    fn o10_tokens_that_were_forced_are_not_forced_again_at_once() {
        let standing = Standing {
            forced: true,
            ..tokens(3600)
        };
        let next = |now| standing.next(&standing.fingerprint, Why::Refused, us(1), now);
        assert_eq!(next(at(1)), Next::Nothing);
        assert!(matches!(next(after(at(0), FORCED_RENEWAL_REST)), Next::Begin(_)));
    }
}
