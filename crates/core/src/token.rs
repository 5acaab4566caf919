//! Tokens that are told once and kept as their hash only.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{clock::Random, error::Result, secret::Secret};

/// Random bytes of a token.
const BYTES: usize = 32;

/// Letters of a token: its bytes in base64url.
const LETTERS: usize = 43;

/// A new token, and the hash it is found by.
pub(crate) fn new(random: &dyn Random) -> Result<(Secret, [u8; 32])> {
    let mut bytes = [0; BYTES];
    random.fill(&mut bytes)?;
    let text = Secret::new(URL_SAFE_NO_PAD.encode(bytes));
    let hash = hash(text.reveal());
    Ok((text, hash))
}

/// The hash of what somebody sent as a token; none of what cannot be one.
pub(crate) fn hash_of(text: &str) -> Option<[u8; 32]> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (text.len() == LETTERS && text.bytes().all(fits)).then(|| hash(text))
}

/// A token has 256 random bits, so a plain hash cannot be searched and needs no salt.
fn hash(text: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;

    #[test]
    fn k4_a_token_has_256_bits_and_is_found_by_its_hash() {
        let (one, hash) = new(&SystemRandom).unwrap();
        let (other, _) = new(&SystemRandom).unwrap();
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(URL_SAFE_NO_PAD.decode(one.reveal()).unwrap().len(), 32);
        assert_eq!(hash_of(one.reveal()), Some(hash));
        for none in ["", "short", &format!("{}=", one.reveal()), &"é".repeat(43)] {
            assert_eq!(hash_of(none), None, "{none}");
        }
    }
}
