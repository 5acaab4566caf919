//! Secrets that tests use so that nothing else can look like them, and that the scan after the run looks for.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
    ops::Deref,
    sync::OnceLock,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer};

use crate::evidence;

/// Fewer random letters in a row could stand somewhere by chance.
const SHORTEST_RUN: usize = 16;

/// A secret, new in every process: `static TOKEN: Canary = Canary::new("token");`. It reads as a `str`.
pub struct Canary {
    name: &'static str,
    shape: &'static str,
    text: OnceLock<String>,
}

impl Canary {
    /// One of letters that every encoding writes in its own way, and that a header value may hold.
    pub const fn new(name: &'static str) -> Self {
        Self::shaped(name, "canary-################/+=%\\&\"?-################")
    }

    /// One of this shape: every `#` becomes a random digit, 0 to 9 or a to f. Both halves need many, because the scan
    /// looks for each by itself.
    pub const fn shaped(name: &'static str, shape: &'static str) -> Self {
        Self {
            name,
            shape,
            text: OnceLock::new(),
        }
    }

    /// Whether text holds it, or a half of it, however the text escapes what is neither letter nor digit.
    pub fn is_in(&self, text: &str) -> bool {
        self.split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|run| run.len() >= SHORTEST_RUN)
            .any(|run| text.contains(run))
    }
}

impl Deref for Canary {
    type Target = str;

    fn deref(&self) -> &str {
        self.text.get_or_init(|| {
            let text = fill(self.shape);
            evidence::register("never", self.name, text.as_bytes());
            text
        })
    }
}

impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl Serialize for Canary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

/// Has the scan look for an API key that was told once, in an answer, and is kept nowhere.
pub fn told_once(key: &str) {
    evidence::register("answers", "API key", key.as_bytes());
}

/// Has the scan look for a secret that somebody else made and that may stand nowhere.
pub fn never_told(name: &str, secret: &str) {
    evidence::register("never", name, secret.as_bytes());
}

/// Has the scan look for a master key: for its text form, and for the bytes it stands for.
pub fn never_told_master_key(text: &str) {
    let bytes = URL_SAFE_NO_PAD.decode(text).expect("letters of base64url");
    never_told("master key", text);
    evidence::register("never", "master key's bytes", &bytes);
}

/// The text of a master key, one for each process.
pub fn master_key() -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| {
        // 43 letters of base64url: the last stands for four bits (`0` has the other two clear), the first two are no
        // digits of hexadecimal, which a master key may not be made of.
        let text = fill("Zk########################################0");
        never_told_master_key(&text);
        text
    })
}

fn fill(shape: &str) -> String {
    let mut digits = std::iter::repeat_with(random)
        .flat_map(|word| (0..16).map(move |place| char::from_digit((word >> (4 * place)) as u32 & 15, 16)));
    shape
        .chars()
        .map(|letter| match letter {
            '#' => digits.next().flatten().expect("endless digits"),
            letter => letter,
        })
        .collect()
}

/// The standard library seeds its hashers from the system: enough for secrets that guard nothing.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_found_escaped_and_cut() {
        static CANARY: Canary = Canary::new("canary of the test kit");
        let escaped = serde_json::to_string(&CANARY).unwrap();
        assert!(!escaped.contains(&*CANARY) && CANARY.is_in(&escaped));
        assert!(CANARY.is_in(&CANARY[..24]) && CANARY.is_in(&CANARY[24..]));
        assert!(!CANARY.is_in(&CANARY[8..22]) && !CANARY.is_in("canary-"));
    }

    #[test]
    fn two_of_a_shape_differ_in_both_halves() {
        let (one, other) = (fill("a-########.########-b"), fill("a-########.########-b"));
        assert_eq!((one.len(), &one[..2], &one[19..]), (21, "a-", "-b"));
        assert!(one[..10] != other[..10] && one[10..] != other[10..], "{one} {other}");
    }
}
