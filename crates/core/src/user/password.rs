//! Passwords: Argon2id (RFC 9106), a few at once, off the runtime's threads.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::{
    clock::Random,
    error::{Code, Error, Result, Retry},
    limits::{
        MAX_PASSWORD_BYTES, MAX_PASSWORD_HASHES, MAX_WAITING_PASSWORDS, MIN_PASSWORD_CHARS, MIN_PASSWORD_DISTINCT,
        OVERLOAD_RETRY_AFTER, PASSWORD_LANES, PASSWORD_MEMORY_KIB, PASSWORD_PASSES,
    },
    secret::Secret,
};

/// RFC 9106 section 3.1 recommends 128 bits of salt.
const SALT_BYTES: usize = 16;

/// Bytes of a hash, as RFC 9106 section 4 recommends.
const HASH_BYTES: usize = 32;

/// What a stored hash begins with (the PHC string format).
const SCHEME: &str = "$argon2id$v=19$";

/// Hashes passwords.
pub(crate) struct Passwords {
    random: Arc<dyn Random>,
    /// Places to stand, hashing or waiting.
    room: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    memory: Arc<Memory>,
    hashed: AtomicU64,
}

/// What hashing is done in, kept for the next: never more than there are turns. Given back to the system's allocator each
/// time, it would stay with each of the many threads that once hashed something.
#[derive(Default)]
struct Memory(Mutex<Vec<Vec<Block>>>);

impl Memory {
    /// Works in as many blocks as are asked for. Nothing of the work is left in them.
    fn with<T>(&self, blocks: usize, work: impl FnOnce(&mut [Block]) -> T) -> T {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = kept().pop().unwrap_or_default();
        memory.resize(blocks, Block::new());
        let done = work(&mut memory);
        memory.fill(Block::new());
        kept().push(memory);
        done
    }
}

/// A stored hash, taken apart.
struct Stored {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

/// Refuses a password that can be guessed. `known` is what everybody knows of its owner.
pub(super) fn check(pointer: &str, password: &str, known: &[&str]) -> Result<()> {
    let refused = |message: String| {
        let detail =
            "This password can be guessed, or is too long: see `fields`. Several random words make a good one.";
        Err(Error::new(Code::RequestInvalid, detail).field(pointer, message))
    };
    let mut letters: Vec<char> = password.chars().collect();
    if letters.len() < MIN_PASSWORD_CHARS {
        return refused(format!("must have {MIN_PASSWORD_CHARS} characters or more"));
    }
    if password.len() > MAX_PASSWORD_BYTES {
        return refused(format!("must have at most {MAX_PASSWORD_BYTES} bytes"));
    }
    letters.sort_unstable();
    letters.dedup();
    if letters.len() < MIN_PASSWORD_DISTINCT {
        return refused(format!(
            "must have {MIN_PASSWORD_DISTINCT} different characters or more"
        ));
    }
    let lower = password.to_lowercase();
    if known.iter().any(|known| lower == known.to_lowercase()) {
        return refused("must not be your name or address".to_owned());
    }
    Ok(())
}

impl Passwords {
    pub(crate) fn new(random: Arc<dyn Random>) -> Self {
        Self {
            random,
            room: Arc::new(Semaphore::new(MAX_PASSWORD_HASHES + MAX_WAITING_PASSWORDS)),
            turns: Arc::new(Semaphore::new(MAX_PASSWORD_HASHES)),
            memory: Arc::default(),
            hashed: AtomicU64::new(0),
        }
    }

    /// A password as it is stored.
    pub(crate) async fn hash(&self, password: Arc<Secret>) -> Result<String> {
        let mut salt = vec![0; SALT_BYTES];
        self.random.fill(&mut salt)?;
        let shape = Stored {
            memory_kib: PASSWORD_MEMORY_KIB,
            passes: PASSWORD_PASSES,
            lanes: PASSWORD_LANES,
            salt,
            hash: Vec::new(),
        };
        let (shape, hash) = self.run(password, shape).await?;
        Ok(Stored { hash, ..shape }.to_text())
    }

    /// Whether a password is the stored one. Where nothing is stored, as much work is done for the answer.
    pub(crate) async fn verify(&self, password: Arc<Secret>, stored: Option<String>) -> Result<bool> {
        let known = stored.is_some();
        let stored = match stored {
            Some(text) => Stored::parse(&text)?,
            None => Stored {
                memory_kib: PASSWORD_MEMORY_KIB,
                passes: PASSWORD_PASSES,
                lanes: PASSWORD_LANES,
                salt: vec![0; SALT_BYTES],
                hash: vec![0; HASH_BYTES],
            },
        };
        let (stored, hash) = self.run(password, stored).await?;
        Ok(known & bool::from(hash.ct_eq(&stored.hash)))
    }

    /// How many were hashed so far.
    #[cfg(test)]
    pub(crate) fn hashed(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }

    /// Takes every place, as a flood does.
    #[cfg(test)]
    pub(crate) async fn flooded(&self) -> tokio::sync::OwnedSemaphorePermit {
        let places = MAX_PASSWORD_HASHES + MAX_WAITING_PASSWORDS;
        self.room.clone().acquire_many_owned(places as u32).await.unwrap()
    }

