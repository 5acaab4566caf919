//! Redaction: keeps secrets out of whatever a call produces: logs, errors, history, the test panel.
//!
//! Three nets, coarse to fine: the secrets of this very call by their value, however written; values by the name they
//! stand under; and shapes that only secrets have. Always scrub first and cut afterwards: a secret cut in two is no
//! longer recognised, but half of it is still there.

mod json;
mod names;
mod pattern;
mod value;

pub use names::is_secret_name;

use std::{borrow::Cow, ops::Range};

use self::value::Needle;
use crate::limits::MIN_SCRUBBED_SECRET_BYTES;

/// What stands where a secret stood.
pub const MARK: &str = "[redacted]";

/// Scrubs text of secrets. Made once per set of secrets, such as those of an opened credential.
#[derive(Default)]
pub struct Redactor {
    needles: Vec<Needle>,
}

impl Redactor {
    /// A redactor that knows these secrets by value. Those under [`MIN_SCRUBBED_SECRET_BYTES`] are left to the other
    /// nets.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let long_enough = |secret: &&str| secret.len() >= MIN_SCRUBBED_SECRET_BYTES;
        Self {
            needles: value::needles(secrets.into_iter().filter(long_enough)),
        }
    }

    /// The text without its secrets; the text itself when it has none.
    pub fn scrub<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut spans = value::find(&self.needles, text);
        spans.extend(pattern::find(text));
        replace(text, spans)
    }

    /// The text without this call's secrets, by value only: what a service answers may hold tokens of its own that the
    /// caller asked for.
    pub fn scrub_values<'t>(&self, text: &'t str) -> Cow<'t, str> {
        replace(text, value::find(&self.needles, text))
    }

    /// Scrubs, then cuts to at most `max_bytes`, at a character's border.
    pub fn scrub_and_cut(&self, text: &str, max_bytes: usize) -> String {
        let mut scrubbed = self.scrub(text).into_owned();
        scrubbed.truncate(scrubbed.floor_char_boundary(max_bytes));
        scrubbed
    }

    /// A header's value without its secrets.
    pub fn scrub_header<'t>(&self, name: &str, value: &'t str) -> Cow<'t, str> {
        if is_secret_name(name) && !value.is_empty() {
            return Cow::Borrowed(MARK);
        }
        self.scrub(value)
    }

    /// JSON text without its secrets. It stays JSON: what stands under a secret's name becomes the string [`MARK`]
    /// (booleans, nulls and empty strings stay, since they only say whether there is a secret), strings and keys are
    /// scrubbed as text, and all else, numbers too, stays as it was written. Text that is no JSON is scrubbed as text.
    pub fn scrub_json<'t>(&self, text: &'t str) -> Cow<'t, str> {
        json::scrub(self, text).unwrap_or_else(|| self.scrub(text))
    }
}

/// Puts [`MARK`] in place of the spans, which may overlap.
fn replace(text: &str, mut spans: Vec<Range<usize>>) -> Cow<'_, str> {
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    spans.sort_unstable_by_key(|span| span.start);
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for span in spans {
        if span.start >= end {
            out.push_str(&text[end..span.start]);
            out.push_str(MARK);
        }
        end = end.max(span.end);
    }
    out.push_str(&text[end..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
