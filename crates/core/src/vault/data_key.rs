//! One data key, and the bytes of a sealed value.
//!
//! A sealed value is `format version (1) | key number (4, big endian) | nonce (12) | ciphertext | tag (16)`.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use zeroize::Zeroize;

use super::master::KEY_BYTES;
use crate::{clock::Random, error::Result, secret::Secret};

/// The format every sealed value begins with.
pub(super) const FORMAT: u8 = 1;

const HEADER_BYTES: usize = 1 + 4;
const TAG_BYTES: usize = 16;

/// What a sealed value says of itself, before anything about it is believed.
pub(super) struct Sealed<'a> {
    /// The number of the key that sealed it.
    pub(super) key: u32,
    nonce: &'a [u8; NONCE_LEN],
    ciphertext: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Takes a sealed value apart; nothing when it cannot be one of ours.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (format, rest) = bytes.split_first()?;
        let (key, rest) = rest.split_first_chunk::<4>()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>()?;
        (*format == FORMAT && ciphertext.len() >= TAG_BYTES).then_some(Self {
            key: u32::from_be_bytes(*key),
            nonce,
            ciphertext,
        })
    }
}

/// A key that seals and opens. What aws-lc keeps of it is overwritten when it is dropped.
pub(super) struct DataKey {
    /// Its number.
    pub(super) id: u32,
    key: LessSafeKey,
    /// How often it sealed since it was read.
    seals: AtomicU64,
}

/// Why a key did not seal.
pub(super) enum SealTrouble {
    /// It has sealed as often as it may.
    UsedUp,
    /// The cipher refused.
    Cipher,
    /// There was no randomness.
    Random(crate::Error),
}

impl DataKey {
    pub(super) fn new(id: u32, key: &Secret<[u8; KEY_BYTES]>) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key.reveal()).expect("the key has the cipher's length");
        Self {
            id,
            key: LessSafeKey::new(key),
            seals: AtomicU64::new(0),
        }
    }

    /// Seals, bound to the associated data. At most `limit` times.
    pub(super) fn seal(
        &self,
        aad: &[u8],
        plain: &[u8],
        random: &dyn Random,
        limit: u64,
    ) -> Result<Vec<u8>, SealTrouble> {
        // Counted before, so that a seal that fails halfway has used its place up rather than the next one's.
        if self.seals.fetch_add(1, Ordering::Relaxed) >= limit {
            return Err(SealTrouble::UsedUp);
        }
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce).map_err(SealTrouble::Random)?;
        // Room for all of it from the start: a vector that grows would leave the plain text behind.
        let mut sealed = Vec::with_capacity(HEADER_BYTES + NONCE_LEN + plain.len() + TAG_BYTES);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.id.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let text = &mut sealed[HEADER_BYTES + NONCE_LEN..];
        let Ok(tag) = self.key.seal_in_place_separate_tag(nonce, Aad::from(aad), text) else {
            sealed.zeroize();
            return Err(SealTrouble::Cipher);
        };
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed with the same associated data; nothing in every other case.
    pub(super) fn open(&self, aad: &[u8], sealed: &Sealed<'_>) -> Option<Secret<Vec<u8>>> {
        let mut plain = Secret::new(sealed.ciphertext.to_vec());
        let length = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(*sealed.nonce),
                Aad::from(aad),
                plain.reveal_mut(),
            )
            .ok()?
            .len();
        plain.reveal_mut().truncate(length);
        Some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::SystemRandom, limits::MAX_SEALS_PER_DATA_KEY};

    #[test]
    fn e2_without_associated_data_a_moved_value_would_open() {
        // The negative control: it is the associated data, and nothing else, that holds a value in its place.
        let key = DataKey::new(1, &Secret::new([7; KEY_BYTES]));
        let seal = |aad: &[u8]| {
            key.seal(aad, b"s3cret", &SystemRandom, MAX_SEALS_PER_DATA_KEY)
                .ok()
                .unwrap()
        };
        let opens = |aad: &[u8], sealed: &[u8]| key.open(aad, &Sealed::read(sealed).unwrap()).is_some();
        assert!(opens(b"", &seal(b"")));
        assert!(opens(b"row 1", &seal(b"row 1")));
        assert!(!opens(b"row 2", &seal(b"row 1")));
    }

    #[test]
    fn e3_a_key_stops_at_its_limit_and_stays_stopped() {
        let key = DataKey::new(1, &Secret::new([7; KEY_BYTES]));
        for _ in 0..3 {
            assert!(key.seal(b"", b"", &SystemRandom, 3).is_ok());
        }
        for _ in 0..3 {
            assert!(matches!(key.seal(b"", b"", &SystemRandom, 3), Err(SealTrouble::UsedUp)));
        }
        key.seals.store(MAX_SEALS_PER_DATA_KEY, Ordering::Relaxed);
        let more = key.seal(b"", b"", &SystemRandom, MAX_SEALS_PER_DATA_KEY);
        assert!(matches!(more, Err(SealTrouble::UsedUp)));
    }

    #[test]
    fn what_is_too_short_or_of_another_format_is_not_ours() {
        let key = DataKey::new(9, &Secret::new([7; KEY_BYTES]));
        let sealed = key.seal(b"", b"", &SystemRandom, 1).ok().unwrap();
        assert_eq!(sealed.len(), HEADER_BYTES + NONCE_LEN + TAG_BYTES);
        assert_eq!(Sealed::read(&sealed).unwrap().key, 9);
        for length in 0..sealed.len() {
            assert!(Sealed::read(&sealed[..length]).is_none(), "{length} bytes");
        }
        for format in (0..=255).filter(|format| *format != FORMAT) {
            let mut other = sealed.clone();
            other[0] = format;
            assert!(Sealed::read(&other).is_none(), "format {format}");
        }
    }
}
