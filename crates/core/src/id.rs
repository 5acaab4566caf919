//! Identifiers: a TypeID (`conn_` and 26 base32 letters of a UUIDv7) outside, 16 bytes inside.
//!
//! The text form follows the TypeID specification 0.3: Crockford's base32 in lower case, 128 bits in 26 letters.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::{
    clock::{Clock, Random, Timestamp},
    error::{Code, Error, Result},
};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LETTERS: usize = 26;

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident = $prefix:literal,)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(Uuid);

            impl $name {
                /// The prefix of the text form.
                pub const PREFIX: &'static str = $prefix;

                /// A new identifier; later ones sort after earlier ones.
                pub fn new(clock: &dyn Clock, random: &dyn Random) -> Result<Self> {
                    new_uuid(clock.now(), random).map(Self)
                }

                /// The same, of a time that was read before.
                pub fn new_at(now: Timestamp, random: &dyn Random) -> Result<Self> {
                    new_uuid(now, random).map(Self)
                }

                /// The least identifier of a time's millisecond.
                pub fn first_at(at: Timestamp) -> Self {
                    Self(uuid::Builder::from_unix_timestamp_millis(milliseconds(at), &[0; 10]).into_uuid())
                }

                /// The identifier with these bytes.
                pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                    Self(Uuid::from_bytes(bytes))
                }

                /// The 16 bytes a store keeps.
                pub const fn as_bytes(&self) -> &[u8; 16] {
                    self.0.as_bytes()
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{}_{}", $prefix, encode(self.0.as_u128()))
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, f)
                }
            }

            impl FromStr for $name {
                type Err = Error;

                fn from_str(text: &str) -> Result<Self> {
                    text.strip_prefix($prefix)
                        .and_then(|rest| rest.strip_prefix('_'))
                        .and_then(decode)
                        .map(|bits| Self(Uuid::from_u128(bits)))
                        .ok_or_else(|| {
                            Error::new(Code::NotFound, concat!("There is no such id. One of this kind begins with `", $prefix, "_`."))
                        })
                }
            }

            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                    text.parse().map_err(|error: Error| serde::de::Error::custom(error.detail()))
                }
            }

            impl schemars::JsonSchema for $name {
                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    schemars::json_schema!({
                        "type": "string",
                        "pattern": concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$"),
                        "examples": [concat!($prefix, "_01jd3k9v7rf8pa0q2m5w8x4ynz")],
                    })
                }
            }
        )+
    };
}

ids! {
    /// A tenant.
    TenantId = "ten",
    /// A person who signs in.
    UserId = "usr",
    /// A session of a person.
    SessionId = "sess",
    /// An API key.
    ApiKeyId = "key",
    /// A shared credential.
    CredentialId = "cred",
    /// A connection.
    ConnectionId = "conn",
    /// An event.
    EventId = "evt",
    /// One call of an action.
    CallId = "call",
    /// An entry of the audit chain.
    AuditId = "aud",
    /// A process among those that share a store.
    ProcessId = "proc",
    /// A sign-in at a service that is under way.
    OAuthStateId = "state",
}

/// UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, the rest random.
fn new_uuid(now: Timestamp, random: &dyn Random) -> Result<Uuid> {
    let mut noise = [0_u8; 10];
    random.fill(&mut noise)?;
    Ok(uuid::Builder::from_unix_timestamp_millis(milliseconds(now), &noise).into_uuid())
}

fn milliseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0)
}

fn encode(bits: u128) -> String {
    (0..LETTERS)
        .rev()
        .map(|place| char::from(ALPHABET[(bits >> (place * 5)) as usize & 31]))
        .collect()
}

fn decode(text: &str) -> Option<u128> {
    let letters = text.as_bytes();
    if letters.len() != LETTERS || letters[0] > b'7' {
        return None;
    }
    letters.iter().try_fold(0_u128, |bits, letter| {
        let value = ALPHABET.iter().position(|known| known == letter)?;
        Some(bits << 5 | value as u128)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SystemClock, SystemRandom};

    #[test]
    fn text_form_matches_the_specification() {
        // From the TypeID specification's examples: the nil and the largest value.
        assert_eq!(encode(0), "00000000000000000000000000");
        assert_eq!(encode(u128::MAX), "7zzzzzzzzzzzzzzzzzzzzzzzzz");
        let bits = 0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881;
        assert_eq!(encode(bits), "01h2xcejqtf2nbrexx3vqjhp41");
        assert_eq!(decode("01h2xcejqtf2nbrexx3vqjhp41"), Some(bits));
    }

    #[test]
    fn round_trips_and_refuses_what_is_not_an_id() {
        let id = ConnectionId::new(&SystemClock, &SystemRandom).unwrap();
        assert_eq!(id.to_string().parse::<ConnectionId>().unwrap(), id);
        for wrong in [
            "",
            "conn_",
            "key_01h2xcejqtf2nbrexx3vqjhp41",
            "conn_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "conn_01H2XCEJQTF2NBREXX3VQJHP41",
        ] {
            assert!(wrong.parse::<ConnectionId>().is_err(), "{wrong}");
        }
    }
}
