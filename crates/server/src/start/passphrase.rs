//! A master key from a passphrase: Argon2id (RFC 9106) over a salt that lies in the data folder.
//!
//! Slow on purpose, and run before anything listens: there is nothing yet that it could keep waiting.

use std::{io, path::Path};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tieline::{
    Code, Error, MasterKey, Result,
    clock::{Random, SystemRandom},
    vault::looks_like_a_placeholder,
};

use crate::{
    limits::{MIN_PASSPHRASE_CHARS, MIN_PASSPHRASE_DISTINCT},
    private_file,
};

/// The salt's name in the data folder.
const SALT_FILE: &str = "master.salt";

/// RFC 9106 section 3.1 recommends 128 bits.
const SALT_BYTES: usize = 16;

/// RFC 9106 section 4, second recommended option: 64 MiB, three passes, four lanes. A guess costs an attacker as much.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;

/// What keeps two deployments with one passphrase from having one key.
pub(super) struct Salt([u8; SALT_BYTES]);

impl Salt {
    /// The salt of a data folder, if it has one.
    ///
    /// # Errors
    /// `MASTER_KEY_INVALID` for a file that holds none.
    pub(super) fn find(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(SALT_FILE);
        let spoilt = |why: &str| {
            let detail = format!(
                "{} holds no salt: {why}. It belongs to the passphrase of this data; put it back as it was.",
                path.display()
            );
            Error::new(Code::MasterKeyInvalid, detail)
        };
        let text = match private_file::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(spoilt(&error.to_string())),
        };
        let bytes = URL_SAFE_NO_PAD.decode(text.reveal().trim()).unwrap_or_default();
        let bytes = bytes
            .try_into()
            .map_err(|_| spoilt("it is not 16 bytes in base64url"))?;
        Ok(Some(Self(bytes)))
    }

    /// A new salt, on disk before anything is sealed with what comes of it.
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let mut bytes = [0; SALT_BYTES];
        SystemRandom.fill(&mut bytes)?;
        let line = format!("{}\n", URL_SAFE_NO_PAD.encode(bytes));
        private_file::write(&folder.join(SALT_FILE), &line)?;
        Ok(Self(bytes))
    }
}

/// Refuses what can be guessed (E5).
///
/// # Errors
/// `MASTER_KEY_MISSING` when there is none, `MASTER_KEY_INVALID`.
pub(super) fn check(passphrase: &str) -> Result<()> {
    let invalid = |what: &str| {
        let detail = format!("{what} Take a long one that nobody would think of: six random words, for one.");
        Err(Error::new(Code::MasterKeyInvalid, detail))
    };
    if passphrase.is_empty() {
        return Err(Error::new(Code::MasterKeyMissing, "The passphrase is empty."));
    }
    if looks_like_a_placeholder(passphrase) {
        return invalid("The passphrase is the placeholder of an example.");
    }
    let mut letters: Vec<char> = passphrase.chars().collect();
    if letters.len() < MIN_PASSPHRASE_CHARS {
        return invalid(&format!(
            "The passphrase has fewer than {MIN_PASSPHRASE_CHARS} characters."
        ));
    }
    letters.sort_unstable();
    letters.dedup();
    if letters.len() < MIN_PASSPHRASE_DISTINCT {
        return invalid("The passphrase repeats itself, so it can be guessed.");
    }
    Ok(())
}

/// The master key of a passphrase that was checked.
pub(super) fn derive(passphrase: &str, salt: &Salt) -> Result<MasterKey> {
    let trouble = |error: argon2::Error| Error::internal("Argon2id failed", error.to_string());
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(trouble)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    MasterKey::derived(|key| {
        let hashed = argon2.hash_password_into(passphrase.as_bytes(), &salt.0, key);
        hashed.map_err(trouble)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "orbit candle mosaic trumpet velvet harbor";

    #[test]
    fn e5_passphrases_that_can_be_guessed_are_refused() {
        check(GOOD).unwrap();
        for (passphrase, code) in [
            ("", Code::MasterKeyMissing),
            ("short but odd 7!", Code::MasterKeyInvalid),
            ("my-very-long-password-for-all", Code::MasterKeyInvalid),
            ("your-32-character-secret-key-here", Code::MasterKeyInvalid),
            ("abcabcabcabcabcabcabcabcabcabcabc", Code::MasterKeyInvalid),
        ] {
            let error = check(passphrase).unwrap_err();
            assert_eq!(error.code(), code, "{passphrase}");
            assert!(
                passphrase.is_empty() || !format!("{error:?}").contains(passphrase),
                "{error:?}"
            );
        }
    }

    #[test]
    fn e5_a_key_follows_from_passphrase_and_salt() {
        let key = |passphrase, salt| derive(passphrase, &Salt([salt; SALT_BYTES])).unwrap().fingerprint();
        let one = key(GOOD, 1);
        assert_eq!(one, key(GOOD, 1));
        assert_ne!(one, key(GOOD, 2));
        assert_ne!(one, key("orbit candle mosaic trumpet velvet harbour", 1));
    }

    /// Whoever changes the parameters locks everyone out of their data. The key is what Node's `crypto.argon2Sync` gives.
    #[test]
    fn a_key_stays_the_same_from_version_to_version() {
        let key = derive(GOOD, &Salt([7; SALT_BYTES])).unwrap();
        assert_eq!(key.to_text().reveal(), "Qgp5q6k3UOeGFmlqN4JPN7do1qXE2xwZS1Nba4nqb9o");
    }

    #[test]
    fn a_salt_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Salt::find(folder.path()).unwrap().is_none());
        let made = Salt::make(folder.path()).unwrap();
        assert_eq!(Salt::find(folder.path()).unwrap().unwrap().0, made.0);
        std::fs::write(folder.path().join(SALT_FILE), "AAAA").unwrap();
        assert_eq!(Salt::find(folder.path()).err().unwrap().code(), Code::MasterKeyInvalid);
    }
}
