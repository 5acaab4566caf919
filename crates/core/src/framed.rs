//! Joins values to bytes so that no two lists of values meet: `["a", "b"]` and `["a,", "b"]` differ.

/// Values one after another, each behind its length (8 bytes, big endian).
pub(crate) struct Framed(Vec<u8>);

impl Framed {
    /// Begins with a label that says what the bytes are for, so that two uses never meet either.
    pub(crate) fn new(label: &str) -> Self {
        Self(Vec::with_capacity(256)).with(label.as_bytes())
    }

    /// Appends a value.
    #[must_use]
    pub(crate) fn with(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(&(value.len() as u64).to_be_bytes());
        self.0.extend_from_slice(value);
        self
    }

    /// Appends a value that may be absent, which is not the same as an empty one.
    #[must_use]
    pub(crate) fn with_option(self, value: Option<&[u8]>) -> Self {
        match value {
            None => self.with(&[0]),
            Some(value) => self.with(&[1]).with(value),
        }
    }

    /// The bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_join_to_the_same_text_differ_here() {
        let bytes = |parts: &[&str]| {
            let framed = Framed::new("test");
            parts
                .iter()
                .fold(framed, |framed, part| framed.with(part.as_bytes()))
                .into_bytes()
        };
        let lists: [&[&str]; 6] = [
            &["a", "b"],
            &["a,", "b"],
            &["a", ",b"],
            &["ab"],
            &["", "ab"],
            &["a", "b", ""],
        ];
        for (place, one) in lists.iter().enumerate() {
            for other in &lists[place + 1..] {
                assert_ne!(bytes(one), bytes(other), "{one:?} and {other:?}");
            }
        }
        assert_ne!(Framed::new("a").into_bytes(), Framed::new("b").into_bytes());
    }
}
