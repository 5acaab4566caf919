//! The master key: where it comes from, what is refused, and what is derived from it.

use aws_lc_rs::hkdf;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroize;

use crate::{
    audit::{Link, chain},
    clock::Random,
    error::{Code, Error, Result},
    framed::Framed,
    id::TenantId,
    ledger::Marker,
    secret::Secret,
    store::DataKeyStore,
};

/// Bytes of a master key, and of every key derived from it.
pub(super) const KEY_BYTES: usize = 32;

/// Letters of its text form: base64url (RFC 4648 section 5) without padding.
const KEY_LETTERS: usize = 43;

/// Fewer different bytes than this do not occur in 32 random ones (chance below 10^-15).
const MIN_DISTINCT_BYTES: usize = 16;

/// A pattern that returns after so many letters or fewer is a pattern, not a key.
const LONGEST_PERIOD: usize = 21;

/// What examples write where a key belongs. Long enough never to occur in a random key.
const PLACEHOLDERS: &[&str] = &[
    "your-32-character-secret-key-here",
    "changeme",
    "change-me",
    "change_me",
    "secret-key",
    "secret_key",
    "secretkey",
    "password",
    "placeholder",
    "replace-me",
    "replace_me",
    "replaceme",
];

const HOW_TO_MAKE_ONE: &str = "Make a key with `tieline key new` and keep it apart from the data.";

/// The key everything else is sealed under: 32 random bytes.
///
/// It seals nothing itself. Keys for each purpose are derived from it (HKDF-SHA-256, RFC 5869), each under a label of
/// its own, so that one says nothing of another.
pub struct MasterKey(Secret<[u8; KEY_BYTES]>);

/// What a derived key is for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// Sealing a tenant's fields directly.
    Data(TenantId),
    /// Wrapping the stored data keys.
    Wrapping,
    /// Linking a tenant's audit chain.
    Audit(TenantId),
    /// Marking the rows of a tenant's ledger of calls.
    Calls(TenantId),
    /// Hashing what telemetry may show as a hash only.
    Telemetry,
    /// Hashing the secrets of webhooks' addresses.
    Webhooks,
    /// Recognising the key.
    Fingerprint,
}

impl Purpose {
    fn info(self) -> Vec<u8> {
        match self {
            Self::Data(tenant) => Framed::new("tieline 1 data key").with(tenant.as_bytes()),
            Self::Wrapping => Framed::new("tieline 1 wrapping key"),
            Self::Audit(tenant) => Framed::new("tieline 1 audit key").with(tenant.as_bytes()),
            Self::Calls(tenant) => Framed::new("tieline 1 calls key").with(tenant.as_bytes()),
            Self::Telemetry => Framed::new("tieline 1 telemetry key"),
            Self::Webhooks => Framed::new("tieline 1 webhooks key"),
            Self::Fingerprint => Framed::new("tieline 1 fingerprint"),
        }
        .into_bytes()
    }
}