    async fn run(&self, password: Arc<Secret>, shape: Stored) -> Result<(Stored, Vec<u8>)> {
        let place = self.room.clone().try_acquire_owned().map_err(|_| {
            let detail = "Too many people are signing in just now: try again in a moment.";
            Error::new(Code::Overloaded, detail)
                .retry(Retry::After(OVERLOAD_RETRY_AFTER))
                .before_sending()
        })?;
        let turn = self.turns.clone().acquire_owned().await;
        let turn = turn.map_err(|error| Error::internal("the turns for passwords are never closed", error))?;
        self.hashed.fetch_add(1, Ordering::Relaxed);
        let memory = self.memory.clone();
        let work = tokio::task::spawn_blocking(move || {
            // Place and turn end with the work, and not with whoever waited for it.
            let _held = (place, turn);
            let hash = shape.hash(password.reveal(), &memory);
            hash.map(|hash| (shape, hash))
        });
        work.await
            .map_err(|error| Error::internal("hashing a password did not end", error))?
    }
}

impl Stored {
    fn hash(&self, password: &str, memory: &Memory) -> Result<Vec<u8>> {
        let trouble = |error: argon2::Error| Error::internal("Argon2id failed", error.to_string());
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(HASH_BYTES)).map_err(trouble)?;
        let blocks = params.block_count();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut hash = vec![0; HASH_BYTES];
        memory
            .with(blocks, |memory| {
                argon2.hash_password_into_with_memory(password.as_bytes(), &self.salt, &mut hash, memory)
            })
            .map_err(trouble)?;
        Ok(hash)
    }

    fn to_text(&self) -> String {
        format!(
            "{SCHEME}m={},t={},p={}${}${}",
            self.memory_kib,
            self.passes,
            self.lanes,
            STANDARD_NO_PAD.encode(&self.salt),
            STANDARD_NO_PAD.encode(&self.hash)
        )
    }

    fn parse(text: &str) -> Result<Self> {
        let read = || {
            let mut parts = text.strip_prefix(SCHEME)?.split('$');
            let (costs, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
            let mut costs = costs.split(',').zip(["m=", "t=", "p="]);
            let mut cost = || {
                costs
                    .next()
                    .and_then(|(cost, name)| cost.strip_prefix(name)?.parse().ok())
            };
            Some(Self {
                memory_kib: cost()?,
                passes: cost()?,
                lanes: cost()?,
                salt: STANDARD_NO_PAD.decode(salt).ok()?,
                hash: STANDARD_NO_PAD.decode(hash).ok()?,
            })
        };
        read().ok_or_else(|| Error::internal("a stored password does not parse", "it is none of ours"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;

    fn passwords() -> Passwords {
        Passwords::new(Arc::new(SystemRandom))
    }

    fn secret(text: &str) -> Arc<Secret> {
        Arc::new(Secret::new(text.to_owned()))
    }

    #[tokio::test]
    async fn k4_a_password_is_stored_as_argon2id_with_a_salt_of_its_own() {
        let passwords = passwords();
        let (one, other) = (
            passwords.hash(secret("correct horse battery")).await.unwrap(),
            passwords.hash(secret("correct horse battery")).await.unwrap(),
        );
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other);
        assert!(
            passwords
                .verify(secret("correct horse battery"), Some(one.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify(secret("correct horse batterz"), Some(one))
                .await
                .unwrap()
        );
        assert!(!passwords.verify(secret("correct horse battery"), None).await.unwrap());
        assert_eq!(passwords.hashed(), 5, "nobody's password costs as much as somebody's");
    }

    /// The reference implementation's own example: RFC 9106 has none without key and associated data.
    #[test]
    fn a_hash_is_the_algorithms() {
        let shape = Stored {
            memory_kib: 256,
            passes: 2,
            lanes: 1,
            salt: b"somesalt".to_vec(),
            hash: Vec::new(),
        };
        let memory = Memory::default();
        let hash: String = shape
            .hash("password", &memory)
            .unwrap()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hash, "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe");
        let kept = memory.0.lock().unwrap();
        let blank = |block: &Block| block.as_ref().iter().all(|word| *word == 0);
        assert!(kept.len() == 1 && kept[0].len() == 256 && kept[0].iter().all(blank));
    }

    #[tokio::test]
    async fn k4_a_flood_of_passwords_is_bounded() {
        let passwords = Arc::new(passwords());
        // Somebody holds all turns.
        let turns = passwords
            .turns
            .clone()
            .acquire_many_owned(MAX_PASSWORD_HASHES as u32)
            .await
            .unwrap();
        let mut waiting = Vec::new();
        for _ in 0..MAX_PASSWORD_HASHES + MAX_WAITING_PASSWORDS {
            let passwords = passwords.clone();
            waiting.push(tokio::spawn(async move { passwords.verify(secret("x"), None).await }));
        }
        while passwords.room.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = passwords.verify(secret("x"), None).await.unwrap_err();
        assert_eq!(refused.code(), Code::Overloaded);
        assert_eq!(passwords.hashed(), 0, "nobody hashes without a turn");
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        drop(turns);
    }

    #[test]
    fn what_can_be_guessed_is_refused() {
        let known = ["ada@lovelace.example", "Ada Lovelace"];
        assert!(check("/password", "twelve chars", &known).is_ok());
        for weak in [
            "",
            "short",
            "aaaabbbbcccc",
            "ADA@lovelace.example",
            "ada lovelace",
            &"long ".repeat(300),
        ] {
            let error = check("/password", weak, &known).unwrap_err();
            assert_eq!(error.fields()[0].pointer, "/password", "{weak}");
            assert!(weak.is_empty() || !error.to_string().contains(weak));
        }
    }
}
