//! The chain itself: `hash = HMAC-SHA-256(audit key of the tenant, previous hash || canonical entry)`.
//!
//! Whoever edits, deletes, inserts or reorders entries without the key breaks the chain at that place. Cutting off its
//! end leaves a shorter chain that holds; that is seen by comparing with a head that was published before.

use std::{error::Error as StdError, fmt, str::FromStr};

use aws_lc_rs::hmac;

use super::{AuditEntry, GENESIS, Hash, Link};
use crate::{
    error::{Code, Error},
    framed::Framed,
    secret::Secret,
    store::AuditRow,
};

/// How far a chain was found to hold: its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The place of the last entry, 0 of an empty chain.
    pub seq: u64,
    /// The chain's hash there.
    pub hash: Hash,
}

/// The first place that is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// The place: the entry there was altered, is missing, or is not the one that was there.
    pub seq: u64,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong at a place of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The entry is gone, and others follow.
    Missing,
    /// The entry or its hash was altered, or it is another one.
    Altered,
    /// The entry holds, but it is not the one whose hash was published.
    Rewritten,
    /// The chain ends before a head that is known.
    Cut,
}

/// Follows a chain entry by entry, so that a long one need not be in memory.
pub struct Verifier<'a> {
    link: &'a Link,
    head: Verified,
    known: Vec<Verified>,
}

/// The bytes an entry is hashed as: every field and its place, each behind its length.
pub fn canonical(seq: u64, entry: &AuditEntry) -> Vec<u8> {
    // Every field is named, so that a new one cannot be left out unseen.
    let AuditEntry {
        id,
        tenant,
        at,
        actor,
        action,
        subject,
        detail,
    } = entry;
    Framed::new("tieline 1 audit entry")
        .with(&seq.to_be_bytes())
        .with(id.as_bytes())
        .with(tenant.as_bytes())
        // Microseconds are what stores keep: an entry must hash the same after it was read back.
        .with(&at.as_microsecond().to_be_bytes())
        .with(actor.as_bytes())
        .with(action.as_bytes())
        .with(subject.as_bytes())
        .with(detail.as_bytes())
        .into_bytes()
}

/// The link under this key.
pub(crate) fn link(key: &Secret<[u8; 32]>) -> Link {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.reveal());
    Link::new(move |previous, seq, entry| {
        let mut context = hmac::Context::with_key(&key);
        context.update(previous);
        context.update(&canonical(seq, entry));
        context.sign().as_ref().try_into().expect("HMAC-SHA-256 gives 32 bytes")
    })
}

/// Follows a whole chain from its first entry. `known` are heads that were published before.
///
/// # Errors
/// The first place that is not as it was written.
pub fn verify<'a>(
    rows: impl IntoIterator<Item = &'a AuditRow>,
    link: &Link,
    known: impl IntoIterator<Item = Verified>,
) -> Result<Verified, Broken> {
    let mut verifier = Verifier::new(link, known);
    for row in rows {
        verifier.check(row)?;
    }
    verifier.finish()
}

impl<'a> Verifier<'a> {
    /// Begins at the first entry.
    pub fn new(link: &'a Link, known: impl IntoIterator<Item = Verified>) -> Self {
        Self {
            link,
            head: Verified { seq: 0, hash: GENESIS },
            known: known.into_iter().collect(),
        }
    }

    /// Checks the next entry.
    ///
    /// # Errors
    /// When it is not the entry that was written there.
    pub fn check(&mut self, row: &AuditRow) -> Result<(), Broken> {
        let seq = self.head.seq + 1;
        let hash = self.link.hash(&self.head.hash, seq, &row.entry);
        let is_other = |known: &Verified| known.seq == seq && known.hash != hash;
        let fault = if row.seq > seq {
            Some(Fault::Missing)
        } else if row.seq != seq || row.hash != hash {
            Some(Fault::Altered)
        } else if self.known.iter().any(is_other) {
            Some(Fault::Rewritten)
        } else {
            None
        };
        if let Some(fault) = fault {
            return Err(Broken { seq, fault });
        }
        self.head = Verified { seq, hash };
        Ok(())
    }

    /// How far it was followed.
    pub fn head(&self) -> Verified {
        self.head
    }