impl MasterKey {
    /// Reads the text form: 43 letters of base64url. White space around it is ignored.
    ///
    /// # Errors
    /// `MASTER_KEY_MISSING` when there is no text, `MASTER_KEY_INVALID` when it is not a key or too easily guessed.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Err(missing("The master key is empty."));
        }
        if looks_like_a_placeholder(text) {
            return Err(invalid("The master key is the placeholder of an example."));
        }
        if text.len() != KEY_LETTERS {
            return Err(invalid(&format!(
                "The master key has {} characters instead of {KEY_LETTERS} (32 bytes in base64url without padding).",
                text.chars().count()
            )));
        }
        let mut bytes = Secret::new([0; KEY_BYTES]);
        // Estimates are rounded up to whole groups of four letters, so the buffer is a byte longer than the key.
        let mut decoded = Secret::new([0_u8; KEY_BYTES + 1]);
        let length = URL_SAFE_NO_PAD
            .decode_slice(text, decoded.reveal_mut())
            .map_err(|_| invalid("The master key is not base64url (A-Z, a-z, 0-9, - and _)."))?;
        let decoded = &decoded.reveal()[..length];
        if decoded.len() != KEY_BYTES {
            return Err(invalid("The master key does not hold 32 bytes."));
        }
        if is_guessable(decoded) || is_guessable_text(text.as_bytes()) {
            return Err(invalid("The master key follows a pattern, so it can be guessed."));
        }
        bytes.reveal_mut().copy_from_slice(decoded);
        Ok(Self(bytes))
    }

    /// The key that a slow function makes from a passphrase, written where it stays. What is typed is no key: use
    /// [`parse`](Self::parse) for what somebody gave.
    ///
    /// # Errors
    /// Those of the function.
    pub fn derived(function: impl FnOnce(&mut [u8; KEY_BYTES]) -> Result<()>) -> Result<Self> {
        let mut bytes = Secret::new([0; KEY_BYTES]);
        function(bytes.reveal_mut())?;
        Ok(Self(bytes))
    }

    /// Reads the key from an environment variable.
    ///
    /// # Errors
    /// `MASTER_KEY_MISSING` when it is not set or empty, else those of [`parse`](Self::parse).
    #[expect(
        clippy::disallowed_methods,
        reason = "the one key an embedder may keep in the environment"
    )]
    pub fn from_env(variable: &str) -> Result<Self> {
        match std::env::var(variable) {
            Ok(mut text) => {
                let key = Self::parse(&text);
                text.zeroize();
                key.map_err(|error| error.context("variable", variable))
            }
            Err(std::env::VarError::NotPresent) => Err(missing(&format!("The variable {variable} is not set."))),
            Err(std::env::VarError::NotUnicode(_)) => Err(invalid(&format!(
                "The variable {variable} holds bytes that are no text."
            ))),
        }
    }

    /// A new key.
    ///
    /// # Errors
    /// When the source of randomness fails, or is none.
    pub fn generate(random: &dyn Random) -> Result<Self> {
        let mut bytes = Secret::new([0; KEY_BYTES]);
        random.fill(bytes.reveal_mut())?;
        let key = Self(bytes);
        if is_guessable(key.0.reveal()) || is_guessable_text(key.to_text().reveal().as_bytes()) {
            return Err(Error::internal(
                "a new master key follows a pattern",
                "the source of randomness is not random",
            ));
        }
        Ok(key)
    }

    /// The text form, as [`parse`](Self::parse) reads it.
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(URL_SAFE_NO_PAD.encode(self.0.reveal()))
    }

    /// What to recognise the key by; says nothing about it.
    pub fn fingerprint(&self) -> [u8; 32] {
        *self.derive(Purpose::Fingerprint).reveal()
    }

    /// The key under which telemetry hashes.
    pub(crate) fn telemetry_key(&self) -> Secret<[u8; KEY_BYTES]> {
        self.derive(Purpose::Telemetry)
    }

    /// The key under which the secrets of webhooks' addresses are hashed.
    pub(crate) fn webhooks_key(&self) -> Secret<[u8; KEY_BYTES]> {
        self.derive(Purpose::Webhooks)
    }

    /// The links of a tenant's audit chain.
    pub(super) fn link(&self, tenant: TenantId) -> Link {
        chain::link(&self.derive(Purpose::Audit(tenant)))
    }

    /// The marks of a tenant's calls.
    pub(super) fn marker(&self, tenant: TenantId) -> Marker {
        Marker::new(&self.derive(Purpose::Calls(tenant)))
    }

    pub(super) fn derive(&self, purpose: Purpose) -> Secret<[u8; KEY_BYTES]> {
        let mut key = Secret::new([0; KEY_BYTES]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"tieline")
            .extract(self.0.reveal())
            .expand(&[&purpose.info()], hkdf::HKDF_SHA256)
            .and_then(|output| output.fill(key.reveal_mut()))
            .expect("HKDF-SHA-256 gives 32 bytes");
        key
    }
}

/// Refuses to work with a key that is not the one the data was sealed with; remembers the key of fresh data.
///
/// # Errors
/// `MASTER_KEY_MISMATCH`, and trouble with the store.
pub async fn check_master(master: &MasterKey, store: &dyn DataKeyStore) -> Result<()> {
    let fingerprint = master.fingerprint();
    check_fingerprint(master, store.keep_master_fingerprint(fingerprint).await?)
}

