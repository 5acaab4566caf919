//! A value that never shows itself.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroize;

/// Fewest characters of a secret whose last four may be shown.
const SHORTEST_WITH_LAST4: usize = 16;

/// A secret: it has no `Debug`, `Display`, `Serialize` or `Clone`, and is overwritten when dropped. The only way to the
/// value is [`reveal`](Secret::reveal), which is easy to search for.
///
/// It can be carried about:
///
/// ```
/// let secret = tieline::secret::Secret::new(String::from("swordfish"));
/// assert_eq!(secret.reveal(), "swordfish");
/// ```
///
/// but not printed, neither for people
///
/// ```compile_fail
/// let secret = tieline::secret::Secret::new(String::from("swordfish"));
/// println!("{secret}");
/// ```
///
/// nor for developers,
///
/// ```compile_fail
/// let secret = tieline::secret::Secret::new(String::from("swordfish"));
/// println!("{secret:?}");
/// ```
///
/// not written into JSON,
///
/// ```compile_fail
/// let secret = tieline::secret::Secret::new(String::from("swordfish"));
/// serde_json::to_string(&secret);
/// ```
///
/// and not multiplied.
///
/// ```compile_fail
/// let secret = tieline::secret::Secret::new(String::from("swordfish"));
/// let another: tieline::secret::Secret = secret.clone();
/// ```
// Boxed, so that moving the secret about leaves no copies of it behind.
pub struct Secret<T: Zeroize = String>(Box<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes a value into keeping.
    pub fn new(value: T) -> Self {
        Self(Box::new(value))
    }

    /// The value, for the one place that must have it.
    pub fn reveal(&self) -> &T {
        &self.0
    }

    /// The value, to be worked on in place.
    pub(crate) fn reveal_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl Secret {
    /// The last four characters, to recognise it by; of secrets under 16 characters they would tell too much. Several
    /// values that are kept as one JSON text have none: the last of them may be short.
    pub fn last4(&self) -> Option<String> {
        let length = self.reveal().chars().count();
        let is_json = self.reveal().starts_with(['{', '[', '"']);
        (length >= SHORTEST_WITH_LAST4 && !is_json).then(|| self.reveal().chars().skip(length - 4).collect())
    }
}

/// A configuration's secret is a field of this type. It can be read and never written.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

impl Secret<Vec<u8>> {
    /// The text these bytes are, or nothing when they are none.
    pub(crate) fn into_text(mut self) -> Option<Secret> {
        match String::from_utf8(std::mem::take(self.reveal_mut())) {
            Ok(text) => Some(Secret::new(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                None
            }
        }
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use super::*;

    struct Canary(Arc<AtomicBool>);

    impl Zeroize for Canary {
        fn zeroize(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn e7_is_overwritten_on_drop() {
        let overwritten = Arc::new(AtomicBool::new(false));
        let secret = Secret::new(Canary(Arc::clone(&overwritten)));
        assert!(!overwritten.load(Ordering::SeqCst));
        drop(secret);
        assert!(overwritten.load(Ordering::SeqCst));
    }

    /// Answers whether a type has a trait: the inherent constant wins where its bound holds, else the trait's.
    macro_rules! has {
        ($type:ty: $($bound:tt)+) => {{
            #[allow(dead_code, reason = "which of the two constants is read is the answer")]
            trait Otherwise {
                const HAS: bool = false;
            }
            impl<T: ?Sized> Otherwise for T {}
            struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
            #[allow(dead_code, reason = "which of the two constants is read is the answer")]
            impl<T: ?Sized + $($bound)+> Probe<T> {
                const HAS: bool = true;
            }
            <Probe<$type>>::HAS
        }};
    }

    #[test]
    fn e7_has_nothing_to_show_itself_with() {
        assert!(has!(String: std::fmt::Debug), "the probe sees what is there");
        assert!(has!(String: serde::Serialize), "the probe sees what is there");
        assert!(!has!(Secret: std::fmt::Debug));
        assert!(!has!(Secret: std::fmt::Display));
        assert!(!has!(Secret: serde::Serialize));
        assert!(!has!(Secret: Clone));
    }

    #[test]
    fn r4_shows_the_end_of_long_secrets_only() {
        let last4 = |text: &str| Secret::new(text.to_owned()).last4();
        assert_eq!(last4("0123456789abcde"), None);
        assert_eq!(last4("éééééééééééé é€"), None, "characters count, not bytes");
        assert_eq!(last4("0123456789abcdef").as_deref(), Some("cdef"));
        assert_eq!(last4("0123456789ab€éèf").as_deref(), Some("€éèf"));
        assert_eq!(
            last4(r#"{"user":"somebody","pin":"77"}"#),
            None,
            "the last of several may be short"
        );
    }

    #[test]
    fn bytes_become_text_only_when_they_are() {
        let text = Secret::new(b"caf\xc3\xa9".to_vec())
            .into_text()
            .map(|text| text.reveal().clone());
        assert_eq!(text.as_deref(), Some("café"));
        assert!(Secret::new(vec![0xff]).into_text().is_none());
    }
}