    /// Ends the chain.
    ///
    /// # Errors
    /// When it ends before a known head.
    pub fn finish(self) -> Result<Verified, Broken> {
        if self.known.iter().any(|known| known.seq > self.head.seq) {
            let seq = self.head.seq + 1;
            return Err(Broken { seq, fault: Fault::Cut });
        }
        Ok(self.head)
    }
}

/// `place:hash`, the hash in hexadecimal: as heads are published.
impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.seq)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Verified {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        read_head(text).ok_or_else(|| {
            let detail = "A head of the audit log is written as `place:hash`, such as `7:` and 64 hexadecimal digits.";
            Error::new(Code::RequestInvalid, detail).field("/head", "is not `place:hash`")
        })
    }
}

fn read_head(text: &str) -> Option<Verified> {
    let (seq, digits) = text.trim().split_once(':')?;
    let mut hash = GENESIS;
    if digits.len() != 2 * hash.len() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (place, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(Verified {
        seq: seq.parse().ok()?,
        hash,
    })
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Altered => "was altered, or another one stands in its place",
            Self::Rewritten => "is not the one whose hash was published",
            Self::Cut => "and all after it were cut off",
        })
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the audit chain is broken: entry {} {}", self.seq, self.fault)
    }
}

impl StdError for Broken {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{Random, SignedDuration, SystemRandom, Timestamp},
        id::{AuditId, TenantId},
    };

    const ROWS: u64 = 1_000;

    fn entry(number: u64) -> AuditEntry {
        AuditEntry {
            id: AuditId::from_bytes(u128::from(number).to_be_bytes()),
            tenant: TenantId::from_bytes([1; 16]),
            at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(number as i64),
            actor: format!("key_{}", number % 7),
            action: ["connection.created", "connection.tested"][(number % 2) as usize].to_owned(),
            subject: format!("conn_{}", number % 31),
            detail: format!(r#"{{"number":{number}}}"#),
        }
    }

    fn key() -> Link {
        link(&Secret::new([3; 32]))
    }

    fn chain(length: u64) -> Vec<AuditRow> {
        let link = key();
        let mut previous = GENESIS;
        (1..=length)
            .map(|seq| {
                let entry = entry(seq);
                previous = link.hash(&previous, seq, &entry);
                AuditRow {
                    seq,
                    entry,
                    hash: previous,
                }
            })
            .collect()
    }

    fn broken_at(rows: &[AuditRow], link: &Link, known: Option<Verified>) -> Result<u64, u64> {
        verify(rows, link, known)
            .map(|head| head.seq)
            .map_err(|broken| broken.seq)
    }

    fn below(bound: usize) -> usize {
        let mut bytes = [0; 8];
        SystemRandom.fill(&mut bytes).unwrap();
        (u64::from_be_bytes(bytes) % bound as u64) as usize
    }

    /// Alters one thing of an entry.
    fn edit(row: &mut AuditRow, what: usize) {
        let entry = &mut row.entry;
        match what {
            0 => entry.id = AuditId::from_bytes([9; 16]),
            1 => entry.tenant = TenantId::from_bytes([9; 16]),
            2 => entry.at += SignedDuration::from_micros(1),
            3 => entry.actor.push('x'),
            4 => entry.action = "connection.deleted".to_owned(),
            5 => entry.subject.clear(),
            6 => entry.detail = "{}".to_owned(),
            // A letter moved from one field into the next: the joined text stays the same.
            7 => {
                let letter = entry.actor.pop().unwrap();
                entry.action.insert(0, letter);
            }
            8 => row.hash[below(32)] ^= 1,
            _ => row.seq += 1,
        }
    }

    /// Does one random thing to a chain; answers the place where it must be seen.
    fn mutate(rows: &mut Vec<AuditRow>) -> (u64, String) {
        let at = below(rows.len() - 1);
        let seq = at as u64 + 1;
        let kind = below(6);
        match kind {
            0 => {
                let what = below(10);
                edit(&mut rows[at], what);
                return (seq, format!("edit {what} at {seq}"));
            }
            1 => drop(rows.remove(at)),
            // Deleted with care: the rest closes up.
            2 => {
                rows.remove(at);
                rows[at..].iter_mut().for_each(|row| row.seq -= 1);
            }
            3 => {
                let forged = AuditRow {
                    seq,
                    entry: entry(ROWS + 1),
                    hash: rows[at].hash,
                };
                rows.insert(at, forged);
                rows[at + 1..].iter_mut().for_each(|row| row.seq += 1);
            }
            4 => {
                let other = at + 1 + below(rows.len() - at - 1);
                rows.swap(at, other);
                if below(2) == 0 {
                    let (one, two) = (rows[at].seq, rows[other].seq);
                    (rows[at].seq, rows[other].seq) = (two, one);
                }
            }
            _ => rows.truncate(at),
        }
        (seq, format!("kind {kind} at {seq}"))
    }

    #[test]
    fn a1_every_mutation_is_found_at_its_place() {
        let good = chain(ROWS);
        let link = key();
        let head = verify(&good, &link, None).expect("no false alarm");
        assert_eq!(head.seq, ROWS);
        assert_eq!(verify(&good, &link, Some(head)), Ok(head));
        for _ in 0..300 {
            let mut rows = good.clone();
            let (seq, what) = mutate(&mut rows);
            assert_eq!(broken_at(&rows, &link, Some(head)), Err(seq), "{what}");
        }
        for what in 0..10 {
            let mut rows = good.clone();
            edit(&mut rows[17], what);
            assert_eq!(broken_at(&rows, &link, Some(head)), Err(18), "edit {what}");
        }
    }

    #[test]
    fn a2_a_cut_or_rewritten_tail_is_seen_against_a_known_head() {
        let good = chain(20);
        let link = key();
        let head = verify(&good, &link, None).unwrap();
        let cut = &good[..15];
        assert_eq!(
            verify(cut, &link, None).map(|head| head.seq),
            Ok(15),
            "a shorter chain holds by itself"
        );
        assert_eq!(
            verify(cut, &link, Some(head)),
            Err(Broken {
                seq: 16,
                fault: Fault::Cut
            })
        );
        assert_eq!(broken_at(&[], &link, Some(head)), Err(1));

        // A restored backup that went on differently: every link holds, but it is not the chain that was published.
        let mut other = chain(19);
        let entry = entry(99);
        let hash = link.hash(&other[18].hash, 20, &entry);
        other.push(AuditRow { seq: 20, entry, hash });
        assert!(verify(&other, &link, None).is_ok());
        assert_eq!(
            verify(&other, &link, Some(head)),
            Err(Broken {
                seq: 20,
                fault: Fault::Rewritten
            })
        );
    }

    #[test]
    fn a1_an_entry_of_another_history_does_not_fit_in() {
        // Two histories that part at entry 10, as after a restore: both were written with the key.
        let link = key();
        let [mut one, mut other] = [chain(9), chain(9)];
        for (rows, first) in [(&mut one, 10), (&mut other, 110)] {
            for seq in 10..=20 {
                let entry = entry(first + seq - 10);
                let hash = link.hash(&rows[seq as usize - 2].hash, seq, &entry);
                rows.push(AuditRow { seq, entry, hash });
            }
        }
        assert!(verify(&one, &link, None).is_ok() && verify(&other, &link, None).is_ok());
        one[14] = other[14].clone();
        assert_eq!(broken_at(&one, &link, None), Err(15));
    }

    #[test]
    fn a1_another_tenants_key_does_not_continue_the_chain() {
        let rows = chain(3);
        assert_eq!(broken_at(&rows, &super::link(&Secret::new([4; 32])), None), Err(1));
    }

    #[test]
    fn a2_a_head_is_read_as_it_is_published() {
        let head = verify(&chain(3), &key(), None).unwrap();
        assert_eq!(head.to_string().parse::<Verified>().unwrap(), head);
        let text = head.to_string();
        for wrong in [
            "",
            "3",
            "3:",
            &text[..text.len() - 1],
            &text.replace("3:", "-3:"),
            &format!("{text}0"),
        ] {
            assert_eq!(
                wrong.parse::<Verified>().unwrap_err().code(),
                Code::RequestInvalid,
                "{wrong}"
            );
        }
    }

    #[test]
    fn hashes_the_same_after_a_store_cut_the_time_to_microseconds() {
        let mut fine = entry(1);
        fine.at = Timestamp::from_nanosecond(1_700_000_000_123_456_789).unwrap();
        let mut stored = fine.clone();
        stored.at = Timestamp::from_microsecond(fine.at.as_microsecond()).unwrap();
        assert_ne!(fine.at, stored.at);
        assert_eq!(canonical(1, &fine), canonical(1, &stored));
    }
}