/// Whether data with this fingerprint was sealed with this key.
///
/// # Errors
/// `MASTER_KEY_MISMATCH`.
pub fn check_fingerprint(master: &MasterKey, kept: [u8; 32]) -> Result<()> {
    if kept == master.fingerprint() {
        return Ok(());
    }
    Err(Error::new(
        Code::MasterKeyMismatch,
        "The master key is not the one this data was sealed with. Give the key that belongs to it; without that key \
         its secrets cannot be read.",
    ))
}

fn missing(what: &str) -> Error {
    Error::new(Code::MasterKeyMissing, format!("{what} {HOW_TO_MAKE_ONE}"))
}

fn invalid(what: &str) -> Error {
    Error::new(Code::MasterKeyInvalid, format!("{what} {HOW_TO_MAKE_ONE}"))
}

/// Whether text holds what examples write where a key belongs.
pub fn looks_like_a_placeholder(text: &str) -> bool {
    let text = Secret::new(text.to_ascii_lowercase());
    PLACEHOLDERS
        .iter()
        .any(|placeholder| text.reveal().contains(placeholder))
}

/// Whether these are bytes that no random source gives: few different ones, a pattern, or something typed.
fn is_guessable(bytes: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in bytes {
        seen[usize::from(*byte)] = true;
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    let typed = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    distinct < MIN_DISTINCT_BYTES || typed || repeats(bytes) || climbs(bytes)
}

/// The same for the text form: an alphabet, a repeated word or a passphrase decodes to bytes that look random.
fn is_guessable_text(letters: &[u8]) -> bool {
    let all = |class: fn(&u8) -> bool| {
        letters
            .iter()
            .all(|letter| class(letter) || matches!(letter, b'-' | b'_'))
    };
    let runs = letters.windows(4).filter(|window| climbs(window)).count();
    all(u8::is_ascii_lowercase)
        || all(u8::is_ascii_uppercase)
        || all(u8::is_ascii_hexdigit)
        || repeats(letters)
        || runs * 2 > letters.len()
}

/// Whether a pattern returns again and again.
fn repeats(bytes: &[u8]) -> bool {
    (1..=LONGEST_PERIOD.min(bytes.len() / 2)).any(|period| bytes[period..] == bytes[..bytes.len() - period])
}

/// Whether each byte differs from the one before by the same step.
fn climbs(bytes: &[u8]) -> bool {
    let step = bytes[1].wrapping_sub(bytes[0]);
    bytes.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;

    fn refusal(text: &str) -> Code {
        match MasterKey::parse(text) {
            Ok(_) => panic!("accepted {text:?}"),
            Err(error) => {
                assert!(
                    error.detail().contains("tieline key new"),
                    "says how to mend it: {error}"
                );
                assert!(
                    text.trim().is_empty() || !format!("{error:?}").contains(text.trim()),
                    "shows the key"
                );
                error.code()
            }
        }
    }

    fn text_of(bytes: [u8; KEY_BYTES]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn e5_reads_back_what_it_made() {
        let key = MasterKey::generate(&SystemRandom).unwrap();
        let text = key.to_text();
        assert_eq!(text.reveal().len(), KEY_LETTERS);
        let again = MasterKey::parse(&format!(" {}\n", text.reveal())).unwrap();
        assert_eq!(again.0.reveal(), key.0.reveal());
        assert_eq!(again.fingerprint(), key.fingerprint());
    }

    #[test]
    fn e5_every_random_key_is_accepted() {
        for _ in 0..5_000 {
            let mut bytes = [0; KEY_BYTES];
            SystemRandom.fill(&mut bytes).unwrap();
            assert!(MasterKey::parse(&text_of(bytes)).is_ok(), "{bytes:?}");
        }
    }

    #[test]
    fn e5_refuses_what_is_no_key() {
        let good = text_of(std::array::from_fn(|place| (place * place * 7 + 13) as u8));
        assert!(
            MasterKey::parse(&good).is_ok(),
            "the cases below differ from a good key in one thing"
        );
        for empty in ["", "  \n"] {
            assert_eq!(refusal(empty), Code::MasterKeyMissing);
        }
        let wrong = [
            good[..42].to_owned(),
            format!("{good}A"),
            format!("{good}="),
            format!("{}+", &good[..42]),
            format!("{} ", &good[..20]) + &good[20..42],
            format!("{}é", &good[..41]),
            // Two spare bits of the last letter set: not what any encoder writes.
            format!("{}B", &good[..42]),
        ];
        for text in wrong {
            assert_eq!(refusal(&text), Code::MasterKeyInvalid, "{text}");
        }
    }

    #[test]
    fn e5_refuses_what_can_be_guessed() {
        let typed = [
            "your-32-character-secret-key-here".to_owned(),
            "Your-32-Character-Secret-Key-Here_padded-43".to_owned(),
            "changeme".to_owned(),
            "CHANGEMECHANGEMECHANGEMECHANGEMECHANGEMECHA".to_owned(),
            "0123456789abcdef0123456789abcdef".to_owned(),
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopo".to_owned(),
            "correcthorsebatterystaplecorrecthorsebattec".to_owned(),
            "CORRECTHORSEBATTERYSTAPLECORRECTHORSEBATTEQ".to_owned(),
            "Ab3dEf7hIkJAb3dEf7hIkJAb3dEf7hIkJAb3dEf7hIk".to_owned(),
            "0123456789abcdeffedcba9876543210aabbccddee8".to_owned(),
        ];
        let made = [
            [0; KEY_BYTES],
            [0xa5; KEY_BYTES],
            std::array::from_fn(|place| place as u8),
            std::array::from_fn(|place| 255 - place as u8 * 3),
            std::array::from_fn(|place| (place % 16 * 37 + 5) as u8),
            std::array::from_fn(|place| [1, 77][place % 2]),
            // Two values in no order: no pattern, but far fewer bits than it seems.
            std::array::from_fn(|place| [1, 177][(0xb7e1_5162_u32 >> place & 1) as usize]),
            *b"correct horse battery staple 123",
        ];
        for text in typed.into_iter().chain(made.map(text_of)) {
            assert_eq!(refusal(&text), Code::MasterKeyInvalid, "{text}");
        }
    }

    #[test]
    fn e5_from_the_environment() {
        let missing = MasterKey::from_env("TIELINE_TEST_NO_SUCH_VARIABLE").err().unwrap();
        assert_eq!(missing.code(), Code::MasterKeyMissing);
        assert!(missing.detail().contains("TIELINE_TEST_NO_SUCH_VARIABLE"));
        // Every test process has a PATH, and it is no key.
        assert_eq!(
            MasterKey::from_env("PATH").err().unwrap().code(),
            Code::MasterKeyInvalid
        );
    }

    #[test]
    fn a_source_that_is_not_random_makes_no_key() {
        struct Zeros;
        impl Random for Zeros {
            fn fill(&self, buffer: &mut [u8]) -> Result<()> {
                buffer.fill(0);
                Ok(())
            }
        }
        assert_eq!(MasterKey::generate(&Zeros).err().unwrap().code(), Code::Internal);
    }

    #[test]
    fn derived_keys_differ_by_purpose_and_tenant() {
        let key = MasterKey::generate(&SystemRandom).unwrap();
        let [one, two] = [TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16])];
        let purposes = [
            Purpose::Data(one),
            Purpose::Data(two),
            Purpose::Audit(one),
            Purpose::Audit(two),
            Purpose::Calls(one),
            Purpose::Calls(two),
            Purpose::Wrapping,
            Purpose::Telemetry,
            Purpose::Webhooks,
            Purpose::Fingerprint,
        ];
        let mut derived = purposes.map(|purpose| *key.derive(purpose).reveal()).to_vec();
        derived.push(*key.0.reveal());
        derived.sort_unstable();
        derived.dedup();
        assert_eq!(derived.len(), purposes.len() + 1);
    }
}
