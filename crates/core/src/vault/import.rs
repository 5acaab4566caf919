//! Reading what other products sealed, once, to connect it anew here. None of these is ever a way to open what lies in our
//! own store, and none of their keys a key of ours.

use aws_lc_rs::{
    cipher::{AES_256, EncryptingKey, UnboundCipherKey},
    constant_time,
};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::master::KEY_BYTES;
use crate::{
    error::{Code, Error, Result},
    limits::MAX_SEALED_PLAIN_BYTES,
    secret::Secret,
};

const BLOCK: usize = 16;

/// A nonce of this length stands in the first counter as it is; of any other, its hash does.
const USUAL_IV: usize = 12;

/// The largest text that can hold a value we would seal: base64 of it, and two short parts.
const MAX_TEXT: usize = MAX_SEALED_PLAIN_BYTES / 3 * 4 + 1024;

/// Opens `base64(iv):base64(tag):base64(ciphertext)`, as connector libraries for Igniter.js keep the fields of
/// `withEncrypt([…])`: AES-256-GCM without associated data, whose key is the first 32 bytes of `IGNITER_SECRET`, zeroes
/// behind a shorter one. Such a key may be guessed, and such a value stood in any row: connect what comes out anew.
///
/// ```
/// use tieline::vault::import;
///
/// let stored = "AAECAwQFBgcICQoLDA0ODw==:fB+HsbHKvx0LxX2F8o6QiQ==:LjgditJZ3Qb9wHWGs011nRgz";
/// let opened = import::iv_tag_text("your-32-character-secret-key-here", stored)?;
/// assert_eq!(opened.reveal(), "hunter2 or so 🔑");
/// # Ok::<(), tieline::Error>(())
/// ```
///
/// # Errors
/// `CONNECTOR_ENCRYPTION_SECRET_REQUIRED` when the secret is empty; `CONNECTOR_DECRYPT_FAILED`, the same whatever is wrong
/// with the value.
pub fn iv_tag_text(secret: &str, stored: &str) -> Result<Secret<String>> {
    if secret.is_empty() {
        return Err(Error::new(
            Code::ConnectorEncryptionSecretRequired,
            "No secret to open old values with: give the one they were sealed with, which was `IGNITER_SECRET`.",
        ));
    }
    let mut key = Secret::new([0; KEY_BYTES]);
    let bytes = secret.as_bytes();
    let length = bytes.len().min(KEY_BYTES);
    key.reveal_mut()[..length].copy_from_slice(&bytes[..length]);
    open(&key, stored)
        .and_then(Secret::<Vec<u8>>::into_text)
        .ok_or_else(|| {
            Error::new(
                Code::ConnectorDecryptFailed,
                "An old value does not open: it is not `iv:tag:ciphertext` in base64, it was altered, or it was sealed \
                 with another secret.",
            )
        })
}

fn open(key: &Secret<[u8; KEY_BYTES]>, stored: &str) -> Option<Secret<Vec<u8>>> {
    let mut parts = stored.split(':');
    let (iv, tag, ciphertext) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || stored.len() > MAX_TEXT {
        return None;
    }
    let decoded = |part: &str| STANDARD.decode(part).ok();
    let (iv, tag, text) = (decoded(iv)?, decoded(tag)?, Secret::new(decoded(ciphertext)?));
    if iv.is_empty() || tag.len() != BLOCK {
        return None;
    }
    Gcm::new(key)?.open(&iv, &tag, text)
}

/// AES-256-GCM (NIST SP 800-38D) for nonces of any length: the cipher of our own values takes 12 bytes only.
struct Gcm {
    cipher: EncryptingKey,
    hash_key: u128,
}

impl Gcm {
    fn new(key: &Secret<[u8; KEY_BYTES]>) -> Option<Self> {
        let key = UnboundCipherKey::new(&AES_256, key.reveal()).ok()?;
        let cipher = EncryptingKey::ecb(key).ok()?;
        let mut block = [0; BLOCK];
        cipher.encrypt(&mut block).ok()?;
        Some(Self {
            cipher,
            hash_key: u128::from_be_bytes(block),
        })
    }

    /// The tag is judged before anything is opened.
    fn open(&self, iv: &[u8], tag: &[u8], mut text: Secret<Vec<u8>>) -> Option<Secret<Vec<u8>>> {
        let first = self.first_counter(iv);
        let mut mask = first.to_be_bytes();
        self.cipher.encrypt(&mut mask).ok()?;
        let expected = self.hash(text.reveal()) ^ u128::from_be_bytes(mask);
        constant_time::verify_slices_are_equal(&expected.to_be_bytes(), tag).ok()?;
        let mut stream = Secret::new(Vec::with_capacity(text.reveal().len() + BLOCK));
        let mut counter = first;
        for _ in 0..text.reveal().len().div_ceil(BLOCK) {
            counter = next(counter);
            stream.reveal_mut().extend_from_slice(&counter.to_be_bytes());
        }
        self.cipher.encrypt(stream.reveal_mut()).ok()?;
        let pairs = text.reveal_mut().iter_mut().zip(stream.reveal());
        pairs.for_each(|(byte, key)| *byte ^= key);
        Some(text)
    }

