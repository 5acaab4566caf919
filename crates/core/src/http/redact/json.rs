//! Secrets in JSON text: replaced where they stand, while everything else keeps its very bytes.

use std::borrow::Cow;

use super::{MARK, Redactor, names::is_secret_name};

/// Scrubs JSON text; nothing when it is no JSON.
///
/// It walks over the text rather than over a tree, because a tree would rewrite numbers and lose doubled keys.
pub(super) fn scrub<'t>(redactor: &Redactor, text: &'t str) -> Option<Cow<'t, str>> {
    // Checked first, so that the walk need not be a parser: prose made of words and colons must not pass for JSON.
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut walk = Walk {
        redactor,
        text,
        at: 0,
        out: String::new(),
        written: 0,
    };
    walk.document()?;
    if walk.written == 0 {
        return Some(Cow::Borrowed(text));
    }
    walk.out.push_str(&text[walk.written..]);
    Some(Cow::Owned(walk.out))
}

struct Walk<'t, 'r> {
    redactor: &'r Redactor,
    text: &'t str,
    at: usize,
    out: String,
    /// Up to where the text has been copied or replaced.
    written: usize,
}

/// A container that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Object,
    Array,
}

impl<'t> Walk<'t, '_> {
    fn document(&mut self) -> Option<()> {
        let mut open: Vec<Open> = Vec::new();
        // Where a value begins that stands under a secret's name, and how deep.
        let mut secret: Option<(usize, usize)> = None;
        let mut is_secret = false;
        let mut expects_key = false;
        loop {
            self.skip_space();
            let start = self.at;
            let Some(byte) = self.text.as_bytes().get(start).copied() else {
                return (open.is_empty() && start > 0).then_some(());
            };
            match byte {
                b'{' | b'[' => {
                    self.at += 1;
                    if is_secret && secret.is_none() {
                        secret = Some((start, open.len()));
                    }
                    is_secret = false;
                    open.push(if byte == b'{' { Open::Object } else { Open::Array });
                    expects_key = byte == b'{';
                }
                b'}' | b']' => {
                    self.at += 1;
                    let expected = if byte == b'}' { Open::Object } else { Open::Array };
                    (open.pop()? == expected).then_some(())?;
                    if let Some((start, _)) = secret.take_if(|(_, depth)| *depth == open.len()) {
                        self.put(start, &format!("\"{MARK}\""));
                    }
                    is_secret = false;
                    expects_key = false;
                }
                b',' => {
                    self.at += 1;
                    is_secret = false;
                    expects_key = *open.last()? == Open::Object;
                }
                b':' => {
                    self.at += 1;
                    expects_key = false;
                }
                b'"' => {
                    let content = self.string()?;
                    if expects_key {
                        is_secret = is_secret_name(&content);
                        self.scrub_string(start, &content, secret.is_some());
                    } else if is_secret && secret.is_none() && !content.is_empty() {
                        self.put(start, &format!("\"{MARK}\""));
                    } else {
                        self.scrub_string(start, &content, secret.is_some());
                    }
                }
                _ => {
                    let word = self.word()?;
                    let only_says_whether = matches!(word, "true" | "false" | "null");
                    let is_known = matches!(self.redactor.scrub(word), Cow::Owned(_));
                    if secret.is_none() && (is_known || (is_secret && !only_says_whether)) {
                        self.put(start, &format!("\"{MARK}\""));
                    }
                }
            }
        }
    }

    fn skip_space(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let space = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += space.count();
    }

    /// Reads a string, without its escapes.
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += 1;
        while *bytes.get(self.at)? != b'"' {
            self.at += if bytes[self.at] == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        serde_json::from_str(self.text.get(start..self.at)?).ok()
    }

    /// Reads a number or a literal.
    fn word(&mut self) -> Option<&'t str> {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let length = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
            .count();
        self.at += length;
        (length > 0).then_some(&self.text[start..self.at])
    }

    /// Writes a string anew if it holds secrets. Inside a container that goes away whole, nothing is written.
    fn scrub_string(&mut self, start: usize, content: &str, goes_away: bool) {
        if goes_away {
            return;
        }
        if let Cow::Owned(scrubbed) = self.redactor.scrub(content) {
            self.put(start, &serde_json::Value::String(scrubbed).to_string());
        }
    }

    /// Puts something in place of the text from `start` to here.
    fn put(&mut self, start: usize, replacement: &str) {
        self.out.push_str(&self.text[self.written..start]);
        self.out.push_str(replacement);
        self.written = self.at;
    }
}
