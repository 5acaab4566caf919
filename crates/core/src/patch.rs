//! Reading what a patch says: absent is one thing, `null` another.

use serde::{Deserialize, Deserializer};

/// A field that stands there, be it `null`; with `#[serde(default)]`, an absent one is `None`.
pub fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