    fn first_counter(&self, iv: &[u8]) -> u128 {
        match <[u8; USUAL_IV]>::try_from(iv) {
            Ok(iv) => {
                let mut block = [0; BLOCK];
                block[..USUAL_IV].copy_from_slice(&iv);
                block[BLOCK - 1] = 1;
                u128::from_be_bytes(block)
            }
            Err(_) => self.hash(iv),
        }
    }

    /// GHASH over one text and, behind it, the two lengths, of which the first (the associated data's) is zero.
    fn hash(&self, text: &[u8]) -> u128 {
        let mut sum = 0;
        for chunk in text.chunks(BLOCK) {
            let mut block = [0; BLOCK];
            block[..chunk.len()].copy_from_slice(chunk);
            sum = times(sum ^ u128::from_be_bytes(block), self.hash_key);
        }
        times(sum ^ (text.len() as u128 * 8), self.hash_key)
    }
}

/// The next counter: only its last 32 bits count.
fn next(counter: u128) -> u128 {
    let low = (counter as u32).wrapping_add(1);
    (counter >> 32 << 32) | u128::from(low)
}

/// The product in GF(2^128), bits in GCM's order; takes the same time for all numbers.
fn times(x: u128, y: u128) -> u128 {
    let (mut product, mut power) = (0, y);
    for place in (0..u128::BITS).rev() {
        product ^= power & 0_u128.wrapping_sub(x >> place & 1);
        power = (power >> 1) ^ ((0xe1 << 120) & 0_u128.wrapping_sub(power & 1));
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sealed by Node's own `crypto`: the secret, the text, and how it was kept.
    const SEALED: &[(&str, &str, &str)] = &[
        (
            "your-32-character-secret-key-here",
            "hunter2 or so 🔑",
            "AAECAwQFBgcICQoLDA0ODw==:fB+HsbHKvx0LxX2F8o6QiQ==:LjgditJZ3Qb9wHWGs011nRgz",
        ),
        ("short", "", "AAECAwQFBgcICQoLDA0ODw==:DldrKfEEfwC55ngLW/eR1Q==:"),
        ("short", "x", "AAECAwQFBgcICQoL:f1oPrJNFrprJWdQMmrgaGw==:hQ=="),
        (
            "short",
            "sixteen bytes!!!",
            "Bw==:/7n1DC8CTYXC8riYGhqHrw==:cyhXwSOWTd4J0rfzcrEeQA==",
        ),
        (
            "Sécret long enough to be cut after thirty-two bytes",
            "{\"a\":\"é0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}",
            "/////////////////////w==:9lCLecfveibETmbqX+LNzg==:rCsfGeWhctUqHjATOeYSyvBpgvHBOi+RZ+wE6Pqokd8LtuyNFqM9PXy8NVUOO1cB2KXe7raAhek5vBgxuXOABLCLe6qdAQ2xRr8il1qe7fk2F0rIh3D67ufl",
        ),
    ];

    #[test]
    fn what_others_sealed_opens() {
        for (secret, text, stored) in SEALED {
            assert_eq!(iv_tag_text(secret, stored).ok().unwrap().reveal(), text);
        }
    }

    #[test]
    fn what_is_altered_or_of_another_secret_does_not() {
        let refused = |secret: &str, stored: &str| match iv_tag_text(secret, stored) {
            Ok(_) => panic!("{stored} opened"),
            Err(error) => error.code(),
        };
        for (secret, _, stored) in SEALED {
            let other = format!("x{secret}");
            assert_eq!(refused(&other, stored), Code::ConnectorDecryptFailed);
            let parts: Vec<Vec<u8>> = stored.split(':').map(|part| STANDARD.decode(part).unwrap()).collect();
            for (part, place) in (0..3).flat_map(|part| (0..parts[part].len()).map(move |place| (part, place))) {
                let mut altered = parts.clone();
                altered[part][place] ^= 1;
                let altered: Vec<String> = altered.iter().map(|part| STANDARD.encode(part)).collect();
                assert_eq!(refused(secret, &altered.join(":")), Code::ConnectorDecryptFailed);
            }
        }
        for none in ["", ":", "::", ":::", "a:b:c", "AAAA:AAAA:AAAA", "plain text"] {
            assert_eq!(refused("short", none), Code::ConnectorDecryptFailed, "{none:?}");
        }
        assert_eq!(refused("", SEALED[0].2), Code::ConnectorEncryptionSecretRequired);
    }

    #[test]
    fn the_counter_turns_over_in_its_last_32_bits() {
        assert_eq!(next(u128::MAX), u128::MAX << 32);
        assert_eq!(next(0x0100_ffff_fffe), 0x0100_ffff_ffff);
        assert_eq!(next(0x0100_ffff_ffff), 0x0100_0000_0000);
    }
}
